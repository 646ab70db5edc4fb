# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: wait for the end of a job, and give up if the time is over or the job is dead."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ._errors import ProxboxError
from ._job import ACTIVE, Job
from ._jobs import Jobs
from ._liveness import examine

if TYPE_CHECKING:
    from ._progress import Progress

T = TypeVar("T")

TRANSIENT_LIMIT = 120.0
"""How long, in seconds, a task waits for a NetBox that does not answer."""

EXAMINE_EVERY = 60.0
"""How often, in seconds, a task that waits for a sync checks whether the worker still lives."""

FIRST_PAUSE = 0.5
"""The seconds between the first two looks at a job. Each later pause is longer by a quarter."""

LOG_PAUSE = 3.0
"""The longest pause, in seconds, while the log is shown. A line is to appear within five seconds."""

REQUEST_SHARE = 20
"""A pause is at least 20 times as long as the last request took, so a long log is read less often."""

LONGEST_REQUEST_PAUSE = 15.0
"""The longest pause, in seconds, that follows from ``REQUEST_SHARE``."""


class Waiting(NamedTuple):
    """How a task waits. ``timeout`` and ``poll_interval``, the longest pause between two looks, are in seconds.

    ``progress`` shows what happens. With it, each look reads the log.
    """

    timeout: float
    poll_interval: float = 5.0
    progress: Progress | None = None


def wait_for_end(
    jobs: Jobs, job_id: int, waiting: Waiting, stale_after: timedelta | None, zone: tzinfo = timezone.utc
) -> tuple[Job | None, tuple[str, ...]]:
    """Wait until a job has ended.

    :param stale_after: as for ``examine``, like ``zone``.
    :return: None if the job has ended, else the job, which is dead or has taken too long; and warnings.
    :raises ProxboxError: if a request fails; if NetBox does not answer, only after ``TRANSIENT_LIMIT`` seconds.
    """
    deadline = time.monotonic() + waiting.timeout
    examine_at = time.monotonic() + EXAMINE_EVERY
    longest = min(waiting.poll_interval, LOG_PAUSE) if waiting.progress else waiting.poll_interval
    pause = min(FIRST_PAUSE, longest)
    while True:
        active, took = _look(jobs, job_id, waiting.progress)
        if not active:
            return None, ()
        now = time.monotonic()
        if now >= min(examine_at, deadline):
            jobs.rq.forget()
            (job,), warnings = retry_while_transient(lambda: examine(jobs, [jobs.get(job_id)], stale_after, zone=zone))
            if job.dead or now >= deadline:
                return job, tuple(warnings.values())
            examine_at = now + EXAMINE_EVERY
        time.sleep(max(0.0, min(max(pause, min(REQUEST_SHARE * took, LONGEST_REQUEST_PAUSE)), deadline - now)))
        pause = min(pause * 1.25, longest)


def _look(jobs: Jobs, job_id: int, progress: Progress | None) -> tuple[bool, float]:
    """Return whether a job has not ended, and how many seconds NetBox took to tell."""
    took = 0.0

    def timed(ask: Callable[[], T]) -> T:
        nonlocal took
        began = time.monotonic()
        answer = ask()
        took = time.monotonic() - began
        return answer

    if progress is None:
        return retry_while_transient(lambda: timed(lambda: jobs.status(job_id))) in ACTIVE, took
    if progress.unheard():
        raise ProxboxError(f"The task that waited for job {job_id} has ended: the job goes on.")
    job = retry_while_transient(
        lambda: timed(lambda: jobs.watch(job_id, include_data=progress.wants_names)), progress.tell
    )
    if job is None:
        return False, took
    service = None
    if job.status in ("scheduled", "pending") and progress.tells_workers:
        with contextlib.suppress(ProxboxError):  # only one line needs it
            service = jobs.rq.service
    progress.show(job, jobs.session.server_now, service)
    return job.active, took


def retry_while_transient(ask: Callable[[], T], tell: Callable[[str], None] = lambda line: None) -> T:
    """Ask again while NetBox does not answer, or answers HTTP 429 or 5xx: a sync goes on while NetBox is restarted.

    :param tell: shows a line about it.
    :raises ProxboxError: after ``TRANSIENT_LIMIT`` seconds, and at once for any other failure.
    """
    back_by = time.monotonic() + TRANSIENT_LIMIT
    told = False
    while True:
        try:
            return ask()
        except ProxboxError as exc:
            if not exc.transient or time.monotonic() > back_by:
                raise
            if not told:
                told = True
                tell(f"NetBox {f'answers HTTP {exc.status}' if exc.status else 'does not answer'}: asking again")
            time.sleep(2)
