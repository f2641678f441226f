"""Invoices and red forms as 乐企 takes them, built on this side: what a mapping cannot know is added here.

Source: field tables of 乐企数字化电子发票开票能力说明文档 (基础版 V6.006), interfaces QDFPSC and QDHZQRDSQ, as cited by
public code. The code of a plain line (fphxz) is not among what could be read: it is a setting.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import VendorRejected

CHINA = timezone(timedelta(hours=8))
MOMENT = "%Y-%m-%d %H:%M:%S"
BLUE, RED = "0", "1"
SELLER = "0"
LINE_TEXTS = ("sphfwssflhbbm", "hwhyslwfwmc", "spfwjc", "xmmc", "ggxh", "dw")


class Builder:
    """Builds for one connection."""

    def __init__(self, connection: Connection) -> None:
        extra = connection.extra
        self.tax_no = connection.require("tax_no")
        self.seller = connection.require("seller_name")
        self.drawer = connection.require("drawer")
        self._line = {"fphxz": connection.require("line_code")}
        self._place = {
            "fpkjfsDm": str(extra.get("issuing_way") or "5"),
            "ip": connection.require("ip"),
            "macdz": connection.require("mac"),
            "ptbh": connection.login,
            "qyDm": connection.require("region"),
        }

    def blue(self, invoice: Record, number: str, seconds: float) -> Record:
        """The invoice of a payload under a number, issued now."""
        lines = [{**line, **self._line} for line in invoice["fpmxList"]]
        return {"fphm": number, "lzfpbz": BLUE, **invoice, **self._head(seconds), "fpmxList": lines}

    def red(self, form: Record, number: str, seconds: float) -> Record:
        """The red invoice of a form that stands, as its detail tells it."""
        net, tax = Decimal(str(form["hzcxje"])), Decimal(str(form["hzcxse"]))
        head = {
            "fppz": form["lzfppzDm"],
            "xsfnsrsbh": self.tax_no,
            "gmfzrrbz": "N",
            "gmfmc": form["gmfmc"],
            **({"gmfnsrsbh": form["gmfnsrsbh"]} if form.get("gmfnsrsbh") else {}),
            "hjje": net,
            "hjse": tax,
            "jshj": net + tax,
            "dylzfphm": str(form["lzfphm"]),
            "hzqrduuid": form["uuid"],
            "hzqrxxdbh": form["hzfpxxqrdbh"],
        }
        lines = [{**_of_form(line), **self._line} for line in form["hzqrdmxList"]]
        return {"fphm": number, "lzfpbz": RED, **head, **self._head(seconds), "fpmxList": lines}

    def form(self, payload: Record, blue: Record) -> Record:
        """The form by which a blue invoice is reversed: whole, or by the lines of the payload."""
        lines = [_part(blue, line) for line in payload["lines"]] or [_whole(line) for line in blue["fpmxList"]]
        return {
            "lrfsf": SELLER,
            "xsfnsrsbh": self.tax_no,
            "xsfmc": self.seller,
            **({"gmfnsrsbh": blue["gmfnsrsbh"]} if blue.get("gmfnsrsbh") else {}),
            "gmfmc": blue["gmfmc"],
            "lzfphm": blue["fphm"],
            "sfzzfpbz": "N",
            "lzkprq": blue["kprq"],
            "lzhjje": blue["hjje"],
            "lzhjse": blue["hjse"],
            "lzfppzDm": blue["fppz"],
            "hzcxje": Decimal(payload["net"]),
            "hzcxse": Decimal(payload["tax"]),
            "chyyDm": payload["reason"],
            "hzqrdmxList": [{**line, "xh": place} for place, line in enumerate(lines, 1)],
        }

    def _head(self, seconds: float) -> Record:
        moment = datetime.fromtimestamp(seconds, UTC).astimezone(CHINA)
        return {"xsfmc": self.seller, "kpr": self.drawer, "kprq": f"{moment:{MOMENT}}", **self._place}


def _texts(line: Record) -> Record:
    return {name: line[name] for name in LINE_TEXTS if line.get(name)}


def _whole(line: Record) -> Record:
    numbers = {"fpspdj": line["dj"], "fpspsl": f"-{line['sl']}"} if line.get("sl") else {}
    amounts = {"je": -Decimal(str(line["je"])), "sl1": line["slv"], "se": -Decimal(str(line["se"]))}
    return {"lzmxxh": line["mxxh"], **_texts(line), **numbers, **amounts}


def _part(blue: Record, taken: Record) -> Record:
    line = next((one for one in blue["fpmxList"] if one["mxxh"] == taken["blue_line"]), None)
    if line is None:
        raise VendorRejected(
            f"蓝票 {blue['fphm']} 没有第 {taken['blue_line']} 行, 无法红冲; 请核对红字申请的明细",
            en=f"the blue {blue['fphm']} has no line {taken['blue_line']}",
            code="leqi:line",
            where=str(blue["fphm"]),
        )
    numbers = {"fpspdj": line["dj"], "fpspsl": taken["qty"]} if taken.get("qty") and line.get("dj") else {}
    amounts = {"je": Decimal(taken["net"]), "sl1": line["slv"], "se": Decimal(taken["tax"])}
    return {"lzmxxh": line["mxxh"], **_texts(line), **numbers, **amounts}


def _of_form(line: Record) -> Record:
    net, tax = Decimal(str(line["je"])), Decimal(str(line["se"]))
    numbers = {"sl": line["fpspsl"], "dj": line["fpspdj"]} if line.get("fpspsl") else {}
    amounts = {"je": net, "slv": line["sl1"], "se": tax, "hsje": net + tax}
    return {"mxxh": line["xh"], "dylzfpmxxh": line["lzmxxh"], **_texts(line), **numbers, **amounts}
