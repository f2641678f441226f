"""Steps around reds: explicit issue, vouchers after the red, what a person gave up, split requests, commands."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duijie.cli.invoice_red import app
from duijie.codec import Record
from duijie.derive.making import make
from duijie.flow import Derive
from duijie.invoicing import corrections
from duijie.journal import Journal, deliveries, documents, planning
from sandbox.bureau import RedForm
from tests.derive.test_invoices import COMPANY
from tests.invoicing.reds_world import ORDER, World, opened
from tests.invoicing.test_reds import buyer_begins

MAPPINGS = Path("mappings")
ISSUE = Derive(name="issue", make="red_issues")
REDS = Derive(name="reds", make="red_requests")
MONEY = {"net": Decimal("100.00"), "tax": Decimal("13.00"), "tax_rate": Decimal("0.13")}
REFUNDS = Derive(name="refunds", make="vouchers", rule="refund", settings={"after_red": True})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def run(journal: Journal, step: Derive) -> Record:
    return dict(make(journal, "red_invoices", step, MAPPINGS))


def said(*command: str) -> str:
    done = CliRunner().invoke(app, list(command), env={"COLUMNS": "300"})
    return f"{done.exit_code} {done.output}"


def test_a_confirmed_form_is_issued_once_where_the_platform_does_not_do_so_by_itself(world: World) -> None:
    world.sandbox.bureau.settings({"auto_red": False})
    world.sold()
    world.refund("113.00", qty=2)
    world.run("red_invoices")
    assert world.reds()[0]["status"] == "issuing"
    assert run(world.journal, ISSUE) == {"new_documents": 1}
    assert run(world.journal, ISSUE) == {}
    [asked] = world.all("red_issue")
    [form] = world.forms()
    assert (asked["form_no"], asked["red_request_no"]) == (form["form_no"], world.all("red_request")[0]["key"])
    world.sandbox.bureau.issue_red(asked["form_no"], asked["request_no"])
    world.run("red_invoices")
    assert world.reds()[0]["status"] == "issued"


def test_a_form_that_waits_or_has_its_red_asks_for_no_issue(world: World) -> None:
    world.sandbox.seed({"booked_buyers": [COMPANY["title"]]})
    world.sold()
    world.refund("113.00", qty=2)
    world.run("red_invoices")
    assert run(world.journal, ISSUE) == {}
    world.sandbox.bureau.answer(world.forms()[0]["form_no"], "buyer", True)
    world.run("red_invoices")
    assert world.reds()[0]["status"] == "issued"
    assert run(world.journal, ISSUE) == {}


def test_the_voucher_of_a_refund_can_wait_for_the_red_invoice_and_is_made_once(world: World) -> None:
    world.sandbox.seed({"booked_buyers": [COMPANY["title"]]})
    world.sold()
    money = {"shop": "S01", "net": Decimal("100.00"), "tax": Decimal("13.00"), "tax_rate": Decimal("0.13")}
    world.refund("113.00", qty=2, **money)
    world.refund("113.00", 2, order_key="taobao:S01:none", **money)
    world.run("red_invoices")
    assert run(world.journal, REFUNDS)["new_documents"] == 1  # of the order without an invoice
    world.sandbox.bureau.answer(world.forms()[0]["form_no"], "buyer", True)
    world.run("red_invoices")
    assert run(world.journal, REFUNDS)["new_documents"] == 1
    assert run(world.journal, REFUNDS)["sources"] == 0
    assert len(world.all("voucher")) == 2


def test_the_voucher_of_a_refund_that_lessened_the_request_waits_for_no_red(world: World) -> None:
    world.sold()
    world.refund("113.00", shop="S01", net=Decimal("100.00"), tax=Decimal("13.00"), tax_rate=Decimal("0.13"))
    [back] = documents.current(world.journal, "sales_refund")
    with world.journal.writing() as tx:
        documents.mark_derived(tx, "red_invoice", [back], world.all("invoice_request")[0]["key"])
    assert run(world.journal, REFUNDS)["new_documents"] == 1


def test_the_voucher_of_a_refund_waits_for_the_red_that_was_begun_once_more(world: World) -> None:
    world.sandbox.seed({"booked_buyers": [COMPANY["title"]]})
    world.sold()
    world.refund("113.00", qty=2, shop="S01", **MONEY)
    world.run("red_invoices")
    world.sandbox.bureau.answer(world.forms()[0]["form_no"], "buyer", False)
    world.run("red_invoices")
    corrections.again(world.journal, world.reds()[0]["request_no"], who="王会计")
    world.run("red_invoices")
    assert "new_documents" not in run(world.journal, REFUNDS)
    world.sandbox.bureau.answer(world.forms()[-1]["form_no"], "buyer", True)
    world.run("red_invoices")
    assert run(world.journal, REFUNDS)["new_documents"] == 1


def test_the_voucher_of_a_refund_waits_for_no_red_that_a_person_gave_up(world: World) -> None:
    world.sold()
    world.refund("113.00", qty=2, shop="S01", **MONEY)
    assert run(world.journal, REDS) == {"new_documents": 1}
    world.plan("red_request")
    assert "new_documents" not in run(world.journal, REFUNDS)
    world.give_up(world.all("red_request")[0]["key"])
    assert run(world.journal, REFUNDS)["new_documents"] == 1


def test_a_red_that_a_person_gave_up_takes_nothing(world: World) -> None:
    world.sold()
    world.refund("113.00", qty=2)
    assert run(world.journal, REDS) == {"new_documents": 1}
    fresh = planning.unplanned(world.journal, "red_request", "nuonuo/red_request")
    planning.plan(world.journal, "red_invoices", "nuonuo/red_request", [(one, 0) for one in fresh])
    ids = deliveries.waiting_ids(world.journal, "nuonuo/red_request", ("pending",))
    deliveries.cancel(world.journal, ids, "王会计", "不再红冲")
    world.refund("56.50", 2)
    assert run(world.journal, REDS) == {"new_documents": 1}
    world.run("red_invoices")
    assert [form["net"] for form in world.forms()] == ["-50.00"]


def test_a_refund_of_a_split_order_reverses_the_part_that_has_its_line(world: World) -> None:
    world.sold()
    [first] = world.all("invoice_request")
    second = {**first, "key": "DJ2", "request_no": "DJ2", "base_no": "DJ", "part": 2}
    second["lines"] = [{**first["lines"][0], "sku": "B9", "oid": "o9"}]
    world.put("invoice_request", second)
    world.run("invoices")
    world.refund("113.00", place=9, sku="B9", qty=2)
    world.run("red_invoices")
    assert world.all("red_request")[0]["blue_request_no"] == "DJ2"


def test_the_commands_do_what_a_person_decides(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "open", staticmethod(lambda *_: world.journal))
    world.sold()
    request = world.all("invoice_request")[0]["request_no"]
    form_no = buyer_begins(world)
    world.run("red_invoices")
    assert form_no in said("reds")
    assert said("answer", form_no, "--refuse").startswith("1")
    assert "拒绝" in said("answer", form_no, "--refuse", "--why", "未退货")
    world.run("red_invoices", "red_invoices")
    assert world.forms()[0]["state"] == "06"
    done = said("correct", request, "--title", "上海远见贸易有限公司", "--tax-no", "91310115MA1DEMA278")
    assert done.startswith("0") and "全额红冲" in done
    world.sandbox.seed({"booked_buyers": [COMPANY["title"]]})
    world.run("red_invoices")
    red = world.all("red_request")[0]["request_no"]
    assert said("red-again", red).startswith("1")
    world.clock.forward(hours=72)
    world.run("red_invoices")
    assert "重新发起" in said("red-again", red)
    world.run("red_invoices")
    world.sandbox.bureau.answer(world.forms()[-1]["form_no"], "buyer", True)
    world.run("red_invoices", "invoices")
    assert world.blue()["buyer_name"] == "上海远见贸易有限公司"
    assert "issued" in said("reds", "--json")


def test_every_red_is_linked_to_what_led_to_it(world: World) -> None:
    world.sold()
    world.refund("56.50")
    world.run("red_invoices")
    [red] = world.all("red_request")
    assert (red["refund_key"], red["order_key"]) == ("taobao:S01:R1", ORDER)
    assert documents.derived_keys(world.journal, "red_invoice") == {"taobao:S01:R1": red["key"]}


def test_a_red_form_of_a_blue_that_is_not_ours_is_told_as_such(world: World) -> None:
    world.sold()
    number = world.blue()["number"]
    world.sandbox.bureau.begin(RedForm("B1", number, "buyer", "sales_return"))
    with world.journal.writing() as tx:
        body = {**world.all("invoice")[0], "number": "26992000000000009999"}
        documents.put(tx, world.journal, "invoice", body, (None, "test"))
    world.run("red_invoices")
    assert "不是经本系统开具的发票" in world.items("red_answer")[0]
