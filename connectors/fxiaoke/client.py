"""Calls to the 纷享销客 open API: token, credentials in the body, envelope.

The token lasts 7,200 s and is shared by all workers. The vendor's table of codes and its answers differ: 20016 says
that a token is no longer valid, and others may. So any refusal of a token that is not quite new is met once with a
fresh one; before a create is repeated, its key is looked up.
Source: 纷享销客开放平台 (open.fxiaoke.com) "获取企业 accessToken", "自定义对象 / 预设对象接口".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import VendorRejected
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.protocol import Incident
from duijie.connect.services import Services
from duijie.connect.tokens import Token

TOKEN_PATH = "/cgi/corpAccessToken/get/V2"  # noqa: S105  an address
TOKEN_SECONDS = 7200
TOKEN_IS_OVER = "fxiaoke:20016"  # noqa: S105  a code
QUITE_NEW = 60  # seconds in which a token cannot have ended; the vendor allows few token calls a minute
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def _nothing() -> Record | None:
    return None


class Client:
    """One company (corp) as one acting user."""

    def __init__(self, connection: Connection, services: Services, rate: str) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, rate))
        self.user = connection.require("open_user_id")
        self._credentials = {
            "appId": connection.login,
            "appSecret": connection.password,
            "permanentCode": connection.require("permanent_code"),
        }

    def data(self, operation: str, data: Record, before_again: Callable[[], Record | None] = _nothing) -> Record:
        """`data/{operation}` on standard objects. `before_again` may answer instead of a second attempt."""
        return self._call(f"/cgi/crm/v2/data/{operation}", {"data": data}, before_again)

    def describe(self, api_name: str) -> Record:
        """The fields of an object."""
        return self._call("/cgi/crm/v2/object/describe", {"includeDetail": True, "apiName": api_name}, _nothing)

    def _call(self, path: str, body: Record, before_again: Callable[[], Record | None]) -> Record:
        token = self._services.tokens.get(self._connection.conn_id, self._fetch)
        try:
            return self._with(token, path, body)
        except VendorRejected as error:
            if error.code != TOKEN_IS_OVER and self._is_quite_new(token):
                raise
            fresh = self._services.tokens.replace(self._connection.conn_id, token.value, self._fetch)
            self._services.observe(Incident(self._connection.conn_id, "TokenExpired", str(error)))
        return before_again() or self._with(fresh, path, body)

    def _with(self, token: Token, path: str, body: Record) -> Record:
        who = {
            "corpAccessToken": token.value,
            "corpId": token.extra["corpId"],
            "currentOpenUserId": self.user,
        }
        answer = self._post(path, {**body, **who})
        if answer.get("errorCode") != 0:
            raise ERRORS.error(str(answer.get("errorCode")), _said(answer), where=path)
        return answer

    def _fetch(self) -> Token:
        answer = self._post(TOKEN_PATH, self._credentials)
        if answer.get("errorCode") != 0:
            raise ERRORS.error(f"token:{answer.get('errorCode')}", _said(answer), where=self._connection.conn_id)
        until = self._services.clock() + int(answer.get("expiresIn") or TOKEN_SECONDS)
        told = {"corpId": str(answer["corpId"]), "fetched": str(int(self._services.clock()))}
        return Token(str(answer["corpAccessToken"]), until, told)

    def _is_quite_new(self, token: Token) -> bool:
        return self._services.clock() - int(token.extra.get("fetched") or 0) < QUITE_NEW

    def _post(self, path: str, body: Any) -> Record:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        url = f"{self._connection.base_url}{path}"
        return dict(read_json(self._http.send("POST", url, body=codec.encode_ordered(body), headers=headers)))


def _said(answer: Record) -> str:
    return str(answer.get("errorDescription") or answer.get("errorMessage") or "")
