"""A PDF for people where only data came: laid out like the face of a 数电票, and saying that it is no original.

Drawn with reportlab and the Chinese font that PDF readers bring (Adobe-GB1, STSong-Light): nothing to install beside
the package, no font in the file. WeasyPrint would need pango and a Chinese font on every machine that draws.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle

from duijie.originals.model import NO_TAX, Original, Party, Row
from duijie.originals.words import to_words

FONT = "STSong-Light"
PAGE = (210 * mm, 140 * mm)
EDGE, TOP, FOOT = 8 * mm, 25 * mm, 10 * mm
WIDE = PAGE[0] - 2 * EDGE
INK = Color(0.5, 0.16, 0.12)
NOTE = "本页由系统根据发票数据生成, 仅供查看: 不是发票原件, 不能凭以报销、入账或抵扣。原件为税务机关签名的 XML 或 OFD。"
TITLES = {"special": "电子发票（增值税专用发票）", "normal": "电子发票（普通发票）", "": "电子发票"}
HEADS = ("项目名称", "规格型号", "单位", "数量", "单价", "金额", "税率/征收率", "税额")
WIDTHS = tuple(WIDE * share / 194 for share in (54, 22, 12, 20, 24, 24, 18, 20))
POLICY_WORDS = {mark: word for word, mark in NO_TAX.items()}


def render(one: Original) -> bytes:
    """The PDF of what a file says; as many pages as its lines need."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    kept = io.BytesIO()
    edges = {"leftMargin": EDGE, "rightMargin": EDGE, "topMargin": TOP, "bottomMargin": FOOT}
    name = f"{TITLES[one.kind]} {one.number}"
    document = SimpleDocTemplate(kept, pagesize=PAGE, title=name, author="Duijie", invariant=True, **edges)
    page = partial(_frame, one)
    document.build([_parties(one), _lines(one), _totals(one), _remark(one)], onFirstPage=page, onLaterPages=page)
    return kept.getvalue()


def _style(size: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle("face", fontName=FONT, fontSize=size, leading=size * 1.25, wordWrap="CJK", **more)


def _text(text: str, size: float = 8, **more: Any) -> Paragraph:
    return Paragraph(escape(text).replace("\n", "<br/>"), _style(size, **more))


def _label(text: str) -> Paragraph:
    return Paragraph(escape(text), _style(8, textColor=INK, alignment=TA_CENTER))


def _frame(one: Original, canvas: Canvas, document: Any) -> None:
    """What stands on every page: title, number, day, the note below."""
    canvas.saveState()
    canvas.setFillColor(INK)
    canvas.setFont(FONT, 16)
    canvas.drawCentredString(PAGE[0] / 2, PAGE[1] - 14 * mm, TITLES[one.kind])
    canvas.setStrokeColor(INK)
    for gap in (16.2, 17.2):
        canvas.line(PAGE[0] / 2 - 38 * mm, PAGE[1] - gap * mm, PAGE[0] / 2 + 38 * mm, PAGE[1] - gap * mm)
    canvas.setFont(FONT, 8.5)
    for at, text in enumerate(_head(one)):
        canvas.drawString(PAGE[0] - EDGE - 56 * mm, PAGE[1] - (10 + 5 * at) * mm, text)
    if one.colour == "red":
        canvas.drawString(EDGE, PAGE[1] - 15 * mm, "红字发票")
    canvas.setFont(FONT, 6.5)
    canvas.drawString(EDGE, 5 * mm, NOTE)
    canvas.drawRightString(PAGE[0] - EDGE, 5 * mm, f"第 {document.page} 页")
    canvas.restoreState()


def _head(one: Original) -> list[str]:
    year, month, day = (one.issued_at[:10] or "--").split("-")
    return [f"发票号码：{one.number}", f"开票日期：{year}年{month}月{day}日" if year else "开票日期："]


def _box(rows: Sequence[Sequence[Any]], widths: Sequence[float], *more: tuple[Any, ...], heads: int = 0) -> Table:
    lines = [("BOX", (0, 0), (-1, -1), 0.6, INK), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    padding = [(f"{side}PADDING", (0, 0), (-1, -1), 2) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    return Table(rows, widths, repeatRows=heads, style=TableStyle([*lines, *padding, *more]))


def _parties(one: Original) -> Table:
    def told(party: Party) -> Paragraph:
        return _text(f"名称：{party.name}\n\n统一社会信用代码/纳税人识别号：{party.tax_no}", 8.5)

    side = 7 * mm
    half = WIDE / 2 - side
    row = [_label("购买方"), told(one.buyer), _label("销售方"), told(one.seller)]
    return _box([row], (side, half, side, half), ("INNERGRID", (0, 0), (-1, -1), 0.6, INK))


def _lines(one: Original) -> Table:
    rows = [[_label(head) for head in HEADS], *map(_line, one.rows)]
    if not one.rows:
        rows.append([_text("(数据文件没有明细)"), *[""] * 7])
    sums = [_label("合　计"), "", "", "", "", _figure(f"¥{one.net:.2f}"), "", _figure(f"¥{one.tax:.2f}")]
    verticals = [("LINEAFTER", (at, 0), (at, 0), 0.3, INK) for at in range(7)]
    return _box([*rows, sums], WIDTHS, ("LINEBELOW", (0, 0), (-1, 0), 0.3, INK), *verticals, heads=1)


def _line(row: Row) -> list[Any]:
    qty, price = ("" if one is None else f"{one.normalize():f}" for one in (row.qty, row.price))
    figures = [_figure(qty), _figure(price), _figure(f"{row.net:.2f}"), _figure(_rate(row)), _figure(_tax(row))]
    return [_text(row.name), _text(row.spec), _text(row.unit, alignment=TA_CENTER), *figures]


def _figure(text: str) -> Paragraph:
    return _text(text, 8, alignment=TA_RIGHT)


def _rate(row: Row) -> str:
    if row.policy in POLICY_WORDS:
        return POLICY_WORDS[row.policy]
    return "***" if row.rate is None else f"{(row.rate * 100).normalize():f}%"


def _tax(row: Row) -> str:
    return "***" if row.policy in POLICY_WORDS and row.tax == Decimal(0) else f"{row.tax:.2f}"


def _totals(one: Original) -> Table:
    words = one.words or to_words(one.gross)
    row = [_label("价税合计（大写）"), _text(f"⊗ {words}", 9), _text(f"（小写） ¥{one.gross:.2f}", 9)]
    return _box([row], (WIDTHS[0], WIDE - WIDTHS[0] - 50 * mm, 50 * mm), ("LINEAFTER", (0, 0), (0, 0), 0.6, INK))


def _remark(one: Original) -> Table:
    told = [one.remark]
    if one.colour == "red" and one.blue_number and one.blue_number not in one.remark:
        told.append(f"被红冲蓝字数电票号码：{one.blue_number} 红字发票信息确认单编号：{one.form_no}")
    rows = [[_label("备　注"), _text("\n".join(filter(None, told)))], ["", _text(f"开票人：{one.drawer}")]]
    grid = [("LINEAFTER", (0, 0), (0, 0), 0.6, INK), ("LINEABOVE", (0, 1), (-1, 1), 0.6, INK)]
    return _box(rows, (16 * mm, WIDE - 16 * mm), *grid)
