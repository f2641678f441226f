"""What a command prints can be read on a screen of eighty columns."""

from __future__ import annotations

import pytest
from rich.console import Console

from duijie.cli import output


def printed(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, object]], width: int = 80) -> str:
    screen = Console(width=width, record=True, no_color=True)
    monkeypatch.setattr(output, "console", screen)
    output.show(rows, False, "试算")
    return screen.export_text()


WIDE: dict[str, object] = {
    "步骤": "pull_orders",
    "位置": "shop/sales_order",
    "映射": "shop/sales_order.in@340ef359b7c4",
}
WIDE |= {"条数": 1234567, "变化": 0, "说明": "", "金额前": "1,234,567.00", "金额后": "1,234,567.00"}


def test_a_table_that_fits_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "┃ 步骤" in printed(monkeypatch, [{"步骤": "pull", "条数": 1}])
    assert "┃ 步骤" in printed(monkeypatch, [WIDE], width=200)


def test_one_that_is_too_wide_is_told_a_row_after_the_other_without_what_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = printed(monkeypatch, [WIDE, WIDE | {"步骤": "deliver_orders"}])
    assert [line for line in said.splitlines() if not line.startswith(" ")] == ["试算", "pull_orders", "deliver_orders"]
    assert "映射 shop/sales_order.in@340ef359b7c4" in said
    assert "变化 0" in said
    assert "说明" not in said


def test_a_long_sentence_folds_in_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "┃ 文件" in printed(monkeypatch, [{"文件": "a.yaml", "原因": "字段 缺失 " * 40}])
