# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carry plans out: look, decide, act, and look again, until what is observed is what was wanted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from ._errors import ProxboxError
from ._health import Report
from ._job import Job, NewJob
from ._jobs import Jobs
from ._outcome import FAILED, PARTIAL, UNKNOWN
from ._plan import (
    Plan,
    is_that,
    plan_absent,
    plan_cancel_named,
    plan_cancel_one,
    plan_run,
    unknown_sync_types,
)
from ._times import LEAD
from ._wait import AWAY, Waiting, examined, patiently, wait

LOOKS = 30
"""How often to look for what NetBox is about to show: a starting run's data, a run's successor."""

PAUSE = 0.5
"""The seconds between two such looks."""

ARRIVAL = 10.0
"""How long, in seconds, to look for a job whose creation got no answer, once NetBox answers again."""

STARTING = timedelta(seconds=15)
"""How long the data of a run may be null as it starts, and so not tell that it is a Proxbox sync."""

CREATING = timedelta(seconds=2)
"""How long that may be so of a job that is created. The Date header counts whole seconds."""

FRESH = 10.0
"""How old, in seconds, one read of all schedules may be when the next of them is looked at."""

HISTORY = 10
"""How many of a one-time schedule's newest jobs are read to find the one that ran."""


@dataclass(frozen=True)
class TaskResult:
    """What a task did. ``plan`` is what it set out to do; ``job`` what it leaves behind, or None.

    Where it had to wait for a run first, and nothing else to do, ``plan`` is what it did then.

    ``successor`` is the job that carries on the schedule of one that was cancelled. ``warnings`` tell of a job that
    nobody will take. ``waited``: the task has waited for the end of ``job``, and is to judge it.
    """

    plan: Plan
    job: Job | None
    cancelled: tuple[Job, ...] = ()
    successor: Job | None = None
    warnings: tuple[str, ...] = ()
    waited: bool = False


@dataclass
class _Done:
    """What has been written so far: a failure after that says so."""

    created: list[int] = field(default_factory=list)
    cancelled: list[Job] = field(default_factory=list)

    @property
    def own(self) -> int | None:
        """The job that was created, and is to stay."""
        return self.created[-1] if self.created else None

    def __enter__(self) -> _Done:
        return self

    def __exit__(self, kind: type | None, exc: BaseException | None, traceback: object) -> bool:
        if isinstance(exc, ProxboxError) and (self.created or self.cancelled) and not exc.changed:
            words = [f"job {job_id} was created" for job_id in self.created]
            words += [f"job {job.id} was cancelled" for job in self.cancelled]
            raise exc.saying(f"{exc} Before that, {' and '.join(words)}: look at them.", changed=True) from None
        return False


def reconcile(
    jobs: Jobs,
    name: str,
    decide: Callable[[list[Job], datetime], Plan],
    *,
    history: bool = False,
    when_running: str = "wait",
    wait_timeout: float = 3600,
    stale_after: timedelta | None = None,
    check_mode: bool = False,
    purge: bool = False,
) -> TaskResult:
    """Make what NetBox has what ``decide`` wants. A no-op is one GET; a create is GET, POST, GET.

    A change is that, then POST, GET for what is to go; and a GET of ``status/`` first, for old plugins cannot cancel.

    A member that is running, or overdue, costs GETs more: RQ is asked whether it is alive.

    :param decide: the pure decision over the jobs observed and the server's time.
    :param history: read ended jobs of that name too: a one-time schedule may have run already.
    :param when_running: what to do with a member that is to go but is running: ``wait`` for its end and cancel the
        successor it leaves, ``cancel`` it, or ``fail`` before anything is written.
    :param wait_timeout: seconds to wait for the end of a run.
    :param stale_after: how long a run may last, or be overdue, where the token may not ask RQ; None for as long as
        NetBox lets a sync run.
    :param purge: read every row of the chain, for ``decide`` may want to delete them.
    :raises ProxboxError: with a sentence; also when what was created cannot be seen afterwards.
    """
    read = partial(jobs.with_history, count=HISTORY) if history else jobs.chain if purge else jobs.living
    seen = _told(jobs, partial(read, name))
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
    stale_after: timedelta | None = None,
    check_mode: bool = False,
) -> dict[str, TaskResult | ProxboxError]:
    """As ``reconcile`` for every name in ``wanted`` (its decision, and whether it runs once); one GET for all.

    A schedule that runs once and has no living member costs one more, for it may have run already.

    :param purge: whether a living schedule that is not in ``wanted`` is to end; None leaves all of those alone.
    :return: what was done for each name, or why it failed; one that fails does not stop the others.
    :raises ProxboxError: when NetBox cannot be read at all.
    """
    living: dict[str, list[Job]] = {}
    read_at = 0.0

    def read() -> None:
        nonlocal read_at
        living.clear()
        # Whatever starts at this moment may be one of them.
        for job in _told(jobs, jobs.living):
            living.setdefault(job.name, []).append(job)
        read_at = time.monotonic()

    read()
    decisions = dict(wanted)
    for name in sorted(living.keys() - wanted.keys()):
        if purge and _is_schedule(living[name]) and purge(name):
            decisions[name] = (partial(plan_absent, name), False)
    results: dict[str, TaskResult | ProxboxError] = {}
    for name, (decide, once) in decisions.items():
        try:
            if time.monotonic() > read_at + FRESH:
                read()
            seen = living.get(name, [])
            if once and not _fulfilled(decide, seen, jobs.session.server_now):
                seen = _told(jobs, partial(jobs.with_history, name, HISTORY))
            results[name] = _carry_out(
                jobs, name, decide, seen, once, when_running, wait_timeout, stale_after, check_mode
            )
        except ProxboxError as exc:
            results[name] = exc
    return results


