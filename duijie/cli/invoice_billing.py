"""`duijie invoice reconcile`: 票单勾稽 now, for a shell; the flow `billing` does the same on its schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from duijie.cli.output import AsJson, show, told
from duijie.connect.errors import ConfigError
from duijie.journal import Journal
from duijie.journal.documents import yuan
from duijie.reconcile.billing import compare_billing, looking, sheet
from duijie.reconcile.billing.looking import Wanted

FLOW = "billing"


@told
def reconcile(
    month: Annotated[str, typer.Option(help="Only orders of this month, as 2026-11.")] = "",
    excel: Annotated[Path | None, typer.Option(help="Write the workbook here as well.")] = None,
    root: Annotated[Path, typer.Option(help="The folder that holds mappings/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Hold order lines against invoices, vouchers and payments; exit 1 where somebody must act."""
    if month and not (len(month) == len("2026-11") and month[4] == "-"):
        raise ConfigError(f"月份 {month} 不对, 应如 2026-11", en=f"{month} is no month; write 2026-11", where="--month")
    journal = Journal.open()
    compare_billing(journal, FLOW, root / "mappings")
    wanted = Wanted(month=month)
    if excel is not None:
        excel.write_bytes(sheet.write(journal, wanted))
    found = looking.differences(journal, wanted)
    show([_row(one) for one in found], as_json, "票单勾稽差异")
    if not as_json:
        show([_tax(one) for one in looking.taxes(journal, month)], as_json, "销项核对")
    if any(one.is_open for one in found):
        raise typer.Exit(1)


def _row(one: Any) -> dict[str, Any]:
    return {
        "类别": one.kind,
        "订单号": one.order_no,
        "应为": yuan(one.left_amount),
        "实为": yuan(one.right_amount),
        "税额差": yuan(one.tax),
        "原因": one.reason,
        "责任": one.owner,
        "下一步": one.next_step,
        "解释": one.explanation,
    }


def _tax(one: Any) -> dict[str, Any]:
    names = {"posted": "凭证", "issued": "已开票", "unbilled": "未开票", "late": "补开", "difference": "差异"}
    amounts = {word: yuan(getattr(one, name)) for name, word in names.items()}
    return {"月份": one.month, "税率": sheet.rate_words(one.rate), **amounts}
