"""金蝶 EAS: a session, vouchers written once and read back by period, settings that must be right, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from connectors.eas import CONNECTOR
from connectors.eas.client import LOGIN_PARTS
from connectors.eas.connector import Eas
from connectors.eas.settings import Settings
from connectors.eas.wsdl import is_wsdl, with_one
from duijie import codec, schemas
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, MalformedMessage, NotSent, VendorBusy
from duijie.connect.protocol import Done, Incident, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.eas import CONFIG, EasSandbox, Fault
from sandbox.eas_ledger import COLUMNS as CELLS
from sandbox.eas_wsdl import describe
from sandbox.serve import Running, free_ports
from sandbox.store import Store

MAPPING_FILE = Path(__file__).parents[2] / "mappings/eas/voucher.out.yaml"
MAPPING = load_mapping(MAPPING_FILE)
COMPARED = load_mapping(Path(__file__).parents[2] / "mappings/reconcile/eas_voucher.in.yaml")
NAMES = {"key": "description", "word": "voucherType", "number": "voucherNumber", "date": "bookedDate"}
NAMES |= {"summary": "voucherAbstract", "account": "accountNumber", "debit": "debitAmount", "credit": "creditAmount"}
COLUMNS = {name: CELLS.index(cell) for name, cell in NAMES.items()}
EXTRA = {"dc_name": CONFIG["dc_name"], "company": CONFIG["company"], "creator": CONFIG["users"][0]}
NOVEMBER = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))


@dataclass
class Site:
    """A sandbox that is being served, and connections to it."""

    url: str
    sandbox: EasSandbox
    folder: Path
    incidents: list[Incident]

    def open(self, **changes: Any) -> Eas:
        extra = {**EXTRA, "voucher_columns": COLUMNS, "rate": "1000/second", **changes.pop("extra", {})}
        fields = {"host": self.url, "login": CONFIG["user"], "password": CONFIG["password"], **changes}
        connection = Connection("eas", "eas", extra=extra, **fields)
        return CONNECTOR.open(connection, Services(TokenStore(self.folder), self.incidents.append))  # type: ignore[return-value]

    def order(self, *rules: dict[str, Any]) -> None:
        requests.post(f"{self.url}/_admin/faults", data=codec.encode(list(rules)), timeout=5).raise_for_status()

    def held(self) -> list[dict[str, Any]]:
        return self.sandbox.store.all("voucher")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, EasSandbox]]:
    sandbox = EasSandbox(Store())
    with Running(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def site(server: tuple[str, EasSandbox], tmp_path: Path) -> Site:
    """The server, empty and without faults."""
    url, sandbox = server
    sandbox.store, sandbox.faults = Store(), []
    sandbox.expire_tokens()
    sandbox.seed({})
    return Site(url, sandbox, tmp_path / "tokens", [])


def voucher(key: str, lines: list[tuple[str, str, str]] | None = None, **changes: Any) -> dict[str, Any]:
    """A canonical voucher; lines are (account role, debit, credit)."""
    rows = lines or [("receivable", "113.00", "0"), ("revenue", "0", "100.00"), ("output_vat", "0", "13.00")]
    summary = "销售 天猫旗舰店 11-11 2单"
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
    made = MAPPING.run(voucher(key, lines, **changes), StaticLookup({"customer": {"S01": "C001"}}), {})
    assert made is not None
    return made


class TestSession:
    def test_check_shows_the_session_the_fields_and_the_columns(self, site: Site) -> None:
        site.open().sinks["voucher"].write([payload("a")])
        shown = dict(site.open().check())
        assert shown["登录"] == "会话有效"
        assert "来源键写入 description" in shown["凭证引入"]
        assert "6=202611:a" in shown["凭证读取"]

    def test_check_helps_to_find_the_columns_while_nothing_may_be_written(self, site: Site) -> None:
        connector = site.open(extra={"voucher_columns": ""})
        assert "尚未设置 voucher_columns" in dict(connector.check())["凭证读取"]
        with pytest.raises(ConfigError, match="voucher_columns lacks key, number, debit, credit"):
            connector.sinks["voucher"].find(["202611:a"])
        [outcome] = connector.sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Refused) and "duijie connection test" in outcome.zh
        assert site.held() == []

    def test_a_wrong_password_is_a_null_session_and_a_credential_error(self, site: Site) -> None:
        with pytest.raises(CredentialError) as caught:
            site.open(password="wrong-secret").check()
        assert "dc_name" in caught.value.zh

    def test_a_login_with_another_way_to_authenticate_takes_the_longer_operation(self, site: Site) -> None:
        site.open(extra={"auth_pattern": "BaseDB"}).check()

    def test_one_session_serves_all_until_it_ends_and_is_then_replaced(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sink.write([payload("a")])
        site.sandbox.expire_tokens()
        [outcome] = sink.write([payload("b")])
        assert isinstance(outcome, Done)
        assert {one.kind for one in site.incidents} == {"TokenExpired"}
        assert len(site.held()) == 2

    def test_a_lost_answer_to_the_login_means_that_nothing_was_written(self, site: Site) -> None:
        site.order({"kind": "lose_answer", "match": "ns0:login", "rate": 1})
        with pytest.raises(NotSent):
            site.open().check()

    def test_a_server_that_is_not_there_got_nothing(self, site: Site) -> None:
        with pytest.raises(NotSent):
            site.open(host=f"http://127.0.0.1:{free_ports(1)[0]}").check()

    def test_a_page_in_place_of_a_description_is_no_refusal(self, site: Site) -> None:
        site.order({"kind": "malformed", "match": "WSWSVoucher?wsdl", "count": 1})
        [outcome] = site.open().sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Done)

    def test_a_service_that_is_not_published_is_told_with_its_name(self, site: Site) -> None:
        with pytest.raises(Exception, match="404"):
            site.open(host=f"{site.url}/nowhere").check()


class TestSettings:
    @pytest.mark.parametrize(
        ("extra", "words"),
        [
            ({"company": ""}, "company"),
            ({"dc_name": ""}, "dc_name"),
            ({"credit_dc": "2"}, "credit_dc"),
            ({"page_rows": "5000"}, "page_rows"),
            ({"voucher_columns": {"key": "first"}}, "voucher_columns"),
            ({"voucher_columns": {"amount": 3}}, "amount"),
            ({"voucher_columns": {"key": -1}}, "voucher_columns"),
        ],
    )
    def test_a_setting_that_is_missing_or_wrong_is_named(self, site: Site, extra: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            site.open(extra=extra)

    def test_columns_may_be_json_text(self, site: Site) -> None:
        site.open(extra={"voucher_columns": codec.encode(COLUMNS).decode()}).sinks["voucher"].find(["202611:a"])

    def test_a_key_field_that_this_version_lacks_is_told(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="no field voucherKey"):
            site.open(extra={"key_field": "voucherKey"}).check()
        [outcome] = site.open(extra={"key_field": "voucherKey"}).sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Refused) and "voucherKey" in outcome.zh
        assert site.held() == []

    def test_a_column_that_is_no_amount_is_told_and_not_taken_for_nothing(self, site: Site) -> None:
        site.open().sinks["voucher"].write([payload("a")])
        wrong = site.open(extra={"voucher_columns": {**COLUMNS, "debit": COLUMNS["summary"]}})
        with pytest.raises(MalformedMessage, match="is no amount"):
            wrong.sinks["voucher"].find(["202611:a"])
        beyond = site.open(extra={"voucher_columns": {**COLUMNS, "debit": 99}})
        with pytest.raises(ConfigError, match="has 14 columns"):
            beyond.sinks["voucher"].find(["202611:a"])

    def test_long_keys_are_cut_and_stay_apart(self) -> None:
        settings = Settings("01", "x", key_length=40)
        made = [settings.native_key("202611", f"{'sale:S01:' * 6}{at}") for at in range(3)]
        assert len(set(made)) == 3
        assert {len(one) for one in made} == {40}
        assert settings.native_key("202611", "sale:S01:1") == "202611:sale:S01:1"


class TestWriting:
    def test_a_voucher_is_written_under_our_key_and_numbered_by_the_ledger(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        assert sink.safety is Safety.LOOKUP
        [first, second] = sink.write([payload("a"), payload("b")])
        assert isinstance(first, Done) and isinstance(second, Done)
        assert (first.native_no, second.native_no) == ("0001", "0002")
        assert first.native_id == "01.001:202611:记:0001"
        lines = site.held()[0]["lines"]
        assert [line["description"] for line in lines] == ["202611:a"] * 3
        assert [(line["entryDC"], line["debitAmount"], line["creditAmount"]) for line in lines] == [
            ("1", "113.00", "0.00"),
            ("0", "0.00", "100.00"),
            ("0", "0.00", "13.00"),
        ]
        assert (lines[0]["asstActType1"], lines[0]["asstActNumber1"]) == ("客户", "C001")
        assert lines[0]["creator"] == "对接制单"

    def test_a_ledger_that_wants_minus_one_for_credit_gets_it(self, site: Site) -> None:
        site.open(extra={"credit_dc": "-1"}).sinks["voucher"].write([payload("a")])
        assert [line["entryDC"] for line in site.held()[0]["lines"]] == ["1", "-1", "-1"]

    def test_a_red_voucher_keeps_its_sides(self, site: Site) -> None:
        red = payload("r", [("receivable", "-22.60", "0"), ("revenue", "0", "-20.00"), ("output_vat", "0", "-2.60")])
        sink = site.open().sinks["voucher"]
        [outcome] = sink.write([red])
        assert isinstance(outcome, Done)
        assert dict(sink.find(["202611:r"])["202611:r"].figures) == {
            "debit": Decimal("-22.60"),
            "credit": Decimal("-22.60"),
        }

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"date": "2026-10-31", "period": "202610"}, "会计期间 2026年10期 未打开"),
            ({"date": "2026-12-01"}, "不在期间 2026.11 内"),
            ({"lines": [("bank", "1.00", "0"), ("revenue", "0", "0.99")]}, "借贷不平: 借方 1.00, 贷方 0.99"),
            ({"lines": [("bank", "0", "0"), ("revenue", "0", "0")]}, "金额为零"),
        ],
    )
    def test_the_ledger_refuses_with_a_row_and_not_with_a_fault(
        self, site: Site, changes: dict[str, Any], words: str
    ) -> None:
        [outcome] = site.open().sinks["voucher"].write([payload("a", changes.pop("lines", None), **changes)])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh and "重放" in outcome.zh
        assert site.held() == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"accountNumber": "9999"}, "科目 9999 不存在"),
            ({"accountNumber": "2221"}, "不是明细科目"),
            ({"asstActNumber1": ""}, "必须录入辅助核算“客户”"),
            ({"asstActNumber1": "C404"}, "客户 C404 不存在"),
            ({"voucherAbstract": "  "}, "摘要不能为空"),
            ({"currencyNumber": "USD"}, "币别或汇率不正确"),
            ({"originalAmount": Decimal("1.00")}, "原币金额与本位币金额不一致"),
            ({"debitAmount": Decimal("113.001")}, "不是两位小数"),
        ],
    )
    def test_the_ledger_refuses_an_entry(self, site: Site, change: dict[str, Any], words: str) -> None:
        made = payload("a")
        made["entries"][0] |= change
        [outcome] = site.open().sinks["voucher"].write([made])
        assert isinstance(outcome, Refused) and words in outcome.zh

    def test_a_maker_that_the_ledger_does_not_know_is_refused(self, site: Site) -> None:
        [outcome] = site.open(extra={"creator": "无名"}).sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Refused) and "制单人 无名 不存在" in outcome.zh


class TestOnce:
    def test_a_lost_answer_is_unknown_and_then_found(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sent = payload("a")
        site.order({"kind": "lose_answer", "match": "importVoucher", "count": 1})
        [outcome] = sink.write([sent])
        assert isinstance(outcome, Unknown)
        found = sink.find([sink.key_of(sent), "202611:absent", "no period"])
        assert set(found) == {"202611:a"}
        assert dict(found["202611:a"].figures) == dict(sink.figures_of(sent))
        assert (found["202611:a"].native_no, found["202611:a"].raw["copies"]) == ("0001", 1)

    def test_the_ledger_itself_takes_a_voucher_twice(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sink.write([payload("a"), payload("a")])
        assert sink.find(["202611:a"])["202611:a"].raw["copies"] == 2

    def test_a_fault_after_the_voucher_was_kept_is_found_and_done(self, site: Site, monkeypatch: Any) -> None:
        sink = site.open().sinks["voucher"]
        kept = EasSandbox._import

        def keeps_and_fails(self: EasSandbox, *given: Any) -> Any:
            kept(self, *given)
            raise Fault("java.lang.NullPointerException")

        monkeypatch.setattr(EasSandbox, "_import", keeps_and_fails)
        [outcome] = sink.write([payload("a")])
        assert isinstance(outcome, Done) and outcome.native_no == "0001"
        assert len(site.held()) == 1

    def test_a_fault_that_stays_with_a_new_session_is_a_refusal(self, site: Site, monkeypatch: Any) -> None:
        def fails(*_: Any) -> Any:
            raise Fault("科目表未启用")

        monkeypatch.setattr(EasSandbox, "_import", fails)
        [outcome] = site.open().sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Refused) and "科目表未启用" in outcome.zh
        assert site.held() == []

    def test_a_key_field_that_does_not_come_back_stops_the_sink_after_one_voucher(self, site: Site) -> None:
        sink = site.open(extra={"key_field": "importKey"}).sinks["voucher"]
        first, second = sink.write([payload("a"), payload("b")])
        assert isinstance(first, Done)
        assert isinstance(second, Refused) and "读不回" in second.zh
        with pytest.raises(ConfigError, match="cannot read back 202611:a"):
            sink.find(["202611:b"])
        assert len(site.held()) == 1


class TestReading:
    def test_a_voucher_is_one_record_with_its_entries_and_cents(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload("a")])
        [page] = connector.streams["voucher"].read(NOVEMBER)
        [record] = page.records
        assert (record["key"], record["word"], record["number"], record["date"]) == (
            "202611:a",
            "记",
            "0001",
            "2026-11-11",
        )
        assert (record["debit"], record["credit"]) == (Decimal("113.00"), Decimal("113.00"))
        assert [one["account"] for one in record["entries"]] == ["1122", "6001", "2221.01.05"]
        row = COMPARED.run(record, StaticLookup(), {})
        assert row == {"key": "a", "amount": Decimal("113.00")}

    @pytest.mark.parametrize("base", [0, 1])
    @pytest.mark.parametrize("end_included", [False, True])
    def test_however_rows_are_counted_none_is_lost_or_counted_twice(
        self, site: Site, base: int, end_included: bool
    ) -> None:
        site.sandbox.seed({"row_base": base, "row_end_included": end_included})
        connector = site.open(extra={"page_rows": 4})
        connector.sinks["voucher"].write([payload(f"k{at}") for at in range(7)])
        [page] = connector.streams["voucher"].read(NOVEMBER)
        assert [one["key"] for one in page.records] == [f"202611:k{at}" for at in range(7)]
        assert {one["debit"] for one in page.records} == {Decimal("113.00")}

    def test_a_voucher_deleted_while_we_read_hides_no_other(self, site: Site, monkeypatch: Any) -> None:
        connector = site.open(extra={"page_rows": 4})
        connector.sinks["voucher"].write([payload(f"k{at}") for at in range(7)])
        read, calls = connector.ledger.client.read, []

        def disturbed(*asked: Any) -> Any:
            calls.append(asked)
            if len(calls) == 3:
                site.sandbox.shift_pages()
            return read(*asked)

        monkeypatch.setattr(connector.ledger.client, "read", disturbed)
        found = connector.sinks["voucher"].find([f"202611:k{at}" for at in range(7)])
        assert set(found) == {f"202611:k{at}" for at in range(1, 7)}

    def test_a_list_that_never_holds_still_is_read_again_later(self, site: Site, monkeypatch: Any) -> None:
        connector = site.open(extra={"page_rows": 4})
        connector.sinks["voucher"].write([payload(f"k{at}") for at in range(9)])
        read = connector.ledger.client.read

        def restless(company: str, period: str, first: int, last: int) -> Any:
            if first == 0:
                site.sandbox.shift_pages()
            return read(company, period, first, last)

        monkeypatch.setattr(connector.ledger.client, "read", restless)
        with pytest.raises(VendorBusy, match="kept changing"):
            connector.sinks["voucher"].find(["202611:k8"])

    def test_vouchers_of_others_are_left_out(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload("a")])
        [held] = site.held()
        others = {**held, "voucherNumber": "0099", "lines": [{**line, "description": "手工"} for line in held["lines"]]}
        site.sandbox.store.put("voucher", "by hand", others)
        [page] = connector.streams["voucher"].read(NOVEMBER)
        assert [one["number"] for one in page.records] == ["0001"]

    def test_a_window_over_the_turn_of_the_year_reads_its_periods(self, site: Site) -> None:
        site.sandbox.seed({"periods": ["202612", "202701"]})
        connector = site.open()
        made = [
            payload("a", date="2026-12-31", period="202612"),
            payload("b", date="2027-01-01", period="202701"),
        ]
        connector.sinks["voucher"].write(made)
        window = Window(datetime(2026, 12, 31, tzinfo=UTC), datetime(2026, 12, 31, 17, tzinfo=UTC))
        pages = list(connector.streams["voucher"].read(window))
        assert [one["key"] for page in pages for one in page.records] == ["202612:a", "202701:b"]


class TestDescriptions:
    def test_the_overload_that_is_asked_for_is_kept_whatever_their_order(self) -> None:
        text = describe("WSWSVoucher", "http://127.0.0.1:1/x").encode()
        for parts in (("voucherCols", "isVerify", "isImpCashflow"),
                      ("voucherCols", "isTempSave", "isVerify", "hasCashflow")):  # fmt: skip
            kept = with_one(text, "importVoucher", parts)
            assert kept.count(b'<wsdl:operation name="importVoucher"') == 2  # of the port type, of the binding
            assert b"isVerify" in kept

    def test_an_operation_with_other_parts_is_told_with_what_there_is(self) -> None:
        text = describe("EASLogin", "http://127.0.0.1:1/x").encode()
        assert is_wsdl(text) and not is_wsdl(b"<html/>")
        with pytest.raises(ConfigError, match=r"\(userName, password, slnName, dcName, language, dbType\)"):
            with_one(text, "login", [*LOGIN_PARTS, "isEncodePwd"])

    def test_a_voucher_number_left_out_makes_several_entries_one(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        lines = sink._lines(payload("a"), "202611:a")
        bare = [{name: value for name, value in line.items() if name != "voucherNumber"} for line in lines]
        [row] = site.open().ledger.client.write(bare, 1)
        assert row[4] == "9999"
        assert site.held() == []

    def test_a_number_that_is_taken_is_refused(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        numbered = payload("a")
        numbered["voucher"]["voucherNumber"] = "0007"
        first, second = sink.write([numbered, {**numbered, "key": "b"}])
        assert isinstance(first, Done) and first.native_no == "0007"
        assert isinstance(second, Unknown) and "0007 在该期间已存在" in second.zh


def test_the_mapping_passes_its_own_tests() -> None:
    results = run_tests(MAPPING) + run_tests(COMPARED)
    assert len(results) >= 5
    assert [(result.name, result.differences) for result in results if not result.passed] == []


def test_every_account_of_the_mapping_is_a_leaf_of_the_sandbox_ledger() -> None:
    codes = set(yaml.safe_load(MAPPING_FILE.read_text(encoding="utf-8"))["tables"]["account"].values())
    leaves = {row["number"] for row in EasSandbox(Store()).store.all("account") if row["leaf"]}
    assert len(codes) > 30
    assert codes <= leaves
