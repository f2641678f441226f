"""From an exception in generated code to a sentence that names field, file, line, column, path and value.

Generated code carries no error handling of its own: it is plain indexing and arithmetic. When it raises, the position
of the instruction leads to the node of the rule, and the frame still holds every value the rule has seen.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any

from duijie.connect.errors import DataError, UnmappedCode
from duijie.mapping.emit import Place, Rule, Site, place_of
from duijie.mapping.expression import path_of, spot_of
from duijie.mapping.findings import Spot
from duijie.mapping.values import Fault, Said, kind, show

RAISED = (KeyError, IndexError, TypeError, ArithmeticError, Fault, UnmappedCode)
ABSENT = (KeyError, IndexError, TypeError)


class FieldError(DataError):
    """A rule failed on this record: `field`, `spot` (file, line, column) and the offending `value`."""

    def __init__(self, field: str, spot: Spot, words: tuple[str, str], value: Any, *, code: str = "MAPPING") -> None:
        zh, en = words
        if not isinstance(value, Said):
            zh, en = f"字段 {field}: {zh} (值: {show(value)})", f"{field}: {en} (value: {show(value)})"
        super().__init__(zh, en=en, code=code, where=f"{field} {spot}")
        self.field = field
        self.spot = spot
        self.value = value


@dataclass(frozen=True)
class _Hit:
    site: Site
    spot: Spot
    frames: tuple[FrameType, ...]


class Blame:
    """Knows the sites of one compiled mapping."""

    def __init__(self, file: str, sites: dict[Place, Site], names: dict[str, Any]) -> None:
        self.file = file
        self.sites = sites
        self.names = names
        self._paths: dict[tuple[CodeType, int], bool] = {}

    def absent(self, error: BaseException) -> bool:
        """Whether an exception only says that a path does not exist (so that `default` stands in)."""
        frames = self._frames(error.__traceback__)
        if not frames or isinstance(error, Fault):
            return False
        last, instruction = frames[-1]
        key = (last.f_code, instruction)
        if key not in self._paths:
            site = self.sites.get(_place(*key))
            self._paths[key] = site is not None and path_of(site.node) is not None
        return self._paths[key] and _depth(error.__traceback__) is last

    def error(self, error: BaseException) -> DataError | None:
        """The error for people, None if the exception is not a rule's."""
        hit = self._hit(error)
        if hit is None:
            return None
        field = self._field(hit.site.rule, hit.frames)
        if isinstance(error, UnmappedCode):
            error.where = f"{error.where} {field} {hit.spot}"
            return error
        if isinstance(error, Fault):
            return FieldError(field, hit.spot, (error.zh, error.en), error.value)
        return self._plain(error, hit, field)

    def _hit(self, error: BaseException) -> _Hit | None:
        frames = self._frames(error.__traceback__)
        last = _depth(error.__traceback__)
        foreign = last is None or not _ours(last, self.names)
        if not frames or (foreign and not isinstance(error, UnmappedCode)):
            return None
        frame, instruction = frames[-1]
        site = self.sites.get(_place(frame.f_code, instruction))
        if site is None:
            return None
        return _Hit(site, spot_of(site.node, self.file), tuple(frame for frame, _ in reversed(frames)))

    def _frames(self, traceback: TracebackType | None) -> list[tuple[FrameType, int]]:
        found = []
        while traceback is not None:
            if traceback.tb_frame.f_globals is self.names:
                found.append((traceback.tb_frame, traceback.tb_lasti))
            traceback = traceback.tb_next
        return found

    def _field(self, rule: Rule, frames: tuple[FrameType, ...]) -> str:
        values = frames[-1].f_locals
        return rule.field.format(*(values.get(counter, "?") for counter in rule.counters))

    def _plain(self, error: BaseException, hit: _Hit, field: str) -> DataError:
        node = hit.site.node
        if isinstance(error, ABSENT) and path_of(node) is not None:
            return self._missing(hit, field)
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(error, ABSENT):
            return self._missing(hit, field)
        if isinstance(error, KeyError) and isinstance(node, ast.Call):
            words = (
                f"表 {ast.unparse(node.args[0])} 中没有此编码; 请在映射文件的 tables 中补一行",
                f"table {ast.unparse(node.args[0])} has no row for this code; add it below tables",
            )
            return FieldError(field, hit.spot, words, self._value(node.args[1], hit), code="NO_ROW")
        values = [self._value(operand, hit) for operand in _operands(node)]
        return FieldError(field, hit.spot, _reason(error, node, values), values[0] if len(values) == 1 else values)

    def _missing(self, hit: _Hit, field: str) -> DataError:
        node = hit.site.node
        path = ast.unparse(node)
        inner = node.value if isinstance(node, ast.Attribute | ast.Subscript) else None
        held = self._value(inner, hit) if inner is not None else hit.frames[-1].f_locals.get("record")
        where = ("记录", "the record") if inner is None else (ast.unparse(inner), ast.unparse(inner))
        words = (
            f"路径 {path} 不存在 ({where[0]} 中没有); 请核对来源记录, 可缺省时用 default() 或 has()",
            f"the path {path} does not exist (not in {where[1]}); check the record, or use default() or has()",
        )
        return FieldError(field, hit.spot, words, held, code="MISSING")

    def _value(self, node: ast.expr, hit: _Hit) -> Any:
        """Compute a part of the failed rule once more, from the values the frame still holds."""
        site = self.sites.get(place_of(node))
        if site is None:
            return None
        tree = ast.fix_missing_locations(ast.Expression(copy.deepcopy(site.code)))
        values: dict[str, Any] = {}
        for frame in reversed(hit.frames):
            values.update(frame.f_locals)
        try:
            return eval(compile(tree, self.file, "eval"), {**self.names, **values})  # noqa: S307  our own generated code
        except RAISED:
            return None


def _depth(traceback: TracebackType | None) -> FrameType | None:
    last = None
    while traceback is not None:
        last, traceback = traceback.tb_frame, traceback.tb_next
    return last


def _ours(frame: FrameType, names: dict[str, Any]) -> bool:
    return frame.f_globals is names or str(frame.f_globals.get("__name__")).startswith("duijie.mapping.")


def _place(code: CodeType, instruction: int) -> Place:
    line, end_line, column, end_column = next(islice(code.co_positions(), instruction // 2, None))
    return (line or 0, end_line or 0, column or 0, end_column or 0)


def _operands(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Compare(left=left, comparators=comparators):
            return [left, *comparators]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Call(args=args):
            return list(args)
        case _:
            return [node]


def _reason(error: BaseException, node: ast.expr, values: list[Any]) -> tuple[str, str]:
    text = ast.unparse(node)
    if isinstance(error, ZeroDivisionError):
        return f"除数为零: {text}; 请核对来源, 或先判断", f"division by zero: {text}; check the record or test first"
    if isinstance(error, ArithmeticError):
        return f"数字超出范围: {text}", f"a number is out of range: {text}"
    kinds = [kind(value) for value in values]
    zh, en = ("、".join(each[0] for each in kinds), " and ".join(each[1] for each in kinds))
    return (
        f"类型不符: {text} 得到 {zh}; 请先用 money()、decimal() 或 text() 转换",
        f"the kinds do not fit: {text} has {en}; convert with money(), decimal() or text()",
    )
