"""The connection form of 金蝶云星空, and what it moves."""

from __future__ import annotations

from connectors.k3cloud.forms import READ, WRITTEN
from connectors.k3cloud.queries import PAGE_ROWS
from duijie.connect.protocol import Move, Safety, Setting, Spec

KEY_FIELD = "F_DJ_SOURCEKEY"
GOALS = ("save", "submit", "audit")
_GOAL_HELP = "save 只保存, submit 保存并提交, audit 保存、提交并审核"

SPEC = Spec(
    conn_type="k3cloud",
    title="金蝶云星空",
    summary="总账凭证, 物料、客商等基础资料, 即时库存, 销售与采购的订单和出入库单: 写入与读回核对",
    settings=(
        Setting("host", "服务器地址", "host", help="如 https://xxx.ik3cloud.com, 不含 /k3cloud"),
        Setting("user_name", "集成用户", "login"),
        Setting("app_secret", "应用密钥", "password", secret=True),
        Setting("acct_id", "账套 ID (数据中心)"),
        Setting("app_id", "应用 ID", help="形如 205022_…, 下划线后 32 个字符"),
        Setting("account_book", "账簿编码", help="凭证写入的账簿, 如 001"),
        Setting("key_field", "来源键字段", required=False, default=KEY_FIELD, help="凭证单据头上的自定义文本字段"),
        Setting("lcid", "语言", required=False, default="2052"),
        Setting("org_num", "组织编码", required=False, default="0"),
        Setting("data_org", "只读该组织", required=False, help="如 100; 多组织账套必填, 否则同一编码读到多条"),
        Setting("bill_goal", "单据写到哪一步", required=False, default="save", help=_GOAL_HELP),
        Setting(
            "base_goal", "基础资料写到哪一步", required=False, default="save", help=f"{_GOAL_HELP}; 审核后才能用于单据"
        ),
        Setting("page_rows", "每次查询行数", required=False, default=PAGE_ROWS, help="至多 2000"),
        Setting("rate", "调用频率上限", required=False, help="如 10/second"),
    ),
    rate="10/second",
    api_version="WebAPI (SDK 8.2.0)",
    source="https://openapi.open.kingdee.com",
    moves=(
        Move("voucher", "voucher", "凭证"),
        *(Move(form.name, form.entity, form.title) for form in READ),
        Move("inventory", "stock_level", "即时库存"),
        Move("voucher", "voucher", "凭证", Safety.LOOKUP),
        *(Move(form.name, form.entity, form.title, Safety.NATURAL_KEY) for form in WRITTEN),
    ),
)
