"""What GL_VOUCHER accepts: the checks of a voucher's Save, and its rows for queries.

Checks (金蝶云星空 WebAPI "凭证" and the product's own entry form): every reference exists, accounts are leaf and not
forbidden, dimensions an account asks for are there, each entry has a summary and exactly one side, debit equals
credit, the period is open. A model field the form does not have is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.k3cloud_operations import Fault

Record = dict[str, Any]
FLEX = {"customer": ("FDETAILID__FFLEX6", "客户")}
SUMMARY_LENGTH = 255
FEWEST_ENTRIES = 2
ENTRY_FIELDS = frozenset(
    [
        "fentity_fentryid",
        "fexplanation",
        "faccountid.fnumber",
        "faccountid.fname",
        "fdetailid.fflex6.fnumber",
        "fcurrencyid.fnumber",
        "fdebit",
        "fcredit",
        "famountfor",
    ]
)


@dataclass(frozen=True)
class Ledger:
    """The master data a voucher is checked against."""

    book: str
    accounts: dict[str, Record]
    customers: dict[str, Record]
    groups: dict[str, str]
    open_periods: Sequence[str]
    key_fields: dict[str, int]


def number_of(value: Any) -> str:
    """The FNumber of a reference, or ""; references are matched by any spelling of FNumber."""
    if not isinstance(value, dict):
        return ""
    return next((str(item) for name, item in value.items() if name.casefold() == "fnumber"), "")


def faults_of(model: Record, ledger: Ledger) -> list[Fault]:
    """Everything wrong with a new voucher, in the order of the form."""
    return [*_head(model, ledger), *_entries(model, ledger)]


def _head(model: Record, ledger: Ledger) -> Iterator[Fault]:
    book, group = number_of(model.get("FAccountBookID")), number_of(model.get("FVOUCHERGROUPID"))
    if not book:
        yield Fault("FAccountBookID", "字段“账簿”是必填项", 9)
    elif book != ledger.book:
        yield Fault("FAccountBookID", f"账簿 {book} 不存在", 10)
    if not group:
        yield Fault("FVOUCHERGROUPID", "字段“凭证字”是必填项", 9)
    elif group not in ledger.groups:
        yield Fault("FVOUCHERGROUPID", f"凭证字 {group} 不存在", 10)
    yield from _date(model, ledger)
    if not isinstance(model.get("FATTACHMENTS", 0), int) or model.get("FATTACHMENTS", 0) < 0:
        yield Fault("FATTACHMENTS", "附件数必须是不小于 0 的整数", 8)
    for name, length in ledger.key_fields.items():
        if len(str(model.get(name, ""))) > length:
            yield Fault(name, f"字段“{name}”长度超过 {length}")


def _date(model: Record, ledger: Ledger) -> Iterator[Fault]:
    text = str(model.get("FDate") or "")
    if not text:
        yield Fault("FDate", "字段“日期”是必填项", 9)
        return
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        yield Fault("FDate", f"日期 {text} 格式不正确", 8)
        return
    if f"{day:%Y%m}" not in ledger.open_periods:
        yield Fault("FDate", f"凭证日期 {day} 所在期间 {day.year}.{day.month} 未打开或已结账, 不能保存凭证")


def _entries(model: Record, ledger: Ledger) -> Iterator[Fault]:
    entries = model.get("FEntity")
    if not isinstance(entries, list) or len(entries) < FEWEST_ENTRIES:
        yield Fault("FEntity", "凭证至少需要两条分录", 9)
        return
    for line, entry in enumerate(entries, 1):
        yield from _entry(line, entry, ledger)
    debit, credit = (sum((money(entry.get(side)) for entry in entries), Decimal(0)) for side in ("FDEBIT", "FCREDIT"))
    if debit != credit:
        yield Fault("FEntity", f"凭证借贷不平衡: 借方合计 {debit}, 贷方合计 {credit}")


def _entry(line: int, entry: Record, ledger: Ledger) -> Iterator[Fault]:
    summary = str(entry.get("FEXPLANATION") or "")
    if not summary.strip():
        yield Fault("FEXPLANATION", f"第 {line} 行分录: 摘要不能为空", 9)
    if len(summary) > SUMMARY_LENGTH:
        yield Fault("FEXPLANATION", f"第 {line} 行分录: 摘要长度超过 {SUMMARY_LENGTH}")
    yield from _account(line, entry, ledger)
    yield from _amounts(line, entry)


def _account(line: int, entry: Record, ledger: Ledger) -> Iterator[Fault]:
    number = number_of(entry.get("FACCOUNTID"))
    account = ledger.accounts.get(number)
    if account is None:
        yield Fault("FACCOUNTID", f"第 {line} 行分录: 科目 {number or '(空)'} 不存在", 10 if number else 9)
        return
    if not account.get("leaf", True):
        yield Fault("FACCOUNTID", f"第 {line} 行分录: 科目 {number} 不是明细科目")
    if account.get("disabled"):
        yield Fault("FACCOUNTID", f"第 {line} 行分录: 科目 {number} 已禁用")
    for kind in account.get("aux", []):
        flex, label = FLEX[kind]
        held = number_of((entry.get("FDetailID") or {}).get(flex))
        if not held:
            yield Fault("FDetailID", f"第 {line} 行分录: 科目 {number} 的核算维度“{label}”必录", 9)
        elif held not in ledger.customers:
            yield Fault("FDetailID", f"第 {line} 行分录: {label} {held} 不存在", 10)


def _amounts(line: int, entry: Record) -> Iterator[Fault]:
    sides = [entry.get("FDEBIT") or 0, entry.get("FCREDIT") or 0]
    for name, amount in zip(("FDEBIT", "FCREDIT"), sides, strict=True):
        if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
            yield Fault(name, f"第 {line} 行分录: 金额 {amount!r} 不是数字", 8)
            return
        if Decimal(amount) != Decimal(amount).quantize(Decimal("0.01")):
            yield Fault(name, f"第 {line} 行分录: 金额 {amount} 超过两位小数")
    if all(sides):
        yield Fault("FCREDIT", f"第 {line} 行分录: 借方金额与贷方金额不能同时录入")
    if not any(sides):
        yield Fault("FDEBIT", f"第 {line} 行分录: 借方金额与贷方金额不能同时为零")
    if "FAMOUNTFOR" in entry and money(entry["FAMOUNTFOR"]) not in [money(side) for side in sides if side]:
        yield Fault("FAMOUNTFOR", f"第 {line} 行分录: 原币金额与本位币金额不一致")


def money(value: Any) -> Decimal:
    """An amount as Decimal; what is no number counts as zero (it has its own fault)."""
    return Decimal(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else Decimal(0)


def stored_entries(model: Record, ledger: Ledger, first_id: int) -> list[Record]:
    """The entries as the ledger keeps them."""
    return [_stored(entry, ledger, first_id + at) for at, entry in enumerate(model["FEntity"])]


def _stored(entry: Record, ledger: Ledger, entry_id: int) -> Record:
    number = number_of(entry["FACCOUNTID"])
    account = ledger.accounts[number]
    detail = (entry.get("FDetailID") or {}) if account.get("aux") else {}
    debit, credit = money(entry.get("FDEBIT")), money(entry.get("FCREDIT"))
    return {
        "fentity_fentryid": entry_id,
        "fexplanation": entry["FEXPLANATION"],
        "faccountid.fnumber": number,
        "faccountid.fname": account["name"],
        "fdetailid.fflex6.fnumber": number_of(detail.get("FDETAILID__FFLEX6")),
        "fcurrencyid.fnumber": number_of(entry.get("FCURRENCYID")) or "PRE001",
        "famountfor": debit or credit,
        "fdebit": debit,
        "fcredit": credit,
    }
