"""HTTP whose failures say whether the call was carried out.

`duijie.connect.wire` carries the bytes; this module turns what it raises into the three kinds that matter: never left
(NotSent), refused before work began (RateLimited), or left without a readable answer (AnswerLost). Nothing is retried
here: only `duijie.connect.retry` does, and only what is safe.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from duijie import codec
from duijie.connect import clocks, leave
from duijie.connect.budget import RateBudget
from duijie.connect.errors import AnswerLost, ConfigError, NotSent, RateLimited, VendorRejected
from duijie.connect.wire import Answer, InvalidAddress, Wire, WireError

STILL_AT_WORK = 60.0  # seconds that a system which did not answer in time may go on with what it was sent
TOO_MANY = 429
LONGEST_REST = 86400.0
_log = logging.getLogger(__name__)


class Http:
    """One session to one system, within its rate budget."""

    def __init__(self, budget: RateBudget) -> None:
        self._budget = budget
        self._wire = Wire()

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        answers: tuple[int, ...] = (),
    ) -> Answer:
        """Send exactly these bytes once. `answers`: statuses the caller reads itself (a vendor's envelope, a redirect).

        Raises NotSent, RateLimited, AnswerLost, VendorRejected (other 4xx) or ConfigError (a URL that is none).
        """
        self._budget.take()
        place = urlsplit(url).netloc
        leave.ask(place)
        try:
            answer = self._wire.exchange(method, url, body, headers or {}, answers)
        except InvalidAddress:
            bare = url.partition("?")[0]
            raise ConfigError(f"地址无效: {bare}, 请检查连接的 host", en=f"invalid URL {bare}", where=bare) from None
        except WireError as error:
            raise (_lost if error.left else _not_sent)(place, error) from None
        _heard(method, answer)
        clocks.hear(answer.headers.get("Date"))
        return answer if answer.status_code in answers else _checked(answer)


def _heard(method: str, answer: Answer) -> None:
    """For whoever debugs; without the query, where some vendors want tokens."""
    if _log.isEnabledFor(logging.DEBUG):
        bare = answer.url.partition("?")[0].rpartition("@")[2]
        _log.debug("%s %s?… %d, %d bytes", method, bare, answer.status_code, len(answer.content))


def _not_sent(place: str, error: WireError) -> NotSent:
    return NotSent(
        f"连不上 {place}, 请求未发出; 将自动重试, 若持续请检查网络与地址",
        en=f"cannot connect to {place}: {error.name}; nothing was sent",
        where=place,
    )


def _lost(place: str, error: WireError) -> AnswerLost:
    return AnswerLost(
        f"{place} 的应答丢失, 结果未知; 先查询再决定是否重发",
        en=f"the answer of {place} was lost ({error.name}); it is looked up before any re-send",
        where=place,
        settles_after=STILL_AT_WORK if error.late else 0.0,
    )


def _checked(response: Answer) -> Answer:
    status = response.status_code
    place = urlsplit(response.url).netloc
    if status == TOO_MANY:
        raise RateLimited(
            f"{place} 限流, 稍候自动继续",
            en=f"{place} answers 429; waiting",
            code="429",
            where=place,
            retry_after=_seconds(response.headers.get("Retry-After")),
        )
    if status >= 500:
        raise AnswerLost(
            f"{place} 返回 {status}, 结果未知; 先查询再决定是否重发",
            en=f"{place} answered {status}; the outcome is unknown and will be looked up",
            code=str(status),
            where=place,
        )
    if status >= 400:
        raise VendorRejected(
            f"{place} 拒绝请求 ({status}), 请检查地址与权限",
            en=f"{place} refused the request with {status}; check address and rights",
            code=str(status),
            where=place,
        )
    return response


def _seconds(text: str | None) -> float:
    """Retry-After (RFC 9110, 10.2.3): seconds, or the moment in a date; a day at most."""
    if not text:
        return 1.0
    try:
        if text.strip().isdigit():
            return float(min(int(text), LONGEST_REST))
        return min(max(parsedate_to_datetime(text).timestamp() - time.time(), 1.0), LONGEST_REST)
    except (ValueError, OverflowError):
        return 1.0


def read_json(response: Answer) -> Any:
    """The body as JSON with exact numbers. Raises AnswerLost when it is not JSON: the outcome is then unknown."""
    try:
        return codec.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        place = urlsplit(response.url).netloc
        raise AnswerLost(
            f"{place} 的应答不是 JSON, 结果未知; 先查询再决定是否重发",
            en=f"{place} answered something that is not JSON; the outcome is unknown",
            where=place,
        ) from error


__all__ = ["Answer", "Http", "read_json"]
