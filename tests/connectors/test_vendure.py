"""Vendure, the real server: what a buyer orders in the shop is read to the cent, what is written stands there once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.vendure import CONNECTOR
from connectors.vendure.client import ERRORS, Client
from connectors.vendure.connector import Vendure
from connectors.vendure.lists import pages
from connectors.vendure.people import CUSTOMERS
from connectors.vendure.products import slug_of
from duijie import codec, schemas
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    ConfigError,
    CredentialError,
    DuijieError,
    TokenExpired,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.protocol import Done, Later, Outcome, Refused, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.console.build import without_addresses
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.serve import Running, free_ports
from sandbox.vendure import LOGIN, PINNED, VendureServer
from sandbox.vendure_line import VendureLine, line_to
from sandbox.vendure_people import WRONG, Buyer, Manager
from tests.servers import Postgres

MAPPINGS = sorted((Path(__file__).parents[2] / "mappings/vendure").glob("*.yaml"))
SOLD = StaticLookup({}, {"product": {f"P{n}": {"tax_rate": Decimal("0.13"), "unit": "件"} for n in (1, 2)}})
NEW = {"sku": "N1", "name": "新品", "tax_rate": 13, "price": 1130, "enabled": True}
ZHANG = {"email": "Zhang@Example.com", "first_name": "张三", "last_name": "", "phone": "13900000000"}
real = pytest.mark.real_system("vendure 3.7.3")


def lately(*keys: str) -> Window:
    """The last hour and the next, or these keys."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1), keys=keys)


@dataclass
class Site:
    """A channel of its own, in which P1 and P2 are on sale for 11.30 yuan, a hundred of each."""

    server: VendureServer
    url: str
    line: VendureLine
    folder: Path
    numbers: Iterator[int]

    def open(self, **changes: Any) -> Vendure:
        fields = {"host": self.url, "login": LOGIN, "password": self.server.password, **changes}
        extra = {"shop": "V01", "rate": "10000/second", **fields.pop("extra", {})}
        services = Services(TokenStore(self.folder / f"tokens{next(self.numbers)}"))
        return CONNECTOR.open(Connection("v", "vendure", extra=extra, **fields), services)  # type: ignore[return-value]

    @property
    def manager(self) -> Manager:
        return self.line.manager()

    def buyer(self, email: str = "buyer@example.com") -> Buyer:
        return Buyer(self.server.url, email, type(self.line).channel)

    def ordered(self, **wanted: int) -> Record:
        """An order placed in the shop: pieces by SKU."""
        return self.buyer().order({self.variant(sku)["id"]: pieces for sku, pieces in wanted.items()})

    def variant(self, sku: str) -> Record:
        return next(one for one in self.held("variants") if one["sku"] == sku)

    def held(self, name: str) -> list[Record]:
        """What the server itself says."""
        return list(requests.get(f"{self.url}/_admin/data", params={"collection": name}, timeout=30).json())

    def lose_answer(self, to: str) -> None:
        """The server does it, and its answer never comes."""
        self.faults({"kind": "lose_answer", "match": f"mutation {to}", "count": 1})

    def faults(self, *rules: Record) -> None:
        requests.post(f"{self.url}/_admin/faults", json=list(rules), timeout=30).raise_for_status()


Line = tuple[VendureServer, str, VendureLine]


def opened(server: VendureServer) -> Iterator[Line]:
    with server:
        made = line_to(server)
        with Running(made) as url:
            yield server, url, made


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    yield from opened(VendureServer(tmp_path_factory.mktemp("vendure")))


@pytest.fixture(scope="module")
def postgres_line(tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres) -> Iterator[Line]:
    home = tmp_path_factory.mktemp("vendure-postgres")
    yield from opened(VendureServer(home, postgres=postgres_server.create("vendure")))


def fresh(line: Line, folder: Path) -> Site:
    server, url, made = line
    type(made).seeded = None
    requests.post(f"{url}/_admin/reset", json={"products": 2}, timeout=30).raise_for_status()
    return Site(server, url, made, folder, count())


@pytest.fixture
def site(line: Line, tmp_path: Path) -> Site:
    return fresh(line, tmp_path)


def read(vendure: Vendure, stream: str, *keys: str) -> list[Record]:
    return [record for page in vendure.streams[stream].read(lately(*keys)) for record in page.records]


