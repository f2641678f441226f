"""The words of a message: what is the matter, what it holds up, why, what to do, who, under which number.

People's telephone numbers and addresses are covered here, before any channel sees a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from duijie.alerts.config import CHINA, Alerting, Mail, Person
from duijie.alerts.kinds import kind_of
from duijie.alerts.message import LINES, Message, neutral
from duijie.alerts.outbox import Due
from duijie.alerts.planning import SUMMARY, owners
from duijie.alerts.private import cover
from duijie.journal.documents import yuan

LONGEST_SEEN, LONGEST_LINE, LONGEST_IN_DIGEST = 2000, 300, 90
SUFFIX = {"again": "·仍未恢复", "mention": "·无人认领", "second": "·升级", "mail": "·升级"}


def message_of(alerting: Alerting, channel: str, dues: Sequence[Due]) -> Message:
    """One alert as it is, several as a digest."""
    return _single(alerting, channel, dues[0]) if len(dues) == 1 else _digest(alerting, channel, dues)


def number_of(alert_id: int, created_at: datetime) -> str:
    """An alert's number as people quote it: A20261123-0017."""
    return f"A{created_at.astimezone(CHINA):%Y%m%d}-{alert_id:04}"


def _single(alerting: Alerting, channel: str, due: Due) -> Message:
    if due.level == SUMMARY:
        return Message(f"【日报】{due.title}", due.body.split("\n"), _links(alerting, "/work"))
    copied = "" if due.must_act or due.level == "恢复" else "·抄送"
    title = f"【{due.level}{copied}{SUFFIX.get(due.purpose, '')}】{_line(due.title)}"
    people = owners(alerting, kind_of(due.dedupe), channel)
    told = [
        *([f"影响: {_impact(due)}"] if due.level != "恢复" else []),
        *([f"原因: {_line(due.cause)}"] if due.cause else []),
        *([f"建议: {_line(due.body)}"] if due.body else []),
        *([f"责任人: {_names(due, people)}"] if due.level != "恢复" else []),
        f"编号: {number_of(due.alert_id, due.created_at)}",
    ]
    links = _links(alerting, f"/alerts/{due.alert_id}", f"/work/{due.work_item_id}" if due.work_item_id else "")
    return Message(title, told, links, people if due.purpose == "mention" else ())


def _impact(due: Due) -> str:
    began = f"{due.created_at.astimezone(CHINA):%m-%d %H:%M} 起"
    times = f", 共 {due.count} 次" if due.count > 1 else ""
    held = f"{due.records} 张单据, 金额 {yuan(due.money):,} 元, " if due.records else ""
    return f"{held}{began}{times}"


def _names(due: Due, people: Sequence[Person]) -> str:
    kind = kind_of(due.dedupe)
    return " ".join(f"@{one.name}" for one in people) or due.owner or "、".join(kind.act)


def _links(alerting: Alerting, seen: str, claimed: str = "") -> list[tuple[str, str]]:
    """查看 and 认领: pages behind the login; a link alone changes nothing."""
    asked = (("查看", seen), ("认领", claimed or seen)) if seen.startswith("/alerts/") else (("查看", seen),)
    return [(words, address) for words, path in asked if (address := alerting.link(path))]


def _digest(alerting: Alerting, channel: str, dues: Sequence[Due]) -> Message:
    urgent = sum(one.level == "紧急" for one in dues)
    purpose = dues[0].purpose
    what = "对接告警" if purpose in ("first", "again") else "告警无人认领, 升级"
    title = f"【摘要】{what} {len(dues)} 条" + (f", 其中紧急 {urgent} 条" if urgent else "")
    people = {one.name: one for due in dues for one in owners(alerting, kind_of(due.dedupe), channel)}
    called = list(people.values()) if purpose == "mention" else []
    names = [f"责任人: {' '.join(f'@{name}' for name in people)}"] if people else []
    room = LINES - 3 - len(names)
    lines = [_in_digest(one) for one in dues[:room]]
    rest = [f"… 另有 {len(dues) - room} 条, 见控制台“告警”"] if len(dues) > room else []
    return Message(title, [*lines, *rest, *names], _links(alerting, "/alerts"), called)


def _in_digest(due: Due) -> str:
    times = f" ×{due.count}" if due.count > 1 else ""
    said = _line(f"{due.title}: {due.cause}" if due.cause else due.title)
    return f"· 【{due.level}】{said[:LONGEST_IN_DIGEST]}{times}"


def _line(text: str) -> str:
    """One line of what somebody wrote: people covered first, then cut, with nothing in it that a channel would obey."""
    covered = neutral(cover(" ".join(text[:LONGEST_SEEN].split())))
    return covered if len(covered) <= LONGEST_LINE else f"{covered[: LONGEST_LINE - 1]}…"


def recipients(alerting: Alerting, channel: str, dues: Sequence[Due]) -> list[str]:
    """The owners' own addresses, for the e-mail of an escalation; else none, which means the channel's."""
    if not isinstance(alerting.channels[channel], Mail) or dues[0].purpose != "mail":
        return []
    found = {one.mail for due in dues for one in owners(alerting, kind_of(due.dedupe)) if one.mail}
    return sorted(found)
