# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry plans out: look, decide, act, and look again, until what is observed is what was wanted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._health import (
    STALE_AFTER,
    Report,
    dead,
    no_worker,
    overdue,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import ENDED, Job, NewJob
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import (
    Plan,
    is_that,
    known_sync_types,
    plan_absent,
    plan_cancel_named,
    plan_cancel_one,
    plan_run,
)

LOOKS = 30
"""How often to look for what NetBox is about to show: a starting run's data, a run's successor."""

PAUSE = 0.5
"""The seconds between two such looks."""

AWAY = 120.0
"""How long, in seconds, NetBox may be out of reach while a task waits for a sync to end."""

DOUBT = 60.0
"""How often, in seconds, a task that waits for a sync looks at whether its worker still lives."""

ARRIVAL = 10.0
"""How long, in seconds, to look for a job whose creation got no answer."""

HISTORY = 10
"""How many of a one-time schedule's newest jobs are read to find the one that ran."""


@dataclass(frozen=True)
class Outcome:
    """What a task did. ``plan`` is what it set out to do; ``job`` what it leaves behind, or None.

    ``successor`` is the job that carries on the schedule of one that was cancelled. ``warnings`` tell of a job that
    nobody will take. ``waited``: the task has waited for the end of ``job``, and is to judge it.
    """

    plan: Plan
    job: Job | None
    cancelled: tuple[Job, ...] = ()
    successor: Job | None = None
    warnings: tuple[str, ...] = ()
    waited: bool = False


def reconcile(
    jobs: Jobs,
    name: str,
    decide: Callable[[list[Job], datetime], Plan],
    *,
    history: bool = False,
    when_running: str = "wait",
    wait_timeout: float = 3600,
    stale_after: timedelta = STALE_AFTER,
    check_mode: bool = False,
    purge: bool = False,
) -> Outcome:
    """Make what NetBox has what ``decide`` wants. A no-op is one GET; a create is GET, POST, GET.

    A member that is running, or overdue, costs GETs more: RQ is asked whether it is alive.

    :param decide: the pure decision over the jobs observed and the server's time.
    :param history: read ended jobs of that name too: a one-time schedule may have run already.
    :param when_running: what to do with a member that is to go but is running: ``wait`` for its end and cancel the
        successor it leaves, ``cancel`` it, or ``fail`` before anything is written.
    :param wait_timeout: seconds to wait for the end of a run.
    :param stale_after: how long a run may last, or be overdue, where the token may not ask RQ.
    :param purge: read every row of the chain, for ``decide`` may want to delete them.
    :raises ProxboxError: with a sentence; also when what was created cannot be seen afterwards.
    """
    seen = jobs.with_history(name, HISTORY) if history else jobs.chain(name) if purge else jobs.living(name)
    outcome = _carry_out(jobs, name, decide, seen, history, when_running, wait_timeout, stale_after, check_mode)
    if outcome.plan.delete and not check_mode:
        _delete_rows(jobs, name)
    return outcome


def reconcile_many(
    jobs: Jobs,
    wanted: Mapping[str, tuple[Callable[[list[Job], datetime], Plan], bool]],
    *,
    purge: Callable[[str], bool] | None = None,
    when_running: str = "wait",
    wait_timeout: float = 3600,
    stale_after: timedelta = STALE_AFTER,
    check_mode: bool = False,
) -> dict[str, Outcome | ProxboxError]:
    """As ``reconcile`` for every name in ``wanted`` (its decision, and whether it runs once); one GET for all.

    A schedule that runs once and has no living member costs one more, for it may have run already.

    :param purge: whether a living schedule that is not in ``wanted`` is to end; None leaves all of those alone.
    :return: what was done for each name, or why it failed; one that fails does not stop the others.
    :raises ProxboxError: when NetBox cannot be read at all.
    """
    living: dict[str, list[Job]] = {}
    for job in jobs.living():
        living.setdefault(job.name, []).append(job)
    decisions = dict(wanted)
    for name in sorted(living.keys() - wanted.keys()):
        if purge and _is_schedule(living[name]) and purge(name):
            decisions[name] = (partial(plan_absent, name), False)
    results: dict[str, Outcome | ProxboxError] = {}
    for name, (decide, once) in decisions.items():
        try:
            seen = living.get(name, [])
            if once and not _fulfilled(decide, seen, jobs.session.server_now):
                seen = jobs.with_history(name, HISTORY)
            results[name] = _carry_out(
                jobs, name, decide, seen, once, when_running, wait_timeout, stale_after, check_mode
            )
        except ProxboxError as exc:
            results[name] = exc
    return results


