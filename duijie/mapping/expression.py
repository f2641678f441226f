"""Expressions: Python's syntax, read as a tree, and refused unless every node of it is on the list.

The tree comes out with the line and column of the mapping file on each node, so that whatever is compiled from it
blames the file itself.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from duijie.mapping.document import Scalar
from duijie.mapping.findings import Findings, Spot
from duijie.mapping.signatures import FUNCTIONS, Signature

_LENGTH = 4000
_LARGEST = 10**40
_DEPTH = 60
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Not, ast.USub, ast.UAdd)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_PLAIN = (ast.List, ast.Tuple, ast.IfExp, ast.BoolOp)


class Refused(Exception):
    """A node that is not on the list."""

    def __init__(self, node: ast.AST, zh: str, en: str) -> None:
        super().__init__(en)
        self.node = node
        self.zh = zh
        self.en = en


def parse(scalar: Scalar, findings: Findings) -> ast.expr | None:
    """The checked tree of an expression; YAML numbers, booleans and null are constants. None after a finding."""
    if not isinstance(scalar.value, str):
        return _placed(ast.Constant(scalar.value), scalar)
    before = len(findings.all)
    tree = _tree(scalar, findings)
    if tree is None:
        return None
    _locate(tree, scalar)
    try:
        if isinstance(tree, ast.GeneratorExp):
            raise _stray(tree)
        _check(tree, findings, scalar.spot.file, 0)
    except Refused as refused:
        findings.error(spot_of(refused.node, scalar.spot.file), refused.zh, refused.en)
    return tree if len(findings.all) == before else None


def spot_of(node: ast.AST, file: str) -> Spot:
    """Where a located node stands: in the file it was written in, which an override's need not be, else in `file`."""
    return Spot(getattr(node, "file", file), getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)


def path_of(node: ast.expr) -> tuple[ast.Name, list[ast.expr]] | None:
    """The root and the keys of `a.b["c"][0]`; None when the node is not a path."""
    keys: list[ast.expr] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            keys.append(ast.copy_location(ast.Constant(node.attr), node))
        elif isinstance(node, ast.Subscript):
            keys.append(node.slice)
        else:
            return None
        node = node.value
    return node, keys[::-1]


def _placed(node: ast.expr, scalar: Scalar) -> ast.expr:
    node.lineno = node.end_lineno = scalar.spot.line
    node.col_offset = node.end_col_offset = scalar.spot.column - 1
    vars(node)["file"] = scalar.spot.file
    return node


def _tree(scalar: Scalar, findings: Findings) -> ast.expr | None:
    text = _one_line(scalar)
    if not text.strip():
        findings.error(
            scalar.spot, "表达式为空; 空文本请写作 '\"\"'", "the expression is empty; an empty text is '\"\"'"
        )
        return None
    if len(text) > _LENGTH:
        findings.error(scalar.spot, "表达式过长; 请用 let 拆分", "the expression is too long; split it with let")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.lstrip(), mode="eval").body
    except SyntaxError as error:
        lead = len(text) - len(text.lstrip())
        spot = _spot_at(scalar, lead + max((error.offset or 1) - 1, 0))
        findings.error(spot, f"表达式语法错误: {text.strip()}", f"not an expression: {error.msg}: {text.strip()}")
        return None
    except (ValueError, RecursionError, MemoryError):
        findings.error(scalar.spot, "表达式无法读取", "the expression cannot be read")
        return None
    return _whole(tree, text, scalar, findings)


def _whole(tree: ast.expr, text: str, scalar: Scalar, findings: Findings) -> ast.expr | None:
    """Refuse what Python's reader would drop silently: a comment at the end."""
    tail = text.lstrip().encode()[tree.end_col_offset :].decode()
    if tail.replace(")", "").replace(",", "").strip():
        findings.error(scalar.spot, "表达式中不能有注释", "an expression holds no comment")
        return None
    return tree


def _one_line(scalar: Scalar) -> str:
    return "".join(" " if char in "\n\r\t\f" else char for char in scalar.value)


def _spot_at(scalar: Scalar, offset: int) -> Spot:
    if not scalar.places:
        return scalar.spot
    line, column = scalar.places[min(offset, len(scalar.places) - 1)]
    return Spot(scalar.spot.file, line, column)


def _locate(tree: ast.expr, scalar: Scalar) -> None:
    text = _one_line(scalar)
    body = text.lstrip()
    lead = len(text) - len(body)
    chars = [at for at, char in enumerate(body) for _ in char.encode()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            node.value = _exact(node, body)  # type: ignore[assignment]
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.keyword):
            assert node.end_col_offset is not None  # noqa: S101  set by ast.parse
            start = scalar.places[lead + chars[node.col_offset]]
            end = scalar.places[lead + chars[node.end_col_offset - 1]]
            node.lineno, node.col_offset = start[0], start[1] - 1
            node.end_lineno, node.end_col_offset = end
            vars(node)["file"] = scalar.spot.file


def _exact(node: ast.Constant, body: str) -> Decimal:
    segment = body.encode()[node.col_offset : node.end_col_offset].decode()
    return Decimal(segment.replace("_", ""))


