# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that looks alive is, and how a schedule fares. Pure: no network, no clock, no Ansible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ._explain import headline, in_one_line
from ._job import Job, iso
from ._outcome import (
    CANCELLED,
    FAILED,
    NOTHING_DONE,
    PARTIAL,
    SUCCEEDED,
    UNKNOWN,
)
from ._worker import Service, Task

LATE = timedelta(minutes=2)
"""A job that has not started this long after its time is looked at: RQ's scheduler wakes up every few seconds, but a
new one takes over from one that died only after a minute."""

SILENCE = timedelta(minutes=5)
"""A worker tells RQ every half minute that its job goes on; after this long without, it is gone."""


def overdue(job: Job, now: datetime) -> bool:
    """Whether a job should have started by now, and has not."""
    due = job.scheduled or job.created
    return job.status in ("scheduled", "pending") and due is not None and due < now - LATE


def dead(job: Job, task: Task | None, now: datetime) -> str | None:
    """Why a job that is running, or overdue although workers serve its queue, will come to nothing; None if it may.

    :param task: RQ's record of it; None where that is not known, and only ``dead_by_age`` can tell.
    """
    if task is None:
        return None
    if task.over:
        return f"NetBox shows it as {job.status}, but its RQ task is {task.status or 'lost'}"
    if job.status == "running" and task.heartbeat and task.heartbeat < now - SILENCE:
        return f"NetBox shows it as running, but its worker has not reported since {iso(task.heartbeat)}"
    return None


def dead_by_age(job: Job, now: datetime, stale_after: timedelta) -> str | None:
    """Why a job that is running, or overdue although workers run, counts as dead for its age alone; None if it is not.

    :param stale_after: how long a run may last, or be overdue.
    """
    since = job.started if job.status == "running" else job.scheduled or job.created
    if since is None or since > now - stale_after:
        return None
    limit = f"longer than {_hours(stale_after)} (raise stale_after if it still works)"
    if job.status == "running":
        return f"it has been running since {iso(since)}, {limit}"
    return f"it has been due since {iso(since)}, {limit}, though workers run"


def _hours(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes / 60:g} h" if minutes >= 60 and minutes % 60 == 0 else f"{minutes:g} min"


def no_worker(job: Job, service: Service) -> str:
    """The sentence about a job that nobody will take."""
    which = f"no worker serves the queue {job.queue!r}" if service.workers else "no worker is running"
    due = iso(job.scheduled or job.created)
    return f"job {job.id} ({job.name}) is due at {due}, but {which}: start a worker for the queue {job.queue!r}"


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
    def runs(self) -> list[Job]:
        """The newest runs that have ended, newest first; a job that was cancelled before it began is none."""
        return [job for job in self.ended if job.started]

    @property
    def last_run(self) -> Job | None:
        """The newest run that has ended."""
        return next(iter(self.runs), None)

    @property
    def last_failure(self) -> Job | None:
        """The newest run that did not do all that was asked for; those that were cancelled are none."""
        return next((job for job in self.runs if job.outcome.verdict in (FAILED, PARTIAL)), None)

    @property
    def consecutive_failures(self) -> int:
        """How many of the newest runs, one after the other, did not do all that was asked for.

        Runs that were cancelled, and runs of which NetBox does not tell what they did, neither count nor end the row.
        """
        count = 0
        for job in self.runs:
            if job.outcome.verdict in (SUCCEEDED, NOTHING_DONE):
                break
            count += job.outcome.verdict in (FAILED, PARTIAL)
        return count

    def findings(self) -> list[tuple[str, str]]:
        """What is wrong, the worst first: a word and a sentence for each."""
        late = [job for job in self.members if overdue(job, self.now) and not job.dead]
        unserved = [job for job in self.members if job.status != "running" and not self.service.serves(job.queue)]
        found = [("stale", f"job {job.id}: {job.dead}") for job in self.members if job.dead]
        if len(self.members) > 1:
            ids = ", ".join(str(job.id) for job in self.members)
            found.append(("duplicate", f"more than one job of this schedule lives: {ids}"))
        found += [("no_worker", no_worker(job, self.service)) for job in unserved]
        found += [
            ("overdue", f"job {job.id} should have started at {iso(job.scheduled or job.created)}") for job in late
        ]
        return [*found, *self._of_runs()]

    def _of_runs(self) -> Iterable[tuple[str, str]]:
        """What is wrong with the runs that have ended."""
        failures, last = self.consecutive_failures, self.last_run
        if failures:
            what = "the last run" if self.last_failure is last else f"job {self.last_failure.id}"
            more = f" ({failures} failures since the last good run)" if failures > 1 else ""
            yield "failing", f"{what} did not do all that was asked for{more}: {in_one_line(self.last_failure)}"
        if last and last.outcome.verdict in (UNKNOWN, CANCELLED, NOTHING_DONE):
            yield last.outcome.verdict, headline(last)

    def result(self) -> dict[str, Any]:
        """This report in the shape that the module returns."""
        findings = self.findings()
        return {
            "name": self.name,
            "health": findings[0][0] if findings else "ok",
            "why": [sentence for _word, sentence in findings],
            "next_run": iso(self.next_run),
            "last_run": self.last_run.result() if self.last_run else None,
            "last_failure": self.last_failure.result() if self.last_failure else None,
            "consecutive_failures": self.consecutive_failures,
            "job": self.job.result(),
            "duplicates": [job.id for job in self.members if job is not self.job],
        }
