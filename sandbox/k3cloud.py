"""A local 金蝶云星空: the WebAPI's two body styles, its sign-in by headers or login, vouchers, base
data, stock, and the bills of sales and purchase.

Source: 金蝶云星空 WebAPI documentation and the vendor's SDK 8.2.0. Where those are silent this server has its own
ways, all listed in docs/connectors/k3cloud.md.

Seed (each key may be absent; `sandbox.k3cloud_chart` holds the starting values)::

    {"acct_id": "…", "user": "…", "app_id": "205022_…", "app_secret": "…", "account_book": "001",
     "accounts":   [{"number": "1122", "name": "应收账款", "leaf": true, "disabled": false, "aux": ["customer"]}],
     "customers":  [{"number": "C001", "name": "…"}],      or a model as a Save would bring it; so are the next:
     "materials", "suppliers", "warehouses", "units", "organisations", "currencies", "bill_types", "tax_rates": […],
     "inventory":  [{"material": "A1", "stock": "CK01", "quantity": 5, "reserved": 1, "lot": "", "org": "100"}],
     "groups":     {"PRE001": "记"},
     "periods":    {"open": ["202611"]},
     "key_fields": {"F_DJ_SOURCEKEY": 80},     custom text fields of the voucher head: name → length
     "silent_reissue": true,                   signed calls with a dead session: reissue it, or answer MsgCode 1
     "forgets_repeats": true,                  ValidateRepeatJson lets a JSON pass again once its document is deleted
     "denied":     ["SAL_SaleOrder.Audit"],    what the integration user may not do: MsgCode 2
     "limits":     {"calls": 100, "seconds": 60}}
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.k3cloud_chart import ACCOUNTS, BASE_DATA, CONFIG
from sandbox.k3cloud_documents import Documents
from sandbox.k3cloud_forms import BY_ID, INVENTORY
from sandbox.k3cloud_ledger import ACCOUNT, VOUCHER, Chart, Vouchers
from sandbox.k3cloud_operations import Fault, Operations, Refusal, failed
from sandbox.k3cloud_stock import row_of
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store

CHINA = timezone(timedelta(hours=8))
SUFFIX = ".common.kdsvc"
FORMS = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
AUTH = "Kingdee.BOS.WebApi.ServicesStub.AuthService"
IDLE_SECONDS = 20 * 60
SKEW_SECONDS = 15 * 60
MASK = b"0054f397c6234378b09ca7d3e5debce7"
LOST = "会话信息已丢失，请重新登录"
WRITES = frozenset(("Save", "BatchSave", "Draft", "Submit", "Audit", "UnAudit", "Delete", "CancelAssign"))


class K3CloudSandbox(Sandbox):
    """One data centre with one application and one 账簿."""

    name = "k3cloud"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._sessions: dict[str, float] = {}
        self._calls: deque[float] = deque()
        if not self.store.get("config", "config"):
            self.seed({})

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Every service hangs below /k3cloud/."""
        return [("POST", "/k3cloud/{service}", self._serve)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """All is POST: only saving, auditing and deleting change something."""
        return request.url.path.removesuffix(SUFFIX).rpartition(".")[2] in WRITES

    def expire_tokens(self) -> None:
        """Forget every session."""
        self._sessions.clear()

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what is absent stays as it is, or starts from the defaults."""
        kept = self.store.get("config", "config") or CONFIG
        self.store.put("config", "config", {**kept, **{name: data[name] for name in CONFIG if name in data}})
        accounts = data.get("accounts") or ([] if self.store.all(ACCOUNT) else ACCOUNTS)
        self.store.put_many(ACCOUNT, {row["number"]: row for row in accounts})
        for form_id, (name, defaults) in BASE_DATA.items():
            rows = data.get(name) or ([] if self.store.all(form_id) else defaults)
            self._keep(form_id, rows)
        self._stock(data.get("inventory") or [])

    def shift_pages(self) -> None:
        """The first document of every form is deleted: that is what moves rows here, where lists go by id."""
        for form_id in (VOUCHER, *(form.form_id for form in BY_ID.values())):
            for key in list(self.store.keys(form_id))[:1]:
                self.store.drop(form_id, key)

    def _keep(self, form_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Base data as if a person had entered and audited it; {"number", "name"} are short for FNumber and FName."""
        work = self._work(form_id)
        if not isinstance(work, Documents):
            return
        for row in rows:
            model = {"FNumber": row["number"], "FName": row["name"]} if "number" in row else row
            old = self.store.get(form_id, str(model["FNumber"]))
            work.keep(model, old, fdocumentstatus="C", fforbidstatus="B" if row.get("disabled") else "A")

    def _stock(self, rows: Sequence[dict[str, Any]]) -> None:
        stamp = self.now().astimezone(CHINA).isoformat(timespec="milliseconds")[:23]
        for row in rows:
            given = (Decimal(str(row.get(name, 0))) for name in ("quantity", "reserved"))
            quantity, reserved = given
            lot, org = str(row.get("lot", "")), str(row.get("org", "100"))
            kept = row_of(row["material"], row["stock"], org, lot, quantity, stamp, reserved)
            self.store.put(INVENTORY, kept["fid"], kept)

    def _work(self, form_id: str) -> Operations | None:
        """What works on a form, None where there is none of this name."""
        now = self.now().astimezone(CHINA)
        if form_id.casefold() == VOUCHER.casefold():
            return Vouchers(self.store, self._config, now)
        if form_id.casefold() == ACCOUNT.casefold():
            return Chart(self.store, self._config, now)
        form = BY_ID.get(form_id.casefold())
        return Documents(form, self.store, self._config, now) if form else None

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or CONFIG

    async def _serve(self, request: Request) -> Response:
        service, _, operation = request.path_params["service"].removesuffix(SUFFIX).rpartition(".")
        try:
            body = codec.decode(await request.body() or b"{}")
        except msgspec.DecodeError:
            return Response("response_error:请求内容不是有效的 JSON", media_type="text/plain")
        if service == AUTH:
            return self._auth(operation, _parameters(body))
        if service != FORMS:
            return Response(f"response_error:服务 {service} 不存在", media_type="text/plain")
        return self._form(request, operation, body)

    def _form(self, request: Request, operation: str, body: Any) -> Response:
        if self._over_limit():
            return json_response(failed(14, [("", "接口调用次数超过许可上限", 0)]))
        session = self._session_of(request)
        if isinstance(session, Response):
            return session
        try:
            form, data = _arguments(body)
            answer = self._done(operation, str(data.get("FormId") or form), data)
        except Refusal as refusal:
            answer = [[refusal.envelope()]] if operation == "ExecuteBillQuery" else refusal.envelope()
        except msgspec.DecodeError:
            return Response("response_error:data 不是有效的 JSON", media_type="text/plain")
        if answer is None:
            return Response(f"response_error:方法 {operation} 未提供", media_type="text/plain")
        return _with_cookie(json_response(answer), session)

    def _done(self, operation: str, form: str, data: dict[str, Any]) -> Any:
        work = self._work(form)
        if work is None:
            raise Refusal([Fault("", f"业务对象 {form or '(空)'} 不存在", 10 if form else 5)])
        if f"{form}.{operation}" in self._config.get("denied", ()):
            raise Refusal([Fault("", f"您没有{work.label}的{operation}权限", 2)])
        return work.run(operation, data)

    def _over_limit(self) -> bool:
        limits = self._config["limits"]
        if not limits:
            return False
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - int(limits["seconds"]):
            self._calls.popleft()
        self._calls.append(now)
        return len(self._calls) > int(limits["calls"])

    def _session_of(self, request: Request) -> str | Response:
        """The session of a call: a living one, or a new one for a signed call; else the refusal."""
        given = request.headers.get("kdservice-sessionid") or request.cookies.get("kdservice-sessionid") or ""
        if self._sessions.get(given, 0.0) > time.monotonic():
            self._sessions[given] = time.monotonic() + IDLE_SECONDS
            return given
        fault = self._signature_fault(request)
        if fault == "acct":
            return Response("数据中心不存在", 403, media_type="text/plain")
        if fault or (given and not self._config["silent_reissue"]):
            return json_response(failed(1, [("", fault or LOST, 0)]))
        return self._new_session()

    def _new_session(self) -> str:
        session = secrets.token_hex(16)
        self._sessions[session] = time.monotonic() + IDLE_SECONDS
        return session

    def _signature_fault(self, request: Request) -> str:
        """What is wrong with the signed headers: "" nothing, "acct" an unknown data centre, else a sentence."""
        head, config = request.headers, self._config
        if "x-kd-signature" not in head:
            return LOST
        if not self._is_fresh(head.get("x-api-timestamp", "")):
            return "签名时间戳无效或已过期"
        try:
            appdata = base64.b64decode(head.get("x-kd-appdata", ""), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "X-Kd-Appdata 无法解析"
        acct, _, rest = appdata.partition(",")
        if acct != config["acct_id"]:
            return "acct"
        is_ours = head.get("x-kd-appkey") == config["app_id"] and rest.split(",")[0] == config["user"]
        signed = _hmac(config["app_secret"], config["app_id"] + appdata)
        if not is_ours or not hmac.compare_digest(head["x-kd-signature"], signed):
            return "应用签名验证失败"
        return "" if self._gateway_signed(request) else "网关签名验证失败"

    def _is_fresh(self, seconds: str) -> bool:
        return seconds.isdigit() and abs(int(seconds) - self.now().timestamp()) <= SKEW_SECONDS

    def _gateway_signed(self, request: Request) -> bool:
        head = request.headers
        encoded = self._config["app_id"].partition("_")[2]
        secret = base64.b64encode(bytes(a ^ b for a, b in zip(base64.b64decode(encoded), MASK, strict=False))).decode()
        names = head.get("x-api-signheaders", "").split(",")
        signed = "".join(f"{name}:{head.get(name, '')}\n" for name in sorted(names))
        text = f"POST\n{quote(request.url.path, safe='')}\n\n{signed}"
        return hmac.compare_digest(head.get("x-api-signature", ""), _hmac(secret, text))

    def _auth(self, operation: str, given: list[Any]) -> Response:
        config, texts = self._config, [str(one) for one in given]
        if operation == "Logout":
            return json_response(True)
        if texts[:1] != [config["acct_id"]]:
            return Response("数据中心不存在", 403, media_type="text/plain")
        if not self._is_login(operation, texts):
            return json_response({"LoginResultType": 0, "Message": "用户名、应用或签名错误", "KDSVCSessionId": None})
        session = self._new_session()
        context = {"UserName": config["user"], "DataCenterName": "Duijie sandbox", "UserLocale": "zh-CN"}
        answer = {"LoginResultType": 1, "Message": "", "KDSVCSessionId": session, "Context": context}
        return _with_cookie(json_response(answer), session)

    def _is_login(self, operation: str, texts: list[str]) -> bool:
        acct, user, app_id, secret = (str(self._config[name]) for name in ("acct_id", "user", "app_id", "app_secret"))
        if operation == "ValidateUser":
            return texts[1:3] == [user, str(self._config.get("password", secret))]
        if operation == "LoginByAppSecret":
            return texts[1:4] == [user, app_id, secret]
        if operation != "LoginBySign" or len(texts) < 5:
            return False
        sign = hashlib.sha256("".join(sorted((acct, user, app_id, secret, texts[3]))).encode()).hexdigest()
        return self._is_fresh(texts[3]) and texts[1:3] == [user, app_id] and texts[4] == sign


def _hmac(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest().encode()).decode()


def _with_cookie(response: Response, session: str) -> Response:
    response.set_cookie("kdservice-sessionid", session, httponly=True)
    return response


def _parameters(body: Any) -> list[Any]:
    given = body.get("parameters", []) if isinstance(body, dict) else []
    return list(codec.decode(given)) if isinstance(given, str) else list(given)


def _arguments(body: Any) -> tuple[str, dict[str, Any]]:
    """(form id, data) of either body style. Raises DecodeError when data is a text that is no JSON."""
    if "parameters" in body:
        given = _parameters(body)
        form, data = (str(given[0]), given[1]) if len(given) > 1 else ("", given[0] if given else {})
    else:
        form, data = str(body.get("formid", "")), body.get("data", {})
    data = codec.decode(data) if isinstance(data, str) else data
    return form, data if isinstance(data, dict) else {}


SANDBOX = K3CloudSandbox
