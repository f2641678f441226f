"""Tells the platform that an order was shipped: pdd.logistics.online.send, and for a further parcel of the same order
pdd.order.upload.extra.logistics (拼多多开放平台 API 文档).

A payload is {"shop", "order_sn", "carrier", "waybill", "part"}. The carrier is a number, code or name in the list of
pdd.logistics.companies.get. Before every write the order is read, as the platform demands: what is under review waits,
what is being refunded or left with another waybill is refused. redelivery_type=1 ships only what waits to be shipped,
but how a second one is answered is not published, hence LOOKUP: the key holds the waybill, so that `find` tells our
parcel from another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from connectors.pdd.changes import order_of
from connectors.pdd.client import ERRORS, Client, listed
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.protocol import Done, Figures, Found, Later, Outcome, Refused, Safety
from duijie.connect.retry import outcome_of, side_by_side

SEND, EXTRA = "pdd.logistics.online.send", "pdd.order.upload.extra.logistics"
COMPANIES = "pdd.logistics.companies.get"
TO_SHIP = 1
UNDER_REVIEW = 1
ON = 1
NO_REFUND = 1
IN_PARCELS = 1
FIRST = 1
HELD_SECONDS = 6 * 3600.0  # with the eight tries of a delivery two days: reviews take that long
NO_SUCH_ORDER = Refused(
    "pdd:no-such-order",
    "店铺中没有该订单 (或已超过三个月), 请核对订单号与店铺后重放",
    "the shop has no such order of the last three months; check order number and shop, then replay",
)
HELD = Later(
    "订单风控审核中或被平台暂停发货, 解除前不可发货; 稍后自动重试, 两天后仍未解除则转人工",
    "the order is under review or held by the platform and must not be shipped; it is tried for two days",
    HELD_SECONDS,
)
REFUNDED = Refused(
    "pdd:refund",
    "订单有进行中或已成功的退款, 未通知发货; 请先处理售后, 确需发货再重放",
    "the order is being or has been refunded; settle that first, then replay if it is to be shipped",
)


class ShipmentSink:
    """Shipments per shop, order and waybill."""

    name = "shipment"
    entity = "shipment"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, client: Client) -> None:
        self._client = client
        self._carriers: dict[str, str] = {}

    def key_of(self, payload: Record) -> str:
        """shop:order_sn:waybill."""
        return f"{payload['shop']}:{payload['order_sn']}:{payload['waybill']}"

    def figures_of(self, payload: Record) -> Figures:
        """None: a shipment has no amounts; its key is the waybill."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """The orders that left with these waybills."""
        found = side_by_side(self._find, keys)
        return {key: one for key, one in zip(keys, found, strict=True) if one}

    def write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """One outcome per payload, in order; parcels of one order follow each other."""
        by_order: dict[tuple[str, str], list[int]] = {}
        for index, payload in enumerate(payloads):
            by_order.setdefault((payload["shop"], payload["order_sn"]), []).append(index)
        groups = list(by_order.values())
        made = side_by_side(lambda group: [self._write(payloads[index]) for index in group], groups)
        outcomes = {
            index: one for group, own in zip(groups, made, strict=True) for index, one in zip(group, own, strict=True)
        }
        return [outcomes[index] for index in range(len(payloads))]

    def _find(self, key: str) -> Found | None:
        shop, _, rest = key.partition(":")
        order_sn, _, waybill = rest.partition(":")
        if not waybill:
            return None
        order = order_of(self._client, shop, order_sn)
        return Found(order_sn, waybill, {}, shipped(order)) if order and waybill in waybills(order) else None

    def _write(self, payload: Record) -> Outcome:
        try:
            order = order_of(self._client, payload["shop"], payload["order_sn"])
            return self._ship(payload, order) if order else NO_SUCH_ORDER
        except DuijieError as error:  # while reading: nothing was written yet
            found = outcome_of(error)
            return found if isinstance(found, Refused) else Later(error.zh, error.en, getattr(found, "after", 5.0))

    def _ship(self, payload: Record, order: Record) -> Outcome:
        if payload["waybill"] in waybills(order):
            return Done(payload["order_sn"], payload["waybill"], shipped(order))
        is_left = order.get("order_status") != TO_SHIP
        if is_left and not payload.get("part"):
            return left_otherwise(order)
        if is_held(order):
            return HELD
        if order.get("refund_status") != NO_REFUND:
            return REFUNDED
        carrier = self._carrier(payload["shop"], payload["carrier"])
        if carrier is None:
            return unknown_carrier(payload["carrier"])
        return self._client.retrier(payload["shop"]).outcome(partial(self._send, payload, carrier, is_left))

    def _send(self, payload: Record, carrier: str, is_left: bool) -> Done:
        """The first parcel ships the order; one that follows is told beside it."""
        order_sn, waybill = payload["order_sn"], payload["waybill"]
        track = {"shipping_id": int(carrier), "tracking_number": waybill}
        first = {"logistics_id": carrier, "tracking_number": waybill, "redelivery_type": FIRST}
        further = {"extra_track_list": [track], "extra_track_type": IN_PARCELS}
        method, asked = (EXTRA, further) if is_left else (SEND, first)
        answer = self._client.write(payload["shop"], method, order_sn=order_sn, **asked)
        if True not in (answer.get("is_success"), answer.get("success")):
            raise ERRORS.error("outcome-unknown", "no is_success", where=f"{payload['shop']} {method}")
        return Done(order_sn, waybill, answer)

    def _carrier(self, shop: str, carrier: str) -> str | None:
        """The platform's number of a carrier; None where its list does not name it as available."""
        if carrier.casefold() not in self._carriers:
            rows = listed(self._client.read(shop, COMPANIES), "logistics_companies", f"{shop} {COMPANIES}")
            good = [row for row in rows if row.get("available") == 1]
            names = [(row.get(name), row["id"]) for name in ("logistics_company", "code", "id") for row in good]
            self._carriers = {str(name).casefold(): str(number) for name, number in names if name}
        return self._carriers.get(carrier.casefold())


def is_held(order: Record) -> bool:
    """Whether the platform says that the order must not leave yet."""
    tags = {str(tag.get("name")): tag.get("value") for tag in order.get("order_tag_list") or []}
    return order.get("risk_control_status") == UNDER_REVIEW or tags.get("ship_hold") == ON


def waybills(order: Record) -> set[str]:
    """Every waybill that an order has left with."""
    extra = [row.get("tracking_number") for row in order.get("extra_delivery_list") or []]
    return {str(one) for one in (order.get("tracking_number"), *extra) if one}


def shipped(order: Record) -> Record:
    """What of an order says how it left; nothing of its receiver."""
    names = ("order_sn", "order_status", "logistics_id", "tracking_number", "extra_delivery_list", "shipping_time")
    return {name: order[name] for name in names if name in order}


def left_otherwise(order: Record) -> Refused:
    """The order has left with another waybill than ours."""
    waybill = order.get("tracking_number") or "无单号"
    return Refused(
        "pdd:shipped-otherwise",
        f"订单已用其他运单发货 ({waybill}), 未改动; 请核对运单, 确需更换请在商家后台修改",
        f"the order left with another waybill ({waybill}); compare them and change it in the console if need be",
    )


def unknown_carrier(carrier: str) -> Refused:
    """The platform does not ship with this carrier."""
    return Refused(
        "pdd:no-such-carrier",
        f"快递公司 {carrier} 不在拼多多可用的快递列表中, 请在对照表 “物流公司” (logistics) 中补上其编号或名称后重放",
        f"carrier {carrier} is not in the platform's list; add its number to the code table logistics, then replay",
    )