def _told(jobs: Jobs, read: Callable[[], list[Job]]) -> list[Job]:
    """What ``read`` finds. A run that is just starting is read again until NetBox tells whether it is a sync."""
    for _look in range(LOOKS):
        seen = read()
        if not any(_starting(job, jobs.session.server_now) for job in seen):
            break
        time.sleep(PAUSE)
    return seen


def _starting(job: Job, now: datetime) -> bool:
    """Whether NetBox is about to tell what a job is, which it does not yet.

    It never tells of its own system jobs, one of which comes each minute (netbox-proxbox 0.0.29); no user has
    created those.
    """
    if job.is_sync is not None or job.user is None:
        return False
    since, enough = (job.started, STARTING) if job.status == "running" else (job.created, CREATING)
    return since is not None and since > now - enough


def _carry_out(
    jobs: Jobs,
    name: str,
    decide: Callable[[list[Job], datetime], Plan],
    seen: list[Job],
    once: bool,
    when_running: str,
    wait_timeout: float,
    stale_after: timedelta | None,
    check_mode: bool,
) -> TaskResult:
    seen, warnings = examined(jobs, seen, stale_after)
    verdicts = {job.id: job.dead for job in seen if job.dead}
    done = _Done()

    def decided(seen: list[Job]) -> Plan:
        # What this very run has created may go at once: it yields to one that somebody else created.
        plan = decide(seen, jobs.session.server_now)
        return plan.sparing(done.own) if when_running == "wait" else plan

    told = plan = decided(seen)
    warned = (*warnings.values(), *_check_before(jobs, plan, check_mode))
    if when_running == "fail":
        # Also one that has become due since it was seen.
        for job in plan.cancel:
            _refuse_running(name, job if check_mode else _started(jobs, job))
    if check_mode or not (plan.changed or plan.spare):
        return TaskResult(plan, plan.after, plan.cancel, warnings=warned)
    awaited: dict[int, set[int | None]] = {}
    history = [job for job in seen if not job.living]
    looks = LOOKS
    with done:
        while True:
            if plan.create and done.own is None:
                done.created.append(_create(jobs, plan.create, seen))
            else:
                known = {job.id for job in seen}
                waiting, ended = _clear_away(jobs, plan, when_running, done)
                for job in waiting:
                    verdicts |= _wait_for_run(jobs, job, wait_timeout, stale_after)
                    looks = LOOKS
                ended += [job for job in waiting if job.id not in verdicts]
                awaited.update((job.id, known) for job in ended if job.interval)
            seen, settled = _look_again(jobs, name, done.own, awaited)
            seen = [replace(job, dead=verdicts.get(job.id) if job.living else None) for job in seen]
            if once and not _fulfilled(decide, seen + history, jobs.session.server_now):
                # It may have run and ended between two looks.
                history = [job for job in jobs.with_history(name, HISTORY) if not job.living]
            plan = decided(seen + history)
            own = next((job for job in seen if job.id == done.own), None)
            if plan.create and own and not (own.living or own.cancelled or own.interval):
                plan = replace(plan, create=None, keep=own)  # what was to run once has done so meanwhile
            told = plan if plan.changed and not told.changed else told
            looks -= 1
            converged = not (plan.create or plan.cancel or plan.spare)
            if converged and (settled or not looks):
                return TaskResult(told, plan.keep, tuple(done.cancelled), warnings=warned)
            if not looks:
                raise ProxboxError(
                    f"The schedule {name!r} does not settle: after {LOOKS} looks there is still to do: "
                    f"{'; '.join(plan.why)}. Look at what else changes it, and run the task again."
                )
            if own and own.cancelled:
                # Another controller wants something else, at the same moment: who comes last, wins.
                done.created.clear()
                settled = False
                time.sleep(random.uniform(0, 3 * PAUSE))
            if not settled:
                plan = Plan(name)
                time.sleep(PAUSE)


