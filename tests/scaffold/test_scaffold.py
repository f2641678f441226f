"""A connector that was scaffolded works before anybody touched it: lint, its own tests, every check of the contract."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from duijie.connect.errors import ConfigError
from duijie.contract import CHECKS
from duijie.mapping import lint
from duijie.scaffold import as_package, in_tree, write

ROOT = Path(__file__).parents[2]


def pytest_in(folder: Path, *arguments: str, path: Path = ROOT) -> tuple[int, str]:
    """The exit code and how many tests passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{path}"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def passed(said: str) -> int:
    found = re.search(r"(\d+) passed", said)
    return int(found[1]) if found else said.count(".")


def is_clean(folder: Path, *places: str, leaving: str = "D") -> None:
    for command in (["check", "--ignore", leaving], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), *places]
        done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_package_of_its_own_passes_the_contract_and_its_own_tests(tmp_path: Path) -> None:
    write(as_package("acme", "某某进销存", tmp_path))
    is_clean(tmp_path, "duijie_acme", "tests", leaving="I001")  # which section Duijie is in is the package's to say
    code, said = pytest_in(tmp_path, "--no-header", "tests")
    assert code == 0, said
    assert passed(said) >= len(CHECKS)
    assert lint(sorted((tmp_path / "mappings").rglob("*.yaml"))) == []


@pytest.mark.slow
def test_a_connector_in_the_tree_passes_the_contract_and_its_own_tests(tmp_path: Path) -> None:
    for name in ("duijie", "connectors", "sandbox", "mappings", "schemas", "tests/contract", "tests/connectors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    write(in_tree("acme", "某某进销存", tmp_path))
    is_clean(
        tmp_path, "connectors/acme", "sandbox/acme.py", "tests/contract/sites/acme.py", "tests/connectors/test_acme.py"
    )
    wanted = ["tests/contract/test_connectors.py", "tests/connectors/test_acme.py", "-k", "Acme or acme"]
    code, said = pytest_in(tmp_path, "--no-header", *wanted, path=tmp_path)
    assert code == 0, said
    assert passed(said) >= len(CHECKS)
    assert lint(sorted((tmp_path / "mappings" / "acme").glob("*.yaml"))) == []
    assert 'acme = "connectors.acme:CONNECTOR"' in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


def test_a_file_that_is_there_is_not_overwritten_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_acme.py").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="test_acme"):
        write(as_package("acme", "", tmp_path))
    assert [path.name for path in tmp_path.rglob("*.py")] == ["test_acme.py"]


@pytest.mark.parametrize("name", ["Acme", "a", "1acme", "class", "ac-me", "taobao"])
def test_a_name_that_will_not_do_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        as_package(name, "", tmp_path)


def test_outside_a_checkout_the_way_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        in_tree("acme", "", tmp_path)
    assert "--package" in raised.value.zh
