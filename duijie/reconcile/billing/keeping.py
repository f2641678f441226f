"""The result of 票单勾稽 in the journal: lines, differences and taxes of the newest run, work items, one comparison.

A difference that a person must act on is a record of a work item, one item for every cause; what is no difference any
more leaves it, and an item that holds nothing is closed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import delete, insert, select

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, bulk, work
from duijie.journal.tables import comparison, difference, work_item, work_item_record
from duijie.journal.tables_billing import billing_difference, billing_line, billing_note, billing_tax
from duijie.reconcile.billing.model import Difference, Line, Order
from duijie.reconcile.billing.result import Result
from duijie.reconcile.billing.taxes import Taxed

PAIR = "billing"
TITLE = "票单勾稽 (订单应收 ↔ 发票 ↔ 凭证)"
FIXED = "再次勾稽时已一致"


def keep(journal: Journal, flow: str, result: Result) -> int:
    """Write it all down; returns how many differences nobody has explained."""
    with journal.writing() as tx:
        told = _explained(tx, result)
        waiting = [one for one in told if not one[1]]
        items = _work(tx, journal, flow, [one for one, _ in waiting])
        for table, rows in (
            (billing_line, list(_lines(result))),
            (billing_difference, [_difference(one, why, items, result) for one, why in told]),
            (billing_tax, [_tax(place, one) for place, one in enumerate(result.taxes)]),
        ):
            tx.execute(delete(table))
            if rows:
                bulk.insert_all(tx, table, rows)
        _compared(tx, journal, result, told, items)
    return len(waiting)


def explain(journal: Journal, key: str, who: str, why: str) -> None:
    """A person explains a difference; it holds as long as the amounts do. Raises ConfigError saying why not."""
    if not why.strip():
        raise ConfigError("请先写明解释", en="say why", where=key)
    with journal.writing() as tx:
        one = tx.execute(select(billing_difference).where(billing_difference.c.key == key)).first()
        if one is None:
            raise ConfigError(f"没有差异 {key}, 可能已消除, 请刷新", en=f"no difference {key}", where=key)
        tx.execute(delete(billing_note).where(billing_note.c.key == key))
        amounts = {name: getattr(one, name) for name in ("left_amount", "right_amount", "tax")}
        note = {"key": key, **amounts, "who": who[:80], "why": why.strip(), "at": journal.now()}
        tx.execute(insert(billing_note).values(**note))
        told = {"explanation": _note(who, why.strip()), "is_open": False}
        tx.execute(billing_difference.update().where(billing_difference.c.key == key).values(**told))


def _note(who: str, why: str) -> str:
    return f"{who}: {why}"


Told = tuple[Difference, str]


def _explained(tx: Transaction, result: Result) -> list[Told]:
    """Each difference with its explanation: its own, a person's for the same amounts, else the item it waits in."""
    notes = {row.key: row for row in tx.execute(select(billing_note))}
    held = _held(tx)
    told = []
    for one in result.differences:
        note = notes.get(one.key)
        same = note is not None and (note.left_amount, note.right_amount, note.tax) == (one.left, one.right, one.tax)
        item = next((held[key] for key in _keys(one, result) if key in held), "")
        told.append((one, one.explanation or (_note(note.who, note.why) if same and note else item)))
    return told


def _held(tx: Transaction) -> dict[str, str]:
    """Record → the other work item that holds it up, in words."""
    query = select(work_item_record.c.key, work_item.c.id, work_item.c.reason)
    query = query.join(work_item, work_item.c.id == work_item_record.c.work_item_id)
    query = query.where(work_item.c.state != "closed", work_item.c.kind != "billing")
    return {key: f"待处理 {number}: {reason}" for key, number, reason in tx.execute(query)}


def _keys(one: Difference, result: Result) -> Iterator[str]:
    """The records a difference may wait for: its order, the order's refunds, requests and vouchers."""
    if (order := result.facts.orders.get(one.order_key)) is None:
        return
    yield order.key
    yield from order.refund_keys
    yield from (bill.request_no for bill in order.bills())
    yield from (booked.voucher for line in order.lines for booked in line.booked if booked.problem)


def _record(one: Difference) -> tuple[str, str]:
    return ("sales_order", one.order_key) if one.order_key else ("invoice", one.order_no)


def _subject(one: Difference) -> str:
    return f"{PAIR}:{one.kind}:{one.cause.partition(':')[0]}"


