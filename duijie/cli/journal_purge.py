"""`duijie journal purge`: what is old goes into an archive; tried first unless `--yes` is given."""

from __future__ import annotations

import getpass
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from duijie.cli.output import AsJson, console, errors, show, told
from duijie.connect.errors import ConfigError
from duijie.journal import Journal
from duijie.keep.retention import ALWAYS, WORDS, Gone, check, count
from duijie.keep.retention import purge as emptied

AGE = re.compile(r"(\d{1,5})d?")
LEFT_BEHIND = "回执与原文归档后, 联查显示其归档位置; explain 到归档为止"


@told
def purge(
    older_than: Annotated[str, typer.Option(help="How old, such as 400d.")],
    archive: Annotated[Path, typer.Option(help="Below it a folder is made for each archive.")],
    only: Annotated[list[str] | None, typer.Option(help=f"Only this kind; repeatable: {', '.join(WORDS)}.")] = None,
    days: Annotated[list[str] | None, typer.Option(help="Another age for one kind, such as runs=90.")] = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do it; without it only counts.")] = False,
    as_json: AsJson = False,
) -> None:
    """Archive to Parquet and delete what is old and finished. `bodies` (raw messages) only where it is named."""
    journal = Journal.open()
    before = _before(journal.now(), older_than, only or list(ALWAYS), days or [])
    check(journal.now(), before)
    if not is_sure:
        _show(count(journal, before), as_json, "可归档, 至少 (试算, 未写入; 加 --yes 执行)")
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("归档", total=None)

        def tell(kind: str, rows: int) -> None:
            progress.update(task, description=f"归档 {WORDS[kind]} {rows:,}")

        place, gone = emptied(journal, before, archive, getpass.getuser(), tell)
    _show(gone, as_json, f"已归档到 {place}")
    if not as_json:
        console.print(LEFT_BEHIND, highlight=False)


def _before(now: datetime, older_than: str, kinds: list[str], days: list[str]) -> dict[str, datetime]:
    ages = dict.fromkeys(kinds, older_than) | dict(_pair(one) for one in days)
    return {kind: now - timedelta(days=_days(age)) for kind, age in ages.items()}


def _pair(text: str) -> tuple[str, str]:
    kind, _, age = text.partition("=")
    return kind, age


def _days(text: str) -> int:
    if not (found := AGE.fullmatch(text)):
        raise ConfigError(f"保留期 {text} 应写成天数, 如 400d", en=f"{text} is no number of days such as 400d")
    return int(found[1])


def _show(gone: list[Gone], as_json: bool, title: str) -> None:
    rows = [{"种类": one.kind, "含义": WORDS[one.kind], "表": one.table, "行数": one.rows} for one in gone]
    show(rows, as_json, title)
