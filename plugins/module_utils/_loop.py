# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the one loop that writes. It looks, decides and acts until nothing is left to do."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ._check import check_before
from ._create import create_once
from ._errors import ProxboxError
from ._job import Job, Kind, NewJob
from ._jobs import CancelResult, Jobs
from ._liveness import examine
from ._plan import Goal, Observation, Older, Past, Plan, Policy
from ._times import LEAD
from ._wait import Waiting, wait_for_end

LOOKS = 30
"""How often the loop looks at most, without a wait for a run in between."""

PAUSE = 0.5
"""The seconds between two looks for something that NetBox is about to show."""

STARTING = timedelta(seconds=15)
"""How long the data of a run may be null when it starts. Until then nothing tells that it is a Proxbox sync."""

CREATING = timedelta(seconds=2)
"""How long the same may be so of a job that is created. The Date header counts whole seconds."""

Look = Callable[[], list[Job]]
FirstLook = Callable[[], tuple[list[Job], bool]]


@dataclass(frozen=True)
class TaskResult:
    """What a task has done, or in check mode would do.

    ``plan`` is what the task set out to do. ``job`` is the job that is left. ``cancelled`` are the jobs that were
    cancelled, as they were before. ``successor`` is the job that carries on the schedule of a cancelled job.
    ``waited`` tells whether the task has waited for the end of ``job``.
    """

    plan: Plan
    job: Job | NewJob | None
    seen: Observation
    cancelled: tuple[Job, ...] = ()
    warnings: tuple[str, ...] = ()
    successor: Job | NewJob | None = None
    waited: bool = False


def pursue(jobs: Jobs, goal: Goal, policy: Policy, look: Look, first_look: FirstLook | None = None) -> TaskResult:
    """Do what is needed until the goal is reached. In check mode, return what would be done.

    A goal that is reached costs one GET. To create a job costs GET, POST and GET. A change costs more: an OPTIONS
    before, and a POST and a GET for each job that is cancelled.

    :param look: reads the jobs that the goal is about.
    :param first_look: the same for the first look, and whether it read all jobs that there are, ended ones too.
    :raises ProxboxError: with a sentence, which also tells what was written before the failure.
    """
    return _Loop(jobs, goal, policy, look).run(first_look or (lambda: (look(), False)))


def read_known(jobs: Jobs, look: Look) -> list[Job]:
    """Return the jobs that ``look`` reads. It reads again while a run is starting that may be a Proxbox sync."""
    for _look in range(LOOKS):
        seen = look()
        if not any(_is_starting(job, jobs.session.server_now) for job in seen):
            break
        time.sleep(PAUSE)
    return seen


def _is_starting(job: Job, now: datetime) -> bool:
    """Return whether NetBox is about to tell what a job is.

    NetBox never tells it of its own system jobs, which no user has created and which come each minute.
    """
    if job.kind is not Kind.NOT_KNOWN or job.user is None or not job.living:
        return False
    since, limit = (job.started, STARTING) if job.status == "running" else (job.created, CREATING)
    return since is not None and since > now - limit


