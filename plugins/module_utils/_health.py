# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: how a schedule fares. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import Any

from ._explain import headline, in_one_line
from ._job import Job, iso
from ._liveness import no_scheduler_sentence, no_worker_sentence, overdue
from ._outcome import CANCELLED, FAILED, NOTHING_DONE, PARTIAL, SUCCEEDED, UNKNOWN
from ._times import in_zone
from ._worker import Service


@dataclass(frozen=True)
class Report:
    """How one schedule fares.

    ``members`` are its jobs that have not ended. ``ended`` are the newest of its jobs that have ended, newest first.
    ``stuck_queues`` are the queues whose scheduled jobs no worker starts, as far as the token may know it. ``zone`` is
    the time zone of the times in the sentences.
    """

    name: str
    members: tuple[Job, ...]
    ended: tuple[Job, ...]
    service: Service
    now: datetime
    stuck_queues: frozenset[str] = frozenset()
    zone: tzinfo = timezone.utc

    @property
    def job(self) -> Job:
        """The member that counts: a running one, else the one with the lowest id."""
        return min(self.members, key=lambda job: (job.status != "running", job.id))

    @property
    def next_run(self) -> datetime | None:
        """When the next run is due.

        During a run it is the earliest time that NetBox may give to the successor; None if there will be none.
        """
        waiting = [job.due for job in self.members if job.status != "running" and not job.dead and job.due]
        if waiting:
            return min(waiting)
        return self.job.successor_due(self.now)

    @property
    def runs(self) -> list[Job]:
        """The newest runs that have ended, newest first. A job that was cancelled before it began is no run."""
        return [job for job in self.ended if job.started]

    @property
    def last_run(self) -> Job | None:
        """The newest run that has ended."""
        return next(iter(self.runs), None)

    @property
    def last_failure(self) -> Job | None:
        """The newest run whose outcome is failed or partial. A cancelled run is no failure."""
        return next((job for job in self.runs if job.outcome.verdict in (FAILED, PARTIAL)), None)

    @property
    def consecutive_failures(self) -> int:
        """How many of the newest runs failed, or did only a part, since the last good run.

        A cancelled run and a run with an unknown outcome neither count nor end the series.
        """
        count = 0
        for job in self.runs:
            if job.outcome.verdict in (SUCCEEDED, NOTHING_DONE):
                break
            count += job.outcome.verdict in (FAILED, PARTIAL)
        return count

    def findings(self) -> list[tuple[str, str]]:
        """Return what is wrong, the worst first: a word and a sentence for each."""
        found = [("stale", f"job {job.id}: {job.dead}") for job in self.members if job.dead]
        if len(self.members) > 1:
            ids = ", ".join(str(job.id) for job in self.members)
            found.append(("duplicate", f"more than one job of this schedule has not ended: {ids}"))
        for job in self.members:
            if self._has_no_worker(job):
                found.append(("no_worker", no_worker_sentence(job, self.service, self.zone)))
        for queue in sorted(self._queues_without_scheduler()):
            found.append(("no_scheduler", no_scheduler_sentence(queue)))
        for job in self.members:
            if job.due and overdue(job, self.now) and not job.dead:
                found.append(("overdue", f"job {job.id} should have started at {in_zone(job.due, self.zone)}"))
        return [*found, *self._of_runs()]

    def _has_no_worker(self, job: Job) -> bool:
        return job.status != "running" and not self.service.serves(job.queue)

    def _queues_without_scheduler(self) -> set[str]:
        return {job.queue for job in self.members if job.status == "scheduled"} & self.stuck_queues

    @property
    def unserved_queues(self) -> list[str]:
        """The queues in which a job of the schedule waits, and whose jobs no worker starts."""
        without_worker = {job.queue for job in self.members if self._has_no_worker(job)}
        return sorted(without_worker | self._queues_without_scheduler())

    def _of_runs(self) -> Iterable[tuple[str, str]]:
        """Return what is wrong with the runs that have ended."""
        failures, last, failure = self.consecutive_failures, self.last_run, self.last_failure
        if failures and failure:
            what = "the last run" if failure is last else f"job {failure.id}"
            more = f" ({failures} failures since the last good run)" if failures > 1 else ""
            yield "failing", f"{what} did not do everything that was requested{more}: {in_one_line(failure)}"
        if last and last.outcome.verdict in (UNKNOWN, CANCELLED, NOTHING_DONE):
            yield last.outcome.verdict, headline(last)

    def result(self) -> dict[str, Any]:
        """Return this report in the shape that the module returns."""
        return {
            **self.result_of_ended(),
            "next_run": iso(self.next_run),
            "last_failure": self.last_failure.result() if self.last_failure else None,
            "consecutive_failures": self.consecutive_failures,
            "runs": short(self.runs),
            "job": self.job.result(),
            "duplicates": [job.id for job in self.members if job is not self.job],
            "unserved_queues": self.unserved_queues,
        }

    def result_of_ended(self) -> dict[str, Any]:
        """Return this report of a schedule that has no member any more."""
        findings = self.findings()
        return {
            "name": self.name,
            "health": findings[0][0] if findings else "ok",
            "why": [sentence for _word, sentence in findings],
            "last_run": self.last_run.result() if self.last_run else None,
        }


def short(runs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return runs that have ended, without what they did in detail."""
    return [
        {
            "id": job.id,
            "outcome": job.outcome.verdict,
            "status": job.status,
            "started": iso(job.started),
            "completed": iso(job.completed),
            "duration": job.duration,
            "url": job.url,
        }
        for job in runs
    ]
