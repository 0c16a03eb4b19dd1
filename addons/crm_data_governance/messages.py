"""Words made by code: stored as code and params, chosen when somebody reads them."""


def render(env, table, code, params=None):
    """The text of a code in the language of the environment.

    :param dict table: code → lazy text with named placeholders
    :param dict params: as stored
    :return: str; "" without a code. A code that is not in the table, or whose params
        are those of another version of it, is given as it is: it still tells
    """
    if code not in table:
        return code or ""
    text = str(env._(table[code]))
    try:
        return text % params if params else text
    except (KeyError, TypeError, ValueError):
        return code
