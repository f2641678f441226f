"""The always-on worker: every connection is served for itself, routes take turns, stopping finishes what is in hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from duijie.codec import Record
from duijie.connect.errors import NotSent
from duijie.connect.protocol import Outcome, Safety, Sink
from duijie.engine import Engine
from duijie.flow import Flow, load_flow
from duijie.journal import Journal, codes, deliveries, documents, lines, planning
from duijie.journal.tables import alert, delivery, run
from duijie.shift import Turn
from duijie.worker import Worker, routes_of
from tests.test_deliver import MAPPING, Target

STEP = """
  - {{verb: deliver, name: into_{0}, connection: {0}, sink: order, entity: sales_order, mapping: target/order.out,
     batch: 6}}
"""
PATIENCE = 20.0


class Slow(Target):
    """A target that takes its time."""

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        time.sleep(0.1)
        return super().write(payloads)


class Down(Target):
    """A target that cannot be asked."""

    def find(self, keys: Sequence[str]) -> Mapping[str, object]:  # type: ignore[override]
        raise NotSent("连不上", en="refused")


class Desk(Engine):
    """An engine whose sinks are ours."""

    targets: Mapping[str, Target]

    def sink(self, conn_id: str, name: str) -> Sink:
        return self.targets[conn_id]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


def flow_into(folder: Path, *connections: str) -> Flow:
    path = folder / "mappings" / "target" / "order.out.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MAPPING, encoding="utf-8")
    file = folder / "orders.yaml"
    file.write_text(f"flow: orders\ntitle: 订单\nsteps:\n{''.join(map(STEP.format, connections))}", encoding="utf-8")
    return load_flow(file)


def orders(kept: Journal, number: int) -> None:
    with kept.writing() as tx:
        bodies = [{"key": str(one), "gross": Decimal("113.00"), "sku": "A1"} for one in range(number)]
        for body in bodies:
            documents.put(tx, kept, "sales_order", body, (None, "test"))
    for connection in ("fast", "slow", "down"):
        codes.put(kept, [codes.Code("sku", connection, "A1", "A1", None)], "test")


def worker(kept: Journal, folder: Path, targets: Mapping[str, Target], turn: Turn, told: list[str]) -> Worker:
    flow = flow_into(folder, *targets)
    desk = Desk(kept, root=folder, turn=turn)
    desk.targets = targets
    return Worker(desk, routes_of([flow]), turn, lambda sink, counts: told.append(sink))


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def states(kept: Journal) -> Counter[tuple[str, str]]:
    query = select(delivery.c.sink, delivery.c.state, func.count()).group_by(delivery.c.sink, delivery.c.state)
    with kept.reading() as tx:
        return Counter({(sink.partition("/")[0], state): number for sink, state, number in tx.execute(query)})


def test_once_delivers_what_is_due_to_every_connection_and_ends(kept: Journal, tmp_path: Path) -> None:
    orders(kept, 7)
    targets = {"fast": Target(Safety.NATURAL_KEY), "slow": Target(Safety.LOOKUP)}
    worker(kept, tmp_path, targets, Turn(1.0), []).run_once()
    assert states(kept) == {("fast", "done"): 7, ("slow", "done"): 7}
    assert [len(target.held) for target in targets.values()] == [7, 7]


def test_a_slow_connection_and_one_that_is_down_delay_no_other(kept: Journal, tmp_path: Path) -> None:
    targets = {
        "fast": Target(Safety.NATURAL_KEY),
        "slow": Slow(Safety.NATURAL_KEY),
        "down": Down(Safety.LOOKUP),
    }
    orders(kept, 24)
    turn = Turn(1.0)
    thread = Thread(target=worker(kept, tmp_path, targets, turn, []).run)
    thread.start()
    until(lambda: states(kept)["fast", "done"] == 24)
    assert states(kept)["slow", "done"] < 24
    assert states(kept)["down", "done"] == 0
    turn.stopping.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_routes_of_one_connection_take_turns(kept: Journal, tmp_path: Path) -> None:
    flow = flow_into(tmp_path, "slow")
    other = replace(flow.steps[0], name="also", sink="also")
    both = replace(flow, steps=(*flow.steps, other))
    orders(kept, 24)
    turn, told = Turn(0.1), []
    desk = Desk(kept, root=tmp_path, turn=turn)
    desk.targets = {"slow": Slow(Safety.NATURAL_KEY)}
    Worker(desk, routes_of([both]), turn, lambda sink, counts: told.append(sink)).run_once()
    assert told[:4] == ["slow/order", "slow/also", "slow/order", "slow/also"]


def test_what_comes_while_it_runs_is_delivered_and_an_idle_worker_writes_no_runs(kept: Journal, tmp_path: Path) -> None:
    turn = Turn(1.0)
    target = Target(Safety.NATURAL_KEY)
    thread = Thread(target=worker(kept, tmp_path, {"fast": target}, turn, []).run)
    thread.start()
    time.sleep(1.2)
    with kept.reading() as tx:
        assert tx.execute(select(func.count()).select_from(run)).scalar_one() == 0
    orders(kept, 3)
    until(lambda: states(kept)["fast", "done"] == 3)
    turn.stopping.set()
    thread.join(PATIENCE)


def test_stopping_finishes_the_batch_in_hand_and_begins_no_other(kept: Journal, tmp_path: Path) -> None:
    orders(kept, 200)
    turn = Turn(60.0)
    slow = Slow(Safety.NATURAL_KEY)
    thread = Thread(target=worker(kept, tmp_path, {"slow": slow}, turn, []).run)
    thread.start()
    until(lambda: len(slow.held) > 0)
    turn.stopping.set()
    thread.join(PATIENCE)
    found = states(kept)
    assert found["slow", "done"] == len(slow.held)
    assert found["slow", "done"] + found["slow", "pending"] == 200


def test_a_disabled_connection_is_not_asked_and_raises_no_further_alert(kept: Journal, tmp_path: Path) -> None:
    orders(kept, 3)
    lines.disable(kept, "fast", "李四", "维护")
    target = Target(Safety.NATURAL_KEY)
    worker(kept, tmp_path, {"fast": target}, Turn(1.0), []).run_once()
    assert target.calls == []
    with kept.reading() as tx:
        assert tx.execute(select(alert)).all() == []
    lines.enable(kept, "fast", "李四")
    worker(kept, tmp_path, {"fast": target}, Turn(1.0), []).run_once()
    assert states(kept) == {("fast", "done"): 3}


@pytest.mark.slow
def test_the_command_says_what_it_serves_and_ends_on_sigterm(kept: Journal, tmp_path: Path) -> None:
    flow_into(tmp_path, "out", "psi")
    env = {**os.environ, "DUIJIE_JOURNAL": str(kept.engine.url)}
    command = [sys.executable, "-m", "duijie.cli.main", "worker", "--flows", str(tmp_path), "--connection", "out"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().rstrip().endswith("已启动: out/order")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert "已停止" in process.stdout.read()


def test_what_a_dead_worker_held_is_taken_over_when_its_lease_has_run_out(
    kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(kept, 5)
    target = Target(Safety.NATURAL_KEY)
    late = worker(kept, tmp_path, {"fast": target}, Turn(1.0), [])
    dead = Journal(kept.engine)
    fresh = planning.unplanned(kept, "sales_order", "fast/order")
    planning.plan(kept, "orders", "fast/order", [(one, 0) for one in fresh])
    assert len(deliveries.claim(dead, "fast/order", ("pending",), 5)) == 5
    late.run_once()
    assert states(kept) == {("fast", "claimed"): 5}
    ahead = datetime.now(UTC) + deliveries.LEASE * 2
    monkeypatch.setattr(kept, "now", lambda: ahead)
    worker(kept, tmp_path, {"fast": target}, Turn(1.0), []).run_once()
    assert states(kept) == {("fast", "done"): 5}
