"""Which files a new connector has, in Duijie's own tree or as a package of its own, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from keyword import iskeyword
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from duijie.connect.errors import ConfigError
from duijie.connect.registry import conn_types

NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
ENTRY_POINTS = '[project.entry-points."duijie.connectors"]\n'
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    variable_start_string="<<",
    variable_end_string=">>",
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701  Python and YAML, no HTML
)


@dataclass(frozen=True)
class File:
    """A file to write, whole. `changes`: it is there, and becomes this."""

    path: Path
    text: str
    changes: bool = False


def in_tree(name: str, title: str, root: Path) -> list[File]:
    """The files of a connector in Duijie's own tree. Raises ConfigError for a name that will not do."""
    package, sandbox = f"connectors.{name}", f"sandbox.{name}"
    places = {
        f"sandbox/{name}.py": "sandbox.py",
        f"tests/contract/sites/{name}.py": "site.py",
        f"tests/connectors/test_{name}.py": "test.py",
        f"docs/connectors/{name}.md": "page.md",
    }
    words = {**_words(name, title), "package": package, "sandbox": sandbox, "alone": False, "up": 3, "up_test": 2}
    files = _rendered(root, {**_connector(f"connectors/{name}"), **_mappings(name), **places}, words)
    return [*files, _declared(root / "pyproject.toml", name)]


def as_package(name: str, title: str, folder: Path) -> list[File]:
    """The files of a connector that lives outside this tree. Raises ConfigError for a name that will not do."""
    package = f"duijie_{name}"
    places = {
        f"{package}/sandbox.py": "sandbox.py",
        "tests/test_contract.py": "site.py",
        f"tests/test_{name}.py": "test.py",
        "pyproject.toml": "pyproject.toml",
        "README.md": "readme.md",
    }
    sandbox = f"{package}.sandbox"
    words = {**_words(name, title), "package": package, "sandbox": sandbox, "alone": True, "up": 1, "up_test": 1}
    return list(_rendered(folder, {**_connector(package), **_mappings(name), **places}, words))


def write(files: Sequence[File]) -> None:
    """Write them all, or none where a new one is there already. Raises ConfigError naming it."""
    there = [one.path for one in files if not one.changes and one.path.exists()]
    if there:
        raise ConfigError(
            f"{there[0]} 已存在, 不覆盖; 请换一个名称, 或先移走该文件",
            en=f"{there[0]} exists and is not overwritten; take another name or move it away",
            where=str(there[0]),
        )
    for one in files:
        one.path.parent.mkdir(parents=True, exist_ok=True)
        one.path.write_text(one.text, encoding="utf-8")


def _connector(package: str) -> dict[str, str]:
    return {
        f"{package}/__init__.py": "plugin.py",
        f"{package}/client.py": "client.py",
        f"{package}/connector.py": "connector.py",
        f"{package}/errors.yaml": "errors.yaml",
    }


def _mappings(name: str) -> dict[str, str]:
    return {
        f"mappings/{name}/sales_order.in.yaml": "sales_order.in.yaml",
        f"mappings/{name}/sales_order.out.yaml": "sales_order.out.yaml",
        f"schemas/sources/{name}/order.json": "source.json",
    }


def _rendered(root: Path, places: Mapping[str, str], words: Mapping[str, object]) -> Iterator[File]:
    for place, template in places.items():
        text = _templates.get_template(f"{template}.tmpl").render(words)
        yield File(root / place, _sorted(text) if place.endswith(".py") else text)


def _sorted(text: str) -> str:
    """The same with each block of `from` lines in order, whatever the connector's name."""
    blocks = groupby(text.splitlines(keepends=True), key=lambda line: line.startswith("from "))
    return "".join(line for is_import, block in blocks for line in (sorted(block) if is_import else block))


def _words(name: str, title: str) -> dict[str, object]:
    if not NAME.fullmatch(name) or iskeyword(name):
        raise ConfigError(
            f"名称 {name} 不可用: 请用 2 到 31 个小写字母或数字, 以字母开头, 例如 acme",
            en=f"{name!r} will not do as a name: two to 31 lower-case letters and digits, a letter first",
            where=name,
        )
    if name in conn_types():
        raise ConfigError(f"已有名为 {name} 的连接器, 请另取名称", en=f"{name} is taken; take another name", where=name)
    return {"name": name, "title": title or name, "cls": name.capitalize()}


def _declared(path: Path, name: str) -> File:
    """pyproject.toml with the connector's entry point. Raises ConfigError where there is no such place in it."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if ENTRY_POINTS not in text:
        raise ConfigError(
            f"{path.parent.resolve()} 不是 Duijie 的源码目录; 请在源码目录中运行, 或用 --package 目录 建立独立的包",
            en=f"{path.parent} is no checkout of Duijie; run it in one, or make a package of its own with --package",
            where=str(path),
        )
    declared = f'{ENTRY_POINTS}{name} = "connectors.{name}:CONNECTOR"\n'
    return File(path, text.replace(ENTRY_POINTS, declared, 1), changes=True)
