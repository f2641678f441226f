"""A journal that has been in use for years: done deliveries by the million, and a few that wait.

Filled on the server with constraints and triggers asleep (`session_replication_role`), so that ten million rows take
minutes; the indexes are the product's own.
"""

from __future__ import annotations

from sqlalchemy import text

from duijie.journal import Journal

WAITING = 1000

_DOCUMENTS = """
INSERT INTO document (id, entity, key, version, current, body, hash, mapping, created_at)
SELECT n, 'sales_order', 'old' || n, 1, true,
    convert_to('{"key":"old' || n || '"}', 'UTF8'), md5(n::text), 'bench', now()
FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) n
"""
_DELIVERIES = """
INSERT INTO delivery (document_id, entity, key, sink, flow, state, amount, due_at, created_at, changed_at, changed_by)
SELECT n, 'sales_order', 'old' || n, 'bench/order', 'bench', :state, 100,
    now() - interval '1 day', now(), now(), 'bench'
FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) n
"""


def fill(place: str, rows: int, step: int = 1_000_000) -> None:
    """So many rows in an empty PostgreSQL journal, the last WAITING of them pending."""
    journal = Journal.open(place)
    for low in range(1, rows + 1, step):
        high = min(low + step - 1, rows)
        done = min(high, rows - WAITING)
        _insert(journal, _DOCUMENTS, low=low, high=high)
        _insert(journal, _DELIVERIES, low=low, high=done, state="done")
        _insert(journal, _DELIVERIES, low=max(low, done + 1), high=high, state="pending")
    with journal.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("VACUUM ANALYZE document, delivery"))
    journal.engine.dispose()


def _insert(journal: Journal, statement: str, **values: object) -> None:
    with journal.engine.begin() as tx:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        tx.execute(text(statement), values)
