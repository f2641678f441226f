"""E-mail goes by a real SMTP conversation, with TLS or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.alerts import mail
from duijie.alerts.config import Mail
from duijie.alerts.message import Message
from duijie.connect.errors import CredentialError, DuijieError, NotSent, VendorRejected
from sandbox.serve import free_ports
from tests.alerts.conftest import NOON
from tests.alerts.mailbox import Mailbox, certificate

MESSAGE = Message(
    "【重要】库存同步失败", ["影响: 38 个 SKU", ".以点开头的行"], [("查看", "https://c.example.com/alerts/1")]
)


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("mail"))


def channel(box: Mailbox, pem: Path | None, **more: object) -> Mail:
    said = {"host": "127.0.0.1", "port": box.port, "sender": "duijie@example.com", "to": ("ops@example.com",)}
    known = {"user": "duijie", "password": "geheim", "tls": "implicit" if box.tls == "implicit" else "starttls"}
    return Mail(**{**said, **known, "ca": str(pem or ""), **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_letter_arrives_whole(pem: Path, tls: str) -> None:
    with Mailbox(pem, tls) as box:
        mail.post(channel(box, pem), (), MESSAGE, NOON)
        mail.post(channel(box, pem), ("zhang@example.com", "li@example.com"), MESSAGE, NOON)
    (to, letter), (owners, _) = box.letters
    assert (to, owners) == (["ops@example.com"], ["zhang@example.com", "li@example.com"])
    assert letter["Subject"] == "【重要】库存同步失败"
    text = letter.get_content()
    assert text.splitlines() == ["影响: 38 个 SKU", ".以点开头的行", "查看: https://c.example.com/alerts/1"]


@pytest.mark.parametrize(
    ("tls", "more", "trusted", "error"),
    [
        ("implicit", {"password": "wrong"}, True, CredentialError),
        ("implicit", {}, False, CredentialError),
        ("starttls", {}, False, CredentialError),
        ("none", {}, True, CredentialError),
        ("implicit", {"to": ("nobody@example.com",)}, True, VendorRejected),
    ],
)
def test_what_is_refused_or_not_safe_is_not_sent(
    pem: Path, tls: str, more: dict[str, object], trusted: bool, error: type[DuijieError]
) -> None:
    with Mailbox(pem, tls) as box, pytest.raises(error) as caught:
        mail.post(channel(box, pem if trusted else None, **more), (), MESSAGE, NOON)
    assert box.letters == []
    assert "geheim" not in caught.value.zh + str(caught.value)


def test_a_busy_server_or_none_is_tried_again(pem: Path) -> None:
    with Mailbox(pem, greeting="421 busy") as box, pytest.raises(NotSent):
        mail.post(channel(box, pem), (), MESSAGE, NOON)
    gone = Mail(host="127.0.0.1", port=free_ports(1)[0], sender="a@example.com", to=("b@example.com",))
    with pytest.raises(NotSent):
        mail.post(gone, (), MESSAGE, NOON)


def test_a_title_with_a_line_break_is_no_header(pem: Path) -> None:
    with Mailbox(pem) as box:
        mail.post(channel(box, pem), (), Message("标题\r\nBcc: x@example.com", ["x"]), NOON)
    [(to, letter)] = box.letters
    assert to == ["ops@example.com"]
    assert letter["Bcc"] is None
