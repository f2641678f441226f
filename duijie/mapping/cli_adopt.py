"""`duijie mapping adopt`, and what `duijie mapping show --merged` prints: a customer's file over a shipped mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from duijie import codec
from duijie.connect.errors import DuijieError
from duijie.mapping.adopt import adopted, overridden, recorded, scalar
from duijie.mapping.cli_lint import Json
from duijie.mapping.document import Block, Entry, Item, Scalar
from duijie.mapping.override import rule_text

_MARGIN = 60


def adopt_command(
    file: Annotated[Path, typer.Argument(help="覆盖文件 / a file with extends", exists=True, dir_okay=False)],
    json: Json = False,
) -> None:
    """Write down the shipped rules that a file overrides as they are now (`based_on`); nothing else of it changes."""
    before = file.read_bytes().decode()
    try:
        rules, after = overridden(before, file), adopted(before, file)
    except DuijieError as error:
        typer.echo(f"{error.zh}\n{error}", err=True)
        raise typer.Exit(1) from None
    if after != before:
        file.write_bytes(after.encode())
    was = recorded(before)
    data = {"file": str(file), "rules": rules, "changed": sorted(_changed(was, rules))}
    if json:
        typer.echo(codec.encode_ordered(data).decode())
        return
    for path in data["changed"]:
        typer.echo(f"{path}: {was.get(path, '—')} → {rules.get(path, '—')}")
    typer.echo(f"已记录出厂规则 shipped rules recorded: {len(rules)}, 变化 changed: {len(data['changed'])}")


def _changed(was: Mapping[str, str], now: Mapping[str, str]) -> set[str]:
    return {path for path in {*was, *now} if was.get(path) != now.get(path)}


def merged_lines(root: Block) -> Iterator[str]:
    """A mapping as YAML, what it extends merged in, each rule with the place it is written at."""
    for entry in root.entries:
        if entry.key != "tests":
            yield from _entry(entry, "")


def _entry(entry: Entry, lead: str) -> Iterator[str]:
    key = f"{lead}{entry.key}:"
    if isinstance(entry.item, Block) and entry.item.entries:
        yield key
        for inner in entry.item.entries:
            yield from _entry(inner, f"{lead}  ")
    else:
        yield (f"{key} {_rule(entry.item)}".ljust(_MARGIN) + f"  # {entry.item.spot.file}:{entry.item.spot.line}")


def _rule(item: Item) -> str:
    text = rule_text(item)
    return scalar(text) if isinstance(item, Scalar) and isinstance(item.value, str) else text
