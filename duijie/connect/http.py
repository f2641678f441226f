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
import requests
import urllib3
from urllib3.exceptions import LocationValueError

from duijie import codec
from duijie.connect import clocks, leave
from duijie.connect.budget import RateBudget
from duijie.connect.errors import AnswerLost, ConfigError, NotSent, RateLimited, VendorRejected
from duijie.connect.secrets import WithoutQueries
from duijie.connect.wire import Answer, Wire

STILL_AT_WORK = 60.0  # seconds that a system which did not answer in time may go on with what it was sent
TOO_MANY = 429
LONGEST_REST = 86400.0
logging.getLogger("urllib3.connectionpool").addFilter(WithoutQueries())


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
            answer = self._wire.exchange(method, url, body, dict(headers or {}), answers)
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, LocationValueError):
            bare = url.partition("?")[0]
            raise ConfigError(f"地址无效: {bare}, 请检查连接的 host", en=f"invalid URL {bare}", where=bare) from None
        except (urllib3.exceptions.HTTPError, requests.exceptions.RequestException) as error:
            raise (_not_sent if never_left(error) else _lost)(place, error) from None  # a cause would tell the address
        clocks.hear(answer.headers.get("Date"))
        return answer if answer.status_code in answers else _checked(answer)


def _not_sent(place: str, error: Exception) -> NotSent:
    return NotSent(
        f"连不上 {place}, 请求未发出; 将自动重试, 若持续请检查网络与地址",
        en=f"cannot connect to {place}: {type(error).__name__}; nothing was sent",
        where=place,
    )


def _lost(place: str, error: Exception) -> AnswerLost:
    is_late = isinstance(error, urllib3.exceptions.ReadTimeoutError | requests.exceptions.ReadTimeout)
    return AnswerLost(
        f"{place} 的应答丢失, 结果未知; 先查询再决定是否重发",
        en=f"the answer of {place} was lost ({type(error).__name__}); it is looked up before any re-send",
        where=place,
        settles_after=STILL_AT_WORK if is_late else 0.0,
    )


def never_left(error: Exception) -> bool:
    """Whether an error means that nothing was sent. TLS may break at any time, a certificate at once."""
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError | requests.exceptions.ConnectTimeout):
        return True
    signs = ("NewConnectionError", "NameResolutionError", "CERTIFICATE_VERIFY_FAILED", "CertificateError")
    return any(sign in repr(error) for sign in signs)


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


__all__ = ["Answer", "Http", "never_left", "read_json"]
