# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what a task has observed, what it plans to do, and the rules for running jobs.

Pure: no network, no clock, no Ansible. Check mode, the diff, ``changed`` and the real run all come from the ``Plan``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

from ._job import Job, Kind, NewJob
from ._times import in_zone

EndpointName = Callable[[str, int], "str | int"]

KINDS = ("proxmox", "netbox")
"""The kinds of endpoints that a sync may be limited to."""


class Policy(NamedTuple):
    """How a task treats running jobs, and whether it writes.

    ``when_running`` is for a running job that is to be cancelled: ``wait`` waits for its end, ``cancel`` cancels it,
    and ``fail`` fails the task. ``wait_timeout`` is in seconds. ``stale_after`` is how long a run may last, or be
    overdue, before it counts as dead where the token may not ask RQ; None means as long as NetBox lets a sync run.
    ``finds_dead`` tells whether to look for dead jobs. ``check_queue`` tells whether to look also at jobs that are not
    due. ``zone`` is the time zone of the times in messages and in the diff.
    """

    when_running: str = "wait"
    wait_timeout: float = 3600
    stale_after: timedelta | None = None
    check_mode: bool = False
    finds_dead: bool = True
    check_queue: bool = False
    zone: tzinfo = timezone.utc


class Past(NamedTuple):
    """What a task has seen and done so far.

    ``first`` are the jobs of its first look. ``cancelled`` are the jobs that it has cancelled, and ``ended`` the jobs
    that it was to cancel and that have ended by themselves, each as it was before. ``created`` are the ids of the jobs
    that it has created, ``withdrawn`` the ids of those that it has cancelled again to make way for another job, and
    ``kept`` the ids of the jobs that a plan kept.
    """

    first: tuple[Job, ...] = ()
    created: frozenset[int] = frozenset()
    withdrawn: frozenset[int] = frozenset()
    cancelled: tuple[Job, ...] = ()
    ended: tuple[Job, ...] = ()
    kept: frozenset[int] = frozenset()


class Observation(NamedTuple):
    """The jobs that a task has read, and NetBox's clock at that time.

    ``older_read`` tells whether the jobs were read that ``Goal.missing`` asks for, and ``older_complete`` whether
    NetBox has shown all of them.
    """

    jobs: tuple[Job, ...]
    now: datetime
    past: Past = Past()
    older_read: bool = False
    older_complete: bool = False

    def syncs(self, name: str | None = None) -> list[Job]:
        """Return the Proxbox syncs, all or those with that name, by id."""
        found = (job for job in self.jobs if job.kind is Kind.SYNC and name in (None, job.name))
        return sorted(found, key=lambda job: job.id)


class Older(NamedTuple):
    """The jobs of a name that have ended and that a goal needs to see.

    With ``once``, only jobs without an interval, and only at the time ``scheduled`` if it is given.
    """

    name: str
    once: bool
    scheduled: datetime | None = None


class Plan(NamedTuple):
    """What a task does next: create, then cancel and wait for runs to end, then delete rows.

    ``keep`` is the job that stays as it is. ``wait_for`` are running jobs that are to end by themselves; NetBox then
    creates a successor if they recur, and that is cancelled. ``delete`` are the ids of rows that NetBox is to forget.
    """

    name: str
    keep: Job | None = None
    create: NewJob | None = None
    cancel: tuple[Job, ...] = ()
    wait_for: tuple[Job, ...] = ()
    delete: tuple[int, ...] = ()
    why: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the plan writes anything. The end of a run that does not recur writes nothing."""
        return bool(self.create or self.cancel or self.delete or any(job.interval for job in self.wait_for))

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.create or self.cancel or self.wait_for or self.delete)

    def letting_runs_end(self, created: Iterable[int]) -> Plan:
        """Return the same plan, which waits for the end of running jobs. It cancels those that the task ``created``."""
        running = tuple(job for job in self.cancel if job.runs and job.id not in created)
        return self._replace(cancel=tuple(job for job in self.cancel if job not in running), wait_for=running)

    def after(self) -> Job | NewJob | None:
        """Return the job that is there once the plan is carried out."""
        return self.create or self.keep

    def diff(
        self,
        zone: tzinfo = timezone.utc,
        name_of: EndpointName = lambda _kind, one: one,
        *,
        without_job: str = "absent",
    ) -> dict[str, Any]:
        """Return ``before`` and ``after`` in Ansible's diff form: the settings, and the ids of duplicates.

        :param zone: the time zone of the times in it.
        :param name_of: returns the name of an endpoint, given its kind and its id; the id if the name is not known.
        :param without_job: what the state of the schedule is called if it has no active job.
        """

        def settings(job: Job | NewJob | None, surplus: Iterable[Job] = ()) -> dict[str, Any]:
            if job is None:
                return {"name": self.name, "state": without_job}
            return _settings(job, surplus, zone, name_of)

        going = sorted(self.cancel + self.wait_for, key=lambda job: job.id)
        before = ([self.keep] if self.keep else []) + [job for job in going if job != self.keep]
        diff = {
            "before": settings(before[0] if before else None, before[1:]),
            "after": settings(self.after()),
        }
        if self.delete:
            diff["before"]["rows"] = sorted(self.delete)
            diff["after"]["rows"] = []
        return diff


class TaskResult(NamedTuple):
    """What a task has done, or in check mode would do.

    ``plan`` is what the task set out to do. ``job`` is the job that is left. ``cancelled`` are the jobs that were
    cancelled, as they were before. ``successor`` is the job that carries on the schedule of a cancelled job.
    ``waited`` tells whether the task has waited for the end of ``job``, and ``changed`` whether it has written
    anything.
    """

    plan: Plan
    job: Job | NewJob | None
    seen: Observation
    cancelled: tuple[Job, ...] = ()
    warnings: tuple[str, ...] = ()
    successor: Job | NewJob | None = None
    waited: bool = False
    changed: bool = False


def _settings(job: Job | NewJob, surplus: Iterable[Job], zone: tzinfo, name_of: EndpointName) -> dict[str, Any]:
    shape = job.result()
    scheduled = job.schedule_at if isinstance(job, NewJob) else job.scheduled
    return {
        "name": job.name,
        "state": "present",
        "sync_types": shape["sync_types"],
        **{f"{kind}_endpoints": [name_of(kind, one) for one in shape[f"{kind}_endpoints"]] for kind in KINDS},
        "interval": shape["interval"],
        "scheduled": in_zone(scheduled, zone) if scheduled else "at once",
        **({"duplicates": [extra.id for extra in surplus]} if surplus else {}),
    }