def _check(node: ast.AST, findings: Findings, file: str, depth: int) -> None:
    if depth > _DEPTH:
        raise Refused(node, "表达式嵌套过深; 请用 let 拆分", "the expression is nested too deeply; split it with let")
    if isinstance(node, ast.Call):
        _call(node, findings, file)
        children: list[ast.AST] = [*node.args, *(keyword.value for keyword in node.keywords)]
    else:
        _node(node)
        children = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.comprehension)]
    for child in children:
        if isinstance(child, ast.GeneratorExp) and not _takes_generator(node):
            raise _stray(child)
        _check(child, findings, file, depth + 1)


def _stray(node: ast.AST) -> Refused:
    return Refused(
        node,
        "推导式只能用在 sum、all、any、first、list 等函数内",
        "a comprehension belongs inside sum, all, any, first, list",
    )


def _takes_generator(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and _over(node.func.id)


def _over(name: str) -> bool:
    return name in FUNCTIONS and FUNCTIONS[name].over


def _node(node: ast.AST) -> None:
    if isinstance(node, _PLAIN):
        return
    check = _CHECKS.get(type(node))
    if check is None:
        what = type(node).__name__
        raise Refused(node, f"映射表达式不支持此语法 ({what})", f"this syntax is not part of the language ({what})")
    check(node)


def _named(node: Any) -> None:
    name = node.id if isinstance(node, ast.Name) else node.attr
    if name.startswith("_"):
        raise Refused(node, f"名称不能以下划线开头: {name}", f"a name must not begin with an underscore: {name}")


def _constant(node: Any) -> None:
    value: Any = node.value
    if not isinstance(value, str | int | Decimal | None):
        raise Refused(node, "不支持的字面量", "this literal is not part of the language")
    if type(node.value) in (int, Decimal) and abs(node.value) >= _LARGEST:
        raise Refused(node, "数字过大", "the number is too large")


def _operator(node: Any) -> None:
    if not isinstance(node.op, _OPERATORS):
        what = type(node.op).__name__
        raise Refused(node, f"不支持的运算符: {what}", f"this operator is not part of the language: {what}")


def _comparison(node: Any) -> None:
    for op in node.ops:
        if not isinstance(op, _COMPARISONS):
            what = type(op).__name__
            raise Refused(node, f"不支持的比较 {what}; 与空值比较请写 == null", f"no comparison {what}; write == null")


def _index(node: Any) -> None:
    if isinstance(node.slice, ast.Slice):
        raise Refused(node, "不支持切片; 请用 left() 或 split()", "no slices; use left() or split()")


def _pairs(node: Any) -> None:
    for key in node.keys:
        if key is None:
            raise Refused(node, "不支持 ** 展开", "no ** unpacking")
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise Refused(key, "对象的键须是带引号的文本", "the keys of an object are quoted texts")


def _levels(node: Any) -> None:
    if len(node.generators) > 2:
        raise Refused(node, "推导式最多两层", "a comprehension has at most two levels")


def _generator(node: Any) -> None:
    if node.is_async or not isinstance(node.target, ast.Name):
        raise Refused(node.target, "推导式只能有一个变量名", "a comprehension binds one plain name")


_CHECKS: dict[type[ast.AST], Callable[[Any], None]] = {
    ast.Name: _named,
    ast.Attribute: _named,
    ast.Constant: _constant,
    ast.BinOp: _operator,
    ast.UnaryOp: _operator,
    ast.Compare: _comparison,
    ast.Subscript: _index,
    ast.Dict: _pairs,
    ast.GeneratorExp: _levels,
    ast.ListComp: _levels,
    ast.comprehension: _generator,
}


def _call(node: ast.Call, findings: Findings, file: str) -> None:
    spot = spot_of(node, file)
    if not isinstance(node.func, ast.Name):
        raise Refused(node, "只能调用已登记的函数", "only the registered functions can be called")
    name = node.func.id
    if name not in FUNCTIONS:
        findings.unknown(spot, ("函数", "function"), name, FUNCTIONS)
        return
    signature = FUNCTIONS[name]
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            raise Refused(argument, "不支持 * 展开", "no * unpacking")
    _arguments(node, name, signature, findings, spot)


def _arguments(node: ast.Call, name: str, signature: Signature, findings: Findings, spot: Spot) -> None:
    for keyword in node.keywords:
        if keyword.arg not in signature.keywords:
            findings.unknown(spot, (f"参数 ({name})", f"argument of {name}"), str(keyword.arg), signature.keywords)
    given = len(node.args) + len(node.keywords)
    if given < signature.least or (signature.most is not None and given > signature.most):
        findings.error(
            spot,
            f"{name}() 需要 {signature.arity} 个参数, 给了 {given} 个",
            f"{name}() takes {signature.arity} arguments, got {given}",
        )
    elif name in ("has", "present", "default") and path_of(node.args[0]) is None:
        findings.error(spot, f"{name}() 的第一个参数须是路径", f"the first argument of {name}() must be a path")
    elif name == "table" and not (isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
        findings.error(
            spot, "table() 的第一个参数须是表名 (带引号)", "the first argument of table() must be a quoted table name"
        )
