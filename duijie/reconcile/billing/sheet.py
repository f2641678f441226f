"""票单勾稽表 as Excel: lines, differences and 销项核对, with totals; numbers are texts, amounts exact decimals."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from duijie.codes.sheet import put_cell
from duijie.journal import Journal
from duijie.journal.documents import yuan
from duijie.reconcile.billing import looking
from duijie.reconcile.billing.looking import Wanted
from duijie.reconcile.billing.reading import CHINA

WIDE = {"商品": 24, "订单号": 24, "发票号": 24, "原因": 48, "下一步": 36, "解释": 28, "差异": 16, "订单行": 22}
LINES = (
    *("店铺", "日期", "订单号", "订单行", "商品", "税率"),
    *("应收金额", "应收不含税", "应收税额", "蓝票", "红票", "已开金额", "已开税额", "已记账", "已记账税额", "已收款"),
    *("未开金额", "差异", "发票号"),
)
DIFFERENCES = (
    *("类别", "日期", "订单号", "应为", "实为", "差额", "税额差", "原因", "责任", "起始", "天数", "下一步", "解释"),
    "待处理编号",
)
TAXES = ("月份", "税率", "凭证销项税额", "已开票税额", "本月未开票税额", "补开以前月份税额", "差异", "未知来源差异")


def write(journal: Journal, wanted: Wanted = Wanted()) -> bytes:  # noqa: B008  a tuple cannot change
    """The workbook of what is wanted, from the newest run."""
    book = Workbook()
    book.remove(book.active)
    _fill(book, "票单勾稽", LINES, [_line(row) for row in looking.lines(journal, wanted)])
    now = journal.now()
    found = looking.differences(journal, wanted)
    _fill(book, "差异", DIFFERENCES, [_difference(row, (now - row.since).days) for row in found])
    _fill(book, "销项核对", TAXES, [_tax(row) for row in looking.taxes(journal, wanted.month)])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def rate_words(rate: str) -> str:
    """A rate as people write it: 13%; 不明 for none."""
    value = Decimal(rate) * 100
    return "不明" if value < 0 else f"{value.normalize():f}%"


def _line(row: Any) -> list[Any]:
    owed, blue = row.owed_net + row.owed_tax, row.blue_net + row.blue_tax
    red, posted = row.red_net + row.red_tax, row.posted_net + row.posted_tax
    amounts = (
        *(owed, row.owed_net, row.owed_tax, blue, red, blue + red, row.blue_tax + row.red_tax),
        *(posted, row.posted_tax, row.paid, owed - blue - red),
    )
    head = [row.shop, row.day, row.order_no, row.oid, row.name, rate_words(row.rate)]
    return [*head, *map(yuan, amounts), row.kinds, row.numbers]


def _difference(row: Any, days: int) -> list[Any]:
    amounts = map(yuan, (row.left_amount, row.right_amount, row.right_amount - row.left_amount, row.tax))
    since = row.since.astimezone(CHINA).strftime("%Y-%m-%d")
    told = [row.reason, row.owner, since, days, row.next_step, row.explanation]
    return [row.kind, row.day, row.order_no, *amounts, *told, str(row.work_item_id or "")]


def _tax(row: Any) -> list[Any]:
    amounts = (row.posted, row.issued, row.unbilled, -row.late, row.difference, row.unknown)
    return [row.month, rate_words(row.rate), *map(yuan, amounts)]


def _fill(book: Any, title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A sheet with a frozen head, a filter and a row of totals."""
    sheet = book.create_sheet(title)
    sheet.append(list(head))
    for number, row in enumerate([*rows, _totals(head, rows)], 2):
        for column, value in enumerate(row, 1):
            put_cell(sheet.cell(number, column), value)
    for cell in (*sheet[1], *sheet[sheet.max_row]):
        cell.font = Font(bold=True)
    for cell in sheet[1]:
        cell.fill = PatternFill("solid", fgColor="DCE6F1")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(head))}{len(rows) + 1}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    for column, name in enumerate(head, 1):
        sheet.column_dimensions[get_column_letter(column)].width = WIDE.get(name, 13)


def _totals(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Any]:
    sums: list[Any] = [None] * len(head)
    for row in rows:
        for column, value in enumerate(row):
            if isinstance(value, Decimal):
                sums[column] = (sums[column] or Decimal(0)) + value
    return ["合计", *sums[1:]]
