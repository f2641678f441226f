"""三单匹配: a supplier's invoice against purchase orders and receipts, line by line; pure.

A line of the invoice is held against the lines of the supplier's orders that have its name (or carry its SKU as name or
specification), those whose price fits first, then the oldest. Of their receipts it takes what no earlier invoice has
settled. Everything that is off is told at once. What matches becomes a purchase_settlement: by it the estimate (暂估)
that the receipts stand at is settled, and the difference is known.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import msgspec
import yaml

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.connect.invoicing import SHORT_NAME

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
ROUNDING = 2 * CENT  # net and tax of a line are rounded each
Line = tuple[str, int]  # number of an order or a receipt, number of a line


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How far off a line may be, in percent (mappings/rules/purchase_invoice.yaml)."""

    qty_percent: Decimal = Decimal(0)
    receipt_percent: Decimal = Decimal(0)
    price_percent: Decimal = Decimal(0)


@dataclass(frozen=True)
class Ordered:
    """One line of an order with its receipts: `free` is what of each receipt line no invoice has settled."""

    order_no: str
    date: str
    line: Record
    received: Decimal = Decimal(0)
    free: dict[Line, Decimal] = field(default_factory=dict)

    @property
    def price(self) -> Decimal:
        """Of one piece, with tax."""
        return Decimal(self.line["gross"]) / Decimal(self.line["qty"])

    @property
    def net_price(self) -> Decimal:
        """Of one piece, without tax."""
        net = self.line.get("net")
        whole = net if net is not None else self.line["gross"] / (1 + Decimal(self.line.get("tax_rate", 0)))
        return Decimal(whole) / Decimal(self.line["qty"])

    @property
    def named(self) -> str:
        """As people find it."""
        return f"订单 {self.order_no} 第 {self.line['line_no']} 行"


