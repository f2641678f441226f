"""A local 乐企: numbers in advance, credit to download, uploads that are judged later, red forms, under SM4.

It exists so that the connector meets the layers, the states and the once-only numbers of the platform without being
admitted. **Its signature is its own**: `sandbox_signature` has nothing to do with the real access_signature, which is
not published, and says so in each value. Source: public code that cites 乐企数字化电子发票开票能力说明文档 (基础版
V6.006). Its own as well, since the tables could not be read: every `returncode` beside 00 and 01, every text, the
names of lists.

Seed (each key may be absent)::

    {"platform": "…", "user_platform": "…", "ability": "…", "sm4_key": "…", "signer_secret": "…", "tax_no": "…",
     "seller_name": "…", "needs_download": false, "issue_seconds": 2, "bureau": {settings of sandbox/bureau.py}}

`needs_download`: an upload beyond the credit that was downloaded fails. The bureau never makes a red invoice by itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin
from sandbox.bureau import Bureau
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.leqi_forms import Forms
from sandbox.leqi_uploads import Refused, Uploads
from sandbox.store import Store

SERVICES = "/access/v2/invoke/{ability}/{service}/"
WRITES = ("/QDFPSC/", "/QDHZQRDSQ/", "/QDHZQRDQR/")
MARK = "SANDBOX-ONLY-"
DEFAULTS: dict[str, Any] = {
    "platform": "PT-demo",
    "user_platform": "SY-demo",
    "ability": "01",
    "sm4_key": "0123456789abcdeffedcba9876543210",
    "signer_secret": "sandbox-secret",
    "tax_no": "339902999999789113",
    "seller_name": "乐企测试企业",
    "needs_download": False,
}


def sandbox_signature(path: str, body: bytes, secret: str) -> str:
    """What this sandbox takes for a signature, and nobody else."""
    return MARK + hmac.new(secret.encode(), path.encode() + b"\n" + body, hashlib.sha256).hexdigest()


class Call(Protocol):
    """What a signer is given."""

    @property
    def path(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def secret(self) -> str: ...


def sign(call: Call) -> str:
    """The signer for this sandbox, installed as `sandbox`; the real platform refuses what it makes."""
    return sandbox_signature(call.path, call.body, call.secret)


class LeqiSandbox(Sandbox):
    """One company that is connected directly."""

    name = "leqi"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self.bureau = Bureau(store, self.now)
        self.bureau.settings({"auto_red": False})

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Every service."""
        return [("POST", SERVICES, self._invoke), *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Every service is a POST; the path says which one it is."""
        return any(name in request.url.path for name in WRITES)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        self.store.put("config", "config", {**self.config, **{name: data[name] for name in DEFAULTS if name in data}})
        told = {"issue_seconds": str(data["issue_seconds"])} if "issue_seconds" in data else {}
        self.bureau.settings({**told, **data.get("bureau", {})})

    def expire_tokens(self) -> None:
        """There are none: every call is signed."""

    @property
    def config(self) -> dict[str, Any]:
        """The company's settings."""
        return {**DEFAULTS, **(self.store.get("config", "config") or {})}

    async def _invoke(self, request: Request) -> Response:
        body = await request.body()
        try:
            data = self._opened(request, body)
        except Refused as refused:
            return _outer(
                {"RequestId": secrets.token_hex(16), "error": {"code": refused.code, "Message": str(refused)}}
            )
        try:
            told = {"returncode": "00", "returnmsg": "成功", **self._carry_out(request.path_params["service"], data)}
        except Refused as refused:
            told = {"returncode": refused.code, "returnmsg": str(refused)}
        return _outer({"RequestId": secrets.token_hex(16), "Data": self._encrypted(codec.encode_ordered(told))})

    def _opened(self, request: Request, body: bytes) -> Any:
        config, headers = self.config, request.headers
        service, ability = request.path_params["service"], request.path_params["ability"]
        told = (ability, headers.get("nlbm"), headers.get("jrdwptbh"), headers.get("sydwptbh"), headers.get("fwbm"))
        known = (config["ability"], config["ability"], config["platform"], config["user_platform"], service)
        if told != known:
            raise Refused("GW01", "平台编号或能力编码未授权")
        made = sandbox_signature(request.url.path, body, config["signer_secret"])
        if not hmac.compare_digest(made, headers.get("access_signature", "")):
            raise Refused("GW02", "验签失败")
        try:
            return codec.decode(self._decrypted(body.decode()))
        except (ValueError, msgspec.DecodeError):
            raise Refused("GW03", "报文解密失败") from None

    def _carry_out(self, service: str, data: Any) -> dict[str, Any]:
        uploads, forms = Uploads(self.bureau, self.store, self.config), Forms(self.bureau, self.config)
        services: dict[str, Callable[[Any], dict[str, Any]]] = {
            "QDFPPLFM": uploads.numbers,
            "CXSXED": uploads.credit,
            "XZTHSXED": uploads.download,
            "QDFPSC": uploads.upload,
            "CXQDFPSCJG": uploads.result,
            "QDHZQRDSQ": forms.apply,
            "QDHZQRDQR": forms.answer,
            "CXQDHZQRDLB": forms.listed,
            "CXQDHZQRDMX": forms.detail,
        }
        if service not in services:
            raise Refused("90", f"本沙箱不提供服务 {service}")
        return services[service](data)

    def _encrypted(self, body: bytes) -> str:
        padder, encryptor = PKCS7(128).padder(), self._cipher().encryptor()
        padded = padder.update(body) + padder.finalize()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def _decrypted(self, text: str) -> bytes:
        decryptor, unpadder = self._cipher().decryptor(), PKCS7(128).unpadder()
        padded = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()

    def _cipher(self) -> Cipher[modes.ECB]:
        return Cipher(algorithms.SM4(bytes.fromhex(self.config["sm4_key"])), modes.ECB())  # noqa: S305  as prescribed


def _outer(inner: dict[str, Any]) -> Response:
    return json_response({"httpStatusCode": "200", "body": codec.encode_ordered({"Response": inner}).decode()})


SANDBOX = LeqiSandbox
