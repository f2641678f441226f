"""`duijie journal`: what is where, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy import ColumnElement, Select, Table, case, func, select

from duijie.cli.output import AsJson, show, told
from duijie.console import words
from duijie.journal import Journal, documents, schema, trace
from duijie.journal.tables import HELD_STATES, UNFINISHED_STATES, delivery, delivery_event, incident, message

app = typer.Typer(no_args_is_help=True)
WAITING_MESSAGES = ("new", *HELD_STATES)
MESSAGE_WORDS = {"new": "待映射", "mapped": "已成单", "skipped": "不处理", **words.MESSAGE_STATES}


@app.command()
@told
def status(as_json: AsJson = False) -> None:
    """Messages by stream and state, deliveries by sink and state: how many, since when, what is due, what hangs."""
    journal = Journal.open()
    now = journal.now()
    by_stream = select(message.c.connection, message.c.stream, message.c.state, func.count(), _oldest(message))
    with journal.reading() as tx:
        streams = tx.execute(by_stream.group_by(message.c.connection, message.c.stream, message.c.state)).all()
        sinks = tx.execute(_by_sink(now)).all()
    rows = [
        _row(f"收 {c}/{s}", state, n, oldest if state in WAITING_MESSAGES else None, now)
        for c, s, state, n, oldest in streams
    ]
    for r in sinks:
        waits = r.state in UNFINISHED_STATES
        row = _row(f"发 {r.sink}", r.state, r.number, r.oldest if waits else None, now)
        row["金额"] = f"{documents.yuan(r.money):,}" if r.money else ""
        row["已到期"] = r.due if r.state in ("pending", "unknown") else ""
        row["租约已过"] = r.dead or ""
        rows.append(row)
    show(rows if as_json else _for_people(rows), as_json, "日志库")


def _for_people(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The state in words, and only columns in which something stands: a terminal is narrow."""
    names = [name for name in (rows[0] if rows else {}) if any(row[name] != "" for row in rows) and name != "含义"]
    return [{name: row["含义"] if name == "状态" else row[name] for name in names} for row in rows]


def _oldest(table: Table) -> ColumnElement[datetime]:
    return func.min(table.c.received_at if table is message else table.c.created_at).label("oldest")


def _by_sink(now: datetime) -> Select[tuple[Any, ...]]:
    columns = (
        func.count().label("number"),
        func.sum(delivery.c.amount).label("money"),
        _oldest(delivery),
        func.sum(case((delivery.c.due_at <= now, 1), else_=0)).label("due"),
        func.sum(case((delivery.c.lease_until < now, 1), else_=0)).label("dead"),
    )
    query = select(delivery.c.sink, delivery.c.state, *columns).group_by(delivery.c.sink, delivery.c.state)
    return query.order_by(delivery.c.sink, delivery.c.state)


def _row(place: str, state: str, number: int, oldest: datetime | None, now: datetime) -> dict[str, Any]:
    waits = words.age(oldest, now) if oldest else ""
    named = words.STATES.get(state, state) if place.startswith("发") else MESSAGE_WORDS.get(state, state)
    row = {"去处": place, "状态": state, "含义": named, "笔数": number, "金额": "", "最久": waits}
    return row | {"已到期": "", "租约已过": ""}


@app.command("show")
@told
def show_key(
    key: Annotated[str, typer.Argument(help="A document key, or its last part such as an order number.")],
    as_json: AsJson = False,
) -> None:
    """Everything that happened to one document: each delivery and each of its transitions."""
    journal = Journal.open()
    query = select(
        delivery.c.key, delivery.c.sink, delivery_event.c.at, delivery_event.c.before, delivery_event.c.after,
        delivery_event.c.who, delivery_event.c.why, delivery.c.native_no,
    ).join(delivery_event, delivery_event.c.delivery_id == delivery.c.id)  # fmt: skip
    wanted = (delivery.c.key == key) | delivery.c.key.endswith(f":{key}", autoescape=True)
    with journal.reading() as tx:
        found = tx.execute(query.where(wanted).order_by(delivery_event.c.id)).all()
    rows = [
        {
            "单据": r.key,
            "去处": r.sink,
            "时间": r.at.isoformat(timespec="milliseconds"),
            "状态": f"{r.before} → {r.after}",
            "执行": r.who,
            "原因": r.why,
            "对方单号": r.native_no,
        }
        for r in found
    ]
    show(rows, as_json, f"单据 {key}")


@app.command()
@told
def incidents(
    last: Annotated[int, typer.Option(help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Calls that failed and were dealt with: lost answers, limits, refreshed tokens."""
    journal = Journal.open()
    query = select(incident.c.at, incident.c.connection, incident.c.kind, incident.c.detail)
    with journal.reading() as tx:
        found = tx.execute(query.order_by(incident.c.id.desc()).limit(last)).all()
    rows = [
        {"时间": r.at.isoformat(timespec="seconds"), "连接": r.connection, "种类": r.kind, "详情": r.detail}
        for r in found
    ]
    show(rows, as_json, "已自愈的异常")


@app.command()
@told
def replays(
    last: Annotated[int, typer.Option(help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Replays: who, when, why, what was asked for, what came of it."""
    rows = [
        {
            "编号": one.id,
            "开始": one.started_at.isoformat(timespec="seconds"),
            "结束": one.ended_at.isoformat(timespec="seconds") if one.ended_at else "未完成",
            "谁": one.who,
            "数据流": f"{one.flow}: {one.stream}",
            "条件": one.wanted,
            "原因": one.why,
            "结果": ", ".join(f"{word} {number}" for word, number in one.counts.items() if number),
        }
        for one in trace.replays(Journal.open(), last)
    ]
    show(rows, as_json, "重放记录")


@app.command()
@told
def migrate(
    is_preview: Annotated[bool, typer.Option("--sql", help="Only print the statements.")] = False,
) -> None:
    """Bring the journal's schema up to date, also while workers write: they wait, none loses anything."""
    if is_preview:
        typer.echo(Journal.preview() or "-- 日志库结构已是最新")
        return
    Journal.open()
    typer.echo(f"日志库结构已是最新 ({schema.newest()})")
