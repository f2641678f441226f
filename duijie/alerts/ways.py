"""The robots and servers behind a channel, each with a name of its own for its minute and its rests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import apprise

from duijie.alerts import mail, robots
from duijie.alerts.config import Group, Mail, Other, Robot, Way
from duijie.alerts.message import Message
from duijie.connect.errors import ConfigError, NotSent

Post = Callable[[Message, Sequence[str], datetime], None]


@dataclass(frozen=True)
class Target:
    """One robot. `post` raises errors of the tree; AnswerLost means that the message may be there."""

    robot: str
    post: Post


def targets(way: Way) -> list[Target]:
    """The robots of a channel, the first to be tried first."""
    match way:
        case Group():
            return [Target(_named(one.url), _of_robot(way, one)) for one in way.robots]
        case Mail():
            return [
                Target(_named(f"{way.user}@{way.host}:{way.port}"), lambda what, to, now: mail.post(way, to, what, now))
            ]
        case Other():
            return [Target(_named(way.url), lambda what, to, now: _notify(way, what))]


def _of_robot(group: Group, robot: Robot) -> Post:
    return lambda what, to, now: robots.post(group, robot, what, now)


def _named(address: str) -> str:
    """The same robot under any name has the same minute; its address cannot be computed back."""
    return hashlib.sha256(address.encode()).hexdigest()[:24]


def _notify(way: Other, message: Message) -> None:
    sender = apprise.Apprise()
    if not sender.add(way.url):
        raise ConfigError("apprise 不认识该渠道的 url: 请按 apprise 的写法更正", en="apprise does not know this URL")
    if not sender.notify(title=message.title, body=message.text):
        raise NotSent("发送失败: apprise 未说明原因, 将自动重试", en="apprise says it was not sent")
