"""What `duijie connection test` finds of accounts that work, and of those that do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duijie import codec
from duijie.cli.main import app
from duijie.connect.budget import Limits, RateBudget
from duijie.connect.clocks import listening
from duijie.connect.connection import Connection
from duijie.connect.http import Http
from duijie.connect.line import State
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.contract import Site
from duijie.diagnosis import Told, _clock, diagnose
from tests.contract.sites import SITES

REAL = sorted(set(SITES) - {"model"})  # the model is no installed connector


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(TokenStore(tmp_path / "tokens"))


@pytest.fixture(scope="module")
def psi() -> Iterator[Site]:
    with SITES["xingchen"]() as site:
        yield site


def by(told: list[Told], verdict: str) -> dict[str, str]:
    return {one.what: one.how for one in told if one.verdict == verdict}


@pytest.mark.parametrize("name", REAL)
def test_an_account_that_works_fails_nowhere(name: str, services: Services) -> None:
    with SITES[name]() as site:
        connection = site.fresh().connection()
        told = diagnose(connection, services)
        opened = site.open()
        assert by(told, "fails") == {}
        read = {one.split()[1] for one in by(told, "works") if one.startswith("读取 ")}
        assert read == set(opened.streams)
        assert {f"写入 {sink}" for sink in opened.sinks} <= {one.what for one in told}


def test_it_writes_nothing(psi: Site, services: Services) -> None:
    mine = psi.fresh()
    diagnose(mine.connection(), services)
    assert mine.held(mine.sinks["sales_order"]) == []


def test_a_wrong_key_is_told_and_what_depends_on_it_is_not_asked(psi: Site, services: Services) -> None:
    told = diagnose(psi.fresh().connection(password="wrong" * 6), services)
    assert "核对" in by(told, "fails")["登录"]
    assert by(told, "unasked")["权限"] == "未检查: 请先解决上一项"


def test_a_right_that_is_missing_is_told_for_its_stream_alone(psi: Site, services: Services) -> None:
    mine = psi.fresh()
    mine.order({"kind": "status", "match": "/scm/inventory", "rate": 1, "status": 403})
    told = diagnose(mine.connection(), services)
    mine.order()
    assert set(by(told, "fails")) == {"读取 inventory"}
    assert "读取 material" in by(told, "works")


def test_every_setting_that_is_missing_is_told_at_once_and_nothing_is_called(services: Services) -> None:
    told = diagnose(Connection("psi", "xingchen", host="http://127.0.0.1:1"), services)
    assert set(by(told, "fails")) == {"设置 client_id", "设置 client_secret", "设置 outer_instance_id"}
    assert "extra.outer_instance_id" in by(told, "fails")["设置 outer_instance_id"]
    assert by(told, "unasked")["登录与权限"] == "未检查: 请先补全设置"


def test_a_setting_that_does_nothing_names_its_neighbour(psi: Site, services: Services) -> None:
    extra = {**psi.extra, "page_sise": 50}
    told = diagnose(psi.fresh().connection(extra=extra), services)
    assert by(told, "warns")["设置 page_sise"] == "该连接类型没有这项设置, 不起作用, 是否指 page_size?"


@pytest.mark.parametrize(("days", "verdict"), [(-1, "fails"), (10, "warns"), (300, "works")])
def test_an_authorisation_that_ends_is_told_in_time(psi: Site, services: Services, days: int, verdict: str) -> None:
    ends = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    extra = {**psi.extra, "authorised_until": ends}
    assert ends in by(diagnose(psi.fresh().connection(extra=extra), services), verdict)["授权到期"]


def test_a_connection_out_of_use_says_since_what(psi: Site, services: Services) -> None:
    told = diagnose(psi.fresh().connection(), services, State(disabled="钥匙三次被拒"))
    assert "钥匙三次被拒" in by(told, "warns")["状态"]


class Dated(BaseHTTPRequestHandler):
    """Answers with a date of an hour ago."""

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Date", format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_the_vendors_clock_is_heard_in_every_answer_and_compared_with_ours(services: Services) -> None:
    server = HTTPServer(("127.0.0.1", 0), Dated)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with listening() as dates:
        Http(RateBudget("clock", "100/second", Limits())).send("GET", f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()
    assert abs(time.time() - 3600 - dates[-1]) < 5
    [told] = _clock(dates, services)
    assert (told.verdict, told.how.startswith("本机比对方快 3")) == ("fails", True)


class TestCommand:
    @pytest.fixture(autouse=True)
    def _here(self, psi: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
        monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
        monkeypatch.setenv("COLUMNS", "160")
        self.given = {"conn_type": "xingchen", "host": psi.fresh().url, "login": psi.login, "password": psi.password}
        self.given["extra"] = dict(psi.extra)

    def invoke(self, monkeypatch: pytest.MonkeyPatch, **changes: str) -> tuple[int, str]:
        monkeypatch.setenv("DUIJIE_CONN_PSI", codec.encode({**self.given, **changes}).decode())
        done = CliRunner().invoke(app, ["connection", "test", "psi"])
        return done.exit_code, done.output

    def test_what_works_is_shown_and_exits_with_nought(self, monkeypatch: pytest.MonkeyPatch) -> None:
        code, said = self.invoke(monkeypatch)
        assert (code, "✗" in said) == (0, False)
        assert all(word in said for word in ("账套", "读取 material", "写入 sales_order", "时钟"))

    def test_what_fails_exits_with_one_and_shows_no_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        code, said = self.invoke(monkeypatch, password="not-the-secret-at-all")
        assert (code, "✗" in said) == (1, True)
        assert "not-the-secret-at-all" not in said