def _carry_out(
    jobs: Jobs,
    name: str,
    decide: Callable[[list[Job], datetime], Plan],
    seen: list[Job],
    once: bool,
    when_running: str,
    wait_timeout: float,
    stale_after: timedelta,
    check_mode: bool,
) -> Outcome:
    seen, warnings = _examined(jobs, seen, stale_after)
    verdicts = {job.id: job.dead for job in seen if job.dead}
    first = plan = decide(seen, jobs.session.server_now)
    _check_before(jobs, plan, check_mode)
    if when_running == "fail" and plan.running:
        raise _runs(name, plan.running[0])
    if check_mode or not plan.changed:
        return Outcome(plan, plan.after, plan.cancel, warnings=warnings)
    created: int | None = None
    cancelled: list[Job] = []
    awaited: set[int] = set()
    history = [job for job in seen if not job.living]
    looks = LOOKS
    while True:
        # What this very run has created may go at once: it yields to one that somebody else created meanwhile.
        going = [job if job.id == created or when_running == "cancel" else _started(jobs, job) for job in plan.cancel]
        running = [job for job in going if job.status == "running" and not job.dead and job.id != created]
        if running and when_running == "fail":
            if created is not None:
                _cancel(jobs, jobs.get(created))
            raise _runs(name, running[0])
        if plan.create and created is None:
            created = _create(jobs, plan.create, seen)
        spare = running if when_running == "wait" else []
        for job in going:
            if job not in spare and jobs.cancel(job):
                cancelled.append(job)
        for job in spare:
            verdicts |= _wait_for_run(jobs, job, wait_timeout, stale_after)
            if job.interval and job.id not in verdicts:
                awaited.add(job.id)
            looks = LOOKS
        if any(job.id == created for job in cancelled):
            created = None  # it yielded to another one
        seen, settled = _look_again(jobs, name, created, awaited)
        seen = [replace(job, dead=verdicts.get(job.id) if job.living else None) for job in seen]
        if once and not _fulfilled(decide, seen + history, jobs.session.server_now):
            # It may have run and ended between two looks.
            history = [job for job in jobs.with_history(name, HISTORY) if not job.living]
        plan = decide(seen + history, jobs.session.server_now)
        own = next((job for job in seen if job.id == created), None)
        if plan.create and own and not (own.living or own.cancelled or own.interval):
            plan = replace(plan, create=None, keep=own)  # what was to run once has done so meanwhile
        converged = not (plan.create or plan.cancel)
        looks -= 1
        if converged and (settled or not looks):
            return Outcome(first, plan.keep, tuple(cancelled), warnings=warnings)
        if not looks:
            raise ProxboxError(
                f"The schedule {name!r} does not settle: after {LOOKS} looks there is still to do: "
                f"{'; '.join(plan.why)}. Look at what else changes it, and run the task again."
            )
        if own and own.cancelled:
            # Another controller wants something else, at the same moment: who comes last, wins.
            created, settled = None, False
            time.sleep(random.uniform(0, 3 * PAUSE))
        if not settled:
            plan = Plan(name)
            time.sleep(PAUSE)


def _fulfilled(decide: Callable[[list[Job], datetime], Plan], seen: list[Job], now: datetime) -> bool:
    """Whether nothing is to be created, as far as those jobs tell."""
    try:
        return not decide(seen, now).create
    except ProxboxError:
        return False


def _started(jobs: Jobs, job: Job) -> Job:
    """A job that is to go, running if it was due and has started since it was seen; one GET for one that was due."""
    due = job.status == "pending" or (
        job.status == "scheduled" and job.scheduled is not None and job.scheduled <= jobs.session.server_now
    )
    if job.dead or not due or jobs.get_status(job.id) != "running":
        return job
    return replace(job, status="running")


def _runs(name: str, job: Job) -> ProxboxError:
    return ProxboxError(
        f"The schedule {name!r} is running (job {job.id}), and nothing was changed: run the task again later, or "
        "choose when_running: wait or cancel."
    )


def _delete_rows(jobs: Jobs, name: str) -> None:
    """Delete every row of a chain that has ended, those too that came while it was ended."""
    jobs.pages.delete(job.id for job in jobs.chain(name) if not job.living)
    left = jobs.chain(name)
    if left:
        raise ProxboxError(
            f"NetBox's web page deleted the rows of {name!r}, but {len(left)} of them are still there (job "
            f"{left[0].id}): look at what may hold them, or makes new ones, and run the task again."
        )


