"""Red forms 红字信息确认单 that wait for a person: a buyer's to be answered, ours that a buyer must answer, void ones.

Each is one work item: it says how much, which invoice, until when, and what to do; it closes by itself when the form
has moved on. Nothing is answered or begun again without a person. Source: 国家税务总局公告 2024 年第 11 号 (72 hours).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.derive import reds
from duijie.journal import Journal, documents, work
from duijie.journal.codes import CHINA
from duijie.journal.documents import Document
from duijie.journal.tables import work_item
from duijie.journal.work import Finding
from duijie.schemas import check

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
LIFE = timedelta(hours=72)
FOR_SELLER = "03"
ANSWER, AWAITED, GONE = "red_answer", "red_form", "red_void"  # kinds of work items
REASONS = {
    "sales_return": "销货退回",
    "wrong_invoice": "开票有误",
    "service_stopped": "服务中止",
    "allowance": "销售折让",
}


def red_followups(making: Making) -> Counts:
    """Open and close the work items of forms, as they stand now."""
    return _inbound(making) + _outbound(making)


def deadline(form: Record) -> datetime:
    """When a form that nobody has answered becomes void."""
    return datetime.fromisoformat(form["began_at"]) + LIFE


def answer(journal: Journal, form_no: str, *, agrees: bool, why: str, who: str) -> Record:
    """Keep a person's answer to a buyer's form; the flow delivers it. Returns the red_answer.

    Raises ConfigError where no such form waits for us (any more), InvalidDocument for a refusal without a reason.
    """
    form = next((one for one in documents.current(journal, "red_form") if one.body["form_no"] == form_no), None)
    if form is None:
        raise _not_waiting(form_no, "没有拉取到这张确认单; 请先运行红字流程, 或核对编号", "no such form was pulled")
    must_wait_for_us(form.body, journal.now())
    made = reds.answer_of(form.body, agrees=agrees, why=why)
    check("red_answer", made)
    said_before = documents.get(journal, "red_answer", made["key"])
    if said_before and said_before.body != made:
        raise _not_waiting(form_no, "已经答复过, 不能改口; 请在电子税务局办理", "it was answered otherwise before")
    with journal.writing() as tx:
        if documents.put(tx, journal, "red_answer", made, (None, f"cli:{who}"[:60])) is None:
            return made
        documents.connect(tx, journal, "red_answer", form, ("red_answer", made["key"], documents.amount_of(form.body)))
        said = f"{who} 已答复: {'同意' if agrees else '拒绝'}" + (f", {why}" if why else "")
        work.close_subject(tx, journal, ANSWER, _subject(form), said)
    return made


def must_wait_for_us(form: Record, now: datetime) -> None:
    """Raises ConfigError that says why a form cannot be answered by us."""
    number = form["form_no"]
    if form["initiator"] != "buyer":
        raise _not_waiting(number, "是我方发起的, 由购方确认", "it was begun by us")
    if form["state"] != FOR_SELLER:
        raise _not_waiting(number, f"状态为 {form['state']}, 已不能答复", f"its state is {form['state']}")
    if deadline(form) <= now:
        raise _not_waiting(number, f"已于 {shown(deadline(form))} 过期作废 (72 小时)", "it expired after 72 hours")


def shown(moment: datetime) -> str:
    """A moment in China, for people."""
    return f"{moment.astimezone(CHINA):%Y-%m-%d %H:%M}"


def _inbound(making: Making) -> Counts:
    answered = {one.body["form_no"] for one in documents.current(making.journal, "red_answer")}
    forms = [one for one in documents.current(making.journal, "red_form") if one.body["initiator"] == "buyer"]
    waits = [one for one in forms if one.body["state"] == FOR_SELLER and one.body["form_no"] not in answered]
    blues = {one.body.get("number"): one.body for one in documents.current(making.journal, "invoice")} if waits else {}
    with making.journal.writing() as tx:
        _close_others(tx, making.journal, ANSWER, {_subject(one) for one in waits}, "确认单已处理")
        for one in waits:
            finding = Finding(ANSWER, _subject(one), _asked(one.body, blues.get(one.body["blue_number"])))
            held = [("red_form", one.key, documents.amount_of(one.body))]
            work.open_item(tx, making.journal, making.flow, finding, held)
    return Counter(to_answer=len(waits)) if waits else Counter()


def _asked(form: Record, blue: Record | None) -> str:
    whose = f"开票申请 {blue['request_no']}" if blue else "不是经本系统开具的发票"
    return (
        f"购方发起红字确认单, 72 小时内确认或拒绝: 购方 {form.get('buyer_name', '')} 的确认单 {form['form_no']} "
        f"({REASONS.get(form.get('reason', ''), '原因未知')}), 蓝票 {form['blue_number']} ({whose}), "
        f"不含税 {form['net']} 元, 税额 {form['tax']} 元, 价税合计 {form['gross']} 元; "
        f"截止 {shown(deadline(form))}, 逾期作废"
    )


def _outbound(making: Making) -> Counts:
    journal = making.journal
    results = [one for one in documents.current(journal, "invoice") if one.body["colour"] == "red"]
    waits = {one.key: one for one in results if one.body["status"] == "waiting_confirmation"}
    told = set(documents.derived_keys(journal, AWAITED))
    with journal.writing() as tx:
        _close_others(tx, journal, AWAITED, {_subject(one) for one in waits.values()}, "确认单已不再等待购方")
        for one in (one for key, one in waits.items() if key not in told):
            documents.mark_derived(tx, AWAITED, [one], one.body["request_no"])
            held = [("red_request", one.body["request_no"], documents.amount_of(one.body))]
            work.open_item(tx, journal, making.flow, Finding(AWAITED, _subject(one), _awaited(one.body)), held)
    return Counter(awaited=len(waits)) if waits else Counter()


def _awaited(result: Record) -> str:
    until = result.get("form_expires_at")
    by = f"须在 {shown(datetime.fromisoformat(until))} 前确认" if until else "须在发起后 72 小时内确认"
    return f"红字确认单 {_form_of(result)} 等待购方确认, {by}, 逾期作废; {_what(result)}"


def void(result: Record) -> str:
    """What a person must know of a form of ours that came to nothing."""
    return f"红字确认单 {_form_of(result)} 已作废: {result.get('reason') or '原因未知'}; {_what(result)}, 尚未红冲"


def _form_of(result: Record) -> str:
    return str(result.get("form_no") or result["request_no"])


def _what(result: Record) -> str:
    return f"申请 {result['request_no']}, 蓝票 {result.get('blue_number', '')}, 价税合计 {result['gross']} 元"


def _subject(one: Document) -> str:
    return f"{one.entity}:{one.key}"


def _close_others(tx: Transaction, journal: Journal, kind: str, waiting: Collection[str], how: str) -> None:
    """Close the items of a kind whose form does not wait any more."""
    query = select(work_item.c.subject).where(work_item.c.kind == kind, work_item.c.state != "closed")
    for subject in set(tx.execute(query).scalars()) - set(waiting):
        work.close_subject(tx, journal, kind, subject, how)


def _not_waiting(form_no: str, zh: str, en: str) -> ConfigError:
    return ConfigError(f"红字确认单 {form_no} {zh}", en=f"the form {form_no} cannot be answered: {en}", where=form_no)


__all__ = ["ANSWER", "AWAITED", "GONE", "answer", "deadline", "must_wait_for_us", "red_followups", "shown", "void"]
