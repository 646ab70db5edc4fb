# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the jobs of one NetBox over its REST API.

They are read by ``GET core/jobs/`` (a route of NetBox itself), limited to the fields of ``fields=``. Only this list
shows a run while it starts.
``_create.py`` creates jobs, and ``_cancel.py`` cancels them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from ._errors import ProxboxError, needs
from ._job import ACTIVE, ENDED, JOB_FIELDS, Job, iso
from ._plan import Older
from ._plugin import STAGES
from ._session import Session

if TYPE_CHECKING:
    from ._endpoints import Endpoints
    from ._pages import Pages
    from ._release import Release
    from ._rq import Rq

OLDER_READ = 100
"""The maximum number of older jobs that are read to find out who has moved a recurring schedule."""

_CORE_JOBS = "core/jobs/"


class Jobs:
    """The jobs of one NetBox. Each method raises ``ProxboxError`` with a sentence."""

    def __init__(self, session: Session, username: str | None = None, password: str | None = None) -> None:
        """
        :param username: the login for NetBox's web pages, if there is one.
        """
        self.session = session
        self._login = username, password
        self._release: Release | None = None
        self.may_cancel = False
        """Whether this task has found out that it may cancel jobs."""
        self.may_not_cancel: ProxboxError | None = None
        """Why this task may not cancel jobs, if it has found out that."""

    @cached_property
    def pages(self) -> Pages:
        """NetBox's web pages."""
        from ._pages import Pages  # few tasks need a page

        return Pages(self.session, *self._login)

    @cached_property
    def rq(self) -> Rq:
        """RQ's tasks, workers and queues."""
        from ._rq import Rq  # only needed if a job is running or overdue

        return Rq(self.session)

    @cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints that a sync may be limited to."""
        from ._endpoints import Endpoints  # few tasks name any

        return Endpoints(self.session, self.release)

    def endpoint_ids(self, kind: str, wanted: list[str]) -> frozenset[int]:
        """Return the ids of endpoints of kind ``proxmox`` or ``netbox``, given as names or as ids."""
        return self.endpoints.ids(kind, wanted) if wanted else frozenset()

    def disabled_endpoints(self, job: Job | None) -> tuple[str, ...]:
        """Return a warning for each endpoint of a job that is known to be disabled. No request."""
        if job is None or job.scope is None or not (job.scope.proxmox_endpoints or job.scope.netbox_endpoints):
            return ()
        disabled = self.endpoints.disabled(job.scope)
        return tuple(f"{what} is disabled in NetBox: runs of {job.name!r} leave it out" for what in disabled)

    @property
    def url(self) -> str:
        """The address of NetBox."""
        return self.session.url

    def release(self, missing_route: ProxboxError | None = None) -> Release:
        """Return the release of the plugin. The first call costs one GET.

        :param missing_route: the answer 404 that is the reason for this call.
        """
        if self._release is None:
            from ._release import read_release  # few tasks ask for it

            self._release = read_release(self.session, missing_route)
        return self._release

    @property
    def cancels(self) -> bool:
        """Whether the API may cancel jobs. It does not if the release is known to lack the route."""
        return self._release is None or self._release.cancels

    @property
    def lists_syncs(self) -> bool:
        """Whether the route ``sync-jobs/`` may be there. It is not if the release is known to lack it."""
        return self._release is None or self._release.lists_syncs

    def job(self, row: Mapping[str, Any]) -> Job:
        """Return the job of a row."""
        return Job.from_row(row, self._release.stages if self._release else STAGES)

    def active(self, *names: str) -> list[Job]:
        """Return the jobs that have not ended, all or those with exactly these names, newest first; one GET."""
        return list(self._core_jobs({**({"name": list(names)} if names else {}), "status": list(ACTIVE)}))

    def under_way(self) -> list[Job]:
        """Return the jobs that are pending or running, whatever their name, newest first; one GET."""
        return list(self._core_jobs({"status": ["pending", "running"]}))

    def newest(self, name: str, count: int) -> tuple[list[Job], bool]:
        """Return the newest jobs with exactly this name, and whether these are all of them; one GET."""
        rows = list(islice(self._core_jobs({"name": name}, page=count + 1), count + 1))
        return rows[:count], len(rows) <= count

    def older(self, older: Older) -> tuple[Iterator[Job], bool]:
        """Return jobs that have ended, newest first, page after page, and whether these are all of them."""
        filters: dict[str, Any] = {"name": older.name, "status": list(ENDED)}
        if older.once:
            filters["interval__empty"] = "true"
            if older.scheduled:
                # NetBox adds fractions of a second to the time of a late run.
                second = timedelta(seconds=1)
                filters |= {
                    "scheduled__after": iso(older.scheduled - second),
                    "scheduled__before": iso(older.scheduled + second),
                }
            return self._core_jobs(filters, page=OLDER_READ), True
        found = list(islice(self._core_jobs(filters, page=OLDER_READ + 1), OLDER_READ + 1))
        return iter(found[:OLDER_READ]), len(found) <= OLDER_READ

    def created_since(self, name: str, since: datetime) -> list[Job]:
        """Return the jobs with exactly this name that were created at ``since`` or later; one GET."""
        return list(self._core_jobs({"name": name, "created__after": iso(since)}))

    def named(self, *names: str) -> list[Job]:
        """Return all jobs with exactly one of these names, page after page."""
        return list(self._core_jobs({"name": list(names)}))

    def get(self, job_id: int, *, include_log: bool = False) -> Job:
        """Return one job, whatever its kind; one GET.

        :raises ProxboxError: also if there is no such job, or the token may not see it.
        """
        job = self.find(job_id, f"{JOB_FIELDS},log_entries" if include_log else JOB_FIELDS)
        if job is None:
            raise ProxboxError(
                f"NetBox has no job {job_id}, or the token's user may not see it (core.view_job, and the constraints "
                f"of its object permissions), at {self.url}."
            )
        return job

    def find(self, job_id: int, fields: str = JOB_FIELDS) -> Job | None:
        """Return one job, whatever its kind; None if it is gone, or if the token may not see it; one GET."""
        with needs("core.view_job"):
            for row in self.session.list(_CORE_JOBS, {"id": job_id, "fields": fields}):
                return self.job(row)
        return None

    def watch(self, job_id: int, *, include_data: bool) -> Job | None:
        """Return a job with its log, to show what it does; None if it is gone; one GET.

        NetBox 4.7 can return a log only as a whole.
        """
        fields = "id,name,status,created,scheduled,started,queue_name,log_entries"
        return self.find(job_id, f"{fields},data" if include_data else fields)

    def status(self, job_id: int) -> str | None:
        """Return the status of a job, without its data and its log; None if it is gone; one GET."""
        job = self.find(job_id, "id,status")
        return job.status if job else None

    def _core_jobs(self, filters: Mapping[str, Any], *, page: int = 0) -> Iterator[Job]:
        try:
            with needs("core.view_job"):
                for row in self.session.list(_CORE_JOBS, {**filters, "fields": JOB_FIELDS}, limit=page):
                    yield self.job(row)
        except ProxboxError as exc:
            if exc.status == 404:
                self.explain_missing(exc)
            raise

    def explain_missing(self, exc: ProxboxError) -> None:
        """Explain why a route is missing.

        :raises ProxboxError: always.
        """
        release = self.release(exc)
        raise exc.saying(
            f"NetBox at {self.url} has netbox-proxbox {release.version}, but not the route {exc.url}: check what is in "
            "front of NetBox."
        )
