"""票单勾稽表 in Excel and in the shell: exact amounts, numbers as texts, totals, nothing that Excel would compute."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from duijie import codec
from duijie.cli import invoice_billing
from duijie.engine import ROOT, Engine
from duijie.flow import load_flow
from duijie.reconcile.billing import compare_billing, looking, sheet
from duijie.reconcile.billing.looking import Wanted
from tests.reconcile.billing_world import MAPPINGS, World


@pytest.fixture
def compared(world: World) -> World:
    """One order that is clean, one not billed in full with a name that looks like a formula, one of December."""
    world.billed(world.order(3204086667211110000, "113.00", "54.50"))
    hostile = world.order(2, "0.30", "0.10")
    hostile["lines"][0]["name"] = "=1+1"
    world.put("sales_order", hostile)
    request = world.request(world.order(3, "1234567.89", business_date="2026-12-01"))
    world.invoice(request)
    world.post()
    world.came_at(datetime(2026, 11, 12, tzinfo=UTC))
    compare_billing(world.journal, "billing", MAPPINGS)
    return world


def book(world: World, wanted: Wanted = Wanted()) -> Any:  # noqa: B008
    return load_workbook(io.BytesIO(sheet.write(world.journal, wanted)))


def test_the_totals_are_the_exact_sums_of_the_lines(compared: World) -> None:
    rows = list(book(compared)["票单勾稽"].iter_rows(values_only=True))
    head, *lines, totals = rows
    place = head.index("应收金额")
    assert totals[0] == "合计"
    assert [Decimal(str(line[place])) for line in lines][2:4] == [Decimal("0.3"), Decimal("0.1")]
    assert Decimal(str(totals[place])) == Decimal("1234735.79")


def test_amounts_are_written_with_the_digits_they_have(compared: World) -> None:
    package = zipfile.ZipFile(io.BytesIO(sheet.write(compared.journal)))
    text = package.read("xl/worksheets/sheet1.xml").decode()
    numbers = set(re.findall(r"<v>([\d.]+)</v>", text))
    assert {"1234567.89", "0.3", "0.1"} <= numbers
    assert not [one for one in numbers if len(one.partition(".")[2]) > 2]


def test_order_numbers_are_texts_and_nothing_is_a_formula(compared: World) -> None:
    sheets = book(compared)
    cells = [cell for one in sheets for row in one.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert "3204086667211110000" in {cell.value for cell in cells if cell.data_type == "s"}
    assert "=1+1" in {cell.value for cell in cells if cell.data_type == "s"}


def test_heads_are_frozen_and_the_sheets_have_chinese_names(compared: World) -> None:
    sheets = book(compared)
    assert sheets.sheetnames == ["票单勾稽", "差异", "销项核对"]
    assert {one.freeze_panes for one in sheets} == {"A2"}


def test_a_month_and_a_class_can_be_asked_for(compared: World) -> None:
    december = list(book(compared, Wanted(month="2026-12"))["票单勾稽"].iter_rows(values_only=True))
    assert [row[2] for row in december[1:-1]] == ["3"]
    unbilled = list(book(compared, Wanted(kind="已记账未开票"))["票单勾稽"].iter_rows(values_only=True))
    assert [row[2] for row in unbilled[1:-1]] == ["2", "2"]


def test_the_shell_names_the_differences_and_ends_with_1(compared: World, tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    arguments = ["--month", "2026-11", "--excel", str(path), "--root", str(ROOT), "--json"]
    answer = CliRunner().invoke(_app(), arguments)
    [one] = codec.decode(answer.stdout.encode())
    assert (answer.exit_code, one["类别"], one["订单号"], one["应为"]) == (1, "已记账未开票", "2", Decimal("0.40"))
    assert path.read_bytes().startswith(b"PK")


def test_a_month_that_is_none_is_told(compared: World) -> None:
    answer = CliRunner().invoke(_app(), ["--month", "202611"])
    assert answer.exit_code == 1


def test_the_shipped_flow_compares_and_counts(compared: World) -> None:
    flow = load_flow(ROOT / "dags" / "flows" / "billing.yaml")
    engine = Engine(compared.journal, root=ROOT)
    assert engine.run(flow, flow.steps[0]) == {"orders": 3, "differences": 1, "unexplained": 1}
    assert looking.ran_at(compared.journal) is not None


def _app() -> Any:
    import typer  # noqa: PLC0415

    app = typer.Typer()
    app.command("reconcile")(invoice_billing.reconcile)
    return app
