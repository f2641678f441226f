"""Workers in processes of their own, writing while something else happens."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class Workers:
    """What they did, once they have stopped: documents delivered in all, and times they had to wait."""

    def __init__(self) -> None:
        self.delivered = 0
        self.waited = 0


@contextmanager
def writing(url: str, folder: Path, number: int = 2) -> Iterator[Workers]:
    """Workers that write until the end of the block; it begins when all of them do."""
    stop = folder / "stop"
    counts = [folder / f"count{index}" for index in range(number)]
    command = [sys.executable, "-m", "tests.keep.writer", url]
    running = [
        subprocess.Popen([*command, f"w{index}", str(stop), str(count)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for index, count in enumerate(counts)
    ]
    told = Workers()
    try:
        end = time.monotonic() + 60
        while not all(count.with_suffix(".ready").exists() for count in counts):
            assert time.monotonic() < end, "a worker did not start"
            time.sleep(0.05)
        time.sleep(0.3)
        yield told
        time.sleep(0.3)
    finally:
        stop.touch()
        problems = [one.communicate(timeout=60)[1] for one in running]
    assert [one.returncode for one in running] == [0] * number, problems
    for count in counts:
        done, waited = map(int, count.read_text(encoding="utf-8").split())
        told.delivered += done
        told.waited += waited
