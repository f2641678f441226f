"""Vendure: orders, refunds, products, stock and customers of one channel of a self-hosted shop, over its admin API."""

from __future__ import annotations

from connectors.vendure.client import PATH, RATE
from connectors.vendure.connector import HANDLER, RECHECK_DAYS, Vendure
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="vendure",
    title="Vendure",
    summary="自建商城: 拉取订单、退款、商品、库存与客户; 回写可售数、发货、商品与客户, 取消订单",
    settings=(
        Setting("host", "服务器地址", target="host", help="如 https://shop.example.com"),
        Setting("user_name", "管理员账号", target="login", required=False, help="与密码一起填写; 或改填 API Key"),
        Setting("password", "密码", target="password", secret=True, required=False),
        Setting("api_key", "API Key", secret=True, required=False, help="3.6 起; 服务器 tokenMethod 需含 api-key"),
        Setting("shop", "店铺编号", help="我方为该店铺定的编号, 用于单据与对照"),
        Setting("channel", "渠道令牌", secret=True, required=False, help="多渠道时填写; 不填为默认渠道"),
        Setting("stock_location", "库存地点名称", required=False, help="读写可售数的地点; 只有一个时不必填"),
        Setting(
            "recheck_days",
            "复查天数",
            required=False,
            default=RECHECK_DAYS,
            help="发货与退款不改变订单的更新时间, 每次复查最近这些天所下的订单",
        ),
        Setting("fulfillment_handler", "发货方式代码", required=False, default=HANDLER),
        Setting("language", "读取的语言", required=False, help="如 zh_Hans; 不填为渠道默认语言"),
        Setting("api_path", "接口路径", required=False, default=PATH),
        Setting("rate", "调用频率上限", required=False, default=RATE, help="服务器为自有, 按其承受能力填写"),
    ),
    rate=RATE,
    api_version="3.7 admin-api",
    source="https://docs.vendure.io",
    moves=(
        Move("order", "sales_order", "订单"),
        Move("refund", "sales_refund", "退款"),
        Move("product", "product", "商品"),
        Move("stock", "listing", "店铺商品与数量"),
        Move("stock_level", "stock_level", "各地点库存"),
        Move("customer", "party", "客户"),
        Move("shop_stock", "shop_stock", "店铺可售数", Safety.ABSOLUTE),
        Move("shipment", "shipment", "发货", Safety.LOOKUP),
        Move("product", "product", "商品", Safety.LOOKUP),
        Move("party", "party", "客户", Safety.NATURAL_KEY),
        Move("order", "sales_order", "订单取消", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Vendure)
