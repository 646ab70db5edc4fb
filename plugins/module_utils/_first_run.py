# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the job that a schedule needs, and the time of its first run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ._declare import Declare, in_minutes
from ._errors import ProxboxError
from ._job import Job, NewJob
from ._plan import Plan
from ._times import LEAD, in_zone


def plan_to_create(
    goal: Declare, now: datetime, members: list[Job], cancel: tuple[Job, ...], why: tuple[str, ...]
) -> Plan:
    """Return the plan to create the job of a schedule.

    :param members: the jobs of the schedule, by id; none of them is as declared.
    :param cancel: the jobs that are to be cancelled.
    :param why: the reasons, one for each of them.
    :raises ProxboxError: for a time that has passed without a run, and for one beyond the retention.
    """
    active = [job for job in members if job.active]
    new = NewJob(goal.name, goal.scope, _first_run(goal, active, now), goal.interval)
    if new.schedule_at and new.schedule_at <= now and not goal.interval:
        return _after_its_time(goal, new.schedule_at, members, why, now)
    _check_retention(goal, new, now)
    why += ("no active job matches" if active else "no active job",)
    return Plan(goal.name, create=new, cancel=cancel, why=why)


def _first_run(goal: Declare, active: Iterable[Job], now: datetime) -> datetime | None:
    """Return when the job to create is to run; None for at once."""
    # A job that RQ has lost before its time was to run then.
    replaced = [job for job in active if job.interval and (not job.dead or (job.scheduled and job.scheduled > now))]
    if goal.at and not goal.interval:
        return goal.at.first(now)
    begins = goal.begins(now)
    if goal.at and goal.interval:
        # A time of day has no day, so the day is that of the job that is replaced.
        same = (job.scheduled for job in replaced if job.scheduled and job.interval == goal.interval)
        return goal.at.next(goal.interval, begins, next(same, None))
    if not goal.interval or not (replaced or begins > now):
        return None
    step = timedelta(minutes=goal.interval)
    times = [job.scheduled for job in replaced if job.scheduled]
    if goal.skip_until and begins > now:
        # The first run from then on, a whole number of intervals after the run that is replaced.
        run = min(times, default=goal.skip_until)
        return run - step * ((run - goal.skip_until) // step)
    # Without schedule_at, the time of the next run stays, but it is one interval away at most.
    latest = now + step
    running = [job for job in replaced if job.status == "running"]
    times = [_after(job, now) for job in running] or times
    upcoming = min(times, default=now)
    return min(upcoming, latest) if running or upcoming > now + LEAD else None


def _after(job: Job, now: datetime) -> datetime:
    """Return when a schedule whose job is running now is to run again: at its time, or after a whole interval."""
    step = timedelta(minutes=job.interval or 0)
    due = (job.scheduled or now) + step
    return due if due > now + LEAD else now + step


def _after_its_time(goal: Declare, time: datetime, members: list[Job], why: tuple[str, ...], now: datetime) -> Plan:
    """Return the plan for a time that has passed, if NetBox may have forgotten its run.

    :raises ProxboxError: if NetBox would still show a run for that time.
    """
    zone = goal.zone
    passed = f"schedule_at is {in_zone(time, zone)}, which has passed (NetBox's clock: {in_zone(now, zone)})"
    shown = any(job.active or goal.has_the_time(job, now) for job in members)
    if goal.retention and goal.shown_for and now - time > goal.retention - goal.shown_for and not shown:
        warning = (
            f"{passed}. NetBox has no job {goal.name!r} for it. NetBox deletes jobs (JOB_RETENTION), so the module "
            "cannot tell whether the sync has run. Nothing was done. Remove the schedule from the playbook."
        )
        return Plan(goal.name, warnings=(warning,))
    reasons = "".join(f"; {reason}" for reason in why)
    raise ProxboxError(
        f"{passed}, and NetBox has no sync {goal.name!r} that ran for that time{reasons}: set schedule_at to a "
        "future time, or set an interval. state: absent cancels the jobs that are left."
    )


def _check_retention(goal: Declare, new: NewJob, now: datetime) -> None:
    """Refuse a job that NetBox deletes before it runs, or before the next task can see that it has run."""
    limit = goal.shown_for
    if goal.retention is None or limit is None:
        return
    ahead = new.schedule_at - now if new.schedule_at else timedelta()
    if ahead <= limit and timedelta(minutes=new.interval or 0) <= limit:
        return
    what = f"the next run is {ahead.days} days ahead" if ahead > limit else f"interval is {in_minutes(new.interval)}"
    raise ProxboxError(
        f"{what}, and NetBox deletes a job {goal.retention.days} days after its creation (JOB_RETENTION), even if "
        f"it has not run yet: choose less than {limit.days} days, or set job_retention to the value of "
        "JOB_RETENTION in NetBox."
    )
