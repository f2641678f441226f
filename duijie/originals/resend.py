"""Sends an issued invoice again by mail or phone, through its platform, and keeps who had it sent where.

What cannot be known to have been sent is said so and not sent twice by itself: a copy too many is no tax matter, but
whoever asked decides.
"""

from __future__ import annotations

import re

from sqlalchemy import insert, select, update

from duijie.codec import Record
from duijie.connect.errors import DuijieError, InvalidDocument, OutcomeUnknown
from duijie.connect.invoicing import Copy, Invoicing, not_offered
from duijie.journal import Journal
from duijie.journal.documents import Document
from duijie.journal.tables_originals import redelivery

MAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,120}\.[A-Za-z]{2,24}")
PHONE = re.compile(r"1[3-9]\d{9}", re.ASCII)
SENT, UNKNOWN = "已交平台发送", "结果未知: 请先在平台查询, 再决定是否重发"


def resend(journal: Journal, invoice: Document, platform: object, copy: Copy, who: str) -> None:
    """Have the platform send it; the wish is written down before the call leaves.

    Raises InvalidDocument for an address that is none, ConfigError where the platform cannot, errors of the tree.
    """
    _must_be_addresses(copy)
    if not isinstance(platform, Invoicing):
        raise not_offered("该连接", "重发发票", "sending an invoice again")
    row = _begin(journal, invoice, copy, who)
    try:
        platform.resend(invoice.body, copy)
    except OutcomeUnknown as error:
        _end(journal, row, f"{UNKNOWN} ({error.zh})")
        raise
    except DuijieError as error:
        _end(journal, row, f"未发送: {error.zh}")
        raise
    _end(journal, row, SENT)


def history(journal: Journal, invoice: Document) -> list[Record]:
    """To whom an invoice was sent again, oldest first."""
    names = ("at", "who", "mail", "phone", "outcome")
    query = select(*(redelivery.c[name] for name in names)).order_by(redelivery.c.id)
    with journal.reading() as tx:
        rows = tx.execute(query.where(redelivery.c.entity == invoice.entity, redelivery.c.key == invoice.key))
        return [dict(row._mapping) for row in rows]


def _must_be_addresses(copy: Copy) -> None:
    wrong = [("邮箱", copy.mail, MAIL), ("手机号", copy.phone, PHONE)]
    for what, value, form in wrong:
        if value and not form.fullmatch(value):
            raise InvalidDocument(f"{what} “{value}” 无效, 请更正后重发", en=f"{value!r} is no address", where=what)
    if not (copy.mail or copy.phone):
        raise InvalidDocument("请给出邮箱或手机号", en="give a mail address or a phone number", where="copy")


def _begin(journal: Journal, invoice: Document, copy: Copy, who: str) -> int:
    head = {"entity": invoice.entity, "key": invoice.key, "number": invoice.body["number"]}
    values = {**head, "mail": copy.mail, "phone": copy.phone, "who": who[:80], "at": journal.now(), "outcome": "已提交"}
    with journal.writing() as tx:
        return int(tx.execute(insert(redelivery).values(**values).returning(redelivery.c.id)).scalar_one())


def _end(journal: Journal, row: int, outcome: str) -> None:
    with journal.writing() as tx:
        tx.execute(update(redelivery).where(redelivery.c.id == row).values(outcome=outcome))
