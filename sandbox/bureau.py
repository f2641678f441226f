"""The tax bureau as every platform's sandbox meets it: one place that numbers invoices and never does so twice.

It keeps blue invoices, the seller's credit line, the drawer's login and red forms (sandbox/bureau_red.py). A platform's
sandbox adds its own transport, envelope, field names, codes and limits. Whatever a request comes to is settled when it
is received and shown as time passes, computed from the kept times, so that a restart changes nothing.

Settings (`settings({...})`, each may be absent)::

    {"issue_seconds": 2, "credit_line": "10000000.00", "login": "in" | "login" | "sms" | "scan",
     "unknown_buyers": ["tax no", …], "booked_buyers": ["tax no or name", …], "auto_red": true}

Numbers are 20 digits: year, the area 99, which no bureau has (so that nobody takes them for real), a digit for the
channel and a running number. A red row (`by_number`, `issue_red`) has the fields of a blue one with negative amounts,
`colour` "red", `blue_number` and `form_no`. Reds of the blue's own month give their amount back to the credit line.

Source: 国家税务总局公告 2024 年第 11 号 (a month's total of amounts without tax, 发票总额度; red forms).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from sandbox.bureau_red import RedForms
from sandbox.bureau_rules import check_blue, is_known, total
from sandbox.bureau_terms import Blue, Line, Party, Reason, Record, RedForm, RedLine, Refused, must, plain
from sandbox.store import Store

CHINA = timezone(timedelta(hours=8))
SIGNING_AFTER = Decimal("0.6")
HAS_NUMBER = ("signing", "issued")
DEFAULTS: Record = {
    "issue_seconds": "2",
    "credit_line": "10000000.00",
    "login": "in",
    "unknown_buyers": [],
    "booked_buyers": [],
    "auto_red": True,
}
LOGINS: dict[str, tuple[Reason, str]] = {
    "login": ("login", "电子税务局登录已失效, 请重新登录"),
    "sms": ("login", "电子税务局登录已失效, 请用短信验证码登录"),
    "scan": ("scan", "需要实名认证, 请扫码后重试"),
}


class Bureau:
    """Over a store: its records are in the collections bureau, bureau_blue, bureau_credit and bureau_form."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        rows = store.all("bureau_blue")
        self._by_number = {row["number"]: row for row in rows if row["number"]}
        self._reds = RedForms(store, self)

    @property
    def config(self) -> Record:
        """The settings in force."""
        return {**DEFAULTS, **(self._store.get("bureau", "settings") or {})}

    def settings(self, given: Record) -> None:
        """Change settings; those not given stay."""
        unknown = set(given) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"the bureau has no setting {', '.join(sorted(unknown))}")
        self._store.put("bureau", "settings", plain({**self.config, **given}))

    def now(self) -> datetime:
        """The clock, which must be aware."""
        return self._now()

    def milliseconds(self) -> int:
        """Now, in epoch ms."""
        return int(self._now().timestamp() * 1000)

    def number(self, channel: str) -> str:
        """The next number of 20 digits; `channel` is its fifth digit: 2 invoices, 3 forms."""
        return f"{self._now().astimezone(CHINA):%y}99{channel}{self._store.next('bureau_number'):015d}"

    def submit(self, blue: Blue) -> Record:
        """Take a request: its row. Raises Refused (duplicate, arithmetic, buyer).

        One that cannot be issued (credit, login, buyer) is taken as well, without a number, and fails as time passes;
        a platform that answers such a thing at once asks `admit` first.
        """
        must(self._store.get("bureau_blue", blue.serial) is None, "duplicate", f"流水号 {blue.serial} 已存在")
        check_blue(blue)
        row = plain(asdict(blue)) | {
            "colour": "blue",
            "net": str(total(blue.lines, "net")),
            "tax": str(total(blue.lines, "tax")),
        }
        return self._start(row)

    def retry(self, serial: str) -> Record:
        """Begin again with a request that failed. Raises Refused (not_found, state)."""
        row = self._store.get("bureau_blue", serial)
        if row is None:
            raise Refused("not_found", f"未找到流水号 {serial}")
        must(self.status(row) == "failed", "state", f"流水号 {serial} 不是开票失败, 不能重开")
        return self._start(row)

    def admit(self, blue: Blue) -> None:
        """Refused (login, scan, buyer, credit) where the request would fail for now; nothing is kept."""
        reason, text = self._obstacle(blue.buyer.tax_no, total(blue.lines, "net"), blue.verifies_buyer)
        if reason:
            raise Refused(reason, text)

    def blue(self, serial: str) -> Record | None:
        """The row of a request: its fields as texts, with net, tax, submitted (ms), cause, text, and its number once
        it has one.
        """
        row = self._store.get("bureau_blue", serial)
        return self._shown(row) if row else None

    def blues(self) -> list[Record]:
        """Every blue row, oldest first."""
        return [self._shown(row) for row in self._store.all("bureau_blue")]

    def by_number(self, number: str) -> Record | None:
        """The row of an invoice that has been given this number, blue or red."""
        row = self._by_number.get(number)
        if row is None:
            return self._reds.red(number)
        return self._shown(row) if self.status(row) in HAS_NUMBER else None

    def status(self, row: Record) -> str:
        """issuing | signing (it has its number) | issued | failed, of a blue or a red row."""
        age = self.age(row["submitted"])
        if age >= 1:
            return "failed" if row["cause"] else "issued"
        return "signing" if age >= SIGNING_AFTER and not row["cause"] else "issuing"

    def issued_at(self, row: Record) -> datetime | None:
        """When it was through, in China's time; None where it is not, or failed."""
        if self.status(row) != "issued":
            return None
        through = row["submitted"] + int(Decimal(self.config["issue_seconds"]) * 1000)
        return datetime.fromtimestamp(through / 1000, UTC).astimezone(CHINA)

    def age(self, since: int) -> Decimal:
        """How far what began then (ms) is: 0 when it began, 1 or more when it is through."""
        whole = Decimal(self.config["issue_seconds"]) * 1000
        return (self.milliseconds() - since) / whole if whole else Decimal(1)

    def month(self) -> str:
        """The month the credit line is for, as yyyymm."""
        return f"{self._now().astimezone(CHINA):%Y%m}"

    def credit(self) -> tuple[Decimal, Decimal]:
        """The seller's credit line of the month and how much of it is used, in yuan without tax."""
        self._reds.settle()
        return Decimal(self.config["credit_line"]), self._used(self.month())

    def use_credit(self, month: str, net: Decimal) -> None:
        """Take an amount off a month's credit line; a negative one comes back."""
        self._store.put("bureau_credit", month, {"used": str(self._used(month) + net)})

    def login(self) -> str:
        """How the drawer stands: in | login | sms | scan."""
        return str(self.config["login"])

    def begin(self, form: RedForm) -> Record:
        """Begin a red form: its row. Raises Refused (duplicate, not_found, is_red, open_form, full_only, over, …)."""
        return self._reds.begin(form)

    def forms(self, **by: str) -> list[Record]:
        """The forms whose application_no, form_no, uuid, blue_number, … are these; all of them without."""
        return self._reds.forms(**by)

    def answer(self, form_no: str, by: str, agrees: bool) -> Record:
        """The other side's word on a form. Raises Refused (not_found, state)."""
        return self._reds.answer(form_no, by, agrees)

    def withdraw(self, form_no: str, by: str) -> Record:
        """The initiator takes a form back. Raises Refused (not_found, state)."""
        return self._reds.withdraw(form_no, by)

    def issue_red(self, form_no: str, serial: str) -> Record:
        """The red row of a confirmed form; the same serial brings the same row. Raises Refused."""
        return self._reds.issue(form_no, serial)

    def red(self, serial: str) -> Record | None:
        """The red row under a serial, with its number once it has one."""
        return self._reds.by_serial(serial)

    def _start(self, row: Record) -> Record:
        net = Decimal(row["net"])
        reason, text = self._obstacle(row["buyer"]["tax_no"], net, row["verifies_buyer"])
        if not reason:
            self.use_credit(self.month(), net)
        started = row | {
            "number": "" if reason else self.number("2"),
            "submitted": self.milliseconds(),
            "month": self.month(),
            "cause": "login" if reason == "scan" else reason or "",
            "text": text,
        }
        self._store.put("bureau_blue", row["serial"], started)
        if started["number"]:
            self._by_number[started["number"]] = started
        return self._shown(started)

    def _obstacle(self, buyer: str, net: Decimal, is_verified: bool) -> tuple[Reason | None, str]:
        if self.login() in LOGINS:
            return LOGINS[self.login()]
        if buyer and (buyer in self.config["unknown_buyers"] or (is_verified and not is_known(buyer))):
            return "buyer", "购方税号校验不通过，未查询到该纳税人信息"
        line, used = self.credit()
        if net > line - used:
            return "credit", f"开票预扣授信额度失败，授信额度不足，剩余可用额度：{line - used}"
        return None, ""

    def _used(self, month: str) -> Decimal:
        return Decimal((self._store.get("bureau_credit", month) or {"used": "0.00"})["used"])

    def _shown(self, row: Record) -> Record:
        return {**row, "number": row["number"] if self.status(row) in HAS_NUMBER else ""}


__all__ = ["DEFAULTS", "Blue", "Bureau", "Line", "Party", "Record", "RedForm", "RedLine", "Refused"]
