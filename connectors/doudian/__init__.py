"""抖店 (抖音电商): orders, after-sales, stock and shipments of shops through 抖店开放平台 (op.jinritemai.com).

One connection is one app (app_key, app_secret) and any number of authorised shops.
"""

from __future__ import annotations

from connectors.doudian.client import RATE
from connectors.doudian.connector import Doudian
from connectors.doudian.hook import MessagePush
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="doudian",
    title="抖店",
    summary="拉取订单与售后, 回写店铺可售数与发货",
    settings=(
        Setting("host", "网关地址", target="host", default="https://openapi-fxg.jinritemai.com"),
        Setting("app_key", "App Key", target="login", help="19 位数字"),
        Setting("app_secret", "App Secret", target="password", secret=True),
        Setting(
            "shops",
            "店铺授权",
            secret=True,
            help='JSON: 自研应用 {"店铺ID": {}}; 工具型应用 {"店铺ID": {"refresh_token": "…"}} 或 {"code": "…"}',
        ),
        Setting(
            "out_warehouse_id",
            "区域仓编码",
            required=False,
            help="使用区域库存的店铺填写: 读写该仓的库存; 不填则为普通库存",
        ),
        Setting("rate", "调用频率", required=False, default=RATE, help="按应用的调用配额填写, 如 3000/minute"),
    ),
    rate=RATE,
    api_version="2",
    source="https://op.jinritemai.com/docs/guide-docs/10/23",
    moves=(
        Move("order", "sales_order", "订单"),
        Move("aftersale", "sales_refund", "售后"),
        Move("stock", "listing", "店铺商品与数量"),
        Move("shop_stock", "shop_stock", "店铺可售数", Safety.ABSOLUTE),
        Move("shipment", "shipment", "发货", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Doudian, hook=MessagePush)
