"""What a sender pushes is kept once when it is genuine, and not at all when it is not; told over real sockets."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select, update

from connectors.webhook.hook import StandardWebhook
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, Forged
from duijie.connect.hooks import Call, Push, Pushed
from duijie.journal import pushes
from duijie.journal.tables import alert, incident
from duijie.journal.tables_ingress import push_count
from tests.ingress.conftest import SHOP, Sender, World, world_of

ORDER = {"id": "A-1", "total": 7, "note": "你好"}


def until(holds: Any, seconds: float = 15.0) -> bool:
    """Wait for what the ingress writes down by itself."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(holds())


class TestSignedRecords:
    def test_a_genuine_push_is_in_the_inbox_as_sent_when_the_answer_comes(self, world: World, shop: Sender) -> None:
        assert shop.push(ORDER) == [200]
        assert world.messages() == [("A-1", ORDER)]
        assert world.counts() == {("shop", "accepted"): 1}

    def test_a_push_may_hold_several_records(self, world: World, shop: Sender) -> None:
        assert shop.push([{"id": 1}, {"id": 2}]) == [200]
        assert [key for key, _ in world.messages()] == ["1", "2"]

    @pytest.mark.parametrize("wrong", [{"forge": "signature"}, {"forge": "body"}, {"late_seconds": 301}])
    def test_a_forged_changed_or_old_push_leaves_nothing(self, world: World, shop: Sender, wrong: Any) -> None:
        assert shop.push(ORDER, **wrong) == [401]
        assert world.messages() == []

    def test_a_push_that_is_a_little_late_is_in_time(self, world: World, shop: Sender) -> None:
        assert shop.push(ORDER, late_seconds=290) == [200]

    def test_a_repeat_is_answered_and_leaves_nothing(self, world: World, shop: Sender) -> None:
        assert shop.push(ORDER, copies=3) == [200, 200, 200]
        assert shop.push(again=True) == [200, 200, 200]
        assert len(world.messages()) == 1
        assert world.counts() == {("shop", "accepted"): 1, ("shop", "repeated"): 5}

    def test_a_replay_after_a_newer_record_brings_nothing_back(self, world: World, shop: Sender) -> None:
        newer = {**ORDER, "total": 8}
        assert shop.push(ORDER) == [200]
        assert shop.push(newer, again=True) == [200, 200]
        assert [body for _, body in world.messages()] == [ORDER, newer]

    def test_the_same_content_pushed_anew_is_kept_once(self, world: World, shop: Sender) -> None:
        assert shop.push(ORDER, ORDER) == [200, 200]
        assert len(world.messages()) == 1

    @pytest.mark.parametrize("raw", ["", "{", "[]x", '"text"', "7", '{"id": ""}', '{"id": true}', '{"x": 1}', "[1]"])
    def test_a_genuine_push_that_cannot_be_read_is_refused(self, world: World, shop: Sender, raw: str) -> None:
        assert shop.push({"raw": raw}) == [400]
        assert world.messages() == []

    @pytest.mark.parametrize("key", ["a\u0000b", "x" * 201, "a\nb"])
    def test_a_key_that_the_journal_cannot_hold_is_refused(self, world: World, shop: Sender, key: str) -> None:
        assert shop.push({"id": key}) == [400]


NAMED = {"webhook-id": "msg_loFOjxBNrRLzqYUf", "webhook-timestamp": "1731705121"}
PING = b'{"event_type":"ping","data":{"success":true}}'
SIGNED = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


class TestTheScheme:
    def hook(self, *secrets: str) -> StandardWebhook:
        streams = {"ping": {"entity": "x", "key": "event_type"}}
        return StandardWebhook(Connection("c", "webhook", password=" ".join(secrets), extra={"streams": streams}))

    def call(self, signature: str) -> Call:
        return Call(
            "ping", {**NAMED, "webhook-signature": signature}, {}, PING, datetime.fromtimestamp(1731705121, UTC)
        )

    def test_it_agrees_with_the_vector_of_the_standard(self) -> None:
        hook = self.hook("whsec_plJ3nmyCDGBKInavdOK15jsl")
        push = hook.verify(self.call(f"v2,xx v1,AAAA {SIGNED}"))
        record = {"event_type": "ping", "data": {"success": True}}
        assert push == Push((Pushed("ping", "ping", record),), "msg_loFOjxBNrRLzqYUf")

    def test_either_secret_holds_while_one_replaces_the_other(self) -> None:
        both = self.hook("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_plJ3nmyCDGBKInavdOK15jsl")
        assert both.verify(self.call(SIGNED)).items
        with pytest.raises(Forged):
            self.hook("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz").verify(self.call(SIGNED))

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64"])
    def test_a_secret_that_is_none_opens_no_door(self, secret: str) -> None:
        with pytest.raises(ConfigError):
            self.hook(secret)


