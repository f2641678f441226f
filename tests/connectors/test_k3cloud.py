"""金蝶云星空: signatures, vouchers written once and found again, and what the ledger refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from connectors.k3cloud import CONNECTOR
from connectors.k3cloud.connector import K3Cloud
from connectors.k3cloud.queries import literal
from connectors.k3cloud.signing import Identity, client_secret, login_signature, signed_headers
from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError
from duijie.connect.protocol import Done, Incident, Refused, Safety, Unknown, Window
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.k3cloud import SANDBOX, K3CloudSandbox
from sandbox.k3cloud_chart import CONFIG
from sandbox.serve import Running
from sandbox.store import Store

MAPPING_FILE = Path(__file__).parents[2] / "mappings/k3cloud/voucher.out.yaml"
MAPPING = load_mapping(MAPPING_FILE)
FORMS = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
STAMP = 1655775240
WHO = Identity(
    "5f0c1a2b3c4d5e",
    "administrator",
    "205022_0123456789abcdef0123456789abcdef",
    "fedcba9876543210fedcba9876543210",
)


@dataclass
class Site:
    """A sandbox that is being served, and connections to it."""

    url: str
    sandbox: K3CloudSandbox
    folder: Path
    incidents: list[Incident]

    def open(self, **changes: Any) -> K3Cloud:
        extra = {name: CONFIG[name] for name in ("acct_id", "app_id", "account_book")}
        extra |= {"rate": "1000/second", **changes.pop("extra", {})}
        fields = {"host": self.url, "login": CONFIG["user"], "password": CONFIG["app_secret"], **changes}
        connection = Connection("k3", "k3cloud", extra=extra, **fields)
        services = Services(TokenStore(self.folder), self.incidents.append)
        return CONNECTOR.open(connection, services)  # type: ignore[return-value]

    def order(self, *rules: dict[str, Any]) -> None:
        requests.post(f"{self.url}/_admin/faults", data=codec.encode(list(rules)), timeout=5).raise_for_status()

    def post(self, operation: str, body: Any, session: str) -> Any:
        """A call as another client would make it: by session alone."""
        url = f"{self.url}/k3cloud/{FORMS}.{operation}.common.kdsvc"
        headers = {"kdservice-sessionid": session}
        return codec.decode(requests.post(url, data=codec.encode(body), headers=headers, timeout=5).content)

    def login(self, operation: str, parameters: list[Any]) -> requests.Response:
        url = f"{self.url}/k3cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.{operation}.common.kdsvc"
        return requests.post(url, json={"parameters": parameters}, timeout=5)

    def session(self) -> str:
        given = [CONFIG[name] for name in ("acct_id", "user", "app_id", "app_secret")]
        return str(self.login("LoginByAppSecret", [*given, 2052]).json()["KDSVCSessionId"])

    def held(self) -> list[dict[str, Any]]:
        return self.sandbox.store.all("GL_VOUCHER")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, K3CloudSandbox]]:
    sandbox = SANDBOX(Store())
    with Running(sandbox) as url:
        yield url, sandbox


@pytest.fixture
def site(server: tuple[str, K3CloudSandbox], tmp_path: Path) -> Site:
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
    return {
        "key": key,
        "date": "2026-11-11",
        "period": "202611",
        "word": "记",
        "summary": summary,
        "attachments": 2,
        "debit": sum(Decimal(debit) for _, debit, _ in rows),
        "credit": sum(Decimal(credit) for _, _, credit in rows),
        "lines": [
            {
                "line_no": number,
                "summary": summary,
                "account": account,
                **({"aux": {"customer": "S01"}} if account == "receivable" else {}),
                "debit": Decimal(debit),
                "credit": Decimal(credit),
            }
            for number, (account, debit, credit) in enumerate(rows, 1)
        ],
        **changes,
    }


def payload(key: str, lines: list[tuple[str, str, str]] | None = None, **changes: Any) -> dict[str, Any]:
    made = MAPPING.run(voucher(key, lines, **changes), StaticLookup({"customer": {"S01": "C001"}}), {})
    assert made is not None
    return made


def today() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


class TestSigning:
    """Against headers captured from the vendor's SDK 8.2.0."""

    @pytest.mark.parametrize(
        ("encoded", "secret"),
        [
            ("0123456789abcdef0123456789abcdef", "422C1/iIyuH4R+Ws526A2/yLyrX6RrOs"),
            ("TESTtestTESTtestTESTtestTESTtest", "fHSmgY0edXPwg9keeHekjYkddSfygo8e"),
        ],
    )
    def test_the_gateway_secret_is_hidden_in_the_app_id(self, encoded: str, secret: str) -> None:
        assert client_secret(encoded) == secret

    @pytest.mark.parametrize(
        ("operation", "signature"),
        [
            (
                "ExecuteBillQuery",
                "M2RkOGMzZGEzNTNjOGRlODVmMGE3ODRmMmRiMjBkYzk3MjlkNWJiN2M3NjUwZDE2NTBmNGI0MTBhNmRjY2RmNA==",
            ),
            ("Save", "YTZiNTIzNTM0OWE0NzI1MmEwZWM1NGI3MzBlY2U3MzcyNTlmYTg4NDdmMjI5NTJhMTE4ZTEzMTc3Yzg4MzhhOQ=="),
            ("BatchSave", "YmY5NjBlN2FhY2FhYzk5ZmM0ZDQ5MWYyM2I0OGM1NDY2MDE1ZjZlOWZmM2ZlNTJiMDFkMDRjMWVjNTFhYmMyNg=="),
        ],
    )
    def test_the_gateway_signature_covers_the_path(self, operation: str, signature: str) -> None:
        headers = signed_headers(WHO, f"/k3cloud/{FORMS}.{operation}.common.kdsvc", STAMP)
        assert headers["X-Api-Signature"] == signature
        assert headers["X-Api-ClientID"] == "205022"

    def test_the_application_signature_covers_the_organisation(self) -> None:
        branch = Identity(WHO.acct_id, WHO.user, WHO.app_id, WHO.app_secret, org="100")
        of_branch, of_head = signed_headers(branch, "/", STAMP), signed_headers(WHO, "/", STAMP)
        assert of_branch["X-Kd-Appdata"] == "NWYwYzFhMmIzYzRkNWUsYWRtaW5pc3RyYXRvciwyMDUyLDEwMA=="
        assert of_branch["X-Kd-Signature"] == (
            "NGEyMGNlMzViN2M2YzI2YjVjYjI5MjhhZjE2OGVlNDU3OGIxMmQ3M2IxNWM3YzIzNzFlNzg2OGU1OTk2MzY3Yg=="
        )
        assert of_head["X-Kd-Signature"] == (
            "NTI4OTUwOGMzZTMwNDgxMjcwZWI2ZjY5Yjc5MTk2MTZhYzBjY2EyYzYxZTlmOTNlMzkwNzNhM2ZkNzhlZWQyZQ=="
        )

    def test_an_explicit_login_signs_five_sorted_texts(self) -> None:
        assert login_signature(WHO, STAMP) == "ffc1d8c29c0b1ccf3d3dcec5ed3ab6270e64d803d88cff6805dc58d2c914fabb"

    def test_the_secret_does_not_show(self) -> None:
        assert WHO.app_secret not in repr(WHO)

    def test_a_key_cannot_break_out_of_a_filter(self) -> None:
        assert literal("a' or '1'='1") == "'a'' or ''1''=''1'"


