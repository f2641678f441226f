"""HTTP and retries against a real server: what was carried out decides what may be repeated."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from duijie.connect import retry
from duijie.connect.errors import (
    AnswerLost,
    ConfigError,
    NotSent,
    RateLimited,
    TokenExpired,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.http import Http, _seconds, read_json
from duijie.connect.protocol import Done, Incident, Later, Refused, Unknown
from duijie.connect.retry import Retrier, side_by_side
from duijie.connect.services import Services
from duijie.connect.tokens import Token, TokenStore
from sandbox.serve import free_ports


class Server(BaseHTTPRequestHandler):
    hits: ClassVar[Counter[str]] = Counter()
    seen: ClassVar[list[dict[str, str]]] = []
    there: ClassVar[str] = ""

    def do_POST(self) -> None:
        type(self).hits[self.path] += 1
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = {name.title(): value for name, value in self.headers.items()}
        self.server.seen.append({**given, "": f"{self.requestline} {body[:9]!r} {len(body)}"})  # type: ignore[attr-defined]
        if self.path == "/moved":
            self._answer(302, b"", {"Location": "/ok", "Set-Cookie": "stuck=7"})
        elif self.path == "/away":
            self._answer(302, b"", {"Location": self.there})
        elif self.path == "/busy" and self.hits[self.path] < 3:
            self._answer(429, b"", {"Retry-After": "0"})
        elif self.path == "/cut":
            self._answer(200, b"{", {"Content-Length": "100"})
        elif self.path == "/502":
            self._answer(502, b"bad gateway")
        elif self.path == "/html":
            self._answer(200, b"<html>")
        elif self.path == "/403":
            self._answer(403, b"no")
        else:
            self._answer(200, b'{"amount": 0.10, "id": 9007199254740993}')

    do_GET = do_PUT = do_DELETE = do_POST

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        given = headers or {}
        for name, value in given.items():
            self.send_header(name, value)
        if "Content-Length" not in given:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def url() -> Iterator[str]:
    Server.hits = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.seen = Server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def http(tmp_path: Path) -> Http:
    return Http(Services(TokenStore(tmp_path)).budget("test", "1000/second"))


@pytest.fixture
def seen() -> list[Incident]:
    return []


@pytest.fixture
def retrier(seen: list[Incident], monkeypatch: pytest.MonkeyPatch) -> Retrier:
    monkeypatch.setattr(retry, "_backoff", lambda _: 0.0)
    return Retrier("test", lambda: None, seen.append)


def test_numbers_arrive_exact(http: Http, url: str) -> None:
    answer = read_json(http.send("POST", f"{url}/ok", body=b"{}"))
    assert str(answer["amount"]) == "0.10"
    assert answer["id"] == 9007199254740993


@pytest.mark.parametrize(
    ("path", "error"), [("/cut", AnswerLost), ("/502", AnswerLost), ("/403", VendorRejected), ("/busy", RateLimited)]
)
def test_each_failure_says_whether_it_was_carried_out(http: Http, url: str, path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        http.send("POST", url + path)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", "/x?y=1&z=%E4%B8%AD+%2F", None, {}),
        ("post", "/x", b"{}", {"Content-Type": "application/json", "X-Empty": "é"}),
        ("POST", "/", None, {"User-Agent": "d", "accept": "a/b"}),
        ("PUT", "/a%2Fb", b"", {}),
        ("DELETE", "/a", None, {}),
        ("POST", "/large", b"x" * 2_000_000, {"Content-Type": "text/plain"}),
        ("GET", "/a?x[]=1", None, {}),
        ("GET", "/%7Ea%2d/../b/./c", None, {}),
        ("GET", "", None, {}),
        ("GET", "/订单#1", None, {}),
    ],
)
def test_what_arrives_is_what_requests_would_send(
    http: Http, url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> None:
    agent = {"User-Agent": "duijie", "Accept-Encoding": "gzip, deflate"}
    requests.request(method, url + path, data=body, headers={**agent, **headers}, timeout=5)
    http.send(method, url + path, body=body, headers=headers)
    theirs, ours = Server.seen
    assert ours == theirs


def test_a_header_cannot_bring_another_one_with_it(http: Http, url: str) -> None:
    with pytest.raises(NotSent):
        http.send("GET", f"{url}/ok", headers={"X-Name": "a\r\nX-Other: b"})
    assert Server.seen == []


def test_who_asks_may_stand_in_the_address(http: Http, url: str) -> None:
    http.send("GET", url.replace("//", "//user:word@"))
    assert Server.seen[0]["Authorization"] == "Basic dXNlcjp3b3Jk"


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", b"{}"), ("POST", None)])
def test_a_kept_connection_that_closes_repeats_nothing(http: Http, method: str, body: bytes | None) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_once_a_connection, args=(listener, asked), daemon=True).start()
        place = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert http.send("GET", f"{place}/first").content == b"{}"
        with pytest.raises(AnswerLost):
            http.send(method, f"{place}/second", body=body)
        assert http.send("GET", f"{place}/third").content == b"{}"
    assert [line.split()[1] for line in asked if line] == [b"/first", b"/second", b"/third"]


def _answer_once_a_connection(listener: socket.socket, asked: list[bytes]) -> None:
    """The first call of a connection is answered, the next one read and the line closed."""
    with suppress(OSError):
        while True:
            caller = listener.accept()[0]
            for at in range(2):
                asked.append(caller.recv(65536))
                if at == 0:
                    caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            caller.close()


def test_a_signal_ends_the_waiting_for_an_answer(http: Http) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(KeyboardInterrupt):
            http.send("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/")
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("url", ["a.example/x", "http://", "http://*.example/", "http://a b/"])
def test_an_address_that_is_none_is_a_fault_of_the_settings(http: Http, url: str) -> None:
    with pytest.raises(ConfigError):
        http.send("GET", url)


def test_a_redirect_is_followed_and_a_cookie_is_kept(http: Http, url: str) -> None:
    answer = http.send("GET", f"{url}/moved")
    assert (answer.url, [one.status_code for one in answer.history]) == (f"{url}/ok", [302])
    http.send("POST", f"{url}/ok", body=b"{}")
    assert [one.get("Cookie") for one in Server.seen] == [None, "stuck=7", "stuck=7"]


@pytest.mark.parametrize("there", ["http://127.0.0.1:{closed}/", "file:///etc/passwd", "http://*.example/"])
def test_what_left_and_was_led_to_where_nobody_is_has_left(http: Http, url: str, there: str) -> None:
    Server.there = there.format(closed=free_ports(1)[0])
    with pytest.raises(AnswerLost):
        http.send("POST", f"{url}/away", body=b"{}")
    assert Server.hits["/away"] == 1


def test_an_answer_that_is_not_json_leaves_the_outcome_unknown(http: Http, url: str) -> None:
    with pytest.raises(AnswerLost):
        read_json(http.send("POST", f"{url}/html"))


def test_a_refused_connection_never_left(http: Http) -> None:
    with pytest.raises(NotSent):
        http.send("POST", f"http://127.0.0.1:{free_ports(1)[0]}/")


def test_a_write_is_repeated_after_429_but_never_after_a_lost_answer(http: Http, url: str, retrier: Retrier) -> None:
    def write(path: str) -> Done:
        http.send("POST", url + path)
        return Done("1", "N1")

    assert retrier.outcome(lambda: write("/busy")) == Done("1", "N1")
    assert Server.hits["/busy"] == 3
    assert isinstance(retrier.outcome(lambda: write("/cut")), Unknown)
    assert Server.hits["/cut"] == 1
    assert isinstance(retrier.outcome(lambda: write("/403")), Refused)


def test_a_read_is_repeated_after_a_lost_answer(http: Http, url: str, retrier: Retrier, seen: list[Incident]) -> None:
    with pytest.raises(AnswerLost):
        retrier.read(lambda: http.send("POST", f"{url}/cut"))
    assert Server.hits["/cut"] == retry.ATTEMPTS
    assert {one.kind for one in seen} == {"AnswerLost"}


def test_an_expired_token_is_refreshed_between_attempts() -> None:
    tokens = ["old"]

    def call() -> str:
        if tokens[-1] == "old":
            raise TokenExpired("过期")
        return tokens[-1]

    assert Retrier("test", lambda: tokens.append("new"), lambda _: None).write(call) == "new"


def test_what_is_still_refused_after_all_attempts_may_be_tried_later(retrier: Retrier) -> None:
    def call() -> Done:
        raise RateLimited("限流", retry_after=0.0)

    assert isinstance(retrier.outcome(call), Later)


def test_what_stays_so_for_an_hour_is_asked_once_and_waits_in_the_journal(retrier: Retrier) -> None:
    asked: list[int] = []

    def call() -> Done:
        asked.append(1)
        error = VendorBusy("未完成")
        error.retry_after = 3600.0
        raise error

    assert retrier.outcome(call) == Later("未完成", "未完成", 3600.0)
    assert len(asked) == 1


def test_a_token_is_fetched_once_by_many_workers(tmp_path: Path) -> None:
    store, fetched = TokenStore(tmp_path), []

    def fetch() -> Token:
        fetched.append(1)
        time.sleep(0.05)
        return Token(f"t{len(fetched)}", time.time() + 3600)

    tokens = side_by_side(lambda _: store.get("c", fetch).value, list(range(8)))
    assert set(tokens) == {"t1"}
    assert store.replace("c", "t1", fetch).value == "t2"
    assert store.replace("c", "t1", fetch).value == "t2"
    assert (tmp_path / "c.json").stat().st_mode & 0o077 == 0


def test_a_budget_holds_calls_back(tmp_path: Path) -> None:
    budget = Services(TokenStore(tmp_path)).budget("held", "5/second")
    began = time.monotonic()
    for _ in range(11):
        budget.take()
    assert time.monotonic() - began > 1.5


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400.0),
        ("9" * 400, 86400.0),
        ("²", 1.0),
        ("soon", 1.0),
        (None, 1.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(told: str | None, seconds: float) -> None:
    assert _seconds(told) == seconds
