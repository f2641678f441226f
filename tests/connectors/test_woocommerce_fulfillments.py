"""WooCommerce's fulfilment records: a parcel is in the shop once, whatever the line does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.woocommerce import CONNECTOR
from connectors.woocommerce.fulfillments import FulfillmentSink
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Done, Refused, Unknown
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.woocommerce import WooCommerceSandbox

KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"
LINES = [
    {"id": 501, "name": "面条", "product_id": 10, "quantity": 2},
    {"id": 502, "name": "苹果", "product_id": 11, "quantity": 1},
]


@pytest.fixture
def sandbox() -> Iterator[WooCommerceSandbox]:
    made = WooCommerceSandbox(Store())
    orders = [{"id": 1001, "total": "7.00", "line_items": LINES}]
    made.seed({"keys": {KEY: {"secret": SECRET}}, "orders": orders, "fulfillments": True})
    with Running(made) as made.url:
        yield made


@pytest.fixture
def connect(sandbox: WooCommerceSandbox, tmp_path: Path) -> Callable[..., FulfillmentSink]:
    def open_it(**extra: Any) -> FulfillmentSink:
        given = {"rate": "10000/second", "shipments": "fulfillments", **extra}
        connection = Connection("woo", "woocommerce", sandbox.url, KEY, SECRET, extra=given)
        return CONNECTOR.open(connection, Services(TokenStore(tmp_path))).sinks["shipment"]

    return open_it


def parcel(waybill: str, *lines: tuple[str, int], number: str = "1001") -> dict[str, Any]:
    made = {"order_no": number, "carrier": "顺丰速运", "waybill": waybill}
    return {**made, "lines": [{"oid": oid, "qty": qty} for oid, qty in lines]} if lines else made


def fault(sandbox: WooCommerceSandbox, **rule: Any) -> None:
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode([rule]), timeout=5)


def items(sandbox: WooCommerceSandbox) -> list[Any]:
    records = sandbox.store.all("fulfillment")
    return [meta["value"] for row in records for meta in row["meta_data"] if meta["key"] == "_items"]


def status(sandbox: WooCommerceSandbox) -> str:
    return str(sandbox.store.get("order", "1001")["status"])


def test_parcels_become_records_and_the_last_one_completes_the_order(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink]
) -> None:
    sink = connect()
    assert isinstance(sink.write([parcel("SF1", ("501", 1))])[0], Done)
    assert status(sandbox) == "processing"
    assert isinstance(sink.write([parcel("SF2")])[0], Done), "one without lines takes what is left"
    assert items(sandbox) == [[{"item_id": 501, "qty": 1}], [{"item_id": 501, "qty": 1}, {"item_id": 502, "qty": 1}]]
    assert status(sandbox) == "completed"
    found = sink.find(["1001:SF1", "1001:SF2", "1001:SF3", "7:SF1"])
    assert {key: dict(one.figures) for key, one in found.items()} == {"1001:SF1": {"qty": 1}, "1001:SF2": {}}
    record = sandbox.store.all("fulfillment")[0]
    meta = {row["key"]: row["value"] for row in record["meta_data"]}
    assert (meta["_tracking_number"], meta["_shipment_provider"], record["status"]) == ("SF1", "顺丰速运", "fulfilled")


def test_a_parcel_written_twice_is_one_record(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink]
) -> None:
    for _ in range(2):
        assert isinstance(connect().write([parcel("SF1", ("501", 1))])[0], Done)
    assert len(items(sandbox)) == 1


@pytest.mark.parametrize("kind", ["lose_answer", "malformed"])
def test_a_record_without_an_answer_is_unknown_and_found(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink], kind: str
) -> None:
    sink = connect()
    fault(sandbox, kind=kind, count=1, writes=True)
    assert isinstance(sink.write([parcel("SF1", ("501", 2), ("502", 1))])[0], Unknown)
    assert sink.find(["1001:SF1"]) == {}, "its order is not completed yet"
    assert isinstance(sink.write([parcel("SF1", ("501", 2), ("502", 1))])[0], Done)
    assert dict(sink.find(["1001:SF1"])["1001:SF1"].figures) == {"qty": 3}
    assert (len(items(sandbox)), status(sandbox)) == (1, "completed")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (parcel("SF1", ("999", 1)), "woocommerce:no-such-line"),
        (parcel("SF1", ("A-1", 1)), "woocommerce:no-such-line"),
        (parcel("SF1", number="42"), "woocommerce:woocommerce_rest_shop_order_invalid_id"),
        (parcel("SF1", ("501", 0)), "woocommerce:0"),
    ],
)
def test_what_the_shop_cannot_take_is_refused_with_what_to_do(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink], payload: dict[str, Any], code: str
) -> None:
    (outcome,) = connect().write([payload])
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert "重放" in outcome.zh
    assert items(sandbox) == []


def test_an_order_of_which_nothing_is_left_takes_no_parcel_without_lines(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink]
) -> None:
    sink = connect()
    sink.write([parcel("SF1")])
    (outcome,) = sink.write([parcel("SF2")])
    assert isinstance(outcome, Refused)
    assert outcome.code == "woocommerce:nothing-left"


def test_a_site_without_the_feature_says_so(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink]
) -> None:
    sandbox.store.drop("config", "fulfillments")
    (outcome,) = connect().write([parcel("SF1")])
    assert isinstance(outcome, Refused)
    assert outcome.code == "woocommerce:rest_no_route"


@pytest.mark.parametrize(("note", "mails"), [("", 0), ("private", 0), ("customer", 1)])
def test_the_buyer_is_told_once_where_the_connection_says_so(
    sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink], note: str, mails: int
) -> None:
    for _ in range(2):
        connect(shipment_note=note).write([parcel("SF1", ("501", 1))])
    assert len(sandbox.store.all("mail")) == mails


def test_a_cancelled_order_is_left_alone(sandbox: WooCommerceSandbox, connect: Callable[..., FulfillmentSink]) -> None:
    sandbox.seed({"orders": [{"id": 1001, "status": "cancelled", "line_items": LINES}]})
    (outcome,) = connect().write([parcel("SF1")])
    assert isinstance(outcome, Refused)
    assert items(sandbox) == []


def test_a_way_that_is_none_is_refused(connect: Callable[..., FulfillmentSink]) -> None:
    with pytest.raises(ConfigError, match="order, fulfillments"):
        connect(shipments="plugin")
