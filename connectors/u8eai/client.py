"""Messages to the EAI page of U8 and the reading of its answers.

A message is one `ufinterface` element; the answer is HTTP 200 whatever became of it. To `add` it has `item`s: `succeed`
0 is done, anything else is not, `dsc` says why. To `Query` it has the objects themselves, as they would be imported.
Source: 用友 U8 "U8 开发之 EAI 接口" (message formats), the templates of the EAI (Voucher, customer, Vendor, inventory,
Warehouse, Dsign).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lxml import etree

from connectors.u8eai.settings import RATE, RECEIVER
from duijie.connect import xml
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, DuijieError, InvalidDocument, MalformedMessage
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Answer, Http
from duijie.connect.services import Services

PAGE = "/U8EAI/import.asp"
VERSION = "2.0"
DONE = "0"
DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
SAID = (
    ("重复上传", "exists"),
    ("已经存在", "exists"),
    ("已存在", "exists"),
    ("未注册", "unregistered"),
    ("外部系统", "unregistered"),
)
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
Item = Mapping[str, str]


class Client:
    """One registered external system."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._sender = connection.password
        self._receiver = str(connection.extra.get("receiver") or RECEIVER)
        self._url = f"{connection.base_url}{PAGE}"
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self.clock = services.clock
        self.retrier = services.retrier(connection.conn_id)

    def add(self, content: etree._Element, docid: str, **more: str) -> Item:
        """Import one object, once: the item that says it is done. Raises errors of the tree for any other answer."""
        root = self._root(content.tag, "add", docid, **more)
        root.append(content)
        items = [{str(name): str(value) for name, value in one.attrib.items()} for one in self._send(root).iter("item")]
        return _settled(items, content.tag)

    def query(self, roottag: str, fields: Mapping[str, str]) -> list[etree._Element]:
        """The objects whose fields are these, all where none is named; repeated as long as that can help.

        Raises errors of the tree, also when U8 answers a part of them only.
        """
        root = self._root(roottag, "Query", "")
        if fields:
            asked = etree.SubElement(root, roottag)
            for name, value in fields.items():
                condition = {"display": "", "name": name, "operation": "=", "value": value, "logic": ""}
                etree.SubElement(asked, "field", condition)
        answer = self.retrier.read(partial(self._send, root))
        for one in answer.iter("item"):
            if "succeed" in one.attrib and one.get("succeed", "").strip() != DONE:
                raise _refusal([dict(one.attrib)], roottag)  # type: ignore[arg-type]
        if answer.get("totalpagenum", "1").strip() not in ("", "0", "1"):
            raise ERRORS.error("paged", answer.get("totalpagenum", ""), where=roottag)
        return list(answer.iterchildren(roottag))

    def _root(self, roottag: str, proc: str, docid: str, **more: str) -> etree._Element:
        given = {"roottag": roottag, "billtype": "", "docid": docid, "receiver": self._receiver, "sender": self._sender}
        given |= {"proc": proc, "codeexchanged": "N", "exportneedexch": "N", **more, "version": VERSION}
        return etree.Element("ufinterface", given)

    def _send(self, root: etree._Element) -> etree._Element:
        headers = {"Content-Type": "application/xml; charset=utf-8"}
        return read(self._http.send("POST", self._url, body=xml.serialise(root), headers=headers))


def read(response: Answer) -> etree._Element:
    """The `ufinterface` of an answer. Raises AnswerLost for anything else.

    ASP pages may answer in the code page of the server, and say so in the header only.
    """
    body = response.content.strip()
    try:
        root = xml.parse(body)
    except MalformedMessage as error:
        root = _in_code_page(body, response.encoding, error)
    if root.tag != "ufinterface":
        raise _lost(f"the answer is <{root.tag}>")
    return root


def filled(tag: str, fields: Sequence[tuple[str, object]]) -> etree._Element:
    """An element with a child for every field, in order. Raises InvalidDocument for a text that XML cannot carry."""
    made = etree.Element(tag)
    for name, value in fields:
        try:
            etree.SubElement(made, name).text = str(value)
        except ValueError as error:
            raise InvalidDocument(
                f"{tag} 的 {name} 含有 XML 不能表示的控制字符; 请在来源系统更正后重放",
                en=f"{name} of {tag} holds a character that XML cannot carry; correct it at its source",
                where=name,
            ) from error
    return made


def _in_code_page(body: bytes, charset: str, error: MalformedMessage) -> etree._Element:
    if not charset.lower().startswith("gb"):
        raise _lost(error.en) from error
    try:
        return xml.parse(DECLARATION.sub("", body.decode("gb18030")).encode())
    except (UnicodeDecodeError, MalformedMessage):
        raise _lost(error.en) from error


def _settled(items: Sequence[Item], where: str) -> Item:
    """The first item where all say done. Done in part, or nothing said, leaves the outcome unknown."""
    bad = [one for one in items if one.get("succeed", "").strip() != DONE]
    if not items or (bad and len(bad) < len(items)):
        raise ERRORS.error("unreadable", f"{list(items)}"[:300], where=where)
    if bad:
        raise _refusal(bad, where)
    if "重复上传" in items[0].get("dsc", ""):
        raise ERRORS.error("exists", items[0]["dsc"], where=where)
    return items[0]


def _refusal(items: Sequence[Item], where: str) -> DuijieError:
    """What U8 says no for: a voucher has an item for every entry that is wrong."""
    lines = (("分录 " + one["entry_id"] + ": " if one.get("entry_id") else "") + one.get("dsc", "") for one in items)
    text = "; ".join(dict.fromkeys(lines)) or "未说明原因"
    code = next((kind for words, kind in SAID if words in text), items[0].get("succeed", ""))
    return ERRORS.error(code, text, where=where)


def _lost(why: str) -> AnswerLost:
    return AnswerLost(
        "U8 的应答不是 EAI 报文, 结果未知; 先查询再决定是否重发, 若持续请检查 U8 服务器上的 EAI 服务",
        en=f"the answer is no EAI message ({why}); it is looked up before any re-send",
        code="u8eai:answer",
    )
