"""Seal secrets that must be replayed to a platform (Fernet).

The key stands outside the database: in the environment variable ``CRM_SECRET_KEY``
or in a file that only the server's user can read.  A copy of the database alone
gives no secret away.  Fernet is AES-128-CBC with HMAC-SHA-256
(https://github.com/fernet/spec).
"""

import base64
import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

ENVIRONMENT_NAME = "CRM_SECRET_KEY"
FILE_NAME = "crm_secret.key"


class SealingError(ValueError):
    """The key does not fit, or is none."""


def make_key():
    """:return: a new key, URL-safe base64 of 32 random bytes, as str"""
    return Fernet.generate_key().decode()


def check_key(key):
    """Bring a key into Fernet's form.

    :param str key: URL-safe base64 of 32 bytes
    :raise SealingError: anything else
    :return: the key as str
    """
    try:
        raw = base64.urlsafe_b64decode(key.strip().encode("ascii"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise SealingError("A key is 32 bytes in URL-safe base64")
    return base64.urlsafe_b64encode(raw).decode()


def read_key(environ, folder):
    """The key in use, without making one.

    :param environ: mapping of environment variables
    :param folder: folder of the key file
    :raise SealingError: there is a key but it is not one
    :return: ``(key, origin)``, origin being ``environment`` or ``file``; or
        ``(None, None)``
    """
    if value := environ.get(ENVIRONMENT_NAME):
        return check_key(value), "environment"
    path = Path(folder, FILE_NAME)
    if path.is_file():
        try:
            return check_key(path.read_text()), "file"
        except (OSError, UnicodeDecodeError) as error:
            raise SealingError("The key file cannot be read") from error
    return None, None


def ensure_key(environ, folder):
    """The key in use; a file of mode 0600 is made when there is none.

    Several processes may do this at once: all end up with the same key.

    :param environ: mapping of environment variables
    :param folder: folder of the key file
    :raise SealingError: there is a key but it is not one
    :return: key as str
    """
    key, _origin = read_key(environ, folder)
    if key:
        return key
    path = Path(folder, FILE_NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp gives mode 0600; the link is atomic, so a half-written key is never
    # seen and the first of several processes wins.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE_NAME}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(make_key())
            file.flush()
            os.fsync(file.fileno())
        # If another process was first, its key is the one.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)
    return check_key(path.read_text())


def fingerprint(key):
    """:return: 16 hexadecimal digits that tell keys apart without giving one away"""
    digest = hashlib.sha256(b"crm-seal:" + check_key(key).encode())
    return digest.hexdigest()[:16]


def seal(text, key):
    """:return: ``text`` encrypted and authenticated, as ASCII str"""
    return Fernet(check_key(key)).encrypt(text.encode()).decode()


def unseal(token, key):
    """Open what :func:`seal` made.

    :raise SealingError: other key, or the token was changed
    :return: str
    """
    try:
        return Fernet(check_key(key)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise SealingError("The key does not open this secret") from None
