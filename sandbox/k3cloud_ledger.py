"""The vouchers and the chart of the 金蝶云星空 sandbox."""

from __future__ import annotations

from typing import Any

from sandbox.k3cloud_operations import Fault, Operations, Refusal
from sandbox.k3cloud_query import Row
from sandbox.k3cloud_voucher import ENTRY_FIELDS, Ledger, faults_of, money, number_of, stored_entries

VOUCHER = "GL_VOUCHER"
ACCOUNT = "BD_Account"
Record = dict[str, Any]


class Vouchers(Operations):
    """GL_VOUCHER: saved and audited, numbered without gaps by period and word."""

    form = VOUCHER
    label = "凭证"
    key = "fvoucherid"
    number = "fbillno"

    def put(self, model: Record) -> Record:
        """A voucher as the ledger keeps it, numbered."""
        old = self.existing(str(model.get("FVOUCHERID") or model.get("FID") or ""))
        ledger = self._ledger()
        if faults := faults_of(model, ledger):
            raise Refusal(faults)
        entries = stored_entries(model, ledger, self.store.next("entry", 100001))
        for _ in entries[1:]:
            self.store.next("entry")
        kept = {**(old or self._new()), **self._head(model, ledger), "entries": entries}
        kept["fvouchergroupno"] = self._number(kept, str(model.get("FVOUCHERGROUPNO") or ""))
        self.store.put(VOUCHER, str(kept["fvoucherid"]), kept)
        return kept

    def known(self) -> frozenset[str]:
        """Fields of head and entries, and the custom ones."""
        head = {
            *("fvoucherid", "fbillno", "fdocumentstatus", "fcreatedate", "fmodifydate", "faccountbookid.fnumber"),
            *("fdate", "fyear", "fperiod", "fvouchergroupid.fnumber", "fvouchergroupid.fname", "fvouchergroupno"),
            *("fattachments", "fdebittotal", "fcredittotal"),
        }
        return frozenset(head | ENTRY_FIELDS | {name.casefold() for name in self.config["key_fields"]})

    def flat(self, asked: set[str]) -> list[Row]:
        """One row per entry when entry fields are asked for."""
        blank = {name.casefold(): "" for name in self.config["key_fields"]}
        vouchers = [{**blank, **one} for one in self.store.all(VOUCHER)]
        if not ENTRY_FIELDS & asked:
            return vouchers
        return [{**one, **entry} for one in vouchers for entry in one["entries"]]

    def _ledger(self) -> Ledger:
        return Ledger(
            book=self.config["account_book"],
            accounts={row["number"]: row for row in self.store.all("BD_Account")},
            customers={row["number"]: row for row in self.store.all("BD_Customer")},
            groups=self.config["groups"],
            open_periods=self.config["periods"]["open"],
            key_fields=self.config["key_fields"],
        )

    def _new(self) -> Record:
        number = self.store.next("voucher", 100001)
        return {
            "fvoucherid": number,
            "fbillno": f"PZ{number}",
            "fdocumentstatus": "A",
            "fcreatedate": self.stamp,
        }

    def _head(self, model: Record, ledger: Ledger) -> Record:
        day, group = str(model["FDate"])[:10], number_of(model["FVOUCHERGROUPID"])
        total = {side: sum(money(entry.get(side)) for entry in model["FEntity"]) for side in ("FDEBIT", "FCREDIT")}
        return {
            "faccountbookid.fnumber": ledger.book,
            "fdate": f"{day}T00:00:00",
            "fyear": int(day[:4]),
            "fperiod": int(day[5:7]),
            "fvouchergroupid.fnumber": group,
            "fvouchergroupid.fname": ledger.groups[group],
            "fattachments": model.get("FATTACHMENTS", 0),
            "fdebittotal": total["FDEBIT"],
            "fcredittotal": total["FCREDIT"],
            "fmodifydate": self.stamp,
            **{name.casefold(): str(model.get(name) or "") for name in ledger.key_fields},
        }

    def _number(self, kept: Record, wanted: str) -> int:
        """The next number of the period and word, without gaps; a given number must be free."""
        place = ("fyear", "fperiod", "fvouchergroupid.fnumber")
        others = [one for one in self.store.all(VOUCHER) if one["fvoucherid"] != kept["fvoucherid"]]
        used = {one["fvouchergroupno"] for one in others if all(one[name] == kept[name] for name in place)}
        if wanted and (not wanted.isdigit() or int(wanted) in used):
            raise Refusal([Fault("FVOUCHERGROUPNO", f"凭证号 {wanted} 已存在或无效")])
        if wanted:
            return int(wanted)
        held = int(kept.get("fvouchergroupno", 0))
        return held if held and held not in used else max(used, default=0) + 1


class Chart(Operations):
    """BD_Account, to be queried only."""

    form = ACCOUNT
    label = "科目"
    key = "fnumber"
    number = "fnumber"

    def run(self, operation: str, data: Record) -> Any:
        """The answer to a query; anything else is refused."""
        if operation != "ExecuteBillQuery":
            raise Refusal([Fault("", f"业务对象 {self.form} 不支持此操作", 10)])
        return super().run(operation, data)

    def put(self, model: Record) -> Record:
        """Never: the chart is seeded."""
        raise Refusal([Fault("", "科目不能保存", 10)])

    def known(self) -> frozenset[str]:
        """Number, name, whether it is a leaf, whether it is forbidden."""
        return frozenset(("fnumber", "fname", "fisdetail", "fforbidstatus"))

    def flat(self, asked: set[str]) -> list[Row]:
        """One row per account."""
        return [_account(row) for row in self.store.all(ACCOUNT)]


def _account(row: Record) -> Row:
    return {
        "fnumber": row["number"],
        "fname": row["name"],
        "fisdetail": row.get("leaf", True),
        "fforbidstatus": "B" if row.get("disabled") else "A",
    }
