"""What is checked once a mapping is compiled (docs/lint.md): both ends, every rule, tables, tests. Nothing is run."""

from __future__ import annotations

from pathlib import Path

from duijie.mapping.checks import suppress, tables, target, trials
from duijie.mapping.checks.facts import ANY, SAMPLES, Fact
from duijie.mapping.checks.infer import Inference
from duijie.mapping.checks.report import Report
from duijie.mapping.checks.rules import RULES, Rule, page
from duijie.mapping.checks.scope import Binding
from duijie.mapping.checks.shapes import Described, fact_of, observed
from duijie.mapping.checks.walk import Walk, optional_paths
from duijie.mapping.document import Block, Scalar
from duijie.mapping.findings import Findings, shown
from duijie.mapping.forms import Parts
from duijie.mapping.schema import Schemas

__all__ = ["RULES", "Rule", "page", "review"]


def review(path: Path, parts: Parts, schemas: Schemas, findings: Findings) -> None:
    """Add to the findings of the compiler everything the rules of this package find."""
    report = Report(findings, parts.file)
    _head(path, parts.root, report)
    source = _source(parts, schemas, report)
    inference = Inference(report, schemas, source, tables.read_tables(parts.root), optional_paths(parts))
    walk = Walk(inference, parts)
    walk.mapping()
    target.check(parts, walk, schemas, report)
    trials.check(parts, source, report)
    if not findings.errors:  # what an error hides would only look unused
        tables.check(inference.tables.values(), inference.uses, report)
        _unread(walk.lets, report)
    findings.all[:] = suppress.applied(findings.all, findings.text, parts.file)


def _head(path: Path, root: Block, report: Report) -> None:
    for key in ("mapping", "from", "to"):
        if root.get(key) is None:
            report.tell("DJ005", root.spot, f"缺少 {key}", f"{key} is missing")
    name = root.get("mapping")
    below = shown(path).removeprefix("mappings/").removesuffix(".yaml")
    if "mappings" in path.parts and isinstance(name, Scalar) and name.value != below:
        report.tell("DJ005", name.spot, f"mapping 应为 {below}", f"mapping should be {below}, its own path")


def _source(parts: Parts, schemas: Schemas, report: Report) -> Fact:
    """What is known of the source record: by its schema, else by the records that were seen."""
    schema = target.schema_of(parts, "from", schemas, report)
    if schema is not None:
        return fact_of(Described(schema, schema))
    system, stream = _named(parts.root, "system"), _named(parts.root, "stream")
    if not system or not stream:
        return ANY
    schema = schemas.source(system, stream)
    if schema is not None:
        return fact_of(Described(schema, schema))
    records = [*schemas.samples(system, stream), *trials.records(parts)]
    seen = observed(records)
    return fact_of(Described(seen, seen, SAMPLES)) if records else ANY


def _named(root: Block, key: str) -> str:
    source = root.get("from")
    item = source.get(key) if isinstance(source, Block) else None
    return item.value if isinstance(item, Scalar) and isinstance(item.value, str) else ""


def _unread(lets: list[Binding], report: Report) -> None:
    live: set[Binding | None] = {None}
    while found := {let for let in lets if let not in live and let.users & live}:
        live |= found
    for let in lets:
        if let in live:
            continue
        users = ", ".join(sorted({user.name for user in let.users if user is not None}))
        if users:
            report.tell(
                "DJ403",
                let.spot,
                f"let {let.name} 只被从未使用的 let 读取: {users}",
                f"let {let.name} is read only by lets that are never used: {users}",
            )
        else:
            report.tell("DJ403", let.spot, f"let {let.name} 从未使用", f"let {let.name} is never used")
