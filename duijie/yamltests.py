"""Test cases as YAML at the end of a mapping file, everything before them kept byte for byte."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.mapping.values import plain_number

_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")


def appended(text: str, cases: list[Record], file: str) -> str:
    """The file's text with the cases after its last test. Raises ConfigError where `tests:` is not its last key."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, MappingNode) or root.flow_style or not root.value:
        raise _refused(file, "文件须是逐行的 键: 值", "the file must be block style key: value pairs")
    keys = [key.value for key, _ in root.value]
    break_ = "\r\n" if "\r\n" in text else "\n"
    head, indent = "", 2
    if "tests" not in keys:
        head = f"tests:{break_}"
    elif keys[-1] != "tests":
        raise _refused(file, "tests 不是最后一个键, 请先把 tests 移到文件末尾", "move tests: to the end of the file")
    else:
        indent = _indent(root.value[-1][1], file)
    start = text if text.endswith("\n") else text + break_
    lines = [f"{' ' * indent}{line}{break_}" for line in written(cases).splitlines()]
    return start + head + "".join(lines)


def written(cases: list[Record]) -> str:
    """Cases as a YAML list, block style; texts that any reader could take for something else are quoted."""
    return yaml.dump(
        cases, Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=False, width=float("inf")
    )


def _indent(tests: Any, file: str) -> int:
    if isinstance(tests, SequenceNode) and not tests.flow_style:
        return int(tests.start_mark.column)
    if isinstance(tests, ScalarNode) and not tests.value:
        return 2
    raise _refused(file, "tests 须逐行书写 (- name: …)", "write tests: block style (- name: …)")


def _refused(file: str, zh: str, en: str) -> ConfigError:
    return ConfigError(f"无法写入 {file}: {zh}", en=f"{file} cannot be added to: {en}", where=file)


class _Dumper(yaml.SafeDumper):
    """Block style, exact numbers, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias: mapping files know none."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand in from their key."""
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, value: str) -> ScalarNode:
    plain = value[:1].isalpha() and value.isprintable() and value.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


def _number(dumper: _Dumper, value: Decimal) -> ScalarNode:
    text = plain_number(value)
    tag = "int" if text.lstrip("-").isdecimal() else "float"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{tag}", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Decimal, _number)
