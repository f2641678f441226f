"""票单勾稽: nothing where orders, invoices and books agree; else every difference, exactly once, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from duijie.invoicing import approvals, halts
from duijie.invoicing.halts import Stop
from duijie.journal import documents, views, work
from duijie.journal.deliveries import Change
from duijie.journal.tables import comparison, work_item
from duijie.journal.tables_billing import billing_difference, billing_line
from duijie.reconcile.billing import compare_billing, compute, explain, looking
from duijie.reconcile.billing.looking import Wanted
from duijie.reconcile.billing.model import Difference
from tests.reconcile.billing_world import MAPPINGS, World
from tests.reconcile.conftest import NOW


def found(world: World) -> list[Difference]:
    world.came_at(datetime(2026, 11, 12, tzinfo=UTC))
    return list(compute(world.journal, MAPPINGS).differences)


def kinds(world: World) -> list[tuple[str, int]]:
    return [(one.kind, one.amount) for one in found(world)]


def test_orders_that_are_billed_and_posted_have_no_difference(world: World) -> None:
    for number in range(1, 6):
        world.billed(world.order(number, "113.00", "54.50", freight="10.90"))
    world.post()
    assert kinds(world) == []


def test_a_refund_reversed_by_lines_leaves_no_difference(world: World) -> None:
    order = world.order(1, "113.00", "54.50")
    request, blue = world.billed(order)
    world.post()
    world.invoice(world.red_request(order, world.refund(order, 2, "10.90"), request, blue))
    world.post()
    assert kinds(world) == []


def test_an_order_refunded_and_reversed_in_full_leaves_no_difference(world: World) -> None:
    order = world.order(1, "113.00")
    request, blue = world.billed(order)
    world.post()
    world.invoice(world.red_request(order, world.refund(order, 1, "113.00"), request, blue))
    world.post()
    assert kinds(world) == []


def test_a_merged_request_is_shared_out_to_its_orders_by_its_own_marks(world: World) -> None:
    one, two = world.order(1, "113.00"), world.order(2, "22.60", "21.80", freight="5.45")
    parts = [world.request(order) for order in (one, two)]
    lines = [
        {**line, "line_no": at, "order_key": order["key"], **({"oid": oid} if oid else {})}
        for at, (order, line, oid) in enumerate(
            [(one, parts[0]["lines"][0], "11"), *zip([two] * 3, parts[1]["lines"], ["21", "22", ""], strict=True)], 1
        )
    ]
    for part in parts:
        world.change("invoice_request", part["key"], {"lines": part["lines"]})
    totals = {name: sum((part[name] for part in parts), Decimal(0)) for name in ("net", "tax", "gross")}
    merged = {**parts[0], **totals, "key": "DJMERGED", "request_no": "DJMERGED", "lines": lines}
    world.invoice(world.put("invoice_request", {**merged, "order_keys": [one["key"], two["key"]]}))
    world.post()
    assert kinds(world) == []


def test_a_discount_line_belongs_to_the_line_it_follows(world: World) -> None:
    order = world.order(1, "113.00", "54.50")
    request = world.request(order)
    first, second = request["lines"]
    full = {
        **first,
        "nature": "discounted",
        "net": Decimal("110.00"),
        "tax": Decimal("14.30"),
        "gross": Decimal("124.30"),
    }
    less = {name: first[name] for name in ("name", "tax_class_code", "tax_rate")}
    off = {**less, "nature": "discount", "net": Decimal("-10.00"), "tax": Decimal("-1.30"), "gross": Decimal("-11.30")}
    lines = [{**one, "line_no": at} for at, one in enumerate((full, off, second), 1)]
    world.invoice(world.change("invoice_request", request["key"], {"lines": lines}))
    world.post()
    assert kinds(world) == []


def test_a_discount_of_the_whole_order_is_owed_by_its_lines_as_they_are_invoiced(world: World) -> None:
    discount = {"seller_discount": Decimal("7.50"), "gross": Decimal("160.00")}
    order = world.order(1, "113.00", "54.50", **discount)
    world.billed(order)
    [one] = found(world)
    assert (one.kind, one.left) == ("已开未记账", 16000)


def unbilled_without_a_wish(world: World) -> None:
    world.order(1, "113.00", wish=False)


def unbilled_and_posted(world: World) -> None:
    world.order(1, "113.00", wish=False)
    world.post()


def over_billed(world: World) -> None:
    request = world.request(world.order(1, "113.00"))
    more = {"net": Decimal("101.00"), "tax": Decimal("13.13"), "gross": Decimal("114.13")}
    world.invoice(request, **more)
    world.post()


def under_billed(world: World) -> None:
    request = world.request(world.order(1, "113.00"))
    world.invoice(request, net=Decimal("99.00"), tax=Decimal("12.87"), gross=Decimal("111.87"))
    world.post()


def other_tax(world: World) -> None:
    request = world.request(world.order(1, "113.00"))
    world.invoice(request, net=Decimal("100.05"), tax=Decimal("12.95"))
    world.post()


def a_fen_of_tax(world: World) -> None:
    request = world.request(world.order(1, "113.00"))
    world.invoice(request, net=Decimal("100.01"), tax=Decimal("12.99"))
    world.post()


def not_posted(world: World) -> None:
    world.billed(world.order(1, "113.00"))


def posted_in_one_ledger_only(world: World) -> None:
    world.billed(world.order(1, "113.00"))
    world.post()
    world.deliver("voucher", "tryton/voucher", Change("rejected", "期间已关闭"))


def refund_without_red(world: World) -> None:
    order = world.order(1, "113.00", "54.50")
    world.billed(order)
    world.refund(order, 2, "10.90")
    world.post()


def red_waits_for_the_buyer(world: World) -> None:
    order = world.order(1, "113.00", "54.50")
    request, blue = world.billed(order)
    red = world.red_request(order, world.refund(order, 2, "10.90"), request, blue)
    world.invoice(red, "waiting_confirmation")
    world.post()


def red_failed(world: World) -> None:
    order = world.order(1, "113.00", "54.50")
    request, blue = world.billed(order)
    world.invoice(world.red_request(order, world.refund(order, 2, "10.90"), request, blue), "failed", reason="购方拒绝")
    world.post()


def two_blues_for_one_order(world: World) -> None:
    order = world.order(1, "113.00")
    request, _ = world.billed(order)
    world.invoice(world.put("invoice_request", {**request, "key": "DJ2ND", "request_no": "DJ2ND"}))
    world.post()


def one_number_for_two_requests(world: World) -> None:
    _, blue = world.billed(world.order(1, "113.00"))
    world.invoice(world.request(world.order(2, "113.00")), number=blue["number"])
    world.post()


def an_invoice_nobody_asked_for(world: World) -> None:
    request, _ = world.billed(world.order(1, "113.00"))
    world.invoice({**request, "request_no": "OTHER1"})
    world.post()


def a_form_of_an_unknown_invoice(world: World) -> None:
    form = {"key": "F1", "form_no": "44990000000000000001", "state": "03", "initiator": "buyer"}
    amounts = {"net": Decimal("-100.00"), "tax": Decimal("-13.00"), "gross": Decimal("-113.00")}
    world.put("red_form", {**form, **amounts, "blue_number": "26999000000000000001"})


def a_part_is_missing(world: World) -> None:
    order = world.order(1, "113.00", "54.50")
    request = world.request(order)
    first, second = request["lines"]
    split = [("DJ11", 1, [first]), ("DJ13", 3, [second])]
    for no, part, lines in split:
        totals = {name: lines[0][name] for name in ("net", "tax", "gross")}
        key = request["key"] if part == 1 else no
        body = {**request, **totals, "key": key, "request_no": no, "base_no": "DJ1", "part": part, "lines": lines}
        world.invoice(world.put("invoice_request", body))
    world.post()


def cancelled_and_still_posted(world: World) -> None:
    order = world.order(1, "113.00", wish=False)
    world.post()
    world.change("sales_order", order["key"], {"status": "cancelled"})


CASES: list[tuple[Callable[[World], None], str, int, str, str]] = [
    (unbilled_without_a_wish, "未开票", -11300, "开票员", "买家没有开票要求"),
    (unbilled_and_posted, "已记账未开票", -11300, "开票员", "买家没有开票要求"),
    (over_billed, "多开", 113, "开票员", "开票金额多于应收"),
    (under_billed, "金额差", -113, "开票员", "开票金额少于应收"),
    (other_tax, "税额差", 0, "开票员", "发票税额与订单相差 -0.05 元"),
    (a_fen_of_tax, "尾差", 0, "开票员", "发票税额与订单相差 -0.01 元"),
    (not_posted, "已开未记账", -11300, "会计", "尚未生成凭证"),
    (posted_in_one_ledger_only, "已开未记账", -11300, "会计", "未送达 tryton/voucher: 期间已关闭"),
    (refund_without_red, "红冲未完成", 1090, "开票员", "退款已成功而没有红字申请"),
    (red_waits_for_the_buyer, "红冲未完成", 1090, "开票员", "等待购方在 72 小时内确认"),
    (red_failed, "红冲未完成", 1090, "开票员", "购方拒绝"),
    (two_blues_for_one_order, "重复", 11300, "开票员", "多张有效蓝票"),
    (one_number_for_two_requests, "重复", 11300, "开票员", "对应多个流水号"),
    (an_invoice_nobody_asked_for, "断号", 11300, "开票员", "日志中没有对应的申请"),
    (a_form_of_an_unknown_invoice, "断号", -11300, "开票员", "26999000000000000001 不在日志中"),
    (a_part_is_missing, "断号", 0, "开票员", "缺第 2 张"),
    (cancelled_and_still_posted, "已记账未开票", 11300, "会计", "凭证尚未冲回"),
]


@pytest.mark.parametrize(("seed", "kind", "amount", "owner", "reason"), CASES, ids=[one[0].__name__ for one in CASES])
def test_each_difference_is_found_exactly_once(
    world: World, seed: Callable[[World], None], kind: str, amount: int, owner: str, reason: str
) -> None:
    seed(world)
    [one] = found(world)
    assert (one.kind, one.amount, one.owner) == (kind, amount, owner)
    assert reason in one.reason
    assert one.next_step
    assert one.since <= NOW


TOGETHER = (
    *(unbilled_and_posted, over_billed, under_billed, other_tax, a_fen_of_tax, refund_without_red),
    *(red_waits_for_the_buyer, red_failed, one_number_for_two_requests, an_invoice_nobody_asked_for),
)


def test_differences_in_one_journal_are_found_as_each_alone(world: World) -> None:
    """Those that leave other orders' vouchers alone, each with orders of its own number."""
    original = world.order
    for step, seed in enumerate(TOGETHER, 1):
        world.order = lambda number, *a, step=step, **k: original(100 * step + number, *a, **k)  # type: ignore[method-assign]
        seed(world)
    wanted = sorted((kind, amount) for seed, kind, amount, _, _ in CASES if seed in TOGETHER)
    assert sorted(kinds(world)) == wanted


