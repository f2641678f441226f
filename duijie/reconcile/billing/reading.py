"""Everything 票单勾稽 needs, read once from the journal and put together: orders with bills, vouchers and refunds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive import invoices, vouchers
from duijie.derive.invoice_billing import billed
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoices import billable
from duijie.derive.rounding import split_tax
from duijie.derive.vouchers import REVERSAL, VoucherRule
from duijie.flow import withdrawn
from duijie.journal import Journal, documents
from duijie.journal.documents import fen
from duijie.journal.tables import delivery, derived, document, work_item, work_item_record
from duijie.reconcile.billing.model import FREIGHT, NOTHING, Bill, Booked, Fen, Line, Order
from duijie.reconcile.billing.sharing import Place, amount_of, attach, blue_shares, places, red_shares
from duijie.reconcile.billing.standing import Sent, Stopping, state_of, stopping

CHINA = timezone(timedelta(hours=8), "CST")
DUE = ("paid", "shipped", "finished")
FREIGHT_NAME = "运费"
TAX_ACCOUNT = "output_vat"
OWED_ACCOUNT = "receivable"


class Kept(NamedTuple):
    """A current document."""

    id: int
    key: str
    body: Record
    created_at: datetime


@dataclass
class Facts:
    """The whole: `bills` by request number, `numbers` of the invoices the platform has told of."""

    orders: dict[str, Order] = field(default_factory=dict)
    bills: dict[str, Bill] = field(default_factory=dict)
    requests: dict[str, Kept] = field(default_factory=dict)
    reds: dict[str, Kept] = field(default_factory=dict)
    invoices: dict[str, Kept] = field(default_factory=dict)
    forms: list[Kept] = field(default_factory=list)
    vouchers: list[tuple[Record, str]] = field(default_factory=list)
    stopping: Stopping = field(default_factory=Stopping)


def read(journal: Journal, mappings: Path) -> Facts:
    """Read the journal. Raises ConfigError for rules that cannot be read."""
    billing = invoices.load_rules(mappings / "rules" / "invoice.yaml")
    rules = vouchers.load_rules(mappings / "rules" / "voucher.yaml")
    facts = Facts(stopping=stopping(journal))
    sales = {one.key: one for one in current(journal, "sales_order")}
    held = _held(journal)
    facts.orders = {key: _order(one, billing, held.get(key, "")) for key, one in sales.items()}
    refunds = _refunds(journal, facts.orders)
    facts.requests = {one.body["request_no"]: one for one in current(journal, "invoice_request")}
    facts.reds = {one.body["request_no"]: one for one in current(journal, "red_request")}
    facts.invoices = {one.body["request_no"]: one for one in current(journal, "invoice")}
    facts.forms = list(current(journal, "red_form"))
    _bill(facts, _sent(journal), {key: _skus(one.body) for key, one in sales.items()})
    _book(journal, facts, rules, {**sales, **refunds})
    return facts


def current(journal: Journal, entity: str, batch: int = 2000) -> Iterator[Kept]:
    """Every current document of an entity with the moment it came."""
    columns = (document.c.id, document.c.key, document.c.body, document.c.created_at)
    after = 0
    while True:
        query = select(*columns).where(document.c.entity == entity, document.c.current, document.c.id > after)
        with journal.reading() as tx:
            rows = tx.execute(query.order_by(document.c.id).limit(batch)).all()
        yield from (Kept(row.id, row.key, codec.decode(row.body), row.created_at) for row in rows)
        if len(rows) < batch:
            return
        after = rows[-1].id


def _order(kept: Kept, rules: InvoiceRules, held: str) -> Order:
    body = kept.body
    is_due = body["status"] in DUE and not withdrawn(body)
    owed = _owed(body, rules) if is_due else {}
    lines = [
        Line(one["oid"], one["name"], Decimal(one["tax_rate"]), owed.get(one["oid"], NOTHING)) for one in body["lines"]
    ]
    if body["freight"]:
        freight_rate = rules.freight.tax_rate
        split = split_tax(body["freight"], freight_rate)
        amount = Fen(fen(split.net), fen(split.tax)) if is_due else NOTHING
        lines.append(Line(FREIGHT, FREIGHT_NAME, freight_rate, amount))
    is_paid = bool(body.get("paid_at")) and is_due
    for line in lines:
        line.paid = line.ordered.gross if is_paid else 0
    return Order(
        key=kept.key,
        order_no=body["order_no"],
        shop=body["shop"],
        day=body["business_date"],
        status=body["status"],
        since=moment(body.get("shipped_at") or body.get("paid_at") or body["ordered_at"]),
        wishes="invoice_wish" in body,
        is_due=is_due,
        lines=lines,
        held=held,
        learned=kept.created_at,
    )


def _owed(order: Record, rules: InvoiceRules) -> dict[str, Fen]:
    """What is owed of each line: as it is invoiced, the order's own discount and returned lines spread over it."""
    try:
        return {one.line["oid"]: Fen(fen(one.net), fen(one.tax)) for one in billed(order, rules)}
    except InvalidDocument:
        return {line["oid"]: amount_of(line) for line in order["lines"]}


