"""What all normalisers share: values as text, and the error of an unreadable one."""

import json
from datetime import date


class BadValue(ValueError):
    """A value cannot be read: ``code`` and ``params`` (plain JSON values)."""

    def __init__(self, code, **params):
        super().__init__(code)
        self.code = code
        self.params = params


def as_text(value):
    """Return a JSON scalar as text; None for null, empty and lists or objects.

    :raises BadValue: ``not_text`` for a list or an object.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # a spreadsheet's 13912345678.0 is a telephone number
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, date):
        return value.isoformat()
    raise BadValue("not_text", value=shown(value))


def shown(value):
    """Return a value as it stands in an error: short, one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
