"""The settings of a U8 EAI connection, and our key as U8 can keep it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from duijie.connect.connection import Connection

RATE = "2/second"
RECEIVER = "u8"
MAKING_SYSTEM = "GL"
KEY_LENGTH = 50  # reserve2 is nvarchar(50): EAI template Voucher.xml
DIGEST = 16


@dataclass(frozen=True)
class Settings:
    """How one connection writes vouchers."""

    maker: str
    voucher_query: str
    making_system: str = MAKING_SYSTEM

    @classmethod
    def of(cls, connection: Connection) -> Settings:
        """From a connection. Raises ConfigError for what is missing."""
        making_system = str(connection.extra.get("making_system") or MAKING_SYSTEM)
        return cls(connection.require("maker"), connection.require("voucher_query"), making_system)


def native_key(key: str) -> str:
    """Our key as reserve2 keeps it; what is too long is cut and ends with a digest, so that keys stay apart."""
    if len(key) <= KEY_LENGTH:
        return key
    return f"{key[: KEY_LENGTH - DIGEST - 1]}~{sha256(key.encode()).hexdigest()[:DIGEST]}"


def docid_of(key: str) -> str:
    """A number for the message, the same for the same document: EAI tells a message that came before by it."""
    return str(int(sha256(key.encode()).hexdigest()[:13], 16))
