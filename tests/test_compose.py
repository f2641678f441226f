"""docker-compose.yml: valid by the Compose Specification, without a secret in it, and every service really works.

The last test starts each service's own command with the file's own environment on this machine (host names become
free ports of 127.0.0.1, container paths a temporary folder) and runs the file's own health checks.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cryptography.fernet import Fernet

from duijie.runtime import AirflowRest, ProcessGroup, free_port
from duijie.runtime.processes import wait_until
from tests.servers import Postgres

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?:(:-|:\?)([^}]*))?\})")
SECRETS = {
    "AIRFLOW_DB_PASSWORD": "db-airflow",
    "DUIJIE_DB_PASSWORD": "db-duijie",
    "REDIS_PASSWORD": "queue",
    "AIRFLOW_FERNET_KEY": Fernet.generate_key().decode(),
    "AIRFLOW_SECRET_KEY": "s" * 32,
    "AIRFLOW_JWT_SECRET": "j" * 64,
    "DUIJIE_ADMIN_PASSWORD": "let-me-in",
}
FLOW = """
flow: tell
title: 告警
steps: [{verb: alert, name: send}]
"""
PLAIN = ("DUIJIE_CONSOLE_URL", "DUIJIE_CONNECTIONS")
START_SECONDS = 240  # an api-server that shares two cores with everything else takes a minute
SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "console")


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """A value of the file with ${NAME}, ${NAME:-default}, ${NAME:?message} and $$ replaced, as Compose does."""
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    return VARIABLE.sub(lambda found: _one(found, variables), value) if isinstance(value, str) else value


def _one(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, kind, text = found.groups()
    if name is None:
        return "$"
    if variables.get(name):
        return variables[name]
    if kind == ":-":
        return str(text)
    raise KeyError(f"{name}: {text or 'not set'}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))


def test_the_file_is_valid_by_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text()
    jsonschema.validate(compose, json.loads(schema))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**compose, "services": {"x": {"imagine": "postgres"}}}, json.loads(schema))


def test_no_secret_is_in_the_file_and_none_has_a_default(compose: dict[str, Any]) -> None:
    for name in SECRETS:
        without = {key: value for key, value in SECRETS.items() if key != name}
        with pytest.raises(KeyError, match=f"{name}: set it in .env"):
            interpolated(compose["services"], without)
    for service in compose["services"].values():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|_CONN$|_URL$|BACKEND|JOURNAL|LIMITS|AUTH$", key) and key not in PLAIN:
                assert "${" in value or key.endswith("_SERVER_URL"), f"{key} holds a literal value"


def test_every_service_is_watched_and_nothing_is_published_beyond_this_host(compose: dict[str, Any]) -> None:
    services = dict(compose["services"])
    assert set(services) == {"postgres", "redis", "init", *SERVICES}
    for name, service in services.items():
        assert "healthcheck" in service or name == "init"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        needed = service.get("depends_on", {})
        assert name in ("postgres", "redis", "init") or needed["init"] == {
            "condition": "service_completed_successfully"
        }


def test_a_worker_can_neither_sign_tokens_nor_is_it_bound_to_one_name(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert not {"AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"} & set(worker["environment"])
    assert not {"container_name", "hostname", "ports"} & set(worker), "any of these would forbid --scale worker=N"


def test_the_image_holds_what_the_services_start() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    for path in " ".join(copied).split():
        assert (ROOT / path).exists(), path
    assert {"duijie", "connectors", "mappings", "schemas", "dags", "docker/init.sh"} <= set(" ".join(copied).split())


class Native:
    """The services of the file as processes of this machine."""

    def __init__(self, compose: dict[str, Any], folder: Path, postgres: int) -> None:
        self.folder = folder
        self.ports = {"postgres:5432": postgres}
        for place in ("redis:6379", "api-server:8080", "scheduler:8974", "console:8090"):
            self.ports[place] = free_port()
        self.services = self._here(interpolated(compose["services"], SECRETS))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        base = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "DUIJIE_"))}
        base.pop("PYTHONDONTWRITEBYTECODE", None)
        self.base = {**base, "PATH": path, **self._loopback()}
        self.group = ProcessGroup(folder / "processes", self.base)

    def start(self, name: str, *more: str) -> None:
        self.group.start(name, [*self.services[name]["command"], *more], self._environment(name))

    def finish(self, name: str) -> None:
        self.group.finish(name, self.services[name]["command"], self._environment(name))

    def healthy(self, name: str) -> bool:
        """One run of the file's own health check."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        command = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
        env = {**self.base, **self._environment(name)}
        return subprocess.run(command, env=env, capture_output=True, timeout=60, check=False).returncode == 0

    def wait_healthy(self, name: str) -> bool:
        return wait_until(lambda: self.group.check() or self.healthy(name), START_SECONDS, every=1.0)

    def _environment(self, name: str) -> dict[str, str]:
        return {key: str(value) for key, value in self.services[name].get("environment", {}).items()}

    def _loopback(self) -> dict[str, str]:
        """In a container these listen on every interface of its own network; here on loopback only."""
        return {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["api-server:8080"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["scheduler:8974"]),
        }

    def _here(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._here(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._here(item) for item in value]
        return self._moved(value) if isinstance(value, str) else value

    def _moved(self, text: str) -> str:
        for place, port in self.ports.items():
            text = text.replace(place, f"127.0.0.1:{port}")
        moves = {
            "/opt/duijie/dags": self.folder / "dags",
            "/opt/duijie": ROOT,
            "/opt/airflow": self.folder / "airflow",
            "/var/lib/duijie": self.folder / "duijie",
            "/run/secrets/connections": self.folder / "connections.json",
        }
        for there, here in moves.items():
            text = text.replace(there, str(here))
        return {"0.0.0.0": "127.0.0.1", "8090": str(self.ports["console:8090"])}.get(text, text)  # noqa: S104


def prepared(compose: dict[str, Any], folder: Path, server: Postgres, flow: str, connections: str = "{}") -> Native:
    """The services with one flow, their databases made; nothing is started."""
    dags = folder / "dags"
    (dags / "flows").mkdir(parents=True)
    (dags / "flows" / "flow.yaml").write_text(flow, encoding="utf-8")
    (dags / "all.py").write_bytes((ROOT / "dags" / "duijie_flows.py").read_bytes())
    (folder / "connections.json").write_text(connections)
    (folder / "connections.json").chmod(0o600)
    made = Native(compose, folder, server.port)
    env = {**made.base, "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "DUIJIE_DB_PASSWORD": "db-duijie"}
    as_image_does = ["CREATE ROLE airflow SUPERUSER LOGIN", "CREATE DATABASE airflow OWNER airflow"]
    for line in as_image_does:
        subprocess.run(["psql", "-U", "postgres", "-qc", line], env=env, check=True)
    script = ["sh", str(ROOT / "docker" / "journal-database.sh")]
    subprocess.run(script, env={**env, "POSTGRES_USER": "airflow", "POSTGRES_DB": "airflow"}, check=True)
    return made


@pytest.fixture
def native(compose: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Native]:
    made = prepared(compose, tmp_path, request.getfixturevalue("postgres_server"), FLOW)
    yield made
    made.group.stop()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.redis
def test_every_service_becomes_healthy_and_a_run_succeeds_on_the_celery_worker(native: Native) -> None:
    port = native.ports["redis:6379"]
    native.start("redis", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(native.folder))
    assert native.wait_healthy("redis")
    assert native.healthy("postgres")
    native.finish("init")
    for name in SERVICES:
        native.start(name)
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        states = dict(zip(SERVICES, pool.map(native.wait_healthy, SERVICES), strict=True))
    assert states == dict.fromkeys(SERVICES, True)

    rest = AirflowRest(f"http://127.0.0.1:{native.ports['api-server:8080']}", "admin", SECRETS["DUIJIE_ADMIN_PASSWORD"])
    assert wait_until(lambda: "tell" in rest.dags(), 30, every=0.5)
    rest.trigger("tell", "first")
    assert rest.wait("tell", "first", 60) == "success"
    said = native.group.log("worker")
    assert wait_until(lambda: "succeeded" in said.read_text(errors="replace"), 30, every=0.5)

    native.group.stop()
    assert native.group.members() == []