def _clear_away(jobs: Jobs, plan: Plan, when_running: str, done: _Done) -> tuple[list[Job], list[Job]]:
    """Cancel what is to go. Return those that run and may end first, and those that have just ended by themselves.

    :raises ProxboxError: for one that runs, with ``when_running`` ``fail``.
    """
    waiting, ended = list(plan.spare), []
    for job in plan.cancel:
        own = job.id == done.own
        if not own and when_running != "cancel":
            job = _started(jobs, job)
        if job.runs and not own and when_running == "wait":
            waiting.append(job)
            continue
        if job.runs and not own and when_running == "fail":
            if done.own and not done.cancelled and _cancel(jobs, jobs.get(done.own)):
                done.created.clear()
            _refuse_running(plan.name, job, written=bool(done.created or done.cancelled))
        cancelled = jobs.cancel(job)
        if cancelled and own:
            done.created.clear()  # it yielded to another one
        elif cancelled:
            done.cancelled.append(job)
        elif cancelled is False:
            ended.append(job)
    return waiting, ended


def _fulfilled(decide: Callable[[list[Job], datetime], Plan], seen: list[Job], now: datetime) -> bool:
    """Whether nothing is to be created, as far as those jobs tell."""
    try:
        return not decide(seen, now).create
    except ProxboxError:
        return False


def _started(jobs: Jobs, job: Job) -> Job:
    """A job that is to go, running if it is due and has started since it was seen; one GET for one that is due."""
    due = job.status == "pending" or (
        job.status == "scheduled" and job.scheduled is not None and job.scheduled <= jobs.session.server_now + LEAD
    )
    if job.dead or not due or jobs.get_status(job.id) != "running":
        return job
    return replace(job, status="running")


def _refuse_running(name: str, job: Job, *, written: bool = False) -> None:
    if job.runs:
        raise ProxboxError(
            f"The schedule {name!r} is running (job {job.id}), and "
            f"{'that run was left alone' if written else 'nothing was changed'}: run the task again later, or choose "
            "when_running: wait or cancel."
        )


def _delete_rows(jobs: Jobs, name: str) -> None:
    """Delete every row of a chain that has ended, those too that came while it was ended."""
    jobs.pages.delete(job.id for job in jobs.chain(name) if job.is_sync and not job.living)
    left = [job for job in jobs.chain(name) if job.is_sync]
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
    away, deadline = time.monotonic() + AWAY, None
    while True:
        try:
            found = jobs.created_since(new.name, since)
        except ProxboxError as exc:
            if not exc.away or time.monotonic() > away:
                raise lost.saying(
                    f"{lost} Whether NetBox created the job is not known, for it does not tell: {exc} The request was "
                    "not sent again: run the task again."
                ) from None
        else:
            for job in sorted(found, key=lambda job: job.id or 0):
                if job.is_sync is not False and job.id not in known and is_that(job, new):
                    return job.id
            deadline = deadline or time.monotonic() + ARRIVAL
            if time.monotonic() > deadline:
                raise lost.saying(
                    f"{lost} NetBox shows no such job after {ARRIVAL:.0f} s, so it seems that none was created (or the "
                    "token's user may not see it), and the request was not sent again: run the task again."
                )
        time.sleep(1)


def report(jobs: Jobs, name: str | None, *, history: int, stale_after: timedelta | None) -> list[Report]:
    """How the schedule ``name`` fares, or every one: its living jobs, and the ``history`` newest that have ended.

    One GET for what lives, one for the workers (two where the token may only know how many), one for each schedule, and
    one for the log of the newest run that did not do all that was asked for.
    """
    living: dict[str, list[Job]] = {}
    for job in _told(jobs, partial(jobs.living, name)):
        # One that does not tell what it is counts where its name was asked for: a monitor would take it for lost.
        if job.is_sync or (name and job.is_sync is None and job.status == "running"):
            living.setdefault(job.name, []).append(replace(job, is_sync=True))
    reports = []
    for found, members in sorted(living.items()):
        if name or _is_schedule(members):
            members, _warnings = examined(jobs, members, stale_after)
            ended = jobs.ended(found, history) if history else []
            for number, job in enumerate(ended):
                if job.outcome.verdict in (FAILED, PARTIAL, UNKNOWN):
                    ended[number] = jobs.judged(job)  # it is the one to tell of
                    break
            reports.append(Report(found, tuple(members), tuple(ended), jobs.rq.service, jobs.session.server_now))
    return reports


