"""The POP methods the sandbox serves, each a function from one checked call to the inside of its answer.

Parameters, limits and answers follow 拼多多开放平台 API 文档 (open.pinduoduo.com): pdd.order.number.list.increment.get,
pdd.order.information.get, pdd.refund.list.increment.get, pdd.goods.list.get, pdd.goods.quantity.update,
pdd.logistics.companies.get, pdd.logistics.online.send, pdd.order.upload.extra.logistics, pdd.mall.info.get.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from duijie import codec
from sandbox.store import Record, Store

CHINA = timezone(timedelta(hours=8))
TIME = "%Y-%m-%d %H:%M:%S"
HALF_HOUR = 1800
SETTLED = 180
ALL, TO_SHIP, SHIPPED = 5, 1, 2
NO_REFUND = 1
HIDDEN = ("receiver_name", "receiver_phone", "receiver_address")
KEYS = {
    "pdd.order.number.list.increment.get": "order_sn_increment_get_response",
    "pdd.order.information.get": "order_info_get_response",
    "pdd.refund.list.increment.get": "refund_increment_get_response",
    "pdd.order.upload.extra.logistics": "upload_extra_logistics_response",
}


class PopError(Exception):
    """An error envelope to be answered with HTTP 200."""

    def __init__(self, code: int, msg: str, sub_code: str | None = None, sub_msg: str = "") -> None:
        super().__init__(msg)
        self.code, self.msg, self.sub_code, self.sub_msg = code, msg, sub_code or str(code), sub_msg or msg

    def envelope(self) -> Record:
        """The body of `error_response`."""
        return {
            "error_code": self.code,
            "error_msg": self.msg,
            "sub_code": self.sub_code,
            "sub_msg": self.sub_msg,
        }


@dataclass(frozen=True)
class Call:
    """One call whose signature, token and clock are already checked."""

    store: Store
    shop: str
    given: dict[str, str]
    now: datetime

    def rows(self, kind: str) -> list[Record]:
        """The shop's records of a kind."""
        return self.store.all(f"{kind}/{self.shop}")

    def need(self, name: str) -> str:
        """A mandatory parameter, or error 10000."""
        if not self.given.get(name):
            raise bad(f"{name} 不能为空")
        return self.given[name]

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number between two bounds, or error 10000; mandatory without a default."""
        text = self.given.get(name) or (self.need(name) if default is None else str(default))
        if not text.isdigit() or not least <= int(text) <= most:
            raise bad(f"{name} 应为 {least} 到 {most} 的整数")
        return int(text)

    def moment(self) -> str:
        """Now, as answers say it."""
        return self.now.astimezone(CHINA).strftime(TIME)


def bad(words: str) -> PopError:
    """A parameter that is refused."""
    return PopError(10000, f"参数错误: {words}")


def response_key(method: str) -> str:
    """The key an answer is wrapped in: by the name, but for the methods that have a short one of their own."""
    return KEYS.get(method) or method.removeprefix("pdd.").replace(".", "_") + "_response"


def _period(call: Call) -> tuple[str, str]:
    """The closed interval asked for, as texts. Half an hour at most, and settled for three minutes."""
    since, until = (call.number(f"{edge}_updated_at", 0, 2**40) for edge in ("start", "end"))
    if not 0 <= until - since <= HALF_HOUR:
        raise bad("开始时间与结束时间间距不超过 30 分钟, 且开始不晚于结束")
    if until > call.now.timestamp() - SETTLED:
        raise bad("结束时间须早于系统时间 3 分钟")
    low, high = (datetime.fromtimestamp(at, UTC).astimezone(CHINA).strftime(TIME) for at in (since, until))
    return low, high


def _page(call: Call, rows: list[Record], changed: str, name: str) -> Record:
    """One page, what changed last first, with has_next or total_count as asked."""
    size, page = call.number("page_size", 1, 100, 100), call.number("page", 1, 1_000_000, 1)
    ordered = sorted(rows, key=lambda row: str(row.get(changed, "")), reverse=True)
    chosen = ordered[(page - 1) * size : page * size]
    if call.given.get("use_has_next") == "true":
        return {name: chosen, "has_next": len(ordered) > page * size}
    return {name: chosen, "total_count": len(ordered)}


def _orders(call: Call) -> Record:
    low, high = _period(call)
    lucky = call.number("is_lucky_flag", 0, 2)
    wanted = {"is_lucky_flag": lucky or ALL}
    wanted |= {name: call.number(name, 1, ALL) for name in ("order_status", "refund_status")}
    rows = [row for row in call.rows("order") if low <= row.get("updated_at", "") <= high]
    rows = [row for row in rows if row.get("confirm_status", 1) == 1]
    rows = [row for row in rows if all(kind in (ALL, row.get(name, ALL)) for name, kind in wanted.items())]
    return _page(call, [_shown(row) for row in rows], "updated_at", "order_sn_list")


def _shown(order: Record) -> Record:
    """Receivers are told (as ciphertext) only of orders that may be shipped now."""
    may_leave = order.get("order_status") == TO_SHIP and order.get("risk_control_status", 0) == 0
    return order if may_leave else {**order, **{name: "" for name in HIDDEN if name in order}}


def _order_of(call: Call, order_sn: str) -> Record:
    found = call.store.get(f"order/{call.shop}", order_sn)
    if found is None:
        raise PopError(50001, "业务服务错误", "45001", "订单不属于当前店铺或订单不存在")
    return found


def _order(call: Call) -> Record:
    return {"order_info": _shown(_order_of(call, call.need("order_sn")))}


def _refunds(call: Call) -> Record:
    low, high = _period(call)
    status, kind = call.number("after_sales_status", 0, 99), call.number("after_sales_type", 1, 9)
    order_sn = call.given.get("order_sn")
    rows = [row for row in call.rows("refund") if low <= row.get("updated_time", "") <= high]
    rows = [row for row in rows if status in (1, row.get("after_sales_status"))]
    rows = [row for row in rows if kind in (1, row.get("after_sales_type"))]
    if order_sn:
        rows = [row for row in call.rows("refund") if row.get("order_sn") == order_sn]
    return _page(call, rows, "updated_time", "refund_list")


def _goods(call: Call) -> Record:
    rows = call.rows("goods")
    if call.given.get("is_onsale"):
        rows = [row for row in rows if row.get("is_onsale") == call.number("is_onsale", 0, 1)]
    elif call.given.get("outer_id"):
        code = call.given["outer_id"]
        rows = [row for row in rows if any(sku.get("outer_id") == code for sku in row["sku_list"])]
    return _page(call, rows, "goods_id", "goods_list")


def _update_quantity(call: Call) -> Record:
    goods = call.store.get(f"goods/{call.shop}", call.need("goods_id"))
    if goods is None:
        raise PopError(50001, "业务服务错误", "40001", "商品不存在或不属于该店铺")
    name = "sku_id" if call.given.get("sku_id") else "outer_id"
    code, skus = call.need(name), goods["sku_list"]
    sku = next((one for one in skus if str(one[name]) == code), None)
    if sku is None:
        raise PopError(50001, "业务服务错误", "40002", f"商品没有该 SKU: {code}")
    text = call.need("quantity")
    if not text.lstrip("-").isdigit():
        raise bad("quantity 应为整数")
    quantity = int(text) + (sku["sku_quantity"] if call.number("update_type", 1, 2, 1) == 2 else 0)
    if quantity < 0:
        raise bad("库存不能小于 0")
    if goods.get("promoted") and quantity < sku["sku_quantity"]:
        raise PopError(50001, "业务服务错误", "40003", "资源位上的商品不能减少库存")
    changed = [{**one, "sku_quantity": quantity} if one is sku else one for one in skus]
    call.store.put(f"goods/{call.shop}", str(goods["goods_id"]), {**goods, "sku_list": changed})
    return {"is_success": True}


def _companies(call: Call) -> Record:
    return {"logistics_companies": call.store.all("company")}


def _carrier(call: Call, number: str) -> int:
    company = call.store.get("company", number)
    if company is None or company.get("available") != 1:
        raise PopError(50001, "业务服务错误", "45011", "不支持的快递公司")
    return int(number)


def _send(call: Call) -> Record:
    order = _order_of(call, call.need("order_sn"))
    carrier, waybill = _carrier(call, call.need("logistics_id")), call.need("tracking_number")
    if call.number("redelivery_type", 1, 2, 1) == 1 and order.get("order_status") != TO_SHIP:
        raise PopError(50001, "业务服务错误", "45012", "订单不是待发货状态")
    if order.get("risk_control_status", 0) or order.get("refund_status", NO_REFUND) != NO_REFUND:
        raise PopError(50001, "业务服务错误", "45013", "订单审核中或有售后, 不可发货")
    left = {"order_status": SHIPPED, "logistics_id": carrier, "tracking_number": waybill}
    _put(call, {**order, **left, "shipping_time": call.moment()})
    return {"is_success": True}


def _extra(call: Call) -> Record:
    order = _order_of(call, call.need("order_sn"))
    tracks = _tracks(call.need("extra_track_list"))
    call.number("extra_track_type", 1, 3, 1)
    added = [
        {"logistics_id": _carrier(call, str(one["shipping_id"])), "tracking_number": one["tracking_number"]}
        for one in tracks
    ]
    _put(call, {**order, "extra_delivery_list": [*(order.get("extra_delivery_list") or []), *added]})
    return {"success": True}


def _tracks(text: str) -> list[dict[str, Any]]:
    try:
        tracks = codec.decode(text)
    except msgspec.DecodeError:
        tracks = None
    if not isinstance(tracks, list) or not all({"shipping_id", "tracking_number"} <= set(one) for one in tracks):
        raise bad("extra_track_list 应为 [{shipping_id, tracking_number}]")
    return tracks


def _put(call: Call, order: Record) -> None:
    call.store.put(f"order/{call.shop}", order["order_sn"], {**order, "updated_at": call.moment()})


def _mall(call: Call) -> Record:
    shop = call.store.get("shop", call.shop) or {}
    return {"mall_id": shop.get("mall_id"), "mall_name": shop.get("mall_name"), "merchant_type": 3}


METHODS: dict[str, Callable[[Call], Record]] = {
    "pdd.order.number.list.increment.get": _orders,
    "pdd.order.information.get": _order,
    "pdd.refund.list.increment.get": _refunds,
    "pdd.goods.list.get": _goods,
    "pdd.goods.quantity.update": _update_quantity,
    "pdd.logistics.companies.get": _companies,
    "pdd.logistics.online.send": _send,
    "pdd.order.upload.extra.logistics": _extra,
    "pdd.mall.info.get": _mall,
}
