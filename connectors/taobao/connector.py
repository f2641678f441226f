"""What can be pulled from and written to 淘宝 shops: orders, refunds, sellable quantities.

Methods and limits: 淘宝开放平台 API 文档 (open.taobao.com). Every raw record gets one field that TOP does not send,
`shop`, the shop id of the connection: TOP answers per session and never says whose record it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from connectors.taobao.client import CHINA, Client, total_of
from connectors.taobao.mailbox import TmcMailbox
from connectors.taobao.shipments import ShipmentSink
from connectors.taobao.sink import ShopStockSink
from connectors.taobao.skus import SKU_FIELDS, Skus
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import VendorRejected
from duijie.connect.hooks import Mailbox
from duijie.connect.protocol import Page, Sink, Stream, Window
from duijie.connect.services import Services

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
PAGE_SIZE = 100
ITEMS_PAGE = 200
ITEMS_A_CALL = 40
TRADE_TYPES = (
    "fixed,auction,guarantee_trade,step,independent_simple_trade,independent_shop_trade,auto_delivery,ec,cod,"
    "game_equipment,shopex_trade,netcn_trade,external_trade,instant_trade,b2c_cod,hotel_trade,super_market_trade,"
    "super_market_cod_trade,taohua,waimai,nopaid,eticket,tmall_i18n"
)
TRADE_FIELDS = (
    "tid,tid_str,status,type,created,pay_time,consign_time,modified,end_time,payment,total_fee,discount_fee,adjust_fee,"
    "post_fee,received_payment,platform_subsidy_fee,coupon_fee,buyer_open_uid,buyer_message,seller_memo,seller_flag,"
    "seller_nick,step_trade_status,promotion_details,receiver_name,receiver_mobile,receiver_address,oaid,"
    "invoice_name,invoice_kind,invoice_type,buyer_tax_no,orders"
)
REFUND_FIELDS = (
    "refund_id,tid,oid,status,order_status,good_status,has_good_return,refund_phase,dispute_type,reason,desc,"
    "total_fee,refund_fee,payment,price,num,num_iid,sku,outer_id,title,buyer_open_uid,company_name,sid,"
    "created,modified,end_time"
)


def days_of(since: datetime, until: datetime) -> Iterator[tuple[str, str]]:
    """TOP's closed, whole-second intervals of at most a day (GMT+8 text) that cover since ≤ modified < until."""
    start = since.astimezone(CHINA).replace(microsecond=0)
    last = (until.astimezone(CHINA) - timedelta(microseconds=1)).replace(microsecond=0)
    while start <= last:
        end = min(start + DAY - SECOND, last)
        yield f"{start:%Y-%m-%d %H:%M:%S}", f"{end:%Y-%m-%d %H:%M:%S}"
        start = end + SECOND