class TestWhyNothingIsBilled:
    @pytest.mark.parametrize(
        ("status", "more", "said"),
        [
            ("issuing", {}, "平台正在开具"),
            ("waiting_login", {}, "等待开票员登录"),
            ("failed", {"reason": "购方税号不存在"}, "开票失败 (申请 {no}): 购方税号不存在"),
            ("failed", {"cause": "credit"}, "授信额度不足, 已暂停"),
        ],
    )
    def test_by_what_the_platform_says(self, world: World, status: str, more: dict[str, str], said: str) -> None:
        request = world.request(world.order(1, "113.00"))
        world.invoice(request, status, **more)
        [one] = found(world)
        assert one.kind == "未开票"
        assert said.format(no=request["request_no"]) in one.reason

    def test_a_request_that_the_platform_refused(self, world: World) -> None:
        world.request(world.order(1, "113.00"))
        world.deliver("invoice_request", "nuonuo/invoice_request", Change("rejected", "税收分类编码不存在"))
        [one] = found(world)
        assert "税收分类编码不存在" in one.reason
        assert one.explanation == ""

    def test_a_request_that_waits_for_a_yes(self, world: World) -> None:
        request = world.request(world.order(1, "113.00"))
        with world.journal.writing() as tx:
            approvals.ask_first(tx, world.journal, ("invoice_request", request), "invoices", "nuonuo/invoice_request")
        [one] = found(world)
        assert (one.owner, "等待审批" in one.reason) == ("开票审批人", True)

    def test_a_request_that_a_used_up_credit_line_holds_up(self, world: World) -> None:
        world.request(world.order(1, "113.00"))
        world.plan("invoice_request", "nuonuo/invoice_request")
        with world.journal.writing() as tx:
            halts.park(tx, world.journal, "nuonuo/invoice_request", Stop("credit", "剩余可用额度 0.00"))
        [one] = found(world)
        assert "授信额度不足, 已暂停" in one.reason
        assert "剩余可用额度 0.00" in one.reason

    def test_an_order_not_shipped_yet_waits_and_needs_nobody(self, world: World) -> None:
        world.order(1, "113.00", status="paid")
        [one] = found(world)
        assert (one.kind, one.explanation) == ("未开票", "等待发货后开票")

    def test_what_waits_needs_nobody_for_a_day_and_somebody_after_it(self, world: World) -> None:
        world.request(world.order(1, "113.00"))
        [old] = found(world)
        world.came_at(datetime(2026, 11, 20, 7, tzinfo=UTC))
        [fresh] = compute(world.journal, MAPPINGS).differences
        assert (old.explanation, fresh.explanation) == ("", "系统处理中, 暂不需要人工")

    def test_what_was_reversed_in_full_while_it_is_still_owed(self, world: World) -> None:
        order = world.order(1, "113.00")
        request, blue = world.billed(order)
        world.post()
        refund = world.refund(order, 1, "113.00")
        world.invoice(world.red_request(order, refund, request, blue))
        world.change("sales_refund", refund["key"], {"status": "closed"})
        [one] = found(world)
        assert "没有重开" in one.reason


