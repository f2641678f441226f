"""WooCommerce: a WordPress shop of one's own, through its REST API (wc/v3) and its webhooks.

One connection is one site with one key (consumer key and secret). Buyers' addresses, phones and mails are not read.
"""

from __future__ import annotations

from connectors.woocommerce.client import RATE
from connectors.woocommerce.connector import WORKERS, WooCommerce
from connectors.woocommerce.hook import WooHook
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="woocommerce",
    title="WooCommerce",
    summary="拉取独立站订单、退款、商品, 回写可售数、商品与发货",
    settings=(
        Setting("host", "站点地址", target="host", help="如 https://shop.example.com; 装在子目录时带上子目录"),
        Setting("consumer_key", "Consumer key", target="login", help="WooCommerce 设置 > 高级 > REST API, 权限选读/写"),
        Setting("consumer_secret", "Consumer secret", target="password", secret=True),
        Setting("shop", "店铺编号", required=False, help="写入单据的店铺编号; 默认为连接名"),
        Setting(
            "webhook_secret",
            "Webhook 密钥",
            secret=True,
            required=False,
            help="店铺 Webhook 的密钥; 填写后可接收订单与商品变更推送",
        ),
        Setting(
            "shipments",
            "发货方式",
            required=False,
            default="order",
            help="order: 写入订单并完成订单; fulfillments: 写入发货记录 (店铺须已开启 Order Fulfillments 功能)",
        ),
        Setting(
            "shipment_note",
            "发货备注",
            required=False,
            help="customer: 发货时通知买家 (店铺会发邮件); private: 订单上留仅店内可见的备注; 留空则都不做",
        ),
        Setting("connections", "并发连接数", required=False, default=WORKERS, help="1 至 32, 视站点主机的能力填写"),
        Setting("rate", "调用频率", required=False, default=RATE, help="按站点主机能承受的频率填写, 如 20/second"),
    ),
    rate=RATE,
    api_version="wc/v3",
    source="https://developer.woocommerce.com/docs/apis/rest-api/v3/",
    moves=(
        Move("order", "sales_order", "订单"),
        Move("refund", "sales_refund", "退款"),
        Move("product", "product", "商品"),
        Move("listing", "listing", "店铺商品与数量"),
        Move("shop_stock", "shop_stock", "店铺可售数", Safety.ABSOLUTE),
        Move("product", "product", "商品", Safety.NATURAL_KEY),
        Move("shipment", "shipment", "发货", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=WooCommerce, hook=WooHook)
