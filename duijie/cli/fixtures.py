"""`duijie connector record`: masked records of the journal become the fixtures of a connector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duijie import fixtures
from duijie.cli.output import told
from duijie.connect.connection import find_connection
from duijie.connect.errors import ConfigError
from duijie.drift.traffic import records_of, sources
from duijie.journal import Journal


@told
def record(
    connection: Annotated[str, typer.Argument(help="The connection whose messages are taken.")],
    to: Annotated[Path | None, typer.Option("--to", help="The folder; by default the connector's own.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="The newest so many messages of each stream.")] = 500,
) -> None:
    """Save a few masked messages of each stream, such that every field is shown: fixtures/STREAM.json."""
    journal = Journal.open()
    folder = to or Path("connectors") / find_connection(connection).conn_type / "fixtures"
    found = sources(journal, connection)
    if not found:
        raise ConfigError(
            f"连接 {connection} 还没有收到报文, 请先运行一次拉取",
            en=f"no messages of connection {connection} yet; pull first",
            where=connection,
        )
    for source in found:
        records = [one for _, one in records_of(journal, source, last)]
        typer.echo(f"已保存 {fixtures.write(folder, source.stream, records)}")
    typer.echo("请在提交前查看: 个人信息已脱敏, 但字段名看不出的姓名可能漏掉")
