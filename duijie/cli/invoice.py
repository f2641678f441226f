"""`duijie invoice`: what would be asked for of the orders, and the tax class codes that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from duijie.cli.output import AsJson, console, show, told
from duijie.cli.work import DEFAULT, Flows
from duijie.codec import Record
from duijie.codes.official import OFFICIAL, keep, read_official
from duijie.connect.errors import ConfigError
from duijie.derive import tax_codes
from duijie.derive.invoice_making import Asking
from duijie.derive.invoice_preview import Proposal
from duijie.derive.invoice_rules import load_rules
from duijie.derive.invoice_sources import limits_of
from duijie.derive.making import Making
from duijie.engine import ROOT
from duijie.flow import Derive, load_flows
from duijie.journal import Journal, documents

app = typer.Typer(no_args_is_help=True)
MAKES = "invoice_requests"
KINDS = {"special": "专票", "normal": "普票"}
Codes = Annotated[Path, typer.Option("--rules", help="The folder of invoice.yaml and tax_codes.csv.")]


@app.command()
@told
def preview(
    flow: Annotated[str, typer.Option(help="Only this flow.")] = "",
    is_bad: Annotated[bool, typer.Option("--bad", help="Only what a person must act on.")] = False,
    flows: Flows = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """What would be asked for of the orders that are ready: merged, split, with every finding. Writes nothing."""
    found = [one for one in _proposals(flows, flow) if one.reason or not is_bad]
    if as_json:
        show([_plain(one) for one in found], True)
        return
    show([row for one in found for row in _rows(one)], False, "开票试算: 未写入任何内容")
    for one in found:
        _tell(one)


def _proposals(folder: Path, only: str) -> Iterator[Proposal]:
    known = load_flows(folder)
    if only and only not in known:
        names = ", ".join(known)
        raise ConfigError(f"没有流程 {only}, 可选: {names}", en=f"no flow {only}; known: {names}", where=only)
    journal, rules_folder = Journal.open_to_read(), _root(folder) / "mappings/rules"
    rules = load_rules(rules_folder / "invoice.yaml")
    for name, flow in known.items():
        for step in flow.steps:
            if isinstance(step, Derive) and step.make == MAKES and only in ("", name):
                yield from Asking.of(Making(journal, name, step, rules_folder)).proposals(rules, limits_of(step))


def _root(flows: Path) -> Path:
    return flows.resolve().parent.parent if flows.is_dir() else ROOT


def _rows(one: Proposal) -> Iterator[dict[str, Any]]:
    """A row for every request, or one for orders that none can be made of."""
    keys = "、".join(order["key"] for order in one.orders)
    if not one.requests:
        wish, left = one.orders[0]["invoice_wish"], "已全额退款, 不开票" if one.is_paid_back else "不能开票"
        yield {"申请单号": "", "票种": KINDS.get(wish["kind"], ""), "抬头": wish["title"], "行": 0, "价税合计": None,
               "订单": keys, "结果": left}  # fmt: skip
    for request, findings in zip(one.requests, one.findings, strict=True):
        yield {
            "申请单号": request["request_no"],
            "票种": KINDS[request["kind"]],
            "抬头": request["buyer"]["name"],
            "行": len(request["lines"]),
            "价税合计": request["gross"],
            "订单": "、".join(request.get("order_keys", [request["order_key"]])),
            "结果": _result(one, request, len(findings)),
        }


def _result(one: Proposal, request: Record, findings: int) -> str:
    told = ["待人工处理" if one.reason else "可开票"]
    if one.is_merged:
        told.append(f"合并 {len(one.orders)} 单")
    if one.is_split:
        told.append(f"拆分 {request['part']}/{len(one.requests)}")
    return ", ".join([*told, f"{findings} 项发现"] if findings else told)


def _tell(one: Proposal) -> None:
    if one.refused:
        console.print(f"✗ {one.refused}", highlight=False, markup=False)
    for request, findings in zip(one.requests, one.findings, strict=True):
        for each in findings:
            mark = "✗" if each.severity == "error" else "!"
            said = f"{mark} {request['request_no']} {each.code} {each.field}: {each.message} ({each.source})"
            console.print(said, highlight=False, markup=False)


def _plain(one: Proposal) -> dict[str, Any]:
    findings = [[each._asdict() for each in found] for found in one.findings]
    head = {"orders": [order["key"] for order in one.orders], "reason": one.reason, "paid_back": one.is_paid_back}
    return {**head, "requests": list(one.requests), "findings": findings}


@app.command("tax-codes")
@told
def import_codes(
    file: Annotated[Path, typer.Argument(help="The official list as .xlsx or .csv.", exists=True, dir_okay=False)],
    code: Annotated[str, typer.Option(help="Header of the code.")] = "",
    name: Annotated[str, typer.Option(help="Header of the name.")] = "",
    short: Annotated[str, typer.Option(help="Header of the short name 简称.")] = "",
    rates: Annotated[str, typer.Option(help="Header of the rates.")] = "",
    leaf: Annotated[str, typer.Option(help="Header of the mark of groups 汇总项.")] = "",
    keywords: Annotated[str, typer.Option(help="Header of the keywords.")] = "",
    rules: Codes = ROOT / "mappings/rules",
) -> None:
    """Import the official list of tax class codes 税收分类编码. It comes before the small table that is shipped.

    Columns are found by their usual headers; name those of your file where they differ.
    """
    named = zip(OFFICIAL, (code, name, short, rates, leaf, keywords), strict=True)
    rows = read_official(file, {ours: theirs for ours, theirs in named if theirs})
    path = keep(rows, rules)
    usable = sum(row.is_leaf for row in rows)
    console.print(
        f"已导入 {len(rows)} 个税收分类编码, 其中末级 {usable} 个, 存于 {path}", highlight=False, markup=False
    )


@app.command()
@told
def uncoded(
    most: Annotated[int, typer.Option(min=1, help="Suggestions for each.")] = 3,
    rules: Codes = ROOT / "mappings/rules",
    as_json: AsJson = False,
) -> None:
    """SKUs of orders that wish for an invoice and have no tax class code, with what may fit; exit 1 if there are any.

    Run it before the first invoices: each of these orders would wait for a person.
    """
    journal = Journal.open_to_read()
    products = [one.body for one in documents.current(journal, "product")]
    by_sku = {body["sku"]: body["tax_class_code"] for body in products if body.get("tax_class_code")}
    orders = (one.body for one in documents.current(journal, "sales_order") if one.body.get("invoice_wish"))
    table = tax_codes.load(rules)
    found = tax_codes.uncoded(orders, by_sku, table, most)
    rows = [
        {"SKU": one.sku, "名称": one.name, "行数": one.lines,
         "可能的编码": "; ".join(f"{each.code} {each.name}" for each in one.codes)}
        for one in found
    ]  # fmt: skip
    show(rows, as_json, "没有税收分类编码的商品")
    if found:
        raise typer.Exit(1)