class TestSignIn:
    def test_check_shows_sign_in_chart_and_key_field(self, site: Site) -> None:
        shown = dict(site.open().check())
        assert shown["登录"] == "签名有效"
        assert "个科目" in shown["科目表"]
        assert shown["来源键字段"] == "F_DJ_SOURCEKEY 已存在"

    def test_a_wrong_secret_is_a_credential_error(self, site: Site) -> None:
        with pytest.raises(CredentialError, match="login refused"):
            site.open(password="0" * 32).check()

    def test_a_wrong_data_centre_is_named(self, site: Site) -> None:
        with pytest.raises(CredentialError, match=r"k3\.acct_id"):
            site.open(extra={"acct_id": "nowhere"}).check()

    def test_a_stale_clock_is_refused(self, site: Site) -> None:
        connection = Connection(
            "k3",
            "k3cloud",
            site.url,
            CONFIG["user"],
            CONFIG["app_secret"],
            extra={name: CONFIG[name] for name in ("acct_id", "app_id", "account_book")},
        )
        services = Services(TokenStore(site.folder), clock=lambda: time.time() - 3600)
        with pytest.raises(CredentialError):
            CONNECTOR.open(connection, services).check()

    def test_a_missing_setting_is_named(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="account_book"):
            site.open(extra={"account_book": ""})

    def test_a_form_without_our_field_is_refused_before_anything_is_written(self, site: Site) -> None:
        [outcome] = site.open(extra={"key_field": "F_NOT_THERE"}).sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Refused)
        assert "F_NOT_THERE" in outcome.zh and "BOS" in outcome.zh
        assert site.held() == []

    def test_a_signed_call_outlives_its_session(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sink.write([payload("a")])
        site.sandbox.expire_tokens()
        [outcome] = sink.write([payload("b")])
        assert isinstance(outcome, Done)

    def test_a_lost_session_is_replaced_by_one_login(self, site: Site) -> None:
        site.sandbox.seed({"silent_reissue": False})
        sink = site.open().sinks["voucher"]
        sink.write([payload("a")])
        site.sandbox.expire_tokens()
        outcomes = sink.write([payload("b"), payload("c")])
        assert [type(one) for one in outcomes] == [Done, Done]
        assert [one.kind for one in site.incidents] == ["TokenExpired"]

    def test_the_classic_logins_work(self, site: Site) -> None:
        acct, user, app, secret = (CONFIG[name] for name in ("acct_id", "user", "app_id", "app_secret"))
        assert site.login("ValidateUser", [acct, user, secret, 2052]).json()["LoginResultType"] == 1
        assert site.login("ValidateUser", [acct, user, "wrong", 2052]).json()["LoginResultType"] == 0
        who = Identity(acct, user, app, secret)
        now = int(time.time())
        signed = [acct, user, app, now, login_signature(who, now), 2052]
        assert site.login("LoginBySign", signed).json()["LoginResultType"] == 1
        assert site.login("LoginBySign", ["nowhere", *signed[1:]]).status_code == 403


class TestWriting:
    def test_a_voucher_is_written_unaudited_under_our_key(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        assert sink.safety is Safety.LOOKUP
        [outcome] = sink.write([payload("sale:S01:2026-11-11")])
        assert isinstance(outcome, Done)
        [held] = site.held()
        assert (outcome.native_id, outcome.native_no) == (str(held["fvoucherid"]), "1")
        assert held["f_dj_sourcekey"] == "sale:S01:2026-11-11"
        assert held["fdocumentstatus"] == "A"
        assert held["faccountbookid.fnumber"] == "001"
        assert [entry["fdebit"] for entry in held["entries"]] == [Decimal("113.00"), 0, 0]
        assert held["entries"][0]["fdetailid.fflex6.fnumber"] == "C001"

    def test_numbers_run_without_gaps_past_a_refusal(self, site: Site) -> None:
        unbalanced = payload("b", [("bank", "1.00", "0"), ("revenue", "0", "0.99")])
        outcomes = site.open().sinks["voucher"].write([payload("a"), unbalanced, payload("c")])
        assert [type(one) for one in outcomes] == [Done, Refused, Done]
        assert [one["fvouchergroupno"] for one in site.held()] == [1, 2]

    def test_a_red_voucher_keeps_its_sides(self, site: Site) -> None:
        red = payload("r", [("receivable", "-22.60", "0"), ("revenue", "0", "-20.00"), ("output_vat", "0", "-2.60")])
        sink = site.open().sinks["voucher"]
        [outcome] = sink.write([red])
        assert isinstance(outcome, Done)
        assert dict(sink.find(["r"])["r"].figures) == {"debit": Decimal("-22.60"), "credit": Decimal("-22.60")}

    @pytest.mark.parametrize(
        ("lines", "changes", "words"),
        [
            ([("bank", "1.00", "0"), ("revenue", "0", "0.99")], {}, "借贷不平衡: 借方合计 1.00, 贷方合计 0.99"),
            (None, {"date": "2026-10-31"}, "2026-10-31 所在期间 2026.10 未打开或已结账"),
            ([("bank", "0", "0"), ("revenue", "0", "0")], {}, "不能同时为零"),
            ([("bank", "1.00", "0")], {}, "至少需要两条分录"),
        ],
    )
    def test_the_ledger_refuses(self, site: Site, lines: Any, changes: dict[str, Any], words: str) -> None:
        [outcome] = site.open().sinks["voucher"].write([payload("a", lines, **changes)])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh
        assert "重放" in outcome.zh
        assert site.held() == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"FACCOUNTID": {"FNumber": "9999"}}, "科目 9999 不存在"),
            ({"FACCOUNTID": {"FNumber": "2221"}}, "科目 2221 不是明细科目"),
            ({"FACCOUNTID": {"FNumber": "1002"}, "FDetailID": {}}, "科目 1002 已禁用"),
            ({"FDetailID": {}}, "核算维度“客户”必录"),
            ({"FDetailID": {"FDETAILID__FFLEX6": {"FNumber": "C404"}}}, "客户 C404 不存在"),
            ({"FEXPLANATION": "  "}, "摘要不能为空"),
            ({"FCREDIT": Decimal("113.00")}, "不能同时录入"),
            ({"FDEBIT": Decimal("113.001")}, "超过两位小数"),
            ({"FDEBIT": "113.00"}, "不是数字"),
        ],
    )
    def test_the_ledger_refuses_an_entry(self, site: Site, change: dict[str, Any], words: str) -> None:
        site.sandbox.seed({"accounts": [{"number": "1002", "name": "银行存款", "leaf": True, "disabled": True}]})
        made = payload("a")
        made["model"]["FEntity"][0] |= change
        [outcome] = site.open().sinks["voucher"].write([made])
        assert isinstance(outcome, Refused)
        assert words in outcome.zh

    def test_an_unknown_voucher_word_is_refused(self, site: Site) -> None:
        made = payload("a")
        made["model"]["FVOUCHERGROUPID"] = {"FNumber": "PRE009"}
        [outcome] = site.open().sinks["voucher"].write([made])
        assert isinstance(outcome, Refused) and "凭证字 PRE009 不存在" in outcome.zh

    def test_a_busy_gateway_is_waited_for(self, site: Site) -> None:
        site.order({"kind": "status", "match": ".Save.", "count": 1, "status": 429, "headers": {"Retry-After": "0"}})
        [outcome] = site.open().sinks["voucher"].write([payload("a")])
        assert isinstance(outcome, Done)
        assert [one.kind for one in site.incidents] == ["RateLimited"]

    def test_the_licence_quota_is_waited_for(self, site: Site) -> None:
        site.sandbox.seed({"limits": {"calls": 2, "seconds": 1}})
        outcomes = site.open().sinks["voucher"].write([payload("a"), payload("b")])
        assert [type(one) for one in outcomes] == [Done, Done]
        assert "RateLimited" in {one.kind for one in site.incidents}


