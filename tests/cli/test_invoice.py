"""`duijie invoice`: a preview that writes nothing, the official list of codes, SKUs without one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from duijie import codec
from duijie.cli.main import app
from duijie.codec import Record
from duijie.journal import Journal
from duijie.journal.tables import derived, document, work_item
from tests.derive.test_invoice_making import back, sold
from tests.derive.test_invoices import line
from tests.derive.test_making import put

FLOW = """
flow: invoices
title: 开票
schedule: "* * * * *"
steps:
  - {verb: derive, name: ask, make: invoice_requests, settings: {limits: {lines: 2}}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    monkeypatch.setenv("COLUMNS", "240")
    (tmp_path / "dags/flows").mkdir(parents=True)
    (tmp_path / "dags/flows/invoices.yaml").write_text(FLOW, encoding="utf-8")
    rules = tmp_path / "mappings/rules"
    rules.mkdir(parents=True)
    for name in ("invoice.yaml", "tax_codes.csv"):
        (rules / name).write_text(Path("mappings/rules", name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def filled(root: Path, *orders: Record) -> Journal:
    kept = Journal.open(f"sqlite:///{root / 'journal.db'}")
    put(kept, "sales_order", *orders)
    return kept


def invoke(root: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["invoice", *words])
    return done.exit_code, done.stdout


def test_a_preview_shows_what_would_be_asked_for_and_writes_nothing(root: Path) -> None:
    good = sold("7", *[line(n, Decimal("11.30")) for n in (1, 2, 3)])
    bad = sold("8", line(1, Decimal("113.00"), tax_class_code=""))
    kept = filled(root, good, bad, sold("9"))
    put(kept, "sales_refund", back("113.00", "9", qty=2))
    code, said = invoke(root, "preview", "--flows", str(root / "dags/flows"))
    assert code == 0
    for told in (
        "拆分 1/2",
        "拆分 2/2",
        "22.60",
        "E-TAXCODE-MISSING",
        "补上税收分类编码",
        "已全额退款",
        "未写入任何内容",
    ):
        assert told in said
    with kept.reading() as tx:
        counts = [tx.execute(select(func.count()).select_from(table)).scalar_one() for table in (derived, work_item)]
        made = tx.execute(select(func.count()).where(document.c.entity == "invoice_request")).scalar_one()
    assert (counts, made) == ([0, 0], 0)


def test_a_preview_for_programs_has_requests_and_findings(root: Path) -> None:
    filled(root, sold("7"), sold("8", line(1, Decimal("113.00"), tax_class_code="")))
    code, said = invoke(root, "preview", "--flows", str(root / "dags/flows"), "--json", "--bad")
    [one] = codec.decode(said.encode())
    assert (code, one["orders"], len(one["requests"])) == (0, ["taobao:S01:8"], 1)
    [[finding]] = one["findings"]
    assert {"code", "field", "value", "rule", "source", "remedy", "severity"} <= set(finding)


def test_a_flow_that_is_not_there_is_told(root: Path) -> None:
    filled(root)
    assert invoke(root, "preview", "--flows", str(root / "dags/flows"), "--flow", "nobody")[0] == 1


def test_an_imported_list_is_used_at_once(root: Path) -> None:
    filled(root, sold("7"))
    path = root / "list.csv"
    path.write_text("合并编码,货物和劳务名称\n1010115010200000000,苹果\n", encoding="utf-8")
    code, said = invoke(root, "tax-codes", str(path), "--rules", str(root / "mappings/rules"))
    assert code == 0 and "已导入 1 个" in said
    assert "W-TAXCODE-UNKNOWN" in invoke(root, "preview", "--flows", str(root / "dags/flows"))[1]


def test_skus_without_a_code_are_told_with_what_may_fit(root: Path) -> None:
    kept = filled(root, sold("7", line(1, Decimal("113.00"), tax_class_code="", name="红富士苹果")))
    folder = str(root / "mappings/rules")
    code, said = invoke(root, "uncoded", "--rules", folder)
    assert code == 1 and "A1" in said and "1010115010200000000" in said
    put(kept, "product", {"key": "A1", "sku": "A1", "tax_class_code": "1010115010200000000"})
    assert invoke(root, "uncoded", "--rules", folder) == (0, "没有税收分类编码的商品: 无\n")
