"""Processes of their own for what people type: a run that takes too long or too much memory is ended, nothing else is.

A worker holds no journal, no connection and no secret. It is sent a job as JSON, may ask what the job allows it to ask,
and answers with JSON. Two of them serve a console; whoever finds both busy waits without holding a thread.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import LifoQueue
from threading import Thread
from typing import Any

import msgspec
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from duijie import codec
from duijie.connect.errors import JournalBusy
from duijie.console.lab_run import Job, Trial, compute

SLOTS = 2
SECONDS = 3.0
STARTING_SECONDS = 15.0
WAITING = 8
JOBS = 200
MEMORY = 1 << 30
Answer = Callable[[str, str, str], Any]
EMPTY = Job("empty.in.yaml", "", "")


class Worker:
    """One process, started at its first job and again after it was ended."""

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._jobs = 0

    def run(self, job: Job, answer: Answer, seconds: float) -> Trial:
        """Run a job, answering what it asks. A job that cannot end gives a Trial with a problem."""
        pipe = self._ready()
        deadline = time.monotonic() + seconds
        try:
            pipe.send_bytes(codec.encode_ordered(job))
            while pipe.poll(max(0.0, deadline - time.monotonic())):
                told = codec.decode(pipe.recv_bytes())
                if "ask" not in told:
                    return msgspec.convert(told, Trial)
                pipe.send_bytes(codec.encode_ordered(answer(*told["ask"])))
        except (EOFError, OSError):
            self.end()
            return Trial(problem="试算占用内存过多或意外中止, 已停止; 请缩小样例或简化规则")
        except JournalBusy:
            self.end()
            raise
        self.end()
        return Trial(problem=f"试算超过 {seconds:g} 秒, 已停止; 请缩小样例或简化规则")

    def end(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _ready(self) -> Connection:
        self._jobs += 1
        if self._jobs > JOBS:
            self.end()
        if self._pipe is None:
            self._pipe, self._jobs = self._start(), 1
        return self._pipe

    def _start(self) -> Connection:
        context = get_context("spawn")
        mine, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._memory), daemon=True)
        self._process.start()
        theirs.close()
        if mine.poll(STARTING_SECONDS):
            mine.recv_bytes()
        return mine


class Workbench:
    """The workers of one console."""

    def __init__(self, slots: int = SLOTS, seconds: float = SECONDS) -> None:
        self._limiter = CapacityLimiter(slots)
        self._seconds = seconds
        self._idle: LifoQueue[Worker] = LifoQueue()
        for _ in range(slots):
            self._idle.put(Worker())

    def warm(self) -> None:
        """Start a worker in the background, so that the first job finds it ready."""
        Thread(target=self._run, args=(EMPTY, _nothing), daemon=True).start()

    async def run(self, job: Job, answer: Answer) -> Trial | None:
        """Run a job; None when too many wait already."""
        if self._limiter.statistics().tasks_waiting >= WAITING:
            return None
        return await run_sync(self._run, job, answer, limiter=self._limiter)

    def _run(self, job: Job, answer: Answer) -> Trial:
        worker = self._idle.get()
        try:
            return worker.run(job, answer, self._seconds)
        finally:
            self._idle.put(worker)


def _nothing(*_: str) -> None:
    """No job was asked anything."""


def serve(pipe: Connection, memory: int) -> None:
    """A worker's life: jobs until the console is gone."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        pipe.send_bytes(b"ready")
        while True:
            job = msgspec.convert(codec.decode(pipe.recv_bytes()), Job)
            pipe.send_bytes(codec.encode_ordered(_computed(job, pipe)))


def _computed(job: Job, pipe: Connection) -> Trial:
    def ask(*question: str) -> Any:
        pipe.send_bytes(codec.encode_ordered({"ask": question}))
        return codec.decode(pipe.recv_bytes())

    try:
        return compute(job, ask)
    except (MemoryError, RecursionError):
        return Trial(problem="试算占用内存过多或嵌套过深, 已停止; 请缩小样例或简化规则")
