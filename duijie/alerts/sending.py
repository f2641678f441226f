"""The alert step: plans what is new, then tells what is due, channel by channel, the urgent first.

It needs no process that is always on: each run finds in the journal what is due by now, escalation and summaries
included. Any number of workers may run it at once. Without a channel nothing is lost: alerts wait where the console
shows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from duijie.alerts import config, outbox, planning
from duijie.alerts.config import Alerting, Way
from duijie.alerts.kinds import kind_of
from duijie.alerts.message import Message
from duijie.alerts.outbox import Due, TakenBack
from duijie.alerts.text import message_of, recipients
from duijie.alerts.ways import Target, targets
from duijie.connect.errors import ConfigError, DuijieError, RateLimited, Terminal
from duijie.journal import Journal, work

Counts = Counter[str]
BLOCKED = timedelta(minutes=10)
UNREACHED = timedelta(minutes=1)
LONGEST_WAIT = 10
STORM, STORM_TIME = 10, timedelta(minutes=10)  # more messages than that in that time: digests only
GROUPS = {"again": "first"}
SENT = "已发出"
PURPOSES = {"first": "首次", "again": "仍未恢复", "mention": "呼叫责任人", "second": "第二渠道", "mail": "邮件"}


def send_waiting(journal: Journal, alerting: Alerting | None = None) -> Counts:
    """Tell what is due; returns how many alerts were sent, in how many messages, and how many wait.

    `alerting` is DUIJIE_ALERT_FILE's unless it is given. Raises ConfigError for a file that is wrong.
    """
    said = config.load() if alerting is None else alerting
    counts: Counts = Counter()
    if said.channels:
        planning.plan(journal, said)
        planning.summarise(journal, said)
        for name in said.channels:
            counts += _Serving(journal, said, name).run()
    return Counter({**counts, "alerts_waiting": outbox.waiting(journal)})


def test(journal: Journal, alerting: Alerting, name: str) -> list[tuple[str, str]]:
    """Send a test message by every robot of a channel; (robot, what came of it), SENT where it worked."""
    message = Message("【测试】对接告警渠道", ["收到此消息即渠道可用, 无需处理"], ())
    return [
        (f"{name}-{number}", _tried(journal, name, target, message))
        for number, target in enumerate(targets(alerting.channels[name]), 1)
    ]


def _tried(journal: Journal, name: str, target: Target, message: Message) -> str:
    begun = outbox.begin(journal, target.robot, name, message.title, ())
    if isinstance(begun, str):
        return begun
    try:
        target.post(message, (), journal.now())
    except DuijieError as error:
        outbox.failed(journal, begun, (), error.zh, _pause(error))
        return error.zh
    outbox.sent(journal, begun, (), {})
    return SENT


def _pause(error: DuijieError) -> timedelta:
    return BLOCKED if isinstance(error, RateLimited | ConfigError) else UNREACHED


@dataclass
class _Serving:
    """One run over one channel."""

    journal: Journal
    alerting: Alerting
    name: str

    def run(self) -> Counts:
        """Claim, group, send."""
        now = self.journal.now()
        most = planning.URGENT if self._channel.is_quiet(now) else planning.LATER
        counts: Counts = Counter()
        claimed = outbox.claim(self.journal, self.name, most)
        busy = outbox.recent(self.journal, self.name, now - STORM_TIME) if claimed else 0
        for dues in batches(claimed, self.alerting.digest_above, busy):
            counts += self._tell(dues)
        return counts

    @property
    def _channel(self) -> Way:
        return self.alerting.channels[self.name]

    def _tell(self, dues: Sequence[Due]) -> Counts:
        """Send one message about these, by the first robot of the chain that takes it."""
        while dues:
            try:
                reason = self._by_chain(dues)
            except TakenBack:
                kept = {one.id for one in outbox.still_mine(self.journal, dues[0].worker)}
                dues = [one for one in dues if one.id in kept]
                continue
            if not reason:
                return Counter(alerts_sent=len(dues), messages=1)
            wait = timedelta(minutes=min(dues[0].attempts, LONGEST_WAIT))
            outbox.postpone(self.journal, dues, self.journal.now() + wait, reason)
            break
        return Counter()

    def _by_chain(self, dues: Sequence[Due]) -> str:
        """Nothing when it was sent, else why it could not be."""
        reason = "没有可用的渠道"
        for name in self._open_chain(dues):
            for number, target in enumerate(targets(self.alerting.channels[name]), 1):
                if not (reason := self._by(target, name, number, dues)):
                    return ""
        return reason

    def _by(self, target: Target, name: str, number: int, dues: Sequence[Due]) -> str:
        """Try one robot: nothing when it took the message, else why not."""
        message = message_of(self.alerting, self.name, dues)
        begun = outbox.begin(self.journal, target.robot, name, message.title, dues)
        if isinstance(begun, str):
            return begun
        try:
            target.post(message, recipients(self.alerting, name, dues), self.journal.now())
        except DuijieError as error:
            outbox.failed(self.journal, begun, dues, error.zh, _pause(error))
            self._say_broken(f"{name}-{number}", error)
            return error.zh
        outbox.sent(self.journal, begun, dues, self._steps(dues))
        self._say_whole(f"{name}-{number}")
        return ""

    def _open_chain(self, dues: Sequence[Due]) -> Iterator[str]:
        """This channel, then those to turn to, without those in their quiet hours unless it is urgent."""
        now = self.journal.now()
        is_urgent = dues[0].urgency == planning.URGENT
        for name in self.alerting.chain(self.name):
            if name == self.name or is_urgent or not self.alerting.channels[name].is_quiet(now):
                yield name

    def _steps(self, dues: Sequence[Due]) -> dict[int, list[Mapping[str, Any]]]:
        now, levels = self.journal.now(), self.alerting.escalation.levels
        return {
            one.id: list(planning.steps(self.alerting, kind_of(one.dedupe), self.name, now))
            for one in dues
            if one.purpose == "first" and one.must_act and one.level in levels
        }

    def _say_broken(self, name: str, error: DuijieError) -> None:
        """What a robot refuses for good is an alert of its own, which takes another way."""
        if isinstance(error, Terminal):
            title, body = f"告警机器人 {name} 拒收消息", "更正 DUIJIE_ALERT_FILE 后运行 duijie alerts test"
            with self.journal.writing() as tx:
                work.raise_alert(tx, self.journal, f"channel|{name}", "重要", title, body, cause=error.zh)

    def _say_whole(self, name: str) -> None:
        with self.journal.writing() as tx:
            work.recovered(tx, self.journal, f"channel|{name}")


def batches(dues: Sequence[Due], digest_above: int, busy: int) -> Iterator[list[Due]]:
    """What goes into one message each: the urgent one by one while few, the rest as a digest where they are many."""
    kinds = sorted(dues, key=lambda one: (one.urgency > 0, GROUPS.get(one.purpose, one.purpose)))
    for (is_later, _), group in groupby(kinds, lambda one: (one.urgency > 0, GROUPS.get(one.purpose, one.purpose))):
        found = list(group)
        total = len(dues) if is_later else len(found)
        if total > digest_above or (is_later and busy + total > STORM):
            yield found
        else:
            yield from ([one] for one in found)