class ChangedRecords:
    """Orders or refunds by time of change.

    TOP sorts newest first, so a record that changes while we read leaves the window and the older ones move up one
    place. Pages are therefore read from the last to the first: what moves is met twice, never missed. This holds for
    windows that are already closed; ending the window behind "now" is the caller's part.
    """

    def __init__(
        self, client: Client, name: str, entity: str, key: str, listing: str, single: str, fields: str, more: Record
    ) -> None:
        self.name, self.entity, self.key = name, entity, key
        self._client, self._listing, self._single, self._fields, self._more = client, listing, single, fields, more

    def partitions(self) -> Sequence[str]:
        """The shop ids of the connection."""
        return list(self._client.shops)

    def read(self, window: Window) -> Iterator[Page]:
        """Pages of the window, or exactly the records of `window.keys`; partition "" reads every shop.

        Each record carries the added field `shop`. Raises errors of the tree.
        """
        for shop in [window.partition] if window.partition else self.partitions():
            if window.keys:
                yield Page(list(self._by_key(shop, window.keys)))
                continue
            for since, until in days_of(window.since, window.until):
                yield from self._interval(shop, since, until)

    def _interval(self, shop: str, since: str, until: str) -> Iterator[Page]:
        asked = {"start_modified": since, "end_modified": until, "page_size": PAGE_SIZE, **self._more}
        counted = self._client.read(shop, self._listing, fields=self.key, **{**asked, "page_size": 1})
        total = total_of(counted, f"{shop} {self._listing}")
        for page_no in range(-(-total // PAGE_SIZE), 0, -1):
            answer = self._client.read(shop, self._listing, fields=self._fields, page_no=page_no, **asked)
            rows = answer.get(f"{self.name}s", {}).get(self.name, [])
            yield Page([{**row, "shop": shop} for row in rows])

    def _by_key(self, shop: str, keys: Sequence[str]) -> Iterator[Record]:
        for key in keys:
            try:
                answer = self._client.read(shop, self._single, fields=self._fields, **{self.key: key})
            except VendorRejected as error:
                if error.code != f"taobao:isv.{self.name}-not-exist":
                    raise
                continue
            yield {**answer[self.name], "shop": shop}


class ShopStockStream:
    """The quantity each shop offers now, one record per SKU on sale.

    Besides `shop` each record gets `shop_sku` ("shop:商家编码"), its key: TOP's own sku_id is unknown outside TOP.
    """

    name = "stock"
    entity = "listing"
    key = "shop_sku"

    def __init__(self, client: Client, skus: Skus) -> None:
        self._client = client
        self._skus = skus

    def partitions(self) -> Sequence[str]:
        """The shop ids of the connection."""
        return list(self._client.shops)

    def read(self, window: Window) -> Iterator[Page]:
        """All SKUs on sale in the partition (the times of the window do not matter), or exactly `window.keys`."""
        if window.keys:
            yield Page([row for key in window.keys if (row := self._skus.by_key(key))])
            return
        for shop in [window.partition] if window.partition else self.partitions():
            for num_iids in self._items(shop):
                yield Page(self._rows(shop, num_iids))

    def _items(self, shop: str) -> Iterator[list[str]]:
        page_no, seen, total = 1, 0, 1
        while seen < total:
            answer = self._client.read(
                shop, "taobao.items.onsale.get", fields="num_iid", page_no=page_no, page_size=ITEMS_PAGE
            )
            items = [str(item["num_iid"]) for item in answer.get("items", {}).get("item", [])]
            for start in range(0, len(items), ITEMS_A_CALL):
                yield items[start : start + ITEMS_A_CALL]
            page_no, seen, total = page_no + 1, seen + ITEMS_PAGE, total_of(answer, shop)

    def _rows(self, shop: str, num_iids: Sequence[str]) -> list[Record]:
        answer = self._client.read(shop, "taobao.item.skus.get", fields=SKU_FIELDS, num_iids=",".join(num_iids))
        return [self._skus.keyed(shop, row) for row in answer.get("skus", {}).get("sku", [])]


class Taobao:
    """One app at TOP with its shops."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._skus = Skus(self._client)
        group = str(connection.extra.get("tmc_group") or "")
        self._mailbox = TmcMailbox(self._client, group) if group else None

    @property
    def mailbox(self) -> Mailbox | None:
        """消息服务, where the connection names its group."""
        return self._mailbox

    @property
    def streams(self) -> Mapping[str, Stream]:
        """trade, refund and stock."""
        trades = ChangedRecords(
            self._client,
            "trade",
            "sales_order",
            "tid",
            "taobao.trades.sold.increment.get",
            "taobao.trade.fullinfo.get",
            TRADE_FIELDS,
            {"type": TRADE_TYPES},
        )
        refunds = ChangedRecords(
            self._client,
            "refund",
            "sales_refund",
            "refund_id",
            "taobao.refunds.receive.get",
            "taobao.refund.get",
            REFUND_FIELDS,
            {},
        )
        return {"trade": trades, "refund": refunds, "stock": ShopStockStream(self._client, self._skus)}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """shop_stock, shipment."""
        return {"shop_stock": ShopStockSink(self._client, self._skus), "shipment": ShipmentSink(self._client)}

    def check(self) -> list[tuple[str, str]]:
        """The seller nick of each shop, which proves key, secret and session."""
        found = []
        for shop in self._client.shops:
            user = self._client.read(shop, "taobao.user.seller.get", fields="nick,user_id")["user"]
            found.append((f"店铺 {shop}", f"已授权: {user['nick']}"))
        return found
