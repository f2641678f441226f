"""The machine of a delivery as a page: docs/journal.md is made of this, so that it cannot say anything else.

`python -m duijie.journal.machine > docs/journal.md` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from duijie.connect.leave import LONGEST_CALL
from duijie.journal.deliveries import ALLOWED, LEASE
from duijie.journal.planning import LONGEST_TRANSACTION, SWEEP

MEANING = {
    "pending": ("待发", "waits for a worker, from `due_at` on"),
    "claimed": ("处理中", "a worker has it under a lease; nothing has left yet"),
    "sent": ("已发出", "committed just before the call leaves: from here on it may be at the target"),
    "done": ("已完成", "the target has it; the row keeps its number and the answer (receipt)"),
    "unknown": ("结果未知", "no answer: the target is asked (`find`) before anything is written again"),
    "blocked": ("缺对照", "it cannot be made yet: an unmapped code or a wrong field; a work item says which"),
    "rejected": ("被拒绝", "the target said no, or holds something else under our key; a work item says what to do"),
    "superseded": ("已被取代", "a newer version of the same key goes instead"),
    "cancelled": ("已取消", "not for this sink, skipped by its mapping, or given up by a person with a reason"),
}
WHY = {
    ("pending", "claimed"): "a worker takes it",
    ("pending", "superseded"): "a newer version was planned",
    ("pending", "cancelled"): "a person gives it up",
    ("claimed", "sent"): "just before the call leaves",
    ("claimed", "pending"): "the target cannot be asked now; the lease ran out",
    ("claimed", "blocked"): "the mapping cannot make it",
    ("claimed", "done"): "the target has it already, with the same figures",
    ("claimed", "rejected"): "the target has it with other figures: a conflict",
    ("claimed", "unknown"): "it was unknown and could not be asked now",
    ("claimed", "superseded"): "it is not there and a newer version waits",
    ("claimed", "cancelled"): "the mapping skips it; withdrawn and not there",
    ("sent", "done"): "the target said yes",
    ("sent", "rejected"): "the target said no",
    ("sent", "unknown"): "no answer; the lease ran out",
    ("sent", "pending"): "certainly not carried out (a limit, no connection)",
    ("unknown", "claimed"): "a worker asks the target",
    ("blocked", "pending"): "the cause was removed: replayed",
    ("blocked", "superseded"): "a newer version was planned",
    ("blocked", "cancelled"): "a person gives it up",
    ("rejected", "pending"): "the cause was removed: replayed",
    ("rejected", "superseded"): "a newer version was planned",
    ("rejected", "cancelled"): "a person settled it by hand",
    ("cancelled", "pending"): "a person wants it after all",
}

PAGE = """# The journal 日志库

The journal is the one place where state is kept: raw messages, documents, deliveries, code tables, work items.
It is an SQLite file by default and a PostgreSQL database for more than one machine (`DUIJIE_JOURNAL`); both
hold to the same rules. This page is made from the code (`python -m duijie.journal.machine`) and a test compares
them.

## The machine of a delivery
A delivery is the row "this version of this document must be in that sink".

```mermaid
stateDiagram-v2
    [*] --> pending: planned
    [*] --> cancelled: not routed to this sink
{arrows}
```

| state | in the console | meaning |
|---|---|---|
{states}

| from | to | when |
|---|---|---|
{moves}

## What the database itself refuses
Triggers hold to this on SQLite and PostgreSQL, whoever writes into the table:

- a move that is not in the table above, and a row that begins as anything but `pending` or `cancelled`;
- a row that is `claimed` or `sent` without a lease, or leased in any other state;
- two rows of one key `claimed`, `sent` or `unknown` at one sink (a unique index): order is kept per key;
- a move without history: every change of a state is written into `delivery_event` (from, to, when, who, why) by the
  database, in the same transaction.

## Claims
A worker takes due rows, those that wait longest first, and of a key only the oldest that is not finished. It
holds them for {lease} seconds and renews that while it lives, however long a batch takes. A claim carries the
row's **turn**, which counts how often the row was taken: a worker that was paused until its lease ran out finds
another turn and can change nothing, and a call to a target asks for the lease last of all, with {call} seconds
to spare. What a dead worker held is given back when its lease has run out: a `claimed` row never left, a `sent`
one is `unknown`.

## Planning
Each run gives every current document of its entity that has no row for the sink one. It does not look at all of
them each time: up to an id that was the newest {transaction} minutes ago everything has been seen (a
transaction that commits later than that is found by the look through everything, once in {sweep} hours). Older
versions of a key that still wait are superseded, so that of figures (stock) only the newest is ever written.

## What its source has withdrawn
A document whose new version is withdrawn at its source (`approval: void` 作废, `draft` 反审核, or a field of the
flow's `reverse`) is taken back at the target, where the sink can do that (`reverse`), and once: an answer that
was lost is settled by repeating it, which changes nothing further. Where a sink cannot, a work item names the
number to void. What was never there is cancelled."""


def page() -> str:
    """docs/journal.md."""
    return PAGE.format(
        arrows="\n".join(f"    {before} --> {after}: {WHY[before, after]}" for before, after in _moves()),
        states="\n".join(f"| `{state}` | {zh} | {en} |" for state, (zh, en) in MEANING.items()),
        moves="\n".join(f"| `{before}` | `{after}` | {WHY[before, after]} |" for before, after in _moves()),
        lease=int(LEASE.total_seconds()),
        call=int(LONGEST_CALL),
        transaction=LONGEST_TRANSACTION // timedelta(minutes=1),
        sweep=SWEEP // timedelta(hours=1),
    )


def _moves() -> Iterator[tuple[str, str]]:
    for before in MEANING:
        yield from ((before, after) for after in MEANING if after in ALLOWED[before])


if __name__ == "__main__":
    print(page(), end="")
