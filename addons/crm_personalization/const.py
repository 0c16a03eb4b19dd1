#: Needed of a key that asks for decisions.
SCOPE = "personalization.decide"
#: Cookie with the segment of a visitor, and how long it is good for.
COOKIE = "crm_segment"
COOKIE_DAYS = 30
#: What a code of a slot looks like.
CODE = r"[a-z0-9][a-z0-9_-]{0,63}"
#: Slots in one request, verdicts kept with one exposure.
MAX_SLOTS = 50
MAX_VERDICTS = 20
#: Days for which exposures are kept, unless the settings say otherwise.
EXPOSURE_DAYS = 180