def documents(name: str, records: Sequence[Record]) -> list[Record]:
    """What the shipped mapping makes of records, each a valid document."""
    mapping = load_mapping(next(path for path in MAPPINGS if path.name == f"{name}.in.yaml"))
    made = [pair for record in records for pair in mapping.documents(record, SOLD, {})]
    for entity, document in made:
        schemas.check(entity, document)
    return [document for _, document in made]


def write(vendure: Vendure, sink: str, *payloads: Record) -> list[Outcome]:
    return list(vendure.sinks[sink].write(payloads))


def done(outcomes: Sequence[Outcome]) -> Done:
    [outcome] = outcomes
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcomes: Sequence[Outcome], code: str) -> Refused:
    [outcome] = outcomes
    assert isinstance(outcome, Refused), outcome
    assert outcome.code == f"vendure:{code}"
    return outcome


class TestWithoutAServer:
    def test_the_packages_are_pinned_by_hash_without_addresses(self) -> None:
        lock = (PINNED / "package-lock.json").read_text(encoding="utf-8")
        assert without_addresses(lock) == lock
        packages = [one for name, one in codec.decode(lock)["packages"].items() if name]
        assert all(one["integrity"].startswith("sha512-") for one in packages)

    @pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.name)
    def test_every_mapping_passes_its_own_tests(self, path: Path) -> None:
        results = run_tests(load_mapping(path))
        assert results
        assert [one for one in results if not one.passed] == []

    def test_a_connection_without_any_key_is_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="neither api_key nor login"):
            CONNECTOR.open(
                Connection("v", "vendure", host="http://x", extra={"shop": "V01"}), Services(TokenStore(tmp_path))
            )

    @pytest.mark.parametrize(
        ("extra", "named"), [({}, "shop"), ({"shop": "V01", "recheck_days": "month"}, "recheck_days")]
    )
    def test_a_setting_that_is_missing_or_wrong_is_named(self, tmp_path: Path, extra: Record, named: str) -> None:
        connection = Connection("v", "vendure", host="http://x", login="a", password="b", extra=extra)
        with pytest.raises(ConfigError) as caught:
            CONNECTOR.open(connection, Services(TokenStore(tmp_path)))
        assert named in caught.value.where

    @pytest.mark.parametrize("sink", ["shop_stock", "shipment", "product", "party"])
    def test_what_never_left_may_go_later(self, tmp_path: Path, sink: str) -> None:
        host = f"http://127.0.0.1:{free_ports(1)[0]}"
        connection = Connection("v", "vendure", host=host, login="a", password="b", extra={"shop": "V01"})
        vendure = CONNECTOR.open(connection, Services(TokenStore(tmp_path)))
        parcel = {"order_no": "Q", "carrier": "顺丰", "waybill": "SF1", "shop": "V01", "quantity": 1}
        [outcome] = vendure.sinks[sink].write([{**NEW, **ZHANG, **parcel}])
        assert isinstance(outcome, Later)

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("INVALID_CREDENTIALS_ERROR", CredentialError),
            ("EMAIL_ADDRESS_CONFLICT_ERROR", AlreadyThere),
            ("ORDER_STATE_TRANSITION_ERROR", VendorRejected),
            ("SOME_PLUGIN_ERROR", VendorRejected),
            ("FORBIDDEN", CredentialError),
            ("session", TokenExpired),
            ("INTERNAL_SERVER_ERROR", VendorBusy),
            ("never heard of", VendorRejected),
        ],
    )
    def test_every_code_says_what_to_do(self, code: str, kind: type[DuijieError]) -> None:
        error = ERRORS.error(code, "why")
        assert type(error) is kind
        assert error.code == f"vendure:{code}"

    def test_a_plain_sku_is_its_own_slug_and_any_other_gets_one_that_the_server_leaves_alone(self) -> None:
        assert slug_of("A1-500") == "a1-500"
        assert slug_of("B 2/红") != slug_of("B 2/黄")
        assert slug_of("B 2/红").startswith("sku-")


