"""A private Airflow: started, found healthy, used through REST, stopped without leaving a process behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from duijie.connect.errors import ConfigError, NotSent
from duijie.runtime import AirflowRest, AirflowStandalone, ProcessGroup, free_port
from duijie.runtime.processes import MARK, wait_until

FLOW = """
flow: tell
title: 告警
steps: [{verb: alert, name: send}]
"""
DAGS = """
from pathlib import Path
from duijie.airflow.factory import build_dags
for dag in build_dags(Path(__file__).parent / "flows"):
    globals()[dag.dag_id] = dag
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(60)",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dags" / "flows").mkdir(parents=True)
    (tmp_path / "dags" / "flows" / "tell.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "dags" / "all.py").write_text(DAGS, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_flow_runs_to_success_through_rest_and_nothing_is_left(folder: Path) -> None:
    seen: list[str] = []
    airflow = AirflowStandalone(folder / "home", folder / "dags", {"DUIJIE_HOME": str(folder / "duijie")})
    with airflow:
        airflow.wait_healthy(progress=seen.append)
        airflow.wait_dags("tell")
        rest = airflow.rest
        assert rest.import_errors() == {}

        run_id = rest.trigger("tell", "first", {"by": "test"})
        assert rest.wait("tell", run_id, 120) == "success"
        assert rest.trigger("tell", "first") == "first", "the same run id starts no second run"
        assert rest.task_states("tell", "first") == {"send": "success"}
        assert all(isinstance(count, int) for count in rest.counts("tell", "first", "send").values())
        assert "send" in rest.log("tell", "first", "send")

        with pytest.raises(ConfigError, match="nothing_like_it"):
            rest.trigger("nothing_like_it", "x")
        with pytest.raises(ConfigError, match="running"):
            AirflowStandalone(folder / "home", folder / "dags").start()
        assert listeners(airflow.members()) == {("127.0.0.1", airflow.port)}
        assert all((folder / "home" / name).stat().st_mode & 0o077 == 0 for name in ("secrets.json", "passwords.json"))
    assert len(seen) == 4
    assert airflow.members() == []


def listeners(pids: list[int]) -> set[tuple[str, int]]:
    """(address, port) of every TCP socket that these processes listen on."""
    found = (one for pid in pids for one in psutil.Process(pid).net_connections("tcp"))
    return {(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN}


def test_leftovers_of_a_crashed_start_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, env={**os.environ, MARK: str(tmp_path / "other")})
    crashed = ProcessGroup(tmp_path / "ours", os.environ)
    crashed.start("one", SLEEP)
    crashed.start("two", SLEEP)

    second = ProcessGroup(tmp_path / "ours", os.environ)
    assert len(second.members()) == 2
    second.stop()
    assert second.members() == []
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_all_processes_share_one_group_and_one_that_will_not_end_is_made_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duijie.runtime.processes.STOPS", ((2, 0.3), (15, 0.3), (9, 5.0)))
    group = ProcessGroup(tmp_path, os.environ)
    group.start("mild", SLEEP)
    group.start("stubborn", STUBBORN)
    assert {os.getpgid(process.pid) for process in group.members()} == {group.group} != {os.getpgid(0)}
    assert group.memory() > 0
    assert wait_until(lambda: all(one.num_threads() == 1 for one in group.members()), 5)
    group.stop()
    assert group.members() == []


def test_a_process_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    group = ProcessGroup(tmp_path, os.environ)
    group.start("broken", [sys.executable, "-c", "raise SystemExit('port taken')"])
    with pytest.raises(ConfigError) as caught:
        assert wait_until(lambda: bool(group.check()), 10)
    assert "port taken" in caught.value.zh
    with pytest.raises(ConfigError, match="ended with status 3"):
        group.finish("migrate", [sys.executable, "-c", "raise SystemExit(3)"])


def test_an_airflow_that_is_not_there_is_said_so() -> None:
    with pytest.raises(NotSent, match="cannot reach"):
        AirflowRest(f"http://127.0.0.1:{free_port()}", "admin", "x").health()
