"""A PDF of rows of Chinese text, drawn with the Chinese font that every PDF reader brings (Adobe-GB1)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

FONT = "STSong-Light"
SIZE = (210 * mm, 140 * mm)


def page(rows: Sequence[str]) -> bytes:
    """The PDF, with a new page wherever one is full."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    kept = io.BytesIO()
    canvas = Canvas(kept, pagesize=SIZE, invariant=True)
    for number, row in enumerate(rows):
        if number and number % 20 == 0:
            canvas.showPage()
        canvas.setFont(FONT, 9)
        canvas.drawString(10 * mm, SIZE[1] - (10 + 6 * (number % 20)) * mm, row)
    canvas.save()
    return kept.getvalue()
