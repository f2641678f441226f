"""Turns baskets into TOP trades and refunds of one day, in the shape the gateway sends them.

Amounts: what was paid for a line is its divide_order_fee. What the data says was given away on the shelf is the line's
own discount_fee, or, in every fourth order, a trade-level discount (满减) spread as part_mjz_discount. A shelf price is
rounded to cents and adjust_fee takes up what that leaves, so that for every line
total_fee = price × num + adjust_fee − discount_fee and divide_order_fee = total_fee − part_mjz_discount, and for every
order Σ divide_order_fee + post_fee = payment, to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

from sandbox.dataset_buyers import Buyers, open_uid
from sandbox.dataset_products import CENT, shelf_price, title
from sandbox.dataset_read import Row, draw

Trade = dict[str, Any]
FREIGHT = Decimal("8.00")
ZERO = Decimal("0.00")
LAST_MINUTE = 23 * 60 + 20  # orders are placed up to 23:20, so that their last change is still on the day
REFUNDED = 230  # of 10,000 orders
CERTAIN_REFUNDS = 3  # the first finished orders with an invoice wish are refunded in any case
REASONS = ("七天无理由退换货", "商品破损", "少件漏发", "与描述不符")
_STATUSES = (
    (100, "WAIT_BUYER_PAY"),
    (400, "TRADE_CLOSED_BY_TAOBAO"),
    (2400, "WAIT_SELLER_SEND_GOODS"),
    (6000, "WAIT_BUYER_CONFIRM_GOODS"),
    (10_000, "TRADE_FINISHED"),
)
UNPAID = ("WAIT_BUYER_PAY", "TRADE_CLOSED_BY_TAOBAO")
SHIPPED = ("WAIT_BUYER_CONFIRM_GOODS", "TRADE_FINISHED")


def trade_id(basket: int) -> int:
    """A 19-digit id, beyond what a double can hold."""
    return basket * 100_000_000 + 11_110_000


class Orders:
    """Builds the day."""

    def __init__(self, day: date, shops: Mapping[int, str], items: Sequence[Trade], buyers: Buyers) -> None:
        self._midnight = datetime.combine(day, datetime.min.time())
        self._shops = shops
        self._buyers = buyers
        self._certain = CERTAIN_REFUNDS
        self._items = {(i["shop"], s["outer_id"]): (i, s) for i in items for s in i["skus"]}

    def build(self, rows: Sequence[Row]) -> tuple[list[Trade], list[Trade], dict[str, list[str]]]:
        """Trades (with their `shop`), refunds (likewise) and the faults by kind."""
        baskets = [list(lines) for _, lines in groupby(rows, key=lambda row: row.basket_id)]
        baskets.sort(key=lambda lines: (draw("place", lines[0].basket_id), lines[0].basket_id))
        trades = [self._trade(lines, place * LAST_MINUTE // len(baskets)) for place, lines in enumerate(baskets)]
        refunds = [
            made
            for trade, lines in zip(trades, baskets, strict=True)
            if (made := self._refund(trade, lines)) is not None
        ]
        kinds = {str(trade_id(lines[0].basket_id)): lines for lines in baskets}
        broken = self._malformed(trades[len(trades) // 2])
        faults = {
            "missing_product": sorted(tid for tid, lines in kinds.items() if any(row.unknown for row in lines)),
            "zero_quantity": sorted(tid for tid, lines in kinds.items() if any(row.quantity <= 0 for row in lines)),
            "malformed_trade": [str(broken["tid"])],
            "bad_tax_no": [self._buyers.bad_tax_no],
        }
        return [*trades, broken], refunds, faults

    def _moment(self, minute: int, seconds: int) -> str:
        return f"{self._midnight + timedelta(minutes=minute, seconds=seconds):%Y-%m-%d %H:%M:%S}"

    def _trade(self, lines: Sequence[Row], minute: int) -> Trade:
        basket, household, shop = lines[0].basket_id, lines[0].household_id, self._shops[lines[0].store_id]
        tid = trade_id(basket)
        status = next(name for below, name in _STATUSES if draw("status", tid) < below)
        whole = draw("discount", tid) % 4 == 0
        orders = [self._line(tid, place, row, status, whole, len(lines)) for place, row in enumerate(lines)]
        freight = FREIGHT if draw("freight", tid) % 4 == 0 else ZERO
        goods = sum((Decimal(line["total_fee"]) for line in orders), ZERO)
        spread = sum((Decimal(line["part_mjz_discount"]) for line in orders), ZERO)
        payment = goods - spread + freight
        if len(orders) == 1:
            orders[0]["payment"] = f"{payment}"
        wish = {} if status in UNPAID else self._buyers.wish(tid, household)
        return {
            "shop": shop,
            "tid": tid,
            "tid_str": str(tid),
            "status": status,
            "type": "fixed" if draw("type", tid) % 10 == 0 else "guarantee_trade",
            **self._times(tid, status, minute),
            "payment": f"{payment}",
            "total_fee": f"{goods}",
            "discount_fee": f"{spread}",
            "adjust_fee": "0.00",
            "post_fee": f"{freight}",
            "received_payment": f"{payment if status == 'TRADE_FINISHED' else ZERO}",
            "platform_subsidy_fee": "0.00",
            "buyer_open_uid": open_uid(household),
            "receiver_name": "张**",
            "receiver_mobile": "138****1234",
            "oaid": f"oaid{draw('oaid', household):04d}{tid}",
            **wish,
            "orders": {"order": orders},
        }

    def _times(self, tid: int, status: str, minute: int) -> dict[str, str]:
        second = draw("second", tid) % 60
        created = self._moment(minute, second)
        if status in UNPAID:
            return {"created": created, "modified": self._moment(minute + draw("gone", tid) % 30, second)}
        paid = self._moment(minute + 1 + draw("paid", tid) % 5, second)
        if status not in SHIPPED:
            return {"created": created, "pay_time": paid, "modified": paid}
        sent = self._moment(minute + 8 + draw("sent", tid) % 10, second)
        if status != "TRADE_FINISHED":
            return {"created": created, "pay_time": paid, "consign_time": sent, "modified": sent}
        ended = self._moment(minute + 20 + draw("ended", tid) % 10, second)
        return {"created": created, "pay_time": paid, "consign_time": sent, "end_time": ended, "modified": ended}

    def _line(self, tid: int, place: int, row: Row, status: str, whole: bool, count: int) -> Trade:
        item, sku = self._items[self._shops[row.store_id], row.sku]
        price = shelf_price(row) if row.quantity > 0 else ZERO
        own = ZERO if whole else row.saved
        spread = row.saved if whole else ZERO
        total = row.amount + spread
        adjust = total + own - price * row.quantity
        return {
            "oid": tid if count == 1 else tid + place + 1,
            "oid_str": str(tid if count == 1 else tid + place + 1),
            "num_iid": item["num_iid"],
            "sku_id": str(sku["sku_id"]),
            "outer_sku_id": row.sku,
            "title": title(row),
            "sku_properties_name": row.size or "",
            "num": row.quantity,
            "price": f"{price}",
            "adjust_fee": f"{adjust}",
            "discount_fee": f"{own}",
            "total_fee": f"{total}",
            "payment": f"{total}",
            "part_mjz_discount": f"{spread}",
            "divide_order_fee": f"{row.amount}",
            "refund_status": "NO_REFUND",
            "status": status,
        }

    def _refund(self, trade: Trade, lines: Sequence[Row]) -> Trade | None:
        """The refund of one line, if the order has one; the order's line and state are told of it."""
        certain = self._is_certain(trade, lines)
        chosen = certain or draw("refund", trade["tid"]) < REFUNDED
        if trade["status"] in UNPAID or not chosen or lines[0].kind != "good":
            return None
        self._certain -= certain
        tid, orders = trade["tid"], trade["orders"]["order"]
        line = orders[draw("which", tid) % len(orders)]
        finished = trade["status"] == "TRADE_FINISHED"
        status = "SUCCESS" if certain else _outcome(tid)
        returned = certain or (finished and draw("return", tid) % 2 == 0)
        refund = self._refund_record(trade, line, status, finished, returned)
        line |= {"refund_id": str(refund["refund_id"]), "refund_status": status}
        if status == "SUCCESS" and not finished and len(orders) == 1:
            trade["status"] = line["status"] = "TRADE_CLOSED"
        return refund

    def _is_certain(self, trade: Trade, lines: Sequence[Row]) -> bool:
        wanted = self._certain > 0 and trade["status"] == "TRADE_FINISHED" and "invoice_name" in trade
        return wanted and len(lines) > 1 and trade.get("buyer_tax_no") != self._buyers.bad_tax_no

    def _refund_record(self, trade: Trade, line: Trade, status: str, finished: bool, returned: bool) -> Trade:
        paid, tid = Decimal(line["divide_order_fee"]), trade["tid"]
        partly = not returned and finished and draw("part", tid) % 2 == 0
        fee = (paid / 2).quantize(CENT, ROUND_HALF_UP) if partly else paid
        return {
            "shop": trade["shop"],
            "refund_id": tid + 50_000,
            "tid": tid,
            "oid": line["oid"],
            "status": status,
            "order_status": line["status"],
            "good_status": "BUYER_RETURNED_GOODS"
            if returned
            else "BUYER_RECEIVED"
            if finished
            else "BUYER_NOT_RECEIVED",
            "has_good_return": returned,
            "refund_phase": "aftersale" if finished else "onsale",
            "dispute_type": "REFUND_AND_RETURN" if returned else "REFUND",
            "reason": REASONS[draw("reason", tid) % len(REASONS)],
            "total_fee": line["total_fee"],
            "refund_fee": f"{fee}",
            "payment": f"{paid - fee}",
            "price": line["price"],
            "num": line["num"],
            "num_iid": line["num_iid"],
            "sku": f"{line['sku_id']}|{line['sku_properties_name']}",
            "outer_id": line["outer_sku_id"],
            "title": line["title"],
            "buyer_open_uid": trade["buyer_open_uid"],
            "created": trade["modified"],
            "modified": self._later(trade["modified"], 5),
            **({"end_time": self._later(trade["modified"], 5)} if status != "WAIT_SELLER_AGREE" else {}),
        }

    @staticmethod
    def _later(moment: str, minutes: int) -> str:
        when = datetime.fromisoformat(moment) + timedelta(minutes=minutes)
        return f"{when:%Y-%m-%d %H:%M:%S}"

    @staticmethod
    def _malformed(pattern: Trade) -> Trade:
        """A message that cannot be read: an amount with two points, no lines. It arrives amid the others."""
        names = ("shop", "type", "created", "pay_time", "modified", "post_fee", "buyer_open_uid")
        tid = pattern["tid"] + 9_000
        broken = {"tid": tid, "tid_str": str(tid), "status": "TRADE_FINISHED", "payment": "12.3.4"}
        return {**broken, **{name: pattern[name] for name in names if name in pattern}}


def _outcome(tid: int) -> str:
    dice = draw("outcome", tid) % 20
    return "SUCCESS" if dice < 14 else "WAIT_SELLER_AGREE" if dice < 17 else "CLOSED"
