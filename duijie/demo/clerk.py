"""The invoice clerk's part of the demo's day: what no flow may decide by itself.

The day begins with a credit line (授信额度) that its invoices exhaust: the queue halts after one attempt, finance has
it raised, the clerk lets the queue go on. Later a buyer says that the title was wrong: the invoice is reversed as a
whole and issued anew under a new number.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from duijie import codec
from duijie.cli.output import console
from duijie.derive.invoice_rules import load_rules
from duijie.invoicing import corrections, halts
from duijie.journal import Journal, documents, pushes

CLERK = "demo-clerk"
RIGHT_TITLE = "（更正）"
SECONDS = 10
PUSH_SECONDS = 30.0
MOST = 1000


def raise_credit(journal: Journal, acts: Mapping[str, Any]) -> bool:
    """Have the credit line raised where it halted a queue, and let that go on; says whether it did."""
    halted = [one for one in halts.standing(journal) if one.reason == "credit"]
    for one in halted:
        console.print(f"  授信额度用尽, {one.connection} 已暂停开票 (只试了一次); 财务申请调整额度 …")
    if not halted:
        return False
    _post(acts["raise_credit"])
    for connection in {one.connection for one in halted}:
        halts.resume(journal, connection, CLERK, "额度已调整")
    return True


def receive_late_refunds(journal: Journal, acts: Mapping[str, Any]) -> None:
    """Buyers of invoiced orders are refunded: the shop pushes it, so it is read although its day is closed."""
    known = {one.body["key"] for one in documents.current(journal, "sales_refund")}
    refunds = acts["late_refunds"][0]["body"]["refunds"]
    if all(f"taobao:{one['shop']}:{one['refund_id']}" in known for one in refunds):
        return
    console.print(f"  {len(refunds)} 笔已开票订单发生退款, 店铺推送 …")
    _post(acts["late_refunds"])
    end = time.monotonic() + PUSH_SECONDS
    while time.monotonic() < end and len(pushes.waiting(journal, "taobao", "refund", MOST)) < len(refunds):
        time.sleep(0.5)


def _post(acts: Sequence[Mapping[str, Any]]) -> None:
    for act in acts:
        requests.post(act["url"], data=codec.encode(act["body"]), timeout=SECONDS).raise_for_status()


def correct_a_title(journal: Journal, root: Path) -> str:
    """Reverse one invoice whose title is wrong, once a journal; its request's number, or "" where there is none."""
    if next(documents.current(journal, corrections.CORRECTION), None):
        return ""
    issued = {one.body["request_no"] for one in documents.current(journal, "invoice") if one.body["status"] == "issued"}
    refunded = {one.body["order_key"] for one in documents.current(journal, "sales_refund")}
    wanted = (
        one.body
        for one in documents.current(journal, "invoice_request")
        if one.key in issued and one.body["kind"] == "normal" and one.body["order_key"] not in refunded
    )
    if (request := next(wanted, None)) is None:
        return ""
    buyer = {**request["buyer"], "name": request["buyer"]["name"] + RIGHT_TITLE}
    rules = load_rules(root / "mappings" / "rules" / "invoice.yaml")
    corrections.correct(journal, rules, request["request_no"], buyer, who=CLERK, why="买家来电: 抬头有误")
    console.print(f"  抬头有误: 申请 {request['request_no']} 全额红冲后以新单号重开给 {buyer['name']}")
    return str(request["request_no"])
