"""用友 U8 EAI: vouchers under our key, settled by a query; archives by code; answers in any code page; refusals."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.dom import minidom

import pytest
import requests
import yaml

from connectors.u8eai import CONNECTOR
from connectors.u8eai.client import read
from connectors.u8eai.connector import U8
from connectors.u8eai.settings import docid_of, native_key
from connectors.u8eai.vouchers import AUX, ENTRY, HEAD
from duijie import codec, schemas
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, CredentialError, MalformedMessage, NotSent, VendorRejected
from duijie.connect.protocol import Done, Incident, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.serve import Running, free_ports
from sandbox.store import Store
from sandbox.u8eai import CONFIG, U8Sandbox
from sandbox.u8eai_archives import FIELDS
from sandbox.u8eai_books import Books

FOLDER = Path(__file__).parents[2] / "mappings/u8eai"
MAPPINGS = {path.name.removesuffix(".yaml"): load_mapping(path) for path in FOLDER.glob("*.yaml")}
EXTRA = {"maker": CONFIG["operators"][0], "voucher_query": CONFIG["voucher_filter"], "rate": "1000/second"}
EVER = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@dataclass
class Site:
    """A sandbox that is being served, and connections to it."""

    url: str
    sandbox: U8Sandbox
    folder: Path
    incidents: list[Incident]

    def open(self, **changes: Any) -> U8:
        extra = {**EXTRA, **changes.pop("extra", {})}
        fields = {"host": self.url, "password": CONFIG["senders"][0], **changes}
        connection = Connection("u8", "u8eai", extra=extra, **fields)
        return CONNECTOR.open(connection, Services(TokenStore(self.folder), self.incidents.append))  # type: ignore[return-value]

    def order(self, *rules: dict[str, Any]) -> None:
        requests.post(f"{self.url}/_admin/faults", data=codec.encode(list(rules)), timeout=5).raise_for_status()

    def post(self, text: str, kind: str = "application/x-www-form-urlencoded") -> requests.Response:
        """A message as another client would send it."""
        headers = {"Content-Type": kind}
        return requests.post(f"{self.url}/u8eai/IMPORT.ASP", data=text.encode(), headers=headers, timeout=5)

    def held(self, collection: str = "voucher") -> list[dict[str, Any]]:
        return self.sandbox.store.all(collection)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, U8Sandbox]]:
    sandbox = U8Sandbox(Store())
    with Running(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def site(server: tuple[str, U8Sandbox], tmp_path: Path) -> Site:
    """The server, empty and without faults."""
    url, sandbox = server
    sandbox.store, sandbox.faults = Store(), []
    sandbox.seed({})
    return Site(url, sandbox, tmp_path / "tokens", [])


def voucher(key: str, lines: list[tuple[str, str, str]] | None = None, **changes: Any) -> dict[str, Any]:
    """A canonical voucher; lines are (account role, debit, credit)."""
    rows = lines or [("receivable", "113.00", "0"), ("revenue", "0", "100.00"), ("output_vat", "0", "13.00")]
    summary = changes.get("summary", "销售 天猫旗舰店 11-11 2单")
    head = {"date": "2026-11-11", "period": "202611", "word": "记", "summary": summary, "attachments": 2}
    document = {
        "key": key,
        **head,
        "debit": sum(Decimal(debit) for _, debit, _ in rows),
        "credit": sum(Decimal(credit) for _, _, credit in rows),
        "lines": [
            {"line_no": at, "summary": summary, "account": account, "debit": Decimal(debit), "credit": Decimal(credit)}
            | ({"aux": {"customer": "S01"}} if account == "receivable" else {})
            for at, (account, debit, credit) in enumerate(rows, 1)
        ],
        **changes,
    }
    schemas.check("voucher", document)
    return document


def payload(key: str, lines: list[tuple[str, str, str]] | None = None, **changes: Any) -> dict[str, Any]:
    lookup = StaticLookup({"customer": {"S01": "C001"}})
    made = MAPPINGS["voucher.out"].run(voucher(key, lines, **changes), lookup, {})
    assert made is not None
    return made


def customer(code: str, **changes: Any) -> dict[str, Any]:
    party = {"key": code, "code": code, "name": f"公司 {code}", "kind": "company", "role": "customer", **changes}
    schemas.check("party", party)
    return MAPPINGS["customer.out"].run(party, StaticLookup(), {}) or {}


class TestConnection:
    def test_check_reads_the_words_and_asks_for_a_voucher_that_is_not_there(self, site: Site) -> None:
        shown = dict(site.open().check())
        assert shown["凭证类别"] == "记, 收, 付, 转"
        assert shown["凭证查询"] == "按 coutno_id 可以查询"

    def test_a_code_that_is_not_registered_is_a_credential_error(self, site: Site) -> None:
        with pytest.raises(CredentialError) as caught:
            site.open(password="999").check()
        assert "外部系统注册" in caught.value.zh

    def test_a_query_field_that_u8_does_not_know_is_told_by_the_test(self, site: Site) -> None:
        with pytest.raises(VendorRejected, match="reserve2"):
            site.open(extra={"voucher_query": "reserve2"}).check()

    @pytest.mark.parametrize("name", ["maker", "voucher_query"])
    def test_a_missing_setting_is_named(self, site: Site, name: str) -> None:
        with pytest.raises(ConfigError, match=name):
            site.open(extra={name: ""})

    def test_a_server_that_is_not_there_got_nothing(self, site: Site) -> None:
        with pytest.raises(NotSent):
            site.open(host=f"http://127.0.0.1:{free_ports(1)[0]}").check()

    def test_the_code_does_not_show(self, site: Site) -> None:
        assert CONFIG["senders"][0] not in repr(site.open())


class TestWriting:
    def test_a_voucher_is_made_under_our_key_and_numbered_by_u8(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        assert sink.safety is Safety.LOOKUP
        [first, second] = sink.write([payload("sale:S01:1"), payload("sale:S01:2")])
        assert isinstance(first, Done) and isinstance(second, Done)
        assert (first.native_no, second.native_no) == ("1", "2")
        assert first.native_id == "2026-11-记-1"
        held = site.held()[0]
        assert (held["id"], held["head"]["reserve2"]) == ("sale:S01:1", "sale:S01:1")
        assert (held["head"]["enter"], held["head"]["voucher_making_system"]) == ("对接制单", "GL")
        assert held["head"]["checker"] == "" and held["head"]["posting_person"] == ""
        sides = [(one["natural_debit_currency"], one["natural_credit_currency"]) for one in held["entries"]]
        assert sides == [("113.00", "0.00"), ("0.00", "100.00"), ("0.00", "13.00")]
        assert held["entries"][0]["cust_id"] == "C001"

    def test_a_message_has_every_element_of_the_template_in_its_order(self, site: Site, monkeypatch: Any) -> None:
        sent: list[Any] = []
        kept = Books.add

        def seen(self: Books, element: Any, attributes: Any) -> Any:
            sent.append((element, attributes))
            return kept(self, element, attributes)

        monkeypatch.setattr(Books, "add", seen)
        site.open().sinks["voucher"].write([payload("a")])
        [(element, attributes)] = sent
        assert [one.tag for one in element.find("voucher_head")] == list(HEAD)
        entry = element.find("voucher_body/entry")
        assert [one.tag for one in entry] == [*ENTRY, "auxiliary_accounting", "detail"]
        assert [one.get("name") for one in entry.find("auxiliary_accounting")] == list(AUX)
        assert (attributes["billtype"], attributes["renewproofno"], attributes["codeexchanged"]) == ("gl", "true", "N")
        assert attributes["docid"] == docid_of("voucher:a") and attributes["docid"].isdigit()

    def test_a_red_voucher_keeps_its_sides(self, site: Site) -> None:
        red = payload("r", [("receivable", "-22.60", "0"), ("revenue", "0", "-20.00"), ("output_vat", "0", "-2.60")])
        sink = site.open().sinks["voucher"]
        [outcome] = sink.write([red])
        assert isinstance(outcome, Done)
        assert dict(sink.find(["r"])["r"].figures) == {"debit": Decimal("-22.60"), "credit": Decimal("-22.60")}

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"date": "2026-10-31", "period": "202610"}, "会计期间 2026.10 已结账"),
            ({"date": "2026-12-01"}, "不在会计期间 2026.11 内"),
            ({"lines": [("bank", "1.00", "0"), ("revenue", "0", "0.99")]}, "借贷不平: 借方 1.00, 贷方 0.99"),
            ({"lines": [("bank", "0", "0"), ("revenue", "0", "0")]}, "分录 1: 本币借方与贷方必须且只能填一个"),
        ],
    )
    def test_u8_refuses_and_says_which_entry(self, site: Site, changes: dict[str, Any], words: str) -> None:
        [outcome] = site.open().sinks["voucher"].write([payload("a", changes.pop("lines", None), **changes)])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh and "凭证分录数据有错" in outcome.zh and "重放" in outcome.zh
        assert site.held() == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"account_code": "9999"}, "科目 9999 非法或不是末级"),
            ({"account_code": "2221"}, "不是末级"),
            ({"aux": {}}, "客户不能为空"),
            ({"aux": {"cust_id": "C404"}}, "客户 C404 非法"),
            ({"abstract": "  "}, "摘要不能为空"),
            ({"abstract": "字" * 61}, "abstract 超过 60 位"),
            ({"natural_debit_currency": Decimal("113.001")}, "金额非法"),
            ({"natural_credit_currency": Decimal("113.00")}, "必须且只能填一个"),
        ],
    )
    def test_u8_refuses_an_entry(self, site: Site, change: dict[str, Any], words: str) -> None:
        made = payload("a")
        made["entries"][0] |= change
        [outcome] = site.open().sinks["voucher"].write([made])
        assert isinstance(outcome, Refused) and f"分录 1: {words}".split(": ", 1)[1] in outcome.zh

    @pytest.mark.parametrize(
        ("extra", "words"), [({"maker": "无名"}, "制单人 无名 不是操作员"), ({"making_system": "CDM"}, "必须是 GL")]
    )
    def test_a_setting_that_u8_does_not_take_is_refused(self, site: Site, extra: dict[str, Any], words: str) -> None:
        [outcome] = site.open(extra=extra).sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Refused) and words in outcome.zh

    def test_a_control_character_stops_its_document_before_it_leaves(self, site: Site) -> None:
        made = payload("a")
        made["entries"][0]["abstract"] = "销售\x07"
        bad, good = site.open().sinks["voucher"].write([made, payload("b")])
        assert isinstance(bad, Refused) and "控制字符" in bad.zh
        assert isinstance(good, Done)

    def test_markup_in_a_text_stays_text(self, site: Site) -> None:
        summary = "<item succeed='0'/> & \"退\" ]]>"
        [outcome] = site.open().sinks["voucher"].write([payload("a", summary=summary)])
        assert isinstance(outcome, Done)
        assert site.held()[0]["entries"][0]["abstract"] == summary


class TestOnce:
    def test_a_lost_answer_is_unknown_and_then_found_by_its_key(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sent = payload("sale:S01:1")
        site.order({"kind": "lose_answer", "count": 1, "writes": True})
        [outcome] = sink.write([sent])
        assert isinstance(outcome, Unknown)
        found = sink.find(["sale:S01:1", "absent"])
        assert set(found) == {"sale:S01:1"}
        assert dict(found["sale:S01:1"].figures) == dict(sink.figures_of(sent))
        assert (found["sale:S01:1"].native_no, found["sale:S01:1"].raw["copies"]) == ("1", 1)

    def test_a_repetition_that_u8_notices_is_no_success_but_looked_up(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        first, again = sink.write([payload("a"), payload("a")])
        assert isinstance(first, Done)
        assert isinstance(again, Unknown) and "数据重复上传" in again.zh
        assert len(site.held()) == 1

    def test_where_u8_does_not_notice_the_look_up_tells_how_many_there_are(self, site: Site) -> None:
        site.sandbox.seed({"remembers": False})
        sink = site.open().sinks["voucher"]
        sink.write([payload("a"), payload("a")])
        assert sink.find(["a"])["a"].raw["copies"] == 2

    def test_a_query_that_brings_other_vouchers_asks_for_something_else_and_is_told(self, site: Site) -> None:
        site.open().sinks["voucher"].write([payload("a")])
        by_period = site.open(extra={"voucher_query": "iperiod"}).sinks["voucher"]
        with pytest.raises(ConfigError, match="correct voucher_query"):
            by_period.find(["11"])

    def test_a_query_that_does_not_bring_what_was_written_stops_the_sink(self, site: Site) -> None:
        sink = site.open(extra={"voucher_query": "iperiod"}).sinks["voucher"]
        first, second = sink.write([payload("a"), payload("b")])
        assert isinstance(first, Done)
        assert isinstance(second, Refused) and "voucher_query" in second.zh
        with pytest.raises(ConfigError, match="cannot read back a"):
            sink.find(["b"])
        assert len(site.held()) == 1

    def test_long_keys_are_cut_and_stay_apart(self, site: Site) -> None:
        keys = [f"{'sale:S01:' * 7}{at}" for at in range(2)]
        sink = site.open().sinks["voucher"]
        assert [type(one) for one in sink.write([payload(key) for key in keys])] == [Done, Done]
        assert {len(native_key(key)) for key in keys} == {50}
        assert len(sink.find([native_key(key) for key in keys])) == 2

    def test_success_without_a_number_is_looked_up(self, site: Site, monkeypatch: Any) -> None:
        sink, kept = site.open().sinks["voucher"], Books.add

        def silent(self: Books, *given: Any) -> Any:
            return [{**item, "u8voucher_id": ""} for item in kept(self, *given)]

        monkeypatch.setattr(Books, "add", silent)
        [found] = sink.write([payload("a")])
        assert isinstance(found, Done) and found.native_no == "1"
        item = {"succeed": "0", "dsc": "", "u8voucher_id": ""}
        monkeypatch.setattr(Books, "add", lambda *_: [item])
        [absent] = sink.write([payload("b")])
        assert isinstance(absent, Refused) and "没有给出凭证号" in absent.zh

    @pytest.mark.parametrize(
        "items",
        [[], [{"succeed": "0", "dsc": "ok", "u8voucher_id": "1"}, {"succeed": "1", "dsc": "错"}], [{"dsc": "?"}]],
    )
    def test_a_receipt_that_says_nothing_or_both_is_never_success(
        self, site: Site, monkeypatch: Any, items: Any
    ) -> None:
        monkeypatch.setattr(Books, "add", lambda *_: items)
        [outcome] = site.open().sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Unknown | Refused)


class TestArchives:
    def test_a_customer_is_added_with_its_day_and_found_by_code(self, site: Site) -> None:
        sink = site.open().sinks["customer"]
        assert sink.safety is Safety.NATURAL_KEY
        [outcome] = sink.write([customer("K001", tax_no="91350100M000100Y43")])
        assert isinstance(outcome, Done) and outcome.native_id == "K001"
        assert set(sink.find(["K001", "K404"])) == {"K001"}
        held = site.sandbox.store.get("customer", "K001")
        assert held is not None and held["tax_reg_code"] == "91350100M000100Y43" and len(held["seed_date"]) == 10

    def test_a_code_that_is_taken_is_refused_and_looked_up(self, site: Site) -> None:
        sink = site.open().sinks["customer"]
        sink.write([customer("K001")])
        [again] = sink.write([customer("K001", name="另一家")])
        assert isinstance(again, Unknown) and "不可重复" in again.zh
        assert [one["name"] for one in site.held("customer") if one["code"] == "K001"] == ["公司 K001"]

    def test_success_without_a_key_is_looked_up_and_refused(self, site: Site) -> None:
        sink = site.open().sinks["customer"]
        [outcome] = sink.write([{**customer("K001"), "code": ""}])
        assert isinstance(outcome, Refused) and "核对映射" in outcome.zh

    def test_an_element_that_the_version_does_not_know_is_named(self, site: Site) -> None:
        [outcome] = site.open().sinks["customer"].write([{**customer("K001"), "cCusName": "x"}])
        assert isinstance(outcome, Refused) and "cCusName" in outcome.zh

    def test_a_vendor_without_a_scope_is_refused(self, site: Site) -> None:
        party = {"key": "V1", "name": "供方", "kind": "company", "role": "supplier"}
        made = MAPPINGS["vendor.out"].run(party, StaticLookup(), {}) or {}
        good, bad = site.open().sinks["vendor"].write([made, {**made, "code": "V2", "bvencargo": "0"}])
        assert isinstance(good, Done)
        assert isinstance(bad, Refused) and "业务范围" in bad.zh

    def test_goods_travel_in_a_header_and_warehouses_flat(self, site: Site) -> None:
        product = {"key": "A1", "sku": "A1", "name": "面条", "unit": "件", "tax_rate": Decimal("0.13")}
        goods = MAPPINGS["inventory.out"].run(product, StaticLookup({"unit": {"件": "01"}}), {}) or {}
        house = MAPPINGS["warehouse.out"].run({"key": "W", "code": "W", "name": "主仓库"}, StaticLookup(), {}) or {}
        sinks = site.open().sinks
        [first, second] = [*sinks["inventory"].write([goods]), *sinks["warehouse"].write([house])]
        assert isinstance(first, Done) and isinstance(second, Done)
        assert site.held("inventory")[0] == {key: str(value) for key, value in goods.items()}
        assert "seed_date" not in site.held("inventory")[0] and "seed_date" not in site.held("warehouse")[0]
        assert set(sinks["inventory"].find(["A1"])) == {"A1"} and set(sinks["warehouse"].find(["W"])) == {"W"}
        [back] = [record for page in site.open().streams["inventory"].read(EVER) for record in page.records]
        assert (MAPPINGS["inventory.in"].run(back, StaticLookup(), {}) or {})["tax_rate"] == Decimal("0.13")

    def test_every_field_of_the_mappings_is_an_element_of_the_template(self) -> None:
        for name in ("customer", "vendor", "inventory", "warehouse"):
            fields = yaml.safe_load((FOLDER / f"{name}.out.yaml").read_text(encoding="utf-8"))["fields"]
            assert set(fields) <= set(FIELDS[name])

    def test_archives_are_read_whole_and_become_documents(self, site: Site) -> None:
        goods = {"code": "A1", "name": "面条", "specs": "500g", "main_measure": "01", "tax_rate": "13.000000"}
        site.sandbox.seed({"inventory": [goods], "warehouse": [{"code": "01", "name": "主仓库"}]})
        streams, made = site.open().streams, {}
        for name in ("customer", "inventory", "warehouse"):
            records = [record for page in streams[name].read(EVER) for record in page.records]
            [made[name]] = [MAPPINGS[f"{name}.in"].run(record, StaticLookup(), {}) for record in records]
            schemas.check(MAPPINGS[f"{name}.in"].target["entity"], made[name])
        assert made["customer"]["key"] == "customer:C001"
        assert made["inventory"]["tax_rate"] == Decimal("0.13") and made["inventory"]["unit"] == "件"

    def test_one_page_of_several_is_an_error_and_no_archive(self, site: Site) -> None:
        site.sandbox.seed({"pages": 3})
        with pytest.raises(VendorRejected, match="page one of 3"):
            list(site.open().streams["customer"].read(EVER))


class TestAnswers:
    def test_an_answer_in_the_servers_code_page_without_a_declaration_is_read(self, site: Site) -> None:
        site.sandbox.seed({"encoding": "gb2312"})
        sink = site.open().sinks["voucher"]
        [done, bad] = sink.write([payload("a", summary="销售 𠮷野家"), payload("b", date="2026-12-01")])
        assert isinstance(done, Done)
        assert isinstance(bad, Refused) and "制单日期 2026-12-01" in bad.zh
        assert sink.find(["a"])["a"].raw["entries"][0]["abstract"] == "销售 𠮷野家"

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"<html><body>ASP 0113</body></html>", "text/html"),
            (b"", "text/html"),
            (b"<ufinterface><item", "text/xml"),
            (b"\xff\xfe\x00", "text/html; charset=gb2312"),
            (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><ufinterface>&x;</ufinterface>', "text/xml"),
        ],
    )
    def test_anything_else_leaves_the_outcome_unknown(self, body: bytes, kind: str) -> None:
        response = requests.Response()
        response._content, response.headers["Content-Type"] = body, kind
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        with pytest.raises(AnswerLost) as caught:
            read(response)
        assert "先查询" in caught.value.zh

    def test_a_declared_code_page_is_read_by_its_declaration(self) -> None:
        response = requests.Response()
        text = '\r\n<?xml version="1.0" encoding="gb2312"?>\r\n<ufinterface><item dsc="凭证导入成功"/></ufinterface>'
        response._content = text.encode("gb2312")
        assert read(response)[0].get("dsc") == "凭证导入成功"

    def test_a_voucher_of_a_query_that_is_not_of_the_template_is_told(self, site: Site, monkeypatch: Any) -> None:
        site.open().sinks["voucher"].write([payload("a")])
        [held] = site.held()
        held["entries"][0]["natural_debit_currency"] = "一百"
        with pytest.raises(MalformedMessage, match="is no amount"):
            site.open().sinks["voucher"].find(["a"])
        held["entries"] = []
        with pytest.raises(MalformedMessage, match="no entry"):
            site.open().sinks["voucher"].find(["a"])


class TestServer:
    """What the sandbox promises to clients other than ours."""

    TEXT = (
        '<?xml version="1.0" encoding="utf-8"?><ufinterface roottag="voucher" billtype="gl" docid="1" receiver="u8" '
        'sender="DUIJIE2026" proc="add" codeexchanged="N" exportneedexch="N" renewproofno="" version="2.0">'
        '<voucher id="x"><voucher_head><voucher_type>记</voucher_type><fiscal_year>2026</fiscal_year>'
        "<accounting_period>11</accounting_period><voucher_id>{number}</voucher_id><date>2026-11-11</date>"
        "<enter>对接制单</enter><voucher_making_system>GL</voucher_making_system></voucher_head><voucher_body>"
        "<entry><entry_id>1</entry_id><account_code>1002</account_code><abstract>a</abstract>"
        "<natural_debit_currency>1</natural_debit_currency></entry><entry><entry_id>2</entry_id>"
        "<account_code>6001</account_code><abstract>a</abstract><natural_credit_currency>1</natural_credit_currency>"
        "</entry></voucher_body></voucher></ufinterface>"
    )

    def items(self, text: str) -> list[dict[str, str]]:
        """By a parser other than ours."""
        nodes = minidom.parseString(text).getElementsByTagName("item")  # noqa: S318  our own sandbox's
        return [dict(node.attributes.items()) for node in nodes]

    def test_a_hand_written_message_by_urllib_and_minidom(self, site: Site) -> None:
        request = urllib.request.Request(f"{site.url}/u8eai/import.asp", self.TEXT.format(number=7).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            [item] = self.items(answer.read().decode())
        assert (item["succeed"], item["dsc"], item["u8voucher_id"]) == ("0", "凭证导入成功", "7")

    def test_a_number_is_unique_unless_u8_may_give_another(self, site: Site) -> None:
        site.post(self.TEXT.format(number=7))
        again = self.items(site.post(self.TEXT.format(number=7)).text)
        assert again[0]["dsc"] == "凭证号 7 重复" and again[-1]["dsc"] == "凭证分录数据有错"
        renewed = self.items(site.post(self.TEXT.format(number=7).replace('proofno=""', 'proofno="true"')).text)
        assert renewed[0]["u8voucher_id"] == "1"

    def test_a_number_left_out_needs_renewing(self, site: Site) -> None:
        assert self.items(site.post(self.TEXT.format(number="")).text)[0]["dsc"] == "凭证号不能为空"

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (('sender="DUIJIE2026"', 'sender="1"'), "外部系统编码未注册"),
            (('proc="add"', 'proc="delete"'), "暂不提供此项功能"),
            (('roottag="voucher"', 'roottag="salary"'), "不支持 salary"),
            (('roottag="voucher"', 'roottag="customer"'), "报文中没有 customer"),
        ],
    )
    def test_a_message_that_is_not_for_it_is_refused_whole(
        self, site: Site, change: tuple[str, str], words: str
    ) -> None:
        [item] = self.items(site.post(self.TEXT.format(number=1).replace(*change)).text)
        assert item["succeed"] == "-1" and words in item["dsc"]

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("<ufinterface", "application/xml"),
            ("<other/>", "application/xml"),
            ('<!DOCTYPE a [<!ENTITY x "y">]><ufinterface/>', "application/xml"),
            ("<ufinterface/>", "application/json"),
        ],
    )
    def test_a_broken_message_gets_an_asp_page(self, site: Site, text: str, kind: str) -> None:
        answer = site.post(text, kind)
        assert answer.status_code == 500 and "VBScript" in answer.text

    def test_seeding_again_undoes_nothing(self, site: Site) -> None:
        site.open().sinks["customer"].write([customer("K001")])
        before = site.sandbox.store.counts()
        site.sandbox.seed({})
        assert site.sandbox.store.counts() == before


def test_the_mappings_pass_their_own_tests() -> None:
    results = [result for mapping in MAPPINGS.values() for result in run_tests(mapping)]
    assert len(results) >= 20
    assert [(result.mapping, result.name, result.differences) for result in results if not result.passed] == []


def test_every_account_of_the_mapping_is_a_leaf_of_the_sandbox_ledger() -> None:
    tables = yaml.safe_load((FOLDER / "voucher.out.yaml").read_text(encoding="utf-8"))["tables"]
    codes = set(tables["account"].values())
    leaves = {key for key in U8Sandbox(Store()).store.keys("account")}
    assert len(codes) > 30
    assert codes <= leaves
