"""Amounts in Chinese capitals, both ways: 壹佰壹拾叁圆整.

Written as invoices do (圆, 整, （负数）); read with 元 or 圆, 整 or 正, and with or without the 零 that
《正确填写票据和结算凭证的基本规定》 of the 支付结算办法 leaves to the writer.
"""

from __future__ import annotations

import re
from decimal import Decimal

DIGITS = "零壹贰叁肆伍陆柒捌玖"
VALUE = {digit: value for value, digit in enumerate(DIGITS)}
UNITS = ("", "拾", "佰", "仟")
NEGATIVE = "（负数）"
_SAME = str.maketrans("元正亖貳陸參", "圆整肆贰陆叁")
_MINUS = re.compile(r"^[（(]?负(?:数)?[）)]?")
_PARTS = re.compile(
    r"(?:(?P<yuan>.+)圆)?(?:零?(?P<dime>[零壹贰叁肆伍陆柒捌玖])角)?(?:零?(?P<cent>[壹贰叁肆伍陆柒捌玖])分)?整?"
)


def to_words(amount: Decimal) -> str:
    """An amount in yuan, of two places at most and below 10^16, in capitals. Raises ValueError for another."""
    cents = abs(amount) * 100
    if cents != cents.to_integral_value() or cents >= 10**18:
        raise ValueError(f"{amount} is no amount in yuan and fen")
    yuan, rest = divmod(int(cents), 100)
    dime, cent = divmod(rest, 10)
    head = f"{_integer(yuan)}圆" if yuan or not rest else ""
    tail = f"{DIGITS[dime]}角" if dime else "零" if head and cent else ""
    return f"{NEGATIVE if amount < 0 else ''}{head}{tail}{f'{DIGITS[cent]}分' if cent else '整'}"


def from_words(text: str) -> Decimal:
    """The amount that capitals say. Raises ValueError for what is no amount in capitals."""
    plain = "".join(text.split()).translate(_SAME).removeprefix("人民币")
    bare = _MINUS.sub("", plain)
    parts = _PARTS.fullmatch(bare)
    if parts is None or not any(parts.groups()):
        raise ValueError(f"{text!r} is no amount in capitals")
    cents = _whole(parts["yuan"] or "") * 100 + VALUE[parts["dime"] or "零"] * 10 + VALUE[parts["cent"] or "零"]
    amount = Decimal(cents if bare == plain else -cents).scaleb(-2)
    if _core(to_words(amount)) != _core(plain):
        raise ValueError(f"{text!r} is not how an amount is written in capitals")
    return amount


def _core(words: str) -> str:
    """Without what a writer may leave out."""
    bare = _MINUS.sub("-", words).removesuffix("整")
    return bare if set(bare) <= {"零", "圆", "-"} else bare.replace("零", "")


def _integer(yuan: int) -> str:
    for size, sign in ((10**8, "亿"), (10**4, "万")):
        if yuan >= size:
            head, low = divmod(yuan, size)
            gap = DIGITS[0] if 0 < low < size // 10 else ""
            return f"{_integer(head)}{sign}{gap}{_integer(low) if low else ''}"
    told, skipped = "", False
    for place in (3, 2, 1, 0):
        if digit := yuan // 10**place % 10:
            told += (DIGITS[0] if skipped else "") + DIGITS[digit] + UNITS[place]
        skipped = bool(told) and not digit
    return told or DIGITS[0]


def _whole(text: str) -> int:
    """The number before 圆: each of 拾佰仟 multiplies the digit before it, 万 and 亿 what came since the last."""
    total = section = digit = 0
    for sign in text:
        if sign in VALUE:
            digit = VALUE[sign]
        elif sign in UNITS[1:]:
            section, digit = section + (digit or 1) * 10 ** UNITS.index(sign), 0
        elif sign in ("万", "亿"):
            grown = (section + digit) or 0
            total = (total + grown) * 10**8 if sign == "亿" else total + grown * 10**4
            section = digit = 0
        else:
            raise ValueError(f"{sign!r} in {text!r}")
    return total + section + digit
