"""The model connector, which keeps every promise, over a model vendor."""

from __future__ import annotations

from tests.contract.model import Parts, site
from tests.contract.served import served
from tests.contract.vendor import ModelSandbox

SITE = served(ModelSandbox, lambda url: site(url, Parts()))
