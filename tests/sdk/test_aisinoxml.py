"""航信's Node client for eiInterface issues, downloads and mails over our sandbox, sealed by 3DES."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from duijie.codec import Record
from sandbox.aisinoxml import AisinoXmlSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.sdk.harness import drive_node

NODE = "egg-aisino-invoice-api 1.2.9"
SELLER, PLATFORM = "91310101MA5DEMK12A", "111MFWIK"
CONFIG = {
    "DSPTBM": PLATFORM,
    "NSRSBH": SELLER,
    "NSRMC": "航信 XML 测试企业",
    "XHFMC": "航信 XML 测试企业",
    "XHF_DZ": "示例路1号",
    "XHF_DH": "021-1",
    "XHF_YHZH": "62",
    "KPY": "张三",
    "SKY": "李四",
    "FHR": "王五",
    "HSBZ": "1",
    "TAXRATE": "0.13",
    "TERMINALCODE": "0",
    "APPID": "ZZS_PT_DZFP",
    "TAXPAYWERID": SELLER,
    "AUTHORIZATIONCODE": "3100000090",
    "ENCRYPTCODE": "1",
    "RESPONSECODE": "121",
    "REGISTERCODE": "REG-demo",
    "KEY3DES": "123456789012345678901234",
}


@pytest.fixture
def sandbox() -> Iterator[AisinoXmlSandbox]:
    made = AisinoXmlSandbox(Store())
    made.seed({"tax_no": SELLER, "bureau": {"issue_seconds": "0"}})
    with Running(made) as made.url:
        yield made


def drive(sandbox: AisinoXmlSandbox, what: str, number: str = "DJ1", **more: Any) -> Record:
    asked = {"url": f"{sandbox.url}/sajt-shdzfp-sl-http/SvrServlet", "config": CONFIG, "do": what, "number": number}
    told: Record = drive_node("aisinoxml", {**asked, **more})
    return told


def words(told: Record) -> str:
    return base64.b64decode(told["returnMessage"]).decode()


@pytest.mark.slow
@pytest.mark.sdk(NODE)
def test_the_vendors_client_issues_downloads_and_mails(sandbox: AisinoXmlSandbox) -> None:
    issued = drive(sandbox, "issued")
    assert (issued["returnCode"], words(issued)) == ("0000", "受理成功")
    [row] = sandbox.bureau.blues()
    assert (row["serial"], row["net"], row["tax"]) == (f"{PLATFORM}DJ1".ljust(25, "0"), "100.00", "13.00")
    told = drive(sandbox, "downloaded")
    assert (told["FP_HM"], told["HJBHSJE"], told["DDH"]) == (row["number"], "100.00", "DJ1")
    assert drive(sandbox, "mailed", invoice=row["number"])["returnCode"] == "0000"
    assert sandbox.store.all("delivery") == [{"number": row["number"], "mail": "a@example.com", "phone": ""}]


@pytest.mark.slow
@pytest.mark.sdk(NODE)
def test_the_vendors_client_is_told_that_its_number_is_taken(sandbox: AisinoXmlSandbox) -> None:
    drive(sandbox, "issued")
    again = drive(sandbox, "issued")
    assert again["returnCode"] != "0000"
    assert "已存在" in words(again)
    assert len(sandbox.bureau.blues()) == 1


@pytest.mark.slow
@pytest.mark.sdk(NODE)
def test_the_vendors_client_sends_a_discount_behind_its_line(sandbox: AisinoXmlSandbox) -> None:
    assert drive(sandbox, "discounted")["returnCode"] == "0000"
    [row] = sandbox.bureau.blues()
    assert [line["nature"] for line in row["lines"]] == ["discounted", "discount"]