@real
@pytest.mark.slow
class TestConnection:
    def test_the_test_of_a_connection_names_user_channel_money_and_location(self, site: Site) -> None:
        told = dict(site.open().check())
        assert told["登录"] == LOGIN
        assert "CNY, 价格含税, 金额 2 位小数" in told["渠道"]
        assert told["库存地点"].endswith("仓")

    def test_an_api_key_does_as_well_as_a_password_and_a_wrong_one_is_told(self, site: Site) -> None:
        key = site.manager.api_key("duijie")
        assert len(read(site.open(login="", password="", extra={"api_key": key}), "product")) == 2
        with pytest.raises(CredentialError, match="API key is refused"):
            read(site.open(login="", password="", extra={"api_key": key[::-1]}), "product")

    def test_a_session_that_ended_is_renewed_in_the_middle_of_a_write(self, site: Site) -> None:
        vendure = site.open()
        vendure.check()
        site.faults({"kind": "expire_tokens", "match": "mutation add", "count": 1})
        assert done(write(vendure, "party", ZHANG)).native_no == "zhang@example.com"
        assert len(site.held("customers")) == 1

    def test_a_missing_right_is_told_as_such_and_not_taken_for_an_ended_session(self, site: Site) -> None:
        role = (
            """mutation { createRole(input: {code: "reader", description: "", permissions: [ReadCatalog]}) { id } }"""
        )
        made = site.manager.ask(role)["createRole"]["id"]
        clerk = """mutation($r: ID!) { createAdministrator(input: {firstName: "", lastName: "", emailAddress: "clerk",
          password: "clerk-password", roleIds: [$r]}) { id } }"""
        site.manager.ask(clerk, r=made)
        vendure = site.open(login="clerk", password="clerk-password")
        assert read(vendure, "product") != []
        with pytest.raises(CredentialError, match="the role lacks this permission"):
            read(vendure, "customer")

    def test_of_several_locations_one_must_be_chosen(self, site: Site) -> None:
        site.manager.location("退货仓")
        with pytest.raises(ConfigError) as caught:
            read(site.open(), "stock")
        assert "退货仓" in caught.value.zh
        assert {row["location"] for row in read(site.open(extra={"stock_location": "退货仓"}), "stock")} != set()


@real
@pytest.mark.slow
class TestProduct:
    def test_it_is_created_read_updated_and_taken_off_sale(self, site: Site) -> None:
        vendure, sink = site.open(), site.open().sinks["product"]
        made = done(write(vendure, "product", NEW))
        [document] = documents("product", read(vendure, "product", "N1"))
        assert (document["name"], document["price"], document["tax_rate"]) == ("新品", Decimal("11.3"), Decimal("0.13"))
        assert (document["status"], document["native_id"]) == ("active", made.native_id)
        changed = {**NEW, "name": "新品 大包", "price": 1199, "tax_rate": 9}
        done(sink.update([changed], [made.native_id]))  # type: ignore[attr-defined]
        [document] = documents("product", read(vendure, "product", "N1"))
        assert (document["name"], document["price"], document["tax_rate"]) == (
            "新品 大包",
            Decimal("11.99"),
            Decimal("0.09"),
        )
        done(sink.reverse([changed], [made.native_id]))  # type: ignore[attr-defined]
        [document] = documents("product", read(vendure, "product", "N1"))
        assert document["status"] == "disabled"

    def test_one_without_a_price_is_made_but_not_given_away(self, site: Site) -> None:
        done(write(site.open(), "product", {name: value for name, value in NEW.items() if name != "price"}))
        assert site.variant("N1")["enabled"] is False
        with pytest.raises(RuntimeError):
            site.ordered(N1=1)

    def test_a_rate_that_no_tax_category_has_is_refused_before_anything_is_made(self, site: Site) -> None:
        before = site.manager.ask("{ products { totalItems } }")
        assert "6%" in refused(write(site.open(), "product", {**NEW, "tax_rate": 6}), "no-tax-category").zh
        assert site.manager.ask("{ products { totalItems } }") == before

    def test_a_lost_answer_is_unknown_and_it_is_found_exactly_once(self, site: Site) -> None:
        vendure = site.open()
        site.lose_answer("addVariant")
        [outcome] = write(vendure, "product", NEW)
        assert isinstance(outcome, Unknown)
        assert vendure.sinks["product"].find(["N1"])["N1"].raw["copies"] == 1

    def test_what_an_interrupted_write_left_is_taken_up_and_not_made_again(self, site: Site) -> None:
        vendure = site.open()
        site.lose_answer("addProduct")
        [outcome] = write(vendure, "product", NEW)
        assert isinstance(outcome, Unknown)
        assert vendure.sinks["product"].find(["N1"]) == {}
        done(write(vendure, "product", NEW))
        products = site.manager.ask("{ products { items { name variants { sku } } } }")["products"]["items"]
        assert [one["variants"] for one in products if one["name"] == "新品"] == [[{"sku": "N1"}]]


