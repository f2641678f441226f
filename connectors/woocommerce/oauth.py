"""The signature that WooCommerce asks for over plain HTTP: OAuth 1.0a with one leg, in the query.

Sources: RFC 5849, section 3.4; WooCommerce REST API docs, "Authentication over HTTP": no token, so the key is the
consumer secret and "&"; HMAC-SHA256; the parameters stand in the query.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

METHOD = "HMAC-SHA256"


def signature(method: str, url: str, parameters: Mapping[str, str], secret: str) -> str:
    """Base64 of the HMAC over method, address (without query) and all parameters but `oauth_signature`."""
    named = sorted(pair for pair in parameters.items() if pair[0] != "oauth_signature")
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in named)
    text = f"{method.upper()}&{_encoded(url)}&{_encoded(query)}"
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


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")
