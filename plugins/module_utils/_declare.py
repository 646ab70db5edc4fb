# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the goals of a schedule. ``Declare`` makes it exist, ``End`` makes it end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from ._job import Job, Kind, Scope
from ._plan import Observation, Older, Plan
from ._times import LEAD, At, in_zone


class Declare(NamedTuple):
    """The goal that exactly one active job has this name, and that it is as declared.

    A past run can fulfil a one-time schedule.

    ``interval`` is in minutes; None means that the sync runs once. ``at`` None means that it starts at once.
    ``retention`` is how long NetBox keeps jobs (``JOB_RETENTION``); None means that it keeps them all. No run of a
    recurring sync starts before ``skip_until``. ``previous`` is the name that the schedule had before: active jobs with
    this name make way for one with the new name, at the time of their next run. ``zone`` is the time zone of the times
    in the sentences.
    """

    name: str
    scope: Scope = Scope()
    at: At | None = None
    interval: int | None = None
    repair_drift: bool = True
    retention: timedelta | None = None
    skip_until: datetime | None = None
    previous: str | None = None
    zone: tzinfo = timezone.utc

    @property
    def names(self) -> tuple[str, ...]:
        """The names that jobs of the schedule may have."""
        return (self.name, self.previous) if self.previous else (self.name,)

    @property
    def once(self) -> bool:
        """Whether an earlier run may have fulfilled the goal."""
        return self.interval is None and (self.at is None or self.at.day is not None)

    @property
    def at_once(self) -> bool:
        """Whether the sync runs once, and starts at once."""
        return self.at is None and self.interval is None

    @property
    def shown_for(self) -> timedelta | None:
        """How long after its creation NetBox shows a job for sure; None if it keeps all jobs.

        The last tenth of the retention is left for the next task, which has to see that the job has run.
        """
        return self.retention * 0.9 if self.retention else None

    def begins(self, now: datetime) -> datetime:
        """The moment after which the next run may be: now, or just before ``skip_until``."""
        return max(now, self.skip_until - LEAD - timedelta(seconds=1)) if self.skip_until else now

    def concerns(self, job: Job) -> bool:
        """Return whether a job has a name of the schedule."""
        return job.name in self.names

    def decide(self, seen: Observation) -> Plan:
        """Keep the lowest job that fits, else create one. Cancel all other members.

        :raises ProxboxError: for a time that has passed without a run, and for one beyond the retention.
        """
        members = self._members(seen)
        active = [job for job in members if job.active]
        reasons = {job.id: self._mismatch(job, seen) for job in active}
        keep = next((job for job in active if reasons[job.id] is None), None)
        keep = keep or self._run_that_counts(members, seen)
        renamed = [job for job in seen.syncs(self.previous) if job.active and not job.at_once] if self.previous else []
        reasons |= {job.id: self._renamed(job, seen) for job in renamed}
        cancel = tuple(job for job in (*active, *renamed) if job is not keep or job.dead)
        why = tuple(f"job {job.id}: {reasons[job.id] or 'a duplicate'}" for job in cancel)
        if keep:
            return Plan(
                self.name, keep=keep, cancel=cancel, why=why, warnings=self._doubts(keep, seen) or _failure(keep)
            )
        from ._first_run import plan_to_create  # a schedule that is there does not need it

        return plan_to_create(self, seen.now, members + renamed, cancel, why)

    def missing(self, seen: Observation) -> Older | None:
        """Return the older jobs that may have fulfilled a one-time schedule, or that tell who has moved a schedule."""
        if seen.older_read:
            return None
        members = self._members(seen)
        active = [job for job in members if job.active]
        if self.once:
            fulfilled = self._run_that_counts(members, seen) or any(not self._mismatch(job, seen) for job in active)
            return None if fulfilled else Older(self.name, True, self.at.first(seen.now) if self.at else None)
        moved = [job for job in active if self._is_off_time(job, seen) and self._tolerates_drift(job, seen)]
        return Older(self.name, False) if any(not self._on_phase(job) for job in moved) else None

    def _members(self, seen: Observation) -> list[Job]:
        """Return the jobs of this schedule, by id.

        A sync that somebody runs at once under this name belongs to it only if the schedule is such a run itself.
        """
        syncs = seen.syncs(self.name)
        return [job for job in syncs if not job.at_once or (self.at_once and not job.run_now_copy)]

    def _renamed(self, job: Job, seen: Observation) -> str:
        """Return why a job with the previous name does not fit."""
        more = self._mismatch(job, seen)
        return f"its name is {job.name!r}, wanted {self.name!r}{f', and {more}' if more else ''}"

    def _mismatch(self, job: Job, seen: Observation) -> str | None:
        """Return why an active member does not fit; None if it does."""
        if job.dead:
            return job.dead
        if job.id in seen.past.created:
            return None
        if job.scope != self.scope and not (job.scope is None and job.status == "running"):
            return scope_mismatch(job.scope, self.scope)
        if job.interval != self.interval:
            return f"its interval is {in_minutes(job.interval)}, wanted {in_minutes(self.interval)}"
        return self._time_mismatch(job, seen)

    def _time_mismatch(self, job: Job, seen: Observation) -> str | None:
        """Return why the time of an active member does not fit; None if it does."""
        # The next run that has not begun.
        next_run = (job.status == "running" and job.successor_due(seen.now)) or job.scheduled or seen.now
        if self.skip_until and self.begins(seen.now) > seen.now and next_run < self.skip_until:
            return f"its next run is {self._shown(next_run)}, before skip_until"
        if self.at is None:
            # Any phase fits, but the next run may not be later than the schedule itself allows.
            latest = self.begins(seen.now) + LEAD + timedelta(minutes=self.interval or 0)
            if job.scheduled is None or job.scheduled <= latest:
                return None
            return f"its next run is {self._shown(job.scheduled)}, later than the schedule allows"
        if job.scheduled is None:
            return None  # it recurs, and its first run is at once
        if self.interval:
            fits = not self._is_off_time(job, seen) or (
                self._tolerates_drift(job, seen) and not self._user_changed_time(job, seen)
            )
        else:
            fits = self.has_the_time(job, seen.now)
        return None if fits else f"its next run is {self._shown(job.scheduled)}, which schedule_at does not allow"

    def _shown(self, when: datetime) -> str:
        return in_zone(when, self.zone)

    def _is_off_time(self, job: Job, seen: Observation) -> bool:
        """Whether a recurring job is not at the next time of the wanted phase."""
        same = job.interval == self.interval and job.scope in (None, self.scope) and not job.dead
        if not (same and self.at and self.interval and job.scheduled):
            return False
        return not self.at.holds(job.scheduled, self.interval, self.begins(seen.now))

    def _on_phase(self, job: Job) -> bool:
        """Whether the time of a recurring job is on the wanted phase, at whichever occurrence."""
        return bool(self.at and self.interval and job.scheduled and self.at.on_phase(job.scheduled, self.interval))

    def _is_same_phase(self, job: Job, other: Job) -> bool:
        """Whether the times of two jobs are a whole number of intervals apart."""
        if not (self.interval and job.scheduled and other.scheduled):
            return False
        second = timedelta(seconds=1)
        return (job.scheduled - other.scheduled + second) % timedelta(minutes=self.interval) <= 2 * second

    def _tolerates_drift(self, job: Job, seen: Observation) -> bool:
        """Whether a job may stay that is off the wanted time.

        NetBox moves a job off its phase, and somebody may have skipped one run by cancelling its job. A job that is
        further away was put there otherwise, as by an earlier ``skip_until``.
        """
        if job.status == "running":
            return True
        if self.repair_drift:
            return False
        if not self._on_phase(job):
            return True
        skipped = job._replace(scheduled=job.scheduled and job.scheduled - timedelta(minutes=self.interval or 0))
        return not self._is_off_time(skipped, seen)

    def _doubts(self, job: Job, seen: Observation) -> tuple[str, ...]:
        """Return a warning if it is not known why a job is off the wanted time."""
        if not self._is_off_time(job, seen) or self._user_changed_time(job, seen) is not None:
            return ()
        return (
            f"job {job.id} is off the wanted time, and NetBox does not show the beginning of its schedule. If you have "
            "changed schedule_at, run the task once with drift: repair while no sync runs.",
        )

    def _user_changed_time(self, job: Job, seen: Observation) -> bool | None:
        """Whether the user has changed the time since the job was created.

        An earlier job of the chain on the wanted phase shows that NetBox has moved the schedule, as after a run that
        came late. The answer is None if NetBox does not show the beginning of the chain.
        """
        if self._on_phase(job) or not seen.older_read:
            return False
        earlier = [other for other in self._members(seen) if other.id < job.id]
        for other in reversed(earlier):
            same = other.interval == self.interval and other.scope in (None, self.scope)
            if not same or (other.cancelled and not self._is_same_phase(job, other)):
                return True  # the chain begins after it
            if self._on_phase(other):
                return False
        oldest = (earlier or [job])[0]
        forgotten = self.shown_for and oldest.created and oldest.created < seen.now - self.shown_for
        return True if seen.older_complete and not forgotten else None

    def has_the_time(self, job: Job, now: datetime) -> bool:
        """Whether a one-time job is for the wanted time."""
        if self.at is None or job.scheduled is None:
            return False
        if self.at.day is None:
            # A time without a date comes every week, day or hour, until it has been run.
            return self.at.holds(job.scheduled, self.at.period, now)
        return abs(job.scheduled - self.at.on(self.at.day)) < timedelta(seconds=1)

    def _run_that_counts(self, members: Iterable[Job], seen: Observation) -> Job | None:
        """Return the newest run that fulfilled a one-time schedule. A job that never ran does not count."""
        if self.interval:
            return None
        for job in sorted(members, key=lambda job: -job.id):
            ended = not job.active and (job.started or not job.cancelled)
            # The time has passed, so a run that died counts too.
            died = bool(self.at and job.dead and job.started)
            if job.interval or not (ended or died) or job.scope not in (None, self.scope):
                continue
            if job.id in seen.past.created or (self.once and (self.at is None or self.has_the_time(job, seen.now))):
                return job
        return None


