"""aiohttp with 16 connections, run by an environment of its own: `python aio.py URL PAGES`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import aiohttp

CONNECTIONS = 16


async def pull(url: str, pages: int) -> dict[str, float]:
    """Seconds, CPU seconds and orders."""
    asked = iter(range(1, pages + 1))
    began, worked = time.perf_counter(), time.process_time()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:
        found = await asyncio.gather(*(reader(session, url, asked) for _ in range(CONNECTIONS)))
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - worked, "orders": sum(found)}


async def reader(session: aiohttp.ClientSession, url: str, asked: Iterator[int]) -> int:
    """Reads page after page of those that nobody took yet."""
    number = 0
    for page in asked:
        async with session.get(f"{url}/orders?per_page=100&page={page}") as answer:
            number += len(await answer.json())
    return number


if __name__ == "__main__":
    print(json.dumps(asyncio.run(pull(sys.argv[1], int(sys.argv[2])))))
