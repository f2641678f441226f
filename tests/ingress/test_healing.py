"""A push makes things quick, the pull makes them complete: what is missed is healed, what comes twice is kept once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, update

from connectors.nuonuo import CONNECTOR as NUONUO
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost
from duijie.connect.hooks import Mailed, Push, Pushed
from duijie.connect.protocol import Connector, Done, Page, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.engine import Engine
from duijie.flow import Flow, Poll, Pull
from duijie.ingress import Ingress, Limits
from duijie.ingress.collect import collect, look
from duijie.ingress.doors import Doors
from duijie.ingress.durable import open_durable
from duijie.ingress.heed import heed
from duijie.journal import Journal, inbox, pushes
from duijie.journal.inbox import Source
from duijie.journal.tables import alert, incident, message
from duijie.journal.tables_ingress import hint
from duijie.pull import read_keys
from sandbox.kit import Fault
from sandbox.nuonuo import NuonuoSandbox
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.taobao import CHINA, TaobaoSandbox
from tests.connectors.test_nuonuo import SELLER, payload, request
from tests.ingress.conftest import PLUGINS, serving
from tests.ingress.test_pushes import until

APP, SECRET = "12345678", "helloworld"
TID = 3_204_086_667_211_110_000
START = datetime(2026, 11, 11, tzinfo=CHINA)
MAPPING = """
mapping: taobao/buyer.in
from: {system: taobao, stream: trade}
to: {entity: party}
version: 1
fields: {key: text(tid), name: status, kind: '"person"', role: '"customer"'}
"""


def trade(number: int, status: str = "WAIT_BUYER_PAY", minute: int = 0, shop: str = "S01") -> dict[str, Any]:
    moment = f"{START + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}"
    return {"shop": shop, "tid": TID + number, "status": status, "created": moment, "modified": moment}


class World:
    """A shop that changes, an engine that pulls up to a moment, and what the inbox holds."""

    def __init__(self, journal: Journal, sandbox: TaobaoSandbox, url: str, root: Path) -> None:
        self.journal, self.sandbox, self._url = journal, sandbox, url
        shops = {one: {"session": f"sess-{one}", "refresh_token": f"refresh-{one}"} for one in ("S01", "S02")}
        extra = {"shops": shops, "rate": "10000/second", "tmc_group": "default"}
        made = Connection("tb", "taobao", url, APP, SECRET, extra=extra)
        self.engine = Engine(journal, {"tb": made}.__getitem__, root)
        connector = self.engine.connector("tb")
        assert isinstance(connector, Mailed)
        assert connector.mailbox is not None
        self.mailbox = connector.mailbox

    def change(self, *trades: dict[str, Any]) -> None:
        self.sandbox.seed({"trades": list(trades)})

    def say(self, *numbers: int, topic: str = "taobao_trade_TradeChanged", **more: Any) -> None:
        events = [{"shop": "S01", "topic": topic, "content": {"tid": TID + n}, **more} for n in numbers]
        requests.post(f"{self._url}/_admin/tmc", data=codec.encode(events), timeout=10).raise_for_status()

    def collect(self) -> dict[str, int]:
        return dict(collect(self.journal, "tb", self.mailbox))

    def pull(self, until_minute: int) -> dict[str, int]:
        """What a flow does when it is rung or its time has come."""
        until = START + timedelta(minutes=until_minute)
        step = Pull("p", "tb", "trade", "taobao/buyer.in", since=START - timedelta(days=1), until=until)
        return self.engine.run(Flow("f", "f", (step,)), step)

    def kept(self) -> list[tuple[int, str]]:
        with self.journal.reading() as tx:
            bodies = [codec.decode(row[0]) for row in tx.execute(select(message.c.body).order_by(message.c.id))]
        return [(body["tid"] - TID, body["status"]) for body in bodies]

    def open_hints(self) -> int:
        with self.journal.reading() as tx:
            return int(tx.execute(select(func.count()).select_from(hint)).scalar_one())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    (tmp_path / "mappings/taobao").mkdir(parents=True)
    (tmp_path / "mappings/taobao/buyer.in.yaml").write_text(MAPPING, encoding="utf-8")
    sandbox = TaobaoSandbox(Store())
    shops = {
        one: {"nick": one, "user_id": 1, "session": f"sess-{one}", "refresh_token": f"refresh-{one}"}
        for one in ("S01", "S02")
    }
    sandbox.seed({"apps": {APP: SECRET}, "shops": shops, "limits": {"calls": 9999, "seconds": 1, "ban_seconds": 1}})
    with Running(sandbox) as url:
        made = World(Journal.open(f"sqlite:///{tmp_path / 'journal.db'}"), sandbox, url, tmp_path)
        made.collect()  # subscribes
        yield made


class TestQuick:
    def test_a_message_brings_the_trade_long_before_its_window_is_read(self, world: World) -> None:
        world.change(trade(1, minute=600))
        world.say(1)
        assert world.collect() == {"collected": 1, "new": 1}
        assert world.pull(until_minute=1)["new_messages"] == 1
        assert world.kept() == [(1, "WAIT_BUYER_PAY")]

    def test_doubled_and_disordered_messages_make_one_reading(self, world: World) -> None:
        world.change(trade(1, "TRADE_FINISHED", minute=600))
        for topic in ("TradeCreate", "TradeBuyerPay", "TradeSuccess"):
            world.say(1, topic=f"taobao_trade_{topic}", copies=2)
        assert world.collect() == {"collected": 6, "new": 3}
        counts = world.pull(until_minute=1)
        assert (counts["hinted"], counts["read"]) == (1, 1)
        assert world.kept() == [(1, "TRADE_FINISHED")]

    def test_a_message_about_something_else_is_confirmed_and_left(self, world: World) -> None:
        world.say(1, topic="taobao_refund_RefundCreated")
        assert world.collect()["collected"] == 1
        assert world.open_hints() == 0
        assert world.collect() == {}


class TestComplete:
    def test_what_no_message_told_comes_with_the_next_pull(self, world: World) -> None:
        world.change(*[trade(number, minute=5) for number in range(6)])
        world.say(0, 2, 4)
        world.collect()
        assert world.pull(until_minute=1)["new_messages"] == 3
        assert world.pull(until_minute=30)["new_messages"] == 3
        assert sorted(number for number, _ in world.kept()) == list(range(6))

    def test_a_message_and_the_pull_bring_a_trade_once(self, world: World) -> None:
        world.change(trade(1, minute=5))
        world.pull(until_minute=30)
        world.change(trade(1, "TRADE_FINISHED", minute=40))
        world.say(1)
        world.collect()
        assert world.pull(until_minute=60)["new_messages"] == 1
        assert world.pull(until_minute=90).get("new_messages", 0) == 0
        assert world.kept() == [(1, "WAIT_BUYER_PAY"), (1, "TRADE_FINISHED")]

    def test_a_confirmation_that_is_lost_costs_a_repeat_and_nothing_else(self, world: World) -> None:
        world.change(trade(1, minute=600))
        world.say(1)
        world.sandbox.faults = [Fault("status", match="messages.confirm", status=502, count=50)]
        with pytest.raises(AnswerLost):
            world.collect()
        world.sandbox.faults = []
        assert world.collect() == {"collected": 1}
        assert world.pull(until_minute=1)["new_messages"] == 1

    def test_a_system_that_is_down_leaves_the_hints_for_later(self, world: World) -> None:
        world.change(trade(1, minute=600))
        world.say(1)
        world.collect()
        world.sandbox.faults = [Fault("status", match="fullinfo", status=502, count=50)]
        with pytest.raises(AnswerLost):
            world.pull(until_minute=1)
        world.sandbox.faults = []
        with world.journal.writing() as tx:
            tx.execute(update(hint).values(due_at=world.journal.now()))
        assert world.pull(until_minute=1)["new_messages"] == 1

    def test_a_journal_that_others_write_to_does_not_end_the_looking(self, world: World) -> None:
        world.change(trade(1, minute=600))
        world.say(1)
        journal = open_durable(world.journal.engine.url.render_as_string())
        with world.journal.writing():
            assert look(journal, "tb", world.mailbox)
        assert look(journal, "tb", world.mailbox)
        assert world.pull(until_minute=1)["new_messages"] == 1

    def test_trouble_with_the_mailbox_is_one_alert_that_closes(self, world: World) -> None:
        world.sandbox.faults = [Fault("status", match="messages.consume", status=403, rate=1.0)]
        assert [look(world.journal, "tb", world.mailbox) for _ in range(2)] == [False, False]
        world.sandbox.faults = []
        assert look(world.journal, "tb", world.mailbox)
        with world.journal.reading() as tx:
            assert [(row.count, row.state) for row in tx.execute(select(alert))] == [(2, "recovered")]


class Records:
    """A stream by key; `meanwhile` happens while it is read."""

    name, entity, key = "thing", "party", "id"

    def __init__(self, records: dict[str, str], meanwhile: Callable[[], None] = lambda: None) -> None:
        self.records, self.meanwhile = records, meanwhile

    def partitions(self) -> list[str]:
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        found = [{"id": key, "at": self.records[key]} for key in window.keys if key in self.records]
        self.meanwhile()
        yield Page(found)


def hinted(journal: Journal, key: str) -> None:
    pushes.keep(journal, [pushes.arrived("c", Push((Pushed("thing", key),)), timedelta(), datetime.now(UTC))])


class TestHints:
    def test_a_hint_that_comes_while_its_key_is_read_makes_another_reading(self, world: World) -> None:
        journal, stream = world.journal, Records({"K": "old"})
        hinted(journal, "K")

        def meanwhile() -> None:
            if stream.records["K"] == "old":
                stream.records["K"] = "new"
                hinted(journal, "K")

        stream.meanwhile = meanwhile
        assert heed(journal, "c", stream)["new_messages"] == 2
        assert [codec.decode(one.body)["at"] for one in inbox.waiting(journal, Source("c", "thing"), 9)] == [
            "old",
            "new",
        ]
        assert world.open_hints() == 0

    def test_a_key_that_is_not_there_is_asked_for_later_and_given_up_at_last(self, world: World) -> None:
        journal = world.journal
        hinted(journal, "forged")
        for _ in pushes.LATER:
            assert heed(journal, "c", Records({})) == {"hinted": 1}
            assert heed(journal, "c", Records({})) == {}, "not before it is due"
            with journal.writing() as tx:
                tx.execute(update(hint).values(due_at=journal.now()))
        assert heed(journal, "c", Records({}))["unfindable"] == 1
        assert world.open_hints() == 0
        with journal.reading() as tx:
            assert tx.execute(select(incident.c.kind)).scalars().all() == ["HintUnfindable"]


class TestCallbacks:
    """诺诺 calls back when an invoice is through, at the address that went with its request."""

    @pytest.fixture
    def bills(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bills]:
        monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
        url = f"sqlite:///{tmp_path / 'journal.db'}"
        sandbox = NuonuoSandbox(Store())
        sandbox.seed({"app_key": "AK", "app_secret": "AS-secret", "tax_no": SELLER, "issue_seconds": 0.2})
        found: list[Connection] = []
        doors = Doors(lambda: found, PLUGINS.__getitem__)
        with Running(sandbox) as host, serving(Ingress(lambda: open_durable(url), doors, Limits())) as ours:
            extra = {"tax_no": SELLER, "clerk": "张三", "token_url": f"{host}/accessToken", "push_url": ours}
            found.append(Connection("bills", "nuonuo", host, "AK", "AS-secret", extra=extra))
            yield Bills(Journal.open(url), sandbox, NUONUO.open(found[0], Services(TokenStore(tmp_path / "tokens"))))

    def test_an_invoice_is_read_when_the_platform_calls_back(self, bills: Bills) -> None:
        bills.request(1)
        assert until(lambda: pushes.waiting(bills.journal, "bills", "invoice", 9))
        assert bills.heed() == {"hinted": 1, "read": 1, "new_messages": 1}
        assert bills.statuses() == ["2"]

    def test_two_callbacks_about_one_invoice_make_one_reading(self, bills: Bills) -> None:
        bills.sandbox.faults = [Fault("duplicate_webhook", count=1)]
        bills.request(2)
        assert until(lambda: [one.hints for one in pushes.waiting(bills.journal, "bills", "invoice", 9)] == [2])
        assert bills.heed() == {"hinted": 1, "read": 1, "new_messages": 1}

    def test_a_callback_that_is_lost_is_healed_by_the_next_poll(self, bills: Bills) -> None:
        bills.sandbox.faults = [Fault("drop_push", count=1)]
        key = bills.request(3)
        assert until(lambda: bills.sandbox.faults[0].fired)
        assert bills.heed() == {}
        step = Poll("p", "bills", "invoice", "nuonuo/invoice.in", "nuonuo/invoice_request", "invoice")
        read_keys(bills.journal, step, bills.connector.streams["invoice"], [key], datetime.now(UTC))
        assert bills.statuses() == ["2"]


class Bills:
    """A seller's connection with its callbacks."""

    def __init__(self, journal: Journal, sandbox: NuonuoSandbox, connector: Connector) -> None:
        self.journal, self.sandbox, self.connector = journal, sandbox, connector

    def request(self, number: int) -> str:
        sink = self.connector.sinks["invoice_request"]
        sent = payload(request(number))
        assert isinstance(sink.write([sent])[0], Done)
        return sink.key_of(sent)

    def heed(self) -> dict[str, int]:
        return dict(heed(self.journal, "bills", self.connector.streams["invoice"]))

    def statuses(self) -> list[str]:
        found = inbox.waiting(self.journal, Source("bills", "invoice"), 9)
        return [codec.decode(one.body)["status"] for one in found]
