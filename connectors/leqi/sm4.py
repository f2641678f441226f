"""SM4 (GB/T 32907) as 乐企 wraps every body: ECB with PKCS#7 padding, Base64, under a key written as 32 hex digits."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

BLOCK_BITS = 128


def encrypt(body: bytes, key: str) -> str:
    """The Base64 of the encrypted body. Raises ValueError for a key that is not 32 hex digits."""
    padder = PKCS7(BLOCK_BITS).padder()
    encryptor = _cipher(key).encryptor()
    padded = padder.update(body) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(text: str, key: str) -> bytes:
    """What `encrypt` made of a body. Raises ValueError for a text that it cannot have made."""
    decryptor = _cipher(key).decryptor()
    padded = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
    unpadder = PKCS7(BLOCK_BITS).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def _cipher(key: str) -> Cipher[modes.ECB]:
    return Cipher(algorithms.SM4(bytes.fromhex(key)), modes.ECB())  # noqa: S305  what the tax bureau prescribes
