# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: run a sync now, wait for a sync, and cancel runs."""

from __future__ import annotations

from functools import partial

from ._declare import scope_mismatch
from ._errors import ProxboxError
from ._job import Job, NewJob
from ._jobs import Jobs
from ._observe import read_known
from ._plan import Observation, Plan, Policy, TaskResult
from ._pursue import pursue
from ._runs import CancelRuns, RunNow, check_target, run_of
from ._sync_jobs import judged, succeeded_since
from ._wait import Waiting, retry_while_transient, wait_for_end


def read_run_of(jobs: Jobs, schedule: str) -> NewJob:
    """Return a new sync that runs at once and covers the same as a schedule; one GET.

    :raises ProxboxError: with a sentence.
    """
    return run_of(schedule, read_known(jobs, partial(jobs.active, schedule)), jobs.url)


def run_now(
    jobs: Jobs, goal: RunNow, policy: Policy, waiting: Waiting | None, *, include_log: bool = False
) -> TaskResult:
    """Run a sync now, or join another sync of the same scope. With ``waiting``, wait for its end.

    GET, POST, GET; one GET more with ``max_age``. The caller must check the outcome of the job.

    :raises ProxboxError: with a sentence.
    """

    def first_look() -> tuple[list[Job], bool]:
        found = jobs.under_way()
        if goal.max_age is not None:
            found += succeeded_since(jobs, goal.new.scope, jobs.session.server_now - goal.max_age)
        return found, False

    result = pursue(jobs, goal, policy, jobs.under_way, first_look)
    job = result.job
    if waiting is None or policy.check_mode or not isinstance(job, Job) or not _is_waited_for(job, goal, result):
        return result
    try:
        job, warnings = _at_its_end(jobs, job.id, waiting, policy, include_log)
    except ProxboxError as exc:
        if job.id in result.seen.past.created:
            raise exc.saying(f"{exc} Before that, job {job.id} was created.", changed=True) from None
        raise
    if job.id not in result.seen.past.created and job.scope not in (None, goal.new.scope):
        # netbox-proxbox 0.0.24 and 0.0.25 show what a sync covers when the backend has answered.
        raise ProxboxError(
            f"The task joined job {job.id}, because it has the same name ({job.name}), and NetBox did not show yet "
            f"what it covers. It does not cover what was requested: {scope_mismatch(job.scope, goal.new.scope)}. Run "
            "the task again, or give its sync another name.",
            changed=result.changed,
        )
    return result._replace(job=job, warnings=(*result.warnings, *warnings), waited=True)


def await_job(
    jobs: Jobs, job_id: int, policy: Policy, waiting: Waiting | None, *, include_log: bool = False
) -> TaskResult:
    """Wait for a sync that exists already. The caller must check the outcome of the job.

    :raises ProxboxError: with a sentence; also if the job is not a Proxbox sync.
    """
    job = check_target(read_known(jobs, lambda: [jobs.get(job_id)])[0], jobs.url)
    plan = Plan(job.name, keep=job)
    result = TaskResult(plan, job, Observation((job,), jobs.session.server_now))
    if waiting is None or (policy.check_mode and job.active):
        return result
    if not job.active:
        waiting = waiting._replace(progress=None)  # there is nothing to show
    job, warnings = _at_its_end(jobs, job_id, waiting, policy, include_log)
    return result._replace(job=job, warnings=warnings, waited=True)


def cancel_runs(jobs: Jobs, goal: CancelRuns, policy: Policy) -> TaskResult:
    """Cancel a job, or all jobs of a name. The job of the result is the job ``goal.job_id``.

    :raises ProxboxError: with a sentence; for an id also if the job is not a Proxbox sync.
    """
    job_id = goal.job_id
    if job_id is None:
        result = pursue(jobs, goal, policy, lambda: jobs.active(goal.name))
        return result._replace(job=None, successor=_successor(result))
    target = check_target(read_known(jobs, lambda: [jobs.get(job_id)])[0], jobs.url)
    goal = goal._replace(name=target.name)

    def others() -> list[Job]:
        return [job for job in jobs.active(target.name) if job.id != target.id]

    def look() -> list[Job]:
        found = jobs.find(target.id)
        return [*([found] if found else []), *(others() if target.interval else [])]

    def first_look() -> tuple[list[Job], bool]:
        return [target, *(others() if target.interval and target.active else [])], False

    result = pursue(jobs, goal, policy, look, first_look)
    left = next((job for job in result.seen.jobs if job.id == target.id), target)
    return result._replace(job=left, successor=_successor(result))


def _successor(result: TaskResult) -> Job | NewJob | None:
    """Return the job that is left, if it was not there at the first look."""
    known = {job.id for job in result.seen.past.first}
    return None if isinstance(result.job, Job) and result.job.id in known else result.job


def _is_waited_for(job: Job, goal: RunNow, result: TaskResult) -> bool:
    """Return whether the task waits for the end of a job, because it has created or joined it."""
    past = result.seen.past
    had_ended = any(first.id == job.id and not first.active for first in past.first)
    return job.id in past.created or (goal.if_running == "join" and not had_ended)


def _at_its_end(
    jobs: Jobs, job_id: int, waiting: Waiting, policy: Policy, include_log: bool
) -> tuple[Job, tuple[str, ...]]:
    """Wait for the end of a job. Return the job, and warnings.

    The job has not ended if it is dead, or if the time is over.
    """
    left, warnings = wait_for_end(jobs, job_id, waiting, policy.stale_after, policy.zone)
    job = retry_while_transient(lambda: judged(jobs, jobs.get(job_id, include_log=include_log)))
    return job._replace(dead=left.dead if left and job.active else None), warnings
