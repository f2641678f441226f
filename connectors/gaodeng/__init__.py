"""高灯 云开票: blue invoices and their whole reversal, through the new gateway or the old one, as far as published.

One connection is one application (appkey, appsecret) and one seller (tax number).
"""

from __future__ import annotations

from connectors.gaodeng.client import RATE
from connectors.gaodeng.connector import Gaodeng
from connectors.gaodeng.hook import Notice
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="gaodeng",
    title="高灯云开票",
    summary="发票开具与全额红冲, 查询结果, 取 PDF, 邮件交付",
    settings=(
        Setting("host", "网关地址", target="host", default="https://apigw.goldentec.com"),
        Setting("app_key", "appkey", target="login"),
        Setting("app_secret", "appsecret", target="password", secret=True),
        Setting("gateway", "网关", help="new (请求头 HMAC-SHA256) 或 old (openapi.wetax.com.cn, 参数 MD5)"),
        Setting("amount_unit", "金额单位", help="fen (整数分, 税率×1000) 或 yuan; 务必向高灯确认, 填错会差一百倍"),
        Setting("code_normal", "数电普票的 invoice_type_code", help="高灯未公开, 向高灯索取"),
        Setting("code_special", "数电专票的 invoice_type_code", help="高灯未公开, 向高灯索取"),
        Setting("tax_no", "销方税号"),
        Setting("drawer", "开票人", required=False, help="不填用高灯商户平台的默认开票人"),
        Setting("file_hosts", "文件下载域名", required=False, help="除网关外允许下载版式文件的域名, 逗号分隔"),
        Setting("rate", "调用频率", required=False, default=RATE, help="高灯未公布统一限额, 按平台答复填写"),
        Setting(
            "push_url",
            "通知根地址",
            required=False,
            help="高灯能访问到的推送接收地址, 如 https://duijie.example.com; 填写后开票结果会通知, 不填则只轮询",
        ),
    ),
    rate=RATE,
    api_version="tax-api/v1",
    source="https://docs.gc365.com",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.NATURAL_KEY),
        Move("red_request", "red_request", "红字申请", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Gaodeng, hook=Notice)
