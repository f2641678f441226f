"""The day's report as a person reads it in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.table import Table

from duijie.cli.output import console

SHOWN = 12
INVOICE_WORDS = {
    "blue_issued": "蓝票已开",
    "blue_failed": "蓝票失败",
    "blue_issuing": "蓝票开具中",
    "red_issued": "红票已开",
    "red_failed": "红票失败",
    "red_issuing": "红票开具中",
}


def print_report(report: Mapping[str, Any]) -> None:
    """Print every part of the report."""
    console.rule("业务日报")
    _print(
        "流程",
        ("流程", "收", "发", "待人处理"),
        [(f["title"], f["pulled"], f["delivered"], f["waiting"]) for f in report["flows"]],
    )
    _print_waiting(report["waiting"])
    vouchers = report["vouchers"]
    balanced = "平" if vouchers["debit"] == vouchers["credit"] else "不平!"
    console.print(
        f"凭证 {vouchers['count']} 张, 借 {_money(vouchers['debit'])} = 贷 {_money(vouchers['credit'])} ({balanced})"
    )
    states = [f"{INVOICE_WORDS.get(state, state)} {number}" for state, number in report["invoices"].items()]
    console.print(f"发票: {', '.join(states) or '无'}")
    rows = [
        (
            r["title"],
            r["left_count"],
            r["right_count"],
            r["left_amount"],
            r["right_amount"],
            r["differences"],
            r["unexplained"],
        )
        for r in report["reconciliation"]["rows"]
    ]
    _print("对账 (双方均从系统重新读取)", ("对账", "左笔数", "右笔数", "左金额", "右金额", "差异", "未解释"), rows)
    _print("值守", ("级别", "发现"), [(w["level"], w["title"]) for w in report["watch"]])
    _print("异常与自愈", ("种类", "次数"), [(h["what"], h["count"]) for h in report["healed"]])
    _summary(report)


def _print_waiting(waiting: Sequence[Mapping[str, Any]]) -> None:
    """The most money first; what does not fit is counted and said where to find."""
    ordered = sorted(waiting, key=lambda one: -Decimal(one["amount"]))
    rows = [(one["owner"], one["documents"], one["amount"], one["reason"]) for one in ordered[:SHOWN]]
    _print("待处理", ("责任", "单据", "金额", "原因"), rows)
    if len(ordered) > SHOWN:
        console.print(f"  另有 {len(ordered) - SHOWN} 项, 见控制台“待处理”或 duijie work list")


def _summary(report: Mapping[str, Any]) -> None:
    runs, totals = report["airflow"], report["reconciliation"]
    console.print(
        f"新单据 {report['new_documents']}, 累计送达 {report['documents_delivered']}, "
        f"待人处理 {report['waiting_for_a_person']}; 对账 {totals['pairs']} 组, 差异 {totals['differences']}, "
        f"未解释 {totals['unexplained']}; DAG 运行 {runs['dag_runs']} 次, 失败 {runs['failed']}; "
        f"用时 {report['seconds']} 秒"
    )


def _print(title: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(title=title, title_justify="left", header_style="bold")
    for position, name in enumerate(names):
        numeric = bool(rows) and isinstance(rows[0][position], int | Decimal)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_money(cell) if isinstance(cell, Decimal) else str(cell) for cell in row))
    console.print(table)


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"
