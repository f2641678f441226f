"""The journal holds all state: messages, documents, deliveries, code tables, links, cursors, work items, alerts.

Airflow decides when something runs, never what is true; it may lose, repeat or reorder runs and nothing is lost or
doubled, because every decision is a row here and every transition one transaction.
"""

from duijie.journal import tables_alarm as _tables_alarm  # noqa: F401  completes the metadata
from duijie.journal import tables_billing as _tables_billing  # noqa: F401
from duijie.journal import tables_ingress as _tables_ingress  # noqa: F401  completes the metadata
from duijie.journal import tables_invoicing as _tables_invoicing  # noqa: F401
from duijie.journal import tables_lines as _tables_lines  # noqa: F401
from duijie.journal import tables_originals as _tables_originals  # noqa: F401
from duijie.journal import tables_sweep as _tables_sweep  # noqa: F401
from duijie.journal import tables_upkeep as _tables_upkeep  # noqa: F401
from duijie.journal.journal import Journal

__all__ = ["Journal"]
