# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the one loop that writes. It looks, decides and acts until nothing is left to do."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

from ._check import check_before
from ._create import create_once
from ._errors import ProxboxError
from ._job import Job, NewJob
from ._jobs import CancelResult, Jobs
from ._observe import LOOKS, PAUSE, FirstLook, Look, Observer
from ._plan import Goal, Observation, Plan, Policy
from ._times import LEAD
from ._wait import Waiting, wait_for_end


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
    :param first_look: reads more for the first look, and returns also whether it has read all jobs, ended ones too.
    :raises ProxboxError: with a sentence, which also tells what was written before the failure.
    """
    return _Loop(jobs, goal, policy, look).run(first_look)


class _Loop:
    """One task on its way to its goal."""

    def __init__(self, jobs: Jobs, goal: Goal, policy: Policy, look: Look) -> None:
        self.jobs = jobs
        self.goal = goal
        self.policy = policy
        self.observer = Observer(jobs, goal, look)
        self.deleted: set[int] = set()

    def run(self, first_look: FirstLook | None) -> TaskResult:
        seen, told = self.observer.first(first_look, self.policy.stale_after)
        plan = self.decide(seen)
        if self.policy.when_running == "fail":
            for job in plan.cancel:
                self.refuse_running(job if self.policy.check_mode else self.refreshed(job), "nothing was changed")
        keep = plan.keep.id if plan.keep else None
        named = {job.id for job in seen.jobs if job.name == self.goal.name}
        warnings = tuple(text for job_id, text in told.items() if job_id in {keep, *named})
        warnings += (*plan.warnings, *check_before(self.jobs, plan, self.policy))
        if self.policy.check_mode or plan.done:
            return TaskResult(plan, plan.after(), seen, plan.cancel, warnings)
        try:
            return replace(self.write(plan, seen), warnings=warnings)
        except ProxboxError as exc:
            raise self.with_what_was_written(exc) from None

    def write(self, plan: Plan, seen: Observation) -> TaskResult:
        """Act and look again until nothing is left to do.

        :raises ProxboxError: with a sentence; also if others change the same jobs all the time.
        """
        first_plan, looks = plan, LOOKS
        while looks:
            pause = PAUSE * self.act(plan, seen)
            looks = LOOKS if plan.wait_for else looks - 1
            seen, settled = self.observer.again()
            plan = self.decide(seen)
            first_plan = plan if plan.changed and not first_plan.changed else first_plan
            if plan.done and (settled or not looks):
                return TaskResult(first_plan, plan.keep, seen, self.observer.past.cancelled)
            if self.observer.was_taken_back():
                # Another task wants something else at the same moment.
                settled = False
                pause += random.uniform(0, 3 * PAUSE)
            if not settled:
                plan, pause = Plan(self.goal.name, why=plan.why), pause + PAUSE
            if pause:
                time.sleep(pause)
        raise ProxboxError(
            f"The schedule {plan.name!r} does not settle: after {LOOKS} looks there is still something to do "
            f"({'; '.join(plan.why) or 'NetBox has not created the successor of a run'}). Check what else changes it, "
            "and run the task again."
        )

    def decide(self, seen: Observation) -> Plan:
        """Return the plan. With ``when_running`` ``wait``, it lets runs end."""
        plan = self.goal.decide(seen)
        if plan.keep and plan.keep.living:
            self.observer.note_kept(plan.keep)
        if self.policy.when_running == "wait":
            plan = plan.letting_runs_end(self.observer.past.created)
        return plan

    def act(self, plan: Plan, seen: Observation) -> bool:
        """Create, or else cancel, wait and delete. The other jobs go only after a look that shows the new one.

        :return: whether NetBox does not cancel a job at this moment.
        """
        if plan.create and self.observer.own is None:
            new_id = create_once(self.jobs, plan.create, {job.id for job in seen.jobs})
            self.observer.note_created(new_id, plan.create)
            return False
        not_yet, running = False, list(plan.wait_for)
        for job in plan.cancel:
            if job.id not in self.observer.past.created and self.policy.when_running != "cancel":
                job = self.refreshed(job)
                if job.runs and self.policy.when_running == "wait":
                    running.append(job)
                    continue
                self.leave_running(job)
            not_yet |= self.cancel(job) is CancelResult.NOT_YET
        for job in running:
            self.wait_for(job)
        if plan.delete and not (plan.cancel or running):
            self.delete(plan)
        return not_yet

    def cancel(self, job: Job) -> CancelResult:
        result = self.jobs.cancel(job)
        if result is CancelResult.CANCELLED:
            self.observer.note_cancelled(job)
        elif result is CancelResult.ENDED:
            self.observer.note_ended(job)
        return result

    def wait_for(self, job: Job) -> None:
        """Wait for the end of a run, unless it is dead.

        :raises ProxboxError: if the time is over.
        """
        left, _warnings = wait_for_end(self.jobs, job.id, Waiting(self.policy.wait_timeout), self.policy.stale_after)
        if left is None:
            self.observer.note_ended(job)
        elif left.dead:
            self.observer.note_dead(left)
        else:
            raise ProxboxError(
                f"The sync {job.name!r} (job {job.id}) is still running after {self.policy.wait_timeout:g} s, and it "
                "was not cancelled: run the task again later, raise wait_timeout, or set when_running: cancel."
            )

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
        own = self.observer.own
        if own and not self.observer.past.cancelled:
            self.cancel(self.jobs.get(own))
        self.refuse_running(job, "that run was not cancelled" if self.observer.own else "nothing was changed")

    def refuse_running(self, job: Job, what: str) -> None:
        if job.runs:
            raise ProxboxError(
                f"The schedule {self.goal.name!r} is running (job {job.id}), and {what}: run the task again later, or "
                "set when_running to wait or cancel."
            )

    def with_what_was_written(self, exc: ProxboxError) -> ProxboxError:
        own, cancelled = self.observer.own, self.observer.past.cancelled
        if exc.changed or not (own or cancelled):
            return exc
        words = [f"job {own} was created"] if own else []
        words += [f"job {job.id} was cancelled" for job in cancelled]
        return exc.saying(f"{exc} Before that, {' and '.join(words)}.", changed=True)
