"""WooCommerce's own Python and JavaScript clients work with our sandbox and sign as our client signs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from connectors.woocommerce.client import Client
from connectors.woocommerce.oauth import signature
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.woocommerce import WooCommerceSandbox
from tests.sdk.harness import drive_node, drive_python

PYTHON, NODE = "woocommerce 3.0.0", "@woocommerce/woocommerce-rest-api 1.0.2"
KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"
NONCE, MOMENT = "0123456789abcdef0123456789abcdef01234567", 1767323045
LINE = {"id": 5000, "name": "面条", "product_id": 10, "sku": "A0", "quantity": 1, "total": "7.00", "total_tax": "0.00"}
AT = "2026-11-11T04:00:00"
SEED = {
    "keys": {KEY: {"secret": SECRET}},
    "orders": [
        {"id": 1000 + n, "total": "7.00", "line_items": [LINE], "date_created_gmt": AT, "date_modified_gmt": AT}
        for n in range(3)
    ],
    "products": [
        {"id": 10, "sku": "A0", "name": "面条", "manage_stock": True, "stock_quantity": 5},
        {"id": 20, "name": "苹果", "type": "variable", "variation_records": [{"id": 21, "sku": "B红", "name": "红色"}]},
    ],
}
WINDOW = {"_fields": "id,refunds", "dates_are_gmt": "true", "modified_after": "2026-11-10T15:59:59", "per_page": "100"}
# names in order, as they reach the drivers
CALLS: list[tuple[str, str, dict[str, str], Any]] = [
    ("GET", "orders", {}, None),
    ("GET", "orders", WINDOW, None),
    ("GET", "products", {"search": "a b+c&d=e~*'()", "sku": "A0,B红"}, None),
    ("POST", "products", {}, {"name": "新品 é", "regular_price": "19.90", "sku": "N1"}),
    ("PUT", "products/10", {}, {"manage_stock": True, "stock_quantity": 42}),
]


@contextmanager
def site() -> Iterator[tuple[str, WooCommerceSandbox]]:
    sandbox = WooCommerceSandbox(Store())
    sandbox.seed(SEED)
    with Running(sandbox) as url:
        yield url, sandbox


class Recorder(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.kept.append((self.command, self.path, self.headers.get("Content-Type"), body))  # type: ignore[attr-defined]
        said = b"[]" if self.command == "GET" else b"{}"
        self.send_response(200)
        for name, value in {"Content-Type": "application/json", "X-WP-Total": "0", "X-WP-TotalPages": "0"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def recording() -> Iterator[tuple[str, list[tuple[str, str, str | None, bytes]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.kept = []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.kept  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def asked(url: str, do: str, **more: Any) -> dict[str, Any]:
    return {"do": do, "url": url, "key": KEY, "secret": SECRET, **more}


def ours(url: str, folder: Path) -> None:
    """The same calls by our client."""
    services = Services(TokenStore(folder), clock=lambda: float(MOMENT))
    client = Client(Connection("w", "woocommerce", url, KEY, SECRET), services, nonce=lambda: NONCE)
    for method, path, parameters, body in CALLS:
        if method == "GET":
            client.page(path, **parameters)
        else:
            client.write(method, path, body)


def must_be_refused_and_kept(told: dict[str, Any], sku: str) -> None:
    assert told["found"] == ["A0", "B红"]
    assert (told["made"]["sku"], told["made"]["name"], told["made"]["regular_price"]) == (sku, "新品 é", "19.90")
    assert told["again"]["code"] == "product_invalid_sku"
    assert told["again"]["data"]["resource_id"] == told["made"]["id"]
    assert (told["stock"], told["status"]) == (42, "completed")
    assert told["wrong"]["code"] == "woocommerce_rest_authentication_error"


@pytest.mark.slow
@pytest.mark.sdk(PYTHON)
def test_the_python_client_reads_writes_and_is_refused() -> None:
    with site() as (url, sandbox):
        told = drive_python("woocommerce", asked(url, "everything"))
        left = (sandbox.store.get("product", "10") or {})["stock_quantity"]
    must_be_refused_and_kept(told, "SDK-1")
    assert (told["orders"], told["lengths"]) == ([1000, 1001], ["3", "2"])
    assert told["batch"]["update"][1]["error"]["code"] == "woocommerce_rest_product_invalid_id"
    assert (left, told["variation"]["stock_quantity"], told["refund"], told["note"]) == (7, 3, "1.00", "已发货")
    assert told["page"]["code"] == "rest_invalid_param"


@pytest.mark.slow
@pytest.mark.sdk(NODE)
def test_the_javascript_client_reads_writes_and_is_refused() -> None:
    with site() as (url, _):
        told = drive_node("woocommerce", asked(url, "everything"))
    must_be_refused_and_kept(told, "NPM-1")
    assert (told["orders"], told["lengths"]) == ([1002], ["3", "2"])


@pytest.mark.slow
@pytest.mark.sdk(PYTHON)
def test_our_client_says_on_the_wire_what_the_python_client_says(tmp_path: Path) -> None:
    """Byte for byte, but that the vendor's client writes every parameter a second time behind its signed address."""
    with recording() as (url, theirs):
        drive_python("woocommerce", asked(url, "calls", nonce=NONCE, moment=MOMENT, calls=CALLS))
        there = list(theirs)
        theirs.clear()
        ours(url, tmp_path)
    for (method, target, kind, body), wanted, (_, _, parameters, _) in zip(theirs, there, CALLS, strict=True):
        again = f"&{urlencode(parameters)}" if parameters else ""
        assert (method, target + again, kind) == wanted[:3]
        assert body == (codec.encode_ordered(codec.decode(wanted[3])) if wanted[3] else b"")


@pytest.mark.slow
@pytest.mark.sdk(NODE)
def test_our_signature_is_the_javascript_clients() -> None:
    """Byte for byte over the parameters that it sends; it adds oauth_version and sorts them."""
    with recording() as (url, theirs):
        drive_node("woocommerce", asked(url, "calls", nonce=NONCE, moment=MOMENT, calls=CALLS))
    assert len(theirs) == len(CALLS)
    for (method, target, _, body), (_, path, parameters, given) in zip(theirs, CALLS, strict=True):
        sent = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
        assert {name: sent[name] for name in parameters} == parameters
        assert sent["oauth_signature"] == signature(method, f"{url}/wp-json/wc/v3/{path}", sent, SECRET)
        assert not body or codec.decode(body) == given
