"""The signature that WooCommerce asks for over plain HTTP: OAuth 1.0a with one leg, in the query.

Sources: RFC 5849, section 3.4; WooCommerce REST API docs, "Authentication over HTTP": no token, so the key is the
consumer secret and "&"; HMAC-SHA256; the parameters stand in the query.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

METHOD = "HMAC-SHA256"
KEPT = 512  # texts: of a call's parameters all but three are those of the call before


def signature(method: str, url: str, parameters: Mapping[str, str], secret: str) -> str:
    """Base64 of the HMAC over method, address (without query) and all parameters but `oauth_signature`."""
    named = sorted(pair for pair in parameters.items() if pair[0] != "oauth_signature")
    query = "%26".join(f"{_twice(name)}%3D{_twice(value)}" for name, value in named)
    text = f"{method.upper()}&{_once(url)}&{query}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha256).digest()).decode()


def signed(
    method: str, url: str, parameters: Mapping[str, str], key: str, secret: str, *, moment: int, nonce: str
) -> dict[str, str]:
    """The parameters, and behind them those of OAuth in the order of the vendor's own clients."""
    given = {
        **parameters,
        "oauth_consumer_key": key,
        "oauth_timestamp": str(moment),
        "oauth_nonce": nonce,
        "oauth_signature_method": METHOD,
    }
    return {**given, "oauth_signature": signature(method, url, given, secret)}


def query_of(parameters: Mapping[str, str]) -> str:
    """The parameters as they stand behind the question mark."""
    return "&".join(f"{_plus(name)}={_plus(value)}" for name, value in parameters.items())


_plus = lru_cache(KEPT)(quote_plus)


@lru_cache(KEPT)
def _once(text: str) -> str:
    return quote(text, safe="-._~")


@lru_cache(KEPT)
def _twice(text: str) -> str:
    """As the base string has it: encoded as a parameter, then as a part of the text (RFC 5849, 3.4.1.1)."""
    return _once(_once(text))
