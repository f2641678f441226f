"""Duijie and the hand-written functions, all within the app's own environment."""

from __future__ import annotations

from pathlib import Path
from platform import python_version

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.hand import hand, hand_quantised
from benchmarks.mapping.orders import CATALOGUE, CUSTOMERS, STORES
from benchmarks.mapping.timing import each
from duijie.codec import Record
from duijie.mapping import Mapping, StaticLookup, load_mapping
from duijie.mapping.mapping import examine_text

FILE = Path(__file__).parent / "order.in.yaml"
LOOKUP = StaticLookup({"customer": CUSTOMERS, "warehouse": STORES}, {"product": CATALOGUE})


def by_hand() -> Contender:
    """The floor: trusts that amounts have two decimals."""
    return Contender("hand", python_version(), each(hand), hand, note="trusts that amounts have two decimals")


def by_hand_quantised() -> Contender:
    """The floor with every amount rounded to cents first."""
    note = "rounds every amount to cents first"
    return Contender("hand_quantised", python_version(), each(hand_quantised), hand_quantised, note=note)


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
