# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RQ's side of NetBox's jobs: tasks, workers and queues, as NetBox tells them. No network, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ._job import iso, read_time

SYNC_QUEUE = "default"
"""The queue on which the plugin puts syncs, and NetBox every successor (netbox-proxbox 0.0.8-0.0.29)."""


@dataclass(frozen=True)
class Task:
    """RQ's record of a job. ``status`` is RQ's word (queued, started, failed …), None when RQ has no such task."""

    status: str | None
    heartbeat: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether nothing will come of it any more."""
        return self.status in (None, "finished", "failed", "stopped", "canceled")

    @classmethod
    def from_api(cls, row: Mapping[str, Any]) -> Task:
        """Read the answer of ``/api/core/background-tasks/<uuid>/`` (NetBox 4.5-4.7)."""
        return cls(row.get("status"), read_time(row.get("last_heartbeat")))


@dataclass(frozen=True)
class Worker:
    """An RQ worker. ``busy_for`` is the time it has worked, in seconds."""

    name: str
    state: str
    queues: tuple[str, ...]
    pid: int | None = None
    born: datetime | None = None
    successful: int = 0
    failed: int = 0
    busy_for: float = 0.0

    @classmethod
    def from_api(cls, row: Mapping[str, Any]) -> Worker:
        """Read a row of ``/api/core/background-workers/`` (NetBox 4.5-4.7)."""
        pid = str(row.get("pid") or "")
        return cls(
            name=str(row.get("name") or ""),
            state=str(row.get("state") or ""),
            queues=tuple(row.get("queue_names") or ()),
            pid=int(pid) if pid.isdigit() else None,
            born=read_time(row.get("birth_date")),
            successful=row.get("successful_job_count") or 0,
            failed=row.get("failed_job_count") or 0,
            busy_for=float(row.get("total_working_time") or 0),
        )

    def result(self) -> dict[str, Any]:
        """This worker in the shape that the modules return."""
        return {
            "name": self.name,
            "state": self.state,
            "queues": list(self.queues),
            "pid": self.pid,
            "born": iso(self.born),
            "successful": self.successful,
            "failed": self.failed,
            "busy_for": self.busy_for,
        }


@dataclass(frozen=True)
class Queue:
    """An RQ queue: how many jobs wait, run, are scheduled and have failed, and how many workers serve it."""

    name: str
    workers: int
    waiting: int
    running: int
    scheduled: int
    failed: int

    @classmethod
    def from_api(cls, row: Mapping[str, Any]) -> Queue:
        """Read a row of ``/api/core/background-queues/`` (NetBox 4.5-4.7)."""
        return cls(
            name=str(row.get("name") or ""),
            workers=row.get("workers") or 0,
            waiting=row.get("jobs") or 0,
            running=row.get("started_jobs") or 0,
            scheduled=row.get("scheduled_jobs") or 0,
            failed=row.get("failed_jobs") or 0,
        )

    def result(self) -> dict[str, Any]:
        """This queue in the shape that the modules return."""
        return dict(vars(self))


@dataclass(frozen=True)
class Service:
    """Who works: how many workers run, and which queues they serve (None where the token may not know)."""

    workers: int
    queues: frozenset[str] | None = None
    known: tuple[Worker, ...] = ()

    @classmethod
    def of(cls, workers: Iterable[Worker]) -> Service:
        """What those workers serve."""
        workers = tuple(workers)
        return cls(len(workers), frozenset(queue for worker in workers for queue in worker.queues), workers)

    def told(self, queue: str) -> str:
        """How many workers serve that queue, in words."""
        serving = [worker for worker in self.known if queue in worker.queues]
        count = len(serving) if self.queues is not None else self.workers
        if not count:
            return "no worker serves it" if self.workers else "no worker runs"
        busy = sum(worker.state == "busy" for worker in serving)
        idle = ", all busy" if busy == count > 1 else ", busy" if busy == count else ""
        return f"{count} worker{'s' if count > 1 else ''}{idle}"

    def serves(self, queue: str) -> bool:
        """Whether a worker serves that queue, as far as is known."""
        return self.workers > 0 and (self.queues is None or queue in self.queues)