@real
@pytest.mark.slow
class TestStock:
    def test_the_shop_can_sell_exactly_the_figure_whatever_it_has_taken_orders_for(self, site: Site) -> None:
        vendure = site.open()
        site.ordered(P1=3)
        done(write(vendure, "shop_stock", {"shop": "V01", "sku": "P1", "quantity": 5}))
        with pytest.raises(RuntimeError, match="INSUFFICIENT_STOCK_ERROR"):
            site.ordered(P1=6)
        assert site.ordered(P1=5)["state"] == "PaymentSettled"
        assert vendure.sinks["shop_stock"].find(["V01:P1"])["V01:P1"].figures == {"quantity": 0}

    def test_listing_and_level_say_the_same_in_their_own_words(self, site: Site) -> None:
        vendure = site.open()
        site.ordered(P1=3)
        done(write(vendure, "shop_stock", {"shop": "V01", "sku": "P1", "quantity": 50}))
        [listing] = documents("listing", read(vendure, "stock", "V01:P1"))
        assert (listing["key"], listing["quantity"]) == ("vendure:V01:P1", 50)
        [level] = [one for one in documents("stock_level", read(vendure, "stock_level")) if one["sku"] == "P1"]
        assert (level["on_hand"], level["reserved"], level["available"]) == (53, 3, 50)
        assert documents("stock_level", read(vendure, "stock_level", level["key"])) == [level]

    def test_a_sku_that_the_shop_lacks_hurts_no_other(self, site: Site) -> None:
        given = [{"shop": "V01", "sku": sku, "quantity": 7} for sku in ("P1", "GONE", "P2")]
        first, gone, last = write(site.open(), "shop_stock", *given)
        assert isinstance(first, Done)
        assert isinstance(last, Done)
        assert "GONE" in refused([gone], "no-such-sku").zh
        assert [site.variant(sku)["stockLevels"][0]["stockOnHand"] for sku in ("P1", "P2")] == [7, 7]

    def test_a_lost_answer_is_unknown_and_the_figure_is_there(self, site: Site) -> None:
        vendure = site.open()
        site.lose_answer("setStock")
        [outcome] = write(vendure, "shop_stock", {"shop": "V01", "sku": "P1", "quantity": 8})
        assert isinstance(outcome, Unknown)
        assert vendure.sinks["shop_stock"].find(["V01:P1"])["V01:P1"].figures == {"quantity": 8}


