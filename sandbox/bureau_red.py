"""红字信息确认单 at the bureau: who must confirm, 72 hours, one open form per blue, never more red than blue.

States as the bureau numbers them: 01 needs no confirmation, 02 waits for the buyer, 03 for the seller, 04 both agree,
05 the buyer refused, 06 the seller refused, 07 nobody answered in 72 h, 08 withdrawn, 09 withdrawn after agreement.
From 02: 04, 05, 07, 08; from 03: 04, 06, 07, 08; from 04: 09, or the red invoice; from 01: the red invoice.

A row has form_no (20 digits), uuid (32), application_no, state, initiator, reason, blue_number, lines (blue_line, net,
tax, qty as texts), net, tax, began and confirmed (ms, 0: not yet), red_number ("" until issued), red_serial, extra.

Source: 国家税务总局公告 2024 年第 11 号.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.bureau_rules import check_tax
from sandbox.bureau_terms import REASONS, WRONG_INVOICE, Record, RedForm, RedLine, Refused, must, plain
from sandbox.store import Store

if TYPE_CHECKING:
    from sandbox.bureau import Bureau

HOUR = 3_600_000
LIFE = 72 * HOUR
NOTHING_TO_CONFIRM, BY_SELLER, BY_BUYER, AGREED, EXPIRED = "01", "02", "03", "04", "07"
CONFIRMED = (NOTHING_TO_CONFIRM, AGREED)
LIVE = (NOTHING_TO_CONFIRM, BY_SELLER, BY_BUYER, AGREED)
ANSWERER = {BY_SELLER: "buyer", BY_BUYER: "seller"}
REFUSED = {BY_SELLER: "05", BY_BUYER: "06"}
NAMES = ("form_no", "uuid", "application_no", "blue_number")  # what a form is asked for by, and stays
WITHDRAWN = {BY_SELLER: "08", BY_BUYER: "08", AGREED: "09"}


class RedForms:
    """The forms of one bureau."""

    def __init__(self, store: Store, bureau: Bureau) -> None:
        self._store = store
        self._bureau = bureau
        self._named: dict[tuple[str, str], list[str]] = {}
        self._by_red: dict[str, str] = {}
        self._by_serial: dict[str, str] = {}
        self._unsettled: set[str] = set()
        for row in store.all("bureau_form"):
            self._index(row)

    def begin(self, form: RedForm) -> Record:
        """A new form. Raises Refused (duplicate, not_found, is_red, open_form, full_only, over, arithmetic)."""
        must(not self.forms(application_no=form.application_no), "duplicate", f"申请单号 {form.application_no} 已存在")
        must(form.reason in REASONS, "arithmetic", f"红冲原因无效: {form.reason}")
        blue = self._blue(form.blue_number)
        earlier = [row for row in self.forms(blue_number=form.blue_number) if row["state"] in LIVE]
        done = all(row["red_number"] for row in earlier)
        must(done, "open_form", "该发票存在未完成的红字信息确认单")
        lines = _taken(form, blue)
        _check_rest(blue, lines, earlier)
        return self._keep(form, blue, lines)

    def forms(self, **by: str) -> list[Record]:
        """Rows as they stand now, oldest first."""
        name = next((name for name in NAMES if name in by), "")
        rows: Iterable[Record] = self._store.all("bureau_form")
        if name:
            rows = map(self._row, self._named.get((name, by[name]), []))
        stored = {name: value for name, value in by.items() if name not in ("state", "red_number")}
        shown = [self._shown(row) for row in rows if all(row[name] == value for name, value in stored.items())]
        return [row for row in shown if all(row[name] == value for name, value in by.items())]

    def answer(self, form_no: str, by: str, agrees: bool) -> Record:
        """Agree to a form, or refuse it."""
        row = self._form(form_no)
        must(ANSWERER.get(row["state"]) == by, "state", f"确认单状态为 {row['state']}, 不能由该方确认")
        if not agrees:
            return self._change(form_no, state=REFUSED[row["state"]])
        return self._change(form_no, state=AGREED, confirmed=self._bureau.milliseconds())

    def withdraw(self, form_no: str, by: str) -> Record:
        """Take a form back."""
        row = self._form(form_no)
        open_ = row["initiator"] == by and row["state"] in WITHDRAWN and not self._red_begun(row)
        must(open_, "state", f"确认单状态为 {row['state']}, 不能撤销")
        return self._change(form_no, state=WITHDRAWN[row["state"]])

    def issue(self, form_no: str, serial: str) -> Record:
        """The red invoice of a form that stands; idempotent by serial."""
        row = self._form(form_no)
        other = self._by_serial.get(serial, form_no)
        must(other == form_no, "duplicate", f"流水号 {serial} 已用于其他红字发票")
        if row["red_serial"] != serial:
            must(row["state"] in CONFIRMED, "state", f"确认单状态为 {row['state']}, 不能开具红字发票")
            must(not row["red_serial"], "state", "该确认单已开具红字发票")
            row = self._give_number(self._row(form_no), serial)
        return self._red_row(row)

    def red(self, number: str) -> Record | None:
        """The red row that has been given this number."""
        form_no = self._by_red.get(number)
        found = self._red_row(self._shown(self._row(form_no))) if form_no else None
        return found if found and found["number"] else None

    def by_serial(self, serial: str) -> Record | None:
        """The red row under a serial."""
        form_no = self._by_serial.get(serial)
        return self._red_row(self._shown(self._row(form_no))) if form_no else None

    def settle(self) -> None:
        """Give the credit of reds that were issued since back to the month of their blue."""
        for form_no in sorted(self._unsettled):
            red = self._red_row(self._row(form_no))
            issued = self._bureau.issued_at(red)
            if issued is None:
                continue
            self._unsettled.discard(form_no)
            self._store.put("bureau_form", form_no, self._row(form_no) | {"settled": True})
            if f"{issued:%Y%m}" == red["month"]:
                self._bureau.use_credit(red["month"], Decimal(red["net"]))

    def _blue(self, number: str) -> Record:
        blue = self._bureau.by_number(number)
        if blue is None:
            raise Refused("not_found", f"未找到蓝票 {number}")
        must(blue["colour"] == "blue", "is_red", "该发票为红字发票, 不能红冲")
        return blue

    def _keep(self, form: RedForm, blue: Record, lines: list[RedLine]) -> Record:
        form_no, now = self._bureau.number("3"), self._bureau.milliseconds()
        state = BY_BUYER if form.initiator == "buyer" else BY_SELLER if self._is_booked(blue) else NOTHING_TO_CONFIRM
        row = {
            "form_no": form_no,
            "uuid": hashlib.sha256(form_no.encode()).hexdigest()[:32],
            "application_no": form.application_no,
            "state": state,
            "initiator": form.initiator,
            "reason": form.reason,
            "blue_number": blue["number"],
            "blue_serial": blue["serial"],
            "lines": [plain(vars(line)) for line in lines],
            "net": str(sum((line.net for line in lines), Decimal("0.00"))),
            "tax": str(sum((line.tax for line in lines), Decimal("0.00"))),
            "began": now,
            "confirmed": now if state == NOTHING_TO_CONFIRM else 0,
            "red_number": "",
            "red_serial": "",
            "red_began": 0,
            "settled": False,
            "extra": plain(form.extra),
        }
        self._store.put("bureau_form", form_no, row)
        self._index(row)
        return self._stands(row)

    def _is_booked(self, blue: Record) -> bool:
        booked = self._bureau.config["booked_buyers"]
        return blue["buyer"]["name"] in booked or blue["buyer"]["tax_no"] in booked

    def _change(self, form_no: str, **changes: str | int) -> Record:
        row = self._row(form_no) | changes
        self._store.put("bureau_form", form_no, row)
        return self._stands(row)

    def _stands(self, row: Record) -> Record:
        """The row; where the form is confirmed and nobody need ask for the red invoice, that begins now."""
        if row["state"] in CONFIRMED and self._bureau.config["auto_red"]:
            return self._give_number(row, f"R{row['form_no'][1:]}")
        return self._shown(row)

    def _give_number(self, row: Record, serial: str) -> Record:
        began = self._bureau.milliseconds()
        numbered = row | {"red_number": self._bureau.number("2"), "red_serial": serial, "red_began": began}
        self._store.put("bureau_form", row["form_no"], numbered)
        self._index(numbered)
        return self._shown(numbered)

    def _index(self, row: Record) -> None:
        form_no = row["form_no"]
        for name in NAMES:
            alike = self._named.setdefault((name, row[name]), [])
            if form_no not in alike:
                alike.append(form_no)
        if row["red_serial"]:
            self._by_red[row["red_number"]] = form_no
            self._by_serial[row["red_serial"]] = form_no
            self._unsettled |= set() if row["settled"] else {form_no}

    def _row(self, form_no: str) -> Record:
        row = self._store.get("bureau_form", form_no)
        if row is None:
            raise Refused("not_found", f"未找到红字信息确认单 {form_no}")
        return row

    def _form(self, form_no: str) -> Record:
        return self._shown(self._row(form_no))

    def _red_begun(self, row: Record) -> bool:
        return bool(row["red_serial"])

    def _shown(self, row: Record) -> Record:
        """As it stands now: expired by the clock, the red number only when the red invoice is issued."""
        waited = self._bureau.milliseconds() - row["began"]
        state = EXPIRED if row["state"] in ANSWERER and waited >= LIFE else row["state"]
        is_issued = bool(row["red_serial"]) and self._bureau.age(row["red_began"]) >= 1
        return {
            **row,
            "state": state,
            "expires": row["began"] + LIFE,
            "red_number": row["red_number"] if is_issued else "",
        }

    def _red_row(self, form: Record) -> Record:
        """The invoice that a form makes: the blue one with the form's lines."""
        kept = self._row(form["form_no"])
        blue = self._store.get("bureau_blue", kept["blue_serial"]) or {}
        is_issued = self._bureau.age(kept["red_began"]) >= 1
        remark = f"被红冲蓝字数电票号码：{kept['blue_number']} 红字发票信息确认单编号：{kept['form_no']}"
        return {
            **blue,
            "serial": kept["red_serial"],
            "colour": "red",
            "number": kept["red_number"] if is_issued else "",
            "blue_number": kept["blue_number"],
            "form_no": kept["form_no"],
            "reason": kept["reason"],
            "submitted": kept["red_began"],
            "lines": [_red_line(blue["lines"], line) for line in kept["lines"]],
            "net": kept["net"],
            "tax": kept["tax"],
            "remark": remark,
            "cause": "",
            "text": "",
        }


