"""`python -m benchmarks.mapping`: a table for people, then one line of JSON with the ratios of this run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from statistics import median

from benchmarks.mapping import ours
from benchmarks.mapping.contender import Contender
from benchmarks.mapping.hand import hand
from benchmarks.mapping.orders import orders
from benchmarks.mapping.timing import Times, interleaved, ratio
from duijie import codec
from duijie.codec import Record

ORDERS = 2000
BUILDERS: dict[str, Callable[[], Contender]] = {
    "hand": ours.by_hand,
    "hand_quantised": ours.by_hand_quantised,
    "duijie": ours.duijie,
    "duijie_trusting": ours.duijie_trusting,
}


def main() -> None:
    """Check every contender against the hand-written result, then time them."""
    options = _options()
    records = _decoded(orders(ORDERS))
    contenders = [BUILDERS[name]() for name in BUILDERS if any(name.startswith(only) for only in options.only)]
    for contender in contenders:
        _check(contender, records)
    sweeps = {contender.name: contender.sweep for contender in contenders}
    warm = interleaved(sweeps, lambda name, number: records, options.rounds)
    cold = interleaved(sweeps, lambda name, number: _decoded(orders(ORDERS, seed=100 + number)), options.rounds)
    _show("orders seen before", warm)
    _show("orders never seen", cold)
    print(json.dumps(_summary(warm, cold)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mapping", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


def _decoded(records: list[Record]) -> list[Record]:
    """As they come off the wire: every text an object of its own, no hash computed yet."""
    return [codec.decode(codec.encode_ordered(record)) for record in records]


def _check(contender: Contender, records: list[Record]) -> None:
    for record in records:
        if found := contender.differences(record, hand(record)):
            raise SystemExit(f"{contender.name} differs from the hand-written result: {found[:5]}")


def _show(title: str, times: Times) -> None:
    print(f"{title}:")
    for name, rounds in times.items():
        print(f"  {name:20} {median(rounds):9.1f} µs  {ratio(rounds, times['hand']):7.2f} × hand")


def _summary(warm: Times, cold: Times) -> dict[str, float]:
    line = {f"{name}_us": round(median(rounds), 2) for name, rounds in warm.items()}
    line["ratio_to_hand"] = round(ratio(warm["duijie"], warm["hand"]), 3)
    line["ratio_to_hand_quantised"] = round(ratio(warm["duijie"], warm["hand_quantised"]), 3)
    line["ratio_trusting_to_hand"] = round(ratio(warm["duijie_trusting"], warm["hand"]), 3)
    line["duijie_cold_us"] = round(median(cold["duijie"]), 2)
    line["ratio_cold"] = round(ratio(cold["duijie"], cold["hand"]), 3)
    line["ratio_cold_quantised"] = round(ratio(cold["duijie"], cold["hand_quantised"]), 3)
    line["ratio_cold_trusting"] = round(ratio(cold["duijie_trusting"], cold["hand"]), 3)
    return line


if __name__ == "__main__":
    main()
