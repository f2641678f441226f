"""A private Airflow on this machine: its own folder, ports, password and SQLite database; started and stopped whole.

The four components that `airflow standalone` runs are started directly. `standalone` itself adds a fifth process, is
3-5 s slower, ignores SIGTERM for its children and opens its log servers on every interface; here logs are read from
the folder (`--skip-serve-logs`) and nothing listens but the API server, on 127.0.0.1.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from duijie import codec
from duijie.connect.errors import ConfigError, NotSent, VendorBusy
from duijie.runtime.processes import ProcessGroup, free_port, wait_until
from duijie.runtime.rest import AirflowRest

USER = "admin"
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
HEALTH = ("scheduler", "dag_processor", "triggerer")
Progress = Callable[[str], None]


def _silent(_: str) -> None:
    return None


class AirflowStandalone:
    """One private Airflow. `home` is its folder, `dags` the DAG files, `env` what tasks need besides."""

    def __init__(self, home: Path, dags: Path, env: Mapping[str, str] | None = None, parallelism: int = 4) -> None:
        self.home = home.resolve()
        self.dags = dags.resolve()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._lock = FileLock(self.home / "running.lock", timeout=0)
        self._parallelism = parallelism
        self._env = dict(env or {})
        self._secrets: dict[str, str] = {}
        self._group = ProcessGroup(self.home / "processes", {})
        self._began = datetime.now(UTC)

    @property
    def user(self) -> str:
        """The administrator's name."""
        return USER

    @property
    def password(self) -> str:
        """The administrator's password, made at the first start; empty before."""
        return self._secrets.get("password", "")

    @property
    def rest(self) -> AirflowRest:
        """A client logged in as the administrator."""
        return AirflowRest(self.url, USER, self.password)

    def start(self) -> None:
        """Start all components, after ending what a crashed start left. Raises ConfigError if it is running already."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        self._secrets = _kept_secrets(self.home / "secrets.json")
        _write_private(self.home / "passwords.json", codec.encode({USER: self.password}))
        self._group = ProcessGroup(self.home / "processes", self.environ())
        self._group.stop()
        self._migrate_once()
        self._began = datetime.now(UTC)
        for name, arguments in COMPONENTS.items():
            self._group.start(name, [sys.executable, "-m", "airflow", *arguments])

    def wait_healthy(self, seconds: float = 120.0, progress: Progress = _silent) -> None:
        """Wait for all components. Raises ConfigError when one ends, VendorBusy when time is over."""
        seen: set[str] = set()
        if not wait_until(lambda: self._all_healthy(seen, progress), seconds, every=0.2):
            missing = ", ".join(sorted({"api-server", *HEALTH} - seen))
            raise VendorBusy(
                f"Airflow 的 {missing} 在 {seconds:.0f} 秒内未就绪, 日志在 {self._group.folder}",
                en=f"Airflow's {missing} not ready within {seconds:.0f} s; see {self._group.folder}",
                where=str(self._group.folder),
            )

    def wait_dags(self, *dag_ids: str, seconds: float = 60.0) -> None:
        """Wait until these DAGs were read. Raises ConfigError with the import errors when they were not in time."""
        rest = self.rest
        if not wait_until(lambda: set(dag_ids) <= set(rest.dags()), seconds, every=0.2):
            missing = ", ".join(sorted(set(dag_ids) - set(rest.dags())))
            reasons = "; ".join(f"{file}: {why.splitlines()[-1]}" for file, why in rest.import_errors().items())
            raise ConfigError(
                f"Airflow 没有读到 DAG {missing}: {reasons or '请检查 DAG 目录'}",
                en=f"Airflow has not read {missing}: {reasons or 'check the DAG folder'}",
                where=str(self.dags),
            )

    def stop(self) -> None:
        """End every process of this folder and check that none is left; safe to call twice."""
        self._group.stop()
        self._lock.release()

    def memory(self) -> int:
        """Bytes of all its processes, shared pages counted once."""
        return self._group.memory()

    def members(self) -> list[int]:
        """Process ids that live."""
        return [process.pid for process in self._group.members()]

    def __enter__(self) -> AirflowStandalone:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def environ(self) -> dict[str, str]:
        """The environment of every component: ours, without Airflow settings of the caller's."""
        base = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        base.pop("PYTHONDONTWRITEBYTECODE", None)  # every start would compile Airflow anew: +8 s
        path = f"{Path(sys.executable).parent}{os.pathsep}{base.get('PATH', '')}"
        return base | {"PATH": path, "AIRFLOW_HOME": str(self.home)} | self._settings() | self._env

    def _settings(self) -> dict[str, str]:
        return {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__CORE__FERNET_KEY": self._secrets["fernet"],
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self._secrets["api"],
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secrets["jwt"],
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "7200",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def _migrate_once(self) -> None:
        done = self.home / f"migrated-{version('apache-airflow-core')}"
        if not done.exists():
            self._group.finish("migrate", [sys.executable, "-m", "airflow", "db", "migrate"])
            done.touch()

    def _all_healthy(self, seen: set[str], progress: Progress) -> bool:
        self._group.check()
        try:
            health = self.rest.health()
        except (NotSent, VendorBusy):
            return False
        fresh = {"api-server", *(name for name in HEALTH if self._is_fresh(name, health.get(name) or {}))}
        for name in sorted(fresh - seen):
            progress(f"{name} 就绪")
        seen |= fresh
        return {"api-server", *HEALTH} <= seen

    def _is_fresh(self, name: str, health: Mapping[str, Any]) -> bool:
        """Healthy by a heartbeat of this start: a crashed one's lives on in the database for half a minute."""
        beat = health.get(f"latest_{name}_heartbeat")
        return health.get("status") == "healthy" and bool(beat) and datetime.fromisoformat(str(beat)) >= self._began

    def _take_lock(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise ConfigError(
                f"目录 {self.home} 中的 Airflow 正在运行, 请先停止它或换一个目录",
                en=f"the Airflow of {self.home} is running; stop it first or choose another folder",
                where=str(self.home),
            ) from error


def _kept_secrets(path: Path) -> dict[str, str]:
    """Random secrets, made once per folder and readable by their owner only."""
    if not path.exists():
        fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        fresh = {name: secrets.token_urlsafe(32) for name in ("jwt", "api")}
        fresh |= {"fernet": fernet, "password": secrets.token_urlsafe(12)}
        _write_private(path, codec.encode(fresh))
    return dict(codec.decode(path.read_bytes()))


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)
