"""The envelope of 爱信诺云税 openapi as the gateway opens and makes it, apart from the connector's own.

Source: 爱信诺云税 interface document v1.8.4: a key for every second out of authorisation, organisation and time; SM4
over the JSON, its hex digits in Base64; HMAC-SHA256 over the parts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB

Record = dict[str, Any]
SIGNED = ("interfaceCode", "zipCode", "encryptCode", "access_token", "datagram", "signtype")


class Broken(Exception):
    """An envelope that our codes do not open."""


def key(token: str, config: Record) -> bytes:
    """The key of the second that an access token was made in. Raises Broken for a token that is not of our seller."""
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Broken("access_token") from error
    head = config["organisation"] + config["tax_no"]
    if not text.startswith(head) or len(text) != len(head) + 14:
        raise Broken("access_token")
    named = f"{config['authorisation']}{config['organisation']}{text[len(head) :]}"
    return hashlib.md5(named.encode(), usedforsecurity=False).hexdigest()[8:24].encode()


def opened(envelope: Record, config: Record) -> bytes:
    """What lies in it. Raises Broken."""
    sm4 = _cipher(str(envelope.get("access_token")), config).decryptor()
    try:
        sealed_text = bytes.fromhex(base64.b64decode(str(envelope.get("datagram")), validate=True).decode())
        padded = sm4.update(sealed_text) + sm4.finalize()
    except (ValueError, UnicodeDecodeError) as error:
        raise Broken("datagram") from error
    length = padded[-1] if padded else 0
    if not 0 < length <= 16 or padded[-length:] != bytes([length]) * length:
        raise Broken("padding")
    return padded[:-length]


def sealed(plain: bytes, token: str, config: Record) -> str:
    """The datagram of an answer, with the key of the call."""
    length = 16 - len(plain) % 16
    sm4 = _cipher(token, config).encryptor()
    text = sm4.update(plain + bytes([length]) * length) + sm4.finalize()
    return base64.b64encode(text.hex().encode()).decode()


def _cipher(token: str, config: Record) -> Cipher[ECB]:
    return Cipher(SM4(key(token, config)), ECB())  # noqa: S305  the platform's choice


def signature_of(envelope: Record, config: Record) -> str:
    """What the signature of a call must be. Raises Broken."""
    text = "".join(str(envelope.get(name) or "") for name in SIGNED)
    return hmac.new(key(str(envelope.get("access_token")), config), text.encode(), hashlib.sha256).hexdigest().upper()


__all__ = ["Broken", "opened", "sealed", "signature_of"]
