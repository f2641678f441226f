"""Connections: Airflow's JSON, from the environment or a private file; secrets never show."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.connect.connection import Connection, find_connection, list_connections
from duijie.connect.errors import ConfigError

JSON = (
    '{"conn_type": "taobao", "host": "http://127.0.0.1", "port": 81, '
    '"login": "k", "password": "geheim-1", "extra": {"a": "b"}}'
)


def test_the_environment_comes_first() -> None:
    found = find_connection("shop", {"DUIJIE_CONN_SHOP": JSON})
    assert (found.conn_type, found.base_url, found.require("a")) == ("taobao", "http://127.0.0.1:81", "b")


def test_airflows_own_variable_works_too_and_extra_may_be_text() -> None:
    text = '{"conn_type": "taobao", "extra": "{\\"a\\": 1}"}'
    assert find_connection("shop", {"AIRFLOW_CONN_SHOP": text}).extra == {"a": 1}


def test_a_password_never_shows_in_a_repr() -> None:
    assert "geheim-1" not in repr(Connection.from_json("shop", JSON))


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "connections.json"
    path.write_text('{"shop": ' + JSON + "}")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find_connection("shop", {"DUIJIE_CONNECTIONS": str(path)})
    path.chmod(0o600)
    assert [one.conn_id for one in list_connections({"DUIJIE_CONNECTIONS": str(path)})] == ["shop"]


def test_an_unknown_connection_says_where_to_put_it() -> None:
    with pytest.raises(ConfigError, match="DUIJIE_CONN_NOWHERE"):
        find_connection("nowhere", {})


@pytest.mark.parametrize("text", ["", "[]", '{"host": "x"}', '{"conn_type": "a", "extra": "{"}'])
def test_broken_json_is_one_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match="shop"):
        Connection.from_json("shop", text)


def test_a_missing_setting_names_the_connection_and_the_field() -> None:
    with pytest.raises(ConfigError, match=r"lacks extra\.tax_no"):
        Connection("nuonuo", "nuonuo").require("tax_no")
