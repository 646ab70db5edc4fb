# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: a job as NetBox shows it, a job to create, and the shape in which modules return them.

Pure: no network, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ._json import choice, items, mapping, moment, number, numbers, text
from ._plugin import DEFAULT_NAME, STAGES, was_cancelled

if TYPE_CHECKING:
    from ._outcome import Outcome

ACTIVE = ("scheduled", "pending", "running")
"""The statuses of a job that has not ended (``JobStatusChoices.ENQUEUED_STATE_CHOICES``, NetBox 4.5-4.7)."""

ENDED = ("completed", "errored", "failed")
"""The statuses of a job that has ended (``JobStatusChoices.TERMINAL_STATE_CHOICES``, NetBox 4.5-4.7)."""

JOB_FIELDS = (
    "id,name,status,object_type,created,scheduled,interval,started,completed,user,data,error,job_id,queue_name,"
    "display_url"
)
"""The fields of a job that the collection reads. The log is large, so it is read only where it is needed."""

NAME_MAXIMUM = 200
"""The length of the longest name that NetBox can store (``Job.name``, NetBox 4.5-4.7)."""

RUN_NOW_QUEUE = "high"
"""The queue of the jobs that the button "Run now" of the plugin's web page creates (netbox-proxbox 0.0.8-0.0.29)."""


class Kind(Enum):
    """What a job is."""

    SYNC = "a Proxbox sync"
    FOREIGN = "another job of NetBox"
    NOT_KNOWN = "not known: the row has no data (for example for a moment when a run starts)"


class Scope(NamedTuple):
    """What a sync covers. An empty set of endpoint ids means all endpoints.

    ``objects`` are the ids of single virtual machines or other objects. No schedule of the collection has any.
    """

    sync_types: frozenset[str] = frozenset({"all"})
    proxmox_endpoints: frozenset[int] = frozenset()
    netbox_endpoints: frozenset[int] = frozenset()
    objects: frozenset[int] = frozenset()


class NewJob(NamedTuple):
    """A sync job to create. ``interval`` is in minutes. ``schedule_at`` None means at once."""

    name: str
    scope: Scope
    schedule_at: datetime | None = None
    interval: int | None = None

    def result(self) -> dict[str, Any]:
        """Return the shape that this job will have, as far as it is known before it is created."""
        return {
            "id": None,
            "name": self.name,
            "status": "scheduled" if self.schedule_at or self.interval else "pending",
            **_scope_result(self.scope),
            "scheduled": iso(self.schedule_at),
            "interval": self.interval,
            "created": None,
            "started": None,
            "completed": None,
            "duration": None,
            "error": "",
            "cancelled": False,
            "outcome": None,
            "stages": [],
            "phases": [],
            "run_id": None,
            "branch": None,
            "queue": "",
            "rq_job_id": "",
            "user": None,
            "url": "",
        }

    def became(self, job: Job) -> bool:
        """Whether ``job`` may be this one. What NetBox does not tell yet counts as the same."""
        same_time = self.schedule_at is None or iso(job.scheduled) == iso(self.schedule_at)
        same = job.name == self.name and job.interval == self.interval and same_time
        return same and job.kind is not Kind.FOREIGN and job.scope in (None, self.scope)


class _Fields(NamedTuple):
    """The fields of a ``Job``. A NamedTuple itself cannot keep the outcome that it has worked out."""

    id: int
    name: str
    status: str
    kind: Kind
    scope: Scope | None = None
    scheduled: datetime | None = None
    interval: int | None = None
    created: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None
    error: str = ""
    queue: str = ""
    rq_job_id: str = ""
    user: str | None = None
    row: Mapping[str, Any] = MappingProxyType({})
    stages_of_all: Sequence[str] = STAGES
    dead: str | None = None


