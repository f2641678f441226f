"""Which stream's messages become which entity, by which mapping: read from the flow files, no system is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Safety, Sink
from duijie.flow import Deliver, Flow, Poll, Pull
from duijie.journal.inbox import Source
from duijie.mapping import Mapping as FieldMapping
from duijie.mapping import load_mapping
from duijie.pull.refinery import entities_of

FIGURES = frozenset({"stock_level", "listing", "shop_stock"})


@dataclass(frozen=True)
class Route:
    """One stream of one flow with the mapping that makes documents of it."""

    flow: str
    source: Source
    mapping: FieldMapping
    entity: str
    settings: Record

    @property
    def entities(self) -> list[str]:
        """Every entity that the mapping makes: one, or those of its `emit`."""
        return list(entities_of(self.mapping, self.entity))

    @property
    def stamp(self) -> str:
        """What the journal calls this mapping: name@version."""
        return f"{self.mapping.name}@{self.mapping.version}"


class Routes:
    """Every stream that flows pull or poll; a flow's mappings are read when it is asked for."""

    def __init__(self, flows: Mapping[str, Flow], root: Path) -> None:
        self.flows = flows
        self._root = root

    def of(self, name: str) -> list[Route]:
        """A flow's routes, each stream once. Raises ConfigError for an unknown flow, MappingError for a wrong file."""
        if name not in self.flows:
            raise ConfigError(
                f"没有流程 {name}, 或其文件有误; 可选: {', '.join(self.flows)}",
                en=f"no flow {name}, or its file is wrong; known: {', '.join(self.flows)}",
                where=name,
            )
        found: dict[Source, Route] = {}
        for step in self.flows[name].steps:
            if isinstance(step, (Pull, Poll)):
                source = Source(step.connection, step.stream)
                found.setdefault(source, self._route(name, source, step))
        return list(found.values())

    def reading(self, source: Source) -> Route:
        """The route of a stream. Raises ConfigError when no flow reads it."""
        for name, flow in self.flows.items():
            for step in flow.steps:
                if isinstance(step, (Pull, Poll)) and Source(step.connection, step.stream) == source:
                    return self._route(name, source, step)
        raise ConfigError(
            f"没有流程再读取 {source.connection} 的数据流 {source.stream}",
            en=f"no flow reads {source.connection}/{source.stream}",
            where=source.stream,
        )

    def _route(self, name: str, source: Source, step: Pull | Poll) -> Route:
        mapping = load_mapping(self._root / "mappings" / f"{step.mapping}.yaml")
        return Route(name, source, mapping, str(mapping.target.get("entity", "")), step.settings)


def is_figure(entities: Iterable[str], flows: Iterable[Flow], sink: Callable[[str, str], Sink]) -> bool:
    """Whether one of these entities holds absolute figures, which are re-read and never replayed.

    Stock is; so is whatever a flow brings into a sink that overwrites. `sink` finds a sink by connection and name; one
    whose connection is not configured here (ConfigError) is not written from here either.
    """
    named = set(entities)
    if named & FIGURES:
        return True
    steps = [step for flow in flows for step in flow.steps if isinstance(step, Deliver) and step.entity in named]
    return any(_overwrites(step, sink) for step in steps)


def _overwrites(step: Deliver, sink: Callable[[str, str], Sink]) -> bool:
    try:
        return sink(step.connection, step.sink).safety is Safety.ABSOLUTE
    except ConfigError:
        return False
