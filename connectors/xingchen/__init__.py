"""金蝶AI星辰 (金蝶云·星辰): base data, stock, bills and vouchers through the 金蝶开放平台 gateway.

One connection is one application (client_id, client_secret) authorised by one customer instance; the 账套 and its
domain come from the authorisation record, never from a setting.
"""

from __future__ import annotations

from connectors.xingchen.catalogue import ORDERS, SAVES, STREAMS
from connectors.xingchen.client import RATE, TOKEN_RATE
from connectors.xingchen.connector import Xingchen
from connectors.xingchen.lists import PAGE_SIZE
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="xingchen",
    title="金蝶AI星辰",
    summary="商品、单位、往来单位、仓库、即时库存、购销订单与出入库单、凭证的读取与写入, 读回对账",
    settings=(
        Setting("host", "网关地址", target="host", default="https://api.kingdee.com"),
        Setting("client_id", "Client ID", target="login"),
        Setting("client_secret", "Client Secret", target="password", secret=True),
        Setting("outer_instance_id", "第三方实例ID", help="客户授权时得到的 outerInstanceId"),
        Setting("service_id", "服务ID", required=False, help="一个实例授权了多个账套时用来选定其一"),
        Setting("rate", "调用频率", required=False, default=RATE, help="每账套 500 次/分钟"),
        Setting("token_rate", "取令牌频率", required=False, default=TOKEN_RATE, help="取 app-token 2 次/分钟"),
        Setting("page_size", "每页行数", required=False, default=PAGE_SIZE, help="单据类接口最多 100"),
        Setting("lag_seconds", "读取滞后秒数", required=False, default=0, help="列表晚于写入时, 窗口末端退后这么多秒"),
    ),
    rate=RATE,
    api_version="v2",
    source="https://open.jdy.com/#/files/api/detail",
    moves=(
        *(Move(read.name, read.entity, read.title) for read in STREAMS[:1]),
        Move("inventory", "stock_level", "即时库存"),
        Move("sal_order", "sales_order", "销售订单 (对账)"),
        *(Move(read.name, read.entity, read.title) for read in STREAMS[1:]),
        Move("voucher", "voucher", "凭证"),
        *(Move(save.name, save.entity, save.title, save.safety) for save in (ORDERS, *SAVES)),
        Move("voucher", "voucher", "凭证", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Xingchen)
