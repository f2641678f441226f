"""Sales and purchase orders as forms.

A payload (mappings/tryton/*_order.out.yaml), amounts in yuan: {key, date, party {code, name}, warehouse, description,
gross, lines [{sku, qty, unit, net, tax_rate, description}]}. `unit` may be missing: the product's own then.

Tryton computes amounts from a net unit price of few decimals and rounds taxes over the whole order. What that makes
differ from our gross is entered as a line of its own, 尾差, as long as it is no more than rounding.
Source: Tryton 8.2 and 6.0, modules sale, purchase; an RPC create runs no on_change, so that every price, tax and
address is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from connectors.tryton.books import Books, pieces
from connectors.tryton.client import ERRORS
from connectors.tryton.kinds import PURCHASE_ORDER, SALES_ORDER
from connectors.tryton.records import Kind
from connectors.tryton.sink import Form
from connectors.tryton.values import Quantity
from duijie.codec import Record
from duijie.connect.protocol import Figures, Safety

CENT = Decimal("0.01")
ROUNDING = "尾差"
GOALS: Mapping[str, Mapping[str, str]] = {
    "draft": {},
    "quotation": {"draft": "quote"},
    "confirmed": {"draft": "quote", "quotation": "confirm"},
}


@dataclass(frozen=True)
class Side:
    """How selling and buying differ. `line` is the model of a line, `addresses` the fields that hold the party's."""

    tax: str
    line: str
    date: str
    addresses: tuple[str, ...]


SELLING = Side("sale", "sale.line", "sale_date", ("invoice_address", "shipment_address"))
BUYING = Side("purchase", "purchase.line", "purchase_date", ("invoice_address",))


def _enter_order(kind: Kind, side: Side, books: Books, payload: Record) -> int:
    return books.create(kind.model, _order(side, books, payload))


def _amend_order(kind: Kind, side: Side, books: Books, payload: Record, row: Record) -> None:
    values = _order(side, books, payload)
    gone = [int(line["id"]) for line in row["lines"]]
    books.write(kind.model, int(row["id"]), {**values, "lines": [["delete", gone], *values["lines"]]})


def _order(side: Side, books: Books, payload: Record) -> Record:
    party = books.party(payload["party"])
    warehouse = payload.get("warehouse")
    return {
        "company": books.read(books.client.company),
        "currency": books.currency(),
        "reference": payload["key"],
        side.date: date.fromisoformat(payload["date"]),
        "party": party["id"],
        **dict.fromkeys(side.addresses, party["address"]),
        **({"warehouse": books.warehouse(warehouse)["id"]} if warehouse else {}),
        "description": payload.get("description"),
        "lines": [["create", [_order_line(side, books, line) for line in payload["lines"]]]],
    }


def _order_line(side: Side, books: Books, line: Record) -> Record:
    product = books.product(line["sku"])
    quantity = Decimal(line["qty"])
    step = Decimal(1).scaleb(-books.price_digits(side.line))
    tax = books.tax(side.tax, Decimal(line["tax_rate"]))
    return {
        "type": "line",
        "product": product["id"],
        "quantity": Quantity(quantity),
        "unit": books.unit_of(product, line.get("unit")),
        "unit_price": (Decimal(line["net"]) / quantity).quantize(step, ROUND_HALF_UP),
        "taxes": [["add", [tax]]] if tax else [],
        "description": line.get("description"),
    }


def _settle(kind: Kind, side: Side, books: Books, payload: Record, row: Record) -> bool:
    """A line for what rounding makes differ. Raises VendorRejected when it is more than rounding."""
    rest = Decimal(payload["gross"]) - row["total_amount"]
    if not rest:
        return False
    step = Decimal(1).scaleb(-books.price_digits(side.line))
    bound = CENT * (len(payload["lines"]) + 1) + step * pieces(_quantities(payload))
    if abs(rest) > bound:
        raise ERRORS.error(
            "total", f"{payload['key']}: {row['total_amount']} ≠ {payload['gross']}", where=payload["key"]
        )
    line = {"type": "line", "quantity": Quantity(1), "unit_price": rest, "description": ROUNDING}
    books.write(kind.model, int(row["id"]), {"lines": [["create", [line]]]})
    return True


def _quantities(payload: Record) -> list[Record]:
    return [{"quantity": line["qty"]} for line in payload["lines"]]


def _order_sent(payload: Record) -> Figures:
    return {"gross": Decimal(payload["gross"]), "qty": pieces(_quantities(payload))}


def _order_held(row: Record) -> Figures:
    goods = [line for line in row["lines"] if line["type"] == "line" and line["product"]]
    return {"gross": Decimal(row["total_amount"]), "qty": pieces(goods)}


def _order_form(kind: Kind, side: Side) -> Form:
    return Form(
        kind=kind,
        safety=Safety.LOOKUP,
        enter=partial(_enter_order, kind, side),
        amend=partial(_amend_order, kind, side),
        settle=partial(_settle, kind, side),
        sent=_order_sent,
        held=_order_held,
        path=lambda _: {},
        open=frozenset({"draft"}),
        back={"quotation": "draft", "confirmed": "draft"},
        undo={"draft": "cancel", "quotation": "cancel", "confirmed": "draft"},
    )


def as_far_as(form: Form, goal: str) -> Form:
    """An order's form that ends at `draft`, `quotation` or `confirmed`."""
    path = GOALS[goal]
    return replace(form, path=lambda _: path, drafts=frozenset(path))


SALES_FORM = _order_form(SALES_ORDER, SELLING)
PURCHASE_FORM = _order_form(PURCHASE_ORDER, BUYING)
