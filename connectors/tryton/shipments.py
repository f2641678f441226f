"""Goods issued and received, as forms: the shipment of an order that is in Tryton, brought to its end.

A payload (mappings/tryton/goods_*.out.yaml): {key, date, order, lines [{sku, qty, unit}]}, `order` the key of the order
in Tryton. A sale's shipment is there, waiting: it is taken up, cut down to what has really left, assigned, picked,
packed and done. A purchase's goods are expected: a shipment is made of them and received. What an order still lacks
then, Tryton plans anew by itself. Goods without an order Tryton lets move only when a person says so: refused here.
Source: Tryton 8.2 and 6.0, modules stock, sale, purchase: stock.shipment.out, stock.shipment.in, stock.move.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.tryton.books import Books, pieces
from connectors.tryton.client import ERRORS
from connectors.tryton.kinds import GOODS_ISSUE, GOODS_RECEIPT
from connectors.tryton.records import Kind, tidy
from connectors.tryton.sink import Form
from connectors.tryton.values import Quantity
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Figures, Safety

OUTGOING, INCOMING = "outgoing_moves", "incoming_moves"
ISSUE_PATH = {"draft": "wait", "waiting": "assign_try", "assigned": "pick", "picked": "pack", "packed": "do|done"}
RECEIPT_PATH = {"draft": "receive", "received": "do|done"}
ZERO = Decimal(0)


def _take_up(books: Books, payload: Record) -> int:
    """The sale's shipment that waits and that nobody has taken up; cut down to the payload."""
    order = _order(books, "sale.sale", payload, "shipments")
    domain = [["id", "in", order["shipments"]], ["state", "in", ["draft", "waiting"]]]
    waiting = books.search(GOODS_ISSUE.model, [*domain, ["reference", "in", [None, ""]]], ["state"])
    if not waiting:
        raise _refused("nothing_open", payload, payload["order"])
    [row] = GOODS_ISSUE.all(books, ["id", "=", waiting[0]["id"]])
    _shares(payload, row[OUTGOING])
    if row["state"] == "waiting":
        books.act(GOODS_ISSUE.model, "draft", int(row["id"]))
    _cut(GOODS_ISSUE, OUTGOING, books, payload, row)
    return int(row["id"])


def _receive(books: Books, payload: Record) -> int:
    """A shipment of what the purchase expects of the payload's products."""
    order = _order(books, "purchase.purchase", payload, "party", "warehouse")
    domain = [["purchase", "=", order["id"]], ["state", "=", "draft"], ["shipment", "=", None]]
    fields = ("product.code", "quantity", "unit|uom.name", "unit|uom.symbol")
    expected = [tidy(move) for move in books.all("stock.move", domain, fields)]
    if not expected:
        raise _refused("nothing_open", payload, payload["order"])
    taken = [move for move, share in _shares(payload, expected).items() if share]
    values = {
        "company": books.read(books.client.company),
        "supplier": order["party"],
        "warehouse": order["warehouse"],
        **_places(books, order["warehouse"]),
        **_head(payload),
        INCOMING: [["add", taken]],
    }
    return books.create(GOODS_RECEIPT.model, values)


def _places(books: Books, warehouse: int) -> Record:
    """The places of the warehouse, where a shipment keeps them as fields of its own."""
    [row] = books.search("stock.location", [["id", "=", warehouse]], ["input_location", "storage_location"])
    fields = books.fields_of(GOODS_RECEIPT.model)
    places = {"warehouse_input": row["input_location"], "warehouse_storage": row["storage_location"]}
    return {name: place for name, place in places.items() if not fields[name]["readonly"]}


def _order(books: Books, model: str, payload: Record, *fields: str) -> Record:
    """The order that the goods are of, by our key. Raises VendorRejected."""
    if not payload.get("order"):
        raise _refused("no_order", payload, "")
    company = ["company", "=", books.read(books.client.company)]
    domain = [company, ["reference", "=", payload["order"]], ["state", "in", ["processing", "done"]]]
    found = books.search(model, domain, fields)
    if len(found) != 1:
        raise _refused("no_order", payload, payload["order"])
    return found[0]


