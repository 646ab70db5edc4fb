# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what a task observes. It reads jobs, and remembers what the task has seen and done."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ._job import Job, Kind, NewJob, follows
from ._jobs import Jobs
from ._plan import Observation, Older, Past, Plan, Policy

if TYPE_CHECKING:
    from ._goal import Goal

LOOKS = 30
"""How many times to look for something that NetBox is about to show."""

PAUSE = 0.5
"""The seconds between two such looks."""

STARTING = timedelta(seconds=15)
"""How long a run may have no data after its start. Without data, nothing shows that it is a Proxbox sync."""

CREATING = timedelta(seconds=2)
"""How long a new job may have no data. The Date header counts whole seconds."""

Look = Callable[[], list[Job]]
FirstLook = Callable[[], tuple[list[Job], bool]]


def read_known(jobs: Jobs, look: Look, concerns: Callable[[Job], bool] = lambda job: True) -> list[Job]:
    """Return the jobs that ``look`` reads. It reads again while a run is starting that may be a Proxbox sync.

    :param concerns: returns whether the kind of a job matters.
    """
    for _look in range(LOOKS):
        seen = look()
        if not any(concerns(job) and is_starting(job, jobs.session.server_now) for job in seen):
            break
        time.sleep(PAUSE)
    return seen


def is_starting(job: Job, now: datetime) -> bool:
    """Return whether NetBox is about to show the kind of a job.

    It never shows the kind of its own system jobs. No user has created these, and they come each minute.
    """
    since, limit = (job.started, STARTING) if job.status == "running" else (job.created, CREATING)
    if job.kind is Kind.SYNC and job.scope is None:
        # Its name shows that it is a sync. netbox-proxbox 0.0.24 and 0.0.25 show the scope when the backend has
        # answered.
        limit = CREATING
    elif job.kind is not Kind.NOT_KNOWN or job.user is None:
        return False
    return job.active and since is not None and since > now - limit


def _is_due(job: Job, now: datetime) -> bool:
    return job.due is not None and job.due < now


