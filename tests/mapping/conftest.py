"""Mappings from a few lines of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from duijie.mapping import Mapping, StaticLookup, load_mapping

HEAD = "mapping: demo/thing.in\nfrom: {system: demo, stream: things}\nto: {system: demo, sink: things}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """A mapping file with the given text below the usual head (whose three lines come first)."""

    def put(text: str) -> Path:
        path = tmp_path / "thing.in.yaml"
        path.write_text(HEAD + text, encoding="utf-8")
        return path

    return put


@pytest.fixture
def compiled(write: Callable[[str], Path]) -> Callable[..., Mapping]:
    """A mapping of these fields, with more keys of the file if wanted."""

    def load(fields: str, more: str = "") -> Mapping:
        return load_mapping(write(f"{more}fields:\n{indent(fields, '  ')}\n"))

    return load


@pytest.fixture
def value(compiled: Callable[..., Mapping]) -> Callable[..., Any]:
    """The value of one expression over a record."""

    def compute(expression: str, record: Any = None, more: str = "", lookup: Any = None, settings: Any = None) -> Any:
        quoted = "'" + expression.replace("'", "''") + "'"
        mapping = compiled(f"x: {quoted}", more)
        return mapping.run(record or {}, lookup or StaticLookup(), settings or {})["x"]

    return compute
