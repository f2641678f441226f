"""Red forms of 乐企 over the bureau: QDHZQRDSQ, QDHZQRDQR, CXQDHZQRDLB, CXQDHZQRDMX.

A form names the blue invoice by the number that its seller gave it, and its lines by their mxxh. The list tells forms
without lines, newest last, and holds fifty on a page at most.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sandbox.bureau import CHINA, Bureau, Record, RedForm, RedLine
from sandbox.bureau import Refused as BureauRefused
from sandbox.leqi_uploads import NOTHING, Refused, must, number

REASONS = {"01": "wrong_invoice", "02": "sales_return", "03": "service_stopped", "04": "allowance"}
KINDS = {"special": "01", "normal": "02"}
ROWS_A_PAGE = 50
SIDES = {"seller": "0", "buyer": "1"}
MOMENT = "%Y-%m-%d %H:%M:%S"


class Forms:
    """The forms whose seller is one company."""

    def __init__(self, bureau: Bureau, config: Record) -> None:
        self._bureau = bureau
        self._config = config

    def apply(self, given: Record) -> Record:
        """QDHZQRDSQ by the seller."""
        self._own(given)
        must(given.get("lrfsf") == "0" and given.get("chyyDm") in REASONS, "lrfsf 或 chyyDm 无效")
        blue = self._bureau.blue(str(given.get("lzfphm")))
        must(blue is not None and bool(blue["number"]), "未找到蓝字发票")
        blue = blue or {}
        must(number(given, "lzhjje") == Decimal(blue["net"]), "lzhjje 与蓝字发票不符")
        must(given.get("lzfppzDm") == KINDS[blue["kind"]], "lzfppzDm 与蓝字发票不符")
        lines = tuple(_red_line(row, blue) for row in given.get("hzqrdmxList") or [])
        must(bool(lines), "缺少 hzqrdmxList")
        sums = (sum((line.net for line in lines), Decimal(0)), sum((line.tax for line in lines), Decimal(0)))
        must((number(given, "hzcxje"), number(given, "hzcxse")) == sums, "红冲金额与明细合计不符")
        serial = f"leqi-{len(self._bureau.forms()) + 1}"
        form = RedForm(serial, blue["number"], "seller", REASONS[given["chyyDm"]], lines)
        try:
            row = self._bureau.begin(form)
        except BureauRefused as refused:
            raise Refused("99", refused.text) from None
        return {"uuid": row["uuid"], "hzfpxxqrdbh": row["form_no"], "hzqrxxztDm": row["state"]}

    def answer(self, given: Record) -> Record:
        """QDHZQRDQR by the seller."""
        self._own(given)
        form = self._form(given)
        must(form["form_no"] == given.get("hzqrdbh") and given.get("qrlx") in ("Y", "N"), "hzqrdbh 或 qrlx 无效")
        try:
            row = self._bureau.answer(form["form_no"], "seller", given["qrlx"] == "Y")
        except BureauRefused as refused:
            raise Refused("99", refused.text) from None
        return {"uuid": row["uuid"], "hzqrxxztDm": row["state"]}

    def listed(self, given: Record) -> Record:
        """CXQDHZQRDLB."""
        self._own(given)
        rows = [self._shown(form) for form in self._bureau.forms()]
        same = {name: given[name] for name in ("lzfphm", "lrfsf") if given.get(name)}
        rows = [row for row in rows if all(row[name] == value for name, value in same.items())]
        since, until = str(given.get("lrrqq") or ""), str(given.get("lrrqz") or "9")
        rows = [row for row in rows if since <= row["lrrq"][:10] <= until]
        size, page = int(given.get("pageSize") or ROWS_A_PAGE), int(given.get("pageNumber") or 1)
        must(0 < size <= ROWS_A_PAGE, f"pageSize 应为 1 至 {ROWS_A_PAGE}")
        shown = rows[(page - 1) * size : page * size]
        must(bool(shown), "未查询到数据", NOTHING)
        return {"hzqrdList": shown}

    def detail(self, given: Record) -> Record:
        """CXQDHZQRDMX."""
        self._own(given)
        form = self._form(given)
        blue = self._bureau.by_number(form["blue_number"]) or {}
        lines = [_shown_line(line, blue, place) for place, line in enumerate(form["lines"], 1)]
        return {**self._shown(form), "hzqrdmxList": lines}

    def _own(self, given: Record) -> None:
        must(given.get("xsfnsrsbh") == self._config["tax_no"], "纳税人识别号未授权")

    def _form(self, given: Record) -> Record:
        found = self._bureau.forms(uuid=str(given.get("uuid")))
        must(bool(found), "未查询到数据", NOTHING)
        return found[0]

    def _shown(self, form: Record) -> Record:
        blue = self._bureau.by_number(form["blue_number"]) or {}
        red = self._bureau.by_number(form["red_number"]) if form["red_number"] else None
        at = self._bureau.issued_at(red) if red else None
        return {
            "uuid": form["uuid"],
            "hzfpxxqrdbh": form["form_no"],
            "lrfsf": SIDES[form["initiator"]],
            "xsfnsrsbh": blue["seller"]["tax_no"],
            "xsfmc": blue["seller"]["name"],
            "gmfnsrsbh": blue["buyer"]["tax_no"],
            "gmfmc": blue["buyer"]["name"],
            "lzfphm": blue["serial"],
            "lzkprq": blue["extra"]["kprq"],
            "lzhjje": Decimal(blue["net"]),
            "lzhjse": Decimal(blue["tax"]),
            "lzfppzDm": KINDS[blue["kind"]],
            "hzcxje": Decimal(form["net"]),
            "hzcxse": Decimal(form["tax"]),
            "chyyDm": next(code for code, reason in REASONS.items() if reason == form["reason"]),
            "hzqrxxztDm": form["state"],
            "qrrq": _moment(form["confirmed"]),
            "ykjhzfpbz": "Y" if red else "N",
            "hzfphm": red["serial"] if red else "",
            "hzkprq": f"{at:{MOMENT}}" if at else "",
            "lrrq": _moment(form["began"]),
            "yxbz": "Y" if form["state"] < "05" else "N",
        }


def _moment(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(CHINA)
    return f"{moment:{MOMENT}}" if milliseconds else ""


def _red_line(row: Record, blue: Record) -> RedLine:
    places = [line["mxxh"] for line in blue["extra"]["lines"]]
    must(row.get("lzmxxh") in places, f"蓝票没有第 {row.get('lzmxxh')} 行")
    must(bool(row.get("fpspsl")) == bool(row.get("fpspdj")), "有数量必须有单价")
    pieces = number(row, "fpspsl") if row.get("fpspsl") else None
    return RedLine(places.index(row["lzmxxh"]) + 1, number(row, "je"), number(row, "se"), pieces)


def _shown_line(line: Record, blue: Record, place: int) -> Record:
    own, told = (rows[line["blue_line"] - 1] for rows in (blue["lines"], blue["extra"]["lines"]))
    return {
        "lzmxxh": told["mxxh"],
        "xh": place,
        "sphfwssflhbbm": own["tax_class_code"],
        "hwhyslwfwmc": own["name"],
        "spfwjc": told["spfwjc"],
        "xmmc": told["xmmc"],
        "ggxh": own["spec"],
        "dw": own["unit"],
        "fpspdj": own["price"] if line["qty"] else "",
        "fpspsl": line["qty"],
        "je": Decimal(line["net"]),
        "sl1": own["rate"],
        "se": Decimal(line["tax"]),
    }


__all__ = ["Forms"]
