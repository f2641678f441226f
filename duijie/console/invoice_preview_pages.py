"""合并拆分预览: what the next run would ask for of the orders that are ready, and why some cannot be asked for."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie.connect.errors import ConfigError
from duijie.console import invoice_words
from duijie.console.flows import readable
from duijie.console.site import Site
from duijie.derive.invoice_making import Asking
from duijie.derive.invoice_preview import Proposal
from duijie.derive.invoices import load_rules
from duijie.derive.making import Making
from duijie.flow import Derive

MOST = 200
MAKES = "invoice_requests"


def router(site: Site) -> APIRouter:
    """/invoices-preview."""
    routes = APIRouter()

    @routes.get("/invoices-preview")
    def preview(request: Request) -> Response:
        found = proposals(site)
        shown = {"rows": found[:MOST], "count": len(found), "say": invoice_words, "rate": invoice_words.rate}
        return site.page(request, "invoice_preview.html", **shown)

    return routes


def proposals(site: Site) -> list[Proposal]:
    """What is ready now, as the flow would ask for it; nothing is written. Raises ConfigError without such a flow."""
    rules = site.root / "mappings" / "rules"
    for flow in readable(site.root)[0].values():
        for step in flow.steps:
            if isinstance(step, Derive) and step.make == MAKES:
                making = Making(site.journal, flow.flow, step, rules)
                return Asking.of(making).proposals(load_rules(rules / "invoice.yaml"))
    raise ConfigError("没有生成开票申请的流程, 请检查 dags/flows", en="no flow makes requests for invoices")
