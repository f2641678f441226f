"""What becomes of a request when its result is known: issued, still waited for, or failed, and what a failure leads to.

A failure in the result is the definite refusal of a number. Is it 授信额度 or the login, the sink is parked and the
request waits to be asked for again. Anything else: a person corrects it, under a work item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie.codec import Record
from duijie.flow import Poll
from duijie.invoicing import attempts, credit, halts, polling, red_forms
from duijie.invoicing.halts import Stop
from duijie.invoicing.polling import Result
from duijie.journal import Journal, documents, work
from duijie.journal.documents import Document
from duijie.journal.tables import document
from duijie.journal.work import Finding

AUTOMATIC = ("credit", "login")
Counts = Counter[str]


def settle(journal: Journal, flow: str, step: Poll) -> Counts:
    """Deal with every result that has come, each in one transaction with what it leads to."""
    counts: Counts = Counter()
    for batch in polling.results(journal, step):
        with journal.writing() as tx:
            for result in batch:
                _settle(tx, journal, flow, step, result, counts)
    return counts


def stale(journal: Journal, flow: str, step: Poll) -> None:
    """Requests that were tried again and, asked for since, still say nothing but the old failure: failed once more."""
    until = journal.now() - attempts.SETTLING
    for one in attempts.waiting(journal, step.sink, "sent"):
        invoice = documents.get(journal, "invoice", one.key)
        if one.at < until and invoice and invoice.id == one.invoice_id and polling.times(journal, step, one.key):
            with journal.writing() as tx:
                _settle(tx, journal, flow, step, Result(one.key, 0, invoice), Counter())


def _settle(tx: Transaction, journal: Journal, flow: str, step: Poll, result: Result, counts: Counts) -> None:
    body = result.document.body
    is_open = body["status"] in step.open_states
    polling.settle(tx, step, result, journal.now(), is_open)
    if is_open:
        if body["status"] == "waiting_login":
            said = str(body.get("reason") or "平台等待开票员登录或扫码")
            halts.park(tx, journal, step.sink, Stop("login", said, in_poll=True))
        return
    counts[str(body["status"])] += 1
    if body["status"] == "failed":
        _failed(tx, journal, flow, step, result)
    else:
        _issued(tx, journal, flow, step, result)


def _issued(tx: Transaction, journal: Journal, flow: str, step: Poll, result: Result) -> None:
    body = result.document.body
    attempts.ended(tx, step.sink, result.key)
    work.release_records(tx, journal, flow, _entity(body), [result.key], "已开具", about=f"{step.sink}:")
    _tried(tx, journal, step.sink, result.key, "已开具")
    if body["colour"] == "red" and (blue := _blue_of(tx, body)) and blue.body.get("issued_at"):
        at = datetime.fromisoformat(blue.body["issued_at"])
        credit.reversed_(tx, journal, step.connection, result.key, documents.fen(body["net"]), at)


def _failed(tx: Transaction, journal: Journal, flow: str, step: Poll, result: Result) -> None:
    body = result.document.body
    cause = str(body.get("cause") or "other")
    credit.give_back(tx, journal, step.connection, [result.key])
    if body["colour"] == "blue":
        attempts.failed(tx, journal, step.sink, result.key, cause, result.document.id)
    said = str(body.get("reason") or "平台未说明原因")
    if cause in AUTOMATIC:
        needed = documents.fen(body["net"]) if cause == "credit" else None
        halts.park(tx, journal, step.sink, Stop(cause, said, needed=needed, in_poll=True))  # type: ignore[arg-type]
        if body["colour"] == "blue":
            return
    else:
        _tried(tx, journal, step.sink, result.key, "已有结果")
    finding = Finding("invoice", f"{step.sink}:{result.key}", f"{result.key} 开票失败: {said}")
    if body["colour"] == "red":
        finding = Finding(red_forms.GONE, f"{step.sink}:{result.key}", red_forms.void(body))
    record = (_entity(body), result.key, documents.amount_of(body))
    work.open_item(tx, journal, flow, finding, [record])


def _tried(tx: Transaction, journal: Journal, sink: str, key: str, what: str) -> None:
    stands = halts.of(tx, sink)
    if stands is not None and stands.trial == key:
        halts.end(tx, journal, sink, f"{key} {what}")


def _entity(body: Record) -> str:
    return "invoice_request" if body["colour"] == "blue" else "red_request"


def _blue_of(tx: Transaction, red: Record) -> Document | None:
    """The blue that a red invoice reverses, by its number."""
    number = str(red.get("blue_number") or "")
    query = select(document).where(documents.has_number("invoice", number))
    rows: Sequence[Document] = [Document.of(row) for row in tx.execute(query)] if number else []
    return next((one for one in rows if one.body["colour"] == "blue"), None)
