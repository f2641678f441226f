"""Files that others drop into a folder: which are there, and since when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from duijie.connect.errors import ConfigError

EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def changed(folder: Path, fits: Callable[[str], bool], since: datetime, until: datetime) -> list[Path]:
    """The files of fitting names changed in since ≤ time < until, oldest first.

    A name that begins with a dot is of a file that is being written. Raises ConfigError for a missing folder.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"没有文件夹 {folder}; 请创建它, 或更正连接的 path",
            en=f"there is no folder {folder}; make it or correct the connection's path",
            where=str(folder),
        )
    named = [each for each in folder.iterdir() if not each.name.startswith(".") and fits(each.name)]
    dated = sorted((changed_at(each), each) for each in named if each.is_file())
    return [path for at, path in dated if since <= at < until]


def changed_at(path: Path) -> datetime:
    """When the content changed or the file came here: a copy may bring an old time of its own with it."""
    known = path.stat()
    return datetime.fromtimestamp(max(known.st_mtime, known.st_ctime), UTC)
