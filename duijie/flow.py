"""Flows as data: stream → mapping → documents → sinks, with schedule, windows, limits, routing.

One YAML file each under dags/flows; the shape is checked strictly and `schemas/flow.json` is made from these classes.
A step is one of the four verbs (pull, derive, deliver, reconcile), `poll` (a pull of the keys that we still wait
for), `fetch` (files of our invoices), `receive` (invoices of suppliers), `alert`, `watch` or `drift`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from croniter import croniter

from duijie.connect.errors import ConfigError
from duijie.connect.invoicing import FileKind
from duijie.flowfile import fault_of, faults

Natural = Annotated[int, msgspec.Meta(ge=0)]
CRON_FIELDS = 5
DOORBELL = "doorbell"
WITHDRAWN = ("void", "draft")  # approval of a document that does not count: 作废, 反审核


def withdrawn(document: Mapping[str, Any]) -> bool:
    """Whether its source has made a document void, or un-audited it."""
    return document.get("approval") in WITHDRAWN


class Pull(msgspec.Struct, tag_field="verb", tag="pull", forbid_unknown_fields=True, frozen=True):
    """Read a stream into the inbox and map it to documents (docs/cursors.md). `until` bounds a closed period.

    Windows end `lag_seconds` behind now and begin `overlap_minutes` before the cursor: together they are how late a
    record may come to light at its source. `window_minutes`: the longest window; 0 is the stream's own, at most a day.
    `sweep_days`: what was read so many days ago at most is asked for once a day; 0 never. What is gone becomes void.
    """

    name: str
    connection: str
    stream: str
    mapping: str
    since: datetime
    until: datetime | None = None
    window_minutes: Natural = 0
    overlap_minutes: Natural = 5
    lag_seconds: Natural = 0
    sweep_days: Natural = 0
    settings: dict[str, Any] = {}

    @property
    def overlap(self) -> timedelta:
        """How far before the cursor a reading begins."""
        return timedelta(minutes=self.overlap_minutes)

    @property
    def lag(self) -> timedelta:
        """How far behind now a reading ends."""
        return timedelta(seconds=self.lag_seconds)


class Poll(msgspec.Struct, tag_field="verb", tag="poll", forbid_unknown_fields=True, frozen=True):
    """Read back the keys delivered to a sink whose result documents are not final yet.

    A key is asked for `every_seconds` after it was delivered, then after twice as long each time.
    """

    name: str
    connection: str
    stream: str
    mapping: str
    sink: str
    entity: str
    open_states: tuple[str, ...] = ("issuing", "waiting_login", "waiting_confirmation")
    every_seconds: Natural = 4
    settings: dict[str, Any] = {}


class Derive(msgspec.Struct, tag_field="verb", tag="derive", forbid_unknown_fields=True, frozen=True):
    """Make documents of documents by a rule of mappings/rules; `delivered_to`: only of those a sink has got.

    `after`: only of those whose order another rule has used (no red voucher without its sale).
    """

    name: str
    make: str
    rule: str = ""
    delivered_to: str = ""
    after: str = ""
    settings: dict[str, Any] = {}


class Deliver(msgspec.Struct, tag_field="verb", tag="deliver", forbid_unknown_fields=True, frozen=True):
    """Bring every current document of an entity into a sink. `where`: field → values that are routed there.

    `reverse`: field → values by which its source has withdrawn a document, beside approval void (作废) and draft
    (反审核): what the sink has got of it is taken back.
    """

    name: str
    connection: str
    sink: str
    entity: str
    mapping: str
    where: dict[str, tuple[str, ...]] = {}
    reverse: dict[str, tuple[str, ...]] = {}
    batch: int = 200
    settings: dict[str, Any] = {}

    def withdraws(self, document: Mapping[str, Any]) -> bool:
        """Whether its source has withdrawn this document."""
        named = any(document.get(field) in values for field, values in self.reverse.items())
        return named or withdrawn(document)

    def wants(self, document: Mapping[str, Any]) -> bool:
        """Whether the sink must have this document."""
        routed = all(document.get(field) in values for field, values in self.where.items())
        return routed and not self.withdraws(document)


class Fetch(msgspec.Struct, tag_field="verb", tag="fetch", forbid_unknown_fields=True, frozen=True):
    """Fetch the files of issued invoices, keep them and hold them against what was asked for.

    `tries`: how often a file that cannot be had is asked for, ever more rarely, before a person is told.
    `seller_names`: tax number → name that the files must show. `hosts`: from where files may be had without TLS.
    """

    name: str
    connection: str
    entity: str = "invoice"
    kinds: tuple[FileKind, ...] = ("xml", "ofd", "pdf")
    tries: Annotated[int, msgspec.Meta(ge=1)] = 8
    batch: Annotated[int, msgspec.Meta(ge=1)] = 200
    seller_names: dict[str, str] = {}
    hosts: tuple[str, ...] = ()


class Receive(msgspec.Struct, tag_field="verb", tag="receive", forbid_unknown_fields=True, frozen=True):
    """Take invoices of suppliers out of a folder, a mailbox (a connection's id) or both.

    `companies`: tax number → name of those whom they may be made out to. `tolerance_fen`: how far the sums of their
    headers may be off.
    """

    name: str
    companies: dict[str, str]
    folder: str = ""
    mailbox: str = ""
    tolerance_fen: Natural = 1


class Reconcile(msgspec.Struct, tag_field="verb", tag="reconcile", forbid_unknown_fields=True, frozen=True):
    """Read both sides of a pair again and name every difference; `checks`: within the journal (billing: 票单勾稽)."""

    name: str
    pairs: tuple[str, ...] = ()
    checks: tuple[Literal["billing"], ...] = ()


class Alert(msgspec.Struct, tag_field="verb", tag="alert", forbid_unknown_fields=True, frozen=True):
    """Send the alerts that wait in the journal."""

    name: str


class Watch(msgspec.Struct, tag_field="verb", tag="watch", forbid_unknown_fields=True, frozen=True):
    """Look for silence. `late_runs`: how many runs of its own schedule a flow may miss before it counts as late."""

    name: str
    late_runs: int = 3
    backlog_minutes: int = 60
    lease_minutes: int = 15
    run_hours: int = 2
    unowned_hours: int = 24
    expiry_days: tuple[int, ...] = (90, 30, 7, 1)
    backup_days: int = 2
    verify_days: int = 30
    disk_percent: int = 10
    skew_seconds: int = 5


class Drift(msgspec.Struct, tag_field="verb", tag="drift", forbid_unknown_fields=True, frozen=True):
    """Hold the newest messages of every stream against the schema of its source and against those before them."""

    name: str
    newest: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500


Step = Pull | Poll | Derive | Deliver | Fetch | Receive | Reconcile | Alert | Watch | Drift


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Expect(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How much a flow must bring: so many of `of` in each hour, or in the whole day, between two times in China.

    Without it the watchdog learns from the same weekday of earlier weeks; `at_least: 0` expects nothing.
    """

    at_least: Annotated[int, msgspec.Meta(ge=0)]
    per: Literal["hour", "day"] = "hour"
    of: Literal["messages", "documents", "delivered"] = "documents"
    between: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] = "00:00-23:59"
    days: tuple[Day, ...] = DAYS


