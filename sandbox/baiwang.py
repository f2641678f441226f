"""A local 百望云 gateway (SMB): token, signed calls, blue invoices, quick reds and their forms of one seller.

It exists so that the connector meets the platform's strictness without an account. Answers have the fields that the
vendor's sandbox was seen to answer; codes 9xxxx are this sandbox's own, since the vendor's are not published. Source:
百望云开放平台 (open.baiwang.com), methods baiwang.oauth.token, baiwang.s.outputinvoice.*, baiwang.s.redconfirm.query.

Seed (each key may be absent)::

    {"app_key": "…", "app_secret": "…", "username": "…", "user_password": "…", "user_salt": "…", "tax_no": "…",
     "seller_name": "…", "channel": "web" | "leqi", "token_seconds": 28800, "bureau": {…settings of the bureau…},
     "requests": [bodies of outputinvoice.invoice, taken at once]}
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin, bureau_files
from sandbox.baiwang_fields import CODES, NATURES, Record, Rejected, blue_of, must, red_form_of
from sandbox.bureau import CHINA, Bureau, Refused
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store

WRITES = ("baiwang.s.outputinvoice.invoice", "baiwang.s.outputinvoice.fastRed")
TOKEN = "baiwang.oauth.token"
PAGE = 20
MOST_NUMBERS = 100
NAMED = {code: name for name, code in NATURES.items()}
MESSAGES = {"00": "开票中", "01": "开票完成", "02": "开票失败"}
STATUS = {"issuing": "00", "signing": "00", "issued": "01", "failed": "02"}
REASONS = {
    "duplicate": "90001",
    "arithmetic": "90002",
    "buyer": "90003",
    "over": "90004",
    "open_form": "90005",
    "not_found": "90006",
    "is_red": "90007",
    "full_only": "90008",
    "state": "70035",
    "credit": "90009",
    "login": "90010",
    "scan": "90010",
}
LABELS = {"wrong_invoice": "01", "sales_return": "02", "service_stopped": "03", "allowance": "04"}
FILES = {"xml": bureau_files.xml, "ofd": bureau_files.ofd, "pdf": bureau_files.pdf}
DEFAULTS: dict[str, Any] = {
    "app_key": "1000001",
    "app_secret": "bw-demo-secret",
    "username": "admin_demo",
    "user_password": "demo-password",
    "user_salt": "demo-salt",
    "tax_no": "91440101MA5DEMK12X",
    "seller_name": "百望测试企业",
    "channel": "web",
    "token_seconds": 28800,
}


class BaiwangSandbox(Sandbox):
    """One application of one seller."""

    name = "baiwang"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        if not store.get("config", "config"):
            store.put("config", "config", DEFAULTS)
        self.bureau = Bureau(store, self.now)
        self._methods: Mapping[str, Callable[[Record, str], Any]] = {
            WRITES[0]: self._issue,
            WRITES[1]: self._fast_red,
            "baiwang.s.outputinvoice.query": self._query,
            "baiwang.s.redconfirm.query": self._forms,
        }

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway, and the files it points at."""
        own: list[tuple[str, str, Handler]] = [
            ("POST", "/router/rest", self._gateway),
            ("GET", "/files/{name}", self._file),
        ]
        return [*own, *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Every method is a POST to one address: the query says which one it is."""
        return request.query_params.get("method", "") in WRITES

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        given = {name: data[name] for name in DEFAULTS if name in data}
        self.store.put("config", "config", {**self._config, **given})
        self.bureau.settings(data.get("bureau", {}))
        for body in data.get("requests", []):
            self.bureau.submit(blue_of(body, self._config))

    def expire_tokens(self) -> None:
        """Forget every token."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or DEFAULTS

    async def _gateway(self, request: Request) -> Response:
        body, query = await request.body(), dict(request.query_params)
        method = query.get("method", "")
        try:
            if method == TOKEN:
                return json_response({"success": True, "response": self._token(query, _read(body))})
            self._check_caller(query, body)
            if method not in self._methods:
                raise Rejected("100005", f"本沙箱不提供 {method}")
            given = _read(body)
            must(given.get("taxNo") == self._config["tax_no"], "taxNo 未授权给该应用")
            told = self._methods[method](given, str(request.base_url))
        except Refused as refused:
            return _no(query, REASONS[refused.reason], refused.text)
        except Rejected as rejected:
            return _no(query, rejected.code, str(rejected))
        return json_response({"success": True, "method": method, "requestId": query["requestId"], "response": told})

    def _check_caller(self, query: Mapping[str, str], body: bytes) -> None:
        config = self._config
        must(query.get("appKey") == config["app_key"], "appKey 不存在", "100003")
        for name in ("timestamp", "format", "version", "type", "requestId"):
            must(bool(query.get(name)), f"缺少 {name}", "100004")
        named = "".join(f"{name}{query[name]}" for name in sorted(query) if name != "sign" and query[name])
        secret = config["app_secret"].encode()
        digest = hashlib.md5(secret + named.encode() + body + secret, usedforsecurity=False).hexdigest().upper()
        must(hmac.compare_digest(digest, query.get("sign", "")), "签名不一致", "100007")
        token = self.store.get("token", query.get("token", ""))
        if token is None or token["until"] < self.now().timestamp():
            raise Rejected("100002", "token 已过期")

    def _token(self, query: Mapping[str, str], body: Record) -> Record:
        config, version = self._config, query.get("version", "")
        salted = f"{config['user_password']}{config['user_salt']}".encode()
        inner = hashlib.md5(salted, usedforsecurity=False).hexdigest().encode()
        hashed = hashlib.sha256(salted) if version == "7.0" else hashlib.sha1(inner, usedforsecurity=False)
        wanted = (config["app_key"], config["app_secret"], config["username"], hashed.hexdigest())
        given = (query.get("client_id"), body.get("client_secret"), body.get("username"), body.get("password"))
        must(query.get("grant_type") == "password", "grant_type 无效", "100010")
        must(given == wanted, "应用或用户的身份验证失败", "100011")
        token = secrets.token_hex(16)
        self.store.put("token", token, {"until": int(self.now().timestamp()) + int(config["token_seconds"])})
        return {"access_token": token, "refresh_token": secrets.token_hex(16), "expires_in": config["token_seconds"]}

    def _issue(self, body: Record, _: str) -> Record:
        row = self.bureau.submit(blue_of(body, self._config))
        return {"serialNo": _serial(row), "orderNo": row["serial"]}

    def _fast_red(self, body: Record, _: str) -> Record:
        number = str(body.get("originalDigitInvoiceNo") or "")
        blue = self.bureau.by_number(number) if number else self.bureau.blue(str(body.get("originalOrderNo") or ""))
        if blue is None or not blue["number"]:
            raise Rejected("90006", "未找到原蓝票")
        must(self.bureau.blue(body.get("orderNo", "")) is None, "orderNo 已存在", "90001")
        form = self.bureau.begin(red_form_of(body, blue))
        return {"redConfirmSerialNo": _confirm_serial(form)}

    def _query(self, body: Record, base: str) -> list[Record]:
        numbers = body.get("orderNos") or []
        must(isinstance(numbers, list) and 0 < len(numbers) <= MOST_NUMBERS, "orderNos 为空或超过 100 个", "70169")
        rows = [row for row in map(self._row, numbers) if row]
        return [self._shown(row, base, body.get("detailMark") == "1") for row in rows]

    def _row(self, number: str) -> Record | None:
        """The blue or red row of an order number; a red has one as soon as its red invoice begins."""
        if blue := self.bureau.blue(number):
            return blue
        form = next(iter(self.bureau.forms(application_no=number)), None)
        red = self.bureau.red(form["red_serial"]) if form and form["red_serial"] else None
        return {**red, "order_no": number} if red else None

    def _forms(self, body: Record, _: str) -> Record:
        must(body.get("operatorType") == "2", "本沙箱只提供库里查询 (operatorType=2)", "70169")
        must(body.get("buySelSelector") in ("0", "1"), "buySelSelector 必填", "70169")
        rows = self.bureau.forms() if body["buySelSelector"] == "0" else []
        shown = [one for one in map(self._form, rows) if _asked_for(one, body)]
        page = int(body.get("pageNo") or 1)
        return {"total": len(shown), "list": shown[(page - 1) * PAGE : page * PAGE]}

    def _form(self, form: Record) -> Record:
        red = self.bureau.red(form["red_serial"]) if form["red_serial"] else None
        blue = self.bureau.by_number(form["blue_number"]) or {}
        by_us = form["initiator"] == "seller"
        return {
            "redConfirmUuid": form["uuid"],
            "redConfirmNo": form["form_no"],
            "redConfirmSerialNo": _confirm_serial(form),
            "orderNo": form["application_no"] if by_us else "",
            "entryIdentity": "01" if by_us else "02",
            "sellerTaxNo": blue["seller"]["tax_no"],
            "sellerName": blue["seller"]["name"],
            "buyerTaxNo": blue["buyer"]["tax_no"],
            "buyerName": blue["buyer"]["name"],
            "originalInvoiceNo": form["blue_number"],
            "originInvoiceType": CODES[blue["kind"]],
            "invoiceTotalPrice": Decimal(form["net"]),
            "invoiceTotalTax": Decimal(form["tax"]),
            "redInvoiceLabel": LABELS[form["reason"]],
            "confirmState": form["state"],
            "entryDate": _moment(form["began"]),
            "confirmDate": _moment(form["confirmed"]),
            "alreadyRedInvoiceFlag": "Y" if form["red_number"] else "N",
            "redInvoiceNo": red["number"] if red else "",
        }

    def _shown(self, row: Record, base: str, with_lines: bool) -> Record:
        status, is_red = STATUS[self.bureau.status(row)], row["colour"] == "red"
        issued = self.bureau.issued_at(row)
        number = row["number"] if issued else ""
        buyer = row["buyer"]
        shown = {
            "serialNo": _serial(row),
            "orderNo": row.get("order_no", row["serial"]),
            "status": status,
            "statusMessage": MESSAGES[status],
            "errorMessage": row["text"] if status == "02" else "",
            **{f"{kind}Url": f"{base}files/{_name(number)}.{kind}" if number else "" for kind in FILES},
            "invoiceTime": f"{issued:%Y-%m-%d %H:%M:%S}" if issued else "",
            "invoiceCode": "",
            "invoiceNo": number,
            "digitInvoiceNo": number,
            "invoiceTotalPrice": row["net"],
            "invoiceTotalTax": row["tax"],
            "invoiceTotalPriceTax": str(Decimal(row["net"]) + Decimal(row["tax"])),
            "priceTaxMark": "0",
            "buyerName": buyer["name"],
            "buyerTaxNo": buyer["tax_no"],
            "buyerAddress": buyer["address"],
            "buyerTelephone": buyer["phone"],
            "buyerBankName": buyer["bank"],
            "buyerBankNumber": buyer["account"],
            "invoiceTypeCode": CODES[row["kind"]],
            "drawer": row["drawer"],
            "taxNo": row["seller"]["tax_no"],
            "sellerName": row["seller"]["name"],
            "remarks": row["remark"],
            "requestSource": 0,
            "invoiceType": "2" if is_red else "1",
            "originalDigitInvoiceNo": row["blue_number"] if is_red else "",
        }
        return (
            {**shown, "invoiceDetailList": list(map(_detail, range(1, 10000), row["lines"]))} if with_lines else shown
        )

    async def _file(self, request: Request) -> Response:
        name, _, kind = request.path_params["name"].partition(".")
        rows = [*self.bureau.blues(), *(self.bureau.by_number(one["red_number"]) for one in self.bureau.forms())]
        row = next((one for one in rows if one and one["number"] and _name(one["number"]) == name), None)
        if row is None or kind not in FILES:
            return Response(b"", 404)
        return Response(FILES[kind](row, self.bureau), media_type="application/octet-stream")


def _no(query: Mapping[str, str], code: str, text: str) -> Response:
    said = {"code": int(code), "message": text, "subCode": "", "subMessage": ""}
    return json_response({"success": False, "method": query.get("method", ""), "errorResponse": said})


def _read(body: bytes) -> Record:
    try:
        given = codec.decode(body)
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        raise Rejected("100008", "请求体不是 JSON 对象")
    return given


def _name(number: str) -> str:
    """A file's name, which nobody guesses from its number."""
    return hashlib.sha256(f"baiwang {number}".encode()).hexdigest()[:24]


def _serial(row: Record) -> str:
    return f"{row['submitted']}{int(hashlib.sha256(row['serial'].encode()).hexdigest()[:6], 16):07d}"[-20:]


def _confirm_serial(form: Record) -> str:
    return f"1{form['form_no'][2:]}"


def _moment(milliseconds: int) -> str:
    if not milliseconds:
        return ""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def _detail(place: int, line: Record) -> Record:
    net, tax = Decimal(line["net"]), Decimal(line["tax"])
    return {
        "goodsLineNo": str(place),
        "goodsName": line["name"],
        "goodsSpecification": line["spec"],
        "goodsUnit": line["unit"],
        "goodsQuantity": line["qty"],
        "goodsPrice": line["price"],
        "goodsTotalPriceTax": str(net + tax),
        "goodsTotalPrice": line["net"],
        "goodsTotalTax": line["tax"],
        "goodsCode": line["tax_class_code"],
        "priceTaxMark": "0",
        "invoiceLineNature": NAMED[line["nature"]],
        "goodsTaxRate": line["rate"],
    }


def _asked_for(form: Record, body: Record) -> bool:
    """Whether a form fits the filters that were given."""
    names = ("redConfirmNo", "redConfirmUuid", "redConfirmSerialNo")
    fits = all(form[name] == body[name] for name in names if body.get(name))
    day = form["entryDate"][:10]
    return fits and str(body.get("beginDate") or "") <= day <= str(body.get("endDate") or "9999")


SANDBOX = BaiwangSandbox
