"""`duijie mapping record`: masked samples of the journal become tests of a mapping file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duijie.cli.output import told
from duijie.flow import load_flows
from duijie.journal import Journal
from duijie.mapping import load_mapping
from duijie.recording import Recording, Saved, Wanted, found, with_cases
from duijie.yamltests import written

File = Annotated[Path, typer.Argument(help="映射文件 / a mapping file", exists=True, dir_okay=False)]
Keys = Annotated[list[str] | None, typer.Option("--key", help="此键的记录, 可多次给出 / the record of this key")]
Last = Annotated[int, typer.Option("--last", min=0, help="最近的几条 / the newest few")]
Flows = Annotated[Path, typer.Option("--flows", help="流程目录 / the folder of flow files")]
To = Annotated[
    Path | None,
    typer.Option(
        "--to", help="改写入此映射文件, 如客户的覆盖映射 / into this mapping file", exists=True, dir_okay=False
    ),
]
Dry = Annotated[bool, typer.Option("--dry-run", help="只显示, 不写入 / show, write nothing")]


@told
def record(
    mapping: File,
    keys: Keys = None,
    last: Last = 0,
    flows: Flows = Path("dags/flows"),
    to: To = None,
    dry_run: Dry = False,
) -> None:
    """Save masked samples of the journal as tests of a mapping file, expecting what it makes of them now."""
    if not keys and not last:
        raise typer.BadParameter("请给 --key 或 --last / give --key or --last", param_hint="--key")
    path = to or mapping
    journal, text = Journal.open(), path.read_bytes().decode()
    records = found(journal, load_flows(flows), load_mapping(mapping), Wanted(tuple(keys or ()), last))
    saved = Recording(journal, load_mapping(path), text).save(records)
    if saved.cases:
        grown = with_cases(path, text, saved.cases)
        if dry_run:
            typer.echo(written(saved.cases))
        else:
            path.write_bytes(grown.encode())
    _tell(saved, path, "将保存" if dry_run else "已保存")


def _tell(saved: Saved, path: Path, done: str) -> None:
    for name in saved.known:
        typer.echo(f"已有, 不再保存: {name}")
    for key, why in saved.refused.items():
        typer.echo(f"未保存 {key}: {why}", err=True)
    typer.echo(f"{path}: {done} {len(saved.cases)} 个测试")
    if saved.refused:
        raise typer.Exit(1)
