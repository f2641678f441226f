"""The bureau behind the platforms' sandboxes: numbers once, strict sums, a credit line, red forms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.bureau import Blue, Bureau, Line, Party, RedForm, RedLine, Refused
from sandbox.nuonuo import NuonuoSandbox
from sandbox.serve import Running
from sandbox.store import Store

SELLER = Party("示例销售有限公司", "91330106MA2DEMK14E")
BUYER = Party("示例采购有限公司", "91310115MA1DEMA278")
CODE = "1090511030000000000"


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bureau(clock: Clock) -> Bureau:
    return Bureau(Store(), clock)


def line(net: str = "100.00", tax: str = "13.00", **more: Any) -> Line:
    return Line("键盘", CODE, Decimal("0.13"), Decimal(net), Decimal(tax), **more)


def pieces(qty: str, price: str, net: str, tax: str) -> Line:
    return line(net, tax, qty=Decimal(qty), price=Decimal(price))


def blue(serial: str = "SO1", *lines: Line, **more: Any) -> Blue:
    return Blue(serial, "normal", SELLER, BUYER, lines or (pieces("2", "50", "100.00", "13.00"),), **more)


def issued(bureau: Bureau, clock: Clock, request: Blue | None = None) -> str:
    serial = bureau.submit(request or blue())["serial"]
    clock.forward(seconds=3)
    row = bureau.blue(serial)
    assert row is not None
    return str(row["number"])


def red(number: str, *lines: RedLine, no: str = "HZ1", reason: str = "sales_return", by: Any = "seller") -> RedForm:
    return RedForm(no, number, by, reason, lines)


def back(net: str, tax: str, qty: str | None = None, at: int = 1) -> RedLine:
    return RedLine(at, Decimal(net), Decimal(tax), None if qty is None else Decimal(qty))


def reason_of(call: Any, *given: Any) -> str:
    with pytest.raises(Refused) as caught:
        call(*given)
    assert caught.value.text
    return caught.value.reason


def test_an_invoice_is_issued_as_time_passes_and_has_its_number_when_signing_begins(
    bureau: Bureau, clock: Clock
) -> None:
    row = bureau.submit(blue())
    assert (bureau.status(row), row["number"], bureau.issued_at(row)) == ("issuing", "", None)
    clock.forward(seconds=1.4)
    shown = bureau.blue("SO1")
    assert shown and bureau.status(shown) == "signing" and shown["number"]
    clock.forward(seconds=1)
    assert bureau.status(shown) == "issued"
    assert f"{bureau.issued_at(shown):%Y-%m-%d %H:%M:%S}" == "2026-11-20 10:00:02"


def test_numbers_are_unique_and_of_an_area_that_no_bureau_has(bureau: Bureau, clock: Clock) -> None:
    numbers = {issued(bureau, clock, blue(f"SO{n}")) for n in range(20)}
    assert len(numbers) == 20
    assert all(len(number) == 20 and number.isdigit() and number[:4] == "2699" for number in numbers)


def test_a_serial_is_taken_once(bureau: Bureau) -> None:
    bureau.submit(blue())
    assert reason_of(bureau.submit, blue()) == "duplicate"
    assert len(bureau.blues()) == 1


def test_everything_is_there_after_a_restart(clock: Clock, tmp_path: Any) -> None:
    first = Bureau(Store(tmp_path / "bureau.db"), clock)
    number = issued(first, clock)
    form = first.begin(red(number))
    clock.forward(seconds=3)
    again = Bureau(Store(tmp_path / "bureau.db"), clock)
    assert (again.by_number(number) or {})["serial"] == "SO1"
    assert again.forms(form_no=form["form_no"])[0]["red_number"]
    assert again.credit()[1] == 0


@pytest.mark.parametrize(
    "lines",
    [
        (line(tax="13.07"),),
        (line(tax="-13.00"),),
        (line(net="100.001"),),
        (pieces("3", "50", "100.00", "13.00"),),
        (line(qty=Decimal(1)),),
        (replace(line(), tax_class_code="10905"),),
        (replace(line(), rate=Decimal("0.12"), tax=Decimal("12.00")),),
        (line("-5.00", "-0.65"),),
        (line(nature="discounted"),),
        (line(nature="discounted"), line("-100.01", "-13.00", nature="discount")),
        (line(), line("-5.00", "-0.65", nature="discount")),
        (line(nature="discounted"), line("-1.00", "-0.13", nature="discount", qty=Decimal(-1), price=Decimal(1))),
        (replace(line(), policy="03"),),
    ],
)
def test_sums_that_do_not_hold_are_refused(bureau: Bureau, lines: tuple[Line, ...]) -> None:
    assert reason_of(bureau.submit, blue("SO1", *lines)) == "arithmetic"
    assert bureau.blue("SO1") is None


def test_tax_may_be_six_cents_off_and_a_discount_follows_its_line(bureau: Bureau) -> None:
    row = bureau.submit(blue("SO1", line(tax="13.06", nature="discounted"), line("-10.00", "-1.30", nature="discount")))
    assert (row["net"], row["tax"]) == ("90.00", "11.76")


def test_a_special_invoice_needs_the_buyers_tax_number(bureau: Bureau) -> None:
    assert reason_of(bureau.submit, replace(blue(), kind="special", buyer=Party("示例采购有限公司"))) == "buyer"


def test_an_unknown_buyer_fails_and_uses_no_credit(bureau: Bureau, clock: Clock) -> None:
    bureau.settings({"unknown_buyers": [BUYER.tax_no]})
    bureau.submit(blue())
    clock.forward(seconds=3)
    row = bureau.blue("SO1") or {}
    assert (bureau.status(row), row["cause"], row["number"]) == ("failed", "buyer", "")
    assert bureau.credit()[1] == 0
    assert reason_of(bureau.admit, blue("SO2")) == "buyer"


def test_a_buyers_check_digit_counts_only_where_the_request_asks_for_it(bureau: Bureau, clock: Clock) -> None:
    wrong = Party("示例采购有限公司", "91330106MA2TEST01X")
    assert bureau.submit(replace(blue("A"), buyer=wrong))["cause"] == ""
    assert bureau.submit(replace(blue("B"), buyer=wrong, verifies_buyer=True))["cause"] == "buyer"


def test_the_credit_line_is_of_a_month_and_without_tax(bureau: Bureau, clock: Clock) -> None:
    bureau.settings({"credit_line": "150.00"})
    bureau.submit(blue("A"))
    assert bureau.credit() == (Decimal("150.00"), Decimal("100.00"))
    assert bureau.submit(blue("B"))["cause"] == "credit"
    assert reason_of(bureau.admit, blue("C")) == "credit"
    clock.forward(days=12)
    assert bureau.credit()[1] == 0
    assert bureau.retry("B")["cause"] == ""


def test_a_red_of_the_same_month_gives_the_amount_back_and_a_later_one_does_not(bureau: Bureau, clock: Clock) -> None:
    first, second = issued(bureau, clock, blue("A")), issued(bureau, clock, blue("B"))
    bureau.begin(red(first, no="R1"))
    assert bureau.credit()[1] == Decimal("200.00")
    clock.forward(seconds=3)
    assert bureau.credit()[1] == Decimal("100.00")
    clock.forward(days=12)
    bureau.begin(red(second, no="R2"))
    clock.forward(seconds=3)
    assert bureau.credit()[1] == 0


@pytest.mark.parametrize(("state", "reason"), [("login", "login"), ("sms", "login"), ("scan", "scan")])
def test_without_a_login_nothing_is_issued_until_it_is_there(
    bureau: Bureau, clock: Clock, state: str, reason: str
) -> None:
    bureau.settings({"login": state})
    assert bureau.login() == state
    assert reason_of(bureau.admit, blue()) == reason
    assert bureau.submit(blue())["cause"] == "login"
    clock.forward(seconds=3)
    bureau.settings({"login": "in"})
    assert bureau.retry("SO1")["cause"] == ""
    clock.forward(seconds=3)
    assert (bureau.blue("SO1") or {})["number"]


def test_only_what_failed_is_begun_again(bureau: Bureau) -> None:
    bureau.submit(blue())
    assert reason_of(bureau.retry, "SO1") == "state"
    assert reason_of(bureau.retry, "SO2") == "not_found"


def test_a_form_of_the_seller_needs_no_confirmation_and_the_red_invoice_follows(bureau: Bureau, clock: Clock) -> None:
    number = issued(bureau, clock)
    form = bureau.begin(red(number))
    assert (form["state"], form["red_number"], form["net"], form["tax"]) == ("01", "", "-100.00", "-13.00")
    assert len(form["form_no"]) == 20 and len(form["uuid"]) == 32
    clock.forward(seconds=3)
    row = bureau.by_number(bureau.forms(form_no=form["form_no"])[0]["red_number"]) or {}
    assert (row["colour"], row["blue_number"], row["form_no"]) == ("red", number, form["form_no"])
    assert [(one["net"], one["qty"], one["price"]) for one in row["lines"]] == [("-100.00", "-2", "50")]
    assert number in row["remark"] and form["form_no"] in row["remark"]
    assert bureau.status(row) == "issued"


def test_a_buyer_who_has_booked_must_agree(bureau: Bureau, clock: Clock) -> None:
    bureau.settings({"booked_buyers": [BUYER.name]})
    form_no = bureau.begin(red(issued(bureau, clock)))["form_no"]
    clock.forward(hours=71)
    assert bureau.forms(form_no=form_no)[0]["state"] == "02"
    assert reason_of(bureau.answer, form_no, "seller", True) == "state"
    assert bureau.answer(form_no, "buyer", True)["state"] == "04"
    clock.forward(seconds=3)
    assert bureau.forms(form_no=form_no)[0]["red_number"]


@pytest.mark.parametrize(
    ("initiator", "opened", "answerer", "refused"), [("seller", "02", "buyer", "05"), ("buyer", "03", "seller", "06")]
)
def test_what_can_become_of_a_form_that_waits(
    bureau: Bureau, clock: Clock, initiator: str, opened: str, answerer: str, refused: str
) -> None:
    bureau.settings({"booked_buyers": [BUYER.tax_no]})
    number = issued(bureau, clock)
    form = bureau.begin(red(number, no="R1", by=initiator))
    assert form["state"] == opened
    assert bureau.answer(form["form_no"], answerer, False)["state"] == refused
    second = bureau.begin(red(number, no="R2", by=initiator))["form_no"]
    assert reason_of(bureau.withdraw, second, answerer) == "state"
    assert bureau.withdraw(second, initiator)["state"] == "08"
    third = bureau.begin(red(number, no="R3", by=initiator))["form_no"]
    clock.forward(hours=72)
    assert bureau.forms(form_no=third)[0]["state"] == "07"
    assert reason_of(bureau.answer, third, answerer, True) == "state"
    assert bureau.begin(red(number, no="R4", by=initiator))["state"] == opened


def test_an_agreed_form_can_be_withdrawn_only_before_its_red_invoice(bureau: Bureau, clock: Clock) -> None:
    bureau.settings({"booked_buyers": [BUYER.tax_no], "auto_red": False})
    number = issued(bureau, clock)
    first = bureau.begin(red(number, no="R1"))["form_no"]
    bureau.answer(first, "buyer", True)
    assert bureau.withdraw(first, "seller")["state"] == "09"
    second = bureau.begin(red(number, no="R2"))["form_no"]
    bureau.answer(second, "buyer", True)
    bureau.issue_red(second, "RS1")
    assert reason_of(bureau.withdraw, second, "seller") == "state"


def test_a_red_invoice_that_must_be_asked_for_is_issued_once_under_its_serial(bureau: Bureau, clock: Clock) -> None:
    bureau.settings({"auto_red": False})
    number = issued(bureau, clock)
    form_no = bureau.begin(red(number))["form_no"]
    clock.forward(hours=1)
    assert bureau.forms(form_no=form_no)[0]["red_number"] == ""
    assert bureau.status(bureau.issue_red(form_no, "RS1")) == "issuing"
    clock.forward(seconds=3)
    again = bureau.issue_red(form_no, "RS1")
    assert again["number"] and bureau.red("RS1") == again
    assert bureau.forms(form_no=form_no)[0]["red_number"] == again["number"]
    assert reason_of(bureau.issue_red, form_no, "RS2") == "state"
    other = bureau.begin(red(issued(bureau, clock, blue("SO2")), no="R2"))["form_no"]
    assert reason_of(bureau.issue_red, other, "RS1") == "duplicate"


def test_a_void_form_brings_no_red_invoice(bureau: Bureau, clock: Clock) -> None:
    bureau.settings({"booked_buyers": [BUYER.name], "auto_red": False})
    form_no = bureau.begin(red(issued(bureau, clock)))["form_no"]
    assert reason_of(bureau.issue_red, form_no, "RS1") == "state"
    bureau.answer(form_no, "buyer", False)
    assert reason_of(bureau.issue_red, form_no, "RS1") == "state"


def test_one_form_of_a_blue_is_open_at_a_time_and_an_application_is_taken_once(bureau: Bureau, clock: Clock) -> None:
    number = issued(bureau, clock)
    bureau.begin(red(number, back("-50.00", "-6.50", "-1"), no="R1"))
    assert reason_of(bureau.begin, red(number, back("-50.00", "-6.50", "-1"), no="R2")) == "open_form"
    clock.forward(seconds=3)
    assert reason_of(bureau.begin, red(number, back("-50.00", "-6.50", "-1"), no="R1")) == "duplicate"
    assert bureau.begin(red(number, back("-50.00", "-6.50", "-1"), no="R2"))["state"] == "01"


def test_parts_and_allowances_never_come_to_more_than_the_blue(bureau: Bureau, clock: Clock) -> None:
    number = issued(bureau, clock)
    bureau.begin(red(number, back("-50.00", "-6.50", "-1"), no="R1"))
    clock.forward(seconds=3)
    bureau.begin(red(number, back("-20.00", "-2.60"), no="R2", reason="allowance"))
    clock.forward(seconds=3)
    assert reason_of(bureau.begin, red(number, back("-30.01", "-3.90"), no="R3")) == "over"
    assert reason_of(bureau.begin, red(number, back("-30.00", "-3.90", "-2"), no="R3")) == "over"
    assert reason_of(bureau.begin, red(number, no="R3")) == "over"
    bureau.begin(red(number, back("-30.00", "-3.90", "-1"), no="R3"))
    clock.forward(seconds=3)
    assert reason_of(bureau.begin, red(number, back("-0.01", "0.00"), no="R4")) == "over"


def test_a_discounted_line_stands_for_what_the_discount_left(bureau: Bureau, clock: Clock) -> None:
    lines = (line(nature="discounted"), line("-10.00", "-1.30", nature="discount"), pieces("1", "50", "50.00", "6.50"))
    number = issued(bureau, clock, blue("SO1", *lines))
    assert reason_of(bureau.begin, red(number, back("-100.00", "-13.00"))) == "over"
    assert reason_of(bureau.begin, red(number, back("-10.00", "-1.30", at=2))) == "not_found"
    form = bureau.begin(red(number))
    assert [(one["blue_line"], one["net"]) for one in form["lines"]] == [(1, "-90.00"), (3, "-50.00")]


@pytest.mark.parametrize(
    "taken",
    [
        (back("50.00", "6.50"),),
        (back("-50.00", "-6.60"),),
        (back("-50.00", "-6.50", "1"),),
        (back("-20.00", "-2.60"), back("-20.00", "-2.60")),
    ],
)
def test_red_lines_are_negative_and_their_tax_holds(bureau: Bureau, clock: Clock, taken: tuple[RedLine, ...]) -> None:
    assert reason_of(bureau.begin, red(issued(bureau, clock), *taken)) == "arithmetic"


def test_a_wrong_invoice_is_reversed_as_a_whole(bureau: Bureau, clock: Clock) -> None:
    number = issued(bureau, clock)
    part = red(number, back("-50.00", "-6.50", "-1"), reason="wrong_invoice")
    assert reason_of(bureau.begin, part) == "full_only"
    assert bureau.begin(red(number, reason="wrong_invoice"))["net"] == "-100.00"


def test_neither_a_red_invoice_nor_what_is_not_issued_can_be_reversed(bureau: Bureau, clock: Clock) -> None:
    number = issued(bureau, clock)
    form_no = bureau.begin(red(number))["form_no"]
    clock.forward(seconds=3)
    red_number = bureau.forms(form_no=form_no)[0]["red_number"]
    assert reason_of(bureau.begin, red(red_number, no="R2")) == "is_red"
    assert reason_of(bureau.begin, red("26992000000000099999", no="R2")) == "not_found"


def test_the_buyers_moves_are_ordered_over_the_admin_route(clock: Clock) -> None:
    sandbox = NuonuoSandbox(Store(), clock)
    bureau = sandbox.bureau
    number = issued(bureau, clock)
    begun = {"application_no": "B1", "blue_number": number, "initiator": "buyer", "reason": "allowance"}
    begun |= {"lines": [{"blue_line": 1, "net": "-10.00", "tax": "-1.30"}]}
    with Running(sandbox) as url:

        def order(**what: Any) -> Any:
            return requests.post(f"{url}/_admin/bureau", json=what, timeout=5)

        row = order(begin=begun).json()
        assert (row["state"], row["net"]) == ("03", "-10.00")
        assert order(withdraw={"form_no": row["form_no"], "by": "buyer"}).json()["state"] == "08"
        order(settings={"login": "scan", "booked_buyers": [BUYER.name]})
        assert bureau.login() == "scan"
        answer = {"form_no": bureau.begin(red(number))["form_no"], "by": "buyer", "agrees": False}
        assert order(answer=answer).json()["state"] == "05"
        again = order(answer=answer)
    assert (again.status_code, again.json()["reason"]) == (409, "state")


def test_an_unknown_setting_is_not_taken(bureau: Bureau) -> None:
    with pytest.raises(ValueError, match="isue_seconds"):
        bureau.settings({"isue_seconds": 1})
