"""Stock by product and warehouse: read as a product's quantity in a warehouse, set by an inventory.

A warehouse's figure is that of all its places: what lies in its input or output zone counts. An inventory is of one
place, so it counts the storage location, and is told what must lie there for the warehouse to hold the figure.
Source: Tryton 8.2 and 6.0, module stock: product.product quantity and forecast_quantity in the context of locations
(on hand today; after everything that is planned), stock.move, stock.inventory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from connectors.tryton.books import Books
from connectors.tryton.client import ERRORS
from connectors.tryton.sink import outcome
from connectors.tryton.values import Quantity
from duijie.codec import Record
from duijie.connect.errors import AnswerLost, DuijieError, UnmappedCode
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window

PRODUCT = "product.product"
FIELDS = ("code", "quantity", "forecast_quantity", "template.name", "template.default_uom.name")
GOODS = [["type", "=", "goods"], ["code", "!=", None], ["code", "!=", ""]]
WAREHOUSES = [["type", "=", "warehouse"], ["code", "!=", None], ["code", "!=", ""]]
MICRO = Decimal("0.000001")
ZERO = Decimal(0)


class StockStream:
    """Every product of type goods in a warehouse as it is now, whatever the window; a partition is a warehouse.

    Raw record: key (sku@warehouse), id (the product's), sku, name, unit, warehouse, on_hand, reserved (planned to leave
    the warehouse), forecast (with all that is planned to come and to go), as_of; quantities in the product's own unit.
    """

    name, entity, key = "stock_level", "stock_level", "key"

    def __init__(self, books: Books) -> None:
        self._books = books

    def partitions(self) -> Iterable[str]:
        """The codes of the warehouses."""
        return [row["code"] for row in self._books.search("stock.location", WAREHOUSES, ["code"])]

    def read(self, window: Window) -> Iterator[Page]:
        """All of the partition, or the figures with the window's keys. Raises errors of the tree."""
        if window.keys:
            yield Page(list(levels(self._books, window.keys).values()))
            return
        for rows in _read(self._books, window.partition, []):
            yield Page(rows)


def levels(books: Books, keys: Sequence[str]) -> dict[str, Record]:
    """The figures under sku@warehouse; a product or a warehouse that is not there has none."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        sku, _, warehouse = key.rpartition("@")
        wanted[warehouse].add(sku)
    found: dict[str, Record] = {}
    for warehouse, skus in wanted.items():
        try:
            pages = list(_read(books, warehouse, [["code", "in", sorted(skus)]]))
        except UnmappedCode:
            continue
        found |= {row["key"]: row for page in pages for row in page}
    return found


def _read(books: Books, warehouse: str, condition: list[object]) -> Iterator[list[Record]]:
    place = int(books.warehouse(warehouse)["id"])
    for rows in books.pages(PRODUCT, [*GOODS, *condition], FIELDS, _at(place)):
        reserved = _reserved(books, place, [row["id"] for row in rows])
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        yield [_level(row, warehouse, reserved.get(row["id"], ZERO), moment) for row in rows]


def _at(place: int) -> Record:
    return {"locations": [place], "with_childs": True}


def _reserved(books: Books, place: int, products: Sequence[int]) -> dict[int, Decimal]:
    """What is planned to leave the warehouse, by product."""
    domain = [
        ["product", "in", list(products)],
        ["company", "=", books.read(books.client.company)],
        ["state", "in", ["draft", "assigned"]],
        ["from_location", "child_of", [place], "parent"],
        ["to_location", "not child_of", [place], "parent"],
    ]
    total: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for move in books.all("stock.move", domain, ["product", "internal_quantity"]):
        total[move["product"]] += Decimal(move["internal_quantity"])
    return total


def _level(row: Record, warehouse: str, reserved: Decimal, moment: str) -> Record:
    return {
        "key": f"{row['code']}@{warehouse}",
        "id": str(row["id"]),
        "sku": row["code"],
        "name": row["template."]["name"],
        "unit": row["template."]["default_uom."]["name"],
        "warehouse": warehouse,
        "on_hand": _exact(row["quantity"]),
        "reserved": _exact(reserved),
        "forecast": _exact(row["forecast_quantity"]),
        "as_of": moment,
    }


def _exact(quantity: Decimal | int) -> Decimal:
    """Tryton sums quantities in binary; what that leaves beyond the sixth decimal is none of the quantity."""
    return Decimal(quantity).quantize(MICRO).normalize() + ZERO


class StockSink:
    """A figure for a warehouse, set by an inventory of its storage location; nothing is entered where it is right.

    A payload: {key (sku@warehouse), sku, warehouse, quantity} in the product's own unit.
    """

    name, entity = "stock_level", "stock_level"
    safety = Safety.ABSOLUTE
    batch = 20

    def __init__(self, books: Books) -> None:
        self._books = books

    def key_of(self, payload: Record) -> str:
        """sku@warehouse."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """The quantity on hand."""
        return {"on_hand": Decimal(payload["quantity"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the warehouses hold now."""
        found = levels(self._books, keys)
        return {key: Found(row["id"], key, {"on_hand": row["on_hand"]}, row) for key, row in found.items()}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Count each."""
        return [outcome(partial(self._count, payload)) for payload in payloads]

    def _count(self, payload: Record) -> Done:
        books, key, wanted = self._books, str(payload["key"]), Decimal(payload["quantity"])
        product, warehouse = books.product(payload["sku"]), books.warehouse(payload["warehouse"])
        held = levels(books, [key]).get(key)
        if held is None:
            raise ERRORS.error("no_goods", key, where=key)
        if held["on_hand"] == wanted:
            return Done(held["id"], key, held)
        storage = int(warehouse["storage_location"])
        there = self._in_storage(int(product["id"]), storage)
        if wanted - held["on_hand"] + there < 0:
            raise ERRORS.error("in_zones", f"{key}: {held['on_hand'] - there}", where=key)
        self._inventory(int(product["id"]), storage, wanted - held["on_hand"] + there)
        return self._read_back(key, wanted)

    def _in_storage(self, product: int, storage: int) -> Decimal:
        context = {"locations": [storage], "with_childs": False}
        [row] = self._books.search(PRODUCT, [["id", "=", product]], ["quantity"], context=context)
        return _exact(row["quantity"])

    def _inventory(self, product: int, storage: int, quantity: Decimal) -> None:
        company = self._books.read(self._books.client.company)
        lines = [["create", [{"product": product, "quantity": Quantity(quantity)}]]]
        made = self._books.create("stock.inventory", {"company": company, "location": storage, "lines": lines})
        self._books.act("stock.inventory", "confirm", made)

    def _read_back(self, key: str, wanted: Decimal) -> Done:
        """Raises AnswerLost when it cannot be read: the inventory is in."""
        try:
            held = levels(self._books, [key])[key]
        except DuijieError as error:
            raise AnswerLost(error.zh, en=error.en, code=error.code, where=error.where) from error
        if held["on_hand"] != wanted:
            raise ERRORS.error("differs", f"{key}: {held['on_hand']} ≠ {wanted}", where=key)
        return Done(held["id"], key, held)
