"""Names in sight of a rule, and what the conditions above it have already settled."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from duijie.mapping.checks.facts import Fact
from duijie.mapping.expression import path_of
from duijie.mapping.findings import Spot

Key = tuple[object, ...]  # a path: the id of its root's binding (0: the record), then its steps


@dataclass(eq=False)
class Binding:
    """A name the file gives to a value; `users` are the lets that read it, None standing for everything else."""

    name: str
    spot: Spot
    fact: Fact
    tree: ast.expr | None = None  # of a let
    users: set[Binding | None] = field(default_factory=set)


class Scope:
    """Bindings, values narrowed and conditions settled, innermost first."""

    def __init__(self, outer: Scope | None = None) -> None:
        self.outer = outer
        self.names: dict[str, Binding] = {}
        self.narrowed: dict[Key, Fact] = {}
        self.settled: dict[str, bool] = {}

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it."""
        at: Scope | None = self
        while at is not None:
            yield at
            at = at.outer

    def find(self, name: str) -> Binding | None:
        """The innermost binding of a name."""
        return next((each.names[name] for each in self.chain() if name in each.names), None)

    def known(self, key: Key) -> Fact | None:
        """What a condition above says of a path."""
        return next((each.narrowed[key] for each in self.chain() if key in each.narrowed), None)

    def outcome(self, condition: str) -> bool | None:
        """How a condition above came out."""
        return next((each.settled[condition] for each in self.chain() if condition in each.settled), None)

    def key(self, node: ast.expr) -> Key | None:
        """The key of a path of names and constants; None for anything else."""
        path = path_of(node)
        if path is None or not all(isinstance(step, ast.Constant) for step in path[1]):
            return None
        root, steps = path[0].id, tuple(step.value for step in path[1] if isinstance(step, ast.Constant))
        binding = self.find(root)
        if binding is not None:
            return (id(binding), *steps)
        return (0, *steps) if root == "record" else (0, root, *steps)

    def words(self, node: ast.expr) -> str:
        """The same for the same condition in the same scope."""
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        bound = sorted((name, id(binding)) for name in names if (binding := self.find(name)) is not None)
        return f"{ast.unparse(node)} {bound}"
