"""What Airflow asks at start-up: one connection form per connector, made of the connector's own Spec.

Airflow reads this in every process, so that a connector which cannot be imported must cost its own form only.
Source: `provider.yaml.schema.json` of apache-airflow-core 3.3 (`connection-types`, declarative `conn-fields`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

from duijie.connect.protocol import Setting, Spec
from duijie.connect.registry import GROUP

HOOK = "duijie.airflow.hook.DuijieHook_"
UNTIL = Setting(
    "authorised_until", "授权到期日", required=False, help="如 2027-03-31: 到期前 90/30/7/1 天由值守各提醒一次"
)
NAMES = {bool: "boolean", int: "integer"}
log = logging.getLogger(__name__)


def get_provider_info() -> dict[str, Any]:
    """Provider info: connection types, notifier and plugin, after Airflow's provider_info schema."""
    return {
        "package-name": "duijie",
        "name": "Duijie 对接",
        "description": "进销存与财务、CRM、店铺、数电票平台的对接",
        "versions": [version("duijie")],
        "connection-types": [connection_type(spec) for spec in specs(entry_points(group=GROUP))],
        "notifications": ["duijie.airflow.notifier.DuijieNotifier"],
        "plugins": [{"name": "duijie", "plugin-class": "duijie.airflow.plugin.DuijiePlugin"}],
    }


def specs(entries: Iterable[EntryPoint]) -> Iterator[Spec]:
    """The specs of the connectors that can be imported; a broken one is logged and left out."""
    for entry in sorted(entries, key=lambda one: one.name):
        try:
            yield entry.load().spec
        except (ImportError, AttributeError) as error:
            log.warning("connector %s is left out of Airflow's connection types: %s", entry.name, error)


def connection_type(spec: Spec) -> dict[str, Any]:
    """One connection form: standard fields relabelled or hidden, the others as conn-fields of `extra`."""
    standard = {setting.target: setting for setting in spec.settings if setting.target != "extra"}
    hidden = [name for name in ("port", "login", "password", "schema") if name not in standard]
    placeholders = {name: str(setting.default) for name, setting in standard.items() if setting.default}
    return {
        "connection-type": spec.conn_type,
        "hook-name": spec.title,
        "hook-class-name": f"{HOOK}{spec.conn_type}",
        "ui-field-behaviour": {
            "hidden-fields": hidden,
            "relabeling": {name: setting.label for name, setting in standard.items()},
            "placeholders": placeholders,
        },
        "conn-fields": {one.name: _field(one) for one in (*spec.settings, UNTIL) if one.target == "extra"},
    }


def _field(setting: Setting) -> dict[str, Any]:
    kind = NAMES.get(type(setting.default), "string")
    schema: dict[str, Any] = {"type": kind if setting.required else [kind, "null"]}
    if setting.secret:
        schema["format"] = "password"
    if isinstance(setting.default, str | int):
        schema["default"] = setting.default
    field: dict[str, Any] = {"label": setting.label, "schema": schema}
    return field | ({"description": setting.help} if setting.help else {})