def _red_line(blues: list[Record], line: Record) -> Record:
    own = blues[line["blue_line"] - 1]
    amounts = {"net": line["net"], "tax": line["tax"], "qty": line["qty"], "price": own["price"] if line["qty"] else ""}
    return {**own, **amounts, "nature": "normal", "blue_line": line["blue_line"]}


def standing(blue: Record) -> dict[int, RedLine]:
    """What each line of a blue invoice stands for, counted from 1: a discount belongs to the line before it."""
    found: dict[int, RedLine] = {}
    for place, line in enumerate(blue["lines"], 1):
        net, tax = Decimal(line["net"]), Decimal(line["tax"])
        if line["nature"] == "discount":
            before = found[place - 1]
            found[place - 1] = RedLine(place - 1, before.net + net, before.tax + tax, before.qty)
        else:
            found[place] = RedLine(place, net, tax, Decimal(line["qty"]) if line["qty"] else None)
    return found


def _taken(form: RedForm, blue: Record) -> list[RedLine]:
    """The lines a form takes back: its own, or all."""
    lines = standing(blue)
    whole = [RedLine(at, -line.net, -line.tax, None if line.qty is None else -line.qty) for at, line in lines.items()]
    whole = [line for line in whole if line.net]
    if not form.lines:
        return whole
    for line in form.lines:
        _check_line(line, blue, lines)
    must(len({line.blue_line for line in form.lines}) == len(form.lines), "arithmetic", "蓝票明细序号重复")
    is_whole = sum(line.net + line.tax for line in form.lines) == sum(line.net + line.tax for line in whole)
    must(form.reason != WRONG_INVOICE or is_whole, "full_only", "开票有误只能全额红冲")
    return list(form.lines)


