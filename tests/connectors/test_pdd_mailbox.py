"""拼多多: messages make things quick, the pull makes them complete; told through the engine and a real websocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from connectors.pdd.mailbox import PmcMailbox, digest, push_of
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError, NotSent
from duijie.connect.hooks import Mailed, Pushed
from duijie.engine import Engine
from duijie.flow import Flow, Pull
from duijie.ingress.collect import collect
from duijie.journal import Journal, inbox
from duijie.journal.inbox import Source
from duijie.journal.tables import message
from sandbox.pdd import CHINA, PddSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors.test_pdd import APP, BIG, NIGHT, SECRET, number_of, order, refund, seed

MAPPING = """
mapping: pdd/{entity}.in
from: {{system: pdd, stream: {stream}}}
to: {{entity: party}}
version: 1
fields: {{key: {key}, name: order_sn, kind: '"person"', role: '"customer"'}}
"""
KEYS = {"order": "order_sn", "refund": "refund_key"}


class World:
    """Two shops that change, an engine that pulls, and what the inbox holds."""

    def __init__(self, journal: Journal, sandbox: PddSandbox, url: str, root: Path) -> None:
        self.journal, self.sandbox, self.url, self.root = journal, sandbox, url, root
        self.mailbox = self.opened()

    def opened(self, **changes: Any) -> PmcMailbox:
        shops = {one: {"access_token": f"access-{one}", "refresh_token": f"refresh-{one}"} for one in ("P01", "P02")}
        extra = {"shops": shops, "rate": "10000/second", "messages": self.url.replace("http", "ws")}
        fields = {"host": self.url, "login": APP, "password": SECRET, "extra": extra, **changes}
        self.engine = Engine(self.journal, {"p": Connection("p", "pdd", **fields)}.__getitem__, self.root)
        connector = self.engine.connector("p")
        assert isinstance(connector, Mailed)
        assert isinstance(connector.mailbox, PmcMailbox)
        return connector.mailbox

    def say(self, topic: str, content: dict[str, Any], copies: int = 1) -> None:
        event = {"shop": "P01", "type": topic, "content": content, "copies": copies}
        requests.post(f"{self.url}/_admin/pmc", data=codec.encode([event]), timeout=10).raise_for_status()

    def collect(self) -> dict[str, int]:
        return dict(collect(self.journal, "p", self.mailbox))

    def pull(self, stream: str, until: datetime | None, since: datetime = NIGHT) -> dict[str, int]:
        step = Pull("s", "p", stream, f"pdd/{stream}.in", since=since, until=until)
        return dict(self.engine.run(Flow("f", "f", (step,)), step))

    def kept(self, stream: str) -> list[str]:
        with self.journal.reading() as tx:
            rows = tx.execute(select(message.c.body).where(message.c.stream == stream).order_by(message.c.id))
            return [codec.decode(row[0])[KEYS[stream]] for row in rows]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setattr("connectors.pdd.mailbox.QUIET_SECONDS", 0.3)
    (tmp_path / "mappings/pdd").mkdir(parents=True)
    for stream, key in KEYS.items():
        made = MAPPING.format(entity=stream, stream=stream, key=key)
        (tmp_path / f"mappings/pdd/{stream}.in.yaml").write_text(made, encoding="utf-8")
    sandbox = PddSandbox(Store())
    sandbox.seed(seed(orders=0))
    with Running(sandbox) as url:
        made = World(Journal.open(f"sqlite:///{tmp_path / 'journal.db'}"), sandbox, url, tmp_path)
        made.collect()  # subscribes
        yield made


def test_the_digest_agrees_with_the_known_value() -> None:
    assert digest("app", 1_700_000_000_000, "secret") == "OTgxODMwNDI2NWZiN2NiNzA2NzIxOTI0ZjJlMDMxMjE%3D"


def test_a_message_brings_its_order_long_before_the_window_is_read(world: World) -> None:
    world.sandbox.seed({"orders": [order(1, updated_at="2026-11-11 09:00:00")]})
    world.say("pdd_trade_TradeConfirmed", {"tid": number_of(1)})
    assert world.collect() == {"collected": 1, "new": 1}
    assert world.pull("order", NIGHT + timedelta(minutes=1))["new_messages"] == 1
    assert world.kept("order") == [number_of(1)]
    assert world.collect() == {}
    assert world.sandbox.store.all("pmc") == []


def test_a_message_about_an_after_sale_names_order_and_number(world: World) -> None:
    world.sandbox.seed({"refunds": [refund(1, updated_time="2026-11-11 09:00:00")]})
    world.say("pdd_refund_RefundCreated", {"tid": number_of(1), "refund_id": BIG + 1, "refund_fee": 11610})
    world.collect()
    assert world.pull("refund", NIGHT + timedelta(minutes=1))["new_messages"] == 1
    assert world.kept("refund") == [f"{number_of(1)}:{BIG + 1}"]


def test_a_message_that_comes_twice_is_read_once_and_its_large_id_is_confirmed_exactly(world: World) -> None:
    world.sandbox.seed({"orders": [order(1, updated_at="2026-11-11 09:00:00")]})
    world.say("pdd_trade_TradeSellerShip", {"tid": number_of(1)}, copies=3)
    assert world.collect()["new"] == 1
    counts = world.pull("order", NIGHT + timedelta(minutes=1))
    assert (counts["hinted"], counts["read"]) == (1, 1)
    assert world.sandbox.store.all("pmc") == []


def test_a_message_about_something_else_is_confirmed_and_left(world: World) -> None:
    world.say("pdd_goods_GoodsUpdate", {"goods_id": 1})
    world.say("pdd_trade_TradeConfirmed", {"no": "tid"})
    assert world.collect()["collected"] == 2
    assert world.sandbox.store.all("pmc") == []


def test_what_was_not_confirmed_comes_again_on_the_next_line(world: World) -> None:
    world.say("pdd_trade_TradeSuccess", {"tid": number_of(1)})
    first = next(iter(world.mailbox.collect()))
    world.mailbox = world.opened()  # another process
    assert next(iter(world.mailbox.collect())) == first
    assert first.pushes[0].items == (Pushed("order", number_of(1)),)


def test_a_line_that_breaks_is_told_and_opened_again(world: World) -> None:
    world.mailbox._line.close()  # type: ignore[union-attr]
    with pytest.raises(NotSent, match="opened again"):
        world.collect()
    world.say("pdd_trade_TradeSuccess", {"tid": number_of(1)})
    assert world.collect() == {"collected": 1, "new": 1}


def test_a_line_on_which_no_heartbeat_is_answered_is_left_for_a_new_one(world: World) -> None:
    before = world.mailbox._line
    world.collect()
    assert world.mailbox._line is before
    world.mailbox._heard_at -= 61
    world.collect()
    assert world.mailbox._line is not before


def test_a_line_to_nowhere_is_not_sent(world: World) -> None:
    mailbox = world.opened(extra={"shops": {"P01": {"access_token": "access-P01"}}, "messages": "ws://127.0.0.1:9"})
    with pytest.raises(NotSent) as caught:
        list(mailbox.collect())
    assert "自动重连" in caught.value.zh


def test_a_wrong_secret_is_refused_and_shows_nowhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    mailbox = world.opened(password="wrong-secret")
    mailbox._is_subscribed = True  # the gateway would refuse first
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialError) as caught:
        list(mailbox.collect())
    said = f"{caught.value} {caught.value.__cause__!r} {caplog.text}"
    assert "/message/" not in said
    assert "wrong-secret" not in said


@pytest.mark.parametrize("content", ["{", "null", None, "[1]", 5])
def test_nonsense_inside_a_message_points_at_nothing(content: Any) -> None:
    frame = {"id": 1, "message": {"type": "pdd_trade_TradeConfirmed", "content": content}}
    assert push_of(frame).items == ()


def test_a_connection_without_an_address_has_no_mailbox(world: World) -> None:
    extra = {"shops": {"P01": {"access_token": "access-P01"}}}
    connection = Connection("q", "pdd", host=world.url, login=APP, password=SECRET, extra=extra)
    connector = Engine(world.journal, {"q": connection}.__getitem__, world.root).connector("q")
    assert isinstance(connector, Mailed)
    assert connector.mailbox is None


def test_the_pull_keeps_its_cursor_three_minutes_behind_so_that_late_orders_are_not_passed_over(world: World) -> None:
    now = datetime.now(CHINA)
    since, fresh = now - timedelta(minutes=50), f"{now - timedelta(seconds=60):%Y-%m-%d %H:%M:%S}"
    world.sandbox.seed({"orders": [order(1, updated_at=fresh)]})
    assert world.pull("order", None, since).get("new_messages", 0) == 0
    with world.journal.reading():
        position = inbox.position(world.journal, Source("p", "order", "P01"))
    assert position is not None
    assert timedelta(minutes=3) <= datetime.now(CHINA) - position < timedelta(minutes=4)


def test_a_window_longer_than_the_platform_answers_is_read_whole_by_the_pull(world: World) -> None:
    moments = [NIGHT + timedelta(minutes=minute) for minute in (0, 29, 30, 59, 89)]
    world.sandbox.seed(
        {"orders": [order(n, updated_at=f"{moment:%Y-%m-%d %H:%M:%S}") for n, moment in enumerate(moments)]}
    )
    assert world.pull("order", NIGHT + timedelta(minutes=90))["new_messages"] == 5
    assert sorted(world.kept("order")) == [number_of(n) for n in range(5)]


def test_the_sandboxs_line_is_closed_to_a_clock_that_is_off(world: World) -> None:
    old = int((datetime.now(CHINA) - timedelta(minutes=11)).timestamp() * 1000)
    path = f"/message/{APP}/{old}/{digest(APP, old, SECRET)}"
    assert asyncio.run(_status(world.url, path)) == 403


async def _status(url: str, path: str) -> int:
    """The status of a handshake, said in plain bytes."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])
