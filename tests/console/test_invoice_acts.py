"""What people do at the 开票工作台: nobody approves their own, a platform is asked as often as it allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from duijie.codec import Record
from duijie.connect.home import home
from duijie.connect.invoicing import Copy, Invoicing
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.deliver import Delivering
from duijie.derive.invoices import load_rules
from duijie.desk import Desk as Route
from duijie.engine import ROOT, Engine
from duijie.flow import Deliver
from duijie.invoicing import approvals, halts
from duijie.invoicing.halts import Stop
from duijie.invoicing.issuing import InvoiceGate
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal, documents
from duijie.journal.lookup import JournalLookup
from duijie.mapping import load_mapping
from duijie.originals import kept as originals
from duijie.originals.archive import Archive
from duijie.originals.kept import Kept
from duijie.shift import Shift
from sandbox.bureau_files import Face, Item, Side, face_xml
from tests.console.conftest import form_token, log_in
from tests.console.desk import Desk, Platform, empty

RED_SINK = "nuonuo/red_request"


class Target:
    """Takes every red request it is given."""

    name, entity, batch, safety = "red_request", "red_request", 50, Safety.NATURAL_KEY

    def __init__(self) -> None:
        self.written: list[Record] = []

    def key_of(self, payload: Record) -> str:
        return str(payload["form"]["billId"])

    def figures_of(self, payload: Record) -> Figures:
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        return {}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        self.written += payloads
        return [Done("1", self.key_of(one)) for one in payloads]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Path) -> Journal:
    """An empty journal in place of the day's."""
    return empty(tmp_path, monkeypatch, people)


@pytest.fixture
def desk(kept: Journal) -> Desk:
    made = Desk(kept)
    made.fill()
    return made


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    assert isinstance(made, Invoicing)
    monkeypatch.setattr(Engine, "connector", lambda _, __: made)
    return made


def as_(client: TestClient, name: str) -> TestClient:
    client.cookies.clear()
    assert log_in(client, name) == 303
    return client


def ask_red(client: TestClient, no: str, **form: str) -> str:
    """Ask for a red of 13.00 of the first line; returns its number."""
    token = form_token(client.get(f"/invoices/{no}/red").text) if "csrf" not in form else form["csrf"]
    data = {"csrf": token, "reason": "allowance", "amount_1": "13.00", "why": "包装破损", **form}
    answer = client.post(f"/invoices/{no}/red", data=data, follow_redirects=False)
    return answer.headers["location"].rpartition("/")[2]


def deliver_reds(journal: Journal) -> list[Record]:
    """One run of the flow's step into a target that takes everything; what it got."""
    step = Deliver(
        name="request_reds",
        connection="nuonuo",
        sink="red_request",
        entity="red_request",
        mapping="nuonuo/red_request.out",
    )
    target = Target()
    mapping = load_mapping(ROOT / "mappings" / "nuonuo" / "red_request.out.yaml")
    gate = InvoiceGate(Route(journal, "red_invoices", step), LifeRules(), None)
    lookup = JournalLookup(journal, "nuonuo")
    Delivering(journal, "red_invoices", step, target, mapping, lookup, Shift(), gate).run()
    return target.written