def _head(payload: Record) -> Record:
    day = date.fromisoformat(payload["date"])
    return {"reference": payload["key"], "planned_date": day, "effective_date": day}


def _cut(kind: Kind, moves: str, books: Books, payload: Record, row: Record) -> None:
    """Key, date, and of each product what the payload says; what it does not name is planned anew by the order."""
    shares = _shares(payload, row[moves])
    changes: list[list[Any]] = [
        ["write", [move], {"quantity": Quantity(share)}] for move, share in shares.items() if share
    ]
    others = [move for move, share in shares.items() if not share]
    books.write(kind.model, int(row["id"]), {**_head(payload), moves: [*changes, ["delete", others]]})


def _shares(payload: Record, moves: Sequence[Record]) -> dict[int, Decimal]:
    """How much of each move goes, by its id: an order may name a product twice. Raises VendorRejected for too much."""
    rest = _by_product(payload["lines"])
    units = {line["sku"]: line["unit"] for line in payload["lines"] if line.get("unit")}
    shares: dict[int, Decimal] = {}
    for move in moves:
        sku, unit = move["product"]["code"], move["unit"]
        if units.get(sku, unit["name"]) not in (unit["name"], unit["symbol"]):
            raise _refused("not_planned", payload, f"{sku} {units[sku]} ≠ {unit['name']}")
        shares[int(move["id"])] = min(rest[sku], Decimal(move["quantity"]))
        rest[sku] -= shares[int(move["id"])]
    for sku in (sku for sku, quantity in rest.items() if quantity):
        raise _refused("not_planned", payload, f"{sku} +{rest[sku].normalize():f}")
    return shares


def _by_product(lines: Sequence[Record]) -> defaultdict[str, Decimal]:
    wanted: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        wanted[line["sku"]] += Decimal(line["qty"])
    return wanted


def _refused(code: str, payload: Record, text: str) -> DuijieError:
    return ERRORS.error(code, f"{payload['key']}: {text}", where=str(payload["key"]))


def _settle_receipt(books: Books, payload: Record, row: Record) -> bool:
    """What was taken into the shipment, cut down to what has come."""
    is_more = row["state"] == "draft" and dict(_held(INCOMING, row)) != dict(_sent(payload))
    if is_more:
        _cut(GOODS_RECEIPT, INCOMING, books, payload, row)
    return is_more


def _sent(payload: Record) -> Figures:
    return {"qty": sum(_by_product(payload["lines"]).values(), ZERO)}


def _held(moves: str, row: Record) -> Figures:
    return {"qty": pieces(move for move in row[moves] if move["state"] != "cancelled")}


ISSUE_FORM = Form(
    kind=GOODS_ISSUE,
    safety=Safety.LOOKUP,
    enter=_take_up,
    amend=partial(_cut, GOODS_ISSUE, OUTGOING),
    sent=_sent,
    held=partial(_held, OUTGOING),
    path=lambda _: ISSUE_PATH,
    drafts=frozenset(ISSUE_PATH),
    open=frozenset({"draft"}),
    back={"waiting": "draft"},
    undo={},
    stuck={"waiting": "not_in_stock"},
)
RECEIPT_FORM = Form(
    kind=GOODS_RECEIPT,
    safety=Safety.LOOKUP,
    enter=_receive,
    amend=partial(_cut, GOODS_RECEIPT, INCOMING),
    settle=_settle_receipt,
    sent=_sent,
    held=partial(_held, INCOMING),
    path=lambda _: RECEIPT_PATH,
    drafts=frozenset(RECEIPT_PATH),
    open=frozenset({"draft"}),
    undo={},
)
