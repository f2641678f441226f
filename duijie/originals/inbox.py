"""Where invoices of suppliers come in: a folder of files and mails (.eml), or a mailbox by IMAP.

What was dealt with leaves the folder (已收 or 拒收 below it) or is marked as read, after the journal has it: a machine
that stops in between reads it again, and the same bytes change nothing.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from urllib.parse import urlsplit

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, NotSent, VendorBusy
from duijie.originals.guard import MOST_BYTES
from duijie.originals.received import Receiving, Taken

Counts = Counter[str]
SUFFIXES = (".xml", ".ofd", ".zip", ".pdf", ".eml")
DONE, REFUSED = "已收", "拒收"
MAIL_BYTES = 40 * 1024 * 1024
ATTACHMENTS = 50
A_RUN = 200
SECONDS = 30


def receive_path(receiving: Receiving, path: Path, *, tidy: bool = False) -> list[Taken]:
    """Take a file, or every file of a folder; `tidy` moves each away. Raises ConfigError where there is none."""
    if not path.exists():
        raise ConfigError(f"没有 {path}, 请检查路径", en=f"there is no {path}", where=str(path))
    found: list[Taken] = []
    for file in [path] if path.is_file() else _files(path):
        taken = _take_file(receiving, file)
        found += taken
        if tidy:
            _move(file, REFUSED if any(one.fate == "refused" for one in taken) else DONE)
    return found


def receive_mail(receiving: Receiving, connection: Connection) -> list[Taken]:
    """Take the attachments of unread mails and mark those as read. Raises CredentialError, NotSent, VendorBusy."""
    found: list[Taken] = []
    with _mailbox(connection) as box:
        for uid in _uids(box):
            found += _take_mail(receiving, _fetched(box, uid), f"{connection.conn_id}:{uid}")
            box.uid("STORE", uid, "+FLAGS", r"(\Seen)")
    return found


def counted(taken: list[Taken]) -> Counts:
    """How many files came to what."""
    return Counter(one.fate for one in taken)


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
            yield file


def _take_file(receiving: Receiving, file: Path) -> list[Taken]:
    is_mail = file.suffix.lower() == ".eml"
    with file.open("rb") as opened:
        data = opened.read((MAIL_BYTES if is_mail else MOST_BYTES) + 1)
    if is_mail and len(data) <= MAIL_BYTES:
        return _take_mail(receiving, data, file.name)
    return [receiving.take(file.name, data, file.parent.name)]


def _take_mail(receiving: Receiving, mail: bytes, source: str) -> list[Taken]:
    message = message_from_bytes(mail, policy=modern)
    return [receiving.take(name, data, source) for name, data in _attachments(message)]


def _attachments(message: EmailMessage) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each attachment that may be an invoice."""
    parts = (part for part in message.walk() if part.get_filename())
    for _, part in zip(range(ATTACHMENTS), parts, strict=False):
        name = Path(str(part.get_filename())).name
        data = part.get_payload(decode=True)
        if isinstance(data, bytes) and name.lower().endswith(SUFFIXES[:-1]):
            yield name, data


def _move(file: Path, where: str) -> None:
    target = file.parent / where
    target.mkdir(exist_ok=True)
    file.replace(target / file.name)


@contextmanager
def _mailbox(connection: Connection) -> Iterator[imaplib.IMAP4]:
    """The mailbox, open. `host` imaps://… (or imap://… without TLS, on this machine only); extra.folder, else INBOX."""
    parts = urlsplit(connection.base_url if "://" in connection.host else f"imaps://{connection.host}")
    is_plain = parts.scheme == "imap"
    if is_plain and parts.hostname not in ("127.0.0.1", "localhost"):
        raise ConfigError(
            f"邮箱 {connection.conn_id} 未加密, 请把 host 写成 imaps://…", en="use imaps://", where=connection.conn_id
        )
    try:
        with _opened(parts.hostname or "", parts.port, is_plain) as box:
            _log_in(box, connection)
            yield box
    except imaplib.IMAP4.error as error:
        zh = f"邮箱 {connection.conn_id} 出错 ({error}), 下次自动重试"
        raise VendorBusy(zh, en=f"the mailbox failed: {error}", where=connection.conn_id) from error
    except (OSError, socket.gaierror) as error:
        zh = f"连不上邮箱 {connection.conn_id} ({error}), 下次自动重试; 若持续请检查地址与网络"
        raise NotSent(zh, en=f"the mailbox cannot be reached: {error}", where=connection.conn_id) from error


def _opened(host: str, port: int | None, is_plain: bool) -> imaplib.IMAP4:
    if is_plain:
        return imaplib.IMAP4(host, port or 143, timeout=SECONDS)
    return imaplib.IMAP4_SSL(host, port or 993, ssl_context=ssl.create_default_context(), timeout=SECONDS)


def _log_in(box: imaplib.IMAP4, connection: Connection) -> None:
    """Log in and open the folder; says who we are (RFC 2971), without which some mail houses in China serve nobody."""
    try:
        box.login(connection.login, connection.password)
    except imaplib.IMAP4.error as error:
        raise CredentialError(
            f"邮箱 {connection.conn_id} 拒绝登录, 请检查账号与授权码 (不是网页密码)",
            en="the mailbox refused the login; use the mail house's own key for programs",
            where=connection.conn_id,
        ) from error
    if "ID" in box.capabilities:
        box.xatom("ID", '("name" "duijie" "version" "1")')
    box.select(str(connection.extra.get("folder") or "INBOX"))


def _uids(box: imaplib.IMAP4) -> list[str]:
    _, found = box.uid("SEARCH", "UNSEEN")
    return [uid.decode() for uid in (found[0] or b"").split()][:A_RUN]


def _fetched(box: imaplib.IMAP4, uid: str) -> bytes:
    _, parts = box.uid("FETCH", uid, "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), b"")
