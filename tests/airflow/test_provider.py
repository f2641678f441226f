"""What Airflow is told of the connectors: one form each, secrets as passwords, a broken one left out."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import jsonschema
import pytest

from duijie.airflow.plugin import console_views
from duijie.airflow.provider import connection_type, get_provider_info, specs
from duijie.connect.protocol import Setting, Spec
from duijie.connect.registry import GROUP

SPEC = Spec(
    conn_type="psi",
    title="进销存",
    summary="",
    settings=(
        Setting("host", "网关", target="host", default="https://psi.example"),
        Setting("key", "App Key", target="login"),
        Setting("secret", "App Secret", target="password", secret=True),
        Setting("tenant", "租户", help="管理后台可见"),
        Setting("session", "会话", secret=True, required=False),
        Setting("page", "每页", default=100),
    ),
    rate="10/second",
    api_version="1",
    source="",
)


def airflow_schema(name: str) -> dict[str, object]:
    import airflow  # noqa: PLC0415

    return dict(json.loads((Path(airflow.__file__).parent / name).read_text()))


def test_the_info_is_what_airflow_accepts() -> None:
    info = get_provider_info()
    jsonschema.validate(info, airflow_schema("provider_info.schema.json"))
    forms = airflow_schema("provider.yaml.schema.json")["properties"]["connection-types"]
    jsonschema.validate([*info["connection-types"], connection_type(SPEC)], forms)


def test_every_installed_connector_has_a_form() -> None:
    assert "taobao" in {form["connection-type"] for form in get_provider_info()["connection-types"]}


def test_a_form_keeps_secrets_as_passwords_and_hides_what_is_not_used() -> None:
    form = connection_type(SPEC)
    assert form["ui-field-behaviour"]["relabeling"] == {"host": "网关", "login": "App Key", "password": "App Secret"}
    assert form["ui-field-behaviour"]["hidden-fields"] == ["port", "schema"]
    assert form["conn-fields"]["session"]["schema"] == {"type": ["string", "null"], "format": "password"}
    assert form["conn-fields"]["tenant"] == {
        "label": "租户",
        "schema": {"type": "string"},
        "description": "管理后台可见",
    }
    assert form["conn-fields"]["page"]["schema"] == {"type": "integer", "default": 100}


def test_a_connector_that_cannot_be_imported_costs_its_own_form_only(caplog: pytest.LogCaptureFixture) -> None:
    broken = EntryPoint("broken", "no_such_module:CONNECTOR", GROUP)
    nameless = EntryPoint("nameless", "json:CONNECTOR", GROUP)
    good = EntryPoint("taobao", "connectors.taobao:CONNECTOR", GROUP)
    assert [spec.conn_type for spec in specs([broken, good, nameless])] == ["taobao"]
    assert "no_such_module" in caplog.text


def test_airflow_finds_the_hook_of_a_connection_type_and_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415
    from airflow.sdk import Connection  # noqa: PLC0415

    monkeypatch.setenv("AIRFLOW_CONN_SHOP", '{"conn_type": "taobao", "host": "shop.example"}')
    hook = Connection.get("shop").get_hook()
    assert hook.get_conn().conn_type == "taobao"
    assert "duijie" in {plugin.name for plugin in ProvidersManager().plugins}


def test_the_console_is_linked_where_its_address_is_known() -> None:
    assert console_views("") == []
    assert console_views("http://127.0.0.1:8090")[0]["href"] == "http://127.0.0.1:8090"
