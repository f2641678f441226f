"""Texts, lists, dates and JSON for rules. Every function refuses what it cannot take with a Fault."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from duijie import codec
from duijie.mapping.values import LONG, TEXT_LIMIT, Fault, Said, charge, plain_number

USUAL = "%Y-%m-%d %H:%M:%S"
_NUMBERS = {int, Decimal}
_DIRECTIVES = re.compile(r"(?:[^%]|%-?[aAbBdfGHIjmMpSuUVwWyYzZ%])*").fullmatch


def text(value: Any) -> str:
    """Plain text: a Decimal without exponent, true/false. Null, lists and objects are refused."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is Decimal:
        return plain_number(Decimal(value)) if type(value) is Decimal else str(value)
    raise Fault(
        "不能转换为文本; 空值请用 default(), 对象请用 json()",
        "cannot become text; use default() for null, json() for objects",
        value,
    )


def _sized(result: str) -> str:
    if len(result) > TEXT_LIMIT:
        raise Fault("文本过长", f"the text is longer than {TEXT_LIMIT} characters", result)
    return result


def _string(value: Any) -> str:
    if type(value) is str:
        if len(value) > LONG:
            charge(len(value) // 64)
        return value
    raise Fault("需要文本; 请先用 text() 转换", "a text is needed; convert with text() first", value)


def join(separator: Any, *given: Any) -> str:
    """Texts joined; a single list stands for its elements."""
    parts = given[0] if len(given) == 1 and type(given[0]) is list else given
    try:
        if len(parts) <= 16:
            joined: str = separator.join(parts)
            return joined if len(joined) <= LONG else _string(_sized(joined))
    except (TypeError, AttributeError):
        pass
    return _joined(_string(separator), parts)


def _joined(mark: str, parts: Sequence[Any]) -> str:
    texts = [piece if type(piece) is str else text(piece) for piece in parts]
    if sum(map(len, texts)) + len(mark) * len(texts) > TEXT_LIMIT:
        raise Fault("文本过长", f"the text is longer than {TEXT_LIMIT} characters", mark)
    return _string(mark.join(texts))


def fail(*parts: Any) -> Any:
    """Refuse the record with these words: what is wrong and what to do, for the person who gets the work item."""
    words = "".join(piece if type(piece) is str else text(piece) for piece in parts)
    if not words.strip():
        raise Fault("映射拒绝了该记录, 但 fail() 没有给出理由", "refused by fail(), which gives no reason", Said())
    raise Fault(words, words, Said())


def trim(value: Any) -> str:
    """Without white space (full-width included) at both ends."""
    return _string(value).strip()


def upper(value: Any) -> str:
    """In capitals."""
    return _string(value).upper()


def lower(value: Any) -> str:
    """In small letters."""
    return _string(value).lower()


def nfkc(value: Any) -> str:
    """Full-width letters and digits made ordinary (Unicode NFKC)."""
    return _sized(unicodedata.normalize("NFKC", _string(value)))


def replace(value: Any, old: Any, new: Any) -> str:
    """Every `old` becomes `new`."""
    source, sought, put = _string(value), _string(old), _string(new)
    if not sought:
        raise Fault("要替换的文本不能为空", "the text to replace must not be empty", old)
    if len(source) + source.count(sought) * len(put) > TEXT_LIMIT:
        raise Fault("文本过长", f"the text is longer than {TEXT_LIMIT} characters", new)
    return source.replace(sought, put)


def left(value: Any, length: Any) -> str:
    """The first characters."""
    if type(length) is not int or length < 0:
        raise Fault("长度须为非负整数", "the length must be a whole number, not negative", length)
    return _string(value)[:length]


def split(value: Any, separator: Any) -> list[str]:
    """The parts between separators."""
    if not _string(separator):
        raise Fault("分隔符不能为空", "the separator must not be empty", separator)
    return _string(value).split(separator)


def items(value: Any) -> list[Any]:
    """A list, as such. Raises Fault for texts, objects and null."""
    if type(value) is list:
        if len(value) > LONG:
            charge(len(value) // 16)
        return value
    raise Fault("需要列表", "a list is needed", value)


def each_of(value: Any) -> list[Any]:
    """A list; null counts as empty (`each`)."""
    return [] if value is None else items(value)


def total(values: Any) -> Any:
    """The sum of a list of numbers; 0 for an empty one."""
    if bool not in map(type, items(values)):
        try:
            return sum(values)
        except TypeError:
            pass
    wrong = next(value for value in values if type(value) not in _NUMBERS)
    raise Fault("sum() 只能合计数字", "sum() adds numbers only", wrong)


def _ordered(values: Sequence[Any]) -> Sequence[Any]:
    elements = items(values[0]) if len(values) == 1 else values
    if not elements:
        raise Fault("空列表没有最小或最大值", "an empty list has neither minimum nor maximum", elements)
    kinds = {type(element) for element in elements}
    if kinds <= {int, Decimal} or kinds == {str}:
        return elements
    raise Fault(
        "只能比较全部为数字或全部为文本的值", "only numbers with numbers or texts with texts compare", list(values)
    )


def smallest(*values: Any) -> Any:
    """The least of a list or of several values."""
    return min(_ordered(values))


def largest(*values: Any) -> Any:
    """The greatest of a list or of several values."""
    return max(_ordered(values))


def absolute(value: Any) -> Any:
    """Without sign."""
    if type(value) is Decimal or type(value) is int:
        return abs(value)
    raise Fault("需要数字", "a number is needed", value)


def count(values: Any) -> int:
    """How many elements a list has."""
    return len(items(values))


def first(values: Any, *fallback: Any) -> Any:
    """The first element, or the fallback where there is none."""
    if items(values):
        return values[0]
    if fallback:
        return fallback[0]
    raise Fault("列表为空; 可给 first() 第二个参数作为缺省", "the list is empty; give a second argument", values)


def listed(values: Any) -> list[Any]:
    """A new list of the elements."""
    return list(items(values))


def every(values: Any) -> bool:
    """Whether all elements hold."""
    return all(items(values))


def some(values: Any) -> bool:
    """Whether any element holds."""
    return any(items(values))


@lru_cache(64)
def _zone(name: Any) -> tzinfo:
    try:
        return ZoneInfo(_string(name))
    except (KeyError, ValueError, OSError):
        raise Fault("未知的时区", "unknown time zone", name) from None


def moment(value: Any, form: Any, tz: Any = "Asia/Shanghai") -> str:
    """ISO 8601 with offset; a text without an offset of its own is local time of `tz`."""
    zone = _zone(tz)
    try:
        if form in ("ms", "s"):
            return _epoch(value, form, zone).isoformat()
        parsed = datetime.strptime(_string(value), _string(form))  # noqa: DTZ007  the zone follows
    except (ValueError, OverflowError, OSError):
        raise Fault(f"不是格式为 {form} 的时间", f"not a time of the form {form}", value) from None
    return (parsed.replace(tzinfo=zone) if parsed.tzinfo is None else parsed.astimezone(zone)).isoformat()


class Days(dict[str, str]):
    """ "2026-11-11 " → "2026-11-11T": the days seen, each checked once. China has had one offset since 1992."""

    def __missing__(self, text: str) -> str:
        """Raises KeyError for what is no day and a space."""
        if len(text) != 11 or text[10] != " " or text < "1992":
            raise KeyError(text)
        try:
            day = datetime.strptime(text, "%Y-%m-%d ").strftime("%Y-%m-%d ")  # noqa: DTZ007  a day has no zone
        except ValueError:
            raise KeyError(text) from None
        if day != text:
            raise KeyError(text)
        if len(self) >= LONG:
            self.clear()
        self[text] = f"{text[:10]}T"
        return self[text]


# The parts of USUAL: look-ups that check as they translate.
DAYS = Days()
MINUTES = {text: text for hour in range(24) for minute in range(60) for text in [f"{hour:02}:{minute:02}:"]}
SECONDS = {text: f"{text}+08:00" for second in range(60) for text in [f"{second:02}"]}


def _epoch(value: Any, form: str, zone: tzinfo) -> datetime:
    ticks = int(value) if type(value) is str and value.isdecimal() and value.isascii() else value
    if type(ticks) is not int:
        raise Fault("纪元时间须为整数", "an epoch time must be a whole number", value)
    seconds, rest = divmod(ticks, 1000) if form == "ms" else (ticks, 0)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000).astimezone(zone)


def _iso(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(_string(value))
    except ValueError:
        raise Fault(
            "不是 ISO 8601 时间; 请先用 datetime() 转换", "not an ISO 8601 time; convert with datetime() first", value
        ) from None


def date(value: Any) -> str:
    """yyyy-mm-dd of an ISO datetime, in its own offset."""
    return _iso(value).date().isoformat()


def format_date(value: Any, form: Any) -> str:
    """An ISO datetime written by strftime."""
    if not _DIRECTIVES(_string(form)):
        raise Fault("不支持的日期格式", "the date format holds an unknown directive", form)
    return _iso(value).strftime(form)


def epoch_ms(value: Any) -> int:
    """Milliseconds since 1970-01-01T00:00:00Z of an ISO datetime with offset."""
    parsed = _iso(value)
    if parsed.tzinfo is None:
        raise Fault("时间缺少时区偏移", "the time has no offset", value)
    since = parsed - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def json_text(value: Any) -> str:
    """The canonical JSON text of a value."""
    return _sized(_string(codec.encode(value).decode()))


def parse_json(value: Any) -> Any:
    """The value of a JSON text, numbers exact."""
    try:
        return codec.decode(_string(value))
    except (msgspec.DecodeError, RecursionError):
        raise Fault("不是有效的 JSON", "not valid JSON", value) from None
