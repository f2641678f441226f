"""Too much is told to come back: bodies, requests, a slow journal, flows that are behind. Whatever is sent: no 500."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from duijie.journal import Journal
from sandbox.serve import free_ports
from sandbox.store import Store
from sandbox.webhook import WebhookSandbox
from tests.ingress.conftest import SECRET, World, world_of

PATH = "/in/shop/order"


def sender() -> WebhookSandbox:
    made = WebhookSandbox(Store())
    made.seed({"secret": SECRET})
    return made


def push(url: str, record: object, by: WebhookSandbox | None = None) -> requests.Response:
    parcel = (by or sender()).pack(f"{url}{PATH}", record, timedelta())
    return requests.post(parcel.url, data=parcel.body, headers=parcel.headers, timeout=20)


def unfinished(world: World) -> socket.socket:
    """A connection over which a body has begun to arrive."""
    link = socket.create_connection(("127.0.0.1", int(world.url.rsplit(":", 1)[1])), 10)
    link.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".encode())
    return link


class TestBodies:
    def test_one_that_says_it_is_too_large_is_not_read(self, world: World) -> None:
        with socket.create_connection(("127.0.0.1", int(world.url.rsplit(":", 1)[1])), 10) as link:
            link.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n".encode())
            assert link.recv(100).startswith(b"HTTP/1.1 413 ")

    def test_one_that_does_not_say_is_cut_off_while_it_arrives(self, world: World) -> None:
        sent = 0
        with socket.create_connection(("127.0.0.1", int(world.url.rsplit(":", 1)[1])), 10) as link:
            link.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            link.settimeout(0.02)
            for _ in range(400):
                try:
                    if answer := link.recv(100):
                        break
                except TimeoutError:
                    link.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                    sent += 65536
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert sent < 4 * 2**20

    def test_one_that_does_not_arrive_is_given_up(self, journal_url: str) -> None:
        with world_of(journal_url, seconds=0.3) as world, unfinished(world) as link:
            assert link.recv(100).startswith(b"HTTP/1.1 408 ")


class TestBackPressure:
    def test_a_journal_that_is_held_up_makes_senders_come_back_and_a_repeat_is_kept_once(
        self, journal_url: str
    ) -> None:
        by = sender()
        parcel = by.pack("", {"id": "A-1"}, timedelta())
        with world_of(journal_url, seconds=0.3) as world:
            with world.journal.writing() as tx:
                tx.execute(text("SELECT 1"))
                began = time.monotonic()
                said = requests.post(f"{world.url}{PATH}", data=parcel.body, headers=parcel.headers, timeout=20)
                assert (said.status_code, said.headers["retry-after"]) == (503, "5")
                assert time.monotonic() - began < 2
            again = [
                requests.post(f"{world.url}{PATH}", data=parcel.body, headers=parcel.headers, timeout=9) for _ in "12"
            ]
            assert [one.status_code for one in again] == [200, 200]
            assert len(world.messages()) == 1

    def test_no_more_wait_than_the_queue_holds(self, journal_url: str) -> None:
        by = sender()
        with world_of(journal_url, queue=4, requests=64, seconds=3.0) as world:
            assert push(world.url, {"id": "first"}, by).status_code == 200
            holding, release = threading.Event(), threading.Event()

            def hold() -> None:
                with world.journal.writing():
                    holding.set()
                    release.wait(10)

            holder = threading.Thread(target=hold)
            holder.start()
            holding.wait(5)
            parcels = [by.pack(f"{world.url}{PATH}", {"id": f"K{n}"}, timedelta()) for n in range(24)]
            with ThreadPoolExecutor(24) as pool:
                jobs = [pool.submit(requests.post, one.url, data=one.body, headers=one.headers) for one in parcels]
                until = time.monotonic() + 2
                while sum(one.done() for one in jobs) < 10 and time.monotonic() < until:
                    time.sleep(0.02)
                turned_away = sum(one.done() for one in jobs)
                release.set()
                statuses = sorted(one.result().status_code for one in jobs)
            holder.join()
            assert turned_away >= 10, "those beyond the queue are told at once"
            assert set(statuses) == {200, 503}
            assert len(world.messages()) == 1 + statuses.count(200)

    def test_no_more_are_at_work_than_allowed(self, journal_url: str) -> None:
        with world_of(journal_url, requests=1) as world, unfinished(world):
            time.sleep(0.1)
            assert push(world.url, {"id": 1}).status_code == 503

    def test_a_connection_faster_than_its_rate_is_slowed_down(self, journal_url: str) -> None:
        by = sender()
        with world_of(journal_url, rate="3/minute") as world:
            assert [push(world.url, {"id": n}, by).status_code for n in range(5)] == [200, 200, 200, 429, 429]

    @pytest.mark.slow
    def test_a_connection_whose_flows_are_behind_is_told_to_wait(self, journal_url: str) -> None:
        by = sender()
        with world_of(journal_url, backlog=3) as world:
            assert [push(world.url, {"id": n}, by).status_code for n in range(3)] == [200, 200, 200]
            end, status = time.monotonic() + 15, 200
            while status == 200 and time.monotonic() < end:
                time.sleep(0.5)
                status = push(world.url, {"id": 3}, by).status_code
            assert status == 503


class TestWhateverIsSent:
    """Nothing unsigned is kept, nothing signed breaks anything."""

    HOSTILE = st.binary(max_size=300) | st.text(max_size=100).map(lambda one: one.encode("utf-8", "surrogatepass"))
    NESTED = st.recursive(
        st.none() | st.integers() | st.text(max_size=9), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
    HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.strip)

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        body=HOSTILE,
        path=st.sampled_from(["/in/shop/order", "/in/shop", "/in/bills", "/in/nobody", "/in/shop/%00"]),
        kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/xml", ""]),
        name=HEADER,
        stamp=HEADER | st.just(str(int(time.time()))),
        signature=HEADER | st.just("v1,"),
    )
    def test_hostile_requests(
        self, world: World, body: bytes, path: str, kind: str, name: str, stamp: str, signature: str
    ) -> None:
        headers = {"content-type": kind, "webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": signature}
        said = world.post(path, body, headers=headers)
        assert said.status_code in (400, 401, 404, 415)
        assert said.content == b""
        assert world.messages() == []
        assert world.hints() == {}

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        raw=st.text(max_size=60)
        | st.sampled_from(['{"id": 1e999999999}', '{"id": "\\ud800"}', '{"id":' + "9" * 5000 + "}"])
        | NESTED.map(lambda one: json.dumps({"id": "k", "x": one}))
    )
    def test_hostile_signed_bodies(self, world: World, raw: str) -> None:
        by = sender()
        parcel = by.pack(f"{world.url}{PATH}", {"raw": raw}, timedelta())
        headers = {**parcel.headers}
        assert world.post(PATH, parcel.body, headers=headers).status_code in (200, 400)

    def test_deep_nesting_is_refused(self, world: World) -> None:
        assert push(world.url, {"raw": '{"id":1,"x":' + "[" * 100_000 + "]" * 100_000 + "}"}).status_code == 400


SERVER = """
import sys
from tests.ingress.conftest import PLUGINS, SHOP
from duijie.ingress import Ingress, Limits
from duijie.ingress.doors import Doors
from duijie.ingress.durable import open_durable
from duijie.ingress.serve import server
doors = Doors(lambda: [SHOP], PLUGINS.__getitem__)
server(Ingress(lambda: open_durable(sys.argv[1]), doors, Limits()), "127.0.0.1", int(sys.argv[2])).run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_push_that_was_answered_survives_kill_9(kind: str, journal_url: str, request: pytest.FixtureRequest) -> None:
    url = journal_url if kind == "sqlite" else request.getfixturevalue("postgres_database")
    port, by, answered = free_ports(1)[0], sender(), []
    for life in range(3):
        child = subprocess.Popen([sys.executable, "-c", SERVER, url, str(port)], cwd=Path(__file__).parents[2])
        try:
            _await(port)
            for number in range(5 + life):
                key = f"{life}-{number}"
                if push(f"http://127.0.0.1:{port}", {"id": key}, by).status_code == 200:
                    answered.append(key)
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
    with Journal.open(url).reading() as tx:
        kept = {row[0] for row in tx.execute(text("SELECT key FROM message"))}
    assert len(answered) == 18
    assert kept == set(answered)


def _await(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
