"""The shipped schemas of vendors' streams say what the connectors really ask for: a field not asked for never comes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from connectors.taobao.connector import REFUND_FIELDS, TRADE_FIELDS
from connectors.taobao.skus import SKU_FIELDS
from duijie.mapping import lint

SOURCES = Path(__file__).parents[2] / "schemas/sources"


def schema(name: str) -> dict[str, object]:
    return json.loads((SOURCES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_one_is_a_schema_named_by_its_stream(path):
    held = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(held)
    assert held["$id"] == f"duijie:source:{path.parent.name}:{path.stem}"


@pytest.mark.parametrize(
    ("name", "asked", "added"),
    [
        ("taobao/trade", TRADE_FIELDS, {"shop"}),
        ("taobao/refund", REFUND_FIELDS, {"shop"}),
        ("taobao/stock", SKU_FIELDS, {"shop", "shop_sku"}),
    ],
)
def test_taobao_sends_what_it_is_asked_for_and_the_connector_adds_the_shop(name, asked, added):
    assert set(schema(name)["properties"]) == set(asked.split(",")) | added
    assert schema(name)["additionalProperties"] is False


def test_a_field_of_top_that_the_connector_does_not_ask_for_is_told(tmp_path):
    path = tmp_path / "t.in.yaml"
    path.write_text(
        "mapping: taobao/t.in\nfrom: {system: taobao, stream: trade}\nto: {system: x, sink: y}\n"
        "fields: {a: receiver_zip, b: {each: orders.order, as: line, value: line.is_oversold}}\n"
        "tests: [{name: t, given: {}, error: x}]\n"
    )
    assert [str(each.en).split(";")[0] for each in lint([path])] == ["unknown source field receiver_zip"]
