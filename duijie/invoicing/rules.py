"""How long the life cycle waits for what: mappings/rules/invoicing.yaml, or these defaults where a project has none.

Sources: 诺诺开放平台 getCreditLine, getCertificationStatus and getQrCode (refreshed at most 20 times a day, once in 30
seconds; a code is valid 5 minutes); 国家税务总局公告 2024 年第 11 号 (a red form is void after 72 hours unconfirmed).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import yaml

from duijie.connect.errors import ConfigError


class LifeRules(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """mappings/rules/invoicing.yaml. `approve_over`: by entity, the amount with tax above which a person must agree."""

    approve_over: dict[str, Decimal] = {}
    grace_minutes: int = 10
    credit_every_minutes: int = 30
    login_every_minutes: int = 2
    asks_a_day: int = 20
    trial_minutes: int = 30
    issuing_hours: int = 4
    unknown_hours: int = 1
    login_minutes: int = 5
    form_hours: int = 72
    longest_poll_minutes: int = 30

    @property
    def grace(self) -> timedelta:
        """How long "not found" must last before other bytes may leave under a number."""
        return timedelta(minutes=self.grace_minutes)

    @property
    def patience(self) -> timedelta:
        """How long the result of the one request after a release is waited for."""
        return timedelta(minutes=self.trial_minutes)

    def every(self, reason: str) -> timedelta:
        """How often a platform is asked whether the reason of a halt is over."""
        return timedelta(minutes=self.credit_every_minutes if reason == "credit" else self.login_every_minutes)


def load(rules: Path) -> LifeRules:
    """Read invoicing.yaml of a folder of rules; without one, the defaults. Raises ConfigError naming the place."""
    path = rules / "invoicing.yaml"
    if not path.is_file():
        return LifeRules()
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  texts only, no floats
        return msgspec.convert(data or {}, LifeRules, strict=False)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"开票流程规则 {path} 有误: {error}, 请更正后重试", en=f"{path} is wrong: {error}", where=str(path)
        ) from error
