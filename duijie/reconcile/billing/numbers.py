"""断号 and 重复: what the platform tells of against what the journal has asked for.

The 20 digits of a 数电票 run over a whole province, so gaps between a seller's own numbers mean nothing. What can be
held against each other: invoices and red forms that the platform lists and nobody asked for, parts of a split request
that are not there, one number for two requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from duijie.reconcile.billing.model import DOUBLE, GAP, Difference
from duijie.reconcile.billing.reading import Facts, Kept
from duijie.reconcile.billing.sharing import amount_of
from duijie.reconcile.billing.sorting import Why

ORPHAN = Why("orphan", "", "到平台核对这张发票由谁开具; 在其他系统开具的请补录, 误开的请红冲")
PART = Why("part", "", "检查缺少的一张是否生成或被取消, 补上后重试")
TWICE = Why("number_twice", "", "核对哪个申请对应这张发票, 另一个申请重新开具")


def of_numbers(facts: Facts) -> list[Difference]:
    """Every difference that belongs to numbers and not to an order's lines."""
    return [*_orphans(facts), *_forms(facts), *_parts(facts), *_twice(facts)]


def _tell(kind: str, why: Why, key: str, reason: str, right: int, since: datetime, order_key: str = "") -> Difference:
    return Difference(
        kind=kind,
        cause=why.cause,
        key=f"{key}#{why.cause}",
        order_key=order_key,
        order_no=key,
        left=0,
        right=right,
        tax=0,
        reason=reason,
        next_step=why.next_step,
        owner=why.owner,
        since=since,
    )


def _orphans(facts: Facts) -> Iterator[Difference]:
    for no, one in facts.invoices.items():
        if no in facts.requests or no in facts.reds or one.body["status"] != "issued":
            continue
        number = one.body.get("number") or no
        reason = f"平台有发票 {number} (流水号 {no}), 日志中没有对应的申请"
        yield _tell(GAP, ORPHAN, number, reason, amount_of(one.body).gross, one.created_at)


def _forms(facts: Facts) -> Iterator[Difference]:
    """Forms that name an invoice nobody here knows: the blue, or the red that came of it."""
    known = {one.body["number"] for one in facts.invoices.values() if one.body.get("number")}
    told: set[str] = set()
    for form in facts.forms:
        for name, what in (("blue_number", "蓝票"), ("red_number", "红票")):
            number = form.body.get(name, "")
            if number and number not in known and number not in told:
                told.add(number)
                reason = f"红字信息确认单 {form.body['form_no']} 的{what} {number} 不在日志中"
                yield _tell(GAP, ORPHAN, number, reason, amount_of(form.body).gross, form.created_at)


def _parts(facts: Facts) -> Iterator[Difference]:
    parts: dict[str, list[Kept]] = defaultdict(list)
    for one in facts.requests.values():
        if one.body.get("base_no") and one.body.get("part"):
            parts[one.body["base_no"]].append(one)
    for base, found in parts.items():
        there = {one.body["part"] for one in found}
        missing = [number for number in range(1, max(there) + 1) if number not in there]
        if missing:
            told = "、".join(map(str, missing))
            reason = f"拆分申请 {base} 有第 {'、'.join(map(str, sorted(there)))} 张, 缺第 {told} 张"
            yield _tell(GAP, PART, base, reason, 0, found[0].created_at, found[0].body["order_key"])


def _twice(facts: Facts) -> Iterator[Difference]:
    by_number: dict[str, list[str]] = defaultdict(list)
    for no, one in facts.invoices.items():
        if one.body["status"] == "issued" and one.body.get("number"):
            by_number[one.body["number"]].append(no)
    for number, requests in by_number.items():
        if len(requests) > 1:
            one = facts.invoices[requests[-1]]
            reason = f"发票号 {number} 对应多个流水号: {'、'.join(sorted(requests))}"
            order = facts.requests.get(requests[0])
            key = order.body["order_key"] if order else ""
            yield _tell(DOUBLE, TWICE, number, reason, amount_of(one.body).gross, one.created_at, key)
