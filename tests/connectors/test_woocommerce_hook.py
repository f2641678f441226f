"""WooCommerce's webhooks: what a delivery may say, and what becomes of it at the ingress."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.woocommerce import CONNECTOR
from connectors.woocommerce.hook import WooHook, sign
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, Forged, MalformedMessage
from duijie.connect.hooks import Call, Pushed
from duijie.ingress import Ingress, Limits
from duijie.ingress.doors import Doors
from duijie.ingress.durable import open_durable
from duijie.journal import Journal
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.woocommerce import WooCommerceSandbox
from tests.ingress.conftest import Sender, World, serving

WEBHOOK = "whsecret"
CONNECTION = Connection("woo", "woocommerce", extra={"webhook_secret": WEBHOOK})


def site() -> WooCommerceSandbox:
    made = WooCommerceSandbox(Store())
    orders = [
        {"id": 1000 + n, "total": "7.00", "refund_records": [{"id": 2000 + n, "amount": "1.00"}]} for n in range(3)
    ]
    made.seed({"webhook_secret": WEBHOOK, "orders": orders, "products": [{"id": 10, "sku": "A0", "name": "面条"}]})
    return made


def delivery(body: bytes, topic: str = "order.updated", **headers: str) -> Call:
    own = {"x-wc-webhook-topic": topic, "x-wc-webhook-signature": sign(WEBHOOK, body), "x-wc-webhook-id": "7"}
    return Call("", {**own, "x-wc-webhook-delivery-id": "d1", **headers}, {}, body, datetime.now(UTC))


@pytest.fixture
def hook() -> WooHook:
    return WooHook(Connection("woo", "woocommerce", extra={"webhook_secret": WEBHOOK}))


def test_the_signature_of_a_webhook_agrees_with_a_known_one() -> None:
    assert sign("whsecret", b'{"id":1,"note":"hi"}') == "iQPgdVbU8f/sBrHh67IcAMPSf6Yjkk4kN7wIDRWcwNQ="


@pytest.mark.parametrize(
    ("topic", "body", "items"),
    [
        ("order.created", {"id": 7, "billing": {"phone": "13800000000"}}, [("order", "7")]),
        ("order.updated", {"id": 7, "refunds": [{"id": 8}]}, [("order", "7"), ("refund", "7:8")]),
        ("order.deleted", {"id": 7}, [("order", "7")]),
        ("product.updated", {"id": 9, "sku": "A1"}, [("product", "A1"), ("listing", "A1")]),
        ("product.deleted", {"id": 9}, []),
        ("coupon.created", {"id": 3}, []),
        ("order.updated", {"id": True, "refunds": 5}, []),
    ],
)
def test_a_delivery_says_what_to_read_again_and_nothing_more(
    hook: WooHook, topic: str, body: dict[str, Any], items: list[tuple[str, str]]
) -> None:
    push = hook.verify(delivery(codec.encode(body), topic))
    assert list(push.items) == [Pushed(*item) for item in items]
    assert push.nonce == "7 d1"


def test_what_the_site_sends_when_a_webhook_is_saved_is_answered(hook: WooHook) -> None:
    ping = Call("", {"content-type": "application/x-www-form-urlencoded"}, {}, b"webhook_id=12", datetime.now(UTC))
    assert hook.verify(ping).items == ()
    assert hook.accepted.status == 200


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (delivery(b'{"id":7}', **{"x-wc-webhook-signature": ""}), Forged),
        (delivery(b'{"id":7}', **{"x-wc-webhook-signature": sign("other", b'{"id":7}')}), Forged),
        (delivery(b'{"id":7}', **{"x-wc-webhook-signature": "签名"}), Forged),
        (Call("", {}, {}, b"webhook_id=12&id=7", datetime.now(UTC)), Forged),
        (delivery(b"[7]"), MalformedMessage),
        (delivery(b"\xff"), MalformedMessage),
    ],
)
def test_what_is_not_signed_or_cannot_be_read_is_refused(hook: WooHook, call: Call, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        hook.verify(call)


def test_a_connection_without_the_secret_takes_no_webhooks() -> None:
    with pytest.raises(ConfigError, match="webhook_secret"):
        WooHook(Connection("woo", "woocommerce"))


def test_the_sandbox_delivers_as_a_site_does(hook: WooHook) -> None:
    sandbox = site()
    parcel = sandbox.pack("http://127.0.0.1/in/woo", {"topic": "order.updated", "id": 1001}, timedelta())
    call = Call("", parcel.headers, {}, parcel.body, datetime.now(UTC))
    assert hook.verify(call).items == (Pushed("order", "1001"), Pushed("refund", "1001:2001"))
    gone = sandbox.pack("http://127.0.0.1/in/woo", {"topic": "order.deleted", "id": 1001}, timedelta())
    assert gone.body == b'{"id":1001}'
    assert sandbox.pack("http://127.0.0.1/in/woo", {"ping": True}, timedelta()).body.startswith(b"webhook_id=")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    journal = Journal.open(url)
    doors = Doors(lambda: [CONNECTION], {"woocommerce": CONNECTOR}.__getitem__)
    with serving(Ingress(lambda: open_durable(url), doors, Limits())) as address:
        yield World(journal, address)
    journal.engine.dispose()


@pytest.fixture
def shop(world: World) -> Iterator[Sender]:
    with Running(site()) as url:
        yield Sender(url, f"{world.url}/in/woo")


def test_a_delivery_leaves_hints_and_nothing_of_the_buyer(world: World, shop: Sender) -> None:
    assert shop.push({"topic": "order.updated", "id": 1001}, {"topic": "product.updated", "id": 10}) == [200, 200]
    assert world.hints() == {"1001": 1, "1001:2001": 1, "A0": 1}
    assert world.messages() == []


def test_saving_a_webhook_succeeds_and_leaves_nothing(world: World, shop: Sender) -> None:
    assert shop.push({"ping": True}) == [200]
    assert world.hints() == {}


def test_a_doubled_delivery_is_answered_and_counted_once(world: World, shop: Sender) -> None:
    assert shop.push({"topic": "order.created", "id": 1001}, copies=3) == [200, 200, 200]
    assert world.hints()["1001"] == 1


@pytest.mark.parametrize("forge", ["signature", "body"])
def test_a_forged_or_changed_delivery_leaves_nothing(world: World, shop: Sender, forge: str) -> None:
    assert shop.push({"topic": "order.created", "id": 1001}, forge=forge) == [401]
    assert world.hints() == {}