@real
@pytest.mark.slow
class TestOrders:
    def test_what_a_buyer_paid_is_read_to_the_cent(self, site: Site) -> None:
        order = site.ordered(P1=3, P2=1)
        [document] = documents("sales_order", read(site.open(), "order"))
        assert (document["key"], document["status"]) == (f"vendure:V01:{order['code']}", "paid")
        assert (document["gross"], document["freight"]) == (Decimal("53.20"), Decimal("8.00"))
        assert document["gross"] == Decimal(order["totalWithTax"]) / 100
        assert sorted((one["sku"], one["qty"], one["gross"]) for one in document["lines"]) == [
            ("P1", 3, Decimal("33.90")),
            ("P2", 1, Decimal("11.30")),
        ]

    def test_a_cart_is_no_order_and_no_buyer_is_named(self, site: Site) -> None:
        site.ordered(P1=1)
        add = f"mutation($v: ID!) {{ addItemToOrder(productVariantId: $v, quantity: 1) {{ {WRONG} }} }}"
        site.buyer("other@example.com").ask(add, v=site.variant("P1")["id"])
        [record] = read(site.open(), "order")
        assert not any(told in str(record) for told in ("张", "13800000000", "文三路", "example.com"))

    def test_an_order_at_the_edge_of_two_windows_is_in_the_second_only(self, site: Site) -> None:
        vendure = site.open()
        site.ordered(P1=1)
        [record] = read(vendure, "order")
        edge = datetime.fromisoformat(record["changedAt"])
        halves = (edge - timedelta(hours=1), edge), (edge, edge + timedelta(seconds=1))
        before, after = (
            [one for page in vendure.streams["order"].read(Window(*half)) for one in page.records] for half in halves
        )
        assert (before, after) == ([], [record])

    def test_shipping_does_not_move_the_orders_own_time_and_is_read_all_the_same(self, site: Site) -> None:
        vendure, order = site.open(), site.ordered(P1=1)
        [paid] = read(vendure, "order")
        later = until_next_second()
        done(write(vendure, "shipment", {"order_no": order["code"], "carrier": "顺丰速运", "waybill": "SF1"}))
        window = Window(later, later + timedelta(hours=1))
        [shipped] = [one for page in vendure.streams["order"].read(window) for one in page.records]
        assert shipped["updatedAt"] == paid["updatedAt"]
        blind = site.open(extra={"recheck_days": 0})
        assert [one for page in blind.streams["order"].read(window) for one in page.records] == []
        [document] = documents("sales_order", [shipped])
        assert (document["status"], document["gross"]) == ("shipped", Decimal("19.30"))
        site.manager.deliver(shipped["fulfillments"][0]["id"])
        assert documents("sales_order", read(vendure, "order"))[0]["status"] == "finished"

    def test_refunds_come_with_their_order_by_line_or_spread_over_it(self, site: Site) -> None:
        vendure, order = site.open(), site.ordered(P1=3, P2=1)
        first = read(vendure, "order")[0]["lines"][0]["id"]
        one = site.manager.refund(order["id"], 1130, {first: 1})
        site.manager.refund(order["id"], 452, {})
        found = read(vendure, "refund")
        assert len(found) == 2
        by_line, *spread = documents("sales_refund", found)
        assert (by_line["qty"], by_line["amount"], by_line["net"], by_line["tax"]) == (
            1,
            Decimal("11.30"),
            10,
            Decimal("1.30"),
        )
        assert (by_line["status"], by_line["kind"], by_line["order_no"]) == ("success", "money_only", order["code"])
        parts = sorted((part["sku"], part["amount"]) for part in spread)  # PostgreSQL gives lines in no order
        assert parts == [("P1", Decimal("3.39")), ("P2", Decimal("1.13"))]
        key = f"{order['code']}/{one}"
        assert [record["key"] for record in read(vendure, "refund", key)] == [key]

    def test_a_coupon_comes_off_the_lines_and_the_order_still_adds_up(self, site: Site) -> None:
        code = f"SAVE{next(site.numbers)}-{site.folder.name[-12:]}"
        site.manager.coupon(code, 7)
        order = site.buyer().order({site.variant("P1")["id"]: 3, site.variant("P2")["id"]: 1}, code)
        assert order["totalWithTax"] == 5320 - 316
        [document] = documents("sales_order", read(site.open(), "order"))
        assert (document["gross"], document["goods_amount"]) == (Decimal("50.04"), Decimal("45.20"))
        assert document["seller_discount"] == Decimal("3.16")
        assert sum(one["gross"] for one in document["lines"]) + document["freight"] == document["gross"]
        assert all(one["net"] + one["tax"] == one["gross"] for one in document["lines"])

    def test_a_piece_taken_out_and_paid_back_is_a_refund_and_leaves_the_order_as_it_was_placed(
        self, site: Site
    ) -> None:
        vendure, order = site.open(), site.ordered(P1=3)
        before = documents("sales_order", read(vendure, "order"))[0]
        line = before["lines"][0]["oid"]
        site.manager.cancel(order["id"], {line: 1})
        site.manager.refund(order["id"], 1130, {line: 1})
        [after] = documents("sales_order", read(vendure, "order"))
        assert {**after, "modified_at": ""} == {**before, "modified_at": ""}
        [refund] = documents("sales_refund", read(vendure, "refund"))
        assert (refund["kind"], refund["qty"], refund["amount"]) == ("goods_and_money", 1, Decimal("11.30"))
        done(write(vendure, "shipment", {"order_no": order["code"], "carrier": "顺丰速运", "waybill": "SF1"}))
        assert site.held("fulfillments")[0]["lines"][0]["quantity"] == 2

    def test_an_order_is_recognised_by_number_and_amount_and_cancelled_once(self, site: Site) -> None:
        vendure, sink, order = site.open(), site.open().sinks["order"], site.ordered(P1=3)
        given = {"order_no": order["code"], "gross": order["totalWithTax"]}
        native = done(write(vendure, "order", given)).native_id
        assert "≠" in refused(write(vendure, "order", {**given, "gross": 1}), "not-as-sent").zh
        refused(write(vendure, "order", {"order_no": "NONE", "gross": 1}), "no-such-order")
        site.lose_answer("cancel")
        [lost] = sink.reverse([given], [native])  # type: ignore[attr-defined]
        assert isinstance(lost, Unknown)
        done(sink.reverse([given], [native]))  # type: ignore[attr-defined]
        assert site.held("orders")[0]["state"] == "Cancelled"
        assert site.variant("P1")["stockLevels"] == [{"stockOnHand": 100, "stockAllocated": 0}]
        [document] = documents("sales_order", read(vendure, "order", order["code"]))
        assert (document["status"], document["gross"]) == ("cancelled", Decimal("41.90"))


