"""A console over a journal with a small made-up day, built through the journal's own functions."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from sqlalchemy import insert
from starlette.testclient import TestClient

from duijie.console.app import create_app
from duijie.console.users import add_user
from duijie.journal import Journal, deliveries, documents, inbox, planning, work
from duijie.journal.deliveries import Change
from duijie.journal.inbox import Source
from duijie.journal.tables import comparison, difference, incident, run
from sandbox.serve import free_ports

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "ein gutes Passwort"
ORDER = "taobao:S01:3204086667211110000"
VOUCHER = "sale:S01:2026-11-11:1"
HOSTILE = "<script>alert(1)</script>"
TOKEN = "geheimer-token-1"
DUTIES = {"asker": ("ask",), "approver": ("approve",), "issuer": ("issue",), "both": ("ask", "approve"), "books": ()}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _order(kept: Journal) -> None:
    raw = {"tid": 3204086667211110000, "shop": "S01", "memo": HOSTILE, "session": TOKEN}
    source = Source("taobao", "trade", "S01")
    inbox.store(kept, source, "tid", [raw])
    [message] = inbox.waiting(kept, source, 1)
    body = {"key": ORDER, "gross": Decimal("1121.00"), "status": "finished", "memo": HOSTILE}
    with kept.writing() as tx:
        documents.put(tx, kept, "sales_order", body, (message.id, "taobao/sales_order.in@1"))
        inbox.settle(tx, [message.id], "mapped", "taobao/sales_order.in@1")


def _delivered(kept: Journal, entity: str, sink: str, number: str) -> None:
    wanted = [(one, documents.amount_of(one.body)) for one in planning.unplanned(kept, entity, sink)]
    planning.plan(kept, "orders", sink, wanted)
    for row in deliveries.claim(kept, sink, ("pending",), 10):
        deliveries.settle(kept, "claimed", {row.claim: Change("sent", target_key=number)})
        done = Change("done", native_no=number, target_key=number, receipt={"access_token": TOKEN})
        deliveries.settle(kept, "sent", {row.claim: done})


def _voucher(kept: Journal) -> None:
    body = {"key": VOUCHER, "debit": Decimal("1121.00"), "credit": Decimal("1121.00")}
    source = documents.get(kept, "sales_order", ORDER)
    assert source is not None
    with kept.writing() as tx:
        documents.put(tx, kept, "voucher", body, (None, "rules/sale"))
        documents.connect(tx, kept, "sale", source, ("voucher", VOUCHER, 112100))


def _trouble(kept: Journal) -> None:
    with kept.writing() as tx:
        finding = work.Finding("unmapped", "product:A9", f"对照缺失: {HOSTILE}")
        work.open_item(tx, kept, "orders", finding, [("sales_order", "7", 36101), ("sales_order", "8", -100)])
        now = kept.now()
        tx.execute(insert(incident).values(connection="taobao", kind="TokenExpired", detail="x", at=now))
        tx.execute(
            insert(run).values(flow="orders", step="pull_orders", started_at=now, ended_at=now, counts='{"read":3}')
        )
        head = {
            "pair": "orders",
            "title": "淘宝订单 ↔ 金蝶AI星辰销售订单",
            "at": now,
            "left_count": 2,
            "right_count": 1,
        }
        money = {"left_amount": 36101, "right_amount": 0, "differences": 1, "unexplained": 0}
        kept_id = tx.execute(insert(comparison).values(**head, **money).returning(comparison.c.id)).scalar_one()
        row = {"comparison_id": kept_id, "key": "TB7", "kind": "漏单", "left_amount": 36101, "explanation": "对照缺失"}
        tx.execute(insert(difference).values(**row, work_item_id=1))


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The users file, hashed once: argon2 takes its time on purpose."""
    path = tmp_path_factory.mktemp("people") / "users.json"
    for name, role in (("ops", "ops"), ("look", "viewer"), ("eng", "engineer")):
        add_user(path, name, PASSWORD, role, f"{name} 某人")
    for name, duties in DUTIES.items():
        add_user(path, name, PASSWORD, "finance", f"{name} 某人", duties)
    return path


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Path) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_CONSOLE_USERS", str(tmp_path / "users.json"))
    monkeypatch.delenv("DUIJIE_REPORT", raising=False)
    made = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    _order(made)
    _delivered(made, "sales_order", "xingchen/sales_order", "TB3204086667211110000")
    _voucher(made)
    _delivered(made, "voucher", "k3cloud/voucher", "记-12")
    _trouble(made)
    shutil.copy(people, tmp_path / "users.json")
    return made


@pytest.fixture
def anybody(kept: Journal, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(f"sqlite:///{tmp_path / 'journal.db'}"), base_url="http://console") as client:
        yield client


def log_in(client: TestClient, name: str, password: str = PASSWORD) -> int:
    token = form_token(client.get("/login").text)
    answer = client.post("/login", data={"csrf": token, "name": name, "password": password}, follow_redirects=False)
    return answer.status_code


def form_token(page: str) -> str:
    return page.split('name="csrf" value="')[1].split('"', maxsplit=1)[0]


@pytest.fixture
def ops(anybody: TestClient) -> TestClient:
    assert log_in(anybody, "ops") == 303
    return anybody


@pytest.fixture
def engineer(anybody: TestClient) -> TestClient:
    assert log_in(anybody, "eng") == 303
    return anybody


@pytest.fixture
def url(kept: Journal, tmp_path: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    app = create_app(f"sqlite:///{tmp_path / 'journal.db'}")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        yield opened
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("DUIJIE_SCREENSHOTS", tmp_path))
