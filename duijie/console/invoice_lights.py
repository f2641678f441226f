"""How each platform stands: credit line, login, stops. Shown from what was asked last; a page never asks by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from duijie.console import words
from duijie.console.flows import readable
from duijie.console.site import Site
from duijie.flow import Deliver
from duijie.invoicing import asks, halts
from duijie.invoicing.asks import Known
from duijie.invoicing.halts import Halted
from duijie.journal.documents import yuan

LOW = Decimal("0.1")
LOGINS = {
    "in": ("good", "已登录"),
    "login": ("bad", "需要登录"),
    "sms": ("bad", "需要短信验证"),
    "scan": ("bad", "需要扫码"),
    "unknown": ("", "状态不明"),
}


class Lamp(NamedTuple):
    """A colour and what it means."""

    colour: str
    words: str


@dataclass(frozen=True)
class Light:
    """One platform; amounts in yuan without tax."""

    connection: str
    title: str
    credit: Lamp
    login: Lamp
    total: Decimal | None
    available: Decimal | None
    credit_at: datetime | None
    login_at: datetime | None
    halted: str
    qr_image: str
    qr_link: str


def lights(site: Site) -> list[Light]:
    """Every connection that a flow sends requests for invoices to."""
    flows, _ = readable(site.root)
    steps = [step for flow in flows.values() for step in flow.steps if isinstance(step, Deliver)]
    names = dict.fromkeys(step.connection for step in steps if step.sink == "invoice_request")
    return [_light(site, name) for name in names]


def _light(site: Site, connection: str) -> Light:
    line = asks.known(site.journal, connection, "credit")
    drawer = asks.known(site.journal, connection, "login")
    stops = halts.standing(site.journal, connection)
    qr = next((one for one in (*(stop.qr for stop in stops), drawer.qr if drawer else "") if one), "")
    return Light(
        connection=connection,
        title=words.SYSTEMS.get(connection, connection),
        credit=_credit(line, stops),
        login=_login(drawer, stops),
        total=yuan(line.total) if line and line.total is not None else None,
        available=yuan(line.available) if line and line.available is not None else None,
        credit_at=line.at if line else None,
        login_at=drawer.at if drawer else None,
        halted="; ".join(f"已暂停: {stop.said}" for stop in stops),
        qr_image=qr if qr.startswith("data:image/") else "",
        qr_link="" if qr.startswith("data:") else qr,
    )


def _credit(line: Known | None, stops: list[Halted]) -> Lamp:
    if any(stop.reason == "credit" for stop in stops):
        return Lamp("bad", "额度不足, 已暂停")
    if line is None or line.available is None:
        return Lamp("", "尚未查询")
    if line.available <= 0:
        return Lamp("bad", "额度用尽")
    return Lamp("busy", "额度将尽") if line.total and line.available < line.total * LOW else Lamp("good", "额度充足")


def _login(drawer: Known | None, stops: list[Halted]) -> Lamp:
    if any(stop.reason == "login" for stop in stops):
        return Lamp("bad", "需要登录, 已暂停")
    return Lamp(*LOGINS.get(drawer.state, LOGINS["unknown"])) if drawer else Lamp("", "尚未查询")
