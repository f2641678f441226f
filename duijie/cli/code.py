"""`duijie code`: what is unmapped, what it probably means, and the code tables 对照 as rows, Excel or CSV."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from duijie.cli.output import AsJson, console, show, told
from duijie.cli.work import DEFAULT, Flows
from duijie.codes import fix, sheet
from duijie.codes.advice import Advice
from duijie.codes.suggest import Known
from duijie.codes.worklist import Wanted, waiting
from duijie.connect.errors import ConfigError
from duijie.flow import load_flows
from duijie.journal import Journal, codes, documents
from duijie.journal.codes import CHINA, EVERYWHERE, Change, Code, Row
from duijie.replay import Routes

app = typer.Typer(no_args_is_help=True)
SHOWN = 5
FAULTS_SHOWN = 20
WHAT = {"code": "对应编码", "counterpart": "编码", "document": "档案"}
Kind = Annotated[str, typer.Option(help="Only this kind, e.g. customer.")]


@app.command("list")
@told
def list_codes(
    kind: Kind = "",
    find: Annotated[str, typer.Option(help="Only rows whose code or counterpart holds this text.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every row of the code tables that holds today or will."""
    show([_shown(row) for row in codes.rows(Journal.open(), kind, find)], as_json, "对照")


@app.command()
@told
def history(
    kind: Annotated[str, typer.Argument(help="What is mapped, e.g. customer.")],
    connection: Annotated[str, typer.Argument(help="The connection, or * for all.")],
    code: Annotated[str, typer.Argument(help="The code in our documents.")],
    as_json: AsJson = False,
) -> None:
    """Every version of one code: what held from when, and who changed it."""
    show([_shown(row) for row in codes.history(Journal.open(), (kind, connection, code))], as_json, f"{kind} {code}")


@app.command()
@told
def unmapped(
    kind: Kind = "",
    connection: Annotated[str, typer.Option(help="Only codes that this connection lacks.")] = "",
    as_json: AsJson = False,
) -> None:
    """What is unmapped over all flows, the most money first, with the best suggestion."""
    journal = Journal.open()
    items = waiting(journal, Wanted(kind, connection))
    advice = Advice(journal)
    said = advice.known(items)
    rows = []
    for one in items:
        best = advice.for_item(one, said[one.item_id], 1)
        rows.append(
            {
                "待处理": one.item_id,
                "缺": WHAT[one.what],
                "类别": one.kind,
                "连接": one.connection,
                "编码": one.code,
                "名称": said[one.item_id].name,
                "笔数": one.records,
                "金额": f"{documents.yuan(one.money):,}",
                "流程": ", ".join(one.flows),
                "建议": " ".join(f"{hit.code} ({hit.score}, {hit.reason})" for hit in best),
            }
        )
    show(rows, as_json, "未对照")


@app.command()
@told
def suggest(
    kind: Annotated[str, typer.Argument(help="What is mapped, e.g. customer or sku.")],
    code: Annotated[str, typer.Argument(help="The unmapped code.")],
    connection: Annotated[str, typer.Option(help="The connection that lacks it; else the one that waits.")] = "",
    name: Annotated[str, typer.Option(help="A name to compare; else the one in the waiting record.")] = "",
    as_json: AsJson = False,
) -> None:
    """What a code probably stands for, with a score from 0 to 100 and why."""
    journal = Journal.open()
    advice = Advice(journal)
    items = [one for one in waiting(journal, Wanted(kind, connection)) if one.code == code]
    told_by = next(iter(advice.known(items).values()), Known(code))
    place = connection or next((one.connection for one in items), "")
    is_reverse = any(one.is_reverse for one in items)
    found = advice.suggest((kind, place, is_reverse), Known(code, name or told_by.name, told_by.barcode), SHOWN)
    rows = [{"建议": one.code, "名称": one.name, "得分": one.score, "理由": one.reason} for one in found]
    show(rows, as_json, f"{kind} {code} 的建议")


