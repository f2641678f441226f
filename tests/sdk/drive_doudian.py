"""Calls 抖店 with two clients that others wrote; prints what each said.

Asked: {"client": "doudian", "url", "app_key", "secret", "code", "calls": [[path, parameters], …], "message": text,
"signs": [event-sign, …]} → {"is_in", "answers": […], "accepted": [messages or null, …]}; or {"client": "commerce",
"url", "app_key", "secret", "token", "shop", "at": Unix seconds or null, "calls"} → {"answers": [data or
{"refused": sub_code}]}.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any


def driven_doudian(asked: dict[str, Any]) -> dict[str, Any]:
    """doudian: signs in with a code, calls, checks messages."""
    from doudian import AppType, DouDian  # noqa: PLC0415  each client alone

    os.environ["TZ"] = "Asia/Shanghai"  # it sends the local time
    time.tzset()
    client = DouDian(asked["app_key"], asked["secret"], app_type=AppType.TOOL)
    client._gate_way = asked["url"]
    is_in = client.init_token(asked["code"])
    answers = [client.request(path, parameters) for path, parameters in asked["calls"]]
    body = asked["message"].encode()
    heads = [{"app-id": asked["app_key"], "event-sign": sign} for sign in asked["signs"]]
    return {"is_in": is_in, "answers": answers, "accepted": [client.callback(head, body) for head in heads]}


def driven_commerce(asked: dict[str, Any]) -> dict[str, Any]:
    """mcp-cn-commerce: calls with a token that it is given."""
    from servers.doudian import client as module  # noqa: PLC0415  each client alone

    if asked["at"]:
        module.time = SimpleNamespace(time=lambda: asked["at"])
    client = module.DouDianClient(asked["app_key"], asked["secret"], asked["token"], asked["shop"])
    client.BASE_URL = asked["url"]

    async def call(path: str, parameters: dict[str, Any]) -> Any:
        try:
            return await client.request(path, parameters)
        except module.DouDianAPIError as error:
            return {"refused": error.sub_code}

    async def calls() -> list[Any]:
        return [await call(path, parameters) for path, parameters in asked["calls"]]

    return {"answers": asyncio.run(calls())}


def main() -> None:
    """Do what is asked."""
    asked = json.loads(sys.argv[1])
    print(json.dumps({"doudian": driven_doudian, "commerce": driven_commerce}[asked["client"]](asked)))


if __name__ == "__main__":
    main()
