"""畅捷通 T+ (T+Cloud, 畅捷通开放平台): base data and stock out of the PSI system, bills and vouchers into it.

One connection is one application (appKey, appSecret) that one company has authorised for one 账套.
"""

from __future__ import annotations

from connectors.tplus.client import RATE
from connectors.tplus.connector import TPlus
from connectors.tplus.lists import INVENTORY_FIELDS, PAGE_SIZE, PARTNER_FIELDS
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="tplus",
    title="畅捷通 T+",
    summary="拉取存货、往来单位、仓库、计量单位与现存量; 写入销售订单、销货单、进货单、凭证与档案",
    settings=(
        Setting("host", "网关地址", target="host", default="https://openapi.chanjet.com"),
        Setting("app_key", "appKey", target="login"),
        Setting("app_secret", "appSecret", target="password", secret=True),
        Setting(
            "refresh_token",
            "refresh_token",
            secret=True,
            help="企业授权应用时得到; 之后由系统自动接续, 重新授权后才需更新",
        ),
        Setting("rate", "调用频率", required=False, default=RATE, help="平台只公布每月额度, 未公布频率"),
        Setting("page_size", "每页行数", required=False, default=PAGE_SIZE, help="至多 1000"),
        Setting(
            "inventory_fields", "存货返回字段", required=False, default=INVENTORY_FIELDS, help="存货查询的 SelectFields"
        ),
        Setting(
            "partner_fields",
            "往来单位返回字段",
            required=False,
            default=PARTNER_FIELDS,
            help="往来单位查询的 SelectFields",
        ),
    ),
    rate=RATE,
    api_version="tplus/api/v2",
    source="https://open.chanjet.com/docs/file/apiFile/tcloud",
    moves=(
        Move("inventory", "product", "存货"),
        Move("partner", "party", "往来单位"),
        Move("warehouse", "warehouse", "仓库"),
        Move("unit", "unit", "计量单位"),
        Move("current_stock", "stock_level", "现存量"),
        Move("sales_order", "sales_order", "销售订单", Safety.NATURAL_KEY),
        Move("goods_issue", "goods_issue", "销货单", Safety.NATURAL_KEY),
        Move("goods_receipt", "goods_receipt", "进货单", Safety.NATURAL_KEY),
        Move("voucher", "voucher", "凭证", Safety.NATURAL_KEY),
        Move("product", "product", "存货", Safety.LOOKUP),
        Move("party", "party", "往来单位", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=TPlus)
