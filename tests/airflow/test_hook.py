"""An Airflow Connection becomes ours; what Airflow does not know comes from our own environment."""

from __future__ import annotations

import pytest

from duijie.airflow.hook import DuijieHook, connection_from_airflow
from duijie.connect.errors import ConfigError

pytestmark = pytest.mark.usefixtures("airflow_db")


def test_a_connection_keeps_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '{"conn_type": "taobao", "host": "http://127.0.0.1:9001", "login": "key", "password": "s3cret", '
        '"extra": {"big": 12345678901234567890, "rate": "50/second"}}'
    )
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", text)
    found = DuijieHook("shop").get_conn()
    assert (found.conn_id, found.conn_type, found.base_url) == ("shop", "taobao", "http://127.0.0.1:9001")
    assert (found.login, found.password) == ("key", "s3cret")
    assert found.extra == {"big": 12345678901234567890, "rate": "50/second"}
    assert "s3cret" not in repr(found)


def test_our_own_environment_is_asked_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUIJIE_CONN_LEDGER", '{"conn_type": "k3cloud", "host": "ledger.example"}')
    assert connection_from_airflow("ledger").conn_type == "k3cloud"


def test_an_unknown_connection_says_where_to_put_it() -> None:
    with pytest.raises(ConfigError, match="DUIJIE_CONN_NOWHERE"):
        connection_from_airflow("nowhere")


@pytest.mark.parametrize("extra", ['"not json"', '"[1]"'])
def test_an_extra_that_is_no_object_is_named(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BAD", f'{{"conn_type": "taobao", "extra": {extra}}}')
    with pytest.raises(ConfigError, match="bad"):
        connection_from_airflow("bad")
