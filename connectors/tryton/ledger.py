"""The general ledger of one company: vouchers (account.move) entered, posted and read back, and what they refer to.

Tryton has no field for a foreign key on a move; its number is given when it is posted. Our key travels in
`description` (free text, searchable), the summary stays on the lines. An implementer who adds a field of his own
names it in `key_field`; the summary then becomes the move's description.
Source: Tryton 8.2 and 6.0 (where the number given on posting is post_number), module account: account.move,
account.move.line, account.period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.tryton.client import ERRORS
from connectors.tryton.reader import Reader
from duijie.codec import Record
from duijie.connect.errors import AnswerLost, ConfigError, DuijieError, UnmappedCode, VendorRejected

ZERO = Decimal(0)
_MOVE = ("post_number|number", "date", "state", "period.name", "journal.code", "create_date", "write_date")
_LINE = ("account.code", "party.code", "debit", "credit", "description", "state")


@dataclass(kw_only=True)
class Ledger(Reader):
    """One company's books through one connection."""

    journal: str
    key_field: str
    _accounts: dict[str, int] = field(default_factory=dict, init=False)
    _parties: dict[str, int] = field(default_factory=dict, init=False)
    _journal_id: int = field(default=0, init=False)

    def vouchers(self, condition: list[Any]) -> Iterator[list[Record]]:
        """Pages of this company's vouchers that meet a Tryton domain, oldest id first. Raises errors of the tree."""
        fields = [self.key_field, *_MOVE, *(f"lines.{name}" for name in _LINE)]
        domain = [["company", "=", self.read(self.client.company)], condition]
        for rows in self.pages("account.move", domain, fields):
            yield [self._voucher(row) for row in rows]

    def enter(self, payloads: Sequence[Record]) -> list[int]:
        """Enter drafts in one call, which is one transaction: all or none. Returns their ids in order."""
        values = self._values(payloads)
        made = self.retrier.write(lambda: self.client.call("model.account.move.create", values))
        return [int(one) for one in made]

    def post(self, moves: Sequence[int]) -> None:
        """Post drafts in one transaction. Raises AnswerLost for whatever leaves it open whether they are posted."""
        try:
            self.retrier.write(lambda: self.client.call("model.account.move.post", list(moves)))
        except VendorRejected:
            raise
        except DuijieError as error:
            raise AnswerLost(error.zh, en=error.en, code=error.code, where=error.where) from error

    def delete(self, move: int) -> None:
        """Away with a draft. Raises errors of the tree."""
        self.retrier.write(lambda: self.client.call("model.account.move.delete", [move]))

    def accounts(self) -> dict[str, int]:
        """Accounts that can be posted to, by code."""
        company = self.read(self.client.company)
        domain = [["company", "=", company], ["type", "!=", None], ["closed", "!=", True]]
        return {row["code"]: row["id"] for row in self.search("account.account", domain, ["code"]) if row["code"]}

    def journal_id(self) -> int:
        """The journal vouchers go to, by code. Raises ConfigError."""
        if not self._journal_id:
            rows = self.search("account.journal", [["code", "=", self.journal]], ["code"])
            if not rows:
                raise ConfigError(
                    f"Tryton 中没有编码为 {self.journal} 的凭证簿, 请检查连接设置 journal",
                    en=f"no journal has the code {self.journal}; check the setting journal",
                    code="tryton:journal",
                    where="journal",
                )
            self._journal_id = int(rows[0]["id"])
        return self._journal_id

    def _values(self, payloads: Sequence[Record]) -> list[Record]:
        days = {date.fromisoformat(payload["date"]) for payload in payloads}
        periods = {day: self._period(day) for day in sorted(days)}
        lines = [line for payload in payloads for line in payload["lines"]]
        accounts = self._account_ids({line["account"] for line in lines})
        parties = self._party_ids([line["party"] for line in lines if line.get("party")])
        return [self._move(payload, periods, accounts, parties) for payload in payloads]

    def _move(
        self, payload: Record, periods: dict[date, int], accounts: dict[str, int], parties: dict[str, int]
    ) -> Record:
        day = date.fromisoformat(payload["date"])
        lines = [
            {
                "account": accounts[line["account"]],
                "party": parties[line["party"]["code"]] if line.get("party") else None,
                "debit": line["debit"],
                "credit": line["credit"],
                "description": line["description"],
            }
            for line in payload["lines"]
        ]
        return {
            "company": self.client.company(),
            "journal": self.journal_id(),
            "period": periods[day],
            "date": day,
            "description": payload["description"],
            self.key_field: payload["key"],  # "description" itself unless the setting says otherwise
            "lines": [["create", lines]],
        }

    def _period(self, day: date) -> int:
        """The open period of a day, asked anew each time: periods get closed. Raises VendorRejected."""
        company = self.read(self.client.company)
        domain = [["company", "=", company], ["type", "=", "standard"]]
        domain += [["start_date", "<=", day], ["end_date", ">=", day]]
        rows = self.search("account.period", domain, ["name", "state"])
        if not rows:
            raise ERRORS.error("period_missing", day.isoformat(), where=day.isoformat())
        if rows[0]["state"] != "open":
            raise ERRORS.error("period_closed", rows[0]["name"], where=day.isoformat())
        return int(rows[0]["id"])

    def _account_ids(self, codes: set[str]) -> dict[str, int]:
        if not codes <= self._accounts.keys():
            self._accounts = self.accounts()
        for code in sorted(codes - self._accounts.keys()):
            raise UnmappedCode("account", code, system="Tryton 科目表 (可记账的明细科目)")
        return self._accounts

    def _party_ids(self, wanted: Iterable[Record]) -> dict[str, int]:
        names = {party["code"]: party.get("name") or party["code"] for party in wanted}
        missing = [code for code in names if code not in self._parties]
        self._parties |= self._find_parties(missing)
        for code in missing:
            if code not in self._parties:
                self._parties[code] = self._create_party(code, names[code])
        return self._parties

    def _find_parties(self, codes: Sequence[str]) -> dict[str, int]:
        rows = self.search("party.party", [["code", "in", list(codes)]], ["code"]) if codes else []
        return {row["code"]: int(row["id"]) for row in rows}

    def _create_party(self, code: str, name: str) -> int:
        """Codes of parties are unique, so a second attempt is refused and finds the first one's party."""
        try:
            made = self.read(lambda: self.client.call("model.party.party.create", [{"code": code, "name": name}]))
            return int(made[0])
        except VendorRejected:
            found = self._find_parties([code])
            if code not in found:
                raise
            return found[code]

    def _voucher(self, row: Record) -> Record:
        lines = [_line(line) for line in sorted(row["lines."], key=lambda line: int(line["id"]))]
        return {
            "key": row[self.key_field] or f"#{row['id']}",
            "id": str(row["id"]),
            "number": row["post_number"] or "",
            "date": row["date"].isoformat(),
            "state": row["state"],
            "period": row["period."]["name"],
            "journal": (row["journal."] or {}).get("code") or "",
            "modified": (row["write_date"] or row["create_date"]).isoformat(),
            "debit": sum((line["debit"] for line in lines), ZERO),
            "credit": sum((line["credit"] for line in lines), ZERO),
            "lines": lines,
        }


def _line(row: Record) -> Record:
    return {
        "account": row["account."]["code"] or "",
        "party": (row["party."] or {}).get("code") or "",
        "debit": row["debit"],
        "credit": row["credit"],
        "description": row["description"] or "",
        "state": row["state"],
    }
