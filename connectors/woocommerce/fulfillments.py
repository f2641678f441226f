"""Tells the shop that a parcel is under way, by its own fulfilment records, where the site has switched these on.

Source: WooCommerce REST API docs, "Order fulfillments" (wc/v3; the routes are there only with the feature
`woocommerce_feature_fulfillments_enabled`). A record holds items, waybill and carrier, and may mail the buyer. The shop
takes a second record of one waybill, so they are listed before one is made. The order is completed with its last item.

Payloads are those of `connectors.woocommerce.shipments`; each is kept whole in the private meta field `_duijie_parcel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.woocommerce.client import Client, not_begun
from connectors.woocommerce.orders import by_ids
from connectors.woocommerce.shipments import COMPLETED, SHIPPABLE, not_shippable, parcel_of, pieces
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DuijieError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Refused, Safety

FIELDS = "id,status,line_items"
WAYBILL, ITEMS, CARRIER, PARCEL = "_tracking_number", "_items", "_shipment_provider", "_duijie_parcel"


class FulfillmentSink:
    """Parcels of orders, known by order and waybill."""

    name = "shipment"
    entity = "shipment"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, client: Client, note: str) -> None:
        self._client, self._notified = client, note == "customer"

    def key_of(self, payload: Record) -> str:
        """order:waybill."""
        return f"{payload['order_no']}:{payload['waybill']}"

    def figures_of(self, payload: Record) -> Figures:
        """How many pieces are in the parcel, where it says."""
        return pieces(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Records with these waybills; one that should have completed its order and did not is not there yet."""
        numbers = list(dict.fromkeys(key.partition(":")[0] for key in keys))
        orders = {str(row["id"]): row for rows in by_ids(self._client, numbers, FIELDS) for row in rows}
        records = {number: self._records(number) for number in orders}
        found = {}
        for key in keys:
            number, _, waybill = key.partition(":")
            record = with_waybill(records.get(number, ()), waybill)
            if record is not None and (orders[number]["status"] == COMPLETED or left(orders[number], records[number])):
                found[key] = _found(key, record)
        return found

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """One outcome per payload, in order; one after the other, for two may be parcels of one order."""
        return [self._ship(payload) for payload in payloads]

    def _ship(self, payload: Record) -> Outcome:
        number = str(payload["order_no"])
        try:
            order = self._client.one(f"orders/{number}", _fields=FIELDS)
            records = self._records(number)
        except DuijieError as error:
            return not_begun(error)
        if order["status"] not in SHIPPABLE:
            return not_shippable(order)
        known = {str(line["id"]) for line in order["line_items"]}
        if strange := [str(line["oid"]) for line in payload.get("lines") or [] if str(line["oid"]) not in known]:
            return _no_such_line(order, strange[0])
        record = with_waybill(records, str(payload["waybill"]))
        items = _items(payload) or left(order, records)
        if record is None and not items:
            return _nothing_left(order)
        made = [] if record is None else [record]
        return self._client.retrier.outcome(lambda: self._put(order, records, made, payload, items))

    def _put(
        self, order: Record, records: Sequence[Record], made: list[Record], payload: Record, items: list[Record]
    ) -> Done:
        """Two calls; `made` keeps what the first brought, so that repeating the second repeats nothing else."""
        path = f"orders/{order['id']}"
        if not made:
            notify = {"notify_customer": "true"} if self._notified else {}
            made.append(self._client.write("POST", f"{path}/fulfillments", _record(payload, items), **notify))
        held = records if made[0] in records else [*records, made[0]]
        if order["status"] != COMPLETED and not left(order, held):
            self._client.write("PUT", path, {"status": COMPLETED})
        return Done(str(made[0]["id"]), self.key_of(payload), made[0])

    def _records(self, number: str) -> list[Record]:
        """Those of an order that were not taken back."""
        try:
            rows = self._client.every(f"orders/{number}/fulfillments")
        except VendorRejected as error:
            if error.code.endswith("_invalid_id"):
                return []
            raise
        return [row for row in rows if not row.get("date_deleted")]


def with_waybill(records: Sequence[Record], waybill: str) -> Record | None:
    """The record of this waybill."""
    return next((row for row in records if str(_meta(row).get(WAYBILL)) == waybill), None)


def left(order: Record, records: Sequence[Record]) -> list[Record]:
    """What of an order is in no record yet, as `_items`."""
    gone: dict[str, Decimal] = {}
    for item in (item for row in records for item in _meta(row).get(ITEMS) or []):
        gone[str(item["item_id"])] = gone.get(str(item["item_id"]), Decimal(0)) + Decimal(item["qty"])
    rest = [
        (line["id"], Decimal(line["quantity"]) - gone.get(str(line["id"]), Decimal(0))) for line in order["line_items"]
    ]
    return [{"item_id": number, "qty": qty} for number, qty in rest if qty > 0]


def _meta(record: Record) -> dict[str, Any]:
    return {str(row.get("key")): row.get("value") for row in record.get("meta_data") or []}


def _items(payload: Record) -> list[Record]:
    return [{"item_id": int(line["oid"]), "qty": line["qty"]} for line in payload.get("lines") or []]


def _record(payload: Record, items: list[Record]) -> Record:
    parcel = {name: payload[name] for name in ("carrier", "shipped_at", "lines") if payload.get(name)}
    meta = {
        ITEMS: items,
        WAYBILL: str(payload["waybill"]),
        CARRIER: payload["carrier"],
        PARCEL: codec.encode_ordered(parcel).decode(),
    }
    rows = [{"key": key, "value": value} for key, value in meta.items()]
    return {"status": "fulfilled", "is_fulfilled": True, "meta_data": rows}


def _found(key: str, record: Record) -> Found:
    """With the pieces as we sent them; a record that a person made counts its items."""
    meta = _meta(record)
    theirs: Record = {"lines": meta.get(ITEMS) or []}
    return Found(str(record["id"]), key, pieces(parcel_of(meta[PARCEL]) if PARCEL in meta else theirs), record)


def _nothing_left(order: Record) -> Refused:
    return Refused(
        "woocommerce:nothing-left",
        f"订单 {order['id']} 的商品已全部登记发货, 不能再登记整单包裹; 请在店铺核对发货记录, 多包裹请按明细发货",
        f"all of order {order['id']} is fulfilled already; check its records, and name the lines of further parcels",
    )


def _no_such_line(order: Record, oid: str) -> Refused:
    return Refused(
        "woocommerce:no-such-line",
        f"订单 {order['id']} 没有明细 {oid}; 请核对发货单的明细行号后重放",
        f"order {order['id']} has no line {oid}; check the lines of the shipment, then replay",
    )
