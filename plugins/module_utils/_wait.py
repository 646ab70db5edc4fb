# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that looks alive is, and how to wait for its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from ._errors import ProxboxError
from ._health import dead, dead_by_age, no_worker, overdue
from ._job import Job
from ._jobs import SHORTEST_LIMIT, Jobs
from ._progress import Progress

T = TypeVar("T")

AWAY = 120.0
"""How long, in seconds, NetBox may be out of reach while a task waits for a sync, or for word of a job it created."""

DOUBT = 60.0
"""How often, in seconds, a task that waits for a sync looks at whether its worker still lives."""

FIRST_PAUSE = 0.5
"""The seconds between the first two looks at a job; each pause after it is longer by a quarter."""

NEWS = 3.0
"""The longest pause, in seconds, while the log is shown: a line is to be seen within five seconds."""

SHARE = 20
"""A pause is so many times as long as the look before it took, at least: a long log is read less often."""

LONGEST = 15.0
"""The longest pause, in seconds, that ``SHARE`` makes."""


@dataclass(frozen=True)
class Waiting:
    """How a task waits for the end of a job.

    ``timeout`` is in seconds, and so is ``poll_interval``, the longest pause between two looks. ``progress`` tells what
    happens meanwhile; with it, each look reads the log.
    """

    timeout: float
    poll_interval: float = 5.0
    progress: Progress | None = None


def examined(jobs: Jobs, seen: list[Job], stale_after: timedelta | None) -> tuple[list[Job], dict[int | None, str]]:
    """``seen`` with the dead marked, and what to warn of, by id. No request, unless a job is running or overdue.

    :param stale_after: how long a run may last, or be overdue, where the token may not ask RQ; None for as long as
        NetBox lets a sync run, which is asked when age would decide (one GET).
    """
    result, warnings = [], {}
    for job in seen:
        now = jobs.session.server_now
        reason = None
        if job.is_sync is None and job.status == "running":
            warnings[job.id] = (
                f"job {job.id} ({job.name}) is running, and NetBox does not tell whether it is a Proxbox sync: it was "
                "left alone"
            )
        elif not job.is_sync:
            pass
        elif overdue(job, now) and not jobs.rq.service.serves(job.queue):
            warnings[job.id] = no_worker(job, jobs.rq.service)
        elif overdue(job, now) or job.status == "running":
            task = jobs.rq.task(job)
            reason = dead(job, task, now)
            if task is None and dead_by_age(job, now, stale_after or SHORTEST_LIMIT):
                reason = dead_by_age(job, now, stale_after or jobs.longest_sync)
            if reason and jobs.get_status(job.id) != job.status:
                reason = None  # it moved on since it was read: alive
        result.append(replace(job, dead=reason))
    return result, warnings


def wait(
    jobs: Jobs, job_id: int, waiting: Waiting, stale_after: timedelta | None
) -> tuple[Job | None, tuple[str, ...]]:
    """Wait for a job's end; return it when it is dead, or when the time is over (and what to warn of), else None.

    :param stale_after: as for ``examined``.
    """
    deadline = time.monotonic() + waiting.timeout
    doubt = time.monotonic() + DOUBT
    longest = min(waiting.poll_interval, NEWS) if waiting.progress else waiting.poll_interval
    pause = min(FIRST_PAUSE, longest)
    while True:
        living, took = _look(jobs, job_id, waiting.progress)
        if not living:
            return None, ()
        now = time.monotonic()
        if now >= min(doubt, deadline):
            jobs.rq.forget()
            (job,), warnings = patiently(lambda: examined(jobs, [jobs.get(job_id)], stale_after))
            if job.dead or now >= deadline:
                return job, tuple(warnings.values())
            doubt = now + DOUBT
        time.sleep(max(0.0, min(max(pause, min(SHARE * took, LONGEST)), deadline - now)))
        pause = min(pause * 1.25, longest)


def _look(jobs: Jobs, job_id: int, progress: Progress | None) -> tuple[bool, float]:
    """Whether a job has not ended, and how many seconds it took NetBox to tell."""
    took = 0.0

    def timed(ask: Callable[[], T]) -> T:
        nonlocal took
        began = time.monotonic()
        answer = ask()
        took = time.monotonic() - began
        return answer

    if progress is None:
        return not patiently(lambda: timed(lambda: jobs.has_ended(job_id))), took
    if progress.unheard():
        raise ProxboxError(f"The task that waited for job {job_id} has ended: the job goes on.")
    job = patiently(lambda: timed(lambda: jobs.watch(job_id, include_data=progress.wants_names)), progress.tell)
    if job is None:
        return False, took
    service = None
    if job.status in ("scheduled", "pending") and progress.tells_workers:
        with contextlib.suppress(ProxboxError):  # it is for one line only
            service = jobs.rq.service
    progress.show(job, jobs.session.server_now, service)
    return job.living, took


def patiently(ask: Callable[[], T], tell: Callable[[str], None] = lambda line: None) -> T:
    """Ask again while NetBox is away, as when it is restarted, or asks for fewer requests: the sync goes on.

    :param tell: who is told of it.
    :raises ProxboxError: when it has been so for ``AWAY`` seconds, or answers something else.
    """
    back_by = time.monotonic() + AWAY
    told = False
    while True:
        try:
            return ask()
        except ProxboxError as exc:
            if not exc.away or time.monotonic() > back_by:
                raise
            if not told:
                told = True
                tell(f"NetBox {f'answers HTTP {exc.status}' if exc.status else 'does not answer'}: asking again")
            time.sleep(2)
