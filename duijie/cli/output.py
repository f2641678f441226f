"""How every command answers: a table for people, `--json` for programs, one clear sentence for an error."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from duijie import codec
from duijie.connect.errors import DuijieError

P = ParamSpec("P")
T = TypeVar("T")

console = Console()
errors = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


FEW = 5  # columns: a table of so many may fold its texts and can still be read


def show(rows: Sequence[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print rows (dicts with the same keys) as a table, a row after the other where it is too wide, or as JSON."""
    if as_json:
        typer.echo(codec.encode_ordered(list(rows)).decode())
        return
    if not rows:
        console.print(f"{title}: 无" if title else "无")
        return
    table = _table(rows, title)
    if len(rows[0]) > FEW and _width(table) > console.width:
        _in_turn(rows, title)
    else:
        console.print(table)


def _table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name, value in rows[0].items():
        numeric = not isinstance(value, (str, bool)) and value is not None
        table.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    return table


def _width(table: Table) -> int:
    return table.__rich_measure__(console, console.options.update(max_width=10_000)).maximum


def _in_turn(rows: Sequence[dict[str, Any]], title: str) -> None:
    console.print(*filter(None, [title]))
    for row in rows:
        (_, first), *others = row.items()
        console.print(Text(str(first), style="bold"))
        told = Text(" · ").join(Text(f"{name} {value}") for name, value in others if value not in ("", None))
        console.print(Padding(told, (0, 0, 0, 4)))


def told(command: Callable[P, T]) -> Callable[P, T]:
    """Errors of the tree leave as their sentence and exit code 1, never as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except DuijieError as error:
            errors.print(f"[red]✗[/red] {error.zh}", highlight=False)
            if error.en != error.zh:
                errors.print(f"  [dim]{error}[/dim]", highlight=False)
            raise typer.Exit(1) from error

    return wrapped
