# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the goals of single runs. ``CancelRuns`` cancels runs, ``RunNow`` runs a sync. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from ._errors import ProxboxError
from ._job import NAME_MAXIMUM, Job, Kind, NewJob, follows
from ._plan import Observation, Older, Plan
from ._times import LEAD, ago, in_zone

RUN_NOW = " (run now)"
"""What follows the name of a schedule in the name of its run at once. A job with the same name could belong to it."""


class CancelRuns(NamedTuple):
    """The goal that jobs have ended: the job ``job_id``, or all jobs with this name of the first look.

    With ``keep_schedule``, a recurring schedule has one job afterwards that has not ended. NetBox itself creates no
    successor of a job that is cancelled. ``zone`` is the time zone of the times in the sentences.
    """

    name: str
    job_id: int | None = None
    keep_schedule: bool = True
    zone: tzinfo = timezone.utc

    def concerns(self, job: Job) -> bool:
        """Return whether a job has the name."""
        return job.name == self.name

    def decide(self, seen: Observation) -> Plan:
        """Cancel the jobs of the first look. Keep the lowest of the jobs that carry on the schedule, or create one.

        :raises ProxboxError: for a schedule that cannot be kept.
        """
        targets = [job for job in seen.past.first if self._is_target(job)]
        ids = {job.id for job in targets}
        active = [job for job in seen.syncs(self.name) if job.active]
        cancel = [job for job in active if job.id in ids]
        known = {job.id for job in seen.past.first}
        recurring = [job for job in targets if job.interval]

        def carries_on(job: Job) -> bool:
            # A new job may carry on a run that did not show its scope yet.
            new = job.id not in known
            return any(job.schedule == target.schedule or (new and follows(job, target)) for target in recurring)

        others = [job for job in active if job.id not in ids and job.interval and (not recurring or carries_on(job))]
        why = [f"job {job.id} is {job.status}" for job in cancel]
        if not self.keep_schedule:
            successors = [job for job in others if any(follows(job, ended) for ended in seen.past.ended)]
            return Plan(self.name, cancel=(*cancel, *successors), why=tuple(why))
        if len({job.schedule for job in recurring if job.scope}) > 1:
            raise ProxboxError(
                f"The jobs {', '.join(str(job.id) for job in targets)} called {self.name!r} are runs of several "
                "schedules, and the task can keep one schedule only: cancel each job by its job_id, or set "
                "keep_schedule: false."
            )
        keep = next(iter(others), None)
        ended = next((job for job in (*cancel, *seen.past.cancelled) if job.interval and job.id in ids), None)
        if ended and not keep:
            create = _next_run(ended, seen.now)
            why.append(f"its schedule goes on at {in_zone(create.schedule_at or seen.now, self.zone)}")
            return Plan(self.name, create=create, cancel=tuple(cancel), why=tuple(why))
        # Another task, or NetBox, may have carried on the schedule at the same moment.
        new = [job for job in others if job.id not in known and job is not keep]
        surplus = [job for job in new if any(follows(job, target) for target in targets)]
        return Plan(self.name, keep=keep, cancel=(*cancel, *surplus), why=tuple(why))

    def missing(self, seen: Observation) -> Older | None:
        """Return None: the jobs that were read are enough."""
        return None

    def _is_target(self, job: Job) -> bool:
        """Whether a job of the first look is to end. The next run of a schedule that is kept is not."""
        if self.job_id is not None:
            return job.id == self.job_id
        next_run = job.interval is not None and job.status == "scheduled"
        return job.name == self.name and not (self.keep_schedule and next_run)


