"""Figures as files write them: amounts, quantities, rates; always Decimal, never a guess."""

from __future__ import annotations

import re
from decimal import Decimal

from duijie.originals.model import NO_TAX, BadFile

_AMOUNT = re.compile(r"[¥￥]?(-?[¥￥]?\d{1,13}(?:\.\d{1,2}0*)?)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,16}(?:\.\d{1,20})?", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/年](\d{1,2})[-/月](\d{1,2})日?(?:[T ]*(\d{1,2}):(\d\d)(?::(\d\d))?)?", re.ASCII)
NONE = ("", "***", "—", "-")
CENT = Decimal("0.01")


def amount(text: str, place: str) -> Decimal:
    """Yuan and fen, with or without ¥. Raises BadFile (E-FILE-FIELD) naming the place."""
    found = _AMOUNT.fullmatch(text.replace(",", "") if "," in text else text)
    if not found:
        raise _bad(place, text, "金额")
    return Decimal(found[1].replace("¥", "").replace("￥", "")).quantize(CENT)


def number(text: str, place: str) -> Decimal | None:
    """A quantity or a price; None where there is none. Raises BadFile."""
    if text in NONE:
        return None
    if not _NUMBER.fullmatch(text):
        raise _bad(place, text, "数值")
    return Decimal(text)


def rate(text: str, place: str) -> tuple[Decimal | None, str]:
    """A rate as a fraction and the policy mark: 0.130000, 0.13, 13%, 免税, 不征税, ***. Raises BadFile.

    A number of 1 or more without a percent sign does not say what it means, and is refused.
    """
    if text in NO_TAX:
        return Decimal(0), NO_TAX[text]
    if text in NONE:
        return None, ""
    percent = text.endswith(("%", "％"))
    found = number(text[:-1].strip() if percent else text, place)
    value = found / 100 if percent and found is not None else found
    if value is None or not 0 <= value < 1:
        raise _bad(place, text, "税率")
    return value, ""


def moment(text: str, place: str) -> str:
    """A date or a time of China as ISO 8601; empty where there is none. Raises BadFile."""
    if not text:
        return ""
    found = _DATE.fullmatch(text)
    if not found:
        raise _bad(place, text, "时间")
    year, month, day, hour, minute, second = found.groups()
    date = f"{year}-{int(month):02}-{int(day):02}"
    return date if hour is None else f"{date}T{int(hour):02}:{minute}:{second or '00'}+08:00"


def _bad(place: str, text: str, what: str) -> BadFile:
    shown = text[:40]
    return BadFile(
        "E-FILE-FIELD", f"文件的 {place} 为 “{shown}”, 不是有效的{what}", f"{place} is {shown!r}", where=place
    )
