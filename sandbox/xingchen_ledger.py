"""凭证 of the account set: what a save must bring, audit, reversal, and the chart they are checked against.

Enforced: a date in an open period, a word class, at least two entries with a summary, a leaf account, a currency and
exactly one side, the 辅助核算 that an account asks for, debit equal to credit, and one voucher a `source_bill_no`. The
vendor's words for most of these are not known; the texts here are this server's own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.store import Record, Store
from sandbox.xingchen_base import BaseData
from sandbox.xingchen_lines import ZERO, text_number
from sandbox.xingchen_lists import Refused, is_day, page, require, served

FEWEST = 2
SIDES = {1: "debit_amount", -1: "credit_amount"}
LEGAL = {"audit": "B", "unaudit": "C", "delete": "B"}
KNOWN = {"bd_customer": "customer", "bd_supplier": "supplier", "bd_material": "material", "bd_store": "store"}
CHART: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    ("1001", "库存现金", 1, ()),
    ("1002", "银行存款", 1, ()),
    ("1012", "其他货币资金", 1, ()),
    ("1122", "应收账款", 1, ("bd_customer",)),
    ("1405", "库存商品", 1, ()),
    ("2202", "应付账款", -1, ("bd_supplier",)),
    ("2221", "应交税费", -1, ()),
    ("22210101", "进项税额", 1, ()),
    ("22210105", "销项税额", -1, ()),
    ("6001", "主营业务收入", -1, ()),
    ("6401", "主营业务成本", 1, ()),
    ("6601", "销售费用", 1, ()),
    ("6602", "管理费用", 1, ()),
)
WORDS = ("记", "收", "付", "转")
LISTED = (
    "id",
    "date",
    "period",
    "number",
    "voucher_no",
    "bill_status",
    "group_id",
    "group_number",
    "group_name",
    "debit_total",
    "credit_total",
    "have_reverse",
    "is_reverse",
    "remark",
    "source_bill_no",
)
HIDDEN = ("remark", "source_bill_no", "modify_time", "create_time")


class Ledger:
    """Vouchers by id; operations take (parameters or body, now in ms)."""

    def __init__(self, store: Store, base: BaseData) -> None:
        self.store = store
        self._base = base
        if not store.get("ledger", "chart"):
            self.seed({})
        numbers = [number for number, *_ in CHART]
        base.add("voucher_type", [{"number": f"{n:03d}", "name": word} for n, word in enumerate(WORDS, 1)], 0)
        base.add("currency", [{"number": "CNY", "name": "人民币", "rate": "1"}], 0)
        self._parents = {
            number for number in numbers if any(one != number and one.startswith(number) for one in numbers)
        }

    def seed(self, data: Record) -> None:
        """`closed_until`: the last closed period, yyyyMM."""
        self.store.put("ledger", "chart", {"closed_until": "", **data})

    def listed(self, query: Record, _: int) -> Record:
        """凭证列表 by periods, number, source, status and modify window."""
        rows = self.store.all("voucher")
        for name in ("number", "source_bill_no", "bill_status"):
            if wanted := query.get(name):
                rows = [row for row in rows if str(row[name]) == wanted]
        since, until = str(query.get("start_period", "")), str(query.get("end_period") or "999999")
        return page(query, [row for row in rows if since <= row["period"] <= until], LISTED)

    def detail(self, query: Record, _: int) -> Record:
        """凭证详情 by id: entries, but not the source's number."""
        kept = self._found(str(query.get("id", "")))
        return served(kept, [name for name in kept if name not in HIDDEN])

    def accounts(self, _query: Record, _: int) -> Record:
        """科目列表."""
        rows = [
            {
                "id": self._account_id(number),
                "number": number,
                "name": name,
                "dc": dc,
                "is_leaf": number not in self._parents,
            }
            for number, name, dc, _ in CHART
        ]
        return {"total_count": len(rows), "rows": rows}

    def save(self, body: Record, now: int) -> Record:
        """凭证保存: each item on its own, what is wrong with one in `errors`."""
        require(bool(body.get("items")), "参数items不能为空")
        ids, errors = [], []
        for item in body["items"]:
            try:
                ids.append(self._save(item, now))
            except Refused as refused:
                errors.append(str(refused))
        return {"errors": errors, "ids": ids}

    def operate(self, operation: str, body: Record, now: int) -> Record:
        """Audit, unaudit, delete, while the period is open."""
        rows = [self._found(str(one)) for one in body.get("ids") or []]
        for row in rows:
            require(LEGAL.get(operation) == row["bill_status"], f"凭证[{row['voucher_no']}]当前状态不允许{operation}")
            self._must_be_open(row["period"])
        for row in rows:
            if operation == "delete":
                self.store.drop("voucher", row["id"])
            else:
                self._keep({**row, "bill_status": "C" if operation == "audit" else "B", "modify_time": now})
        return {"ids": [row["id"] for row in rows], "id_number_map": {row["id"]: row["voucher_no"] for row in rows}}

    def reverse(self, body: Record, now: int) -> Record:
        """凭证冲销: a red voucher for each that is audited and not reversed yet."""
        return {"rows": [self._reversed(str(one), now) for one in body.get("ids") or []]}

    def _reversed(self, native_id: str, now: int) -> Record:
        kept = self._found(native_id)
        if kept["bill_status"] != "C" or kept["have_reverse"]:
            return {"id": native_id, "message": "凭证未审核或已冲销", "reverse_voucher_id": ""}
        entries = [
            {**entry, **{name: _negated(entry[name]) for name in ("debit_amount", "credit_amount", "amount_for")}}
            for entry in kept["entry_list"]
        ]
        red = {**kept, **self._numbered(kept["group_name"], kept["period"]), "entry_list": entries, "bill_status": "B"}
        red |= {name: _negated(kept[name]) for name in ("debit_total", "credit_total")}
        self._keep({**red, "is_reverse": True, "source_bill_no": "", "modify_time": now})
        self._keep({**kept, "have_reverse": True, "modify_time": now})
        return {"id": native_id, "message": "", "reverse_voucher_id": red["id"]}

    def _save(self, item: Record, now: int) -> str:
        kept = self._found(str(item["id"])) if item.get("id") else None
        require(kept is None or kept["bill_status"] == "B", "凭证已审核, 不能修改")
        require(is_day(str(item.get("date", ""))), "凭证日期不能为空")
        period = str(item["date"])[:7].replace("-", "")
        self._must_be_open(period)
        source = str(item.get("source_bill_no") or "")
        holder = next(
            (row["id"] for row in self.store.all("voucher") if source and row["source_bill_no"] == source), None
        )
        require(holder is None or holder == (kept or {}).get("id"), f"来源单据[{source}]已生成凭证")
        group = self._base.found("voucher_type", item.get("group_number"), item.get("group_id"))
        entries = [self._entry(place, entry) for place, entry in enumerate(item.get("entry_list") or [], 1)]
        require(len(entries) >= FEWEST, "凭证至少需要两条分录")
        debit, credit = (sum((Decimal(one[side]) for one in entries), ZERO) for side in SIDES.values())
        require(debit == credit, f"凭证借贷不平衡: 借方{debit}, 贷方{credit}")
        same = {name: (kept or {})[name] for name in ("id", "number", "voucher_no")} if kept else {}
        made = {**self._numbered(group["name"], period), **same, "date": item["date"], "period": period}
        made |= {
            "bill_status": "B",
            "group_id": group["id"],
            "group_number": group["number"],
            "group_name": group["name"],
        }
        made |= {"debit_total": str(debit), "credit_total": str(credit), "have_reverse": False, "is_reverse": False}
        made |= {"remark": str(item.get("remark", "")), "source_bill_no": source, "entry_list": entries}
        self._keep({**made, "create_time": (kept or {}).get("create_time", now), "modify_time": now})
        return str(made["id"])

    def _entry(self, place: int, entry: Record) -> Record:
        row = f"第{place}行分录"
        require(bool(str(entry.get("explanation", "")).strip()), f"{row}摘要不能为空")
        number, name, aux = self._account(entry, row)
        currency = self._base.found("currency", None, entry.get("currency_id"))
        side = SIDES.get(entry.get("dc", 0))
        require(side is not None, f"{row}dc必须为1或-1")
        amounts = {one: text_number(entry.get(one) or 0, f"{row}{one}") for one in SIDES.values()}
        other = next(one for one in SIDES.values() if one != side)
        require(amounts[str(side)] != 0 and amounts[other] == 0, f"{row}借方与贷方只能填一方且不能为0")
        for_ = text_number(entry.get("amount_for"), f"{row}原币金额")
        require(for_ == amounts[str(side)], f"{row}原币金额{for_}与本位币金额不符")
        return {
            "id": str(9000000 + self.store.next("entry")),
            "seq": str(place),
            "explanation": entry["explanation"],
            "account_id": self._account_id(number),
            "account_number": number,
            "account_name": name,
            "currency_id": currency["id"],
            "currency_number": currency["number"],
            "currency_name": currency["name"],
            "dc": str(entry["dc"]),
            "amount_for": str(for_),
            **{one: str(value) for one, value in amounts.items()},
            "assist": self._assist(entry.get("assist_list") or [], aux, row),
        }

    def _account(self, entry: Record, row: str) -> tuple[str, str, tuple[str, ...]]:
        wanted, own = str(entry.get("account_number") or ""), str(entry.get("account_id") or "")
        for number, name, _, aux in CHART:
            if number == wanted or self._account_id(number) == own:
                require(number not in self._parents, f"{row}科目{number}不是明细科目")
                return number, name, aux
        raise Refused(f"参数account_number[{wanted or own}]不存在")

    def _assist(self, given: list[Record], wanted: tuple[str, ...], row: str) -> list[Record]:
        for one in given:
            require(bool(one.get("id") and one.get("type")), f"{row}辅助核算的id与type不能为空")
            found = self._base.found(KNOWN.get(str(one["type"]), ""), None, one["id"])
            require(one.get("number", found["number"]) == found["number"], f"{row}辅助核算的id与编码不一致")
        missing = set(wanted) - {str(one["type"]) for one in given}
        require(not missing, f"{row}缺少辅助核算{sorted(missing)}")
        return [{"id": str(one["id"]), "type": one["type"], "number": one.get("number", "")} for one in given]

    def _numbered(self, word: str, period: str) -> Record:
        number = str(self.store.next(f"voucher_{word}_{period}"))
        native_id = str(8000000 + self.store.next("voucher"))
        return {"id": native_id, "number": number, "voucher_no": f"{word}-{number}"}

    def _must_be_open(self, period: str) -> None:
        closed = (self.store.get("ledger", "chart") or {})["closed_until"]
        require(period > closed, f"会计期间{period}已结账")

    def _found(self, native_id: str) -> Record:
        kept = self.store.get("voucher", native_id)
        if kept is None:
            raise Refused(f"参数id[{native_id}]不存在")
        return kept

    def _keep(self, voucher: Record) -> None:
        self.store.put("voucher", voucher["id"], voucher)

    @staticmethod
    def _account_id(number: str) -> str:
        return f"7{number:0<8}"


def _negated(value: Any) -> str:
    return str(-Decimal(str(value)))
