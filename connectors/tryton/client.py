"""Calls to a Tryton server over JSON-RPC: the session, the envelope, and the reading of its errors.

Business errors come with HTTP 200 as a list under `error`, first its kind, then its text. The server has rolled the
transaction back when it sends one. A session that has ended is HTTP 401; so is a call that asks for a fresh session
(posting does) after five idle minutes.
Source: Tryton 8.2, trytond.protocols.dispatcher and trytond.exceptions.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from connectors.tryton.values import pack, unpack
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, DuijieError, TokenExpired
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token

RPC_PATH = "/rpc/"
SESSION_SECONDS = 24 * 60 * 60
READ_BY_US = (401, 403, 404)
LANGUAGE = "zh_CN"
BUSY = ("database is locked", "could not serialize", "deadlock detected")
MODULES = {"sale.opportunity": "sale_opportunity", "account.tax": "account", "account.invoice": "account_invoice"}
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


class Client:
    """One database of one server as one user."""

    def __init__(self, connection: Connection, services: Services, rate: str) -> None:
        if not connection.schema:
            raise ConfigError(
                f"连接 {connection.conn_id} 缺少 schema (Tryton 数据库名), 请补上",
                en=f"connection {connection.conn_id} lacks its schema, the name of the Tryton database",
                where=f"{connection.conn_id}.schema",
            )
        path = str(connection.extra.get("rpc_path") or RPC_PATH)
        self._url = f"{connection.base_url}/{connection.schema}{path}"
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, rate))
        self._token = ""
        self._context: Record = {}

    def call(self, method: str, *params: Any, context: Record | None = None) -> Any:
        """Call a method of a model; the user's context, and `context` over it, is the last parameter.

        Raises errors of the tree.
        """
        told = {**self.context(), **(context or {})}
        return self._send(method, [*params, told], self._authorization())

    def methods(self) -> list[str]:
        """Every method that the server's modules offer: `model.NAME.METHOD`. Raises errors of the tree."""
        return list(self._send("system.listMethods", [], self._authorization()))

    def context(self) -> Record:
        """The user's preferences (company, language), read once."""
        if not self._context:
            self._context = self._send("model.res.user.get_preferences", [True, {}], self._authorization())
        return self._context

    def company(self) -> int:
        """The id of the company the user works in. Raises ConfigError when he works in none."""
        company = self.context().get("company")
        if company is None:
            raise ConfigError(
                f"Tryton 用户 {self._connection.login} 未指定公司, 请在其用户首选项中选择",
                en=f"the Tryton user {self._connection.login} works in no company; choose one in his preferences",
                where=f"{self._connection.conn_id}.login",
            )
        return int(company)

    def refresh(self) -> None:
        """Log in anew after a lost session, unless another worker has. Raises CredentialError."""
        self._token = self._services.tokens.replace(self._connection.conn_id, self._token, self._login).value

    def _authorization(self) -> str:
        if not self._token:
            self._token = self._services.tokens.get(self._connection.conn_id, self._login).value
        session = f"{self._connection.login}:{self._token}"
        return f"Session {b64encode(session.encode()).decode()}"

    def _login(self) -> Token:
        credentials = [self._connection.login, {"password": self._connection.password}, LANGUAGE]
        try:
            user, session, *_ = self._send("common.db.login", credentials, "")
        except TokenExpired as error:
            table = ERRORS.resolve("login")
            raise CredentialError(table.zh, en=table.en, code="tryton:login", where=self._connection.conn_id) from error
        return Token(f"{user}:{session}", self._services.clock() + SESSION_SECONDS)

    def _send(self, method: str, params: list[Any], authorization: str) -> Any:
        body = codec.encode_ordered({"id": 1, "method": method, "params": pack(params)})
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        response = self._http.send("POST", self._url, body=body, headers=headers, answers=READ_BY_US)
        if response.status_code in READ_BY_US:
            raise ERRORS.error(str(response.status_code), method, where=self._connection.conn_id)
        answer = read_json(response)
        if "error" in answer:
            raise _error(answer["error"], method)
        return unpack(answer["result"])


def _module_of(method: str) -> str:
    """The module that brings a model, as far as its name tells, and the model."""
    model = method.removeprefix("model.").rpartition(".")[0]
    module = MODULES.get(model) or model.partition(".")[0]
    return f"{module} ({model})"


def _error(told: Any, method: str) -> DuijieError:
    """The error list: [kind, [text, details, …]] for the server's own kinds, else [text, traceback]."""
    kind, detail = (str(told[0]), told[1] if len(told) > 1 else "") if isinstance(told, list) and told else ("", told)
    if kind in ERRORS.codes:
        parts = detail[:2] if isinstance(detail, list) else [detail]
        return ERRORS.error(kind, " ".join(str(part) for part in parts if part), where=method)
    if method.startswith("model.") and kind == repr(method.removeprefix("model.").rpartition(".")[0]):
        return ERRORS.error("no_model", _module_of(method), where=method)
    code = "busy" if any(words in kind for words in BUSY) else "internal"
    return ERRORS.error(code, kind[:500], where=method)
