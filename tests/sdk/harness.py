"""Installs a vendor's own client in an environment of its own and lets a driver talk to a sandbox with it.

A Python client is pinned in `requirements/sdk/NAME.txt` (hashes, no addresses; `make lock-sdk` writes it from NAME.in)
and lives in `.venv-sdk/NAME`; a Node client is pinned in `tests/sdk/npm/NAME/` (package.json, package-lock.json without
addresses). A driver is a script `tests/sdk/drive_NAME.py` or `npm/NAME/drive.mjs`: it takes its one argument as JSON
and prints one JSON value as its last line. Nothing of the client is ever imported here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from duijie import codec
from duijie.console.build import npm

ROOT = Path(__file__).parents[2]
HOMES = ROOT / ".venv-sdk"
UV = ROOT / ".venv-uv" / "bin" / "uv"
HERE = Path(__file__).parent
SECONDS = 300


class Failed(AssertionError):
    """An install or a driver ended with an error; the text is what it said."""


def drive_python(name: str, asked: Any, driver: str = "") -> Any:
    """What `drive_NAME.py` (or the driver of that name) says to `asked`, run with the pinned client."""
    python = python_of(name)
    return _said([str(python), str(HERE / f"drive_{driver or name}.py"), codec.encode_ordered(asked).decode()], HERE)


def drive_node(name: str, asked: Any) -> Any:
    """What `npm/NAME/drive.mjs` says to `asked`, run with the pinned client."""
    home = node_of(name)
    node = Path(npm()[0]).parent / "node"
    return _said([str(node), str(home / "drive.mjs"), codec.encode_ordered(asked).decode()], home)


def python_of(name: str) -> Path:
    """The Python of the client's environment, installed when it is not yet or was pinned anew."""
    pins = ROOT / "requirements" / "sdk" / f"{name}.txt"
    home = HOMES / name
    python = home / "bin" / "python"
    if not _is_made(home, pins):
        shutil.rmtree(home, ignore_errors=True)
        _run([str(UV), "venv", "--quiet", str(home)], ROOT)
        _run([str(UV), "pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", str(pins)], ROOT)
        _note(home, pins)
    return python


def node_of(name: str) -> Path:
    """The folder of the client's packages with its driver beside them."""
    source, home = HERE / "npm" / name, HOMES / f"npm-{name}"
    pins = source / "package-lock.json"
    if not _is_made(home, pins):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(source, home)
        _run([*npm(), "ci", "--silent", "--no-audit", "--no-fund"], home)
        _note(home, pins)
    shutil.copy(source / "drive.mjs", home / "drive.mjs")
    return home


def _said(command: list[str], folder: Path) -> Any:
    return codec.decode(_run(command, folder).strip().splitlines()[-1].encode())


def _run(command: list[str], folder: Path) -> str:
    path = f"{Path(npm()[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environ = {**os.environ, "PATH": path, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(command[:3])} …: {done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def _is_made(home: Path, pins: Path) -> bool:
    kept = home / ".pins"
    return kept.exists() and kept.read_text() == _hash(pins)


def _note(home: Path, pins: Path) -> None:
    (home / ".pins").write_text(_hash(pins))


def _hash(pins: Path) -> str:
    return sha256(pins.read_bytes()).hexdigest()