def _check_line(line: RedLine, blue: Record, lines: dict[int, RedLine]) -> None:
    where = f"蓝票第 {line.blue_line} 行"
    must(line.blue_line in lines, "not_found", f"{where} 不存在, 或为折扣行 (请填写被折扣行的序号)")
    must(line.net < 0 and line.tax <= 0, "arithmetic", f"{where} 红字金额必须为负数")
    must(line.qty is None or line.qty < 0, "arithmetic", f"{where} 红字数量必须为负数")
    check_tax(line.net, line.tax, Decimal(blue["lines"][line.blue_line - 1]["rate"]), where)


def _check_rest(blue: Record, lines: list[RedLine], earlier: list[Record]) -> None:
    """No line is taken back beyond its blue, neither in money nor in pieces.

    Money is compared with tax included: the split of several part amounts may differ by a cent from the whole's.
    """
    before = [line for row in earlier for line in row["lines"]]
    for at, own in standing(blue).items():
        now = [line for line in lines if line.blue_line == at]
        then = [line for line in before if line["blue_line"] == at]
        gross = sum((line.net + line.tax for line in now), Decimal(0))
        gross += sum((Decimal(line["net"]) + Decimal(line["tax"]) for line in then), Decimal(0))
        pieces = sum((line.qty or Decimal(0) for line in now), Decimal(0))
        pieces += sum((Decimal(line["qty"] or 0) for line in then), Decimal(0))
        enough = -gross <= own.net + own.tax and -pieces <= (own.qty or Decimal(0))
        must(enough, "over", f"第 {at} 行红冲超过蓝票剩余金额或数量, 不能再红冲")


__all__ = ["RedForms", "standing"]
