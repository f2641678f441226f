"""畅捷通 T+: tokens that rotate, lists that are read whole, bills once, vouchers that nobody can read back."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from connectors.tplus import CONNECTOR
from connectors.tplus.bills import ORDER, BillSink
from connectors.tplus.client import Client, error_of
from connectors.tplus.connector import TPlus
from connectors.tplus.lists import rows_of
from duijie import codec, parcels
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    DuijieError,
    MalformedMessage,
    RateLimited,
    TokenExpired,
    VendorRejected,
)
from duijie.connect.protocol import Done, Incident, Later, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.deliver import Delivering
from duijie.derive.invoices import split_tax
from duijie.flow import Deliver
from duijie.journal import Journal, documents
from duijie.journal.tables import delivery, work_item
from duijie.mapping import StaticLookup, load_mapping, run_tests
from duijie.schemas import check
from sandbox.kit import Fault
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.tplus import DEFAULTS, TPlusSandbox

MAPPINGS = Path(__file__).parents[2] / "mappings/tplus"
ALL = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
CLIENT: Record = DEFAULTS["client"]
SEED: Record = {
    "client": CLIENT,
    "inventories": [
        {"Code": "A1", "Name": "面条", "UnitName": "件", "InventoryClass": {"Code": "01", "Name": "食品"}},
        {"Code": "A2", "Name": "挂面", "UnitName": "盒", "Disabled": True},
        {"Code": "YF", "Name": "运费", "UnitName": "次"},
    ],
    "partners": [
        {"Code": "C001", "Name": "旗舰店", "PartnerType": {"Code": "01", "Name": "客户"}},
        {"Code": "V001", "Name": "供货商", "PartnerType": {"Code": "00", "Name": "供应商"}},
    ],
    "warehouses": [{"Code": "CK01", "Name": "主仓"}],
    "units": [{"Code": "01", "Name": "件"}],
    "stock": [
        {"InventoryCode": "A1", "WarehouseCode": "CK01", "ExistingQuantity": 100, "Reserved": 12},
        {"InventoryCode": "A2", "WarehouseCode": "CK01", "ExistingQuantity": 0},
    ],
}
LOOKUP = StaticLookup(
    {"customer": {"S01": "C001"}, "supplier": {"V001": "V001"}, "warehouse": {"CK01": "CK01"}},
    {"product": {"A1": {"unit": "件", "tax_rate": Decimal("0.13")}, "YF": {"unit": "次", "tax_rate": Decimal("0.09")}}},
)


@dataclass
class Site:
    """A sandbox that is being served, and connections to it."""

    url: str
    sandbox: TPlusSandbox
    folder: Path
    incidents: list[Incident]

    def connection(self, **changes: Any) -> Connection:
        extra = {"refresh_token": CLIENT["refresh_token"], "rate": "1000/second", **changes.pop("extra", {})}
        fields = {"host": self.url, "login": CLIENT["app_key"], "password": CLIENT["app_secret"], **changes}
        return Connection("t", "tplus", extra=extra, **fields)

    def open(self, **changes: Any) -> TPlus:
        services = Services(TokenStore(self.folder), self.incidents.append)
        return CONNECTOR.open(self.connection(**changes), services)  # type: ignore[return-value]

    def held(self, collection: str) -> list[Record]:
        return self.sandbox.store.all(collection)

    def fail(self, kind: str, match: str, **more: Any) -> None:
        self.sandbox.faults = [Fault(kind, match=match, count=1, **more)]

    def refresh_token(self) -> str:
        return str((self.sandbox.store.get("config", "refresh") or {})["value"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    sandbox = TPlusSandbox(Store())
    sandbox.seed(SEED)
    with Running(sandbox) as url:
        yield Site(url, sandbox, tmp_path, [])


def mapped(name: str, document: Record, settings: Mapping[str, Any] | None = None) -> Record:
    made = load_mapping(MAPPINGS / f"{name}.yaml").run(document, LOOKUP, settings or {})
    assert made is not None
    return made


def order(number: str = "1", gross: str = "113.00", qty: int = 2, freight: str = "0.00") -> Record:
    """A canonical order of one line."""
    taxed = split_tax(Decimal(gross), Decimal("0.13"))
    line = {
        "line_no": 1,
        "oid": number,
        "sku": "A1",
        "name": "面条",
        "unit": "件",
        "qty": qty,
        "price": (Decimal(gross) / qty).quantize(Decimal("0.000001")),
        "discount": Decimal(0),
        "tax_rate": Decimal("0.13"),
        **taxed._asdict(),
    }
    moment = "2026-11-11T09:00:00+08:00"
    return {
        "key": f"taobao:S01:{number}",
        "platform": "taobao",
        "shop": "S01",
        "order_no": number,
        "status": "paid",
        "business_date": "2026-11-11",
        "ordered_at": moment,
        "modified_at": moment,
        "buyer": {"key": "open1", "name": "张**"},
        "goods_amount": Decimal(gross),
        "seller_discount": Decimal(0),
        "platform_discount": Decimal(0),
        "freight": Decimal(freight),
        "gross": Decimal(gross) + Decimal(freight),
        "lines": [line],
    }


def voucher(key: str = "sale:S01:2026-11-11", credit: str = "100.00") -> Record:
    rows = [("receivable", "113.00", "0.00"), ("revenue", "0.00", credit), ("output_vat", "0.00", "13.00")]
    lines = [
        {"line_no": at, "summary": "销售", "account": account, "debit": Decimal(debit), "credit": Decimal(credited)}
        | ({"aux": {"customer": "S01"}} if account == "receivable" else {})
        for at, (account, debit, credited) in enumerate(rows, 1)
    ]
    head = {"key": key, "date": "2026-11-11", "period": "202611", "word": "记", "summary": "销售", "attachments": 2}
    return {**head, "debit": Decimal("113.00"), "credit": Decimal("113.00"), "lines": lines}


def records(connector: TPlus, stream: str, *keys: str) -> list[Record]:
    pages = connector.streams[stream].read(Window(ALL.since, ALL.until, keys=keys))
    return [record for page in pages for record in page.records]


class TestTokens:
    def test_the_refresh_token_that_came_last_is_the_one_used_next(self, site: Site) -> None:
        site.open().check()
        assert site.refresh_token() != CLIENT["refresh_token"]
        for _ in range(3):
            site.sandbox.expire_tokens()
            assert site.open().check()[0] == ("授权", f"openToken 有效, 企业 {CLIENT['org_id']}")
        assert [one.kind for one in site.incidents] == ["TokenExpired"] * 3

    def test_an_open_token_is_fetched_once_for_all_workers(self, site: Site) -> None:
        for _ in range(3):
            site.open().check()
        assert len(site.held("token")) == 1

    def test_a_new_authorisation_takes_the_place_of_what_is_kept(self, site: Site) -> None:
        site.open().check()
        site.sandbox.seed({"client": {**CLIENT, "refresh_token": "refresh-of-a-new-authorisation"}})
        site.sandbox.expire_tokens()
        with pytest.raises(CredentialError, match="refresh_token"):
            site.open().check()
        site.open(extra={"refresh_token": "refresh-of-a-new-authorisation"}).check()

    def test_a_refused_refresh_token_asks_for_a_new_authorisation(self, site: Site) -> None:
        with pytest.raises(CredentialError) as raised:
            site.open(extra={"refresh_token": "not-ours-at-all"}).check()
        assert "重新授权" in raised.value.zh
        assert "refreshToken不正确" in raised.value.zh
        assert "not-ours" not in f"{raised.value.zh} {raised.value}"

    @pytest.mark.parametrize("change", [{"password": "wrong"}, {"login": "wrong"}])
    def test_a_wrong_application_is_told_as_such(self, site: Site, change: dict[str, str]) -> None:
        with pytest.raises(CredentialError, match=r"appSecret|appKey"):
            site.open(**change).check()

    def test_a_missing_refresh_token_is_a_missing_setting(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="refresh_token"):
            site.open(extra={"refresh_token": ""}).check()

    def test_while_no_token_can_be_had_a_write_waits_and_nothing_has_left(self, site: Site) -> None:
        site.sandbox.faults = [Fault("malformed", match="refreshToken", rate=1.0)]
        [outcome] = site.open().sinks["sales_order"].write([mapped("sales_order.out", order())])
        assert isinstance(outcome, Later)
        assert site.held("saleOrder") == []

    def test_a_rotation_whose_answer_was_lost_needs_a_new_authorisation(self, site: Site) -> None:
        site.fail("lose_answer", "refreshToken")
        with pytest.raises(CredentialError, match="refresh_token"):
            site.open().check()

    def test_no_refresh_token_is_logged(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            site.open().check()
        assert "/auth/v2/refreshToken?…" in caplog.text
        assert CLIENT["refresh_token"] not in caplog.text

    def test_an_address_that_is_none_shows_no_refresh_token(self, site: Site) -> None:
        with pytest.raises(ConfigError) as raised:
            site.open(host="http://").check()
        assert CLIENT["refresh_token"] not in f"{raised.value} {raised.value.zh} {raised.value.__cause__!r}"


class TestLists:
    def test_products_come_whole_and_disabled_ones_too(self, site: Site) -> None:
        found = records(site.open(extra={"page_size": 2}), "inventory")
        assert [(row["Code"], row["Disabled"]) for row in found] == [("A1", False), ("A2", True), ("YF", False)]
        assert found[0]["InventoryClass"] == {"Code": "01", "Name": "食品"}

    def test_a_code_brings_exactly_its_row(self, site: Site) -> None:
        assert [row["Code"] for row in records(site.open(), "inventory", "A1", "A", "%")] == ["A1"]

    def test_a_list_that_does_not_page_is_never_taken_for_whole(self, site: Site) -> None:
        class Stuck(Client):
            def read(self, service: str, body: Record) -> Any:
                return [{"Code": "A1"}, {"Code": "A2"}]

        opened = site.open(extra={"page_size": 2})
        opened._products._client = Stuck(site.connection(), Services(TokenStore(site.folder)))
        with pytest.raises(MalformedMessage, match="does not turn pages"):
            records(opened, "inventory")

    @pytest.mark.parametrize("answer", [[{"Code": "A1"}], {"Data": [{"Code": "A1"}]}, {"data": [{"Code": "A1"}]}])
    def test_rows_come_bare_or_as_data(self, answer: Any) -> None:
        assert rows_of(answer, "x") == [{"Code": "A1"}]

    @pytest.mark.parametrize("answer", [None, "x", {"rows": []}, [1], {"Data": None}])
    def test_what_is_no_list_is_never_taken_for_an_empty_one(self, answer: Any) -> None:
        with pytest.raises(MalformedMessage):
            rows_of(answer, "x")

    def test_what_is_sold_out_is_told_as_nothing(self, site: Site) -> None:
        found = {row["key"]: row["ExistingQuantity"] for row in records(site.open(), "current_stock")}
        assert found == {"A1@CK01": "100", "A2@CK01": "0"}

    def test_stock_is_read_by_key(self, site: Site) -> None:
        assert [row["key"] for row in records(site.open(), "current_stock", "A1@CK01", "A2@CK99")] == ["A1@CK01"]

    @pytest.mark.parametrize(
        ("stream", "mapping", "settings"),
        [
            ("inventory", "product.in", {"tax_rate": "0.13"}),
            ("partner", "party.in", {}),
            ("warehouse", "warehouse.in", {}),
            ("unit", "unit.in", {}),
            ("current_stock", "stock_level.in", {}),
        ],
    )
    def test_what_t_plus_sends_becomes_valid_documents(
        self, site: Site, stream: str, mapping: str, settings: dict[str, str]
    ) -> None:
        opened = site.open()
        found = records(opened, stream)
        assert found
        for record in found:
            check(opened.streams[stream].entity, mapped(mapping, record, settings))

    def test_stock_says_what_is_reserved(self, site: Site) -> None:
        [row] = records(site.open(), "current_stock", "A1@CK01")
        level = mapped("stock_level.in", row)
        assert (level["on_hand"], level["reserved"], level["available"]) == (100, 12, 88)


class TestBills:
    def test_an_order_is_written_once_and_gets_the_number_of_t_plus(self, site: Site) -> None:
        check("sales_order", order())
        [outcome] = site.open().sinks["sales_order"].write([mapped("sales_order.out", order())])
        [held] = site.held("saleOrder")
        assert isinstance(outcome, Done)
        assert (outcome.native_id, outcome.native_no) == (held["ID"], "SO-2026-11-0001") == (held["ID"], held["Code"])

    def test_no_name_address_or_telephone_of_a_buyer_leaves(self, site: Site) -> None:
        made = codec.encode(mapped("sales_order.out", order())).decode()
        assert not any(word in made for word in ("张", "Address", "LinkMan", "ContactPhone", "open1"))

    def test_an_order_is_written_even_where_its_number_cannot_be_asked_for(self, site: Site) -> None:
        site.sandbox.faults = [Fault("status", match="GetVoucherDTO", rate=1.0, status=400)]
        [outcome] = site.open().sinks["sales_order"].write([mapped("sales_order.out", order())])
        assert isinstance(outcome, Done)
        assert outcome.native_no == "taobao:S01:1"

    def test_a_used_external_code_is_looked_up_not_written_again(self, site: Site) -> None:
        sink, payload = site.open().sinks["sales_order"], mapped("sales_order.out", order())
        sink.write([payload])
        [again] = sink.write([payload])
        assert isinstance(again, Unknown)
        assert dict(sink.find(["taobao:S01:1"])["taobao:S01:1"].figures) == sink.figures_of(payload)
        assert len(site.held("saleOrder")) == 1

    @pytest.mark.parametrize("kind", ["lose_answer", "malformed"])
    def test_a_lost_answer_is_settled_by_asking(self, site: Site, kind: str) -> None:
        sink, payload = site.open().sinks["sales_order"], mapped("sales_order.out", order())
        site.fail(kind, "saleOrder/Create")
        [outcome] = sink.write([payload])
        assert isinstance(outcome, Unknown)
        assert list(sink.find(["taobao:S01:1", "taobao:S01:2"])) == ["taobao:S01:1"]
        assert len(site.held("saleOrder")) == 1

    def test_a_token_that_died_is_renewed_and_the_order_written_once(self, site: Site) -> None:
        opened = site.open()
        opened.check()
        site.fail("expire_tokens", "saleOrder/Create")
        [outcome] = opened.sinks["sales_order"].write([mapped("sales_order.out", order())])
        assert isinstance(outcome, Done)
        assert len(site.held("saleOrder")) == 1

    def test_another_bill_than_the_one_asked_for_is_never_taken_for_ours(self, site: Site) -> None:
        class Deaf(Client):
            def read(self, service: str, body: Record) -> Any:
                return {"code": "0", "data": {"ID": "1", "Code": "SO-1", "ExternalCode": "another"}}

        sink = BillSink(Deaf(site.connection(), Services(TokenStore(site.folder))), ORDER)
        with pytest.raises(MalformedMessage, match="another bill"):
            sink.find(["taobao:S01:1"])

    def test_a_gateway_that_refuses_the_question_is_no_answer(self, site: Site) -> None:
        sink = site.open().sinks["sales_order"]
        sink.write([mapped("sales_order.out", order())])
        site.sandbox.faults = [Fault("status", match="GetVoucherDTO", rate=1.0, status=404)]
        with pytest.raises(DuijieError):
            sink.find(["taobao:S01:1"])

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"Customer": {"Code": "V001"}}, "性质不允许"),
            ({"Customer": {"Code": "X9"}}, "X9"),
            ({"VoucherDate": "2026/11/11"}, "单据日期"),
            ({"SaleOrderDetails": []}, "明细不能为空"),
            ({"ExternalCode": ""}, "外部系统单据编码不能为空"),
        ],
    )
    def test_a_refusal_gives_the_reason(self, site: Site, change: Record, words: str) -> None:
        [outcome] = site.open().sinks["sales_order"].write([{**mapped("sales_order.out", order()), **change}])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"Inventory": {"Code": "A2"}}, "A2"),
            ({"Unit": {"Name": "盒"}}, "计量单位"),
            ({"Quantity": 0}, "数量必须大于0"),
            ({"Quantity": "许多"}, "不是数字"),
            ({"OrigTax": "13.01"}, "之和不等于"),
            ({"OrigTaxAmount": "113.001"}, "小数位数"),
            ({"TaxRate": "1300"}, "税率"),
        ],
    )
    def test_a_line_that_does_not_fit_is_refused(self, site: Site, change: Record, words: str) -> None:
        made = mapped("sales_order.out", order())
        bad = {**made, "SaleOrderDetails": [{**made["SaleOrderDetails"][0], **change}]}
        [outcome] = site.open().sinks["sales_order"].write([bad])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    def test_amounts_arrive_to_the_cent(self, site: Site) -> None:
        amounts = [("20.00", 3), ("0.01", 7), ("1234.57", 999), ("99.99", 6), ("99999999.99", 1)]
        made = [mapped("sales_order.out", order(str(at), gross, qty)) for at, (gross, qty) in enumerate(amounts)]
        sink = site.open().sinks["sales_order"]
        assert [type(one) for one in sink.write(made)] == [Done] * 5
        found = sink.find([sink.key_of(one) for one in made])
        assert [str(found[sink.key_of(one)].figures["gross"]) for one in made] == [gross for gross, _ in amounts]

    def test_freight_is_a_line_of_the_service_product(self, site: Site) -> None:
        made = mapped("sales_order.out", order(freight="8.00"), {"freight_inventory": "YF"})
        sink = site.open().sinks["sales_order"]
        [outcome] = sink.write([made])
        assert isinstance(outcome, Done)
        assert sink.figures_of(made) == {"gross": Decimal("121.00"), "qty": 3}

    def test_an_order_may_be_audited_as_it_is_saved(self, site: Site) -> None:
        site.open().sinks["sales_order"].write([mapped("sales_order.out", order(), {"auto_audit": True})])
        assert [row["VoucherState"]["Name"] for row in site.held("saleOrder")] == ["已审"]

    def test_goods_issued_and_received_are_bills_of_their_own(self, site: Site) -> None:
        line = {
            "line_no": 1,
            "sku": "A1",
            "unit": "件",
            "qty": 2,
            "gross": Decimal("113.00"),
            "tax_rate": Decimal("0.13"),
        }
        head = {"business_date": "2026-11-11", "warehouse": "CK01", "lines": [line]}
        issue = {"key": "wms:OUT1", "issue_no": "OUT1", "kind": "sale", "party": {"key": "S01"}, **head}
        receipt = {"key": "wms:IN1", "receipt_no": "IN1", "kind": "purchase", "party": {"key": "V001"}, **head}
        check("goods_issue", issue)
        check("goods_receipt", receipt)
        sinks = site.open().sinks
        for name, document in (("goods_issue", issue), ("goods_receipt", receipt)):
            payload = mapped(f"{name}.out", document)
            [outcome] = sinks[name].write([payload])
            assert isinstance(outcome, Done)
            figures = sinks[name].find([document["key"]])[document["key"]].figures
            assert dict(figures) == sinks[name].figures_of(payload) == {"gross": Decimal("113.00"), "qty": 2}


class TestVouchers:
    def test_a_voucher_is_written_once(self, site: Site) -> None:
        check("voucher", voucher())
        [outcome] = site.open().sinks["voucher"].write([mapped("voucher.out", voucher())])
        assert isinstance(outcome, Done)
        assert outcome.native_no == "sale:S01:2026-11-11"
        assert [row["Entrys"][0]["AmountDr"] for row in site.held("doc")] == ["113.00"]

    def test_what_became_of_a_lost_answer_a_person_is_told_to_compare(self, site: Site) -> None:
        sink, payload = site.open().sinks["voucher"], mapped("voucher.out", voucher())
        site.fail("lose_answer", "doc/Create")
        [first] = sink.write([payload])
        assert isinstance(first, Unknown)
        assert sink.find([sink.key_of(payload)]) == {}
        [second] = sink.write([payload])
        assert isinstance(second, Refused)
        assert all(words in second.zh for words in ("sale:S01:2026-11-11", "借方 113.00", "贷方 113.00", "不要重放"))
        assert len(site.held("doc")) == 1

    def test_what_never_arrived_is_written_by_sending_it_again(self, site: Site) -> None:
        sink, payload = site.open().sinks["voucher"], mapped("voucher.out", voucher())
        site.sandbox.faults = [Fault("status", match="doc/Create", status=503, count=1)]
        [first] = sink.write([payload])
        [second] = sink.write([payload])
        assert (type(first), type(second)) == (Unknown, Done)
        assert len(site.held("doc")) == 1

    def test_after_a_lost_answer_the_journal_waits_for_a_person_and_holds_one_voucher(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DUIJIE_HOME", str(site.folder))
        monkeypatch.setattr(parcels, "GRACE_SECONDS", dict.fromkeys(Safety, 0.0))
        kept = Journal.open(f"sqlite:///{site.folder / 'journal.db'}")
        with kept.writing() as tx:
            for key in ("v1", "v2"):
                documents.put(tx, kept, "voucher", voucher(key), (None, "test"))
        site.fail("lose_answer", "doc/Create")
        step = Deliver(name="d", connection="t", sink="voucher", entity="voucher", mapping="tplus/voucher.out")
        mapping = load_mapping(MAPPINGS / "voucher.out.yaml")
        Delivering(kept, "books", step, site.open().sinks["voucher"], mapping, LOOKUP).run()
        with kept.reading() as tx:
            states = {row.key: row.state for row in tx.execute(select(delivery.c.key, delivery.c.state))}
            [item] = tx.execute(select(work_item)).all()
        assert (states, item.kind) == ({"v1": "rejected", "v2": "done"}, "rejected")
        assert "借方 113.00" in item.reason
        assert sorted(row["ExternalCode"] for row in site.held("doc")) == ["v1", "v2"]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"VoucherDate": "2026-10-31"}, "未打开或已结账"),
            ({"DocType": {"Code": "银"}}, "凭证类别"),
            ({"Entrys": []}, "不能少于两行"),
        ],
    )
    def test_a_refusal_gives_the_reason(self, site: Site, change: Record, words: str) -> None:
        [outcome] = site.open().sinks["voucher"].write([{**mapped("voucher.out", voucher()), **change}])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    def test_an_unbalanced_voucher_is_refused(self, site: Site) -> None:
        [outcome] = site.open().sinks["voucher"].write([mapped("voucher.out", voucher(credit="99.99"))])
        assert isinstance(outcome, Refused)
        assert "借贷不平" in outcome.zh

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"Account": {"Code": "2221"}}, "末级科目"),
            ({"AuxInfos": []}, "客户辅助核算"),
            ({"AuxInfos": [{"AuxAccCustomer": {"Code": "X9"}}]}, "X9"),
            ({"AmountCr": "113.00"}, "借方或贷方"),
            ({"Currency": {"Code": "USD"}}, "币种"),
        ],
    )
    def test_an_entry_that_does_not_fit_is_refused(self, site: Site, change: Record, words: str) -> None:
        made = mapped("voucher.out", voucher())
        bad = {**made, "Entrys": [{**made["Entrys"][0], **change}, *made["Entrys"][1:]]}
        [outcome] = site.open().sinks["voucher"].write([bad])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh


class TestBaseData:
    def test_a_product_that_was_made_is_read_as_one(self, site: Site) -> None:
        product = {"key": "A9", "sku": "A9", "name": "粉丝", "unit": "件", "tax_rate": Decimal("0.13")}
        check("product", product)
        opened = site.open()
        [outcome] = opened.sinks["product"].write([mapped("product.out", product, {"inventory_class": "01"})])
        assert isinstance(outcome, Done)
        [row] = records(opened, "inventory", "A9")
        assert mapped("product.in", row, {"tax_rate": "0.13"})["unit"] == "件"

    def test_a_party_that_was_made_is_read_as_one(self, site: Site) -> None:
        party = {"key": "V9", "code": "V9", "name": "杭州食品有限公司", "kind": "company", "role": "supplier"}
        check("party", party)
        opened = site.open()
        [outcome] = opened.sinks["party"].write([mapped("party.out", party, {"partner_class": "001"})])
        assert isinstance(outcome, Done)
        [row] = records(opened, "partner", "V9")
        assert mapped("party.in", row)["role"] == "supplier"


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        ("status", "code", "text", "kind"),
        [
            (403, "50107", "openToken已失效", TokenExpired),
            (401, "50000", "openToken不正确", TokenExpired),
            (401, "50000", "appSecret不正确", CredentialError),
            (403, "50112", "appKey不一致", CredentialError),
            (401, "50112", "本月访问已达上限", RateLimited),
            (404, "50000", "接口不存在", VendorRejected),
            (200, "14002", "请求太快", RateLimited),
            (200, "4002", "appKey不正确", CredentialError),
            (200, "500", "服务器内部错误", AnswerLost),
            (200, "999", "外部系统单据编码[1]已存在", AlreadyThere),
            (200, "999", "外部单据号重复", AlreadyThere),
            (200, "999", "客户[C9]不存在", VendorRejected),
            (200, "999", "系统异常，请稍后再试", AnswerLost),
            (200, "EXSV0011", "服务名不正确", VendorRejected),
            (200, "EXSV0011", "", RateLimited),
        ],
    )
    def test_has_its_place_in_the_tree(self, status: int, code: str, text: str, kind: type[DuijieError]) -> None:
        error = error_of({"code": code, "message": text}, status, "saleOrder/Create")
        assert type(error) is kind
        assert text in error.zh

    def test_a_quota_that_is_used_up_is_not_asked_again_at_once(self) -> None:
        error = error_of({"code": "50112", "message": "本月访问已达上限"}, 401, "x")
        assert isinstance(error, RateLimited)
        assert error.retry_after == 3600

    def test_the_throttle_speaks_a_form_of_its_own(self) -> None:
        error = error_of({"error": "too many requests"}, 409, "x")
        assert isinstance(error, RateLimited)
        assert "too many requests" in error.zh

    @pytest.mark.parametrize("answer", [None, "P9", [], [{"code": "x"}], {"code": "0", "data": {}}, {"code": 0}, {}])
    def test_success_has_many_forms(self, answer: Any) -> None:
        assert error_of(answer, 200, "x") is None

    def test_a_platform_service_that_fails_says_so_inside(self) -> None:
        error = error_of({"result": False, "error": {"code": "4002", "msg": "appKey不正确"}}, 200, "x")
        assert type(error) is CredentialError


class TestGateway:
    """The sandbox is as strict as the gateway."""

    def ask(self, site: Site, service: str = "warehouse/Query", body: Any = None, **changes: str) -> Record:
        given = {"param": {}} if body is None else body
        token = next(iter(site.sandbox.store.keys("token")), "")
        head = {"appKey": CLIENT["app_key"], "appSecret": CLIENT["app_secret"], "openToken": token}
        head |= {"Content-Type": "application/json", **changes}
        answer = requests.post(f"{site.url}/tplus/api/v2/{service}", codec.encode(given), headers=head, timeout=5)
        return {"status": answer.status_code, "said": codec.decode(answer.content)}

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"appKey": "x"}, 401, "50000"),
            ({"appSecret": "x"}, 401, "50000"),
            ({"openToken": "x"}, 403, "50107"),
            ({"Content-Type": "text/plain"}, 400, "50000"),
        ],
    )
    def test_a_header_that_is_wrong_stops_a_call(
        self, site: Site, changes: dict[str, str], status: int, code: str
    ) -> None:
        site.open().check()
        told = self.ask(site, **changes)
        assert (told["status"], told["said"]["code"]) == (status, code)

    @pytest.mark.parametrize(
        ("service", "body", "code"),
        [
            ("nothing/Query", {"param": {}}, "EXSV0011"),
            ("warehouse/Query", {"param": None}, "EXERROR0001"),
            ("saleOrder/Create", {"param": {}}, "EXERROR0001"),
            ("warehouse/Query", {"param": {"PageSize": 1001}}, "999"),
            ("warehouse/Query", {"param": {"SelectFields": "Code,Colour"}}, "999"),
            ("warehouse/Query", [], "EXERROR0001"),
        ],
    )
    def test_a_body_that_does_not_fit_is_refused(self, site: Site, service: str, body: Any, code: str) -> None:
        site.open().check()
        told = self.ask(site, service, body)
        assert (told["status"], told["said"]["code"]) == (200, code)

    def test_services_are_found_in_any_case(self, site: Site) -> None:
        site.open().check()
        assert self.ask(site, "WareHouse/query")["said"] == [{"Code": "CK01", "Name": "主仓"}]

    def test_a_refresh_kills_both_tokens_before_it(self, site: Site) -> None:
        site.open().check()
        [token] = site.sandbox.store.keys("token")
        used = {"grantType": "refresh_token", "refreshToken": site.refresh_token()}
        head = {"appKey": CLIENT["app_key"], "appSecret": CLIENT["app_secret"]}
        answers = [
            requests.get(f"{site.url}/auth/v2/refreshToken", params=used, headers=head, timeout=5) for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 401]
        assert self.ask(site, openToken=token)["said"]["code"] == "50107"

    def test_too_many_calls_a_second_and_a_month_are_refused(self, site: Site) -> None:
        site.sandbox.seed({"limits": {"per_second": 2, "per_month": 4}})
        site.open().check()
        told = [self.ask(site) for _ in range(4)]
        assert [one["status"] for one in told] == [200, 409, 409, 401]
        assert told[-1]["said"]["code"] == "50112"


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_mapping_keeps_its_own_tests(path: Path) -> None:
    assert [(one.name, one.differences) for one in run_tests(load_mapping(path)) if not one.passed] == []
