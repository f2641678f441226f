"""Keeping rows and, at once, letting go of everything in every flow that waited for them.

The rows are kept first, all or none; then each work item that one of them answers is replayed. Should the process die
in between, the list shows these items as answered, and letting them go again does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select, update

from duijie.codes.worklist import Unmapped, Wanted, chunks, waiting
from duijie.connect.errors import ConfigError
from duijie.journal import Journal, codes
from duijie.journal.codes import EVERYWHERE, Code, Key
from duijie.journal.tables import unmapped, work_item
from duijie.replay import Released, Routes, preview_item, replay_item


@dataclass(frozen=True)
class Fixed:
    """What came of it: rows written, items that let something go and their flows, what it was, what could not be."""

    written: int
    items: Sequence[int]
    released: Released
    flows: Sequence[str]
    problems: Sequence[str]

    @property
    def said(self) -> str:
        """One Chinese sentence for people."""
        head = f"已保存 {self.written} 行对照" if self.written else "对照未变"
        if not self.items:
            return "; ".join((f"{head}; 没有单据在等待放行", *self.problems))
        gone = f"{len(self.items)} 项待处理放行 {counted(self.released)}"
        return "; ".join((head, gone, f"流程 {', '.join(self.flows)} 下次运行时处理", *self.problems))


def save(journal: Journal, rows: Iterable[Code], who: str, known: Routes) -> Fixed:
    """Keep rows and let go what waits for them. Raises ConfigError, and then nothing was written."""
    given = list(rows)
    written = codes.put(journal, given, who)
    return _let_go(journal, answered_by(journal, given), who, known, written)


def preview(journal: Journal, rows: Iterable[Code], known: Routes) -> tuple[list[Unmapped], Released]:
    """The items that keeping the rows would let go something of, and what; writes nothing."""
    gone = []
    total = Released()
    for one in answered_by(journal, rows):
        with suppress(ConfigError):
            released = preview_item(journal, one.item_id, known)
            gone += [one] if released != Released() else []
            total += released
    return gone, total


def arrived(journal: Journal, entity: str) -> list[Unmapped]:
    """Items that waited for a master document of an entity that is there now."""
    return [one for one in waiting(journal, Wanted(kind=entity)) if one.is_answered and not one.is_code]


def release(journal: Journal, items: Sequence[Unmapped], who: str, known: Routes) -> Fixed:
    """Let go what items hold that are answered by now."""
    return _let_go(journal, items, who, known, 0)


def counted(released: Released) -> str:
    """What was let go, in words."""
    return ", ".join(f"{name} {number}" for name, number in released.words.items() if number) or "0 笔"


def answered_by(journal: Journal, rows: Iterable[Code]) -> list[Unmapped]:
    """Open items that one of the rows answers: the same kind and code, at its connection or everywhere."""
    keys = {(what, *key) for row in rows for what, key in _answers(row)}
    keys |= {(what, kind, "", code) for what, kind, _, code in keys}  # an item from before connections were kept
    ids: list[int] = []
    query = select(unmapped.c.work_item_id, unmapped.c.what, unmapped.c.kind, unmapped.c.connection, unmapped.c.code)
    query = query.join(work_item).where(work_item.c.state != "closed")
    with journal.reading() as tx:
        for chunk in chunks(sorted({key[-1] for key in keys})):
            for item_id, what, kind, connection, code in tx.execute(query.where(unmapped.c.code.in_(chunk))):
                if any((what, kind, name, code) in keys for name in (connection, EVERYWHERE)):
                    ids.append(item_id)
    return waiting(journal, Wanted(items=ids)) if ids else []


def _answers(row: Code) -> Iterable[tuple[str, Key]]:
    yield "code", row.key
    yield "counterpart", (row.kind, row.connection, row.counterpart)


def _let_go(journal: Journal, items: Sequence[Unmapped], who: str, known: Routes, written: int) -> Fixed:
    """Replay each item; one that cannot be (its flow's file is wrong) keeps no other back."""
    total = Released()
    gone, problems = [], []
    for one in items:
        try:
            released = replay_item(journal, one.item_id, who, known)
        except ConfigError as error:
            problems.append(f"待处理 {one.item_id} 未能放行: {error.zh}")
            continue
        if released != Released():
            _note(journal, one, who, released)
            gone.append(one)
            total += released
    flows = sorted({flow for one in gone for flow in one.flows})
    return Fixed(written, [one.item_id for one in gone], total, flows, problems)


def _note(journal: Journal, item: Unmapped, who: str, released: Released) -> None:
    """Say on the item what was done, so that its page and its closing show it."""
    done = "已补对照" if item.is_code else "档案已到"
    mine = update(work_item).where(work_item.c.id == item.item_id, work_item.c.state != "closed")
    with journal.writing() as tx:
        tx.execute(mine.values(resolution=f"{who} {done}, 放行 {counted(released)}, 等待流程下次运行"))
