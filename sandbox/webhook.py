"""A system of one's own that pushes whole records, signed by Standard Webhooks (standardwebhooks.com).

Seed: `{"secret": "whsec_…"}`. `items` of an ordered push (sandbox/push.py) are the bodies: a record or a list of them;
`{"raw": "text"}` sends that text. Each push has an id of its own, which `copies` share.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from duijie import codec
from sandbox.kit import Handler, Sandbox
from sandbox.push import Parcel, Pusher
from sandbox.store import Store


class WebhookSandbox(Sandbox):
    """One sender."""

    name = "webhook"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self.pusher = Pusher(self.pack)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Nothing can be asked of it."""
        return [self.pusher.route()]

    def expire_tokens(self) -> None:
        """There are none."""

    def seed(self, data: dict[str, Any]) -> None:
        """Keep the secret."""
        self.store.put("config", "config", {"secret": data["secret"]})

    def pack(self, url: str, item: Any, age: timedelta) -> Parcel:
        """One push, signed as of `age` ago."""
        is_raw = isinstance(item, dict) and set(item) == {"raw"}
        body = item["raw"].encode() if is_raw else codec.encode_ordered(item)
        name, stamp = f"msg_{self.store.next('push')}", str(int((self.now() - age).timestamp()))
        kept = self.store.get("config", "config") or {}
        key = base64.b64decode(kept["secret"].removeprefix("whsec_"))
        digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        return Parcel(url, headers, body, "webhook-signature")


SANDBOX = WebhookSandbox
