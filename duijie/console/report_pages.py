"""日报: report.json as pages show it. Whatever part of it is missing is left empty; a broken file is named."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from duijie.console.site import Site


class Airflow(msgspec.Struct):
    """Airflow's part."""

    dag_runs: int | None = None
    failed: int | None = None


class FlowDay(msgspec.Struct):
    """What one flow did."""

    title: str = ""
    pulled: int | None = None
    delivered: int | None = None
    waiting: int | None = None
    problem: str = ""


class Vouchers(msgspec.Struct):
    """Both sides of the day's vouchers, in yuan."""

    count: int | None = None
    debit: Decimal | None = None
    credit: Decimal | None = None


class Healed(msgspec.Struct):
    """A kind of failure that healed, and how often."""

    what: str = ""
    count: int | None = None


class Pair(msgspec.Struct):
    """One comparison, in yuan."""

    title: str = ""
    left_amount: Decimal | None = None
    right_amount: Decimal | None = None
    differences: int | None = None
    unexplained: int | None = None


class Pairs(msgspec.Struct):
    """Every comparison."""

    rows: list[Pair] = []


class Waits(msgspec.Struct):
    """What a person must do, in yuan."""

    owner: str = ""
    documents: int | None = None
    amount: Decimal | None = None
    reason: str = ""


class Report(msgspec.Struct):
    """`duijie.report.build` and what the demo adds to it."""

    new_documents: int | None = None
    documents_delivered: int | None = None
    waiting_for_a_person: int | None = None
    seconds: Decimal | None = None
    airflow: Airflow = msgspec.field(default_factory=Airflow)
    flows: list[FlowDay] = []
    vouchers: Vouchers = msgspec.field(default_factory=Vouchers)
    invoices: dict[str, int] = {}
    healed: list[Healed] = []
    reconciliation: Pairs = msgspec.field(default_factory=Pairs)
    waiting: list[Waits] = []


def router(site: Site) -> APIRouter:
    """/report."""
    routes = APIRouter()

    @routes.get("/report")
    def report(request: Request) -> Response:
        path = Path(os.environ.get("DUIJIE_REPORT", ""))
        found, problem = _read(path) if path.is_file() else (None, "")
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC) if found else None
        return site.page(request, "report.html", report=found, problem=problem, made_at=made_at)

    return routes


def _read(path: Path) -> tuple[Report | None, str]:
    """The report, or why it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report), ""
    except (OSError, msgspec.DecodeError) as error:  # a ValidationError is a DecodeError
        return None, f"日报 {path} 不完整或已损坏 ({error}), 请重新生成后刷新"
