"""`duijie mapping`: lint, test, show and explain mapping files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from duijie import codec
from duijie.connect.errors import DuijieError
from duijie.mapping.cli_adopt import adopt_command, merged_lines
from duijie.mapping.cli_lint import Json, Paths, files_of, lint_command, rules_command
from duijie.mapping.explain import Provenance, explain
from duijie.mapping.mapping import Mapping, load_mapping
from duijie.mapping.trial import StaticLookup, TestResult, run_tests
from duijie.mapping.values import show as shown_value

app = typer.Typer(
    help="映射文件: 检查、测试、查看、溯源 / mapping files: lint, test, show, explain", no_args_is_help=True
)

File = Annotated[Path, typer.Argument(help="映射文件 / a mapping file", exists=True, dir_okay=False)]


app.command("lint")(lint_command)
app.command("rules")(rules_command)
app.command("adopt")(adopt_command)


@app.command("test")
def test_command(paths: Paths = None, json: Json = False) -> None:
    """Run the tests inside the files. Exit code 1 if one fails or a file does not load."""
    results = [result for file in files_of(paths) for result in _tested(file)]
    failed = [result for result in results if not result.passed]
    rows = [(each.mapping, each.name, "\n".join(each.differences)) for each in failed]
    data = [{"mapping": each.mapping, "name": each.name, "differences": each.differences} for each in results]
    out = _output(json)
    out.show(data, ("映射 mapping", "测试 test", "差异 difference"), rows)
    out.end(f"测试 tests: {len(results)}, 失败 failed: {len(failed)}", len(failed))


@app.command("show")
def show_command(
    file: File,
    python: Annotated[bool, typer.Option("--python", help="生成的 Python / the generated Python")] = False,
    merged: Annotated[
        bool, typer.Option("--merged", help="连同所继承的映射, 每条规则标明出处 / with what it extends merged in")
    ] = False,
    json: Json = False,
) -> None:
    """What a mapping is and, with --python, what it compiles to."""
    mapping = _load(file)
    if merged:
        typer.echo("\n".join(merged_lines(mapping.parts.root)))
        return
    data = {"name": mapping.name, "version": mapping.version, "source": mapping.source, "target": mapping.target}
    if python and not json:
        typer.echo(mapping.python)
        return
    whole = {**data, "python": mapping.python} if python else data
    _output(json).show(whole, ("", ""), [(key, str(value)) for key, value in data.items()])


@app.command("explain")
def explain_command(
    file: File,
    sample: Annotated[Path | None, typer.Option(help="来源记录 (JSON) / the source record", exists=True)] = None,
    test: Annotated[str, typer.Option(help="改用文件内此测试的记录 / use the record of this test of the file")] = "",
    answers: Annotated[
        Path | None, typer.Option(help='对照、主数据与设置 (JSON) / {"xref": …, "ref": …, "settings": …}', exists=True)
    ] = None,
    field: Annotated[str, typer.Option(help="只看此目标字段 / only this target field")] = "",
    json: Json = False,
) -> None:
    """Where each value came from: rule, place and inputs. Look-ups are answered by --answers or the file's tests."""
    mapping = _load(file)
    given = codec.decode(sample.read_bytes()) if sample else _test(mapping, test)["given"]
    known = codec.decode(answers.read_bytes()) if answers else _answers(mapping, test)
    try:
        lookup = StaticLookup(known.get("xref") or {}, known.get("ref") or {})
        trail = explain(mapping, given, lookup, known.get("settings") or {})
    except DuijieError as error:
        _fail(error)
    wanted = [each for each in trail if not field or _is_about(each, field)]
    if field and not wanted:
        raise typer.BadParameter(f"结果中没有字段 {field} / no such field in the result: {field}", param_hint="--field")
    data = [_provenance(each) for each in wanted]
    titles = ("字段 field", "值 value", "规则 rule", "位置 place", "来源 inputs")
    _output(json).show(data, titles, [_row(each) for each in wanted])


def _tested(file: Path) -> list[TestResult]:
    try:
        return run_tests(load_mapping(file))
    except DuijieError as error:
        return [TestResult(str(file), "load", (str(error),))]


def _load(file: Path) -> Mapping:
    try:
        return load_mapping(file)
    except DuijieError as error:
        _fail(error)


def _fail(error: DuijieError) -> NoReturn:
    typer.echo(f"{error.zh}\n{error}", err=True)
    raise typer.Exit(1)


def _test(mapping: Mapping, name: str) -> dict[str, Any]:
    found = next((test for test in mapping.tests if name in ("", test.get("name"))), None)
    if found is None:
        raise typer.BadParameter(f"没有测试 {name}; 请给 --sample / no such test; give --sample", param_hint="--test")
    return found


def _answers(mapping: Mapping, name: str) -> dict[str, Any]:
    """What the tests of the file (or the one named) would answer, later tests winning."""
    tests = [test for test in mapping.tests if name in ("", test.get("name"))]
    merged: dict[str, Any] = {"xref": {}, "ref": {}, "settings": {}}
    for test in tests:
        merged["settings"] |= test.get("settings") or {}
        for part in ("xref", "ref"):
            for kind, rows in (test.get(part) or {}).items():
                merged[part][kind] = {**merged[part].get(kind, {}), **rows}
    return merged


def _is_about(each: Provenance, field: str) -> bool:
    return each.field == field or each.field.startswith((f"{field}.", f"{field}["))


def _provenance(each: Provenance) -> dict[str, Any]:
    inputs = dict(each.inputs)
    return {"field": each.field, "value": each.value, "rule": each.rule, "place": str(each.spot), "inputs": inputs}


def _row(each: Provenance) -> tuple[str, ...]:
    inputs = "\n".join(f"{path} = {shown_value(value)}" for path, value in each.inputs.items())
    return each.field, shown_value(each.value), each.rule, str(each.spot), inputs


class _Tables:
    """For people."""

    def show(self, data: Any, titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        table = Table(*titles, show_header=any(titles))
        for row in rows:
            table.add_row(*map(escape, row))
        if rows:
            Console(width=None if sys.stdout.isatty() else 200).print(table)

    def end(self, summary: str, bad: int) -> None:
        typer.echo(summary)
        _exit(bad)


class _Json:
    """For programs."""

    def show(self, data: Any, titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        typer.echo(codec.encode_ordered(data).decode())

    def end(self, summary: str, bad: int) -> None:
        _exit(bad)


def _output(json: bool) -> _Tables | _Json:
    return _Json() if json else _Tables()


def _exit(bad: int) -> None:
    if bad:
        raise typer.Exit(1)
