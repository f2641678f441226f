"""`duijie connector drift`: what changed in the messages of vendors, against schemas and against earlier traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from duijie import codec
from duijie.cli.output import AsJson, show, told
from duijie.connect.connection import find_connection
from duijie.connect.errors import ConfigError
from duijie.drift import drifted, learned, recorded
from duijie.drift.telling import WORDS
from duijie.drift.traffic import NEWEST
from duijie.journal import Journal
from duijie.journal.inbox import Source

SCHEMAS = Path(__file__).parents[2] / "schemas"


@told
def drift(
    connection: Annotated[str, typer.Argument(help="One connection; all by default.")] = "",
    newest: Annotated[int, typer.Option("--newest", min=1, help="How many messages of each stream count as now.")] = (
        NEWEST
    ),
    learn: Annotated[
        str, typer.Option("--learn", metavar="STREAM", help="Print a schema learned from this stream's messages.")
    ] = "",
    schemas: Annotated[Path, typer.Option("--schemas", help="The folder of schemas.")] = SCHEMAS,
    as_json: AsJson = False,
) -> None:
    """Fields that are new, missing or of another type in the newest messages; exit 1 when there are some.

    The flow `drift` does the same every night and raises an alert for each stream.
    """
    journal = Journal.open()
    if learn:
        typer.echo(_schema(journal, Source(connection, learn), newest))
        return
    looked = drifted(journal, lambda name: find_connection(name).conn_type, schemas, newest, connection)
    if not as_json:
        for source, count, has_schema in looked.streams:
            against = "对照结构定义与以往报文" if has_schema else "没有结构定义, 只对照以往报文"
            typer.echo(f"{source.connection}/{source.stream}: 最新 {count} 条, {against}")
    rows = [
        {
            "数据流": f"{one.source.connection}/{one.source.stream}",
            "变化": WORDS[one.change.kind],
            "字段": one.change.path or "(整条)",
            "原为": one.change.was,
            "现为": one.change.now,
            "处": one.change.times,
            "示例": one.change.example,
        }
        for one in looked.drifted
    ]
    show(rows, as_json, "报文结构变化")
    if rows:
        raise typer.Exit(1)


def _schema(journal: Journal, source: Source, newest: int) -> str:
    """A learned schema as text. Raises ConfigError where there is nothing to learn from."""
    now, _ = recorded(journal, source, newest)
    if not now.records:
        raise ConfigError(
            f"没有 {source.connection or '(未指定连接)'}/{source.stream} 的报文, 请先拉取; 用法: "
            "duijie connector drift 连接 --learn 数据流",
            en=f"no messages of {source.connection}/{source.stream}; pull first",
            where=f"{source.connection}/{source.stream}",
        )
    system = find_connection(source.connection).conn_type
    return msgspec.json.format(codec.encode_ordered(learned(now, system, source.stream))).decode()
