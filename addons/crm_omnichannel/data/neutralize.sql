-- A copy must not speak to a platform in the name of the original.
UPDATE omni_channel
   SET state = 'paused', connected_at = NULL
 WHERE platform_url IS NOT NULL;
DELETE FROM omni_token;
UPDATE omni_sync
   SET status = 'cancelled'
 WHERE status = 'open';
