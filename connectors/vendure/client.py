"""Vendure's admin API as two functions, read and write: the session, the envelope, and the reading of its errors.

Everything is HTTP 200. What Vendure foresees comes as a member of the answer's union (`errorCode`, `message`); what it
does not comes under `errors`, most with a code in `extensions`; a mutation that ends there was rolled back. FORBIDDEN
is said to a session that has ended and to a user without the right alike, so the server is then asked who we are.
Source: docs.vendure.io, "GraphQL API", "Error handling", "Authentication".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    ConfigError,
    CredentialError,
    DuijieError,
    NotSent,
    OutcomeUnknown,
    VendorBusy,
)
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.retry import Retrier
from duijie.connect.services import Services
from duijie.connect.tokens import Token

PATH = "/admin-api"
RATE = "20/second"
SESSION_SECONDS = 24 * 60 * 60
READ_BY_US = (400,)
DETAILS = ("transitionError", "fulfillmentHandlerError", "authenticationError")
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
ME = "query me { me { id identifier } }"
LOGIN = """mutation login($user: String!, $password: String!) { login(username: $user, password: $password) {
  __typename ... on CurrentUser { id } ... on ErrorResult { errorCode message }
} }"""


class Client:
    """One channel of one server as one administrator, or by an API key."""

    def __init__(self, connection: Connection, services: Services) -> None:
        extra = connection.extra
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(extra.get("rate") or RATE)))
        language = f"?languageCode={extra['language']}" if extra.get("language") else ""
        self._url = f"{connection.base_url}{extra.get('api_path') or PATH}{language}"
        self._api_key = str(extra.get("api_key") or "")
        self._used = threading.local()
        if not (self._api_key or (connection.login and connection.password)):
            raise ConfigError(
                f"连接 {connection.conn_id} 既没有 api_key 也没有管理员账号和密码, 请补上其中一种",
                en=f"connection {connection.conn_id} has neither api_key nor login and password; add one of them",
                where=f"{connection.conn_id}.login",
            )

    @property
    def conn_id(self) -> str:
        """The connection's id, for the place of an error."""
        return self._connection.conn_id

    @property
    def retrier(self) -> Retrier:
        """Repeats calls; logs in anew when the session has ended."""
        return self._services.retrier(self.conn_id, self._refresh)

    def read(self, query: str, **variables: Any) -> Record:
        """The `data` of a query, asked again as long as that can help. Raises errors of the tree."""
        return self.retrier.read(lambda: self._call(query, variables))

    @property
    def has_sent(self) -> bool:
        """Whether this thread has sent a mutation since it last said that it had not (`has_sent = False`)."""
        return bool(getattr(self._used, "sent", False))

    @has_sent.setter
    def has_sent(self, sent: bool) -> None:
        self._used.sent = sent

    def write(self, mutation: str, **variables: Any) -> Any:
        """What the one mutation of this text gives; asked again only where it was certainly not carried out.

        Raises errors of the tree: the one for a member of the union that is an error; AnswerLost where it is open
        whether it was done.
        """
        result = self.attempt(mutation, **variables)
        _refuse(result, _name(mutation))
        return result

    def attempt(self, mutation: str, **variables: Any) -> Any:
        """The same, but an error of the union is handed back for the caller to read."""
        answer = self.retrier.write(lambda: self._send(mutation, variables))
        result = next(iter(answer.values()), None)
        if result is None:
            raise ERRORS.error("outcome-unknown", "no result", where=_name(mutation))
        return result

    def _send(self, mutation: str, variables: Mapping[str, Any]) -> Record:
        self.has_sent = True
        try:
            return self._call(mutation, variables)
        except VendorBusy as error:
            raise ERRORS.error("outcome-unknown", error.en, where=error.where) from error

    def _call(self, query: str, variables: Mapping[str, Any]) -> Record:
        answer = self._ask(query, variables, self._authorization())
        if answer.get("errors"):
            raise self._error(answer["errors"], _name(query))
        return _data(answer, _name(query))

    def _ask(self, query: str, variables: Mapping[str, Any], authorization: Mapping[str, str]) -> Record:
        body = codec.encode_ordered({"query": query, "variables": variables})
        headers = {"Content-Type": "application/json", **authorization}
        if channel := self._connection.extra.get("channel"):
            headers["vendure-token"] = str(channel)
        response = self._http.send("POST", self._url, body=body, headers=headers, answers=READ_BY_US)
        answer = read_json(response)
        if not isinstance(answer, dict) or not ("data" in answer or "errors" in answer):
            raise ERRORS.error("outcome-unknown", f"HTTP {response.status_code} without data", where=_name(query))
        return {**answer, "token": response.headers.get("vendure-auth-token", "")}

    def _error(self, errors: Any, where: str) -> DuijieError:
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        code = str((first.get("extensions") or {}).get("code") or "internal")
        if code == "FORBIDDEN" and not self._is_known():
            code = "api-key" if self._api_key else "session"
        return ERRORS.error(code, str(first.get("message", ""))[:500], where=where)

    def _is_known(self) -> bool:
        """Whether the server knows who we are."""
        answer = self._ask(ME, {}, self._authorization())
        return bool((answer.get("data") or {}).get("me"))

    def _authorization(self) -> dict[str, str]:
        if self._api_key:
            return {"vendure-api-key": self._api_key}
        token = self._services.tokens.get(self.conn_id, self._login).value
        self._used.token = token
        return {"Authorization": f"Bearer {token}"}

    def _refresh(self) -> None:
        stale = getattr(self._used, "token", "")
        self._services.tokens.replace(self.conn_id, stale, self._login)

    def _login(self) -> Token:
        """A new session. Whoever waits for it has sent nothing yet: raises NotSent where its answer is lost."""
        try:
            value = self._log_in()
        except OutcomeUnknown as error:
            raise NotSent(error.zh, en=error.en, code=error.code, where=error.where) from error
        return Token(value, self._services.clock() + SESSION_SECONDS)

    def _log_in(self) -> str:
        given = {"user": self._connection.login, "password": self._connection.password}
        answer = self._ask(LOGIN, given, {})
        if answer.get("errors"):
            raise ERRORS.error("login", str(answer["errors"])[:500], where=self.conn_id)
        _refuse(_data(answer, "login").get("login"), self.conn_id)
        if not answer["token"]:
            raise CredentialError(
                "Vendure 未返回会话令牌; 请在其 authOptions.tokenMethod 中启用 bearer",
                en="no vendure-auth-token came back; enable bearer in the server's authOptions.tokenMethod",
                code="vendure:no-token",
                where=self.conn_id,
            )
        return str(answer["token"])


def listed(answer: Record, name: str) -> tuple[list[Record], int]:
    """Items and count of a list in `data`. Raises AnswerLost where it is none: nothing is taken for an empty list."""
    given = answer.get(name)
    if not isinstance(given, dict) or not isinstance(given.get("items"), list) or "totalItems" not in given:
        raise ERRORS.error("outcome-unknown", f"no list of {name}", where=name)
    return given["items"], int(given["totalItems"])


def _data(answer: Record, where: str) -> Record:
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ERRORS.error("outcome-unknown", "no data", where=where)
    return data


def _refuse(result: Any, where: str) -> None:
    """Raise the error that a member of a result union is, if it is one."""
    if isinstance(result, dict) and "errorCode" in result:
        told = [result.get(name) for name in ("message", *DETAILS)]
        raise ERRORS.error(str(result["errorCode"]), "; ".join(str(one) for one in told if one), where=where)


def _name(query: str) -> str:
    """The name of an operation: its second word."""
    return query.split(None, 2)[1].partition("(")[0]
