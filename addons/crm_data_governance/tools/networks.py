"""Whom an address of the internet stands for."""

import ipaddress


def network(address):
    """The network that one client has in its hands.

    An IPv6 client is given a whole /64 and may call from any address of it (RFC 6177);
    an IPv4 client has the one address.

    :param str address: of the connection; may be None
    :return: str; what is no address stands for itself
    """
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if known.version == 6:
        known = known.ipv4_mapped or known
    if known.version == 4:
        return str(known)
    return str(ipaddress.IPv6Network((known, 64), strict=False))