class End(NamedTuple):
    """The goal that no active job has this name; with ``purge``, that no job at all has it.

    ``reason`` tells the user why the schedule ends. ``previous`` is the name that the schedule had before. With
    ``spares_runs``, a sync that somebody runs at once under this name stays. It does not belong to the schedule.
    """

    name: str
    purge: bool = False
    reason: str = "the schedule is to be absent"
    previous: str | None = None
    spares_runs: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names that jobs of the schedule may have."""
        return (self.name, self.previous) if self.previous else (self.name,)

    def concerns(self, job: Job) -> bool:
        """Return whether a job has a name of the schedule."""
        return job.name in self.names

    def decide(self, seen: Observation) -> Plan:
        """Cancel every member. A copy that the web page's "Run now" has made is no member."""
        syncs = [job for name in self.names for job in seen.syncs(name)]
        members = [job for job in syncs if not (job.run_now_copy or (self.spares_runs and job.at_once))]
        cancel = tuple(job for job in members if job.active)
        why = [f"job {job.id}: {self.reason}" for job in cancel]
        delete = tuple(job.id for job in syncs if job in cancel or not job.active) if self.purge else ()
        warnings = []
        if delete:
            why.append(f"jobs to be deleted: {len(delete)}")
        unknown = [str(job.id) for job in seen.jobs if job.name in self.names and job.kind is Kind.NOT_KNOWN]
        if self.purge and unknown:
            warnings.append(
                f"NetBox does not show whether these jobs called {self.name!r} are Proxbox syncs, so they were not "
                f"deleted: {', '.join(unknown)}."
            )
        return Plan(self.name, cancel=cancel, delete=delete, why=tuple(why), warnings=tuple(warnings))

    def missing(self, seen: Observation) -> Older | None:
        """Return None: the active jobs are enough."""
        return None


def _failure(job: Job) -> tuple[str, ...]:
    """Return a warning if the only run of a schedule did not do everything, or if NetBox does not show what it did."""
    if job.active or job.outcome.verdict not in ("failed", "partial", "unknown"):
        return ()
    from ._explain import in_one_line  # few tasks need it

    return (
        f"job {job.id} was the only run of {job.name!r}, and did not do all that was requested: {in_one_line(job)}",
    )


def scope_mismatch(found: Scope | None, wanted: Scope) -> str:
    """Return how the scope of a job differs from the wanted one."""
    if found is None:
        return "NetBox does not show its scope"
    different = [
        f"its {field.replace('_', ' ').replace('proxmox', 'Proxmox').replace('netbox', 'NetBox')} are "
        f"{_listed(getattr(found, field))}, wanted {_listed(getattr(wanted, field))}"
        for field in ("sync_types", "proxmox_endpoints", "netbox_endpoints")
        if getattr(found, field) != getattr(wanted, field)
    ]
    return ", ".join(different) or "it covers single objects"


def _listed(values: Iterable[int | str]) -> str:
    return ", ".join(map(str, sorted(values))) or "all"


def in_minutes(interval: int | None) -> str:
    return "none" if interval is None else f"{interval} minutes"
