"""Web origins: the addresses that may use a public key, in one spelling.

An origin is what a browser sends in the ``Origin`` header (RFC 6454, and the
URL standard's "ASCII serialisation"): ``scheme://host[:port]``, lower case,
international names as punycode, the scheme's default port left out.
"""

import ipaddress
import re
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
#: Names a developer's own machine goes by: the only ones allowed without TLS
#: being recommended (the W3C calls them "potentially trustworthy").
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
MAX_ORIGINS = 100

_LABEL = re.compile(r"^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$")


class OriginError(ValueError):
    """An address that is no origin.

    :ivar code: ``empty``, ``scheme``, ``host``, ``port``, ``path``,
        ``credentials``, ``wildcard`` or ``too_many``
    :ivar params: what the message needs, always with ``value``
    """

    def __init__(self, code, value):
        super().__init__(f"{code}: {value}")
        self.code = code
        self.params = {"value": value[:200]}


def _host(host, value):
    """Lower-case ASCII form of a host name or address."""
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError:
            raise OriginError("host", value) from None
    try:
        ascii_host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise OriginError("host", value) from None
    labels = ascii_host.split(".")
    if len(ascii_host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise OriginError("host", value)
    if labels[-1].isdigit():
        # A name that ends in a number is an IPv4 address or nothing.
        try:
            return str(ipaddress.IPv4Address(ascii_host))
        except ValueError:
            raise OriginError("host", value) from None
    return ascii_host


def normalise_origin(value):
    """One origin as a browser would write it.

    :param str value: ``scheme://host[:port]``, blanks around it allowed, a
        single slash at the end too (what one copies from an address bar)
    :return: the canonical origin
    :raises OriginError: with the code of what is wrong
    """
    text = (value or "").strip()
    if not text:
        raise OriginError("empty", text)
    if "*" in text:
        raise OriginError("wildcard", text)
    if re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise OriginError("host", text)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise OriginError("host", text) from None
    if parts.scheme.lower() not in DEFAULT_PORTS or "//" not in text:
        raise OriginError("scheme", text)
    if "@" in parts.netloc:
        raise OriginError("credentials", text)
    if parts.path not in ("", "/") or "?" in text or "#" in text:
        raise OriginError("path", text)
    try:
        port = parts.port
        host = parts.hostname
    except ValueError:
        raise OriginError("port", text) from None
    if not host:
        raise OriginError("host", text)
    if port == 0:
        raise OriginError("port", text)
    scheme = parts.scheme.lower()
    origin = f"{scheme}://{_host(host, text)}"
    if port and port != DEFAULT_PORTS[scheme]:
        origin += f":{port}"
    return origin


def normal_origin(text):
    """One origin as :func:`normalise_origin` gives it, or None for what is none.

    :param str text: as written by a person or sent by a browser (``null`` is no
        origin); may be None
    """
    try:
        return normalise_origin(text)
    except OriginError:
        return None


def host_spellings(origin):
    """How a person may have written the host of an origin.

    :param str origin: canonical
    :return: set: the host as DNS has it, and in its own script
    """
    host = urlsplit(origin).hostname
    try:
        return {host, host.encode().decode("idna")}
    except UnicodeError:
        return {host}


def is_of_host(origin, host):
    """Whether an origin is a page of the host that a request is for.

    :param str origin: as sent by a browser
    :param str host: as the ``Host`` header has it, with the port if it is no default
        one; the scheme is the origin's, since a proxy may have ended the TLS
    """
    wanted = normal_origin(origin)
    scheme = (wanted or "").partition("://")[0]
    return bool(wanted) and wanted == normal_origin(f"{scheme}://{host}")


def parse_origins(text):
    """The origins of a text field, one a line; blank lines are skipped.

    :param str text: as typed
    :return: ``list[str]``, canonical, each once, in the order typed
    :raises OriginError: for the first line that is no origin
    """
    origins = []
    for line in (text or "").splitlines():
        if not line.strip():
            continue
        origin = normalise_origin(line)
        if origin not in origins:
            origins.append(origin)
        if len(origins) > MAX_ORIGINS:
            raise OriginError("too_many", line)
    return origins


def origin_of_page(url):
    """The origin of a page's address, as the browser on it would send it.

    :param str url: full address of a page
    :return: canonical origin
    :raises OriginError: when the address is not an http(s) one
    """
    text = (url or "").strip()
    if not text:
        raise OriginError("empty", text)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise OriginError("host", text) from None
    if not parts.netloc:
        raise OriginError("scheme", text)
    return normalise_origin(f"{parts.scheme}://{parts.netloc}")


def is_insecure(origin):
    """Whether what is sent from this origin can be read on its way.

    :param str origin: canonical
    """
    if origin.startswith("https://"):
        return False
    host = origin.split("//", 1)[1]
    return not any(
        host == local or host.startswith(f"{local}:") for local in LOCAL_HOSTS
    )
