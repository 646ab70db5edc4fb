# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: RQ's tasks, workers and queues, as NetBox's REST API shows them. No network, no clock.

A value is None if NetBox does not tell it, or tells it in an unknown shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ._job import iso
from ._json import items, moment, number, seconds, text

SYNC_QUEUE = "default"
"""The queue in which the plugin puts syncs, and NetBox puts their successors (netbox-proxbox 0.0.8-0.0.29)."""


@dataclass(frozen=True)
class Task:
    """RQ's record of a job. ``status`` is RQ's word (queued, started, failed …); None if RQ has no such task."""

    status: str | None
    heartbeat: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether the task has ended, or RQ does not have it any more."""
        return self.status in (None, "finished", "failed", "stopped", "canceled")

    @classmethod
    def from_api(cls, row: Mapping[str, Any]) -> Task | None:
        """Read the answer of ``/api/core/background-tasks/<uuid>/`` (NetBox 4.5-4.7); None if it tells no status."""
        status = row.get("status")
        return cls(status, moment(row.get("last_heartbeat"))) if status and isinstance(status, str) else None


@dataclass(frozen=True)
class Worker:
    """An RQ worker.

    ``queues`` are in the order in which it looks at them. ``successful`` and ``failed`` count jobs. ``busy_for`` is the
    time it has worked, in seconds.
    """

    name: str
    state: str
    queues: tuple[str, ...] | None
    pid: int | None = None
    born: datetime | None = None
    successful: int | None = None
    failed: int | None = None
    busy_for: float | None = None

    @classmethod
    def from_api(cls, row: Mapping[str, Any]) -> Worker:
        """Read a row of ``/api/core/background-workers/`` (NetBox 4.5-4.7)."""
        queues = row.get("queue_names")
        return cls(
            name=text(row.get("name")),
            state=text(row.get("state")),
            queues=tuple(map(text, items(queues))) if isinstance(queues, list) else None,
            pid=number(row.get("pid")),
            born=moment(row.get("birth_date")),
            successful=number(row.get("successful_job_count")),
            failed=number(row.get("failed_job_count")),
            busy_for=seconds(row.get("total_working_time")),
        )

    def result(self) -> dict[str, Any]:
        """Return this worker in the shape that the modules return."""
        return {
            "name": self.name,
            "state": self.state,
            "queues": None if self.queues is None else list(self.queues),
            "pid": self.pid,
            "born": iso(self.born),
            "successful": self.successful,
            "failed": self.failed,
            "busy_for": self.busy_for,
        }


@dataclass(frozen=True)
class Queue:
    """An RQ queue: how many jobs wait, run, are scheduled and have failed, and how many workers serve it.

    ``scheduler_pid`` is the process id of the worker that starts the scheduled jobs of the queue when they are due.
    ``lacks_scheduler`` is true if NetBox tells that no worker does so.
    """

    name: str
    workers: int | None
    waiting: int | None
    running: int | None
    scheduled: int | None
    failed: int | None
    scheduler_pid: int | None
    lacks_scheduler: bool

    @classmethod
    def from_api(cls, row: Mapping[str, Any]) -> Queue:
        """Read a row of ``/api/core/background-queues/`` (NetBox 4.5-4.7)."""
        return cls(
            name=text(row.get("name")),
            workers=number(row.get("workers")),
            waiting=number(row.get("jobs")),
            running=number(row.get("started_jobs")),
            scheduled=number(row.get("scheduled_jobs")),
            failed=number(row.get("failed_jobs")),
            scheduler_pid=number(row.get("scheduler_pid")),
            # It is "False" if rq-scheduler is installed. NetBox does not know whether its schedulers run.
            lacks_scheduler=row.get("scheduler_pid", "") is None,
        )

    @property
    def is_stuck(self) -> bool:
        """Whether scheduled jobs do not start when they are due, although workers serve the queue."""
        return bool(self.workers and self.scheduled) and self.lacks_scheduler

    def result(self) -> dict[str, Any]:
        """Return this queue in the shape that the modules return."""
        return {name: value for name, value in vars(self).items() if name != "lacks_scheduler"}


@dataclass(frozen=True)
class Service:
    """How many workers run, and which queues they serve.

    ``workers`` is None if NetBox does not tell it. ``queues`` is None if NetBox does not show it to the user of the
    token.
    """

    workers: int | None
    queues: frozenset[str] | None = None
    known: tuple[Worker, ...] = ()

    @classmethod
    def of(cls, workers: Iterable[Worker]) -> Service:
        """Return how many workers these are, and which queues they serve."""
        workers = tuple(workers)
        served = [worker.queues for worker in workers]
        queues = None if None in served else frozenset(queue for names in served for queue in names or ())
        return cls(len(workers), queues, workers)

    def summary(self, unserved: Iterable[str]) -> str:
        """Return one sentence: how many workers run, and which queues no worker serves."""
        names = ", ".join(unserved)
        count = f"{self.workers} worker{'' if self.workers == 1 else 's'}"
        return f"{count}, {f'no worker serves {names}' if names else 'no queue without a worker'}"

    def in_words(self, queue: str) -> str:
        """Return in words how many workers serve a queue."""
        if not self.serves(queue):
            return "no worker serves it" if self.workers else "no worker runs"
        serving = [worker for worker in self.known if queue in (worker.queues or ())]
        count = len(serving) if self.queues is not None else self.workers
        if count is None:
            return "NetBox does not tell how many workers run"
        busy = sum(worker.state == "busy" for worker in serving)
        idle = ", all busy" if busy == count > 1 else ", busy" if busy == count else ""
        return f"{count} worker{'s' if count > 1 else ''}{idle}"

    def serves(self, queue: str) -> bool:
        """Return whether a worker serves a queue. It is true if NetBox does not tell."""
        return self.workers != 0 and (self.queues is None or queue in self.queues)
