"""A real SMTP server on loopback that insists on TLS and a login, and keeps the letters it was given."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOGIN = base64.b64encode(b"\0duijie\0geheim").decode()


def certificate(folder: Path) -> Path:
    """A PEM file with a key and a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Mailbox(socketserver.ThreadingTCPServer):
    """`tls`: "implicit", "starttls" or "none"; `greeting` 421 makes it busy."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, pem: Path, tls: str = "implicit", greeting: str = "220 mail") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.tls, self.greeting = tls, greeting
        self.letters: list[tuple[list[str], EmailMessage]] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Mailbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.secure = self.server.tls == "implicit"
        try:
            if self.secure:
                self._wrap()
            self.say(self.server.greeting)
            self._talk()
        except (ssl.SSLError, OSError):
            return

    def _wrap(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", buffering=0)

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _talk(self) -> None:
        known, to = False, []
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                offer = "250 STARTTLS" if self.server.tls == "starttls" and not self.secure else "250 AUTH PLAIN"
                self.say("250-mail", offer)
            elif verb == "STARTTLS":
                self.say("220 go")
                self._wrap()
                self.secure = True
            elif verb == "AUTH":
                known = self.secure and line.split(" ")[2] == LOGIN
                self.say("235 welcome" if known else "535 wrong")
            elif not known and verb in ("MAIL", "RCPT", "DATA"):
                self.say("530 log in first")
            elif verb == "RCPT" and "nobody@" in line:
                self.say("550 no such person")
            elif verb == "DATA":
                self._take(to)
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                to += [line.split("<")[1].split(">")[0]] if verb == "RCPT" else []
                self.say("250 ok")

    def _take(self, to: list[str]) -> None:
        self.say("354 go on")
        body = b""
        while (line := self.rfile.readline()) != b".\r\n":
            body += line.removeprefix(b".") if line.startswith(b"..") else line
        self.server.letters.append((list(to), message_from_bytes(body, _class=EmailMessage, policy=policy.default)))
        self.say("250 kept")
