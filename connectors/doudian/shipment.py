"""Tells shops that a parcel has left: order.logisticsAdd for a whole order, order.logisticsAddMultiPack for a part.

Source: 抖店开放平台 API 文档. logisticsAddMultiPack knows a request again by its request_id; logisticsAdd knows none,
and a second parcel of an order is a legal thing. So the order is read before anything is sent twice: a parcel is there
when the order names its waybill. Open refund requests are never rejected by shipping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial

from connectors.doudian.client import Client
from connectors.doudian.lists import Orders
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side


class ShipmentSink:
    """Parcels.

    A payload is {"shop", "order_id", "company_code", "logistics_code", "lines": [{"shipped_order_id", "shipped_num"}]};
    without lines the parcel holds all that is left of the order.
    """

    name = entity = "shipment"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, client: Client, orders: Orders) -> None:
        self._client = client
        self._orders = orders

    def key_of(self, payload: Record) -> str:
        """shop:order:waybill."""
        return f"{payload['shop']}:{payload['order_id']}:{payload['logistics_code']}"

    def figures_of(self, payload: Record) -> Figures:
        """None: the waybill on the order is what is compared."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """The parcels that are on their orders, each order read once."""
        wanted = list(dict.fromkeys(key.rpartition(":")[0] for key in keys))
        orders = dict(zip(wanted, side_by_side(self._order, wanted), strict=True))
        found = {key: _parcel(orders[key.rpartition(":")[0]], key.rpartition(":")[2]) for key in keys}
        return {key: Found(str(row.get("delivery_id") or ""), key, {}, row) for key, row in found.items() if row}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per parcel, in order: two parcels of an order must not meet each other."""
        return [self._client.retrier(one["shop"]).outcome(partial(self._ship, one)) for one in payloads]

    def _order(self, key: str) -> Record | None:
        shop, _, number = key.partition(":")
        return self._orders.by_number(shop, number)

    def _ship(self, payload: Record) -> Done:
        parcel = {name: payload[name] for name in ("company_code", "logistics_code")}
        if payload.get("lines"):
            answer = self._client.write(
                payload["shop"],
                "order.logisticsAddMultiPack",
                order_id=payload["order_id"],
                pack_list=[{**parcel, "shipped_order_info": payload["lines"]}],
                request_id=hashlib.sha256(self.key_of(payload).encode()).hexdigest()[:32],
                is_reject_refund=False,
            )
        else:
            answer = self._client.write(
                payload["shop"], "order.logisticsAdd", order_id=payload["order_id"], is_reject_refund=False, **parcel
            )
        packs = (answer.get("data") or {}).get("pack_list") or [{}]
        return Done(str(packs[0].get("pack_id") or payload["logistics_code"]), self.key_of(payload), answer)


def _parcel(order: Record | None, waybill: str) -> Record | None:
    parcels = (order or {}).get("logistics_info") or []
    return next((dict(row) for row in parcels if row.get("tracking_no") == waybill), None)
