"""What ends on a known day: authorisations of connections and versions of vendors' interfaces.

A connection carries `authorised_until` (2027-03-31) in its extra, at the top or inside (one per shop); a connector's
spec carries `api_version_ends`. An alert is raised once at each threshold, with the days that were left then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.watch.finding import NOTE, SERIOUS, URGENT, Finding, View
from duijie.watch.schedule import CHINA

FIELD = "authorised_until"
SOON, NOW = 30, 7


def expiries(view: View) -> Iterator[Finding]:
    """Authorisations and API versions that end within the widest threshold. Raises ConfigError."""
    connections = view.connections()
    for connection in connections.values():
        for place, given in dates_in(connection.extra):
            yield from _authorisation(view, connection, place, given)
    yield from _versions(view, {one.conn_type for one in connections.values()})


def dates_in(extra: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(place, what is given) of every authorised_until in an extra, however deep."""
    if isinstance(extra, Mapping):
        for name, below in extra.items():
            if name == FIELD:
                yield place, below
            else:
                yield from dates_in(below, f"{place}.{name}" if place else str(name))


def _authorisation(view: View, connection: Connection, place: str, given: Any) -> Iterator[Finding]:
    subject = f"{connection.conn_id}.{place}" if place else connection.conn_id
    try:
        ends = day_of(str(given))
    except ValueError:
        body = f"请在连接的 extra 中写成 2027-03-31 的形式, 现为 {given}"
        yield Finding("expiry", f"{subject}.{FIELD}", NOTE, f"连接 {subject} 的授权到期日无法识别", body)
        return
    body = "请在到期前由账号所有者在对方平台重新授权, 并更新连接的密钥与 authorised_until"
    yield from _ends(view, subject, ends, f"连接 {subject} 的授权", body)


def day_of(text: str) -> date:
    """A day, or a moment's day in China. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(CHINA).date() if moment.tzinfo else moment.date()


def _versions(view: View, conn_types: Iterable[str]) -> Iterator[Finding]:
    for conn_type in sorted(conn_types):
        try:
            spec = view.spec(conn_type)
        except ConfigError:
            continue  # `duijie connection test` says so
        if spec.api_version_ends:
            title = f"{spec.title} 接口版本 {spec.api_version}"
            body = f"对方将停用该版本: 请升级 Duijie 的连接器, 说明见 {spec.source}"
            yield from _ends(view, f"api/{conn_type}", spec.api_version_ends, title, body)


def _ends(view: View, subject: str, ends: date, what: str, body: str) -> Iterator[Finding]:
    left = (ends - view.now.astimezone(CHINA).date()).days
    crossed = [days for days in view.limits.expiry_days if left <= days]
    if not crossed:
        return
    step = min(crossed) if left >= 0 else -1
    said = f"将在 {left} 天后 ({ends}) 到期" if left > 0 else f"已于 {ends} 到期"
    said = said if left else f"今天 ({ends}) 到期"
    level = URGENT if left <= NOW else SERIOUS if left <= SOON else NOTE
    yield Finding("expiry", subject, level, f"{what}{said}", body, step=str(step))
