"""What is read of 百望云: invoices by our numbers, red forms in a window, and reds as whichever of the two there is.

Methods: baiwang.s.outputinvoice.query and baiwang.s.redconfirm.query (open.baiwang.com, 小微).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from connectors.baiwang.client import Client
from duijie.codec import Record
from duijie.connect.errors import ConfigError, MalformedMessage
from duijie.connect.protocol import Page, Window
from duijie.connect.retry import side_by_side

CHINA = timezone(timedelta(hours=8))
NUMBERS_A_CALL = 20
QUERY = "baiwang.s.outputinvoice.query"
FORMS = "baiwang.s.redconfirm.query"
ISSUING = "00"
FORM_LIVES = timedelta(days=4)  # 72 hours to be confirmed, and a day for the red invoice
RED_TAKES = timedelta(days=31)
LONGEST_LIST = 1000


class Invoices:
    """Blue invoices by our numbers, as the query sends them, lines included."""

    name, entity, key = "invoice", "invoice", "orderNo"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: they are asked for by number."""
        return _pages(window, self.name, self.of)

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The invoices of these numbers; unknown numbers are absent."""
        asked = {"orderNos": list(numbers), "detailMark": "1"}
        return [row for row in _rows(self._client.read(QUERY, asked), QUERY) if row.get("orderNo") in numbers]


class RedForms:
    """Red confirmation forms (红字信息确认单) of the seller's invoices, whoever began them."""

    name, entity, key = "red_form", "red_form", "redConfirmNo"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Forms begun in the window or in the four days before it (they may still change), or those of its keys."""
        if window.keys:
            yield Page([row for rows in side_by_side(self._numbered, window.keys) for row in rows])
            return
        yield from self._listed(window.since - FORM_LIVES, window.until)

    def lately(self) -> Iterator[Record]:
        """Every form whose red invoice may be on its way."""
        now = datetime.fromtimestamp(self._client.now(), UTC)
        return (row for page in self._listed(now - RED_TAKES, now) for row in page.records)

    def _numbered(self, number: str) -> list[Record]:
        rows = self._asked({"redConfirmNo": number, "pageNo": "1"})
        return [row for row in rows if row.get(self.key) == number]

    def _listed(self, since: datetime, until: datetime) -> Iterator[Page]:
        """Pages until one brings nothing new: how long a page is is not published."""
        days = {"beginDate": f"{since.astimezone(CHINA):%Y-%m-%d}", "endDate": f"{until.astimezone(CHINA):%Y-%m-%d}"}
        seen: set[str] = set()
        for number in range(1, LONGEST_LIST):
            rows = self._asked({**days, "pageNo": str(number)})
            fresh = [row for row in rows if str(row.get(self.key)) not in seen]
            if not fresh:
                return
            seen |= {str(row.get(self.key)) for row in fresh}
            yield Page(fresh)

    def _asked(self, more: Record) -> list[Record]:
        return _rows(self._client.read(FORMS, {"operatorType": "2", "buySelSelector": "0", **more}), FORMS)


class RedInvoices:
    """Reds by our numbers: {"orderNo", "invoice": its row, "form": its form}, of which one may be missing yet."""

    name, entity, key = "red_invoice", "invoice", "orderNo"

    def __init__(self, invoices: Invoices, forms: RedForms) -> None:
        self._invoices = invoices
        self._forms = forms

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The reds of `window.keys`. Raises ConfigError without keys."""
        return _pages(window, self.name, self.of)

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The reds of these numbers; forms are asked for only while an invoice is not through."""
        rows = {row["orderNo"]: row for row in self._invoices.of(numbers)}
        waiting = {one for one in numbers if rows.get(one, {}).get("status", ISSUING) == ISSUING}
        forms = (
            {row["orderNo"]: row for row in self._forms.lately() if row.get("orderNo") in waiting} if waiting else {}
        )
        known = {"invoice": rows, "form": forms}
        made = ({name: held[one] for name, held in known.items() if one in held} for one in numbers)
        return [{"orderNo": one, **parts} for one, parts in zip(numbers, made, strict=True) if parts]


def _rows(answer: Any, method: str) -> list[Record]:
    """The records of an answer: a list, or an object with one as `list`. Raises MalformedMessage for anything else."""
    listed = answer.get("list", []) if isinstance(answer, dict) and ("list" in answer or not answer) else answer
    if listed is None:
        return []
    if not (isinstance(listed, list) and all(isinstance(row, dict) for row in listed)):
        raise MalformedMessage(
            f"百望云 {method} 的应答里没有列表, 请联系百望云核对接口版本",
            en=f"{method} answered without a list",
            code="baiwang:no-list",
            where=method,
        )
    return [dict(row) for row in listed]


def parts_of(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many numbers as one call asks for."""
    return (keys[start : start + NUMBERS_A_CALL] for start in range(0, len(keys), NUMBERS_A_CALL))


def _pages(window: Window, stream: str, of: Callable[[Sequence[str]], list[Record]]) -> Iterator[Page]:
    if not window.keys:
        raise ConfigError(
            f"百望云的 {stream} 按我方单号查询, 请在流程中用 poll 步骤代替 pull",
            en=f"{stream} is read by our numbers; use a poll step instead of pull",
            code="baiwang:keys",
            where=stream,
        )
    for part in parts_of(window.keys):
        yield Page(of(part))