class TestKeeping:
    def test_a_difference_becomes_a_work_item_and_is_closed_when_it_is_over(self, world: World) -> None:
        refund_without_red(world)
        world.came_at(datetime(2026, 11, 12, tzinfo=UTC))
        counts = compare_billing(world.journal, "reconcile", MAPPINGS)
        assert counts == {"orders": 1, "differences": 1, "unexplained": 1}
        [item] = views.items(world.journal, state="open", kind="billing")
        assert (item.owner, item.records) == ("开票员", 1)
        assert "退款已成功而没有红字申请" in item.reason
        world.change("sales_refund", "taobao:S01:R12", {"status": "closed"})
        compare_billing(world.journal, "reconcile", MAPPINGS)
        with world.journal.reading() as tx:
            assert tx.execute(select(work_item.c.state, work_item.c.resolution)).all()[0] == (
                "closed",
                "再次勾稽时已一致",
            )

    def test_running_it_again_changes_nothing(self, world: World) -> None:
        refund_without_red(world)
        for _ in range(2):
            compare_billing(world.journal, "reconcile", MAPPINGS)
        assert len(views.items(world.journal, state="open", kind="billing")) == 1
        with world.journal.reading() as tx:
            assert len(tx.execute(select(billing_difference)).all()) == 1
            assert len(tx.execute(select(billing_line)).all()) == 2

    def test_a_persons_explanation_holds_as_long_as_the_amounts_do(self, world: World) -> None:
        order = world.order(1, "113.00", "54.50")
        world.billed(order)
        refund = world.refund(order, 2, "10.90")
        world.post()
        compare_billing(world.journal, "reconcile", MAPPINGS)
        explain(world.journal, f"{order['key']}#red_missing", "李会计", "买家已退回纸质说明")
        assert compare_billing(world.journal, "reconcile", MAPPINGS)["unexplained"] == 0
        assert views.items(world.journal, state="open", kind="billing") == []
        world.change("sales_refund", refund["key"], {"status": "closed"})
        world.refund(order, 1, "11.30")
        world.post()
        assert compare_billing(world.journal, "reconcile", MAPPINGS)["unexplained"] >= 1

    def test_the_run_stands_among_the_comparisons_of_the_console(self, world: World) -> None:
        over_billed(world)
        compare_billing(world.journal, "reconcile", MAPPINGS)
        with world.journal.reading() as tx:
            [row] = tx.execute(select(comparison)).all()
        assert (row.left_amount, row.right_amount, row.differences, row.unexplained) == (11300, 11413, 1, 1)

    def test_what_another_work_item_holds_is_explained_by_it(self, world: World) -> None:
        order = world.order(1, "113.00")
        with world.journal.writing() as tx:
            finding = work.Finding("invoice", "invoice_requests:1", "E-TAXCODE-MISSING 没有税收分类编码")
            work.open_item(tx, world.journal, "invoices", finding, [("sales_order", order["key"], 11300)])
        assert compare_billing(world.journal, "billing", MAPPINGS)["unexplained"] == 0
        [one] = looking.differences(world.journal, Wanted())
        assert one.explanation.startswith("待处理 1: E-TAXCODE-MISSING")
        assert "开票校验不通过" in one.reason


