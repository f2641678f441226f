"""The archives of the U8 sandbox: fields and lengths by the EAI templates, unique codes, classes that must exist.

A record without a code is reported as done and not kept, with an empty key: so U8 answers where it knows no element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from sandbox.store import Store

PARTY = {
    "code": 20, "name": 98, "abbrname": 60, "sort_code": 12, "address": 255, "tax_reg_code": 50, "bank_open": 100,
    "bank_acc_number": 50, "seed_date": 19, "contact": 50, "phone": 100, "end_date": 19,
}  # fmt: skip
FIELDS: dict[str, dict[str, int]] = {
    "customer": PARTY | {"ccusexch_name": 50, "ccusmngtypecode": 10},
    "vendor": PARTY | {"bvencargo": 1, "bproxyforeign": 1, "bvenservice": 1, "cvenexch_name": 50},
    "inventory": {
        "code": 20, "name": 255, "specs": 255, "sort_code": 12, "main_measure": 35, "unitgroup_code": 35,
        "tax_rate": 12, "barcode": 30, "brand": 30, "end_date": 19, "sale_flag": 1, "purchase_flag": 1,
        "selfmake_flag": 1, "prod_consu_flag": 1, "cPlanMethod": 1, "cSRPolicy": 2, "iSupplyType": 1,
    },
    "warehouse": {
        "code": 10, "name": 20, "valuestyle": 12, "barcode": 30, "dWhEndDate": 19, "whmanage": 1, "bmrp": 1, "brop": 1,
        "iwhproperty": 1, "bcontrolserial": 1, "bincost": 1, "binavailcalcu": 1, "bproxywh": 1, "isaconmode": 1,
        "iexconmode": 1, "istconmode": 1, "bshop": 1,
    },
    "dsign": {"i_id": 9, "type": 2, "type_name": 14},
}  # fmt: skip
NEEDED = {
    "customer": ("name", "abbrname", "sort_code", "seed_date", "ccusexch_name", "ccusmngtypecode"),
    "vendor": ("name", "abbrname", "sort_code", "seed_date", "cvenexch_name"),
    "inventory": ("name", "sort_code", "main_measure", "unitgroup_code", "sale_flag", "purchase_flag", "cPlanMethod"),
    "warehouse": ("name", "valuestyle", "whmanage", "bmrp", "brop", "iwhproperty", "bincost", "bshop"),
}
FILTERS = {"customer": {"code": "code"}, "inventory": {"cinvcode": "code"}}
NAMES = {"customer": "客户", "vendor": "供应商", "inventory": "存货", "warehouse": "仓库"}
WITH_HEADER = ("inventory",)
TAKEN = "101"


def add(store: Store, config: Mapping[str, Any], archive: str, element: etree._Element) -> dict[str, str]:
    """The item of the answer."""
    header = element.find("header") if archive in WITH_HEADER else element
    given = {str(one.tag): one.text or "" for one in ([] if header is None else header.iterchildren("*"))}
    code = given.get("code", "")
    fault, succeed = next(_faults(store, config, archive, given), ("", "0"))
    if fault:
        return {"key": code, "succeed": succeed, "dsc": fault, "u8key": ""}
    if not code:
        return {"key": "", "succeed": "0", "dsc": "", "u8key": ""}
    store.put(archive, code, given)
    return {"key": code, "succeed": "0", "dsc": "ok", "u8key": code}


def found(store: Store, archive: str, filters: Mapping[str, str]) -> list[etree._Element]:
    """The records that fit, each as it would be imported. Raises KeyError for a field that cannot be asked by."""
    names = {FILTERS.get(archive, {})[name]: value for name, value in filters.items()}
    rows = [one for one in store.all(archive) if all(one.get(name) == value for name, value in names.items())]
    return [_element(archive, row) for row in rows]


def _faults(
    store: Store, config: Mapping[str, Any], archive: str, given: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    known, title = FIELDS[archive], NAMES.get(archive, archive)
    yield from ((f"数据库没有提供的字段({name})", "-1") for name in given if name not in known)
    yield from ((f"{name} 超过 {known[name]} 位", "-1") for name in given if len(given[name]) > known.get(name, 0))
    yield from ((f"{name} 不能为空", "-1") for name in NEEDED[archive] if not given.get(name))
    if store.get(archive, given.get("code", "")):
        yield f"{title}编码已经存在，不可重复！", TAKEN
    if "sort_code" in known and given.get("sort_code") not in config["classes"]:
        yield f"{title}分类 {given.get('sort_code')} 不存在", "-1"
    if "main_measure" in known and given.get("main_measure") not in config["units"]:
        yield f"计量单位 {given.get('main_measure')} 不存在", "-1"
    if archive == "vendor" and "1" not in [given.get(name) for name in ("bvencargo", "bproxyforeign", "bvenservice")]:
        yield "必须至少选择一个业务范围", "-1"


def _element(archive: str, row: Mapping[str, str]) -> etree._Element:
    element = etree.Element(archive)
    fields = etree.SubElement(element, "header") if archive in WITH_HEADER else element
    for name in FIELDS[archive]:
        etree.SubElement(fields, name).text = row.get(name, "")
    if archive in WITH_HEADER:
        etree.SubElement(element, "body")
    return element