def _is_schedule(members: list[Job]) -> bool:
    """Whether those living jobs are a schedule: a sync that somebody runs once, now, is none."""
    return any(job.is_sync and (job.interval or job.status == "scheduled") for job in members)


def _wait_for_run(jobs: Jobs, job: Job, timeout: float, stale_after: timedelta | None) -> dict[int, str]:
    """Wait for the end of a run; of one that turns out to be dead, return the id and why."""
    left, _warning = wait(jobs, job.id, Waiting(timeout), stale_after)
    if left is None:
        return {}
    if left.dead:
        return {job.id: left.dead}
    raise ProxboxError(
        f"The sync {job.name!r} (job {job.id}) is still running after {timeout:g} s, and was not ended: "
        "run the task again later, raise wait_timeout, or choose when_running: cancel."
    )


def _look_again(
    jobs: Jobs, name: str, created: int | None, awaited: dict[int, set[int | None]]
) -> tuple[list[Job], bool]:
    """The living jobs of that name, with the one just created even if it has ended; and whether NetBox is done.

    It is not while a run has just started, and its data is null; nor while a recurring run has just ended, ``created``
    or one of ``awaited``, and its successor is still to come. Those whose successor is there leave ``awaited``, which
    holds for each the jobs that were there before it ended.
    """
    seen = jobs.living(name)
    settled = not any(_starting(job, jobs.session.server_now) for job in seen)
    if created is not None and all(job.id != created for job in seen):
        own = jobs.get(created, after_create=True)
        if own.interval and not (own.living or own.cancelled):
            awaited.setdefault(created, set())
        seen.append(own)
    for run, before in list(awaited.items()):
        if any(job.interval and job.id > run and job.id not in before | {created} for job in seen):
            del awaited[run]
    return seen, settled and not awaited


def run_job(
    jobs: Jobs,
    new: NewJob,
    *,
    waiting: Waiting | None,
    when_running: str = "start",
    max_age: timedelta | None = None,
    stale_after: timedelta | None = None,
    include_log: bool = False,
    check_mode: bool = False,
) -> TaskResult:
    """Run a sync now; with ``waiting`` wait for its end. GET, POST, then GETs.

    ``when_running`` and ``max_age`` (one GET more) as in ``plan_run``; one that is joined is waited for as well.
    The job of the result may have failed, or may not have ended: that is for the caller to judge.
    """
    if when_running == "start":
        seen, warnings = jobs.underway(), {}
    else:
        seen, warnings = examined(jobs, _told(jobs, jobs.underway), stale_after)
    now = jobs.session.server_now
    if max_age is not None:
        seen += jobs.succeeded_since(new.scope, now - max_age)
    plan = plan_run(new, seen, now, when_running=when_running, max_age=max_age)
    warned = _check_before(jobs, plan, check_mode)
    if plan.keep and plan.keep.id in warnings:
        warned += (warnings[plan.keep.id],)
    serves = plan.keep is not None and (when_running == "skip" or not plan.keep.living)
    if check_mode or serves:
        return TaskResult(plan, plan.after, warnings=warned)
    with _Done() as done:
        if plan.keep:
            job = plan.keep
        else:
            done.created.append(_create(jobs, new, seen))
            job = jobs.get(done.created[0], after_create=True)
        if waiting is None:
            return TaskResult(plan, job, warnings=warned)
        job, more = _at_its_end(jobs, job.id, waiting, stale_after, include_log)
    return TaskResult(plan, job, warnings=(*warned, *more), waited=True)


def await_job(
    jobs: Jobs,
    job_id: int,
    *,
    waiting: Waiting | None,
    stale_after: timedelta | None = None,
    include_log: bool = False,
    check_mode: bool = False,
) -> TaskResult:
    """As ``run_job``, for a sync that exists already: nothing is run, and it is waited for."""
    job = _told(jobs, lambda: [jobs.get_sync(job_id)])[0]
    plan = Plan(job.name, keep=job)
    if waiting is None or (check_mode and job.living):
        return TaskResult(plan, job)
    if not job.living:
        # There is nothing to wait for, and nothing to show.
        waiting = replace(waiting, progress=None)
    job, warnings = _at_its_end(jobs, job_id, waiting, stale_after, include_log)
    return TaskResult(plan, job, warnings=warnings, waited=True)


