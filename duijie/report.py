"""The day as one dictionary made of the journal: shown in the terminal, kept as JSON, rendered by the console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import func, select

from duijie import codec
from duijie.flow import Flow
from duijie.journal import Journal, documents
from duijie.journal.documents import yuan
from duijie.journal.tables import (
    comparison,
    delivery,
    delivery_event,
    document,
    incident,
    run,
    work_item,
    work_item_record,
)
from duijie.watch.standing import open_alerts

HEALED_WORDS = {
    "AnswerLost": "应答丢失后重读",
    "RateLimited": "限流后等待",
    "TokenExpired": "令牌过期后刷新",
    "NotSent": "连接失败后重试",
    "VendorBusy": "对方繁忙后重试",
    "AlreadyThere": "对方报已存在后查询",
}


@dataclass(frozen=True)
class Mark:
    """Where the journal stood when the day began, so that the report can say what is new."""

    document_id: int
    delivery_event_id: int
    incident_id: int

    @classmethod
    def now(cls, journal: Journal) -> Mark:
        """The journal's present end."""
        with journal.reading() as tx:
            ends = [tx.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one() for table in _MARKED]
        return cls(*ends)


_MARKED = (document, delivery_event, incident)


def build(journal: Journal, flows: Mapping[str, Flow], since: Mark) -> dict[str, Any]:
    """Everything about the day that the journal knows; the demo adds times and Airflow's part."""
    with journal.reading() as tx:
        return {
            "documents_delivered": _delivered(tx),
            "new_documents": _new_documents(tx, since),
            "new_deliveries": _new_deliveries(tx, since),
            "waiting_for_a_person": _waiting_records(tx),
            "vouchers": _vouchers(journal),
            "invoices": _invoices(journal),
            "reconciliation": _reconciliation(tx),
            "flows": [_flow(tx, flow) for flow in flows.values()],
            "waiting": _waiting(tx),
            "watch": [{"level": level, "title": title} for level, title in open_alerts(journal)],
            "healed": _healed(tx, since),
        }


def _delivered(tx: Transaction) -> int:
    return int(tx.execute(select(func.count()).where(delivery.c.state == "done")).scalar_one())


def _new_documents(tx: Transaction, since: Mark) -> int:
    return int(tx.execute(select(func.count()).where(document.c.id > since.document_id)).scalar_one())


def _new_deliveries(tx: Transaction, since: Mark) -> int:
    newer = (delivery_event.c.id > since.delivery_event_id, delivery_event.c.after == "done")
    return int(tx.execute(select(func.count()).where(*newer)).scalar_one())


def _open() -> Any:
    return work_item.c.state != "closed"


def _waiting_records(tx: Transaction) -> int:
    query = select(work_item_record.c.entity, work_item_record.c.key).distinct()
    query = query.join(work_item, work_item.c.id == work_item_record.c.work_item_id).where(_open())
    return len(tx.execute(query).all())


def _waiting(tx: Transaction) -> list[dict[str, Any]]:
    query = (
        select(
            work_item.c.kind,
            work_item.c.owner,
            work_item.c.reason,
            func.count(work_item_record.c.key),
            func.coalesce(func.sum(work_item_record.c.amount), 0),
        )
        .outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
        .where(_open())
        .group_by(work_item.c.id)
        .order_by(work_item.c.kind, work_item.c.id)
    )
    names = ("kind", "owner", "reason", "documents", "amount")
    return [dict(zip(names, (*row[:4], yuan(row[4])), strict=True)) for row in tx.execute(query)]


def _vouchers(journal: Journal) -> dict[str, Any]:
    made = [one.body for one in documents.current(journal, "voucher")]
    return {
        "count": len(made),
        "debit": sum((one["debit"] for one in made), yuan(0)),
        "credit": sum((one["credit"] for one in made), yuan(0)),
    }


def _invoices(journal: Journal) -> dict[str, int]:
    made = Counter(f"{one.body['colour']}_{one.body['status']}" for one in documents.current(journal, "invoice"))
    return dict(sorted(made.items()))


def _reconciliation(tx: Transaction) -> dict[str, Any]:
    newest = select(func.max(comparison.c.id)).group_by(comparison.c.pair)
    found = tx.execute(select(comparison).where(comparison.c.id.in_(newest)).order_by(comparison.c.id)).all()
    rows = [
        {
            "pair": one.pair,
            "title": one.title,
            "left_count": one.left_count,
            "right_count": one.right_count,
            "left_amount": yuan(one.left_amount),
            "right_amount": yuan(one.right_amount),
            "differences": one.differences,
            "unexplained": one.unexplained,
        }
        for one in found
    ]
    return {
        "pairs": len(rows),
        "differences": sum(row["differences"] for row in rows),
        "unexplained": sum(row["unexplained"] for row in rows),
        "rows": rows,
    }


def _flow(tx: Transaction, flow: Flow) -> dict[str, Any]:
    query = select(run.c.step, run.c.counts, run.c.problem).where(run.c.flow == flow.flow).order_by(run.c.id)
    newest = {row.step: (codec.decode(row.counts), row.problem) for row in tx.execute(query)}
    counts: Counter[str] = Counter()
    for found, _ in newest.values():
        counts.update(found)
    held = select(func.count()).select_from(work_item_record).join(work_item)
    return {
        "flow": flow.flow,
        "title": flow.title,
        "pulled": counts["read"],
        "delivered": counts["delivered"] + counts["confirmed"],
        "waiting": int(tx.execute(held.where(_open(), work_item.c.flow == flow.flow)).scalar_one()),
        "problem": "; ".join(problem for _, problem in newest.values() if problem),
    }


def _healed(tx: Transaction, since: Mark) -> list[dict[str, Any]]:
    kinds = select(incident.c.kind, func.count()).where(incident.c.id > since.incident_id).group_by(incident.c.kind)
    rows = [{"what": HEALED_WORDS.get(kind, kind), "count": number} for kind, number in tx.execute(kinds)]
    asked = select(func.count()).where(
        delivery_event.c.id > since.delivery_event_id, delivery_event.c.after == "unknown"
    )
    if unknown := tx.execute(asked).scalar_one():
        rows.append({"what": "写入后应答丢失, 先查询再决定", "count": unknown})
    return rows
