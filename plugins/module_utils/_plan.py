# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do: the wanted schedule + the jobs observed + now -> a plan. Pure: no network, no clock, no Ansible.

``changed``, the diff, check mode and the real run all read the same ``Plan``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ._errors import ProxboxError
from ._job import Job, NewJob, Scope, iso
from ._plugin import DEFAULT_NAME, SYNC_TYPES
from ._times import (
    DAY,
    LEAD,
    At,
    parse_at,
    parse_interval,
    parse_timezone,
)


@dataclass(frozen=True)
class Wanted:
    """A schedule as it should be. ``interval`` is in minutes; without ``at`` it starts at once."""

    name: str
    scope: Scope = field(default_factory=Scope)
    at: At | None = None
    interval: int | None = None
    repair_drift: bool = True

    @property
    def once(self) -> bool:
        """Whether it runs once, so that a run in the history fulfils it."""
        return self.interval is None


@dataclass(frozen=True)
class Plan:
    """What one run does: ``create`` first, then ``cancel``; ``keep`` is the member that stays as it is.

    ``spare`` are running members that are to go too, but may end first; then NetBox makes a successor of one that
    recurs, and that is cancelled. ``delete`` are the rows that NetBox is to forget at the end, those of ``cancel``
    among them.
    """

    name: str
    keep: Job | None = None
    create: NewJob | None = None
    cancel: tuple[Job, ...] = ()
    spare: tuple[Job, ...] = ()
    delete: tuple[Job, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the plan writes anything."""
        return bool(self.create or self.cancel or self.delete or any(job.interval for job in self.spare))

    @property
    def running(self) -> tuple[Job, ...]:
        """Those to be cancelled that are really running."""
        return tuple(job for job in self.cancel if job.runs)

    def sparing(self, own: int | None = None) -> Plan:
        """The same plan, which lets those end that are running, but for the job ``own``."""
        spare = tuple(job for job in self.running if job.id != own)
        return replace(self, cancel=tuple(job for job in self.cancel if job not in spare), spare=spare)

    @property
    def after(self) -> Job | None:
        """The living member once the plan is carried out; without an id while it is still to be created."""
        if self.create is None:
            return self.keep
        return Job(
            id=None,
            name=self.create.name,
            status="scheduled" if self.create.schedule_at or self.create.interval else "pending",
            scope=self.create.scope,
            scheduled=self.create.schedule_at,
            interval=self.create.interval,
        )

    def diff(self) -> dict[str, Any]:
        """``before`` and ``after`` in Ansible's diff form: the living member's settings, and surplus members by id."""
        going = sorted(self.cancel + self.spare, key=lambda job: job.id or 0)
        before = ([self.keep] if self.keep else []) + [job for job in going if job is not self.keep]
        diff = {
            "before": _settings(self.name, before[0] if before else None, before[1:]),
            "after": _settings(self.name, self.after, ()),
        }
        if self.delete:
            diff["before"]["rows"] = sorted(job.id for job in self.delete)
            diff["after"]["rows"] = []
        return diff


def _settings(name: str, job: Job | None, surplus: Iterable[Job]) -> dict[str, Any]:
    if job is None:
        return {"name": name, "state": "absent"}
    shape = job.result()
    return {
        "name": name,
        "state": "present",
        **{key: shape[key] for key in ("sync_types", "proxmox_endpoints", "netbox_endpoints", "interval")},
        "scheduled": shape["scheduled"] or "at once",
        **({"duplicates": [extra.id for extra in surplus]} if surplus else {}),
    }


def read_wanted(
    *,
    name: str,
    sync_types: Iterable[str],
    schedule_at: str | None,
    interval: str | None,
    timezone: str,
    repair_drift: bool = True,
) -> Wanted:
    """Turn a user's words into a wanted schedule; its scope names no endpoints yet.

    :raises ProxboxError: with a sentence, for a word that means nothing.
    """
    zone = parse_timezone(timezone)
    return Wanted(
        name=checked_name(name),
        scope=Scope(checked_sync_types(sync_types)),
        # Blank is none, as on NetBox's own form.
        at=parse_at(schedule_at, zone) if schedule_at and schedule_at.strip() else None,
        interval=parse_interval(interval) if interval and interval.strip() else None,
        repair_drift=repair_drift,
    )


def read_run(*, name: str | None, sync_types: Iterable[str]) -> NewJob:
    """Turn a user's words into a job to run now; its scope names no endpoints yet.

    :raises ProxboxError: with a sentence, for a word that means nothing.
    """
    return NewJob(checked_name(name or DEFAULT_NAME), Scope(checked_sync_types(sync_types)))


def checked_seconds(option: str, seconds: float) -> float:
    """A time to wait.

    :raises ProxboxError: with a sentence, for one that is none.
    """
    if seconds <= 0:
        raise ProxboxError(f"{option} {seconds} is not a time to wait: give seconds above 0.")
    return seconds


def checked_name(name: str) -> str:
    """The name without the blanks around it.

    :raises ProxboxError: with a sentence, for one that NetBox or its filters cannot take.
    """
    name = name.strip()
    if not name or len(name) > 200 or name == "null":
        # NetBox's filters read the word null as "has no name".
        raise ProxboxError(
            "name must have 1 to 200 characters, and may not be 'null': it is the job name that NetBox carries down "
            "the chain."
        )
    return name


def checked_sync_types(sync_types: Iterable[str]) -> frozenset[str]:
    """Refuse what no server takes.

    :raises ProxboxError: with a sentence, for an empty list and for ``all`` beside others.
    """
    types = frozenset(str(item).strip() for item in sync_types)
    if not types or "" in types:
        raise ProxboxError("sync_types is empty: name at least one sync type, or leave it out for all.")
    if "all" in types and len(types) > 1:
        others = ", ".join(sorted(types - {"all"}))
        raise ProxboxError(f"sync_types mixes 'all' with {others}: 'all' stands alone.")
    return types


def unknown_sync_types(sync_types: Iterable[str]) -> str | None:
    """A warning for check mode, which cannot ask the server: it may refuse a type that no known release has."""
    unknown = sorted(set(sync_types) - set(SYNC_TYPES))
    if not unknown:
        return None
    return (
        f"NetBox may refuse sync_types {', '.join(unknown)}, and check mode cannot ask it; netbox-proxbox 0.0.29 takes "
        f"{', '.join(SYNC_TYPES)}."
    )


def plan_present(wanted: Wanted, jobs: Iterable[Job], now: datetime) -> Plan:
    """Exactly one living member that matches: keep the lowest matching id, else create one; cancel every other.

    ``jobs`` are the jobs of that name; a job that is no Proxbox sync, or of another name, is never touched.

    :raises ProxboxError: with a sentence, for a one-time schedule whose time has passed and which never ran.
    """
    members = _members(wanted.name, jobs)
    living = [job for job in members if job.living]
    mismatches = {job: _mismatch(wanted, job, now) for job in living}
    keep = next((job for job in living if mismatches[job] is None), None)
    cancel = tuple(job for job in living if job is not keep)
    why = [f"job {job.id}: {mismatches[job] or 'a duplicate'}" for job in cancel]
    if keep:
        return Plan(wanted.name, keep=keep, cancel=cancel, why=tuple(why))
    done = _done_once(wanted, members)
    if done:
        return Plan(wanted.name, keep=done, cancel=cancel, why=tuple(why))
    schedule_at = None
    if wanted.at:
        # The member that it replaces tells the day, or the part of the day, that the wanted time itself does not.
        drifted = next((job.scheduled for job in living if job.scheduled and job.interval == wanted.interval), None)
        schedule_at = wanted.at.next(wanted.interval, now, drifted) if wanted.interval else wanted.at.first(now)
        if schedule_at <= now:
            raise ProxboxError(
                f"schedule_at is {iso(schedule_at)}, which has passed (NetBox's clock: {iso(now)}), and NetBox has no "
                f"sync named {wanted.name!r} that ran for that time{''.join(f'; {reason}' for reason in why)}: give a "
                "time to come, or an interval; state: absent cancels what may be left of it."
            )
    why.append("no living member matches" if living else "no living member")
    return Plan(
        wanted.name,
        create=NewJob(wanted.name, wanted.scope, schedule_at, wanted.interval),
        cancel=cancel,
        why=tuple(why),
    )


def is_that(job: Job, new: NewJob) -> bool:
    """Whether a job is the one that was to be created; what NetBox does not tell yet counts as the same."""
    same_time = new.schedule_at is None or iso(job.scheduled) == iso(new.schedule_at)
    return job.name == new.name and job.interval == new.interval and same_time and job.scope in (None, new.scope)


def plan_run(
    new: NewJob, jobs: Iterable[Job], now: datetime, *, when_running: str = "start", max_age: timedelta | None = None
) -> Plan:
    """Run a sync now, unless one of the same scope, whatever its name, serves.

    :param when_running: ``start`` runs it all the same; ``join`` and ``skip`` keep one that is pending or running.
    :param max_age: a run that did all that was asked for within that time is kept too.
    """
    jobs = list(jobs)
    # Of a run whose scope NetBox does not tell, the name has to do.
    scopes = {job: new.scope if job.scope is None and job.name == new.name else job.scope for job in jobs}
    same = sorted((job for job in jobs if job.is_sync and scopes[job] == new.scope), key=lambda job: job.id or 0)
    for job in reversed(same):
        if max_age is not None and job.succeeded and job.completed and job.completed >= now - max_age:
            return Plan(new.name, keep=job)
    for job in same:
        if when_running != "start" and job.status in ("pending", "running") and not job.dead:
            return Plan(new.name, keep=job)
    return Plan(new.name, create=new, why=("a sync is to run now",))


def plan_cancel_one(target: Job, living: Iterable[Job], now: datetime, *, keep_schedule: bool) -> Plan:
    """Cancel one job, if it is living; with ``keep_schedule`` its schedule goes on."""
    cancel = [target] if target.living else []
    return _plan_cancel(target.name, cancel, living, now, keep_schedule)


def plan_cancel_named(name: str, living: Iterable[Job], now: datetime, *, keep_schedule: bool) -> Plan:
    """Cancel every living job of that name; with ``keep_schedule`` not the one that is its schedule's next run."""
    living = _members(name, living)
    cancel = [job for job in living if not (keep_schedule and job.interval and job.status == "scheduled")]
    return _plan_cancel(name, cancel, living, now, keep_schedule)


def _plan_cancel(name: str, cancel: list[Job], living: Iterable[Job], now: datetime, keep_schedule: bool) -> Plan:
    """NetBox makes no successor of a run that is cancelled: where no other member carries the schedule on, we do."""
    why = tuple(f"job {job.id} is {job.status}" for job in cancel)
    recurring = next((job for job in cancel if job.interval), None)
    # By id: one that has started between two reads is still the same one.
    going = {job.id for job in cancel}
    keep = next((job for job in _members(name, living) if job.interval and job.id not in going), None)
    if not keep_schedule or recurring is None or keep:
        return Plan(name, keep=keep, cancel=tuple(cancel), why=why)
    if recurring.scope is None or recurring.scope.objects:
        what = "and NetBox does not tell what it covers" if recurring.scope is None else "for single objects"
        raise ProxboxError(
            f"The job {recurring.id} ({name}) recurs, {what}, so its schedule cannot be kept: run the task again when "
            "it has ended, or choose keep_schedule: false."
        )
    step = timedelta(minutes=recurring.interval)
    due = recurring.scheduled or now
    due += step * max(1, (now + LEAD - due) // step + 1)
    create = NewJob(name, recurring.scope, due, recurring.interval)
    return Plan(name, create=create, cancel=tuple(cancel), why=(*why, f"its schedule goes on at {iso(due)}"))


def plan_absent(name: str, jobs: Iterable[Job], now: datetime | None = None, *, purge: bool = False) -> Plan:
    """No living member: cancel every one, whatever the time is; with ``purge``, delete every row of the chain."""
    members = _members(name, jobs)
    cancel = tuple(job for job in members if job.living)
    delete = tuple(members) if purge else ()
    why = [f"job {job.id}: the schedule is to be absent" for job in cancel]
    if delete:
        why.append(f"{len(delete)} rows are to be deleted")
    return Plan(name, cancel=cancel, delete=delete, why=tuple(why))


def _members(name: str, jobs: Iterable[Job]) -> list[Job]:
    return sorted((job for job in jobs if job.is_sync and job.name == name), key=lambda job: job.id or 0)


def _mismatch(wanted: Wanted, job: Job, now: datetime) -> str | None:
    """Why a living member is not the wanted schedule, or None when it is."""
    if job.dead:
        return job.dead
    untold = job.scope is None and job.status == "running"
    if job.scope != wanted.scope and not untold:
        return "its scope differs"
    if job.interval != wanted.interval:
        return f"its interval is {_minutes(job.interval)}, wanted {_minutes(wanted.interval)}"
    if wanted.at is None:
        # Without a time, any phase will do; but the next run may not be further away than the schedule itself allows.
        latest = now + LEAD + timedelta(minutes=wanted.interval or 0)
        if job.scheduled and job.scheduled > latest:
            return f"its next run, {iso(job.scheduled)}, is later than a start at once allows"
        return None
    if wanted.interval and (job.status == "running" or job.scheduled is None or not wanted.repair_drift):
        return None
    if job.scheduled is None:
        return "it runs at once"
    # A time that comes once, with no date, comes every day, or every hour, until it has been run.
    repeats = wanted.interval or (DAY if wanted.at.day is None and wanted.at.hour is not None else 60)
    if wanted.interval or wanted.at.day is None:
        holds = wanted.at.holds(job.scheduled, repeats, now)
    else:
        holds = _is_for(wanted.at, job)
    return None if holds else f"its time {iso(job.scheduled)} is not the wanted one"


def _done_once(wanted: Wanted, members: list[Job]) -> Job | None:
    """The run that fulfilled a one-time schedule, newest first; None for a recurring schedule."""
    if not wanted.once or (wanted.at and wanted.at.day is None):
        return None
    for job in reversed(members):
        # What an ended job does not tell of its scope, it did not come to.
        if job.interval or (job.scope != wanted.scope and (job.living or job.scope)):
            continue
        if wanted.at is None:
            if not (job.living or job.cancelled):
                return job
        # A time that has passed cannot be made up for: a run that died, or was cancelled as it ran, was the one.
        elif (job.dead or not job.living) and (job.started or not job.cancelled) and _is_for(wanted.at, job):
            return job
    return None


def _is_for(at: At, job: Job) -> bool:
    """Whether a job is, or was, for that dated time."""
    return job.scheduled is not None and abs(job.scheduled - at.on(at.day)) < timedelta(seconds=1)


def _minutes(interval: int | None) -> str:
    return "none" if interval is None else f"{interval} minutes"
