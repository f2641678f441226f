"""Who takes part, loaded by name; one whose engine is not installed here is left out, and its reason kept."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.mapping.contender import Contender

OURS = {
    "hand": "hand:by_hand",
    "hand_quantised": "hand:by_hand_quantised",
    "duijie": "ours:duijie",
    "duijie_trusting": "ours:duijie_trusting",
}
PEERS = {
    "zen": "peers.zen:build",
    "jlens": "peers.jsonata:jlens",
    "jinja2": "peers.jinja:build",
    "singer_sdk": "peers.singer:build",
    "jmespath": "peers.jmes:build",
    "jsonata_rs": "peers.jsonata:jsonata_rs",
    "cel_rust": "peers.cel:rust",
    "glom": "peers.glomming:build",
    "jsonata_python": "peers.jsonata:jsonata_python",
    "cel_python": "peers.cel:python",
}


def load(name: str) -> Contender:
    """The contender of that name. Raises ImportError where its engine is missing."""
    module, _, function = (OURS | PEERS)[name].partition(":")
    build: Callable[[], Contender] = getattr(importlib.import_module(f"benchmarks.mapping.{module}"), function)
    return build()


def chosen(wanted: list[str]) -> tuple[list[Contender], dict[str, str]]:
    """Those whose name starts with one of the wanted, and why others of them are missing."""
    found, missing = [], {}
    for name in OURS | PEERS:
        if not any(name.startswith(start) for start in wanted):
            continue
        try:
            found.append(load(name))
        except ImportError as error:
            if name in OURS:
                raise
            missing[name] = f"not installed for this Python ({error})"
    return found, missing