def load_limits(path: Path) -> Limits:
    """Read the rule file. Raises ConfigError."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")) or {}, Limits, strict=False)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"规则文件 {path} 有误: {error}", en=f"{path} is wrong: {error}", where=str(path)) from error


def ordered_lines(
    orders: Iterable[Record], receipts: Iterable[Record], settled: Mapping[Line, Decimal]
) -> list[Ordered]:
    """The lines of orders with what has come of them and is not settled."""
    came: dict[Line, list[tuple[Line, Decimal]]] = defaultdict(list)
    for receipt in sorted(receipts, key=lambda one: (one["business_date"], one["receipt_no"])):
        for line in receipt["lines"]:
            if line.get("order_no") and line.get("order_line"):
                place = (receipt["receipt_no"], line["line_no"])
                came[line["order_no"], line["order_line"]].append((place, Decimal(line["qty"])))
    found = []
    for order in orders:
        for line in order["lines"]:
            mine = came[order["order_no"], line["line_no"]]
            free = {place: qty - settled.get(place, 0) for place, qty in mine}
            total = sum((qty for _, qty in mine), Decimal(0))
            found.append(Ordered(order["order_no"], order["business_date"], line, total, free))
    return found


def settled_by(settlements: Iterable[Record]) -> dict[Line, Decimal]:
    """What earlier settlements took of each receipt line."""
    taken: dict[Line, Decimal] = defaultdict(Decimal)
    for settlement in settlements:
        for line in settlement["lines"]:
            for one in line["receipts"]:
                taken[one["receipt_no"], one["line_no"]] += one["qty"]
    return taken


def settlement(invoice: Record, lines: Sequence[Ordered], limits: Limits) -> Record:
    """The purchase_settlement of an invoice. Raises InvalidDocument naming every line that is off, and how."""
    if invoice["colour"] == "red":
        raise _off(invoice, ["红字发票: 请按退货单人工核对并冲销原结算"])
    if not invoice["lines"]:
        raise _off(invoice, ["发票没有明细 (只有 OFD): 请向供应商索取 XML"])
    named = [one for one in lines if one.order_no in invoice.get("remark", "")] or list(lines)
    wrong: list[str] = []
    made: list[Record] = []
    for line in _with_discounts(invoice["lines"]):
        faults, parts = _matched(line, named, limits)
        wrong += [f"第 {line['line_no']} 行 {line['name']}: {fault}" for fault in faults]
        made += parts
    if wrong:
        raise _off(invoice, wrong)
    estimated = sum((one["estimated"] for one in made), ZERO)
    return {
        "key": invoice["key"],
        "invoice_number": invoice["number"],
        "date": str(invoice.get("issued_at", ""))[:10],
        "supplier": invoice["seller"],
        "net": invoice["net"],
        "tax": invoice["tax"],
        "gross": invoice["gross"],
        "estimated": estimated,
        "difference": invoice["net"] - estimated,
        "lines": [{"line_no": at, **one} for at, one in enumerate(made, 1)],
    }


def _off(invoice: Record, wrong: Sequence[str]) -> InvalidDocument:
    told = "; ".join(wrong)
    return InvalidDocument(
        f"发票 {invoice['number']} ({invoice['seller']['name']}) 与订单、入库不匹配: {told}; 请更正单据或请供应商换票",
        en=f"invoice {invoice['number']} does not match: {told}",
        code="E-MATCH",
        where=invoice["key"],
    )


def _with_discounts(lines: Sequence[Record]) -> Iterator[Record]:
    """The lines with the discount that follows each taken off."""
    kept: Record = {}
    for line in lines:
        if kept and line["net"] < 0 and "qty" not in line and line["name"] == kept["name"]:
            kept = {**kept, **{name: kept[name] + line[name] for name in ("net", "tax", "gross")}}
            continue
        if kept:
            yield kept
        kept = line
    yield kept


def _matched(line: Record, lines: Sequence[Ordered], limits: Limits) -> tuple[list[str], list[Record]]:
    """What is wrong with a line, and what it settles of which order line."""
    mine = [one for one in lines if _is_same(line, one.line)]
    if not mine:
        return ["订单中没有该商品"], []
    if not line.get("qty"):
        return ["发票没有数量"], []
    price = Decimal(line["gross"]) / line["qty"]
    mine.sort(key=lambda one: (not _fits(price, one, line["qty"], limits), one.date, one.order_no, one.line["line_no"]))
    taken, left = _take(mine, Decimal(line["qty"]))
    wrong = [fault for one, _ in taken or [(mine[0], {})] for fault in _faults(line, price, one, limits)]
    if left > Decimal(line["qty"]) * limits.qty_percent / 100:
        got = Decimal(line["qty"]) - left
        wrong.append(f"开票数量 {_plain(line['qty'])} 超过已入库未结算 {_plain(got)} ({mine[0].named})")
    return (wrong, []) if wrong or not taken else (wrong, list(_parts(line, taken)))


def _faults(line: Record, price: Decimal, one: Ordered, limits: Limits) -> Iterator[str]:
    if not _fits(price, one, line["qty"], limits):
        ours, theirs = (figure.quantize(Decimal("0.0001")) for figure in (one.price, price))
        yield f"含税单价 {theirs} 与{one.named}的 {ours} 不符 (允许 {limits.price_percent}%)"
    rate = one.line.get("tax_rate")
    if rate is not None and "tax_rate" in line and Decimal(rate) != Decimal(line["tax_rate"]):
        yield f"税率 {line['tax_rate']} 与{one.named}的 {rate} 不符"
    if one.received > one.line["qty"] * (1 + limits.receipt_percent / 100):
        yield f"入库 {_plain(one.received)} 超过{one.named}的订购数量 {_plain(one.line['qty'])}"


def _fits(price: Decimal, one: Ordered, qty: Decimal, limits: Limits) -> bool:
    off = abs(price - one.price)
    return off <= one.price * limits.price_percent / 100 or off * qty <= ROUNDING


def _take(lines: Sequence[Ordered], wanted: Decimal) -> tuple[list[tuple[Ordered, dict[Line, Decimal]]], Decimal]:
    """What is taken of the receipts of which order line, and what is left to take."""
    taken: list[tuple[Ordered, dict[Line, Decimal]]] = []
    for one in lines:
        mine: dict[Line, Decimal] = {}
        for place, free in one.free.items():
            if (qty := min(free, wanted)) > 0:
                mine[place], wanted = qty, wanted - qty
                one.free[place] -= qty
        if mine:
            taken.append((one, mine))
    return taken, wanted


def _parts(line: Record, taken: Sequence[tuple[Ordered, Mapping[Line, Decimal]]]) -> Iterator[Record]:
    """A line shared out over order lines by quantity; the last takes what rounding leaves."""
    rest = {name: Decimal(line[name]) for name in ("net", "tax", "gross")}
    total = sum((sum(mine.values(), Decimal(0)) for _, mine in taken), Decimal(0))
    for at, (one, mine) in enumerate(taken, 1):
        qty = sum(mine.values(), Decimal(0))
        share = {name: _cents(line[name] * qty / total) for name in ("net", "tax")}
        share["gross"] = share["net"] + share["tax"]
        if at == len(taken):
            share = dict(rest)
        rest = {name: rest[name] - share[name] for name in rest}
        yield {
            "name": line["name"],
            "sku": one.line["sku"],
            "order_no": one.order_no,
            "order_line": one.line["line_no"],
            "qty": qty,
            **share,
            "estimated": _cents(one.net_price * qty),
            "receipts": [{"receipt_no": no, "line_no": at_line, "qty": part} for (no, at_line), part in mine.items()],
        }


def _is_same(line: Record, ordered: Record) -> bool:
    name = _bare(SHORT_NAME.sub("", line["name"]))
    known = {_bare(str(ordered.get("name", ""))), _bare(str(ordered["sku"]))} - {""}
    return name in known or _bare(line.get("spec", "")) == _bare(str(ordered["sku"]))


def _bare(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _plain(qty: Decimal | int) -> str:
    return f"{Decimal(qty).normalize():f}"
