"""What a file says (`Original`), whatever its format, and what is wrong with it (`Fault`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from duijie.connect.errors import MalformedMessage

Form = Literal["xml", "ofd", "xbrl"]
NO_TAX = {"免税": "03", "不征税": "04"}  # words in place of a rate → the 数电 policy mark 优惠政策标识


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or buyer as printed."""

    name: str = ""
    tax_no: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line; amounts in yuan, negative on a red invoice. `policy` 03 免税, 04 不征税, else empty."""

    name: str
    net: Decimal
    tax: Decimal
    rate: Decimal | None = None
    gross: Decimal | None = None
    policy: str = ""
    tax_class_code: str = ""
    spec: str = ""
    unit: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: by which rule, in which field, what we have and what the file says."""

    code: str
    field: str
    ours: str
    theirs: str
    zh: str

    def __str__(self) -> str:
        return f"[{self.code}] {self.field}: 我方 {self.ours or '(空)'}, 文件 {self.theirs or '(空)'}; {self.zh}"


@dataclass(frozen=True, slots=True)
class Original:
    """What one file says. Empty texts and None: it does not say.

    `issued_at`: ISO 8601 in China's time, or a date. `other`: elements that have no place here, by their path.
    `faults`: contradictions within the file that were met while reading it.
    """

    form: Form
    number: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    seller: Party = Party()
    buyer: Party = Party()
    issued_at: str = ""
    kind: Literal["special", "normal", ""] = ""
    colour: Literal["blue", "red", ""] = ""
    words: str = ""
    rows: tuple[Row, ...] = ()
    remark: str = ""
    drawer: str = ""
    blue_number: str = ""
    form_no: str = ""
    other: dict[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


class BadFile(MalformedMessage):
    """A file that is refused whole; `code` begins with E-."""

    def __init__(self, code: str, zh: str, en: str, where: str = "") -> None:
        super().__init__(f"{zh}; 原文件已拒收, 请让开票方重新提供", en=en, code=code, where=where)
        self.cause = code
