"""The general ledger of the EAS sandbox: what importVoucher accepts, how it numbers, what getVoucher lists.

One WSWSVoucher is one entry; those of one company, year, period, type and number are one voucher. What is wrong is a
row with a code and a message, not a fault. Texts, codes but 0000, and the columns of getVoucher are this server's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.store import Store

OK, REFUSED = "0000", "9999"
HALF_A_CENT = Decimal("0.005")
CREDIT = ("0", "-1")
MOST_ROWS = 1000
Line = dict[str, str]
Place = tuple[str, str, str, str, str]
HEAD = ("companyNumber", "periodYear", "periodNumber", "voucherType", "voucherNumber")
COLUMNS = (
    *(*HEAD, "bookedDate", "description", "entrySeq", "voucherAbstract", "accountNumber"),
    *("debitAmount", "creditAmount", "bizNumber", "creator"),
)


@dataclass(frozen=True)
class Ledger:
    """One call's work over the store and the configuration."""

    store: Store
    config: dict[str, Any]

    def take(self, lines: Sequence[Line], is_verified: bool) -> list[list[str]]:
        """Import: a row for every voucher, in the order they come."""
        groups: dict[Place, list[Line]] = {}
        for line in lines:
            place = tuple(line.get(name, "") for name in HEAD)
            if "voucherNumber" in line:
                groups.setdefault(place, []).append(line)  # type: ignore[arg-type]
            else:
                groups[place] = [line]  # type: ignore[index]  # left out: every entry takes the place of the last
        return [self._take_one(place, of_one, is_verified) for place, of_one in groups.items()]

    def rows(self, company: str, year: str, period: str) -> list[list[str]]:
        """Every entry of a period, in the order of type, number and entry."""
        there = [
            one
            for one in self.store.all("voucher")
            if (one["companyNumber"], one["periodYear"], one["periodNumber"]) == (company, year, period)
        ]
        there.sort(key=lambda one: (one["voucherType"], one["voucherNumber"]))
        return [[str({**one, **line}.get(name, "")) for name in COLUMNS] for one in there for line in one["lines"]]

    def _take_one(self, place: Place, lines: Sequence[Line], is_verified: bool) -> list[str]:
        company, year, period, word, number = place
        fault = next(self._faults(place, lines, is_verified), "")
        if fault:
            return [company, word, year, period, REFUSED, fault, number]
        number = number or f"{self.store.next('-'.join(place[:4])):04}"
        head = dict(zip(HEAD, (*place[:4], number), strict=True)) | {"bookedDate": lines[0]["bookedDate"]}
        kept = [{**line, "voucherNumber": number} for line in lines]
        self.store.put("voucher", "-".join((*place[:4], number)), {**head, "lines": kept})
        return [company, word, year, period, OK, "成功保存", number]

    def _faults(self, place: Place, lines: Sequence[Line], is_verified: bool) -> Iterator[str]:
        company, year, period, word, number = place
        if company != self.config["company"]:
            yield f"公司编码 {company or '(空)'} 不存在"
        if f"{year}{int(period or 0):02}" not in self.config["periods"]:
            yield f"会计期间 {year}年{period}期 未打开或已结账"
        if word not in self.config["words"]:
            yield f"凭证类型 {word or '(空)'} 不存在"
        if number and self.store.get("voucher", "-".join(place)):
            yield f"凭证号 {number} 在该期间已存在"
        yield from _dates(lines)
        yield from _order(lines)
        for at, line in enumerate(lines, 1):
            yield from self._line(at, line)
        if is_verified:
            yield from _balance(lines)

    def _line(self, at: int, line: Line) -> Iterator[str]:
        if line.get("creator") not in self.config["users"]:
            yield f"制单人 {line.get('creator') or '(空)'} 不存在"
        if not (line.get("voucherAbstract") or "").strip():
            yield f"第 {at} 行: 摘要不能为空"
        if line.get("currencyNumber") != "BB01" or _amount(line, "localRate") != 1:
            yield f"第 {at} 行: 币别或汇率不正确"
        yield from self._account(at, line)
        yield from _sides(at, line)

    def _account(self, at: int, line: Line) -> Iterator[str]:
        number = line.get("accountNumber", "")
        account = self.store.get("account", number)
        if account is None:
            yield f"第 {at} 行: 科目 {number or '(空)'} 不存在"
            return
        if not account["leaf"] or account.get("disabled"):
            yield f"第 {at} 行: 科目 {number} 不是明细科目或已禁用"
        customer = line.get("asstActNumber1", "") if line.get("asstActType1") == "客户" else ""
        if account["aux"] and not customer:
            yield f"第 {at} 行: 科目 {number} 必须录入辅助核算“客户”"
        if customer and not self.store.get("customer", customer):
            yield f"第 {at} 行: 客户 {customer} 不存在"


def _dates(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        try:
            booked, business = (date.fromisoformat(line.get(name, "")) for name in ("bookedDate", "bizDate"))
        except ValueError:
            yield f"日期 {line.get('bookedDate')}/{line.get('bizDate')} 格式不正确, 应为 yyyy-MM-dd"
            return
        if business > booked:
            yield "业务日期不能晚于记账日期"
        if (f"{booked.year}", f"{booked.month}") != (line.get("periodYear"), line.get("periodNumber")):
            yield f"记账日期 {booked} 不在期间 {line.get('periodYear')}.{line.get('periodNumber')} 内"


def _order(lines: Sequence[Line]) -> Iterator[str]:
    seen: list[str] = []
    for line in lines:
        if line.get("entrySeq", "") in seen[:-1] or not line.get("entrySeq", "").isdigit():
            yield "同一分录的行必须相邻, entrySeq 必须是整数"
            return
        if not seen or seen[-1] != line["entrySeq"]:
            seen.append(line["entrySeq"])
    if len(seen) < 2:
        yield "凭证至少需要两条分录"


def _sides(at: int, line: Line) -> Iterator[str]:
    amounts = [_amount(line, name) for name in ("debitAmount", "creditAmount", "originalAmount")]
    if any(one is None or one != one.quantize(Decimal("0.01")) for one in amounts):
        yield f"第 {at} 行: 金额不是两位小数的数字"
        return
    debit, credit, original = amounts
    if line.get("entryDC") not in ("1", *CREDIT):
        yield f"第 {at} 行: 借贷方向 {line.get('entryDC')} 不正确"
    mine, other = (debit, credit) if line.get("entryDC") == "1" else (credit, debit)
    if not mine or other:
        yield f"第 {at} 行: 金额与借贷方向不符, 或金额为零"
    if original != mine:
        yield f"第 {at} 行: 原币金额与本位币金额不一致"


def _balance(lines: Sequence[Line]) -> Iterator[str]:
    debit, credit = (
        sum((_amount(one, side) or Decimal(0) for one in lines), Decimal(0)) for side in ("debitAmount", "creditAmount")
    )
    if abs(debit - credit) >= HALF_A_CENT:
        yield f"凭证借贷不平: 借方 {debit}, 贷方 {credit}"


def _amount(line: Mapping[str, str], name: str) -> Decimal | None:
    try:
        return Decimal(line.get(name) or "0")
    except InvalidOperation:
        return None
