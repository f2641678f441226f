"""How a contender is timed: interleaved rounds (A, B, C, A, B, C, …), process CPU time, no garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time_ns
from typing import Any

Sweep = Callable[[list[Any]], None]
Times = dict[str, list[float]]  # name → µs per record, one per round


@dataclass(frozen=True)
class Both:
    """Times on orders seen in every round (a memo of texts is full) and on orders never seen."""

    warm: Times
    cold: Times


def each(function: Callable[[Any], Any]) -> Sweep:
    """A sweep that maps record after record and drops the results."""

    def sweep(records: list[Any]) -> None:
        for record in records:
            function(record)

    return sweep


def interleaved(sweeps: dict[str, Sweep], records: Callable[[str, int], list[Any]], rounds: int) -> Times:
    """µs of CPU per record by contender and round; `records(name, round)` is asked outside the timing."""
    times: Times = {name: [] for name in sweeps}
    for number in range(rounds):
        for name, sweep in sweeps.items():
            times[name].append(speed(sweep, records(name, number)))
    return times


def speed(sweep: Sweep, records: list[Any]) -> float:
    """µs of CPU per record of one sweep."""
    gc.collect()
    gc.disable()
    try:
        start = process_time_ns()
        sweep(records)
        return (process_time_ns() - start) / 1000 / len(records)
    finally:
        gc.enable()


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios within each round: what slows the machine down for a while slows both sides."""
    return median(a / b for a, b in zip(over, under, strict=True))
