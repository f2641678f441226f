"""金蝶发票云 旗舰版: blue 数电票 and their reversal through a tenant's open interface (open-ultimate.piaozone.com).

One connection is one third-party application of one tenant, for one seller (tax number, name) and one drawer (开票人).
"""

from __future__ import annotations

from connectors.piaozone.client import RATE
from connectors.piaozone.connector import Piaozone
from connectors.piaozone.hook import Callback
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="piaozone",
    title="金蝶发票云旗舰版",
    summary="数电票开具与红冲, 查询结果, 取版式文件",
    settings=(
        Setting("host", "租户地址", target="host", help="含租户路径, 如 https://….piaozone.com/租户"),
        Setting("app_id", "第三方应用 appId", target="login"),
        Setting("app_secret", "第三方应用 appSecret", target="password", secret=True),
        Setting("account_id", "数据中心 accountId"),
        Setting("tenant_id", "租户 tenantid", required=False),
        Setting("user", "接口用户"),
        Setting("user_type", "用户类型", required=False, default="UserName", help="UserName 或 Mobile"),
        Setting("system_code", "业务系统编码 businessSystemCode", help="发票云中登记的来源系统, 回调地址也登记在其下"),
        Setting("tax_no", "销方税号"),
        Setting("seller_name", "销方名称"),
        Setting("drawer", "开票人", help="与电子税务局一致的开票员姓名"),
        Setting(
            "encryption", "报文加密", required=False, default="base64", help="base64 (不加密) 或 aes, 按发票云设置"
        ),
        Setting("aes_password", "AES 密码", secret=True, required=False, help="encryption 为 aes 时必填"),
        Setting("file_hosts", "文件下载域名", required=False, help="除租户地址外允许下载版式文件的域名, 逗号分隔"),
        Setting("rate", "调用频率", required=False, default=RATE, help="发票云未公布统一限额, 按平台答复填写"),
    ),
    rate=RATE,
    api_version="kapi/sim",
    source="https://open-ultimate.piaozone.com",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.NATURAL_KEY),
        Move("red_request", "red_request", "红字申请", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Piaozone, hook=Callback)
