"""`make bench-journal`: pull, deliver, claim and memory, as ratios of one run. Ends with one line of JSON.

Every contender is a process of its own; contenders take turns, and each figure is the median of `--rounds`. Rates of a
pull are the slope between two numbers of orders, so that nobody's start counts. `--short` takes about a minute.
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
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.journal.ours import planned, waiting
from benchmarks.journal.rows import fill
from duijie.journal import Journal
from tests.servers import Postgres

PEERS = Path(".venv-peers/bin")
MODULE = [sys.executable, "-m"]
NAMED = ("dlt", "singer-sdk", "meltanolabs-target-postgres", "requests", "sqlalchemy")

Command = Callable[[str, str, int], list[str]]


def ours(what: str) -> Command:
    """A measurement of Duijie's."""
    return lambda url, place, number: [*MODULE, "benchmarks.journal.ours", what, url, place, str(number)]


def bare_pull(url: str, place: str, number: int) -> list[str]:
    """requests and SQLAlchemy."""
    place = place.replace("postgresql://", "postgresql+psycopg://")
    return [*MODULE, "benchmarks.journal.peers.bare", "pull", url, place, str(number)]


def bare_deliver(url: str, _: str, number: int) -> list[str]:
    """requests from threads."""
    return [*MODULE, "benchmarks.journal.peers.bare", "deliver", url, str(number)]


def dlt(url: str, place: str, number: int) -> list[str]:
    """dlt's pipeline."""
    return [str(PEERS / "python"), "benchmarks/journal/peers/dlt_pull.py", url, place, str(number)]


def singer(url: str, place: str, number: int) -> list[str]:
    """A tap into a target, timed by its shell; PostgreSQL only."""
    return [str(PEERS / "python"), "benchmarks/journal/peers/singer.py", url, place, str(number)]


PULLERS: Mapping[str, Mapping[str, Command]] = {
    "sqlite": {"duijie": ours("pull"), "dlt": dlt, "bare": bare_pull},
    "postgresql": {"duijie": ours("pull"), "dlt": dlt, "singer": singer, "bare": bare_pull},
}


class Bench:
    """One run: a server of orders, a PostgreSQL server, a folder."""

    def __init__(self, url: str, postgres: Postgres, folder: Path, rounds: int) -> None:
        self._url = url
        self._postgres = postgres
        self._folder = folder
        self._rounds = rounds
        self._made = 0

    def place(self, database: str) -> str:
        """A database that is empty."""
        self._made += 1
        if database == "postgresql":
            return self._postgres.create(f"bench{self._made}")
        return f"sqlite:///{self._folder / f'{self._made}.db'}"

    def told(self, command: Command, place: str, number: int) -> dict[str, Any]:
        """The last line of a contender's, as JSON. Raises RuntimeError with what it said."""
        done = subprocess.run(command(self._url, place, number), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command(self._url, place, number)}: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout.strip().rpartition("\n")[2]))

    def delay(self, milliseconds: int) -> None:
        """What every answer waits from now on."""
        urllib.request.urlopen(f"{self._url}/_delay?ms={milliseconds}").read()

    def pull(self, database: str, few: int, many: int) -> dict[str, float]:
        """Records a second of everyone who can."""
        taken: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(self._rounds):
            for name, command in PULLERS[database].items():
                seconds = [self.told(command, self.place(database), number)["seconds"] for number in (few, many)]
                taken[name].append((many - few) / (seconds[1] - seconds[0]))
        return {name: statistics.median(rates) for name, rates in taken.items()}

    def deliver(self, database: str, number: int) -> tuple[float, float]:
        """Documents a second: (Duijie, the loop without guarantees)."""
        rates: list[tuple[float, float]] = []
        for _ in range(self._rounds):
            mine = self.told(ours("deliver"), self.place(database), number)["seconds"]
            theirs = self.told(bare_deliver, "", number)["seconds"]
            rates.append((number / mine, number / theirs))
        return statistics.median(mine for mine, _ in rates), statistics.median(bare for _, bare in rates)

    def claim(self, rows: int) -> int:
        """Microseconds of claiming fifty out of so many rows."""
        place = self.place("postgresql")
        fill(place, rows)
        assert planned(Journal.open(place)) == rows
        return int(self.told(ours("claim"), place, 200)["claim_us"])

    def backlog(self, number: int) -> float:
        """Megabytes at the peak."""
        place = self.place("sqlite")
        waiting(place, number)
        return float(self.told(ours("backlog"), place, number)["peak_mb"])


@contextmanager
def orders_server() -> Iterator[str]:
    """Its URL."""
    with subprocess.Popen([*MODULE, "benchmarks.journal.server"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def versions() -> dict[str, str]:
    """Of the peers, and of ours."""
    script = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {NAMED}}}))"
    told = subprocess.run([str(PEERS / "python"), "-c", script], capture_output=True, text=True, check=True)
    return {**json.loads(told.stdout), "python": platform.python_version(), "our sqlalchemy": version("sqlalchemy")}


def measure(bench: Bench, given: argparse.Namespace) -> dict[str, Any]:
    """Everything, said as it goes."""
    figures: dict[str, Any] = {}
    for database in PULLERS:
        rates = bench.pull(database, given.orders // 5, given.orders)
        peer, best = max(
            ((name, rate) for name, rate in rates.items() if name not in ("duijie", "bare")), key=lambda one: one[1]
        )
        shown = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
        print(f"pull, {database}: {shown} records/s; {rates['duijie'] / best:.1f} × {peer}", flush=True)
        end = "" if database == "sqlite" else "_postgresql"
        figures |= {
            f"pull_rps{end}": round(rates["duijie"]),
            f"best_peer{end}": peer,
            f"best_peer_rps{end}": round(best),
        }
        figures |= {f"bare_pull_rps{end}": round(rates["bare"])}
    for milliseconds, number, end in ((0, given.documents, ""), (20, given.documents // 3, "_20ms")):
        bench.delay(milliseconds)
        for database, place in (("sqlite", ""), ("postgresql", "_postgresql")):
            mine, bare = bench.deliver(database, number)
            print(
                f"deliver, {database}, {milliseconds} ms: {mine:,.0f}/s, bare {bare:,.0f}/s: {mine / bare:.2f} ×",
                flush=True,
            )
            figures |= {f"deliver_rps{end}{place}": round(mine), f"bare_rps{end}{place}": round(bare)}
    bench.delay(0)
    for rows in (10_000, given.rows):
        taken = bench.claim(rows)
        print(f"claim of 50 out of {rows:,} rows: {taken:,} µs", flush=True)
        figures[f"claim_us_1e{len(str(rows)) - 1}"] = taken
    for number in (given.backlog // 10, given.backlog):
        peak = bench.backlog(number)
        print(f"memory with {number:,} waiting: {peak:.0f} MB", flush=True)
        figures[f"peak_mb_1e{len(str(number)) - 1}"] = peak
    return figures


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="about a minute: fewer of everything")
    given = parser.parse_args(arguments)
    if given.short:
        given.orders, given.documents, given.rows, given.backlog, given.rounds = 2000, 600, 100_000, 10_000, 1
    with tempfile.TemporaryDirectory() as folder, Postgres() as postgres, orders_server() as url:
        os.environ |= {"DUIJIE_HOME": folder, "DUIJIE_LIMITS": "memory://"}
        figures = measure(Bench(url, postgres, Path(folder), given.rounds), given)
    print(json.dumps({**figures, "load": round(os.getloadavg()[0], 1), "versions": versions()}))


if __name__ == "__main__":
    main(sys.argv[1:])
