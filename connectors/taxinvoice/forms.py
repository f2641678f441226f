"""红字信息表同步 (hzxxbtb): the red forms of a window, in one set of names whatever the operator's settings call them.

The vendor publishes how the list is asked for, not how it answers. What the answer calls its fields is the setting
`form_fields`: state, and as far as there are any red_number, form_no, blue_number, net, tax, initiator, reason, uuid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from connectors.taxinvoice.client import Client
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.connect.invoicing import not_offered
from duijie.connect.protocol import Figures

CHINA = timezone(timedelta(hours=8))
OWN = {
    "state": "state",
    "form_no": "xxbbh",
    "blue_number": "yfphm",
    "red_number": "hzfphm",
    "net": "hjje",
    "tax": "hjse",
    "initiator": "initiator",
    "reason": "chyydm",
    "uuid": "uuid",
}
ASSUMED = {"form_no": "xxbbh", "blue_number": "yfphm", "net": "hjje", "tax": "hjse"}  # as the calls name them
NEEDED = {"state", *ASSUMED.values()}
STANDS = ("01", "02", "03", "04")
LOOK_BACK = timedelta(days=30)


def names(given: Any, where: str) -> dict[str, str]:
    """A setting that names fields: a JSON object, or its text. Raises ConfigError."""
    try:
        told = codec.decode(given) if isinstance(given, str) and given else given or {}
    except ValueError:
        told = None
    if not isinstance(told, Mapping):
        raise ConfigError(
            f"设置 {where} 须是 JSON 对象 (用途 → 应答字段名), 请更正",
            en=f"the setting {where} must be a JSON object",
            where=where,
        )
    return {str(name): str(field) for name, field in told.items()}


class Forms:
    """The seller's red forms, both sides'."""

    def __init__(self, client: Client, fields: Mapping[str, str], clock: Any) -> None:
        self._client = client
        self._fields = {**ASSUMED, **fields}
        self._clock = clock
        self.are_readable = "state" in fields

    def window(self, since: datetime, until: datetime) -> Sequence[Record]:
        """The forms of the days of a window. Raises not-offered where their fields are not set."""
        self._must_be_readable()
        days = {"kprqq": f"{since.astimezone(CHINA):%Y%m%d}", "kprqz": f"{until.astimezone(CHINA):%Y%m%d}"}
        return self._asked(days)

    def lately(self) -> Sequence[Record]:
        """Those of the last 30 days."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return self.window(now - LOOK_BACK, now)

    def by_number(self, form_no: str) -> Record | None:
        """One form; None where it is not there."""
        self._must_be_readable()
        return next((row for row in self._asked({"xxbbh": form_no}) if row["xxbbh"] == form_no), None)

    @staticmethod
    def figures(row: Record) -> Figures:
        """Gross and tax of a row in yuan; amounts of reds are negative whatever the sign in the list."""
        net, tax = (-abs(Decimal(str(row[name]))) for name in ("hjje", "hjse"))
        return {"gross": net + tax, "tax": tax}

    @staticmethod
    def is_void(row: Record) -> bool:
        """Nothing will come of it."""
        return str(row["state"]) not in STANDS

    def _asked(self, by: Record) -> list[Record]:
        form = {"nsrsbh": self._client.tax_no, "username": self._client.username, **by}
        told = self._client.read("hzxxbtb", form)
        held = told.values() if isinstance(told, dict) else [told]
        listed = next((value for value in held if isinstance(value, list)), [])
        return [self._named(row) for row in listed if isinstance(row, dict)]

    def _named(self, row: Record) -> Record:
        found = {OWN[use]: row[field] for use, field in self._fields.items() if use in OWN and field in row}
        if NEEDED - set(found):
            raise ConfigError(
                f"红字信息表应答中没有设置 form_fields 所指的字段 (有: {', '.join(sorted(row))}), 请更正设置",
                en="the list of forms lacks the fields that form_fields names",
                where="form_fields",
            )
        return found

    def _must_be_readable(self) -> None:
        if not self.are_readable:
            raise not_offered(
                "发票SDK", "红字信息表应答字段 (设置 form_fields 后可读取确认单) 的", "the fields of red forms"
            )
