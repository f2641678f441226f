"""What sites share: a sandbox that is served, windows, and documents that a sandbox is filled with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import Connector, Plugin, Window
from duijie.connect.services import Services
from duijie.contract import SinkCase, Site
from sandbox.kit import Sandbox
from sandbox.serve import Running
from sandbox.store import Store

MAPPINGS = Path(__file__).parents[2] / "mappings"
CHINA_DAY = datetime(2026, 11, 10, 16, tzinfo=UTC)  # 11 November in China
DAY = Window(CHINA_DAY, CHINA_DAY + timedelta(days=1))


def lately() -> Window:
    """What a sandbox wrote in the last hour."""
    now = datetime.now(UTC)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


def filled(sink: str, case: SinkCase, number: int) -> Callable[[Connector], None]:
    """Write so many documents first."""
    return lambda connector: _written(connector, sink, [case.payload(at) for at in range(1, number + 1)])


def _written(connector: Connector, sink: str, payloads: list[Record]) -> None:
    connector.sinks[sink].write(payloads)


@dataclass(frozen=True)
class Served:
    """A sandbox and the site over it. Called, it serves the sandbox for as long as its site is used."""

    sandbox: type[Sandbox]
    made: Callable[[str], Site]

    @contextmanager
    def __call__(self) -> Iterator[Site]:
        with Running(self.sandbox(Store())) as url:
            yield self.made(url)


served = Served


def proven(plugin: Plugin) -> Plugin:
    """The same, where an earlier document has been read back (`duijie.connect.readback`)."""

    @wraps(plugin.open)
    def opened(connection: Connection, services: Services) -> Any:
        made: Any = plugin.open(connection, services)
        made.proof.after("an earlier one", lambda: True)
        return made

    return replace(plugin, open=opened)
