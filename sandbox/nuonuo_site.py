"""What 诺税通 SaaS has beside invoices: the drawer's login at the bureau, the code to scan, and files that expire.

Source: getCertificationStatus, getQrCode, verifyComplete, and the file addresses of queryInvoiceResult
(open.nuonuo.com; their answers as l10n_cn_edi_nuonuo of Odoo reads them). A code to scan is valid for 5 minutes and may
be had once a minute, 20 times a day.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox import bureau_files
from sandbox.bureau import Bureau
from sandbox.nuonuo_billing import CHINA, PAUSE, Billing
from sandbox.nuonuo_rules import Record, must
from sandbox.store import Store

FILE_SECONDS = 3600
SCAN_SECONDS = 300
SCAN_PAUSE = 60
MEDIA = {"pdf": "application/pdf", "ofd": "application/ofd", "xml": "application/xml"}
MAKERS = {"pdf": bureau_files.pdf, "ofd": bureau_files.ofd, "xml": bureau_files.xml}
LOGIN_TYPES = {"in": "0", "login": "0", "scan": "1", "sms": "2"}


class Files:
    """Addresses of files, good for an hour or two; `base` is where the sandbox was last reached."""

    def __init__(self, bureau: Callable[[], Bureau], secret: Callable[[], str]) -> None:
        self._bureau = bureau
        self._secret = secret
        self.base = ""

    def of(self, number: str) -> Record:
        """pdfUrl, ofdUrl and xmlUrl of an issued invoice."""
        hours, _ = divmod(int(self._bureau().now().timestamp()), FILE_SECONDS)
        until = (hours + 2) * FILE_SECONDS
        return {f"{kind}Url": self._address(number, kind, until) for kind in MEDIA}

    async def give(self, request: Request) -> Response:
        """GET of one address: the file, 403 where the address was made up, 404 once it has expired."""
        number, _, kind = str(request.path_params["name"]).rpartition(".")
        until = request.query_params.get("until", "")
        if kind not in MEDIA or not hmac.compare_digest(self._sign(number, kind, until), _given(request)):
            return Response("无权访问", 403)
        row = self._bureau().by_number(number)
        if row is None or int(until) < self._bureau().now().timestamp():
            return Response("链接已失效", 404)
        return Response(MAKERS[kind](row, self._bureau()), media_type=MEDIA[kind])

    def _address(self, number: str, kind: str, until: int) -> str:
        query = urlencode({"until": until, "sign": self._sign(number, kind, str(until))})
        return f"{self.base}/files/{number}.{kind}?{query}"

    def _sign(self, number: str, kind: str, until: str) -> str:
        text = f"{number}.{kind}.{until}".encode()
        return hmac.new(self._secret().encode(), text, hashlib.sha256).hexdigest()[:32]


def _given(request: Request) -> str:
    return request.query_params.get("sign", "").encode("ascii", "replace").decode()


class Desk:
    """The drawer's standing with the bureau."""

    def __init__(self, bureau: Bureau, billing: Billing, store: Store) -> None:
        self._bureau = bureau
        self._billing = billing
        self._store = store

    def status(self, given: Record) -> Record:
        """getCertificationStatus: 1 the real-person check, 2 the login, 0 has the bureau asked about the check."""
        asked = given.get("queryType")
        must(asked in ("0", "1", "2"), "queryType 无效")
        if asked == "0":
            self._billing.ask_bureau("getCertificationStatus", PAUSE)
            return {}
        state = self._bureau.login()
        if asked == "1":
            return {"certificationStatus": "2" if state == "scan" else "1"}
        return {"certificationStatus": "0" if state in ("login", "sms") else "1", "loginType": LOGIN_TYPES[state]}

    def code(self, given: Record) -> Record:
        """getQrCode: 1 and 3 read the code held for check and login, 0 and 2 have a new one made, 4 sends a text."""
        asked = given.get("queryType")
        must(asked in ("0", "1", "2", "3", "4"), "queryType 无效")
        if asked in ("0", "2", "4"):
            self._billing.ask_bureau("getQrCode", SCAN_PAUSE)
            until = self._bureau.milliseconds() + SCAN_SECONDS * 1000
            kind = "1" if asked == "0" else "3"
            self._store.put("scan", kind, {"until": until, "number": self._store.next("scan_number")})
            return {}
        held = self._store.get("scan", str(asked))
        if held is None or held["until"] <= self._bureau.milliseconds():
            return {"status": "0", "message": "获取二维码中"}
        ends = datetime.fromtimestamp(held["until"] / 1000, UTC).astimezone(CHINA)
        return {
            "status": "1",
            "qrCode": f"qrcode_id=sandbox{held['number']}&areaPrefix=9900&interfaceCode=0002",
            "qrCodeType": "4",
            "authId": f"auth-{held['number']}",
            "endTime": f"{ends:%Y-%m-%d %H:%M:%S}",
        }

    def done(self, given: Record) -> Record:
        """verifyComplete: 0 after a scan, 2 with the code of a text message, 1 and 3 ask how it went."""
        asked = given.get("queryType")
        must(asked in ("0", "1", "2", "3"), "queryType 无效")
        if asked in ("0", "2"):
            self._bureau.settings({"login": "in"})
            return {}
        return {"status": "1" if self._bureau.login() == "in" else "0"}


__all__ = ["Desk", "Files"]
