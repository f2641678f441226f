"""The general ledger of the U8 sandbox: what a `voucher` must be, how it is numbered, what a query brings.

Rules and lengths are those of the EAI template Voucher.xml; texts are this server's own, but 项目非法-like items for an
entry, 凭证分录数据有错 for the voucher, 凭证导入成功 and 数据重复上传, which are U8's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from lxml import etree

from sandbox.store import Store

DONE, FAILED = "0", "1"
Fields = dict[str, str]
Item = dict[str, str]
LENGTHS = {"voucher_type": 2, "enter": 20, "voucher_making_system": 10, "reserve1": 20, "reserve2": 50}
ENTRY_LENGTHS = {"account_code": 15, "abstract": 60, "currency": 8}
NEEDED = ("voucher_type", "fiscal_year", "accounting_period", "date")
RENEWED = ("true", "y", "yes")


@dataclass(frozen=True)
class Books:
    """One message's work over the store and the configuration."""

    store: Store
    config: dict[str, Any]

    def add(self, voucher: etree._Element, attributes: Mapping[str, str]) -> list[Item]:
        """The items of the answer: one that it is done, or one for each fault."""
        head = _fields(voucher.find("voucher_head"))
        entries = [_entry(one) for one in voucher.iterfind("voucher_body/entry")]
        if self.config["remembers"] and self._holds(head.get("reserve2", "")):
            return [_item(head, "", DONE, "数据重复上传")]
        renewed = attributes.get("renewproofno", "").lower() in RENEWED
        faults = list(self._faults(head, entries, renewed))
        if faults:
            return [
                *(_item(head, at, FAILED, text) for at, text in faults),
                _item(head, "", FAILED, "凭证分录数据有错"),
            ]
        return [self._keep(voucher, head, entries, renewed)]

    def found(self, filters: Mapping[str, str]) -> list[etree._Element]:
        """Vouchers as they were imported, with the number that U8 gave. Raises KeyError for an unknown field."""
        names = {self.config["voucher_filter"]: "reserve2", "iperiod": "accounting_period", "csign": "voucher_type"}
        wanted = {names[name]: value for name, value in filters.items()}
        return [_element(one) for one in self.store.all("voucher") if wanted.items() <= one["head"].items()]

    def _holds(self, number: str) -> bool:
        return bool(number) and any(one["head"].get("reserve2") == number for one in self.store.all("voucher"))

    def _keep(self, voucher: etree._Element, head: Fields, entries: list[Fields], renewed: bool) -> Item:
        place = "-".join(head[name] for name in ("fiscal_year", "accounting_period", "voucher_type"))
        number = head.get("voucher_id", "")
        if not number or (renewed and self.store.get("voucher", f"{place}-{number}")):
            number = str(self.store.next(place))
        kept = {**head, "voucher_id": number}
        self.store.put("voucher", f"{place}-{number}", {"id": voucher.get("id", ""), "head": kept, "entries": entries})
        return _item(head, "", DONE, "凭证导入成功") | {
            "u8accounting_period": head["accounting_period"],
            "u8voucher_id": number,
        }

    def _faults(self, head: Fields, entries: list[Fields], renewed: bool) -> Iterator[tuple[str, str]]:
        """(entry, text), "" for the head."""
        yield from (("", f"{name} 不能为空") for name in NEEDED if not head.get(name))
        yield from (("", f"{name} 超过 {size} 位") for name, size in LENGTHS.items() if len(head.get(name, "")) > size)
        if head.get("voucher_making_system") != "GL":
            yield "", "制单系统必须是 GL"
        if head.get("enter") not in self.config["operators"]:
            yield "", f"制单人 {head.get('enter') or '(空)'} 不是操作员"
        if head.get("voucher_type") not in self.config["words"]:
            yield "", f"凭证类别 {head.get('voucher_type') or '(空)'} 非法"
        yield from self._number(head, renewed)
        yield from self._period(head)
        if len(entries) < 2:
            yield "", "凭证至少两条分录"
        for entry in entries:
            yield from ((entry.get("entry_id", ""), text) for text in self._entry_faults(entry))
        yield from _balance(entries)

    def _number(self, head: Fields, renewed: bool) -> Iterator[tuple[str, str]]:
        number = head.get("voucher_id", "")
        if not number and not renewed:
            yield "", "凭证号不能为空"
        place = "-".join(head.get(name, "") for name in ("fiscal_year", "accounting_period", "voucher_type"))
        if number and not renewed and self.store.get("voucher", f"{place}-{number}"):
            yield "", f"凭证号 {number} 重复"

    def _period(self, head: Fields) -> Iterator[tuple[str, str]]:
        year, period, day = (head.get(name, "") for name in ("fiscal_year", "accounting_period", "date"))
        if f"{year}{period:>02}" not in self.config["periods"]:
            yield "", f"会计期间 {year}.{period} 已结账或未启用"
        try:
            made = date.fromisoformat(day)
        except ValueError:
            yield "", f"制单日期 {day} 非法"
            return
        if (str(made.year), str(made.month)) != (year, period):
            yield "", f"制单日期 {day} 不在会计期间 {year}.{period} 内"

    def _entry_faults(self, entry: Fields) -> Iterator[str]:
        yield from (f"{name} 超过 {size} 位" for name, size in ENTRY_LENGTHS.items() if len(entry.get(name, "")) > size)
        if not entry.get("abstract", "").strip():
            yield "摘要不能为空"
        code = entry.get("account_code", "")
        account = self.store.get("account", code)
        if account is None or not account["leaf"]:
            yield f"科目 {code or '(空)'} 非法或不是末级"
        elif account["aux"] and not entry.get("cust_id"):
            yield f"科目 {code} 有客户核算, 客户不能为空"
        if entry.get("cust_id") and not self.store.get("customer", entry["cust_id"]):
            yield f"客户 {entry['cust_id']} 非法"
        amounts = [_amount(entry.get(side, "")) for side in ("natural_debit_currency", "natural_credit_currency")]
        if None in amounts:
            yield "金额非法"
        elif bool(amounts[0]) == bool(amounts[1]):
            yield "本币借方与贷方必须且只能填一个"


