"""The forms of 发票SDK read as the bureau's requests: nested keys, kinds, natures, amounts with or without tax.

Source: the field names in the vendor's clients and examples (github.com/fapiaoapi, fa-piao.com/doc.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bureau import Blue, Line, Party, RedForm, RedLine

Record = dict[str, Any]
NESTED = re.compile(r"(\w+)\[(\d+)\]\[(\w+)\]")
KINDS = {"81": "special", "82": "normal"}
NATURES = {"0": "normal", "1": "discount", "2": "discounted"}
REASONS = {"01": "wrong_invoice", "02": "sales_return", "03": "service_stopped", "04": "allowance"}
POLICIES = {"免税": "03", "不征税": "04"}
LINES = "fyxm"


class NoForm(Exception):
    """A field is missing, too long or no number."""


def nested(parts: Iterable[tuple[str, str]]) -> Record:
    """`fyxm[0][je]` → {"fyxm": [{"je": …}]}, in the order of the numbers."""
    plain: Record = {}
    rows: dict[str, dict[int, Record]] = {}
    for name, value in parts:
        if found := NESTED.fullmatch(name):
            rows.setdefault(found[1], {}).setdefault(int(found[2]), {})[found[3]] = value
        else:
            plain[name] = value
    return plain | {name: [made[at] for at in sorted(made)] for name, made in rows.items()}


def field(given: Record, name: str, longest: int = 0) -> str:
    """A field that must be there."""
    text = str(given.get(name) or "")
    if not text or (longest and len(text) > longest):
        raise NoForm(f"{name} 不能为空, 且不超过 {longest} 个字符" if longest else f"{name} 不能为空")
    return text


def blue_of(serial: str, given: Record) -> Blue:
    """The request of blueTicket."""
    kind = KINDS.get(given.get("fplxdm", ""))
    if kind is None or given.get("kplx") != "0":
        raise NoForm("fplxdm 须为 81 或 82, kplx 须为 0")
    lines = tuple(_line(row, f"fyxm[{place}]") for place, row in enumerate(given.get(LINES, [])))
    _check_totals(given, lines)
    seller = Party(field(given, "xhdwmc"), field(given, "xhdwsbh"), *_two(given, "xhdwdzdh"), *_two(given, "xhdwyhzh"))
    buyer = Party(field(given, "ghdwmc"), given.get("ghdwsbh", ""), *_two(given, "ghdwdzdh"), *_two(given, "ghdwyhzh"))
    field(given, "username")
    return Blue(serial, kind, seller, buyer, lines, given.get("bz", ""), given.get("kpr", ""))


def red_of(application: str, given: Record) -> RedForm:
    """The request of hzxxbsq; without bfch it takes back the whole invoice."""
    reason = REASONS.get(field(given, "chyydm"))
    if reason is None:
        raise NoForm("chyydm 须为 01 至 04")
    rows = given.get(LINES, []) if given.get("bfch") == "1" else []
    if given.get("bfch") == "1" and not rows:
        raise NoForm("部分冲红 (bfch=1) 须有 fyxm")
    lines = tuple(_red_line(row) for row in rows)
    if rows and sum(line.net for line in lines) != _number(given, "hjje"):
        raise NoForm("hjje 与明细合计不符")
    return RedForm(application, field(given, "yfphm"), "seller", reason, lines)


def _red_line(row: Record) -> RedLine:
    pieces = _number(row, "spsl") if row.get("spsl") else None
    return RedLine(int(field(row, "xh")), _number(row, "je"), _number(row, "se"), pieces)


def _line(row: Record, where: str) -> Line:
    amount, tax = _number(row, "je"), _number(row, "se")
    includes_tax = row.get("hsbz") == "1"
    nature = NATURES.get(row.get("fphxz", ""))
    if nature is None or row.get("hsbz") not in ("0", "1"):
        raise NoForm(f"{where} fphxz 或 hsbz 无效")
    has_price = bool(row.get("spsl") or row.get("dj"))
    return Line(
        field(row, "spmc", 100),
        field(row, "spbm"),
        _number(row, "sl"),
        amount - tax if includes_tax else amount,
        tax,
        row.get("ggxh", ""),
        row.get("dw", ""),
        _number(row, "spsl") if has_price else None,
        _number(row, "dj") if has_price else None,
        POLICIES.get(row.get("zzstsgl", ""), ""),
        nature,
    )


def _check_totals(given: Record, lines: tuple[Line, ...]) -> None:
    net, tax = (sum((getattr(line, name) for line in lines), Decimal("0.00")) for name in ("net", "tax"))
    told = (_number(given, "hjje"), _number(given, "hjse"), _number(given, "jshj"))
    if told != (net, tax, net + tax):
        raise NoForm(f"合计与明细不符: hjje {net}, hjse {tax}, jshj {net + tax}")


def _number(row: Record, name: str) -> Decimal:
    try:
        return Decimal(field(row, name))
    except InvalidOperation:
        raise NoForm(f"{name} 不是数字") from None


def _two(given: Record, name: str) -> tuple[str, str]:
    first, _, second = str(given.get(name) or "").partition(" ")
    return first, second
