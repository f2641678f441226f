"""Which differences an order has: every one is found, each exactly once.

A line that nothing is billed of is unbilled, and in books or not; one with too much billed waits for a red where a
refund or an open red explains it, is doubled where two invoices stand on it, else over-billed; one with too little has
an amount difference; one whose gross agrees may differ in tax. What is billed is then held against the books.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from duijie.derive.rounding import split_tax
from duijie.journal.documents import fen, yuan
from duijie.reconcile.billing.model import (
    AMOUNT,
    APPROVER,
    BILLING,
    BOOKS,
    DOUBLE,
    NOTHING,
    OVER,
    PATIENCE,
    POSTED_ONLY,
    RED_OPEN,
    ROUNDING,
    TAIL,
    TAX,
    UNBILLED,
    UNPOSTED,
    Bill,
    Difference,
    Fen,
    Line,
    Order,
)


class Why(NamedTuple):
    """Why something is so: a short code, the sentence, the next step, whose it is; `waits`: it may pass by itself."""

    cause: str
    reason: str
    next_step: str
    owner: str = BILLING
    waits: bool = False
    explanation: str = ""


NO_WISH = Why("no_wish", "买家没有开票要求", "无需处理; 申报时计入未开票收入", explanation="买家未要求开票")
UNSHIPPED = Why("unshipped", "订单尚未发货", "发货后自动生成开票申请", explanation="等待发货后开票")
NOT_ASKED = Why("not_asked", "尚未生成开票申请", "检查“开票申请”流程是否在运行, 或在待处理中查看原因", waits=True)
REVERSED = Why("reversed", "发票已全部红冲, 没有重开", "核对是否需要重新开票; 需要时以新流水号重开")
OF_STATE = {
    "wait_approval": Why("approval", "开票申请等待审批", "在开票工作台审批", APPROVER, waits=True),
    "wait": Why(
        "waiting", "开票申请在排队或已提交, 平台尚未给出结果", "系统自动查询; 超过一天请到平台核对", waits=True
    ),
    "parked": Why("credit", "授信额度不足, 已暂停", "向税务机关申请调整额度, 或等次月额度恢复, 之后自动继续"),
    "login": Why("login", "等待开票员登录电子税务局", "在开票工作台扫码登录, 之后自动继续"),
    "issuing": Why("issuing", "平台正在开具", "系统自动查询; 超过一天请到平台核对", waits=True),
    "failed": Why("failed", "开票失败", "按原因更正后重新申请"),
    "cancelled": Why("cancelled", "开票申请已取消, 没有重新申请", "核对是否仍需开票"),
}
RED_STATES = {
    "wait_approval": Why("red_approval", "红字申请等待审批", "在开票工作台审批", APPROVER, waits=True),
    "wait": Why("red_waiting", "红字申请已提交, 红字确认单尚未有结果", "系统自动查询", waits=True),
    "confirming": Why("red_confirming", "等待购方在 72 小时内确认红字信息确认单", "联系购方确认", waits=True),
    "login": OF_STATE["login"],
    "parked": OF_STATE["parked"],
    "issuing": Why("red_issuing", "红字发票开具中", "系统自动查询; 超过一天请到平台核对", waits=True),
}
NO_RED = Why("red_missing", "退款已成功而没有红字申请", "在开票工作台用“红冲”提交申请")
WAITS = "系统处理中, 暂不需要人工"
URGENT = ("wait_approval", "parked", "login", "failed", "issuing", "wait", "cancelled")


class Case(NamedTuple):
    """An order at a moment."""

    order: Order
    now: datetime

    def tell(
        self, kind: str, lines: Sequence[Line], amounts: tuple[Fen, Fen], why: Why, since: datetime | None = None
    ) -> Difference:
        """One difference; `amounts` is (what should be, what is)."""
        left, right = amounts
        order = self.order
        begun, since = since or order.learned or order.since, since or order.since
        waiting = WAITS if why.waits and self.now - begun < PATIENCE else ""
        return Difference(
            kind=kind,
            cause=why.cause,
            key=f"{order.key}#{why.cause}",
            order_key=order.key,
            order_no=order.order_no,
            left=left.gross,
            right=right.gross,
            tax=(right - left).tax,
            reason=why.reason,
            next_step=why.next_step,
            owner=why.owner,
            since=since,
            explanation=why.explanation or waiting,
            lines=tuple(line.oid for line in lines),
        )


def differences(order: Order, now: datetime) -> list[Difference]:
    """Every difference of an order, those of billing first."""
    case = Case(order, now)
    return [*_reds(case), *_billing(case), *_over(case), *_tax(case, "billed", "发票", BILLING), *_books(case)]


def _sum(lines: Sequence[Line], name: str) -> Fen:
    return sum((getattr(line, name) for line in lines), NOTHING)


def _reds(case: Case) -> Iterator[Difference]:
    """Reds on their way, one difference each, whatever they are for."""
    order = case.order
    for bill in order.bills():
        if not (bill.is_red and bill.is_open):
            continue
        lines = [line for line in order.lines if any(share.bill == bill for share in line.shares)]
        mine = sum((share.amount for line in lines for share in line.shares if share.bill == bill), NOTHING)
        why = RED_STATES.get(bill.state, RED_STATES["wait"])
        told = why._replace(reason=f"{why.reason} (申请 {bill.request_no})", cause=f"{why.cause}:{bill.request_no}")
        yield case.tell(RED_OPEN, lines, (NOTHING, -mine), told, bill.since)


def _billing(case: Case) -> Iterator[Difference]:
    order = case.order
    unbilled = [line for line in order.lines if line.receivable.gross and not line.billed.gross]
    for kind, lines in _by_books(unbilled).items():
        why, since = _why_unbilled(order, lines)
        yield case.tell(kind, lines, (_sum(lines, "receivable"), NOTHING), why, since)
    short = [line for line in order.lines if 0 < line.billed.gross < line.receivable.gross]
    if short:
        why = Why("short", f"开票金额少于应收 ({_names(short)})", "核对发票明细; 少开的部分补开一张")
        yield case.tell(AMOUNT, short, (_sum(short, "receivable"), _sum(short, "billed")), why)


def _by_books(lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(POSTED_ONLY if line.posted.gross else UNBILLED, []).append(line)
    return found


def _why_unbilled(order: Order, lines: Sequence[Line]) -> tuple[Why, datetime | None]:
    """Why nothing is billed of these lines, and since when where a request tells."""
    shares = [share for line in lines for share in line.shares]
    bills = {share.bill.request_no: share.bill for share in shares if not share.bill.is_red}
    standing = sorted((one for one in bills.values() if not one.is_issued), key=lambda one: URGENT.index(one.state))
    if standing:
        return _of_bill(standing[0]), standing[0].since
    if bills:
        return REVERSED, max(share.bill.issued_at or share.bill.since for share in shares)
    if order.held:
        return Why("invalid", f"开票校验不通过: {order.held}", "按原因更正后重放"), None
    if not order.wishes:
        return NO_WISH, None
    return (UNSHIPPED if order.status == "paid" else NOT_ASKED), None


def _of_bill(bill: Bill) -> Why:
    why = OF_STATE[bill.state]
    told = f": {bill.reason}" if bill.reason else ""
    return why._replace(reason=f"{why.reason} (申请 {bill.request_no}){told}")


def _over(case: Case) -> Iterator[Difference]:
    """What is billed beyond what is owed and no open red will take back."""
    waiting: list[tuple[Line, int]] = []
    doubled: list[tuple[Line, int]] = []
    beyond: list[tuple[Line, int]] = []
    for line in case.order.lines:
        over = line.billed.gross + min(line.reds_open.gross, 0) - line.receivable.gross
        if line.blue.gross <= 0 or over <= 0:
            continue
        unreversed = max(0, line.refunded.gross + line.red.gross + line.reds_open.gross)
        of_refund = min(over, unreversed)
        if of_refund:
            waiting.append((line, of_refund))
        if over > of_refund:
            (doubled if _is_doubled(line) else beyond).append((line, over - of_refund))
    if waiting:
        yield _too_much(case, RED_OPEN, waiting, _why_no_red(case.order))
    if doubled:
        numbers = "、".join(sorted({no for line, _ in doubled for no in _standing(line)}))
        why = Why("doubled", f"同一订单行有多张有效蓝票: {numbers}", "核对后红冲多余的一张")
        yield _too_much(case, DOUBLE, doubled, why)
    if beyond:
        why = Why("over", f"开票金额多于应收 ({_names([line for line, _ in beyond])})", "核对后红冲多开的部分")
        yield _too_much(case, OVER, beyond, why)


def _too_much(case: Case, kind: str, found: Sequence[tuple[Line, int]], why: Why) -> Difference:
    """What these lines should have of it, and that with what is too much; the tax in the lines' own proportion."""
    lines = [line for line, _ in found]
    owed = _sum(lines, "receivable")
    beyond = sum((_part(line, much) for line, much in found), NOTHING)
    return case.tell(kind, lines, (owed, owed + beyond), why)


