"""Shipments of the 抖店 sandbox: order.logisticsAdd, order.logisticsAddMultiPack, and the states that forbid them.

Codes: the methods' pages of 抖店开放平台. A whole order leaves in one parcel, or parts of it in several; the order is
"部分发货" (101) until nothing is left to ship, then "已发货" (3).
"""

from __future__ import annotations

import re

from sandbox.doudian_methods import Call, Refusal, invalid, refused
from sandbox.store import Record

FORBIDDEN = {
    1: ("60137", "订单未支付，禁止发货。"),
    105: ("60109", "订单正在风控审核中，请等待订单变为“备货中”状态后重试。"),
    3: ("60110", "订单已发货，不允许再次执行发货。"),
    4: ("60021", "订单已取消，禁止发货。"),
    5: ("60113", "订单已完结，禁止发货。"),
}
OPEN = (6, 7, 11)  # after-sales that wait for somebody
WAYBILL = re.compile(r"[A-Za-z0-9-]{6,40}")
CANCELLED = 4


def add(call: Call) -> Record:
    """order.logisticsAdd: everything that is left to ship, in one parcel."""
    order, code = _order(call), _waybill(call.given)
    _carrier(call, call.given)
    left = _left(order)
    _ship(call, order, code, {oid: number for oid, number in left.items() if number})
    return {}


def add_packs(call: Call) -> Record:
    """order.logisticsAddMultiPack: named quantities of lines, all parcels or none; known again by request_id."""
    request_id = call.text("request_id", "50050", "发货请求id不能为空，请检查requestId")
    done = call.store.get(f"request/{call.shop}", request_id)
    if done is not None:
        return done
    order = _order(call)
    packs = call.given.get("pack_list")
    if not isinstance(packs, list) or not packs:
        raise refused("60036", "发货信息为空。")
    told = []
    for pack in packs:
        _carrier(call, pack)
        parts = {str(one["shipped_order_id"]): int(one["shipped_num"]) for one in pack.get("shipped_order_info") or []}
        _check_parts(_left(order), parts)
        order, pack_id = _ship(call, order, _waybill(pack), parts)
        told.append({**pack, "pack_id": pack_id})
    call.store.put(f"request/{call.shop}", request_id, {"pack_list": told})
    return {"pack_list": told}


def _order(call: Call) -> Record:
    order = call.order(call.text("order_id", "50049", "订单号不能为空或者格式错误。"))
    if order is None:
        raise refused("60033", "订单不存在，请仔细检查后重试。")
    if order["order_status"] in FORBIDDEN:
        raise refused(*FORBIDDEN[order["order_status"]])
    states = [(line.get("after_sale_info") or {}).get("after_sale_status", 0) for line in order["sku_order_list"]]
    if any(state in OPEN for state in states) and call.given.get("is_reject_refund") is not True:
        raise refused("60040", "发货订单中有退款申请需要处理，请先处理。")
    return order


def _carrier(call: Call, given: Record) -> None:
    if not given.get("company_code"):
        raise refused("60011", "物流公司编码不允许为空")
    if given["company_code"] not in (call.store.get("config", "carriers") or {}):
        raise refused("60018", "暂不支持该物流公司或物流商已失效，请检查。")


def _waybill(given: Record) -> str:
    code = given.get("logistics_code")
    if not code:
        raise Refusal(40002, "缺少必选参数", "isv.missing-parameter:logistics_code", "缺少参数 logistics_code")
    if not isinstance(code, str) or not WAYBILL.fullmatch(code):
        raise invalid("60017", "物流单号不符合规则")
    return code


def _left(order: Record) -> dict[str, int]:
    """What each line still has to ship."""
    left = {str(line["order_id"]): _due(line) for line in order["sku_order_list"]}
    for parcel in order.get("logistics_info") or []:
        for one in parcel["product_info"]:
            left[one["sku_order_id"]] -= one["product_count"]
    return left


def _due(line: Record) -> int:
    return 0 if line.get("order_status") == CANCELLED else int(line["item_num"])


def _check_parts(left: dict[str, int], parts: dict[str, int]) -> None:
    if not parts:
        raise refused("60036", "发货信息为空。")
    for oid, number in parts.items():
        if oid not in left:
            raise refused("60102", "60102:商品单不存在，请仔细检查后重试")
        if not 0 < number <= left[oid]:
            raise refused("60080", "60080:商品的发货数量不合法")


def _ship(call: Call, order: Record, code: str, parts: dict[str, int]) -> tuple[Record, str]:
    pack_id = str(7_400_000_000_000_000_000 + call.store.next("pack"))
    lines = [{"sku_order_id": oid, "product_count": number} for oid, number in parts.items()]
    parcel = {"tracking_no": code, "delivery_id": pack_id, "ship_time": call.now, "product_info": lines}
    parcels = [*(order.get("logistics_info") or []), parcel]
    shipped = {**order, "logistics_info": parcels, "ship_time": call.now, "update_time": call.now}
    shipped["order_status"] = 101 if any(_left(shipped).values()) else 3
    call.store.put(f"order/{call.shop}", str(order["order_id"]), shipped)
    return shipped, pack_id
