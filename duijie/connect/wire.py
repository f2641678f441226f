"""The bytes of one call and of its answer, over libcurl. Nothing is repeated and nothing judged.

libcurl works without Python's lock, so that sixteen pages can be on their way while one is taken apart. It would send a
request again by itself where a kept connection turns out to be closed; here it may ask once, whatever happens.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from urllib.parse import urljoin, urlsplit

import pycurl
import requests
from requests.models import REDIRECT_STATI
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_encoding_from_headers, get_environ_proxies, select_proxy
from urllib3 import HTTPHeaderDict

CONNECT_SECONDS = 5
READ_SECONDS = 30  # without a byte
ANSWER_SECONDS = 120.0  # an answer that comes in drops is given up then
ANSWER_BYTES = 64 * 1024 * 1024
CHUNK = 262144
REDIRECTS = 3
LOOK_AGAIN = 1.0  # seconds until a signal that came while libcurl waits is heard at the latest
UNRESERVED = "2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]"  # as %XX requests would write it as itself
PLAIN = re.compile(
    rf"(?!.*/\.)https?://[a-z0-9][a-z0-9.-]*(?::[0-9]+)?/(?:[\w.~!$&'()*+,;=:@/?-]|%(?!{UNRESERVED})[0-9A-F]{{2}})*",
    re.ASCII,
)
DEFAULTS = {"User-Agent": "duijie", "Accept": "*/*", "Connection": "keep-alive"}
LEAVE, STAY = int(pycurl.PREREQFUNC_OK), int(pycurl.PREREQFUNC_ABORT)
NO_ADDRESS = (pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL)


class InvalidAddress(Exception):
    """Not a URL of http or https."""


class WireError(Exception):
    """No whole answer. `name`: libcurl's for what happened; `left`: whether the request may have been sent."""

    def __init__(self, name: str, *, left: bool, late: bool = False) -> None:
        super().__init__(name)
        self.name, self.left, self.late = name, left, late


@dataclass(frozen=True)
class Answer:
    """What came back: `content` unpacked, header names in any case. `history`: the redirects that led here."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    history: tuple[Answer, ...] = ()

    @property
    def leads_on(self) -> bool:
        """Whether it is a redirect."""
        return self.status_code in REDIRECT_STATI and "location" in self.headers

    @property
    def text(self) -> str:
        """The content as UTF-8, unreadable bytes replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def encoding(self) -> str:
        """The code page that the header names or implies (RFC 2616: ISO-8859-1 for text); "" where it does neither."""
        return get_encoding_from_headers(CaseInsensitiveDict(self.headers)) or ""


@dataclass
class Incoming:
    """An answer as libcurl hands it over."""

    headers: HTTPHeaderDict = field(default_factory=HTTPHeaderDict)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    left: bool = False

    def leaves(self, *_: object) -> int:
        """Leave to send, once: a second time would repeat the call on another connection."""
        if self.left:
            return STAY
        self.left = True
        return LEAVE

    def header(self, line: bytes) -> None:
        """One line of the head; the head of an interim answer (100) is forgotten."""
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            self.headers.add(name.strip(), value.strip())
        elif name.startswith("HTTP/"):
            self.headers = HTTPHeaderDict()

    def part(self, chunk: bytes) -> int | None:
        """Some of the body; too much of it ends the call."""
        self.size += len(chunk)
        self.parts.append(chunk)
        return 0 if self.size > ANSWER_BYTES else None


Line = tuple[pycurl.Curl, pycurl.CurlMulti]


