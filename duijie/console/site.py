"""What every page module is given: the journal, the project's root, the users and one way to render a template.

A page module has one public function, `router(site) -> APIRouter`; `duijie.console.app.MODULES` names it and
`duijie.console.words.NAVIGATION` puts it into the menu.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from fastapi.templating import Jinja2Templates
from starlette.requests import Request
from starlette.responses import Response

from duijie.console import attempts, flows, security, users, words
from duijie.journal import Journal
from duijie.mapping.values import show

HERE = Path(__file__).parent
LONGEST_TOLD = 300  # a cookie has to hold it


class Site:
    """What every page needs: the journal, the project's root, templates, users."""

    def __init__(self, journal: Journal, root: Path) -> None:
        self.journal = journal
        self.root = root
        self.users = users.default_path()
        self.attempts = attempts.Attempts()
        self.templates = Jinja2Templates(directory=HERE / "templates")
        self.templates.env.filters |= {
            "money": words.money,
            "amount": words.amount,
            "moment": words.moment,
            "counted": words.count,
            "sink": words.sink,
            "value": show,
        }
        self.templates.env.globals |= {"words": words, "now": journal.now, "light": words.light}
        self.templates.env.globals["flow_titles"] = partial(flows.titles, root)

    def page(self, request: Request, name: str, **values: Any) -> Response:
        """Render a template for the person who asks."""
        shared = {
            "user": getattr(request.state, "user", None),
            "csrf": security.token_of(request),
            "path": request.url.path,
            "told": partial(_told, request),
            "airflow_url": os.environ.get("DUIJIE_AIRFLOW_URL", ""),
        }
        return self.templates.TemplateResponse(request, name, {**shared, **values})


def tell(request: Request, said: str, *, problem: bool = False) -> None:
    """Keep what happened, in the signed session, for the next page of this person; base.html shows it once."""
    request.session["told"] = {"words": said[:LONGEST_TOLD], "problem": problem}


def _told(request: Request) -> dict[str, Any] | None:
    """What `tell` kept, once."""
    kept: dict[str, Any] | None = request.session.pop("told", None)
    return kept
