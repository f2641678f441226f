"""诺诺 诺税通: blue and red 数电票 through the 诺诺开放平台 gateway (open.nuonuo.com), own-use applications (自用型).

One connection is one application (appKey, appSecret) of one seller (tax number) and one drawer (开票员).
"""

from __future__ import annotations

from connectors.nuonuo.client import RATE, TOKEN_URL
from connectors.nuonuo.connector import Nuonuo
from connectors.nuonuo.hook import Callback
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="nuonuo",
    title="诺诺数电票",
    summary="申请开票与红冲, 查询结果与文件, 答复购方的红字确认单",
    settings=(
        Setting("host", "网关地址", target="host", default="https://sdk.nuonuo.com"),
        Setting("app_key", "App Key", target="login"),
        Setting("app_secret", "App Secret", target="password", secret=True),
        Setting("tax_no", "销方税号"),
        Setting("clerk", "开票员", help="须与电子税务局绑定的开票员姓名一致"),
        Setting("token_url", "取 token 的地址", required=False, default=TOKEN_URL),
        Setting("file_hosts", "文件下载域名", required=False, help="除网关外允许下载版式文件的域名, 逗号分隔"),
        Setting("rate", "调用频率", required=False, default=RATE, help="诺诺未公布统一限额, 按平台答复填写"),
        Setting(
            "push_url",
            "回调根地址",
            required=False,
            help="诺诺能访问到的推送接收地址, 如 https://duijie.example.com; 填写后开票结果会回调, 不填则只轮询",
        ),
    ),
    rate=RATE,
    api_version="open/v1",
    source="https://open.nuonuo.com",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("red_form", "red_form", "红字信息确认单"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.NATURAL_KEY),
        Move("red_request", "red_request", "红字申请", Safety.NATURAL_KEY),
        Move("red_answer", "red_answer", "确认单答复", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Nuonuo, hook=Callback)
