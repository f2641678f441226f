"""What 票通 signs and encrypts: content in 3DES-ECB, the public part by RSA with SHA-1.

Source: 票通电子发票开票接口文档 v3.5.1, 1.2 安全机制: PKCS#8 keys of 1024 bits, parameters in alphabetical order
joined by &, content as Base64 of 3DES in ECB mode over UTF-8 JSON. Both are weak and the vendor's choice; TLS carries
the rest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from duijie.connect.errors import CredentialError

BLOCK_BITS = 64
LINE = 64
DES_KEY_LENGTH = 24


@dataclass(frozen=True)
class Keys:
    """Our private key, the platform's public key, the 24 characters that both know."""

    private: RSAPrivateKey = field(repr=False)
    public: RSAPublicKey
    des: bytes = field(repr=False)


def keys_of(private: str, public: str, des: str, where: str) -> Keys:
    """Keys as they are given out. Raises CredentialError for one that is none."""
    mine: object = None
    theirs: object = None
    with suppress(ValueError):
        mine = load_pem_private_key(_pem(private, "PRIVATE KEY"), None)
        theirs = load_pem_public_key(_pem(public, "PUBLIC KEY"))
    secret = des.encode()
    if not isinstance(mine, RSAPrivateKey) or not isinstance(theirs, RSAPublicKey) or len(secret) != DES_KEY_LENGTH:
        raise CredentialError(
            f"连接 {where} 的密钥无法使用: 我方私钥须为 PKCS#8 的 RSA 私钥, 票通公钥须为 RSA 公钥, "
            "3DES 密钥须为 24 位; 请核对后重新填写",
            en=f"the keys of {where} cannot be used: RSA in PKCS#8, an RSA public key, 24 characters for 3DES",
            code="piaotong:keys",
            where=where,
        )
    return Keys(mine, theirs, secret)


def text_of(parameters: Mapping[str, object]) -> bytes:
    """What is signed: every parameter but the signature itself, in alphabetical order; empty ones are left out."""
    told = {name: value for name, value in parameters.items() if name != "sign" and value not in (None, "")}
    return "&".join(f"{name}={told[name]}" for name in sorted(told)).encode()


def sign(key: RSAPrivateKey, parameters: Mapping[str, object]) -> str:
    """Base64 of RSA-SHA1 (PKCS#1 v1.5)."""
    return base64.b64encode(key.sign(text_of(parameters), PKCS1v15(), SHA1())).decode()  # noqa: S303  the vendor's


def is_signed(key: RSAPublicKey, parameters: Mapping[str, object]) -> bool:
    """Whether `sign` among the parameters is theirs."""
    try:
        given = base64.b64decode(str(parameters.get("sign") or ""), validate=True)
        key.verify(given, text_of(parameters), PKCS1v15(), SHA1())  # noqa: S303  the vendor's
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def encrypted(key: bytes, plain: bytes) -> str:
    """Base64 of 3DES-ECB with PKCS#5 padding."""
    padder = PKCS7(BLOCK_BITS).padder()
    cipher = Cipher(TripleDES(key), ECB()).encryptor()  # noqa: S305  the vendor's
    return base64.b64encode(cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()).decode()


def decrypted(key: bytes, content: str) -> bytes:
    """The plain bytes. Raises ValueError."""
    cipher = Cipher(TripleDES(key), ECB()).decryptor()  # noqa: S305  the vendor's
    padded = cipher.update(base64.b64decode(content, validate=True)) + cipher.finalize()
    unpadder = PKCS7(BLOCK_BITS).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def _pem(given: str, kind: str) -> bytes:
    """PEM, also of a key that is told without its head and foot."""
    if "-----" in given:
        return given.encode()
    bare = "".join(given.split())
    body = "\n".join(bare[at : at + LINE] for at in range(0, len(bare), LINE))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n".encode()
