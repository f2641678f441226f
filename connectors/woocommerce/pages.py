"""Pages of a list, several under way at once or from the last to the first.

Lists go by page number, and a record that changes while they are read leaves a closed window: those behind it move up
one place. Side by side that could lose one, so each page says how long the list was then (X-WP-Total), which
`duijie.pull` compares. From the last page to the first nothing can be lost: what moves is met twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from connectors.woocommerce.client import Client, Listed

PAGE_SIZE = 100
T = TypeVar("T")
R = TypeVar("R")


def ahead(call: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Results in the items' order with so many calls under way; no more results wait than that."""
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[R]] = deque()
        try:
            for item in items:
                running.append(pool.submit(copy_context().run, call, item))
                if len(running) == workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for one in running:
                one.cancel()


def forward(client: Client, path: str, workers: int, **asked: Any) -> Iterator[Listed]:
    """Every page in order, so many on their way at a time; `total` tells whether the list held still."""
    first = client.page(path, per_page=PAGE_SIZE, page=1, **asked)
    yield first
    if first.pages > 1:
        pages = range(2, first.pages + 1)
        for page in ahead(lambda page: client.later(path, per_page=PAGE_SIZE, page=page, **asked), pages, workers):
            yield page()


def backward(client: Client, path: str, **asked: Any) -> Iterator[Listed]:
    """Every page, the last first: a list that shortens under our hands loses nothing."""
    first = client.page(path, per_page=PAGE_SIZE, page=1, **asked)
    if first.pages <= 1:
        yield first
        return
    for page in range(first.pages, 0, -1):
        yield client.page(path, per_page=PAGE_SIZE, page=page, **asked)


def portions(items: Sequence[T], size: int = PAGE_SIZE) -> Iterator[Sequence[T]]:
    """The items in portions."""
    return (items[start : start + size] for start in range(0, len(items), size))
