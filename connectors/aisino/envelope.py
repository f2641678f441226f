"""The envelope of 爱信诺云税 openapi: SM4 over the JSON, HMAC-SHA256 over the parts, a key of its own for every second.

Sources: 爱信诺云税 interface document v1.8.4 and its Java sample; GB/T 32907-2016 (SM4). The cipher is that of the
library `cryptography`. A datagram is Base64 of the lower hex digits of the cipher text. Zipped answers are read
wherever the zipping took place; nothing is zipped on the way out: the document does not say where it belongs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.padding import PKCS7

BLOCK = 128
STAMP = 14
GZIP = b"\x1f\x8b"
UNZIPPED = 64 * 1024 * 1024
SIGN_TYPE = "HMacSHA256"
PLAIN, ENCRYPTED = "0", "1"


class Unreadable(ValueError):
    """A datagram that is none, or was sealed with another key."""


def key_of(authorisation: str, organisation: str, stamp: str) -> bytes:
    """The SM4 key of one second (yyyyMMddHHmmss): the middle 16 of the MD5's 32 hex digits."""
    text = f"{authorisation}{organisation}{stamp}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()[8:24].encode()


def access_token(organisation: str, tax_no: str, stamp: str) -> str:
    """Who calls, and when."""
    return base64.b64encode(f"{organisation}{tax_no}{stamp}".encode()).decode()


def stamp_of(token: str) -> str:
    """The second in an access token. Raises Unreadable."""
    try:
        stamp = base64.b64decode(token, validate=True).decode()[-STAMP:]
    except ValueError as error:
        raise Unreadable("access_token") from error
    if not (len(stamp) == STAMP and stamp.isdigit()):
        raise Unreadable("access_token")
    return stamp


def seal(plain: bytes, key: bytes) -> str:
    """The datagram of a JSON text."""
    padder = PKCS7(BLOCK).padder()
    encryptor = Cipher(SM4(key), ECB()).encryptor()  # noqa: S305  the platform's choice
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return base64.b64encode(sealed.hex().encode()).decode()


def unseal(datagram: str, key: bytes) -> bytes:
    """The JSON text of a datagram. Raises Unreadable."""
    try:
        outer = _unzipped(base64.b64decode(datagram, validate=True))
        decryptor = Cipher(SM4(key), ECB()).decryptor()  # noqa: S305  the platform's choice
        padded = decryptor.update(bytes.fromhex(outer.decode("ascii"))) + decryptor.finalize()
        unpadder = PKCS7(BLOCK).unpadder()
        return _unzipped(unpadder.update(padded) + unpadder.finalize())
    except (ValueError, zlib.error) as error:
        raise Unreadable("datagram") from error


def sign(parts: tuple[str, ...], key: bytes) -> str:
    """Upper hex of the HMAC-SHA256 over the parts one behind the other."""
    return hmac.new(key, "".join(parts).encode(), hashlib.sha256).hexdigest().upper()


def sealed(interface: str, plain: bytes, token: str, key: bytes) -> dict[str, str]:
    """The whole envelope of a call."""
    datagram = seal(plain, key)
    return {
        "interfaceCode": interface,
        "zipCode": PLAIN,
        "encryptCode": ENCRYPTED,
        "access_token": token,
        "datagram": datagram,
        "signtype": SIGN_TYPE,
        "signature": sign((interface, PLAIN, ENCRYPTED, token, datagram, SIGN_TYPE), key),
    }


def _unzipped(content: bytes) -> bytes:
    if not content.startswith(GZIP):
        return content
    unzipper = zlib.decompressobj(wbits=31)
    plain = unzipper.decompress(content, UNZIPPED)
    if unzipper.unconsumed_tail:
        raise Unreadable("the zipped content is too long")
    return plain
