"""The TOP gateway as one function: sign, send, unwrap the envelope, keep each shop's session fresh.

Signature and system parameters: 淘宝开放平台 "API调用方法详解" and "签名算法" (open.taobao.com); OAuth: "用户授权介绍".
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError, DuijieError, VendorBusy
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.retry import Retrier
from duijie.connect.services import Services
from duijie.connect.shops import granted, shops_of
from duijie.connect.tokens import Token

CHINA = timezone(timedelta(hours=8))
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
BAN = re.compile(r"ban will last for (\d+) more second")
FIRST_SESSION_SECONDS = 86400
RATE = "50/second"
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
EXAMPLE = '{"店铺编号": {"refresh_token": "…"}}'


def sign(parameters: Mapping[str, str], secret: str, method: str = "hmac-sha256") -> str:
    """Upper-case hex over the sorted name-value pairs; empty ones and `sign` itself stay out.

    `method` is md5 (secret on both sides), hmac (HMAC-MD5) or hmac-sha256.
    """
    names = sorted(name for name, value in parameters.items() if name and value and name != "sign")
    joined = "".join(name + parameters[name] for name in names)
    if method == "md5":
        return hashlib.md5(f"{secret}{joined}{secret}".encode()).hexdigest().upper()  # noqa: S324  the vendor's choice
    digest = {"hmac": "md5", "hmac-sha256": "sha256"}[method]
    return hmac.new(secret.encode(), joined.encode(), digest).hexdigest().upper()


class Client:
    """Calls methods of TOP on behalf of shops."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.shops = shops_of(connection, EXAMPLE)

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
        """Repeats calls for one shop, refreshing its session when it has expired."""
        return self._services.retrier(self._connection.conn_id, lambda: self._refresh(shop), shop)

    def _call(self, shop: str, method: str, parameters: Mapping[str, Any]) -> Record:
        session = self._services.tokens.get(self._token_id(shop), lambda: self._first(shop)).value
        self._used.session = session
        business = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
        body = urlencode(self._signed({**self._system(method, session), **business})).encode()
        answer = read_json(self._http.send("POST", f"{self._connection.base_url}/router/rest", body=body, headers=FORM))
        where = f"{shop} {method}"
        if "error_response" in answer:
            raise error_of(answer["error_response"], where)
        name = method.removeprefix("taobao.").replace(".", "_") + "_response"
        if name not in answer:
            raise ERRORS.error("outcome-unknown", f"no {name}", where=where)
        return dict(answer[name])

    def _system(self, method: str, session: str) -> dict[str, str]:
        now = datetime.fromtimestamp(self._services.clock(), CHINA)
        return {
            "method": method,
            "app_key": self._connection.login,
            "session": session,
            "timestamp": now.strftime("%Y-%m-%d %H:%M:%S"),
            "format": "json",
            "v": "2.0",
            "sign_method": "hmac-sha256",
        }

    def _signed(self, parameters: dict[str, str]) -> dict[str, str]:
        return {**parameters, "sign": sign(parameters, self._connection.password)}

    def _token_id(self, shop: str) -> str:
        return f"{self._connection.conn_id}.{shop}"

    def _shop(self, shop: str) -> Mapping[str, str]:
        return granted(self.shops, shop, self._connection.conn_id)

    def _first(self, shop: str) -> Token:
        session = self._shop(shop).get("session")
        return Token(session, self._services.clock() + FIRST_SESSION_SECONDS) if session else self._renewed(shop)

    def _refresh(self, shop: str) -> None:
        stale = getattr(self._used, "session", "")
        self._services.tokens.replace(self._token_id(shop), stale, lambda: self._renewed(shop))

    def _renewed(self, shop: str) -> Token:
        """A new session by refresh token; repeated like a read, because asking twice costs nothing."""
        retrier = self._services.retrier(self._connection.conn_id, part=shop)
        return retrier.read(lambda: self._ask_token(shop))

    def _ask_token(self, shop: str) -> Token:
        base = str(self._connection.extra.get("oauth_url") or self._connection.base_url).rstrip("/")
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._shop(shop).get("refresh_token", ""),
            "client_id": self._connection.login,
            "client_secret": self._connection.password,
        }
        body = urlencode(form).encode()
        answer = read_json(self._http.send("POST", f"{base}/token", body=body, headers=FORM, answers=(400, 401)))
        if "access_token" not in answer:
            raise self._not_authorised(shop, answer)
        return Token(answer["access_token"], self._services.clock() + int(answer["expires_in"]))

    def _not_authorised(self, shop: str, answer: Record) -> CredentialError:
        reason = f"{answer.get('error', '')}: {answer.get('error_description', '')}"
        return CredentialError(
            f"店铺 {shop} 换取 session 被拒 ({reason}), 请店主重新授权并更新 refresh_token",
            en=f"no session for shop {shop} ({reason}); let the owner authorise again and renew its refresh_token",
            code=f"taobao:{answer.get('error', 'token')}",
            where=f"{self._connection.conn_id}.shops.{shop}",
        )


def total_of(answer: Record, where: str) -> int:
    """`total_results` of a listing. Raises AnswerLost when it is missing: nothing may be taken for an empty list."""
    if "total_results" not in answer:
        raise ERRORS.error("outcome-unknown", "no total_results", where=where)
    return int(answer["total_results"])


def error_of(said: Record, where: str) -> DuijieError:
    """The error for an `error_response`: by sub_code where the table knows it, else by code.

    A ban of N seconds becomes RateLimited with retry_after N.
    """
    code, sub = str(said.get("code", "")), str(said.get("sub_code", ""))
    text = " ".join(str(said[name]) for name in ("msg", "sub_code", "sub_msg") if said.get(name))
    chosen = sub if sub and ERRORS.resolve(sub) is not ERRORS.default else code
    ban = BAN.search(text)
    return ERRORS.error(chosen, text, where=where, retry_after=float(ban[1]) if ban else None)
