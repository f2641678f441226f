"""爱信诺云税 openapi as one function: seal, send once, open the answer, say what its codes mean.

Source: 爱信诺云税 interface document v1.8.4 (51fapiao.cn). The signature of an answer does not follow its rule (at the
vendor's test gateway), so it is not verified: an answer is believed because it is sealed with our key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec

from connectors.aisino.envelope import Unreadable, access_token, key_of, sealed, stamp_of, unseal
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import DuijieError, TokenExpired
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services

RATE = "10/second"
HOST = "https://ll.51fapiao.cn"
PATH = "/openapi/"
CHINA = timezone(timedelta(hours=8))
OK = "1000"
CREDIT = "授信额度"
OPEN_FORM = ("未完成", "红字")  # together: another red form of the same blue is open
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def error_of(code: str, text: str, where: str) -> DuijieError:
    """The error a code stands for; credit and open forms have no code of their own and are told by their words."""
    return ERRORS.error(_told(code or "unreadable", text), text, where=where)


def _told(code: str, text: str) -> str:
    if CREDIT in text:
        return "credit"
    is_refusal = ERRORS.resolve(code).action == "reject"
    return "open-form" if is_refusal and all(words in text for words in OPEN_FORM) else code


class Client:
    """Calls interfaces for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self.tax_no = connection.require("tax_no")
        self.now = services.clock
        self.retrier = services.retrier(connection.conn_id, _nothing_to_refresh)

    def read(self, interface: str, body: Record) -> Record:
        """A query, repeated as long as that can help."""
        return self.retrier.read(lambda: self.call(interface, body))

    def call(self, interface: str, body: Record) -> Record:
        """One call, sent once: what lies in the answer's envelope. Raises errors of the tree for the outer code."""
        stamp = f"{datetime.fromtimestamp(self._services.clock(), UTC).astimezone(CHINA):%Y%m%d%H%M%S}"
        token = access_token(self._connection.login, self.tax_no, stamp)
        envelope = sealed(interface, codec.encode_ordered(body), token, self._key(stamp))
        answer = self._post(interface, codec.encode_ordered(envelope))
        code, text = str(answer.get("code") or ""), str(answer.get("msg") or "")
        if code != OK:
            raise error_of(code, text, interface)
        return self._opened(answer, token, interface)

    def _post(self, interface: str, sent: bytes) -> Record:
        url = f"{self._connection.base_url}{PATH}{interface}"
        answer = read_json(self._http.send("POST", url, body=sent, headers={"Content-Type": "application/json"}))
        return dict(answer) if isinstance(answer, dict) else {}

    def _opened(self, answer: Record, token: str, interface: str) -> Record:
        try:
            key = self._key(stamp_of(str(answer.get("access_token") or token)))
            inner: Any = codec.decode(unseal(str(answer.get("datagram") or ""), key))
        except (Unreadable, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ERRORS.error("unreadable", str(error), where=interface) from error
        if not isinstance(inner, dict):
            raise ERRORS.error("unreadable", "not an object", where=interface)
        return dict(inner)

    def _key(self, stamp: str) -> bytes:
        return key_of(self._connection.password, self._connection.login, stamp)


def _nothing_to_refresh() -> None:
    raise TokenExpired("航信没有 token, 无需刷新", en="there is no token to refresh", code="aisino:no-token")
