"""Processes that leave nothing behind: one group, one mark in their environment, one stop that is checked.

The mark (`DUIJIE_RUNTIME=<folder>`) is inherited by every descendant, so that leftovers of a crashed start are found
whatever became of their parents, and nothing that is not ours is ever signalled.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from duijie.connect.errors import ConfigError

MARK = "DUIJIE_RUNTIME"
STOPS = ((signal.SIGINT, 6.0), (signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0))
TAIL_LINES = 15


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ProcessGroup:
    """Named processes in one process group, logging below `folder`; the folder's path is their mark."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder.resolve()
        self._environ = {**environ, MARK: str(self.folder), "SPT_NOENV": "1"}  # setproctitle must keep the mark
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._group = 0

    @property
    def group(self) -> int:
        """The id of the process group, 0 while none of its processes lives."""
        return self._group if any(process.poll() is None for process in self._started.values()) else 0

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Start one process; stdout and stderr go to `<name>.out`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        group = self.group
        with self.log(name).open("wb") as out:
            process = subprocess.Popen(  # noqa: S603  commands are our own, never a shell
                list(command),
                env={**self._environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=group,
            )
        self._group = group or process.pid
        self._started[name] = process

    def finish(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
        """Run one process to its end. Raises ConfigError with the end of its log if it fails."""
        self.start(name, command, environ)
        status = self._started[name].wait()
        del self._started[name]
        if status:
            raise self._broken(name, status)

    def check(self) -> None:
        """Raise ConfigError, with the end of its log, for the first process that ended."""
        for name, process in self._started.items():
            status = process.poll()
            if status is not None:
                raise self._broken(name, status)

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / f"{name}.out"

    def members(self) -> list[psutil.Process]:
        """Every living process that carries our mark, also leftovers of an earlier start."""
        return [process for process in psutil.process_iter() if _mark_of(process) == str(self.folder)]

    def memory(self) -> int:
        """Bytes of all members, shared pages counted once (PSS)."""
        return sum(_pss(process) for process in self.members())

    def stop(self) -> None:
        """End all members and wait for them: asked twice, then made to. Raises ConfigError if one survives SIGKILL."""
        for number, seconds in STOPS:
            self._signal(number)
            if wait_until(lambda: not self._living(), seconds):
                self._started.clear()
                return
        left = ", ".join(f"{process.pid}" for process in self.members())
        raise ConfigError(
            f"进程 {left} 无法结束, 请手工检查 (目录 {self.folder})",
            en=f"processes {left} of {self.folder} cannot be ended; look at them by hand",
            where=str(self.folder),
        )

    def _living(self) -> list[psutil.Process]:
        for process in self._started.values():
            process.poll()
        return self.members()

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group while it is ours, then to marked processes outside of it."""
        mine = self.members()
        if self.group and any(_group_of(process) == self.group for process in mine):
            os.killpg(self.group, number)
        for process in mine:
            if _group_of(process) != self.group:
                _send(process, number)

    def _broken(self, name: str, status: int) -> ConfigError:
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return ConfigError(
            f"进程 {name} 已退出 (状态 {status}), 日志 {self.log(name)} 的末尾:\n" + "\n".join(lines),
            en=f"process {name} ended with status {status}; see {self.log(name)}",
            code="PROCESS",
            where=str(self.log(name)),
        )


def wait_until(done: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    """Ask until it is true or the time is over; returns whether it became true."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def _mark_of(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK, "")) if process.status() != psutil.STATUS_ZOMBIE else ""
    except (psutil.Error, OSError):
        return ""


def _group_of(process: psutil.Process) -> int:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return -1


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
