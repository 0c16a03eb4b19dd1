"""Web origins (RFC 6454): scheme, host and port in one spelling."""

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normal_origin(text):
    """One spelling of a web origin.

    :param str text: as written by a person or sent by a browser; may be None
    :return: ``scheme://host[:port]`` in lower case without a default port, or None
        if it is no http(s) origin (``null``, a path, a wildcard …)
    """
    if not text or any(character.isspace() for character in text):
        return None
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    if (
        parts.scheme not in _DEFAULT_PORTS
        or not parts.hostname
        or "*" in parts.hostname
        or parts.username is not None
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
    ):
        return None
    try:
        host = parts.hostname.encode("idna").decode()
    except UnicodeError:
        return None
    if ":" in parts.hostname:
        host = f"[{parts.hostname}]"
    if port in (None, _DEFAULT_PORTS[parts.scheme]):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def host_spellings(origin):
    """How a person may have written the host of an origin.

    :param str origin: of :func:`normal_origin`
    :return: set: the host as DNS has it, and in its own script
    """
    host = urlsplit(origin).hostname
    try:
        return {host, host.encode().decode("idna")}
    except UnicodeError:
        return {host}
