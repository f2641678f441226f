"""How cost grows: with the lines of an order, with the size of a mapping file, and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import process_time_ns

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.orders import orders
from benchmarks.mapping.ours import FILE
from benchmarks.mapping.timing import Sweep, interleaved
from duijie.codec import Record
from duijie.mapping import mapping_files
from duijie.mapping.mapping import examine_text

ROOT = Path(__file__).parents[2]
OWN = str(FILE.relative_to(ROOT))
SIZES = (10, 100, 1_000, 10_000)
LINES_A_ROUND = 20_000


def per_line(contender: Contender, rounds: int) -> dict[int, float]:
    """µs per line by the number of lines of an order."""
    records = {str(size): orders(LINES_A_ROUND // size, seed=size, lines=size) for size in SIZES}
    sweeps: dict[str, Sweep] = dict.fromkeys(records, contender.sweep)
    times = interleaved(sweeps, lambda name, number: records[name], rounds)
    return {int(name): median(found) / int(name) for name, found in times.items()}


def growth(costs: dict[int, float]) -> float:
    """A line of the largest order over a line of whichever order has the cheapest lines; 1 is linear."""
    return costs[max(costs)] / min(costs.values())


def compile_times() -> dict[str, float]:
    """ms to read, check and compile each mapping file anew: the benchmark's and all that are shipped."""
    files = [FILE, *mapping_files([ROOT / "mappings"])]
    return {str(file.relative_to(ROOT)): _compile(file) for file in files}


def _compile(file: Path, times: int = 7) -> float:
    text = file.read_text(encoding="utf-8")
    return median(_milliseconds(f"{text}\n# {number}\n", file) for number in range(times))


def _milliseconds(text: str, file: Path) -> float:
    start = process_time_ns()
    examine_text(text, file)  # another content each time, so that no cache has it
    return (process_time_ns() - start) / 1e6


def memory(name: str) -> float | None:
    """MB by which a fresh process grows when it loads a contender and maps 500 orders; None where Linux is not."""
    if not Path("/proc/self/status").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.mapping.memory", name]
    found: Record = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)  # noqa: S603
    return float(found["mb"])
