"""A message that says a record is gone: the record as last mapped, and since when its source shows it no more.

It is the newest word of its source, so it is replayed, explained and archived like any other message.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from duijie import codec
from duijie.codec import Record
from duijie.connect.records import kept
from duijie.journal.codes import CHINA
from duijie.journal.inbox import ARCHIVED, Message, Source
from duijie.schemas import schema

GONE = "duijie:gone"
VOID = "void"
MARK = f'"{GONE}":'.encode()


def is_gone(record: Any) -> bool:
    """Whether a record is a tombstone."""
    return isinstance(record, dict) and GONE in record


def marks(body: bytes) -> bool:
    """The same of a kept body."""
    return MARK in body and is_gone(codec.decode(body))


def can_void(entity: str) -> bool:
    """Whether documents of an entity can be withdrawn: its schema has `approval`."""
    return "approval" in schema(entity)["properties"]


def row(source: Source, message: Message, missed_at: datetime, now: datetime) -> Record | None:
    """The tombstone of a message as a row of `message`; None where nothing of it is kept, or it is one itself."""
    record = codec.decode(message.body)
    if not isinstance(record, dict) or ARCHIVED in record or is_gone(record):
        return None
    first, again = (f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}" for at in (missed_at, now))
    says = f"来源已不显示此记录: {first} 与 {again} 两次按单号查询均无"
    body, hashed = kept({**record, GONE: {"at": again, "first_missed_at": first, "says": says}})
    return {
        "connection": source.connection,
        "stream": source.stream,
        "part": source.part,
        "key": message.key,
        "hash": hashed,
        "body": body,
        "received_at": now,
    }
