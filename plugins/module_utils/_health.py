# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that looks alive is, and how a schedule fares. Pure: no network, no clock, no Ansible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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


def dead(job: Job, task: Task | None, now: datetime, stale_after: timedelta) -> str | None:
    """Why a job that is running, or overdue although workers serve its queue, will come to nothing; None if it may.

    :param task: RQ's record of it; None where that is not known, and only its age can tell.
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
    return f"it has been due since {iso(since)}, longer than stale_after, though workers run"


def no_worker(job: Job, service: Service) -> str:
    """The sentence about a job that nobody will take."""
    which = f"no worker serves the queue {job.queue!r}{'' if service.workers else ', for none runs at all'}"
    return f"job {job.id} ({job.name}) is for {iso(job.scheduled or job.created)}, and {which}: start one"


@dataclass(frozen=True)
class Report:
    """How one schedule fares: its living members, and the newest of its jobs that have ended, newest first."""

    name: str
    members: tuple[Job, ...]
    ended: tuple[Job, ...]
    service: Service
    now: datetime

    @property
    def job(self) -> Job:
        """The member that counts: one that runs, else the one with the lowest id, which a duplicate has to yield to."""
        return min(self.members, key=lambda job: (job.status != "running", job.id))

    @property
    def next_run(self) -> datetime | None:
        """When the next run is due. While one is under way: the earliest that NetBox will make of it, or None."""
        waiting = [job.scheduled or job.created for job in self.members if job.status != "running" and not job.dead]
        if waiting:
            return min(waiting)
        if self.job.interval is None or self.job.dead:
            return None
        step = timedelta(minutes=self.job.interval)
        return max((self.job.scheduled or self.job.created) + step, self.now + timedelta(minutes=1))

    @property
    def last_run(self) -> Job | None:
        """The newest run that has ended; what was cancelled before it began is none."""
        return next((job for job in self.ended if job.started), None)

    @property
    def consecutive_failures(self) -> int:
        """How many of the newest runs, one after the other, did not succeed in every stage.

        One that was cancelled as it ran is among them: it may have been dead.
        """
        runs = [job for job in self.ended if job.started]
        return next((count for count, job in enumerate(runs) if job.fully_succeeded), len(runs))

    def findings(self) -> list[tuple[str, str]]:
        """What is wrong, the worst first: a word and a sentence for each."""
        late = [job for job in self.members if overdue(job, self.now) and not job.dead]
        unserved = [job for job in self.members if job.status != "running" and not self.service.serves(job.queue)]
        failed = self.consecutive_failures
        found = [("stale", f"job {job.id}: {job.dead}") for job in self.members if job.dead]
        if len(self.members) > 1:
            found.append(("duplicate", f"living members: {', '.join(str(job.id) for job in self.members)}"))
        found += [("no_worker", no_worker(job, self.service)) for job in unserved]
        found += [("overdue", f"job {job.id}: due since {iso(job.scheduled or job.created)}") for job in late]
        if failed:
            what = "the last run" if failed == 1 else f"the last {failed} runs"
            found.append(("failing", f"{what} did not succeed: {_reason(self.last_failed)}"))
        return found

    @property
    def last_failed(self) -> Job:
        """The newest run that did not succeed."""
        return next(job for job in self.ended if job.started and not job.fully_succeeded)

    def result(self) -> dict[str, Any]:
        """This report in the shape that the module returns."""
        findings = self.findings()
        return {
            "name": self.name,
            "health": findings[0][0] if findings else "ok",
            "why": [sentence for _word, sentence in findings],
            "next_run": iso(self.next_run),
            "last_run": self.last_run.result() if self.last_run else None,
            "consecutive_failures": self.consecutive_failures,
            "job": self.job.result(),
            "duplicates": [job.id for job in self.members if job is not self.job],
        }


def _reason(job: Job) -> str:
    stage = next((stage for stage in job.stages if not stage.ok), None)
    if job.error or stage is None:
        return job.error or f"it {job.status} without a reason"
    return f"{stage.sync_type}: {stage.error or 'no reason given'}"
