"""A local server under TLS, with a certificate that is made for the occasion."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.serve import free_ports


@contextmanager
def certified(app: Any, folder: Path) -> Iterator[tuple[str, Path]]:
    """`with certified(app, folder) as (url, authority):` serve it on 127.0.0.1; `authority` proves the certificate."""
    key, certificate = made(folder)
    (port,) = free_ports(1)
    files = {"ssl_keyfile": str(key), "ssl_certfile": str(certificate)}
    quiet = {"log_level": "critical", "lifespan": "off", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, **quiet, **files))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield f"https://127.0.0.1:{port}", certificate
    server.should_exit = True
    thread.join(10)


def made(folder: Path) -> tuple[Path, Path]:
    """Key and certificate of 127.0.0.1, its own authority for a day."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(secret, hashes.SHA256())
    )
    key, certificate = folder / "tls.key", folder / "tls.pem"
    plain = serialization.NoEncryption()
    key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return key, certificate
