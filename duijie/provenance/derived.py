"""Documents made of documents: their fields back to the versions of the documents that a rule used.

`derived` names the version that was used, `link` its key; what a rule read besides is taken as it was then. The rule
is run again over these, to say whether it still gives what is kept.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Row as Found
from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive import invoices, origins, parties, reds, tax_codes, vouchers
from duijie.derive.invoice_grouping import renumbered, requests_of
from duijie.derive.invoice_sources import limits_of
from duijie.derive.origins import Read, Reason, Red, Request
from duijie.difference import changes, told
from duijie.flow import Derive
from duijie.journal.documents import Document
from duijie.journal.tables import derived, document
from duijie.mapping.document import Block, Item, Listing
from duijie.mapping.document import read as read_yaml
from duijie.mapping.findings import Findings, Spot, shown
from duijie.provenance import history
from duijie.provenance.model import Origin, Place, Source, Why
from duijie.provenance.past import Kept
from duijie.provenance.trail import at
from duijie.provenance.trail import shown as seen

if TYPE_CHECKING:
    from duijie.provenance.explaining import Explainer

FILES = {"invoice": "invoice.yaml", "red_invoice": "invoice.yaml", "sale": "voucher.yaml", "refund": "voucher.yaml"}
FILES |= {f"{rule}{vouchers.REVERSAL}": "voucher.yaml" for rule in ("sale", "refund")}


class Maker:
    """Explains one derived document."""

    def __init__(self, explainer: Explainer, row: Found[Any], body: Record) -> None:
        self._explainer = explainer
        self._row = row
        self._body = body
        self._rule = str(row.mapping).removeprefix("rules/")
        self._origin = Origin("document", row.entity, row.key, row.id, row.version, row.created_at)

    def why(self, path: str) -> Why:
        """Why a field has its value."""
        value = seen(path, at(self._body, path))
        try:
            reason = self._reason(path)
        except (ConfigError, LookupError, InvalidDocument) as error:
            said = error.zh if isinstance(error, ConfigError | InvalidDocument) else f"来源单据中没有 {error}"
            return Why(self._origin, path, value, "", None, notes=(f"注意: 无法追溯到规则: {said}",))
        rule, place = self._place(reason)
        sources = [self._source(one, index) for index, one in enumerate(reason.reads)]
        most = max(self._explainer.most, 1)
        notes = _sum(reason.reads, value)
        return Why(self._origin, path, value, rule, place, (), (), tuple(sources[:most]), len(sources[most:]), notes)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What holds for the whole document: no version is kept of a rule, and whether it gives the same again."""
        said = f"规则 {self._row.mapping} 没有版本戳: 以现在的文件解释"
        try:
            made = self._again()
        except (ConfigError, LookupError, InvalidDocument) as error:
            return said, f"注意: 规则现在不能重算这张单据: {getattr(error, 'zh', error)}"
        if made is None:
            return (said,)
        found = list(changes(self._body, made))
        return said, f"注意: 重算结果与存档不同: {told(found)}" if found else "重算结果与存档一致"

    def _again(self) -> Record | None:
        """The document as the rule makes it now; None for what depends on more than its sources (stock)."""
        again: Mapping[str, Callable[[], Record]] = {
            "voucher": self._voucher_again,
            "invoice_request": self._request_again,
            "red_request": self._red_again,
            "party": lambda: parties.party(self._first.body),
        }
        return again[self._row.entity]() if self._row.entity in again else None

    def _voucher_again(self) -> Record:
        if self._is_reversal:
            return self._reversal_again()
        number = int(self._row.key.rpartition(":")[2]) - 1
        group = f"{self._rule}:{self._body['shop']}:{self._body['date']}"
        bodies = [one.body for one in self._sources]
        return vouchers.voucher(bodies, self._voucher_rule, {group: number}, self._shop_names()).document

    @property
    def _is_reversal(self) -> bool:
        return self._rule.endswith(vouchers.REVERSAL)

    def _reversal_again(self) -> Record:
        original = self._held("voucher", vouchers.original_key(self._row.key))
        bodies, number = [one.body for one in self._sources], int(self._row.key.rpartition(":")[2])
        rule = vouchers.load_rules(self._folder / "voucher.yaml")[self._rule.removesuffix(vouchers.REVERSAL)]
        return vouchers.reversal(original, bodies, rule, number, self._body["date"]).document

    def _shop_names(self) -> Mapping[str, str]:
        steps = [step for flow in self._explainer.flows.values() for step in flow.steps if isinstance(step, Derive)]
        found = [step.settings for step in steps if step.make == "vouchers" and step.rule == self._rule]
        names: Mapping[str, str] = found[0].get("shop_names", {}) if found else {}
        return names

    def _request_again(self) -> Record:
        of = self._request
        refunds = {key: list(found) for key, found in groupby(of.refunds, lambda one: one["order_key"])}
        steps = [step for flow in self._explainer.flows.values() for step in flow.steps if isinstance(step, Derive)]
        limits = [limits_of(step) for step in steps if step.make == "invoice_requests"]
        made = requests_of(of.orders, self._invoice_rules, refunds, next(iter(limits), None))
        numbered = {one["key"]: one for one in renumbered(made, self._body.get("base_no", self._row.key))}
        return numbered[self._row.key]

    @cached_property
    def _request(self) -> Request:
        """The orders of a request in their order there, with their products' codes, and the refunds before it."""
        bodies = [one.body for one in self._sources if one.entity == "sales_order"]
        orders = [tax_codes.with_codes(order, self._codes(order)) for order in bodies]
        orders.sort(key=lambda one: (one["ordered_at"], one["key"]))
        refunds = [one.body for one in self._sources if one.entity == "sales_refund"]
        return Request(orders, sorted(refunds, key=lambda one: (one["order_key"], one["key"])))

    def _codes(self, order: Record) -> dict[str, str]:
        skus = [line["sku"] for line in order["lines"] if not line.get("tax_class_code")]
        found = [one for sku in skus for one in self._all("product", "sku", sku)]
        return {one["sku"]: one["tax_class_code"] for one in found if one.get("tax_class_code")}

    def _red_again(self) -> Record:
        red = self._red
        return reds.red_request(red.refund, red.order, red.invoice, red.request, self._invoice_rules, red.earlier)

    def _reason(self, path: str) -> Reason:
        match self._row.entity:
            case "voucher" if self._is_reversal and path.rpartition(".")[2] in origins.OF_REVERSAL:
                return origins.of_reversal(path, vouchers.original_key(self._row.key))
            case "voucher":
                return origins.of_voucher(path, self._body, self._voucher_rule, [one.body for one in self._sources])
            case "invoice_request":
                return origins.of_request(path, self._body, self._request)
            case "red_request":
                return origins.of_red(path, self._body, self._red)
            case "party":
                return origins.of_party(path, self._body, self._first.body)
            case "shop_stock":
                return origins.of_shop_stock(path, self._body, self._listings(), self._levels())
        raise ConfigError(f"没有生成 {self._row.entity} 的规则", en=f"nothing makes {self._row.entity}")

    @cached_property
    def _sources(self) -> Sequence[Document]:
        """The versions that the rule used, in the order of their keys."""
        query = select(document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)
        query = query.join(derived, derived.c.document_id == document.c.id)
        mine = (derived.c.rule == self._rule) | derived.c.rule.startswith(f"{self._rule}:", autoescape=True)
        query = query.where(mine, derived.c.result_key == self._body.get("base_no", self._row.key))
        with self._explainer.journal.reading() as tx:
            found = [Document.of(row) for row in tx.execute(query.order_by(document.c.key))]
        if not found:
            raise ConfigError(
                f"日志库中没有 {self._row.key} 所用的来源单据", en=f"no sources are kept for {self._row.key}"
            )
        return found

    @cached_property
    def _first(self) -> Document:
        return next((one for one in self._sources if self._agrees(one)), self._sources[0])

    def _agrees(self, one: Document) -> bool:
        """Whether a party was made of this order: the first of several that name the buyer so."""
        return self._row.entity != "party" or parties.party(one.body) == self._body

    @cached_property
    def _red(self) -> Red:
        refund = self._first.body
        request = self._held("invoice_request", self._body["blue_request_no"])
        order = self._held("sales_order", refund["order_key"])
        invoice = self._one("invoice", "request_no", self._body["blue_request_no"])
        void = {self._row.key, *(one["request_no"] for one in self._all("invoice", "status", "failed"))}
        others = self._all("red_request", "blue_request_no", self._body["blue_request_no"])
        return Red(refund, order, invoice, request, [one for one in others if one["key"] not in void])

    def _listings(self) -> list[Record]:
        return self._all("listing", "sku", self._body["sku"])

    def _levels(self) -> list[Record]:
        return self._all("stock_level", "sku", self._body["sku"])

    def _held(self, entity: str, key: str) -> Record:
        found = self._version(entity, key)
        if found is None:
            raise KeyError(f"{entity} {key}")
        return found.body

    def _one(self, entity: str, field: str, value: str) -> Record:
        found = self._all(entity, field, value)
        if not found:
            raise KeyError(f"{entity} {field} {value}")
        return found[0]

    def _all(self, entity: str, field: str, value: str) -> list[Record]:
        """Documents as they were, of those that hold a value in a field."""
        archive = self._explainer.archive
        found = (self._version(entity, key) for key in archive.keys_holding(entity, field, value))
        return [one.body for one in found if one is not None and one.body.get(field) == value]

    def _version(self, entity: str, key: str) -> Kept | None:
        """The version of a document that the rule used, else the one that was there when it ran."""
        used = {(one.entity, one.key): one.id for one in (self._sources if self._row.entity != "shop_stock" else ())}
        kept = self._explainer.archive.versions(entity, key)
        exact = [one for one in kept if one.id == used.get((entity, key))]
        earlier = [one for one in kept if one.id < self._row.id]
        return next(iter(exact or earlier[-1:]), None)

    @property
    def _folder(self) -> Path:
        return self._explainer.root / "mappings" / "rules"

    @cached_property
    def _voucher_rule(self) -> vouchers.VoucherRule:
        rule = vouchers.load_rules(self._folder / "voucher.yaml")[self._rule.removesuffix(vouchers.REVERSAL)]
        return msgspec.structs.replace(rule, sign=-rule.sign) if self._is_reversal else rule

    @cached_property
    def _invoice_rules(self) -> invoices.InvoiceRules:
        return invoices.load_rules(self._folder / "invoice.yaml")

    def _source(self, one: Read, index: int) -> Source:
        kept = self._version(one.entity, one.key)
        if kept is None:
            return Source(one.field, one.amount, Origin("document", one.entity, one.key))
        origin = Origin("document", one.entity, one.key, kept.id, kept.version, kept.at)
        follow = index < self._explainer.most
        why = self._explainer.why_of(kept.id, one.field) if follow else None
        return Source(one.field, seen(one.field, at(kept.body, one.field)), origin, why)

    def _place(self, reason: Reason) -> tuple[str, Place]:
        """A line of the rules file where there is one, else of the code that makes the document."""
        path = self._folder / FILES.get(self._rule, "")
        spot = _spot(path, reason.place) if reason.place else None
        if spot is not None:
            line = path.read_text(encoding="utf-8").splitlines()[spot.line - 1].strip()
            change = history.last_change(path, spot.line)
            return f"{reason.rule}  [{line}]", Place(spot.file, spot.line, change)
        file = Path(inspect.getsourcefile(reason.function) or "")
        number = inspect.getsourcelines(reason.function)[1]
        name = "/".join(file.parts[-3:])
        return reason.rule, Place(name, number, history.last_change(file, number))


def _sum(reads: Sequence[Read], value: Any) -> tuple[str, ...]:
    """Whether what the sources add comes to the value."""
    amounts = [one.amount for one in reads if one.amount is not None]
    if not amounts or len(amounts) != len(reads):
        return ()
    total = sum(amounts)
    if total == value:
        return (f"{len(amounts)} 个来源合计 {total}, 与此值一致",)
    return (f"注意: {len(amounts)} 个来源合计 {total}, 与存档的 {value} 不同",)


def _spot(path: Path, place: Sequence[str | int]) -> Spot | None:
    """Where a value stands in a rules file."""
    if not path.is_file():
        return None
    item: Item | None = read_yaml(path.read_text(encoding="utf-8"), shown(path), Findings())
    spot = None
    for step in place:
        if isinstance(item, Block):
            entry = next((each for each in item.entries if each.key == step), None)
            item, spot = (entry.item, entry.spot) if entry else (None, spot)
        elif isinstance(item, Listing) and isinstance(step, int) and step < len(item.items):
            item = item.items[step]
            spot = item.spot
    return spot
