"""Names, telephone numbers, addresses and secrets of recorded messages, hidden before pages show them or their result.

They are found by the names of fields and hidden by value, so that they stay hidden wherever a rule put them. This keeps
them from being looked at and copied in passing; it is no wall against an engineer, who may write any rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from duijie import codec
from duijie.connect.secrets import MASK, is_secret
from duijie.people import is_personal

SHORTEST = 2
SHORTEST_NUMBER = 7


def private_values(value: Any) -> dict[str, str]:
    """Each text of a record that is to be hidden, with what is shown in its place."""
    found = {text: MASK if secret else f"{text[0]}***" for text, secret in _found(value, "", False) if _is_worth(text)}
    return found | {_in_json(text): shown for text, shown in found.items()}


def _in_json(text: str) -> str:
    """How the text stands inside JSON."""
    return codec.encode(text).decode()[1:-1]


def hide(value: Any, private: dict[str, str]) -> Any:
    """A copy of a JSON-like value with the private texts covered wherever they stand, the longest first."""
    if not private:
        return value
    pattern = re.compile("|".join(map(re.escape, sorted(private, key=len, reverse=True))))
    return _hidden(value, lambda text: pattern.sub(lambda hit: private[hit.group()], text))


def _hidden(value: Any, cover: Any) -> Any:
    if isinstance(value, dict):
        return {name: _hidden(below, cover) for name, below in value.items()}
    if isinstance(value, list):
        return [_hidden(below, cover) for below in value]
    return cover(value) if isinstance(value, str) else value


def _found(value: Any, within: str, covered: bool) -> Iterator[tuple[str, bool]]:
    """The texts below a value with whether they are secret; `covered`: a field around them is personal."""
    if isinstance(value, list):
        for below in value:
            yield from _found(below, within, covered)
        return
    if not isinstance(value, dict):
        if covered and isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value), False
        return
    within = "person" if value.get("kind") == "person" else within
    for name, below in value.items():
        if is_secret(str(name)) and isinstance(below, str):
            yield below, True
        else:
            yield from _found(below, str(name), covered or is_personal(str(name), within))


def _is_worth(text: str) -> bool:
    return len(text) >= (SHORTEST_NUMBER if text.isdecimal() else SHORTEST)
