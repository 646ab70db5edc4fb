# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Proxbox sync job as NetBox tells it, and the one shape in which the modules return it. No network, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ._outcome import SUCCEEDED, Outcome, judge
from ._plugin import (
    DEFAULT_NAME,
    STAGES,
    log_of,
    was_cancelled,
)

LIVING = ("scheduled", "pending", "running")
"""The statuses of a job that has not ended (NetBox's ``JobStatusChoices.ENQUEUED_STATE_CHOICES``)."""

ENDED = ("completed", "errored", "failed")
"""The statuses of a job that has ended (NetBox's ``JobStatusChoices.TERMINAL_STATE_CHOICES``)."""


@dataclass(frozen=True)
class Scope:
    """What a sync covers. An empty set of endpoint ids means every endpoint.

    ``objects`` are the ids of the virtual machines or objects that it is for; no schedule of ours asks for any.
    """

    sync_types: frozenset[str] = frozenset({"all"})
    proxmox_endpoints: frozenset[int] = frozenset()
    netbox_endpoints: frozenset[int] = frozenset()
    objects: frozenset[int] = frozenset()


@dataclass(frozen=True)
class NewJob:
    """A sync job to create. ``interval`` is in minutes; ``schedule_at`` None means at once."""

    name: str
    scope: Scope
    schedule_at: datetime | None = None
    interval: int | None = None


@dataclass(frozen=True)
class Job:
    """One row of NetBox's ``core.Job`` (NetBox 4.5-4.7). Times are aware, in UTC; ``interval`` is in minutes.

    ``is_sync`` is None and ``scope`` is None while NetBox itself does not say: the row's ``data`` is null for a moment
    when a run starts, and before netbox-proxbox 0.0.26 it tells no scope until the run has ended.
    ``dead`` says why a job that looks alive is not, where somebody has found out.
    """

    id: int | None
    name: str
    status: str
    is_sync: bool | None = True
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
    url: str = ""
    run_id: str | None = None
    branch: Mapping[str, Any] | None = field(default=None, compare=False)
    outcome: Outcome = field(default_factory=Outcome)
    data: Any = field(default=None, compare=False, repr=False)
    log_entries: tuple[Mapping[str, Any], ...] | None = field(default=None, compare=False)
    dead: str | None = field(default=None, compare=False)

    @property
    def living(self) -> bool:
        """Whether the job has not ended."""
        return self.status in LIVING

    @property
    def runs(self) -> bool:
        """Whether the job is really running."""
        return self.status == "running" and not self.dead

    @property
    def succeeded(self) -> bool:
        """Whether the run did all that was asked for."""
        return self.outcome.verdict == SUCCEEDED

    @property
    def cancelled(self) -> bool:
        """Whether somebody ended the job, before it ran or as it did."""
        return was_cancelled(self.status, self.error)

    @classmethod
    def from_api(cls, row: Mapping[str, Any], all_stages: Sequence[str] = STAGES) -> Job:
        """Read a row of ``/api/core/jobs/`` or ``/api/plugins/proxbox/sync-jobs/``, trimmed by ``fields=`` or whole.

        :param all_stages: the stages of a sync of everything in the plugin's release.
        """
        data = row.get("data")
        block = data.get("proxbox_sync") if isinstance(data, Mapping) else None
        block = block if isinstance(block, Mapping) else {}
        status = row.get("status")
        user = row.get("user")
        return cls(
            id=row["id"],
            name=row.get("name") or "",
            status=status["value"] if isinstance(status, Mapping) else str(status or ""),
            is_sync=_is_sync(row),
            scope=_scope(block.get("params")),
            scheduled=read_time(row.get("scheduled")),
            interval=row.get("interval"),
            created=read_time(row.get("created")),
            started=read_time(row.get("started")),
            completed=read_time(row.get("completed")),
            error=row.get("error") or "",
            queue=row.get("queue_name") or "",
            rq_job_id=str(row.get("job_id") or ""),
            user=user.get("username") if isinstance(user, Mapping) else None,
            url=row.get("display_url") or "",
            run_id=str(_params(block).get("run_id") or "") or None,
            branch=_branch(block),
            outcome=judge(row, all_stages),
            data=data,
            log_entries=log_of(row),
        )

    def result(self, *, include_log: bool = False, include_data: bool = False) -> dict[str, Any]:
        """This job in the shape that every module returns and documents."""
        scope = self.scope
        shape = {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "sync_types": sorted(scope.sync_types) if scope else [],
            "proxmox_endpoints": sorted(scope.proxmox_endpoints) if scope else [],
            "netbox_endpoints": sorted(scope.netbox_endpoints) if scope else [],
            "scheduled": iso(self.scheduled),
            "interval": self.interval,
            "created": iso(self.created),
            "started": iso(self.started),
            "completed": iso(self.completed),
            "duration": self.duration,
            "error": self.error,
            "cancelled": self.cancelled,
            **self.outcome.result(),
            "run_id": self.run_id,
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
            shape["data"] = self.data
        return shape

    @property
    def duration(self) -> float | None:
        """How long the run took, in seconds; None while it has not both started and ended."""
        if self.started is None or self.completed is None:
            return None
        return round((self.completed - self.started).total_seconds(), 3)


def iso(moment: datetime | None) -> str | None:
    """A time in the one form the collection prints and sends: RFC 3339 in UTC with ``Z``, to the second."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str | None) -> datetime | None:
    """A time as NetBox writes it, in UTC."""
    return datetime.fromisoformat(text).astimezone(timezone.utc) if text else None


def _is_sync(row: Mapping[str, Any]) -> bool | None:
    """The plugin's own rule (``is_proxbox_sync_job``, 0.0.24+), with None where the row cannot tell yet."""
    data = row.get("data")
    if isinstance(data, Mapping) and "proxbox_sync" in data:
        return True
    if (row.get("name") or "").strip() == DEFAULT_NAME and not row.get("object_type"):
        return True
    status = row.get("status")
    value = status.get("value") if isinstance(status, Mapping) else status
    if data is None and not row.get("object_type") and value in LIVING:
        return None
    return False


def _scope(params: Any) -> Scope | None:
    if not isinstance(params, Mapping):
        return None
    types = params.get("sync_types")
    types = types if isinstance(types, list) and types else [params.get("sync_type") or "all"]
    return Scope(
        sync_types=frozenset(str(item) for item in types),
        proxmox_endpoints=_ids(params.get("proxmox_endpoint_ids")),
        netbox_endpoints=_ids(params.get("netbox_endpoint_ids")),
        objects=_ids(params.get("netbox_vm_ids")) | _ids(params.get("batch_object_ids")),
    )


def _ids(values: Any) -> frozenset[int]:
    # The plugin stores ids as strings.
    values = values if isinstance(values, list) else []
    return frozenset(int(str(value)) for value in values if str(value).isascii() and str(value).isdecimal())


def _params(block: Mapping[str, Any]) -> Mapping[str, Any]:
    params = block.get("params")
    return params if isinstance(params, Mapping) else {}


def _branch(block: Mapping[str, Any]) -> dict[str, Any] | None:
    """The branch of netbox-branching that the run wrote to, and what has become of it; None where there was none."""
    branch, response = block.get("branch"), block.get("response")
    if not isinstance(branch, Mapping):
        return None
    disposition = response.get("branch_disposition") if isinstance(response, Mapping) else None
    disposition = disposition if isinstance(disposition, Mapping) else {}
    return {
        "id": branch.get("id"),
        "name": branch.get("name"),
        "status": disposition.get("status"),
        "reason": disposition.get("reason"),
    }