class _Loop:
    """One task on its way to its goal."""

    def __init__(self, jobs: Jobs, goal: Goal, policy: Policy, look: Look) -> None:
        self.jobs = jobs
        self.goal = goal
        self.policy = policy
        self.look = look
        self.past = Past()
        self.own: int | None = None
        """The job that this task has created and that is to stay."""
        self.new: NewJob | None = None
        self.older: tuple[Job, ...] = ()
        self.older_read = self.older_complete = False
        self.dead: dict[int, str] = {}
        self.awaited: dict[int, set[int]] = {}
        """Runs whose successor NetBox is about to create, each with the jobs that were there before."""
        self.deleted: set[int] = set()

    def run(self, first_look: FirstLook) -> TaskResult:
        seen, warnings = self.look_first(first_look)
        plan = told = self.decide(seen)
        if self.policy.when_running == "fail":
            for job in plan.cancel:
                self.refuse_running(job if self.policy.check_mode else self.refreshed(job), "nothing was changed")
        warnings += (*plan.warnings, *check_before(self.jobs, plan, self.policy))
        if self.policy.check_mode or plan.done:
            return TaskResult(plan, plan.after(), seen, plan.cancel, warnings)
        looks = LOOKS
        try:
            while True:
                waited, paused = self.act(plan, seen)
                looks = LOOKS if waited else looks - 1
                seen, settled = self.look_again()
                plan = self.decide(seen)
                told = plan if plan.changed and not told.changed else told
                if plan.done and (settled or not looks):
                    cancelled = self.past.cancelled
                    return TaskResult(told, plan.keep, seen, cancelled, (*warnings, *plan.warnings))
                if not looks:
                    raise self.unsettled(plan)
                if self.was_taken_back(seen):
                    settled = False
                    time.sleep(random.uniform(0, 3 * PAUSE))
                if not settled or paused:
                    time.sleep(PAUSE)
                if not settled:
                    plan = Plan(self.goal.name)
        except ProxboxError as exc:
            raise self.with_what_was_written(exc) from None

    def look_first(self, first_look: FirstLook) -> tuple[Observation, tuple[str, ...]]:
        all_read = False

        def look() -> list[Job]:
            nonlocal all_read
            found, all_read = first_look()
            return found

        rows, warnings = examine(self.jobs, read_known(self.jobs, look), self.policy.stale_after)
        self.dead = {job.id: job.dead for job in rows if job.dead}
        self.past = Past(first=tuple(rows))
        self.older = tuple(job for job in rows if not job.living)
        return self.observe(rows, all_read=all_read), tuple(warnings.values())

    def look_again(self) -> tuple[Observation, bool]:
        """Look again. Return also whether NetBox shows no more that it is about to change by itself."""
        rows = {job.id: self.with_what_is_known(job) for job in self.look()}
        now = self.jobs.session.server_now
        settled = not any(_is_starting(job, now) for job in rows.values())
        stays = self.past.kept | ({self.own} if self.own else set())
        for job_id in sorted(stays - rows.keys()):
            # A job that is to stay has ended meanwhile, or the token may not see it.
            job = self.jobs.get_created(job_id) if job_id == self.own else self.jobs.get(job_id)
            rows[job_id] = self.with_what_is_known(job)
            if job.interval and not (job.living or job.cancelled):
                self.awaited.setdefault(job_id, set())
        for run, before in list(self.awaited.items()):
            if any(job.interval and job.id > run and job.id not in before | {self.own} for job in rows.values()):
                del self.awaited[run]
        return self.observe(list(rows.values())), settled and not self.awaited

    def observe(self, rows: list[Job], *, all_read: bool = False) -> Observation:
        """Return what is observed, with the older jobs that the goal needs."""
        found = {job.id: job for job in (*self.older, *rows)}
        seen = Observation(
            tuple(found.values()),
            self.jobs.session.server_now,
            self.past,
            all_read or self.older_read,
            all_read or self.older_complete,
        )
        missing = self.goal.missing(seen)
        if missing is None:
            return seen
        self.older_complete = self.read_older(missing, seen)
        # A sync that runs once may run and end between two looks, so its older jobs are read each time.
        self.older_read = not missing.once
        found = {job.id: job for job in (*self.older, *rows)}
        return replace(seen, jobs=tuple(found.values()), older_read=True, older_complete=self.older_complete)

    def read_older(self, missing: Older, seen: Observation) -> bool:
        """Read older jobs until the goal needs no more of them. Return whether these are all."""
        rows, complete = self.jobs.older(missing)
        for job in rows:
            self.older += (job,)
            if missing.once and self.goal.missing(replace(seen, jobs=(*seen.jobs, job))) is None:
                break
        return complete

    def with_what_is_known(self, job: Job) -> Job:
        """Return the job with what this task knows about it and NetBox may not tell yet."""
        if job.id == self.own and self.new:
            job = replace(job, kind=Kind.SYNC, scope=job.scope or self.new.scope)
        return replace(job, dead=self.dead.get(job.id) if job.living else None)

    def decide(self, seen: Observation) -> Plan:
        plan = self.goal.decide(seen)
        if plan.keep and plan.keep.living:
            self.past = replace(self.past, kept=self.past.kept | {plan.keep.id})
        if self.policy.when_running == "wait":
            plan = plan.letting_runs_end(self.past.created)
        return plan

    def act(self, plan: Plan, seen: Observation) -> tuple[bool, bool]:
        """Create first. The next look shows the new job, and then the other jobs go.

        :return: whether the task has waited for a run, and whether NetBox does not cancel a job at this moment.
        """
        if plan.create and self.own is None:
            self.create(plan.create, seen)
            return False, False
        before = {job.id for job in seen.jobs}
        running, not_yet = list(plan.wait_for), False
        for job in plan.cancel:
            own = job.id in self.past.created
            if not own and self.policy.when_running != "cancel":
                job = self.refreshed(job)
                if job.runs and self.policy.when_running == "wait":
                    running.append(job)
                    continue
                self.leave_running(job)
            not_yet |= self.cancel(job, before) is CancelResult.NOT_YET
        for job in running:
            self.wait_for(job, before)
        if plan.delete and not (plan.cancel or running):
            self.delete(plan)
        return bool(running), not_yet

    def create(self, new: NewJob, seen: Observation) -> None:
        self.own = create_once(self.jobs, new, {job.id for job in seen.jobs})
        self.new = new
        self.past = replace(self.past, created=self.past.created | {self.own})

    def cancel(self, job: Job, before: set[int]) -> CancelResult:
        result = self.jobs.cancel(job)
        if result is CancelResult.CANCELLED and job.id == self.own:
            self.own = None  # it has made way for another job
        elif result is CancelResult.CANCELLED and job.id not in self.past.created:
            self.past = replace(self.past, cancelled=(*self.past.cancelled, job))
        elif result is CancelResult.ENDED:
            self.has_ended(job, before)
        return result

    def wait_for(self, job: Job, before: set[int]) -> None:
        """Wait for the end of a run, unless it is dead.

        :raises ProxboxError: if the time is over.
        """
        left, _warnings = wait_for_end(self.jobs, job.id, Waiting(self.policy.wait_timeout), self.policy.stale_after)
        if left is None:
            self.has_ended(job, before)
        elif left.dead:
            self.dead[job.id] = left.dead
        else:
            raise ProxboxError(
                f"The sync {job.name!r} (job {job.id}) is still running after {self.policy.wait_timeout:g} s, and it "
                "was not cancelled: run the task again later, raise wait_timeout, or set when_running: cancel."
            )

    def has_ended(self, job: Job, before: set[int]) -> None:
        self.past = replace(self.past, ended=(*self.past.ended, job))
        if job.interval:
            self.awaited[job.id] = before

    def delete(self, plan: Plan) -> None:
        """Delete rows, each once.

        :raises ProxboxError: for rows that are still there.
        """
        left = sorted(self.deleted.intersection(plan.delete))
        if left:
            raise ProxboxError(
                f"NetBox's web page deleted the rows of {plan.name!r}, but {len(left)} of them are still there (job "
                f"{left[0]}): check what creates them again, and run the task again."
            )
        self.jobs.pages.delete(plan.delete)
        self.deleted.update(plan.delete)

    def refreshed(self, job: Job) -> Job:
        """Return a job that is to go, as running if it has started since it was seen; one GET if it is due."""
        now = self.jobs.session.server_now
        due = job.status == "pending" or (job.status == "scheduled" and job.scheduled and job.scheduled <= now + LEAD)
        if job.dead or not due or self.jobs.status(job.id) != "running":
            return job
        return replace(job, status="running")

    def leave_running(self, job: Job) -> None:
        """Fail if a job is running that is not to be cancelled as it runs. Take back what this task has created."""
        if not job.runs:
            return
        if self.own and not self.past.cancelled:
            own = self.jobs.get(self.own)
            self.own = None if self.jobs.cancel(own) is CancelResult.CANCELLED else self.own
        self.refuse_running(job, "that run was not cancelled" if self.own else "nothing was changed")

    def refuse_running(self, job: Job, what: str) -> None:
        if job.runs:
            raise ProxboxError(
                f"The schedule {self.goal.name!r} is running (job {job.id}), and {what}: run the task again later, or "
                "set when_running to wait or cancel."
            )

    def was_taken_back(self, seen: Observation) -> bool:
        """Return whether another task has cancelled the job of this one, because it wants something else."""
        if any(job.id == self.own and job.cancelled for job in seen.jobs):
            self.own = None
            return True
        return False

    def unsettled(self, plan: Plan) -> ProxboxError:
        return ProxboxError(
            f"The schedule {plan.name!r} does not settle: after {LOOKS} looks there is still something to do "
            f"({'; '.join(plan.why) or 'NetBox has not created the successor of a run'}). Check what else changes it, "
            "and run the task again."
        )

    def with_what_was_written(self, exc: ProxboxError) -> ProxboxError:
        if exc.changed or not (self.own or self.past.cancelled):
            return exc
        words = [f"job {self.own} was created"] if self.own else []
        words += [f"job {job.id} was cancelled" for job in self.past.cancelled]
        return exc.saying(f"{exc} Before that, {' and '.join(words)}.", changed=True)
