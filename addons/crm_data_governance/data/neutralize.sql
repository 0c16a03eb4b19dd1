-- No key of the original works on a copy, and no secret reaches a platform from it.
UPDATE governance_credential
   SET prefix = NULL, hash = NULL, public_key = NULL;
UPDATE governance_secret
   SET sealed = NULL, key_fingerprint = NULL;
