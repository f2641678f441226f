"""The vendor's own client works with the sandbox of 畅捷通 T+, and says on the wire what our client says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from connectors.tplus import CONNECTOR
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.protocol import Connector, Done, Refused
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.tplus import DEFAULTS, TPlusSandbox
from tests.sdk.harness import drive_python

pytestmark = [pytest.mark.slow, pytest.mark.sdk("chanjet-openapi-python-sdk 1.0.2")]
CLIENT = DEFAULTS["client"]
VOUCHER = Path(__file__).parents[2] / "mappings/tplus/voucher.out.yaml"
SEED = {
    "inventories": [{"Code": "A1", "Name": "面条", "UnitName": "件", "InventoryClass": {"Code": "01", "Name": "食品"}}],
    "partners": [{"Code": "C001", "Name": "旗舰店", "PartnerType": {"Code": "01", "Name": "客户"}}],
    "warehouses": [{"Code": "CK01", "Name": "主仓"}],
    "stock": [{"InventoryCode": "A1", "WarehouseCode": "CK01", "ExistingQuantity": 9}],
}


def asked(url: str, do: str, **more: Any) -> dict[str, Any]:
    names = ("app_key", "app_secret", "refresh_token")
    return {"do": do, "url": url, **{name: CLIENT[name] for name in names}, **more}


def ours(url: str, folder: Path, refresh_token: str = CLIENT["refresh_token"]) -> Connector:
    extra = {"refresh_token": refresh_token, "rate": "1000/second"}
    connection = Connection("t", "tplus", url, CLIENT["app_key"], CLIENT["app_secret"], extra=extra)
    return CONNECTOR.open(connection, Services(TokenStore(folder)))


def voucher(key: str) -> dict[str, Any]:
    """What our mapping makes of the voucher that the driver posts."""
    rows = [("bank", "113.00", "0"), ("revenue", "0", "100.00"), ("output_vat", "0", "13.00")]
    lines = [
        {
            "line_no": at,
            "summary": "销售",
            "account": account,
            "debit": codec.decode(debit),
            "credit": codec.decode(credit),
        }
        for at, (account, debit, credit) in enumerate(rows, 1)
    ]
    made = {"key": key, "date": "2026-11-11", "word": "记", "attachments": 1, "lines": lines}
    return load_mapping(VOUCHER).run(made, StaticLookup(), {}) or {}


class Recorder(BaseHTTPRequestHandler):
    """Keeps what it is sent; gives a token, or null."""

    def do_GET(self) -> None:
        tokens = {"access_token": "OT", "expires_in": "600", "refresh_token": "RT", "refresh_expires_in": "6000"}
        self.answer({"code": "200", "result": tokens})

    def do_POST(self) -> None:
        self.answer(None)

    def answer(self, value: Any) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.kept.append((self.command, self.path, dict(self.headers.items()), body))  # type: ignore[attr-defined]
        said = codec.encode(value)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str], bytes]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.kept = []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.kept  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def test_the_vendors_client_signs_in_reads_writes_and_is_refused(tmp_path: Path) -> None:
    sandbox = TPlusSandbox(Store())
    sandbox.seed(SEED)
    with Running(sandbox) as url:
        told = drive_python("tplus", asked(url, "everything"))
        refresh_token = (sandbox.store.get("config", "refresh") or {})["value"]
        found = ours(url, tmp_path, refresh_token).sinks
        orders, deliveries = found["sales_order"].find(["SDK-1"]), found["goods_issue"].find(["SDK-2"])
        [again] = found["voucher"].write([voucher("SDK-3")])
    assert [row["Name"] for row in told["inventory"]] == ["面条"]
    assert told["partner"][0]["PartnerClass"] == {"Code": "", "Name": ""}
    assert told["stock"][0]["ExistingQuantity"] == "9"
    assert [told[name] for name in ("product", "order", "delivery", "voucher")] == [None] * 4
    assert told["party"] == "P9"
    assert (told["again"]["code"], "SDK-3" in told["again"]["message"]) == ("999", True)
    assert told["dead"] == {"code": "50107", "message": "openToken已失效"}
    assert {name: str(value) for name, value in orders["SDK-1"].figures.items()} == {"gross": "36.16", "qty": "5"}
    assert {name: str(value) for name, value in deliveries["SDK-2"].figures.items()} == {"gross": "90", "qty": "5"}
    assert isinstance(again, Refused)


def test_our_client_says_on_the_wire_what_the_vendors_says(tmp_path: Path) -> None:
    with recording() as (url, theirs):
        drive_python("tplus", asked(url, "one_voucher", key="sale:S01:1"))
    with recording() as (url, own):
        [outcome] = ours(url, tmp_path).sinks["voucher"].write([voucher("sale:S01:1")])
    assert isinstance(outcome, Done)
    assert [kept[:2] for kept in own] == [kept[:2] for kept in theirs]
    for (*_, sent, body), (*_, wanted, there) in zip(own, theirs, strict=True):
        names = ["appKey", "appSecret", "Content-Type", *(["openToken"] if there else [])]
        assert {name: sent.get(name) for name in names} == {name: wanted.get(name) for name in names}
        assert body == (codec.encode_ordered(codec.decode(there)) if there else b"")