class Wire:
    """Connections to one system, shared by threads. Trusts what REQUESTS_CA_BUNDLE names, else the usual roots."""

    def __init__(self) -> None:
        self._idle: list[Line] = []
        self._cookies = pycurl.CurlShare()
        self._cookies.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_COOKIE)
        trusted = os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
        self._roots = (pycurl.CAPATH if os.path.isdir(trusted) else pycurl.CAINFO, trusted)

    def exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], kept: tuple[int, ...] = ()
    ) -> Answer:
        """Send these bytes, follow redirects, read the whole answer. Raises InvalidAddress or WireError.

        `kept`: statuses that are an answer even where they redirect.
        """
        answer = self._once(method.upper(), url, body, headers)
        passed: list[Answer] = []
        while answer.leads_on and answer.status_code not in kept:
            if len(passed) == REDIRECTS:
                raise WireError("TOO_MANY_REDIRECTS", left=True)
            passed.append(answer)
            try:
                method, url, body, headers = _moved(method.upper(), answer, body, headers)
                answer = self._once(method, url, body, headers)
            except (InvalidAddress, WireError) as error:  # the first call has left, whatever became of this one
                raise WireError(str(error), left=True, late=getattr(error, "late", False)) from None
        return replace(answer, history=tuple(passed))

    def _once(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        target = address(url)
        incoming = Incoming()
        with self._line() as (curl, multi):
            self._dial(curl, target, incoming)
            _ask(curl, method, body, {**DEFAULTS, **headers})
            _carried(curl, multi, incoming)
            status = curl.getinfo(pycurl.RESPONSE_CODE)
        return Answer(status, incoming.headers, b"".join(incoming.parts), target)

    def _dial(self, curl: pycurl.Curl, url: str, incoming: Incoming) -> None:
        parts = urlsplit(url)
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.PROXY, _proxy(parts.scheme, parts.netloc))
        curl.setopt(*self._roots)
        curl.setopt(pycurl.COOKIEFILE, "")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.BUFFERSIZE, CHUNK)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_SECONDS * 1000))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, int(READ_SECONDS))
        curl.setopt(pycurl.TIMEOUT_MS, int(ANSWER_SECONDS * 1000))
        curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate")
        curl.setopt(pycurl.PREREQFUNCTION, incoming.leaves)
        curl.setopt(pycurl.HEADERFUNCTION, incoming.header)
        curl.setopt(pycurl.WRITEFUNCTION, incoming.part)

    @contextmanager
    def _line(self) -> Iterator[Line]:
        """A line that nobody else uses, with the connections that it kept."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = pycurl.Curl(), pycurl.CurlMulti()
            line[0].setopt(pycurl.SHARE, self._cookies)
        yield line
        line[0].reset()
        self._idle.append(line)


def _ask(curl: pycurl.Curl, method: str, body: bytes | None, headers: Mapping[str, str]) -> None:
    """Exactly this method, body and these headers; nothing that libcurl would add by itself."""
    curl.setopt(pycurl.HTTPHEADER, [*(_line_of(*header) for header in headers.items()), *_unwanted(headers)])
    if method in ("GET", "HEAD") and not body:
        curl.setopt(pycurl.NOBODY if method == "HEAD" else pycurl.HTTPGET, 1)
        return
    curl.setopt(pycurl.POST, 1)
    curl.setopt(pycurl.POSTFIELDS, body or b"")
    curl.setopt(pycurl.CUSTOMREQUEST, method)


def _line_of(name: str, value: str) -> bytes:
    """A header as it is sent; empty ones too. Raises WireError where it would be two."""
    if "\n" in value or "\r" in value:
        raise WireError("INVALID_HEADER", left=False)
    line = f"{name}: {value}" if value else f"{name};"
    return line.encode("latin-1" if max(line) <= "\xff" else "utf-8")


def _unwanted(headers: Mapping[str, str]) -> list[bytes]:
    given = {name.lower() for name in headers}
    return [f"{name}:".encode() for name in ("Content-Type", "Expect") if name.lower() not in given]


def _carried(curl: pycurl.Curl, multi: pycurl.CurlMulti, incoming: Incoming) -> None:
    """Until the answer is whole. Waits in steps, so that a signal is heard."""
    multi.add_handle(curl)
    try:
        while multi.perform()[1]:
            if multi.select(_patience(multi)) <= 0:
                time.sleep(0.001)
        failed = multi.info_read()[2]
    finally:
        multi.remove_handle(curl)
    if failed:
        raise _failure(failed[0][1], incoming)


def _patience(multi: pycurl.CurlMulti) -> float:
    """Seconds to wait at most: libcurl has something of its own to do then, such as trying the next address."""
    soon = multi.timeout()
    return LOOK_AGAIN if soon < 0 else min(LOOK_AGAIN, soon / 1000)


def _failure(code: int, incoming: Incoming) -> Exception:
    if code in NO_ADDRESS and not incoming.left:
        return InvalidAddress(_names()[code])
    is_late = code == pycurl.E_OPERATION_TIMEDOUT
    return WireError(_names().get(code, str(code)), left=incoming.left, late=is_late)


@cache
def _names() -> dict[int, str]:
    """libcurl's codes → names (libcurl documentation, libcurl-errors)."""
    found = {getattr(pycurl, name): name[2:] for name in dir(pycurl) if name.startswith("E_")}
    return {code: name for code, name in found.items() if isinstance(code, int)}


def address(url: str) -> str:
    """The URL as `requests` normalises it. Raises InvalidAddress."""
    if PLAIN.fullmatch(url):
        return url
    made = requests.PreparedRequest()
    try:
        made.prepare_url(url, None)
    except (requests.exceptions.RequestException, UnicodeError):
        raise InvalidAddress("URL_MALFORMAT") from None
    return str(made.url)


def _moved(
    method: str, answer: Answer, body: bytes | None, headers: Mapping[str, str]
) -> tuple[str, str, bytes | None, Mapping[str, str]]:
    """What to ask where a redirect leads (RFC 9110, 15.4). What proves who we are goes to no other host."""
    target = address(urljoin(answer.url, answer.headers["location"]))
    kept = dict(headers)
    if requests.Session().should_strip_auth(answer.url, target):  # type: ignore[no-untyped-call]
        kept = {name: value for name, value in kept.items() if name.lower() not in ("authorization", "cookie")}
    is_same = method in ("GET", "HEAD") or answer.status_code in (307, 308)
    if is_same or (answer.status_code != 303 and method != "POST"):
        return method, target, body, kept
    kept = {name: value for name, value in kept.items() if not name.lower().startswith("content-")}
    return "GET", target, None, kept


@cache
def _proxy(scheme: str, netloc: str) -> str:
    """The proxy that the environment names for a host, looked up once; "" for none."""
    origin = f"{scheme}://{netloc}"
    return select_proxy(origin, get_environ_proxies(origin, no_proxy=None)) or ""
