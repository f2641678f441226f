"""Channels, people, routes: one YAML or JSON file outside the repository, named by DUIJIE_ALERT_FILE.

It holds keys and telephone numbers, so that only its owner may read it (mode 600), and none of it is printed unmasked.
A white-space separated list of apprise URLs, there or in DUIJIE_ALERT_URLS, is the older and smaller form.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import yaml

from duijie.alerts.kinds import KINDS, OTHER, ROLES
from duijie.connect.errors import ConfigError

CHINA = timezone(timedelta(hours=8), "CST")
LEVELS = ("紧急", "重要", "提示", "恢复", "摘要")
OTHERS_MAY = 0o077
AT_HOME = ("127.0.0.1", "localhost", "::1")
Minutes = Annotated[int, msgspec.Meta(ge=1, le=1440)]
Mobile = Annotated[str, msgspec.Meta(pattern=r"^(\+\d{1,3}-?)?\d{6,14}$|^$")]


Hour = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^$")]


class Base(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Strict: a key that is not known is an error."""


class Robot(Base, frozen=True, kw_only=True):
    """One group robot: the webhook address as the vendor shows it, and the secret of 加签 / 签名校验."""

    url: str
    secret: str = ""


class Channel(Base, frozen=True, kw_only=True, tag_field="type"):
    """A way to people. `next`: where to turn when it fails, and the second channel of an escalation.

    `quiet` ("22:00-08:00", China time) holds back all but 紧急; `daily` ("08:30", or empty) is when the summary goes.
    """

    next: str = ""
    quiet: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$|^$")] = ""
    daily: Hour = "08:30"

    def is_quiet(self, now: datetime) -> bool:
        """Whether the quiet hours hold, also over midnight."""
        if not self.quiet:
            return False
        start, end = map(time.fromisoformat, self.quiet.split("-"))
        moment = now.astimezone(CHINA).time()
        return start <= moment < end if start < end else moment >= start or moment < end


class Group(Channel, frozen=True, kw_only=True):
    """A group of people with one or more robots in it: a pool."""

    robots: Annotated[tuple[Robot, ...], msgspec.Meta(min_length=1)]


class Dingtalk(Group, frozen=True, kw_only=True, tag="dingtalk"):
    """钉钉."""


class Feishu(Group, frozen=True, kw_only=True, tag="feishu"):
    """飞书, whose robots are to keep away from the full and the half hour."""

    daily: Hour = "08:37"


class Wecom(Group, frozen=True, kw_only=True, tag="wecom"):
    """企业微信."""


class Mail(Channel, frozen=True, kw_only=True, tag="mail"):
    """E-mail by SMTP, always with TLS: "implicit" (port 465) or "starttls" (port 587). `ca`: a PEM file to trust."""

    host: str
    sender: str
    to: tuple[str, ...] = ()
    port: int = 465
    tls: Annotated[str, msgspec.Meta(pattern="^(implicit|starttls)$")] = "implicit"
    user: str = ""
    password: str = ""
    ca: str = ""


class Other(Channel, frozen=True, kw_only=True, tag="apprise"):
    """Whatever apprise can speak to: one of its URLs."""

    url: str


class Person(Base, frozen=True, kw_only=True):
    """Somebody of ours. `feishu`: the open_id or user_id for an @ there, as its robots know no mobile numbers."""

    name: str
    roles: tuple[str, ...]
    mobile: Mobile = ""
    mail: str = ""
    feishu: str = ""


class Route(Base, frozen=True, kw_only=True):
    """Which alerts go to which channels; an empty list means all."""

    channels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    roles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()


class Escalation(Base, frozen=True, kw_only=True):
    """Minutes until the owner is called by name, and from then until the second channel and e-mail."""

    mention_minutes: Minutes = 15
    second_minutes: Minutes = 30
    levels: tuple[str, ...] = ("紧急", "重要")
    mail: str = ""


Way = Dingtalk | Feishu | Wecom | Mail | Other


class Alerting(Base, frozen=True, kw_only=True):
    """The whole file."""

    channels: dict[str, Way] = {}
    people: tuple[Person, ...] = ()
    routes: tuple[Route, ...] = ()
    escalation: Escalation = Escalation()
    silence_minutes: Minutes = 30
    digest_above: Annotated[int, msgspec.Meta(ge=1, le=15)] = 5
    console: str = ""

    def chain(self, name: str) -> list[str]:
        """A channel and those to turn to when it fails."""
        found: list[str] = []
        while name and name not in found:
            found.append(name)
            name = self.channels[name].next
        return found

    def served(self, name: str) -> frozenset[str]:
        """The roles that a channel reaches."""
        routes = [route for route in self.routes if name in route.channels]
        return frozenset(role for route in routes for role in (route.roles or ROLES))

    def link(self, path: str) -> str:
        """An address of the console, empty while nobody has said where it is."""
        base = os.environ.get("DUIJIE_CONSOLE_URL") or self.console
        return f"{base.rstrip('/')}{path}" if base else ""

    @property
    def mail(self) -> str:
        """The channel for e-mail to owners, empty without one."""
        mails = (name for name, one in self.channels.items() if isinstance(one, Mail))
        return self.escalation.mail or next(mails, "")


