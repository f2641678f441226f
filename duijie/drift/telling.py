"""Drift as alerts: one for each stream, renewed when its changes are others, closed when there are none."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from duijie.drift.compare import Change
from duijie.drift.traffic import NEWEST, Drifted, drifted
from duijie.journal import Journal
from duijie.journal.inbox import Source
from duijie.watch.finding import NOTE, SERIOUS, Finding
from duijie.watch.standing import settle

RULE = "drift"
SHOWN = 8
WORDS = {"new": "新增", "missing": "缺失", "retyped": "类型变化"}
NEXT = "请核对对方接口的变更公告, 更新 schemas/sources 与映射, 用 duijie mapping preview 试算; 原始报文均已保存, 可重放"


def told(journal: Journal, type_of: Callable[[str], str], schemas: Path, newest: int = NEWEST) -> Counter[str]:
    """Look at every stream and bring its alert up to date; returns counts. Raises JournalBusy."""
    looked = drifted(journal, type_of, schemas, newest)
    settled = settle(journal, list(_findings(looked.drifted)), {RULE})
    return Counter(streams=len(looked.streams), changes=len(looked.drifted), raised=settled.raised, over=settled.over)


def words(change: Change) -> str:
    """A change in a line for people."""
    kinds = {"new": change.now, "missing": f"原为 {change.was}", "retyped": f"{change.was} → {change.now}"}[change.kind]
    example = f", 例 {change.example}" if change.example else ""
    return f"{WORDS[change.kind]} {change.path or '(整条)'} ({kinds}; {change.times} 处{example})"


def _findings(found: Sequence[Drifted]) -> Iterator[Finding]:
    for source, group in groupby(found, key=lambda one: one.source):
        mine = [one.change for one in group]
        yield _finding(source, mine)


def _finding(source: Source, mine: Sequence[Change]) -> Finding:
    harmless = all(one.kind == "new" for one in mine)
    shown = "; ".join(words(one) for one in mine[:SHOWN])
    more = f" … 共 {len(mine)} 处" if len(mine) > SHOWN else ""
    step = hashlib.sha256(repr([(one.kind, one.path, one.now) for one in mine]).encode()).hexdigest()[:8]
    return Finding(
        RULE,
        f"{source.connection}/{source.stream}",
        NOTE if harmless else SERIOUS,
        f"{source.connection} 的 {source.stream} 报文结构有变: {len(mine)} 个字段",
        f"{shown}{more}。{NEXT}",
        step=step,
    )
