"""`duijie code`: code tables 对照 from and to CSV, and single rows."""

from __future__ import annotations

import csv
import getpass
from pathlib import Path
from typing import Annotated

import typer

from duijie.cli.output import AsJson, show, told
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, codes
from duijie.journal.codes import Code

app = typer.Typer(no_args_is_help=True)
COLUMNS = ("kind", "connection", "code", "counterpart")


@app.command("list")
@told
def list_codes(
    kind: Annotated[str, typer.Option(help="Only this kind, e.g. customer.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every row of the code tables."""
    found = codes.rows(Journal.open(), kind)
    show(
        [{"类别": c.kind, "连接": c.connection, "编码": c.code, "对应": c.counterpart} for c in found], as_json, "对照"
    )


@app.command("set")
@told
def set_code(
    kind: Annotated[str, typer.Argument(help="What is mapped, e.g. customer or sku.")],
    connection: Annotated[str, typer.Argument(help="The connection it holds for, or * for all.")],
    code: Annotated[str, typer.Argument(help="The code in our documents.")],
    counterpart: Annotated[str, typer.Argument(help="The code at that connection.")],
) -> None:
    """Add one row, or change its counterpart."""
    codes.put(Journal.open(), [Code(kind, connection, code, counterpart)], getpass.getuser())
    typer.echo(f"{kind} {code} → {counterpart} ({connection})")


@app.command("import")
@told
def import_codes(
    path: Annotated[Path, typer.Argument(help="CSV (UTF-8) with kind, connection, code, counterpart.")],
) -> None:
    """Add every row of a CSV file; nothing is written when one row is incomplete."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    bad = [
        str(number) for number, row in enumerate(rows, 2) if any(not (row.get(name) or "").strip() for name in COLUMNS)
    ]
    if bad:
        raise ConfigError(
            f"{path} 第 {', '.join(bad[:10])} 行不完整, 每行需有 {', '.join(COLUMNS)}; 未导入任何行",
            en=f"{path}: lines {', '.join(bad[:10])} lack a column; nothing was imported",
            where=str(path),
        )
    given = [Code(*(row[name].strip() for name in COLUMNS)) for row in rows]
    typer.echo(f"已导入 {codes.put(Journal.open(), given, getpass.getuser())} 行")