def load() -> Alerting:
    """What DUIJIE_ALERT_FILE and DUIJIE_ALERT_URLS say, read anew.

    Raises ConfigError naming the place and what to do.
    """
    urls = os.environ.get("DUIJIE_ALERT_URLS", "").split()
    path = os.environ.get("DUIJIE_ALERT_FILE", "")
    if not path:
        return of_urls(urls)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, f"读不了 ({type(error).__name__})") from error
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _wrong(path, f"第 {mark.line + 1 if mark else '?'} 行不是 YAML") from error
    if said is None or isinstance(said, str):
        return of_urls([*urls, *text.split()])
    _must_be_private(Path(path))
    return _checked(said, path)


def of_urls(urls: list[str]) -> Alerting:
    """Each URL a channel of its own, which gets everything."""
    channels = {f"url-{number}": _of_url(url) for number, url in enumerate(urls, 1)}
    return Alerting(channels=channels, routes=(Route(channels=tuple(channels)),) if channels else ())


def _of_url(url: str) -> Way:
    """The three robots are spoken to directly, as apprise takes HTTP 200 for success whatever the robot answered."""
    parts = urlsplit(url)
    token = parts.hostname and re.sub(r"[/?].*", "", url.split("//", 1)[-1].rpartition("@")[2])
    if parts.scheme == "dingtalk" and not parts.path.strip("/"):
        address = f"https://oapi.dingtalk.com/robot/send?access_token={token}"
        return Dingtalk(robots=(Robot(url=address, secret=parts.username or ""),), daily="")
    if parts.scheme == "feishu":
        return Feishu(robots=(Robot(url=f"https://open.feishu.cn/open-apis/bot/v2/hook/{token}"),), daily="")
    if parts.scheme == "wecombot":
        return Wecom(robots=(Robot(url=f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={token}"),), daily="")
    return Other(url=url, daily="")


def _must_be_private(path: Path) -> None:
    if path.stat().st_mode & OTHERS_MAY:
        mode = stat.filemode(path.stat().st_mode)
        raise ConfigError(
            f"告警配置 {path} 含密钥, 权限应为 600, 现为 {mode}: 请运行 chmod 600 {path}",
            en=f"{path} holds keys, its mode is {mode}: run chmod 600 {path}",
            where=str(path),
        )


def _checked(said: Any, path: str) -> Alerting:
    try:
        found = msgspec.convert(said, Alerting)
    except msgspec.ValidationError as error:
        raise _wrong(path, str(error)) from error
    if problem := next(_problems(found), ""):
        raise _wrong(path, problem)
    return found


def _problems(said: Alerting) -> Iterator[str]:
    yield from _unknown(said)
    for name, channel in said.channels.items():
        if channel.next and said.chain(name)[-1] != name and _turns_back(said.channels, name):
            yield f"channels.{name}.next 兜圈子: {' → '.join(said.chain(name))}"
        for robot in channel.robots if isinstance(channel, Group) else ():
            if not _is_safe(robot.url):
                yield f"channels.{name}.robots 的 url 须为 https 地址"
        if isinstance(channel, Mail) and not channel.to and name in {n for r in said.routes for n in r.channels}:
            yield f"channels.{name}.to 为空, 但 routes 用到了它"
    if not said.channels or not said.routes:
        yield "至少要有一个 channels 和一条 routes"
    if said.escalation.mail and not isinstance(said.channels.get(said.escalation.mail), Mail):
        yield f"escalation.mail 不是邮件渠道: {said.escalation.mail}"


def _unknown(said: Alerting) -> Iterator[str]:
    """Names that nothing stands for."""
    for name, channel in said.channels.items():
        yield from _missing(f"channels.{name}.next", filter(None, (channel.next,)), said.channels)
    for number, route in enumerate(said.routes):
        yield from _missing(f"routes[{number}].channels", route.channels, said.channels)
        yield from _missing(f"routes[{number}].roles", route.roles, ROLES)
        yield from _missing(f"routes[{number}].kinds", route.kinds, (*KINDS, OTHER.name))
        yield from _missing(f"routes[{number}].levels", route.levels, LEVELS)
    for person in said.people:
        yield from _missing(f"people {person.name} 的 roles", person.roles, ROLES)
    yield from _missing("escalation.levels", said.escalation.levels, LEVELS)


def _missing(where: str, named: Any, known: Any) -> Iterator[str]:
    for name in named:
        if name not in known:
            yield f"{where} 中的 {name} 不存在, 可选: {', '.join(known)}"


def _turns_back(channels: Mapping[str, Channel], name: str) -> bool:
    seen: list[str] = []
    while name and name not in seen:
        seen.append(name)
        name = channels[name].next
    return bool(name)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in AT_HOME)


def _wrong(path: str, problem: str) -> ConfigError:
    return ConfigError(
        f"告警配置 {path} 有误: {problem}; 格式见 docs/alerts.md",
        en=f"the alert file {path} is wrong: {problem}",
        where=path,
    )
