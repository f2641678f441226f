"""A setting that a mapping reads and its step does not give stops the step before it begins."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from duijie.connect.errors import ConfigError
from duijie.flow import Deliver, Pull
from duijie.given import must_be_given
from duijie.mapping import load_mapping

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "mapping: shop/product.in\nfrom: {system: shop, stream: item}\nto: {entity: product}\nversion: 1\n"
SKU = "fields:\n  key: id\n  sku: id\n  name: text\n  unit: '\"件\"'\n  tax_rate: 0.13\n"


def pull(**settings: str) -> Pull:
    return Pull("pull_items", "shop", "item", "shop/product.in", SINCE, settings=dict(settings))


def needed(folder: Path, more: str) -> set[str]:
    path = folder / "product.in.yaml"
    path.write_text(f"{HEAD}{SKU}  {more}\n", encoding="utf-8")
    return load_mapping(path).parts.needed_settings()


@pytest.mark.parametrize(
    "rule",
    [
        "spec: settings.spec",
        "spec: join(text, id, settings.spec)",
        'spec: \'"a" if settings.spec == "b" else id\'',
    ],
)
def test_what_is_always_read_is_needed(tmp_path: Path, rule: str) -> None:
    assert needed(tmp_path, rule) == {"spec"}


@pytest.mark.parametrize(
    "rule",
    [
        "spec: default(settings.spec, id)",
        "spec: {value: settings.spec, default: id}",
        "spec: {value: settings.spec, when: has(settings.spec)}",
        "spec: {value: settings.spec, when: id == text}",
        "spec: settings.spec if has(settings.spec) else id",
        "spec: 'id if text else settings.spec'",
    ],
)
def test_what_may_go_without_is_not(tmp_path: Path, rule: str) -> None:
    assert needed(tmp_path, rule) == set()


def test_the_step_is_stopped_with_the_names(tmp_path: Path) -> None:
    needed(tmp_path, "spec: settings.spec\n  barcode: settings.code")
    mapping = load_mapping(tmp_path / "product.in.yaml")
    with pytest.raises(ConfigError) as raised:
        must_be_given(pull(code="x"), mapping)
    assert "步骤 pull_items 的映射 shop/product.in 用到 settings 中的 spec" in raised.value.zh
    must_be_given(pull(code="x", spec="y"), mapping)


def test_a_pull_adds_its_partition_and_a_delivery_does_not(tmp_path: Path) -> None:
    needed(tmp_path, "spec: settings.partition")
    mapping = load_mapping(tmp_path / "product.in.yaml")
    must_be_given(pull(), mapping)
    with pytest.raises(ConfigError, match="partition"):
        must_be_given(Deliver("send", "psi", "product", "product", "psi/product.out"), mapping)
