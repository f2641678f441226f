"""Answers that are none: each ends as "outcome unknown", soon and within bounds, and none is taken for "never left"."""

from __future__ import annotations

import datetime
import gzip
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from duijie.connect import wire
from duijie.connect.errors import AnswerLost, NotSent
from duijie.connect.http import Http
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Behaviour = Callable[[socket.socket], None]


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Http:
    monkeypatch.setattr(wire, "READ_SECONDS", 2)
    return Http(Services(TokenStore(tmp_path)).budget("test", "1000/second"))


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[int]:
    """A server that reads one request and then behaves so; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                behaviour(listener.accept()[0])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def endless_drops(caller: socket.socket) -> None:
    caller.recv(65536)
    caller.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    with suppress(OSError):
        while True:
            caller.sendall(b" ")
            time.sleep(0.02)


def endless_chunks(caller: socket.socket) -> None:
    caller.recv(65536)
    caller.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    with suppress(OSError):
        while True:
            caller.sendall(b"1\r\n \r\n")
            time.sleep(0.02)


def endless_flood(caller: socket.socket) -> None:
    caller.recv(65536)
    caller.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    with suppress(OSError):
        while True:
            caller.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def bomb(caller: socket.socket) -> None:
    body = gzip.compress(b" " * 200_000_000, 1)
    caller.recv(65536)
    with suppress(OSError):
        caller.sendall(HEAD + f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        caller.close()


@pytest.mark.parametrize("behaviour", [endless_drops, endless_chunks, endless_flood, bomb])
def test_an_answer_that_does_not_end_is_given_up(
    sender: Http, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(wire, "ANSWER_BYTES", 10_000_000)
    began = time.monotonic()
    with serving(behaviour) as port, pytest.raises(AnswerLost):
        sender.send("POST", f"http://127.0.0.1:{port}/", body=b"{}")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"hello\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Encoding: br\r\n\r\n{}",
    ],
)
def test_what_is_no_answer_of_http_leaves_the_outcome_unknown(sender: Http, said: bytes) -> None:
    def behave(caller: socket.socket) -> None:
        caller.recv(65536)
        caller.sendall(said)
        caller.close()

    with serving(behave) as port, pytest.raises(AnswerLost):
        sender.send("POST", f"http://127.0.0.1:{port}/", body=b"{}")


def test_a_whole_answer_comes_back_whole_however_it_is_cut_and_packed(sender: Http) -> None:
    def packed(caller: socket.socket) -> None:
        caller.recv(65536)
        body = gzip.compress(b'{"id": 9007199254740993}')
        caller.sendall(HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for byte in body:
            caller.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        caller.sendall(b"0\r\n\r\n")
        caller.close()

    with serving(packed) as port:
        assert sender.send("GET", f"http://127.0.0.1:{port}/").content == b'{"id": 9007199254740993}'


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's context for 127.0.0.1; `certificate.pem` in the folder is what signs it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


def broken_tls(context: ssl.SSLContext) -> Behaviour:
    """The request is read, and what comes back is no TLS any more."""

    def behave(caller: socket.socket) -> None:
        secure = context.wrap_socket(caller, server_side=True)
        secure.recv(65536)
        with socket.socket(fileno=os.dup(secure.fileno())) as raw:
            raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" * 4)
        secure.close()

    return behave


def test_tls_that_breaks_after_the_request_left_is_unknown_not_unsent(
    certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    sender = Http(Services(TokenStore(tmp_path)).budget("test", "1000/second"))
    with serving(broken_tls(certificate)) as port, pytest.raises(AnswerLost):
        sender.send("POST", f"https://127.0.0.1:{port}/", body=b"{}")


def test_a_certificate_that_is_not_trusted_stops_the_call_before_it_leaves(
    certificate: ssl.SSLContext, sender: Http
) -> None:
    def behave(caller: socket.socket) -> None:
        with suppress(ssl.SSLError):
            certificate.wrap_socket(caller, server_side=True)

    with serving(behave) as port, pytest.raises(NotSent):
        sender.send("POST", f"https://127.0.0.1:{port}/", body=b"{}")
