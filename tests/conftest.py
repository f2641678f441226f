"""Session-wide real servers; a test that asks for one is skipped, with the way to install it, where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.servers import Missing, Postgres, Redis, chromium_path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A running PostgreSQL in which a test may create databases of its own."""
    try:
        with Postgres() as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def postgres(postgres_server: Postgres) -> str:
    """The URI of an empty database, shared by the session."""
    return postgres_server.create("shared")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of an empty Redis, shared by the session."""
    try:
        with Redis() as server:
            yield server.url
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    try:
        return chromium_path()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def postgres_database(postgres_server: Postgres) -> Iterator[str]:
    """The URI of an empty database for one test."""
    name = f"t{uuid4().hex[:12]}"
    yield postgres_server.create(name)
    postgres_server.drop(name)
