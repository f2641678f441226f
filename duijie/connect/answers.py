"""What a sink answers, made fit to be kept: an answer that is none is unknown, texts are texts, receipts are JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from duijie import codec
from duijie.codec import Record
from duijie.connect.protocol import Done, Found, Halt, Later, Outcome, Refused, Unknown
from duijie.connect.records import KEY_LENGTH, kept

LONGEST_TEXT = 4000


def proper(outcomes: Sequence[Any], keys: Sequence[str]) -> list[Outcome]:
    """One outcome per key, in order. Who answers with a number that is another's key has mixed them up: unknown."""
    numbers = [getattr(one, "native_no", None) for one in outcomes]
    others = set(keys)
    mixed = any(number in others and number != key for number, key in zip(numbers, keys, strict=True))
    return [_unlike(one) if mixed else _proper(one) for one in outcomes]


def _proper(one: Any) -> Outcome:
    match one:
        case Done():
            return Done(name(one.native_id), name(one.native_no), receipt(one.raw))
        case Refused():
            return Refused(name(one.code), said(one.zh), said(one.en))
        case Unknown():
            return Unknown(said(one.zh), said(one.en), one.settles_after)
        case Later():
            return Later(said(one.zh), said(one.en), one.after)
        case Halt():
            return Halt(one.reason, said(one.zh), said(one.en), _clean(one.qr))
        case _:
            return _unlike(one)


def _unlike(one: Any) -> Unknown:
    kind = type(one).__name__
    zh = f"连接器返回的结果 ({kind}) 与所写单据对不上; 结果未知, 先查询"
    return Unknown(zh, f"the sink's outcome ({kind}) does not fit what was written")


def found(answer: Mapping[str, Any]) -> dict[str, Found]:
    """What find() told. Raises TypeError where it is nothing of the kind."""
    for one in answer.values():
        if not isinstance(one, Found):
            raise TypeError(f"find() returned {type(one).__name__}, not Found")
    return {key: replace(one, native_id=name(one.native_id), native_no=name(one.native_no), raw=receipt(one.raw))
            for key, one in answer.items()}  # fmt: skip


def key(told: Any) -> str:
    """A key by which a target can know a document. Raises ValueError."""
    text = str(told)
    if not text or text != name(text):
        raise ValueError(f"{text[:40]!r} is no key: empty, with control characters or longer than {KEY_LENGTH}")
    return text


def name(told: Any) -> str:
    """A number or an id as it can be kept."""
    return _clean(told)[:KEY_LENGTH]


def said(told: Any) -> str:
    """A sentence for people; there is always one."""
    return _clean(told)[:LONGEST_TEXT] or "(对方未说明原因)"


def receipt(raw: Any) -> Record:
    """The answer as JSON; what cannot be is told in its place."""
    body, _ = kept(raw)
    given = codec.decode(body)
    return given if isinstance(given, dict) else {"answer": given} if given else {}


def _clean(told: Any) -> str:
    text = "" if told is None else str(told)
    return text.replace("\x00", "␀").encode("utf-8", "replace").decode()
