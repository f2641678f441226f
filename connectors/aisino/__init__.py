"""航信 51发票: blue and red 数电票 through the 爱信诺云税 openapi (51fapiao.cn).

One connection is one organisation code (组织编码) with its authorisation (授权码), one seller and one drawer (开票员).
"""

from __future__ import annotations

from connectors.aisino.client import HOST, RATE
from connectors.aisino.connector import Aisino
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="aisino",
    title="航信 51发票",
    summary="申请开票与全额红冲, 查询结果, 授信额度与登录",
    settings=(
        Setting("host", "网关地址", target="host", default=HOST),
        Setting("organisation", "组织编码", target="login", help="6 位"),
        Setting("authorisation", "授权码", target="password", secret=True, help="16 位"),
        Setting("tax_no", "销方税号"),
        Setting("invoicer", "开票员", help="须与电子税务局绑定的开票员姓名一致"),
        Setting("etax_username", "电子税务局用户名", required=False, help="填写后可在此发起登录, 不填则在云税平台登录"),
        Setting("etax_password", "电子税务局密码", secret=True, required=False, help="不填则用云税平台上保存的密码"),
        Setting("region", "地区编码", required=False, help="dqbm, 多地区企业填写"),
        Setting("role", "开票员身份", required=False, help="zrrlx: 01 法人, 02 财务负责人, 03 办税员, 09 开票员"),
        Setting("rate", "调用频率", required=False, default=RATE, help="航信未公布限额, 按合同填写"),
    ),
    rate=RATE,
    api_version="v1.8.4",
    source="https://www.51fapiao.cn",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.NATURAL_KEY),
        Move("red_request", "red_request", "红字申请", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Aisino)
