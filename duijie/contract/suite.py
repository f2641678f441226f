"""All checks in order, and what becomes of them at a site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import Any, Literal

from duijie.connect.errors import DuijieError
from duijie.contract import line, pushes, reading, recorded, writing
from duijie.contract.site import Broken, Inapplicable, Site

Check = Callable[[Site], None]
Verdict = Literal["kept", "broken", "inapplicable"]


@dataclass(frozen=True)
class Outcome:
    """How a check went; `reason` says what is broken, or why it says nothing here."""

    check: str
    verdict: Verdict
    reason: str = ""


def _checks(module: ModuleType) -> Iterator[tuple[str, Check]]:
    own = (each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__)
    named = ((each.__name__, each) for each in own if callable(each) and not isinstance(each, type))
    return ((name, each) for name, each in named if name[0] != "_" and _is_check(each))


def _is_check(each: Callable[..., Any]) -> bool:
    return signature(each).return_annotation in (None, "None")


CHECKS: Mapping[str, Check] = dict(
    pair for module in (line, reading, recorded, writing, pushes) for pair in _checks(module)
)


def run(site: Site) -> Iterator[Outcome]:
    """The outcome of every check, as it is known."""
    return (outcome(site, name) for name in CHECKS)


def outcome(site: Site, name: str) -> Outcome:
    """Of one check. What a connector raises that is none of its promises breaks it too."""
    try:
        CHECKS[name](site)
    except Inapplicable as why:
        return Outcome(name, "inapplicable", str(why))
    except (Broken, DuijieError) as error:
        return Outcome(name, "broken", str(error))
    except Exception as error:  # noqa: BLE001  a runner's boundary: a strange connector may raise anything
        return Outcome(name, "broken", f"{type(error).__name__}: {error}")
    return Outcome(name, "kept")
