"""Numbers, credit and uploads of 乐企 over the bureau: QDFPPLFM, CXSXED, XZTHSXED, QDFPSC, CXQDFPSCJG.

The number of an invoice is the caller's, out of those that were handed out; the bureau's own stays behind it. Fields
that are missing or too long are refused at once, everything else is judged after the upload: 00 done, 01 on its way, 02
failed, 03 uploaded before. A number whose upload failed may be uploaded again.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bureau import CHINA, Blue, Bureau, Line, Party, Record
from sandbox.bureau import Refused as BureauRefused
from sandbox.store import Store

FIELD, NOTHING = "99", "01"
DONE, ON_ITS_WAY, FAILED, BEFORE = "00", "01", "02", "03"
STATUS = {"issuing": ON_ITS_WAY, "signing": ON_ITS_WAY, "issued": DONE, "failed": FAILED}
KINDS = {"01": "special", "02": "normal"}
MOST_NUMBERS = 5000
KEPT = timedelta(hours=12)
HEAD = {"fphm": 20, "fpkjfsDm": 1, "fppz": 2, "xsfnsrsbh": 20, "xsfmc": 300, "gmfmc": 300, "kpr": 300, "kprq": 19}
PLACE = {"ip": 20, "macdz": 20, "ptbh": 20, "qyDm": 20}
LINE = {"xmmc": 600, "hwhyslwfwmc": 300, "spfwjc": 120, "sphfwssflhbbm": 19, "fphxz": 2}


class Refused(Exception):
    """A refusal with a code of this sandbox's own."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def must(holds: bool, text: str, code: str = FIELD) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise Refused(code, text)


def number(row: Record, name: str) -> Decimal:
    """A field that must be a number."""
    try:
        return Decimal(str(row.get(name, "")))
    except InvalidOperation:
        raise Refused(FIELD, f"{name} 不是数字") from None


