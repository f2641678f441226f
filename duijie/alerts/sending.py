"""Sends what waits: one message each while there are few, one digest when there are many.

Channels are apprise URLs in DUIJIE_ALERT_URLS, or in the file that DUIJIE_ALERT_FILE names (white-space separated; they
hold keys, so they are never printed). Robots block a sender above 20 messages a minute, so that no run sends more than
eighteen. Without a channel nothing is lost: the rows keep waiting and the console shows them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apprise
from sqlalchemy import select, update

from duijie.journal import Journal
from duijie.journal.tables import alert

Counts = Counter[str]
SINGLY = 5
LINES = 15
PER_RUN = 500


@dataclass(frozen=True)
class Waiting:
    """One alert that has not been sent."""

    id: int
    level: str
    title: str
    body: str
    count: int


def send_waiting(journal: Journal, urls: Sequence[str] | None = None) -> Counts:
    """Send pending alerts; returns how many were sent, in how many messages, and how many wait."""
    channels = _channels() if urls is None else list(urls)
    pending = waiting(journal)
    if not pending or not channels:
        return Counter(alerts_waiting=len(pending))
    sender = apprise.Apprise()
    sender.add(channels)
    messages = _messages(pending)
    sent = [ids for title, body, ids in messages if sender.notify(title=title, body=body)]
    _mark(journal, [one for ids in sent for one in ids])
    delivered = sum(map(len, sent))
    return Counter(alerts_sent=delivered, messages=len(sent), alerts_waiting=len(pending) - delivered)


def _channels() -> list[str]:
    path = os.environ.get("DUIJIE_ALERT_FILE", "")
    listed = Path(path).read_text(encoding="utf-8") if path and Path(path).exists() else ""
    return [*os.environ.get("DUIJIE_ALERT_URLS", "").split(), *listed.split()]


def waiting(journal: Journal) -> list[Waiting]:
    """Alerts not sent yet, oldest first."""
    query = select(alert.c.id, alert.c.level, alert.c.title, alert.c.body, alert.c.count)
    query = query.where(alert.c.state == "pending").order_by(alert.c.id).limit(PER_RUN)
    with journal.reading() as tx:
        return [Waiting(*row) for row in tx.execute(query)]


def _messages(pending: Sequence[Waiting]) -> list[tuple[str, str, list[int]]]:
    if len(pending) <= SINGLY:
        return [(f"【{one.level}】{one.title}", one.body, [one.id]) for one in pending]
    lines = [f"· 【{one.level}】{one.title}" + (f" ×{one.count}" if one.count > 1 else "") for one in pending[:LINES]]
    rest = len(pending) - len(lines)
    lines += [f"… 另有 {rest} 条, 见控制台“告警”"] if rest else []
    return [(f"【摘要】对接告警 {len(pending)} 条", "\n".join(lines), [one.id for one in pending])]


def _mark(journal: Journal, ids: Sequence[int]) -> None:
    if ids:
        with journal.writing() as tx:
            tx.execute(update(alert).where(alert.c.id.in_(ids)).values(state="sent", sent_at=journal.now()))
