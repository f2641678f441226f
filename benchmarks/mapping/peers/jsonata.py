"""JSONata in three engines: jlens and jsonata-rs (Rust), jsonata-python (Python); look-ups are Python callbacks.

jsonata-rs and jsonata-python are imported by the same name, so the second lives in a folder of its own beside the
environment's packages (Makefile).
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.orders import CUSTOMERS, STORES
from benchmarks.mapping.peers.fen import PRODUCTS, in_fen, in_yuan
from benchmarks.mapping.timing import each

SOURCE = Path(__file__).with_name("order.jsonata")
APART = Path(sys.prefix) / "jsonata-python"
LOOKUPS = {"customer": CUSTOMERS.__getitem__, "warehouse": STORES.__getitem__, "product": PRODUCTS.__getitem__}
NOTE = "floats: amounts handed in as whole fen; look-ups through Python callbacks"


def jlens() -> Contender:
    """The engine that reads Python dicts as the expression reaches them."""
    module = importlib.import_module("jlens")
    expression = module.Expression(_source())
    for name, function in LOOKUPS.items():
        expression.register_function(name, function)
    return _contender("jlens", "jlens", expression.evaluate)


def jsonata_rs() -> Contender:
    """The Rust port of jsonata-java."""
    module = _rust()
    expression = module.Jsonata(_source())
    for name, function in LOOKUPS.items():
        expression.register_function(name, function)
    return _contender("jsonata_rs", "jsonata-rs", expression.evaluate)


def jsonata_python() -> Contender:
    """The Python port of jsonata-java."""
    module = _python()
    expression = module.Jsonata(_source())
    for name, function in LOOKUPS.items():
        expression.register_lambda(name, function)
    return _contender("jsonata_python", "jsonata-python", expression.evaluate)


def _source() -> str:
    return SOURCE.read_text(encoding="utf-8")


def _contender(name: str, package: str, evaluate: Any) -> Contender:
    return Contender(name, _version(package), each(evaluate), evaluate, in_fen, in_yuan, note=NOTE)


def _version(package: str) -> str:
    if package != "jsonata-python":
        return version(package)
    (found,) = (folder.name for folder in APART.glob("jsonata_python-*.dist-info"))
    return found.split("-")[1].removesuffix(".dist")


def _rust() -> Any:
    kept = _forget()
    try:
        return importlib.import_module("jsonata")
    finally:
        _forget()
        sys.modules.update(kept)


def _python() -> Any:
    """Stays known as `jsonata`: its modules look for one another by that name while they run."""
    _forget()
    sys.path.insert(0, str(APART))
    try:
        return importlib.import_module("jsonata")
    finally:
        sys.path.remove(str(APART))


def _forget() -> dict[str, Any]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "jsonata"}
