"""The POP gateway as one function: sign, send, unwrap the envelope, keep each shop's access token fresh.

Gateway, common parameters, signature, error codes and OAuth: 拼多多开放平台 "开发指南" (open.pinduoduo.com). A request
has the form of the Python SDK pdd-sdk 1.0.8: system parameters in the query, everything of the call in the body, so
that no address carries a token.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError, DuijieError, TokenExpired, VendorBusy, VendorRejected
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.retry import Retrier
from duijie.connect.services import Services
from duijie.connect.shops import granted, shops_of
from duijie.connect.tokens import Token

FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
FIRST_TOKEN_SECONDS = 86400
UNTIL_REPLACED_SECONDS = 10 * 365 * 86400
RATE = "10/second"
REFRESH = "pdd.pop.auth.token.refresh"
WRONG_CLOCK = "pdd:10001"
NO_SUCH_ORDER = "50001.45001"
NOT_THERE = "订单不属于当前店铺或订单不存在"  # the words are published (常见FAQ), the sub_code is not
OWN_KEYS = {
    "pdd.order.number.list.increment.get": "order_sn_increment_get_response",
    "pdd.order.information.get": "order_info_get_response",
    "pdd.refund.list.increment.get": "refund_increment_get_response",
    "pdd.order.upload.extra.logistics": "upload_extra_logistics_response",
}
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
EXAMPLE = '{"店铺编号": {"refresh_token": "…"}}'


def sign(parameters: Mapping[str, str], secret: str) -> str:
    """Upper-case MD5 over the sorted name-value pairs with the secret on both sides; `sign` itself stays out."""
    joined = "".join(name + parameters[name] for name in sorted(parameters) if name != "sign")
    return hashlib.md5(f"{secret}{joined}{secret}".encode()).hexdigest().upper()  # noqa: S324  the vendor's choice


def wire(value: Any) -> str:
    """A value as the gateway reads and signs it: true and false in small letters, lists and objects as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return codec.encode_ordered(value).decode() if isinstance(value, list | dict) else str(value)


def response_key(method: str) -> str:
    """The field that an answer is wrapped in; a few methods have one that does not follow from their name."""
    return OWN_KEYS.get(method) or method.removeprefix("pdd.").replace(".", "_") + "_response"


