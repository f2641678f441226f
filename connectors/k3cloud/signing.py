"""How 金蝶云星空 recognises a caller: signed headers on every call, and the signature of an explicit login.

Source: the vendor's Python SDK kingdee.cdp.webapi.sdk 8.2.0; 金蝶云星空 WebAPI "登录验证接口 LoginBySign".
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from urllib.parse import quote

MASK = b"0054f397c6234378b09ca7d3e5debce7"


@dataclass(frozen=True)
class Identity:
    """Who calls: data centre, integration user, the application and its secret, language and organisation."""

    acct_id: str
    user: str
    app_id: str
    app_secret: str = field(repr=False)
    lcid: str = "2052"
    org: str = "0"


def client_secret(encoded: str) -> str:
    """The gateway secret inside an app id: base64 text XOR the SDK's constant, as base64 again."""
    return b64encode(bytes(a ^ b for a, b in zip(b64decode(encoded), MASK, strict=False))).decode()


def signed_headers(identity: Identity, path: str, seconds: int) -> dict[str, str]:
    """The SDK's headers for a POST to `path` (it includes /k3cloud/…) at a Unix time in seconds."""
    client_id, _, encoded = identity.app_id.partition("_")
    stamp = str(seconds)
    text = f"POST\n{quote(path, safe='')}\n\nx-api-nonce:{stamp}\nx-api-timestamp:{stamp}\n"
    appdata = ",".join((identity.acct_id, identity.user, identity.lcid, identity.org))
    return {
        "X-Api-ClientID": client_id,
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": stamp,
        "x-api-nonce": stamp,
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": _hmac(client_secret(encoded), text),
        "X-Kd-Appkey": identity.app_id,
        "X-Kd-Appdata": b64encode(appdata.encode()).decode(),
        "X-Kd-Signature": _hmac(identity.app_secret, identity.app_id + appdata),
    }


def login_signature(identity: Identity, seconds: int) -> str:
    """LoginBySign: SHA-256 of the five texts sorted and joined."""
    texts = (identity.acct_id, identity.user, identity.app_id, identity.app_secret, str(seconds))
    return hashlib.sha256("".join(sorted(texts)).encode()).hexdigest()


def _hmac(key: str, text: str) -> str:
    return b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest().encode()).decode()
