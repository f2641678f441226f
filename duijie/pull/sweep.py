"""Asking for what was read already: what a source deleted or un-audited without a trace is taken back.

A list of changes is silent about a record that is no longer shown. So each run asks for a few of the keys that were
read at most `sweep_days` ago, each about once a day. What is missed twice, some minutes apart, gets a tombstone, which
is mapped like any message: its documents become void. Many at once are an account, a shop or a permission that has
changed, and nothing is made void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Stream, Window, traits_of
from duijie.flow import Pull
from duijie.journal import Journal, inbox, sweeps, tombstones, work
from duijie.journal.inbox import Message, Source
from duijie.journal.sweeps import Found
from duijie.journal.work import Finding
from duijie.pull.reading import Counts, each_part, pages

BATCH = 100
AGAIN = timedelta(minutes=10)
YOUNG = timedelta(hours=1)  # what was read a moment ago need not be asked for
REST = timedelta(hours=1)  # after many were missed at once
FEW = 5
SHARE = 5  # one in five


def sweep(journal: Journal, flow: str, step: Pull, stream: Stream, entities: Collection[str], now: datetime) -> Counts:
    """Ask for the next keys of every partition. Returns counts; raises ConfigError, and what reading raises.

    The cursor of the pull is not touched. A partition that fails is asked for the same keys on the next run.
    """
    counts: Counts = Counter()
    if step.sweep_days:
        must_sweep(step, entities, stream)
        each_part(step, stream, lambda source: _sweep_partition(journal, flow, step, stream, source, now, counts))
    return counts


def must_sweep(step: Pull, entities: Collection[str], stream: Stream | None = None) -> None:
    """Raises ConfigError where `sweep_days` is asked of a stream or of documents that cannot be swept."""
    if stream is not None and not traits_of(stream).answers_keys:
        why, en = f"数据流 {step.stream} 不能按单号查询", f"{step.stream} cannot be asked by key"
    elif not any(map(tombstones.can_void, entities)):
        why, en = f"{', '.join(entities)} 没有审核状态 (approval), 不能作废", "its documents have no approval"
    else:
        return
    raise ConfigError(
        f"步骤 {step.name} 的 sweep_days: {why}; 请在流程文件中删去 sweep_days",
        en=f"sweep_days of {step.name}: {en}; remove it from the flow file",
        code="SWEEP",
        where=f"{step.name}.sweep_days",
    )


def _sweep_partition(
    journal: Journal, flow: str, step: Pull, stream: Stream, source: Source, now: datetime, counts: Counts
) -> None:
    roll = sweeps.roll(journal, source)
    since = now - timedelta(days=step.sweep_days)
    is_due = roll.due_at <= now
    fresh = sweeps.following(journal, source, roll.position, since, now - YOUNG, BATCH) if is_due else []
    again = sweeps.again(journal, source, now - AGAIN, BATCH)
    shown = _shown(journal, source, stream, {one.key for one in (*fresh, *again)}, now, counts)
    gone = [one for one in again if one.key not in shown]
    absent = [one for one in fresh if one.key not in shown and not tombstones.marks(one.body)]
    is_mass = _is_mass(absent, fresh)
    if is_mass:
        _tell(journal, flow, source, len(absent), len(fresh))
    counts["missed"] += len(absent)
    first = {one.key for one in absent} - {one.key for one in gone} if not is_mass else set()
    upto = fresh[-1].id if len(fresh) == BATCH else 0
    moved = roll.moved(upto, now, REST if is_mass else timedelta(), is_mass) if is_due else None
    if fresh or again or moved:
        counts["gone"] += sweeps.keep(journal, source, Found(shown, first, gone), now, moved)
    if moved and not moved.position and not moved.refused:
        _over(journal, source)


def _shown(
    journal: Journal, source: Source, stream: Stream, keys: Collection[str], now: datetime, counts: Counts
) -> set[str]:
    """Which of the keys their source shows; what it shows is stored like anything that is read."""
    shown: set[str] = set()
    if keys:
        counts["asked"] += len(keys)
        for page in pages(source, stream, Window(now, now, source.part, tuple(sorted(keys)))):
            rows = inbox.rows(journal, source, stream.key, page.records)
            counts["new_messages"] += inbox.keep(journal, source, rows)
            shown |= {row["key"] for row in rows}
    return shown


def _is_mass(absent: Sequence[Message], asked: Sequence[Message]) -> bool:
    base = sum(not tombstones.marks(one.body) for one in asked)
    return len(absent) > FEW and len(absent) * SHARE > base


def _subject(source: Source) -> str:
    return ":".join(filter(None, (f"{source.connection}/{source.stream}", source.part)))


def _tell(journal: Journal, flow: str, source: Source, absent: int, asked: int) -> None:
    reason = f"{_subject(source)} 按单号核对 {asked} 条, 来源有 {absent} 条不再显示, 超过两成; 未作废任何单据"
    with journal.writing() as tx:
        work.open_item(tx, journal, flow, Finding("vanished", _subject(source), reason))


def _over(journal: Journal, source: Source) -> None:
    with journal.writing() as tx:
        work.close_subject(tx, journal, "vanished", _subject(source), "之后整轮核对正常")
