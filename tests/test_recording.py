"""Masked samples of the journal become tests that pass at once, and hold nobody's data."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stdnum.cn import uscc
from typer.testing import CliRunner

from duijie.cli.main import app
from duijie.codec import encode
from duijie.journal import Journal, codes, documents, inbox
from duijie.journal.codes import Code
from duijie.journal.inbox import Source
from duijie.mapping import load_mapping, run_tests
from duijie.masking import Masks

PERSON, PHONE, MAIL = "欧阳海棠", "13912345678", "haitang@mail.cn"
ADDRESS, COMPANY, TAX_NO = "杭州市西湖区文三路 1 号", "杭州恒信嘉禾科技有限公司", "91330106MA2DEMK14E"
BANK = "6222021234567890123"
REAL = (PERSON, PHONE, MAIL, ADDRESS, COMPANY, TAX_NO, BANK)
BIG = 12345678901234567890123
ORDER: dict[str, Any] = {
    "id": BIG,
    "code": "0012",
    "yes": "NO",
    "exp": "1e5",
    "paid": Decimal("1.10"),
    "created": "2026-11-11 09:00:00",
    "shop": "S01",
    "buyer_nick": PERSON,
    "receiver_mobile": PHONE,
    "receiver_address": ADDRESS,
    "buyer_message": f"请打 {PHONE}\n{PERSON}",
    "bank_account": BANK,
    "hint": f"{PERSON} {MAIL}",
    "buyer": {"name": COMPANY, "tax_no": TAX_NO, "kind": "company"},
    "extra": f'{{"receiver_mobile": "{PHONE}", "n": 2.50}}',
    "sku": "A1",
}
IN = """\
# by hand: 注释  kept
mapping: shop/order.in
from: {system: shop, stream: order}
to: {system: demo, sink: thing}
fields:
  key: join(":", "company", buyer.tax_no)
  id: id
  paid: money(paid)
  code: code
  name: buyer_nick
  mobile: receiver_mobile
  said: buyer_message
  shop: xref("shop", shop)
  customer: xref("customer", buyer_nick, "none")
  contact: ref("product", sku).contact
  unit: settings.unit
  n: parse_json(extra).n
"""
OUT = """\
mapping: shop/party.out
from: {entity: party}
to: {system: crm, sink: party}
fields:
  no: key
  name: name
tests:
  - name: by hand
    given: {key: "1", name: 甲}
    expect: {no: "1"}
