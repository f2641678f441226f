"""The process that is killed: a warm parent forks one child per run, so that a run costs no imports.

`python -m tests.faults.child` reads one JSON order a line and answers each with how its child ended. A rehearsal is run
by the parent itself: what it compiles (statements, mappings, schemas) its children then have. A run's clock may be set
ahead, so that leases run out without anybody waiting for them, and whatever sleeps moves it on.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Engine

from duijie.connect.errors import DuijieError
from tests.faults.points import Point, Taps
from tests.faults.scenes import CHANGE, Scene, connections, scene

KILLED = -9
TICK = 0.001
CRASHED, FAILED = 1, 2


@dataclass(frozen=True)
class Order:
    """One run of a scene. `ahead`: seconds its clock is set forward; `mutant`: what is taken out of the product."""

    scene: str
    home: str
    journal: str
    urls: dict[str, str] = field(default_factory=dict)
    ahead: float = 0.0
    fatal: Sequence[Any] | None = None
    mutant: str = ""
    rehearsal: bool = False
    real_time: bool = False

    @property
    def told(self) -> Path:
        """Where the child says which points it reached, or what went wrong."""
        return Path(self.home) / "told.json"


class Nursery:
    """The warm parent, in a process of its own: `run` is one child from birth to death."""

    def __init__(self, folder: Path) -> None:
        from tests.faults.strict_connector import install  # noqa: PLC0415

        paths = [install(folder / "site"), os.environ.get("PYTHONPATH", "")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        command = [sys.executable, "-m", "tests.faults.child"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)

    def run(self, order: Order) -> int:
        """Its exit status, or the negative number of the signal that ended it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def rehearse(self, order: Order) -> None:
        """Warm the parent. Raises AssertionError when the flow fails by itself."""
        assert self.run(replace(order, rehearsal=True)) == 0, order.told.read_text(encoding="utf-8")

    def close(self) -> None:
        """End the parent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class Clock:
    """The journal's clock, set ahead: a look moves it on by a tick, a sleep by its length, and nothing else does.

    So a run passes the same points however fast the machine is.
    """

    def __init__(self, ahead: float) -> None:
        self._began = datetime.now(UTC)
        self._ahead = ahead
        self._lock = Lock()

    def now(self) -> datetime:
        """The moment in UTC."""
        self.sleep(TICK)
        return self._began + timedelta(seconds=self._ahead)

    def sleep(self, seconds: float) -> None:
        """Be later."""
        with self._lock:
            self._ahead += seconds

    def install(self) -> None:
        """Make it this process's."""
        from duijie.journal import Journal  # noqa: PLC0415

        Journal.now = staticmethod(self.now)  # type: ignore[method-assign]
        time.sleep = self.sleep


def run_script(played: Scene, order: Order) -> None:
    """The scene's steps, from the first to the last."""
    from duijie.engine import Engine  # noqa: PLC0415
    from duijie.journal import Journal  # noqa: PLC0415

    root = played.root(Path(order.home))
    engine = Engine(Journal.open(order.journal), connections(order.urls, played.size).__getitem__, root)
    for name in played.script:
        if name in played.acts:
            played.acts[name](engine.journal)
        elif name == CHANGE:
            _outside(f"{order.urls[played.changes]}/_change")
        else:
            engine.run(played.flow, played.flow.step(name))


def _outside(url: str) -> None:
    """A call of the world's, not of the product's: no tap counts it."""
    import urllib.request  # noqa: PLC0415

    with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as answer:
        answer.read()


def live(order: Order) -> int:
    """One run, armed as the order says. Leaves what it reached, or why it failed, in `order.told`.

    Returns 0, FAILED when the flow said in its own words why it could not go on, CRASHED for anything else.
    """
    from tests.faults import mutants  # noqa: PLC0415

    os.environ |= {"DUIJIE_HOME": order.home, "DUIJIE_LIMITS": "memory://"}
    if not order.real_time:
        Clock(order.ahead).install()
    taps = Taps(Point(*order.fatal) if order.fatal else None)
    if not order.rehearsal:
        mutants.install(order.mutant)
        taps.install()
    status, told = 0, {}
    try:
        run_script(scene(order.scene), order)
        told = {"points": taps.reached}
    except DuijieError:
        status, told = FAILED, {"error": traceback.format_exc()}
    except BaseException:  # noqa: BLE001  the parent reports it and counts it as a crash of the flow
        status, told = CRASHED, {"error": traceback.format_exc()}
    order.told.write_text(json.dumps(told), encoding="utf-8")
    return status


def main() -> None:
    """Fork a child for every order until there are no more."""
    engines = _kept_engines()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        print(live(order) if order.rehearsal else _child(order), flush=True)
        for engine in engines.values():
            engine.dispose()
        gc.freeze()
    sys.stdout.flush()
    os._exit(0)  # quietly: some libraries have last words for every module they leave behind


def _child(order: Order) -> int:
    child = os.fork()
    if not child:
        os._exit(live(order))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _kept_engines() -> dict[str, Engine]:
    """One engine per journal's address for all children: it knows the statements that were compiled before."""
    from duijie.journal import journal  # noqa: PLC0415

    engines: dict[str, Engine] = {}
    make = journal._engine

    def kept(url: str) -> Engine:
        engines[url] = engines.get(url) or make(url)
        return engines[url]

    journal._engine = kept
    return engines


if __name__ == "__main__":
    main()
