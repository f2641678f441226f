"""乐企: the tax bureau's own platform for companies that are admitted to connect directly (自用直连).

An interface to be completed: everything but `access_signature` is here, and a company that knows it installs it as a
signer (`connectors.leqi.signer`). Without one, every call is refused before anything leaves.
"""

from __future__ import annotations

from connectors.leqi.client import RATE
from connectors.leqi.connector import Leqi
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="leqi",
    title="乐企直连",
    summary="数电票本地赋码开具并上传, 红字确认单, 红字发票 (签名算法须由获准直连的企业提供)",
    settings=(
        Setting("host", "接入地址", target="host", default="https://lqpt.chinatax.gov.cn:8443"),
        Setting("platform", "接入单位平台编号", target="login"),
        Setting("sm4_key", "SM4 密钥", target="password", secret=True, help="32 位十六进制数"),
        Setting("user_platform", "使用单位平台编号"),
        Setting("ability", "能力编码", help="如基础版的开票能力"),
        Setting("use_case", "用例编码", required=False),
        Setting("sandbox_flag", "沙箱测试标志", required=False),
        Setting("signer", "签名插件", required=False, help="入口点 duijie.leqi 的名称; 不填则任何请求都不会发出"),
        Setting("signer_secret", "签名插件的密钥", secret=True, required=False, help="原样交给签名插件"),
        Setting("tax_no", "销方税号"),
        Setting("seller_name", "销方名称"),
        Setting("drawer", "开票人"),
        Setting("region", "区域代码"),
        Setting("ip", "开票终端 IP"),
        Setting("mac", "开票终端 MAC 地址"),
        Setting("line_code", "普通明细行的 fphxz", help="发票行性质代码, 未公开, 按能力说明文档填写"),
        Setting("issuing_way", "发票开具方式代码", required=False, default="5", help="4 第三方平台, 5 自有平台"),
        Setting("credit_step", "每次下载额度 (元)", required=False, help="不填则不下载, 由企业自行下载"),
        Setting("numbers_a_call", "每次预赋码数量", required=False, default="100", help="1 至 5000"),
        Setting("register", "登记簿文件", required=False, help="默认在 DUIJIE_HOME 下; 多进程须用同一文件"),
        Setting("rate", "调用频率", required=False, default=RATE, help="按税务机关的要求填写"),
    ),
    rate=RATE,
    api_version="access/v2",
    source="https://lqpt.chinatax.gov.cn",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("red_form", "red_form", "红字确认单"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.NATURAL_KEY),
        Move("red_request", "red_request", "红字申请", Safety.LOOKUP),
        Move("red_issue", "red_issue", "开具红字发票", Safety.NATURAL_KEY),
        Move("red_answer", "red_answer", "确认或拒绝红字确认单", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=Leqi)