def _part(line: Line, gross: int) -> Fen:
    """So much of a line's gross, split as the law splits it: tax = gross × rate / (1 + rate), half up."""
    split = split_tax(yuan(gross), line.rate)
    return Fen(fen(split.net), fen(split.tax))


def _why_no_red(order: Order) -> Why:
    failed = [one for one in order.bills() if one.is_red and one.state == "failed"]
    if not failed:
        return NO_RED
    bill = failed[-1]
    return Why(
        "red_failed", f"红字申请 {bill.request_no} 失败: {bill.reason or '平台未给原因'}", "按原因处理后重新申请红冲"
    )


def _standing(line: Line) -> dict[str, str]:
    """Number → base of the issued blues on a line that no red has taken back in full."""
    taken: dict[str, int] = {}
    for share in line.shares:
        if share.bill.is_red and share.bill.is_issued:
            taken[share.bill.blue_no] = taken.get(share.bill.blue_no, 0) + share.amount.gross
    blues = [share for share in line.shares if share.bill.is_issued and not share.bill.is_red]
    return {
        share.bill.number or share.bill.request_no: share.bill.base or share.bill.request_no
        for share in blues
        if share.amount.gross + taken.get(share.bill.request_no, 0) > 0
    }


def _is_doubled(line: Line) -> bool:
    return len(set(_standing(line).values())) > 1


