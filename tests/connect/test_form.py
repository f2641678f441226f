"""The JSON Schema of connections: a connection that works keeps it, one that lacks a setting does not."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from duijie import codec
from duijie.connect.form import schema_of
from duijie.connect.registry import conn_types, plugin
from tests.contract.sites import SITES


def faults(conn_type: str, connection: dict[str, Any]) -> list[str]:
    schema = codec.decode(codec.encode(schema_of(plugin(conn_type).spec)))
    return sorted(error.message for error in Draft202012Validator(schema).iter_errors(connection))


@pytest.mark.parametrize("name", conn_types())
def test_every_connectors_is_a_schema_that_hides_its_secrets(name: str) -> None:
    spec = plugin(name).spec
    schema = schema_of(spec)
    Draft202012Validator.check_schema(codec.decode(codec.encode(schema)))
    places = {**schema["properties"], **schema["properties"]["extra"]["properties"]}
    secret = {one.target if one.target != "extra" else one.name for one in spec.settings if one.secret}
    assert secret == {name for name, inner in places.items() if inner.get("writeOnly")}


@pytest.mark.parametrize("name", sorted(set(SITES) - {"model"}))
def test_a_connection_that_works_keeps_it(name: str) -> None:
    with SITES[name]() as site:
        given = site.connection()
    connection = {"conn_type": name, "host": given.host, "login": given.login, "password": given.password}
    assert faults(name, codec.decode(codec.encode({**connection, "extra": dict(given.extra)}))) == []


def test_what_is_missing_is_told() -> None:
    told = faults("xingchen", {"conn_type": "xingchen", "login": "1", "password": "2", "extra": {"page_size": "many"}})
    assert told == ["'many' is not of type 'integer'", "'outer_instance_id' is a required property"]