def _balance(entries: list[Fields]) -> Iterator[tuple[str, str]]:
    debit, credit = (
        sum((_amount(one.get(side, "")) or Decimal(0) for one in entries), Decimal(0))
        for side in ("natural_debit_currency", "natural_credit_currency")
    )
    if debit != credit:
        yield "", f"借贷不平: 借方 {debit}, 贷方 {credit}"


def _amount(text: str) -> Decimal | None:
    """An amount of two places at most; empty is zero, anything else None."""
    try:
        amount = Decimal(text or "0")
        return amount if amount == amount.quantize(Decimal("0.01")) else None
    except InvalidOperation:
        return None


def _fields(element: etree._Element | None) -> Fields:
    found = [] if element is None else [one for one in element.iterchildren("*") if not len(one)]
    return {str(one.tag): (one.text or "").strip() for one in found}


def _entry(element: etree._Element) -> Fields:
    aux = {str(one.get("name")): one.text or "" for one in element.iterfind("auxiliary_accounting/item")}
    return {**_fields(element), **{name: text for name, text in aux.items() if text}}


def _item(head: Fields, entry: str, succeed: str, text: str) -> Item:
    told = {name: head.get(name, "") for name in ("accounting_period", "voucher_type", "voucher_id")}
    return {**told, "entry_id": entry, "succeed": succeed, "dsc": text, "u8accounting_period": "", "u8voucher_id": ""}


def _element(held: Mapping[str, Any]) -> etree._Element:
    voucher = etree.Element("voucher", id=held["id"])
    head = etree.SubElement(voucher, "voucher_head")
    for name, text in held["head"].items():
        etree.SubElement(head, name).text = text
    body = etree.SubElement(voucher, "voucher_body")
    for fields in held["entries"]:
        entry = etree.SubElement(body, "entry")
        for name, text in fields.items():
            if name != "cust_id":
                etree.SubElement(entry, name).text = text
        aux = etree.SubElement(entry, "auxiliary_accounting")
        etree.SubElement(aux, "item", name="cust_id").text = fields.get("cust_id", "")
    return voucher
