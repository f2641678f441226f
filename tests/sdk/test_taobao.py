"""The vendor's SDK cannot tell our 淘宝开放平台 from the real one; we sign as it signs."""

from __future__ import annotations

import pytest

from connectors.taobao.client import sign
from sandbox.store import Store
from sandbox.taobao import TaobaoSandbox
from tests.contract.sites.taobao import EXAMPLE, taobao
from tests.sdk.harness import drive_python
from tests.sdk.recording import recorded

pytestmark = [pytest.mark.slow, pytest.mark.sdk("taobao-sdk-top 0.0.1")]
READ = {
    "method": "taobao.trades.sold.increment.get",
    "fields": "tid,status,payment",
    "start_modified": "2026-11-11 00:00:00",
    "end_modified": "2026-11-11 23:59:59",
    "page_no": 1,
    "page_size": 40,
    "use_has_next": "true",
}
WRITE = {"method": "taobao.skus.quantity.update", "num_iid": 601, "type": 1, "outerid_quantities": "A1:12"}
TO_SIGN = [EXAMPLE, {**EXAMPLE, "memo": "测试备注 𠮷😀"}]


def test_it_reads_writes_and_is_refused_and_signs_as_we_sign() -> None:
    with recorded(TaobaoSandbox(Store())) as there:
        site = taobao(there.url).fresh()
        bad = {**WRITE, "outerid_quantities": "A1:many"}
        asked = {
            "url": there.url,
            "app_key": site.login,
            "secret": site.password,
            "session": "sess-S01-first",
            "calls": {"read": READ, "written": WRITE, "refused": bad},
            "to_sign": TO_SIGN,
        }
        told = drive_python("taobao", asked)
        signed = [one.parameters for one in there.sent]

    trades = told["read"]["trades_sold_increment_get_response"]["trades"]["trade"]
    assert len(trades) == 40
    assert all(isinstance(row["tid"], int) for row in trades)
    assert "skus_quantity_update_response" in told["written"]
    assert told["refused"]["sub_code"].startswith("isv.")
    assert (told["stranger"]["code"], told["expired"]["code"]) == (25, 27)
    assert told["signs"] == [sign(one, site.password, "md5") for one in TO_SIGN]
    right = [one for one in signed if one["sign"] == sign({**one, "sign": ""}, site.password, "md5")]
    assert len(right) == len(signed) - 1  # all but the stranger's
