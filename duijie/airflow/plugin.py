"""A link from Airflow's navigation to the console."""

from __future__ import annotations

import os
from typing import Any

from airflow.plugins_manager import AirflowPlugin


def console_views(url: str) -> list[dict[str, Any]]:
    """The navigation entry for a console at this address; none without one."""
    if not url:
        return []
    return [{"name": "Duijie 对接", "href": url, "destination": "nav", "category": "browse"}]


class DuijiePlugin(AirflowPlugin):
    """The console has its own login: a link out, no page inside Airflow."""

    name = "duijie"
    external_views = console_views(os.environ.get("DUIJIE_CONSOLE_URL", ""))
