"""Expected volume not reached: as the flow file declares it, else as the same weekday of earlier weeks has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.flow import DAYS, Expect, Flow
from duijie.journal.tables import run
from duijie.watch.finding import SERIOUS, URGENT, Finding, View
from duijie.watch.schedule import CHINA

WEEKS = 4
WEEKS_NEEDED = 3
LEAST_LEARNED = 10
SHARE = 5  # below a fifth of the quietest of those weeks
HOUR = timedelta(hours=1)
DAY_NAMES = "一二三四五六日"
COUNTED = {
    "messages": ("new_messages",),
    "documents": ("new_documents",),
    "delivered": ("delivered", "confirmed"),
}
WORDS = {"messages": "新报文", "documents": "新单据", "delivered": "送达"}


@dataclass(frozen=True)
class Span:
    """From one moment to another."""

    since: datetime
    until: datetime

    def weeks_before(self, weeks: int) -> Span:
        """The same weekday and time so many weeks ago."""
        back = timedelta(weeks=weeks)
        return Span(self.since - back, self.until - back)


def silence(view: View) -> Iterator[Finding]:
    """Flows that brought less than they should have."""
    with view.journal.reading() as tx:
        for flow in view.flows.values():
            found = _declared(tx, view, flow, flow.expect) if flow.expect else _learned(tx, view, flow)
            if found:
                yield found


def _declared(tx: Transaction, view: View, flow: Flow, wanted: Expect) -> Finding | None:
    span = span_of(wanted, view.now)
    if span is None or not wanted.at_least or not _ran_before(tx, flow, span.since):
        return None
    came = _counted(tx, flow, span, wanted.of)
    if came >= wanted.at_least:
        return None
    title = f"流程 {flow.title}: {_words(span)} {WORDS[wanted.of]} {came} 笔, 应不少于 {wanted.at_least} 笔"
    body = f"标准: 流程文件 expect 声明。{_advice(flow)}"
    return Finding("volume", flow.flow, SERIOUS if came else URGENT, title, body)


def span_of(wanted: Expect, now: datetime) -> Span | None:
    """The hour or the day to judge by now; None while none is over."""
    local = now.astimezone(CHINA)
    if DAYS[local.weekday()] not in wanted.days:
        return None
    opens, closes = (time.fromisoformat(part) for part in wanted.between.split("-"))
    begins, ends = (local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0) for at in (opens, closes))
    if wanted.per == "day":
        return Span(begins, ends) if local >= ends else None
    return Span(local - HOUR, local) if begins <= local - HOUR and local <= ends else None


def _learned(tx: Transaction, view: View, flow: Flow) -> Finding | None:
    span = Span(view.now - HOUR, view.now)
    of = "documents" if any(hasattr(step, "stream") for step in flow.steps) else "delivered"
    weeks = [span.weeks_before(number) for number in range(1, WEEKS + 1)]
    before = [_counted(tx, flow, week, of) for week in weeks if _ran_in(tx, flow, week)]
    if len(before) < WEEKS_NEEDED or min(before) < LEAST_LEARNED:
        return None
    came = _counted(tx, flow, span, of)
    if came * SHARE >= min(before):
        return None
    usual = f"{min(before)}–{max(before)}" if min(before) < max(before) else str(min(before))
    title = f"流程 {flow.title}: {_words(span)} {WORDS[of]} {came} 笔, 往常同一时段 {usual} 笔"
    day = DAY_NAMES[span.since.astimezone(CHINA).weekday()]
    body = f"标准: 由前 {len(before)} 个星期{day}同一时段学得 (流程文件没有 expect), 节假日可忽略。{_advice(flow)}"
    return Finding("volume", flow.flow, SERIOUS, title, body)


def _advice(flow: Flow) -> str:
    return f"请确认来源系统是否有业务、授权是否有效, 并在 Airflow 查看流程 {flow.flow} 最近的运行"


def _words(span: Span) -> str:
    begins, ends = span.since.astimezone(CHINA), span.until.astimezone(CHINA)
    return f"{begins:%m-%d %H:%M}–{ends:%H:%M}"


def _counted(tx: Transaction, flow: Flow, span: Span, of: str) -> int:
    query = select(run.c.counts, func.count()).where(*_within(flow, span)).group_by(run.c.counts)
    total: Counter[str] = Counter()
    for text, times in tx.execute(query):
        total.update({name: number * times for name, number in codec.decode(text).items()})
    return sum(total[name] for name in COUNTED[of])


def _within(flow: Flow, span: Span) -> tuple[ColumnElement[bool], ...]:
    return run.c.flow == flow.flow, run.c.started_at >= span.since, run.c.started_at < span.until


def _ran_in(tx: Transaction, flow: Flow, span: Span) -> bool:
    return tx.execute(select(run.c.id).where(*_within(flow, span)).limit(1)).first() is not None


def _ran_before(tx: Transaction, flow: Flow, moment: datetime) -> bool:
    """A flow that was not there yet can have brought nothing."""
    earlier = select(run.c.id).where(run.c.flow == flow.flow, run.c.started_at < moment).limit(1)
    return tx.execute(earlier).first() is not None
