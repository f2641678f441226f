"""Where Duijie keeps files of its own on a machine, and how it writes what only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder for tokens and state: DUIJIE_HOME, else ~/.local/share/duijie."""
    path = Path(os.environ.get("DUIJIE_HOME", "~/.local/share/duijie")).expanduser()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def write_private(path: Path, body: bytes) -> None:
    """Write a file that only its owner may read: whole or not at all, whenever the machine stops."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
