"""Taking what a sink has got, or will never get, off the work items that waited for it there, and off no others.

A sink's own items are those whose subject begins with its name. A code that is missing at a connection may hold a
document at several of its sinks, a missing document at every sink: it leaves that item only when it waits at none.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie.journal import bulk, work
from duijie.journal.deliveries import HELD
from duijie.journal.journal import Journal
from duijie.journal.tables import delivery

Route = tuple[str, str, str]  # flow, entity, sink


def passed(tx: Transaction, journal: Journal, route: Route, keys: Collection[str], how: str = work.PASSED) -> None:
    """Documents that wait at this sink no more."""
    flow, entity, sink = route
    if not (keys := work.held_up(tx, flow, entity, keys)):
        return
    others = _waiting_elsewhere(tx, route, keys)
    connection = sink.partition("/")[0]
    here = {key for other, key in others if other.partition("/")[0] == connection}
    work.release_records(tx, journal, flow, entity, keys, how, about=f"{sink}:")
    work.release_records(tx, journal, flow, entity, set(keys) - here, how, missed_by=connection)
    anywhere = {key for _, key in others}
    work.release_records(tx, journal, flow, entity, set(keys) - anywhere, how, missed_by="")


def _waiting_elsewhere(tx: Transaction, route: Route, keys: Collection[str]) -> list[tuple[str, str]]:
    """(sink, key) of what waits for a person at the flow's other sinks."""
    flow, entity, sink = route
    query = select(delivery.c.sink, delivery.c.key)
    query = query.where(delivery.c.entity == entity, bulk.among(tx, delivery.c.key, keys))
    query = query.where(delivery.c.flow == flow, delivery.c.sink != sink, delivery.c.state.in_(HELD))
    return [(row.sink, row.key) for row in tx.execute(query)]
