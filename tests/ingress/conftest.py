"""An ingress on a real socket, two senders that push with their own signatures, and a journal of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from sqlalchemy import select

from connectors import nuonuo, webhook
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.protocol import Plugin
from duijie.ingress import Ingress, Limits
from duijie.ingress.doors import Doors
from duijie.ingress.durable import open_durable
from duijie.ingress.serve import server
from duijie.journal import Journal
from duijie.journal.tables import message
from duijie.journal.tables_ingress import hint, push_count
from sandbox.nuonuo import NuonuoSandbox
from sandbox.serve import Running, free_ports
from sandbox.store import Store
from sandbox.webhook import WebhookSandbox

SECRET = "whsec_plJ3nmyCDGBKInavdOK15jslMfKgQwUtVZ4s"
APP_SECRET = "AS-demo"
PLUGINS: dict[str, Plugin] = {"webhook": webhook.CONNECTOR, "nuonuo": nuonuo.CONNECTOR}
SHOP = Connection(
    "shop", "webhook", password=SECRET, extra={"streams": {"order": {"entity": "sales_order", "key": "id"}}}
)
BILLS = Connection(
    "bills", "nuonuo", login="AK-demo", password=APP_SECRET, extra={"tax_no": "339902999999789113", "clerk": "张三"}
)


class World:
    """The ingress under test and what it left in the journal."""

    def __init__(self, journal: Journal, url: str) -> None:
        self.journal = journal
        self.url = url

    def post(self, path: str, body: bytes = b"", **more: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", data=body, timeout=20, **more)

    def messages(self) -> list[tuple[str, Any]]:
        with self.journal.reading() as tx:
            found = tx.execute(select(message.c.key, message.c.body).order_by(message.c.id))
            return [(key, codec.decode(body)) for key, body in found]

    def hints(self) -> dict[str, int]:
        with self.journal.reading() as tx:
            return {key: hints for key, hints in tx.execute(select(hint.c.key, hint.c.hints))}

    def counts(self) -> dict[tuple[str, str], int]:
        with self.journal.reading() as tx:
            rows = tx.execute(select(push_count.c.connection, push_count.c.outcome, push_count.c.count))
            return {(connection, outcome): count for connection, outcome, count in rows}


@contextmanager
def serving(app: Ingress) -> Iterator[str]:
    """The app on a free port; its URL."""
    port = free_ports(1)[0]
    one: uvicorn.Server = server(app, "127.0.0.1", port)
    thread = threading.Thread(target=one.run, daemon=True)
    thread.start()
    while not one.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    one.should_exit = True
    thread.join(10)


@contextmanager
def world_of(journal_url: str, *connections: Connection, **limits: Any) -> Iterator[World]:
    """An ingress for these connections over that journal."""
    journal = Journal.open(journal_url)
    doors = Doors(lambda: connections or (SHOP, BILLS), PLUGINS.__getitem__)
    with serving(Ingress(lambda: open_durable(journal_url), doors, Limits(**limits))) as url:
        yield World(journal, url)
    journal.engine.dispose()


@pytest.fixture
def journal_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def world(journal_url: str) -> Iterator[World]:
    with world_of(journal_url) as made:
        yield made


class Sender:
    """A sandbox that pushes when told to."""

    def __init__(self, url: str, target: str) -> None:
        self._url = url
        self._target = target

    def push(self, *items: Any, **order: Any) -> list[int]:
        """The status of each request that left."""
        body = codec.encode({"url": self._target, "items": items, **order})
        return [one["status"] for one in requests.post(f"{self._url}/_admin/push", data=body, timeout=60).json()]


@pytest.fixture
def shop(world: World) -> Iterator[Sender]:
    made = WebhookSandbox(Store())
    made.seed({"secret": SECRET})
    with Running(made) as url:
        yield Sender(url, f"{world.url}/in/shop/order")


@pytest.fixture
def bills(world: World) -> Iterator[Sender]:
    made = NuonuoSandbox(Store())
    made.seed({"app_key": "AK-demo", "app_secret": APP_SECRET})
    token = nuonuo.hook.token_of(BILLS)
    with Running(made) as url:
        yield Sender(url, f"{world.url}/in/bills?t={token}")
