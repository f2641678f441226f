"""Two clients of 抖店 that others wrote work with our sandbox, and one says on the wire what ours says, to the byte."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.doudian import CONNECTOR
from connectors.doudian.connector import Doudian
from connectors.doudian.hook import MessagePush, event_sign
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.connect.protocol import Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.doudian import DoudianSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors.test_doudian import APP, DAY, LINE, ORDER, SECRET, TOOL_APP, figure, parcel, seed
from tests.sdk.harness import drive_python

AT, TOKEN, ITEM = 1_794_369_600, "token-0001", 3_620_000_000_000_000_000
SEARCH = {"page": 0, "size": 100, "order_by": "update_time", "order_asc": True}
EMPTY = {"shop_order_list": [], "items": [], "total": 0, "page": 0, "size": 0, "has_more": False}
SIGNED_IN = {"access_token": TOKEN, "expires_in": 604800, "refresh_token": "refresh", "shop_name": "旗舰店"}


@contextmanager
def served() -> Iterator[tuple[str, DoudianSandbox]]:
    sandbox = DoudianSandbox(Store())
    with Running(sandbox) as url:
        sandbox.seed(seed())
        yield url, sandbox


def changed_on(day: datetime) -> dict[str, int]:
    since = int(day.timestamp())
    return {"update_time_start": since, "update_time_end": since + 86400}


@pytest.mark.slow
@pytest.mark.sdk("doudian 0.6")
class TestDoudian:
    def test_it_signs_in_pulls_writes_and_meets_an_error(self) -> None:
        calls = [
            ["/order/searchList", {**SEARCH, **changed_on(DAY)}],
            ["/sku/syncStock", {"product_id": ITEM, "code": "A1", "stock_num": 42, "incremental": False}],
            ["/order/logisticsAdd", {**_wire(parcel(1, "SF0000000001")), "is_reject_refund": False}],
            ["/sku/stockNum", {"code": "没有的编码"}],
        ]
        with served() as (url, sandbox):
            asked = {"client": "doudian", "url": url, "app_key": TOOL_APP, "secret": SECRET, "code": "code-1001"}
            said = drive_python("doudian", {**asked, "calls": calls, "message": "[]", "signs": []})
            assert said["is_in"] is True
            found, stock, shipped, refused = said["answers"]
            assert [row["order_id"] for row in found["data"]["shop_order_list"]] == [str(ORDER + n) for n in range(3)]
            assert (stock["err_no"], shipped["err_no"]) == (0, 0)
            assert refused["sub_code"] == "isv.parameter-invalid:20050"
            skus = sandbox.store.get("product/1001", str(ITEM))["skus"]
            assert {sku["code"]: sku["stock_num"] for sku in skus}["A1"] == 42
            assert sandbox.store.get("order/1001", str(ORDER + 1))["order_status"] == 3

    def test_a_secret_that_is_wrong_does_not_sign_in(self) -> None:
        with served() as (url, _):
            asked = {"client": "doudian", "url": url, "app_key": TOOL_APP, "secret": "wrong", "code": "code-1001"}
            assert drive_python("doudian", {**asked, "calls": [], "message": "[]", "signs": []})["is_in"] is False

    def test_it_accepts_the_messages_that_our_hook_accepts_and_no_others(self) -> None:
        said = [{"tag": "101", "msg_id": "1", "data": {"p_id": ORDER, "shop_id": 1001, "备注": "加急"}}]
        body = codec.encode_ordered(said)
        signs = [event_sign(APP, body, SECRET), event_sign(APP, body, "another"), "0" * 32]
        asked = {"client": "doudian", "url": "http://127.0.0.1:9", "app_key": APP, "secret": SECRET, "code": "x"}
        theirs = drive_python("doudian", {**asked, "calls": [], "message": body.decode(), "signs": signs})["accepted"]
        hook = MessagePush(Connection("dd", "doudian", login=APP, password=SECRET, extra={"shops": {"1001": {}}}))
        heads = {"content-type": "application/json", "app-id": APP, "event-sign": signs[0]}
        (item,) = hook.verify(Call("", heads, {}, body, datetime.now(UTC))).items
        assert theirs == [said, None, None]
        assert item.key == f"1001:{ORDER}"


@pytest.mark.slow
@pytest.mark.sdk("mcp-cn-commerce 0.1.6")
class TestCommerce:
    def test_it_pulls_from_the_sandbox_and_meets_an_error(self) -> None:
        calls = [
            ["order/searchList", {**SEARCH, **changed_on(DAY)}],
            ["order/orderDetail", {"shop_order_id": str(ORDER)}],
            ["order/orderDetail", {"shop_order_id": "42"}],
        ]
        with served() as (url, sandbox):
            sandbox.store.put("access", TOKEN, {"shop": "1001", "until": int(time.time()) + 600})
            found, one, gone = _commerce(url, calls)
        assert found["total"] == 3
        assert one["shop_order_detail"]["sku_order_list"][0]["order_id"] == str(LINE)
        assert gone == {"refused": "isv.parameter-invalid:20014"}

    def test_our_requests_are_its_requests_byte_for_byte(self, tmp_path: Path) -> None:
        with recording() as (url, kept):
            connector = _ours(url, tmp_path)
            window = Window(DAY, DAY + timedelta(days=1), "1001")
            list(connector.streams["order"].read(window))
            list(connector.streams["aftersale"].read(window))
            connector.sinks["shop_stock"].write([{**figure("编码<&>'é", 7), "product_id": str(ITEM)}])
            connector.sinks["shipment"].write([parcel(0, "SF0000000001"), parcel(0, "SF0000000002", [(0, 1)])])
            mine = [one for one in kept if "/token/" not in one[0]]
            kept.clear()
            calls = [[urlsplit(path).path.strip("/"), codec.decode(body)] for path, body in mine]
            _commerce(url, calls, AT)
            assert [path.split("?")[0] for path, _ in mine] == [
                "/order/searchList",
                "/afterSale/List",
                "/sku/syncStock",
                "/order/logisticsCompanyList",
                "/order/logisticsAdd",
                "/order/logisticsAddMultiPack",
            ]
            assert mine == kept


def _wire(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name != "shop"}


def _commerce(url: str, calls: list[Any], at: int | None = None) -> list[Any]:
    asked = {"client": "commerce", "url": url, "app_key": APP, "secret": SECRET, "token": TOKEN, "shop": "1001"}
    answers: list[Any] = drive_python("doudian", {**asked, "calls": calls, "at": at})["answers"]
    return answers


def _ours(url: str, folder: Path) -> Doudian:
    extra = {"shops": {"1001": {}}, "rate": "1000/second"}
    connection = Connection("dd", "doudian", url, APP, SECRET, extra=extra)
    return CONNECTOR.open(connection, Services(TokenStore(folder), clock=lambda: float(AT)))


class Recorder(BaseHTTPRequestHandler):
    """Keeps the address and the body of what it is sent; answers every call with success."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept.append((self.path, body))  # type: ignore[attr-defined]
        data = SIGNED_IN if self.path.startswith("/token/") else [] if "CompanyList" in self.path else EMPTY
        said = codec.encode({"code": 10000, "msg": "success", "data": data, "log_id": "1"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_HEAD(self) -> None:
        """mcp-cn-commerce looks whether anybody is there."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.kept = []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.kept  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
