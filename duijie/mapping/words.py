"""More texts for rules: ends, lengths, padding, places in lists, and amounts in capital characters (大写金额)."""

from __future__ import annotations

from typing import Any

from duijie.mapping.given import cents, listed, sized, string, whole
from duijie.mapping.values import TEXT_LIMIT, Fault

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_SCALES = ((10**8, "亿"), (10**4, "万"), (10**3, "仟"), (10**2, "佰"), (10, "拾"))
_MOST = 10**18  # cents: below 万万亿 yuan


def right(value: Any, length: Any) -> str:
    """The last characters."""
    count = whole(length, 0, TEXT_LIMIT)
    text = string(value)
    return text[max(len(text) - count, 0) :]


def starts(value: Any, start: Any) -> bool:
    """Whether a text begins so."""
    return string(value).startswith(string(start))


def ends(value: Any, end: Any) -> bool:
    """Whether a text ends so."""
    return string(value).endswith(string(end))


def contains(value: Any, part: Any) -> bool:
    """Whether a text holds another anywhere."""
    return string(part) in string(value)


def length(value: Any) -> int:
    """How many characters a text has."""
    return len(string(value))


def pad(value: Any, width: Any, fill: Any) -> str:
    """Filled up at the left to `width` characters; a longer text stays as it is."""
    if len(string(fill)) != 1:
        raise Fault("填充须是单个字符", "the text is filled with one character", fill)
    return sized(string(value).rjust(whole(width, 0, TEXT_LIMIT), fill))


def position(values: Any, sought: Any) -> int | None:
    """The place (from 0) of the first equal element, null where there is none; a text never equals a number."""
    truth = type(sought) is bool
    return next(
        (at for at, each in enumerate(listed(values)) if (type(each) is bool) is truth and each == sought), None
    )


def rmb_words(amount: Any, yuan: Any = "元") -> str:
    """An amount in capital characters, as a bill or an invoice carries it, without the leading 人民币.

    After 《支付结算办法》 annex 1 (正确填写票据和结算凭证的基本规定) 2 to 4: 整 after 元, not after 角 or 分; one 零
    for any run of zeros between figures; none where the rule leaves it open (¥1,680.32 壹仟陆佰捌拾元叁角贰分).
    `yuan` is 元 or 圆. Below ten thousand 万亿; whole cents.
    """
    if yuan not in ("元", "圆"):
        raise Fault("单位须是 元 或 圆", "the unit is 元 or 圆", yuan)
    total = cents(amount)
    if abs(total) >= _MOST:
        raise Fault("金额超出大写范围 (万亿)", "the amount is too large for words", amount)
    whole_yuan, rest = divmod(abs(total), 100)
    head = _spell(whole_yuan) + yuan if whole_yuan or not rest else ""
    return ("负" if total < 0 else "") + head + _small(rest, bool(whole_yuan))


def _small(rest: int, after_yuan: bool) -> str:
    jiao, fen = divmod(rest, 10)
    if not rest:
        return "整"
    tens = f"{_DIGITS[jiao]}角" if jiao else "零" if after_yuan else ""
    return tens + (f"{_DIGITS[fen]}分" if fen else "")


def _spell(number: int) -> str:
    for scale, name in _SCALES:
        if number >= scale:
            high, low = divmod(number, scale)
            gap = "零" if low and low < scale // 10 else ""
            return _spell(high) + name + gap + (_spell(low) if low else "")
    return _DIGITS[number]