class TestApproving:
    def test_a_red_that_somebody_asked_for_leaves_only_after_somebody_elses_yes(
        self, desk: Desk, anybody: TestClient
    ) -> None:
        red = ask_red(as_(anybody, "asker"), desk.no["issued"])
        assert all(one["form"]["billId"] != red for one in deliver_reds(desk.journal))
        page = as_(anybody, "approver").get("/invoices?state=approval").text
        assert red in page
        data = {"csrf": form_token(page), "key": red, "verdict": "approve", "state": "approval"}
        assert "已批准 1 张" in anybody.post("/invoices/approve", data=data).text
        assert [one["form"]["billId"] for one in deliver_reds(desk.journal)] == [red]
        shown = anybody.get(f"/invoices/{red}").text
        assert "asker 某人" in shown
        assert "approver 某人" in shown

    def test_who_asked_cannot_approve_even_with_both_duties(self, desk: Desk, anybody: TestClient) -> None:
        red = ask_red(as_(anybody, "both"), desk.no["issued"])
        page = anybody.get("/invoices?state=approval").text
        assert "本人提交" in page
        data = {"csrf": form_token(page), "key": red, "verdict": "approve"}
        assert "由本人提交, 须由其他审批人审批" in anybody.post("/invoices/approve", data=data).text
        assert [one.key for one in approvals.waiting(desk.journal)] == [red]

    def test_a_no_needs_a_reason_and_nothing_leaves_after_it(self, desk: Desk, anybody: TestClient) -> None:
        red = ask_red(as_(anybody, "asker"), desk.no["issued"])
        token = form_token(as_(anybody, "approver").get("/invoices").text)
        data = {"csrf": token, "key": red, "verdict": "refuse"}
        assert "拒绝审批须写明原因" in anybody.post("/invoices/approve", data=data).text
        assert "已拒绝 1 张" in anybody.post("/invoices/approve", data={**data, "why": "单价不对"}).text
        assert all(one["form"]["billId"] != red for one in deliver_reds(desk.journal))
        assert "单价不对" in anybody.get(f"/invoices/{red}").text

    def test_what_was_refused_can_be_asked_for_again(self, desk: Desk, anybody: TestClient) -> None:
        first = ask_red(as_(anybody, "asker"), desk.no["issued"])
        token = form_token(as_(anybody, "approver").get("/invoices").text)
        anybody.post("/invoices/approve", data={"csrf": token, "key": first, "verdict": "refuse", "why": "金额不对"})
        assert "未批准" in anybody.get(f"/invoices/{first}").text
        everything = {"amount_1": "113.00", "amount_2": "54.50", "amount_3": "1130.00"}
        second = ask_red(as_(anybody, "asker"), desk.no["issued"], **everything)
        assert second not in (first, "red")
        found = documents.get(desk.journal, "red_request", second)
        assert found is not None
        assert found.body["lines"] == []

    @pytest.mark.parametrize(
        ("data", "said"), [({}, "没有选择申请"), ({"key": "HZNONE", "verdict": "approve"}, "没有等待审批的")]
    )
    def test_nothing_to_decide_is_told(self, desk: Desk, anybody: TestClient, data: dict[str, str], said: str) -> None:
        token = form_token(as_(anybody, "approver").get("/invoices").text)
        assert said in anybody.post("/invoices/approve", data={"csrf": token, **data}).text

    def test_a_wrong_title_takes_the_whole_back_and_names_the_right_buyer(
        self, desk: Desk, anybody: TestClient
    ) -> None:
        no = desk.no["issued"]
        amounts = {"amount_1": "113.00", "amount_2": "54.50", "amount_3": "1130.00"}
        buyer = {"buyer_name": "上海云帆贸易有限公司", "buyer_tax_no": "91310115MA1DEMA278"}
        red = ask_red(as_(anybody, "asker"), no, reason="wrong_invoice", **amounts, **buyer)
        note = documents.get(desk.journal, "invoice_correction", no)
        assert note is not None
        assert (note.body["red_request_no"], note.body["buyer"]["name"]) == (red, "上海云帆贸易有限公司")
        assert [one.key for one in approvals.waiting(desk.journal)] == [red]


class TestLights:
    def test_a_page_never_asks_the_platform(self, desk: Desk, anybody: TestClient, platform: Platform) -> None:
        page = as_(anybody, "issuer").get("/invoices").text
        assert platform.asked == []
        assert "尚未查询" in page

    def test_refreshing_asks_once_and_then_says_that_it_was_just_asked(
        self, desk: Desk, anybody: TestClient, platform: Platform
    ) -> None:
        token = form_token(as_(anybody, "issuer").get("/invoices").text)
        first = anybody.post("/invoices/lights/nuonuo", data={"csrf": token}).text
        assert "50,000.00" in first
        assert "额度将尽" in first
        assert "需要扫码" in first
        assert 'src="data:image/png;base64,iVBORw0KGgo="' in first
        assert "刚查询过" in anybody.post("/invoices/lights/nuonuo", data={"csrf": token}).text
        assert platform.asked == ["credit", "login"]

    def test_a_halted_platform_is_red_its_requests_are_parked_and_a_clerk_lets_it_go_on(
        self, desk: Desk, anybody: TestClient
    ) -> None:
        desk.plan("invoice_request", "nuonuo/invoice_request")
        with desk.journal.writing() as tx:
            halts.park(tx, desk.journal, "nuonuo/invoice_request", Stop("credit", "授信额度不足: 剩余 0.00"))
        page = as_(anybody, "issuer").get("/invoices?state=parked").text
        assert "授信额度不足: 剩余 0.00" in page
        assert desk.no["open"] in page
        said = anybody.post("/invoices/resume/nuonuo", data={"csrf": form_token(page)}).text
        assert "已恢复 1 个写入口" in said
        assert halts.standing(desk.journal)[0].state == "released"


class TestSendingAgain:
    def test_it_goes_where_the_clerk_says(self, desk: Desk, anybody: TestClient, platform: Platform) -> None:
        page = as_(anybody, "issuer").get(f"/invoices/{desk.no['issued']}").text
        data = {"csrf": form_token(page), "mail": "buyer@example.com", "phone": ""}
        said = anybody.post(f"/invoices/{desk.no['issued']}/resend", data=data).text
        assert "已交平台重新发送到 buyer@example.com" in said
        assert platform.sent == [Copy("buyer@example.com")]

    @pytest.mark.parametrize(("mail", "said"), [("no address", "邮箱"), ("", "请给出邮箱或手机号")])
    def test_an_address_that_is_none_is_refused(
        self, desk: Desk, anybody: TestClient, platform: Platform, mail: str, said: str
    ) -> None:
        page = as_(anybody, "issuer").get(f"/invoices/{desk.no['issued']}").text
        data = {"csrf": form_token(page), "mail": mail}
        assert said in anybody.post(f"/invoices/{desk.no['issued']}/resend", data=data).text
        assert platform.sent == []

    def test_what_has_not_failed_is_not_asked_for_again(self, desk: Desk, anybody: TestClient) -> None:
        token = form_token(as_(anybody, "issuer").get("/invoices").text)
        said = anybody.post(f"/invoices/{desk.no['issued']}/again", data={"csrf": token}).text
        assert "没有明确的开票失败" in said


