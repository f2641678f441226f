"""What git knows of a rule: who changed a line last, and the file as it was when a record was made.

Everything is asked of the git command; where there is none, or the file is in no repository, that is said and nothing
fails.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

SECONDS = 20
SHORT = 12
NO_GIT = "没有安装 git"
NOT_KEPT = "不在 git 中"
UNCOMMITTED = "尚未提交"
NOBODY = "0" * 40


@dataclass(frozen=True)
class Change:
    """The last change of a line. Without a commit `unknown` says why."""

    who: str = ""
    at: str = ""
    commit: str = ""
    summary: str = ""
    unknown: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Version:
    """A file as it was: its text and the commit that holds it."""

    text: str
    commit: str


def last_change(path: Path, line: int, commit: str = "") -> Change:
    """Who changed a line last, up to a commit (default: the file as it is now)."""
    found = _blamed(path.absolute(), commit, _stamp(path))
    return found if isinstance(found, Change) else found.get(line, Change(unknown=NOT_KEPT))


def version_of(path: Path, digest: str) -> Version | None:
    """The text whose content hash begins with `digest`, among all that git has of the file; None where it has none."""
    for commit, blob in _blobs(path):
        text = _git(path, "cat-file", "blob", blob)
        if text is not None and hashlib.sha256(text.encode()).hexdigest().startswith(digest):
            return Version(text, commit)
    return None


def committed(path: Path) -> Version | None:
    """The file as last committed."""
    first = next(_blobs(path), None)
    text = _git(path, "cat-file", "blob", first[1]) if first else None
    return Version(text, first[0]) if first and text is not None else None


def digest_of(text: str) -> str:
    """The short content hash that mappings are stamped with."""
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def _blobs(path: Path) -> Iterator[tuple[str, str]]:
    """(commit, blob) of every version of a file, the newest first."""
    told = _git(path, "log", "--full-history", "-m", "--format=%H", "--raw", "--no-abbrev", "--", path.name) or ""
    commit = ""
    for line in filter(None, told.splitlines()):
        if not line.startswith(":"):
            commit = line
        elif (blob := line.split()[3]) != NOBODY:
            yield commit, blob


def _stamp(path: Path) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    kept = path.stat()
    return kept.st_mtime_ns, kept.st_size


@lru_cache(maxsize=256)
def _blamed(path: Path, commit: str, _: tuple[int, int]) -> Change | dict[int, Change]:
    """Line → its last change; one Change without a commit where git cannot tell."""
    if shutil.which("git") is None:
        return Change(unknown=NO_GIT)
    told = _git(path, "blame", "--porcelain", *([commit] if commit else []), "--", path.name)
    return Change(unknown=NOT_KEPT) if told is None else dict(_lines(told))


def _lines(told: str) -> Iterator[tuple[int, Change]]:
    """git's porcelain form: a head line for each line, its commit's particulars at the first of them, then the text."""
    known: dict[str, dict[str, str]] = {}
    commit, number = NOBODY, 0
    for line in told.splitlines():
        if line.startswith("\t"):
            yield number, _change(commit, known[commit])
        elif len(words := line.split(" ")) >= 3 and len(words[0]) == 40 and words[1].isdigit():
            commit, number = words[0], int(words[2])
            known.setdefault(commit, {})
        else:
            name, _, value = line.partition(" ")
            known[commit][name] = value


def _change(commit: str, told: dict[str, str]) -> Change:
    if commit == NOBODY:
        return Change(unknown=UNCOMMITTED)
    at = datetime.fromtimestamp(int(told["author-time"]), UTC).isoformat()
    return Change(told["author"], at, commit[:SHORT], told.get("summary", ""))


def _git(path: Path, *words: str) -> str | None:
    """What git answers in the file's folder; None where it cannot."""
    git = shutil.which("git")
    if git is None or not path.parent.is_dir():
        return None
    command = [git, "-c", "core.quotepath=off", *words]
    try:
        done = subprocess.run(command, cwd=path.parent, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
        return done.stdout.decode() if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, OSError, UnicodeDecodeError):
        return None
