"""百望云 (SMB, 小微): blue and red 数电票 through the 百望云开放平台 gateway (open.baiwang.com), own-use applications.

One connection is one application of one seller (tax number) and one drawer (开票员).
"""

from __future__ import annotations

from connectors.baiwang.client import HOST, RATE, VERSION
from connectors.baiwang.connector import Baiwang
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="baiwang",
    title="百望云数电票",
    summary="申请开票与快捷红冲, 查询结果与红字确认单",
    settings=(
        Setting("host", "网关地址", target="host", default=HOST),
        Setting("app_key", "App Key", target="login"),
        Setting("app_secret", "App Secret", target="password", secret=True),
        Setting("username", "用户名", help="租户管理员账号"),
        Setting("user_password", "用户密码", secret=True),
        Setting("user_salt", "用户盐值", secret=True),
        Setting("tax_no", "销方税号"),
        Setting("drawer", "开票员", help="须与电子税务局绑定的开票员姓名一致"),
        Setting("terminal", "开票终端", required=False, help="数电账号 (invoiceTerminalCode); 只有一个时可不填"),
        Setting(
            "token_version",
            "取 token 的版本",
            required=False,
            default=VERSION,
            help="6.0: 密码为 SHA1(MD5); 7.0: 密码为 SHA256。签名失败以外的取 token 失败时换另一个试",
        ),
        Setting("channel", "开票渠道", required=False, default="web", help="web 或 leqi (乐企): 决定备注与名称的长度"),
        Setting("max_remark", "备注最多字数", required=False, help="不填则按渠道: web 230, 乐企 450"),
        Setting("max_buyer_name", "购方名称最多字数", required=False, help="不填则按渠道: web 100, 乐企 300"),
        Setting("max_name", "商品名称最多字数", required=False, help="未公布, 不填则不限"),
        Setting("max_lines", "每张最多行数", required=False, help="未公布, 不填则不限"),
        Setting("file_hosts", "文件下载域名", required=False, help="除网关外允许下载版式文件的域名, 逗号分隔"),
        Setting("rate", "调用频率", required=False, default=RATE, help="百望云未公布统一限额, 按合同填写"),
    ),
    rate=RATE,
    api_version="6.0",
    source="https://open.baiwang.com",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("red_form", "red_form", "红字确认单"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.LOOKUP),
        Move("red_request", "red_request", "红字申请", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Baiwang)
