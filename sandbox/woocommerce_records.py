"""Orders, refunds, notes, products and variations as a WooCommerce site keeps and shows them.

What a seed leaves out is filled in with what the API shows for it. Every write changes `date_modified`. A new SKU must
be one that neither a product nor a variation has, whatever its capitals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.store import Store
from sandbox.woocommerce_rules import ORDER_STATUSES, PRODUCT_STATUSES, Refusal, check_body, invalid, stamps

Row = dict[str, Any]
BUYER: Mapping[str, Any] = {"billing": {"first_name": "测试", "last_name": "买家", "phone": "13800000000"}}
ORDER: Row = {
    "id": 0, "parent_id": 0, "number": "", "order_key": "", "created_via": "checkout", "version": "9.8.0",
    "status": "processing", "currency": "CNY", "discount_total": "0.00", "discount_tax": "0.00",
    "shipping_total": "0.00", "shipping_tax": "0.00", "cart_tax": "0.00", "total": "0.00", "total_tax": "0.00",
    "prices_include_tax": False, "customer_id": 0, "customer_note": "", "shipping": {}, "payment_method": "bacs",
    "payment_method_title": "", "transaction_id": "", "meta_data": [], "line_items": [], "tax_lines": [],
    "shipping_lines": [], "fee_lines": [], "coupon_lines": [], "refunds": [], **BUYER,
}  # fmt: skip
PRODUCT: Row = {
    "id": 0, "name": "", "type": "simple", "status": "publish", "sku": "", "global_unique_id": "", "price": "",
    "regular_price": "", "sale_price": "", "tax_status": "taxable", "tax_class": "", "manage_stock": False,
    "stock_quantity": None, "stock_status": "instock", "weight": "", "parent_id": 0, "categories": [], "images": [],
    "attributes": [], "variations": [], "meta_data": [],
}  # fmt: skip
OF_ORDERS = ("status", "transaction_id", "customer_note")
OF_PRODUCTS = (
    "name", "status", "sku", "regular_price", "sale_price", "tax_class", "manage_stock", "weight", "description",
)  # fmt: skip


class Records:
    """Everything a site holds. Writes raise Refusal."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def seed(self, data: Mapping[str, Any], now: datetime) -> None:
        """Load orders (with their refunds) and products (with their variations)."""
        for given in data.get("orders", []):
            refunds = given.get("refund_records", [])
            shown = [
                {"id": one["id"], "reason": one.get("reason", ""), "total": f"-{one['amount']}"} for one in refunds
            ]
            own = {name: value for name, value in given.items() if name != "refund_records"}
            order = {**ORDER, "number": str(own["id"]), "refunds": shown, **own}
            self._store.put("order", str(own["id"]), _dated(order, ("created", "modified", "paid", "completed"), now))
            for one in refunds:
                self._keep_refund({"reason": "", "line_items": [], **one, "parent_id": own["id"]}, now)
        for given in data.get("products", []):
            variations = given.get("variation_records", [])
            own = {name: value for name, value in given.items() if name != "variation_records"}
            product = {**PRODUCT, "variations": [one["id"] for one in variations], **own}
            self._store.put("product", str(own["id"]), _dated(product, ("created", "modified"), now))
            for one in variations:
                row = {**PRODUCT, "type": "variation", "tax_class": "parent", **one, "parent_id": own["id"]}
                self._store.put("product", str(one["id"]), _dated(row, ("created", "modified"), now))

    def orders(self) -> list[Row]:
        """All but those in the bin."""
        return [row for row in self._store.all("order") if row["status"] != "trash"]

    def products(self) -> list[Row]:
        """All but variations and those in the bin."""
        return [row for row in self._store.all("product") if row["type"] != "variation" and row["status"] != "trash"]

    def variations(self, parent: int) -> list[Row]:
        """Of one product. Raises Refusal where there is none."""
        self.product(parent, 404)
        return [row for row in self._store.all("product") if row["parent_id"] == parent]

    def by_sku(self, wanted: str) -> list[Row]:
        """Products and variations under one of these SKUs; the whole text is a SKU too."""
        skus = {one.strip().casefold() for one in (*wanted.split(","), wanted)}
        return [row for row in self._sellable() if row["sku"].casefold() in skus]

    def order(self, number: int, status: int) -> Row:
        """One. Raises Refusal with this status."""
        row = self._store.get("order", str(number))
        if row is None:
            raise Refusal(status, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
        return row

    def product(self, number: int, status: int) -> Row:
        """One, which may be a variation. Raises Refusal with this status."""
        row = self._store.get("product", str(number))
        if row is None:
            raise Refusal(status, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        return row

    def refunds(self, number: int) -> list[Row]:
        """Of one order."""
        self.order(number, 404)
        return [row for row in self._store.all("refund") if row["parent_id"] == number]

    def notes(self, number: int) -> list[Row]:
        """Of one order."""
        self.order(number, 404)
        return [row for row in self._store.all("note") if row["order_id"] == number]

    def change_order(self, number: int, body: Row, now: datetime) -> Row:
        """Status, note and meta data."""
        order = self.order(number, 400)
        check_body(body, ORDER_STATUSES)
        changed = {**order, **{name: body[name] for name in OF_ORDERS if name in body}}
        changed["meta_data"] = self._meta(order["meta_data"], body.get("meta_data", []))
        if changed["status"] == "completed" and not order["date_completed"]:
            changed |= stamps("date_completed", now)
        return self._put("order", {**changed, **stamps("date_modified", now)})

    def add_note(self, number: int, body: Row, now: datetime) -> Row:
        """A note of an order."""
        self.order(number, 404)
        if not body.get("note"):
            raise Refusal(400, "rest_missing_callback_param", "Missing parameter(s): note", {"params": ["note"]})
        check_body(body)
        note = {"id": self._next(), "author": "system", "note": body["note"], "order_id": number}
        return self._put(
            "note", {**note, "customer_note": bool(body.get("customer_note")), **stamps("date_created", now)}
        )

    def add_refund(self, number: int, body: Row, now: datetime) -> Row:
        """A refund of an amount, with lines or without; its order changes."""
        order = self.order(number, 404)
        check_body(body)
        amount, refunded = _amount(body.get("amount", "")), sum(Decimal(row["total"]) for row in order["refunds"])
        if not 0 < amount <= Decimal(order["total"]) + refunded:
            raise Refusal(500, "woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.")
        made = {"id": self._next(), "amount": f"{amount:.2f}", "reason": body.get("reason", ""), "parent_id": number}
        lines = [_refunded(line, self._next(), order) for line in body.get("line_items", [])]
        row = self._keep_refund({**made, "line_items": lines}, now)
        shown = {"id": row["id"], "reason": row["reason"], "total": f"-{row['amount']}"}
        whole = amount == Decimal(order["total"]) + refunded
        changed = {**order, "refunds": [*order["refunds"], shown], **stamps("date_modified", now)}
        self._put("order", {**changed, "status": "refunded"} if whole else changed)
        return row

    def fulfillments(self, number: int) -> list[Row]:
        """Of one order. Raises Refusal where there is none."""
        if self._store.get("order", str(number)) is None:
            raise Refusal(404, "woocommerce_rest_order_invalid_id", "Invalid order ID.")
        return [row for row in self._store.all("fulfillment") if row["entity_id"] == str(number)]

    def add_fulfillment(self, number: int, body: Row, is_notified: bool, now: datetime) -> Row:
        """A record of a parcel; a second one of the same waybill is taken."""
        self.fulfillments(number)
        items = next((row["value"] for row in body.get("meta_data", []) if row.get("key") == "_items"), None)
        if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
            raise Refusal(400, "0", "The fulfillment should contain at least one item.")
        head = {"id": self._next(), "entity_type": "WC_Order", "entity_id": str(number)}
        state = {"status": body.get("status", "unfulfilled"), "is_fulfilled": bool(body.get("is_fulfilled"))}
        meta = [{"id": self._next(), "key": row["key"], "value": row["value"]} for row in body["meta_data"]]
        if is_notified and state["is_fulfilled"]:
            self._put("mail", {"id": self._next(), "order_id": number})
        dates = {"date_updated": f"{now:%Y-%m-%dT%H:%M:%SZ}", "date_deleted": None}
        return self._put("fulfillment", {**head, **state, **dates, "meta_data": meta})

    def add_product(self, body: Row, now: datetime) -> Row:
        """A new one."""
        check_body(body, PRODUCT_STATUSES)
        row = {**PRODUCT, "id": self._next(), "type": body.get("type", "simple"), **stamps("date_created", now)}
        return self._change(row, body, now)

    def change_product(self, number: int, body: Row, now: datetime, parent: int | None = None) -> Row:
        """A product, or a variation of `parent`: each by its own address."""
        row = self.product(number, 400)
        if parent is None and row["type"] == "variation":
            text = (
                "To manipulate product variations you should use the /products/<product_id>/variations/<id> endpoint."
            )
            raise Refusal(404, "woocommerce_rest_invalid_product_id", text)
        if parent is not None and row["parent_id"] != parent:
            raise Refusal(400, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")
        check_body(body, PRODUCT_STATUSES)
        return self._change(row, body, now)

    def _change(self, row: Row, body: Row, now: datetime) -> Row:
        for other in self._sellable() if body.get("sku") else ():
            if other["id"] != row["id"] and other["sku"].casefold() == str(body["sku"]).casefold():
                more = {"resource_id": other["id"], "unique_sku": f"{body['sku']}-1"}
                raise Refusal(400, "product_invalid_sku", "Invalid or duplicated SKU.", more)
        changed = {**row, **{name: body[name] for name in OF_PRODUCTS if name in body}}
        changed["price"] = changed["sale_price"] or changed["regular_price"]
        changed["meta_data"] = self._meta(row["meta_data"], body.get("meta_data", []))
        if changed["manage_stock"] is True and "stock_quantity" in body:
            changed["stock_quantity"] = int(body["stock_quantity"])
            changed["stock_status"] = "instock" if changed["stock_quantity"] > 0 else "outofstock"
        return self._put("product", {**changed, **stamps("date_modified", now)})

    def _sellable(self) -> Iterator[Row]:
        return (row for row in self._store.all("product") if row["sku"] and row["status"] != "trash")

    def _meta(self, held: list[Row], given: list[Row]) -> list[Row]:
        rows = {row["key"]: row for row in held}
        for one in given:
            if not isinstance(one, dict) or "key" not in one:
                raise invalid("meta_data[0][key]", "is a required property.")
            before = rows.get(one["key"], {"id": self._next(), "key": one["key"]})
            rows[one["key"]] = {**before, "value": one.get("value")}
        return list(rows.values())

    def _keep_refund(self, row: Row, now: datetime) -> Row:
        shown = {"refunded_by": 1, "refunded_payment": False, "meta_data": [], "shipping_lines": [], "fee_lines": []}
        return self._put("refund", _dated({**shown, **row}, ("created",), now))

    def _put(self, collection: str, row: Row) -> Row:
        self._store.put(collection, str(row["id"]), row)
        return row

    def _next(self) -> int:
        return self._store.next("id", 900_001)


def _dated(row: Row, names: tuple[str, ...], now: datetime) -> Row:
    """The row with its times in both zones; a seed gives them in GMT."""
    never = {"paid": None, "completed": None}
    for name in names:
        row |= stamps(f"date_{name}", row.get(f"date_{name}_gmt") or never.get(name, now))
    return row


def _refunded(given: Row, number: int, order: Row) -> Row:
    line = next((one for one in order["line_items"] if one["id"] == int(given["id"])), None)
    if line is None:
        raise invalid("line_items[0][id]", "is not a line of the order.")
    meta = [{"id": number, "key": "_refunded_item_id", "value": str(line["id"])}]
    total = f"-{_amount(given.get('refund_total', '0')):.2f}"
    own = {"id": number, "quantity": -int(given.get("quantity", 0)), "subtotal": total, "total": total}
    return {**line, **own, "subtotal_tax": "0.00", "total_tax": "0.00", "meta_data": meta}


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("item_id"), int) and item.get("qty", 0) > 0


def _amount(text: Any) -> Decimal:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        raise invalid("amount", "is not a number.") from None
