"""The REST API of one WooCommerce site as two functions: sign, send, read the answer or its error.

Source: WooCommerce REST API docs, version wc/v3 ("Introduction", "Authentication"): Basic over HTTPS, OAuth 1.0a over
HTTP; errors are an HTTP status with `{code, message, data}`; the length of a list stands in X-WP-Total.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.woocommerce import oauth
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, DuijieError, OutcomeUnknown, Terminal, VendorBusy
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Answer, Http, read_json
from duijie.connect.protocol import Later, Outcome
from duijie.connect.retry import Retrier, outcome_of
from duijie.connect.services import Services

RATE = "10/second"
API = "/wp-json/wc/v3"
OF_ITS_OWN = tuple(status for status in range(400, 500) if status != 429)  # refusals that the API words itself
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


@dataclass(frozen=True)
class Listed:
    """What a read brought: a record or a list, and of a list how many there are and on how many pages."""

    rows: Any
    total: int = 0
    pages: int = 0


def new_nonce() -> str:
    """A nonce that nobody used yet; the site remembers those of the last 15 minutes."""
    return secrets.token_hex(20)


class Client:
    """Calls the API of one site with one key."""

    def __init__(self, connection: Connection, services: Services, nonce: Callable[[], str] = new_nonce) -> None:
        self._connection = connection
        self._services = services
        self._nonce = nonce
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self.base = f"{connection.base_url}{API}"

    def one(self, path: str, **parameters: Any) -> Record:
        """Read one record. Raises errors of the tree."""
        record = self.retrier.read(lambda: self._read(path, parameters)).rows
        if not isinstance(record, dict):
            raise ERRORS.error("outcome-unknown", "not a record", where=path)
        return record

    def every(self, path: str, **parameters: Any) -> list[Record]:
        """Read a list that has no pages. Raises errors of the tree."""
        rows = self.retrier.read(lambda: self._read(path, parameters)).rows
        if not isinstance(rows, list):
            raise ERRORS.error("outcome-unknown", "not a list", where=path)
        return rows

    def page(self, path: str, **parameters: Any) -> Listed:
        """Read one page of a list. A list without its length is an AnswerLost: nothing may be taken for the end."""
        return self.retrier.read(lambda: _counted(self._read(path, parameters), path))

    def later(self, path: str, **parameters: Any) -> Callable[[], Listed]:
        """Fetch one page of a list now and parse it when the result is called; what is no list is then read again.

        Records that are made in the thread that uses them cost a third less than those that another one hands over.
        """
        fetched = self.retrier.read(lambda: self._fetch(path, parameters))

        def parsed() -> Listed:
            try:
                return _counted(_answer(fetched), path)
            except OutcomeUnknown:
                return self.page(path, **parameters)

        return parsed

    def write(self, method: str, path: str, body: Record, **parameters: str) -> Record:
        """Write once. An error that leaves open whether it was done is an AnswerLost."""
        try:
            answer = self._call(method, path, parameters, codec.encode_ordered(body))
        except VendorBusy as error:
            raise ERRORS.error("outcome-unknown", error.en, where=error.where) from error
        record = read_json(answer)
        if not isinstance(record, dict):
            raise ERRORS.error("outcome-unknown", "not a record", where=path)
        return record

    @property
    def retrier(self) -> Retrier:
        """Repeats calls of this connection; there is no token to fetch anew."""
        return self._services.retrier(self._connection.conn_id)

    def _read(self, path: str, parameters: Mapping[str, Any]) -> Listed:
        return _answer(self._fetch(path, parameters))

    def _fetch(self, path: str, parameters: Mapping[str, Any]) -> Answer:
        return self._call("GET", path, {name: str(value) for name, value in parameters.items()}, None)

    def _call(self, method: str, path: str, parameters: Mapping[str, str], body: bytes | None) -> Answer:
        url = f"{self.base}/{path}"
        headers = {"Accept": "application/json", "User-Agent": "duijie"}
        if body is not None:
            headers["Content-Type"] = "application/json;charset=utf-8"
        if url.startswith("https://"):
            headers["Authorization"] = self._basic
        else:
            parameters = self._signed(method, url, parameters)
        target = f"{url}?{oauth.query_of(parameters)}" if parameters else url
        answer = self._http.send(method, target, body=body, headers=headers, answers=OF_ITS_OWN)
        if answer.history:
            raise _elsewhere(self._connection.conn_id, answer.url)
        if answer.status_code >= 400:
            raise error_of(answer, path)
        return answer

    @property
    def _basic(self) -> str:
        pair = f"{self._connection.login}:{self._connection.password}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _signed(self, method: str, url: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        key, secret, now = self._connection.login, self._connection.password, int(self._services.clock())
        return oauth.signed(method, url, parameters, key, secret, moment=now, nonce=self._nonce())


def error_of(answer: Answer, where: str) -> DuijieError:
    """The error for a refusal; one that is not WordPress's own words (a firewall's page) goes by its HTTP status."""
    try:
        said = codec.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = None
    return error_for(said, where) if _is_error(said) else ERRORS.error(f"http-{answer.status_code}", where=where)


def error_for(said: Record, where: str) -> DuijieError:
    """The error for `{code, message, data}`, alone or of one row of a batch."""
    code = str(said["code"])
    text = " ".join(str(part) for part in (code, said.get("message") or "") if part)
    return ERRORS.error(code, text, where=where)


def not_begun(error: DuijieError) -> Outcome:
    """What a read that failed means for the write that it came before: nothing was sent."""
    if isinstance(error, Terminal):
        return outcome_of(error)
    return Later(error.zh, error.en, getattr(error, "retry_after", 5.0))


def _is_error(said: Any) -> bool:
    return isinstance(said, dict) and "message" in said and isinstance(said.get("code"), str | int)


def _answer(fetched: Answer) -> Listed:
    lengths = (fetched.headers.get(name, "") for name in ("X-WP-Total", "X-WP-TotalPages"))
    total, pages = (int(text) if text.isdigit() else -1 for text in lengths)
    return Listed(read_json(fetched), total, pages)


def _counted(answer: Listed, where: str) -> Listed:
    if not isinstance(answer.rows, list) or answer.total < 0 or answer.pages < 0:
        raise ERRORS.error("outcome-unknown", "no list with X-WP-Total", where=where)
    return answer


def _elsewhere(conn_id: str, url: str) -> ConfigError:
    """A redirected POST arrives as a GET and a signature holds for one address: the address must be the real one."""
    parts = urlsplit(url)
    site = f"{parts.scheme}://{parts.netloc}"
    return ConfigError(
        f"连接 {conn_id} 的站点地址被转到 {site}, 写入会丢失; 请把站点地址改为转到的地址后重试",
        en=f"connection {conn_id}: the site redirects to {site}; make that its address",
        code="woocommerce:redirect",
        where=conn_id,
    )
