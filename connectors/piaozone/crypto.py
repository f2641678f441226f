"""How 金蝶发票云 wraps what a call carries: Base64 alone, or AES under a key that a password yields.

旗舰版 ("加解密", open-ultimate.piaozone.com): AES-128-GCM, a 12-byte IV before and a 16-byte tag behind the text. The
key is what Java's SHA1PRNG gives first when it is seeded with the password: half of the SHA-1 of its SHA-1. 标准版
("对接约定", open-standard.piaozone.com): AES-128-ECB with PKCS#7 padding under a key of 16 characters.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

KEY_BYTES = 16
IV_BYTES = 12


def key_of(password: str) -> bytes:
    """The AES key that a password of 旗舰版 stands for."""
    first = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return hashlib.sha1(first, usedforsecurity=False).digest()[:KEY_BYTES]


def wrap(body: bytes, password: str = "", iv: bytes = b"") -> str:
    """`data` of 旗舰版: Base64, encrypted before where there is a password. `iv` is drawn where none is given."""
    if not password:
        return base64.b64encode(body).decode()
    iv = iv or secrets.token_bytes(IV_BYTES)
    return base64.b64encode(iv + AESGCM(key_of(password)).encrypt(iv, body, None)).decode()


def unwrap(text: str, password: str = "") -> bytes:
    """What `wrap` wrapped. Raises ValueError for a text that it cannot have made."""
    raw = base64.b64decode(text, validate=True)
    if not password:
        return raw
    if len(raw) <= IV_BYTES:
        raise ValueError("shorter than an IV")
    try:
        return AESGCM(key_of(password)).decrypt(raw[:IV_BYTES], raw[IV_BYTES:], None)
    except InvalidTag:
        raise ValueError("not of this password, or changed on the way") from None


def lock(body: bytes, key: str) -> str:
    """The body of a call to 标准版: Base64 of AES-128-ECB. Raises ValueError for a key that is not of 16 bytes."""
    padder = PKCS7(algorithms.AES.block_size).padder()
    encryptor = _standard(key).encryptor()
    padded = padder.update(body) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def unlock(text: str, key: str) -> bytes:
    """What `lock` made of a body. Raises ValueError for a text that it cannot have made."""
    decryptor = _standard(key).decryptor()
    padded = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
    unpadder = PKCS7(algorithms.AES.block_size).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def token_sign(client_id: str, client_secret: str, timestamp: str) -> str:
    """The signature with which 标准版 is asked for a token: MD5, lower-case hex."""
    return hashlib.md5(f"{client_id}{client_secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def _standard(key: str) -> Cipher[modes.ECB]:
    if len(key.encode()) != KEY_BYTES:
        raise ValueError(f"the key has {len(key.encode())} bytes instead of {KEY_BYTES}")
    return Cipher(algorithms.AES(key.encode()), modes.ECB())  # noqa: S305  the vendor's choice
