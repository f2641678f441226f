"""Every crash point of every scene, on SQLite and on PostgreSQL, over the machine's cores.

`python -m tests.faults.everywhere [SCENE …]` ends with one line of JSON, and with 1 when anything was lost, doubled,
stuck or unlike.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.faults.crash import Result, Stage, crash_everywhere, crash_in_recovery
from tests.faults.scenes import SCENES
from tests.servers import Postgres

PARTS = 2
SHOWN = 20


@dataclass(frozen=True)
class Job:
    """A part of a scene's points on one database; `part` −1 is the second crash, in the recovery from a first."""

    scene: str
    server: str
    folder: str
    part: int

    @property
    def database(self) -> str:
        """Its name."""
        return "PostgreSQL" if self.server else "SQLite"


def run(job: Job) -> Result:
    """One job, in a process of its own."""
    os.environ["DUIJIE_HOME"] = job.folder
    with Stage(SCENES[job.scene], Path(job.folder) / "stage", job.server).serving() as stage:
        if job.part < 0:
            return crash_in_recovery(stage, job.database)
        return crash_everywhere(stage, job.database, slice(job.part, None, PARTS))


def jobs(scenes: Sequence[str], server: str, folder: Path) -> list[Job]:
    """All of them, the longest first."""
    wanted = [(scene, place, part) for scene in scenes for place in (server, "") for part in range(PARTS)]
    if "lookup/strict" in scenes:
        wanted += [("lookup/strict", place, -1) for place in (server, "")]
    folders = (folder / f"{number}" for number in range(len(wanted)))
    return [Job(scene, place, str(_made(own)), part) for own, (scene, place, part) in zip(folders, wanted, strict=True)]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def crash(scenes: Sequence[str]) -> Iterator[Result]:
    """The results of all jobs as they end."""
    with tempfile.TemporaryDirectory() as folder, Postgres() as server:
        context = get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context, max_tasks_per_child=1) as pool:
            waiting = [pool.submit(run, job) for job in jobs(scenes, server.uri("").rstrip("/"), Path(folder))]
            yield from (one.result() for one in as_completed(waiting))


def prove(scenes: Sequence[str] = tuple(SCENES)) -> Result:
    """All points, told as they go."""
    began, whole = time.monotonic(), Result("", "")
    for one in crash(scenes):
        whole += one
        state = "ok" if not one.broken else f"{len(one.broken)} BROKEN"
        place = f"{one.scene} on {one.database}"
        print(f"{time.monotonic() - began:6.0f} s  {place}: {one.run}/{one.points} {state}", flush=True)
        print(*one.broken[:SHOWN], sep="\n", end="\n" if one.broken else "", flush=True)
    return whole


def main(arguments: Sequence[str]) -> int:
    """Prove; 1 when a promise is broken."""
    whole = prove(arguments or tuple(SCENES))
    told = {"crash_points": whole.points, "crash_points_run": whole.run, "lost": whole.lost, "doubled": whole.doubled}
    print(json.dumps({**told, "unknown": whole.unknown, "flow_crashes": whole.crashes, "broken": len(whole.broken)}))
    return int(bool(whole.broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
