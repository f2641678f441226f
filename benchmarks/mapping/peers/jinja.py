"""Jinja2's native environment: a template whose one output is a Python object; money through Python filters."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2.nativetypes import NativeEnvironment

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.hand import CARRIERS, CENT, INVOICE_KINDS, RATE, STATUS, TAXED
from benchmarks.mapping.orders import CATALOGUE, CUSTOMERS, STORES
from benchmarks.mapping.timing import each
from duijie.codec import Record


def _money(text: str) -> Decimal:
    return Decimal(text).quantize(CENT, ROUND_HALF_UP)


def _tax_of(amount: Decimal) -> Decimal:
    return (amount * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)


def _moment(text: str) -> str:
    return text.replace(" ", "T") + "+08:00"


def build() -> Contender:
    """One compiled template; a missing variable is an undefined that counts as false."""
    environment = NativeEnvironment(extensions=["jinja2.ext.do"])
    environment.filters |= {"money": _money, "tax_of": _tax_of, "moment": _moment}
    environment.globals |= {"customers": CUSTOMERS, "warehouses": STORES, "products": CATALOGUE}
    environment.globals |= {"statuses": STATUS, "carriers": CARRIERS, "kinds": INVOICE_KINDS}
    source = Path(__file__).with_name("order.jinja").read_text(encoding="utf-8")
    render = environment.from_string(source).render

    def one(order: Record) -> Any:
        return render(order)

    note = "money and dates are Python filters; an unknown name is silently empty"
    return Contender("jinja2", version("jinja2"), each(one), one, note=note)