class TestTaxes:
    def test_tax_posted_is_tax_issued_and_tax_not_billed_yet(self, world: World) -> None:
        world.billed(world.order(1, "113.00", "54.50"))
        world.order(2, "22.60", wish=False)
        world.post()
        rows = compute(world.journal, MAPPINGS).taxes
        assert [(str(one.rate), one.posted, one.issued, one.unbilled, one.late, one.difference) for one in rows] == [
            ("0.13", 1560, 1300, 260, 0, 0),
            ("0.09", 450, 450, 0, 0, 0),
        ]

    def test_revenue_of_one_month_billed_in_the_next_balances_in_both(self, world: World) -> None:
        request = world.request(world.order(1, "113.00"))
        world.invoice(request, issued_at="2026-12-02T09:00:00+08:00")
        world.post()
        rows = compute(world.journal, MAPPINGS).taxes
        assert [(one.month, one.posted, one.issued, one.unbilled, one.late, one.difference) for one in rows] == [
            ("2026-11", 1300, 0, 1300, 0, 0),
            ("2026-12", 0, 1300, 0, 1300, 0),
        ]

    def test_a_voucher_of_no_order_is_a_difference_that_nothing_explains(self, world: World) -> None:
        world.billed(world.order(1, "113.00"))
        world.post()
        [made] = [one for one in documents.current(world.journal, "voucher")]
        world.put("voucher", {**made.body, "key": "manual:1"})
        world.deliver("voucher", "k3cloud/voucher", Change("done", native_no="记-2"))
        [row] = compute(world.journal, MAPPINGS).taxes
        assert (row.difference, row.unknown) == (1300, 1300)

    def test_an_order_that_is_not_posted_explains_its_own_tax(self, world: World) -> None:
        world.billed(world.order(1, "113.00"))
        [row] = compute(world.journal, MAPPINGS).taxes
        assert (row.difference, row.unknown) == (-1300, 0)
