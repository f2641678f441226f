"""Taking what a sink has got, or will never get, off the work items that waited for it there, and off no others.

A sink's own items are those whose subject begins with its name. An unmapped code may hold a document at several sinks
of a flow: it leaves that item only when it waits at none.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie.journal import work
from duijie.journal.deliveries import HELD
from duijie.journal.journal import Journal
from duijie.journal.tables import delivery

Route = tuple[str, str, str]  # flow, entity, sink


def passed(tx: Transaction, journal: Journal, route: Route, keys: Collection[str], how: str = work.PASSED) -> None:
    """Documents that wait at this sink no more."""
    flow, entity, sink = route
    work.release_records(tx, journal, flow, entity, keys, how, about=f"{sink}:")
    free = set(keys) - _waiting_elsewhere(tx, route, keys)
    work.release_records(tx, journal, flow, entity, free, how, kind="unmapped")


def _waiting_elsewhere(tx: Transaction, route: Route, keys: Collection[str]) -> set[str]:
    flow, entity, sink = route
    query = select(delivery.c.key).where(delivery.c.entity == entity, delivery.c.key.in_(list(keys)))
    query = query.where(delivery.c.flow == flow, delivery.c.sink != sink, delivery.c.state.in_(HELD))
    return set(tx.execute(query).scalars())