class Uploads:
    """The uploads of one seller."""

    def __init__(self, bureau: Bureau, store: Store, config: Record) -> None:
        self._bureau = bureau
        self._store = store
        self._config = config

    def numbers(self, given: Record) -> Record:
        """QDFPPLFM: numbers that nobody else gets."""
        self._own(given.get("nsrsbh"))
        wanted = int(number(given, "lysl"))
        must(0 < wanted <= MOST_NUMBERS, f"lysl 应为 1 至 {MOST_NUMBERS}")
        first = (self._store.get("leqi_pool", "next") or {"value": 1})["value"]
        self._store.put("leqi_pool", "next", {"value": first + wanted})
        return {"fpqshm": self._number(first), "fpzzhm": self._number(first + wanted - 1), "lysl": str(wanted)}

    def credit(self, given: Record) -> Record:
        """CXSXED."""
        self._own(given.get("nsrsbh"))
        line, used = self._bureau.credit()
        taken = max(self._downloaded(), used)
        return {"bysxed": f"{line:.2f}", "kysyed": f"{line - taken:.2f}", "yxzwsyed": f"{taken - used:.2f}"}

    def download(self, given: Record) -> Record:
        """XZTHSXED, sqlx 0: download."""
        self._own(given.get("nsrsbh"))
        line, used = self._bureau.credit()
        taken = max(self._downloaded(), used) + number(given, "sqed")
        must(given.get("sqlx") == "0" and taken <= line, "可下载额度不足")
        self._store.put("leqi_credit", self._bureau.month(), {"downloaded": str(taken)})
        return {"ywlsh": given.get("ywlsh")}

    def upload(self, given: Any) -> Record:
        """QDFPSC: a list of invoices, received as one."""
        must(isinstance(given, list) and bool(given), "应为发票列表")
        for invoice in given:
            self._check(invoice)
        rows = [{"fphm": invoice["fphm"], **self._received(invoice)} for invoice in given]
        receipt = f"SL{self._store.next('leqi_receipt'):030d}"
        self._store.put("leqi_upload", receipt, {"rows": rows, "at": self._bureau.milliseconds()})
        return {"sllsh": receipt}

    def result(self, given: Record) -> Record:
        """CXQDFPSCJG, for twelve hours."""
        kept = self._store.get("leqi_upload", str(given.get("sllsh")))
        known = kept is not None and self._bureau.milliseconds() - kept["at"] < KEPT / timedelta(milliseconds=1)
        must(known, "未查询到受理流水号", NOTHING)
        return {"resultList": [self._result(row) for row in (kept or {})["rows"]]}

    def _number(self, value: int) -> str:
        return f"{self._bureau.now().astimezone(CHINA):%y}995{value:015d}"

    def _downloaded(self) -> Decimal:
        return Decimal((self._store.get("leqi_credit", self._bureau.month()) or {"downloaded": "0"})["downloaded"])

    def _own(self, tax_no: Any) -> None:
        must(tax_no == self._config["tax_no"], "纳税人识别号未授权")

    def _check(self, invoice: Record) -> None:
        self._own(invoice.get("xsfnsrsbh"))
        _texts(invoice, {**HEAD, **PLACE}, "发票")
        must(len(str(invoice.get("bz") or "")) <= 450, "bz 超过 450 个字符")
        must(invoice["fppz"] in KINDS and invoice.get("lzfpbz") in ("0", "1"), "fppz 或 lzfpbz 无效")
        must(invoice.get("gmfzrrbz") in ("Y", "N"), "gmfzrrbz 应为 Y 或 N")
        must(invoice["fppz"] != "01" or bool(invoice.get("gmfnsrsbh")), "专票购方纳税人识别号不能为空")
        handed = (self._store.get("leqi_pool", "next") or {"value": 1})["value"]
        serial = invoice["fphm"]
        must(serial[2:5] == "995" and serial.isdigit() and int(serial[5:]) < handed, "fphm 不是赋予本企业的号码")
        lines = invoice.get("fpmxList")
        must(isinstance(lines, list) and bool(lines), "缺少 fpmxList")
        for line in lines or []:
            _texts(line, LINE, f"第 {line.get('mxxh')} 行")
            must(line["xmmc"].startswith(f"*{line['spfwjc']}*"), "xmmc 应为 *简称*名称")
            must(("sl" in line) <= ("dj" in line), "有数量必须有单价")
            must(number(line, "je") + number(line, "se") == number(line, "hsje"), "hsje 应为 je 与 se 之和")
        for name, of_line in (("hjje", "je"), ("hjse", "se"), ("jshj", "hsje")):
            total = sum((number(line, of_line) for line in lines or []), Decimal(0))
            must(number(invoice, name) == total, f"{name} 与明细合计不符")

    def _received(self, invoice: Record) -> Record:
        """What is settled already; nothing where time will tell."""
        try:
            return self._red(invoice) if invoice["lzfpbz"] == "1" else self._blue(invoice)
        except BureauRefused as refused:
            return {"status": FAILED, "message": refused.text}

    def _blue(self, invoice: Record) -> Record:
        kept = self._bureau.blue(invoice["fphm"])
        if kept is None:
            if (
                self._config["needs_download"]
                and number(invoice, "hjje") > self._downloaded() - self._bureau.credit()[1]
            ):
                return {"status": FAILED, "message": "已下载的授信额度不足"}
            self._bureau.submit(self._of(invoice))
            return {}
        if self._bureau.status(kept) != "failed":
            return {"status": BEFORE, "message": "重复上传"}
        if number(invoice, "hjje") != Decimal(kept["net"]):
            return {"status": FAILED, "message": "与该号码此前上传的内容不一致"}
        self._bureau.retry(invoice["fphm"])
        return {}

    def _red(self, invoice: Record) -> Record:
        form = next(iter(self._bureau.forms(uuid=str(invoice.get("hzqrduuid")))), None)
        if form is None or form["form_no"] != invoice.get("hzqrxxdbh"):
            return {"status": FAILED, "message": "未找到红字信息确认单"}
        if self._bureau.red(invoice["fphm"]):
            return {"status": BEFORE, "message": "重复上传"}
        if (number(invoice, "hjje"), number(invoice, "hjse")) != (Decimal(form["net"]), Decimal(form["tax"])):
            return {"status": FAILED, "message": "金额与红字信息确认单不一致"}
        if any("dylzfpmxxh" not in line for line in invoice["fpmxList"]):
            return {"status": FAILED, "message": "红字发票缺少 dylzfpmxxh"}
        self._bureau.issue_red(form["form_no"], invoice["fphm"])
        return {}

    def _result(self, row: Record) -> Record:
        if "status" in row:
            return {"message": "", **row}
        made = self._bureau.blue(row["fphm"]) or self._bureau.red(row["fphm"]) or {}
        return {"fphm": row["fphm"], "status": STATUS[self._bureau.status(made)], "message": made["text"]}

    def _of(self, invoice: Record) -> Blue:
        names = ("gmfmc", "gmfnsrsbh", "gmfdz", "gmfdh", "gmfkhh", "gmfzh")
        lines = invoice["fpmxList"]
        return Blue(
            serial=invoice["fphm"],
            kind=KINDS[invoice["fppz"]],
            seller=Party(invoice["xsfmc"], invoice["xsfnsrsbh"]),
            buyer=Party(*(str(invoice.get(name) or "") for name in names)),
            lines=tuple(_line(line) for line in lines),
            remark=str(invoice.get("bz") or ""),
            drawer=invoice["kpr"],
            extra={
                "kprq": invoice["kprq"],
                "lines": [{name: line[name] for name in ("mxxh", "xmmc", "spfwjc")} for line in lines],
            },
        )


def _line(line: Record) -> Line:
    return Line(
        name=line["hwhyslwfwmc"],
        tax_class_code=line["sphfwssflhbbm"],
        rate=number(line, "slv"),
        net=number(line, "je"),
        tax=number(line, "se"),
        spec=str(line.get("ggxh") or ""),
        unit=str(line.get("dw") or ""),
        qty=number(line, "sl") if "sl" in line else None,
        price=number(line, "dj") if "dj" in line else None,
        policy=str(line.get("yhzcbs") or ""),
    )


def _texts(given: Record, lengths: dict[str, int], where: str) -> None:
    for name, most in lengths.items():
        value = given.get(name)
        must(isinstance(value, str) and 0 < len(value) <= most, f"{where} 的 {name} 应为 1 至 {most} 个字符")


__all__ = ["Refused", "Uploads"]