class TestFiles:
    def test_an_archived_xml_is_shown_as_a_table_and_can_be_taken_away(
        self, desk: Desk, anybody: TestClient, tmp_path: Path
    ) -> None:
        data = face_of(desk)
        keep(desk, "xml", data)
        page = as_(anybody, "books").get(f"/invoices/{desk.no['issued']}").text
        assert "已归档, 与开票一致" in page
        assert anybody.get(f"/invoices/{desk.no['issued']}/files/xml").content == data
        shown = anybody.get(f"/invoices/{desk.no['issued']}/xml").text
        assert "杭州恒信嘉禾科技有限公司" in shown
        assert "¥ 1,297.50" in shown.replace('<span class="">', "").replace("</span>", "")

    def test_a_file_that_was_changed_on_the_disk_is_not_shown(self, desk: Desk, anybody: TestClient) -> None:
        place = keep(desk, "pdf", b"%PDF-1.7 something")
        place.chmod(0o600)
        place.write_bytes(b"%PDF-1.7 other")
        answer = as_(anybody, "books").get(f"/invoices/{desk.no['issued']}/files/pdf")
        assert answer.status_code == 503
        assert "指纹不符" in answer.text

    def test_a_file_that_is_not_there_is_a_page_that_says_so(self, desk: Desk, anybody: TestClient) -> None:
        answer = as_(anybody, "books").get(f"/invoices/{desk.no['issued']}/files/ofd")
        assert answer.status_code == 404
        assert "没有归档的 OFD 文件" in answer.text


def face_of(desk: Desk) -> bytes:
    """The XML of the issued invoice, as the bureau makes it."""
    request = documents.get(desk.journal, "invoice_request", desk.no["issued"])
    invoice = documents.get(desk.journal, "invoice", desk.no["issued"])
    assert request is not None
    assert invoice is not None
    items = [
        Item(one["name"], one["net"], one["tax"], str(one["tax_rate"]), one["tax_class_code"], "", one["unit"])
        for one in request.body["lines"]
    ]
    buyer = Side(request.body["buyer"]["name"], request.body["buyer"]["tax_no"])
    moment = datetime.fromisoformat(invoice.body["issued_at"])
    seller = Side("杭州示例供应有限公司", request.body["seller_tax_no"])
    return face_xml(Face(invoice.body["number"], moment, "normal", seller, buyer, tuple(items)))


def keep(desk: Desk, kind: str, data: bytes) -> Path:
    archive = Archive.open()
    place, sha256 = archive.keep(data, kind, "2026-11-12")
    with desk.journal.writing() as tx:
        originals.note(tx, desk.journal, Kept("invoice", desk.no["issued"], kind, sha256, len(data), place, "nuonuo"))
    return home() / "originals" / place


class TestPreview:
    def test_it_shows_what_the_next_run_would_ask_for_and_what_stops_an_order(
        self, desk: Desk, anybody: TestClient
    ) -> None:
        bare = desk.order(11, "11.30")
        del bare["lines"][0]["tax_class_code"]
        desk.put("sales_order", bare)
        desk.came_to("xingchen/sales_order")
        page = as_(anybody, "books").get("/invoices-preview").text
        assert "可以开票" in page
        assert "45.20" in page
        assert "不能开票" in page
        assert "E-TAXCODE-MISSING" in page


class TestBuyersForms:
    def test_a_form_is_answered_by_who_approves_and_only_once(self, desk: Desk, anybody: TestClient) -> None:
        now = desk.journal.now()
        form = {
            "key": "F1",
            "form_no": "44990000000000000001",
            "state": "03",
            "initiator": "buyer",
            "reason": "allowance",
            "blue_number": "26991000000000000004",
            "seller_tax_no": load_rules(ROOT / "mappings" / "rules" / "invoice.yaml").seller_tax_no,
            "buyer_name": "杭州恒信嘉禾科技有限公司",
            "began_at": (now - timedelta(hours=1)).isoformat(),
            **{name: Decimal(value) for name, value in (("net", "-10.00"), ("tax", "-1.30"), ("gross", "-11.30"))},
        }
        desk.put("red_form", form)
        page = as_(anybody, "asker").get("/invoices-forms").text
        assert "由开票审批人答复" in page
        data = {"csrf": form_token(page), "verdict": "agree"}
        assert anybody.post("/invoices-forms/44990000000000000001", data=data).status_code == 403
        data["csrf"] = form_token(as_(anybody, "approver").get("/invoices-forms").text)
        assert "已同意" in anybody.post("/invoices-forms/44990000000000000001", data=data).text
        assert "没有等待答复的确认单" in anybody.get("/invoices-forms").text
        assert len(list(documents.current(desk.journal, "red_answer"))) == 1
