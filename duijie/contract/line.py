"""Promises of a connection: its form, its keys and tokens, its clock, and what it never shows."""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from limits import parse_many

from duijie.connect.errors import CredentialError, DuijieError
from duijie.connect.protocol import Safety
from duijie.contract.expect import is_chinese, must
from duijie.contract.site import Broken, Inapplicable, Site
from duijie.contract.streams import read_any

WORKERS = 6
SKEW = 3600.0
TARGETS = ("host", "login", "password", "extra")


def the_form_is_complete(site: Site) -> None:
    """Every setting has a label in Chinese or a name of the vendor's, a place, and a rate that can be read."""
    spec = site.plugin.spec
    must(re.fullmatch(r"[a-z][a-z0-9_]*", spec.conn_type) is not None, f"connection type {spec.conn_type!r}")
    must(bool(spec.title and spec.api_version), "title or version of the API is missing")
    must(is_chinese(spec.summary), "the summary is not in Chinese")
    must(re.match(r"https?://", spec.source) is not None, f"the source is no address: {spec.source!r}")
    must(bool(parse_many(spec.rate)), "no rate")
    for setting in spec.settings:
        must(bool(setting.label) and setting.target in TARGETS, f"setting {setting.name}")
    kept_open = [one.name for one in spec.settings if one.target == "password" and not one.secret]
    must(not kept_open, f"not marked as secret: {kept_open}")


def the_test_of_a_connection_speaks(site: Site) -> None:
    """`duijie connection test` shows at least one line."""
    told = site.fresh().open().check()
    must(bool(told) and all(isinstance(text, str) for line in told for text in line), f"{told!r}")


def streams_and_sinks_are_as_declared(site: Site) -> None:
    """What opens goes by the names, entities and safety that the spec declares, and nothing else does."""
    opened = site.open()
    found: set[tuple[str, str, Safety | None]] = {(one.name, one.entity, None) for one in opened.streams.values()}
    found |= {(one.name, one.entity, one.safety) for one in opened.sinks.values()}
    declared = {(one.name, one.entity, one.safety) for one in site.plugin.spec.moves}
    must(found == declared, f"declared and not so, or so and not declared: {sorted(found ^ declared, key=str)}")
    names = [(name, one.name) for name, one in opened.streams.items()]
    names += [(name, one.name) for name, one in opened.sinks.items()]
    must(all(name == own for name, own in names), f"a stream or sink goes by another name than its own: {names}")


def one_worker_fetches_the_token(site: Site) -> None:
    """Several workers that begin together need one token, and fetch one."""
    if not site.token_path:
        raise Inapplicable("no tokens")
    mine = site.fresh()
    mine.order({"kind": "watch", "match": site.token_path, "rate": 1})
    opened = [mine.open() for _ in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda one: one.check(), opened))
    must(mine.fired() == 1, f"{WORKERS} workers fetched {mine.fired()} tokens")


def a_wrong_key_is_a_credential_error(site: Site) -> None:
    """A secret that is wrong is told as such, in Chinese, with the next step: nobody searches for a network fault."""
    mine = site.fresh()
    wrong = "".join("0" if each != "0" else "1" for each in mine.password)
    try:
        mine.open(password=wrong).check()
    except CredentialError as error:
        must(is_chinese(error.zh), f"not in Chinese: {error.zh!r}")
    else:
        raise Broken("a wrong secret was accepted")


def no_secret_shows(site: Site) -> None:
    """No secret in what is printed, logged or raised, when all goes well and when it does not."""
    mine = site.fresh()
    with _listening() as said:
        connector = mine.open()
        connector.check()
        for fault in ({"kind": "status", "status": 400, "rate": 1}, {"kind": "lose_answer", "rate": 1}):
            mine.order(fault)
            try:
                connector.check()
            except DuijieError as error:
                said.write(f"{error!r} {error} {error.zh} {error.__cause__!r}")
        mine.order()
        shown = f"{said.getvalue()} {connector!r} {mine.connection()!r} {vars(connector)!r} {mine.incidents!r}"
    leaked = [secret[:2] + "…" for secret in (mine.secrets() | mine.tokens()) if secret in shown]
    must(not leaked, f"secrets show: {leaked}")


def a_clock_that_is_off_is_told(site: Site) -> None:
    """Where the vendor compares clocks, one that is an hour off is told in Chinese; elsewhere it changes nothing."""
    mine = site.fresh()
    try:
        mine.open(clock=lambda: time.time() - SKEW).check()
    except DuijieError as error:
        said = error.zh
        must("时" in said, f"the error does not name the clock: {said!r}")
    else:
        must(not site.skewed, "a clock that is an hour off was accepted")


def signatures_equal_the_published(site: Site) -> None:
    """Signatures equal those of the vendor's documentation or SDK."""
    if not site.vectors:
        raise Inapplicable("no vectors given")
    for name, computed, published in site.vectors:
        must(computed() == published, f"{name}: {computed()!r} instead of {published!r}")


def a_second_worker_reads_the_same(site: Site) -> None:
    """A connector keeps nothing to itself: another one over the same connection reads the same."""
    mine = site.fresh()
    first, second = read_any(mine.open(), mine), read_any(mine.open(), mine)
    must(first == second, f"{first} records, then {second}")


@contextmanager
def _listening() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, down to the last detail."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
