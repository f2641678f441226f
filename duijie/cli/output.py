"""How every command answers: a table for people, `--json` for programs, one clear sentence for an error."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from duijie import codec
from duijie.connect.errors import DuijieError

P = ParamSpec("P")
T = TypeVar("T")

console = Console()
errors = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def show(rows: Sequence[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print rows (dicts with the same keys) as a table or as JSON."""
    if as_json:
        typer.echo(codec.encode_ordered(list(rows)).decode())
        return
    if not rows:
        console.print(f"{title}: 无" if title else "无")
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name, value in rows[0].items():
        numeric = not isinstance(value, (str, bool)) and value is not None
        table.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)


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
