"""拼多多: orders, refunds, sellable quantities and shipments of shops through 拼多多开放平台 (POP, open.pinduoduo.com).

One connection is one app (client_id, client_secret) and any number of authorised shops.
"""

from __future__ import annotations

from connectors.pdd.client import RATE
from connectors.pdd.connector import Pdd
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="pdd",
    title="拼多多",
    summary="拉取订单与售后, 回写店铺可售数与发货",
    settings=(
        Setting(
            "host",
            "网关地址",
            target="host",
            default="https://gw-api.pinduoduo.com",
            help="正式环境 gw-api.pinduoduo.com",
        ),
        Setting("client_id", "Client ID", target="login"),
        Setting("client_secret", "Client Secret", target="password", secret=True),
        Setting(
            "shops",
            "店铺授权",
            secret=True,
            help='JSON: {"店铺编号": {"access_token": "…", "refresh_token": "…"}}; access_token 可不填',
        ),
        Setting(
            "messages",
            "消息服务地址",
            required=False,
            help="填写 wss://message-api.pinduoduo.com 后由 duijie ingress serve 收消息, 变更即时重读; 需先订阅",
        ),
        Setting("rate", "调用频率", required=False, default=RATE, help="按应用与店铺的调用配额填写, 如 600/minute"),
    ),
    rate=RATE,
    api_version="V1",
    source="https://open.pinduoduo.com/application/document/browse",
    moves=(
        Move("order", "sales_order", "订单"),
        Move("refund", "sales_refund", "售后"),
        Move("stock", "listing", "店铺商品与数量"),
        Move("shop_stock", "shop_stock", "店铺可售数", Safety.ABSOLUTE),
        Move("shipment", "shipment", "发货", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Pdd)
