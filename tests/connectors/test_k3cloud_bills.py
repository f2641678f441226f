"""金蝶云星空: base data, stock and bills; numbers that are ours, the life of a document, what the server refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.k3cloud.bills import FormSink
from connectors.k3cloud.connector import K3Cloud
from connectors.k3cloud.forms import BILLS, GOODS_ISSUE, GOODS_RECEIPT, MATERIAL, PURCHASE_ORDER, SALES_ORDER, Form
from connectors.k3cloud.lists import nested
from duijie import codec, schemas
from duijie.codec import Record
from duijie.connect.errors import ConfigError, MalformedMessage
from duijie.connect.protocol import Done, Later, Outcome, Refused, Reversing, Safety, Unknown, Updating, Window
from duijie.contract import Site
from duijie.mapping import StaticLookup, load_mapping, run_tests
from sandbox.k3cloud import K3CloudSandbox
from sandbox.k3cloud_chart import CONFIG
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.served import lately
from tests.contract.sites.k3cloud import k3cloud, k3cloud_bill, k3cloud_product, k3cloud_voucher, mapped

MAPPINGS = Path(__file__).parents[2] / "mappings/k3cloud"
SERVICE = "Kingdee.BOS.WebApi.ServicesStub"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    with Running(K3CloudSandbox(Store())) as url:
        yield k3cloud(url)


@pytest.fixture
def site(served: Site) -> Site:
    """The server as it was seeded, without faults."""
    fresh = served.fresh()
    fresh.order()
    return fresh


def opened(site: Site, **changes: Any) -> K3Cloud:
    connector = site.open(extra={**site.extra, **changes})
    assert isinstance(connector, K3Cloud)
    return connector


def sink(site: Site, form: Form, **changes: Any) -> FormSink:
    found = opened(site, **changes).sinks[form.name]
    assert isinstance(found, FormSink)
    return found


def seed(site: Site, **data: Any) -> None:
    requests.post(f"{site.url}/_admin/seed", data=codec.encode(data), timeout=5).raise_for_status()


def stored(site: Site, form: Form) -> list[Record]:
    answer = requests.get(f"{site.url}/_admin/data", params={"collection": form.form_id}, timeout=5)
    return list(codec.decode(answer.content))


def call(site: Site, operation: str, form_id: str, data: Record) -> Any:
    """A call as another client would make it: by session alone."""
    given = [CONFIG[name] for name in ("acct_id", "user", "app_id", "app_secret")]
    login = f"{site.url}/k3cloud/{SERVICE}.AuthService.LoginByAppSecret.common.kdsvc"
    session = requests.post(login, json={"parameters": [*given, 2052]}, timeout=5).json()["KDSVCSessionId"]
    url = f"{site.url}/k3cloud/{SERVICE}.DynamicFormService.{operation}.common.kdsvc"
    body = codec.encode({"formid": form_id, "data": data})
    answer = requests.post(url, data=body, headers={"kdservice-sessionid": session}, timeout=5)
    return codec.decode(answer.content)


def one(outcomes: Sequence[Outcome]) -> Outcome:
    [outcome] = outcomes
    return outcome


def done(outcomes: Sequence[Outcome]) -> Done:
    outcome = one(outcomes)
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(outcomes: Sequence[Outcome]) -> str:
    outcome = one(outcomes)
    assert isinstance(outcome, Refused), outcome
    return outcome.zh


def status(site: Site, form: Form) -> str:
    [kept] = stored(site, form)
    return str(kept["fdocumentstatus"])


def read(site: Site, stream: str, *keys: str, **changes: Any) -> list[Record]:
    window = Window(NOW, NOW, keys=keys) if keys else lately()
    pages = opened(site, **changes).streams[stream].read(window)
    return [record for page in pages for record in page.records]


class TestNumbersAreOurs:
    @pytest.mark.parametrize("form", BILLS, ids=lambda form: str(form.name))
    def test_a_bill_is_saved_unaudited_under_our_number_to_the_cent(self, site: Site, form: Form) -> None:
        target = sink(site, form)
        assert target.safety is Safety.NATURAL_KEY
        sent = k3cloud_bill(form, 1)
        made = done(target.write([sent]))
        [kept] = stored(site, form)
        assert (made.native_id, made.native_no) == (str(kept["fid"]), target.key_of(sent))
        assert kept["fdocumentstatus"] == "A"
        assert dict(target.find([target.key_of(sent)])[target.key_of(sent)].figures) == {
            "gross": Decimal("133.00"),
            "qty": Decimal(5),
        }

    def test_what_is_there_with_equal_figures_is_done(self, site: Site) -> None:
        target, sent = sink(site, SALES_ORDER), k3cloud_bill(SALES_ORDER, 1)
        first = done(target.write([sent]))
        assert done(target.write([{**sent, "FNote": "另一次"}])).native_id == first.native_id
        assert len(stored(site, SALES_ORDER)) == 1

    def test_what_is_there_with_other_figures_is_unknown(self, site: Site) -> None:
        target, sent = sink(site, SALES_ORDER), k3cloud_bill(SALES_ORDER, 1)
        target.write([sent])
        other = {**sent, "FSaleOrderEntry": sent["FSaleOrderEntry"][:1]}
        assert isinstance(one(target.write([other])), Unknown)
        assert dict(target.find([target.key_of(sent)])[target.key_of(sent)].figures) != dict(target.figures_of(other))

    def test_a_number_that_differs_in_case_alone_is_told_to_a_person(self, site: Site) -> None:
        target, sent = sink(site, SALES_ORDER), k3cloud_bill(SALES_ORDER, 1)
        target.write([{**sent, "FBillNo": "tb1"}])
        assert "编码唯一" in refused(target.write([{**sent, "FBillNo": "TB1"}]))

    @pytest.mark.parametrize("forgets", [True, False])
    def test_a_deleted_bill_may_be_written_again(self, site: Site, forgets: bool) -> None:
        seed(site, forgets_repeats=forgets)
        target, sent = sink(site, SALES_ORDER), k3cloud_bill(SALES_ORDER, 1)
        done(target.reverse([sent], [done(target.write([sent])).native_id]))
        assert target.find([target.key_of(sent)]) == {}
        done(target.write([sent]))
        assert len(stored(site, SALES_ORDER)) == 1

    def test_base_data_is_found_by_its_number(self, site: Site) -> None:
        target = sink(site, MATERIAL)
        made = done(target.write([mapped("product", k3cloud_product(1))]))
        found = target.find(["N1", "absent"])
        assert {key: each.native_id for key, each in found.items()} == {"N1": made.native_id}


class TestLife:
    @pytest.mark.parametrize(("goal", "reached"), [("save", "A"), ("submit", "B"), ("audit", "C")])
    def test_a_bill_goes_as_far_as_the_connection_says(self, site: Site, goal: str, reached: str) -> None:
        done(sink(site, SALES_ORDER, bill_goal=goal).write([k3cloud_bill(SALES_ORDER, 1)]))
        assert status(site, SALES_ORDER) == reached

    def test_a_goal_that_does_not_exist_is_named(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="bill_goal"):
            opened(site, bill_goal="post")

    @pytest.mark.parametrize("kind", ["lose_answer", "malformed"])
    @pytest.mark.parametrize("step", ["Submit", "Audit"])
    def test_a_lost_answer_to_a_step_is_asked_after(self, site: Site, kind: str, step: str) -> None:
        site.order({"kind": kind, "match": f".{step}.", "count": 1})
        done(sink(site, SALES_ORDER, bill_goal="audit").write([k3cloud_bill(SALES_ORDER, 1)]))
        assert status(site, SALES_ORDER) == "C"

    @pytest.mark.parametrize("kind", ["lose_answer", "malformed"])
    def test_a_lost_save_that_is_found_goes_on_with_its_life(self, site: Site, kind: str) -> None:
        site.order({"kind": kind, "match": ".Save.", "count": 1})
        done(sink(site, SALES_ORDER, bill_goal="audit").write([k3cloud_bill(SALES_ORDER, 1)]))
        assert (status(site, SALES_ORDER), site.fired()) == ("C", 1)

    def test_a_save_that_may_be_under_way_is_unknown(self, site: Site) -> None:
        site.order({"kind": "status", "match": ".Save.", "status": 502, "count": 1})
        assert isinstance(one(sink(site, SALES_ORDER).write([k3cloud_bill(SALES_ORDER, 1)])), Unknown)
        assert stored(site, SALES_ORDER) == []

    def test_what_cannot_be_audited_is_taken_back_and_says_why(self, site: Site) -> None:
        target, sent = sink(site, GOODS_ISSUE, bill_goal="audit"), k3cloud_bill(GOODS_ISSUE, 1)
        assert "负库存" in refused(target.write([sent]))
        assert stored(site, GOODS_ISSUE) == []
        seed(site, inventory=[{"material": "A1", "stock": "CK01", "quantity": 9}])
        done(target.write([sent]))
        assert status(site, GOODS_ISSUE) == "C"

    def test_what_cannot_be_taken_back_is_not_called_refused(self, site: Site) -> None:
        site.order({"kind": "status", "match": ".Delete.", "status": 503, "rate": 1})
        outcome = one(sink(site, GOODS_ISSUE, bill_goal="audit").write([k3cloud_bill(GOODS_ISSUE, 1)]))
        assert isinstance(outcome, Unknown) and "未撤回" in outcome.zh
        assert len(stored(site, GOODS_ISSUE)) == 1

    def test_new_base_data_serves_bills_once_it_is_audited(self, site: Site) -> None:
        order = k3cloud_bill(SALES_ORDER, 1)
        order["FSaleOrderEntry"][0]["FMaterialId"] = {"FNumber": "N1"}
        done(sink(site, MATERIAL).write([mapped("product", k3cloud_product(1))]))
        assert "N1 未审核" in refused(sink(site, SALES_ORDER).write([order]))
        done(sink(site, MATERIAL, base_goal="audit").write([mapped("product", k3cloud_product(1))]))
        done(sink(site, SALES_ORDER).write([order]))


class TestStuck:
    """Saved, and short of where it should go: neither done nor "not there"."""

    def test_a_right_that_is_missing_stops_its_own_bills_and_leaves_none_behind(self, site: Site) -> None:
        seed(site, denied=["SAL_SaleOrder.Audit"])
        said = refused(sink(site, SALES_ORDER, bill_goal="audit").write([k3cloud_bill(SALES_ORDER, 1)]))
        assert "权限" in said and said.endswith("重放")
        assert stored(site, SALES_ORDER) == []

    def test_a_bill_that_can_neither_go_on_nor_back_is_no_bill_that_is_done(self, site: Site) -> None:
        seed(site, denied=["SAL_SaleOrder.Audit", "SAL_SaleOrder.CancelAssign"])
        target, sent = sink(site, SALES_ORDER, bill_goal="audit"), k3cloud_bill(SALES_ORDER, 1)
        outcome = one(target.write([sent]))
        assert isinstance(outcome, Unknown) and "已保存" in outcome.zh and "Audit权限" in outcome.zh
        found = target.find([target.key_of(sent)])[target.key_of(sent)]
        assert {**target.figures_of(sent), "stage": 1} == dict(found.figures)

    def test_what_may_be_asked_again_leaves_nothing_behind_meanwhile(self, site: Site) -> None:
        busy = {"kind": "status", "match": ".Audit.", "status": 429, "headers": {"Retry-After": "0"}, "rate": 1}
        site.order(busy)
        target, sent = sink(site, SALES_ORDER, bill_goal="audit"), k3cloud_bill(SALES_ORDER, 1)
        assert isinstance(one(target.write([sent])), Later)
        assert stored(site, SALES_ORDER) == []
        site.order()
        done(target.write([sent]))
        assert status(site, SALES_ORDER) == "C"

    def test_a_bill_that_was_there_stays_and_is_not_called_refused(self, site: Site) -> None:
        sent = k3cloud_bill(SALES_ORDER, 1)
        done(sink(site, SALES_ORDER).write([sent]))
        seed(site, denied=["SAL_SaleOrder.Audit"])
        target = sink(site, SALES_ORDER, bill_goal="audit")
        assert isinstance(one(target.write([sent])), Unknown)
        assert status(site, SALES_ORDER) == "B"
        seed(site, denied=[])
        done(target.write([sent]))
        assert status(site, SALES_ORDER) == "C"

    @pytest.mark.parametrize(("goal", "agree"), [("save", True), ("submit", False), ("audit", False)])
    def test_what_is_only_saved_agrees_only_where_no_more_was_asked_for(
        self, site: Site, goal: str, agree: bool
    ) -> None:
        product, order = mapped("product", k3cloud_product(1)), k3cloud_bill(SALES_ORDER, 1)
        for form, sent in ((MATERIAL, product), (SALES_ORDER, order)):
            done(sink(site, form).write([sent]))
            target = sink(site, form, bill_goal=goal, base_goal=goal)
            key = target.key_of(sent)
            assert (dict(target.find([key])[key].figures) == dict(target.figures_of(sent))) is agree
            done(target.write([sent]))
            assert dict(target.find([key])[key].figures) == dict(target.figures_of(sent))

    def test_what_people_took_further_than_we_do_agrees(self, site: Site) -> None:
        sent = k3cloud_bill(SALES_ORDER, 1)
        done(sink(site, SALES_ORDER, bill_goal="audit").write([sent]))
        for goal in ("save", "submit"):
            target = sink(site, SALES_ORDER, bill_goal=goal)
            [found] = target.find([target.key_of(sent)]).values()
            assert dict(found.figures) == dict(target.figures_of(sent))


class TestTakingBack:
    @pytest.mark.parametrize("goal", ["save", "submit", "audit"])
    def test_a_bill_is_deleted_however_far_it_went(self, site: Site, goal: str) -> None:
        target, sent = sink(site, SALES_ORDER, bill_goal=goal), k3cloud_bill(SALES_ORDER, 1)
        assert isinstance(target, Reversing)
        native_id = done(target.write([sent])).native_id
        for _ in range(2):
            done(target.reverse([{}], [native_id]))
        assert stored(site, SALES_ORDER) == []

    def test_a_lost_answer_to_a_deletion_is_asked_after(self, site: Site) -> None:
        target, sent = sink(site, SALES_ORDER, bill_goal="audit"), k3cloud_bill(SALES_ORDER, 1)
        native_id = done(target.write([sent])).native_id
        site.order({"kind": "lose_answer", "match": ".Delete.", "count": 1})
        done(target.reverse([sent], [native_id]))
        assert stored(site, SALES_ORDER) == []

    def test_stock_comes_back_with_the_delivery(self, site: Site) -> None:
        seed(site, inventory=[{"material": "A1", "stock": "CK01", "quantity": 9}])
        target, sent = sink(site, GOODS_ISSUE, bill_goal="audit"), k3cloud_bill(GOODS_ISSUE, 1)
        native_id = done(target.write([sent])).native_id
        assert [each["on_hand"] for each in read(site, "inventory", "A1@CK01")] == [4]
        done(target.reverse([sent], [native_id]))
        assert [each["on_hand"] for each in read(site, "inventory", "A1@CK01")] == [9]

    def test_a_voucher_nobody_has_in_hand_is_deleted(self, site: Site) -> None:
        target, sent = opened(site).sinks["voucher"], k3cloud_voucher(1)
        assert isinstance(target, Reversing)
        native_id = done(target.write([sent])).native_id
        for _ in range(2):
            done(target.reverse([sent], [native_id]))
        assert target.find([target.key_of(sent)]) == {}

    @pytest.mark.parametrize("forgets", [True, False])
    def test_a_voucher_that_was_deleted_may_be_written_again_once(self, site: Site, forgets: bool) -> None:
        seed(site, forgets_repeats=forgets)
        target, sent = opened(site).sinks["voucher"], k3cloud_voucher(1)
        assert isinstance(target, Reversing)
        done(target.reverse([sent], [done(target.write([sent])).native_id]))
        done(target.write([sent]))
        assert isinstance(one(target.write([sent])), Unknown)
        assert target.find([target.key_of(sent)])[target.key_of(sent)].raw["copies"] == 1

    @pytest.mark.parametrize("steps", [("Submit",), ("Submit", "Audit")])
    def test_a_voucher_an_accountant_has_in_hand_is_left_to_them(self, site: Site, steps: tuple[str, ...]) -> None:
        target, sent = opened(site).sinks["voucher"], k3cloud_voucher(1)
        assert isinstance(target, Reversing)
        native_id = done(target.write([sent])).native_id
        for step in steps:
            call(site, step, "GL_VOUCHER", {"Ids": native_id})
        assert "红字凭证" in refused(target.reverse([sent], [native_id]))
        assert set(target.find([target.key_of(sent)])) == {target.key_of(sent)}


class TestChanging:
    def test_a_bill_becomes_what_its_payload_says(self, site: Site) -> None:
        target, sent = sink(site, PURCHASE_ORDER), k3cloud_bill(PURCHASE_ORDER, 1)
        assert isinstance(target, Updating)
        native_id = done(target.write([sent])).native_id
        changed = {**sent, "FPOOrderEntry": sent["FPOOrderEntry"][:1]}
        for _ in range(2):
            assert done(target.update([changed], [native_id])).native_id == native_id
        [kept] = stored(site, PURCHASE_ORDER)
        assert [line["fallamount"] for line in kept["entries"]] == [Decimal("113.00")]

    def test_an_audited_bill_is_changed_only_where_auditing_it_is_ours(self, site: Site) -> None:
        sent = k3cloud_bill(SALES_ORDER, 1)
        native_id = done(sink(site, SALES_ORDER, bill_goal="audit").write([sent])).native_id
        changed = {**sent, "FNote": "改"}
        assert "已审核" in refused(sink(site, SALES_ORDER).update([changed], [native_id]))
        done(sink(site, SALES_ORDER, bill_goal="audit").update([changed], [native_id]))
        [kept] = stored(site, SALES_ORDER)
        assert (kept["fnote"], kept["fdocumentstatus"]) == ("改", "C")

    def test_a_change_that_is_refused_leaves_an_audited_bill_audited(self, site: Site) -> None:
        target, sent = sink(site, SALES_ORDER, bill_goal="audit"), k3cloud_bill(SALES_ORDER, 1)
        native_id = done(target.write([sent])).native_id
        assert "NOBODY" in refused(target.update([{**sent, "FCustId": {"FNumber": "NOBODY"}}], [native_id]))
        assert status(site, SALES_ORDER) == "C"


class TestReading:
    def test_an_audit_is_seen_though_it_leaves_the_time_of_change_alone(self, site: Site) -> None:
        native_id = done(sink(site, SALES_ORDER).write([k3cloud_bill(SALES_ORDER, 1)])).native_id
        time.sleep(2)
        since = datetime.now(UTC)
        window = Window(since, since + timedelta(hours=1))
        stream = opened(site).streams["sales_order"]
        assert [record for page in stream.read(window) for record in page.records] == []
        for step in ("Submit", "Audit"):
            time.sleep(1)
            call(site, step, SALES_ORDER.form_id, {"Ids": native_id})
        [record] = [record for page in stream.read(window) for record in page.records]
        assert record["FDocumentStatus"] == "C"

    @pytest.mark.parametrize("form", BILLS, ids=lambda form: str(form.name))
    def test_what_was_written_comes_back_as_a_valid_document(self, site: Site, form: Form) -> None:
        done(sink(site, form).write([k3cloud_bill(form, 1)]))
        [record] = read(site, form.name)
        document = load_mapping(MAPPINGS / f"{form.name}.in.yaml").run(record, StaticLookup(), {})
        assert document is not None
        schemas.check(form.entity, document)
        assert document["gross"] == Decimal("133.00")
        assert [line["gross"] for line in document["lines"]] == [Decimal("113.00"), Decimal("20.00")]
        assert [line["net"] + line["tax"] for line in document["lines"]] == [Decimal("113.00"), Decimal("20.00")]

    def test_pages_cut_no_bill(self, site: Site) -> None:
        sink(site, SALES_ORDER).write([k3cloud_bill(SALES_ORDER, number) for number in range(1, 8)])
        records = read(site, "sales_order", page_rows=5)
        assert len(records) == 7
        assert all(len(record["FSaleOrderEntry"]) == 2 for record in records)

    def test_a_bill_that_fills_a_page_is_refused_not_cut(self, site: Site) -> None:
        sink(site, SALES_ORDER).write([k3cloud_bill(SALES_ORDER, 1)])
        with pytest.raises(MalformedMessage, match="more than 2 entries"):
            read(site, "sales_order", page_rows=2)

    def test_another_organisation_is_left_out(self, site: Site) -> None:
        seed(
            site,
            organisations=[{"number": "200", "name": "分公司"}],
            warehouses=[{"FNumber": "B01", "FName": "分仓", "FUseOrgId": {"FNumber": "200"}}],
            inventory=[{"material": "A1", "stock": "B01", "quantity": 3, "org": "200"}],
        )
        assert read(site, "warehouse", "B01") == []
        assert [each["FNumber"] for each in read(site, "warehouse", "B01", data_org="200")] == ["B01"]
        assert [each["FNumber"] for each in read(site, "warehouse", "B01", data_org="")] == ["B01"]
        assert [each["key"] for each in read(site, "inventory", data_org="200")] == ["A1@B01"]

    def test_stock_of_several_lots_is_one_figure(self, site: Site) -> None:
        [level] = read(site, "inventory", "M001@CK01")
        figures = level["on_hand"], level["available"], level["rows"]
        assert figures == (Decimal("3.5"), Decimal("2.5"), 2)

    def test_stock_is_not_asked_for_by_window(self, site: Site) -> None:
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        stream = opened(site).streams["inventory"]
        assert [record for page in stream.read(Window(long_ago, long_ago)) for record in page.records]

    def test_keys_cannot_break_out_of_a_filter(self, site: Site) -> None:
        assert read(site, "customer", "C001", "' or ''='")[0]["FNumber"] == "C001"
        assert len(read(site, "customer", "C001", "' or ''='")) == 1

    def test_forbidden_base_data_is_told(self, site: Site) -> None:
        seed(site, materials=[{"number": "X1", "name": "停用", "disabled": True}])
        [record] = read(site, "material", "X1", data_org="")
        assert record["FForbidStatus"] == "B"

    def test_dots_are_nesting(self) -> None:
        names = ("FID", "FCustId.FNumber", "FCustId.FName")
        assert nested(names, [2**60, "C1", None]) == {"FID": 2**60, "FCustId": {"FNumber": "C1", "FName": None}}


class TestServer:
    """What the sandbox refuses as the product does, and what it promises to clients other than ours."""

    @pytest.mark.parametrize(
        ("form", "change", "words"),
        [
            (SALES_ORDER, {"FCustId": {"FNumber": "C404"}}, "客户 C404 不存在"),
            (SALES_ORDER, {"FCustId": {}}, "字段“客户”是必填项"),
            (SALES_ORDER, {"FDate": "11/11"}, "字段“日期”的值"),
            (SALES_ORDER, {"FSaleOrderFinance": {}}, "字段“结算币别”是必填项"),
            (SALES_ORDER, {"FBillTypeID": {"FNumber": "XX"}}, "单据类型 XX 不存在"),
            (SALES_ORDER, {"FSaleOrderEntry": []}, "至少需要一行明细"),
            (PURCHASE_ORDER, {"FSupplierId": {"FNumber": "V404"}}, "供应商 V404 不存在"),
            (GOODS_RECEIPT, {"FOwnerTypeIdHead": ""}, "字段“货主类型”是必填项"),
        ],
    )
    def test_a_wrong_head_is_refused(self, site: Site, form: Form, change: Record, words: str) -> None:
        said = refused(sink(site, form).write([{**k3cloud_bill(form, 1), **change}]))
        assert words in said and "重放" in said
        assert stored(site, form) == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"FMaterialID": {"FNumber": "A404"}}, "第 1 行明细: 物料编码 A404 不存在"),
            ({"FStockID": {}}, "字段“仓库”是必填项"),
            ({"FRealQty": 0}, "数量必须大于 0"),
            ({"FTaxPrice": "1,00"}, "字段“含税单价”的值"),
        ],
    )
    def test_a_wrong_line_is_refused(self, site: Site, change: Record, words: str) -> None:
        sent = k3cloud_bill(GOODS_ISSUE, 1)
        broken = {**sent, "FEntity": [{**sent["FEntity"][0], **change}]}
        answer = call(site, "Save", GOODS_ISSUE.form_id, {"Model": broken})
        assert words in answer["Result"]["ResponseStatus"]["Errors"][0]["Message"]

    def test_a_batch_succeeds_in_part(self, site: Site) -> None:
        good = k3cloud_bill(SALES_ORDER, 1)
        data = {"Model": [{**good, "FCustId": {}}, good, good]}
        told = call(site, "BatchSave", SALES_ORDER.form_id, data)["Result"]["ResponseStatus"]
        assert (told["IsSuccess"], told["MsgCode"]) == (False, 11)
        assert [each["DIndex"] for each in told["Errors"]] == [0, 2]
        assert [each["DIndex"] for each in told["SuccessEntitys"]] == [1]

    def test_steps_are_taken_in_order_alone(self, site: Site) -> None:
        native_id = done(sink(site, SALES_ORDER).write([k3cloud_bill(SALES_ORDER, 1)])).native_id
        steps = ("Audit", "Submit", "Delete", "CancelAssign", "Submit", "Audit", "Delete", "UnAudit", "Delete")
        passed = [
            call(site, step, SALES_ORDER.form_id, {"Ids": native_id})["Result"]["ResponseStatus"]["IsSuccess"]
            for step in steps
        ]
        assert passed == [False, True, False, True, True, True, False, True, True]

    def test_a_filter_may_be_a_list_of_conditions(self, site: Site) -> None:
        where = {"Left": "(", "FieldName": "FNumber", "Compare": "=", "Value": "C001", "Right": ")", "Logic": "AND"}
        asked = {"FormId": "BD_Customer", "FieldKeys": "FName", "FilterString": [where]}
        assert call(site, "ExecuteBillQuery", "", asked) == [["天猫旗舰店"]]

    def test_stock_can_only_be_asked_for(self, site: Site) -> None:
        told = call(site, "Save", "STK_Inventory", {"Model": {"FBaseQty": 9}})["Result"]["ResponseStatus"]
        assert (told["IsSuccess"], told["MsgCode"]) == (False, 10)

    def test_a_form_that_does_not_exist_is_named(self, site: Site) -> None:
        told = call(site, "Save", "SAL_NOTHING", {"Model": {}})["Result"]["ResponseStatus"]
        assert "SAL_NOTHING 不存在" in told["Errors"][0]["Message"]


@pytest.mark.parametrize("file", sorted(MAPPINGS.glob("*.yaml")), ids=lambda file: str(file.name))
def test_a_mapping_passes_its_own_tests(file: Path) -> None:
    results = run_tests(load_mapping(file))
    assert results
    assert [(result.name, result.differences) for result in results if not result.passed] == []