def _at_its_end(
    jobs: Jobs, job_id: int, waiting: Waiting, stale_after: timedelta | None, include_log: bool
) -> tuple[Job, tuple[str, ...]]:
    """A job once it has ended, or as it is when it is dead or the time is over; and what to warn of."""
    left, warnings = wait(jobs, job_id, waiting, stale_after)
    job = patiently(lambda: jobs.judged(jobs.get(job_id, include_log=include_log)))
    return replace(job, dead=left.dead if left and job.living else None), warnings


def cancel_jobs(
    jobs: Jobs, *, job_id: int | None, name: str | None, keep_schedule: bool = True, check_mode: bool = False
) -> TaskResult:
    """Cancel the job ``job_id``, or every living one named ``name``. A no-op is one GET.

    :param keep_schedule: cancelling a recurring run does not end its schedule: the next run is created first.
    :raises ProxboxError: with a sentence; for an id also when that is no Proxbox sync.
    """
    target = _told(jobs, lambda: [jobs.get_sync(job_id)])[0] if job_id is not None else None
    if target:
        name = target.name
        living = _told(jobs, partial(jobs.living, name)) if target.living and target.interval else []
        plan = plan_cancel_one(target, living, jobs.session.server_now, keep_schedule=keep_schedule)
    else:
        living = _told(jobs, partial(jobs.living, name))
        plan = plan_cancel_named(name, living, jobs.session.server_now, keep_schedule=keep_schedule)
    warned = _check_before(jobs, plan, check_mode)
    if check_mode or not plan.changed:
        return TaskResult(plan, target, plan.cancel, plan.after if plan.create else None, warnings=warned)
    known = {job.id for job in living}
    with _Done() as done:
        if plan.create:
            done.created.append(_create(jobs, plan.create, living))
            jobs.get(done.created[0], after_create=True)
        ended = []
        for job in plan.cancel:
            if _cancel(jobs, job):
                done.cancelled.append(job)
            else:
                ended.append(job)
        successor = None
        if any(job.interval for job in plan.cancel):
            awaited = {job.id: known for job in ended if job.interval}
            successor = _carry_on(jobs, plan, known, awaited, keep_schedule, done)
        if target:
            target = jobs.get(target.id)
    return TaskResult(plan, target, tuple(done.cancelled), successor)


def _carry_on(
    jobs: Jobs,
    plan: Plan,
    known: set[int | None],
    awaited: dict[int, set[int | None]],
    keep_schedule: bool,
    done: _Done,
) -> Job | None:
    """Look again after recurring jobs were cancelled, until the schedule goes on with one member, or has ended.

    A run that ended by itself at that moment leaves a successor; and another controller may have cancelled the one that
    was created, for the old one served it. Return the member that carries on what was to be carried on.
    """
    for _look in range(LOOKS):
        seen, settled = _look_again(jobs, plan.name, done.own, awaited)
        recurring = [job for job in seen if job.is_sync and job.interval and job.living]
        own = next((job for job in recurring if job.id == done.own), None)
        new = [job for job in recurring if job.id not in known and job is not own]
        if not settled:
            time.sleep(PAUSE)
        elif not keep_schedule:
            done.cancelled += [job for job in new if _cancel(jobs, job)]
            return None
        elif own and new:
            if _cancel(jobs, own):
                done.created.clear()
            return new[0]
        elif own or new or not plan.create:
            return own or (new[0] if new else None)
        else:
            done.created[:] = [_create(jobs, plan.create, seen)]
    raise ProxboxError(
        f"The schedule {plan.name!r} does not settle after one of its jobs was cancelled: look at what else changes "
        "it, and run the task again."
    )


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


def _check_before(jobs: Jobs, plan: Plan, check_mode: bool) -> tuple[str, ...]:
    """Refuse beforehand what the server would refuse, or worse, would take; return what to warn of."""
    cancels = bool(plan.cancel or plan.spare)
    # A cancel that comes first, in a real run, finds out by itself.
    if (plan.create and (cancels or check_mode)) or (cancels and check_mode):
        jobs.check_release()
    if cancels:
        jobs.check_cancel()
    if plan.delete and not check_mode:
        jobs.pages.check_delete()
    warning = None
    if plan.create:
        jobs.check_scope(plan.create.scope)
        if check_mode:
            warning = unknown_sync_types(plan.create.scope.sync_types)
    return (warning,) if warning else ()
