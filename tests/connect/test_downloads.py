"""A file is fetched from hosts that a person trusts, and a redirect to another is not followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from duijie.connect.connection import Connection
from duijie.connect.downloads import download
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.http import Http
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from tests.file_site import FileSite, file_site

Fetch = Callable[..., bytes]


@pytest.fixture
def own() -> Iterator[FileSite]:
    with file_site() as site:
        yield site


@pytest.fixture
def other() -> Iterator[FileSite]:
    with file_site() as site:
        yield site


@pytest.fixture
def fetch(own: FileSite, tmp_path: Path) -> Fetch:
    http = Http(Services(TokenStore(tmp_path)).budget("files", "1000/second"))

    def fetched(url: str, file_hosts: str = "") -> bytes:
        return download(http, url, Connection("fp", "any", host=own.url, extra={"file_hosts": file_hosts}))

    return fetched


def test_the_host_of_the_connection_and_those_listed_are_trusted(fetch: Fetch, own: FileSite, other: FileSite) -> None:
    assert fetch(f"{own.url}/1.pdf") == b"%PDF"
    assert fetch(f"{other.alias}/1.pdf", "files.example, localhost") == b"%PDF"


def test_an_address_at_another_host_is_not_called(fetch: Fetch, other: FileSite) -> None:
    with pytest.raises(ConfigError, match="'localhost' is not in file_hosts"):
        fetch(f"{other.alias}/1.pdf")
    assert other.asked == []


def test_a_redirect_is_looked_at_before_it_is_followed(fetch: Fetch, own: FileSite, other: FileSite) -> None:
    there = f"{own.url}/to?there={quote(f'{other.alias}/1.pdf')}"
    with pytest.raises(ConfigError, match="'localhost' is not in file_hosts"):
        fetch(there)
    assert (len(own.asked), other.asked) == (1, [])
    assert fetch(there, "localhost") == b"%PDF"
    assert fetch(f"{own.url}/to?there=/2.pdf") == b"%PDF"


def test_a_host_that_two_readings_of_an_address_see_differently_is_not_called(
    fetch: Fetch, own: FileSite, other: FileSite
) -> None:
    with pytest.raises(ConfigError, match="not in file_hosts"):
        fetch(f"{other.alias}\\@{own.url.removeprefix('http://')}/1.pdf")
    assert (own.asked, other.asked) == ([], [])


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://127.0.0.1/1", "//127.0.0.1/1", "http://[::1/1"])
def test_what_is_no_web_address_is_refused(fetch: Fetch, url: str) -> None:
    with pytest.raises(ConfigError, match="not in file_hosts"):
        fetch(url)


def test_redirects_without_end_are_given_up(fetch: Fetch, own: FileSite) -> None:
    with pytest.raises(VendorRejected, match="over and over"):
        fetch(f"{own.url}/round")
    assert len(own.asked) == 4


def test_a_file_of_more_than_10_mb_is_refused(fetch: Fetch, own: FileSite) -> None:
    with pytest.raises(VendorRejected, match="exceeds 10 MB"):
        fetch(f"{own.url}/big")