def _create(jobs: Jobs, new: NewJob, seen: list[Job]) -> int:
    """Create a job exactly once and return its id, also when the answer to the request is lost.

    :raises ProxboxError: when the request failed, or when it is not known to have arrived and no job shows that it did.
    """
    # The Date header counts whole seconds.
    since = jobs.session.server_now - timedelta(seconds=2)
    known = {job.id for job in seen}
    try:
        return jobs.enqueue(new)
    except ProxboxError as exc:
        if not exc.outcome_unknown:
            raise
        lost = exc
    deadline = time.monotonic() + ARRIVAL
    while True:
        for job in sorted(jobs.created_since(new.name, since), key=lambda job: job.id or 0):
            if job.id not in known and is_that(job, new):
                return job.id
        if time.monotonic() > deadline:
            raise lost.saying(
                f"{lost} NetBox shows no such job after {ARRIVAL:.0f} s, so it seems that none was created (or the "
                "token's user may not see it), and the request was not sent again: run the task again."
            )
        time.sleep(1)


def _examined(jobs: Jobs, seen: list[Job], stale_after: timedelta) -> tuple[list[Job], tuple[str, ...]]:
    """``seen`` with the dead marked, and what to warn of. No request, unless a job is running or overdue."""
    now = jobs.session.server_now
    examined, warnings = [], []
    for job in seen:
        reason = None
        if overdue(job, now) and not jobs.rq.service.serves(job.queue):
            warnings.append(no_worker(job, jobs.rq.service))
        elif overdue(job, now) or job.status == "running":
            task = jobs.rq.task(job)
            reason = dead(job, task, now, stale_after)
            if reason and task and jobs.get_status(job.id) != job.status:
                reason = None  # it moved on between the two reads: alive
        examined.append(replace(job, dead=reason))
    return examined, tuple(warnings)


def report(jobs: Jobs, name: str | None, *, history: int, stale_after: timedelta) -> list[Report]:
    """How the schedule ``name`` fares, or every one: its living jobs, and the ``history`` newest that have ended.

    One GET for what lives, one for the workers (two where the token may only know how many), one for each schedule.
    """
    living: dict[str, list[Job]] = {}
    # A run that is just starting is not listed by the first route, and a monitor would take it for lost.
    for job in jobs.living(name) or (jobs.living_now(name) if name else []):
        living.setdefault(job.name, []).append(job)
    reports = []
    for found, members in sorted(living.items()):
        if name or _is_schedule(members):
            examined, _warnings = _examined(jobs, members, stale_after)
            ended = jobs.ended(found, history) if history else []
            reports.append(Report(found, tuple(examined), tuple(ended), jobs.rq.service, jobs.session.server_now))
    return reports


def _is_schedule(members: list[Job]) -> bool:
    """Whether those living jobs are a schedule: a sync that somebody runs once, now, is none."""
    return any(job.interval or job.status == "scheduled" for job in members)


def _wait_for_run(jobs: Jobs, job: Job, timeout: float, stale_after: timedelta) -> dict[int, str]:
    """Wait for the end of a run; of one that turns out to be dead, return the id and why."""
    left, _warnings = _wait(jobs, job.id, timeout, 5.0, stale_after)
    if left is None:
        return {}
    if left.dead:
        return {job.id: left.dead}
    raise ProxboxError(
        f"The sync {job.name!r} (job {job.id}) is still running after {timeout:g} s, and was not ended: "
        "run the task again later, raise wait_timeout, or choose when_running: cancel."
    )


def _wait(
    jobs: Jobs, job_id: int, timeout: float, poll_interval: float, stale_after: timedelta
) -> tuple[Job | None, tuple[str, ...]]:
    """Wait for a job's end; return it when it is dead, or when the time is over (and what to warn of), else None."""
    deadline = time.monotonic() + timeout
    doubt = time.monotonic() + DOUBT
    while not _has_ended(jobs, job_id):
        now = time.monotonic()
        if now >= min(doubt, deadline):
            (job,), warnings = _examined(jobs, [jobs.get(job_id)], stale_after)
            if job.dead or now >= deadline:
                return job, warnings
            doubt = now + DOUBT
        time.sleep(max(0.0, min(poll_interval, deadline - now)))
    return None, ()


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


