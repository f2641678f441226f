"""suds-community, a SOAP client nobody here wrote, drives the EAS sandbox; both clients send the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.eas import CONNECTOR
from duijie.connect.connection import Connection
from duijie.connect.protocol import Done
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.eas import CONFIG, EasSandbox
from sandbox.eas_wsdl import LOGIN_SPACE
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.sites.eas import COLUMNS, eas_unbalanced, eas_voucher
from tests.sdk.harness import drive_python

pytestmark = [pytest.mark.slow, pytest.mark.sdk("suds-community 1.2.0")]
LOGIN = [CONFIG[name] for name in ("user", "password", "sln_name", "dc_name")] + ["L2", 0]
READ = [CONFIG["company"], "2026", "11", 0, 100]


class Recording(EasSandbox):
    """Keeps the imports that it is sent."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.imports: list[bytes] = []

    def _answer(self, service: str, body: bytes) -> etree._Element:
        self.imports += [body] if b"importVoucher" in body else []
        return super()._answer(service, body)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Ours imports a voucher, suds the same one and one that does not balance; suds reads both."""
    sandbox = Recording(Store())
    with Running(sandbox) as url:
        sink = _open(url, tmp_path_factory.mktemp("tokens")).sinks["voucher"]
        payload = eas_voucher(1)
        ours = sink._lines(payload, sink.key_of(payload))
        bad = sink._lines(eas_unbalanced(payload), "202611:bad")
        [outcome] = sink.write([payload])
        asked = {"url": url, "login": LOGIN, "space": LOGIN_SPACE, "vouchers": [ours, bad], "read": READ}
        said = drive_python("suds", asked)
        wrong = drive_python("suds", {**asked, "login": [LOGIN[0], "wrong", *LOGIN[2:]]})
        yield {**said, "ours": outcome, "wrong": wrong, "imports": sandbox.imports}


def _open(url: str, folder: Path) -> Any:
    extra = {"dc_name": CONFIG["dc_name"], "company": CONFIG["company"], "creator": CONFIG["users"][0]}
    extra |= {"voucher_columns": COLUMNS, "rate": "1000/second"}
    connection = Connection("eas", "eas", url, CONFIG["user"], CONFIG["password"], extra=extra)
    return CONNECTOR.open(connection, Services(TokenStore(folder)))


def lines_of(message: bytes) -> list[dict[str, str]]:
    """The entries of an importVoucher, whatever its client calls the elements."""
    found = etree.fromstring(message).iterfind(".//{*}importVoucher/{*}voucherCols/*")
    rows = [{etree.QName(one).localname: one.text or "" for one in row} for row in found]
    assert rows
    return [{name: text for name, text in row.items() if text or name == "voucherNumber"} for row in rows]


def test_the_client_logs_in_and_imports_what_the_ledger_takes(told: dict[str, Any]) -> None:
    assert told["session"] is True
    [good, bad] = told["imported"]
    assert good[0][4] == "0000" and good[0][6] == "0002"
    assert bad[0][4] == "9999" and "借贷不平" in bad[0][5]


def test_the_client_meets_a_login_that_is_refused_without_a_fault(told: dict[str, Any]) -> None:
    assert told["wrong"]["session"] is False


def test_the_client_reads_back_both_vouchers_entry_by_entry(told: dict[str, Any]) -> None:
    assert [(row[4], row[COLUMNS["debit"]], row[COLUMNS["credit"]]) for row in told["read"]] == [
        ("0001", "113.00", "0.00"),
        ("0001", "0.00", "113.00"),
        ("0002", "113.00", "0.00"),
        ("0002", "0.00", "113.00"),
    ]


def test_both_clients_send_the_same_entries_in_the_same_namespace(told: dict[str, Any]) -> None:
    assert isinstance(told["ours"], Done)
    ours, theirs, _ = told["imports"]
    assert lines_of(ours) == lines_of(theirs)
    names = {etree.fromstring(one).find(".//{*}importVoucher").tag for one in (ours, theirs)}  # type: ignore[union-attr]
    assert len(names) == 1


def test_both_clients_carry_the_session_in_the_same_header(told: dict[str, Any]) -> None:
    ours, theirs, _ = (etree.fromstring(one).find(f".//{{{LOGIN_SPACE}}}SessionId") for one in told["imports"])
    assert ours is not None and theirs is not None
    assert ours.text and theirs.text and ours.text != theirs.text
