# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: whether an active job can still finish.

RQ knows it, and NetBox tells superusers what RQ knows. For other tokens, the age of a run decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING

from ._errors import ProxboxError
from ._job import Job, Kind
from ._json import number
from ._times import in_words, in_zone

if TYPE_CHECKING:
    from ._jobs import Jobs
    from ._worker import Service, Task

LATE = timedelta(minutes=2)
"""How long after its time a job counts as overdue. A scheduler that replaces a dead one starts after a minute."""

SILENCE = timedelta(minutes=5)
"""After how long without a heartbeat a worker counts as dead. It sends one every 30 seconds during a job."""

ENQUEUING = timedelta(seconds=10)
"""How long after its creation RQ may not have a job yet."""

DEFAULT_TIME_LIMIT = timedelta(hours=2)
"""How long RQ lets a sync run by default, and always before netbox-proxbox 0.0.27."""

SHORTEST_TIME_LIMIT = timedelta(hours=1)
"""The shortest time limit that the plugin's setting ``sync_job_timeout`` takes (0.0.27 and newer)."""


def overdue(job: Job, now: datetime) -> bool:
    """Return whether a job should have started by now, and has not."""
    return job.status in ("scheduled", "pending") and job.due is not None and job.due < now - LATE


def examine(
    jobs: Jobs,
    seen: Iterable[Job],
    stale_after: timedelta | None,
    *,
    check_queue: bool = False,
    zone: tzinfo = timezone.utc,
) -> tuple[list[Job], dict[int, str]]:
    """Return the jobs with the dead ones marked, and warnings by the id of the job.

    Only a sync that is running or overdue costs requests. With ``check_queue``, each other one costs a GET, unless
    ``Rq.compare`` has found that its queue lacks no job.

    :param stale_after: how long a run may last, or be overdue, where the token may not ask RQ; None for as long as
        NetBox lets a sync run.
    :param zone: the time zone of the times in the sentences.
    :raises ProxboxError: with a sentence.
    """
    examined, warnings = [], {}
    for job in seen:
        now = jobs.session.server_now
        dead = None
        if job.kind is Kind.NOT_KNOWN and job.active and job.user:
            warnings[job.id] = (
                f"NetBox does not show whether job {job.id} ({job.name}), which is {job.status}, is a Proxbox sync: "
                "the module did not change it"
            )
        elif job.kind is Kind.SYNC and (job.status == "running" or overdue(job, now)):
            if job.status != "running" and not jobs.rq.service.serves(job.queue):
                warnings[job.id] = no_worker_sentence(job, jobs.rq.service, zone)
            else:
                dead = _why_dead(jobs, job, stale_after, zone)
        elif check_queue and _should_be_in_rq(job, now) and job.queue not in jobs.rq.complete:
            task = jobs.rq.task(job)
            if task is None:
                warnings[job.id] = (
                    "check_queue has no effect, because NetBox shows RQ's jobs to superusers only: use the token of a "
                    "superuser, or remove the option"
                )
            else:
                dead = _unless_moved_on(jobs, job, dead_for_rq(job, task, now, zone))
        examined.append(job._replace(dead=dead))
    return examined, warnings


def no_worker_sentence(job: Job, service: Service, zone: tzinfo = timezone.utc) -> str:
    """Return the sentence about a job that no worker will start."""
    which = f"no worker serves the queue {job.queue!r}" if service.workers else "no worker is running"
    when = f"is due at {in_zone(job.due, zone)}" if job.due else "waits for a worker"
    return f"job {job.id} ({job.name}) {when}, but {which}: start a worker for the queue {job.queue!r}"


def no_scheduler_sentence(queue: str) -> str:
    """Return the sentence about a queue whose scheduled jobs no worker starts."""
    return (
        f"workers serve the queue {queue!r}, but none of them starts its scheduled jobs. If a worker was started less "
        "than a minute after another one was killed, this lasts up to 17 minutes: restart the worker, or wait"
    )


def dead_for_rq(job: Job, task: Task, now: datetime, zone: tzinfo = timezone.utc) -> str | None:
    """Return why a job will come to nothing by what RQ knows; None if it may go on."""
    if task.over:
        return f"NetBox shows it as {job.status}, but its RQ task is {task.status or 'lost'}"
    if job.status == "running" and task.heartbeat and task.heartbeat < now - SILENCE:
        since = in_zone(task.heartbeat, zone)
        return f"NetBox shows it as running, but its worker has not reported since {since}"
    return None


def dead_by_age(job: Job, now: datetime, stale_after: timedelta, zone: tzinfo = timezone.utc) -> str | None:
    """Return why a job counts as dead because of its age; None if it does not.

    :param stale_after: how long a run may last, or be overdue although workers run.
    """
    since = job.started if job.status == "running" else job.due
    if since is None or since > now - stale_after:
        return None
    limit = f"longer than {in_words(stale_after)} (raise stale_after if it still works)"
    if job.status == "running":
        return f"it has been running since {in_zone(since, zone)}, {limit}"
    return f"it has been due since {in_zone(since, zone)}, {limit}, although workers run"


def time_limit(jobs: Jobs) -> timedelta:
    """Return how long NetBox lets a sync run (the setting ``sync_job_timeout``, 0.0.27 and newer); one GET.

    The plugin's own default is returned if the release has no such setting or the token may not read it.

    :raises ProxboxError: with a sentence.
    """
    try:
        rows = list(jobs.session.list("plugins/proxbox/settings/", {"fields": "id,sync_job_timeout"}))
    except ProxboxError as exc:
        if exc.status in (403, 404):
            return DEFAULT_TIME_LIMIT
        raise
    return time_limit_in(rows)


def time_limit_in(settings: Sequence[Mapping[str, object]]) -> timedelta:
    """Return how long NetBox lets a sync run, from the rows of the plugin's settings."""
    seconds = number(settings[0].get("sync_job_timeout")) if settings else None
    return timedelta(seconds=seconds) if seconds else DEFAULT_TIME_LIMIT


def _should_be_in_rq(job: Job, now: datetime) -> bool:
    """Return whether RQ should have an active sync. NetBox saves a job before it gives it to RQ."""
    return job.kind is Kind.SYNC and job.active and job.created is not None and job.created < now - ENQUEUING


def _why_dead(jobs: Jobs, job: Job, stale_after: timedelta | None, zone: tzinfo) -> str | None:
    """Return why a job is dead: by what RQ knows, or else by its age; None if it is not."""
    now = jobs.session.server_now
    task = jobs.rq.task(job)
    if task:
        reason = dead_for_rq(job, task, now, zone)
    elif dead_by_age(job, now, stale_after or SHORTEST_TIME_LIMIT, zone):
        # Only a run that may be too old needs the setting, which costs a GET.
        reason = dead_by_age(job, now, stale_after or time_limit(jobs), zone)
    else:
        return None
    return _unless_moved_on(jobs, job, reason)


def _unless_moved_on(jobs: Jobs, job: Job, reason: str | None) -> str | None:
    """Return the reason why a job is dead; None if the job has moved on since it was read. One GET if there is one."""
    return reason if reason and jobs.status(job.id) == job.status else None
