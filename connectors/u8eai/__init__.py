"""用友 U8 EAI: vouchers and archives (客户, 供应商, 存货, 仓库) into U8 by XML over HTTP, and the archives out of it.

One connection is one 外部系统编码, registered in the EAI console and bound there to one 账套. There is no login: who
knows the code may post, so it is kept as a secret.
"""

from __future__ import annotations

from connectors.u8eai.connector import open_u8
from connectors.u8eai.settings import MAKING_SYSTEM, RATE, RECEIVER
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="u8eai",
    title="用友 U8 EAI",
    summary="写入凭证, 写入与拉取客户、供应商、存货、仓库档案",
    settings=(
        Setting("host", "U8 服务器地址", target="host", help="如 http://10.0.0.9, 不含 /U8EAI"),
        Setting(
            "sender",
            "外部系统编码",
            target="password",
            secret=True,
            help="EAI 控制台“外部系统注册”中的编码, 决定账套; 知道它即可写入, 请按密码保管",
        ),
        Setting("maker", "制单人", help="凭证上的制单人姓名, 须是 U8 操作员"),
        Setting(
            "voucher_query",
            "凭证查询字段",
            help="EAI 查询凭证时代表外部凭证业务号 (reserve2) 的过滤字段名, 在 EAI 控制台凭证的导出设置中查看",
        ),
        Setting("making_system", "制单系统", required=False, default=MAKING_SYSTEM, help="模板要求 GL"),
        Setting("receiver", "接收方", required=False, default=RECEIVER),
        Setting("rate", "调用频率上限", required=False, default=RATE, help="如 2/second"),
    ),
    rate=RATE,
    api_version="EAI 2.0",
    source="https://open.yonyouup.com",
    moves=(
        Move("customer", "party", "客户"),
        Move("vendor", "party", "供应商"),
        Move("inventory", "product", "存货"),
        Move("warehouse", "warehouse", "仓库"),
        Move("voucher", "voucher", "凭证", Safety.LOOKUP),
        Move("customer", "party", "客户", Safety.NATURAL_KEY),
        Move("vendor", "party", "供应商", Safety.NATURAL_KEY),
        Move("inventory", "product", "存货", Safety.NATURAL_KEY),
        Move("warehouse", "warehouse", "仓库", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=open_u8)
