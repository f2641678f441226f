"""JMESPath: no arithmetic, no let, no index in a projection; all of that is in custom Python functions."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jmespath
from jmespath.functions import Functions, signature

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.hand import CARRIERS, CENT, INVOICE_KINDS, RATE, STATUS, TAXED
from benchmarks.mapping.orders import CATALOGUE, CUSTOMERS, STORES
from benchmarks.mapping.timing import each
from duijie.codec import Record

TABLES: dict[str, dict[str, Any]] = {
    "customer": CUSTOMERS,
    "warehouse": STORES,
    "product": CATALOGUE,
    "status": STATUS,
    "carrier": CARRIERS,
    "invoice": INVOICE_KINDS,
}
ANY: dict[str, list[str]] = {"types": []}


class Custom(Functions):
    """What the language lacks."""

    @signature(ANY, ANY)
    def _func_row(self, table: str, code: str) -> Any:
        return TABLES[table][code]

    @signature(ANY)
    def _func_moment(self, text: str | None) -> str | None:
        return text and text.replace(" ", "T") + "+08:00"

    @signature(ANY)
    def _func_day(self, text: str) -> str:
        return text[:10]

    @signature(ANY)
    def _func_money(self, text: str) -> Decimal:
        return Decimal(text).quantize(CENT, ROUND_HALF_UP)

    @signature(ANY)
    def _func_total(self, amounts: list[Decimal]) -> Decimal:
        return sum(amounts, Decimal(0))

    @signature(ANY, ANY)
    def _func_minus(self, left: Decimal, right: Decimal) -> Decimal:
        return left - right

    @signature(ANY)
    def _func_tax(self, amount: Decimal) -> Decimal:
        return (amount * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)

    @signature(ANY, ANY)
    def _func_taxed(self, lines: list[Record], tax: Decimal) -> list[Record]:
        """Lines with number, product and tax; the last takes what is left of the order's tax."""
        made = []
        for number, line in enumerate(lines, 1):
            amount = self._func_money(line["payment"])
            own = tax if number == len(lines) else self._func_tax(amount)
            tax -= own
            sku = line["sku_code"] or line["item_code"]
            extra = {"no": number, "sku": sku, "product": CATALOGUE[sku], "amount": amount, "net": amount - own}
            made.append({**line, **extra, "tax": own})
        return made

    @signature(ANY)
    def _func_given(self, record: Record) -> Record:
        """Without the keys whose value is null."""
        return {key: value for key, value in record.items() if value is not None}


def build() -> Contender:
    """One compiled expression with nine custom functions."""
    source = Path(__file__).with_name("order.jmespath").read_text(encoding="utf-8")
    search = jmespath.compile(source).search
    options = jmespath.Options(custom_functions=Custom())

    def one(order: Record) -> Any:
        return search(order, options)

    note = "arithmetic, look-ups, line numbers and the tax split are nine custom Python functions"
    return Contender("jmespath", version("jmespath"), each(one), one, note=note)