@app.command("set")
@told
def set_code(
    kind: Annotated[str, typer.Argument(help="What is mapped, e.g. customer or sku.")],
    connection: Annotated[str, typer.Argument(help="The connection it holds for, or * for all.")],
    code: Annotated[str, typer.Argument(help="The code in our documents.")],
    counterpart: Annotated[str, typer.Argument(help="The code at that connection.")],
    valid_from: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Holds for documents of this day and later."),
    ] = None,
    flows: Flows = DEFAULT,
) -> None:
    """Add one row or a new version of it, and let go everything that waited for it."""
    day = valid_from.replace(tzinfo=CHINA).date() if valid_from else None
    done = fix.save(Journal.open(), [Code(kind, connection, code, counterpart, day)], getpass.getuser(), known(flows))
    typer.echo(f"{kind} {code} → {counterpart} ({connection})\n{done.said}")


@app.command("import")
@told
def import_codes(
    path: Annotated[Path, typer.Argument(help="The workbook of `code export`, or a CSV (UTF-8) with its columns.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    flows: Flows = DEFAULT,
) -> None:
    """Keep every filled row of a file, all or none, and let go everything that waited for them."""
    given = sheet.read(_content(path), path.name)
    if given.faults:
        raise _faulty(path, given.faults)
    journal, who = Journal.open(), getpass.getuser()
    show([_change(one) for one in codes.changes(journal, given.rows, who)], False, "将变更的对照")
    if dry_run:
        items, released = fix.preview(journal, given.rows, known(flows))
        would = f"{len(items)} 项待处理将放行 {fix.counted(released)}"
        console.print(f"试算: {would}; 未填 {given.unfilled} 行; 未写入任何行")
        return
    console.print(f"{fix.save(journal, given.rows, who, known(flows)).said}; 未填 {given.unfilled} 行")


@app.command("export")
@told
def export_codes(path: Annotated[Path, typer.Argument(help="Where to write the workbook (.xlsx).")]) -> None:
    """Write what is unmapped (with suggestions), what is mapped and what documents are missing, as Excel."""
    if path.suffix.lower() != ".xlsx":
        raise ConfigError(f"{path} 应以 .xlsx 结尾", en=f"{path} must end in .xlsx", where=str(path))
    path.write_bytes(sheet.write(Journal.open()))
    console.print(f"已写入 {path}: 在“{sheet.UNMAPPED}”表的“对应编码”列填写, 然后 duijie code import {path}")


def known(flows: Path) -> Routes:
    """The streams of the flow files, to know what waits where. Raises ConfigError for a wrong file."""
    return Routes(load_flows(flows), flows.absolute().parent.parent)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} 无法打开: {error.strerror}", en=str(error), where=str(path)) from error


def _faulty(path: Path, faults: Any) -> ConfigError:
    told = "; ".join(map(str, faults[:FAULTS_SHOWN]))
    more = f" … 共 {len(faults)} 处" if len(faults) > FAULTS_SHOWN else ""
    return ConfigError(
        f"{path} 有误, 未导入任何行: {told}{more}",
        en=f"{path} has {len(faults)} wrong cells; nothing was imported",
        where=str(path),
    )


def _shown(row: Row) -> dict[str, Any]:
    return {
        "类别": row.kind,
        "连接": "全部" if row.connection == EVERYWHERE else row.connection,
        "编码": row.code,
        "对应": row.counterpart,
        "生效日期": "一直" if row.is_always else row.valid_from.isoformat(),
        "版本": row.version,
        "变更人": row.changed_by,
        "变更时间": row.changed_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M"),
    }


def _change(one: Change) -> dict[str, Any]:
    shown = _shown(one.row)
    return {name: shown[name] for name in ("类别", "连接", "编码")} | {
        "原对应": one.before.counterpart if one.before else "",
        "对应": one.row.counterpart,
        "生效日期": shown["生效日期"],
        "版本": one.row.version,
    }
