"""What `duijie connection test` finds: whether an account works, and what is missing before it does. Writes nothing.

Settings first, then the key, then each right on its own: a stream is read for its last hour (one page), a sink is asked
for a key that cannot be there. On the way the vendor's clock is compared with ours. What cannot be asked without
writing is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal

from duijie.connect.clocks import listening
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, DuijieError
from duijie.connect.line import State
from duijie.connect.protocol import Connector, Page, Safety, Sink, Spec, Stream, Window, traits_of
from duijie.connect.registry import open_connection, plugin
from duijie.connect.services import Services
from duijie.watch.expiry import FIELD, dates_in, day_of

Verdict = Literal["works", "warns", "fails", "unasked"]
ABSENT = "DUIJIE-CHECK-0"
SPAN, LAG = timedelta(hours=1), timedelta(minutes=5)  # some vendors do not answer for the last minutes
SKEW_SECONDS = 60.0
SOON_DAYS = 30
EVERYWHERE = {FIELD, "__extra__"}  # what any connection's extra may hold besides its connector's settings
OF_FORM: Mapping[str, str] = {"host": "host", "login": "login", "password": "password"}


@dataclass(frozen=True)
class Told:
    """One line: what was looked at, how it is."""

    what: str
    how: str
    verdict: Verdict = "works"


def diagnose(connection: Connection, services: Services, state: State = State()) -> list[Told]:  # noqa: B008  frozen
    """Every line, in the order of a person's questions. Raises ConfigError for a conn_type that nobody installed."""
    spec = plugin(connection.conn_type).spec
    found = [*_state(state), *_settings(connection, spec)]
    if not any(one.verdict == "fails" for one in found if one.what.startswith("设置")):
        with listening() as dates:
            found += _calls(connection, services, dates)
            found += _clock(dates, services)
    else:
        found.append(Told("登录与权限", "未检查: 请先补全设置", "unasked"))
    return [*found, *_expiry(connection, spec)]


def _state(state: State) -> Iterator[Told]:
    if state.disabled:
        yield Told("状态", f"已停用: {state.disabled}; 修好后执行 duijie connection enable", "warns")


def _settings(connection: Connection, spec: Spec) -> Iterator[Told]:
    """All that is missing or not known, at once."""
    missing = [one for one in spec.settings if one.required and _given(connection, one.name, one.target) in (None, "")]
    missing = [one for one in missing if one.default in (None, "")]
    for one in missing:
        where = one.target if one.target in OF_FORM else f"extra.{one.name}"
        yield Told(
            f"设置 {one.name}", f"缺少{one.label}, 请在连接的 {where} 中补上。{one.help}".rstrip("。") + "。", "fails"
        )
    known = {one.name for one in spec.settings if one.target == "extra"} | EVERYWHERE
    for name in sorted(set(connection.extra) - known):
        near = get_close_matches(name, known, 1)
        hint = f", 是否指 {near[0]}?" if near else ", 请删除或更正"
        yield Told(f"设置 {name}", f"该连接类型没有这项设置, 不起作用{hint}", "warns")
    if not missing:
        yield Told("设置", "必填项齐全")


def _given(connection: Connection, name: str, target: str) -> Any:
    return getattr(connection, OF_FORM[target]) if target in OF_FORM else connection.extra.get(name)


def _calls(connection: Connection, services: Services, dates: list[float]) -> Iterator[Told]:
    try:
        connector = open_connection(connection, services)
        yield from (Told(what, how) for what, how in connector.check())
    except DuijieError as error:
        yield _failed("登录", error)
        yield Told("权限", "未检查: 请先解决上一项", "unasked")
        return
    yield from _rights(connector, services, dates)


def _rights(connector: Connector, services: Services, dates: list[float]) -> Iterator[Told]:
    for stream in connector.streams.values():
        try:
            parts = list(stream.partitions())
        except DuijieError as error:
            yield _failed(f"读取 {stream.name}", error)
            continue
        for part in parts:
            yield _reads(stream, part, services)
    yield from (_finds(sink, dates) for sink in connector.sinks.values())


def _reads(stream: Stream, part: str, services: Services) -> Told:
    what = f"读取 {stream.name} {part}".rstrip()
    until = datetime.fromtimestamp(services.clock(), UTC).replace(microsecond=0) - LAG
    window = Window(until - min(SPAN, traits_of(stream).longest or SPAN), until, part)
    try:
        try:
            page = _first(stream, window)
        except ConfigError as error:
            if isinstance(error, CredentialError):
                raise
            _first(stream, Window(window.since, window.until, part, (ABSENT,)))  # a stream that is read by key alone
            return Told(what, "可按单号读取")
    except DuijieError as error:
        return _failed(what, error)
    return Told(what, f"可读取, 最近一小时首页 {len(page.records) if page else 0} 条")


def _first(stream: Stream, window: Window) -> Page | None:
    return next(iter(stream.read(window)), None)


def _finds(sink: Sink, dates: list[float]) -> Told:
    what = f"写入 {sink.name}"
    if sink.safety is Safety.ABSOLUTE:
        return Told(what, "未检查: 写入前无法试写, 首次写入即知", "unasked")
    before = len(dates)
    try:
        sink.find([ABSENT])
    except CredentialError as error:
        return _failed(what, error)
    except ConfigError:
        return Told(what, "未检查: 只能按本系统的单号查询, 首次写入即知", "unasked")
    except DuijieError as error:
        return _failed(what, error)
    if dates and len(dates) == before:
        return Told(what, "未检查: 查询没有发出请求 (对方没有可用的查询, 或单号须有其格式), 首次写入即知", "unasked")
    return Told(what, "可查询我方单号 (未写入任何数据, 写权限在首次写入时确认)")


def _clock(dates: list[float], services: Services) -> Iterator[Told]:
    if not dates:
        return
    skew = services.clock() - dates[-1]
    if abs(skew) > SKEW_SECONDS:
        yield Told("时钟", f"本机比对方{'快' if skew > 0 else '慢'} {abs(skew):.0f} 秒, 请启用 NTP 对时", "fails")
    else:
        yield Told("时钟", "与对方一致 (相差不到一分钟)")


def _expiry(connection: Connection, spec: Spec) -> Iterator[Told]:
    today = datetime.now(UTC).astimezone().date()
    given = list(dates_in(connection.extra))
    for place, text in given:
        yield _until(f"授权到期 {place}".rstrip(), str(text), today)
    if not given:
        yield Told("授权到期", f"未填写 {FIELD}, 到期前不会提醒", "unasked")
    if spec.api_version_ends:
        yield _until(f"接口版本 {spec.api_version}", spec.api_version_ends.isoformat(), today)


def _until(what: str, text: str, today: date) -> Told:
    try:
        left = (day_of(text) - today).days
    except ValueError:
        return Told(what, f"日期无法识别: {text}, 请写成 2027-03-31 的形式", "warns")
    if left < 0:
        return Told(what, f"已于 {text} 到期, 请重新授权并更新密钥", "fails")
    return Told(what, f"{text}, 还有 {left} 天", "warns" if left <= SOON_DAYS else "works")


def _failed(what: str, error: DuijieError) -> Told:
    return Told(what, error.zh, "fails")
