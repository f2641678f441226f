"""How 高灯 wants a call signed: by the new gateway over path and body, by the old one over its parameters.

Source: "签名方法" (docs.gc365.com) for the new gateway, the vendor's published clients for the old one
(openapi.wetax.com.cn). The new gateway takes a timestamp that is at most five minutes off.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from duijie import codec

ALGORITHM = "HMAC-SHA256"


def authorization(app_key: str, secret: str, nonce: str, timestamp: str, call: tuple[str, bytes]) -> str:
    """The header of a call (path, body) to the new gateway."""
    told = {"algorithm": ALGORITHM, "appkey": app_key, "nonce": nonce, "timestamp": timestamp}
    pairs = [f"{name}={value}" for name, value in told.items()]
    path, body = call
    text = "|".join([*pairs, path, ""]).encode() + body
    signature = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
    return ",".join([*pairs, f"signature={signature}"])


def old_signature(app_key: str, secret: str, timestamp: str, data: Mapping[str, Any]) -> str:
    """The signature in the query of a call to the old gateway; nested values are signed as compact JSON."""
    pairs = "&".join(f"{name}={_text(data[name])}" for name in sorted(data))
    text = f"{app_key}{timestamp}{quote(pairs, safe='')}{secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def _text(value: Any) -> str:
    return codec.encode_ordered(value).decode() if isinstance(value, (list, dict)) else str(value)
