"""The door, from outside: forged sessions, damaged files, strangers who guess, pages whose session has ended."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from typer.testing import CliRunner

from duijie.cli.main import app as command_line
from duijie.connect.errors import ConfigError
from duijie.console import security, users
from duijie.console.app import create_app
from duijie.journal import Journal
from duijie.journal.tables import alert
from tests.console.conftest import PASSWORD, form_token, log_in

Served = tuple[TestClient, TestClient]


@pytest.fixture
def two_places(kept: Journal, tmp_path: Path) -> Iterator[Served]:
    """The same console, asked from two addresses."""
    app = create_app(f"sqlite:///{tmp_path / 'journal.db'}")
    with (
        TestClient(app, base_url="http://console", client=("198.51.100.9", 50000)) as stranger,
        TestClient(app, base_url="http://console", client=("192.0.2.1", 50000)) as owner,
    ):
        yield stranger, owner


class TestTheSecret:
    def test_it_is_made_once_whole_and_private(self, kept: Journal, tmp_path: Path) -> None:
        made = security.secret_key()
        assert len(made) >= 32
        assert security.secret_key() == made
        assert stat.S_IMODE((tmp_path / "console-secret").stat().st_mode) == 0o600
        assert {path.name for path in tmp_path.glob("console-secret*")} <= {"console-secret", "console-secret.lock"}

    @pytest.mark.parametrize("left", ["", "\n", "half-written"])
    def test_a_damaged_one_opens_no_door(self, kept: Journal, tmp_path: Path, left: str) -> None:
        (tmp_path / "console-secret").write_text(left)
        with pytest.raises(ConfigError, match="forge"):
            create_app(f"sqlite:///{tmp_path / 'journal.db'}")

    def test_a_short_one_from_outside_opens_none_either(
        self, kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DUIJIE_CONSOLE_SECRET", "changeme")
        with pytest.raises(ConfigError, match="DUIJIE_CONSOLE_SECRET"):
            security.secret_key()

    def test_serving_says_so_in_one_sentence(self, kept: Journal, tmp_path: Path) -> None:
        (tmp_path / "console-secret").write_text("")
        told = CliRunner().invoke(command_line, ["console", "serve"])
        assert told.exit_code == 1
        assert "会话密钥" in told.output
        assert "Traceback" not in told.output


class TestGuessing:
    def test_a_stranger_who_guesses_does_not_shut_the_owner_out(self, two_places: Served) -> None:
        stranger, owner = two_places
        assert [log_in(stranger, "ops", "wrong") for _ in range(7)] == [200] * 7
        assert "请一分钟后再试" in _answer(stranger, PASSWORD)
        assert log_in(owner, "ops") == 303

    def test_an_address_that_a_request_merely_claims_does_not_count(self, two_places: Served) -> None:
        stranger, _ = two_places
        for last in range(6):
            stranger.headers["X-Forwarded-For"] = f"203.0.113.{last}"
            log_in(stranger, "ops", "wrong")
        assert "请一分钟后再试" in _answer(stranger, PASSWORD)

    def test_behind_a_trusted_proxy_the_address_it_names_counts(
        self, kept: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DUIJIE_TRUSTED_PROXY", "10.0.0.0/8")
        app = create_app(f"sqlite:///{tmp_path / 'journal.db'}")
        with TestClient(app, base_url="http://console", client=("10.1.2.3", 50000)) as client:
            client.headers["X-Forwarded-For"] = "192.0.2.1, 198.51.100.9"  # the first one is the stranger's own claim
            for _ in range(6):
                log_in(client, "ops", "wrong")
            assert "请一分钟后再试" in _answer(client, PASSWORD)
            client.headers["X-Forwarded-For"] = "192.0.2.1"
            assert log_in(client, "ops") == 303

    def test_many_failures_of_a_known_name_raise_one_alert(self, kept: Journal, tmp_path: Path) -> None:
        app = create_app(f"sqlite:///{tmp_path / 'journal.db'}")
        for last in range(5):
            with TestClient(app, base_url="http://console", client=(f"198.51.100.{last}", 50000)) as client:
                for name in ("ops", "nobody"):
                    for _ in range(5):
                        log_in(client, name, "wrong")
        with kept.reading() as tx:
            titles = tx.execute(select(alert.c.title).where(alert.c.dedupe.startswith("login|"))).scalars().all()
        assert titles == ["用户 ops 一分钟内多次密码错误, 最近来自 198.51.100.4"]

    def test_a_large_form_is_refused_before_it_is_read(self, anybody: TestClient) -> None:
        answer = anybody.post("/login", data={"name": "x" * 20_000})
        assert answer.status_code == 413
        assert anybody.post("/login", content=iter([b"name=x"])).status_code == 413


def _answer(client: TestClient, password: str) -> str:
    token = form_token(client.get("/login").text)
    return client.post("/login", data={"csrf": token, "name": "ops", "password": password}).text


class TestTheSession:
    def test_after_a_login_the_page_that_was_asked_for_is_shown(self, anybody: TestClient) -> None:
        anybody.get("/work?kind=unmapped&state=open")
        form = {"csrf": form_token(anybody.get("/login").text), "name": "ops", "password": PASSWORD}
        answer = anybody.post("/login", data=form, follow_redirects=False)
        assert answer.headers["location"] == "/work?kind=unmapped&state=open"

    def test_a_fragment_whose_session_has_ended_sends_the_page_to_the_login(self, anybody: TestClient) -> None:
        answer = anybody.get("/document/1", headers={"HX-Request": "true"}, follow_redirects=False)
        assert answer.headers["hx-redirect"] == "/login"
        assert answer.text == ""

    def test_a_new_password_ends_the_sessions_of_the_old_one(self, ops: TestClient, tmp_path: Path) -> None:
        assert ops.get("/", follow_redirects=False).status_code == 200
        users.add_user(tmp_path / "users.json", "ops", "another password", "ops", "ops 某人")
        assert ops.get("/", follow_redirects=False).headers["location"] == "/login"

    def test_a_link_from_elsewhere_arrives_with_the_session(self, anybody: TestClient) -> None:
        assert "samesite=lax" in anybody.get("/login").headers["set-cookie"]

    def test_words_in_an_address_are_not_shown_as_something_that_happened(self, ops: TestClient) -> None:
        page = ops.get("/work/1?done=转账成功&told=转账成功").text
        assert "转账成功" not in page


class TestTheUsersFile:
    def test_a_short_password_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="at least 8"):
            users.add_user(tmp_path / "users.json", "a", "1234567", "ops", "")

    def test_a_damaged_file_says_what_to_do(self, ops: TestClient, tmp_path: Path) -> None:
        (tmp_path / "users.json").write_text('{"ops": {"pass')
        answer = ops.get("/")
        assert answer.status_code == 503
        assert "用户文件" in answer.text
        assert "已损坏" in answer.text

    def test_a_damaged_hash_lets_nobody_in(self, anybody: TestClient, tmp_path: Path) -> None:
        (tmp_path / "users.json").write_text('{"ops": {"password_hash": "x", "role": "ops", "display": "o"}}')
        assert log_in(anybody, "ops") == 200


class TestHealth:
    def test_a_journal_without_its_tables_is_not_healthy(self, anybody: TestClient, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "journal.db") as journal:
            journal.execute("ALTER TABLE document RENAME TO gone")
        answer = anybody.get("/healthz")
        assert answer.status_code == 503
        assert answer.json()["journal"] == "down"

    def test_a_journal_that_is_no_database_is_not_healthy(self, anybody: TestClient, tmp_path: Path) -> None:
        for path in tmp_path.glob("journal.db*"):
            path.write_bytes(b"no database " * 1000)
        assert anybody.get("/healthz").status_code == 503


class TestPagesThatCannotBeShown:
    @pytest.mark.parametrize("path", ["/nowhere", "/work/abc", "/work/99"])
    def test_it_is_a_page_with_the_menu_and_a_reason(self, ops: TestClient, path: str) -> None:
        answer = ops.get(path)
        assert answer.status_code == 404
        assert "没有这个" in answer.text
        assert 'href="/work"' in answer.text

    def test_a_fragment_gets_the_bare_sentence(self, ops: TestClient) -> None:
        answer = ops.get("/document/999", headers={"HX-Request": "true"})
        assert (answer.status_code, answer.text) == (404, "没有这张单据")

    def test_a_wrong_field_is_named(self, ops: TestClient) -> None:
        answer = ops.get("/work?page=x")
        assert answer.status_code == 422
        assert "参数 page 有误" in answer.text


@pytest.mark.parametrize("path", ["/", "/login", "/healthz", "/static/console.css", "/nowhere"])
def test_every_answer_carries_the_security_headers(ops: TestClient, path: str) -> None:
    headers = ops.get(path).headers
    policy = headers["content-security-policy"]
    for rule in ("default-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_are_not_kept_by_browsers_and_assets_are(ops: TestClient) -> None:
    assert ops.get("/").headers["cache-control"] == "no-store"
    assert "no-store" not in ops.get("/static/console.css").headers.get("cache-control", "")
