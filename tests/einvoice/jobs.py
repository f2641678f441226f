"""The parts of the proof as jobs: each in a process of its own, with a home of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.einvoice.crashes import caught, crashes, crashes_in_fetching, whole
from tests.einvoice.mutants import MUTANTS
from tests.einvoice.storm import storm
from tests.einvoice.verdict import Verdict

PARTS = 2


def in_folder(folder: str, job: Callable[..., Any], *args: Any) -> Any:
    """Run a job with this folder as its home."""
    os.environ["DUIJIE_HOME"] = folder
    return job(Path(folder) / "stage", *args)


def stormy(folder: Path, size: int, kills: int) -> Verdict:
    """So many orders, so many killed workers."""
    return storm(size, folder, kills)


def killed(folder: Path, part: int, every: int) -> tuple[int, list[str]]:
    """One part of the points of the small scene."""
    return crashes(folder, slice(part * every, None, PARTS * every))


def killed_fetching(folder: Path, every: int) -> tuple[int, list[str]]:
    """The points of the scene whose files are fetched."""
    return crashes_in_fetching(folder, slice(None, None, every))


def calm(folder: Path) -> Verdict:
    """The small scene without a crash."""
    return whole(folder)


def mutants(folder: Path) -> dict[str, int]:
    """What each broken promise changes."""
    return caught(folder, tuple(MUTANTS))
