"""What a document names by code and Tryton by id: products, parties, units, warehouses, taxes of one company."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connectors.tryton.client import ERRORS
from connectors.tryton.reader import Reader
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import UnmappedCode, VendorRejected

SYSTEM = "Tryton"
USCC = ("cn_vat", "cn_uscc")
TAX_KINDS = {"sale": ("sale", "both"), "purchase": ("purchase", "both")}


@dataclass(kw_only=True)
class Books(Reader):
    """Ids by code, kept once found: Tryton never gives an id to another record."""

    _known: dict[str, dict[str, Record]] = field(default_factory=dict, init=False)
    _digits: dict[str, int] = field(default_factory=dict, init=False)

    def product(self, code: str) -> Record:
        """id, and the ids of its own unit and of that unit's category. Raises UnmappedCode."""
        fields = ("template.default_uom.category",)
        row = self._by("product", "product.product", [["code", "=", code]], code, fields)
        unit = row["template."]["default_uom."]
        return {"id": row["id"], "unit": unit["id"], "units": unit["category"]}

    def unit(self, name: str) -> int:
        """By symbol or name. Raises UnmappedCode."""
        domain = ["OR", ["symbol", "=", name], ["name", "=", name]]
        return int(self._by("unit", "product.uom", [domain], name)["id"])

    def unit_of(self, product: Record, name: str | None) -> int:
        """The unit of a line: the one that is named, else the product's own."""
        return self.unit(name) if name else int(product["unit"])

    def warehouse(self, code: str) -> Record:
        """id, and the ids of its input_location, storage_location, output_location. Raises UnmappedCode."""
        places = ("input_location", "storage_location", "output_location")
        domain = [["type", "=", "warehouse"], ["code", "=", code]]
        return self._by("warehouse", "stock.location", domain, code, places)

    def currency(self) -> int:
        """The company's."""
        company = self.read(self.client.company)
        return int(
            self._by("company", "company.company", [["id", "=", company]], str(company), ("currency",))["currency"]
        )

    def tax(self, kind: str, rate: Decimal) -> int | None:
        """The one tax of this rate for `sale` or `purchase`; None for a rate of 0. Raises VendorRejected."""
        if not rate:
            return None
        domain = [
            ["company", "=", self.read(self.client.company)],
            ["type", "=", "percentage"],
            ["rate", "=", rate],
            ["parent", "=", None],
            ["OR", ["group", "=", None], ["group.kind", "in", list(TAX_KINDS[kind])]],
        ]
        found = self.search("account.tax", domain, ["name"])
        if len(found) != 1:
            named = ", ".join(str(row["name"]) for row in found) or "无"
            raise ERRORS.error("tax", f"{kind} {rate}: {named}", where=str(rate))
        return int(found[0]["id"])

    def category(self, rate: Decimal, name: str | None) -> int:
        """The accounting category of goods taxed at this rate, by name where several are. Raises VendorRejected."""
        domain = [["accounting", "=", True], ["customer_taxes", "where", [["rate", "=", rate]]]]
        found = self.search("product.category", domain, ["name"])
        named = [row for row in found if row["name"] == name] or found
        if len(named) != 1:
            told = ", ".join(str(row["name"]) for row in named) or "无"
            raise ERRORS.error("category", f"税率 {rate}: {told}", where=str(name or rate))
        return int(named[0]["id"])

    def party(self, wanted: Mapping[str, str]) -> Record:
        """id and address of a party by code; one that is missing is made with its name and an empty address."""
        code = wanted["code"]
        kept = self._known.setdefault("party", {})
        if code not in kept:
            kept[code] = self._party(code) or self._make_party(code, wanted.get("name") or code)
        return kept[code]

    def uscc(self) -> str:
        """What the server calls an identifier that is a 统一社会信用代码: cn_vat since 6.8, cn_uscc before."""
        told = self.fields_of("party.identifier")["type"]["selection"]
        kinds = self.read(lambda: self.client.call(f"model.party.identifier.{told}")) if isinstance(told, str) else told
        return next((name for name, _ in kinds if name == USCC[0]), USCC[1])

    def price_digits(self, model: str) -> int:
        """How many decimals a unit price may have."""
        if model not in self._digits:
            digits = self.fields_of(model)["unit_price"].get("digits") or "[16, 4]"
            told = codec.decode(digits) if isinstance(digits, str) else digits
            self._digits[model] = told[1] if isinstance(told[1], int) else 4
        return self._digits[model]

    def _party(self, code: str) -> Record | None:
        rows = self.search("party.party", [["code", "=", code]], ["addresses"])
        if not rows:
            return None
        addresses = rows[0]["addresses"] or [self.create("party.address", {"party": rows[0]["id"]})]
        return {"id": int(rows[0]["id"]), "address": int(addresses[0])}

    def _make_party(self, code: str, name: str) -> Record:
        """Codes of parties are unique, so a second attempt is refused and finds the first one's party."""
        values = {"code": code, "name": name, "addresses": [["create", [{}]]]}
        try:
            self.read(lambda: self.client.call("model.party.party.create", [values]))
        except VendorRejected:
            if (found := self._party(code)) is None:
                raise
            return found
        found = self._party(code)
        if found is None:
            raise UnmappedCode("party", code, system=SYSTEM)
        return found

    def _by(self, kind: str, model: str, domain: list[Any], code: str, fields: Sequence[str] = ()) -> Record:
        kept = self._known.setdefault(kind, {})
        if code not in kept:
            rows = self.search(model, domain, ["rec_name", *fields])
            if not rows:
                raise UnmappedCode(kind, code, system=SYSTEM)
            kept[code] = rows[0]
        return kept[code]


def pieces(lines: Iterable[Record]) -> Decimal:
    """The quantities of lines, summed."""
    return sum((Decimal(line["quantity"]) for line in lines), Decimal(0))
