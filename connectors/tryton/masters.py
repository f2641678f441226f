"""Products, parties and opportunities as forms: what Tryton is told of each.

Payloads (mappings/tryton/*.out.yaml): product {key, name, unit, list_price, cost_price, tax_rate, category,
description, barcode}; party {key, name, tax_no, phone, street}; opportunity {key, name, state, party {code, name},
amount, probability, expected_close, lost_reason, lines [{sku, qty, unit}]}. Prices and amounts in yuan, net of tax.
Source: Tryton 8.2 and 6.0, modules product, account_product, party, sale_opportunity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.tryton.books import USCC, Books
from connectors.tryton.kinds import OPPORTUNITY, PARTY, PRODUCT
from connectors.tryton.sink import ARCHIVED, LIVE, Form
from connectors.tryton.values import Quantity
from duijie.codec import Record
from duijie.connect.protocol import Figures, Safety

_KEPT = {"open": frozenset({LIVE, ARCHIVED}), "undo": {LIVE: ARCHIVED}, "gone": frozenset({ARCHIVED})}
OPPORTUNITY_PATHS: Mapping[str, Mapping[str, str]] = {
    "lead": {"opportunity": "lead"},
    "opportunity": {"lead": "opportunity"},
    "lost": {"lead": "lost", "opportunity": "lost"},
}


def _enter_product(books: Books, payload: Record) -> int:
    """A template with one variant, to be sold and bought in its own unit."""
    unit = books.unit(payload["unit"])
    units = {f"{use}_uom": unit for use in ("default", "sale", "purchase")}
    variant = {"suffix_code": payload["key"], **_variant(payload), **_barcode(payload)}
    template = {**_template(books, payload), **units, "type": "goods", "salable": True, "purchasable": True}
    made = books.create("product.template", {**template, "products": [["create", [variant]]]})
    [row] = books.search("product.template", [["id", "=", made]], ["products"])
    return int(row["products"][0])


def _amend_product(books: Books, payload: Record, row: Record) -> None:
    """Name, prices, category; its unit only where it is another: Tryton refuses that once goods have moved."""
    template, own = _template(books, payload), row["template"]["default_uom"]
    if payload["unit"] not in (own["name"], own["symbol"]):
        template |= {f"{use}_uom": books.unit(payload["unit"]) for use in ("default", "sale", "purchase")}
    codes = [one["code"] for one in row["identifiers"]]
    barcode = _barcode(payload) if payload.get("barcode") not in codes else {}
    books.write("product.template", int(row["template"]["id"]), template)
    books.write("product.product", int(row["id"]), {"active": True, **_variant(payload), **barcode})


def _template(books: Books, payload: Record) -> Record:
    return {
        "name": payload["name"],
        "list_price": Decimal(payload.get("list_price") or 0),
        "account_category": books.category(Decimal(payload["tax_rate"]), payload.get("category")),
    }


def _variant(payload: Record) -> Record:
    return {"cost_price": Decimal(payload.get("cost_price") or 0), "description": payload.get("description")}


def _barcode(payload: Record) -> Record:
    if not payload.get("barcode"):
        return {}
    return {"identifiers": [["create", [{"type": None, "code": payload["barcode"]}]]]}


def _prices_sent(payload: Record) -> Figures:
    return {"list_price": Decimal(payload.get("list_price") or 0)}


def _prices_held(row: Record) -> Figures:
    return {"list_price": Decimal(row["list_price_used"] or 0)}


def _enter_party(books: Books, payload: Record) -> int:
    values: Record = {"code": payload["key"], "name": payload["name"]}
    values["addresses"] = [["create", [{"street": payload.get("street")}]]]
    if payload.get("tax_no"):
        values["identifiers"] = [["create", [{"type": books.uscc(), "code": payload["tax_no"]}]]]
    if payload.get("phone"):
        values["contact_mechanisms"] = [["create", [{"type": "phone", "value": payload["phone"]}]]]
    return books.create("party.party", values)


def _amend_party(books: Books, payload: Record, row: Record) -> None:
    """The name, and of tax number, telephone and street what is sent and differs."""
    values: Record = {"name": payload["name"], "active": True}
    identifiers = [one for one in row["identifiers"] if one["type"] in USCC]
    phones = [one for one in row["contact_mechanisms"] if one["type"] == "phone"]
    values |= _replaced("identifiers", identifiers, {"type": books.uscc()}, "code", payload.get("tax_no"))
    values |= _replaced("contact_mechanisms", phones, {"type": "phone"}, "value", payload.get("phone"))
    values |= _replaced("addresses", row["addresses"], {}, "street", payload.get("street"))
    books.write("party.party", int(row["id"]), values)


def _replaced(field: str, held: Sequence[Record], fixed: Record, name: str, wanted: str | None) -> Record:
    """The write that makes the first of a party's records say what is wanted; none where it does or nothing is sent."""
    if not wanted or (held and held[0][name] == wanted):
        return {}
    if held:
        return {field: [["write", [int(held[0]["id"])], {name: wanted}]]}
    return {field: [["create", [{**fixed, name: wanted}]]]}


