"""What the benchmark prints for people: Markdown, so that it can be pasted into docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.timing import Both, Times, ratio

SPEEDS = ("µs, seen before", "× hand", "µs, never seen", "× hand")


def head(interpreter: str, rounds: int) -> None:
    """What ran, and how often."""
    print(f"{interpreter}; medians of {rounds} interleaved rounds of process CPU time, garbage collection off.\n")


def mapping(
    contenders: Sequence[Contender],
    times: Both,
    memory: dict[str, float | None],
    checked: dict[str, int],
    missing: dict[str, str],
) -> None:
    """One row for each contender, the fastest on orders never seen first."""
    rows: list[list[object]] = []
    for contender in sorted(contenders, key=lambda each: median(times.cold[each.name])):
        grown = memory[contender.name]
        size = f"{grown:.1f}" if grown is not None else ""
        speeds = [*_pair(times.warm, contender.name, "hand"), *_pair(times.cold, contender.name, "hand")]
        rows.append([contender.name, contender.version, *speeds, size, checked[contender.name], contender.note])
    rows += [[name, *[""] * 7, reason] for name, reason in missing.items()]
    _table(["implementation", "version", *SPEEDS, "MB", "orders checked", "caveat"], rows)


def ours(times: Both) -> None:
    """Duijie and hand alone, in more rounds."""
    rows = [[name, *_pair(times.warm, name, "hand"), *_pair(times.cold, name, "hand")] for name in times.warm]
    _table(["", *SPEEDS], rows)


def chain(times: Times) -> None:
    """The way from bytes to the journal."""
    _table(["step", "µs", "× limit"], [[name, *_pair(times, name, "limit")] for name in times])


def growth(costs: dict[str, dict[int, float]]) -> None:
    """µs per line by the number of lines."""
    sizes = list(next(iter(costs.values())))
    rows = [[name, *(f"{found[size]:.2f}" for size in sizes)] for name, found in costs.items()]
    _table(["µs per line of an order of", *(f"{size:,} lines" for size in sizes)], rows)


def compiling(compiled: dict[str, float]) -> None:
    """ms per mapping file, the slowest first."""
    slowest = sorted(compiled.items(), key=lambda each: -each[1])
    _table(["mapping file", "ms to compile"], [[file, f"{cost:.1f}"] for file, cost in slowest[:5]])
    print(f"({len(compiled)} files; median {median(compiled.values()):.1f} ms)\n")


def _pair(times: Times, name: str, under: str) -> tuple[str, str]:
    multiple = f"{ratio(times[name], times[under]):.2f}" if under in times else ""
    return f"{median(times[name]):.1f}", multiple


def _table(titles: Iterable[object], rows: Iterable[Iterable[object]]) -> None:
    cells = [list(titles)]
    cells += [["---"] * len(cells[0]), *([*row] for row in rows)]
    for row in cells:
        print(f"| {' | '.join(map(str, row))} |")
    print()
