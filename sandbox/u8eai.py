"""A local 用友 U8 with its EAI page: vouchers and archives by XML, errors as items, HTTP 200 whatever became of it.

Source: 用友 U8 EAI message formats and templates. Where those are silent this server has its own ways, all listed in
docs/connectors/u8eai.md.

Seed (each key may be absent; CONFIG and the chart of the 星空 sandbox, without dots, are the starting values)::

    {"senders": ["…"], "operators": ["…"], "words": ["记"], "periods": ["202611"], "classes": ["01"],
     "units": ["01"],
     "voucher_filter": "coutno_id",     the field of a query that stands for reserve2
     "remembers": true,                 a reserve2 that is there already is answered 数据重复上传
     "encoding": "utf-8",               of answers; with "gb2312" they carry no declaration, as ASP sends them
     "pages": 1,                        the totalpagenum of queries
     "accounts": [{"number": "1122", "name": "应收账款", "leaf": true, "aux": ["customer"]}],
     "customer": [{"code": "C001", "name": "…"}], "vendor": […], "inventory": […], "warehouse": […]}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from lxml import etree
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from duijie.connect import xml
from duijie.connect.errors import MalformedMessage
from sandbox import u8eai_archives as archives
from sandbox.k3cloud_chart import ACCOUNTS
from sandbox.kit import Handler, Sandbox
from sandbox.store import Store
from sandbox.u8eai_books import Books

ASP_ERROR = "<html><body><font face='宋体'>Microsoft VBScript 运行时错误 '800a01a8' 缺少对象</font></body></html>"
TYPES = ("application/xml", "text/xml", "application/x-www-form-urlencoded")
SEEDED = ("customer", "vendor", "inventory", "warehouse")
PROCS = ("add", "edit", "delete", "query")
CONFIG: dict[str, Any] = {
    "senders": ["DUIJIE2026"],
    "operators": ["对接制单"],
    "words": ["记", "收", "付", "转"],
    "periods": ["202611", "202612"],
    "classes": ["01"],
    "units": ["01"],
    "voucher_filter": "coutno_id",
    "remembers": True,
    "encoding": "utf-8",
    "pages": 1,
}
CUSTOMERS = [{"code": "C001", "name": "天猫旗舰店", "abbrname": "天猫旗舰店", "sort_code": "01"}]


class Refusal(Exception):
    """The whole message is refused with one item."""


class U8Sandbox(Sandbox):
    """One U8 server with one 账套."""

    name = "u8eai"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        if not self.store.get("config", "config"):
            self.seed({})

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """One page; IIS does not mind in which case it is asked for."""
        return [("POST", "/{folder}/{page}", self._serve)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """All is POST: the root says what it is."""
        return b'proc="query"' not in body.lower()

    def expire_tokens(self) -> None:
        """There are none."""

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what is absent stays as it is, or starts from the defaults."""
        kept = self.store.get("config", "config") or CONFIG
        self.store.put("config", "config", {**kept, **{name: data[name] for name in CONFIG if name in data}})
        accounts = data.get("accounts") or ([] if self.store.all("account") else ACCOUNTS)
        self.store.put_many("account", {row["number"].replace(".", ""): row for row in accounts})
        for archive in SEEDED:
            usual = CUSTOMERS if archive == "customer" and not self.store.all(archive) else []
            self.store.put_many(archive, {row["code"]: row for row in data.get(archive) or usual})

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or CONFIG

    async def _serve(self, request: Request) -> Response:
        if request.url.path.lower() != "/u8eai/import.asp":
            return HTMLResponse("<html><body>404 - 找不到文件或目录</body></html>", 404)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            root = xml.parse(await request.body())
            if root.tag != "ufinterface" or kind not in TYPES:
                raise MalformedMessage("不是 EAI 报文")
        except MalformedMessage:
            return HTMLResponse(ASP_ERROR, 500)
        return self._encoded(self._answer(root))

    def _answer(self, root: etree._Element) -> etree._Element:
        tag, proc = root.get("roottag", ""), root.get("proc", "").strip().lower()
        answer = etree.Element("ufinterface", roottag=tag, docid=root.get("docid", ""), proc=proc, sender="u8")
        answer.set("receiver", root.get("sender", ""))
        try:
            self._must_be_known(root, tag, proc)
            if proc == "query":
                self._query(root, tag, answer)
            else:
                self._add(root, tag, answer)
        except Refusal as refusal:
            etree.SubElement(answer, "item", key="", succeed="-1", dsc=str(refusal), u8key="")
        return answer

    def _must_be_known(self, root: etree._Element, tag: str, proc: str) -> None:
        if root.get("sender") not in self._config["senders"]:
            raise Refusal("外部系统编码未注册")
        if tag not in (*archives.FIELDS, "voucher") or proc not in PROCS:
            raise Refusal(f"不支持 {tag} 的 {proc}")
        if proc in ("edit", "delete") or (proc == "add" and tag == "dsign"):
            raise Refusal("暂不提供此项功能")

    def _add(self, root: etree._Element, tag: str, answer: etree._Element) -> None:
        objects = list(root.iterchildren(tag))
        if not objects:
            raise Refusal(f"报文中没有 {tag}")
        for one in objects:
            if tag == "voucher":
                answer.set("roottag", "voucheraddreturn")
                answer.set("request-roottag", "voucher")
                items = Books(self.store, self._config).add(one, {str(k): str(v) for k, v in root.attrib.items()})
            else:
                items = [archives.add(self.store, self._config, tag, one)]
            for item in items:
                etree.SubElement(answer, "item", item)

    def _query(self, root: etree._Element, tag: str, answer: etree._Element) -> None:
        filters = {one.get("name", ""): one.get("value", "") for one in root.iterfind(f"{tag}/field")}
        answer.set("totalpagenum", str(self._config["pages"]))
        try:
            if tag == "voucher":
                found = Books(self.store, self._config).found(filters)
            elif tag == "dsign":
                found = [_word(word) for word in self._config["words"]]
            else:
                found = archives.found(self.store, tag, filters)
        except KeyError as error:
            raise Refusal(f"查询字段 {error.args[0]} 不存在") from None
        answer.extend(found)

    def _encoded(self, answer: etree._Element) -> Response:
        if self._config["encoding"] == "utf-8":
            return Response(xml.serialise(answer), media_type="text/xml; charset=utf-8")
        told = xml.serialise(answer).decode().partition("?>")[2].lstrip()
        body = told.encode("gb18030", "xmlcharrefreplace")
        return Response(body, headers={"content-type": "text/html; charset=gb2312"})


def _word(word: str) -> etree._Element:
    element = etree.Element("dsign")
    etree.SubElement(element, "type").text = word
    etree.SubElement(element, "type_name").text = f"{word}账凭证" if word == "记" else f"{word}款凭证"
    return element


SANDBOX = U8Sandbox
