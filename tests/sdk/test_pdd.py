"""pdd-sdk works with the sandbox of 拼多多, and says on the wire what our client says, byte for byte."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.pdd import CONNECTOR
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.protocol import Connector, Done, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.pdd import PddSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors.test_pdd import NIGHT, number_of, seed
from tests.sdk.harness import drive_python

pytestmark = [pytest.mark.slow, pytest.mark.sdk("pdd-sdk 1.0.8")]
APP, SECRET, TOKEN = "CLIENT01", "SECRET-of-the-app", ["access_token", "access-P01"]
SINCE = int(NIGHT.timestamp())
PERIOD = [["start_updated_at", SINCE], ["end_updated_at", SINCE + 1800]]
STATES = [["is_lucky_flag", 0], ["order_status", 5], ["refund_status", 5]]
PAGE = [["page", 1], ["page_size", 100]]
ORDERS, ORDER, SEND = (
    "pdd.order.number.list.increment.get",
    "pdd.order.information.get",
    "pdd.logistics.online.send",
)
STOCK, COMPANIES, REFRESH = "pdd.goods.quantity.update", "pdd.logistics.companies.get", "pdd.pop.auth.token.refresh"
ANSWERS = {
    ORDERS: {"order_sn_increment_get_response": {"total_count": 0, "order_sn_list": []}},
    ORDER: {"order_info_get_response": {"order_info": {"order_status": 1, "refund_status": 1}}},
    COMPANIES: {
        "logistics_companies_get_response": {
            "logistics_companies": [{"id": 44, "logistics_company": "顺丰快递", "available": 1}]
        }
    },
    SEND: {"logistics_online_send_response": {"is_success": True}},
    STOCK: {"goods_quantity_update_response": {"is_success": True}},
}


def driven(url: str, calls: list[Any], at: int | None = None, secret: str = SECRET) -> list[dict[str, Any]]:
    """What the SDK was answered to each call."""
    asked = {"port": urlsplit(url).port, "client_id": APP, "secret": secret, "at": at, "calls": calls}
    said: list[dict[str, Any]] = drive_python("pdd", asked)
    return said


def ours(url: str, folder: Path, at: int) -> Connector:
    extra = {"shops": {"P01": {"access_token": TOKEN[1]}}, "rate": "1000/second"}
    connection = Connection("p", "pdd", url, APP, SECRET, extra=extra)
    return CONNECTOR.open(connection, Services(TokenStore(folder), clock=lambda: float(at)))


class Recorder(BaseHTTPRequestHandler):
    """Keeps what it is sent and answers by the method's name."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.kept.append((self.path, self.headers["Content-Type"], body))  # type: ignore[attr-defined]
        said = codec.encode(ANSWERS[parse_qs(urlsplit(self.path).query)["type"][0]])
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.kept = []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.kept  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def test_the_sdk_renews_a_token_pulls_ships_sets_stock_and_is_refused() -> None:
    sandbox = PddSandbox(Store())
    sandbox.seed(seed())
    token = ["access_token", "$access_token"]
    carried = [["logistics_id", 44], ["tracking_number", "SF1"]]
    with Running(sandbox) as url:
        told = driven(
            url,
            [
                [REFRESH, [["refresh_token", "refresh-P01"]]],
                [ORDERS, [token, *PERIOD, *STATES, *PAGE]],
                [SEND, [token, ["order_sn", number_of(1)], *carried]],
                [STOCK, [token, ["goods_id", 601], ["outer_id", "A0"], ["quantity", 42]]],
                [SEND, [token, ["order_sn", number_of(1)], *carried]],
                [ORDERS, [["access_token", "nobody"], *PERIOD, *STATES]],
            ],
        )
        (wrong,) = driven(url, [[ORDERS, [TOKEN, *PERIOD, *STATES]]], secret="wrong")
    assert len(told[1]["order_sn_increment_get_response"]["order_sn_list"]) == 3
    assert told[2]["logistics_online_send_response"]["is_success"] is True
    assert told[3]["goods_quantity_update_response"]["is_success"] is True
    assert [one["refused"] for one in (told[4], told[5], wrong)] == ["45012", "10019", "20004"]
    assert (sandbox.store.get("order/P01", number_of(1)) or {})["tracking_number"] == "SF1"
    assert (sandbox.store.get("goods/P01", "601") or {})["sku_list"][0]["sku_quantity"] == 42


def test_our_client_says_on_the_wire_what_the_sdk_says(tmp_path: Path) -> None:
    at = int(time.time())
    sku, waybill, order = "面条 A&1", "SF+1/2", number_of(1)
    carried = [["logistics_id", "44"], ["tracking_number", waybill], ["redelivery_type", 1]]
    with recording() as (url, theirs):
        driven(
            url,
            [
                [ORDERS, [TOKEN, *PERIOD, *STATES, *PAGE]],
                [STOCK, [TOKEN, ["goods_id", "601"], ["outer_id", sku], ["quantity", 7], ["update_type", 1]]],
                [ORDER, [TOKEN, ["order_sn", order]]],
                [COMPANIES, [TOKEN]],
                [SEND, [TOKEN, ["order_sn", order], *carried]],
            ],
            at,
        )
    with recording() as (url, own):
        connector = ours(url, tmp_path, at)
        since = datetime.fromtimestamp(SINCE, UTC)
        list(connector.streams["order"].read(Window(since, since + timedelta(minutes=30), "P01")))
        outcomes = [
            *connector.sinks["shop_stock"].write([{"shop": "P01", "goods_id": "601", "sku": sku, "quantity": 7}]),
            *connector.sinks["shipment"].write(
                [{"shop": "P01", "order_sn": order, "carrier": "顺丰快递", "waybill": waybill, "part": False}]
            ),
        ]
    assert [type(outcome) for outcome in outcomes] == [Done, Done]
    assert len(theirs) == 5
    assert own == theirs