class TestOnce:
    def test_a_lost_answer_is_unknown_and_then_found(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sent = payload("a")
        site.order({"kind": "lose_answer", "match": ".Save.", "count": 1, "writes": True})
        [outcome] = sink.write([sent])
        assert isinstance(outcome, Unknown)
        found = sink.find([sink.key_of(sent), "absent"])
        assert set(found) == {"a"}
        assert dict(found["a"].figures) == dict(sink.figures_of(sent))
        assert found["a"].raw["copies"] == 1
        assert len(site.held()) == 1

    def test_a_lost_answer_loses_no_neighbour(self, site: Site) -> None:
        site.order({"kind": "lose_answer", "match": '"b"', "count": 1, "writes": True})
        outcomes = site.open().sinks["voucher"].write([payload("a"), payload("b"), payload("c")])
        assert [type(one) for one in outcomes] == [Done, Unknown, Done]

    def test_the_same_json_twice_is_refused_by_the_server_and_looked_up(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        first, second = sink.write([payload("a")]), sink.write([payload("a")])
        assert isinstance(first[0], Done) and isinstance(second[0], Unknown)
        assert len(site.held()) == 1

    def test_the_server_itself_does_not_keep_our_key_unique(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sink.write([payload("a"), payload("a", attachments=3)])
        assert sink.find(["a"])["a"].raw["copies"] == 2

    def test_a_deleted_voucher_may_be_written_again(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        [done] = sink.write([payload("a")])
        assert isinstance(done, Done)
        site.post("Delete", {"formid": "GL_VOUCHER", "data": {"Ids": done.native_id}}, site.session())
        assert sink.find(["a"]) == {}
        [again] = sink.write([payload("a")])
        assert isinstance(again, Done)

    def test_keys_with_quotes_and_other_case_are_told_apart(self, site: Site) -> None:
        sink = site.open().sinks["voucher"]
        sink.write([payload("it's"), payload("KEY")])
        assert set(sink.find(["it's", "key", "' or ''='"])) == {"it's"}


class TestReading:
    def test_a_voucher_is_one_record_whatever_its_entries(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload("a"), payload("b")])
        [page] = connector.streams["voucher"].read(today())
        assert [record["key"] for record in page.records] == ["a", "b"]
        first = page.records[0]
        assert (first["debit"], first["credit"]) == (Decimal("113.00"), Decimal("113.00"))
        assert (first["word"], first["number"], first["date"], first["status"]) == ("记", "1", "2026-11-11", "A")
        assert [entry["account"] for entry in first["entries"]] == ["1122", "6001", "2221.01.05"]

    def test_pages_cut_no_voucher(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload(f"k{number}") for number in range(5)])
        connector.book.page_rows = 4
        pages = [page.records for page in connector.streams["voucher"].read(today())]
        assert [record["key"] for records in pages for record in records] == [f"k{number}" for number in range(5)]
        assert all(len(record["entries"]) == 3 for records in pages for record in records)

    def test_a_window_holds_only_what_changed_in_it(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload("a")])
        past = datetime.now(UTC) - timedelta(days=1)
        assert list(connector.streams["voucher"].read(Window(past - timedelta(days=1), past))) == []

    def test_vouchers_can_be_read_by_key(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload("a"), payload("b")])
        now = datetime.now(UTC)
        pages = list(connector.streams["voucher"].read(Window(now, now, keys=("b", "absent"))))
        assert [record["key"] for page in pages for record in page.records] == ["b"]

    def test_vouchers_made_by_hand_are_left_out(self, site: Site) -> None:
        model = payload("x")["model"] | {"FAccountBookID": {"FNumber": "001"}}
        site.post("Save", {"formid": "GL_VOUCHER", "data": {"Model": model}}, site.session())
        assert len(site.held()) == 1
        assert list(site.open().streams["voucher"].read(today())) == []

    def test_a_lost_answer_to_a_read_is_read_again(self, site: Site) -> None:
        connector = site.open()
        connector.sinks["voucher"].write([payload("a")])
        site.order({"kind": "lose_answer", "match": "ExecuteBillQuery", "count": 2})
        assert len(list(connector.streams["voucher"].read(today()))) == 1


