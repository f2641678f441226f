"""税率: what a rate is written as, which policy marks go with which rate, and until when a rate was in force.

"13" and "13%" and 0.13 are one rate, "1" may be 1 % or 100 % and is refused; 免税 and 不征税 are no rate of 0 % but a
policy mark of their own. Sources: 增值税法 第十条、第十一条; 财税〔2018〕32 号 and 财政部 税务总局 海关总署公告 2019 年
第 39 号 for the rates that ended; 数电票 优惠政策标识 01–18 (诺税通 favouredPolicyFlag).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from duijie.connect.errors import InvalidDocument

EXEMPT, NOT_TAXABLE = "03", "04"
WORDS: Mapping[str, str] = {"免税": EXEMPT, "不征税": NOT_TAXABLE}
FREE = frozenset(WORDS.values())
RATE_OF_POLICY: Mapping[str, Decimal] = {
    EXEMPT: Decimal(0),
    NOT_TAXABLE: Decimal(0),
    "08": Decimal("0.03"),
    "09": Decimal("0.05"),
    "10": Decimal("0.015"),
}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([%％]?)")


class Rated(NamedTuple):
    """A rate as a fraction (0.13) and the policy mark its words stand for, "" for none."""

    rate: Decimal
    policy: str = ""


def parse_rate(written: str | Decimal | int) -> Rated:
    """What is meant by "13%", "13", "0.13", "0.130000", "1.5%", "免税"; more than 1 is percent.

    Raises InvalidDocument for what is no rate: "1" (1 % or 100 %?), 100 % and more, a negative one, other words.
    """
    text = str(written).strip()
    if text in WORDS:
        return Rated(Decimal(0), WORDS[text])
    found = _NUMBER.fullmatch(text)
    if not found:
        raise _no_rate(text, "不是税率, 应为 13%、13、0.13 或 免税、不征税", "is no rate")
    number, percent = Decimal(found[1]), bool(found[2])
    if number == 1 and not percent:
        raise _no_rate(text, "可指 1% 或 100%, 请写明 1% 或 0.01", "may be 1 % or 100 %")
    rate = number / 100 if percent or number > 1 else number
    if rate >= 1:
        raise _no_rate(text, "不小于 100%, 不是税率", "is 100 % or more")
    return Rated(rate.normalize() + 0)


def _no_rate(text: str, zh: str, en: str) -> InvalidDocument:
    return InvalidDocument(f"税率 {text} {zh}", en=f"rate {text} {en}", code="E-RATE", where=text)


def agrees(rate: Decimal, policy: str) -> bool:
    """Whether a rate is the one that its policy mark demands; most marks demand none."""
    return RATE_OF_POLICY.get(policy, rate) == rate


__all__ = ["EXEMPT", "FREE", "NOT_TAXABLE", "Rated", "agrees", "parse_rate"]
