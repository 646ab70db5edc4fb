# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that looks alive is, and how a schedule fares. Pure: no network, no clock, no Ansible."""

from __future__ import annotations

from datetime import datetime, timedelta

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, iso
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Service, Task

STALE_AFTER = timedelta(hours=2)
"""The plugin's default time-out of a sync: RQ lets none run longer (netbox-proxbox 0.0.8-0.0.29)."""

LATE = timedelta(minutes=2)
"""A job that has not started this long after its time is looked at: RQ's scheduler wakes up every few seconds, but a
new one takes over from one that died only after a minute."""

SILENCE = timedelta(minutes=5)
"""A worker tells RQ every half minute that its job goes on; after this long without, it is gone."""


def overdue(job: Job, now: datetime) -> bool:
    """Whether a job should have started by now, and has not."""
    due = job.scheduled or job.created
    return job.status in ("scheduled", "pending") and due is not None and due < now - LATE


def doubtful(job: Job, now: datetime) -> bool:
    """Whether a job may be dead although its row looks alive, so that RQ is worth asking."""
    return job.status == "running" or overdue(job, now)


def dead(job: Job, task: Task | None, service: Service | None, now: datetime, stale_after: timedelta) -> str | None:
    """Why a doubtful job will never end, or never start, by itself; None as long as it may.

    :param task: RQ's record of it; None where that is not known, and only its age can tell.
    :param service: who works; None where that has not been asked.
    """
    if task is not None:
        if task.over:
            return f"it is {job.status}, but its RQ task is {task.status or 'lost'}"
        if job.status == "running" and task.heartbeat and task.heartbeat < now - SILENCE:
            return f"it is running, but its worker has not been heard of since {iso(task.heartbeat)}"
        return None
    since = job.started if job.status == "running" else job.scheduled or job.created
    if since is None or since > now - stale_after:
        return None
    if job.status == "running":
        return f"it has been running since {iso(since)}, longer than stale_after"
    if service is not None and service.workers:
        return f"it has been due since {iso(since)}, longer than stale_after, though workers run"
    return None


def unserved(job: Job, service: Service) -> str | None:
    """The sentence about a job that nobody will take, or None."""
    if service.serves(job.queue):
        return None
    which = f"no worker serves the queue {job.queue!r}" if service.workers else "no worker runs at all"
    return f"The job {job.id} ({job.name}) waits since {iso(job.scheduled or job.created)}, and {which}: start one."
