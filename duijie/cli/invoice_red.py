"""`duijie invoice correct | red-again | answer | reds`: what a person decides about reversing invoices."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from duijie.cli.output import AsJson, console, show, told
from duijie.derive.invoices import load_rules
from duijie.invoicing import corrections, red_forms
from duijie.journal import Journal, documents

app = typer.Typer(no_args_is_help=True)
Rules = Annotated[Path, typer.Option("--rules", help="The file of invoicing rules.")]
DEFAULT = Path("mappings/rules/invoice.yaml")
Why = Annotated[str, typer.Option(help="The reason, kept with the decision.")]


@app.command()
@told
def correct(
    request: Annotated[str, typer.Argument(help="The request (开票申请号) whose invoice has a wrong title.")],
    title: Annotated[str, typer.Option(help="The right title 抬头.")],
    tax_no: Annotated[str, typer.Option(help="The right tax number 税号; empty for a person.")] = "",
    address: Annotated[str, typer.Option(help="Address 地址.")] = "",
    phone: Annotated[str, typer.Option(help="Telephone 电话.")] = "",
    bank: Annotated[str, typer.Option(help="Bank 开户行.")] = "",
    account: Annotated[str, typer.Option(help="Bank account 账号.")] = "",
    email: Annotated[str, typer.Option(help="Where the invoice is sent.")] = "",
    why: Why = "",
    rules: Rules = DEFAULT,
) -> None:
    """抬头有误: reverse the whole invoice, and issue it anew to the right buyer when that is done."""
    given = {
        "name": title,
        "tax_no": tax_no,
        "address": address,
        "phone": phone,
        "bank": bank,
        "account": account,
        "email": email,
    }
    buyer = {name: value for name, value in given.items() if value}
    who = getpass.getuser()
    red = corrections.correct(Journal.open(), load_rules(rules), request, buyer, who=who, why=why)
    console.print(f"已生成全额红冲 {red['request_no']}; 红字发票开出后自动以新单号给 {title} 开票")


@app.command("red-again")
@told
def red_again(red: Annotated[str, typer.Argument(help="The void red request (红字申请号).")]) -> None:
    """Begin a void red form once more, under a new number."""
    made = corrections.again(Journal.open(), red, who=getpass.getuser())
    console.print(f"已重新发起红字申请 {made['request_no']} (原 {red}); 红字流程下次运行时发出")


@app.command()
@told
def answer(
    form: Annotated[str, typer.Argument(help="The form's number (确认单编号).")],
    is_agreed: Annotated[bool, typer.Option("--agree/--refuse", help="What we say to it.")],
    why: Why = "",
) -> None:
    """Answer a buyer's red form; the flow delivers it."""
    made = red_forms.answer(Journal.open(), form, agrees=is_agreed, why=why, who=getpass.getuser())
    console.print(f"确认单 {made['form_no']}: {'同意' if made['agrees'] else '拒绝'}; 红字流程下次运行时发出")


@app.command()
@told
def reds(as_json: AsJson = False) -> None:
    """Red requests and forms, how each stands and until when it waits."""
    show(_rows(Journal.open()), as_json, "红冲")


def _rows(journal: Journal) -> list[dict[str, Any]]:
    results = {one.body["request_no"]: one.body for one in documents.current(journal, "invoice")}
    rows = [_row(one.body, results.get(one.key, {})) for one in documents.current(journal, "red_request")]
    return rows + [
        _form(one.body) for one in documents.current(journal, "red_form") if one.body["initiator"] == "buyer"
    ]


def _row(red: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    return {
        "单号": red["request_no"],
        "发起": "销方",
        "蓝票": red["blue_number"],
        "价税合计": f"{red['gross']:,}",
        "状态": result.get("status", "未发出或处理中"),
        "确认单": result.get("form_no", ""),
        "红票": result.get("number", ""),
        "截止": result.get("form_expires_at", ""),
    }


def _form(form: dict[str, Any]) -> dict[str, Any]:
    is_waiting = form["state"] == red_forms.FOR_SELLER
    return {
        "单号": form["form_no"],
        "发起": "购方",
        "蓝票": form["blue_number"],
        "价税合计": f"{form['gross']:,}",
        "状态": form["state"],
        "确认单": form["form_no"],
        "红票": form.get("red_number", ""),
        "截止": red_forms.deadline(form).isoformat() if is_waiting else "",
    }
