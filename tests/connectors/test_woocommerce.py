"""WooCommerce: what the connector promises, told against a sandbox that is as strict as a site."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests

from connectors.woocommerce import CONNECTOR
from connectors.woocommerce.client import Listed, error_for
from connectors.woocommerce.connector import WooCommerce
from connectors.woocommerce.oauth import signature, signed
from connectors.woocommerce.orders import changed
from connectors.woocommerce.pages import ahead
from connectors.woocommerce.shipments import PREFIX
from duijie import codec, schemas
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, CredentialError, VendorRejected
from duijie.connect.protocol import Done, Incident, Later, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.woocommerce import WooCommerceSandbox
from tests.connectors.certificate import certified

KEY, SECRET, WEBHOOK = "ck_0123456789abcdef", "cs_fedcba9876543210", "whsecret"
DAY = datetime(2026, 11, 11, tzinfo=timezone(timedelta(hours=8)))
WHOLE_DAY = Window(DAY, DAY + timedelta(days=1))
MAPPINGS = Path(__file__).parents[2] / "mappings" / "woocommerce"
PRODUCTS = {sku: {"tax_rate": Decimal("0.13"), "unit": "件"} for sku in ("A0", "A1", "A2", "B红")}
LOOKUP = StaticLookup({"tax_rate": {"standard": "0.13"}}, {"product": PRODUCTS})


def order(number: int, **changes: Any) -> dict[str, Any]:
    moment = f"{DAY.astimezone(UTC) + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}"
    line = {"id": 5000 + number, "name": "面条", "product_id": 10, "variation_id": 0, "sku": "A0", "quantity": 2}
    amounts = {"subtotal": "8.00", "subtotal_tax": "0.00", "total": "7.00", "total_tax": "0.00", "meta_data": []}
    dates = {f"date_{name}_gmt": moment for name in ("created", "modified", "paid")}
    return {"id": 1000 + number, "total": "7.00", "line_items": [{**line, **amounts}], **dates, **changes}


def seed(orders: int = 3, **more: Any) -> dict[str, Any]:
    kept = {"manage_stock": True, "stock_quantity": 5, "regular_price": "7.00"}
    variation = {"id": 21, "sku": "B红", "name": "红色", **kept}
    return {
        "keys": {KEY: {"secret": SECRET}, "ck_reader": {"secret": SECRET, "permissions": "read"}},
        "webhook_secret": WEBHOOK,
        "orders": [order(number) for number in range(orders)],
        "products": [
            *({"id": 10 + n, "sku": f"A{n}", "name": f"商品{n}", **kept} for n in range(3)),
            {"id": 20, "name": "苹果", "type": "variable", "variation_records": [variation]},
        ],
        **more,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[WooCommerceSandbox]:
    made = WooCommerceSandbox(Store())
    with Running(made) as made.url:
        yield made


@pytest.fixture
def sandbox(server: WooCommerceSandbox) -> WooCommerceSandbox:
    """The one server of this file, as new."""
    server.__init__(Store())
    server.seed(seed())
    return server


@pytest.fixture
def incidents() -> list[Incident]:
    return []


@pytest.fixture
def connect(sandbox: WooCommerceSandbox, tmp_path: Path, incidents: list[Incident]) -> Callable[..., WooCommerce]:
    def open_it(**changes: Any) -> WooCommerce:
        fields = {"host": sandbox.url, "login": KEY, "password": SECRET, **changes}
        extra = {"shop": "WOO", "rate": "10000/second"} | fields.pop("extra", {})
        services = Services(TokenStore(tmp_path / "tokens"), incidents.append)
        return CONNECTOR.open(Connection("woo", "woocommerce", extra=extra, **fields), services)

    return open_it


def records(connector: WooCommerce, stream: str, window: Window = WHOLE_DAY) -> list[dict[str, Any]]:
    return [record for page in connector.streams[stream].read(window) for record in page.records]


def ask(
    sandbox: WooCommerceSandbox,
    method: str,
    path: str,
    body: Any = None,
    *,
    spoil: Callable[..., Any] = dict,
    **query: str,
) -> requests.Response:
    """One raw call, signed, with what `spoil` makes of its parameters."""
    url = f"{sandbox.url}/wp-json/wc/v3/{path}"
    moment = int(sandbox.now().timestamp())
    sandbox.asked = getattr(sandbox, "asked", 0) + 1
    given = spoil(signed(method, url, query, KEY, SECRET, moment=moment, nonce=f"nonce{sandbox.asked}"))
    sent = None if body is None else codec.encode(body)
    headers = {"Content-Type": "application/json"}
    return requests.request(method, f"{url}?{urlencode(given)}", data=sent, headers=headers, timeout=5)


def fault(sandbox: WooCommerceSandbox, **rule: Any) -> None:
    requests.post(f"{sandbox.url}/_admin/faults", data=codec.encode([rule]), timeout=5)


VECTOR = {
    "oauth_consumer_key": "ck_test",
    "oauth_timestamp": "1767323045",
    "oauth_nonce": "0123456789abcdef0123456789abcdef01234567",
    "oauth_signature_method": "HMAC-SHA256",
}


def test_the_signature_agrees_with_the_vendors_client() -> None:
    url = "http://shop.example/wp-json/wc/v3/orders"
    assert signature("GET", url, VECTOR, "cs_test") == "mk2gFTloarjeDbttUbxtTldj2wy3qI4PNR8P2nNme0A="
    made = signed("GET", url, {}, "ck_test", "cs_test", moment=1767323045, nonce=VECTOR["oauth_nonce"])
    assert made == {**VECTOR, "oauth_signature": "mk2gFTloarjeDbttUbxtTldj2wy3qI4PNR8P2nNme0A="}


def test_the_signature_of_rfc_5849_counts_every_character(sandbox: WooCommerceSandbox) -> None:
    found = ask(sandbox, "GET", "products", sku="A0,B红/~!*'() +&=%25", _fields="id,sku")
    assert (found.status_code, found.headers["X-WP-Total"]) == (200, "1")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda given: {**given, "oauth_signature": "AAAA"}, "signature does not match"),
        (lambda given: {**given, "per_page": "99"}, "signature does not match"),
        (lambda given: {**given, "oauth_consumer_key": "ck_nobody"}, "Consumer key is invalid"),
        (lambda given: {**given, "oauth_signature_method": "PLAINTEXT"}, "signature method is invalid"),
    ],
)
def test_the_sandbox_refuses_what_is_signed_wrongly(
    sandbox: WooCommerceSandbox, spoil: Callable[..., Any], said: str
) -> None:
    answer = ask(sandbox, "GET", "orders", spoil=spoil)
    assert answer.status_code == 401
    assert answer.json()["code"] == "woocommerce_rest_authentication_error"
    assert said in answer.json()["message"]


def test_a_nonce_counts_once_and_a_parameter_that_comes_twice_counts_last(sandbox: WooCommerceSandbox) -> None:
    url = f"{sandbox.url}/wp-json/wc/v3/orders"
    given = signed("GET", url, {"per_page": "2"}, KEY, SECRET, moment=int(sandbox.now().timestamp()), nonce="n")
    twice = f"{url}?per_page=9&{urlencode(given)}&per_page=2"
    assert requests.get(twice, timeout=5).status_code == 200
    assert "nonce has already been used" in requests.get(twice, timeout=5).json()["message"]


def test_basic_does_not_count_without_tls(sandbox: WooCommerceSandbox) -> None:
    answer = requests.get(f"{sandbox.url}/wp-json/wc/v3/orders", auth=(KEY, SECRET), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, "woocommerce_rest_cannot_view")


def test_over_tls_the_connection_uses_basic_and_signs_nothing(
    connect: Callable[..., WooCommerce], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = WooCommerceSandbox(Store())
    site.seed(seed(orders=250))
    with certified(site.app(), tmp_path) as (url, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        connector = connect(host=url)
        assert connector.check() == [("订单", "250 条"), ("商品", "4 条")]
        assert len(records(connector, "order")) == 250
        with pytest.raises(CredentialError, match="Consumer secret is invalid"):
            connect(host=url, password="cs_wrong").check()
    assert not site._nonces


def test_a_site_with_a_certificate_of_nobody_is_not_called(connect: Callable[..., WooCommerce], tmp_path: Path) -> None:
    with certified(WooCommerceSandbox(Store()).app(), tmp_path) as (url, _):
        outcome = connect(host=url).sinks["shop_stock"].write([{"sku": "A0", "item": "10", "quantity": 1}])
    assert isinstance(outcome[0], Later)


@pytest.mark.parametrize(("login", "password"), [(KEY, "cs_wrong"), ("ck_nobody", SECRET)])
def test_a_wrong_key_is_a_credential_error_that_names_the_clock_too(
    connect: Callable[..., WooCommerce], login: str, password: str
) -> None:
    with pytest.raises(CredentialError, match="clock") as caught:
        connect(login=login, password=password).check()
    assert "时钟" in caught.value.zh


def test_a_key_that_may_only_read_blocks_no_document_for_good(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    connector = connect(login="ck_reader")
    assert len(records(connector, "order")) == 3
    (outcome,) = connector.sinks["shop_stock"].write([{"sku": "A0", "quantity": 1}])
    assert isinstance(outcome, Later)
    assert "读写权限" in outcome.zh


def test_a_window_takes_its_first_second_and_leaves_its_last(connect: Callable[..., WooCommerce]) -> None:
    minute = timedelta(minutes=1)
    first = records(connect(), "order", Window(DAY, DAY + minute))
    second = records(connect(), "order", Window(DAY + minute, DAY + 2 * minute))
    assert [row["id"] for row in first + second] == [1000, 1001]


def test_times_are_asked_for_in_gmt_and_without_a_zone(sandbox: WooCommerceSandbox) -> None:
    asked = changed(WHOLE_DAY)
    assert (asked["modified_after"], asked["modified_before"]) == ("2026-11-10T15:59:59", "2026-11-11T16:00:00")
    with_zone = {**asked, "modified_after": "2026-11-10T15:59:59Z", "modified_before": "2026-11-11T16:00:00Z"}
    assert ask(sandbox, "GET", "orders", **asked).headers["X-WP-Total"] == "3"
    assert ask(sandbox, "GET", "orders", **with_zone).headers["X-WP-Total"] == "0", "moved into the site's own zone"


def test_every_order_of_the_window_comes_once_with_its_shop(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sandbox.seed(seed(orders=1234))
    found = records(connect(extra={"connections": "16"}), "order")
    assert [row["id"] for row in found] == [1000 + number for number in range(1234)]
    assert {row["shop"] for row in found} == {"WOO"}


def test_every_page_tells_how_long_the_list_was(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sandbox.seed(seed(orders=250))
    pages = iter(connect().streams["order"].read(WHOLE_DAY))
    assert next(pages).total == 250
    sandbox.shift_pages()
    assert {page.total for page in pages} == {249}


def test_a_page_that_is_no_list_is_read_again_wherever_it_stands(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sandbox.seed(seed(orders=450))
    connector = connect()
    for page in ("page=1&", "page=3&", "page=5&"):
        fault(sandbox, kind="malformed", match=page, count=1)
        assert len({row["id"] for row in records(connector, "order")}) == 450
        assert sandbox.faults[0].fired == 1


def test_addresses_phones_and_mails_are_not_asked_for(connect: Callable[..., WooCommerce]) -> None:
    found = records(connect(), "order")
    assert "13800000000" not in str(found)
    assert not {"billing", "shipping", "customer_note", "meta_data"} & set(found[0])


def test_named_orders_come_by_id_and_what_is_no_number_is_nobody(connect: Callable[..., WooCommerce]) -> None:
    keys = ("1001", "42", "A-1", "１００２")
    assert [row["id"] for row in records(connect(), "order", Window(DAY, DAY, keys=keys))] == [1001]


def test_a_list_without_its_length_is_never_taken_for_the_end(
    connect: Callable[..., WooCommerce], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()._client
    monkeypatch.setattr(client, "_read", lambda path, _: Listed([], -1, -1))
    with pytest.raises(AnswerLost, match="X-WP-Total"):
        client.page("orders")


def refund(number: int, **changes: Any) -> dict[str, Any]:
    meta = [{"id": 1, "key": "_refunded_item_id", "value": "5001"}]
    line = {"id": 8000 + number, "name": "面条", "product_id": 10, "sku": "A0", "quantity": -1, "meta_data": meta}
    amounts = {"subtotal": "-3.50", "total": "-3.50", "subtotal_tax": "0.00", "total_tax": "0.00"}
    made = {"id": 3000 + number, "amount": "3.50", "date_created_gmt": "2026-11-11T02:00:00"}
    return {**made, "line_items": [{**line, **amounts}], **changes}


def test_refunds_come_with_their_order(sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]) -> None:
    sandbox.seed({"orders": [order(1, refund_records=[refund(number) for number in range(120)])]})
    found = records(connect(), "refund")
    assert len({row["id"] for row in found}) == len(found) == 120
    first = found[0]
    assert (first["order_id"], first["shop"], first["currency"]) == (1001, "WOO", "CNY")
    keyed = Window(DAY, DAY, keys=("1001:3007", "1001:42", "7:3007"))
    assert [row["id"] for row in records(connect(), "refund", keyed)] == [3007]


def test_a_refund_made_in_the_shop_changes_its_order_and_so_is_found(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    body = {"amount": "3.50", "reason": "破损", "line_items": [{"id": 5001, "quantity": 1, "refund_total": "3.50"}]}
    assert ask(sandbox, "POST", "orders/1001/refunds", {**body, "api_refund": False}).status_code == 201
    now = datetime.now(UTC)
    (found,) = records(connect(), "refund", Window(now - timedelta(minutes=5), now + timedelta(minutes=5)))
    ((entity, document),) = load_mapping(MAPPINGS / "sales_refund.in.yaml").documents(found, LOOKUP, {})
    schemas.check(entity, document)
    assert (document["oid"], document["qty"], document["amount"]) == ("5001", 1, Decimal("3.50"))
    assert (document["phase"], document["kind"]) == ("before_completion", "money_only")


def test_the_catalogue_brings_single_products_and_variations_with_their_product(
    connect: Callable[..., WooCommerce],
) -> None:
    found = {row["sku"]: row for row in records(connect(), "product")}
    assert {sku: row["item"] for sku, row in found.items()} == {"A0": "10", "A1": "11", "A2": "12", "B红": "20:21"}
    assert found["B红"]["parent"]["name"] == "苹果"
    (keyed,) = records(connect(), "product", Window(DAY, DAY, keys=("B红", "a0", "NONE")))
    assert keyed == found["B红"], "by key it is the same record; capitals are another key"


def test_the_shipped_mappings_make_valid_documents_of_what_comes(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sandbox.seed({"orders": [order(1, refund_records=[refund(1)])]})
    made = {}
    for stream, entity in (
        ("order", "sales_order"),
        ("refund", "sales_refund"),
        ("product", "product"),
        ("listing", "listing"),
    ):
        mapping = load_mapping(MAPPINGS / f"{entity}.in.yaml")
        for record in records(connect(), stream):
            for kind, document in mapping.documents(record, LOOKUP, {}):
                schemas.check(kind, document)
                made.setdefault(kind, []).append(document)
    assert {kind: len(some) for kind, some in made.items()} == {
        "sales_order": 3, "sales_refund": 1, "product": 4, "listing": 4,
    }  # fmt: skip
    first = made["sales_order"][0]
    assert (first["gross"], first["seller_discount"], first["business_date"]) == (7, 1, "2026-11-11")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_mapping_passes_its_own_tests(path: Path) -> None:
    results = run_tests(load_mapping(path))
    assert results
    assert [result.differences for result in results if not result.passed] == []


def held(sandbox: WooCommerceSandbox, sku: str) -> dict[str, Any]:
    return next(row for row in sandbox.store.all("product") if row["sku"] == sku)


def test_quantities_are_written_a_product_and_its_variations_apart_and_read_back(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sink = connect().sinks["shop_stock"]
    payloads = [{"sku": "A0", "quantity": 1}, {"sku": "B红", "quantity": 2}, {"sku": "A2", "item": "12", "quantity": 0}]
    outcomes = sink.write(payloads)
    assert [(type(one), getattr(one, "native_no", "")) for one in outcomes] == [
        (Done, "A0"), (Done, "B红"), (Done, "A2"),
    ]  # fmt: skip
    found = sink.find(["A0", "B红", "A2", "NONE"])
    assert {key: dict(one.figures) for key, one in found.items()} == {
        "A0": {"quantity": 1}, "B红": {"quantity": 2}, "A2": {"quantity": 0},
    }  # fmt: skip
    assert sink.safety is Safety.ABSOLUTE
    assert held(sandbox, "A2")["stock_status"] == "outofstock"


def test_a_product_whose_stock_was_not_counted_is_counted_from_then_on(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sandbox.seed({"products": [{"id": 10, "sku": "A0", "name": "面条", "manage_stock": False}]})
    sink = connect().sinks["shop_stock"]
    assert dict(sink.find(["A0"])["A0"].figures) == {}, "no figure at all, so that none equals it"
    sink.write([{"sku": "A0", "quantity": 3}])
    assert (held(sandbox, "A0")["manage_stock"], held(sandbox, "A0")["stock_quantity"]) == (True, 3)


def test_more_than_a_hundred_figures_are_parted_and_one_that_is_wrong_hurts_no_other(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sandbox.seed({"products": [{"id": 1000 + n, "sku": f"C{n}", "name": "面条"} for n in range(250)]})
    payloads = [{"sku": f"C{n}", "item": str(1000 + n), "quantity": n} for n in range(250)]
    payloads[120]["item"] = "424242"
    payloads[130] = {"sku": "NOBODY", "quantity": 1}
    outcomes = connect().sinks["shop_stock"].write(payloads)
    assert [at for at, one in enumerate(outcomes) if not isinstance(one, Done)] == [120, 130]
    assert (outcomes[120].code, outcomes[130].code) == (
        "woocommerce:woocommerce_rest_product_invalid_id", "woocommerce:no-such-sku",
    )  # fmt: skip
    assert held(sandbox, "C249")["stock_quantity"] == 249


def test_an_item_that_is_no_address_is_looked_up_by_its_sku(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    (outcome,) = connect().sinks["shop_stock"].write([{"sku": "B红", "item": "x:21", "quantity": 4}])
    assert isinstance(outcome, Done)
    assert held(sandbox, "B红")["stock_quantity"] == 4


def test_a_variation_is_no_product_to_the_site(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    (outcome,) = connect().sinks["shop_stock"].write([{"sku": "B红", "item": "21", "quantity": 1}])
    assert isinstance(outcome, Refused)
    assert "更新店铺商品" in outcome.zh


@pytest.mark.parametrize("kind", ["lose_answer", "malformed"])
def test_a_write_without_an_answer_is_unknown_and_found(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce], kind: str
) -> None:
    sink = connect().sinks["product"]
    fault(sandbox, kind=kind, count=1, writes=True)
    (outcome,) = sink.write([{"sku": "NEW", "name": "新品", "regular_price": "19.90"}])
    assert isinstance(outcome, Unknown)
    assert dict(sink.find(["NEW"])["NEW"].figures) == {"price": Decimal("19.90")}


def test_a_second_product_with_one_sku_is_refused_by_the_shop_and_looked_up(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sink = connect().sinks["product"]
    (outcome,) = sink.write([{"sku": "b红", "name": "红苹果", "regular_price": "7.00"}])
    assert isinstance(outcome, Unknown)
    assert sink.find(["b红"])["b红"].native_id == "20:21", "the shop does not tell capitals apart, so find does not"
    assert sink.safety is Safety.NATURAL_KEY


def test_a_new_product_is_a_draft_without_stock_and_an_update_leaves_the_rest_alone(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sink = connect().sinks["product"]
    (made,) = sink.write([{"sku": "NEW", "name": "新品", "regular_price": "19.90"}])
    assert (held(sandbox, "NEW")["status"], held(sandbox, "NEW")["stock_quantity"]) == ("draft", 0)
    sandbox.store.put("product", made.native_id, {**held(sandbox, "NEW"), "status": "publish", "stock_quantity": 8})
    sink.update([{"sku": "NEW", "name": "新品二", "regular_price": "21.00"}], [made.native_id])
    kept = held(sandbox, "NEW")
    assert (kept["name"], kept["regular_price"], kept["status"], kept["stock_quantity"]) == (
        "新品二",
        "21.00",
        "publish",
        8,
    )
    (outcome,) = sink.update([{"sku": "B红", "name": "x", "regular_price": "9.00", "status": "private"}], ["20:21"])
    assert (outcome.native_id, held(sandbox, "B红")["regular_price"]) == ("20:21", "9.00")
    assert held(sandbox, "B红")["name"] == "红色"


def parcel(waybill: str, *lines: tuple[str, int], number: int = 1001) -> dict[str, Any]:
    made = {
        "order_no": str(number),
        "carrier": "顺丰速运",
        "waybill": waybill,
        "shipped_at": "2026-11-12T10:00:00+08:00",
    }
    return {**made, "lines": [{"oid": oid, "qty": qty} for oid, qty in lines]} if lines else made


def status(sandbox: WooCommerceSandbox, number: int = 1001) -> str:
    return str(sandbox.store.get("order", str(number))["status"])


def test_a_parcel_of_everything_completes_the_order(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sink = connect().sinks["shipment"]
    (outcome,) = sink.write([parcel("SF1")])
    assert isinstance(outcome, Done)
    assert status(sandbox) == "completed"
    assert "13800000000" not in str(outcome), "the answer holds the buyer's phone, the receipt does not"
    assert sink.find(["1001:SF1", "1001:SF2", "7:SF1"]).keys() == {"1001:SF1"}


def test_parcels_of_a_part_complete_the_order_when_the_last_one_leaves(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sink = connect().sinks["shipment"]
    sink.write([parcel("SF1", ("5001", 1))])
    assert status(sandbox) == "processing"
    sink.write([parcel("SF1", ("5001", 1))])
    assert status(sandbox) == "processing", "the same parcel again is no other"
    sink.write([parcel("SF2", ("5001", 1))])
    assert status(sandbox) == "completed"
    assert dict(sink.find(["1001:SF2"])["1001:SF2"].figures) == {"qty": 1}


def test_a_parcel_whose_order_was_left_open_is_not_there_yet(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    sink = connect().sinks["shipment"]
    sink.write([parcel("SF1")])
    sandbox.store.put("order", "1001", {**sandbox.store.get("order", "1001"), "status": "processing"})
    assert sink.find(["1001:SF1"]) == {}
    sink.write([parcel("SF1")])
    assert status(sandbox) == "completed"


@pytest.mark.parametrize("state", ["cancelled", "refunded", "pending", "trash"])
def test_an_order_that_may_not_leave_is_refused_though_the_site_would_complete_it(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce], state: str
) -> None:
    sandbox.seed({"orders": [order(1, status=state)]})
    (outcome,) = connect().sinks["shipment"].write([parcel("SF1")])
    assert isinstance(outcome, Refused)
    assert state in outcome.zh
    assert status(sandbox) == state


@pytest.mark.parametrize(("note", "notes"), [("", []), ("private", [False]), ("customer", [True])])
def test_a_note_tells_the_buyer_once_where_the_connection_says_so(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce], note: str, notes: list[bool]
) -> None:
    sink = connect(extra={"shipment_note": note}).sinks["shipment"]
    sink.write([parcel("SF1", ("5001", 1))])
    sink.write([parcel("SF1", ("5001", 1))])
    assert [row["customer_note"] for row in sandbox.store.all("note")] == notes
    assert all("顺丰速运 SF1" in row["note"] for row in sandbox.store.all("note"))


def test_a_meta_field_that_somebody_changed_breaks_nothing(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    meta = [{"id": 1, "key": f"{PREFIX}SF1", "value": "手工修改"}, {"id": 2, "key": "other", "value": {"a": [1]}}]
    sandbox.seed({"orders": [order(1, meta_data=meta)]})
    sink = connect().sinks["shipment"]
    assert dict(sink.find(["1001:SF1"])["1001:SF1"].figures) == {}
    assert isinstance(sink.write([parcel("SF2")])[0], Done)


@pytest.mark.parametrize(
    ("extra", "match"),
    [({"connections": "0"}, "1 至 32"), ({"connections": "x"}, "1 至 32"), ({"shipment_note": "all"}, "customer")],
)
def test_a_setting_that_is_wrong_says_what_it_may_be(
    connect: Callable[..., WooCommerce], extra: dict[str, str], match: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(extra=extra)
    assert match in caught.value.zh


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("woocommerce_rest_cannot_view", "抱歉, 您不能查看", CredentialError),
        ("rest_no_route", "未找到匹配的路由", VendorRejected),
        ("woocommerce_rest_shop_order_invalid_id", "无效 ID", VendorRejected),
        ("something_of_a_plugin", "插件拒绝", VendorRejected),
    ],
)
def test_a_refusal_goes_by_its_code_and_ends_with_what_to_do(code: str, message: str, kind: type) -> None:
    error = error_for({"code": code, "message": message, "data": {"status": 400}}, "orders")
    assert isinstance(error, kind)
    assert message in error.zh
    assert "请" in error.zh


def test_a_firewalls_page_is_a_refusal_that_says_so(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    fault(sandbox, kind="status", status=403, count=1)
    with pytest.raises(VendorRejected) as caught:
        connect().check()
    assert "白名单" in caught.value.zh


class Redirecting(http.server.BaseHTTPRequestHandler):
    target = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(301)
        self.send_header("Location", self.target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_site_that_redirects_is_not_written_to(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce]
) -> None:
    Redirecting.target = f"{sandbox.url}/_admin/health"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        sink = connect(host=f"http://127.0.0.1:{other.server_port}").sinks["product"]
        (outcome,) = sink.write([{"sku": "NEW", "name": "新品"}])
        other.shutdown()
    assert isinstance(outcome, Refused)
    assert sandbox.url in outcome.zh, "a POST arrives as a GET there, whose answer 200 would mean nothing"


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "code"),
    [
        ("GET", "orders", None, {"per_page": "101"}, "rest_invalid_param"),
        ("GET", "orders", None, {"orderby": "total"}, "rest_invalid_param"),
        ("GET", "orders", None, {"modified_after": "yesterday"}, "rest_invalid_param"),
        ("GET", "orders", None, {"status": "paid"}, "rest_invalid_param"),
        ("GET", "orders", None, {"include": "x"}, "rest_invalid_param"),
        ("GET", "orders/42", None, {}, "woocommerce_rest_shop_order_invalid_id"),
        ("PUT", "orders/42", {}, {}, "woocommerce_rest_shop_order_invalid_id"),
        ("PUT", "orders/1001", {"status": "shipped"}, {}, "rest_invalid_param"),
        ("PUT", "orders/1001", {"meta_data": [{"value": 1}]}, {}, "rest_invalid_param"),
        ("POST", "products", {"sku": "N", "regular_price": 7}, {}, "rest_invalid_param"),
        ("POST", "products", {"sku": "a0"}, {}, "product_invalid_sku"),
        ("PUT", "products/10", {"stock_quantity": "1.5"}, {}, "rest_invalid_param"),
        ("PUT", "products/21", {}, {}, "woocommerce_rest_invalid_product_id"),
        ("PUT", "products/10/variations/21", {}, {}, "woocommerce_rest_product_variation_invalid_id"),
        ("POST", "products/batch", {"update": [{"id": 10}] * 101}, {}, "woocommerce_rest_request_entity_too_large"),
        ("POST", "orders/1001/notes", {}, {}, "rest_missing_callback_param"),
        ("POST", "orders/1001/refunds", {"amount": "99.00"}, {}, "woocommerce_rest_cannot_create_order_refund"),
        ("DELETE", "orders/1001", {}, {}, "rest_no_route"),
    ],
)
def test_the_sandbox_is_as_strict_as_the_site(
    sandbox: WooCommerceSandbox, method: str, path: str, body: Any, query: dict[str, str], code: str
) -> None:
    assert ask(sandbox, method, path, body, **query).json()["code"] == code


def test_calls_under_way_are_bounded_and_come_in_order() -> None:
    running, most, lock = set(), 0, threading.Lock()

    def call(item: int) -> int:
        nonlocal most
        with lock:
            running.add(item)
            most = max(most, len(running))
        with lock:
            running.discard(item)
        return item

    asked = iter(range(50))
    results = ahead(call, asked, 4)
    assert next(results) == 0
    assert next(asked) == 4, "no further ahead than four"
    assert list(results) == [1, 2, 3, *range(5, 50)]
    assert most <= 4


def test_the_query_of_a_call_is_in_the_order_of_the_vendors_clients(
    sandbox: WooCommerceSandbox, connect: Callable[..., WooCommerce], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, seen = connect()._client, []
    sent = client._http.send
    monkeypatch.setattr(client._http, "send", lambda method, url, **more: seen.append(url) or sent(method, url, **more))
    client.page("orders", per_page=2)
    names = [name for name, _ in parse_qsl(seen[0].partition("?")[2])]
    oauth = ["consumer_key", "timestamp", "nonce", "signature_method", "signature"]
    assert names == ["per_page", *(f"oauth_{name}" for name in oauth)]