class Client:
    """Calls methods of POP on behalf of shops."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.shops = shops_of(connection, EXAMPLE)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self._services.clock()

    def read(self, shop: str, method: str, **parameters: Any) -> Record:
        """Call a reading method, repeated as long as that can help. The inside of `…_response`."""
        return self.retrier(shop).read(lambda: self._call(shop, method, parameters))

    def write(self, shop: str, method: str, **parameters: Any) -> Record:
        """Call a writing method once. An error that leaves open whether it was done is an AnswerLost."""
        try:
            return self._call(shop, method, parameters)
        except VendorBusy as error:
            raise ERRORS.error("outcome-unknown", error.en, where=error.where) from error

    def retrier(self, shop: str) -> Retrier:
        """Repeats calls for one shop, refreshing its access token when it has expired."""
        return self._services.retrier(self._connection.conn_id, lambda: self._refresh(shop), shop)

    def _call(self, shop: str, method: str, parameters: Mapping[str, Any]) -> Record:
        token = self._services.tokens.get(self._token_id(shop), lambda: self._first(shop)).value
        self._used.token = token
        return self._send(method, {"access_token": token, **parameters}, f"{shop} {method}")

    def _send(self, method: str, parameters: Mapping[str, Any], where: str) -> Record:
        given = {name: wire(value) for name, value in parameters.items() if value is not None}
        system = self._system(method)
        system["sign"] = sign({**system, **given}, self._connection.password)
        url = f"{self._connection.base_url}/api/router?{urlencode(system)}"
        answer = read_json(self._http.send("POST", url, body=urlencode(given).encode(), headers=FORM))
        if isinstance(answer, dict) and isinstance(answer.get("error_response"), dict):
            raise error_of(answer["error_response"], where)
        inside = answer.get(response_key(method)) if isinstance(answer, dict) else None
        if not isinstance(inside, dict):
            raise ERRORS.error("outcome-unknown", f"no {response_key(method)}", where=where)
        return inside

    def _system(self, method: str) -> dict[str, str]:
        return {
            "data_type": "JSON",
            "client_id": self._connection.login,
            "version": "V1",
            "timestamp": str(int(self.now)),
            "type": method,
        }

    def _token_id(self, shop: str) -> str:
        return f"{self._connection.conn_id}.{shop}"

    def _refresh_id(self, shop: str) -> str:
        """Named after the token that the connection gives: one that is entered anew is used at once."""
        given = hashlib.sha256(self._shop(shop).get("refresh_token", "").encode()).hexdigest()[:12]
        return f"{self._token_id(shop)}.refresh.{given}"

    def _shop(self, shop: str) -> Mapping[str, str]:
        return granted(self.shops, shop, self._connection.conn_id)

    def _first(self, shop: str) -> Token:
        token = self._shop(shop).get("access_token")
        return Token(token, self.now + FIRST_TOKEN_SECONDS) if token else self._renewed(shop)

    def _refresh(self, shop: str) -> None:
        """Renewing does not prolong an authorisation: one that has ended brings the same token again."""
        stale = getattr(self._used, "token", "")
        fresh = self._services.tokens.replace(self._token_id(shop), stale, lambda: self._renewed(shop))
        if fresh.value == stale:
            raise self._not_authorised(shop, "授权已到期", "the authorisation has ended", "pdd:10019")

    def _renewed(self, shop: str) -> Token:
        """A new access token; the refresh token that comes with it is kept for the next time."""
        kept = self._services.tokens
        given = Token(self._shop(shop).get("refresh_token", ""), self.now + UNTIL_REPLACED_SECONDS)
        used = kept.get(self._refresh_id(shop), lambda: given).value
        said = self._services.retrier(self._connection.conn_id, part=shop).read(lambda: self._ask_token(shop, used))
        if next_one := said.get("refresh_token"):
            ends = self.now + int(said.get("refresh_token_expires_in") or UNTIL_REPLACED_SECONDS)
            kept.replace(self._refresh_id(shop), used, lambda: Token(str(next_one), ends))
        return Token(str(said["access_token"]), self.now + int(said["expires_in"]))

    def _ask_token(self, shop: str, refresh_token: str) -> Record:
        try:
            said = self._send(REFRESH, {"refresh_token": refresh_token}, f"{shop} {REFRESH}")
        except (VendorRejected, TokenExpired) as error:
            if error.code == WRONG_CLOCK:
                raise
            raise self._not_authorised(shop, f"换取授权被拒: {error.zh}", error.en, error.code) from error
        if not said.get("access_token") or not said.get("expires_in"):
            raise ERRORS.error("outcome-unknown", "no access_token", where=f"{shop} {REFRESH}")
        return said

    def _not_authorised(self, shop: str, why: str, en: str, code: str) -> CredentialError:
        return CredentialError(
            f"店铺 {shop} {why}; 请店主在服务市场重新授权并更新 refresh_token",
            en=f"no token for shop {shop}: {en}; let the owner authorise again and renew its refresh_token",
            code=code,
            where=f"{self._connection.conn_id}.shops.{shop}",
        )


def error_of(said: Record, where: str) -> DuijieError:
    """The error for an `error_response`: by error_code and sub_code where the table knows both, else by error_code."""
    code, sub = str(said.get("error_code", "")), str(said.get("sub_code") or "")
    words = dict.fromkeys(str(said[name]) for name in ("error_msg", "sub_code", "sub_msg") if said.get(name))
    text = " ".join(words)
    both = f"{code}.{sub}" if sub not in ("", code) else code
    chosen = both if ERRORS.resolve(both) is not ERRORS.default else code
    return ERRORS.error(NO_SUCH_ORDER if NOT_THERE in text else chosen, text, where=where)


def listed(answer: Record, name: str, where: str) -> list[Record]:
    """The records of an answer. Raises AnswerLost where it counts some and holds no list."""
    rows = answer.get(name)
    if not isinstance(rows, list) and (rows is not None or str(answer.get("total_count") or 0) != "0"):
        raise ERRORS.error("outcome-unknown", f"no {name}", where=where)
    return rows or []


def total_of(answer: Record, where: str) -> int:
    """`total_count` of a listing. Raises AnswerLost when it is missing: nothing may be taken for an empty list."""
    total = answer.get("total_count")
    if not isinstance(total, int | str) or not str(total).isdigit():
        raise ERRORS.error("outcome-unknown", "no total_count", where=where)
    return int(total)
