"""Where mappings serve: the steps of flows that use one, and what each of them gives it to read."""

from __future__ import annotations

from dataclasses import dataclass

from duijie.codec import Record
from duijie.flow import Deliver, Flow, Poll, Pull
from duijie.journal.inbox import Source


@dataclass(frozen=True)
class Place:
    """Where a mapping serves: `entity` is what a delivery reads, empty for a pull, which reads `stream`."""

    flow: str = ""
    connection: str = ""
    stream: str = ""
    entity: str = ""
    settings: Record | None = None

    @property
    def source(self) -> Source:
        """The stream."""
        return Source(self.connection, self.stream)


def places(flow: Flow, name: str) -> list[Place]:
    """The steps of a flow that use the mapping of this name."""
    found = []
    for step in flow.steps:
        if isinstance(step, Pull | Poll) and step.mapping == name:
            found.append(Place(flow.title, step.connection, step.stream, "", step.settings))
        elif isinstance(step, Deliver) and step.mapping == name:
            found.append(Place(flow.title, step.connection, step.sink, step.entity, step.settings))
    return found
