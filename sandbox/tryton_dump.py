"""A PostgreSQL database of Tryton kept beside the environment that made it: building takes a minute, restoring seconds.

By PostgreSQL's own pg_dump and pg_restore; where they are not installed each database is built.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

DUMP = "database.dump"
SECRETS = ("admin-password", "api-password")
PROGRAMS = "/usr/lib/postgresql"


def can_dump() -> bool:
    """Whether PostgreSQL's client programs are here."""
    return bool(_program("pg_dump") and _program("pg_restore") and _program("createdb"))


def keep(uri: str, home: Path, kept: Path) -> None:
    """Keep the database and the passwords in it; a second process that does so at the same time changes nothing."""
    draft = kept.with_name(f"{kept.name}-draft-{os.getpid()}")
    draft.mkdir(mode=0o700)
    try:
        _run("pg_dump", "-Fc", "-f", str(draft / DUMP), "-d", uri)
        for name in SECRETS:
            shutil.copy2(home / name, draft / name)
        draft.rename(kept)
    except OSError:  # another process was first
        if not kept.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def restore(uri: str, home: Path, kept: Path) -> None:
    """A new database of what was kept, and its passwords; an empty one that is there already is filled."""
    parts = urlsplit(uri)
    maintenance = urlunsplit(parts._replace(path="/postgres"))
    with contextlib.suppress(RuntimeError):  # it is there: whether it is empty pg_restore will tell
        _run("createdb", f"--maintenance-db={maintenance}", parts.path.strip("/"))
    _run("pg_restore", "--no-owner", "-d", uri, str(kept / DUMP))
    for name in SECRETS:
        shutil.copy2(kept / name, home / name)


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run([str(_program(name)), *arguments], capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.decode()[-2000:]}")


def _program(name: str) -> str | None:
    """On the path, else of the newest PostgreSQL."""
    folders = sorted(Path(PROGRAMS).glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = [str(folder / name) for folder in reversed(folders) if (folder / name).exists()]
    return found[0] if found else shutil.which(name)
