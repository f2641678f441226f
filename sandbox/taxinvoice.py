"""A local 发票SDK (api.fa-piao.com, v5): signed multipart calls, invoices issued while one waits, reds in two steps.

It exists so that the connector and the vendor's own client meet the platform's strictness without an account: the
signature over the path, the clock, tokens, nested form keys, arithmetic, the drawer's login (420, 430), red forms.
Source: the vendor's clients (PyPI tax-invoice 1.0.17, github.com/fapiaoapi). Not published, and so the sandbox's own:
how far a clock may be off, the codes 400 and 432, whether one serial makes one invoice (`deduplicates`), and what
hzxxbtb and creditLine call their fields.

Seed (each key may be absent)::

    {"app_key": "…", "app_secret": "…", "tax_no": "339902999999789113", "seller_name": "…", "username": "13800000000",
     "deduplicates": false, "bureau": {settings of sandbox/bureau.py},
     "issued": [forms of blueTicket], "begun": [forms of hzxxbsq]}
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox import bureau_admin, bureau_files
from sandbox.bureau import CHINA, Bureau, Refused
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store
from sandbox.taxinvoice_forms import NoForm, Record, blue_of, field, nested, red_of

ROOT = "/v5/enterprise/"
SKEW_SECONDS = 600
TOKEN_SECONDS = 30 * 86400
WRITES = ("blueTicket", "hzxxbsq", "hzfpkj")
DEFAULTS: Record = {
    "app_key": "AK-demo-0001",
    "app_secret": "AS-demo-secret-0001",
    "tax_no": "339902999999789113",
    "seller_name": "发票SDK测试企业",
    "username": "13800000000",
    "deduplicates": False,
}
CODES = {"login": 420, "scan": 430}
FILES = {"pdfUrl": "pdf", "ofdUrl": "ofd", "xmlUrl": "xml"}
KINDS = {"pdf": "application/pdf", "ofd": "application/octet-stream", "xml": "application/xml"}

Method = Callable[[Record], Any]


class NotAllowed(Exception):
    """An answer with a code of its own."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class TaxInvoiceSandbox(Sandbox):
    """One application of one seller and one drawer."""

    name = "taxinvoice"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self.bureau = Bureau(store, self.now)
        self.bureau.settings({"issue_seconds": "0", "auto_red": False})
        self._methods: Mapping[str, Method] = {
            "authorization": self._authorise,
            "queryFaceAuthState": self._state,
            "loginDppt": self._log_in,
            "getFaceImg": self._code,
            "getFaceState": self._scanned,
            "blueTicket": self._blue,
            "pdfOfdXml": self._links,
            "retMsg": self._may_be_reversed,
            "hzxxbsq": self._begin,
            "hzfpkj": self._red,
            "hzxxbtb": self._forms,
            "creditLine": self._credit,
        }

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Every path as POST, the codes to scan as GET, the files."""
        own: list[tuple[str, str, Handler]] = [("POST", f"{ROOT}{path}", self._called) for path in self._methods]
        own += [("GET", f"{ROOT}{path}", self._called) for path in ("getFaceImg", "getFaceState")]
        own.append(("GET", "/files/{number}.{kind}", self._file))
        return [*own, *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Queries are POSTs too."""
        return request.url.path.rpartition("/")[2] in WRITES

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        given = {name: data[name] for name in DEFAULTS if name in data}
        self.store.put("config", "config", {**self._config, **given})
        self.bureau.settings(data.get("bureau", {}))
        for form in data.get("issued", []):
            self._blue(form)
        for form in data.get("begun", []):
            self._begin(form)

    def expire_tokens(self) -> None:
        """Forget every token."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    @property
    def _config(self) -> Record:
        return self.store.get("config", "config") or DEFAULTS

    async def _called(self, request: Request) -> Response:
        path = request.url.path.removeprefix(ROOT)
        try:
            given = await _read(request)
            self._check_caller(request, path, given)
            told = self._methods[path]({**given, "_url": str(request.base_url)})
        except NotAllowed as refused:
            return json_response({"code": refused.code, "msg": str(refused), "data": None})
        except NoForm as refused:
            return json_response({"code": 400, "msg": str(refused), "data": None})
        except Refused as refused:
            return json_response({"code": CODES.get(refused.reason, 400), "msg": refused.text, "data": None})
        return json_response({"code": 200, "msg": "成功", "data": told})

    def _check_caller(self, request: Request, path: str, given: Record) -> None:
        head, config = request.headers, self._config
        if head.get("appkey") != config["app_key"]:
            raise NotAllowed(432, "AppKey 不存在")
        random, seconds = head.get("randomstring", ""), head.get("timestamp", "")
        if len(random) != 20 or not seconds.isdigit():
            raise NotAllowed(432, "缺少 RandomString 或 TimeStamp")
        if abs(self.now().timestamp() - int(seconds)) > SKEW_SECONDS:
            raise NotAllowed(432, "TimeStamp 与服务器时间相差过大")
        text = f"Method={request.method}&Path={request.url.path}&RandomString={random}&TimeStamp={seconds}&AppKey="
        digest = (
            hmac.new(config["app_secret"].encode(), (text + config["app_key"]).encode(), sha256).hexdigest().upper()
        )
        if not hmac.compare_digest(digest, head.get("sign", "")):
            raise NotAllowed(432, "签名错误")
        token = self.store.get("token", head.get("authorization", ""))
        if path != "authorization" and (token is None or token["until"] < self.now().timestamp()):
            raise NotAllowed(401, "授权失效, 请重新授权")
        if given.get("nsrsbh", given.get("xhdwsbh", "")) != config["tax_no"]:
            raise NotAllowed(400, "税号未授权给该应用")

    def _authorise(self, given: Record) -> Record:
        token = secrets.token_hex(16)
        self.store.put("token", token, {"until": int(self.now().timestamp()) + TOKEN_SECONDS})
        return {"token": token}

    def _state(self, given: Record) -> Record:
        self._must_be_logged_in()
        return {}

    def _log_in(self, given: Record) -> Record:
        """Without `sms` the code is sent, with it the drawer is in."""
        if given.get("sms"):
            self.bureau.settings({"login": "in"})
        return {}

    def _code(self, given: Record) -> Record:
        number = f"{self.store.next('rzid'):08d}"
        return {
            "rzid": number,
            "nsrsbh": given["nsrsbh"],
            "ewm": f"https://bureau.invalid/face/{number}",
            "ewmly": "swj",
        }

    def _scanned(self, given: Record) -> Record:
        return {"rzid": given.get("rzid", ""), "slzt": "2" if self.bureau.login() == "in" else "1"}

    def _must_be_logged_in(self) -> None:
        if (stands := self.bureau.login()) != "in":
            raise NotAllowed(430 if stands == "scan" else 420, "需要人脸认证" if stands == "scan" else "需要短信登录")

    def _blue(self, given: Record) -> Record:
        serial = field(given, "fpqqlsh", 50)
        earlier = self.store.get("serial", serial)
        if earlier and self._config["deduplicates"]:
            return self._issued(earlier["bureau"])
        own = f"{serial}~{earlier['times'] + 1}" if earlier else serial
        blue = blue_of(own, given)
        self.bureau.admit(blue)
        self.bureau.submit(blue)
        self.store.put("serial", serial, {"bureau": own, "times": (earlier or {"times": 0})["times"] + 1})
        return self._issued(own)

    def _issued(self, serial: str) -> Record:
        row = self.bureau.blue(serial) or {}
        return {"Fphm": row["number"], "Kprq": self._moment(row)}

    def _moment(self, row: Record) -> str:
        at = self.bureau.issued_at(row)
        return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}" if at else ""

    def _links(self, given: Record) -> Record:
        row = self.bureau.by_number(given.get("fphm", ""))
        if row is None:
            raise NotAllowed(400, "未找到该发票")
        if given.get("downflag") != "4":
            raise NotAllowed(400, "本沙箱只提供下载地址 (downflag=4)")
        return {name: f"{given['_url']}files/{row['number']}.{kind}" for name, kind in FILES.items()}

    async def _file(self, request: Request) -> Response:
        number, kind = request.path_params["number"], request.path_params["kind"]
        row = self.bureau.by_number(number)
        if row is None or kind not in KINDS:
            return Response(status_code=404)
        made: bytes = getattr(bureau_files, kind)(row, self.bureau)
        return Response(made, media_type=KINDS[kind])

    def _may_be_reversed(self, given: Record) -> Record:
        self._must_be_logged_in()
        row = self.bureau.by_number(given.get("fphm", ""))
        if row is None:
            raise NotAllowed(400, "未找到该蓝票")
        if row["colour"] == "red":
            raise NotAllowed(400, "该发票为红字发票, 不能红冲")
        return {"fphm": row["number"]}

    def _begin(self, given: Record) -> Record:
        self._must_be_logged_in()
        row = self.bureau.begin(red_of(f"A{self.store.next('application'):012d}", given))
        return {"xxbbh": row["form_no"]}

    def _red(self, given: Record) -> Record:
        self._must_be_logged_in()
        serial = field(given, "fpqqlsh", 50)
        forms = self.bureau.forms(form_no=given.get("tzdbh", ""))
        if not forms or forms[0]["blue_number"] != given.get("yfphm"):
            raise NotAllowed(400, "红字信息表与原发票不符")
        if forms[0]["red_number"] and not self._config["deduplicates"]:
            raise NotAllowed(400, "该红字信息表已开具红字发票")
        row = self.bureau.issue_red(given["tzdbh"], serial)
        return {"Fphm": row["number"], "Kprq": self._moment(row)}

    def _forms(self, given: Record) -> list[Record]:
        self._must_be_logged_in()
        rows = self.bureau.forms(form_no=given["xxbbh"]) if given.get("xxbbh") else self.bureau.forms()
        days = (given.get("kprqq", "00000000"), given.get("kprqz", "99999999"))
        return [_form(row) for row in rows if days[0] <= _day(row["began"]) <= days[1]]

    def _credit(self, given: Record) -> Record:
        total, used = self.bureau.credit()
        return {"sxzed": str(total), "yyed": str(used)}


def _form(row: Record) -> Record:
    """Our own names: the vendor publishes none."""
    return {
        "xxbbh": row["form_no"],
        "yfphm": row["blue_number"],
        "qrdzt": row["state"],
        "lrfsf": "0" if row["initiator"] == "seller" else "1",
        "hjje": row["net"],
        "hjse": row["tax"],
        "hzfphm": row["red_number"],
    }


def _day(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, CHINA):%Y%m%d}"


async def _read(request: Request) -> Record:
    if request.method == "GET":
        return dict(request.query_params)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise NotAllowed(400, "请以 multipart/form-data 提交")
    form = await request.form()
    return nested([(name, str(value)) for name, value in form.multi_items()])


SANDBOX = TaxInvoiceSandbox
