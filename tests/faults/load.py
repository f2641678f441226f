"""Many workers, many deliveries, and some killed all the time: nothing is claimed twice, lost or doubled.

`python -m tests.faults.load [--deliveries N] [--workers N] [--every SECONDS]` starts so many `duijie.worker.Worker`
processes on one PostgreSQL journal, kills two of them with SIGKILL every few seconds and starts others in their place,
and ends with one line of JSON. What the workers did is judged by the history that the database wrote and by the
target's own truth, never by what they say.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import PIPE

from sqlalchemy import Engine

from duijie.journal.deliveries import LEASE
from tests.faults import judge
from tests.faults.laden import PREFIX, Shift
from tests.faults.scenes import many
from tests.faults.world import Journals, Systems, clean
from tests.servers import Postgres

KINDS = ("natural_key", "lookup", "token")
KILLED_AT_ONCE = 2
SAFE_AFTER = 0.98  # of the deliveries done, the rest is left to the workers that live: leases must run out
LONGEST = 3600.0


@dataclass
class Told:
    """What came of it."""

    documents: int = 0
    lost: int = 0
    doubled: int = 0
    unknown: int = 0
    wrong: int = 0
    double_claims: int = 0
    stray_writes: int = 0
    kills: int = 0
    taken_over: int = 0
    asked_first: int = 0
    seconds: float = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether every promise was, and the proof had something to prove."""
        broken = (self.lost, self.doubled, self.unknown, self.wrong, self.double_claims, self.stray_writes)
        return not any(broken) and self.kills > 0 and self.taken_over > 0


class Gang:
    """The workers, each a process of its own."""

    def __init__(self, shift: Shift, number: int, folder: Path) -> None:
        from tests.faults.strict_connector import install  # noqa: PLC0415

        paths = [install(folder / "site"), os.environ.get("PYTHONPATH", "")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        command = [sys.executable, "-m", "tests.faults.laden", json.dumps(asdict(shift))]
        self._log = (folder / "workers.log").open("ab")
        self._parent = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=self._log, env=env)
        self._workers = [self._start() for _ in range(number)]

    def _start(self) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(b"\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def kill_some(self, dice: random.Random) -> int:
        """Kill a few in the middle of whatever they do, and start others."""
        chosen = dice.sample(range(len(self._workers)), min(KILLED_AT_ONCE, len(self._workers)))
        for place in chosen:
            os.kill(self._workers[place], signal.SIGKILL)
            self._workers[place] = self._start()
        return len(chosen)

    def must_live(self) -> None:
        """Raises AssertionError when a worker ended by itself."""
        ended = [one for one in self._workers if not Path(f"/proc/{one}").exists()]
        assert not ended, f"workers ended by themselves: {ended}; see {self._log.name}"

    def close(self) -> None:
        """End them all."""
        for one in self._workers:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self._parent.communicate()
        self._log.close()


def under_load(
    server: str,
    folder: Path,
    deliveries: int,
    workers: int,
    every: float,
    seed: int,
    lease: float = 0.0,
    mutant: str = "",
) -> Told:
    """Deliver while workers die. `lease`: in seconds, 0 for the product's own."""
    number = math.ceil(deliveries / len(KINDS))
    scene = many(KINDS[0], 0)
    systems, journals = Systems(scene), Journals(scene, clean(folder), server)
    home = clean(folder / "home")
    try:
        dice = random.Random(seed)  # noqa: S311
        with systems.serving():
            systems.new()
            scene.root(home)
            url = journals.fresh(home)
            shift = Shift(url, systems.urls["strict"], str(home), number, lease, mutant)
            shift.fill()
            with _gang(shift, workers, folder) as gang:
                told = _kill_until_quiet(gang, judge.reading(url), number * len(KINDS), every, dice)
            return _judged(told, systems, judge.reading(url), shift)
    finally:
        journals.close()


@contextmanager
def _gang(shift: Shift, workers: int, folder: Path) -> Iterator[Gang]:
    gang = Gang(shift, workers, folder)
    try:
        yield gang
    finally:
        gang.close()


def _kill_until_quiet(gang: Gang, engine: Engine, wanted: int, every: float, dice: random.Random) -> Told:
    told, began = Told(documents=wanted), time.monotonic()
    while time.monotonic() - began < LONGEST:
        time.sleep(every)
        states = judge.states(engine)
        _say(began, told, states)
        if states["done"] == wanted:
            break
        gang.must_live()
        if states["done"] < wanted * SAFE_AFTER:
            told.kills += gang.kill_some(dice)
    told.seconds = round(time.monotonic() - began, 1)
    engine.dispose()
    return told


def _say(began: float, told: Told, states: Counter[str]) -> None:
    seconds = time.monotonic() - began
    moving = ", ".join(f"{state} {number}" for state, number in sorted(states.items()) if state != "done")
    print(f"{seconds:6.0f} s  done {states['done']:,} of {told.documents:,}, kills {told.kills}; {moving}", flush=True)


def _judged(told: Told, systems: Systems, engine: Engine, shift: Shift) -> Told:
    wanted = {f"{PREFIX}{one}": f"{one}.13" for one in range(1, shift.number + 1)}
    for kind in KINDS:
        held = Counter((row["no"], str(row["amount"])) for row in systems.held["strict"].store.all(kind))
        numbers = Counter(no for no, _ in held.elements())
        told.lost += len(wanted.keys() - numbers.keys())
        told.doubled += sum(times - 1 for times in numbers.values())
        told.wrong += sum(wanted.get(no) != amount for no, amount in held)
    told.unknown = judge.restless(engine)
    told.wrong += len(list(judge.broken_history(engine)))
    told.double_claims = sum(1 for _ in judge.interlopers(engine, shift.lease or LEASE.total_seconds()))
    told.stray_writes = sum(1 for _ in judge.strays(engine, systems.held["strict"].asked))
    told.taken_over, told.asked_first = judge.taken_over(engine)
    engine.dispose()
    return told


def main(arguments: Sequence[str]) -> int:
    """Prove; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.load", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        os.environ["DUIJIE_HOME"] = folder
        place = server.uri("").rstrip("/")
        told = under_load(place, Path(folder) / "load", given.deliveries, given.workers, given.every, given.seed)
    numbers = asdict(told)
    print(json.dumps({**numbers, "workers": given.workers, "faults_injected": numbers.pop("kills")}))
    return int(not told.is_kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
