"""凭证新增 doc/Create: balanced, on leaf accounts, in an open period, once for each ExternalCode. It answers null."""

from __future__ import annotations

from decimal import Decimal

from sandbox.store import Record
from sandbox.tplus_books import Books, Operation, dto_of
from sandbox.tplus_rules import Refused, date_of, figure, require, text_of

DOC_TYPES = ("记", "收", "付", "转")
SIDES = ("AmountDr", "AmountCr")


class Ledger:
    """The vouchers of the 账套."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def operations(self) -> dict[str, Operation]:
        """By service."""
        return {"doc/Create": self._create}

    def _create(self, body: Record) -> None:
        dto = dto_of(body)
        key, store = str(dto.get("ExternalCode") or ""), self._books.store
        require(bool(key), "外部系统单据编码不能为空")
        require(store.get("doc", key) is None, f"外部系统单据编码[{key}]已存在，编码必须唯一")
        date = date_of(dto.get("VoucherDate"))
        opened = (store.get("config", "periods") or {})["open"]
        require(date[:7].replace("-", "") in opened, f"会计期间{date[:7]}未打开或已结账")
        word = text_of(dto.get("DocType"))
        require(word in DOC_TYPES, f"凭证类别[{word}]不存在")
        self._check_entries(dto.get("Entrys") or [])
        number = store.next(f"doc-{date[:7]}-{word}")
        store.put("doc", key, {**dto, "Code": f"{number:04}"})

    def _check_entries(self, entries: list[Record]) -> None:
        require(len(entries) > 1, "凭证分录不能少于两行")
        sums = {side: sum((self._amount(entry, side, at) for at, entry in enumerate(entries, 1)), Decimal(0))
                for side in SIDES}  # fmt: skip
        require(sums["AmountDr"] == sums["AmountCr"], f"凭证借贷不平: 借方{sums['AmountDr']} 贷方{sums['AmountCr']}")
        for at, entry in enumerate(entries, 1):
            self._check_entry(entry, at)

    def _amount(self, entry: Record, side: str, at: int) -> Decimal:
        require(len([one for one in SIDES if one in entry]) == 1, f"第{at}行分录必须且只能有借方或贷方金额")
        return figure(entry[side], f"第{at}行金额") if side in entry else Decimal(0)

    def _check_entry(self, entry: Record, at: int) -> None:
        require(bool(str(entry.get("Summary") or "").strip()), f"第{at}行摘要不能为空")
        require(text_of(entry.get("Currency")) == "RMB", f"第{at}行币种不存在")
        code = text_of(entry.get("Account"))
        account = self._books.get("account", code)
        if account is None or not account["leaf"]:
            raise Refused(f"第{at}行科目[{code}]不存在或不是末级科目")
        given = [text_of(one.get("AuxAccCustomer")) for one in entry.get("AuxInfos") or []]
        for customer in filter(None, given):
            require(self._books.get("partner", customer) is not None, f"第{at}行客户[{customer}]不存在")
        if "customer" in account["aux"]:
            require(any(given), f"第{at}行科目[{code}]必须录入客户辅助核算")
