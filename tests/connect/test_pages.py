"""The connectors' pages say what their specs say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from duijie.connect import pages
from duijie.connect.errors import ConfigError
from duijie.connect.registry import plugins

DOCS = Path(__file__).parents[2] / "docs" / "connectors"


def test_the_pages_in_the_repository_are_what_the_specs_make_of_them(tmp_path: Path) -> None:
    copied = shutil.copytree(DOCS, tmp_path / "connectors")
    assert pages.write_pages(copied, plugins()) == []


def test_so_are_the_readmes(tmp_path: Path) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        shutil.copy(DOCS.parents[1] / name, tmp_path / name)
    assert pages.write_readmes(tmp_path, plugins()) == []


def test_a_block_that_is_out_of_date_is_written_anew_and_the_words_around_it_stay(tmp_path: Path) -> None:
    copied = shutil.copytree(DOCS, tmp_path / "connectors")
    page = copied / "taobao.md"
    written = page.read_text(encoding="utf-8")
    page.write_text(written.replace("`app_key`", "`old_key`"), encoding="utf-8")
    assert pages.write_pages(copied, plugins()) == [page]
    assert page.read_text(encoding="utf-8") == written


def test_a_connector_without_a_page_is_an_error_that_names_it(tmp_path: Path) -> None:
    copied = shutil.copytree(DOCS, tmp_path / "connectors")
    (copied / "nuonuo.md").unlink()
    with pytest.raises(ConfigError, match=r"nuonuo\.md"):
        pages.write_pages(copied, plugins())


def test_a_secret_setting_is_marked_and_a_sink_says_why_it_never_doubles() -> None:
    block = pages.block(plugins()["xingchen"].spec)
    assert "`client_secret` (密钥)" in block
    assert "| 写入 | `sales_order` | 销售订单 (`sales_order`) | 单号唯一: 目标拒收重复单号 |" in block
