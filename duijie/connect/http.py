"""HTTP whose failures say whether the call was carried out.

`requests` carries the bytes; this module turns its exceptions into the three kinds that matter: never left (NotSent),
refused before work began (RateLimited), or left without a readable answer (AnswerLost). Nothing is retried here:
only `duijie.connect.retry` does, and only what is safe.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from duijie import codec
from duijie.connect import clocks, leave
from duijie.connect.budget import RateBudget
from duijie.connect.errors import AnswerLost, ConfigError, NotSent, RateLimited, VendorRejected
from duijie.connect.secrets import WithoutQueries

CONNECT_SECONDS = 5
READ_SECONDS = 30
ANSWER_SECONDS = 120.0  # an answer that comes in drops is given up then
ANSWER_BYTES = 64 * 1024 * 1024
STILL_AT_WORK = 60.0  # seconds that a system which did not answer in time may go on with what it was sent
POOL = 32
CHUNK = 65536
TOO_MANY = 429
LONGEST_REST = 86400.0
logging.getLogger("urllib3.connectionpool").addFilter(WithoutQueries())
UNRESERVED = "2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]"  # as %XX requests would write it as itself
PLAIN = re.compile(
    rf"(?!.*/\.)https?://[a-z0-9][a-z0-9.-]*(?::[0-9]+)?/(?:[\w.~!$&'()*+,;=:@/?-]|%(?!{UNRESERVED})[0-9A-F]{{2}})*",
    re.ASCII,
)


class Http:
    """One session to one system, within its rate budget."""

    def __init__(self, budget: RateBudget) -> None:
        self._budget = budget
        self._session = requests.Session()
        self._session.trust_env = False  # requests would read the environment anew for every call
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session.max_redirects = 3
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=POOL, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._defaults = dict(self._session.headers)

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        answers: tuple[int, ...] = (),
    ) -> requests.Response:
        """Send exactly these bytes once. `answers`: statuses ≥ 400 the caller reads itself (a vendor's own envelope).

        Raises NotSent, RateLimited, AnswerLost, VendorRejected (other 4xx) or ConfigError (a URL that is none).
        """
        self._budget.take()
        parts = urlsplit(url)
        leave.ask(parts.netloc)
        try:
            response = self._session.send(
                self._prepared(method, url, body, dict(headers or {})),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                verify=self._session.verify,
                proxies=_proxies(f"{parts.scheme}://{parts.netloc}"),
                stream=True,
            )
            _read(response)
        except requests.exceptions.ConnectTimeout as error:
            raise self._not_sent(url, error) from None  # a cause would tell the address, and keys in its query
        except urllib3.exceptions.HTTPError as error:
            raise self._lost(url, error) from None
        except requests.exceptions.ConnectionError as error:
            raise (self._not_sent(url, error) if never_left(error) else self._lost(url, error)) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema):
            bare = url.partition("?")[0]
            raise ConfigError(f"地址无效: {bare}, 请检查连接的 host", en=f"invalid URL {bare}", where=bare) from None
        except requests.exceptions.RequestException as error:
            raise self._lost(url, error) from None
        clocks.hear(response.headers.get("Date"))
        return response if response.status_code in answers else _checked(response)

    def _prepared(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> requests.PreparedRequest:
        """The request as `requests` prepares it, without taking an address apart that it would leave as it is."""
        if self._session.cookies or not PLAIN.fullmatch(url):
            return self._session.prepare_request(requests.Request(method, url, headers=headers, data=body))
        made = requests.PreparedRequest()
        made.prepare_method(method)
        made.prepare_headers({**self._defaults, **headers})
        made.prepare_cookies({})
        made.prepare_content_length(body or None)
        made.url, made.body = url, body or None
        return made

    @staticmethod
    def _not_sent(url: str, error: Exception) -> NotSent:
        place = urlsplit(url).netloc
        return NotSent(
            f"连不上 {place}, 请求未发出; 将自动重试, 若持续请检查网络与地址",
            en=f"cannot connect to {place}: {type(error).__name__}; nothing was sent",
            where=place,
        )

    @staticmethod
    def _lost(url: str, error: Exception) -> AnswerLost:
        place = urlsplit(url).netloc
        return AnswerLost(
            f"{place} 的应答丢失, 结果未知; 先查询再决定是否重发",
            en=f"the answer of {place} was lost ({type(error).__name__}); it is looked up before any re-send",
            where=place,
            settles_after=STILL_AT_WORK if isinstance(error, requests.exceptions.ReadTimeout) else 0.0,
        )


@cache
def _proxies(origin: str) -> dict[str, str]:
    """The proxies that the environment names for a host, looked up once."""
    return dict(get_environ_proxies(origin, no_proxy=None))


def never_left(error: Exception) -> bool:
    """Whether a connection error means that nothing was sent. TLS may break at any time, a certificate at once."""
    signs = ("NewConnectionError", "NameResolutionError", "CERTIFICATE_VERIFY_FAILED", "CertificateError")
    return any(sign in repr(error) for sign in signs)


def _read(response: requests.Response) -> None:
    """Read the body within ANSWER_SECONDS and ANSWER_BYTES. Raises RequestException or urllib3's HTTPError."""
    end, parts, size = time.monotonic() + ANSWER_SECONDS, [], 0
    while part := response.raw.read1(CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES or time.monotonic() > end:
            response.close()
            raise requests.exceptions.ContentDecodingError(f"no end of the answer after {size} bytes")
    response._content = b"".join(parts)
    response.raw.release_conn()


def _checked(response: requests.Response) -> requests.Response:
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


def read_json(response: requests.Response) -> Any:
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