class Job(_Fields):
    """A row of ``core.Job`` (NetBox 4.5-4.7). Times are aware, in UTC. ``interval`` is in minutes.

    ``scope`` is None while NetBox does not tell it: for a moment when a run starts, and in netbox-proxbox 0.0.24 and
    0.0.25 until the backend has answered. ``dead`` tells why a job that has not ended will come to nothing, if that was
    found.
    ``stages_of_all`` are the stages of a sync of everything in the release of the plugin.
    """

    @classmethod
    def from_row(cls, row: Mapping[str, Any], stages_of_all: Sequence[str] = STAGES) -> Job:
        """Read a row of ``/api/core/jobs/`` or ``/api/plugins/proxbox/sync-jobs/``, whole or trimmed by ``fields=``.

        The caller has checked that the row has an ``id``.
        """
        return cls(
            id=number(row.get("id")) or 0,
            name=text(row.get("name")),
            status=choice(row.get("status")),
            kind=_kind(row),
            scope=_scope(_sync_data(row).get("params")),
            scheduled=moment(row.get("scheduled")),
            interval=number(row.get("interval")),
            created=moment(row.get("created")),
            started=moment(row.get("started")),
            completed=moment(row.get("completed")),
            error=text(row.get("error")),
            queue=text(row.get("queue_name")),
            rq_job_id=text(row.get("job_id")),
            user=text(mapping(row.get("user")).get("username")) or None,
            row=row,
            stages_of_all=stages_of_all,
        )

    @property
    def active(self) -> bool:
        """Whether the job has not ended."""
        return self.status in ACTIVE

    @property
    def runs(self) -> bool:
        """Whether the job is running and not dead."""
        return self.status == "running" and not self.dead

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled the job, before it ran or while it ran."""
        return was_cancelled(self.status, self.error)

    @property
    def at_once(self) -> bool:
        """Whether the job was created to run once, at once."""
        return self.interval is None and self.scheduled is None

    @property
    def run_now_copy(self) -> bool:
        """Whether the button "Run now" of the web page created the job. It has the name of the job that it copies."""
        return self.at_once and self.queue == RUN_NOW_QUEUE

    @property
    def schedule(self) -> tuple[object, ...]:
        """What tells the schedule of a recurring job from others: its name.

        NetBox gives all syncs without a name the same name. Of these, another interval or scope is another schedule.
        """
        return (self.name, self.interval, self.scope) if self.name == DEFAULT_NAME else (self.name,)

    @property
    def due(self) -> datetime | None:
        """When the job was to start."""
        return self.scheduled or self.created

    def successor_due(self, now: datetime) -> datetime | None:
        """The earliest time of the job that NetBox creates when this one ends; None if there will be none.

        It is one interval after the time of this job, and a minute after its end at the earliest (NetBox 4.5-4.7).
        """
        if self.interval is None or self.due is None or self.dead:
            return None
        return max(self.due + timedelta(minutes=self.interval), now + timedelta(minutes=1))

    @cached_property
    def outcome(self) -> Outcome:
        """What the run did. It tells more if the log was read."""
        from ._outcome import judge  # a job that has not started does not need it

        return judge(self.row, self.stages_of_all)

    @property
    def succeeded(self) -> bool:
        """Whether the run did all that was asked for."""
        return self.status in ENDED and self.outcome.verdict == "succeeded"

    @property
    def log_entries(self) -> list[Mapping[str, Any]] | None:
        """The log, oldest entry first; None if it was not read."""
        entries = self.row.get("log_entries")
        return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else None

    @property
    def branch(self) -> dict[str, Any] | None:
        """The branch of netbox-branching that the run wrote to, and its state; None if there was none."""
        return _branch(_sync_data(self.row))

    @property
    def url(self) -> str:
        """The page of the job in NetBox."""
        return text(self.row.get("display_url"))

    @property
    def duration(self) -> float | None:
        """How long the run took, in seconds; None while it has not both started and ended."""
        if self.started is None or self.completed is None:
            return None
        return round((self.completed - self.started).total_seconds(), 3)

    def result(self, *, include_log: bool = False, include_data: bool = False) -> dict[str, Any]:
        """Return this job in the shape that all modules return and document."""
        data = _sync_data(self.row)
        if self.active and self.started is None:
            outcome: dict[str, Any] = {"outcome": None, "stages": [], "phases": []}
        else:
            outcome = self.outcome.result()
        shape = {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            **_scope_result(self.scope),
            "scheduled": iso(self.scheduled),
            "interval": self.interval,
            "created": iso(self.created),
            "started": iso(self.started),
            "completed": iso(self.completed),
            "duration": self.duration,
            "error": self.error,
            "cancelled": self.cancelled,
            **outcome,
            "run_id": text(mapping(data.get("params")).get("run_id")) or None,
            "branch": self.branch,
            "queue": self.queue,
            "rq_job_id": self.rq_job_id,
            "user": self.user,
            "url": self.url,
        }
        if include_log:
            shape["log_entries"] = [
                {key: entry.get(key) for key in ("timestamp", "level", "message")} for entry in self.log_entries or ()
            ]
        if include_data:
            shape["data"] = self.row.get("data")
        return shape


def follows(job: Job, earlier: Job) -> bool:
    """Return whether a job may carry on the schedule of an earlier job: as its successor, or created in its place."""
    same_scope = None in (job.scope, earlier.scope) or job.scope == earlier.scope
    return job.id > earlier.id and job.name == earlier.name and job.interval == earlier.interval and same_scope


def iso(when: datetime | None) -> str | None:
    """Return a time as the collection prints and sends it: RFC 3339 in UTC with ``Z``, to the second."""
    return None if when is None else when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sync_data(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the plugin wrote into the row."""
    return mapping(mapping(row.get("data")).get("proxbox_sync"))


def _kind(row: Mapping[str, Any]) -> Kind:
    """Return what a row is, by the plugin's own rule (``is_proxbox_sync_job``, 0.0.24 and newer)."""
    data = row.get("data")
    if isinstance(data, Mapping) and "proxbox_sync" in data:
        return Kind.SYNC
    if row.get("object_type"):
        return Kind.FOREIGN
    if text(row.get("name")).strip() == DEFAULT_NAME:
        return Kind.SYNC
    return Kind.NOT_KNOWN if data is None else Kind.FOREIGN


def _scope(params: object) -> Scope | None:
    if not isinstance(params, Mapping):
        return None
    types = items(params.get("sync_types")) or [params.get("sync_type") or "all"]
    return Scope(
        sync_types=frozenset(str(item) for item in types),
        proxmox_endpoints=numbers(params.get("proxmox_endpoint_ids")),
        netbox_endpoints=numbers(params.get("netbox_endpoint_ids")),
        objects=numbers(params.get("netbox_vm_ids")) | numbers(params.get("batch_object_ids")),
    )


def _scope_result(scope: Scope | None) -> dict[str, Any]:
    return {
        "sync_types": sorted(scope.sync_types) if scope else [],
        "proxmox_endpoints": sorted(scope.proxmox_endpoints) if scope else [],
        "netbox_endpoints": sorted(scope.netbox_endpoints) if scope else [],
    }


def _branch(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the branch of netbox-branching that the run wrote to, and its state; None if there was none."""
    branch = data.get("branch")
    if not isinstance(branch, Mapping):
        return None
    disposition = mapping(mapping(data.get("response")).get("branch_disposition"))
    return {
        "id": branch.get("id"),
        "name": branch.get("name"),
        "status": disposition.get("status"),
        "reason": disposition.get("reason"),
    }
