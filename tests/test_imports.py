"""Imports point one way (the rooms of the design), read from the syntax tree of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGINE = sorted((ROOT / "duijie").rglob("*.py"))
CONNECTORS = sorted((ROOT / "connectors").rglob("*.py"))

ORDER = [  # each room may import those before it, never those after it
    {"codec", "connect", "difference", "people"},
    {"schemas"},
    {"mapping", "journal", "flow", "flowfile"},
    {"given", "leases", "parcels", "desk", "looking", "runtime", "sharing", "shift"},
    {
        "pull",
        "deliver",
        "versions",
        "invoicing",
        "reconcile",
        "derive",
        "alerts",
        "report",
        "replay",
        "codes",
        "provenance",
        "ingress",
    }
    | {"watch", "keep"},
    {"drift", "diagnosis", "scaffold"},
    {"masking", "places", "yamltests"},
    {"fixtures"},
    {"recording"},
    {"engine"},
    {"worker"},
    {"console", "airflow", "cli", "demo"},
    {"contract"},  # for tests of connectors: nothing of the engine leans on it
]
PURE = ["mapping", "derive"]
IMPURE_MODULES = {"sqlalchemy", "requests", "socket", "urllib.request", "time", "random"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    return name.split(".")[1] if name.startswith("duijie.") else ""


def rank(name: str) -> int:
    return next(position for position, rooms in enumerate(ORDER) if name in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "duijie").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_imports_only_towards_the_core(path: Path) -> None:
    mine = room_of(path)
    if mine == "__init__":
        return
    for name in imports(path):
        target = room(name)
        if target in set().union(*ORDER) and target != mine:
            assert rank(target) <= rank(mine), f"{path}: {mine} must not import {name}"


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_airflow_is_imported_in_one_room_and_the_sandbox_nowhere(path: Path) -> None:
    named = set(imports(path))
    assert not any(name.split(".")[0] == "sandbox" for name in named), f"{path} imports the sandbox"
    if room_of(path) != "airflow":
        assert not any(name.split(".")[0] == "airflow" for name in named), f"{path} imports Airflow"


@pytest.mark.parametrize("path", CONNECTORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_connectors_see_the_seam_and_nothing_else(path: Path) -> None:
    for name in imports(path):
        assert not name.startswith(("sandbox", "airflow")), f"{path} imports {name}"
        if name.startswith("duijie."):
            assert name.startswith(("duijie.connect", "duijie.codec")), f"{path} imports {name}"


@pytest.mark.parametrize("name", PURE)
def test_mapping_and_derive_are_pure(name: str) -> None:
    for path in (ROOT / "duijie" / name).rglob("*.py"):
        if path.name in (
            "making.py",
            "invoice_making.py",
            "invoice_changes.py",
            "invoice_sources.py",
            "reversals.py",
            "withdrawals.py",
            "cli.py",
        ):  # feeders and command line: the rooms' doors
            continue
        assert not IMPURE_MODULES & set(imports(path)), f"{path} is not pure"
        assert not any(found.startswith("duijie.journal") for found in imports(path)), f"{path} reads the journal"
