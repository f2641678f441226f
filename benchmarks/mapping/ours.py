"""Duijie, twice: with every amount rounded, and with amounts as they came."""

from __future__ import annotations

from pathlib import Path

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.orders import CATALOGUE, CUSTOMERS, STORES
from duijie.codec import Record
from duijie.mapping import Mapping, StaticLookup, load_mapping
from duijie.mapping.mapping import examine_text

FILE = Path(__file__).parent / "order.in.yaml"
LOOKUP = StaticLookup({"customer": CUSTOMERS, "warehouse": STORES}, {"product": CATALOGUE})


def duijie() -> Contender:
    """The mapping file as it stands: money() rounds every amount."""
    return _contender("duijie", load_mapping(FILE), "money(): every amount rounded, every fault named")


def duijie_trusting() -> Contender:
    """The same file with decimal() for money(): amounts keep the decimals they came with."""
    return _contender("duijie_trusting", trusting(), "decimal() for money(): no rounding, every fault named")


def trusting() -> Mapping:
    """The mapping whose amounts are read but not rounded."""
    text = FILE.read_text(encoding="utf-8").replace("money(", "decimal(")
    mapping, findings = examine_text(text, FILE.with_name("order_trusting.in.yaml"))
    if mapping is None:
        raise ValueError([str(finding) for finding in findings])
    return mapping


def _contender(name: str, mapping: Mapping, note: str) -> Contender:
    run = mapping.run

    def sweep(records: list[Record]) -> None:
        for record in records:
            run(record, LOOKUP, {})

    return Contender(name, "this commit", sweep, lambda order: run(order, LOOKUP, {}), note=note)
