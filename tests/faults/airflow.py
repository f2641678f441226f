"""A day on Airflow, Celery, Redis and PostgreSQL in which a worker, the scheduler and the triggerer are killed.

The services are those of docker-compose.yml, as processes of this machine. A flow on the doorbell's schedule pulls
bills and delivers them into a target that takes doubles and takes its time; SIGKILL comes in the middle, each service
is started again, more bills arrive, and the day must end right. `python -m tests.faults.airflow [BILLS]`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import yaml

from duijie.journal import Journal, codes
from duijie.journal.codes import Code
from duijie.runtime.processes import wait_until
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from tests.faults import judge
from tests.faults.scenes import SCENES, bill
from tests.faults.strict import StrictSandbox
from tests.faults.strict_connector import install
from tests.servers import Postgres
from tests.test_compose import COMPOSE, ROOT, SERVICES, Native, prepared

STARTED = tuple(name for name in SERVICES if name != "console")
KILLED = ("worker", "scheduler", "triggerer")
QUICK = {  # Airflow notices a dead task within half a minute instead of ten
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
}
SLOW = Fault("delay", match="documents", rate=1.0, seconds=0.1, writes=True)
DAY_SECONDS = 540.0
FLOW = """
flow: bills
title: 单据
schedule: doorbell
steps:
  - {{verb: pull, name: pull, connection: strict, stream: bill, mapping: {mappings}/shop/sales_order.in,
     since: 2026-11-01T00:00:00+08:00, window_minutes: 1051200}}
  - {{verb: deliver, name: deliver, connection: strict, sink: lookup, entity: sales_order, batch: 200,
     mapping: {mappings}/target/order.out}}
"""


class Day:
    """The services, the target and what is to be in it."""

    def __init__(self, folder: Path, server: Postgres, target: StrictSandbox, url: str) -> None:
        self.began = time.monotonic()
        self._target = target
        SCENES["lookup/strict"].root(folder)
        flow = FLOW.format(mappings=folder / "mappings")
        connections = {"strict": {"conn_type": "strict", "host": url, "extra": {"size": 50}}}
        compose = dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))
        self.native: Native = prepared(compose, folder, server, flow, json.dumps(connections))
        own = {"PYTHONPATH": f"{ROOT}{os.pathsep}{install(folder / 'site')}", **QUICK}
        for service in self.native.services.values():
            service["environment"] = {**service.get("environment", {}), **own}
        self.journal_url = str(self.native.services["worker"]["environment"]["DUIJIE_JOURNAL"])

    def tell(self, text: str) -> None:
        """How it goes."""
        print(f"{time.monotonic() - self.began:6.0f} s  {text}; the target holds {self.held}", flush=True)

    @property
    def held(self) -> int:
        """How many documents the target has."""
        return len(self._target.store.all("lookup"))

    def start(self) -> None:
        """Everything but the console. Raises AssertionError when a service does not become healthy."""
        native = self.native
        native.start(
            "redis", "--port", str(native.ports["redis:6379"]), "--bind", "127.0.0.1", "--dir", str(native.folder)
        )
        assert native.wait_healthy("redis")
        native.finish("init")
        journal = Journal.open(self.journal_url)
        codes.put(journal, [Code("customer", "strict", "张三", "C1")], "test")
        journal.engine.dispose()
        for name in STARTED:
            native.start(name)

    def kill(self, name: str) -> None:
        """The service and everything it started, at once, and start it again."""
        main = psutil.Process(self.native.group._started[name].pid)
        family = [main, *main.children(recursive=True)]
        for one in family:
            one.kill()
        psutil.wait_procs(family, 10)
        self.tell(f"{name} killed ({len(family)} processes)")
        self.native.start(name)

    def until(self, so: Callable[[], bool], what: str) -> bool:
        """Wait for it to the end of the day at most."""
        came = wait_until(so, DAY_SECONDS - (time.monotonic() - self.began), every=0.2)
        self.tell(what if came else f"NOT: {what}")
        return came


def live(day: Day, target: StrictSandbox, bills: int) -> int:
    """The day; returns how many services were killed while documents were on their way."""
    day.start()
    kills = 0
    for number, name in enumerate(KILLED):
        wanted = min(day.held + bills // 8, bills - 1) if number else bills // 10
        if not day.until(lambda wanted=wanted: day.held >= wanted, f"{wanted} documents came through"):
            break
        day.kill(name)
        kills += 1
    target.round = 1
    everything = bills + bills // 10
    day.until(lambda: day.held >= everything, "all documents came through")
    engine = judge.reading(day.journal_url)
    day.until(lambda: not judge.restless(engine), "nothing is on its way")
    engine.dispose()
    return kills


def main(arguments: Sequence[str]) -> int:
    """The day and its account; 1 when a promise is broken."""
    bills = int(arguments[0]) if arguments else 2000
    rounds = [[bill(one, f"{one}.13") for one in range(1, last + 1)] for last in (bills, bills + bills // 10)]
    target = StrictSandbox(Store())
    target.seed({"bills": rounds})
    target.faults = [SLOW]
    with tempfile.TemporaryDirectory() as folder, Postgres() as server, Running(target) as url:
        day = Day(Path(folder), server, target, url)
        try:
            kills = live(day, target, bills)
            engine = judge.reading(day.journal_url)
            truth = sorted((row["no"], str(row["amount"])) for row in target.store.all("lookup"))
            state, restless = judge.read(engine, truth), judge.restless(engine)
            broken = list(judge.broken_history(engine))
            engine.dispose()
        finally:
            day.native.group.stop()
    wanted = {one["id"]: one["payment"] for one in rounds[1]}
    told = {
        "documents": len(wanted),
        "lost": len(wanted.keys() - dict(truth).keys()),
        "doubled": state.doubled,
        "unknown": restless,
        "wrong": sum(amount != wanted.get(key) for key, amount in truth) + len(broken),
        "faults_injected": kills,
    }
    print(json.dumps(told))
    return int(any(told[name] for name in ("lost", "doubled", "unknown", "wrong")) or kills < len(KILLED))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
