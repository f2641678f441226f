"""The gateway of 抖店 as one function: sign the body, send exactly these bytes, unwrap the envelope.

Signature and public parameters: 抖店开放平台 "API调用指南" (op.jinritemai.com/docs/guide-docs/10/23); errors:
"平台基础错误码汇总". The signature covers the text of the body, so that one encoding is both signed and sent.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors.doudian.shops import EXAMPLE, Grants
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import DuijieError, VendorBusy
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.retry import Retrier
from duijie.connect.services import Services
from duijie.connect.shops import shops_of

HEADERS = {"Content-Type": "application/json;charset=UTF-8", "x-open-no-old-err-code": "1"}
SUCCESS = 10000
RATE = "20/second"
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
DIGESTS = {"hmac-sha256": "sha256", "md5": "md5"}


def sign(app_key: str, secret: str, method: str, param_json: str, timestamp: str, how: str = "hmac-sha256") -> str:
    """Lower-case hex over app_key, method, param_json, timestamp and v, the secret on both sides.

    `how` is hmac-sha256, or md5 without a key. The access token is no part of it.
    """
    text = f"{secret}app_key{app_key}method{method}param_json{param_json}timestamp{timestamp}v2{secret}".encode()
    if how == "md5":
        return hashlib.md5(text).hexdigest()  # noqa: S324  the vendor's choice
    return hmac.new(secret.encode(), text, DIGESTS[how]).hexdigest()


class Client:
    """Calls methods of the gateway on behalf of shops."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.shops = shops_of(connection, EXAMPLE)
        self.warehouse = str(connection.extra.get("out_warehouse_id") or "")
        self._grants = Grants(connection.conn_id, self.shops, services, self._token_call)

    def read(self, shop: str, method: str, **parameters: Any) -> Any:
        """Call a reading method, repeated as long as that can help. Returns `data`.

        Raises AnswerLost for a success without data: nothing may be taken for an empty list.
        """
        return self.retrier(shop).read(lambda: self._data(shop, method, parameters))

    def write(self, shop: str, method: str, **parameters: Any) -> Record:
        """Call a writing method once; returns the whole answer. An error that leaves its outcome open is AnswerLost."""
        try:
            return self._call(shop, method, parameters)
        except VendorBusy as error:
            raise ERRORS.error("outcome-unknown", error.en, where=error.where) from error

    def retrier(self, shop: str) -> Retrier:
        """Repeats calls for one shop, with a new access token when its own has expired."""
        return self._services.retrier(self._connection.conn_id, lambda: self._renew(shop), shop)

    def shop_name(self, shop: str) -> str:
        """The shop's name as its authorisation says it; "" where it does not."""
        return self._grants.token(shop).extra.get("shop_name", "")

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self._services.clock())

    def _renew(self, shop: str) -> None:
        self._grants.renew(shop, getattr(self._used, "token", ""))

    def _data(self, shop: str, method: str, parameters: Mapping[str, Any]) -> Any:
        return data_of(self._call(shop, method, parameters), f"{shop} {method}")

    def _call(self, shop: str, method: str, parameters: Mapping[str, Any]) -> Record:
        self._used.token = self._grants.token(shop).value
        return self._send(method, parameters, self._used.token, f"{shop} {method}")

    def _token_call(self, shop: str, method: str, parameters: Mapping[str, Any]) -> Record:
        """Ask for a token; repeated like a read, because each answer holds one that is valid."""
        where = f"{shop} {method}"
        retrier = self._services.retrier(self._connection.conn_id, part=shop)
        return dict(retrier.read(lambda: data_of(self._send(method, parameters, "", where), where)))

    def _send(self, method: str, parameters: Mapping[str, Any], token: str, where: str) -> Record:
        body = codec.encode({name: value for name, value in parameters.items() if value is not None})
        query = urlencode(self._public(method, body.decode(), token))
        url = f"{self._connection.base_url}/{method.replace('.', '/')}?{query}"
        answer = read_json(self._http.send("POST", url, body=body, headers=HEADERS))
        if not isinstance(answer, dict) or "code" not in answer:
            raise ERRORS.error("outcome-unknown", "no code", where=where)
        if answer["code"] != SUCCESS:
            raise error_of(answer, where)
        return answer

    def _public(self, method: str, param_json: str, token: str) -> dict[str, str]:
        key, timestamp = self._connection.login, str(self.now)
        return {
            "app_key": key,
            "method": method,
            "timestamp": timestamp,
            "v": "2",
            "sign_method": "hmac-sha256",
            "access_token": token,
            "sign": sign(key, self._connection.password, method, param_json, timestamp),
        }


def data_of(answer: Record, where: str) -> Any:
    """`data` of a success. Raises AnswerLost without it."""
    if answer.get("data") is None:
        raise ERRORS.error("outcome-unknown", "no data", where=where)
    return answer["data"]


def error_of(answer: Record, where: str) -> DuijieError:
    """The error for an envelope: by sub_code where the table knows it, else by code. Its text names the log_id.

    Its `code` is the sub_code wherever there is one: the same code stands for many reasons.
    """
    code, sub = str(answer.get("code", "")), str(answer.get("sub_code") or "")
    words = [str(answer[name]) for name in ("msg", "sub_code", "sub_msg") if answer.get(name)]
    text = " ".join((*words, f"log_id={answer.get('log_id', '')}"))
    known = sub and ERRORS.resolve(sub) is not ERRORS.default
    error = ERRORS.error(sub if known else code, text, where=where)
    error.code = f"{ERRORS.system}:{sub or code}"
    return error