def _tax(case: Case, name: str, what: str, owner: str) -> Iterator[Difference]:
    """Lines whose gross agrees and whose tax does not: a fen is rounding, more is a difference."""
    found: dict[str, list[Line]] = {}
    for line in case.order.lines:
        amount: Fen = getattr(line, name)
        if amount and amount.gross == line.receivable.gross and amount.tax != line.receivable.tax:
            kind = ROUNDING if abs(amount.tax - line.receivable.tax) <= TAIL else TAX
            found.setdefault(kind, []).append(line)
    for kind, lines in found.items():
        left, right = _sum(lines, "receivable"), _sum(lines, name)
        reason = f"{what}税额与订单相差 {yuan((right - left).tax)} 元 ({_names(lines)})"
        explanation = "单行税额差不超过 0.01 元" if kind == ROUNDING else ""
        why = Why(f"{kind}:{name}", reason, "核对税率与税额的计算方式", owner, explanation=explanation)
        yield case.tell(kind, lines, (left, right), why)


def _books(case: Case) -> Iterator[Difference]:
    """Lines whose books do not hold what is owed of them."""
    lines = [line for line in case.order.lines if line.posted.gross != line.receivable.gross]
    billed = [line for line in lines if line.blue]
    if billed:
        amounts = _sum(billed, "receivable"), _sum(billed, "posted")
        yield case.tell(UNPOSTED, billed, amounts, _why_unposted(billed))
    beyond = [line for line in lines if not line.blue and not line.receivable.gross]
    if beyond:
        why = Why("not_reversed", "订单已取消或已全额退款, 凭证尚未冲回", "检查凭证冲销流程", BOOKS, waits=True)
        yield case.tell(POSTED_ONLY, beyond, (NOTHING, _sum(beyond, "posted")), why)
    yield from _tax(case, "posted", "凭证", BOOKS)


def _why_unposted(lines: Sequence[Line]) -> Why:
    problem = next((one.problem for line in lines for one in line.booked if one.problem), "")
    if problem:
        return Why("not_in_ledger", problem, "在“投递”或待处理中按原因处理凭证", BOOKS, waits=True)
    if any(line.booked for line in lines):
        return Why(
            "books_differ", f"凭证金额与应收不同 ({_names(lines)})", "检查退款与冲销凭证是否生成", BOOKS, waits=True
        )
    return Why("no_voucher", "尚未生成凭证", "检查“凭证”流程是否在运行", BOOKS, waits=True)


def _names(lines: Sequence[Line]) -> str:
    more = f" 等 {len(lines)} 行" if len(lines) > 1 else ""
    return f"{lines[0].name}{more}"


__all__ = ["differences"]
