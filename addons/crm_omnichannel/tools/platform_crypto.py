"""Signatures and encryption of the callbacks of WeCom and WeChat.

Source: WeCom 加解密方案说明 (developer.work.weixin.qq.com, path 90968): AES-256-CBC,
the first 16 bytes of the key as IV, PKCS#7 padding to a multiple of 32; the plain text
is 16 random bytes, 4 bytes of length (big-endian), the message, the receiver's id.
"""

import base64
import binascii
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
RANDOM_BYTES = 16
KEY_LENGTH = 43


class CryptoError(ValueError):
    """A key or a message that is not what it should be; it says no more than that."""


def sign(*parts):
    """Return the signature of texts: SHA-1 of them sorted and joined, in hex.

    :param str parts: token, timestamp, nonce and, where encrypted, the ciphertext
    """
    # the platform prescribes SHA-1
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def is_signed(signature, *parts):
    """Tell, in constant time, whether a signature is that of the texts."""
    try:
        return hmac.compare_digest(sign(*parts).encode(), signature.encode())
    except UnicodeEncodeError:
        return False


def read_key(encoding_aes_key):
    """Return the 32 bytes of an EncodingAESKey.

    :param str encoding_aes_key: 43 letters and digits
    :raise CryptoError: anything else
    """
    try:
        key = base64.b64decode(encoding_aes_key + "=", validate=True)
    except (binascii.Error, ValueError):
        raise CryptoError("no EncodingAESKey") from None
    if len(encoding_aes_key) != KEY_LENGTH or len(key) != BLOCK:
        raise CryptoError("no EncodingAESKey")
    return key


def decrypt(encoding_aes_key, ciphertext, receiver):
    """Return the message inside a ciphertext.

    :param str encoding_aes_key: 43 letters and digits
    :param str ciphertext: base64
    :param str receiver: to whom it must be addressed: the corp id or app id
    :raise CryptoError: it cannot be decrypted, or is for somebody else
    :return: bytes
    """
    key = read_key(encoding_aes_key)
    try:
        data = base64.b64decode(ciphertext, validate=True)
    except (binascii.Error, ValueError):
        raise CryptoError("no base64") from None
    if not data or len(data) % 16:
        raise CryptoError("not a multiple of the block")
    decryptor = _cipher(key).decryptor()
    plain = _unpad(decryptor.update(data) + decryptor.finalize())
    head = RANDOM_BYTES + 4
    if len(plain) < head:
        raise CryptoError("too short")
    [length] = struct.unpack(">I", plain[RANDOM_BYTES:head])
    message, addressee = plain[head : head + length], plain[head + length :]
    if len(message) != length or addressee != receiver.encode():
        raise CryptoError("another receiver")
    return message


def encrypt(encoding_aes_key, message, receiver, random_bytes):
    """Return a message as ciphertext (base64), as :func:`decrypt` reads it.

    :param bytes message: plain text
    :param bytes random_bytes: 16 bytes from a secure source
    """
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"{RANDOM_BYTES} random bytes are needed")
    plain = random_bytes + struct.pack(">I", len(message)) + message + receiver.encode()
    encryptor = _cipher(read_key(encoding_aes_key)).encryptor()
    return base64.b64encode(
        encryptor.update(_pad(plain)) + encryptor.finalize()
    ).decode()


def encrypt_reply(keys, message, timestamp, nonce, random_bytes):
    """Return the signed XML in which a reply is sent back.

    :param keys: ``token``, ``aes_key`` and ``app_id`` as attributes
    :param bytes message: XML of the reply
    :param str timestamp: seconds since 1970
    :param str nonce: any text of digits and letters
    :param bytes random_bytes: 16 bytes from a secure source
    :return: str
    """
    ciphertext = encrypt(keys.aes_key, message, keys.app_id, random_bytes)
    signature = sign(keys.token, timestamp, nonce, ciphertext)
    return (
        f"<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt>"
        f"<MsgSignature><![CDATA[{signature}]]></MsgSignature>"
        f"<TimeStamp>{timestamp}</TimeStamp>"
        f"<Nonce><![CDATA[{nonce}]]></Nonce></xml>"
    )


def _cipher(key):
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def _pad(data):
    count = BLOCK - len(data) % BLOCK
    return data + bytes([count]) * count


def _unpad(data):
    """The block is 32 bytes, not AES's 16: up to 32 bytes of padding."""
    count = data[-1]
    if not 1 <= count <= BLOCK or data[-count:] != bytes([count]) * count:
        raise CryptoError("bad padding")
    return data[:-count]
