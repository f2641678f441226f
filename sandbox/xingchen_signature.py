"""The gateway's signature, computed apart from the connector's: two encoders are accepted, as the vendor's do.

Source: 金蝶开放平台 "API 签名算法"; the vendor's Java client encodes a value with URLEncoder first, its PHP client with
rawurlencode twice and without sorting.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote, quote_plus

KEPT = "-_.~"


def wrapped(secret: str, text: str) -> str:
    """Base64 over the 64 hex characters of the HMAC-SHA256."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), sha256).hexdigest().encode()).decode()


def strings_to_sign(method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> set[str]:
    """What a correct client may have signed: the Java and the PHP form of the query line."""
    signed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    lines = {_java(query), _php(query)}
    return {f"{method}\n{quote(path, safe=KEPT)}\n{line}\n{signed}" for line in lines}


def _java(query: Sequence[tuple[str, str]]) -> str:
    pairs = sorted((_gateway(name), _url_encoder(value)) for name, value in query)
    ordered = sorted(pairs, key=lambda pair: f"{pair[0]}={pair[1]}")
    return "&".join(f"{_gateway(name)}={_gateway(value)}" for name, value in ordered)


def _php(query: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{_raw(_raw(name))}={_raw(_raw(value))}" for name, value in query)


def _url_encoder(text: str) -> str:
    return quote_plus(text, safe="-_.*").replace("~", "%7E")


def _gateway(text: str) -> str:
    return quote_plus(text, safe=KEPT)


def _raw(text: str) -> str:
    return quote(text, safe=KEPT)
