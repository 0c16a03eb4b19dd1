from . import decide, page, session
