"""A local 票通 (vpiaotong): signed and encrypted calls, serials that are taken once, invoices issued while time passes.

It exists so that the connector meets the platform's strictness without an account: RSA signature, 3DES content,
lengths in GBK bytes, discounts within their line that it makes lines of, codes as the vendor tables them. Source:
票通电子发票开票接口文档 v3.5.1; for 数电票 the fields that clients in public repositories use. The sandbox's own:
what a file that is not there is answered with, and that the platform's clock is not compared.

Seed (each key may be absent)::

    {"platform_code": "11111111", "platform_alias": "DEMO", "des_key": "…24…", "public_key": "PEM of the client",
     "tax_no": "339902999999789113", "seller_name": "…", "bureau": {settings of sandbox/bureau.py},
     "issued": [contents of invoiceBlue]}

The key pairs of both sides are made once for this tree and kept below `var/` (sandbox/piaotong_keys.py).
`items` of an ordered push (sandbox/push.py) are serials.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin, bureau_files
from sandbox.bureau import CHINA, Bureau, RedForm, Refused
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.piaotong_content import NotTaken, Record, blue_of, item_of, text
from sandbox.piaotong_keys import decrypt, encrypt, is_signed, platform_pair, signature
from sandbox.push import Parcel, Pusher
from sandbox.store import Store

ROOT = "/tp/openapi/"
WRITES = ("invoiceBlue", "invoiceRed", "resendEmailOrSMS")
SERIAL_LENGTH = 20
KINDS = {"special": "81", "normal": "82"}
REASONS = {"开票有误": "wrong_invoice", "服务中止": "service_stopped", "销售折让": "allowance"}
STATES = {"issuing": ("7777", "开票中"), "signing": ("7777", "开票中"), "issued": ("0000", "开票成功")}
REFUSALS = {"open_form": "6005", "over": "6005", "is_red": "8995", "not_found": "8003", "full_only": "8995"}
DEFAULTS: Record = {
    "platform_code": "11111111",
    "platform_alias": "DEMO",
    "des_key": "123456789012345678901234",
    "public_key": "",
    "tax_no": "339902999999789113",
    "seller_name": "票通测试企业",
}

Method = Callable[[Record], Record]


class PiaoTongSandbox(Sandbox):
    """One platform account with one seller."""

    name = "piaotong"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._private, self._public = platform_pair()
        self.bureau = Bureau(store, self.now)
        self.pusher = Pusher(self.push)
        self._methods: Mapping[str, Method] = {
            "invoiceBlue": self._blue,
            "invoiceRed": self._red,
            "queryInvoice": self._query,
            "queryInvoiceInfo": self._query_all,
            "getAllEleInvFile": self._file,
            "getEnterpriseInfo": self._enterprise,
            "resendEmailOrSMS": self._resend,
        }

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Every method under its name."""
        own: list[tuple[str, str, Handler]] = [("POST", f"{ROOT}{name}.pt", self._called) for name in self._methods]
        return [*own, *bureau_admin.routes(lambda: self.bureau), self.pusher.route()]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Queries are POSTs too."""
        return request.url.path.removeprefix(ROOT).removesuffix(".pt") in WRITES

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        given = {name: data[name] for name in DEFAULTS if name in data}
        self.store.put("config", "config", {**self._config, **given})
        self.bureau.settings(data.get("bureau", {}))
        for content in data.get("issued", []):
            self._blue(content)

    def expire_tokens(self) -> None:
        """There are none."""

    @property
    def _config(self) -> Record:
        return self.store.get("config", "config") or DEFAULTS

    async def _called(self, request: Request) -> Response:
        method = request.url.path.removeprefix(ROOT).removesuffix(".pt")
        public: Record = {}
        try:
            public = _object(await request.body())
            content = self._opened(public)
            told = self._methods[method](content)
        except NotTaken as refused:
            return self._answer(public, refused.code, str(refused))
        except Refused as refused:
            return self._answer(public, REFUSALS.get(refused.reason, "8995"), refused.text)
        return self._answer(public, "0000", "成功", told)

    def _answer(self, public: Record, code: str, said: str, content: Record | None = None) -> Response:
        secret = encrypt(self._config["des_key"], codec.encode_ordered(content or {}))
        told = {"code": code, "msg": said[:60], "serialNo": str(public.get("serialNo") or ""), "content": secret}
        return json_response({**told, "sign": signature(self._private, told)})

    def _opened(self, public: Record) -> Record:
        """The content of a call whose caller is known. Raises NotTaken."""
        config = self._config
        if public.get("platformCode") != config["platform_code"]:
            raise NotTaken("9998", "平台编码无效")
        serial = str(public.get("serialNo") or "")
        if not serial.startswith(config["platform_alias"]) or len(serial) != 26:
            raise NotTaken("8995", "serialNo 须为 26 位, 以平台简称开头")
        if not is_signed(config["public_key"], public):
            raise NotTaken("9999", "验签失败")
        try:
            content = _object(decrypt(config["des_key"], str(public.get("content") or "")))
        except ValueError:
            raise NotTaken("8995", "业务报文解密失败") from None
        if content.get("taxpayerNum") != config["tax_no"]:
            raise NotTaken("9997", "纳税人识别号无效")
        return content

    def _free_serial(self, content: Record) -> str:
        """The serial of a request that takes one. Raises NotTaken for a serial that is taken."""
        serial = text(content, "invoiceReqSerialNo", SERIAL_LENGTH)
        alias = self._config["platform_alias"]
        if len(serial) > SERIAL_LENGTH or not serial.isalnum() or not serial.startswith(alias):
            raise NotTaken("8995", f"invoiceReqSerialNo 须以平台简称 {alias} 开头, 不超过 20 位字母或数字")
        if row := self._row(serial):
            is_on_its_way = self.bureau.status(row) in ("issuing", "signing")
            code, said = ("8040", "正在处理中") if is_on_its_way else ("8021", "已存在, 请更换发票请求流水号")
            raise NotTaken(code, f"该发票请求流水号{said}")
        return serial

    def _blue(self, content: Record) -> Record:
        serial = self._free_serial(content)
        self.bureau.submit(blue_of(serial, content, self._config))
        return {"invoiceReqSerialNo": serial, "qrCodePath": "", "qrCode": ""}

    def _red(self, content: Record) -> Record:
        serial = self._free_serial(content)
        number = text(content, "blueAllEleInvNo", 20)
        blue = self.bureau.by_number(number)
        if blue is None:
            raise NotTaken("8003", "找不到对应的发票")
        if Decimal(text(content, "amount", 16)) != -(Decimal(blue["net"]) + Decimal(blue["tax"])):
            raise NotTaken("8995", "amount 须为原发票价税合计的负数")
        reason = REASONS.get(text(content, "redReason", 100), "sales_return")
        extra = {"serial": serial, "definedData": str(content.get("definedData") or "")}
        self.bureau.begin(RedForm(serial, number, "seller", reason, extra=extra))
        return {"invoiceReqSerialNo": serial, "qrCodePath": ""}

    def _row(self, serial: str) -> Record | None:
        """The blue row, or the red one of a form begun under this serial; without a row yet, what the form is."""
        if row := self.bureau.blue(serial):
            return row
        for form in self.bureau.forms(application_no=serial):
            red = self.bureau.red(form["red_serial"]) if form["red_serial"] else None
            return red or {"colour": "red", "form": form, "submitted": form["began"], "cause": "", "number": ""}
        return None

    def _query(self, content: Record) -> Record:
        row = self._row(text(content, "invoiceReqSerialNo", SERIAL_LENGTH))
        if row is None:
            raise NotTaken("8003", "找不到对应的发票")
        return self._result(str(content["invoiceReqSerialNo"]), row)

    def _result(self, serial: str, row: Record) -> Record:
        """What is told of an invoice: amounts, number and day only once it is issued."""
        state = "issuing" if "form" in row else self.bureau.status(row)
        code, said = STATES.get(state, ("9999", str(row.get("text") or "开票失败")))
        if "form" in row:
            said = "红字信息确认单待购方确认" if row["form"]["state"] in ("02", "03") else said
            code, said = (code, said) if row["form"]["state"] in ("01", "02", "03", "04") else ("9999", "确认单已作废")
        kind = "2" if row["colour"] == "red" else "1"
        told: Record = {"invoiceReqSerialNo": serial, "invoiceType": kind, "code": code, "msg": said}
        at = None if "form" in row else self.bureau.issued_at(row)
        if code != "0000" or at is None:
            return told
        amounts = {"noTaxAmount": row["net"], "taxAmount": row["tax"], "tradeNo": row["extra"].get("tradeNo", serial)}
        day = f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
        return {**told, **amounts, "allEleInvNo": row["number"], "invoiceNo": "", "invoiceDate": day}

    def _query_all(self, content: Record) -> Record:
        told = self._query(content)
        row = self._row(told["invoiceReqSerialNo"]) or {}
        if told["code"] != "0000":
            return told
        buyer, seller = row["buyer"], row["seller"]
        return {
            **told,
            "buyerName": buyer["name"],
            "buyerTaxpayerNum": buyer["tax_no"],
            "sellerTaxpayerNum": seller["tax_no"],
            "sellerName": seller["name"],
            "invoiceKind": KINDS[row["kind"]],
            "amountWithTax": str(Decimal(row["net"]) + Decimal(row["tax"])),
            "remark": row["remark"],
            "itemList": [item_of(line, place) for place, line in enumerate(row["lines"], 1)],
        }

    def _file(self, content: Record) -> Record:
        row = self._row(text(content, "invoiceReqSerialNo", SERIAL_LENGTH))
        kind = text(content, "fileType", 3)
        if row is None:
            raise NotTaken("8003", "找不到对应的发票")
        if kind not in ("PDF", "OFD", "XML"):
            raise NotTaken("8995", "fileType 须为 PDF, OFD 或 XML")
        if "form" in row or self.bureau.status(row) != "issued":
            raise NotTaken("8041", "发票尚未开具成功")
        made: bytes = getattr(bureau_files, kind.lower())(row, self.bureau)
        return {"fileType": kind, "resultCode": "0000", "resultMsg": "", "fileContent": base64.b64encode(made).decode()}

    def _enterprise(self, content: Record) -> Record:
        if content.get("enterpriseName") != self._config["seller_name"]:
            raise NotTaken("8004", "找不到对应的开票企业信息，请检查税号")
        named = {name: content[name] for name in ("taxpayerNum", "enterpriseName")}
        return {**named, "reviewStatus": "1", "serviceStatus": "1", "invoiceKind": "81|82"}

    def _resend(self, content: Record) -> Record:
        told = self._query(content)
        if told["code"] != "0000":
            raise NotTaken("8032", "未开票成功的发票不可发送邮件和短信")
        phone = (
            {"sendSMSResultCode": "9999", "sendSMSResultMsg": "该企业没开通发送短信"} if content.get("takerTel") else {}
        )
        return {"sendEmailResultCode": "0000", "sendEmailResultMsg": "邮件已发送", **phone}

    def push(self, url: str, serial: str, age: timedelta) -> Parcel:
        """The result of a serial as the platform posts it."""
        row = self._row(serial) or {}
        content = {
            **self._result(serial, row),
            "taxpayerNum": self._config["tax_no"],
            "definedData": (row.get("form") or row).get("extra", {}).get("definedData", ""),
        }
        return Parcel(url, {"content-type": "application/json"}, self.signed(codec.encode_ordered(content)), "")

    def signed(self, content: bytes) -> bytes:
        """A push with this content."""
        now = self.now().astimezone(CHINA)
        public = {
            "platformCode": self._config["platform_code"],
            "signType": "RSA",
            "format": "JSON",
            "timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
            "version": "1.0",
            "serialNo": f"{self._config['platform_alias']}{now:%Y%m%d%H%M%S}00000000",
            "content": encrypt(self._config["des_key"], content),
        }
        return codec.encode_ordered({**public, "sign": signature(self._private, public)})


def _object(body: bytes) -> Record:
    try:
        told = codec.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if not isinstance(told, dict):
        raise NotTaken("8995", "报文不是 JSON 对象")
    return told


SANDBOX = PiaoTongSandbox
