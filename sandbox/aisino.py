"""A local 爱信诺云税 openapi: sealed calls, blue invoices and full reds in one call, credit line, login steps, files.

It exists so that the connector meets the platform's strictness without an account: the envelope's seal and signature,
one serial number for blue and red, the rates and lengths of its field table, a drawer who is not logged in. Source:
爱信诺云税 interface document v1.8.4 (51fapiao.cn).

Seed (each key may be absent)::

    {"organisation": "101000", "authorisation": "…16 hex…", "tax_no": "…", "seller_name": "…",
     "etax_username": "…", "etax_password": "…", "bureau": {…settings of the bureau…},
     "requests": [bodies of simpleInvoiceIssue, taken at once]}

Answers are sealed, their signature is left out. Until somebody says otherwise the bureau's `login` is what the login
steps come to: setting it to "in" is the drawer having scanned.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin, bureau_files
from sandbox.aisino_fields import KINDS, REASONS, Rejected, blue_of, must
from sandbox.aisino_seal import Broken, opened, sealed, signature_of
from sandbox.bureau import Bureau, RedForm, Refused
from sandbox.bureau_terms import Record
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store

ISSUE, QUERY = "ele.encrypt.simpleInvoiceIssue", "ele.encrypt.queryResult"
USED, CHECK, CRYPTO, FAILED = "9994", "9995", "1001", "2001"
LOGINS = {
    "login": ("1101", "需重新登录电子税务局"),
    "sms": ("1101", "需重新登录电子税务局"),
    "scan": ("1102", "需扫码或实人认证"),
}
VOID = {"05": "购方否认", "07": "超过72小时未确认", "08": "已撤销", "09": "确认后撤销"}
FILES = {"1": bureau_files.pdf, "2": bureau_files.ofd}
PIXEL = b"\x89PNG\r\n\x1a\n sandbox"
DEFAULTS: dict[str, Any] = {
    "organisation": "101000",
    "authorisation": "b1492023dcd5368e",
    "tax_no": "91440606MA5DEMK124",
    "seller_name": "航信测试企业",
    "etax_username": "demo_user",
    "etax_password": "demo-password",
}


class AisinoSandbox(Sandbox):
    """One organisation code of one seller."""

    name = "aisino"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        if not store.get("config", "config"):
            store.put("config", "config", DEFAULTS)
        self.bureau = Bureau(store, self.now)
        self._interfaces: Mapping[str, Callable[[Record], Record]] = {
            ISSUE: self._issue,
            QUERY: self._query,
            "ele.creditLine": self._credit,
            "ele.eleLogin": self._login,
            "ele.invoice.download": self._download,
        }

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway: one address for each interface."""
        own: list[tuple[str, str, Handler]] = [("POST", "/openapi/{interface}", self._gateway)]
        return [*own, *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Every interface is a POST: its name says which one it is."""
        return request.url.path.endswith(ISSUE)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        given = {name: data[name] for name in DEFAULTS if name in data}
        self.store.put("config", "config", {**self._config, **given})
        self.bureau.settings(data.get("bureau", {}))
        for body in data.get("requests", []):
            self.bureau.submit(blue_of(body, self._config))

    def expire_tokens(self) -> None:
        """There are none: every call brings its own."""

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or DEFAULTS

    async def _gateway(self, request: Request) -> Response:
        interface = request.path_params["interface"]
        envelope = _object(await request.body())
        token = str(envelope.get("access_token") or "")
        try:
            inner = self._read(interface, envelope)
            must(interface in self._interfaces, "9996", f"本沙箱不提供 {interface}")
            answer = self._interfaces[interface](inner)
        except Rejected as rejected:
            told = {"code": rejected.code, "msg": str(rejected), "datagram": "", "access_token": token}
            return json_response({"interfaceCode": interface, **told})
        plain = codec.encode_ordered(answer)
        told = {"code": "1000", "msg": "成功", "datagram": sealed(plain, token, self._config), "access_token": token}
        return json_response({"interfaceCode": interface, "zipCode": "0", "encryptCode": "1", **told})

    def _read(self, interface: str, envelope: Record) -> Record:
        """What lies in the envelope of a call that is signed and sealed with our codes. Raises Rejected."""
        config = self._config
        try:
            plain = opened(envelope, config)
            genuine = hmac.compare_digest(signature_of(envelope, config), str(envelope.get("signature") or ""))
        except Broken as broken:
            raise Rejected(CRYPTO, "加解密失败") from broken
        must(genuine, CRYPTO, "验签失败")
        must(envelope.get("interfaceCode") == interface, CHECK, "interfaceCode 与地址不一致")
        inner = _object(plain)
        must(inner.get("nsrsbh", config["tax_no"]) == config["tax_no"], CHECK, "nsrsbh 未授权给该组织")
        return inner

    def _issue(self, body: Record) -> Record:
        serial = str(body.get("fpqqlsh") or "")
        taken = self.bureau.blue(serial) or self.bureau.forms(application_no=serial)
        must(not taken, USED, "发票请求流水号已使用")
        if self.bureau.login() in LOGINS:
            return _told(*LOGINS[self.bureau.login()])
        try:
            if str(body.get("invoiceType")) == "2":
                self._reverse(serial, body)
            else:
                self.bureau.submit(blue_of(body, self._config))
        except Refused as refused:
            return _told(FAILED, refused.text)
        return _told("1000", "受理成功")

    def _reverse(self, serial: str, body: Record) -> None:
        must(str(body.get("redReason")) in REASONS, CHECK, "redReason 无效")
        given = [name for name in ("invoiceAmount", "invoiceItems") if body.get(name)]
        must(not given, CHECK, f"红冲时不需要 {'、'.join(given)}")
        number = str(body.get("originInvoiceNo") or "")
        self.bureau.begin(RedForm(serial, number, "seller", REASONS[str(body["redReason"])]))

    def _query(self, body: Record) -> Record:
        serial, kind = str(body.get("fpqqlsh") or ""), str(body.get("invoiceKind") or "")
        must(bool(serial) and kind in KINDS, CHECK, "fpqqlsh 与 invoiceKind 必填")
        row = self.bureau.blue(serial)
        if row is None:
            return self._red(serial, kind)
        return self._result(row) if row["kind"] == KINDS[kind] else _told(FAILED, "未查询到该发票请求流水号")

    def _red(self, serial: str, kind: str) -> Record:
        form = next(iter(self.bureau.forms(application_no=serial)), None)
        blue = self.bureau.by_number(form["blue_number"]) if form else None
        if form is None or blue is None or blue["kind"] != KINDS[kind]:
            return _told(FAILED, "未查询到该发票请求流水号")
        if form["state"] in VOID:
            return _told(FAILED, f"红字确认单已作废: {VOID[form['state']]}")
        red = self.bureau.red(form["red_serial"]) if form["red_serial"] else None
        return self._result(red) if red else _told("1002", "等待购方确认")

    def _result(self, row: Record) -> Record:
        status, issued = self.bureau.status(row), self.bureau.issued_at(row)
        if status == "failed":
            code = {"login": "1101"}.get(row["cause"], FAILED)
            return _told(code, row["text"])
        if issued is None:
            return _told("1002", "开票中")
        amounts = {"sumPrice": row["net"], "sumTax": row["tax"]}
        times = {"fphm": row["number"], "kprq": f"{issued:%Y-%m-%d %H:%M:%S}"}
        return _told("1000", "开票成功") | times | {"pdfUrl": "", "ofdUrl": "", "ewmUrl": ""} | amounts

    def _credit(self, body: Record) -> Record:
        must(body.get("cxbz") == "1", CHECK, "cxbz 无效")
        if self.bureau.login() in LOGINS:
            raise Rejected(*LOGINS[self.bureau.login()])
        total, used = self.bureau.credit()
        return {"sysxed": str(total - used), "ysysxed": str(used), "zsxed": str(total)}

    def _login(self, body: Record) -> Record:
        config, step = self._config, str(body.get("step_name") or "")
        if body.get("username") != config["etax_username"]:
            return {"step_code": "6", "message": "用户名不存在"}
        if self.bureau.login() == "in":
            return {"step_code": "0", "message": "登录成功"}
        if step == "login" and body.get("password", config["etax_password"]) != config["etax_password"]:
            return {"step_code": "6", "message": "密码错误"}
        if step == "login":
            return {"step_code": "3" if self.bureau.login() == "sms" else "1", "message": "请选择登录方式"}
        if step == "create_qrcode":
            until = int(self.now().timestamp()) + 300
            self.store.put("qrcode", "last", {"id": f"QR{until}", "until": until})
            code = {"qrcode": base64.b64encode(PIXEL).decode(), "qrcode_id": f"QR{until}", "expires_in": "300"}
            return {"step_code": "4", "message": "请扫码", **code}
        known = self.store.get("qrcode", "last") or {"id": "", "until": 0}
        alive = body.get("qrcode_id") == known["id"] and known["until"] > self.now().timestamp()
        return {
            "step_code": "4" if step == "verify_qrcode" and alive else "6",
            "message": "等待扫码" if alive else "二维码已过期",
        }

    def _download(self, body: Record) -> Record:
        serial, kind = str(body.get("fpqqlsh") or ""), str(body.get("fileType") or "")
        must(kind in FILES, CHECK, "fileType 无效")
        row = self.bureau.blue(serial)
        if row is None:
            form = next(iter(self.bureau.forms(application_no=serial)), None)
            row = self.bureau.red(form["red_serial"]) if form and form["red_serial"] else None
        if row is None or not row["number"]:
            return _told(FAILED, "版式文件未生成")
        return _told("1000", "成功") | {"file": base64.b64encode(FILES[kind](row, self.bureau)).decode()}


def _told(code: str, text: str) -> Record:
    return {"code": code, "message": text}


def _object(body: bytes) -> Record:
    try:
        given = codec.decode(body)
    except msgspec.DecodeError:
        given = None
    return given if isinstance(given, dict) else {}


SANDBOX = AisinoSandbox