@pytest.mark.postgres
class TestOrdersOnPostgres(TestOrders):
    """There times are kept finer than a second, and compared as times."""

    @pytest.fixture
    def site(self, postgres_line: Line, tmp_path: Path) -> Site:
        return fresh(postgres_line, tmp_path)


@real
@pytest.mark.slow
class TestShipments:
    def test_a_part_leaves_and_then_the_rest(self, site: Site) -> None:
        vendure, order = site.open(), site.ordered(P1=3)
        line = site.held("orders")[0]["lines"][0]["id"]
        parcel = {
            "order_no": order["code"],
            "carrier": "顺丰速运",
            "waybill": "SF1",
            "lines": [{"oid": line, "qty": 2}],
        }
        done(write(vendure, "shipment", parcel))
        rest = {"order_no": order["code"], "carrier": "中通", "waybill": "ZT1"}
        done(write(vendure, "shipment", rest))
        assert [(one["trackingCode"], one["lines"][0]["quantity"]) for one in site.held("fulfillments")] == [
            ("SF1", 2),
            ("ZT1", 1),
        ]
        assert site.variant("P1")["stockLevels"] == [{"stockOnHand": 97, "stockAllocated": 0}]
        refused(write(vendure, "shipment", {**rest, "waybill": "ZT2"}), "nothing-left")

    @pytest.mark.parametrize("lost", ["ship", "move"])
    def test_wherever_the_answer_is_lost_there_is_one_parcel_in_the_end(self, site: Site, lost: str) -> None:
        vendure, order = site.open(), site.ordered(P1=3)
        parcel = {"order_no": order["code"], "carrier": "顺丰速运", "waybill": "SF1"}
        key = vendure.sinks["shipment"].key_of(parcel)
        site.lose_answer(lost)
        [outcome] = write(vendure, "shipment", parcel)
        assert isinstance(outcome, Unknown)
        found = vendure.sinks["shipment"].find([key])
        assert list(found) == ([key] if lost == "move" else [])
        done(write(vendure, "shipment", parcel))
        assert [one["state"] for one in site.held("fulfillments")] == ["Shipped"]

    def test_a_cancelled_parcel_may_be_shipped_again(self, site: Site) -> None:
        vendure, order = site.open(), site.ordered(P1=3)
        parcel = {"order_no": order["code"], "carrier": "顺丰速运", "waybill": "SF1"}
        native = done(write(vendure, "shipment", parcel)).native_id
        for _ in range(2):
            done(vendure.sinks["shipment"].reverse([parcel], [native]))  # type: ignore[attr-defined]
        assert vendure.sinks["shipment"].find([f"{order['code']}:SF1"]) == {}
        done(write(vendure, "shipment", parcel))
        assert [one["state"] for one in site.held("fulfillments")] == ["Cancelled", "Shipped"]

    def test_more_than_was_ordered_a_strange_line_and_missing_stock_are_refused_in_words(self, site: Site) -> None:
        vendure, order = site.open(), site.ordered(P1=3)
        line = site.held("orders")[0]["lines"][0]["id"]
        parcel = {"order_no": order["code"], "carrier": "顺丰速运", "waybill": "SF1"}
        many = {**parcel, "lines": [{"oid": line, "qty": 4}]}
        refused(write(vendure, "shipment", many), "ITEMS_ALREADY_FULFILLED_ERROR")
        refused(write(vendure, "shipment", {**parcel, "lines": [{"oid": "9999", "qty": 1}]}), "no-such-line")
        place = read(vendure, "stock", "V01:P1")[0]["location"]
        empty = """mutation($v: ID!, $l: ID!) { updateProductVariants(input: [{id: $v,
          stockLevels: [{stockLocationId: $l, stockOnHand: 1}]}]) { id } }"""
        site.manager.ask(empty, v=site.variant("P1")["id"], l=place)
        assert "库存不足" in refused(write(vendure, "shipment", parcel), "INSUFFICIENT_STOCK_ON_HAND_ERROR").zh

    def test_what_was_shipped_is_not_cancelled(self, site: Site) -> None:
        vendure, order = site.open(), site.ordered(P1=1)
        done(write(vendure, "shipment", {"order_no": order["code"], "carrier": "顺丰速运", "waybill": "SF1"}))
        outcomes = vendure.sinks["order"].reverse([{}], [order["id"]])  # type: ignore[attr-defined]
        assert "退货" in refused(outcomes, "already-shipped").zh


