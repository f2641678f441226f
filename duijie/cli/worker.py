"""`duijie worker`: an always-on worker, beside the schedule or instead of it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from typing import Annotated

import typer

from duijie.cli.output import console, told
from duijie.connect.errors import ConfigError
from duijie.engine import Engine
from duijie.flow import load_flows
from duijie.journal import Journal
from duijie.shift import Turn
from duijie.worker import TURN_SECONDS, Route, Worker, routes_of

DEFAULT = Path("dags/flows")
COUNTS = {
    "planned": "新计划",
    "recovered": "接手",
    "delivered": "送达",
    "confirmed": "查询确认",
    "unchanged": "内容未变",
    "unknown": "结果未知",
    "postponed": "稍后重试",
    "waiting": "待处理",
    "overtaken": "已由他人接手",
}
_saying = Lock()


@told
def worker(
    names: Annotated[list[str] | None, typer.Argument(help="Flows to deliver for; all of them by default.")] = None,
    flows: Annotated[Path, typer.Option("--flows", help="The folder of flow files.")] = DEFAULT,
    connection: Annotated[list[str] | None, typer.Option("--connection", help="Only into these connections.")] = None,
    turn_seconds: Annotated[float, typer.Option(help="How long one route goes on while another waits.")] = TURN_SECONDS,
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due, then end.")] = False,
) -> None:
    """Deliver what is due, within a second, until stopped (SIGTERM or Ctrl-C: the batch in hand is finished first).

    Run as many as you like on one PostgreSQL journal. Connections come from the environment or DUIJIE_CONNECTIONS.
    """
    routes = _chosen(flows, names or [], connection or [])
    stopping = _stopping()
    turn = Turn(turn_seconds, stopping)
    journal = Journal.open()
    _say(f"投递进程 {journal.who} 已启动: {', '.join(sorted({route.sink for route in routes}))}")
    drain = Worker(Engine(journal, turn=turn), routes, turn, _told)
    if once:
        drain.run_once()
    else:
        drain.run()
    _say("已停止")


def _chosen(folder: Path, names: list[str], connections: list[str]) -> list[Route]:
    known = load_flows(folder)
    if strange := sorted(set(names) - set(known)):
        raise ConfigError(
            f"没有流程 {', '.join(strange)}, 可选: {', '.join(known)}",
            en=f"no flow {', '.join(strange)}; there are {', '.join(known)}",
            where=str(folder),
        )
    routes = routes_of(known[name] for name in names or known)
    found = [route for route in routes if not connections or route.step.connection in connections]
    if not found:
        raise ConfigError("所选流程没有写入步骤, 没有可投递的", en="nothing to deliver to", where=str(folder))
    return found


def _stopping() -> Event:
    stopping = Event()

    def stop(*_: object) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping


def _told(sink: str, counts: Mapping[str, int]) -> None:
    _say(f"{sink}: {', '.join(f'{COUNTS.get(name, name)} {number}' for name, number in counts.items())}")


def _say(words: str) -> None:
    with _saying:
        console.print(f"{datetime.now().astimezone():%H:%M:%S} {words}", highlight=False, soft_wrap=True)
