"""The generated function as text for people, one line per target field."""

from __future__ import annotations

import ast
import copy


def render(function: ast.FunctionDef) -> str:
    """Python source equal to what runs."""
    tree = ast.fix_missing_locations(copy.deepcopy(function))
    arguments = ", ".join(each.arg for each in tree.args.args)
    return "\n".join([f"def run({arguments}):", *_body(tree.body, "    "), ""])


def _body(statements: list[ast.stmt], indent: str) -> list[str]:
    return [line for statement in statements for line in _statement(statement, indent)] or [f"{indent}pass"]


def _statement(node: ast.stmt, indent: str) -> list[str]:
    deeper = f"{indent}    "
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            other = [f"{indent}else:", *_body(orelse, deeper)] if orelse else []
            return [f"{indent}if {ast.unparse(test)}:", *_body(body, deeper), *other]
        case ast.For(target=target, iter=source, body=body):
            return [f"{indent}for {ast.unparse(target)} in {ast.unparse(source)}:", *_body(body, deeper)]
        case ast.Try(body=body, handlers=handlers):
            caught = [line for handler in handlers for line in _handler(handler, indent)]
            return [f"{indent}try:", *_body(body, deeper), *caught]
        case _:
            return _simple(node, indent)


def _simple(node: ast.stmt, indent: str) -> list[str]:
    match node:
        case ast.Assign(targets=[target], value=value):
            return _spread(f"{ast.unparse(target)} = ", value, "", indent)
        case ast.Return(value=ast.expr() as value):
            return _spread("return ", value, "", indent)
        case ast.Expr(value=ast.Call(func=function, args=[value])):
            return _spread(f"{ast.unparse(function)}(", value, ")", indent)
        case _:
            return [f"{indent}{ast.unparse(node)}"]


def _handler(node: ast.ExceptHandler, indent: str) -> list[str]:
    caught = ast.unparse(node.type) if node.type else ""
    return [f"{indent}except {caught}:", *_body(node.body, f"{indent}    ")]


def _spread(lead: str, value: ast.expr, tail: str, indent: str) -> list[str]:
    if not isinstance(value, ast.Dict) or not value.keys:
        return [f"{indent}{lead}{ast.unparse(value)}{tail}"]
    lines = [f"{indent}{lead}{{"]
    for key, each in zip(value.keys, value.values, strict=True):
        label = f"{ast.unparse(key)}: " if key else "**"
        lines.extend(_spread(label, each, ",", f"{indent}    "))
    return [*lines, f"{indent}}}{tail}"]
