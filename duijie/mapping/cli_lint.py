"""`duijie mapping lint` and `duijie mapping rules`: what is wrong with mapping files, for people, editors and hooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duijie import codec
from duijie.mapping.checks import RULES, Rule, page
from duijie.mapping.findings import nearest
from duijie.mapping.lint import findings_of, mapping_files
from duijie.mapping.sarif import Found, gcc, sarif

Paths = Annotated[list[Path] | None, typer.Argument(help="文件或文件夹, 默认 mappings/ / files or folders")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


class Form(StrEnum):
    """How findings are written."""

    table = "table"
    json = "json"
    sarif = "sarif"
    gcc = "gcc"


def lint_command(
    paths: Paths = None,
    form: Annotated[Form, typer.Option("--format", help="输出格式 / how findings are written")] = Form.table,
    json: Json = False,
) -> None:
    """Every finding, with file:line:column. Exit code 1 if there is an error or a warning."""
    found = [(file, findings_of(file)) for file in files_of(paths)]
    _WRITE[Form.json if json else form](found)
    if any(finding.severity != "note" for _, findings in found for finding in findings):
        raise typer.Exit(1)


def rules_command(
    rule: Annotated[str, typer.Argument(help="规则编号, 例如 DJ101 / the id of a rule")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="输出 docs/lint.md / print docs/lint.md")] = False,
) -> None:
    """What the rules of the lint mean."""
    if markdown:
        typer.echo(page(), nl=False)
        return
    chosen = [each for each in RULES if rule.upper() in ("", each.id)]
    if not chosen:
        near = nearest(rule, [each.id for each in RULES]) or RULES[0].id
        raise typer.BadParameter(f"没有规则 {rule}; 是否指 {near}? / no such rule", param_hint="RULE")
    _print(("规则 rule", "级别 severity", "含义 meaning"), [_described(each) for each in chosen])


def files_of(paths: Sequence[Path] | None) -> list[Path]:
    """The mapping files meant on the command line. Raises typer.BadParameter where there is none."""
    files = mapping_files(paths or [Path("mappings")])
    missing = [str(path) for path in files if not path.is_file()]
    if missing or not files:
        raise typer.BadParameter(
            f"没有映射文件 / no mapping files: {', '.join(missing) or 'mappings/'}", param_hint="PATHS"
        )
    return files


def _described(rule: Rule) -> tuple[str, ...]:
    return f"{rule.id}\n{rule.name}", rule.severity, f"{rule.zh}\n{rule.en}\n{rule.remedy}"


def _table(found: Found) -> None:
    told = [each for _, findings in found for each in findings]
    rows = [(str(each.spot), f"{each.severity}\n{each.rule}", f"{each.zh}\n{each.en}") for each in told]
    _print(("位置 place", "级别 severity", "问题 finding"), rows)
    typer.echo(f"文件 files: {len(found)}, 问题 findings: {len(told)}")


def _print(titles: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*titles)
    for row in rows:
        table.add_row(*map(escape, row))
    if rows:
        Console(width=None if sys.stdout.isatty() else 200).print(table)


def _json(found: Found) -> None:
    typer.echo(codec.encode_ordered([each.as_dict() for _, findings in found for each in findings]).decode())


def _sarif(found: Found) -> None:
    typer.echo(codec.encode_ordered(sarif(found)).decode())


def _gcc(found: Found) -> None:
    for line in gcc(found):
        typer.echo(line)


_WRITE: dict[Form, Callable[[Found], None]] = {
    Form.table: _table,
    Form.json: _json,
    Form.sarif: _sarif,
    Form.gcc: _gcc,
}
