"""Refunds become red requests: each once, when its blue invoice is issued, never for more than that has left.

A refund whose blue invoice is not issued yet waits until that is settled (one that has not left at all is lessened or
cancelled where blue requests are made). A refund of an order whose title was corrected takes back the new invoice.
While a form of the buyer on the same invoice is open, no other can be begun: the refund waits as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive import invoices, reds
from duijie.derive.invoice_rules import InvoiceRules
from duijie.journal import Journal, documents
from duijie.journal.documents import Document
from duijie.journal.tables import delivery

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
RULE = "red_invoice"
VOID = frozenset({"05", "06", "07", "08", "09", "10", "11", "12", "13", "16"})
CONFIRMED = ("01", "04")


@dataclass(frozen=True)
class Sight:
    """Invoices and what reverses them, as the journal has them now.

    `requests` by order; `blues` and `reds` (results) by our number; `standing`: red requests that are not void, by the
    number of their blue request; `by_buyer`: forms of buyers that are not void, by the number of the blue invoice.
    """

    requests: dict[str, list[Record]]
    results: dict[str, Record]
    standing: dict[str, list[Record]]
    by_buyer: dict[str, list[Record]]
    replaced: frozenset[str]

    @classmethod
    def of(cls, journal: Journal) -> Sight:
        """Read the journal."""
        results = {one.body["request_no"]: one.body for one in documents.current(journal, "invoice")}
        requests = [one.body for one in documents.current(journal, "invoice_request")]
        dropped = _dropped(journal)
        corrections = (one.body for one in documents.current(journal, "invoice_correction"))
        return cls(
            _by_order(requests),
            results,
            _standing(journal, results),
            _by_buyer(journal),
            frozenset(one["request_no"] for one in corrections if one["red_request_no"] not in dropped),
        )

    def issued(self, order_key: str) -> list[Record]:
        """The order's requests whose invoice is issued and is not being replaced by another."""
        return [
            one
            for one in self.requests.get(order_key, ())
            if self.status(one["request_no"]) == "issued" and one["request_no"] not in self.replaced
        ]

    def status(self, request_no: str) -> str:
        """What the platform says of a request, blue or red; "" where it has said nothing yet."""
        return str(self.results.get(request_no, {}).get("status", ""))

    def earlier(self, request: Record) -> list[Record]:
        """Our reds of a request's invoice that stand."""
        return self.standing.get(request["request_no"], [])

    def of_buyer(self, request: Record) -> list[Record]:
        """The buyer's forms on a request's invoice that stand."""
        return self.by_buyer.get(self.results[request["request_no"]].get("number", ""), [])

    def is_busy(self, request: Record) -> bool:
        """Whether a form of the buyer on it is open."""
        return any(not form.get("red_number") for form in self.of_buyer(request))


def red_requests(making: Making) -> Counts:
    """Make the red request of every refund that can be taken back now; what does not fit waits for a person."""
    rules = invoices.load_rules(making.rules / "invoice.yaml")
    counts: Counts = Counter()
    fresh = [one for one in making.unused(RULE, "sales_refund") if one.body["status"] == "success"]
    sight = Sight.of(making.journal) if fresh else None
    for refund in fresh:
        if sight and (found := sight.issued(refund.body["order_key"])):
            counts += _reverse(making, sight, refund, found, rules)
    return counts


def _reverse(making: Making, sight: Sight, refund: Document, found: Sequence[Record], rules: InvoiceRules) -> Counts:
    order = documents.get(making.journal, "sales_order", refund.body["order_key"])
    try:
        request = _that_holds(refund.body, order.body if order else None, found)
        if sight.is_busy(request):
            return Counter(held=1)
        blue = sight.results[request["request_no"]]
        taken = sight.earlier(request), sight.of_buyer(request)
        red = reds.red_request(refund.body, order.body if order else None, blue, request, rules, *taken)
        making.store("red_request", red, RULE, [(refund, documents.fen(red["gross"]))])
    except InvalidDocument as error:
        making.wait(refund, "invoice", error.zh)
        return Counter(waiting=1)
    sight.standing.setdefault(request["request_no"], []).append(red)
    return Counter(new_documents=1)


def _that_holds(refund: Record, order: Record | None, found: Sequence[Record]) -> Record:
    """The request that has the refunded line. Raises InvalidDocument where none has."""
    for request in found[:-1]:
        try:
            reds.blue_line(refund, order, request)
        except InvalidDocument:
            continue
        return request
    reds.blue_line(refund, order, found[-1])
    return found[-1]


def red_issues(making: Making) -> Counts:
    """Have the red invoice of every confirmed form issued, for a platform that does not do so by itself."""
    rules = invoices.load_rules(making.rules / "invoice.yaml")
    asked = {one.body["request_no"]: one.body for one in documents.current(making.journal, "red_request")}
    counts: Counts = Counter()
    for result in documents.not_yet_derived(making.journal, "red_issue", "invoice"):
        body = result.body
        is_ready = body["colour"] == "red" and body.get("form_state") in CONFIRMED and not body.get("number")
        if is_ready and body.get("form_no") and body["request_no"] in asked:
            made = reds.issue_of(asked[body["request_no"]], body, rules)
            making.store("red_issue", made, "red_issue", [(result, documents.fen(made["gross"]))])
            counts["new_documents"] += 1
    return counts


def settled(journal: Journal, refunds: Iterable[Document]) -> list[Document]:
    """Refunds whose money side may be posted: their red invoice is issued, or there is none to be.

    There is none where their order has no invoice, was invoiced for less because of them, or a person gave it up.
    """
    sight, used = Sight.of(journal), documents.derived_keys(journal, RULE)
    asked = {one.key for one in documents.current(journal, "red_request")}
    dropped = _dropped(journal)

    def is_settled(refund: Document) -> bool:
        made = used.get(refund.key, "")
        if made in asked - dropped:
            return sight.status(made) == "issued"
        return bool(made) or not sight.requests.get(refund.body["order_key"])

    return [one for one in refunds if is_settled(one)]


def _by_order(requests: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for one in requests:
        for order_key in one.get("order_keys", [one["order_key"]]):
            found[order_key].append(one)
    return found


def _standing(journal: Journal, results: dict[str, Record]) -> dict[str, list[Record]]:
    dropped, found = _dropped(journal), defaultdict(list)
    for one in documents.current(journal, "red_request"):
        is_void = results.get(one.body["request_no"], {}).get("status") == "failed"
        if not is_void and one.key not in dropped:
            found[one.body["blue_request_no"]].append(one.body)
    return found


def _dropped(journal: Journal) -> set[str]:
    """Red requests that a person has given up: every delivery of them is cancelled."""
    alive = func.sum(case((delivery.c.state == "cancelled", 0), else_=1))
    query = select(delivery.c.key).where(delivery.c.entity == "red_request").group_by(delivery.c.key)
    with journal.reading() as tx:
        return set(tx.execute(query.having(alive == 0)).scalars())


def _by_buyer(journal: Journal) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for one in documents.current(journal, "red_form"):
        if one.body["initiator"] == "buyer" and one.body["state"] not in VOID:
            found[one.body["blue_number"]].append(one.body)
    return found


__all__ = ["CONFIRMED", "RULE", "VOID", "Sight", "red_issues", "red_requests", "settled"]
