"""What a person starts: an invoice with a wrong title reversed and issued anew, a void red form begun once more.

抬头有误: the whole invoice is reversed with the reason 开票有误; when that red is issued, and not before, the same
lines are requested for the right buyer under a new number. Source: 国家税务总局公告 2024 年第 11 号.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection as Transaction
from sqlalchemy import select, update

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive import invoices, reds
from duijie.derive.invoice_rules import InvoiceRules
from duijie.invoicing.red_forms import GONE
from duijie.invoicing.reds import RULE, Sight
from duijie.journal import Journal, documents, reversals, work
from duijie.journal.documents import Document
from duijie.journal.tables import derived, link
from duijie.schemas import check

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
CORRECTION = "invoice_correction"


def correct(
    journal: Journal, rules: InvoiceRules, request_no: str, buyer: Record, *, who: str, why: str = ""
) -> Record:
    """Reverse an issued invoice as a whole, to issue it anew to `buyer`. Returns the red_request.

    Saying the same twice changes nothing. Raises ConfigError where the request has no issued invoice or is being
    corrected to somebody else, InvalidDocument where the new buyer will not do or a part was reversed before.
    """
    request, sight = _issued(journal, request_no)
    before = documents.get(journal, CORRECTION, request_no)
    if before and request_no in sight.replaced:
        return _same(journal, request_no, buyer)
    check("invoice_request", made := reds.corrected(request.body, buyer, rules))
    _must_hold(made, rules)
    taken = [*sight.earlier(request.body), *sight.of_buyer(request.body)]
    red = reds.whole_red(request.body, sight.results[request_no], rules, taken)
    if before:  # its red was given up: another one, under a number that was never refused
        number = reds.number_after(before.body["red_request_no"])
        red |= {"key": number, "request_no": number}
    note = {"key": request_no, "request_no": request_no, "red_request_no": red["request_no"], "buyer": buyer, "by": who}
    note |= {"why": why} if why else {}
    check("red_request", red)
    check(CORRECTION, note)
    with journal.writing() as tx:
        documents.put(tx, journal, CORRECTION, note, (None, "invoicing/correct"))
        documents.put(tx, journal, "red_request", red, (None, "invoicing/correct"))
        documents.connect(tx, journal, CORRECTION, request, ("red_request", red["key"], documents.amount_of(red)))
    return red


def again(journal: Journal, red_no: str, *, who: str) -> Record:
    """Begin a void red form once more, under a new number; a person has settled it with the buyer.

    Doing so twice makes one. Raises ConfigError where there is no such form or it is not void, InvalidDocument where
    others have taken its amount meanwhile.
    """
    old = documents.get(journal, "red_request", red_no)
    sight = Sight.of(journal)
    if old is None or sight.status(red_no) != "failed":
        raise ConfigError(
            f"红字申请 {red_no} 不存在或没有作废, 不能重新申请; 用 duijie invoice reds 查看",
            en=f"there is no void red request {red_no}",
            where=red_no,
        )
    request, _ = _issued(journal, old.body["blue_request_no"])
    made = _successor(journal, old.body, request.body, sight)
    with journal.writing() as tx:
        if documents.put(tx, journal, "red_request", made, (None, "invoicing/again")) is not None:
            documents.connect(tx, journal, "again", old, ("red_request", made["key"], documents.amount_of(made)))
            _copy_links(tx, journal, old, made["key"])
            _move_use(tx, old.key, made["key"], RULE)
        for row in reversals.rows(tx, journal, "red_request", red_no):
            work.close_subject(tx, journal, GONE, f"{row.sink}:{red_no}", f"{who} 已重新申请: {made['key']}")
    return made


def invoice_corrections(making: Making) -> Counts:
    """Request the invoices anew whose wrong ones have been reversed."""
    rules = invoices.load_rules(making.rules / "invoice.yaml")
    counts: Counts = Counter()
    waiting = documents.not_yet_derived(making.journal, CORRECTION, CORRECTION)
    results = (
        {one.body["request_no"]: one.body for one in documents.current(making.journal, "invoice")} if waiting else {}
    )
    for note in waiting:
        if _is_reversed(making.journal, note.body["red_request_no"], results):
            _request_anew(making, note, rules)
            counts["new_documents"] += 1
    return counts


def _request_anew(making: Making, note: Document, rules: InvoiceRules) -> None:
    journal = making.journal
    old = documents.get(journal, "invoice_request", note.body["request_no"])
    if old is None:
        raise _unknown(note.body["request_no"])
    made = reds.corrected(old.body, note.body["buyer"], rules)
    check("invoice_request", made)
    with journal.writing() as tx:
        documents.put(tx, journal, "invoice_request", made, (None, "invoicing/correct"))
        documents.mark_derived(tx, CORRECTION, [note], made["key"])
        documents.connect(tx, journal, CORRECTION, old, ("invoice_request", made["key"], documents.amount_of(made)))
        _copy_links(tx, journal, old, made["key"])
        _move_use(tx, old.key, made["key"], "invoice")


def _is_reversed(journal: Journal, red_no: str, results: Mapping[str, Record]) -> bool:
    """Whether the red of this number, or one that followed it, is issued."""
    query = select(link.c.to_key).where(link.c.kind == "again", link.c.from_entity == "red_request")
    while results.get(red_no, {}).get("status") != "issued":
        with journal.reading() as tx:
            after = tx.execute(query.where(link.c.from_key == red_no)).scalar()
        if after is None:
            return False
        red_no = str(after)
    return True


def _issued(journal: Journal, request_no: str) -> tuple[Document, Sight]:
    request, sight = documents.get(journal, "invoice_request", request_no), Sight.of(journal)
    if request is None:
        raise _unknown(request_no)
    if sight.status(request_no) != "issued":
        raise ConfigError(
            f"开票申请 {request_no} 尚未开具 (状态 {sight.status(request_no) or '未知'}), 无需红冲; "
            "未发出的请直接更正订单的开票信息",
            en=f"the request {request_no} has no issued invoice to reverse",
            where=request_no,
        )
    return request, sight


def _same(journal: Journal, request_no: str, buyer: Record) -> Record:
    note = documents.get(journal, CORRECTION, request_no)
    red = documents.get(journal, "red_request", note.body["red_request_no"]) if note else None
    if note is None or red is None or note.body["buyer"] != buyer:
        to = note.body["buyer"]["name"] if note else ""
        raise ConfigError(
            f"开票申请 {request_no} 已在更正为 {to}, 不能再更正为 {buyer['name']}; 新票开出后请对新票更正",
            en=f"the request {request_no} is being corrected to another buyer already",
            where=request_no,
        )
    return red.body


def _successor(journal: Journal, red: Record, request: Record, sight: Sight) -> Record:
    """The red request that follows a void one; the one there is, where it was made before."""
    number = reds.once_more(red, request, ())["key"]
    if there := documents.get(journal, "red_request", number):
        return there.body
    made = reds.once_more(red, request, sight.earlier(request), sight.of_buyer(request))
    check("red_request", made)
    return made


def _must_hold(made: Record, rules: InvoiceRules) -> None:
    faults = [one for one in invoices.check(made, rules) if one.severity == "error"]
    if faults:
        zh = "; ".join(f"{one.code} {one.message}" for one in faults)
        raise InvalidDocument(zh, code=faults[0].code, where=made["corrects"])


def _copy_links(tx: Transaction, journal: Journal, old: Document, new_key: str) -> None:
    """What led to the old document leads to the new one as well."""
    led = select(link).where(link.c.to_entity == old.entity, link.c.to_key == old.key, link.c.kind != "again")
    for row in tx.execute(led.where(link.c.kind != CORRECTION)).all():
        copied = {name: getattr(row, name) for name in ("kind", "from_entity", "from_key", "to_entity", "amount")}
        tx.execute(journal.insert_new(link).values(**copied, to_key=new_key, created_at=journal.now()))


def _move_use(tx: Transaction, old_key: str, new_key: str, rule: str) -> None:
    """What was used for the old document counts as used for the new one."""
    tx.execute(
        update(derived).where(derived.c.rule == rule, derived.c.result_key == old_key).values(result_key=new_key)
    )


def _unknown(request_no: str) -> ConfigError:
    return ConfigError(
        f"没有开票申请 {request_no}; 用 duijie journal trace 查订单的开票申请号",
        en=f"there is no invoice request {request_no}",
        where=request_no,
    )


__all__ = ["again", "correct", "invoice_corrections"]
