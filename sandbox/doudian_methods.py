"""The methods that the 抖店 sandbox serves, each a function from one checked call to the data of its answer.

Parameters, limits and codes follow 抖店开放平台 API 文档: order.searchList, order.orderDetail,
order.logisticsCompanyList, afterSale.List, afterSale.Detail, product.listV2, sku.list, sku.detail, sku.stockNum,
sku.syncStock. Shipments are in sandbox/doudian_shipping.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.store import Record, Store

DAYS_90 = 90 * 86400
HALF_A_YEAR = 183 * 86400
PAGE_MOST = 100
PRODUCT_DEPTH = 10_000


class Refusal(Exception):
    """An error envelope, answered with HTTP 200."""

    def __init__(self, code: int, msg: str, sub_code: str = "", sub_msg: str = "") -> None:
        super().__init__(msg)
        self.code, self.msg, self.sub_code, self.sub_msg = code, msg, sub_code, sub_msg


@dataclass(frozen=True)
class Call:
    """One call whose signature and token are already checked. `now` in seconds."""

    store: Store
    shop: str
    given: Record
    now: int
    depth: int

    def rows(self, kind: str) -> list[Record]:
        """The shop's records of a kind."""
        return self.store.all(f"{kind}/{self.shop}")

    def text(self, name: str, sub: str = "20000", words: str = "") -> str:
        """A mandatory text; 40002 without it, 40004 for anything but a text."""
        value = self.given.get(name)
        if value in (None, ""):
            raise Refusal(40002, "缺少必选参数", f"isv.missing-parameter:{sub}", words or f"缺少参数 {name}")
        if not isinstance(value, str):
            raise invalid(sub, f"{name} 应为字符串")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number; 40002 where it is mandatory and missing, 40004 for anything else."""
        value = self.given.get(name, default)
        if value is None:
            raise Refusal(40002, "缺少必选参数", f"isv.missing-parameter:{name}", f"缺少参数 {name}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(name, f"{name} 应为整数")
        return value

    def order(self, number: str) -> Record | None:
        """An order of the shop."""
        return self.store.get(f"order/{self.shop}", number)


def invalid(sub: str, words: str) -> Refusal:
    """40004."""
    return Refusal(40004, "非法的参数", f"isv.parameter-invalid:{sub}", words)


def refused(sub: str, words: str) -> Refusal:
    """50002."""
    return Refusal(50002, "业务处理失败", f"isv.business-failed:{sub}", words)


def _page(call: Call, rows: list[Record], first: int, depth: int) -> tuple[list[Record], int, int]:
    page, size = call.number("page"), call.number("size")
    if page < first:
        raise invalid("10035" if first == 0 else "2010004", f"页数从{first}开始")
    if not 1 <= size <= PAGE_MOST:
        raise invalid("20008", "单页大小应为 1 到 100")
    if (page + 1 - first) * size > depth:
        raise invalid("20013", f"最多支持查询 {depth} 条")
    start = (page - first) * size
    return rows[start : start + size], page, size


def _between(call: Call, since: str, until: str, at: Callable[[Record], int], rows: list[Record]) -> list[Record]:
    low, high = call.number(since, 0), call.number(until, 2**40)
    return [row for row in rows if low <= at(row) <= high]


def _search(call: Call) -> Record:
    if not {"create_time_start", "update_time_start"} & set(call.given):
        raise invalid("20011", "订单查询开始时间不能为空")
    earliest = call.now - DAYS_90
    if call.number("create_time_start", earliest) < earliest:
        raise invalid("20022", "订单查询只支持查询最近90天内的数据")
    by = call.given.get("order_by", "create_time")
    rows = [row for row in call.rows("order") if row["create_time"] >= earliest]
    for name in ("create_time", "update_time"):
        rows = _between(call, f"{name}_start", f"{name}_end", lambda row, name=name: int(row[name]), rows)  # type: ignore[misc]
    rows.sort(key=lambda row: int(row[by]), reverse=call.given.get("order_asc") is not True)
    found, page, size = _page(call, rows, 0, call.depth)
    return {"shop_order_list": found, "total": len(rows), "page": page, "size": size}


def _detail(call: Call) -> Record:
    number = call.text("shop_order_id", "20000", "请输入查询订单号")
    found = call.order(number)
    if found is None:
        if any(call.store.get(f"order/{shop}", number) for shop in call.store.keys("shop")):
            raise refused("20015", "订单不是该店铺下的订单，无权查询")
        raise invalid("20014", "查询订单不存在")
    return {"shop_order_detail": found}


def _carriers(call: Call) -> list[Record]:
    names = call.store.get("config", "carriers") or {}
    return [{"id": number, "name": name, "code": code} for number, (code, name) in enumerate(names.items(), 1)]


def _aftersales(call: Call) -> Record:
    rows = _between(call, "update_start_time", "update_end_time", _aftersale_time, call.rows("aftersale"))
    if not {"start_time", "update_start_time"} & set(call.given):
        rows = [row for row in rows if _aftersale_time(row) > call.now - HALF_A_YEAR]
    for name in ("aftersale_id", "order_id"):
        if name in call.given:
            wanted = call.text(name, "11000")
            rows = [row for row in rows if wanted in (row["aftersale_info"].get(name), row["order_info"].get(name))]
    by = call.given.get("order_by", [])
    if not isinstance(by, list):
        raise invalid("11000", "order_by 应为列表")
    rows.sort(key=_aftersale_time, reverse="update_time asc" not in by)
    found, page, size = _page(call, rows, 0, call.depth)
    has_more = (page + 1) * size < len(rows)
    found = [{name: value for name, value in row.items() if name != "detail"} for row in found]
    return {"items": found, "total": len(rows), "has_more": has_more, "page": page, "size": len(found)}


def _aftersale(call: Call) -> Record:
    row = call.store.get(f"aftersale/{call.shop}", call.text("after_sale_id", "11000"))
    if row is None:
        raise invalid("11000", "参数错误，售后单ID错误")
    info = row["aftersale_info"]
    said = {"after_sale_id": int(info["aftersale_id"]), "after_sale_status": info["aftersale_status"]}
    money = {"refund_status": info["refund_status"], "refund_total_amount": info["refund_amount"]}
    paid = {"real_refund_amount": info["refund_amount"], "refund_time": info["update_time"]}
    receiver = {"post_receiver": "", "encrypt_post_receiver": "#ab#cd#1#1#"}
    return {"process_info": {"after_sale_info": {**said, **money, **paid, **receiver, **row.get("detail", {})}}}


def _aftersale_time(row: Record) -> int:
    return int(row["aftersale_info"]["update_time"])


def _products(call: Call) -> Record:
    low, high = call.number("update_start_time", -1), call.number("update_end_time", 2**40)
    rows = [row for row in call.rows("product") if low < row.get("update_time", 0) < high]
    if "status" in call.given:
        rows = [row for row in rows if row.get("status", 0) == call.number("status")]
    found, page, size = _page(call, rows, 1, min(call.depth, PRODUCT_DEPTH))
    plain = [{name: value for name, value in row.items() if name != "skus"} for row in found]
    return {"data": plain, "total": len(rows), "page": page, "size": size}


def _skus(call: Call) -> list[Record]:
    product = call.store.get(f"product/{call.shop}", str(call.number("product_id")))
    if product is None:
        raise invalid("4", "该商品不属于你")
    return [_sku(product, sku) for sku in product["skus"]]


def _sku(product: Record, sku: Record) -> Record:
    return {"out_sku_id": 0, "product_id": product["product_id"], "product_id_str": str(product["product_id"]), **sku}


def _located(call: Call) -> tuple[Record, Record] | None:
    wanted = [(field, call.given[name]) for name, field in (("code", "code"), ("sku_id", "id")) if name in call.given]
    products = [row for row in call.rows("product") if row.get("status") != 2]
    item = call.given.get("product_id")
    for product in products:
        for sku in product["skus"] if item in (None, product["product_id"]) else ():
            if wanted and all(sku[field] == value for field, value in wanted):
                return product, sku
    return None


def _named(call: Call) -> tuple[Record, Record]:
    if not call.given.get("code") and not call.given.get("sku_id"):
        raise invalid("20011", "参数不合法: 请输入正确sku_id或sku_code")
    found = _located(call)
    if found is None:
        raise invalid("20050", f"code: {call.given.get('code')}, 找不到对应的sku")
    return found


def _sku_detail(call: Call) -> Record:
    return _sku(*_named(call))


def _stock(call: Call) -> Record:
    _, sku = _named(call)
    shown = {"sku_id": sku["id"], "code": sku["code"], "sku_type": sku["sku_type"], "stock_num": sku.get("stock_num")}
    if sku["sku_type"] == 1:
        stocks = sku.get("stock_map", {})
        shown |= {"stock_num": stocks.get(call.given.get("out_warehouse_id", "")), "stock_num_map": stocks}
    return shown


def _sync(call: Call) -> Record:
    number, found = call.number("stock_num"), _located(call)
    if found is None:
        raise invalid("5", "找不到对应的sku")
    if call.given.get("incremental") and not call.given.get("idempotent_id"):
        raise Refusal(40002, "缺少必选参数", "isv.missing-parameter:idempotent_id", "增量更新须传 idempotent_id")
    product, sku = found
    skus = [_with_stock(call, one, number) if one is sku else one for one in product["skus"]]
    call.store.put(f"product/{call.shop}", str(product["product_id"]), {**product, "skus": skus})
    return {}


def _with_stock(call: Call, sku: Record, number: int) -> Record:
    warehouse = call.given.get("out_warehouse_id")
    stocks: dict[str, Any] = sku.get("stock_map", {})
    if warehouse and warehouse not in stocks:
        raise invalid("40005", "区域仓不存在")
    before = stocks[warehouse] if warehouse else int(sku.get("stock_num") or 0)
    after = before + number if call.given.get("incremental") else number
    if after < 0:
        raise refused("40006", "更新库存数失败: 库存不足")
    return {**sku, "stock_map": {**stocks, warehouse: after}} if warehouse else {**sku, "stock_num": after}


METHODS: dict[str, Callable[[Call], Any]] = {
    "order.searchList": _search,
    "order.orderDetail": _detail,
    "order.logisticsCompanyList": _carriers,
    "afterSale.List": _aftersales,
    "afterSale.Detail": _aftersale,
    "product.listV2": _products,
    "sku.list": _skus,
    "sku.detail": _sku_detail,
    "sku.stockNum": _stock,
    "sku.syncStock": _sync,
}
