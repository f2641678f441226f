"""What becomes of a request that was made when its order is paid back, or withdrawn, before it has left the house.

It is made again of what is left, under the same numbers, or cancelled where nothing is. What has left, or may have, is
left alone here: a red invoice, or a person, settles it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import delete, select

from duijie.codec import Record
from duijie.derive.invoice_grouping import renumbered
from duijie.derive.invoice_preview import Proposal, propose
from duijie.derive.invoice_rules import InvoiceRules
from duijie.derive.invoice_sources import RULE, Refunds, bodies, coded, connect, limits_of, use
from duijie.journal import Journal, deliveries, documents, passing, reversals
from duijie.journal.documents import Document
from duijie.journal.tables import derived, link

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
UNSENT = {*deliveries.CANCELLABLE, "cancelled", "superseded"}


@dataclass(frozen=True)
class Asked:
    """Requests that were made together: of which orders and refunds (as they were then), and their deliveries."""

    orders: Sequence[Document]
    refunds: Sequence[Document]
    keys: Sequence[str]
    rows: Sequence[Any]

    @property
    def is_unsent(self) -> bool:
        """Whether each of them is planned and none has left, or may have."""
        return {row.key for row in self.rows} == set(self.keys) and {row.state for row in self.rows} <= UNSENT

    @property
    def is_given_up(self) -> bool:
        """Whether somebody has cancelled one of them, so that it is not to be asked for by itself any more."""
        newest = {(row.key, row.sink): row.state for row in sorted(self.rows, key=lambda row: row.id)}
        return "cancelled" in newest.values()

    @property
    def waiting(self) -> list[Any]:
        """The deliveries that can still be given up."""
        return [row for row in self.rows if row.state in deliveries.CANCELLABLE]


def asked(tx: Transaction, journal: Journal, result_key: str) -> Asked:
    """What was made under a number; its deliveries stay as they are in this transaction."""
    query = select(derived.c.document_id).where(derived.c.rule == RULE, derived.c.result_key == result_key)
    used = list(documents.by_ids(tx, tx.execute(query).scalars().all()).values())
    orders = [one for one in used if one.entity == "sales_order"]
    orders.sort(key=lambda one: (one.body.get("ordered_at", ""), one.key))
    refunds = sorted((one for one in used if one.entity == "sales_refund"), key=lambda one: one.key)
    made = select(link.c.to_key).where(link.c.kind == RULE, link.c.to_entity == "invoice_request")
    made = made.where(link.c.from_entity == "sales_order", link.c.from_key.in_([one.key for one in orders]))
    keys = sorted(key for key in set(tx.execute(made).scalars()) if key == result_key or _is_part(key, result_key))
    rows = [row for key in keys for row in reversals.rows(tx, journal, "invoice_request", key)]
    return Asked(orders, refunds, keys, rows)


def _is_part(key: str, base: str) -> bool:
    return len(key) == len(base) and key[:-3] == base[:-3] and key[-3:].isdigit()


def refunds_before_issue(making: Making, rules: InvoiceRules, refunds: Refunds) -> Counts:
    """Make every request again that has not left and of whose order something was paid back since."""
    by_order = documents.derived_keys(making.journal, RULE) if refunds else {}
    found: dict[str, list[Document]] = defaultdict(list)
    for key in sorted(set(refunds) & set(by_order)):
        found[by_order[key]] += refunds[key]
    counts: Counts = Counter()
    for result_key, back in found.items():
        counts += _lessen(making, rules, result_key, back)
    return counts


def _lessen(making: Making, rules: InvoiceRules, result_key: str, back: Sequence[Document]) -> Counts:
    with making.journal.writing() as tx:
        was = asked(tx, making.journal, result_key)
        if not was.is_unsent or was.is_given_up:
            return Counter()
        again = _again(making, was, back, rules)
        if not again.reason:
            made = [_as_corrected(making, one) for one in renumbered(again.requests, result_key)]
            _replace(tx, making, was, made, f"退款 {back[0].key} 先于开票")
            use(tx, back, result_key)
            _link_again(tx, making.journal, was, back, made)
            making.passed(tx, back)
            return Counter(lessened=1) if made else Counter(cancelled=1)
    return Counter(waiting=making.all_wait([(one, again.reason) for one in back]))


def _again(making: Making, was: Asked, back: Sequence[Document], rules: InvoiceRules) -> Proposal:
    """The requests of the same orders less every refund; none where nothing is left."""
    refunds: dict[str, list[Document]] = defaultdict(list)
    for one in (*was.refunds, *back):
        refunds[one.body["order_key"]].append(one)
    orders = coded(making.journal, [one.body for one in was.orders])
    return propose(orders, rules, bodies(refunds), limits_of(making.step))


def _replace(tx: Transaction, making: Making, was: Asked, made: Sequence[Record], why: str) -> None:
    """Put what is asked for now, to be planned anew, and give up what it takes the place of: parts alike stay."""
    origin = (None, f"rules/{RULE}")
    alike = {one["key"] for one in made if documents.put(tx, making.journal, "invoice_request", one, origin) is None}
    give_up(tx, making.journal, replace(was, rows=[row for row in was.rows if row.key not in alike]), why)


def _as_corrected(making: Making, made: Record) -> Record:
    """The same for the buyer that a person has corrected the title to, where the request is of a corrected invoice."""
    now = documents.get(making.journal, "invoice_request", made["key"])
    if now is None or "corrects" not in now.body:
        return made
    return {**made, "buyer": now.body["buyer"], "corrects": now.body["corrects"]}


def give_up(tx: Transaction, journal: Journal, was: Asked, why: str) -> None:
    """Cancel the deliveries that wait, and take them off their work items."""
    deliveries.cancel_in(tx, journal, [row.id for row in was.waiting], "duijie", why)
    for row in was.waiting:
        passing.passed(tx, journal, (row.flow, "invoice_request", row.sink), {row.key}, why)


def _link_again(
    tx: Transaction, journal: Journal, was: Asked, back: Sequence[Document], made: Sequence[Record]
) -> None:
    tx.execute(
        delete(link).where(link.c.kind == RULE, link.c.to_entity == "invoice_request", link.c.to_key.in_(was.keys))
    )
    connect(tx, journal, [*was.orders, *was.refunds, *back], made)


__all__ = ["UNSENT", "Asked", "asked", "give_up", "refunds_before_issue"]
