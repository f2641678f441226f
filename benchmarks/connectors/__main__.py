"""`make bench-connectors`: orders of one shop over 16 connections, as ratios of one run. Ends with one line of JSON.

A server in a process of its own answers each page of a hundred after 20 ms. Contenders are processes of their own, take
turns, and each figure is the median of `--rounds`. Ours is the WooCommerce connector with everything that a pull has:
signing, rate budget, retries, exact numbers, totals; peers only fetch and parse. The journal has no part in it
(`make bench-journal`). `--short` takes about half a minute. aiohttp takes part where .venv-http has it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

MODULE = (sys.executable, "-m", "benchmarks.connectors")
AIO = Path(".venv-http/bin/python")
PAGE = 100
GOALS: Mapping[str, tuple[str, float]] = {
    "times_16": ("at least", 12.0),
    "cpu_us_per_order": ("at most", 25.0),
    "handling_us_per_order": ("at most", 50.0),
    "memory_growth": ("at most", 1.1),
}
Figures = dict[str, float]


def module(name: str, *rest: object) -> list[str]:
    """A module of this package as a process."""
    *before, package = MODULE
    return [*before, f"{package}.{name}", *map(str, rest)]


def told(command: Sequence[str]) -> Figures:
    """What a contender says last. Raises RuntimeError with what it said otherwise."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().rpartition("\n")[2]))


@contextmanager
def shop(orders: int) -> Iterator[str]:
    """The URL of a server that lists so many."""
    with subprocess.Popen(module("server", orders), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def contenders(url: str, few: str, orders: int) -> dict[str, list[str]]:
    """Name → command. `few` is a shop with a fifth of the orders, for one connection and to compare memory."""
    pages = -(-orders // PAGE)
    commands = {
        "one": module("ours", "pull", few, 1),
        "few": module("ours", "pull", few, 16),
        "duijie": module("ours", "pull", url, 16),
        "duijie 32": module("ours", "pull", url, 32),
        "requests": module("peers.threads", "requests", url, pages),
        "urllib3": module("peers.threads", "urllib3", url, pages),
    }
    if AIO.exists():
        commands["aiohttp"] = [str(AIO), "benchmarks/connectors/peers/aio.py", url, str(pages)]
    return commands


def run(orders: int, rounds: int) -> dict[str, list[Figures]]:
    """What every contender said, round by round."""
    taken: defaultdict[str, list[Figures]] = defaultdict(list)
    with shop(orders) as url, shop(orders // 5) as few:
        for _ in range(rounds):
            for name, command in contenders(url, few, orders).items():
                taken[name].append(told(command))
            taken["handling"].append(told(module("ours", "handling", orders // PAGE)))
    return taken


def rate(rows: Sequence[Figures]) -> float:
    """Orders a second."""
    return statistics.median(row["orders"] / row["seconds"] for row in rows)


def cpu(rows: Sequence[Figures]) -> float:
    """µs of CPU an order."""
    return statistics.median(row["cpu"] / row["orders"] * 1e6 for row in rows)


def peak(rows: Sequence[Figures]) -> float:
    """MB."""
    return statistics.median(row["peak_mb"] for row in rows)


def figures(taken: Mapping[str, Sequence[Figures]]) -> dict[str, Any]:
    """The ratios, said as they are made."""
    pulled = {name: rows for name, rows in taken.items() if name != "handling"}
    one, ours = rate(taken["one"]), rate(taken["duijie"])
    for name, rows in pulled.items():
        busy = statistics.median(row["cpu"] / row["seconds"] for row in rows)
        print(f"{name:>10}: {rate(rows):8,.0f} orders/s, {rate(rows) / one:5.1f} × one connection, "
              f"{cpu(rows):5.1f} µs of CPU an order, one core busy {busy:.0%}")  # fmt: skip
    peers = {name: rate(rows) for name, rows in pulled.items() if name not in ("one", "few", "duijie", "duijie 32")}
    best = max(peers, key=lambda name: peers[name])
    print(f"with 16 connections {ours / one:.1f} × one, {ours / peers[best]:.2f} × {best}; "
          f"memory {peak(taken['few']):.0f} MB, with five times the pages {peak(taken['duijie']):.0f} MB")  # fmt: skip
    return {
        "times_16": round(ours / one, 1),
        "times_32": round(rate(taken["duijie 32"]) / one, 1),
        "rps_1": round(one),
        "rps_16": round(ours),
        "cpu_us_per_order": round(cpu(taken["duijie"]), 1),
        "cpu_us_best_round": round(min(cpu([row]) for row in taken["duijie"]), 1),
        "handling_us_per_order": round(cpu(taken["handling"]), 1),
        "memory_growth": round(peak(taken["duijie"]) / peak(taken["few"]), 2),
        "best_peer": best,
        "times_best_peer": round(ours / peers[best], 2),
        **{f"{name}_rps_16": round(found) for name, found in peers.items()},
        **{f"{name}_cpu_us": round(cpu(taken[name]), 1) for name in peers},
    }


def missed(found: Mapping[str, Any]) -> list[str]:
    """The goals that this run did not reach."""
    return [
        name for name, (way, goal) in GOALS.items() if (found[name] < goal if way == "at least" else found[name] > goal)
    ]


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.connectors", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="about half a minute: fewer orders, one round")
    given = parser.parse_args(arguments)
    if given.short:
        given.orders, given.rounds = 20_000, 1
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DUIJIE_HOME": folder, "DUIJIE_LIMITS": "memory://"}
        found = figures(run(given.orders, given.rounds))
    for name in missed(found):
        print(f"missed: {name} is {found[name]}, wanted {' '.join(map(str, GOALS[name]))}")
    versions = {"python": platform.python_version(), **{name: version(name) for name in ("requests", "urllib3")}}
    print(json.dumps({**found, "missed": missed(found), "load": round(os.getloadavg()[0], 1), "versions": versions}))


if __name__ == "__main__":
    main(sys.argv[1:])
