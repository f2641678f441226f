"""金蝶 EAS: vouchers into the general ledger by its SOAP web services, and back out for reconciliation.

One connection is one user of one data centre (数据中心, the 账套) who writes for one company. How the service that
reads vouchers lays out its rows is not published: the setting `voucher_columns` says it, and without it nothing is
written.
"""

from __future__ import annotations

from connectors.eas.connector import open_eas
from connectors.eas.settings import KEY_FIELD, KEY_LENGTH, PAGE_ROWS, RATE
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

SPEC = Spec(
    conn_type="eas",
    title="金蝶 EAS",
    summary="总账凭证: 引入 (不审核) 与读回核对",
    settings=(
        Setting("host", "服务器地址", target="host", help="如 http://10.0.0.8:6888, 不含 /ormrpc"),
        Setting("user_name", "用户", target="login", help="有凭证引入与查询权限的 EAS 用户"),
        Setting("password", "密码", target="password", secret=True),
        Setting("dc_name", "数据中心代码", help="EAS 管理控制台中的数据中心 (账套) 代码"),
        Setting("company", "公司编码", help="凭证写入的财务组织, 如 01.001"),
        Setting("creator", "制单人", help="凭证上的制单人, 须是 EAS 用户"),
        Setting(
            "voucher_columns",
            "凭证读取的列",
            help='getVoucher 各列的序号 (从 0 起), 如 {"key": 6, "number": 4, "debit": 10, "credit": 11}; '
            "可另给 word、date、summary、account。用 duijie connection test 查看各列",
        ),
        Setting(
            "key_field",
            "来源键字段",
            required=False,
            default=KEY_FIELD,
            help="WSWSVoucher 中保存我方键的文本字段, 须能被 getVoucher 读回",
        ),
        Setting("key_length", "来源键长度", required=False, default=KEY_LENGTH, help="该字段能存的字符数"),
        Setting("credit_dc", "贷方的 entryDC", required=False, default="0", help="借方为 1; 贷方依版本为 0 或 -1"),
        Setting("verify", "isVerify", required=False, default="1", help="1: 服务端校验借贷、科目与核算项目"),
        Setting("sln_name", "解决方案", required=False, default="eas"),
        Setting("language", "语言", required=False, default="L2", help="L1 英文, L2 简体中文, L3 繁体中文"),
        Setting("db_type", "数据库类型", required=False, default="0", help="0 SQL Server, 1 Oracle, 2 DB2"),
        Setting("auth_pattern", "认证方式", required=False, help="如 BaseDB; 登录接口需要时填写"),
        Setting("page_rows", "每次读取行数", required=False, default=PAGE_ROWS),
        Setting("rate", "调用频率上限", required=False, default=RATE, help="如 5/second"),
    ),
    rate=RATE,
    api_version="EASLogin, WSWSVoucher, WSGLWebServiceFacade (Axis 1.4)",
    source="https://open.kingdee.com",
    moves=(
        Move("voucher", "voucher", "凭证"),
        Move("voucher", "voucher", "凭证", Safety.LOOKUP),
    ),
)

CONNECTOR = Plugin(spec=SPEC, open=open_eas)
