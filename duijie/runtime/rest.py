"""A small client of Airflow's REST API v2: health, trigger, states, counts. No import of Airflow.

Source: Airflow 3.3 "Stable REST API" reference (paths below /api/v2, POST /auth/token of the auth manager).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import requests

from duijie import codec
from duijie.connect.errors import AnswerLost, ConfigError, CredentialError, DuijieError, NotSent, VendorBusy

TIMEOUT = (5, 30)
OVER = ("success", "failed")


class AirflowRest:
    """One user at one API server; the token is fetched at first use and again after a 401."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False

    def health(self) -> dict[str, Any]:
        """Per component `status` and latest heartbeat; needs no login."""
        answer: dict[str, Any] = self._json(self._send("GET", "/api/v2/monitor/health"))
        return answer

    def dags(self) -> dict[str, dict[str, Any]]:
        """Every DAG by id, as the API shows it."""
        found = self.call("GET", "/dags?limit=200")["dags"]
        return {dag["dag_id"]: dag for dag in found}

    def import_errors(self) -> dict[str, str]:
        """DAG file → why it was not read."""
        found = self.call("GET", "/importErrors?limit=200")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run; the same run_id twice starts one run. Returns the run_id. Raises ConfigError for no such DAG."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        answer = self._authorised("POST", f"/dags/{dag_id}/dagRuns", body)
        if answer.status_code != requests.codes.conflict:
            self._json(answer)
        return run_id

    def state(self, dag_id: str, run_id: str) -> str:
        """queued, running, success or failed."""
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait(
        self, dag_id: str, run_id: str, seconds: float = 300.0, progress: Callable[[str], None] = lambda _: None
    ) -> str:
        """The state at the end of a run. Reports every change. Raises VendorBusy when it is not over in time."""
        end, seen = time.monotonic() + seconds, ""
        while (state := self.state(dag_id, run_id)) not in OVER:
            if state != seen:
                progress(seen := state)
            if time.monotonic() > end:
                raise VendorBusy(
                    f"运行 {dag_id}/{run_id} 在 {seconds:.0f} 秒内未结束 (现为 {state}), 请在 Airflow 中查看",
                    en=f"run {dag_id}/{run_id} is still {state} after {seconds:.0f} s; look at it in Airflow",
                    where=run_id,
                )
            time.sleep(0.2)
        progress(state)
        return state

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State by task id (None: not yet scheduled)."""
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def counts(self, dag_id: str, run_id: str, task_id: str) -> dict[str, int]:
        """What a task returned. Raises ConfigError when it returned nothing."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        value = self.call("GET", path)["value"]
        found = codec.decode(value) if isinstance(value, str) else value
        return {str(name): int(count) for name, count in found.items()}

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """A task's log, one event a line."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        content = self.call("GET", path)["content"]
        return "\n".join(str(line.get("event", line)) if isinstance(line, dict) else str(line) for line in content)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call below /api/v2. Raises errors of the tree."""
        return self._json(self._authorised(method, path, body))

    def _authorised(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self._fetch_token()
        answer = self._send(method, f"/api/v2{path}", body)
        if answer.status_code == requests.codes.unauthorized:
            self._fetch_token()
            answer = self._send(method, f"/api/v2{path}", body)
        return answer

    def _fetch_token(self) -> None:
        self._session.headers.pop("Authorization", None)
        token = self._json(self._send("POST", "/auth/token", self._login))["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        data = None if body is None else codec.encode(body)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            return self._session.request(method, self.url + path, data=data, headers=headers, timeout=TIMEOUT)
        except requests.exceptions.ReadTimeout as error:
            raise AnswerLost(
                f"Airflow ({self.url}) 没有及时应答, 请查看 api-server 日志",
                en=f"Airflow at {self.url} did not answer in time; see the api-server's log",
                where=path,
            ) from error
        except requests.exceptions.RequestException as error:
            raise NotSent(
                f"连不上 Airflow ({self.url}), 请确认 api-server 已启动",
                en=f"cannot reach Airflow at {self.url}; is the api-server up?",
                where=path,
            ) from error

    def _json(self, answer: requests.Response) -> Any:
        if answer.ok:
            try:
                return codec.decode(answer.content)
            except msgspec.DecodeError as error:
                raise self._error(VendorBusy, answer) from error
        if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise self._error(CredentialError, answer)
        raise self._error(VendorBusy if answer.status_code >= requests.codes.server_error else ConfigError, answer)

    def _error(self, kind: type[DuijieError], answer: requests.Response) -> DuijieError:
        said = answer.text[:300]
        return kind(
            f"Airflow 应答 {answer.status_code}: {said}; 请核对 DAG 名称、账号与 Airflow 状态",
            en=f"Airflow answered {answer.status_code}: {said}",
            code=str(answer.status_code),
            where=answer.request.path_url,
        )