class TestServer:
    """What the sandbox promises to clients other than ours."""

    def query(self, site: Site, **data: Any) -> Any:
        return site.post("ExecuteBillQuery", {"data": {"FormId": "GL_VOUCHER", **data}}, site.session())

    def test_both_body_styles_are_understood(self, site: Site) -> None:
        model = payload("x")["model"] | {"FAccountBookID": {"FNumber": "001"}}
        data = {"Model": model}
        for body in (
            {"formid": "GL_VOUCHER", "data": data},
            {"formid": "GL_VOUCHER", "data": codec.encode(data).decode()},
            {"parameters": ["GL_VOUCHER", codec.encode(data).decode()]},
        ):
            answer = site.post("Save", body, site.session())
            assert answer["Result"]["ResponseStatus"]["IsSuccess"], answer
        assert len(site.held()) == 3

    def test_a_batch_succeeds_in_part(self, site: Site) -> None:
        good = payload("x")["model"] | {"FAccountBookID": {"FNumber": "001"}}
        bad = good | {"FDate": "2026-10-01"}
        answer = site.post("BatchSave", {"formid": "GL_VOUCHER", "data": {"Model": [bad, good]}}, site.session())
        status = answer["Result"]["ResponseStatus"]
        assert status["IsSuccess"] is False
        assert [one["DIndex"] for one in status["Errors"]] == [0]
        assert [one["DIndex"] for one in status["SuccessEntitys"]] == [1]

    def test_a_voucher_is_audited_only_after_it_was_submitted_and_not_deleted_then(self, site: Site) -> None:
        [done] = site.open().sinks["voucher"].write([payload("a")])
        assert isinstance(done, Done)
        session, body = site.session(), {"formid": "GL_VOUCHER", "data": {"Ids": done.native_id}}
        passed = [
            site.post(operation, body, session)["Result"]["ResponseStatus"]["IsSuccess"]
            for operation in ("Audit", "Submit", "Audit", "Delete", "UnAudit", "Delete")
        ]
        assert passed == [False, True, True, False, True, True]
        assert (
            site.post("View", {"formid": "GL_VOUCHER", "data": {"Id": done.native_id}}, session)["Result"][
                "ResponseStatus"
            ]["MsgCode"]
            == 10
        )

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"FieldKeys": "FNOWHERE"}, "字段 FNOWHERE 不存在"),
            ({"FieldKeys": ""}, "FieldKeys 不能为空"),
            ({"FieldKeys": "FDate", "FilterString": "FDate >"}, "语法错误"),
            ({"FieldKeys": "FDate", "Limit": 2001}, "Limit 不能超过 2000"),
            ({"FieldKeys": "FDate", "FormId": "GL_NOTHING"}, "GL_NOTHING 不存在"),
        ],
    )
    def test_a_wrong_query_answers_in_a_cell(self, site: Site, wrong: dict[str, Any], words: str) -> None:
        [[cell]] = self.query(site, **wrong)
        [error] = cell["Result"]["ResponseStatus"]["Errors"]
        assert words in error["Message"]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("F_DJ_SOURCEKEY like 'sale%' and FVOUCHERGROUPNO < 3", [1, 2]),
            ("F_DJ_SOURCEKEY = 'REFUND:1' or FVOUCHERGROUPNO in (1)", [1, 3]),
            ("not (F_DJ_SOURCEKEY like 'sale%')", [3]),
            ("FDate >= '2026-11-11 00:00:00' and FDate < '2026-11-12'", [1, 2, 3]),
        ],
    )
    def test_filters(self, site: Site, text: str, expected: list[int]) -> None:
        site.open().sinks["voucher"].write([payload("sale:1"), payload("sale:2"), payload("refund:1")])
        rows = self.query(site, FieldKeys="FVOUCHERGROUPNO", FilterString=text, OrderString="FVOUCHERGROUPNO")
        assert [row[0] for row in rows] == expected

    def test_rows_are_paged_and_capped(self, site: Site) -> None:
        site.open().sinks["voucher"].write([payload(f"k{number}") for number in range(4)])
        ask = {"FieldKeys": "FVOUCHERGROUPNO", "OrderString": "FVOUCHERGROUPNO desc"}
        assert [row[0] for row in self.query(site, **ask, StartRow=1, Limit=2)] == [3, 2]
        assert [row[0] for row in self.query(site, **ask, TopRowCount=1, Limit=2)] == [4]

    def test_without_sign_in_the_session_is_lost(self, site: Site) -> None:
        answer = site.post("Save", {"formid": "GL_VOUCHER", "data": {}}, "")
        assert answer["Result"]["ResponseStatus"]["MsgCode"] == 1

    def test_seeding_again_undoes_nothing(self, site: Site) -> None:
        site.sandbox.seed({"customers": [{"number": "C900", "name": "新店"}]})
        site.open().sinks["voucher"].write([payload("a")])
        before = site.sandbox.store.counts()
        site.sandbox.seed({"customers": [{"number": "C900", "name": "新店"}]})
        site.sandbox.seed({})
        assert site.sandbox.store.counts() == before


def test_the_mapping_passes_its_own_tests() -> None:
    results = run_tests(MAPPING)
    assert len(results) >= 4
    assert [(result.name, result.differences) for result in results if not result.passed] == []


def test_every_account_of_the_mapping_is_a_leaf_of_the_sandbox_ledger() -> None:
    codes = set(yaml.safe_load(MAPPING_FILE.read_text(encoding="utf-8"))["tables"]["account"].values())
    leaves = {row["number"] for row in SANDBOX(Store()).store.all("BD_Account") if row["leaf"]}
    assert len(codes) > 30
    assert codes <= leaves
