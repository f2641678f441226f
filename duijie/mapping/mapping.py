"""A mapping file, loaded: one pure function record → record, compiled once per content."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Settings
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from duijie.codec import Record
from duijie.connect.errors import MappingError
from duijie.mapping.chain import File, bases, whole
from duijie.mapping.checks import review
from duijie.mapping.compile import Compiler
from duijie.mapping.document import Block, Item, Scalar, plain, read
from duijie.mapping.emit import Unit
from duijie.mapping.faults import RAISED, FieldError
from duijie.mapping.findings import Finding, Findings, MappingErrors, Spot, nearest, shown
from duijie.mapping.forms import Object, Parts, Reader
from duijie.mapping.interpret import interpret
from duijie.mapping.render import render
from duijie.mapping.runtime import HELPERS, Absent, Lookup
from duijie.mapping.schema import Schemas
from duijie.mapping.signatures import FUNCTIONS
from duijie.mapping.values import BUDGET, STEP_LIMIT, Exhausted

_KEYS = (
    *("mapping", "description", "from", "to", "version", "extends", "based_on"),
    *("tables", "let", "skip", "fields", "emit", "tests"),
)
KEPT = 256
_cache: dict[str, Mapping] = {}  # the newest of them; an editor asks for a new one at every key


Answer = TypeVar("Answer")
Run = Callable[[Record, Lookup, Settings[str, Any]], Record | None]


class Mapping:
    """One compiled mapping. `version` is the short hash of its content, that of the mappings it extends included."""

    def __init__(self, path: Path, text: str, parts: Parts, unit: Unit, function: ast.FunctionDef) -> None:
        head = plain(parts.root)
        self.path = path
        self.file = parts.file
        self.parts = parts
        self.name = str(head.get("mapping", path.stem))
        self.version = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.source: dict[str, Any] = head.get("from") or {}
        self.target: dict[str, Any] = head.get("to") or {}
        self.tests: list[dict[str, Any]] = head.get("tests") or []
        self.warnings: list[Finding] = list(unit.findings.all)
        self._function = function
        self._limited = unit.limited
        self._names = namespace(unit) | {"_interpret": self._interpret}
        self._guarded: Run = build(guarded(function), parts.file, self._names)
        self.run: Run = self._counted if unit.limited else self._guarded
        """`run(record, lookup, settings)`: the target record, or None when `skip` holds.

        Pure: the same input gives the same output. Raises FieldError (a DataError) naming field, file:line:column and
        value, and UnmappedCode where a code has no counterpart yet. What the lookup itself raises passes through.
        """

    @cached_property
    def fast(self) -> Run:
        """The generated function alone: it raises whatever a bad record makes plain Python raise."""
        found: Run = build(self._function, self.file, self._names)
        return found

    @cached_property
    def python(self) -> str:
        """The generated source."""
        return render(self._function)

    def limited(self, compute: Callable[[], Answer]) -> Answer:
        """Compute within the budget of steps, where the rules could take more than the record is long."""
        self._refill()
        try:
            return compute()
        except Exhausted as spent:
            raise FieldError(self.name, Spot(self.file), (spent.zh, spent.en), spent.value) from None
        finally:
            BUDGET.left = None

    def _counted(self, record: Record, lookup: Lookup, settings: Settings[str, Any]) -> Record | None:
        return self.limited(lambda: self._guarded(record, lookup, settings))

    def _interpret(self, record: Record, lookup: Lookup, settings: Settings[str, Any]) -> Record | None:
        self._refill()
        return interpret(self.parts, record, lookup, dict(settings))

    def _refill(self) -> None:
        BUDGET.left = STEP_LIMIT if self._limited else None

    def documents(self, record: Record, lookup: Lookup, settings: Settings[str, Any]) -> list[tuple[str, Record]]:
        """What a record becomes as (entity, document): none where skipped, with `emit` any number. Raises as `run`."""
        result = self.run(record, lookup, settings)
        if result is None:
            return []
        if not self.parts.emits:
            return [(str(self.target.get("entity", "")), result)]
        return [(entity, one) for entity, made in result.items() for one in (made if type(made) is list else [made])]

    def __repr__(self) -> str:
        return f"Mapping({self.name} {self.version})"


def load_mapping(path: Path) -> Mapping:
    """Read, check and compile a mapping file; cached by content. Raises MappingErrors with every error in it."""
    mapping, findings = examine(path)
    if mapping is None:
        raise MappingErrors([finding for finding in findings if finding.severity == "error"])
    return mapping


def examine(path: Path) -> tuple[Mapping | None, list[Finding]]:
    """The mapping (None if it has errors) and everything found, warnings included."""
    return examine_text(_text(Path(path)), Path(path))


def examine_text(text: str, path: Path) -> tuple[Mapping | None, list[Finding]]:
    """The same for a text that stands, or will stand, at `path`: an editor's unsaved content."""
    schemas = Schemas.near(path)
    shipped = bases(text, path)
    content = "\n".join((text, *(file.text for file in shipped)))
    key = hashlib.sha256(f"{path.absolute()}\n{schemas.digest}\n{content}".encode()).hexdigest()
    if key in _cache:
        return _cache[key], _cache[key].warnings
    findings = Findings()
    parts = _parts(text, path, shipped, findings)
    if parts is None:
        return None, findings.all
    unit = Unit(parts.file, findings, parts.tables)
    compiler = Compiler(unit)
    function = compiler.function(parts)
    review(path, parts, schemas, findings)
    if findings.errors:
        return None, findings.all
    while len(_cache) >= KEPT:
        _cache.pop(next(iter(_cache)))
    _cache[key] = Mapping(path, content, parts, unit, function)
    return _cache[key], findings.all


