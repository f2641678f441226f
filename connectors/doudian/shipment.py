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
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Done, Figures, Found, Later, Outcome, Safety, Unknown
from duijie.connect.retry import outcome_of, side_by_side


class Carriers:
    """The codes of carriers by their code or name (order.logisticsCompanyList), asked once a shop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._codes: dict[str, dict[str, str]] = {}

    def code(self, shop: str, told: str) -> str:
        """The platform's code of a carrier; what it does not know is left for it to refuse."""
        if shop not in self._codes:
            rows = self._client.read(shop, "order.logisticsCompanyList")
            names = {str(row["name"]): str(row["code"]) for row in rows}
            self._codes[shop] = {**names, **{code: code for code in names.values()}}
        return self._codes[shop].get(told, told)


class ShipmentSink:
    """Parcels.

    A payload is {"shop", "order_id", "company_code", "logistics_code", "lines": [{"shipped_order_id", "shipped_num"}]};
    without lines the parcel holds all that is left of the order. The carrier goes by its code or its name.
    """

    name = entity = "shipment"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, client: Client, orders: Orders) -> None:
        self._client = client
        self._orders = orders
        self._carriers = Carriers(client)

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
        return [self._one(payload) for payload in payloads]

    def _one(self, payload: Record) -> Outcome:
        try:
            code = self._carriers.code(payload["shop"], payload["company_code"])
        except DuijieError as error:  # nothing was sent yet
            told = outcome_of(error)
            return Later(told.zh, told.en) if isinstance(told, Unknown) else told
        retrier = self._client.retrier(payload["shop"])
        return retrier.outcome(partial(self._ship, {**payload, "company_code": code}))

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
