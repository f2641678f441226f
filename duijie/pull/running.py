"""One pull from end to end: read, sweep, map, and ask again about what looks older than what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from duijie.codec import Record
from duijie.connect.errors import DuijieError, JournalBusy, together
from duijie.connect.protocol import Stream
from duijie.flow import Pull
from duijie.journal import Journal
from duijie.journal.inbox import Source
from duijie.pull.reading import Counts, ask_again, read
from duijie.pull.refinery import Refinery
from duijie.pull.sweep import sweep

ROUNDS = 3  # what comes of asking may look older again; what still does then waits for the next run


def run(journal: Journal, step: Pull, stream: Stream, refinery: Refinery, before: Callable[[], Counts]) -> Counts:
    """Run a pull; what was read is mapped whatever failed. `before` reads what is more urgent.

    Raises errors of the tree, several as one.
    """
    source = Source(step.connection, step.stream)
    return all_of(
        (
            before,
            lambda: read(journal, step, stream, journal.now()),
            lambda: sweep(journal, refinery.flow, step, stream, refinery.entities, journal.now()),
            lambda: refine(journal, source, stream, refinery, step.settings),
        )
    )


def refine(journal: Journal, source: Source, stream: Stream, refinery: Refinery, settings: Record) -> Counts:
    """Map everything that waits. Raises errors of the tree when its source cannot be asked again: the next run asks."""
    counts = refinery.run(source, settings)
    for _ in range(ROUNDS):
        older, refinery.older = refinery.older, []
        if not older:
            break
        same = ask_again(journal, source, stream, older, journal.now(), counts)
        counts += refinery.decide(source, settings, older, same)
        counts += refinery.run(source, settings)
    return counts


def all_of(acts: Iterable[Callable[[], Counts]]) -> Counts:
    """Do each, whatever becomes of the others; returns their counts together, raises their failures as one."""
    counts: Counts = Counter()
    failures: list[DuijieError] = []
    for act in acts:
        try:
            counts += act()
        except JournalBusy:
            raise
        except DuijieError as error:
            failures += error.causes or (error,)
    if failures:
        raise together(failures)
    return counts
