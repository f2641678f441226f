"""发票SDK as one function: sign the path, send a multipart form, unwrap {code, msg, data}, keep the token.

Source: the vendor's clients for Python (PyPI tax-invoice 1.0.17), Java, Go and Node (github.com/fapiaoapi) and the
pages they point at (fa-piao.com/doc.html). Only method, path, a random string, the time and the AppKey are signed:
neither the body nor a query is. A token lasts 30 days.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from urllib3.filepost import encode_multipart_formdata

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.downloads import download
from duijie.connect.errors import (
    AnswerLost,
    DuijieError,
    LoginNeeded,
    NotSent,
    OutcomeUnknown,
)
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token, granted

RATE = "5/second"
ROOT = "/v5/enterprise/"
SUCCESS = 200
TOKEN_SECONDS = 30 * 86400
QR_SECONDS = 300
QR_PAUSE = 3600  # seconds between two codes fetched without a person asking: the bureau gives out 20 a day
LONGEST_ADDRESS = 500  # a longer `ewm` is a picture in base64, a shorter one the text to be made a code of
CHECK = "AppKey, AppSecret, 销方税号与本机时间"
NO_CREDIT = "授信额度"
OPEN_FORM = ("未完成", "红字")  # together: another red form of the same blue is open
LETTERS = string.ascii_letters + string.digits
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def sign(secret: str, method: str, path: str, call: tuple[str, str, str]) -> str:
    """HMAC-SHA256 in capital hex over method, path and `call` (random string, seconds, AppKey)."""
    random, seconds, app_key = call
    text = f"Method={method}&Path={path}&RandomString={random}&TimeStamp={seconds}&AppKey={app_key}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def flat(form: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The parts of a form; lists of objects become `fyxm[0][spmc]`, lists of texts `name[0]`."""
    for name, value in form.items():
        if not isinstance(value, list):
            yield name, str(value)
            continue
        for place, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from ((f"{name}[{place}][{inner}]", str(text)) for inner, text in item.items())
            else:
                yield f"{name}[{place}]", str(item)


def multipart(form: Mapping[str, Any]) -> tuple[bytes, str]:
    """A form as multipart/form-data and its content type; the same form gives the same bytes."""
    parts = list(flat(form))
    boundary = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    return encode_multipart_formdata(parts, boundary)


def error_of(answer: Record, where: str) -> DuijieError | None:
    """The error in an envelope; None for 200. An envelope without a code leaves the outcome unknown."""
    code = str(answer.get("code") or "unreadable")
    if code == str(SUCCESS):
        return None
    text = str(answer.get("msg") or "")
    return ERRORS.error(_told(code, text), text, where=where)


def _told(code: str, text: str) -> str:
    """The row of errors.yaml: what has no code of its own is told by the words."""
    if NO_CREDIT in text and "不足" in text:
        return "credit"
    is_refusal = ERRORS.resolve(code).action == "reject"
    return "open-form" if is_refusal and all(words in text for words in OPEN_FORM) else code


class Client:
    """Calls paths for one seller and one drawer."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.tax_no = connection.require("tax_no")
        self.username = connection.require("username")
        self.seller = {
            "xhdwmc": connection.require("seller_name"),
            "xhdwdzdh": str(connection.extra.get("seller_address_phone") or ""),
            "xhdwyhzh": str(connection.extra.get("seller_bank_account") or ""),
        }
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def read(self, path: str, form: Record) -> Any:
        """A query, repeated as long as that can help: the envelope's `data`."""
        return self.retrier.read(lambda: self.call(path, form))

    def call(self, path: str, form: Record) -> Any:
        """One POST, sent once: the envelope's `data`. Raises errors of the tree; LoginNeeded brings what to scan."""
        try:
            return self._sent("POST", path, form, self._token())
        except LoginNeeded as error:
            error.qr = self._kept_qr() if error.code.endswith(":430") else ""
            raise

    def face(self) -> Token:
        """A new code to be scanned at the bureau: what is to be scanned, and until when. Raises errors of the tree."""
        whose = {"nsrsbh": self.tax_no, "username": self.username}
        told = self.retrier.read(lambda: self._sent("GET", "getFaceImg", whose, self._token()))
        told = told if isinstance(told, dict) else {}
        shown = str(told.get("ewm") or "")
        picture = f"data:image/png;base64,{shown}" if len(shown) > LONGEST_ADDRESS else shown
        asked_by = {"ewmly": str(told.get("ewmly") or ""), "rzid": str(told.get("rzid") or "")}
        until = str(int(self._services.clock()) + QR_SECONDS)
        return Token(picture, self._services.clock() + QR_PAUSE, {**asked_by, "until": until})

    def _kept_qr(self) -> str:
        """The code for a halt: fetched once an hour at most, "" once it has run out or cannot be had."""
        try:
            kept = self._services.tokens.get(f"{self._connection.conn_id}.face", self.face)
        except DuijieError:
            return ""
        return kept.value if int(kept.extra.get("until", "0")) > self._services.clock() else ""

    def download(self, url: str) -> bytes:
        """The file at the address that the platform told. Raises errors of the tree."""
        return self.retrier.read(lambda: download(self._http, url, self._connection))

    def _sent(self, method: str, path: str, form: Record, token: str) -> Any:
        """One call; what was sent is known by its path."""
        self._used.token = token
        target = f"{self._connection.base_url}{ROOT}{path}"
        headers = self._signed(method, ROOT + path)
        if token:
            headers["Authorization"] = token
        body = None
        if method == "GET":
            target = f"{target}?{urlencode(form)}"
        else:
            body, headers["Content-Type"] = multipart(form)
        answer = read_json(self._http.send(method, target, body=body, headers=headers))
        answer = answer if isinstance(answer, dict) else {}
        if error := error_of(answer, path):
            raise error
        return answer.get("data")

    def _signed(self, method: str, path: str) -> dict[str, str]:
        random = "".join(secrets.choice(LETTERS) for _ in range(20))
        seconds = str(int(self._services.clock()))
        key = self._connection.login
        signature = sign(self._connection.password, method, path, (random, seconds, key))
        return {"AppKey": key, "TimeStamp": seconds, "RandomString": random, "Sign": signature}

    def _token(self) -> str:
        return self._services.tokens.get(self._connection.conn_id, self._fetch_token).value

    def _refresh(self) -> None:
        stale = getattr(self._used, "token", "")
        self._services.tokens.replace(self._connection.conn_id, stale, self._fetch_token)

    def _fetch_token(self) -> Token:
        """A new token. Raises NotSent where none came: the call it was for has then not left."""
        quiet = self._services.retrier(self._connection.conn_id)
        try:
            return quiet.read(lambda: granted(self._ask_token, self._connection.conn_id, CHECK))
        except OutcomeUnknown as error:
            raise NotSent(
                f"未取得授权 ({error.zh}), 业务请求未发出; 将自动重试, 若持续请检查接口地址",
                en=f"no authorisation ({error.en}); the call itself was not sent",
                where=self._connection.conn_id,
            ) from error

    def _ask_token(self) -> Token:
        extra = self._connection.extra
        asked = {"nsrsbh": self.tax_no, "type": str(extra.get("type") or "6")}
        if password := str(extra.get("drawer_password") or ""):
            asked |= {"username": self.username, "password": password}
        told = self._sent("POST", "authorization", asked, "")
        if not isinstance(told, dict) or not told.get("token"):
            raise AnswerLost(
                "授权应答中没有 token", en="the answer to authorization has no token", where="authorization"
            )
        return Token(str(told["token"]), self._services.clock() + TOKEN_SECONDS)
