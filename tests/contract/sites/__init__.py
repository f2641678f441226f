"""Every connector with a sandbox under contract, one module each: how it is opened, what its sandbox holds, what is
written into it. A module of this package has its site as `SITE`; nothing is listed elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from tests.contract.served import Served

SITES: Mapping[str, Served] = {
    found.name: import_module(f"{__name__}.{found.name}").SITE for found in iter_modules(__path__)
}
