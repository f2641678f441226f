"""Which order line each line of a request stands for, and so what every bill holds of every order line.

A request's own marks (`order_key`, `oid`) come first; a discount line belongs to the line it follows; a line without a
SKU is the order's freight; else the order's next line of that SKU. What the platform's total says beyond the request's
lines belongs to the last of them: nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from duijie.codec import Record
from duijie.journal.documents import fen
from duijie.reconcile.billing.model import FREIGHT, NOTHING, Bill, Fen, Order, Share

At = TypeVar("At")


class Place(NamedTuple):
    """An order's line."""

    order_key: str
    oid: str


def amount_of(record: Record) -> Fen:
    """Net and tax of a record in fen."""
    return Fen(fen(record["net"]), fen(record["tax"]))


def places(request: Record, orders: Mapping[str, Order], skus: Mapping[str, Sequence[tuple[str, str]]]) -> list[Place]:
    """The order line of each line of a blue request. `skus`: order → (sku, oid) of its lines in order."""
    found: list[Place] = []
    used: set[Place] = set()
    for line in request["lines"]:
        key = line.get("order_key") or request["order_key"]
        if line.get("oid"):
            place = Place(key, line["oid"])
        elif line.get("nature") == "discount" and found:
            place = found[-1]
        else:
            place = Place(key, _by_sku(line, key, used, skus))
        used.add(place)
        found.append(place)
    return found


def _by_sku(line: Record, key: str, used: set[Place], skus: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    if not line.get("sku"):
        return FREIGHT
    mine = [oid for sku, oid in skus.get(key, ()) if sku == line["sku"]]
    return next((oid for oid in mine if Place(key, oid) not in used), mine[0] if mine else FREIGHT)


def blue_shares(bill: Bill, request: Record, at: Sequence[At], invoice: Record | None) -> Iterator[tuple[At, Share]]:
    """What a blue bill holds of each line: the invoice's own lines where it names as many, else the request's.

    `at`: what each line of the request stands for.
    """
    lines = (invoice or {}).get("lines") or ()
    told = lines if bill.is_issued and len(lines) == len(request["lines"]) else request["lines"]
    yield from _spread(bill, [amount_of(line) for line in told], at)


def red_shares(bill: Bill, request: Record, at: Sequence[At], blue: Record, last: At) -> Iterator[tuple[At, Share]]:
    """What a red bill takes back of each line; one without lines takes all of its blue. `last`: where nothing fits."""
    if not request["lines"]:
        yield from _spread(bill, [-amount_of(line) for line in blue["lines"]], at)
        return
    rows = [(line, at[line["blue_line"] - 1]) for line in request["lines"] if 0 < line.get("blue_line", 0) <= len(at)]
    yield from _spread(bill, [amount_of(line) for line, _ in rows], [place for _, place in rows] or [last])


def _spread(bill: Bill, amounts: Sequence[Fen], at: Sequence[At]) -> Iterator[tuple[At, Share]]:
    for amount, place in zip(amounts, at, strict=False):
        yield place, Share(bill, amount)
    if rest := bill.total - sum(amounts, NOTHING):
        yield at[-1], Share(bill, rest)


def attach(orders: Mapping[str, Order], shares: Iterator[tuple[Place, Share]]) -> None:
    """Put shares on their lines; the shares of one bill on one line are one."""
    for place, share in shares:
        if (order := orders.get(place.order_key)) is None:
            continue
        line = order.line(place.oid)
        same = next((one for one in line.shares if one.bill == share.bill), None)
        if same is not None:
            line.shares.remove(same)
        line.shares.append(Share(share.bill, share.amount + (same.amount if same else NOTHING)))
