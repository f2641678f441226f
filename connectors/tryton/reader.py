"""What streams and sinks ask a Tryton server: records page by page, the fields a series has, one action on a record.

A field that another series calls otherwise is asked for by both names, `unit|uom`; which one the server has it says
itself (fields_get), and the record carries the first. Which actions it offers it says too (system.listMethods).
Source: Tryton 8.2 and 6.0, trytond.model.modelstorage, trytond.protocols.dispatcher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors.tryton.client import ERRORS, Client
from duijie.codec import Record
from duijie.connect.retry import Retrier

T = TypeVar("T")
PAGE = 200


@dataclass(kw_only=True)
class Reader:
    """One company's records through one connection."""

    client: Client
    retrier: Retrier
    page: int = PAGE
    _fields: dict[str, Record] = field(default_factory=dict, init=False)
    _methods: set[str] = field(default_factory=set, init=False)

    def read(self, call: Callable[[], T]) -> T:
        """Repeat a reading call until it is answered."""
        return self.retrier.read(call)

    def search(
        self,
        model: str,
        domain: list[Any],
        fields: Sequence[str],
        limit: int | None = None,
        context: Record | None = None,
    ) -> list[Record]:
        """search_read by id, repeated until it is answered."""
        method, order = f"model.{model}.search_read", [["id", "ASC"]]
        return list(self.read(lambda: self.client.call(method, domain, 0, limit, order, list(fields), context=context)))

    def pages(
        self, model: str, domain: list[Any], fields: Sequence[str], context: Record | None = None
    ) -> Iterator[list[Record]]:
        """Every record that meets a Tryton domain, oldest id first, in pages. Raises errors of the tree."""
        asked = {path: self.known(model, path) for path in fields}
        renamed = dict(pair for path, known in asked.items() for pair in _renamed(path, known))
        after = 0
        while True:
            rows = self.search(model, [["id", ">", after], *domain], list(asked.values()), self.page, context)
            if rows:
                yield [_under_first_names(row, renamed) for row in rows]
            if len(rows) < self.page:
                return
            after = rows[-1]["id"]

    def all(self, model: str, domain: list[Any], fields: Sequence[str], context: Record | None = None) -> list[Record]:
        """The pages as one list."""
        return [row for page in self.pages(model, domain, fields, context) for row in page]

    def known(self, model: str, path: str) -> str:
        """A dotted path whose alternatives `a|b` are settled by what the server's models have."""
        head, _, rest = path.partition(".")
        names = head.split("|")
        if len(names) == 1 and "|" not in rest:
            return path
        fields = self.fields_of(model)
        name = next((one for one in names if one in fields), names[-1])
        return f"{name}.{self.known(fields[name]['relation'], rest)}" if rest else name

    def fields_of(self, model: str) -> Record:
        """The fields of a model by name, asked once."""
        if model not in self._fields:
            self._fields[model] = self.read(lambda: self.client.call(f"model.{model}.fields_get"))
        return self._fields[model]

    def method(self, model: str, *names: str) -> str:
        """The first of these methods that the server offers on the model. Raises CredentialError for none of them."""
        for name in names:
            if self.offers(model, name):
                return name
        raise ERRORS.error("403", f"{model}.{names[0]}", where=model)

    def offers(self, model: str, method: str) -> bool:
        """Whether a module of the server brings this method; asked once."""
        if not self._methods:
            self._methods = set(self.read(self.client.methods))
        return f"model.{model}.{method}" in self._methods

    def create(self, model: str, values: Record) -> int:
        """One new record; its id. Raises errors of the tree."""
        made = self.retrier.write(lambda: self.client.call(f"model.{model}.create", [values]))
        return int(made[0])

    def write(self, model: str, record: int, values: Record) -> None:
        """Change a record. Raises errors of the tree."""
        self.retrier.write(lambda: self.client.call(f"model.{model}.write", [record], values))

    def act(self, model: str, action: str, record: int) -> None:
        """Press a button: `do|done` is the one of both that the server has. Raises errors of the tree."""
        names = action.split("|")
        method = self.method(model, *names) if len(names) > 1 else action
        self.retrier.write(lambda: self.client.call(f"model.{model}.{method}", [record]))


def _renamed(path: str, known: str) -> Iterator[tuple[str, str]]:
    """(the server's name, the first name) of every part of a path that the server calls otherwise."""
    for part, name in zip(path.split("."), known.split("."), strict=True):
        first = part.split("|", maxsplit=1)[0]
        if name != first:
            yield name, first


def _under_first_names(value: Any, renamed: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_under_first_names(item, renamed) for item in value]
    if not isinstance(value, dict) or not renamed:
        return value
    return {_first(name, renamed): _under_first_names(item, renamed) for name, item in value.items()}


def _first(name: str, renamed: dict[str, str]) -> str:
    bare = name.rstrip(".")
    return renamed.get(bare, bare) + name[len(bare) :]
