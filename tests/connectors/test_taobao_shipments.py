"""Parcels told to a shop: whole orders, parts of orders, and what must not leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.taobao import CONNECTOR
from connectors.taobao.shipments import ShipmentSink
from duijie.connect.connection import Connection
from duijie.connect.protocol import Done, Refused
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.taobao import TaobaoSandbox

TID, OIDS = 3_204_086_667_211_110_000, (3_204_086_667_211_110_001, 3_204_086_667_211_110_002)


def seed(status: str = "WAIT_SELLER_SEND_GOODS") -> dict[str, Any]:
    lines = [{"oid": oid, "outer_sku_id": "A1", "num": 1, "divide_order_fee": "7.00"} for oid in OIDS]
    moment = {"created": "2026-11-11 09:00:00", "modified": "2026-11-11 09:00:00"}
    trade = {"shop": "S01", "tid": TID, "status": status, **moment, "payment": "14.00", "orders": {"order": lines}}
    shop = {"nick": "旗舰店", "user_id": 1, "session": "sess-S01", "refresh_token": "refresh-S01"}
    return {"apps": {"1": "secret-0123"}, "shops": {"S01": shop}, "trades": [trade]}


@pytest.fixture
def sandbox() -> TaobaoSandbox:
    return TaobaoSandbox(Store())


@pytest.fixture
def sink(sandbox: TaobaoSandbox, tmp_path: Path) -> Iterator[ShipmentSink]:
    sandbox.seed(seed())
    with Running(sandbox) as url:
        extra = {"shops": {"S01": {"session": "sess-S01", "refresh_token": "refresh-S01"}}}
        connection = Connection("shop", "taobao", host=url, login="1", password="secret-0123", extra=extra)
        found = CONNECTOR.open(connection, Services(TokenStore(tmp_path))).sinks["shipment"]
        assert isinstance(found, ShipmentSink)
        yield found


def parcel(waybill: str = "SF1", **more: Any) -> dict[str, Any]:
    return {"shop": "S01", "tid": str(TID), "out_sid": waybill, "company_code": "SF", **more}


def lines(sandbox: TaobaoSandbox) -> list[str | None]:
    [trade] = sandbox.store.all("trade/S01")
    return [line.get("invoice_no") for line in trade["orders"]["order"]]


def test_a_whole_order_leaves_in_one_parcel_and_is_found_by_its_waybill(
    sandbox: TaobaoSandbox, sink: ShipmentSink
) -> None:
    [outcome] = sink.write([parcel()])
    assert isinstance(outcome, Done)
    assert lines(sandbox) == ["SF1", "SF1"]
    assert sandbox.store.all("trade/S01")[0]["status"] == "WAIT_BUYER_CONFIRM_GOODS"
    key = sink.key_of(parcel())
    assert sink.find([key, "S01:1:SF1", f"S01:{TID}:SF2"]).keys() == {key}


def test_two_parcels_of_one_order_are_two_parts(sandbox: TaobaoSandbox, sink: ShipmentSink) -> None:
    first, second = (parcel(f"SF{at}", sub_tid=str(oid)) for at, oid in enumerate(OIDS, 1))
    assert isinstance(sink.write([first])[0], Done)
    assert lines(sandbox) == ["SF1", None]
    assert sandbox.store.all("trade/S01")[0]["status"] == "SELLER_CONSIGNED_PART"
    assert isinstance(sink.write([second])[0], Done)
    assert lines(sandbox) == ["SF1", "SF2"]


def test_a_second_parcel_of_a_whole_order_is_refused(sink: ShipmentSink) -> None:
    sink.write([parcel()])
    [again] = sink.write([parcel("SF2")])
    assert isinstance(again, Refused)
    assert "不允许发货" in again.zh


@pytest.mark.parametrize("status", ["PAID_FORBID_CONSIGN", "WAIT_BUYER_PAY", "TRADE_CLOSED"])
def test_what_may_not_leave_is_refused_by_the_shop(sandbox: TaobaoSandbox, sink: ShipmentSink, status: str) -> None:
    sandbox.seed(seed(status))
    [outcome] = sink.write([parcel()])
    assert isinstance(outcome, Refused)
    assert lines(sandbox) == [None, None]
