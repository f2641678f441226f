"""Invoices of suppliers: files dropped into a folder or mailed in become purchase invoices, each number once.

Every file that can be read is kept, also one that is refused: it is evidence. Refused is what contradicts itself, what
is not made out to one of our companies, and a second file of a known number that says something else. A PDF alone
holds no data and is passed over. Links in a mail are not followed: anybody can send one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from duijie.codec import Record
from duijie.flow import Receive
from duijie.journal import Journal, documents, work
from duijie.journal.work import Finding
from duijie.originals import kept
from duijie.originals.archive import Archive
from duijie.originals.checks import faults, is_number
from duijie.originals.compare import differences, plain, read
from duijie.originals.guard import kind_of
from duijie.originals.kept import Kept
from duijie.originals.model import BadFile, Fault, Original, Row
from duijie.schemas import check

ENTITY = "purchase_invoice"
SHOWN = 10


@dataclass(frozen=True)
class Taken:
    """What became of one file: new, again (the same bytes), more (another file of a known one), refused, passed."""

    fate: str
    name: str
    number: str = ""
    why: str = ""


@dataclass(frozen=True)
class Receiving:
    """The inbox of our companies."""

    journal: Journal
    flow: str
    step: Receive
    archive: Archive

    def take(self, name: str, data: bytes, source: str) -> Taken:
        """Take one file. Raises NotSent or JournalBusy where it could not be kept: it is then taken again."""
        with self.journal.reading() as tx:
            if kept.is_kept(tx, hashlib.sha256(data).hexdigest()):
                return Taken("again", name)
        try:
            if kind_of(data) == "pdf":
                return Taken("passed", name, why="PDF 不含数据, 请向供应商索取 XML 或 OFD")
            one = read(data)
        except BadFile as error:
            self._tell(f"{name}:{hashlib.sha256(data).hexdigest()[:12]}", f"{name}: [{error.code}] {error.zh}", 0)
            return Taken("refused", name, why=error.zh)
        return self._read(name, data, source, one)

    def _read(self, name: str, data: bytes, source: str, one: Original) -> Taken:
        known = documents.get(self.journal, ENTITY, one.number)
        wrong = [*faults(one, Decimal(self.step.tolerance_fen).scaleb(-2)), *self._not_ours(one)]
        wrong += _unlike(one, known.body) if known else []
        number = one.number if is_number(one.number) else ""
        self._keep(one, data, source, wrong)
        if wrong:
            told = "; ".join(map(str, wrong[:SHOWN]))
            self._tell(f"{number or name}", f"{name} (发票 {one.number}) 未收下: {told}", documents.fen(one.gross))
            return Taken("refused", name, number, told)
        if known and (known.body["form"] == "xml" or one.form != "xml"):
            return Taken("more", name, number)
        body = body_of(one)
        check(ENTITY, body)
        with self.journal.writing() as tx:
            documents.put(tx, self.journal, ENTITY, body, (None, f"originals/{one.form}"))
        return Taken("more" if known else "new", name, number)

    def _keep(self, one: Original, data: bytes, source: str, wrong: Sequence[Fault]) -> None:
        day = one.issued_at[:10] or f"{self.journal.now():%Y-%m-%d}"
        place, sha256 = self.archive.keep(data, one.form, day)
        number = one.number if is_number(one.number) else ""
        row = Kept(ENTITY, one.number[:200], one.form, sha256, len(data), place, source[:120], number)
        with self.journal.writing() as tx:
            kept.note(tx, self.journal, replace(row, faults="\n".join(map(str, wrong[:SHOWN]))))

    def _not_ours(self, one: Original) -> list[Fault]:
        """Whether it is made out to one of our companies, by tax number and name."""
        ours = self.step.companies
        if one.buyer.tax_no not in ours:
            told = "购买方不是本公司: 请退回供应商重开"
            return [Fault("E-BUYER", "购买方税号", ", ".join(ours), one.buyer.tax_no, told)]
        name = ours[one.buyer.tax_no]
        if plain(name) != plain(one.buyer.name):
            return [Fault("E-BUYER", "购买方名称", name, one.buyer.name, "抬头与本公司名称不一致: 请退回供应商重开")]
        return []

    def _tell(self, subject: str, reason: str, amount: int) -> None:
        with self.journal.writing() as tx:
            finding = Finding("file", f"{ENTITY}:{subject}", reason)
            work.open_item(tx, self.journal, self.flow, finding, [(ENTITY, subject, amount)])


def body_of(one: Original) -> Record:
    """The canonical purchase invoice of a file; what the file does not say is left out."""
    told = {
        "kind": one.kind,
        "issued_at": one.issued_at,
        "remark": one.remark,
        "drawer": one.drawer,
        "blue_number": one.blue_number,
        "form_no": one.form_no,
    }
    return {
        "key": one.number,
        "number": one.number,
        "form": one.form,
        "colour": one.colour or ("red" if one.gross < 0 else "blue"),
        "seller": {"name": one.seller.name, "tax_no": one.seller.tax_no},
        "buyer": {"name": one.buyer.name, "tax_no": one.buyer.tax_no},
        "net": one.net,
        "tax": one.tax,
        "gross": one.gross,
        "lines": [_line(at, row) for at, row in enumerate(one.rows, 1)],
        **{name: value for name, value in told.items() if value},
    }


def _line(at: int, row: Row) -> Record:
    fields = ("tax_class_code", "spec", "unit", "qty", "price", "policy")
    told = {name: getattr(row, name) for name in fields} | {"tax_rate": row.rate}
    told = {name: value for name, value in told.items() if value not in ("", None)}
    return {"line_no": at, "name": row.name, "net": row.net, "tax": row.tax, "gross": row.net + row.tax, **told}


def _unlike(one: Original, known: Record) -> list[Fault]:
    """Where a file says something else than the one we have of the same number."""
    wanted = {
        **known,
        "kind": known.get("kind", ""),
        "seller_name": known["seller"]["name"],
        "seller_tax_no": known["seller"]["tax_no"],
        "buyer_name": known["buyer"]["name"],
        "buyer_tax_no": known["buyer"]["tax_no"],
        "lines": [{"tax_rate": None, **line} for line in known["lines"]],
    }
    told = "同一号码已收到内容不同的发票: 其中一份是假的或已改动, 请向供应商与税务局查验平台核对"
    return [replace(fault, code="E-DUPLICATE", zh=told) for fault in differences(one, wanted)]
