"""Mapping stored messages again: first to see what would change, then, in batches of one transaction, to change it.

Whoever maps last must not win by chance, so of every key only the last message counts, nothing older ever stands over
something newer, and what has moved on since it was judged is left to the run that moved it. Doing it again does no
harm: what is as it should be is not touched, so a replay that was cut off is repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection as Transaction

from duijie.connect.errors import DataError
from duijie.difference import Changed, changes
from duijie.journal import Journal, deliveries, inbox, standing, trace, work
from duijie.journal.standing import Name
from duijie.journal.work import Finding
from duijie.mapping import Lookup
from duijie.pull import Refinery
from duijie.replay import choose
from duijie.replay.choose import Chosen, Wanted
from duijie.replay.routes import Route
from duijie.replay.verdicts import Result, Verdict, judge

SAMPLES = 20
REASONS = 10
WORDS = {
    "messages": "报文",
    "changed": "变化",
    "new": "新增",
    "unchanged": "不变",
    "failing": "新失败",
    "waiting": "仍等待",
    "skipped": "跳过",
    "gone": "不再生成",
    "renamed": "换号",
    "overtaken": "已有更新",
    "reread": "重读",
    "deliveries": "放行投递",
}


@dataclass(frozen=True)
class Sample:
    """One document or message that a replay changes, or why it cannot."""

    key: str
    fate: str
    reason: str = ""
    changes: Sequence[Changed] = ()
    before: int = 0
    after: int = 0


@dataclass
class Summary:
    """What a replay changes: counts, money in fen of the documents that change, examples.

    `delivered` counts the changed documents by sink that has got them; `used` names vouchers and invoice requests that
    were made of a document whose amount changes.
    """

    route: Route
    counts: Counter[str] = field(default_factory=Counter)
    before: int = 0
    after: int = 0
    samples: list[Sample] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    used: set[Name] = field(default_factory=set)

    @property
    def words(self) -> dict[str, int]:
        """The counts for people; those that are always of interest first."""
        always = ("messages", "changed", "new", "unchanged", "failing")
        return {word: self.counts[name] for name, word in WORDS.items() if name in always or self.counts[name]}

    @property
    def is_empty(self) -> bool:
        """Whether carrying it out would change nothing that people see."""
        touching = ("changed", "new", "failing", "gone", "renamed", "reread", "deliveries")
        return not any(self.counts[name] for name in touching)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count a batch."""
        for one in verdicts:
            self.counts["messages"] += 1
            if isinstance(one.made, DataError):
                self._count(Sample(one.chosen.message.key, one.fate, one.made.zh), one.fate == "failing")
            elif one.fate == "made":
                for result in one.results:
                    self._add(result)
            else:
                self._count(Sample(one.chosen.message.key, one.fate, _lost(one)), one.fate != "skipped")

    def _add(self, result: Result) -> None:
        before, after = result.amounts
        found = list(changes(result.old.body, result.body)) if result.old else []
        is_shown = result.fate != "unchanged"
        self._count(Sample(str(result.body["key"]), result.fate, "", found, before, after), is_shown)
        if is_shown:
            self.before += before
            self.after += after

    def _count(self, sample: Sample, is_shown: bool) -> None:
        self.counts[sample.fate] += 1
        if is_shown and len(self.samples) < SAMPLES:
            self.samples.append(sample)
        if sample.fate == "failing" and (sample.reason in self.reasons or len(self.reasons) < REASONS):
            self.reasons[sample.reason] += 1


@dataclass(frozen=True)
class Asked:
    """A replay: where, what, by whom and why."""

    route: Route
    wanted: Wanted
    who: str
    why: str = ""


Progress = Callable[[int], None]


def _unseen(_: int) -> None:
    pass