"""
FLOW = """\
flow: things
title: 测试
steps:
  - {verb: pull, name: p, connection: shop, stream: order, mapping: shop/order.in, since: 2026-01-01T00:00:00+08:00,
     settings: {unit: 件}}
  - {verb: deliver, name: d, connection: crm, sink: party, entity: party, mapping: shop/party.out}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.delenv("DUIJIE_JOURNAL", raising=False)
    for name, text in (("order.in.yaml", IN), ("party.out.yaml", OUT), ("flows/things.yaml", FLOW)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    journal = Journal.open()
    inbox.store(journal, Source("shop", "order"), "id", [ORDER])
    rows = [Code("shop", "*", "S01", "C001"), Code("customer", "shop", PERSON, "K7")]
    codes.put(journal, rows, "我")
    product = {"key": "A1", "name": "面条", "contact": "王小明", "tax_rate": Decimal("0.130")}
    with journal.writing() as tx:
        documents.put(tx, journal, "product", product, (None, ""))
        for tax_no, name in ((TAX_NO, COMPANY), ("91350100M000100Y43", "福州测试贸易有限公司")):
            party = {"key": f"company:{tax_no}", "name": name, "kind": "company", "tax_no": tax_no}
            documents.put(tx, journal, "party", party | {"credit": len(name)}, (None, ""))
    return tmp_path


def record(home: Path, file: str, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["mapping", "record", str(home / file), "--flows", str(home / "flows"), *arguments])
    assert done.exit_code == code, done.output
    return done.output


def saved_in(file: Path) -> list[dict[str, Any]]:
    mapping = load_mapping(file)
    assert [one.differences for one in run_tests(mapping)] == [()] * len(mapping.tests)
    return mapping.tests


def test_a_message_becomes_a_test_that_passes_and_holds_nobody(home: Path) -> None:
    record(home, "order.in.yaml", "--key", str(BIG))
    text = (home / "order.in.yaml").read_bytes().decode()
    assert text.startswith(IN + "tests:\n  - name: ")
    assert [real for real in (*REAL, "王小明") if real in text] == []
    [test] = saved_in(home / "order.in.yaml")
    given, made = test["given"], test["expect"]
    assert uscc.is_valid(given["buyer"]["tax_no"])
    assert made["key"] == f"company:{given['buyer']['tax_no']}"
    assert given["buyer"]["name"].endswith("有限公司")
    assert given["receiver_mobile"].startswith("138")
    assert len(given["receiver_mobile"]) == 11
    assert given["hint"].startswith(f"{given['buyer_nick']} test")
    assert given["receiver_mobile"] in given["extra"]


def test_what_was_looked_up_is_saved_under_the_mask(home: Path) -> None:
    record(home, "order.in.yaml", "--last", "5")
    [test] = saved_in(home / "order.in.yaml")
    assert test["xref"] == {"shop": {"S01": "C001"}, "customer": {test["given"]["buyer_nick"]: "K7"}}
    assert list(test["ref"]["product"]) == ["A1"]
    assert test["ref"]["product"]["A1"]["name"] == "面条"
    assert test["settings"] == {"unit": "件"}
    assert test["expect"]["contact"] == test["ref"]["product"]["A1"]["contact"]


def test_numbers_and_texts_that_look_like_numbers_stay_what_they_are(home: Path) -> None:
    record(home, "order.in.yaml", "--key", str(BIG))
    [test] = saved_in(home / "order.in.yaml")
    given = test["given"]
    assert [given[name] for name in ("id", "code", "yes", "exp", "created")] == [
        BIG, "0012", "NO", "1e5", "2026-11-11 09:00:00",
    ]  # fmt: skip
    assert (
        encode([given["paid"], test["expect"]["n"], test["ref"]["product"]["A1"]["tax_rate"]]) == b"[1.10,2.50,0.130]"
    )


def test_documents_become_tests_after_those_by_hand_each_once(home: Path) -> None:
    record(home, "party.out.yaml", "--last", "5")
    once = (home / "party.out.yaml").read_bytes()
    assert once.startswith(OUT.encode())
    assert [
        real for real in (COMPANY, TAX_NO, "福州测试贸易有限公司", "91350100M000100Y43") if real.encode() in once
    ] == []
    tests = saved_in(home / "party.out.yaml")
    assert len({test["name"] for test in tests}) == 3
    assert len({test["given"]["tax_no"] for test in tests[1:]}) == 2


@pytest.mark.parametrize(("file", "key"), [("order.in.yaml", str(BIG)), ("party.out.yaml", TAX_NO)])
def test_a_record_is_saved_once(home: Path, file: str, key: str) -> None:
    record(home, file, "--key", key)
    once = (home / file).read_bytes()
    assert "已有" in record(home, file, "--key", key)
    assert (home / file).read_bytes() == once


def test_a_dry_run_shows_and_writes_nothing(home: Path) -> None:
    shown = record(home, "order.in.yaml", "--last", "1", "--dry-run")
    assert "- name: 记录" in shown
    assert PHONE not in shown
    assert (home / "order.in.yaml").read_bytes() == IN.encode()


def test_tests_that_are_not_last_are_refused(home: Path) -> None:
    moved = OUT + "version: 1\n"
    (home / "party.out.yaml").write_bytes(moved.encode())
    assert "移到文件末尾" in record(home, "party.out.yaml", "--last", "1", code=1).replace("\n", "")
    assert (home / "party.out.yaml").read_bytes() == moved.encode()


def test_windows_line_ends_and_a_missing_last_one_are_kept(home: Path) -> None:
    before = OUT.rstrip("\n").replace("\n", "\r\n").encode()
    (home / "party.out.yaml").write_bytes(before)
    record(home, "party.out.yaml", "--key", TAX_NO)
    after = (home / "party.out.yaml").read_bytes()
    assert after.startswith(before + b"\r\n")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert len(saved_in(home / "party.out.yaml")) == 2


def test_a_record_that_cannot_be_mapped_is_named_with_its_reason(home: Path) -> None:
    inbox.store(Journal.open(), Source("shop", "order"), "id", [{**ORDER, "id": 5, "shop": "S99"}])
    said = record(home, "order.in.yaml", "--last", "2", code=1)
    assert "未保存 5: 对照缺失" in said
    assert len(saved_in(home / "order.in.yaml")) == 1


def test_a_key_or_mapping_that_nothing_knows_is_told(home: Path) -> None:
    assert "nix" in record(home, "order.in.yaml", "--key", "nix", code=1)
    (home / "flows/things.yaml").unlink()
    assert "没有流程使用映射" in record(home, "order.in.yaml", "--last", "1", code=1)


def test_one_value_has_one_mask_and_gives_itself_back() -> None:
    masks = Masks()
    first = masks.record({"receiver_name": PERSON, "remark": f"转 {PHONE}", "order_no": "13800138000", "gross": 7})
    second = masks.record({"title": f"{PERSON}收", "consignee": PERSON})
    assert second == {"title": f"{first['receiver_name']}收", "consignee": first["receiver_name"]}
    assert masks.original(second["title"]) == f"{PERSON}收"
    assert (first["order_no"], first["gross"]) == ("13800138000", 7)


def test_people_in_xml_and_in_json_texts_are_masked() -> None:
    hidden = Masks().record(
        {"body": f"<r><buyer><name>{PERSON}</name></buyer><no>7</no></r>", "j": f'[{{"tel":"{PHONE}"}}]'}
    )
    assert hidden == {"body": "<r><buyer><name>测试A</name></buyer><no>7</no></r>", "j": '[{"tel":"13800000001"}]'}


def test_a_document_that_differs_only_in_its_people_is_no_new_test(home: Path) -> None:
    journal = Journal.open()
    other = "91350100M000100Y43"
    party = {"key": f"company:{other}", "name": "福州另一有限公司", "kind": "company", "tax_no": other}
    with journal.writing() as tx:
        documents.put(tx, journal, "party", party | {"credit": len(COMPANY)}, (None, ""))
    record(home, "party.out.yaml", "--last", "5")
    assert len(saved_in(home / "party.out.yaml")) == 2