def _look_again(jobs: Jobs, name: str, created: int | None, awaited: set[int]) -> tuple[list[Job], bool]:
    """The living jobs of that name, with the one just created even if it has ended; and whether NetBox is done.

    It is not while a run has just started, and its data is null; nor while a recurring run has just ended, ``created``
    or one of ``awaited``, and its successor is still to come. Those whose successor is there leave ``awaited``.
    """
    seen = jobs.living_now(name)
    settled = all(job.is_sync is not None for job in seen)
    if created is not None and all(job.id != created for job in seen):
        own = jobs.get(created, after_create=True)
        awaits_successor = own.interval and not own.cancelled and all(job.id < created for job in seen)
        settled = settled and not awaits_successor
        seen.append(own)
    awaited -= {run for run in awaited if any(job.id > run and job.id != created for job in seen)}
    return seen, settled and not awaited


def run_job(
    jobs: Jobs,
    new: NewJob,
    *,
    wait_timeout: float | None,
    poll_interval: float,
    when_running: str = "start",
    max_age: timedelta | None = None,
    stale_after: timedelta = STALE_AFTER,
    check_mode: bool = False,
) -> Outcome:
    """Run a sync now; with ``wait_timeout`` wait so many seconds at most for its end. GET, POST, then GETs.

    ``when_running`` and ``max_age`` (one GET more) as in ``plan_run``; one that is joined is waited for as well.
    The job of the outcome may have failed, or may not have ended: that is for the caller to judge.
    """
    seen = jobs.underway()
    now = jobs.session.server_now
    if when_running != "start":
        seen, _warnings = _examined(jobs, seen, stale_after)
    if max_age is not None:
        seen += jobs.succeeded_since(new.scope, now - max_age)
    plan = plan_run(new, seen, now, when_running=when_running, max_age=max_age)
    _check_before(jobs, plan, check_mode)
    serves = plan.keep is not None and (when_running == "skip" or not plan.keep.living)
    if check_mode or serves:
        return Outcome(plan, plan.after)
    job = plan.keep or jobs.get(_create(jobs, new, seen), after_create=True)
    if wait_timeout is None:
        return Outcome(plan, job)
    left, warnings = _wait(jobs, job.id, wait_timeout, poll_interval, stale_after)
    job = jobs.get(job.id, include_log=True)
    job = replace(job, dead=left.dead if left and job.living else None)
    return Outcome(plan, job, warnings=warnings, waited=True)


def cancel_jobs(
    jobs: Jobs, *, job_id: int | None, name: str | None, keep_schedule: bool = True, check_mode: bool = False
) -> Outcome:
    """Cancel the job ``job_id``, or every living one named ``name``. A no-op is one GET.

    :param keep_schedule: cancelling a recurring run does not end its schedule: the next run is created first.
    :raises ProxboxError: with a sentence; for an id also when that is no Proxbox sync.
    """
    target = jobs.get_sync(job_id) if job_id is not None else None
    if target:
        living = jobs.living(target.name) if target.living and target.interval and keep_schedule else []
        plan = plan_cancel_one(target, living, jobs.session.server_now, keep_schedule=keep_schedule)
    else:
        living = jobs.living(name)
        plan = plan_cancel_named(name, living, jobs.session.server_now, keep_schedule=keep_schedule)
    _check_before(jobs, plan, check_mode)
    if check_mode or not plan.changed:
        return Outcome(plan, target, plan.cancel, plan.after)
    successor = jobs.get(_create(jobs, plan.create, living), after_create=True) if plan.create else None
    cancelled = tuple(job for job in plan.cancel if _cancel(jobs, job))
    if successor and not any(job.interval for job in cancelled):
        # The run ended by itself meanwhile, and NetBox makes the successor.
        _cancel(jobs, successor)
        successor = None
    return Outcome(plan, jobs.get(job_id) if target else None, cancelled, successor)


def _cancel(jobs: Jobs, job: Job) -> bool:
    """Cancel a job, also one that is starting at this moment. Return whether it was living."""
    for _look in range(LOOKS):
        done = jobs.cancel(job)
        if done is not None:
            return done
        time.sleep(PAUSE)
    raise ProxboxError(
        f"NetBox does not cancel the job {job.id} ({job.name}): its row says nothing of what it is. Run the task again."
    )


def _check_before(jobs: Jobs, plan: Plan, check_mode: bool) -> None:
    """Refuse beforehand what the server would refuse, or worse, would take."""
    if plan.cancel:
        jobs.check_cancel()
    if not check_mode and (plan.delete or (plan.cancel and jobs.cancels_by_page)):
        jobs.pages.log_in()
    if plan.create:
        jobs.check_scope(plan.create.scope)
        if check_mode:
            known_sync_types(plan.create.scope.sync_types)
