"""Decompress a request body step by step, never past a cap.

Content codings by RFC 9110 8.4.1: ``gzip`` (``x-gzip``), ``deflate`` (the zlib
format of RFC 1950; some clients send the raw stream of RFC 1951) and ``identity``.
"""

import zlib

# Decompressed bytes asked of zlib at once: the most that a bomb can take beyond
# the cap.
STEP = 64 * 1024
# Streams that may follow each other (gzip): each costs time, even an empty one.
MAX_MEMBERS = 1000


class InflateError(ValueError):
    """The data is not what its coding says."""


class TooLarge(InflateError):
    """More decompressed bytes than allowed."""


class UnknownCoding(InflateError):
    """A content coding that is not supported, or several of them."""


def inflate(data, coding, max_bytes):
    """Decompress ``data``.

    :param bytes data: body as received
    :param str coding: value of ``Content-Encoding`` (empty or None: identity)
    :param int max_bytes: greatest number of decompressed bytes
    :raise TooLarge: more than ``max_bytes``
    :raise UnknownCoding: other coding than gzip, deflate, identity
    :raise InflateError: broken or truncated data
    :return: bytes
    """
    coding = (coding or "identity").strip().lower()
    if coding == "identity":
        if len(data) > max_bytes:
            raise TooLarge
        return data
    if coding in ("gzip", "x-gzip"):
        return _inflate(data, zlib.MAX_WBITS | 16, max_bytes, members=True)
    if coding == "deflate":
        return _inflate(data, _deflate_wbits(data), max_bytes, members=False)
    raise UnknownCoding(coding)


def _deflate_wbits(data):
    """zlib's header is a multiple of 31 with method 8; else it is a raw stream."""
    if len(data) >= 2 and data[0] & 0x0F == 8 and not (data[0] << 8 | data[1]) % 31:
        return zlib.MAX_WBITS
    return -zlib.MAX_WBITS


def _inflate(data, wbits, max_bytes, members):
    """:param bool members: whether several streams may follow each other (gzip)"""
    chunks, size, position = [], 0, 0
    for _member in range(MAX_MEMBERS):
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            # Handed over slice by slice: zlib copies what it does not consume.
            rest = data[position : position + STEP]
            try:
                chunk = stream.decompress(rest, min(STEP, max_bytes - size + 1))
            except zlib.error as error:
                raise InflateError(str(error)) from None
            unread = len(stream.unused_data) or len(stream.unconsumed_tail)
            position += len(rest) - unread
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge
            chunks.append(chunk)
            if not chunk and not rest and not stream.eof:
                raise InflateError("truncated")
        if position == len(data):
            return b"".join(chunks)
        if not members:
            raise InflateError("data after the end of the stream")
    raise InflateError("too many streams")
