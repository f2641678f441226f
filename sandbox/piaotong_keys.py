"""The platform's side of the signature and of the encryption, written apart from the connector's to test both.

Source: 票通电子发票开票接口文档 v3.5.1, 1.2 安全机制.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from filelock import FileLock

from duijie import codec
from duijie.connect.home import write_private

BITS = 1024
KEPT = Path(__file__).parents[1] / "var" / "sandbox" / "piaotong-keys.json"
SIGNED = ("code", "content", "format", "msg", "platformCode", "serialNo", "signType", "timestamp", "version")


def new_pair() -> tuple[str, str]:
    """A private and a public key as PEM (PKCS#8)."""
    key = rsa.generate_private_key(65537, BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@cache
def pairs() -> dict[str, list[str]]:
    """The pairs of `platform` and `client`, made once for this tree: a sandbox keeps what it holds from run to run."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(KEPT.with_suffix(".lock"), mode=0o600):
        if not KEPT.exists():
            write_private(KEPT, codec.encode({"platform": new_pair(), "client": new_pair()}))
        kept: dict[str, list[str]] = codec.decode(KEPT.read_bytes())
    return kept


def platform_pair() -> tuple[str, str]:
    """Private and public key of the platform."""
    private, public = pairs()["platform"]
    return private, public


def client_pair() -> tuple[str, str]:
    """Private and public key of who calls it."""
    private, public = pairs()["client"]
    return private, public


def platform_key() -> str:
    """The public key by which answers and pushes are verified."""
    return platform_pair()[1]


def signature(private: str, parameters: Mapping[str, object]) -> str:
    """Base64 of the RSA-SHA1 signature over the parameters in alphabetical order."""
    key = serialization.load_pem_private_key(private.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("no RSA key")
    return base64.b64encode(key.sign(_text(parameters), padding.PKCS1v15(), hashes.SHA1())).decode()  # noqa: S303


def is_signed(public: str, parameters: Mapping[str, object]) -> bool:
    """Whether the holder of the key signed them."""
    key = serialization.load_pem_public_key(public.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("no RSA key")
    try:
        given = base64.b64decode(str(parameters.get("sign") or ""), validate=True)
        key.verify(given, _text(parameters), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    except (InvalidSignature, binascii.Error):
        return False
    return True


def encrypt(key: str, plain: bytes) -> str:
    """Base64 of 3DES-ECB with PKCS#5 padding."""
    missing = 8 - len(plain) % 8
    done = Cipher(TripleDES(key.encode()), modes.ECB()).encryptor()  # noqa: S305
    return base64.b64encode(done.update(plain + bytes([missing]) * missing) + done.finalize()).decode()


def decrypt(key: str, content: str) -> bytes:
    """The plain bytes. Raises ValueError."""
    done = Cipher(TripleDES(key.encode()), modes.ECB()).decryptor()  # noqa: S305
    padded = done.update(base64.b64decode(content, validate=True)) + done.finalize()
    if not padded or not 1 <= padded[-1] <= 8:
        raise ValueError("no padding")
    return padded[: -padded[-1]]


def _text(parameters: Mapping[str, object]) -> bytes:
    told = [f"{name}={parameters[name]}" for name in SIGNED if parameters.get(name) not in (None, "")]
    return "&".join(told).encode()
