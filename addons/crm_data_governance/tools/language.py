"""Which installed language serves a reader best (RFC 4647, lookup)."""


def pick_language(accepted, installed):
    """The first accepted language that is installed, in any of its regions.

    :param accepted: iterable of ``(language tag, quality)``, best first
    :param installed: language codes such as ``zh_CN``
    :return: an installed code, or None
    """
    installed = list(installed)
    for tag, quality in accepted:
        if quality <= 0:
            continue
        wanted = tag.replace("-", "_").lower()
        language = wanted.partition("_")[0]
        same = [
            code for code in installed if code.lower().partition("_")[0] == language
        ]
        exact = [code for code in same if code.lower() == wanted]
        if exact or same:
            return (exact or same)[0]
    return None