def _enter_opportunity(books: Books, payload: Record) -> int:
    return books.create(OPPORTUNITY.model, _opportunity(books, payload))


def _amend_opportunity(books: Books, payload: Record, row: Record) -> None:
    values = _opportunity(books, payload)
    for fixed in ("company", "currency", "reference"):
        values.pop(fixed, None)
    gone = [int(line["id"]) for line in row["lines"]]
    books.write(OPPORTUNITY.model, int(row["id"]), {**values, "lines": [["delete", gone], *values["lines"]]})


def _opportunity(books: Books, payload: Record) -> Record:
    party = books.party(payload["party"]) if payload.get("party") else {"id": None, "address": None}
    own = {"currency": books.currency()} if not books.fields_of(OPPORTUNITY.model)["currency"]["readonly"] else {}
    close = payload.get("expected_close")
    return {
        "reference": payload["key"],
        "company": books.read(books.client.company),
        "party": party["id"],
        "address": party["address"],
        "description": payload["name"],
        "amount": None if payload.get("amount") is None else Decimal(payload["amount"]),
        "conversion_probability": Quantity(payload.get("probability", "0.5")),
        "employee": books.read(books.client.context).get("employee"),
        "end_date": date.fromisoformat(close) if close else None,
        "lost_reason": payload.get("lost_reason"),
        "lines": [["create", [_wanted(books, line) for line in payload.get("lines", ())]]],
        **own,
    }


def _wanted(books: Books, line: Record) -> Record:
    product = books.product(line["sku"])
    return {
        "product": product["id"],
        "quantity": Quantity(line["qty"]),
        "unit": books.unit_of(product, line.get("unit")),
    }


def _amount_sent(payload: Record) -> Figures:
    return {"amount": Decimal(payload.get("amount") or 0)}


def _amount_held(row: Record) -> Figures:
    return {"amount": Decimal(row["amount"] or 0)}


def _none(_: Record) -> Mapping[str, Any]:
    return {}


PRODUCT_FORM = Form(
    kind=PRODUCT,
    safety=Safety.LOOKUP,
    enter=_enter_product,
    amend=_amend_product,
    sent=_prices_sent,
    held=_prices_held,
    path=_none,
    **_KEPT,  # type: ignore[arg-type]
)
PARTY_FORM = Form(
    kind=PARTY,
    safety=Safety.NATURAL_KEY,
    enter=_enter_party,
    amend=_amend_party,
    sent=_none,
    held=_none,
    path=_none,
    **_KEPT,  # type: ignore[arg-type]
)
OPPORTUNITY_FORM = Form(
    kind=OPPORTUNITY,
    safety=Safety.LOOKUP,
    enter=_enter_opportunity,
    amend=_amend_opportunity,
    sent=_amount_sent,
    held=_amount_held,
    path=lambda payload: OPPORTUNITY_PATHS[payload["state"]],
    drafts=frozenset({"lead"}),  # what is to be more may have been left as one: a second write takes it up
    open=frozenset({"lead", "opportunity"}),
    back={"lost": "lead"},
    undo={"lead": "cancel", "opportunity": "cancel", "lost": "lead"},
)
