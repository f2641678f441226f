"""Any system of your own that can sign: it pushes whole records by Standard Webhooks (standardwebhooks.com).

One connection is one sender with its secret. Its records go into streams that the connection names.
"""

from __future__ import annotations

from connectors.webhook.connector import Webhook
from connectors.webhook.hook import StandardWebhook
from duijie.connect.protocol import Plugin, Setting, Spec

SPEC = Spec(
    conn_type="webhook",
    title="自有系统推送",
    summary="接收自有系统按 Standard Webhooks 签名推送的整条记录",
    settings=(
        Setting(
            "secret",
            "签名密钥",
            target="password",
            secret=True,
            help="whsec_ 开头, 至少 16 字节; 更换期间可填新旧两个, 以空格分开",
        ),
        Setting("streams", "数据流", help='JSON: {"order": {"entity": "sales_order", "key": "id"}}'),
    ),
    rate="100/second",
    api_version="v1",
    source="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
)

CONNECTOR = Plugin(spec=SPEC, open=Webhook, hook=StandardWebhook)
