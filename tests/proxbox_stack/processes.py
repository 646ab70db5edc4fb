# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Start and stop processes. Only processes that were started here get a signal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from proxbox_stack.report import StackError


@dataclass(frozen=True)
class Running:
    """A process, by its id and its start time. The start time tells it from a later process with the same id."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether this process, not another one with its id, still runs. A zombie does not run."""
        stat = _stat(self.pid)
        return stat is not None and stat == ("live", self.started)


# Variables of the caller's shell that would change what a component does. With a proxy, it could not reach 127.0.0.1.
_DROPPED = (
    "DJANGO_",
    "GUNICORN_",
    "NETBOX_",
    "PG",
    "PROXBOX_",
    "PROXMOX_",
    "PYTHON",
    "UVICORN_",
    "VIRTUAL_ENV",
    "WEB_",
)


def clean_environment(more: dict[str, str]) -> dict[str, str]:
    """Return the caller's environment, without the variables that would change the stack, and with ``more``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_DROPPED) and not name.lower().endswith("_proxy")
    }
    return {**kept, **more}


def start(command: list[str], *, log: Path, env: dict[str, str], cwd: Path, user: str | None = None) -> Running:
    """Start ``command`` in its own session. Its output is appended to ``log``."""
    with open(log, "ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=clean_environment(env),
            cwd=str(cwd),
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    stat = _stat(process.pid)
    return Running(process.pid, stat[1] if stat else 0)


def stop(*running: Running, first: int = signal.SIGTERM, patience: float = 20) -> None:
    """End processes at the same time, and all other processes of their sessions.

    :raises StackError: if a process does not end even by SIGKILL.
    """
    left = list(running)
    # At first only the leader gets a signal, so that a worker can finish its work. If the leader has ended, the rest of
    # its session gets one. After ``patience`` seconds, all are killed.
    for leader in left:
        if leader.alive:
            _signal(leader.pid, first)
            # A paused process would not handle the signal.
            _signal(leader.pid, signal.SIGCONT)
    orphaned: set[int] = set()
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline:
        for leader in left:
            _reap(leader.pid)
            if not leader.alive and leader.pid not in orphaned:
                orphaned.add(leader.pid)
                for pid in _session(leader):
                    _signal(pid, signal.SIGTERM)
        left = [leader for leader in left if _session(leader)]
        time.sleep(0.1)
    deadline = time.monotonic() + 10
    while left and time.monotonic() < deadline:
        for leader in left:
            for pid in _session(leader):
                _signal(pid, signal.SIGKILL)
            _reap(leader.pid)
        left = [leader for leader in left if _session(leader)]
        time.sleep(0.1)
    if left:
        pids = ", ".join(str(leader.pid) for leader in left)
        raise StackError(f"the processes {pids} do not end, not even by SIGKILL: look at what holds them.")


def kill(running: Running) -> None:
    """Kill a process and its whole session at once, like a power cut: no process can notice the end of another one."""
    session = _session(running)
    for sign in (signal.SIGSTOP, signal.SIGKILL):
        for pid in session:
            _signal(pid, sign)
    stop(running, patience=0)


def work_horse(worker: Running) -> int | None:
    """Return the child in which an RQ worker executes a job. It is the child that leads its own process group."""
    for pid in _session(worker):
        fields = _fields(pid)
        if pid != worker.pid and fields and int(fields[2]) == pid:
            return pid
    return None


def wait_until(ready: Callable[[], bool], what: str, running: Running, log: Path, seconds: float) -> None:
    """Wait until ``ready()`` is true.

    :raises StackError: with the end of its log, if the component dies or takes too long.
    """
    deadline = time.monotonic() + seconds
    while True:
        _reap(running.pid)
        # Check this first: if the component died, another program may answer on its port.
        if not running.alive:
            raise StackError(f"{what} died while it started. The end of {log}:\n{tail(log)}")
        if ready():
            return
        if time.monotonic() > deadline:
            raise StackError(f"{what} is not ready after {seconds:.0f} s. The end of {log}:\n{tail(log)}")
        time.sleep(0.2)


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _session(running: Running) -> list[int]:
    """Return the live processes of the session that ``running`` leads; none if another process has its id now."""
    leader = _stat(running.pid)
    if leader and leader[0] == "live" and leader[1] != running.started:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _fields(int(entry.name))
            if fields and fields[0] != "Z" and int(fields[3]) == running.pid and int(fields[19]) >= running.started:
                found.append(int(entry.name))
    return found


def _stat(pid: int) -> tuple[str, int] | None:
    fields = _fields(pid)
    return None if fields is None else ("dead" if fields[0] in "ZX" else "live", int(fields[19]))


def _fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on (proc(5): 3 state, 5 group, 6 session, 22 start time)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _signal(pid: int, sign: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
