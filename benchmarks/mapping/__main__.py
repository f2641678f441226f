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
from benchmarks.mapping.timing import Sweep, Times, interleaved, ratio, speed
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
    warm = _warm(ours, records, options.rounds * OURS_MORE_OFTEN)
    cold = _cold(ours, options.rounds * OURS_MORE_OFTEN)
    everyone = _warm(contenders, records, options.rounds)
    memory = {contender.name: shape.memory(contender.name) for contender in contenders}
    report.head(f"CPython {platform.python_version()}", options.rounds)
    report.mapping(contenders, everyone, memory, checked, missing)
    report.ours(warm, cold)
    line = _ratios(warm, cold, everyone)
    if {"duijie", "hand"} <= warm.keys() and not options.quick:
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


def _warm(contenders: list[Contender], records: list[Record], rounds: int) -> Times:
    given: dict[str, list[Any]] = {}
    for contender in contenders:
        count = _affordable(contender, records, len(records))
        given[contender.name] = [contender.prepare(record) for record in records[:count]]
    return interleaved(_sweeps(contenders), lambda name, number: given[name], rounds)


def _cold(contenders: list[Contender], rounds: int) -> Times:
    names = [contender.name for contender in contenders]

    def fresh(name: str, number: int) -> list[Record]:
        return _decoded(orders(ORDERS, seed=1000 + number * len(names) + names.index(name)))

    return interleaved(_sweeps(contenders), fresh, rounds)


def _sweeps(contenders: list[Contender]) -> dict[str, Sweep]:
    return {contender.name: contender.sweep for contender in contenders}


def _ratios(warm: Times, cold: Times, everyone: Times) -> dict[str, float]:
    line = {f"{name}_us": median(rounds) for name, rounds in warm.items()}
    line |= {f"{name}_cold_us": median(rounds) for name, rounds in cold.items()}
    if OURS.keys() <= warm.keys():
        line["ratio_to_hand"] = ratio(warm["duijie"], warm["hand"])
        line["ratio_to_hand_quantised"] = ratio(warm["duijie"], warm["hand_quantised"])
        line["ratio_trusting"] = ratio(warm["duijie_trusting"], warm["hand"])
        line["ratio_cold"] = ratio(cold["duijie"], cold["hand"])
        line["ratio_cold_quantised"] = ratio(cold["duijie"], cold["hand_quantised"])
        line["ratio_cold_trusting"] = ratio(cold["duijie_trusting"], cold["hand"])
    if "duijie" in everyone:
        peers = [name for name in everyone if name not in OURS]
        line |= {f"{name}_over_duijie": ratio(everyone[name], everyone["duijie"]) for name in peers}
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
