"""红冲 end to end over the 诺诺 sandbox: parts, allowances, the rest; wrong titles; buyers who agree or do not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive.invoices import load_rules
from duijie.invoicing import corrections, red_forms
from duijie.reconcile.pairs import corrected
from sandbox.bureau import RedForm, RedLine
from sandbox.kit import Fault
from tests.derive.test_invoices import COMPANY, line
from tests.invoicing.reds_world import World, opened

RULES = load_rules(Path("mappings/rules/invoice.yaml"))
RIGHT = {"name": "上海远见贸易有限公司", "tax_no": "91310115MA1DEMA278"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def buyer_begins(world: World, amount: tuple[str, str] = ("-10.00", "-1.30"), number: str = "B1") -> str:
    taken = RedLine(1, Decimal(amount[0]), Decimal(amount[1]))
    form = RedForm(number, world.blue()["number"], "buyer", "allowance", (taken,))
    return str(world.sandbox.bureau.begin(form)["form_no"])


def correct(world: World, buyer: Record) -> Record:
    request = world.all("invoice_request")[0]["request_no"]
    return corrections.correct(world.journal, RULES, request, buyer, who="王会计")


def reversed_(world: World) -> Decimal:
    return sum((red["gross"] for red in world.reds() if red["status"] == "issued"), Decimal(0))


def test_parts_an_allowance_and_the_rest_take_back_exactly_the_blue(world: World) -> None:
    blue = world.sold(line(1, Decimal("113.00"), qty=2), line(2, Decimal("22.60")))
    for number, (amount, more) in enumerate([("56.50", {}), ("10.00", {"kind": "money_only"}), ("46.50", {})], 1):
        world.refund(amount, number, **more)
        world.run("red_invoices")
    assert [(red["status"], red["gross"]) for red in world.reds()] == [
        ("issued", Decimal("-56.50")),
        ("issued", Decimal("-10.00")),
        ("issued", Decimal("-46.50")),
    ]
    assert {red["blue_number"] for red in world.reds()} == {blue["number"]}
    assert len({red["number"] for red in world.reds()}) == 3
    assert [sum(Decimal(form[name]) for form in world.forms()) for name in ("net", "tax")] == [-100, -13]
    assert [form["reason"] for form in world.forms()] == ["sales_return", "allowance", "sales_return"]


def test_what_is_more_than_the_blue_has_left_waits_for_a_person_and_never_leaves(world: World) -> None:
    world.sold(line(1, Decimal("113.00"), qty=2), line(2, Decimal("22.60")))
    world.refund("100.00", 1)
    world.refund("13.01", 2)
    world.run("red_invoices")
    assert [form["net"] for form in world.forms()] == ["-88.50"]
    [reason] = world.items("invoice")
    assert "E-RED-OVER" in reason and "taobao:S01:R2" in reason and "13.00" in reason


def test_two_refunds_at_once_are_reversed_one_after_the_other(world: World) -> None:
    world.sandbox.seed({"issue_seconds": 0.3})
    world.sold(line(1, Decimal("113.00"), qty=2), line(2, Decimal("22.60")))
    while world.blue()["status"] != "issued":
        world.run("invoices")
    world.refund("56.50", 1)
    world.refund("22.60", 2, place=2)
    for _ in range(3):
        world.run("red_invoices")
        world.clock.forward(hours=1)
    assert reversed_(world) == Decimal("-79.10")
    assert len(world.forms()) == 2


def test_a_whole_refund_reverses_the_whole_invoice_once_whatever_is_lost(world: World) -> None:
    blue = world.sold()
    world.refund("113.00", qty=2)
    world.sandbox.faults = [Fault("lose_answer", match="HZ", count=1, writes=True)]
    world.run("red_invoices", "red_invoices")
    [red] = world.reds()
    assert (red["status"], red["gross"], red["blue_number"]) == ("issued", -blue["gross"], blue["number"])
    assert len(world.forms()) == 1
    assert world.sandbox.bureau.credit()[1] == 0


def test_a_refund_waits_until_its_blue_invoice_is_issued(world: World) -> None:
    world.sandbox.seed({"issue_seconds": 5})
    world.sold()
    world.refund("113.00", qty=2)
    world.run("red_invoices")
    assert (world.blue()["status"], world.forms(), world.items()) == ("issuing", [], [])
    world.clock.forward(seconds=6)
    world.run("invoices", "red_invoices")
    assert len(world.forms()) == 1


def test_a_discount_is_reversed_with_its_line(world: World) -> None:
    world.sold()
    [request] = world.all("invoice_request")
    line_ = {**request["lines"][0], "nature": "discounted"}
    less = {name: line_[name] for name in ("name", "tax_class_code", "tax_rate")}
    amounts = {"net": Decimal("-10.00"), "tax": Decimal("-1.30"), "gross": Decimal("-11.30")}
    unwished = {name: value for name, value in world.all("sales_order")[0].items() if name != "invoice_wish"}
    world.put("sales_order", {**unwished, "key": "taobao:S01:8", "order_no": "8"})
    discounted = {
        **request,
        "key": "DJ8",
        "request_no": "DJ8",
        "order_key": "taobao:S01:8",
        "lines": [line_, {**less, "line_no": 2, "nature": "discount", **amounts}],
        "net": Decimal("90.00"),
        "tax": Decimal("11.70"),
        "gross": Decimal("101.70"),
    }
    world.put("invoice_request", discounted)
    world.run("invoices")
    world.refund("50.00", order_key="taobao:S01:8")
    world.refund("51.70", 2, order_key="taobao:S01:8")
    world.run("red_invoices", "red_invoices")
    taken = sorted((form["lines"][0]["blue_line"], form["net"]) for form in world.forms())
    assert taken == [(1, "-44.25"), (1, "-45.75")]
    assert reversed_(world) == Decimal("-101.70")


class TestWrongTitle:
    def test_it_is_reversed_as_a_whole_and_issued_anew_under_a_new_number(self, world: World) -> None:
        wrong = world.sold()
        red = correct(world, RIGHT)
        assert correct(world, RIGHT) == red
        assert (red["reason"], red["lines"], "refund_key" in red) == ("wrong_invoice", [], False)
        world.run("red_invoices", "invoices", "red_invoices", "invoices")
        first, second = world.all("invoice_request")
        assert (second["corrects"], second["lines"]) == (first["request_no"], first["lines"])
        assert second["request_no"] not in (first["request_no"], "")
        right = world.blue()
        assert (right["buyer_name"], right["buyer_tax_no"], right["status"]) == (*RIGHT.values(), "issued")
        assert right["number"] != wrong["number"]
        assert [form["reason"] for form in world.forms()] == ["wrong_invoice"]
        assert len(world.sandbox.bureau.blues()) == 2

    def test_the_wrong_one_and_its_red_are_explained_in_reconciliation_once_both_are_there(self, world: World) -> None:
        world.sold()
        red = correct(world, RIGHT)
        assert corrected(world.journal) == {}
        world.run("red_invoices", "red_invoices")
        blue = world.all("invoice_request")[0]["request_no"]
        said = f"抬头更正: {blue} 已由 {red['request_no']} 全额红冲, 以新单号重开"
        assert corrected(world.journal) == dict.fromkeys((blue, red["request_no"]), said)

    def test_nothing_is_issued_anew_before_the_red_is_there(self, world: World) -> None:
        world.sandbox.seed({"booked_buyers": [COMPANY["title"]]})
        world.sold()
        correct(world, RIGHT)
        world.run("red_invoices", "invoices")
        assert len(world.all("invoice_request")) == 1
        [form] = world.forms()
        world.sandbox.bureau.answer(form["form_no"], "buyer", True)
        world.run("red_invoices", "invoices")
        assert len(world.sandbox.bureau.blues()) == 2

    def test_a_refund_before_the_new_one_leaves_keeps_the_right_title(self, world: World) -> None:
        world.sold(line(1, Decimal("113.00"), qty=2))
        correct(world, RIGHT)
        world.run("red_invoices", "red_invoices")
        world.plan("invoice_request")
        world.refund("56.50")
        world.run("invoices", "invoices")
        last = world.all("invoice_request")[-1]
        assert (last["buyer"], last["gross"], "corrects" in last) == (RIGHT, Decimal("56.50"), True)
        assert world.blue()["buyer_name"] == RIGHT["name"]

    def test_a_correction_whose_red_was_given_up_holds_up_nothing_and_can_be_begun_again(self, world: World) -> None:
        world.sold()
        red = correct(world, RIGHT)
        world.plan("red_request")
        world.give_up(red["request_no"])
        other = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": COMPANY["tax_no"]}
        again = correct(world, other)
        assert (again["request_no"] != red["request_no"], again["gross"]) == (True, red["gross"])
        world.run("red_invoices", "red_invoices", "invoices")
        assert world.blue()["buyer_name"] == other["name"]

    def test_a_refund_afterwards_takes_back_the_new_invoice(self, world: World) -> None:
        world.sold()
        correct(world, RIGHT)
        world.run("red_invoices", "invoices")
        world.refund("56.50")
        world.run("red_invoices")
        assert [form["blue_number"] for form in world.forms()][-1] == world.blue()["number"]

    def test_what_was_reversed_in_part_or_is_not_issued_or_has_a_bad_tax_number_is_refused(self, world: World) -> None:
        world.sold()
        with pytest.raises(InvalidDocument, match="W-USCC-CHECK"):
            correct(world, {"name": "某公司", "tax_no": "91330106MA2DEMK14A"})
        world.refund("56.50")
        world.run("red_invoices")
        with pytest.raises(InvalidDocument, match="E-RED-FULL-ONLY"):
            correct(world, RIGHT)
        with pytest.raises(ConfigError, match="DJNONE"):
            corrections.correct(world.journal, RULES, "DJNONE", RIGHT, who="王会计")

    def test_a_second_correction_to_somebody_else_is_refused(self, world: World) -> None:
        world.sold()
        correct(world, RIGHT)
        with pytest.raises(ConfigError, match="another buyer"):
            correct(world, {"name": "第三家公司", "tax_no": RIGHT["tax_no"]})


class TestBuyerMustAgree:
    @pytest.fixture(autouse=True)
    def booked(self, world: World) -> Record:
        world.sandbox.seed({"booked_buyers": [COMPANY["title"]]})
        world.sold()
        world.refund("113.00", qty=2)
        world.run("red_invoices")
        [form] = world.forms()
        return form

    def test_it_is_awaited_with_its_deadline_and_issued_when_he_agrees(self, world: World, booked: Record) -> None:
        [reason] = world.items("red_form")
        until = world.reds()[0]["form_expires_at"][:16].replace("T", " ")
        assert booked["form_no"] in reason and until in reason and "-113.00" in reason
        assert world.reds()[0]["status"] == "waiting_confirmation"
        world.sandbox.bureau.answer(booked["form_no"], "buyer", True)
        world.run("red_invoices")
        assert (world.items(), world.reds()[0]["status"]) == ([], "issued")

    def test_a_refusal_is_a_persons_and_a_new_form_has_a_new_number(self, world: World, booked: Record) -> None:
        world.sandbox.bureau.answer(booked["form_no"], "buyer", False)
        world.run("red_invoices", "red_invoices")
        assert world.items("red_form") == []
        [reason] = world.items("red_void")
        assert "购方否认" in reason and booked["form_no"] in reason
        assert len(world.forms()) == 1
        old = world.reds()[0]["request_no"]
        made = corrections.again(world.journal, old, who="王会计")
        assert corrections.again(world.journal, old, who="王会计") == made
        assert made["request_no"] != old
        assert world.items("red_void") == []
        world.run("red_invoices")
        world.sandbox.bureau.answer(world.forms()[-1]["form_no"], "buyer", True)
        world.run("red_invoices")
        assert [red["status"] for red in world.reds()] == ["failed", "issued"]
        assert reversed_(world) == Decimal("-113.00")
        assert world.items() == []

    def test_after_72_hours_it_is_void_and_told_once(self, world: World) -> None:
        world.clock.forward(hours=71)
        world.run("red_invoices")
        assert len(world.items("red_form")) == 1
        world.clock.forward(hours=1)
        world.run("red_invoices", "red_invoices")
        [reason] = world.items("red_void")
        assert "72 小时" in reason
        assert (world.items("red_form"), world.reds()[0]["form_state"]) == ([], "07")

    def test_what_stands_can_not_be_begun_once_more(self, world: World) -> None:
        with pytest.raises(ConfigError, match="no void red request"):
            corrections.again(world.journal, world.reds()[0]["request_no"], who="王会计")

    def test_once_more_is_refused_where_others_took_the_amount(self, world: World, booked: Record) -> None:
        world.sandbox.bureau.answer(booked["form_no"], "buyer", False)
        world.run("red_invoices")
        world.refund("56.50", 2)
        world.run("red_invoices")
        with pytest.raises(InvalidDocument, match="E-RED-OVER"):
            corrections.again(world.journal, world.reds()[0]["request_no"], who="王会计")


class TestBuyerBegins:
    @pytest.fixture(autouse=True)
    def sold(self, world: World) -> str:
        world.sold()
        form_no = buyer_begins(world)
        world.run("red_invoices")
        return form_no

    def test_a_person_is_told_what_and_until_when(self, world: World, sold: str) -> None:
        [reason] = world.items("red_answer")
        request = world.all("invoice_request")[0]["request_no"]
        blue = world.blue()["number"]
        assert all(one in reason for one in (sold, request, blue, COMPANY["title"], "-10.00", "-1.30", "-11.30"))
        assert "72 小时内确认或拒绝" in reason

    @pytest.mark.parametrize(("agrees", "state"), [(True, "04"), (False, "06")])
    def test_the_answer_reaches_the_bureau_once_whatever_is_lost(
        self, world: World, sold: str, agrees: bool, state: str
    ) -> None:
        red_forms.answer(world.journal, sold, agrees=agrees, why="与退货不符", who="王会计")
        assert world.items("red_answer") == []
        world.sandbox.faults = [Fault("lose_answer", match="confirmAgreement", count=1, writes=True)]
        world.run("red_invoices", "red_invoices")
        assert world.forms()[0]["state"] == state
        assert world.all("red_form")[0]["state"] == state
        assert world.items() == []
        assert bool(world.all("red_form")[0].get("red_number")) == agrees

    def test_two_people_do_not_answer_differently(self, world: World, sold: str) -> None:
        first = red_forms.answer(world.journal, sold, agrees=True, why="", who="王会计")
        assert red_forms.answer(world.journal, sold, agrees=True, why="", who="李会计") == first
        with pytest.raises(ConfigError, match="answered otherwise"):
            red_forms.answer(world.journal, sold, agrees=False, why="未退货", who="李会计")
        world.run("red_invoices")
        assert world.forms()[0]["state"] == "04"

    def test_a_refund_waits_while_it_is_open_and_counts_it_afterwards(self, world: World, sold: str) -> None:
        world.refund("113.00", qty=2)
        world.run("red_invoices")
        assert (len(world.forms()), world.items("invoice")) == (1, [])
        red_forms.answer(world.journal, sold, agrees=True, why="", who="王会计")
        world.run("red_invoices", "red_invoices")
        [reason] = world.items("invoice")
        assert "E-RED-OVER" in reason and "101.70" in reason
        assert len(world.forms()) == 1

    def test_it_is_refused_when_answered_twice_too_late_or_without_a_reason(self, world: World, sold: str) -> None:
        with pytest.raises(InvalidDocument, match="refused"):
            red_forms.answer(world.journal, sold, agrees=False, why=" ", who="王会计")
        with pytest.raises(ConfigError, match="no such form"):
            red_forms.answer(world.journal, "1" * 20, agrees=True, why="", who="王会计")
        world.clock.forward(hours=72)
        with pytest.raises(ConfigError, match="expired"):
            red_forms.answer(world.journal, sold, agrees=True, why="", who="王会计")
        world.run("red_invoices")
        assert world.items("red_answer") == []
        with pytest.raises(ConfigError, match="07"):
            red_forms.answer(world.journal, sold, agrees=True, why="", who="王会计")