class Observer:
    """Reads the jobs that a goal is about, once for each look.

    ``past`` is what the task has seen and done. ``own`` is the id of the job that it has created and that is to stay.
    """

    def __init__(self, jobs: Jobs, goal: Goal, look: Look) -> None:
        self.past = Past()
        self.own: int | None = None
        self._jobs = jobs
        self._goal = goal
        self._look = look
        self._new: NewJob | None = None
        self._seen = Observation((), datetime.min)
        self._older: dict[int, Job] = {}
        self._older_read = self._older_complete = False
        self._dead: dict[int, str] = {}
        self._awaited: dict[int, tuple[Job, set[int]]] = {}
        """Runs whose successor NetBox is about to create, each with the ids of the jobs that were there before."""
        self._successors: set[int] = set()

    def first(self, look: FirstLook | None, policy: Policy) -> tuple[Observation, dict[int, str]]:
        """Look for the first time. Return also warnings about jobs that will not run, by their id.

        :param look: reads more than a later look, and returns also whether it has read all jobs, ended ones too.
        """
        all_read = False

        def read() -> list[Job]:
            nonlocal all_read
            if look is None:
                return self._look()
            found, all_read = look()
            return found

        rows = read_known(self._jobs, read, self._goal.concerns)
        # A job whose kind is not known matters only if it has the name of the goal.
        named = self._goal.name
        known = [job for job in rows if self._goal.concerns(job) and (job.kind is Kind.SYNC or job.name == named)]
        now = self._jobs.session.server_now
        if policy.check_queue:
            begun = known
        else:
            begun = [job for job in known if job.kind is Kind.NOT_KNOWN or job.status == "running" or _is_due(job, now)]
        warnings: dict[int, str] = {}
        if begun and policy.finds_dead:
            from ._liveness import examine  # a job that is not due yet does not need it

            examined, warnings = examine(
                self._jobs, begun, policy.stale_after, check_queue=policy.check_queue, zone=policy.zone
            )
            self._dead = {job.id: job.dead for job in examined if job.dead}
        # Later looks do not read these jobs again, because they have ended.
        self._older = {job.id: job for job in rows if look and not job.active}
        rows = [self._with_what_is_known(job) for job in rows]
        self.past = Past(first=tuple(rows))
        return self._observe(rows, all_read=all_read), warnings

    def again(self) -> tuple[Observation, bool]:
        """Look again. Return also whether NetBox is not expected to change anything by itself."""
        rows = self._look()
        rows += self._ended_since({job.id for job in rows})
        rows = [self._with_what_is_known(job) for job in rows]
        self._find_successors(rows)
        now = self._jobs.session.server_now
        settled = not self._awaited and not any(self._goal.concerns(job) and is_starting(job, now) for job in rows)
        return self._observe(rows), settled

    def plan(self, seen: Observation, policy: Policy) -> Plan:
        """Return the plan of the goal. With ``when_running`` ``wait``, it lets runs end."""
        plan = self._goal.decide(seen)
        if plan.keep and plan.keep.active:
            self.past = self.past._replace(kept=self.past.kept | {plan.keep.id})
        return plan.letting_runs_end(self.past.created) if policy.when_running == "wait" else plan

    def note_created(self, job_id: int, new: NewJob) -> None:
        """Remember a job that the task has created."""
        self.own, self._new = job_id, new
        self.past = self.past._replace(created=self.past.created | {job_id})

    def note_cancelled(self, job: Job) -> None:
        """Remember a job that the task has cancelled. If the task had created it, it is withdrawn."""
        if job.id not in self.past.created:
            self.past = self.past._replace(cancelled=(*self.past.cancelled, job))
            return
        self.past = self.past._replace(withdrawn=self.past.withdrawn | {job.id})
        self.own = None if job.id == self.own else self.own

    def note_ended(self, job: Job, now: Job | None = None) -> None:
        """Remember a job that was to end and has ended by itself. ``now`` is the job as it is now, if it was read."""
        self.past = self.past._replace(ended=(*self.past.ended, job))
        self._await_successor(now or job, {seen.id for seen in self._seen.jobs})

    def note_dead(self, job: Job) -> None:
        """Remember that a job is dead."""
        self._dead[job.id] = job.dead or "dead"

    def was_taken_back(self) -> bool:
        """Return whether another task has cancelled the job that this task has created. If so, forget the job."""
        if any(job.id == self.own and job.cancelled for job in self._seen.jobs):
            self.own = None
            return True
        return False

    def _ended_since(self, ids: Collection[int]) -> Iterable[Job]:
        """Return jobs that have ended since the last look, and the created job if NetBox does not list it."""
        known = {job.id for job in (*self.past.cancelled, *self.past.ended)} | self.past.withdrawn | {*ids}
        before = {job.id for job in self._seen.jobs}
        if self.own and self.own not in {*before, *ids}:
            from ._create import get_created

            yield self._keep_ended(get_created(self._jobs, self.own), before)
        for job in self._seen.jobs:
            if job.active and job.id not in known and (job.interval or job.id in {self.own, *self.past.kept}):
                found = self._jobs.find(job.id)
                if found:
                    yield self._keep_ended(found, before)

    def _keep_ended(self, job: Job, before: set[int]) -> Job:
        """Keep a job that has ended for all later looks."""
        if not job.active:
            self._older[job.id] = job
            self._await_successor(job, before)
        return job

    def _await_successor(self, job: Job, before: set[int]) -> None:
        if job.interval and not job.cancelled:
            self._awaited.setdefault(job.id, (job, before))

    def _find_successors(self, rows: list[Job]) -> None:
        """Stop waiting for the successors that NetBox shows. Each new job is the successor of one run at most."""
        for run, before in sorted(self._awaited.values(), key=lambda awaited: awaited[0].id):
            for job in sorted(rows, key=lambda job: job.id):
                if job.id not in {*before, self.own, *self._successors} and follows(job, run):
                    self._successors.add(job.id)
                    del self._awaited[run.id]
                    break

    def _with_what_is_known(self, job: Job) -> Job:
        """Return the job with what this task knows about it and NetBox may not tell yet."""
        if job.id == self.own and self._new:
            job = job._replace(kind=Kind.SYNC, scope=job.scope or self._new.scope)
        return job._replace(dead=self._dead.get(job.id) if job.active else None)

    def _observe(self, rows: list[Job], *, all_read: bool = False) -> Observation:
        """Return what is observed, with the older jobs that the goal needs."""
        read, complete = all_read or self._older_read, all_read or self._older_complete
        seen = self._with_older(Observation(tuple(rows), self._jobs.session.server_now, self.past, read, complete))
        missing = self._goal.missing(seen)
        if missing:
            self._older_complete = self._read_older(missing, seen)
            # A sync that runs once may run and end between two looks, so its older jobs are read again if need be.
            self._older_read = not missing.once
            seen = self._with_older(seen)._replace(older_read=True, older_complete=self._older_complete)
        self._seen = seen
        return seen

    def _with_older(self, seen: Observation) -> Observation:
        newest = {job.id: job for job in seen.jobs}
        older = {job_id: self._with_what_is_known(job) for job_id, job in self._older.items()}
        return seen._replace(jobs=tuple({**older, **newest}.values()))

    def _read_older(self, missing: Older, seen: Observation) -> bool:
        """Read older jobs until the goal needs no more of them. Return whether these are all."""
        rows, complete = self._jobs.older(missing)
        for job in rows:
            self._older[job.id] = job
            if missing.once and self._goal.missing(seen._replace(jobs=(*seen.jobs, job))) is None:
                break
        return complete
