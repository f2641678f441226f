"""Raw records at the door: whatever a system or a connector gives can be kept, and what no mapping can take is refused.

Kept as sent means the bytes of its JSON. What has none (an object of a connector's own, a text that is no Unicode) is
kept as a sentence about it, so that a person sees it and nothing else waits for it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from reprlib import Repr
from typing import Any

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import MalformedMessage

KEY_LENGTH = 200
UNREAD = "_unread"
DEEPEST = 100
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_brief = Repr()
_brief.maxstring = _brief.maxother = 500


def kept(record: Any) -> tuple[bytes, str]:
    """The JSON of a record in the order given, and its identity."""
    try:
        return codec.encode_ordered(record), codec.digest(record)
    except (TypeError, ValueError, RecursionError, msgspec.EncodeError) as error:
        said = f"{type(error).__name__}: {_brief.repr(record)}".encode("ascii", "backslashreplace").decode()
        return codec.encode_ordered(said), codec.digest(said)


def key_of(key: Any, digest: str) -> str:
    """A record's key as text of at most KEY_LENGTH characters; one without a key is known by its content."""
    if key in (None, "") or not isinstance(key, str | int | Decimal):
        return f"?{digest[:16]}"
    text = str(key).replace("\x00", "␀").encode("utf-8", "replace").decode()
    return text if len(text) <= KEY_LENGTH else f"{text[: KEY_LENGTH - 17]}…{codec.digest(text)[:16]}"


def read(body: bytes) -> Record:
    """The record of a kept message. Raises MalformedMessage."""
    if b"u0000" in body and _NUL.search(body):
        raise MalformedMessage("报文含有空字符 (U+0000), 请对方去掉后重发", en="the message holds a NUL character")
    if depth(body) > DEEPEST:
        zh = f"报文嵌套超过 {DEEPEST} 层, 请对方更正后重发"
        raise MalformedMessage(zh, en=f"the message is nested more than {DEEPEST} deep")
    try:
        record = codec.decode(body)
    except msgspec.DecodeError as error:
        raise MalformedMessage(f"报文无法解析: {error}", en=f"the message cannot be decoded: {error}") from error
    if not isinstance(record, dict):
        raise MalformedMessage("报文不是一条记录, 请对方更正后重发", en="the message is not a record")
    if UNREAD in record:
        raise _could_not_be_read(record)
    return record


def unread(place: str, reason: str, text: str) -> Record:
    """What a connector yields for a piece that it cannot read: kept and shown to a person, and nothing else waits."""
    return {"_file": place, UNREAD: reason, "_text": text}


def _could_not_be_read(record: Record) -> MalformedMessage:
    place, reason = record.get("_file", ""), record[UNREAD]
    zh = f"{place}: {reason}; 请更正后重新放入 (或请对方重发)"
    return MalformedMessage(zh, en=f"{place} cannot be read: {reason}", where=str(place))


def depth(body: bytes) -> int:
    """How deep JSON is nested; not more than its opening brackets, which is told at once."""
    most = body.count(b"[") + body.count(b"{")
    if most <= DEEPEST:
        return most
    deepest = now = 0
    for sign in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', body):
        now += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(sign.group(), 0)
        deepest = max(deepest, now)
    return deepest
