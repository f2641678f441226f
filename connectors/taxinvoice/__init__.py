"""发票SDK (api.fa-piao.com, v5): blue and red 数电票 issued while one waits, in the drawer's login at the tax bureau.

One connection is one application (AppKey, AppSecret) of one seller (tax number) and one drawer (电子税务局 account).
"""

from __future__ import annotations

from connectors.taxinvoice.client import RATE
from connectors.taxinvoice.connector import TaxInvoice
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="taxinvoice",
    title="发票SDK数电票",
    summary="开票, 申请红字确认单并开具红票, 取版式文件",
    settings=(
        Setting("host", "接口地址", target="host", default="https://api.fa-piao.com"),
        Setting("app_key", "AppKey", target="login"),
        Setting("app_secret", "AppSecret", target="password", secret=True),
        Setting("tax_no", "销方税号"),
        Setting("seller_name", "销方名称", help="与营业执照一致"),
        Setting("username", "电票平台账号", help="开票员在电子税务局的登录账号 (手机号)"),
        Setting("type", "服务版本", required=False, default="6", help="6 基础版, 7 标准版"),
        Setting("drawer_password", "电票平台密码", secret=True, required=False, help="标准版授权时需要; 基础版不填"),
        Setting("seller_address_phone", "销方地址电话", required=False, help="以空格隔开"),
        Setting("seller_bank_account", "销方开户行账号", required=False, help="以空格隔开"),
        Setting(
            "deduplicates",
            "同一流水号重发是否只开一张",
            required=False,
            default=False,
            help="厂商未公布; 默认 false: 应答丢失的开票等待人工核对。向厂商确认后可填 true: 以相同内容重发取回结果",
        ),
        Setting(
            "form_fields",
            "红字信息表同步的应答字段",
            required=False,
            help='厂商未公布; 按贵方文档填写 JSON, 如 {"state": "…", "red_number": "…"}; 不填则不读取确认单状态',
        ),
        Setting(
            "credit_fields",
            "授信额度的应答字段",
            required=False,
            help='厂商未公布; 按贵方文档填写 JSON, 如 {"total": "…", "used": "…"}; 不填则不查询额度',
        ),
        Setting("file_hosts", "文件下载域名", required=False, help="除接口地址外允许下载版式文件的域名, 逗号分隔"),
        Setting("rate", "调用频率", required=False, default=RATE, help="厂商未公布限额, 按其答复填写"),
    ),
    rate=RATE,
    api_version="v5",
    source="https://fa-piao.com/doc.html",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("red_form", "red_form", "红字信息确认单"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.TOKEN),
        Move("red_request", "red_request", "红字申请", Safety.NATURAL_KEY),
        Move("red_issue", "red_issue", "开具红票", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=TaxInvoice)
