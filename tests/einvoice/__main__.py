"""The proof of the invoices: issued once, right, reversible; ends with one line of JSON, and with 1 when it fails.

`python -m tests.einvoice [--requests N] [--kills K] [--points EVERY]`: a storm of N orders with K killed workers, every
commit and call of two small scenes killed once (or each EVERY-th), the mutants, the bad requests and the tampered
files.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.einvoice import bad_requests, jobs, tampered
from tests.einvoice.jobs import PARTS
from tests.einvoice.verdict import Verdict

SHOWN = 20


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.einvoice", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--points", type=int, default=1, help="run each so-manieth point only")
    return parser.parse_args()


@contextmanager
def _pool() -> Iterator[Callable[..., Future[Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        context = get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context, max_tasks_per_child=1) as pool:
            numbers = iter(range(1000))

            def submit(call: Callable[..., Any], *args: Any) -> Future[Any]:
                home = Path(folder) / str(next(numbers))
                home.mkdir()
                return pool.submit(jobs.in_folder, str(home), call, *args)

            yield submit


def prove(asked: argparse.Namespace) -> tuple[Verdict, dict[str, int]]:
    """All of it; what is broken is told as it is found."""
    began = time.monotonic()
    with _pool() as submit:
        stormy = submit(jobs.stormy, asked.requests, asked.kills)
        parts = [submit(jobs.killed, part, asked.points) for part in range(PARTS)]
        parts.append(submit(jobs.killed_fetching, asked.points))
        calm, mutants = submit(jobs.calm), submit(jobs.mutants)
        found: Verdict = stormy.result() + calm.result()
        for run, broken in (part.result() for part in parts):
            print(f"{time.monotonic() - began:6.0f} s  {run} points killed, {len(broken)} broken", flush=True)
            found.broken += broken
        differences: dict[str, int] = mutants.result()
    found.broken += [f"nobody notices {name}" for name, number in differences.items() if not number]
    return found, _cases()


def _cases() -> dict[str, int]:
    bad, spoilt = list(bad_requests.cases()), list(tampered.cases())
    return {
        "bad_requests": len(bad),
        "bad_requests_found": sum(map(bool, map(bad_requests.found, bad))),
        "tampered_files": len(spoilt),
        "tampered_found": sum(map(bool, map(tampered.refused, spoilt))),
    }


def main() -> int:
    """0 when every promise was kept."""
    found, cases = prove(arguments())
    print(*found.broken[:SHOWN], sep="\n", end="\n" if found.broken else "", flush=True)
    names = ("requests", "issued_exactly_once", "doubled", "lost", "red_over_blue")
    print(json.dumps({name: getattr(found, name) for name in names} | cases))
    pairs = (("bad_requests", "bad_requests_found"), ("tampered_files", "tampered_found"))
    missed = [total for total, number in pairs if cases[total] != cases[number]]
    return 0 if found.is_kept and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
