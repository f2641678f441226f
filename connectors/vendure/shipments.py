"""Ships orders of the channel and cancels them.

A shipment is a fulfilment: `addFulfillmentToOrder` makes it pending, `transitionFulfillmentToState` ships it. Vendure
keeps no waybill unique, so ours is looked for on the order first; a fulfilment that an interrupted write left pending
is shipped, not made again. Orders are made by buyers, not by us: the order sink recognises one and can cancel it.
Source: docs.vendure.io, "Orders", "Fulfillments".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.vendure.client import ERRORS
from connectors.vendure.lists import with_keys
from connectors.vendure.outcomes import each, each_of
from connectors.vendure.shop import PLACES, Shop
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety

SHIPPED = ("Shipped", "Delivered")
HELD = "id state trackingCode method lines { orderLineId quantity }"
FIELDS = f"id code state totalWithTax lines {{ id quantity }} fulfillments {{ {HELD} }}"
BY_CODE = f"""query orders($options: OrderListOptions) {{ orders(options: $options) {{ totalItems
  items {{ {FIELDS} }} }} }}"""
BY_ID = f"query order($id: ID!) {{ order(id: $id) {{ {FIELDS} }} }}"
WRONG = "... on ErrorResult { errorCode message }"
ADD = f"""mutation ship($input: FulfillOrderInput!) {{ addFulfillmentToOrder(input: $input) {{ __typename
  ... on Fulfillment {{ {HELD} }} {WRONG} ... on CreateFulfillmentError {{ fulfillmentHandlerError }} }} }}"""
MOVE = f"""mutation move($id: ID!, $state: String!) {{ transitionFulfillmentToState(id: $id, state: $state) {{
  __typename ... on Fulfillment {{ {HELD} }} {WRONG}
  ... on FulfillmentStateTransitionError {{ transitionError fromState toState }} }} }}"""
CANCEL = f"""mutation cancel($input: CancelOrderInput!) {{ cancelOrder(input: $input) {{ __typename
  ... on Order {{ {FIELDS} }} {WRONG} ... on OrderStateTransitionError {{ transitionError }} }} }}"""
REASON = "由对接系统取消"


class ShipmentSink:
    """Fulfilments. A payload is {"order_no", "carrier", "waybill", "lines": [{"oid", "qty"}]}.

    Without lines it holds all of the order that no other parcel has.
    """

    name = "shipment"
    entity = "shipment"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def key_of(self, payload: Record) -> str:
        """order code:waybill."""
        return f"{payload['order_no']}:{payload['waybill']}"

    def figures_of(self, payload: Record) -> Figures:
        """None: a parcel without lines names no quantity."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Parcels that have left, by order code and waybill; a pending one does not count as there."""
        codes = list(dict.fromkeys(key.partition(":")[0] for key in keys))
        held = {
            f"{order['code']}:{one['trackingCode']}": Found(str(one["id"]), str(one["trackingCode"]), {}, one)
            for order in with_keys(self._shop.client, BY_CODE, "orders", "code", codes)
            for one in order["fulfillments"] or []
            if one["state"] in SHIPPED
        }
        return {key: held[key] for key in keys if key in held}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One parcel each, side by side."""
        return each(self._shop.client, self._ship, payloads)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Cancel fulfilments: their goods are to be shipped again."""
        return each_of(self._shop.client, self._cancel, payloads, native_ids)

    def _ship(self, payload: Record, _: str) -> Done:
        order = _order(self._shop, payload["order_no"])
        held = [one for one in order["fulfillments"] or [] if one["state"] != "Cancelled"]
        mine = next((one for one in held if one["trackingCode"] == payload["waybill"]), None)
        if mine is None:
            mine = self._shop.client.write(ADD, input=self._input(payload, _lines(payload, order, held)))
        if mine["state"] not in SHIPPED:
            mine = self._shop.client.write(MOVE, id=mine["id"], state="Shipped")
        return Done(str(mine["id"]), str(mine["trackingCode"]), mine)

    def _input(self, payload: Record, lines: list[Record]) -> Record:
        told = {"method": payload["carrier"], "trackingCode": payload["waybill"]}
        arguments = [{"name": name, "value": value} for name, value in told.items()]
        return {"lines": lines, "handler": {"code": self._shop.handler, "arguments": arguments}}

    def _cancel(self, _: Record, native_id: str) -> Done:
        answer = self._shop.client.attempt(MOVE, id=native_id, state="Cancelled")
        if "errorCode" in answer and answer.get("fromState") != "Cancelled":
            raise ERRORS.error(answer["errorCode"], str(answer.get("transitionError") or answer["message"]))
        return Done(native_id, str(answer.get("trackingCode") or native_id), answer)


