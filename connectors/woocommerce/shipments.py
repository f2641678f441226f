"""Tells the shop that a parcel is under way.

The orders of every version can carry it (WooCommerce REST API docs, "Orders", "Order notes"): the parcel becomes a meta
field of the order, one per waybill, the order is set to completed when everything is shipped, and where the connection
says so a note tells the buyer. Sites that keep fulfilment records take `connectors.woocommerce.fulfillments` instead.

A payload is {"order_no", "carrier", "waybill", "shipped_at" (optional), "lines": [{"oid", "qty"}] (optional)}. Setting
the same meta field and status again changes nothing; the shop itself would complete a cancelled order, so its status is
read first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from connectors.woocommerce.client import Client, not_begun
from connectors.woocommerce.orders import by_ids
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Done, Figures, Found, Outcome, Refused, Safety

PREFIX = "duijie_waybill_"
COMPLETED = "completed"
SHIPPABLE = ("processing", COMPLETED)
FIELDS = "id,status,line_items,meta_data"
NOTES: Mapping[str, bool] = {"private": False, "customer": True}


class ShipmentSink:
    """Parcels of orders, known by order and waybill."""

    name = "shipment"
    entity = "shipment"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, client: Client, note: str) -> None:
        self._client, self._note = client, note

    def key_of(self, payload: Record) -> str:
        """order:waybill."""
        return f"{payload['order_no']}:{payload['waybill']}"

    def figures_of(self, payload: Record) -> Figures:
        """How many pieces are in the parcel, where it says."""
        return pieces(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Parcels that stand in their orders; one that should have completed its order and did not is not there yet."""
        numbers = list(dict.fromkeys(key.partition(":")[0] for key in keys))
        orders = {str(row["id"]): row for rows in by_ids(self._client, numbers, FIELDS) for row in rows}
        found = {}
        for key in keys:
            number, _, waybill = key.partition(":")
            parcels = parcels_of(orders.get(number, {}))
            if waybill in parcels and not is_behind(orders[number]):
                found[key] = Found(number, key, pieces(parcels[waybill]), parcels[waybill])
        return found

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """One outcome per payload, in order; one after the other, for two may be parcels of one order."""
        return [self._ship(payload) for payload in payloads]

    def _ship(self, payload: Record) -> Outcome:
        path = f"orders/{payload['order_no']}"
        try:
            order = self._client.one(path, _fields=FIELDS)
            note = self._note_for(path, payload)
        except DuijieError as error:
            return not_begun(error)
        if order["status"] not in SHIPPABLE:
            return not_shippable(order)
        for body in note:
            told = self._client.retrier.outcome(partial(self._send, "POST", f"{path}/notes", body))
            if not isinstance(told, Done):
                return told
        return self._client.retrier.outcome(lambda: self._put(path, order, payload))

    def _put(self, path: str, order: Record, payload: Record) -> Done:
        parcel = {name: payload[name] for name in ("carrier", "shipped_at", "lines") if payload.get(name)}
        answer = self._client.write("PUT", path, _change(order, str(payload["waybill"]), parcel))
        if is_behind(answer):
            answer = self._client.write("PUT", path, {"status": COMPLETED})
        return Done(str(answer["id"]), self.key_of(payload), _receipt(answer))

    def _send(self, method: str, path: str, body: Record) -> Done:
        answer = self._client.write(method, path, body)
        return Done(str(answer["id"]), path)

    def _note_for(self, path: str, payload: Record) -> Sequence[Record]:
        """The note, where the connection wants one and none names this waybill yet."""
        if self._note not in NOTES:
            return ()
        if any(str(payload["waybill"]) in str(note.get("note")) for note in self._client.every(f"{path}/notes")):
            return ()
        text = f"包裹已发出: {payload['carrier']} {payload['waybill']}"
        return ({"note": text, "customer_note": NOTES[self._note]},)


def parcels_of(order: Record) -> dict[str, Record]:
    """Our parcels in an order's meta data by waybill."""
    rows = [row for row in order.get("meta_data") or [] if str(row.get("key")).startswith(PREFIX)]
    return {row["key"].removeprefix(PREFIX): parcel_of(row.get("value")) for row in rows}


def is_behind(order: Record) -> bool:
    """Whether everything is shipped and the order not completed."""
    return order["status"] != COMPLETED and _is_all(order, parcels_of(order))


def _change(order: Record, waybill: str, parcel: Record) -> Record:
    meta = {"meta_data": [{"key": PREFIX + waybill, "value": codec.encode_ordered(parcel).decode()}]}
    is_all = _is_all(order, {**parcels_of(order), waybill: parcel})
    return {**meta, "status": COMPLETED} if is_all and order["status"] != COMPLETED else meta


def _is_all(order: Record, parcels: Mapping[str, Record]) -> bool:
    """A parcel without lines holds the whole order; else the parcels' lines must add up to the order's."""
    if any("lines" not in parcel for parcel in parcels.values()):
        return True
    shipped: dict[str, Decimal] = {}
    for parcel in parcels.values():
        for line in parcel["lines"]:
            shipped[str(line["oid"])] = shipped.get(str(line["oid"]), Decimal(0)) + Decimal(line["qty"])
    return bool(parcels) and all(
        shipped.get(str(line["id"]), Decimal(0)) >= Decimal(line["quantity"]) for line in order["line_items"]
    )


def pieces(parcel: Record) -> Figures:
    """How many are in a parcel that names its lines."""
    lines = parcel.get("lines")
    return {"qty": sum((Decimal(line["qty"]) for line in lines), Decimal(0))} if lines else {}


def parcel_of(value: Any) -> Record:
    """What we wrote; a value that somebody changed counts as a parcel of nothing."""
    try:
        parcel = codec.decode(str(value))
    except msgspec.DecodeError:
        parcel = None
    return parcel if isinstance(parcel, dict) else {"lines": []}


def _receipt(order: Record) -> Record:
    """The part of the answer that is ours: an order holds the buyer's address."""
    return {"id": order["id"], "status": order["status"], "parcels": parcels_of(order)}


def not_shippable(order: Record) -> Refused:
    """Why an order in this state is left alone."""
    return Refused(
        "woocommerce:not-shippable",
        f"订单 {order['id']} 的状态为 {order['status']}, 不能发货; 请在店铺核对该订单, 已取消或退款的不要发出",
        f"order {order['id']} is {order['status']} and cannot be shipped; check it in the shop",
    )
