"""FilterString and OrderString of ExecuteBillQuery over plain rows.

The subset: = <> > >= < <= in like, and/or/not, parentheses, texts in single quotes (doubled inside), numbers. As in
the vendor's SQL Server, texts compare without regard to case and date texts take a blank or a T between day and time.
Raises QueryError with the vendor-style text for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign><>|>=|<=|=|>|<|\(|\)|,)|(?P<word>[\w.]+))"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
}


class QueryError(Exception):
    """The query is wrong; the text is what the server says."""


def comparable(value: Any) -> Any:
    """A cell or literal as the database compares it."""
    if isinstance(value, str):
        return (value.replace("T", " ", 1) if _DATE.match(value) else value).casefold().rstrip()
    return value


def tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) pairs. Raises QueryError at the first character that belongs to none."""
    found: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match:
            raise QueryError(f"“{text[at:].strip()[:20]}”附近有语法错误")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str, known: frozenset[str]) -> None:
        self._tokens = tokens(text)
        self._known = known
        self._at = 0
        self.fields: set[str] = set()

    def parse(self) -> Test:
        test = self._or()
        if self._at < len(self._tokens):
            raise QueryError(f"“{self._tokens[self._at][1]}”附近有语法错误")
        return test

    def _or(self) -> Test:
        tests = [self._and()]
        while self._take_word("or"):
            tests.append(self._and())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _and(self) -> Test:
        tests = [self._not()]
        while self._take_word("and"):
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _not(self) -> Test:
        if self._take_word("not"):
            test = self._not()
            return lambda row: not test(row)
        if self._peek() == ("sign", "("):
            self._next()
            inner = self._or()
            self._expect(")")
            return inner
        return self._condition()

    def _condition(self) -> Test:
        kind, name = self._next()
        if kind != "word":
            raise QueryError(f"“{name}”附近有语法错误")
        field = self._field(name)
        if self._take_word("in"):
            wanted = self._list()
            return lambda row: comparable(row[field]) in wanted
        if self._take_word("like"):
            pattern = _like(self._value())
            return lambda row: bool(pattern.fullmatch(str(comparable(row[field]))))
        _, sign = self._next()
        if sign not in _COMPARE:
            raise QueryError(f"“{sign}”附近有语法错误")
        return _comparison(field, sign, self._value())

    def _field(self, name: str) -> str:
        field = name.casefold()
        if field not in self._known:
            raise QueryError(f"字段 {name} 不存在")
        self.fields.add(field)
        return field

    def _list(self) -> set[Any]:
        self._expect("(")
        values = {self._value()}
        while self._peek() == ("sign", ","):
            self._next()
            values.add(self._value())
        self._expect(")")
        return values

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return comparable(text[1:-1].replace("''", "'"))
        if kind == "number":
            return Decimal(text)
        raise QueryError(f"“{text}”附近有语法错误")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "结尾")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take_word(self, word: str) -> bool:
        kind, text = self._peek()
        hit = kind == "word" and text.casefold() == word
        self._at += hit
        return hit

    def _expect(self, sign: str) -> None:
        if self._next() != ("sign", sign):
            raise QueryError(f"此处应为“{sign}”")


def _comparison(field: str, sign: str, value: Any) -> Test:
    compare = _COMPARE[sign]

    def test(row: Row) -> bool:
        cell = comparable(row[field])
        if cell is None:
            return False  # as NULL does
        try:
            return compare(cell, value)
        except TypeError as error:
            raise QueryError(f"字段 {field} 与值 {value} 的类型不匹配") from error

    return test


def _like(pattern: Any) -> re.Pattern[str]:
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in str(pattern))
    return re.compile("".join(parts), re.DOTALL)


def filter_text(given: Any) -> str:
    """A FilterString as text; the list form is conditions of {Left, FieldName, Compare, Value, Right, Logic}."""
    if not isinstance(given, list):
        return str(given or "")
    parts: list[str] = []
    for at, one in enumerate(given, 1):
        value = str(one.get("Value", "")).replace("'", "''")
        parts.append(f"{one.get('Left') or ''}{one['FieldName']} {one['Compare']} '{value}'{one.get('Right') or ''}")
        parts += [str(one.get("Logic") or "and")] if at < len(given) else []
    return " ".join(parts)


def compile_filter(text: str, known: frozenset[str]) -> tuple[Test, set[str]]:
    """(test, fields it looks at, in lower case). An empty filter passes everything. Raises QueryError."""
    if not text.strip():
        return (lambda row: True), set()
    parser = _Parser(text, known)
    return parser.parse(), parser.fields


def sort_rows(rows: list[Row], order: str, known: frozenset[str]) -> list[Row]:
    """By `a, b desc`. Raises QueryError for an unknown field."""
    for part in reversed([part.split() for part in order.split(",") if part.strip()]):
        field, descending = part[0].casefold(), part[1:2] and part[1].casefold() == "desc"
        if field not in known:
            raise QueryError(f"字段 {part[0]} 不存在")
        rows = sorted(rows, key=lambda row: _sortable(row[field]), reverse=bool(descending))
    return rows


def _sortable(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), comparable(value)


def field_keys(text: str, known: frozenset[str]) -> Sequence[str]:
    """FieldKeys in lower case. Raises QueryError for an empty list or an unknown field."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise QueryError("FieldKeys 不能为空")
    unknown = [name for name in names if name.casefold() not in known]
    if unknown:
        raise QueryError(f"字段 {', '.join(unknown)} 不存在")
    return [name.casefold() for name in names]