def guarded(function: ast.FunctionDef) -> ast.FunctionDef:
    """The same function, leaving to the interpreter whatever raises."""
    names = [ast.Name(each.arg, ast.Load()) for each in function.args.args]
    slow = ast.Return(ast.Call(ast.Name("_interpret", ast.Load()), list(names), []))
    handlers = [
        ast.ExceptHandler(ast.Name("_Exhausted", ast.Load()), None, [ast.Raise()]),
        ast.ExceptHandler(ast.Name("_RAISED", ast.Load()), None, [slow]),
    ]
    return ast.FunctionDef("run", function.args, [ast.Try(function.body, handlers, [], [])], [], None)


def build(function: ast.FunctionDef, file: str, names: dict[str, Any]) -> Any:
    """Compile a generated function in its namespace, which holds no builtins."""
    module = ast.fix_missing_locations(ast.Module([function], []))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # `1["a"]` is told to people as a FieldError
        code = compile(module, file, "exec")
    exec(code, names)  # noqa: S102  generated from a checked tree, never from text
    return names["run"]


def namespace(unit: Unit) -> dict[str, Any]:
    """Everything generated code can reach."""
    functions = {f"_f_{name}": each.run for name, each in FUNCTIONS.items() if each.run is not None}
    tables = {f"_t_{name}": rows for name, rows in unit.tables.items()}
    return {
        "__builtins__": {},
        "_Absent": Absent,
        "_Exhausted": Exhausted,
        "_RAISED": RAISED,
        **HELPERS,
        **functions,
        **tables,
        **unit.constants,
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        zh, en = f"映射文件 {shown(path)} 不是 UTF-8 编码, 请另存为 UTF-8", f"{shown(path)} is not UTF-8"
    except FileNotFoundError:
        near = nearest(path.stem, (one.stem for one in path.parent.glob("*.yaml")))
        zh, en = f"没有映射文件 {shown(path)}", f"there is no mapping file {shown(path)}"
        if near:
            zh, en = f"{zh}, 是否指 {near}?", f"{en}; did you mean {near}?"
    except OSError as error:
        zh, en = f"映射文件 {shown(path)} 无法读取: {error.strerror}", f"{shown(path)} cannot be read: {error.strerror}"
    raise MappingError(zh, en=en, where=str(path))


def _parts(text: str, path: Path, shipped: Sequence[File], findings: Findings) -> Parts | None:
    written = read(text, shown(path), findings)
    if written is None:
        return None
    if not isinstance(written, Block):
        findings.error(written.spot, "映射文件须是 键: 值", "a mapping file is made of key: value pairs")
        return None
    merged = whole(written, path, shipped, findings)
    if merged is None:
        return None
    root = merged.root
    for entry in root.entries:
        if entry.key not in _KEYS:
            findings.unknown(entry.spot, ("键", "key"), entry.key, _KEYS)
    reader = Reader(findings)
    fields, emit = root.get("fields"), root.get("emit")
    made = fields or emit
    if made is None or (fields and emit):
        findings.error(root.spot, "须有 fields 或 emit 之一", "there must be either fields or emit")
        return None
    target = Object(made.spot, reader.named(made))
    tables = _tables(root.get("tables"), findings)
    rows = _places(root.get("tables"))
    let, skip = reader.lets(root.get("let")), _skip(root, findings)
    return Parts(shown(path), root, let, skip, target, tables, rows, emit is not None, merged.shipped)


def _skip(root: Block, findings: Findings) -> Scalar | None:
    skip = root.get("skip")
    if skip is None or isinstance(skip, Scalar):
        return skip
    findings.error(skip.spot, "skip 须是一个表达式", "skip must be one expression")
    return None


def _tables(item: Item | None, findings: Findings) -> dict[str, dict[Any, Any]]:
    if item is None:
        return {}
    tables: dict[str, dict[Any, Any]] = {}
    for entry in item.entries if isinstance(item, Block) else ():
        if isinstance(entry.item, Block) and entry.key.isidentifier():
            tables[entry.key] = _rows(entry.item)
        else:
            spot: Spot = entry.spot
            findings.error(spot, f"表 {entry.key} 须是 编码: 值", f"table {entry.key} must hold code: value pairs")
    return tables


def _places(item: Item | None) -> dict[tuple[str, str], Spot]:
    tables = item.entries if isinstance(item, Block) else ()
    return {
        (table.key, row.key): row.spot
        for table in tables
        if isinstance(table.item, Block)
        for row in table.item.entries
    }


def _rows(block: Block) -> dict[Any, Any]:
    """Rows by code; a whole number is found as number and as text, whichever way the vendor sends it."""
    rows: dict[Any, Any] = {}
    for entry in block.entries:
        value = plain(entry.item)
        rows[entry.key] = value
        if isinstance(entry.raw_key, int):
            rows[entry.raw_key] = value
        elif entry.key.isascii() and entry.key.isdecimal() and str(int(entry.key)) == entry.key:
            rows[int(entry.key)] = value
    return rows
