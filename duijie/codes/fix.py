"""Keeping rows and, at once, letting go of everything in every flow that waited for them.

The rows are kept first, all or none; then each work item that one of them answers is replayed. Should the process die
in between, the list shows these items as answered, and letting them go again does no harm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update

from duijie.codes.worklist import Unmapped, Wanted, chunks, waiting
from duijie.journal import Journal, codes
from duijie.journal.codes import EVERYWHERE, Code, Key
from duijie.journal.tables import unmapped, work_item
from duijie.replay import replay_item


@dataclass(frozen=True)
class Fixed:
    """What came of it: rows written, items answered, what was let go by its name (报文, 单据), the flows it is in."""

    written: int
    items: Sequence[int] = ()
    released: Counter[str] = field(default_factory=Counter)
    flows: Sequence[str] = ()

    @property
    def said(self) -> str:
        """One Chinese sentence for people."""
        head = f"已保存 {self.written} 行对照" if self.written else "对照未变"
        if not self.items:
            return f"{head}; 没有单据在等待它"
        counted = ", ".join(f"{name} {number}" for name, number in self.released.items())
        return f"{head}; 放行 {len(self.items)} 项待处理的 {counted}; 流程 {', '.join(self.flows)} 下次运行时处理"


def save(journal: Journal, rows: Iterable[Code], who: str) -> Fixed:
    """Keep rows and let go what waits for them. Raises ConfigError, and then nothing was written."""
    given = list(rows)
    written = codes.put(journal, given, who)
    return _let_go(journal, answered_by(journal, given), who, written)


def release_arrived(journal: Journal, entity: str, who: str) -> Fixed:
    """Let go what waited for master documents of an entity that are there now."""
    items = [one for one in waiting(journal, Wanted(kind=entity)) if one.is_answered and not one.is_code]
    return _let_go(journal, items, who, 0)


def release(journal: Journal, item_id: int, who: str) -> Fixed:
    """Let go what one item holds. Raises ConfigError when there is no such item."""
    counts = replay_item(journal, item_id, who)
    flows = {flow for one in waiting(journal, Wanted(items=[item_id])) for flow in one.flows}
    return Fixed(0, [item_id], Counter(counts), sorted(flows))


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


def _let_go(journal: Journal, items: Sequence[Unmapped], who: str, written: int) -> Fixed:
    released: Counter[str] = Counter()
    for one in items:
        counts = replay_item(journal, one.item_id, who)
        released.update(counts)
        _note(journal, one, who, counts)
    flows = sorted({flow for one in items for flow in one.flows})
    return Fixed(written, [one.item_id for one in items], released, flows)


def _note(journal: Journal, item: Unmapped, who: str, counts: dict[str, int]) -> None:
    """Say on the item what was done, so that its page and its closing show it."""
    done = "已补对照" if item.is_code else "档案已到"
    counted = ", ".join(f"{name} {number}" for name, number in counts.items())
    mine = update(work_item).where(work_item.c.id == item.item_id, work_item.c.state != "closed")
    with journal.writing() as tx:
        tx.execute(mine.values(resolution=f"{who} {done}, 放行 {counted}, 等待流程下次运行"))
