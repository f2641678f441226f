"""`duijie invoice fetch | verify | resend | receive | render | xbrl`: the files of invoices, ours and suppliers'."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from duijie.cli.output import AsJson, console, show, told
from duijie.connect.errors import ConfigError
from duijie.connect.invoicing import Copy
from duijie.flow import Fetch, Flow, Receive, load_flows
from duijie.journal import Journal
from duijie.originals import booking
from duijie.originals.archive import Archive
from duijie.originals.find import issued
from duijie.originals.inbox import receive_path
from duijie.originals.received import Receiving
from duijie.originals.resend import history, resend
from duijie.originals.verify import verify

app = typer.Typer(no_args_is_help=True)
Flows = Annotated[Path, typer.Option("--flows", help="The folder of flow files.")]
Number = Annotated[str, typer.Argument(help="The invoice's number, 20 digits.")]
DEFAULT = Path("dags/flows")
FATES = {
    "fetched": "已取得",
    "differing": "与开票不符",
    "failed": "未取得",
    "waiting": "稍后重试",
    "new": "新收",
    "again": "已有",
    "more": "补充文件",
    "refused": "拒收",
    "passed": "跳过",
}


@app.command("fetch")
@told
def fetch_files(
    number: Annotated[str, typer.Argument(help="One invoice, at once; without it all that lack files.")] = "",
    file: Annotated[Path | None, typer.Option(help="Take this file, downloaded by hand, instead.")] = None,
    flows: Flows = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Fetch, keep and compare the files of issued invoices."""
    from duijie.engine import Engine  # noqa: PLC0415  slow to import

    engine = Engine(Journal.open())
    if not number:
        rows = [{"流程": flow.flow, **_words(engine.run(flow, step))} for flow, step in _steps(flows, Fetch)]
        show(rows, as_json, "发票文件")
        return
    invoice, connection = issued(engine.journal, number)
    default = Fetch(name="fetch", connection=connection)
    known = [(flow, step) for flow, step in _steps(flows, Fetch) if step.connection == connection]
    flow, step = known[0] if known else (Flow("invoice_files", "发票文件", (default,)), default)
    fetching = engine.fetching(flow, step)
    if file is None:
        show([{"发票": number, **_words(fetching.again(invoice))}], as_json, "发票文件")
        return
    faults = fetching.take(invoice, file.read_bytes(), f"文件 {file.name}")
    show([{"字段": one.field, "我方": one.ours, "文件": one.theirs, "原因": one.zh} for one in faults], as_json, "不符")
    if faults:
        raise typer.Exit(1)


@app.command("verify")
@told
def verify_files(
    number: Annotated[str, typer.Argument(help="One invoice; without it every kept file.")] = "",
    flows: Flows = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Read every kept file again: its fingerprint, and what it says; exit 1 when one is wrong."""
    names = {key: name for _, step in _steps(flows, Fetch) for key, name in step.seller_names.items()}
    total, rows = 0, []
    for one in verify(Journal.open(), Archive.open(), number, names):
        total += 1
        head = {"发票": one.file.number or one.file.key, "文件": one.file.kind, "位置": one.file.place}
        rows += [{**head, "原因": reason} for reason in one.wrong]
    show(rows, as_json, f"核对 {total} 个文件, 有误")
    if rows:
        raise typer.Exit(1)


@app.command("resend")
@told
def resend_invoice(
    number: Number,
    mail: Annotated[str, typer.Option(help="To this mail address.")] = "",
    phone: Annotated[str, typer.Option(help="To this mobile number.")] = "",
    as_json: AsJson = False,
) -> None:
    """Have the platform send an issued invoice again, and keep a record of it."""
    from duijie.engine import Engine  # noqa: PLC0415

    engine = Engine(Journal.open())
    invoice, connection = issued(engine.journal, number)
    resend(engine.journal, invoice, engine.connector(connection), Copy(mail, phone), getpass.getuser())
    names = {"at": "时间", "who": "经办", "mail": "邮箱", "phone": "手机", "outcome": "结果"}
    rows = [{zh: str(row[name]) for name, zh in names.items()} for row in history(engine.journal, invoice)]
    show(rows, as_json, f"发票 {number} 的重发记录")


@app.command("receive")
@told
def receive(
    path: Annotated[Path, typer.Argument(help="A file (XML, OFD, ZIP, EML) or a folder of them.")],
    company: Annotated[list[str] | None, typer.Option(help="TAX_NO=NAME of one of ours; else as a flow says.")] = None,
    flows: Flows = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Take invoices of suppliers; exit 1 when one is refused."""
    flow, step = _receiving(company or [], flows)
    taken = receive_path(Receiving(Journal.open(), flow, step, Archive.open()), path)
    rows = [{"文件": one.name, "结果": FATES[one.fate], "发票": one.number, "原因": one.why} for one in taken]
    show(rows, as_json, "收票")
    if any(one.fate == "refused" for one in taken):
        raise typer.Exit(1)


@app.command("render")
@told
def render_file(
    file: Annotated[Path, typer.Argument(help="An XML or OFD file.")],
    out: Annotated[Path, typer.Option(help="The PDF to write.")],
) -> None:
    """Draw a PDF for people of an XML or OFD; it says that it is no original."""
    from duijie.originals.compare import read  # noqa: PLC0415
    from duijie.originals.render import render  # noqa: PLC0415  reportlab is slow to import

    out.write_bytes(render(read(file.read_bytes())))
    console.print(f"已写入 {out}")


@app.command("xbrl")
@told
def write_xbrl(
    number: Number,
    voucher: Annotated[str, typer.Option(help="The key of the voucher that booked it.")],
    voucher_no: Annotated[str, typer.Option("--no", help="Its number in the ledger, such as 记-0001.")],
    out: Annotated[Path | None, typer.Option(help="Write it here as well.")] = None,
) -> None:
    """Write the receiver's XBRL of a booked invoice (电子凭证会计数据标准) into the archive."""
    from duijie.engine import ROOT  # noqa: PLC0415

    made = booking.book(Journal.open(), Archive.open(), number, voucher, voucher_no, ROOT)
    if out:
        out.write_bytes(made)
    console.print(f"发票 {number} 的入账 XBRL 已归档")


def _steps(flows: Path, kind: type[Fetch]) -> Iterator[tuple[Flow, Fetch]]:
    for flow in load_flows(flows).values():
        for step in flow.steps:
            if isinstance(step, kind):
                yield flow, step


def _receiving(company: list[str], flows: Path) -> tuple[str, Receive]:
    if company:
        pairs = dict(one.partition("=")[::2] for one in company)
        return "purchase_invoices", Receive(name="receive", companies=pairs)
    for flow in load_flows(flows).values():
        for step in flow.steps:
            if isinstance(step, Receive):
                return flow.flow, step
    raise ConfigError(
        "不知道哪些是本公司: 请用 --company 税号=名称, 或在流程中配置 receive 步骤",
        en="give --company TAX_NO=NAME, or a flow with a receive step",
        where="companies",
    )


def _words(counts: dict[str, int]) -> dict[str, int]:
    return {FATES.get(name, name): number for name, number in counts.items()}
