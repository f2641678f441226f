"""票通 (vpiaotong): blue 数电票 requested and polled, whole ones reversed, files fetched, invoices sent again.

One connection is one platform account (平台编码, 平台简称, keys) and one seller (tax number, name).
"""

from __future__ import annotations

from connectors.piaotong.client import RATE
from connectors.piaotong.connector import PiaoTong
from connectors.piaotong.hook import Result
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="piaotong",
    title="票通数电票",
    summary="申请开票与整张红冲, 查询结果, 取版式文件, 重新交付",
    settings=(
        Setting("host", "接口地址", target="host", default="https://fpkj.vpiaotong.com"),
        Setting("platform_code", "平台编码", target="login", help="8 位, 票通分配"),
        Setting("private_key", "我方私钥", target="password", secret=True, help="PKCS#8, PEM 或去掉头尾的 Base64"),
        Setting("des_key", "3DES 密钥", secret=True, help="24 位, 票通分配"),
        Setting("public_key", "票通公钥", help="验证应答与推送, PEM 或去掉头尾的 Base64"),
        Setting("platform_alias", "平台简称", help="4 位字母或数字, 票通分配; 每个流水号以它开头"),
        Setting("tax_no", "销方税号"),
        Setting("seller_name", "销方名称"),
        Setting("drawer", "开票人", required=False, help="不填则取票通平台的开票设置"),
        Setting("remark_bytes", "备注长度", required=False, default=240, help="GBK 字节数, 按通道放宽"),
        Setting("rate", "调用频率", required=False, default=RATE, help="票通未公布限额, 按其答复填写"),
    ),
    rate=RATE,
    api_version="1.0",
    source="https://www.vpiaotong.com",
    moves=(
        Move("invoice", "invoice", "发票"),
        Move("red_invoice", "invoice", "红字发票"),
        Move("invoice_request", "invoice_request", "开票申请", Safety.NATURAL_KEY),
        Move("red_request", "red_request", "红字申请", Safety.NATURAL_KEY),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=PiaoTong, hook=Result)