class OrderSink:
    """Orders of the shop's own. A payload is {"order_no", "gross"}, the amount in minor units.

    Writing changes nothing: it says whether the shop has this order at this amount. Reversing cancels it.
    """

    name = "order"
    entity = "sales_order"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def key_of(self, payload: Record) -> str:
        """The order's code."""
        return str(payload["order_no"])

    def figures_of(self, payload: Record) -> Figures:
        """The amount with tax, in yuan."""
        return {"gross": _yuan(payload["gross"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """The shop's orders with these codes."""
        rows = with_keys(self._shop.client, BY_CODE, "orders", "code", keys)
        return {
            row["code"]: Found(str(row["id"]), row["code"], {"gross": _yuan(row["totalWithTax"])}, row) for row in rows
        }

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Recognise each order; nothing is sent that changes anything."""
        return each(self._shop.client, self._recognise, payloads)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Cancel whole orders with their freight. What was shipped is refused; money is given back by a person."""
        return each_of(self._shop.client, self._cancel, payloads, native_ids)

    def _recognise(self, payload: Record, _: str) -> Done:
        order = _order(self._shop, payload["order_no"])
        if order["totalWithTax"] != payload["gross"]:
            both = f"{order['code']}: {_yuan(order['totalWithTax'])} ≠ {_yuan(payload['gross'])}"
            raise ERRORS.error("not-as-sent", both, where=order["code"])
        return Done(str(order["id"]), order["code"], order)

    def _cancel(self, _: Record, native_id: str) -> Done:
        client = self._shop.client
        order = client.read(BY_ID, id=native_id).get("order")
        if order is None:
            raise ERRORS.error("no-such-order", native_id, where=native_id)
        if any(one["state"] in SHIPPED for one in order["fulfillments"] or []):
            raise ERRORS.error("already-shipped", order["code"], where=order["code"])
        if order["state"] != "Cancelled":
            order = client.write(CANCEL, input={"orderId": native_id, "cancelShipping": True, "reason": REASON})
        return Done(native_id, order["code"], order)


def _order(shop: Shop, code: str) -> Record:
    """The order with that code. Raises VendorRejected."""
    for order in with_keys(shop.client, BY_CODE, "orders", "code", [code]):
        return order
    raise ERRORS.error("no-such-order", code, where=code)


def _lines(payload: Record, order: Record, held: Sequence[Record]) -> list[Record]:
    """What the parcel holds: its own lines, else all that no other parcel has. Raises VendorRejected."""
    if payload.get("lines"):
        own: list[Record] = [
            {"orderLineId": str(line["oid"]), "quantity": int(line["qty"])} for line in payload["lines"]
        ]
        strange = {line["orderLineId"] for line in own} - {str(line["id"]) for line in order["lines"]}
        if strange:
            raise ERRORS.error("no-such-line", f"{order['code']}: {', '.join(sorted(strange))}", where=order["code"])
        return own
    gone: Counter[Any] = Counter()
    for one in held:
        for line in one["lines"]:
            gone[line["orderLineId"]] += line["quantity"]
    left = [{"orderLineId": line["id"], "quantity": line["quantity"] - gone[line["id"]]} for line in order["lines"]]
    if not (left := [line for line in left if line["quantity"] > 0]):
        raise ERRORS.error("nothing-left", order["code"], where=order["code"])
    return left


def _yuan(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-PLACES)
