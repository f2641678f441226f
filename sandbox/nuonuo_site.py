"""What 诺税通 SaaS has beside invoices: the drawer's login at the bureau, the code to scan, and files that expire.

Source: getCertificationStatus, getQrCode, verifyComplete, and the file addresses of queryInvoiceResult
(open.nuonuo.com). A code to scan is valid for 5 minutes and may be had once a minute, 20 times a day. The platform's
own field names of getQrCode could not be read; `qrCode` and `expireTime` are the sandbox's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox import bureau_files
from sandbox.bureau import Bureau
from sandbox.nuonuo_billing import PAUSE, Billing
from sandbox.nuonuo_rules import Record, Refused, must

FILE_SECONDS = 3600
SCAN_SECONDS = 300
SCAN_PAUSE = 60
MEDIA = {"pdf": "application/pdf", "ofd": "application/ofd", "xml": "application/xml"}
MAKERS = {"pdf": bureau_files.pdf, "ofd": bureau_files.ofd, "xml": bureau_files.xml}
LOGIN_TYPES = {"scan": "1", "sms": "2"}


class Files:
    """Addresses of files, good for an hour; `base` is where the sandbox was last reached."""

    def __init__(self, bureau: Callable[[], Bureau], secret: Callable[[], str]) -> None:
        self._bureau = bureau
        self._secret = secret
        self.base = ""

    def of(self, number: str) -> Record:
        """pdfUrl, ofdUrl and xmlUrl of an issued invoice."""
        until = int(self._bureau().now().timestamp()) + FILE_SECONDS
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

    def __init__(self, bureau: Bureau, billing: Billing) -> None:
        self._bureau = bureau
        self._billing = billing

    def status(self, given: Record) -> Record:
        """getCertificationStatus: 1 read the real-person check, 2 read the login, 0 refresh both."""
        must(given.get("queryType") in ("0", "1", "2"), "queryType 无效")
        if given["queryType"] == "0":
            self._billing.ask_bureau("getCertificationStatus", PAUSE)
        state = self._bureau.login()
        return {
            "authStatus": "2" if state == "scan" else "1",
            "loginStatus": "0" if state in ("login", "sms") else "1",
            "loginType": LOGIN_TYPES.get(state, "0"),
            "eleAccount": str(given.get("eleAccount", "")),
        }

    def code(self, given: Record) -> Record:
        """getQrCode."""
        if self._bureau.login() == "in":
            raise Refused("E9301", "无需扫码")
        self._billing.ask_bureau("getQrCode", SCAN_PAUSE)
        until = int(self._bureau.now().timestamp()) + SCAN_SECONDS
        return {"qrCode": f"https://tax.invalid/scan/{until}", "expireTime": str(until * 1000)}

    def done(self, given: Record) -> str:
        """verifyComplete: somebody has scanned."""
        self._bureau.settings({"login": "in"})
        return "认证完成"


__all__ = ["Desk", "Files"]
