"""特定业务 of requestBillingNew: what a building, freight, property or passenger invoice must also say.

Source: 诺税通 SaaS requestBillingNew field table (open.nuonuo.com).
"""

from __future__ import annotations

from typing import Any

from sandbox.nuonuo_rules import Record, must

BARE = ("specType", "unit", "num", "price")
PLACES = "街路村乡镇道"
BUILDING, FREIGHT, SALE, LEASE, PASSENGER, FARM = "3", "4", "5", "6", "9", "16"
FACTORS = ("0", BUILDING, FREIGHT, SALE, LEASE, PASSENGER, FARM)
OBJECTS = {BUILDING: "invoiceBuildingInfo", SALE: "realPropertySellInfo", LEASE: "realPropertyRentInfo"}
ROWS = {FREIGHT: ("invoiceGoodsTransports", 1), PASSENGER: ("invoiceTravellerTransportInfoList", 0)}
TRANSPORT = {"transportTool": 1, "transportToolNum": 40, "origin": 80, "destination": 80, "goodsName": 80}


def check_special(order: Record) -> None:
    """The object or rows that the factor asks for, and none other. Raises Refused."""
    factor = order.get("specificFactor") or "0"
    must(factor in FACTORS, f"specificFactor 无效: {factor}")
    wanted = {OBJECTS.get(factor), ROWS.get(factor, (None, 0))[0]}
    for name in (*OBJECTS.values(), *(name for name, _ in ROWS.values())):
        must(name in wanted or not order.get(name), f"specificFactor 为 {factor} 时不能有 {name}")
    if factor in OBJECTS:
        _check_object(order, OBJECTS[factor], factor)
    if factor in ROWS:
        name, least = ROWS[factor]
        rows = order.get(name) or []
        must(isinstance(rows, list) and least <= len(rows) <= 2000, f"{name} 应有 {least} 至 2000 行")
        for row in rows if factor == FREIGHT else ():
            _check_transport(row)


def _check_object(order: Record, name: str, factor: str) -> None:
    info = order.get(name)
    must(isinstance(info, dict), f"specificFactor 为 {factor} 时 {name} 必填")
    given: Record = info if isinstance(info, dict) else {}
    lines = order["invoiceDetail"]
    must(len(lines) == 1, "该特定业务只能有一行明细")
    bare = BARE if factor == BUILDING else BARE[:2]
    must(not any(lines[0].get(field) for field in bare), f"该特定业务的明细不能填写 {', '.join(bare)}")
    must(given.get("crossCityFlag") in ("0", "1"), "crossCityFlag 必填: 0 否, 1 是")
    if factor == BUILDING:
        _texts(given, {"buildingAddress": 120, "itemName": 80}, name)
        whole = given["buildingAddress"] + given.get("detailedAddress", "")
        must(len(whole) <= 120, "建筑服务发生地超过 120 个字符")
        return
    _texts(given, {"realPropertyAddress": 120}, name)
    whole = given["realPropertyAddress"] + given.get("detailAddress", "")
    must(len(whole) <= 120, "不动产地址超过 120 个字符")
    must(any(word in whole for word in PLACES), f"不动产地址必须包含 {PLACES} 之一")
    must(factor != LEASE or given.get("rentStartDate", "9") <= given.get("rentEndDate", ""), "租赁期起不能晚于租赁期止")


def _check_transport(row: Any) -> None:
    must(isinstance(row, dict), "运输明细不是对象")
    _texts(row, TRANSPORT, "invoiceGoodsTransports")
    must(row["transportTool"] in ("1", "2", "3", "4", "5"), "transportTool 无效")


def _texts(given: Record, lengths: dict[str, int], where: str) -> None:
    for name, length in lengths.items():
        text = given.get(name)
        must(isinstance(text, str) and 0 < len(text) <= length, f"{where} 的 {name} 缺失或超过 {length} 个字符")


__all__ = ["check_special"]
