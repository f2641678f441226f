"""Calls to the 金蝶云星空 WebAPI and the reading of its envelope.

Every call carries signed headers, so a session is a convenience of the server's. When the server says the session is
lost (MsgCode 1), one explicit LoginBySign gives a new one, shared by all workers through the token store.

HTTP is 200 even for a refusal; what happened stands in `Result.ResponseStatus`, for queries inside `[[{…}]]`.
Source: 金蝶云星空 WebAPI documentation and the vendor's SDK 8.2.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.k3cloud.signing import Identity, login_signature, signed_headers
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError, DuijieError
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Answer, Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token

FORMS = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
LOGIN = "Kingdee.BOS.WebApi.ServicesStub.AuthService.LoginBySign"
SESSION_SECONDS = 20 * 60
DENIED = (401, 403)
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
SAID = (("编码唯一", "exists"), ("已存在", "exists"), ("重复提交", "repeat"), ("已被其他用户修改", "changed"))


def identity_of(connection: Connection) -> Identity:
    """The caller's identity out of a connection. Raises ConfigError for a missing setting."""
    return Identity(
        acct_id=connection.require("acct_id"),
        user=connection.login,
        app_id=connection.require("app_id"),
        app_secret=connection.password,
        lcid=str(connection.extra.get("lcid", "2052")),
        org=str(connection.extra.get("org_num", "0")),
    )


class Client:
    """One data centre as one integration user."""

    def __init__(self, connection: Connection, services: Services, rate: str) -> None:
        self._identity = identity_of(connection)
        self._server = connection.base_url.removesuffix("/k3cloud")
        self._conn_id = connection.conn_id
        self._services = services
        self._http = Http(services.budget(connection.conn_id, rate))
        self._session = ""

    def query(self, data: Record) -> list[list[Any]]:
        """ExecuteBillQuery: rows in the order of FieldKeys."""
        return list(self._call(f"{FORMS}.ExecuteBillQuery", {"data": data}))

    def form(self, operation: str, form_id: str, data: Record) -> Record:
        """An operation on a form (Save, View, …): the answer's `Result`."""
        return dict(self._call(f"{FORMS}.{operation}", {"formid": form_id, "data": data})["Result"])

    def refresh(self) -> None:
        """Log in anew after a lost session, unless another worker has. Raises CredentialError."""
        self._session = self._services.tokens.replace(self._conn_id, self._session, self._login).value

    def _call(self, service: str, body: Record) -> Any:
        answer = self._post(service, body)
        status = _failure(answer)
        if status is not None:
            raise _error(status, service.rpartition(".")[2])
        return answer

    def _post(self, service: str, body: Record) -> Any:
        url = f"{self._server}/k3cloud/{service}.common.kdsvc"
        headers = {"Content-Type": "application/json; charset=utf-8"}
        headers |= signed_headers(self._identity, urlsplit(url).path, int(self._services.clock()))
        if self._session:
            headers["kdservice-sessionid"] = self._session
        response = self._http.send("POST", url, body=codec.encode_ordered(body), headers=headers, answers=DENIED)
        return self._read(response)

    def _read(self, response: Answer) -> Any:
        if response.status_code in DENIED:
            raise ERRORS.error("denied", response.text[:200], where=f"{self._conn_id}.acct_id")
        if response.content.startswith(b"response_error:"):
            text = response.content.decode("utf-8", "replace").removeprefix("response_error:")
            raise ERRORS.error("response_error", text[:500], where=self._conn_id)
        return read_json(response)

    def _login(self) -> Token:
        seconds = int(self._services.clock())
        who = self._identity
        sign = login_signature(who, seconds)
        answer = self._post(LOGIN, {"parameters": [who.acct_id, who.user, who.app_id, seconds, sign, int(who.lcid)]})
        if answer.get("LoginResultType") != 1:
            raise CredentialError(
                f"金蝶云星空登录失败: {answer.get('Message', '')}; 请核对账套、集成用户、应用 ID、密钥与本机时间",
                en=f"login refused: {answer.get('Message', '')}; check data centre, user, app id and secret",
                code=f"k3cloud:login:{answer.get('LoginResultType')}",
                where=self._conn_id,
            )
        return Token(str(answer["KDSVCSessionId"]), seconds + SESSION_SECONDS)


def _failure(answer: Any) -> Record | None:
    """The ResponseStatus of a failure, wherever this operation puts it."""
    if isinstance(answer, list):
        first = answer[0] if answer else None
        first = first[0] if isinstance(first, list) and first else first
        return _failure(first) if isinstance(first, dict) else None
    status = answer.get("Result", {}).get("ResponseStatus") if isinstance(answer, dict) else None
    return status if isinstance(status, dict) and not status.get("IsSuccess") else None


def _error(status: Record, operation: str) -> DuijieError:
    faults = status.get("Errors") or []
    text = "; ".join(": ".join(filter(None, (one.get("FieldName"), one.get("Message")))) for one in faults)
    said = next((code for words, code in SAID if words in text), "")
    return ERRORS.error(said or str(status.get("MsgCode", 0)), text, where=operation)
