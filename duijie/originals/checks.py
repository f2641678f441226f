"""Whether a file agrees with itself: its number, its sums, its words, what it reverses.

Of a line, net × rate and tax may be 0.06 yuan apart (诺诺, 航信); sums are exact, but `tolerance` lets the
header of a received invoice be off by a cent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from duijie.originals.model import Fault, Original, Row
from duijie.originals.words import from_words, to_words

NUMBER = re.compile(r"\d{20}", re.ASCII)
LINE_TAX = Decimal("0.06")
CENT = Decimal("0.01")
ZERO = Decimal(0)


def faults(original: Original, tolerance: Decimal = ZERO) -> list[Fault]:
    """Everything in a file that contradicts the rest of it; `tolerance` in yuan for the header's sums."""
    found = [*original.faults, *_number(original), *_header(original, tolerance), *_words(original), *_red(original)]
    for at, row in enumerate(original.rows, 1):
        found += _row(row, f"第 {at} 行")
    return found


def is_number(text: str) -> bool:
    """Whether a text is the number of a 数电票: 20 digits."""
    return NUMBER.fullmatch(text) is not None


def _number(one: Original) -> Iterator[Fault]:
    if not is_number(one.number):
        yield Fault("E-NUMBER", "发票号码", "20 位数字", one.number, "数电票号码必须是 20 位数字")
    elif one.issued_at and not 0 <= int(one.issued_at[2:4]) - int(one.number[:2]) <= 1:
        told = "号码前两位应为开票年份"
        yield Fault("E-NUMBER", "发票号码", f"{one.issued_at[2:4]}…", one.number, told)


def _header(one: Original, tolerance: Decimal) -> Iterator[Fault]:
    if abs(one.net + one.tax - one.gross) > tolerance:
        yield _sum("价税合计", one.net + one.tax, one.gross, "合计金额与合计税额之和不等于价税合计", "E-HEADER-SUM")
    if not one.rows:
        if one.form == "xml":
            yield Fault("E-FILE-FIELD", "明细", "至少一行", "0 行", "文件没有明细行")
        return
    for name, total, theirs in (
        ("合计金额", _total(row.net for row in one.rows), one.net),
        ("合计税额", _total(row.tax for row in one.rows), one.tax),
    ):
        if abs(total - theirs) > tolerance:
            yield _sum(name, total, theirs, f"明细之和不等于{name}", "E-HEADER-SUM")


def _words(one: Original) -> Iterator[Fault]:
    if not one.words:
        return
    try:
        said = from_words(one.words)
    except ValueError:
        yield Fault("E-WORDS", "价税合计(大写)", to_words(one.gross), one.words, "大写金额无法识别")
        return
    if said != one.gross:
        yield Fault("E-WORDS", "价税合计(大写)", to_words(one.gross), one.words, "大写金额与小写金额不一致")


def _red(one: Original) -> Iterator[Fault]:
    if one.colour == "red":
        if one.gross >= 0:
            yield _sum("价税合计", -abs(one.gross), one.gross, "红字发票的金额必须为负", "E-COLOUR")
        if one.form == "xml" and not is_number(one.blue_number):
            yield Fault("E-RED-ORIGINAL", "蓝字发票号码", "20 位数字", one.blue_number, "红字发票没有写明原蓝字发票")
    elif one.colour == "blue" and one.gross <= 0:
        yield _sum("价税合计", abs(one.gross), one.gross, "蓝字发票的金额必须为正", "E-COLOUR")


def _row(row: Row, place: str) -> Iterator[Fault]:
    if not row.name:
        yield Fault("E-FILE-FIELD", f"{place} 项目名称", "必填", "", "明细行没有项目名称")
    if row.gross is not None and row.net + row.tax != row.gross:
        yield _sum(f"{place} 价税合计", row.net + row.tax, row.gross, "金额与税额之和不等于价税合计", "E-LINE-SUM")
    if row.rate is not None and abs(row.net * row.rate - row.tax) > LINE_TAX:
        right = (row.net * row.rate).quantize(CENT)
        yield _sum(f"{place} 税额", right, row.tax, "税额与金额 × 税率相差超过 0.06 元", "E-LINE-TAX")
    if (row.qty is None) != (row.price is None):
        qty, price = _shown(row.qty), _shown(row.price)
        yield Fault("E-QTY-PRICE", f"{place} 数量", "数量与单价同有或同无", f"{qty} × {price}", "只有其中一个")
    elif row.qty is not None and row.price is not None and abs(row.qty * row.price - row.net) > CENT:
        told = f"{row.qty} × {row.price}"
        yield Fault("E-QTY-PRICE", f"{place} 数量", f"{row.net}", told, "数量 × 单价与金额相差超过 0.01 元")


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _sum(field: str, ours: Decimal, theirs: Decimal, zh: str, code: str) -> Fault:
    return Fault(code, field, str(ours), str(theirs), zh)


def _shown(value: Decimal | None) -> str:
    return "(无)" if value is None else str(value)
