# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry plans out: look, decide, act, and look again, until what is observed is what was wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import ENDED, Job, NewJob
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Plan, known_sync_types, plan_cancel, plan_run

SETTLE = 15.0
"""How long, in seconds, to look for what NetBox is about to show: a starting run's data, a run's successor."""

AWAY = 120.0
"""How long, in seconds, NetBox may be out of reach while a task waits for a sync to end."""

HISTORY = 10
"""How many of a one-time schedule's newest jobs are read to find the one that ran."""


@dataclass(frozen=True)
class Outcome:
    """What a task did. ``plan`` is what it set out to do; ``job`` what it leaves behind, or None."""

    plan: Plan
    job: Job | None
    cancelled: tuple[Job, ...] = ()


def reconcile(
    jobs: Jobs,
    name: str,
    decide: Callable[[list[Job], datetime], Plan],
    *,
    history: bool = False,
    check_mode: bool = False,
) -> Outcome:
    """Make what NetBox has what ``decide`` wants. A no-op is one GET; a create is GET, POST, GET.

    :param decide: the pure decision over the jobs observed and the server's time.
    :param history: read ended jobs of that name too: a one-time schedule may have run already.
    :raises ProxboxError: with a sentence; also when what was created cannot be seen afterwards.
    """
    seen = jobs.newest(name, HISTORY) if history else jobs.living(name)
    now = jobs.session.server_now
    first = plan = decide(seen, now)
    _check_before_create(jobs, plan, check_mode)
    if check_mode or not plan.changed:
        return Outcome(plan, plan.after, plan.cancel)
    created: int | None = None
    cancelled: list[Job] = []
    deadline = time.monotonic() + SETTLE
    while True:
        if plan.create and created is None:
            created = jobs.enqueue(plan.create)
        for job in plan.cancel:
            if jobs.cancel(job):
                cancelled.append(job)
        own = None if any(job.id == created for job in cancelled) else created
        seen, settled = _look_again(jobs, name, own)
        plan = decide(seen, now)
        if settled and not plan.changed:
            return Outcome(first, plan.keep, tuple(cancelled))
        if time.monotonic() > deadline:
            raise ProxboxError(
                f"The schedule {name!r} does not settle: after {SETTLE:.0f} s there is still to do: "
                f"{'; '.join(plan.why) or 'a run that starts'}. Look at what else changes it, and run the task again."
            )
        if not settled:
            plan = Plan(name)
            time.sleep(0.5)


def _look_again(jobs: Jobs, name: str, created: int | None) -> tuple[list[Job], bool]:
    """The living jobs of that name, with the one just created even if it has ended; and whether NetBox is done."""
    seen = jobs.living_now(name)
    settled = all(job.is_sync is not None for job in seen)
    if created is not None and all(job.id != created for job in seen):
        own = jobs.get(created)
        seen.append(own)
        # A recurring run that has just ended: its successor comes within moments.
        settled = settled and not (own.interval and not any(job.id > created for job in seen if job.living))
    return seen, settled


def run_job(
    jobs: Jobs, new: NewJob, *, wait_timeout: float | None, poll_interval: float, check_mode: bool = False
) -> Outcome:
    """Run a sync now; with ``wait_timeout`` wait so many seconds at most for its end. GET, POST, then GETs.

    The job of the outcome may have failed, or may not have ended: that is for the caller to judge.
    """
    jobs.living(new.name)  # the same failures in check mode as in the real run
    plan = plan_run(new)
    _check_before_create(jobs, plan, check_mode)
    if check_mode:
        return Outcome(plan, plan.after)
    job_id = jobs.enqueue(new)
    if wait_timeout is None:
        return Outcome(plan, jobs.get(job_id))
    deadline = time.monotonic() + wait_timeout
    while not _has_ended(jobs, job_id) and time.monotonic() < deadline:
        time.sleep(max(0.0, min(poll_interval, deadline - time.monotonic())))
    return Outcome(plan, jobs.get(job_id, include_log=True))


def _has_ended(jobs: Jobs, job_id: int) -> bool:
    """Whether a job has ended. A NetBox that is away, being restarted say, is waited for: the sync goes on."""
    back_by = time.monotonic() + AWAY
    while True:
        try:
            return jobs.get_status(job_id) in ENDED
        except ProxboxError as exc:
            if exc.status not in (None, 502, 503, 504) or time.monotonic() > back_by:
                raise
            time.sleep(1)


def cancel_jobs(jobs: Jobs, *, job_id: int | None, name: str | None, check_mode: bool = False) -> Outcome:
    """Cancel the job ``job_id``, or every living one named ``name``. A no-op is one GET.

    :raises ProxboxError: with a sentence; for an id also when that is no Proxbox sync.
    """
    if job_id is not None:
        target = jobs.get_sync(job_id)
        plan = plan_cancel(target.name, [target])
    else:
        target = None
        plan = plan_cancel(name, jobs.living(name))
    if check_mode or not plan.changed:
        return Outcome(plan, target, plan.cancel)
    cancelled = tuple(job for job in plan.cancel if jobs.cancel(job))
    return Outcome(plan, jobs.get(job_id) if target else None, cancelled)


def _check_before_create(jobs: Jobs, plan: Plan, check_mode: bool) -> None:
    """Refuse beforehand what the server would refuse, or worse, would take."""
    if plan.create:
        jobs.check_scope(plan.create.scope)
        if check_mode:
            known_sync_types(plan.create.scope.sync_types)