class TestHints:
    def test_a_callback_is_kept_as_a_key_to_read_and_nothing_of_it_is_believed(
        self, world: World, bills: Sender
    ) -> None:
        assert bills.push("DJ1", "DJ2", "DJ1") == [200, 200, 200]
        assert world.hints() == {"DJ1": 2, "DJ2": 1}
        assert world.messages() == []

    def test_the_platform_is_told_what_it_waits_for(self, world: World, bills: Sender) -> None:
        form = {"content-type": "application/x-www-form-urlencoded"}
        path = bills._target.removeprefix(world.url)
        said = world.post(path, b"operater=callback&orderno=DJ1&content=%7B%7D", headers=form)
        assert said.json() == {"status": "0000", "message": "同步成功"}

    def test_an_address_without_its_token_is_refused(self, world: World, bills: Sender) -> None:
        assert bills.push("DJ1", forge="signature") == [401]
        assert world.hints() == {}

    def test_a_callback_about_something_else_is_answered_and_left(self, world: World, bills: Sender) -> None:
        path = bills._target.removeprefix(world.url)
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert world.post(path, b"operater=redConfirmCallback&orderno=X", headers=form).status_code == 200
        assert world.hints() == {}


class TestRefusals:
    def test_repeated_failures_raise_one_alert_and_are_counted(self, world: World, shop: Sender) -> None:
        assert shop.push(*[ORDER] * 12, forge="signature") == [401] * 12
        assert until(lambda: world.counts().get(("shop", "refused")) == 12)
        with world.journal.reading() as tx:
            assert [row.title for row in tx.execute(select(alert))] == ["连接 shop 的推送连续校验失败: 推送签名不符"]
            noted = tx.execute(select(incident.c.kind, incident.c.detail)).all()
        assert {kind for kind, _ in noted} == {"PushRefused"}
        assert sum(int(detail.split()[0]) for _, detail in noted) == 12

    def test_the_alert_is_closed_when_pushes_hold_again(self, world: World, shop: Sender) -> None:
        pushes.refused(world.journal, {"shop": 5}, {"shop": "推送签名不符"}, ["shop"])
        with world.journal.writing() as tx:
            long_ago = world.journal.now() - timedelta(hours=1)
            tx.execute(update(push_count).values(last_at=long_ago))
        assert shop.push(ORDER) == [200]
        pushes.housekeep(world.journal)
        with world.journal.reading() as tx:
            assert [row.state for row in tx.execute(select(alert))] == ["recovered"]


class TestWhatIsSentAway:
    def test_a_connection_that_is_none_is_not_there_and_leaves_no_trace(self, world: World) -> None:
        said = world.post("/in/nobody/order", b"{}", headers={"content-type": "application/json"})
        assert (said.status_code, said.content) == (404, b"")
        assert world.counts() == {}

    def test_it_takes_as_long_as_a_forged_push_to_one_that_exists(self, world: World) -> None:
        head = {"content-type": "application/json", "webhook-id": "m", "webhook-signature": "v1,AAAA"}
        head["webhook-timestamp"] = str(int(time.time()))
        body = b"x" * 500_000

        def seconds(path: str) -> float:
            began = time.perf_counter()
            world.post(path, body, headers=head)
            return time.perf_counter() - began

        known = sorted(seconds("/in/shop/order") for _ in range(15))
        unknown = sorted(seconds("/in/nobody/order") for _ in range(15))
        assert 1 / 3 < unknown[7] / known[7] < 3

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/in/shop/order", 405),
            ("PUT", "/in/shop/order", 405),
            ("POST", "/", 404),
            ("POST", "/in/", 404),
            ("POST", "/in/shop/order/x", 404),
            ("POST", "/in/shop%2F..%2F/order", 404),
            ("POST", "/in/" + "x" * 81, 404),
        ],
    )
    def test_a_wrong_method_or_path_gets_a_bare_status(self, world: World, method: str, path: str, status: int) -> None:
        said = requests.request(method, world.url + path, data=b"{}", timeout=10)
        assert (said.status_code, said.content) == (status, b"")

    def test_a_wrong_content_type_gets_a_bare_status(self, world: World) -> None:
        said = world.post("/in/shop/order", b"<a/>", headers={"content-type": "text/xml"})
        assert (said.status_code, said.content) == (415, b"")

    def test_nothing_of_a_refused_push_is_logged(
        self, world: World, shop: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert shop.push({"raw": "{geheim"}) == [400]
        assert shop.push({"id": "geheim"}, forge="signature") == [401]
        assert "shop" in caplog.text
        assert "geheim" not in caplog.text
        assert SHOP.password not in caplog.text


def test_postgresql_keeps_pushes_alike(postgres_database: str, journal_url: str) -> None:
    both = [pushes.arrived("c", Push((Pushed("s", "k", {"id": "k"}),), "n"), timedelta(days=1), datetime.now(UTC))]
    hinted = pushes.arrived("c", Push((Pushed("s", "h"), Pushed("s", "h"))), timedelta(), datetime.now(UTC))
    with world_of(postgres_database) as world:
        assert pushes.keep(world.journal, [*both, *both, hinted, hinted]) == [True, False, True, True]
        assert pushes.keep(world.journal, both) == [False]
        assert world.messages() == [("k", {"id": "k"})]
        assert world.hints() == {"h": 4}
        assert world.counts() == {("c", "accepted"): 3, ("c", "repeated"): 2}
        pushes.housekeep(world.journal)
        assert pushes.standing(world.journal)[0]["hints"] == 1
