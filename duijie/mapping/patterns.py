"""Regular expressions for rules, by RE2: time grows with the length of the text, whatever the pattern.

The syntax is RE2's (https://github.com/google/re2/wiki/Syntax): no look-around, no references back. What a search costs
is charged to the record's budget of steps, so many searches in long texts are refused instead of running for minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

from duijie.mapping.given import sized, string, whole
from duijie.mapping.values import STEP_LIMIT, TEXT_LIMIT, Fault, charge

PATTERN_LIMIT = 500
_MEMORY = 1 << 18  # bytes for a program and its states; larger patterns are refused
_STEP = 4096  # program instructions times characters that make one step
_REFERENCES = re.compile(r"\\(.?)", re.DOTALL)


def match(value: Any, pattern: Any) -> bool:
    """Whether the pattern occurs anywhere; `^` and `$` tie it to the ends."""
    return _search(string(value), compiled(pattern), value) is not None


def find(value: Any, pattern: Any, group: Any = 0) -> str | None:
    """The first occurrence, or that group of it (by number or name); null where there is none."""
    program = compiled(pattern)
    wanted = _group(program, group)
    found = _search(string(value), program, value)
    return None if found is None else found.group(wanted)


def sub(value: Any, pattern: Any, replacement: Any) -> str:
    r"""Every occurrence replaced; `\1` to `\9` stand for groups, `\0` for the whole, `\\` for a backslash."""
    program, text = compiled(pattern), string(value)
    template = _template(program, string(replacement))
    pieces, end, size = [], 0, len(text)
    for found in _matches(program, text, value):
        put = "".join(found.group(part) or "" if isinstance(part, int) else part for part in template)
        size += len(put) - len(found.group())
        if size > TEXT_LIMIT:
            raise Fault("文本过长", f"the text is longer than {TEXT_LIMIT} characters", replacement)
        pieces += [text[end : found.start()], put]
        end = found.end()
    return sized("".join([*pieces, text[end:]]))


def compiled(pattern: Any) -> Any:
    """The program of a pattern. Raises Fault for a bad or too large one, naming what is wrong with it."""
    if len(string(pattern)) > PATTERN_LIMIT:
        raise Fault(
            f"正则表达式超过 {PATTERN_LIMIT} 个字符",
            f"the pattern is longer than {PATTERN_LIMIT} characters",
            pattern,
        )
    return _compiled(pattern)


@lru_cache(256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        program = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        why = _why(error)
        raise Fault(
            f"正则表达式有误 ({why}); 语法见 RE2, 不支持环视与反向引用",
            f"a bad pattern ({why}); the syntax is RE2's, without look-around and back references",
            pattern,
        ) from None
    charge(program.programsize // 10)
    return program


def _why(error: Exception) -> str:
    first = error.args[0] if error.args else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _group(program: Any, group: Any) -> int:
    if type(group) is not str:
        return whole(group, 0, program.groups)
    named: dict[str, int] = program.groupindex
    if group not in named:
        known = ", ".join(named) or "-"
        raise Fault(f"正则中没有此命名组; 有: {known}", f"the pattern has no such group; there are: {known}", group)
    return named[group]


def _search(text: str, program: Any, value: Any) -> Any:
    return next(_matches(program, text, value), None)


def _matches(program: Any, text: str, value: Any) -> Iterator[Any]:
    """Occurrences from left to right; each is paid for with the text that is left, which it may have looked through."""
    spent, left = 0, len(text)
    try:
        for found in program.finditer(text):
            spent = _paid(spent, program.programsize * left // _STEP, value)
            yield found
            left = len(text) - found.end()
        _paid(spent, program.programsize * left // _STEP, value)
    except UnicodeEncodeError:
        raise Fault("文本含有不成对的代理字符", "the text holds a lone surrogate", value) from None


def _paid(spent: int, steps: int, value: Any) -> int:
    charge(steps)
    if spent + steps > STEP_LIMIT:
        raise Fault(
            "此正则在此文本上过慢; 请先截短文本或改写正则",
            "the pattern takes too long on this text; shorten the text or rewrite the pattern",
            value,
        )
    return spent + steps


@lru_cache(256)
def _split(template: str) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    end = 0
    for found in _REFERENCES.finditer(template):
        mark = found[1]
        if mark != "\\" and not (mark.isascii() and mark.isdecimal()):
            raise Fault(
                r"替换文本中 \ 之后须是组号 0-9 或 \ ",
                r"in a replacement a \ is followed by a group's number 0-9 or by another \ ",
                template,
            )
        parts += [template[end : found.start()], mark if mark == "\\" else int(mark)]
        end = found.end()
    return (*parts, template[end:])


def _template(program: Any, replacement: str) -> tuple[str | int, ...]:
    parts = _split(replacement)
    for part in parts:
        if isinstance(part, int) and part > program.groups:
            raise Fault(f"正则中没有第 {part} 组", f"the pattern has no group {part}", replacement)
    return parts
