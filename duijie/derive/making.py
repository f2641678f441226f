"""Feeds the pure rules from the journal and puts what they make back, each result in one transaction.

A source is marked as used by a rule in the transaction that stores the result, under a primary key: a rule can not
use the same order twice, whoever runs it and however often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection as Transaction

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive import parties, stock, vouchers
from duijie.derive.invoice_making import invoice_requests
from duijie.derive.reversals import voucher_reversals
from duijie.flow import Derive, withdrawn
from duijie.invoicing.corrections import invoice_corrections
from duijie.invoicing.red_forms import red_followups
from duijie.invoicing.reds import red_issues, red_requests, settled
from duijie.journal import Journal, deliveries, documents, work
from duijie.journal.documents import Document
from duijie.journal.work import Finding
from duijie.schemas import check

Counts = Counter[str]
Made = tuple[Document, Record]


@dataclass(frozen=True)
class Making:
    """One derive step at work."""

    journal: Journal
    flow: str
    step: Derive
    rules: Path

    def unused(self, rule: str, entity: str) -> list[Document]:
        """Documents the rule has not used, restricted as the step asks (`delivered_to`, `after`).

        What its source has withdrawn is not among them.
        """
        fresh = [one for one in documents.not_yet_derived(self.journal, rule, entity) if not withdrawn(one.body)]
        if self.step.delivered_to:
            delivered = {key for key, _ in deliveries.keys_done(self.journal, self.step.delivered_to)}
            fresh = [one for one in fresh if one.key in delivered]
        if self.step.after:
            used = documents.derived_keys(self.journal, self.step.after)
            fresh = [one for one in fresh if one.body.get("order_key") in used]
        if self.step.settings.get("after_red"):
            fresh = settled(self.journal, fresh)
        return fresh

    def store(self, entity: str, made: Record, rule: str, sources: Sequence[tuple[Document, int]]) -> None:
        """Put a derived document, mark its sources as used and link them, in one transaction."""
        check(entity, made)
        with self.journal.writing() as tx:
            documents.put(tx, self.journal, entity, made, (None, f"rules/{rule}"))
            documents.mark_derived(tx, rule, [source for source, _ in sources], made["key"])
            for source, amount in sources:
                documents.connect(tx, self.journal, rule, source, (entity, made["key"], amount))
            self.passed(tx, [source for source, _ in sources])

    def passed(self, tx: Transaction, sources: Sequence[Document]) -> None:
        """Take sources that went through off this rule's work items."""
        for entity in {one.entity for one in sources}:
            keys = [one.key for one in sources if one.entity == entity]
            work.release_records(tx, self.journal, self.flow, entity, keys)

    def wait(self, source: Document, kind: str, reason: str) -> None:
        """A source that needs a person."""
        amount = documents.amount_of(source.body)
        with self.journal.writing() as tx:
            finding = Finding(kind, f"{self.step.make}:{source.key}", reason)
            work.open_item(tx, self.journal, self.flow, finding, [(source.entity, source.key, amount)])

    def all_wait(self, bad: Sequence[tuple[Document, str]]) -> int:
        """Sources that need a person, each with its reason; returns how many."""
        for source, reason in bad:
            self.wait(source, "invalid", reason)
        return len(bad)


def make(journal: Journal, flow: str, step: Derive, mappings: Path) -> Counts:
    """Run one derive step. Raises ConfigError for an unknown kind or rule."""
    makers: Mapping[str, Callable[[Making], Counts]] = {
        "vouchers": _vouchers,
        "voucher_reversals": voucher_reversals,
        "parties": _parties,
        "shop_stock": _shop_stock,
        "invoice_requests": invoice_requests,
        "red_requests": red_requests,
        "red_issues": red_issues,
        "red_followups": red_followups,
        "invoice_corrections": invoice_corrections,
    }
    if step.make not in makers:
        raise ConfigError(
            f"步骤 {step.name}: 不会生成 {step.make}, 可选: {', '.join(makers)}",
            en=f"step {step.name}: nothing makes {step.make}; known: {', '.join(makers)}",
            where=step.name,
        )
    return makers[step.make](Making(journal, flow, step, mappings / "rules"))


def _vouchers(making: Making) -> Counts:
    rules = vouchers.load_rules(making.rules / "voucher.yaml")
    rule = rules[making.step.rule]
    sources = {one.key: one for one in making.unused(rule.name, rule.entity) if rule.applies(one.body)}
    issued = documents.derived_count(making.journal, rule.name)
    names: Mapping[str, str] = making.step.settings.get("shop_names", {})
    counts: Counts = Counter(sources=len(sources))
    for group in vouchers.groups_of([one.body for one in sources.values()], rule):
        try:
            made = vouchers.voucher(group, rule, issued, names)
            used = [(sources[key], documents.fen(amount)) for key, amount in made.sources]
            making.store("voucher", made.document, rule.name, used)
        except InvalidDocument as error:
            for one in group:
                making.wait(sources[one["key"]], "invalid", error.zh)
            counts["waiting"] += len(group)
            continue
        counts["new_documents"] += 1
    return counts


def _parties(making: Making) -> Counts:
    counts: Counts = Counter()
    known = {one.key for one in documents.current(making.journal, "party")}
    fresh = making.unused("party", "sales_order")
    good, bad = _checked("party", ((order, parties.party(order.body)) for order in fresh))
    counts["waiting"] = making.all_wait(bad)
    with making.journal.writing() as tx:
        making.passed(tx, [order for order, _ in good])
        for order, made in good:
            if made["key"] not in known:
                documents.put(tx, making.journal, "party", made, (None, "rules/party"))
                known.add(made["key"])
                counts["new_documents"] += 1
            documents.mark_derived(tx, "party", [order], made["key"])
            documents.connect(tx, making.journal, "party", order, ("party", made["key"], 0))
    counts["sources"] = len(fresh)
    return counts


def _checked(entity: str, made: Iterable[Made]) -> tuple[list[Made], list[tuple[Document, str]]]:
    """What was made of which document, and the documents of which nothing can be made with the reason."""
    good: list[Made] = []
    bad: list[tuple[Document, str]] = []
    for source, body in made:
        try:
            check(entity, body)
            good.append((source, body))
        except InvalidDocument as error:
            bad.append((source, error.zh))
    return good, bad


def _shop_stock(making: Making) -> Counts:
    listed = {one.key: one for one in documents.current(making.journal, "listing")}
    levels = [one.body for one in documents.current(making.journal, "stock_level")]
    planned = {one.key: one.body["quantity"] for one in documents.current(making.journal, "shop_stock")}
    safety = int(making.step.settings.get("safety", 0))
    figures = stock.shop_figures([one.body for one in listed.values()], levels, safety)
    good, bad = _checked("shop_stock", ((listed[one["key"]], one) for one in stock.to_push(figures, planned)))
    counts: Counts = Counter(sources=len(levels), waiting=making.all_wait(bad))
    with making.journal.writing() as tx:
        making.passed(tx, [listing for listing, _ in good])
        for _, figure in good:
            made = documents.put(tx, making.journal, "shop_stock", figure, (None, "rules/shop_stock"))
            counts["new_documents" if made else "unchanged"] += 1
    return counts


__all__ = ["Making", "make"]
