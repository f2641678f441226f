"""淘宝 / 天猫: orders, refunds and sellable quantities of shops through 淘宝开放平台 (TOP, open.taobao.com).

One connection is one app (app_key, app_secret) and any number of authorised shops.
"""

from __future__ import annotations

from connectors.taobao.client import RATE
from connectors.taobao.connector import Taobao
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="taobao",
    title="淘宝 / 天猫",
    summary="拉取订单与退款, 回写店铺可售数与发货",
    settings=(
        Setting("host", "网关地址", target="host", default="https://eco.taobao.com", help="正式环境 eco.taobao.com"),
        Setting("app_key", "App Key", target="login"),
        Setting("app_secret", "App Secret", target="password", secret=True),
        Setting(
            "shops",
            "店铺授权",
            secret=True,
            help='JSON: {"店铺编号": {"session": "…", "refresh_token": "…"}}; session 可不填',
        ),
        Setting("oauth_url", "授权地址", required=False, help="默认与网关同一地址; 正式环境 https://oauth.taobao.com"),
        Setting(
            "tmc_group",
            "消息服务分组",
            required=False,
            help="填写 (默认分组为 default) 后由 duijie ingress serve 取消息, 变更即时重读; 需先在开放平台订阅主题",
        ),
        Setting("rate", "调用频率", required=False, default=RATE, help="按应用的调用配额填写, 如 3000/minute"),
    ),
    rate=RATE,
    api_version="2.0",
    source="https://open.taobao.com/doc.htm?docId=101617&docType=1",
    moves=(
        Move("trade", "sales_order", "订单"),
        Move("refund", "sales_refund", "退款"),
        Move("stock", "listing", "店铺商品与数量"),
        Move("shop_stock", "shop_stock", "店铺可售数", Safety.ABSOLUTE),
        Move("shipment", "shipment", "发货", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Taobao)
