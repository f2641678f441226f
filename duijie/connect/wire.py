"""The bytes of one call and of its answer, over urllib3's pools. Nothing is repeated and nothing judged.

`requests` prepares what is out of the ordinary (an address to be normalised, cookies, a redirect, a proxy); an ordinary
call goes to the pool at once, because a bulk pull spends more on a call's way through layers than on its bytes.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers, get_environ_proxies
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.exceptions import DecodeError

CONNECT_SECONDS = 5
READ_SECONDS = 30
ANSWER_SECONDS = 120.0  # an answer that comes in drops is given up then
ANSWER_BYTES = 64 * 1024 * 1024
POOL = 32
CHUNK = 262144
REDIRECTS = 3
REDIRECTING = frozenset(requests.models.REDIRECT_STATI)
UNRESERVED = "2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]"  # as %XX requests would write it as itself
PLAIN = re.compile(
    rf"(?!.*/\.)https?://[a-z0-9][a-z0-9.-]*(?::[0-9]+)?/(?:[\w.~!$&'()*+,;=:@/?-]|%(?!{UNRESERVED})[0-9A-F]{{2}})*",
    re.ASCII,
)


@dataclass(frozen=True)
class Answer:
    """What came back: `content` unpacked, header names in any case. `history`: the redirects that led here."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    history: tuple[Answer, ...] = ()

    @property
    def text(self) -> str:
        """The content as UTF-8, unreadable bytes replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def encoding(self) -> str:
        """The code page that the header names or implies (RFC 2616: ISO-8859-1 for text); "" where it does neither."""
        return get_encoding_from_headers(CaseInsensitiveDict(self.headers)) or ""


class Wire:
    """Connections to one system, shared by threads. Trusts what REQUESTS_CA_BUNDLE names, else the usual roots."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # requests would read the environment anew for every call
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._session.max_redirects = REDIRECTS
        self._adapter = HTTPAdapter(pool_connections=4, pool_maxsize=POOL, max_retries=0)
        self._session.mount("https://", self._adapter)
        self._session.mount("http://", self._adapter)
        self._defaults = dict(self._session.headers)

    def exchange(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], kept: tuple[int, ...] = ()
    ) -> Answer:
        """Send these bytes, follow a redirect, read the whole answer. Raises what urllib3 and requests raise.

        `kept`: statuses that are an answer even where they redirect.
        """
        request = self.prepared(method, url, body, headers)
        parts = urlsplit(str(request.url))
        proxies = _proxies(f"{parts.scheme}://{parts.netloc}")
        raw = self._sent(request, proxies)
        if "set-cookie" in raw.headers:
            extract_cookies_to_jar(self._session.cookies, request, raw)  # type: ignore[no-untyped-call]
        if "location" in raw.headers and raw.status in REDIRECTING - {*kept}:
            return self._followed(request, raw, proxies)
        return Answer(raw.status, raw.headers, _read(raw), str(request.url))

    def prepared(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> requests.PreparedRequest:
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

    def _sent(self, request: requests.PreparedRequest, proxies: dict[str, str]) -> BaseHTTPResponse:
        pool = self._adapter.get_connection_with_tls_context(request, self._session.verify, proxies=proxies)
        assert isinstance(pool, HTTPConnectionPool)  # noqa: S101  what the adapter makes for http and https
        return pool.urlopen(
            str(request.method),
            self._adapter.request_url(request, proxies),
            body=request.body,
            headers=request.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=False,
            timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def _followed(self, request: requests.PreparedRequest, raw: BaseHTTPResponse, proxies: dict[str, str]) -> Answer:
        first = self._adapter.build_response(request, raw)
        rest: dict[str, Any] = {
            "stream": True,
            "timeout": (CONNECT_SECONDS, READ_SECONDS),
            "verify": self._session.verify,
            "proxies": proxies,
        }
        responses = [first, *self._session.resolve_redirects(first, request, **rest)]
        last = responses.pop()
        passed = tuple(Answer(one.status_code, one.headers, b"", str(one.url)) for one in responses)
        return Answer(last.status_code, last.headers, _read(last.raw), str(last.url), passed)


@cache
def _proxies(origin: str) -> dict[str, str]:
    """The proxies that the environment names for a host, looked up once."""
    return dict(get_environ_proxies(origin, no_proxy=None))


def _read(raw: BaseHTTPResponse) -> bytes:
    """The body within ANSWER_SECONDS and ANSWER_BYTES. Raises urllib3's HTTPError."""
    end, parts, size = time.monotonic() + ANSWER_SECONDS, [], 0
    is_packed = "content-encoding" in raw.headers
    while part := raw.read1(CHUNK, decode_content=is_packed):
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES or time.monotonic() > end:
            raw.close()
            raise DecodeError(f"no end of the answer after {size} bytes")
    raw.release_conn()
    return b"".join(parts)
