# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the jobs of one NetBox over its REST API. They are listed, created and cancelled here.

Routes below ``/api/``, and the first netbox-proxbox that has them:

* ``GET core/jobs/`` (NetBox itself): all jobs, trimmed by ``fields=``. Only this list shows a run while it starts.
* ``POST plugins/proxbox/sync/schedule/`` (0.0.11): create.
* ``POST plugins/proxbox/jobs/<id>/cancel/`` (0.0.24): cancel. Older releases cancel on their web page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from ._errors import ProxboxError, needs
from ._job import ACTIVE, ENDED, Job, Kind, NewJob, iso
from ._plan import Older
from ._plugin import STAGES, SYNC_TYPES, cancel_was_too_late, is_refused_as_foreign
from ._session import Session

if TYPE_CHECKING:
    from ._endpoints import Endpoints
    from ._pages import Pages
    from ._release import Release
    from ._rq import Rq

JOB_FIELDS = (
    "id,name,status,object_type,created,scheduled,interval,started,completed,user,data,error,job_id,queue_name,"
    "display_url"
)
"""The fields of a job that the collection reads. The log is large, so it is read only where it is needed."""

OLDER_READ = 100
"""How many older jobs are read at most to find out who has moved a recurring schedule."""

_CORE_JOBS = "core/jobs/"
_SCHEDULE = "plugins/proxbox/sync/schedule/"


class CancelResult(Enum):
    """What came of a cancel."""

    CANCELLED = "the job is cancelled, now or before"
    ENDED = "the job has ended by itself"
    NOT_YET = "NetBox does not cancel the job at this moment, because it is starting and has no data yet"


