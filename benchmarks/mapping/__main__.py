"""`python -m benchmarks.mapping`: tables for people, then one line of JSON with the ratios of this run."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import tempfile
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from benchmarks.mapping import report, shape
from benchmarks.mapping.contender import Contender
from benchmarks.mapping.contenders import OURS, chosen
from benchmarks.mapping.hand import hand
from benchmarks.mapping.orders import orders
from benchmarks.mapping.timing import Both, Sweep, interleaved, ratio, speed
from duijie import codec
from duijie.codec import Record

ORDERS = 2000
CHECKED = 500
SECONDS_A_ROUND = 0.2
OURS_MORE_OFTEN = 3


def main() -> None:
    """Check every contender against the hand-written result, time them, then whatever lies around a mapping."""
    options = _options()
    records = _decoded(orders(ORDERS))
    contenders, missing = chosen(options.only)
    checked = {contender.name: _check(contender, records) for contender in contenders}
    ours = [contender for contender in contenders if contender.name in OURS]
    close = _timed(ours, records, options.rounds * OURS_MORE_OFTEN)
    everyone = _timed(contenders, records, options.rounds)
    memory = {contender.name: shape.memory(contender.name) for contender in contenders}
    report.head(f"CPython {platform.python_version()}", options.rounds)
    report.mapping(contenders, everyone, memory, checked, missing)
    report.ours(close)
    line = _ratios(close, everyone)
    if {"duijie", "hand"} <= close.warm.keys() and not options.quick:
        line |= _around(contenders, options.rounds)
    print(json.dumps(line))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapping", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds; ours run three times as many")
    parser.add_argument("--quick", action="store_true", help="the mapping only: no chain, no growth, no compile times")
    return parser.parse_args()


def _decoded(records: list[Record]) -> list[Record]:
    """As they come off the wire: every text an object of its own, no hash computed yet."""
    return [codec.decode(codec.encode_ordered(record)) for record in records]


def _check(contender: Contender, records: list[Record]) -> int:
    """How many orders gave the hand-written result. Raises SystemExit at the first that did not."""
    count = len(records) if contender.name in OURS else _affordable(contender, records, CHECKED)
    for record in records[:count]:
        if found := contender.differences(record, hand(record)):
            raise SystemExit(f"{contender.name} differs from the hand-written result: {found[:5]}")
    return count


def _affordable(contender: Contender, records: list[Record], most: int) -> int:
    """How many orders a slow engine is given, so that its round takes no longer than another's."""
    few = [contender.prepare(record) for record in records[:5]]
    contender.sweep(few)
    return max(20, min(most, int(SECONDS_A_ROUND * 1e6 / speed(contender.sweep, few))))


def _timed(contenders: list[Contender], records: list[Record], rounds: int) -> Both:
    """On the same orders in every round, and on orders that no round has seen."""
    names = [contender.name for contender in contenders]
    prepare = {contender.name: contender.prepare for contender in contenders}
    counts = {contender.name: _affordable(contender, records, len(records)) for contender in contenders}
    same = {name: [prepare[name](record) for record in records[: counts[name]]] for name in names}

    def fresh(name: str, number: int) -> list[Any]:
        made = orders(counts[name], seed=1000 + number * len(names) + names.index(name))
        return [prepare[name](record) for record in _decoded(made)]

    sweeps: dict[str, Sweep] = {contender.name: contender.sweep for contender in contenders}
    warm = interleaved(sweeps, lambda name, number: same[name], rounds)
    return Both(warm, interleaved(sweeps, fresh, rounds))


def _ratios(ours: Both, everyone: Both) -> dict[str, float]:
    line: dict[str, float] = {}
    for suffix, close, wide in (("", ours.warm, everyone.warm), ("_cold", ours.cold, everyone.cold)):
        line |= {f"{name}{suffix}_us": median(rounds) for name, rounds in close.items()}
        if OURS.keys() <= close.keys():
            line[f"ratio{suffix or '_to_hand'}"] = ratio(close["duijie"], close["hand"])
            line[f"ratio{suffix or '_to_hand'}_quantised"] = ratio(close["duijie"], close["hand_quantised"])
            line[f"ratio{suffix}_trusting"] = ratio(close["duijie_trusting"], close["hand"])
        if "duijie" in wide:
            peers = [name for name in wide if name not in OURS]
            line |= {f"{name}_over_duijie{suffix}": ratio(wide[name], wide["duijie"]) for name in peers}
    return {name: round(value, 3) for name, value in line.items()}


def _around(contenders: list[Contender], rounds: int) -> dict[str, float]:
    """The chain, the growth with lines, the compile times; reported and returned."""
    line: dict[str, float] = {}
    if (chain := _chain()) is not None:
        with tempfile.TemporaryDirectory() as folder:
            times = chain.measure(Path(folder), ORDERS, rounds)
        report.chain(times)
        line["limit_us"] = median(times["limit"])
        line |= {f"{name}_over_orjson": ratio(times[name], times["limit"]) for name in times if name != "limit"}
    by_name = {contender.name: contender for contender in contenders}
    growth = {name: shape.per_line(by_name[name], rounds) for name in ("hand", "duijie")}
    compiled = shape.compile_times()
    report.growth(growth)
    report.compiling(compiled)
    line |= {"linearity": shape.growth(growth["duijie"]), "linearity_hand": shape.growth(growth["hand"])}
    line |= {"compile_ms": compiled[shape.OWN], "compile_ms_max": max(compiled.values())}
    return {name: round(value, 3) for name, value in line.items()}


def _chain() -> ModuleType | None:
    """None where orjson is missing: the app itself has no use for it."""
    try:
        return importlib.import_module("benchmarks.mapping.chain")
    except ImportError as error:
        print(f"the chain is not measured: {error}")
        return None


if __name__ == "__main__":
    main()