def _work(tx: Transaction, journal: Journal, flow: str, waiting: Sequence[Difference]) -> dict[str, int]:
    """Open what is new, release what is over; subject → its item."""
    by_subject: dict[str, list[Difference]] = defaultdict(list)
    for one in waiting:
        by_subject[_subject(one)].append(one)
    _release(tx, journal, {subject: {_record(one)[1] for one in found} for subject, found in by_subject.items()})
    items = {}
    for subject, found in by_subject.items():
        first = found[0]
        reason = f"{first.kind}: {first.reason}" + ("; 同类的订单见下" if len(found) > 1 else "")
        finding = work.Finding("billing", subject, reason, owner=first.owner, next_step=first.next_step)
        held = [(*_record(one), abs(one.amount)) for one in found]
        items[subject] = work.open_item(tx, journal, flow, finding, held)
    return items


def _release(tx: Transaction, journal: Journal, still: Mapping[str, set[str]]) -> None:
    query = select(work_item.c.id, work_item.c.subject).where(work_item.c.kind == "billing")
    for item in tx.execute(query.where(work_item.c.state != "closed")).all():
        mine = work_item_record.c.work_item_id == item.id
        keys = set(tx.execute(select(work_item_record.c.key).where(mine)).scalars())
        over = keys - still.get(item.subject, set())
        if over:
            tx.execute(delete(work_item_record).where(mine, bulk.among(tx, work_item_record.c.key, over)))
        if over == keys:
            work.close_items(tx, journal, [item.id], "duijie", FIXED)


def _lines(result: Result) -> Iterator[Record]:
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in result.differences:
        for oid in one.lines:
            kinds[one.order_key, oid].append(one.kind)
    for order in result.facts.orders.values():
        for line in order.lines:
            yield _line(order, line, list(dict.fromkeys(kinds[order.key, line.oid])))


def _line(order: Order, line: Line, kinds: Sequence[str]) -> Record:
    numbers = [one.bill.number for one in line.shares if one.bill.is_issued and one.bill.number]
    amounts = {"owed": line.receivable, "blue": line.blue, "red": line.red, "posted": line.posted}
    row: Record = {name: getattr(order, place) for name, place in _HEAD.items()}
    row |= {"oid": line.oid, "name": line.name, "rate": str(line.rate), "paid": line.paid}
    for name, amount in amounts.items():
        row |= {f"{name}_net": amount.net, f"{name}_tax": amount.tax}
    return {**row, "kinds": " ".join(kinds), "numbers": " ".join(numbers)}


_HEAD = {"order_key": "key", "order_no": "order_no", "shop": "shop", "day": "day"}


def _difference(one: Difference, why: str, items: Mapping[str, int], result: Result) -> Record:
    order = result.facts.orders.get(one.order_key)
    return {
        "kind": one.kind,
        "key": one.key[:300],
        "order_key": one.order_key,
        "order_no": one.order_no,
        "day": order.day if order else f"{one.since:%Y-%m-%d}",
        "lines": " ".join(one.lines),
        "left_amount": one.left,
        "right_amount": one.right,
        "tax": one.tax,
        "reason": one.reason,
        "next_step": one.next_step,
        "owner": one.owner,
        "since": one.since,
        "explanation": why,
        "is_open": not why,
        "work_item_id": None if why else items.get(_subject(one)),
    }


def _tax(place: int, one: Taxed) -> Record:
    names = ("month", "posted", "issued", "unbilled", "late", "difference", "unknown")
    return {"place": place, "rate": str(one.rate), **{name: getattr(one, name) for name in names}}


def _compared(
    tx: Transaction, journal: Journal, result: Result, told: Sequence[Told], items: Mapping[str, int]
) -> None:
    """The run among the other comparisons of 对账. What is as it should be (not shipped yet) is listed, not counted."""
    lines = [line for order in result.facts.orders.values() for line in order.lines]
    unexplained = sum(not why for _, why in told)
    head: dict[str, Any] = {
        "pair": PAIR,
        "title": TITLE,
        "at": journal.now(),
        "left_count": len(result.facts.orders),
        "right_count": sum(bill.is_issued for bill in result.facts.bills.values()),
        "left_amount": sum(line.receivable.gross for line in lines),
        "right_amount": sum(line.billed.gross for line in lines),
        "differences": sum(not one.explanation for one, _ in told),
        "unexplained": unexplained,
    }
    kept = tx.execute(insert(comparison).values(**head).returning(comparison.c.id)).scalar_one()
    rows = [
        {
            "comparison_id": kept,
            "key": (one.order_key or one.order_no)[:200],
            "kind": one.kind,
            "left_amount": one.left,
            "right_amount": one.right,
            "explanation": why or f"{one.reason}; {one.next_step}",
            "work_item_id": None if why else items.get(_subject(one)),
        }
        for one, why in told
    ]
    if rows:
        bulk.insert_all(tx, difference, rows)
