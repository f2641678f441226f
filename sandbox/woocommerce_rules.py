"""How WooCommerce lets a call in and what it takes for a parameter.

Follows "Authentication" and the parameter tables of the WooCommerce REST API docs (wc/v3) and what WordPress does with
them: Basic counts only under TLS; OAuth 1.0a over HTTP with a nonce that nobody used and a clock within 15 minutes; of
a query parameter that comes twice the last one counts, as in PHP; a time without a zone is compared as it stands, one
with a zone is moved into the site's own zone first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, quote

SITE_ZONE = timezone(timedelta(hours=8))
SKEW = 15 * 60
MOST = 100
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(Z|z|[+-]\d\d(?::?\d\d)?)?")
OAUTH = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")
DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
ORDERBY = ("date", "id", "include", "title", "slug", "modified", "price", "popularity", "rating", "menu_order")
ORDER_STATUSES = (
    "pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft", "trash",
)  # fmt: skip
PRODUCT_STATUSES = ("draft", "pending", "private", "publish", "future")
PRODUCT_TYPES = ("simple", "grouped", "external", "variable")


@dataclass
class Refusal(Exception):
    """An error as the API words it."""

    status: int
    code: str
    message: str
    more: Mapping[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        """`{code, message, data}`."""
        return {"code": self.code, "message": self.message, "data": {"status": self.status, **(self.more or {})}}


def unauthorised(message: str) -> Refusal:
    """Key, signature, clock or nonce are wrong."""
    return Refusal(401, "woocommerce_rest_authentication_error", message)


def invalid(name: str, why: str) -> Refusal:
    """A parameter that breaks its schema."""
    return Refusal(400, "rest_invalid_param", f"Invalid parameter(s): {name}", {"params": {name: f"{name} {why}"}})


def parameters(query: str) -> dict[str, str]:
    """A query as PHP reads it: of a name that comes twice the last one counts."""
    return dict(parse_qsl(query, keep_blank_values=True))


def basic(header: str) -> tuple[str, str]:
    """Key and secret of an Authorization header, or nothing."""
    kind, _, text = header.partition(" ")
    try:
        key, _, secret = base64.b64decode(text).decode().partition(":") if kind == "Basic" else ("", "", "")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def check_oauth(given: Mapping[str, str], method: str, url: str, secret: str, now: float) -> None:
    """Signature, then clock. Raises Refusal."""
    digest = DIGESTS.get(given["oauth_signature_method"])
    if digest is None:
        raise unauthorised("Invalid signature - signature method is invalid.")
    pairs = sorted((name, value) for name, value in given.items() if name != "oauth_signature")
    query = "%26".join(_encoded(f"{_encoded(name)}={_encoded(value)}") for name, value in pairs)
    made = hmac.new(f"{secret}&".encode(), f"{method}&{_encoded(url)}&{query}".encode(), digest).digest()
    if not hmac.compare_digest(base64.b64encode(made).decode(), given["oauth_signature"].replace(" ", "+")):
        raise unauthorised("Invalid signature - provided signature does not match.")
    stamp = given["oauth_timestamp"]
    if not stamp.isdigit() or abs(now - int(stamp)) > SKEW:
        raise unauthorised("Invalid timestamp.")


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def paging(given: Mapping[str, str]) -> tuple[int, int]:
    """Page and records a page. Raises Refusal."""
    page, size = given.get("page", "1"), given.get("per_page", "10")
    if not page.isdigit() or int(page) < 1:
        raise invalid("page", "must be greater than or equal to 1")
    if not size.isdigit() or not 1 <= int(size) <= MOST:
        raise invalid("per_page", f"must be between 1 (inclusive) and {MOST} (inclusive)")
    return int(page), int(size)


def ids(given: Mapping[str, str], name: str) -> set[int] | None:
    """A list of numbers, or None where it is not given. Raises Refusal."""
    if name not in given:
        return None
    parts = [part for part in re.split(r"[\s,]+", given[name]) if part]
    if not all(part.lstrip("-").isdigit() for part in parts):
        raise invalid(f"{name}[0]", "is not of type integer.")
    return {abs(int(part)) for part in parts}


def within(row: Mapping[str, Any], given: Mapping[str, str], name: str) -> bool:
    """Whether a record lies between NAME_after and NAME_before (`after` and `before` for the date of creation)."""
    column = {"": "date_created", "modified_": "date_modified"}[name]
    held = row[column + "_gmt"] if given.get("dates_are_gmt") in ("true", "1") else row[column]
    after, before = (_moment(given, f"{name}{edge}") for edge in ("after", "before"))
    return (after is None or held > after) and (before is None or held < before)


def _moment(given: Mapping[str, str], name: str) -> str | None:
    if name not in given:
        return None
    found = MOMENT.fullmatch(given[name])
    if found is None:
        raise invalid(name, "is not a valid date.")
    moment = datetime.fromisoformat(given[name].upper())
    return f"{(moment.astimezone(SITE_ZONE) if found[1] else moment):%Y-%m-%dT%H:%M:%S}"


def sorting(given: Mapping[str, str]) -> tuple[str, bool]:
    """The field to sort by and whether it goes down. Raises Refusal."""
    by, order = given.get("orderby", "date"), given.get("order", "desc")
    if by not in ORDERBY:
        raise invalid("orderby", f"is not one of {', '.join(ORDERBY)}.")
    if order not in ("asc", "desc"):
        raise invalid("order", "is not one of asc, desc.")
    return {"modified": "date_modified_gmt", "date": "date_created_gmt"}.get(by, "id"), order == "desc"


def fields(value: Any, given: Mapping[str, str]) -> Any:
    """The record or the list with no more than the fields of `_fields`."""
    wanted = [name for name in given.get("_fields", "").split(",") if name]
    if not wanted:
        return value
    if isinstance(value, list):
        return [fields(one, given) for one in value]
    return {name: part for name, part in value.items() if name in wanted}


KINDS: Mapping[str, type | tuple[type, ...]] = {
    "sku": str, "name": str, "regular_price": str, "sale_price": str, "status": str, "type": str, "description": str,
    "weight": str, "tax_class": str, "manage_stock": (bool, str), "note": str, "reason": str, "amount": str,
    "customer_note": (bool, str), "transaction_id": str, "meta_data": list, "line_items": list, "api_refund": bool,
}  # fmt: skip
NAMES = {str: "string", list: "array", bool: "boolean"}


def check_body(body: Mapping[str, Any], statuses: Sequence[str] = ()) -> None:
    """The kinds and values of what was sent; unknown fields are ignored, as WordPress ignores them. Raises Refusal."""
    for name, kind in KINDS.items():
        if name in body and not isinstance(body[name], kind):
            raise invalid(name, f"is not of type {NAMES[kind if isinstance(kind, type) else kind[0]]}.")
    if statuses and body.get("status", statuses[0]) not in statuses:
        raise invalid("status", f"is not one of {', '.join(statuses)}.")
    quantity = body.get("stock_quantity", 0)
    if isinstance(quantity, bool) or not re.fullmatch(r"-?\d+", str(quantity)):
        raise invalid("stock_quantity", "is not of type integer.")
    if body.get("type", "simple") not in PRODUCT_TYPES:
        raise invalid("type", f"is not one of {', '.join(PRODUCT_TYPES)}.")


def stamps(name: str, moment: datetime | str | None) -> dict[str, str | None]:
    """A time as the API shows it twice: in the site's zone and in GMT. A text is GMT."""
    if moment is None:
        return {name: None, f"{name}_gmt": None}
    gmt = datetime.fromisoformat(moment).replace(tzinfo=UTC) if isinstance(moment, str) else moment
    local, utc = (f"{gmt.astimezone(zone):%Y-%m-%dT%H:%M:%S}" for zone in (SITE_ZONE, UTC))
    return {name: local, f"{name}_gmt": utc}
