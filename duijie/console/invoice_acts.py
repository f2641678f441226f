"""What people do at the 开票工作台, and what it is told beside documents: approvals, halts, lights, files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duijie.connect.errors import ConfigError
from duijie.connect.invoicing import Copy
from duijie.console.invoice_board import Overlay
from duijie.console.invoice_facts import One
from duijie.console.site import Site
from duijie.console.users import User
from duijie.journal import Journal


def overlay(journal: Journal) -> Overlay:
    return Overlay()


def lights(site: Site) -> list[Any]:
    return []


def files(site: Site, found: One) -> list[Any]:
    return []


def decide(journal: Journal, verdict: str, keys: Sequence[str], user: User, why: str) -> str:
    raise ConfigError("审批尚未接入", en="not joined yet")


def resend(site: Site, found: One, copy: Copy, who: str) -> str:
    raise ConfigError("重发尚未接入", en="not joined yet")


def again(site: Site, found: One, who: str, why: str) -> str:
    raise ConfigError("重试尚未接入", en="not joined yet")


def refresh(site: Site, connection: str) -> str:
    raise ConfigError("刷新尚未接入", en="not joined yet")


def resume(journal: Journal, connection: str, who: str) -> str:
    raise ConfigError("恢复尚未接入", en="not joined yet")