class Flow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One flow file. `after` names flows whose results it needs; `schedule` is a cron line or empty."""

    flow: str
    title: str
    steps: tuple[Step, ...]
    schedule: str = ""
    owner: str = "运维"
    expect: Expect | None = None

    def step(self, name: str) -> Step:
        """A step by its name. Raises ConfigError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise ConfigError(
            f"流程 {self.flow} 没有步骤 {name}, 可选: {', '.join(step.name for step in self.steps)}",
            en=f"flow {self.flow} has no step {name}",
            where=f"{self.flow}.{name}",
        )


def _is_cron(line: str) -> bool:
    return len(line.split()) == CRON_FIELDS and bool(croniter.is_valid(line))


def _wrong(path: Path, zh: str, en: str) -> ConfigError:
    return ConfigError(f"流程文件 {path} 有误: {zh}", en=f"the flow file {path} is wrong: {en}", where=str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(path, "不是 UTF-8 编码, 请另存为 UTF-8", "it is not UTF-8") from error
    except OSError as error:
        raise _wrong(path, f"无法读取 ({error.strerror})", f"it cannot be read ({error.strerror})") from error


def load_flow(path: Path) -> Flow:
    """Read one flow file. Raises ConfigError naming the file and everything that is wrong with it, by line."""
    text = _text(path)
    try:
        flow = msgspec.convert(yaml.safe_load(text), Flow)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _wrong(path, f"第 {line} 行不是有效的 YAML: {error.problem}", f"line {line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _wrong(path, f"不是有效的 YAML: {error}", f"not valid YAML: {error}") from error
    except msgspec.ValidationError as error:
        found = faults(text, msgspec.json.schema(Flow)) or [fault_of(text, error)]
        told = "; ".join(f"line {one.line} {one.place} {one.en}" for one in found)
        raise _wrong(path, "; ".join(map(str, found)), told) from error
    if flow.schedule not in ("", DOORBELL) and not _is_cron(flow.schedule):
        raise ConfigError(
            f"流程文件 {path} 的 schedule “{flow.schedule}” 不是 5 段的 cron (分 时 日 月 周), 例如 */10 * * * *",
            en=f"{path}: schedule {flow.schedule!r} is no cron line of five fields",
            where=str(path),
        )
    names = [step.name for step in flow.steps]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise ConfigError(
            f"流程文件 {path} 的步骤重名: {', '.join(sorted(doubled))}",
            en=f"{path}: step names are used twice: {', '.join(sorted(doubled))}",
            where=str(path),
        )
    return flow


def load_flows(folder: Path) -> dict[str, Flow]:
    """Every flow of a folder by name. Raises ConfigError for the first wrong file."""
    flows = [load_flow(path) for path in sorted(folder.glob("*.yaml"))]
    return {flow.flow: flow for flow in flows}


def json_schema() -> bytes:
    """What schemas/flow.json holds, for editors: `python -m duijie.flow > schemas/flow.json`."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "duijie flow"}
    made = msgspec.json.schema(Flow)
    for described in made["$defs"].values():
        described["description"] = " ".join(described["description"].split())
    return msgspec.json.format(msgspec.json.encode(head | made)) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(json_schema())
