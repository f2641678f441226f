"""Tokens that workers of several machines share: fetched once, and of no use to whoever reads the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from duijie.connect.errors import ConfigError
from duijie.connect.tokens import Token, TokenStore
from duijie.journal import Journal
from duijie.journal.tables_lines import token
from duijie.sharing import tokens_of
from duijie.sharing.seals import SealedTokens, keys_of

KEY, NEXT = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def server(postgres_database: str) -> Iterator[Journal]:
    opened = Journal.open(postgres_database)
    yield opened
    opened.engine.dispose()


def fresh(value: str = "secret-token") -> Token:
    return Token(value, time.time() + 3600)


@pytest.mark.postgres
@pytest.mark.slow
def test_many_workers_fetch_one_token(server: Journal) -> None:
    fetched: list[int] = []

    def fetch() -> Token:
        fetched.append(1)
        time.sleep(0.2)
        return fresh(f"token {len(fetched)}")

    workers = [SealedTokens(Journal(server.engine), [KEY]) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda worker: worker.get("psi", fetch).value, workers)) == {"token 1"}
        stale = pool.map(lambda worker: worker.replace("psi", "token 1", fetch).value, workers)
        assert set(stale) == {"token 2"}
    assert len(fetched) == 2


@pytest.mark.postgres
@pytest.mark.slow
def test_the_database_does_not_hold_it_in_clear(server: Journal) -> None:
    SealedTokens(server, [KEY]).get("psi", fresh)
    with server.reading() as tx:
        [sealed] = tx.execute(select(token.c.sealed)).scalars()
    assert "secret" not in sealed
    assert b"secret-token" in Fernet(KEY.encode()).decrypt(sealed)


@pytest.mark.postgres
@pytest.mark.slow
def test_a_new_key_opens_what_the_old_one_sealed_and_a_lost_key_fetches_anew(server: Journal) -> None:
    SealedTokens(server, [KEY]).get("psi", fresh)
    assert SealedTokens(server, [NEXT, KEY]).get("psi", lambda: fresh("another")).value == "secret-token"
    assert SealedTokens(server, [NEXT]).get("psi", lambda: fresh("another")).value == "another"


@pytest.mark.postgres
@pytest.mark.slow
def test_a_token_that_ends_soon_is_replaced(server: Journal) -> None:
    tokens = SealedTokens(server, [KEY])
    tokens.get("psi", lambda: Token("short", time.time() + 5))
    assert tokens.get("psi", fresh).value == "secret-token"


def test_a_key_that_is_none_is_told_by_the_name_of_its_setting(kept: Journal) -> None:
    with pytest.raises(ConfigError, match="DUIJIE_TOKEN_KEY"):
        SealedTokens(kept, ["none"])


def test_airflows_key_serves_where_we_have_none_of_our_own() -> None:
    assert keys_of({"AIRFLOW__CORE__FERNET_KEY": f"{NEXT},{KEY}"}) == [NEXT, KEY]
    assert keys_of({"AIRFLOW__CORE__FERNET_KEY": KEY, "DUIJIE_TOKEN_KEY": NEXT}) == [NEXT]
    assert keys_of({}) == []


def test_without_a_key_tokens_stay_in_files_of_this_machine(kept: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DUIJIE_TOKEN_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(tokens_of(kept), TokenStore)
    monkeypatch.setenv("DUIJIE_TOKEN_KEY", KEY)
    assert isinstance(tokens_of(kept), SealedTokens) == kept.is_postgres
