"""Each platform that tells where its files lie: nothing is called at a host that nobody has listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from connectors.baiwang import CONNECTOR as BAIWANG
from connectors.gaodeng import CONNECTOR as GAODENG
from connectors.nuonuo import CONNECTOR as NUONUO
from connectors.piaozone import CONNECTOR as PIAOZONE
from connectors.taxinvoice import CONNECTOR as TAXINVOICE
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Plugin
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from tests.file_site import FileSite, file_site

Fetch = Callable[[str], bytes]
NAMES = {"tax_no": "339902999999789113", "seller_name": "某公司", "drawer": "张三", "clerk": "张三", "username": "u"}
PLATFORMS: dict[Plugin, Record] = {
    NUONUO: {},
    BAIWANG: {"user_password": "p", "user_salt": "s"},
    TAXINVOICE: {},
    PIAOZONE: {"system_code": "DJ", "account_id": "1", "user": "u"},
    GAODENG: {"gateway": "new", "amount_unit": "fen", "code_normal": "1", "code_special": "2"},
}


@pytest.fixture(params=PLATFORMS, ids=lambda plugin: plugin.spec.conn_type)
def plugin(request: Any) -> Plugin:
    found: Plugin = request.param
    return found


@pytest.fixture
def own() -> Iterator[FileSite]:
    with file_site() as site:
        yield site


@pytest.fixture
def other() -> Iterator[FileSite]:
    with file_site() as site:
        yield site


@pytest.fixture
def fetch(plugin: Plugin, own: FileSite, tmp_path: Path) -> Callable[..., bytes]:
    def fetched(url: str, **extra: str) -> bytes:
        given = {**NAMES, "rate": "10000/second", **PLATFORMS[plugin], **extra}
        found = Connection("fp", plugin.spec.conn_type, host=own.url, login="k", password="s", extra=given)
        client: Any = plugin.open(found, Services(TokenStore(tmp_path)))._client  # type: ignore[attr-defined]
        content: bytes = (client.download if hasattr(client, "download") else client.file)(url)
        return content

    return fetched


def test_a_file_at_a_host_that_is_not_listed_is_not_called(fetch: Callable[..., bytes], other: FileSite) -> None:
    with pytest.raises(ConfigError, match="file_hosts"):
        fetch(f"{other.alias}/1.pdf")
    assert other.asked == []
    assert fetch(f"{other.alias}/1.pdf", file_hosts="localhost") == b"%PDF"


def test_a_redirect_to_a_host_that_is_not_listed_is_not_followed(
    fetch: Callable[..., bytes], own: FileSite, other: FileSite
) -> None:
    with pytest.raises(ConfigError, match="file_hosts"):
        fetch(f"{own.url}/to?there={quote(f'{other.alias}/1.pdf')}")
    assert (len(own.asked), other.asked) == (1, [])


def test_the_setting_is_one_of_the_platform(plugin: Plugin) -> None:
    assert "file_hosts" in {setting.name for setting in plugin.spec.settings}