def moment(text: str) -> datetime:
    """A time of a document; one without a zone is China's."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=CHINA)


def _skus(order: Record) -> list[tuple[str, str]]:
    return [(line["sku"], line["oid"]) for line in billable(order)]


def _refunds(journal: Journal, orders: Mapping[str, Order]) -> dict[str, Kept]:
    """Successful refunds, taken off the lines of orders that are owed."""
    found = {}
    for one in current(journal, "sales_refund"):
        body = one.body
        if body["status"] != "success" or withdrawn(body):
            continue
        found[one.key] = one
        order = orders.get(body["order_key"])
        if order is None or not order.is_due:
            continue
        line, amount = order.line(body["oid"]), amount_of(body)
        _learn(order, one)
        line.refunded += amount
        line.paid -= min(line.paid, amount.gross)
        order.refunds.append((line.oid, body["business_date"], amount))
        order.refund_keys.append(one.key)
    return found


def _learn(order: Order, kept: Kept) -> None:
    """The order has been told of at that moment, too."""
    order.learned = max(order.learned or kept.created_at, kept.created_at)


def _held(journal: Journal) -> dict[str, str]:
    """Order → why its request could not be made: the open work item of 开票校验 that holds it."""
    query = select(work_item_record.c.key, work_item.c.reason)
    query = query.join(work_item, work_item.c.id == work_item_record.c.work_item_id)
    query = query.where(work_item_record.c.entity == "sales_order", work_item.c.kind == "invoice")
    with journal.reading() as tx:
        return {key: reason for key, reason in tx.execute(query.where(work_item.c.state != "closed"))}


def _sent(journal: Journal) -> dict[tuple[str, str], list[Sent]]:
    """(entity, key) → how its newest delivery to each sink stands."""
    columns = (delivery.c.entity, delivery.c.key, delivery.c.sink, delivery.c.state, delivery.c.reason)
    wanted = delivery.c.entity.in_(("invoice_request", "red_request", "voucher"))
    newest: dict[tuple[str, str, str], Sent] = {}
    with journal.reading() as tx:
        for entity, key, sink, state, reason in tx.execute(select(*columns).where(wanted).order_by(delivery.c.id)):
            newest[entity, key, sink] = Sent(sink, state, reason)
    found: dict[tuple[str, str], list[Sent]] = defaultdict(list)
    for (entity, key, _), one in newest.items():
        found[entity, key].append(one)
    return found


def _bill(facts: Facts, sent: Mapping[tuple[str, str], Sequence[Sent]], skus: Mapping[str, Any]) -> None:
    at: dict[str, list[Place]] = {}
    seen: dict[tuple[str, str], str] = {}
    for no, one in facts.requests.items():
        bill = facts.bills[no] = _made(facts, one, sent.get(("invoice_request", one.key), ()), is_red=False)
        at[no] = places(one.body, facts.orders, skus)
        told = facts.invoices.get(no)
        mark = (bill.number, one.body["order_key"])
        if bill.is_issued and bill.number and seen.setdefault(mark, no) != no:
            continue  # the same paper again: told as one doubled number
        attach(facts.orders, blue_shares(bill, one.body, at[no], told.body if told else None))
    for no, told in facts.invoices.items():
        asked = facts.requests.get(no) or facts.reds.get(no)
        for key in _orders_of(asked.body) if asked else ():
            if key in facts.orders:
                _learn(facts.orders[key], told)
    for no, one in facts.reds.items():
        bill = facts.bills[no] = _made(facts, one, sent.get(("red_request", one.key), ()), is_red=True)
        blue = facts.requests.get(one.body["blue_request_no"])
        if blue is not None:
            mine = at[blue.body["request_no"]]
            attach(facts.orders, red_shares(bill, one.body, mine, blue.body, mine[-1]))


def _orders_of(request: Record) -> Sequence[str]:
    return request.get("order_keys") or [request.get("order_key", "")]


def _made(facts: Facts, request: Kept, sent: Sequence[Sent], *, is_red: bool) -> Bill:
    body = request.body
    told = facts.invoices.get(body["request_no"])
    invoice = told.body if told else None
    entity = "red_request" if is_red else "invoice_request"
    state, reason = state_of(invoice, sent, facts.stopping, (entity, request.key))
    return Bill(
        request_no=body["request_no"],
        is_red=is_red,
        state=state,
        total=amount_of(invoice if invoice and state == "issued" else body),
        since=request.created_at,
        number=(invoice or {}).get("number", ""),
        reason=reason,
        issued_at=moment(invoice["issued_at"]) if invoice and invoice.get("issued_at") else None,
        base=body.get("base_no", ""),
        blue_no=body.get("blue_request_no", ""),
    )


def _book(journal: Journal, facts: Facts, rules: Mapping[str, VoucherRule], sources: Mapping[str, Kept]) -> None:
    """What vouchers hold of every line, taken from the version of each source that was posted."""
    sent = _sent(journal)
    facts.vouchers = [
        (one.body, _problem(one.key, sent.get(("voucher", one.key), ()))) for one in current(journal, "voucher")
    ]
    problems = {body["key"]: problem for body, problem in facts.vouchers}
    used = list(_used(journal, rules))
    bodies = {one.id: one.body for one in sources.values()}
    bodies |= _older(journal, {row.document_id for row in used} - set(bodies))
    for row in used:
        if row.document_id not in bodies:
            continue
        sign = -1 if row.is_reversal else 1
        voucher = row.result_key
        for place, amount in _posted(rules[row.rule], bodies[row.document_id]):
            if (order := facts.orders.get(place.order_key)) is not None:
                booked = Booked(voucher, amount if sign > 0 else -amount, problems.get(voucher, ""))
                order.line(place.oid).booked.append(booked)


class Used(NamedTuple):
    """A source that a voucher rule used."""

    rule: str
    is_reversal: bool
    document_id: int
    result_key: str


def _used(journal: Journal, rules: Mapping[str, VoucherRule]) -> Iterator[Used]:
    query = select(derived.c.rule, derived.c.document_id, derived.c.result_key)
    with journal.reading() as tx:
        for rule, document_id, result in tx.execute(query):
            name = rule.partition(":")[0]
            if name.removesuffix(REVERSAL) in rules:
                yield Used(name.removesuffix(REVERSAL), name.endswith(REVERSAL), document_id, result)


def _older(journal: Journal, ids: set[int]) -> dict[int, Record]:
    with journal.reading() as tx:
        return {number: one.body for number, one in documents.by_ids(tx, ids).items()}


def _posted(rule: VoucherRule, body: Record) -> Iterator[tuple[Place, Fen]]:
    """What a rule posts of each line of a document, net and tax."""
    amounts: dict[Place, Fen] = defaultdict(Fen)
    for part in vouchers.parts(rule, [body]):
        account = rule.postings[part.position].account
        if account == OWED_ACCOUNT or not part.amount:
            continue
        cents = fen(part.amount)
        amounts[_place(body, part.field)] += Fen(tax=cents) if account == TAX_ACCOUNT else Fen(net=cents)
    yield from amounts.items()


def _place(body: Record, name: str) -> Place:
    """The order line of a posted field: `lines[3].net`, `freight`, or a refund's own amounts."""
    if "order_key" in body:
        return Place(body["order_key"], body["oid"])
    if name.startswith("lines["):
        return Place(body["key"], body["lines"][int(name[6 : name.index("]")])]["oid"])
    return Place(body["key"], FREIGHT)


def _problem(key: str, sent: Sequence[Sent]) -> str:
    """Why a voucher is not in every ledger; empty where it is."""
    waiting = [one for one in sent if one.state not in ("done", "superseded", "cancelled")]
    if waiting:
        one = waiting[0]
        return f"凭证 {key} 未送达 {one.sink}" + (f": {one.reason}" if one.reason else "")
    return "" if any(one.state == "done" for one in sent) else f"凭证 {key} 尚未送到账套"