class Replay:
    """One stream of one flow, mapped again. `progress` is told how many messages each batch had."""

    def __init__(self, journal: Journal, asked: Asked, lookup: Lookup, progress: Progress = _unseen) -> None:
        self._journal = journal
        self._asked = asked
        self._route = asked.route
        self._progress = progress
        entity = asked.route.entity or asked.route.entities[0]
        self._refinery = Refinery(journal, asked.route.flow, entity, asked.route.mapping, lookup)

    def trial(self) -> Summary:
        """What would change; writes nothing."""
        summary = Summary(self._route)
        for batch in self._batches():
            with self._journal.reading() as tx:
                verdicts = self._judge(tx, batch)
                summary.add(verdicts)
                self._further(tx, summary, verdicts)
            self._progress(len(batch))
        held = choose.waiting_deliveries(self._journal, self._route, self._asked.wanted)
        summary.counts += Counter(deliveries=len(held))
        return summary

    def carry_out(self) -> Summary:
        """Change it. What each batch did is kept with it, under who and why, so that a cut-off replay shows too."""
        summary = Summary(self._route)
        with trace.replaying(self._journal, self._trace()) as row:
            for batch in self._batches():
                with self._journal.writing() as tx:
                    inbox.alone(tx, self._journal, self._route.source)
                    self._keep(tx, summary, batch)
                    trace.count(tx, row, summary.words)
                self._progress(len(batch))
            why = f"{self._asked.who} 重放 ({self._asked.wanted.words})"
            held = choose.waiting_deliveries(self._journal, self._route, self._asked.wanted)
            summary.counts += Counter(deliveries=deliveries.release(self._journal, held, why))
            with self._journal.writing() as tx:
                trace.count(tx, row, summary.words)
        return summary

    def trial_of_figures(self) -> Summary:
        """How many figures would be read again; they are never mapped again from what is stored."""
        return Summary(self._route, Counter(reread=choose.count(self._journal, self._route, self._asked.wanted)))

    def read_again(self) -> Summary:
        """Have the next pull read these figures again, whatever they say by then."""
        summary = Summary(self._route)
        with trace.replaying(self._journal, self._trace()) as row:
            for batch in self._batches():
                ids = [one.message.id for one in batch]
                summary.counts["reread"] += inbox.read_again(self._journal, self._route.source, ids)
                self._progress(len(batch))
                with self._journal.writing() as tx:
                    trace.count(tx, row, summary.words)
        return summary

    def _batches(self) -> Iterable[list[Chosen]]:
        return choose.batches(self._journal, self._route, self._asked.wanted)

    def _trace(self) -> trace.Trace:
        source = f"{self._route.source.connection}/{self._route.source.stream}"
        asked = self._asked
        return trace.Trace(self._route.flow, source, asked.who, asked.why, asked.wanted.words, self._route.stamp)

    def _judge(self, tx: Transaction, batch: Sequence[Chosen]) -> list[Verdict]:
        return judge(tx, self._refinery, self._route.source, batch, self._route.settings)

    def _further(self, tx: Transaction, summary: Summary, verdicts: Sequence[Verdict]) -> Changing:
        changing = Changing.of(verdicts)
        for sinks in standing.delivered(tx, changing.names).values():
            summary.delivered.update(sinks)
        changing.used = standing.used(tx, changing.money)
        summary.used.update(*changing.used.values())
        return changing

    def _keep(self, tx: Transaction, summary: Summary, batch: list[Chosen]) -> None:
        last = choose.still_last(tx, batch)
        verdicts = self._judge(tx, [one for one in batch if one.message.id in last])
        summary.counts += Counter(overtaken=len(batch) - len(verdicts))
        summary.add(verdicts)
        changing = self._further(tx, summary, verdicts)
        kept = [one for one in verdicts if one.fate not in ("renamed", "gone")]
        self._refinery.keep(tx, self._route.source, [(one.message, one.made) for one in kept])
        for one in verdicts:
            if one.fate in ("renamed", "gone"):
                self._refuse(tx, one)
            elif one.message is not one.chosen.message:
                inbox.settle(tx, [one.chosen.message.id], "mapped", self._refinery.stamp)
        self._tell_finance(tx, changing)

    def _refuse(self, tx: Transaction, one: Verdict) -> None:
        """A document that stands would be lost or doubled: it stays, and a person decides."""
        inbox.settle(tx, [one.chosen.message.id], "mapped", self._refinery.stamp, _lost(one))
        finding = Finding("conflict", f"{self._route.flow}:{one.chosen.message.key}", _lost(one))
        held = [(old.entity, old.key, old.amount) for old in one.lost]
        work.open_item(tx, self._journal, self._route.flow, finding, held)

    def _tell_finance(self, tx: Transaction, changing: Changing) -> None:
        """Vouchers and invoice requests were made of what a document said before: they stay, and a person decides."""
        for name, made in changing.used.items():
            before, after = changing.money[name]
            for entity, key in sorted(made):
                reason = f"{key} 所依据的单据在重放后金额有变, 已生成的单据不会自动更改, 请核对后红冲或补差"
                held = [(*name, after - before)]
                work.open_item(
                    tx, self._journal, self._route.flow, Finding("conflict", f"{entity}:{key}", reason), held
                )


@dataclass
class Changing:
    """The documents of a batch that change, and of those whose amount does, before and after in fen."""

    names: list[Name]
    money: dict[Name, tuple[int, int]]
    used: dict[Name, set[Name]] = field(default_factory=dict)

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Changing:
        """From the verdicts of a batch."""
        results = [one for verdict in verdicts if verdict.fate == "made" for one in verdict.results]
        changed = {(one.entity, str(one.body["key"])): one.amounts for one in results if one.fate == "changed"}
        return cls(list(changed), {name: pair for name, pair in changed.items() if pair[0] != pair[1]})


def _lost(one: Verdict) -> str:
    keys = ", ".join(old.key for old in one.lost)
    if one.fate == "renamed":
        new = ", ".join(str(result.body["key"]) for result in one.results if result.old is None)
        return f"按现行映射号码由 {keys} 变为 {new}; 为免重复未采用, 请人工处理原单据"
    if one.fate == "gone":
        return f"按现行映射不再生成 {keys}; 原单据保留, 请人工判断是否作废"
    return ""
