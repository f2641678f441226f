"""航信电子发票 eiInterface (DZFP1.0): 数电普票 by the older XML interface of 51发票, as bare XML or by SOAP.

One connection is one platform code (平台编码) with its authorisation, one seller and one drawer (开票员).
"""

from __future__ import annotations

from connectors.aisinoxml.client import RATE
from connectors.aisinoxml.connector import AisinoXml
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="aisinoxml",
    title="航信 eiInterface",
    summary="以 XML 或 SOAP 申请开票, 下载结果与 PDF, 再次交付",
    settings=(
        Setting("host", "服务地址", target="host", help="合同给出的地址, 只到端口"),
        Setting("platform", "平台编码", target="login", help="DSPTBM"),
        Setting("key_3des", "3DES 密钥", target="password", secret=True, help="24 个字符; 不加密时随意填写"),
        Setting("authorization_code", "授权码", secret=True),
        Setting("register_code", "注册码", secret=True, required=False, help="用于 passWord"),
        Setting("tax_no", "销方税号"),
        Setting("seller_name", "销方名称"),
        Setting("seller_address", "销方地址", required=False),
        Setting("seller_phone", "销方电话", required=False),
        Setting("seller_account", "销方银行账号", required=False),
        Setting("drawer", "开票员"),
        Setting("payee", "收款员", required=False),
        Setting("checker", "复核人", required=False),
        Setting("transport", "传输方式", required=False, default="xml", help="xml (直接提交报文) 或 soap"),
        Setting("path", "路径", required=False, help="不填则按传输方式取常见的路径"),
        Setting("wsdl", "服务描述", required=False, help="航信给出的 WSDL 地址或文件; 不填则用本连接器自带的"),
        Setting("encryption", "加密", required=False, default="3des", help="3des 或 none (只作 Base64)"),
        Setting(
            "password_form",
            "passWord 的写法",
            required=False,
            default="hex",
            help="hex: Base64(MD5 的十六进制文本); raw: Base64(MD5); empty: 传空",
        ),
        Setting("response_code", "接收方代码", required=False, default="121"),
        Setting("rate", "调用频率", required=False, default=RATE, help="航信未公布限额, 按合同填写"),
    ),
    rate=RATE,
    api_version="DZFP1.0",
    source="https://www.51fapiao.cn",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=AisinoXml)