class RunNow(NamedTuple):
    """The goal that a sync runs now, or that another sync of the same scope serves, whatever its name.

    ``if_running``: ``start`` runs the sync in any case. ``join`` and ``skip`` keep a sync that is pending or running.
    ``max_age``: a sync that succeeded within this time is kept too.
    """

    new: NewJob
    if_running: str = "start"
    max_age: timedelta | None = None

    @property
    def name(self) -> str:
        """The name of the job."""
        return self.new.name

    @property
    def shares(self) -> bool:
        """Whether the run of another task serves."""
        return self.if_running != "start"

    def concerns(self, job: Job) -> bool:
        """Return whether a job may serve, now or when NetBox tells what it is."""
        return self.shares and (job.kind is Kind.NOT_KNOWN or self._is_same(job))

    def decide(self, seen: Observation) -> Plan:
        """Keep the newest sync that succeeded, else the lowest that is under way, else create one."""
        same = [job for job in seen.syncs() if self._is_same(job)]
        created = [job for job in same if job.id in seen.past.created]
        if self.max_age is not None and not created:
            for job in reversed(same):
                if job.succeeded and job.completed and job.completed >= seen.now - self.max_age:
                    reason = f"it ended {ago(seen.now - job.completed)}, within max_age, so no sync was started"
                    return Plan(self.name, keep=job, why=(reason,))
        keep = next((job for job in same if self._serves(job, seen)), None)
        if keep:
            # Two tasks that both created a sync at the same moment keep the same one.
            surplus = tuple(job for job in created if job is not keep and job.active)
            why = tuple(f"job {job.id}: a duplicate" for job in surplus)
            if not created:
                same_what = "scope" if keep.scope else "name (NetBox does not show yet what it covers)"
                why = (f"a sync of the same {same_what} was under way, so no other was started",)
            return Plan(self.name, keep=keep, cancel=surplus, why=why)
        return Plan(self.name, create=self.new, why=("a sync is to run now",))

    def missing(self, seen: Observation) -> Older | None:
        """Return None: the jobs that were read are enough."""
        return None

    def _is_same(self, job: Job) -> bool:
        # The name decides if NetBox does not tell the scope of a run.
        return job.scope == self.new.scope or (job.scope is None and job.name == self.name)

    def _serves(self, job: Job, seen: Observation) -> bool:
        if job.id in seen.past.created:
            return job.id not in seen.past.withdrawn
        if not self.shares or job.dead:
            return False
        # A sync counts too that was joined and has ended meanwhile.
        return job.status in ("pending", "running") or (job.id in seen.past.kept and not (job.active or job.cancelled))


def run_of(schedule: str, jobs: Iterable[Job], url: str) -> NewJob:
    """Return a sync to run at once that covers what a schedule covers, under a name that is not that of the schedule.

    :param jobs: the jobs with the name of the schedule that have not ended.
    :param url: the address of NetBox.
    :raises ProxboxError: if there is no such schedule, or if it is not clear what it covers.
    """
    members = [job for job in jobs if job.name == schedule and job.kind is Kind.SYNC and not job.at_once]
    if not members:
        raise ProxboxError(
            f"{url} has no schedule {schedule!r}, because no job with this name is scheduled, or running at its "
            "scheduled time: check the name, or declare the schedule with proxbox_sync_schedule."
        )
    ids = ", ".join(str(job.id) for job in members)
    scopes = {job.scope for job in members if job.scope}
    if not scopes:
        raise ProxboxError(
            f"NetBox does not show what the schedule {schedule!r} covers while its job {ids} is running: set job_id to "
            "wait for this run, or run the task again when it has ended."
        )
    scope = scopes.pop()
    if scopes:
        raise ProxboxError(
            f"The schedule {schedule!r} has several jobs ({ids}) that do not cover the same: run the task that "
            "declares the schedule first, or set sync_types and the endpoints in place of schedule."
        )
    if scope.objects:
        raise ProxboxError(
            f"The schedule {schedule!r} (job {ids}) covers single objects, which the API cannot request: use the "
            f"button 'Run now' on the page of the job at {url}/core/jobs/{members[0].id}/."
        )
    return NewJob(f"{schedule[: NAME_MAXIMUM - len(RUN_NOW)]}{RUN_NOW}", scope)


def check_target(job: Job, url: str) -> Job:
    """Return a job that is to be cancelled or waited for.

    :param url: the address of NetBox.
    :raises ProxboxError: if it is not a Proxbox sync, or if NetBox does not tell what it is.
    """
    if job.kind is Kind.FOREIGN:
        raise ProxboxError(f"Job {job.id} ({job.name}) of {url} is not a Proxbox sync.")
    if job.kind is Kind.NOT_KNOWN:
        raise ProxboxError(
            f"NetBox does not show whether job {job.id} ({job.name}) of {url} is a Proxbox sync, because the job has "
            "no data. Nothing was done. The jobs that NetBox runs for itself have no data, and a sync has none for a "
            "moment when it starts."
        )
    return job


def _next_run(job: Job, now: datetime) -> NewJob:
    """Return the next run of a recurring job after the run that is cancelled.

    :raises ProxboxError: if it cannot be created again as it is.
    """
    if job.scope is None or job.scope.objects or job.interval is None:
        what = "and NetBox does not show what it covers" if job.scope is None else "and it covers single objects"
        raise ProxboxError(
            f"Job {job.id} ({job.name}) recurs, {what}, so its schedule cannot be kept: run the task again when the "
            "job has ended, or set keep_schedule: false."
        )
    step = timedelta(minutes=job.interval)
    due = job.scheduled or now
    return NewJob(job.name, job.scope, due + step * max(1, (now + LEAD - due) // step + 1), job.interval)