@real
@pytest.mark.slow
class TestCustomers:
    def test_one_is_created_read_updated_and_deleted(self, site: Site) -> None:
        vendure, sink = site.open(), site.open().sinks["party"]
        made = done(write(vendure, "party", ZHANG))
        [document] = documents("party", read(vendure, "customer", "zhang@example.com"))
        assert (document["name"], document["email"], document["phone"]) == ("张三", "zhang@example.com", "13900000000")
        done(sink.update([{**ZHANG, "first_name": "张三丰"}], [made.native_id]))  # type: ignore[attr-defined]
        assert documents("party", read(vendure, "customer"))[0]["name"] == "张三丰"
        for _ in range(2):
            done(sink.reverse([ZHANG], [made.native_id]))  # type: ignore[attr-defined]
        assert read(vendure, "customer") == []

    def test_a_second_with_the_address_is_refused_by_the_server_and_looked_up(self, site: Site) -> None:
        vendure = site.open()
        site.lose_answer("add")
        [lost] = write(vendure, "party", ZHANG)
        assert isinstance(lost, Unknown)
        [again] = write(vendure, "party", {**ZHANG, "email": "ZHANG@example.COM"})
        assert isinstance(again, Unknown)
        assert "该邮箱已有客户" in again.zh
        assert list(vendure.sinks["party"].find(["zhang@example.com"])) == ["zhang@example.com"]
        assert len(site.held("customers")) == 1

    def test_one_who_has_ordered_is_not_deleted(self, site: Site) -> None:
        site.ordered(P1=1)
        [customer] = site.held("customers")
        outcomes = site.open().sinks["party"].reverse([{}], [customer["id"]])  # type: ignore[attr-defined]
        refused(outcomes, "has-orders")

    def test_one_that_changes_while_pages_are_read_takes_no_other_with_it(self, site: Site) -> None:
        vendure = site.open()
        given = [{**ZHANG, "email": f"c{number}@example.com"} for number in range(7)]
        natives = [done([outcome]).native_id for outcome in write(vendure, "party", *given)]
        until = until_next_second()
        services = Services(TokenStore(site.folder / "paging"))
        extra = {"shop": "V01", "rate": "10000/second"}
        client = Client(Connection("v", "vendure", site.url, LOGIN, site.server.password, extra=extra), services)
        where = {"updatedAt": {"before": until.isoformat()}}
        found: set[str] = set()
        for number, rows in enumerate(pages(client, CUSTOMERS, "customers", where, page=2)):
            found |= {row["id"] for row in rows}
            if number == 0:
                done(vendure.sinks["party"].update([given[0]], natives[:1]))  # type: ignore[attr-defined]
        assert found >= set(natives[1:])


def until_next_second() -> datetime:
    """Wait for the next whole second, for the server keeps no finer time; that second."""
    start = datetime.now(UTC)
    while (now := datetime.now(UTC)).second == start.second:
        pass
    return now.replace(microsecond=0)