class Jobs:
    """The jobs of one NetBox. Each method raises ``ProxboxError`` with a sentence."""

    def __init__(self, session: Session, username: str | None = None, password: str | None = None) -> None:
        """
        :param username: the login for NetBox's web pages, if there is one.
        """
        self.session = session
        self._login = username, password
        self._release: Release | None = None
        self._may_cancel = False

    @cached_property
    def pages(self) -> Pages:
        """NetBox's web pages."""
        from ._pages import Pages  # few tasks need a page

        return Pages(self.session, *self._login)

    @cached_property
    def rq(self) -> Rq:
        """What RQ knows."""
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
    def lists_syncs(self) -> bool:
        """Whether the route ``sync-jobs/`` may be there. It is not if the release is known to lack it."""
        return self._release is None or self._release.lists_syncs

    def job(self, row: Mapping[str, Any]) -> Job:
        """Return the job of a row."""
        return Job.from_row(row, self._release.stages if self._release else STAGES)

    def active(self, name: str | None = None) -> list[Job]:
        """Return the jobs that have not ended, all or those with exactly this name, newest first; one GET."""
        return list(self._core_jobs({**({"name": name} if name else {}), "status": list(ACTIVE)}))

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
                # NetBox gives a late run fractions of a second.
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

    def named(self, name: str) -> list[Job]:
        """Return all jobs with exactly this name, page after page."""
        return list(self._core_jobs({"name": name}))

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

    def get_created(self, job_id: int) -> Job:
        """Return a job that this task has created; one GET.

        :raises ProxboxError: also if the token may not see it. The job is cancelled then, if possible.
        """
        job = self.find(job_id)
        if job is None:
            rest = f" Cancel the job at {self.url}/core/jobs/{job_id}/, as a user who sees it."
            raise ProxboxError(
                f"NetBox created the job {job_id}, and the token's user may not see it: somebody has deleted it, or a "
                "constraint on an object permission for core.view_job hides it. With such a constraint, each run of "
                "this task would add another job: remove the constraint."
                f"{' The job was cancelled.' if self._withdraw(job_id) else rest}",
                changed=True,
            )
        return job

    def watch(self, job_id: int, *, include_data: bool) -> Job | None:
        """Return a job with its log, to show what it does; None if it is gone; one GET.

        NetBox 4.7 gives a log as a whole only.
        """
        fields = "id,name,status,created,scheduled,started,queue_name,log_entries"
        return self.find(job_id, f"{fields},data" if include_data else fields)

    def status(self, job_id: int) -> str | None:
        """Return the status of a job, without its data and its log; None if it is gone; one GET."""
        job = self.find(job_id, "id,status")
        return job.status if job else None

    def create(self, new: NewJob) -> int:
        """Create a job and return its id; one POST, which is never repeated.

        All releases from 0.0.11 on read this body alike.

        :raises ProxboxError: also for an unknown sync type, with the list of the valid ones.
        """
        body: dict[str, Any] = {"sync_types": sorted(new.scope.sync_types), "job_name": new.name}
        if new.schedule_at:
            body["schedule_at"] = iso(new.schedule_at)
        if new.interval:
            body |= {"interval_value": new.interval, "interval_unit": "minutes"}
        if new.scope.proxmox_endpoints:
            body["proxmox_endpoint_ids"] = sorted(new.scope.proxmox_endpoints)
        if new.scope.netbox_endpoints:
            body["netbox_endpoint_ids"] = sorted(new.scope.netbox_endpoints)
        try:
            with needs("core.add_job"):
                answer = self.session.post(_SCHEDULE, body)
        except ProxboxError as exc:
            if exc.status == 404:
                self._missing(exc)
            if exc.status == 400 and "sync_types" in (exc.detail or ""):
                valid = [name for name in SYNC_TYPES if name == "all" or name in self.release().stages]
                raise exc.saying(
                    f"{exc} netbox-proxbox {self.release().version} takes the sync types {', '.join(valid)}."
                ) from None
            raise
        if not isinstance(answer.get("job_id"), int):
            where = f"POST {self.url}/api/{_SCHEDULE}"
            raise ProxboxError(
                f"NetBox created the job but did not tell its id ({where}): {str(answer)[:200]}. Check the jobs called "
                f"{new.name!r}.",
                outcome_unknown=True,
            )
        return int(answer["job_id"])

    def cancel(self, job: Job) -> CancelResult:
        """Cancel a job; one POST, repeated if need be, and one GET if the answer does not tell what happened.

        NetBox creates a successor of a recurring job that has ended by itself, and none of a job that was cancelled.
        """
        if self._release and not self._release.cancels:
            return self._cancel_by_page(job)
        try:
            with needs("core.delete_job"):
                answer = self.session.post(_cancel_route(job.id), {}, repeatable=True)
        except ProxboxError as exc:
            if exc.status == 404 and exc.detail is None:  # a web page: the route is missing
                self.check_cancel()
                return self._cancel_by_page(job)
            # Of two tasks that cancel the same job at once, NetBox 4.7.3 answers one with an IntegrityError (HTTP 500).
            # A job that is not found was deleted a moment ago.
            if exc.status == 404 or (exc.status == 500 and self.status(job.id) not in ACTIVE):
                return self._how_it_ended(job)
            if exc.status == 400 and job.kind is Kind.SYNC and is_refused_as_foreign(exc.detail or ""):
                return CancelResult.NOT_YET
            raise
        # The answer is the same for a job that was cancelled before and for one that has just ended by itself.
        if answer.get("status") == "failed" and not cancel_was_too_late(str(answer.get("detail"))):
            return CancelResult.CANCELLED
        return self._how_it_ended(job)

    def check_cancel(self) -> None:
        """Find out whether ``cancel`` would work; one OPTIONS, a few requests with an old plugin. Nothing is written.

        :raises ProxboxError: if neither the API nor the web page may be used to cancel.
        """
        if self._may_cancel:
            return
        try:
            with needs("core.delete_job"):
                self.session.options(_cancel_route(0))
        except ProxboxError as exc:
            if exc.status == 404 and self.release(exc).cancels:
                self._missing(exc)
            if exc.status == 404:
                self.pages.check_cancel()
            elif exc.status not in (405, 501):  # a proxy may refuse OPTIONS; then the cancel itself has to tell
                raise
        self._may_cancel = True

    def _core_jobs(self, filters: Mapping[str, Any], *, page: int = 0) -> Iterator[Job]:
        try:
            with needs("core.view_job"):
                for row in self.session.list(_CORE_JOBS, {**filters, "fields": JOB_FIELDS}, limit=page):
                    yield self.job(row)
        except ProxboxError as exc:
            if exc.status == 404:
                self._missing(exc)
            raise

    def _how_it_ended(self, job: Job) -> CancelResult:
        found = self.find(job.id, "id,status,error")
        return CancelResult.CANCELLED if found is None or found.cancelled else CancelResult.ENDED

    def _cancel_by_page(self, job: Job) -> CancelResult:
        if self.status(job.id) in ACTIVE:
            self.pages.cancel(job.id)
            if self.status(job.id) in ACTIVE:
                return CancelResult.NOT_YET  # the page does nothing while a run has no data
        return self._how_it_ended(job)

    def _withdraw(self, job_id: int) -> bool:
        """Cancel a job that the token has created and may not see. Return whether it worked."""
        try:
            self.session.post(_cancel_route(job_id), {}, repeatable=True)
        except ProxboxError:
            try:
                self.pages.cancel(job_id)
            except ProxboxError:
                return False
        return True

    def _missing(self, exc: ProxboxError) -> None:
        """Explain why a route is missing.

        :raises ProxboxError: always.
        """
        release = self.release(exc)
        raise exc.saying(
            f"NetBox at {self.url} has netbox-proxbox {release.version}, but not the route {exc.url}: check what is in "
            "front of NetBox."
        )


def _cancel_route(job_id: int) -> str:
    return f"plugins/proxbox/jobs/{job_id}/cancel/"
