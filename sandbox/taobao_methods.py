"""The TOP methods the sandbox serves, each a function from one checked call to the inside of its answer.

Parameters, limits and list wrappers follow 淘宝开放平台 API 文档 (open.taobao.com): taobao.trades.sold.increment.get,
taobao.trade.fullinfo.get, taobao.refunds.receive.get, taobao.refund.get, taobao.items.onsale.get,
taobao.item.skus.get, taobao.skus.custom.get, taobao.skus.quantity.update, taobao.logistics.offline.send,
taobao.user.seller.get.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.store import Record, Store

DEFAULT_TYPES = "guarantee_trade,auto_delivery,ec,cod,step"
TIME = "%Y-%m-%d %H:%M:%S"
DAY = timedelta(days=1)
SKUS_A_CALL = 20
ITEMS_A_CALL = 40
COMPANIES = frozenset(("SF", "YTO", "ZTO", "STO", "YUNDA", "EMS", "JD"))
TO_SHIP = frozenset(("WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART"))


class TopError(Exception):
    """An error envelope to be answered with HTTP 200."""

    def __init__(self, code: int, msg: str, sub_code: str = "", sub_msg: str = "") -> None:
        super().__init__(msg)
        self.code, self.msg, self.sub_code, self.sub_msg = code, msg, sub_code, sub_msg

    def envelope(self) -> Record:
        """The body of `error_response`."""
        sub = {"sub_code": self.sub_code, "sub_msg": self.sub_msg} if self.sub_code else {}
        return {"code": self.code, "msg": self.msg, **sub}


@dataclass(frozen=True)
class Call:
    """One call whose signature, session and format are already checked. `now` is GMT+8 text."""

    store: Store
    shop: str
    given: dict[str, str]
    now: str

    def rows(self, kind: str) -> list[Record]:
        """The shop's records of a kind."""
        return self.store.all(f"{kind}/{self.shop}")

    def need(self, name: str) -> str:
        """A mandatory parameter, or error 40."""
        if not self.given.get(name):
            raise TopError(
                40, f"Missing required arguments:{name}", f"isv.missing-parameter:{name}", f"缺少参数 {name}"
            )
        return self.given[name]

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`, or error 41."""
        text = self.given.get(name, str(default))
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise invalid(name, f"{name} 应为 1 到 {most} 的整数")
        return int(text)

    def moment(self, name: str) -> datetime:
        """A mandatory time, or error 40 or 41."""
        try:
            return datetime.strptime(self.need(name), TIME)  # noqa: DTZ007  both ends of a window are GMT+8
        except ValueError:
            raise invalid(name, f"{name} 应为 yyyy-MM-dd HH:mm:ss") from None


def invalid(name: str, words: str) -> TopError:
    """Error 41 for one parameter."""
    return TopError(41, f"Invalid arguments:{name}", f"isv.invalid-parameter:{name}", words)


def response_name(method: str) -> str:
    """The key an answer is wrapped in: `taobao.` goes, dots become underscores."""
    return method.removeprefix("taobao.").replace(".", "_") + "_response"


def _select(record: Record, fields: str) -> Record:
    """Only the fields asked for; `orders.title` picks inside the list, an unknown field is silently absent."""
    names = [name.strip() for name in fields.split(",")]
    chosen = {name: record[name] for name in names if name in record}
    inner = [name.removeprefix("orders.") for name in names if name.startswith("orders.")]
    if inner and "orders" not in chosen and "orders" in record:
        lines = record["orders"]["order"]
        chosen["orders"] = {"order": [{key: line[key] for key in inner if key in line} for line in lines]}
    return chosen


def _list(outer: str, inner: str, rows: list[Record]) -> Record:
    return {outer: {inner: rows}} if rows else {}


def _page(call: Call, rows: list[Record], outer: str, inner: str, most: int = 100, newest: str = "modified") -> Record:
    """One page, newest first by the field `newest`, with has_next or total_results as asked."""
    fields = call.need("fields")
    size, page = call.number("page_size", 40, most), call.number("page_no", 1, 1_000_000)
    ordered = sorted(rows, key=lambda row: row.get(newest, ""), reverse=True)
    chosen = [_select(row, fields) for row in ordered[(page - 1) * size : page * size]]
    if call.given.get("use_has_next") == "true":
        return {**_list(outer, inner, chosen), "has_next": len(ordered) > page * size}
    return {**_list(outer, inner, chosen), "total_results": len(ordered)}


def _changed(call: Call, kind: str) -> list[Record]:
    since, until = call.moment("start_modified"), call.moment("end_modified")
    if not timedelta(0) <= until - since <= DAY:
        raise invalid("end_modified", "查询时间跨度不能超过一天, 且开始不晚于结束")
    low, high = since.strftime(TIME), until.strftime(TIME)
    status = call.given.get("status")
    rows = [row for row in call.rows(kind) if low <= row.get("modified", "") <= high]
    return [row for row in rows if not status or row.get("status") == status]


def _trades(call: Call) -> Record:
    call.need("fields")
    types = {name.strip() for name in call.given.get("type", DEFAULT_TYPES).split(",")}
    rows = [row for row in _changed(call, "trade") if row.get("type", "guarantee_trade") in types]
    return _page(call, rows, "trades", "trade")


def _one(call: Call, kind: str, parameter: str) -> Record:
    fields = call.need("fields")
    row = call.store.get(f"{kind}/{call.shop}", call.need(parameter))
    if row is None:
        raise TopError(15, "Remote service error", f"isv.{kind}-not-exist", f"{parameter} 对应的记录不存在")
    return {kind: _select(row, fields)}


def _trade(call: Call) -> Record:
    return _one(call, "trade", "tid")


def _refunds(call: Call) -> Record:
    call.need("fields")
    return _page(call, _changed(call, "refund"), "refunds", "refund")


def _refund(call: Call) -> Record:
    return _one(call, "refund", "refund_id")


def _items(call: Call) -> Record:
    return _page(call, call.rows("item"), "items", "item", 200, "list_time")


def _skus_of(item: Record) -> list[Record]:
    return [{"num_iid": item["num_iid"], **sku} for sku in item["skus"]]


def _item_skus(call: Call) -> Record:
    fields, wanted = call.need("fields"), call.need("num_iids").split(",")
    if len(wanted) > ITEMS_A_CALL:
        raise invalid("num_iids", f"一次最多 {ITEMS_A_CALL} 个商品")
    items = [call.store.get(f"item/{call.shop}", num_iid) for num_iid in wanted]
    rows = [_select(sku, fields) for item in items if item for sku in _skus_of(item)]
    return _list("skus", "sku", rows)


def _custom_skus(call: Call) -> Record:
    fields, outer_id = call.need("fields"), call.need("outer_id")
    items = [item for item in call.rows("item") if any(sku["outer_id"] == outer_id for sku in item["skus"])]
    found = [sku for item in items for sku in _skus_of(item) if sku["outer_id"] == outer_id]
    return _list("skus", "sku", [_select(sku, fields) for sku in found])


def _update_quantity(call: Call) -> Record:
    item = call.store.get(f"item/{call.shop}", call.need("num_iid"))
    if item is None:
        raise TopError(15, "Remote service error", "isv.item-not-exist:invalid-num_iid", "商品不存在或不属于该店铺")
    name = "outerid_quantities" if call.given.get("outerid_quantities") else "skuid_quantities"
    field = "outer_id" if name == "outerid_quantities" else "sku_id"
    wanted = _pairs(name, call.need(name))
    known = {str(sku[field]) for sku in item["skus"]}
    missing = [key for key in wanted if key not in known]
    if missing:
        raise TopError(15, "Remote service error", f"isv.invalid-parameter:{name}", f"宝贝没有该 SKU: {missing[0]}")
    delta = call.number("type", 1, 2) == 2
    skus = [_with_quantity(sku, wanted.get(str(sku[field])), delta, call.now) for sku in item["skus"]]
    call.store.put(f"item/{call.shop}", str(item["num_iid"]), {**item, "skus": skus, "modified": call.now})
    touched = [sku for sku in skus if str(sku[field]) in wanted]
    total = sum(sku["quantity"] for sku in skus)
    return {"item": {"num_iid": item["num_iid"], "num": total, "modified": call.now, "skus": {"sku": touched}}}


def _pairs(name: str, text: str) -> dict[str, int]:
    parts = [part.rpartition(":") for part in text.split(";") if part]
    if not parts or any(not key or not number.lstrip("-").isdigit() for key, _, number in parts):
        raise invalid(name, "格式应为 编码:数量;编码:数量")
    if len(parts) > SKUS_A_CALL:
        raise invalid(name, f"一次最多 {SKUS_A_CALL} 个 SKU")
    return {key: int(number) for key, _, number in parts}


def _with_quantity(sku: Record, number: int | None, delta: bool, now: str) -> Record:
    if number is None:
        return sku
    return {**sku, "quantity": max(0, sku["quantity"] + number if delta else number), "modified": now}


def _ship(call: Call) -> Record:
    trade = call.store.get(f"trade/{call.shop}", call.need("tid"))
    waybill, company = call.need("out_sid"), call.need("company_code")
    if trade is None:
        raise TopError(15, "Remote service error", "isv.trade-not-exist", "tid 对应的记录不存在")
    if company not in COMPANIES:
        raise invalid("company_code", f"物流公司代码 {company} 不存在")
    if trade["status"] not in TO_SHIP:
        raise TopError(15, "Remote service error", "isv.logistics-offline-service-error", "订单状态不允许发货")
    chosen = call.given.get("sub_tid", "") if call.given.get("is_split") == "1" else ""
    lines = trade["orders"]["order"]
    wanted = set(chosen.split(",")) if chosen else {str(line["oid"]) for line in lines}
    if strangers := wanted - {str(line["oid"]) for line in lines if not line.get("invoice_no")}:
        raise invalid("sub_tid", f"子订单 {min(strangers)} 不属于该订单或已发货")
    parcel = {"invoice_no": waybill, "logistics_company": company, "consign_time": call.now}
    shipped = [{**line, **parcel} if str(line["oid"]) in wanted else line for line in lines]
    status = "WAIT_BUYER_CONFIRM_GOODS" if all(line.get("invoice_no") for line in shipped) else "SELLER_CONSIGNED_PART"
    changed = {"orders": {"order": shipped}, "status": status, "consign_time": call.now, "modified": call.now}
    call.store.put(f"trade/{call.shop}", str(trade["tid"]), {**trade, **changed})
    return {"shipping": {"is_success": True}}


def _seller(call: Call) -> Record:
    shop = call.store.get("shop", call.shop) or {}
    return {"user": _select(shop, call.need("fields"))}


METHODS: dict[str, Callable[[Call], Record]] = {
    "taobao.trades.sold.increment.get": _trades,
    "taobao.trade.fullinfo.get": _trade,
    "taobao.refunds.receive.get": _refunds,
    "taobao.refund.get": _refund,
    "taobao.items.onsale.get": _items,
    "taobao.item.skus.get": _item_skus,
    "taobao.skus.custom.get": _custom_skus,
    "taobao.skus.quantity.update": _update_quantity,
    "taobao.logistics.offline.send": _ship,
    "taobao.user.seller.get": _seller,
}
