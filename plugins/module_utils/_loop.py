# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the only loop that writes. It acts, looks and decides until nothing is left to do."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from ._cancel import CancelResult, cancel_job
from ._check import check_before
from ._create import create_once
from ._errors import ProxboxError
from ._job import Job
from ._jobs import Jobs
from ._observe import LOOKS, PAUSE, Observer
from ._plan import Observation, Plan, Policy, TaskResult
from ._times import LEAD
from ._wait import Waiting, wait_for_end

if TYPE_CHECKING:
    from ._goal import Goal


class Loop:
    """Carries out the plans of one task until its goal is reached."""

    def __init__(self, jobs: Jobs, goal: Goal, policy: Policy, observer: Observer) -> None:
        """
        :param observer: an observer that has looked once.
        """
        self._jobs = jobs
        self._goal = goal
        self._policy = policy
        self._observer = observer
        self._deleted: set[int] = set()
        self._wait_until: float | None = None

    def check(self, plan: Plan) -> tuple[str, ...]:
        """Check, before anything is written, whether NetBox will accept the plan. Return warnings.

        :raises ProxboxError: if NetBox would refuse the plan, or if a job is running and ``when_running`` is ``fail``.
        """
        if self._policy.when_running == "fail":
            for job in plan.cancel:
                self._refuse_running(job if self._policy.check_mode else self._refreshed(job), "nothing was changed")
        return check_before(self._jobs, plan, self._policy)

    def run(self, plan: Plan, seen: Observation) -> TaskResult:
        """Act and look again until nothing is left to do.

        :raises ProxboxError: with a sentence, which also tells what was written before the failure.
        """
        try:
            return self._repeat(plan, seen)
        except ProxboxError as exc:
            raise self._with_what_was_written(exc) from None

    def _repeat(self, plan: Plan, seen: Observation) -> TaskResult:
        """Act and look again until nothing is left to do.

        :raises ProxboxError: with a sentence; also if others change the same jobs all the time.
        """
        first_plan, looks = plan, LOOKS
        while looks:
            pause = PAUSE if self._act(plan, seen) else 0.0
            looks = LOOKS if plan.wait_for else looks - 1
            seen, settled = self._observer.again()
            plan = self._observer.plan(seen, self._policy)
            first_plan = plan if plan.changed and not first_plan.changed else first_plan
            if plan.done and (settled or not looks):
                past = self._observer.past
                written = bool(past.created or past.cancelled or self._deleted)
                return TaskResult(first_plan, plan.keep, seen, past.cancelled, changed=written)
            if self._observer.was_taken_back():
                # Another task wants something else at the same moment.
                settled = False
                pause += random.uniform(0, 3 * PAUSE)
            if not settled:
                plan, pause = Plan(self._goal.name, why=plan.why), pause + PAUSE
            if pause:
                time.sleep(pause)
        raise ProxboxError(
            f"The jobs called {plan.name!r} keep changing. After {LOOKS} checks, there is still something to do: "
            f"{'; '.join(plan.why) or 'NetBox has not created the next run'}. Check which other task or user changes "
            "them, and run the task again."
        )

    def _act(self, plan: Plan, seen: Observation) -> bool:
        """Create, or else cancel, wait and delete. Other jobs are cancelled only after a look has shown the new one.

        :return: whether NetBox does not accept a cancel yet, so that it must be sent again.
        """
        if plan.create and self._observer.own is None:
            new_id = create_once(self._jobs, plan.create, {job.id for job in seen.jobs})
            self._observer.note_created(new_id, plan.create)
            return False
        not_yet, running = False, list(plan.wait_for)
        for job in plan.cancel:
            if job.id not in self._observer.past.created and self._policy.when_running != "cancel":
                job = self._refreshed(job)
                if job.runs and self._policy.when_running == "wait":
                    running.append(job)
                    continue
                self._leave_running(job)
            not_yet |= self._cancel(job) is CancelResult.NOT_YET
        for job in running:
            self._wait_for(job)
        if plan.delete and not (plan.cancel or running):
            self._delete(plan)
        return not_yet

    def _cancel(self, job: Job) -> CancelResult:
        result = cancel_job(self._jobs, job)
        if result is CancelResult.CANCELLED:
            self._observer.note_cancelled(job)
        elif result is CancelResult.ENDED:
            self._observer.note_ended(job)
        return result

    def _wait_for(self, job: Job) -> None:
        """Wait for the end of a run, unless it is dead.

        :raises ProxboxError: if the time is over.
        """
        # The time limit applies to all runs together.
        self._wait_until = self._wait_until or time.monotonic() + self._policy.wait_timeout
        waiting = Waiting(max(0.0, self._wait_until - time.monotonic()))
        left, _warnings = wait_for_end(self._jobs, job.id, waiting, self._policy.stale_after, self._policy.zone)
        if left is None:
            # Another task may have cancelled the run. Then it has no successor.
            self._observer.note_ended(job, self._jobs.find(job.id) if job.interval else None)
        elif left.dead:
            self._observer.note_dead(left)
        else:
            self._withdraw_own()
            raise ProxboxError(
                f"The sync {job.name!r} (job {job.id}) is still running after {self._policy.wait_timeout:g} s, and it "
                "was not cancelled: run the task again later, raise wait_timeout, or set when_running: cancel."
            )

    def _delete(self, plan: Plan) -> None:
        """Delete rows, each once.

        :raises ProxboxError: for rows that are still there.
        """
        left = sorted(self._deleted.intersection(plan.delete))
        if left:
            self._deleted.difference_update(left)
            raise ProxboxError(
                f"NetBox's web page reported that the jobs called {plan.name!r} were deleted, but NetBox still shows "
                f"{len(left)} of them (job {left[0]}): check that the user of netbox_username may see and delete them "
                "(core.view_job, core.delete_job, and the constraints of these permissions)."
            )
        self._jobs.pages.delete(plan.delete)
        self._deleted.update(plan.delete)

    def _refreshed(self, job: Job) -> Job:
        """Return a job that is to be cancelled, as running if it has started since the last look.

        It costs one GET if the job is due.
        """
        now = self._jobs.session.server_now
        due = job.status == "pending" or (job.status == "scheduled" and job.scheduled and job.scheduled <= now + LEAD)
        if job.dead or not due or self._jobs.status(job.id) != "running":
            return job
        return job._replace(status="running")

    def _leave_running(self, job: Job) -> None:
        """Fail if a job is running, because it must not be cancelled then. Take back what this task has created."""
        if not job.runs:
            return
        self._withdraw_own()
        written = self._observer.own or self._observer.past.cancelled
        self._refuse_running(job, "that run was not cancelled" if written else "nothing was changed")

    def _withdraw_own(self) -> None:
        """Cancel the job that this task has created if the job stays that it replaces. Then nothing was changed."""
        if not self._observer.own or self._observer.past.cancelled:
            return
        own = self._jobs.get(self._observer.own)
        if not own.runs:
            self._cancel(own)

    def _refuse_running(self, job: Job, what: str) -> None:
        if job.runs:
            raise ProxboxError(
                f"The schedule {self._goal.name!r} is running (job {job.id}), and {what}: run the task again later, or "
                "set when_running to wait or cancel."
            )

    def _with_what_was_written(self, exc: ProxboxError) -> ProxboxError:
        past = self._observer.past
        created = sorted(past.created - past.withdrawn)
        if exc.changed or not (created or past.cancelled or self._deleted):
            return exc
        words = [f"job {job_id} was created" for job_id in created]
        words += [f"job {job.id} was cancelled" for job in past.cancelled]
        words += [f"{len(self._deleted)} jobs were deleted"] if self._deleted else []
        return exc.saying(f"{exc} Before that, {' and '.join(words)}.", changed=True)
