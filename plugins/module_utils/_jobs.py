# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxbox sync jobs over NetBox's REST API: list, get, enqueue, cancel, as typed objects.

Routes, all below ``/api/``, and the first netbox-proxbox that has them:

* ``GET core/jobs/`` (NetBox): every job, trimmed by ``fields=``; what lives is read here, for it alone lists a run that
  is just starting, whose ``data`` is null;
* ``GET plugins/proxbox/sync-jobs/`` (0.0.26): Proxbox sync jobs only, filtered in SQL; what has ended is read here;
* ``POST plugins/proxbox/sync/schedule/`` (0.0.11): create;
* ``POST plugins/proxbox/jobs/<id>/cancel/`` (0.0.24): cancel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from itertools import islice
from typing import Any

from ._errors import ProxboxError
from ._job import (
    ENDED,
    LIVING,
    Job,
    NewJob,
    Scope,
    iso,
)
from ._outcome import (
    CANCELLED,
    FAILED,
    NOTHING_DONE,
    PARTIAL,
    SUCCEEDED,
    UNKNOWN,
)
from ._pages import Pages
from ._plugin import (
    SDN_MINIMUM,
    STAGES,
    SYNC_TYPES,
    cancel_was_too_late,
    is_refused_as_foreign,
)
from ._rq import Rq
from ._session import Session

PLUGIN_MINIMUM = (0, 0, 11)
"""The first netbox-proxbox with the route ``sync/schedule/``."""

CANCEL_MINIMUM = (0, 0, 24)
"""The first netbox-proxbox with the route ``jobs/<id>/cancel/``; before it, only its web page cancels."""

ROUTE_MINIMUM = (0, 0, 26)
"""The first netbox-proxbox with the route ``sync-jobs/``; before it, ``core/jobs/`` serves."""

RECENT = 50
"""How many of the newest syncs are looked at for one that succeeded."""

SEARCH_PAGE = 50
"""How many jobs at least are read at a time when they are chosen by their outcome, which NetBox cannot filter by."""

LONGEST_SYNC = timedelta(hours=2)
"""How long RQ lets a sync run, by default, and always before netbox-proxbox 0.0.27."""

SHORTEST_LIMIT = timedelta(hours=1)
"""The shortest time-out that the plugin's setting ``sync_job_timeout`` takes (0.0.27 and newer)."""

_SYNC_JOBS = "plugins/proxbox/sync-jobs/"
_SCHEDULE = "plugins/proxbox/sync/schedule/"
_CORE_JOBS = "core/jobs/"
_STATUS = "status/"
_SETTINGS = "plugins/proxbox/settings/"
_EVER = iso(datetime(1970, 1, 1, tzinfo=timezone.utc))
_FIELDS = (
    "id,name,status,object_type,created,scheduled,interval,started,completed,user,data,error,job_id,queue_name,"
    "display_url"
)
_SIFT: dict[str, Callable[[Job, Any], bool]] = {
    "sync_type": lambda job, types: bool(job.scope and job.scope.sync_types & {"all", *types}),
    "errored": lambda job, errored: (job.status in ("errored", "failed") or bool(job.error)) is errored,
}
"""What the plugin filters on ``sync-jobs/`` and ``core/jobs/`` does not know, done here for older plugins."""

_STATUSES = {
    SUCCEEDED: ["completed"],
    NOTHING_DONE: ["completed"],
    UNKNOWN: ["completed"],
    CANCELLED: ["failed"],
    PARTIAL: list(ENDED),
    FAILED: list(ENDED),
}
"""The statuses that a job with each outcome may have in NetBox."""

_PLUGIN_FILTERS = (*_SIFT, "include_log_entries")
_ENDPOINTS = {"proxmox": "plugins/proxbox/endpoints/proxmox/", "netbox": "plugins/proxbox/endpoints/netbox/"}


class Jobs:
    """The Proxbox sync jobs of one NetBox."""

    def __init__(self, session: Session, pages: Pages | None = None) -> None:
        """
        :param pages: NetBox's web pages, for what no route of the API does; None for those without a login.
        """
        self.session = session
        self.pages = pages or Pages(session, None, None)
        self.rq = Rq(session)
        self._old_plugin: tuple[int, ...] | None = None
        self._endpoints: dict[str, list[dict[str, Any]]] = {}

    def living(self, name: str | None = None) -> list[Job]:
        """The living jobs that may be syncs, all of them or those named exactly ``name``, newest first; one GET.

        One whose ``is_sync`` is None is a sync that is just starting, or no sync at all.

        :raises ProxboxError: with a sentence.
        """
        return self._core_jobs({**({"name": name} if name else {}), "status": list(LIVING)})

    def underway(self) -> list[Job]:
        """As ``living``, the jobs that are pending or running, whatever their name; one GET."""
        return self._core_jobs({"status": ["pending", "running"]})

    def with_history(self, name: str, count: int) -> list[Job]:
        """As ``living``, and the newest that have ended, ``count`` in all at least.

        One GET; a second one when there are more, for a living one may be older than all of those.
        """
        newest = self._core_jobs({"name": name}, count=count)
        if len(newest) == count:
            known = {job.id for job in newest}
            newest += [job for job in self.living(name) if job.id not in known]
        return [job for job in newest if job.is_sync is not False]

    def created_since(self, name: str, since: datetime) -> list[Job]:
        """As ``living``, those created at ``since`` or later, whether they have ended or not; one GET."""
        return self._core_jobs({"name": name, "created__after": iso(since)})

    def _core_jobs(self, filters: Mapping[str, Any], *, count: int = 0) -> list[Job]:
        try:
            with _needs("core.view_job"):
                rows = self.session.list(_CORE_JOBS, {**filters, "fields": _FIELDS}, limit=count)
                return [self._job(row) for row in islice(rows, count or None)]
        except ProxboxError as exc:
            if exc.status == 404:
                self._release(exc)  # no NetBox at all, it seems
            raise

    def ended(self, name: str, count: int) -> list[Job]:
        """The ``count`` newest runs named exactly ``name`` that have ended, newest first; one GET.

        A job that was cancelled before it ran is no run.
        """
        rows = self._rows({"name": name, "status": list(ENDED), "started__after": _EVER}, page=count)
        return list(islice(rows, count))

    def succeeded_since(self, scope: Scope, since: datetime) -> list[Job]:
        """The newest sync job of ``scope`` that did all that was asked for, at ``since`` or later, if any.

        One GET of ``sync-jobs/``: the newest ``RECENT`` syncs of its types are looked at.
        """
        filters = {"status": "completed", "completed__after": iso(since), "sync_type": sorted(scope.sync_types)}
        rows = islice(self._rows(filters, page=RECENT), RECENT)
        return [job for job in rows if job.scope == scope and job.succeeded][:1]

    def search(
        self, filters: Mapping[str, Any], *, limit: int, include_log: bool = False, outcomes: Collection[str] = ()
    ) -> list[Job]:
        """Up to ``limit`` sync jobs (0: all of them), newest first, page after page of ``sync-jobs/``.

        :param outcomes: only jobs that ended so; NetBox cannot filter by it, so rows are read until enough fit.
        """
        extra: dict[str, Any] = {"include_log_entries": "true"} if include_log else {}
        if outcomes and "status" not in filters:
            extra["status"] = sorted({status for outcome in outcomes for status in _STATUSES[outcome]})
        page = max(limit, SEARCH_PAGE) if outcomes and limit else limit
        rows = self._rows({**filters, **extra}, page=min(page or 100, 100) if include_log else page)
        fitting = (job for job in rows if not outcomes or job.outcome.verdict in outcomes)
        # By id: a job that is created meanwhile moves another one onto the next page, where it comes again.
        return list({job.id: job for job in islice(fitting, limit or None)}.values())

    def chain(self, name: str) -> list[Job]:
        """As ``living``, every one named exactly ``name``, whether it has ended or not, page after page."""
        return [job for job in self._core_jobs({"name": name}) if job.is_sync is not False]

    def get(self, job_id: int, *, include_log: bool = False, after_create: bool = False) -> Job:
        """One job by its numeric id, whatever its kind; one GET.

        :raises ProxboxError: also when there is no such job, or the token may not see it.
        """
        with _needs("core.view_job"):
            fields = f"{_FIELDS},log_entries" if include_log else _FIELDS
            rows = list(self.session.list(_CORE_JOBS, {"id": job_id, "fields": fields}))
        if not rows and after_create:
            rest = f" Cancel the job at {self.session.url}/core/jobs/{job_id}/, as a user who sees it."
            raise ProxboxError(
                f"NetBox created the job {job_id}, and the token's user may not see it: a constraint on an object "
                "permission for core.view_job hides it. Each run of this task would add another: lift the constraint."
                f"{' The job was cancelled.' if self._withdraw(job_id) else rest}",
                changed=True,
            )
        if not rows:
            raise ProxboxError(
                f"NetBox has no job {job_id}, or the token's user may not see it (core.view_job, and the constraints "
                "of its object permissions)."
            )
        return self._job(rows[0])

    def _withdraw(self, job_id: int) -> bool:
        """Cancel a job that the token has made and may not see, where NetBox lets it, or a login for its web page."""
        try:
            self.session.post(f"plugins/proxbox/jobs/{job_id}/cancel/", {}, repeatable=True)
        except ProxboxError:
            try:
                self.pages.cancel(job_id)
            except ProxboxError:
                return False
        return True

    def get_sync(self, job_id: int, *, include_log: bool = False) -> Job:
        """As ``get``, for a job that must be a Proxbox sync; one GET.

        :raises ProxboxError: also when the job is something else.
        """
        job = self.get(job_id, include_log=include_log)
        if job.is_sync is False:
            raise ProxboxError(f"Job {job_id} ({job.name}) of {self.session.url} is no Proxbox sync.")
        return job

    def get_status(self, job_id: int) -> str | None:
        """The status of a job, for polling: neither its data nor its log is read; None when it is gone; one GET."""
        with _needs("core.view_job"):
            rows = list(self.session.list(_CORE_JOBS, {"id": job_id, "fields": "id,status"}))
        return rows[0]["status"]["value"] if rows else None

    def judged(self, job: Job) -> Job:
        """The same job, read with its log where that may tell more of why something was not done; one GET then."""
        if job.outcome.verdict in (SUCCEEDED, NOTHING_DONE) or job.log_entries is not None:
            return job
        return self.get(job.id, include_log=True)

    def watch(self, job_id: int, *, include_data: bool) -> Job | None:
        """A job with its log, for showing what it does; without its data, unless asked for.

        None when it is gone; one GET. NetBox 4.7 gives a log as a whole only.
        """
        fields = "id,name,status,created,scheduled,started,queue_name,log_entries" + (",data" if include_data else "")
        with _needs("core.view_job"):
            rows = list(self.session.list(_CORE_JOBS, {"id": job_id, "fields": fields}))
        return self._job(rows[0]) if rows else None

    def has_ended(self, job_id: int) -> bool:
        """Whether a job has ended, or is gone; one GET."""
        return self.get_status(job_id) not in LIVING

    @cached_property
    def longest_sync(self) -> timedelta:
        """How long NetBox lets a sync run (the setting ``sync_job_timeout``, 0.0.27 and newer); one GET.

        Two hours, the plugin's own default, where the release has no such setting or the token may not read it.
        """
        try:
            rows = list(self.session.list(_SETTINGS, {"fields": "id,sync_job_timeout"}))
        except ProxboxError as exc:
            if exc.status in (403, 404):
                return LONGEST_SYNC
            raise
        seconds = rows[0].get("sync_job_timeout") if rows else None
        return timedelta(seconds=seconds) if isinstance(seconds, int) else LONGEST_SYNC

    def enqueue(self, new: NewJob) -> int:
        """Create a job and return its id; one POST, never repeated.

        The body is the one that every plugin release from 0.0.11 on reads alike.

        :raises ProxboxError: with a sentence; for an unknown sync type with the list that the server takes.
        """
        body: dict[str, Any] = {"sync_types": sorted(new.scope.sync_types), "job_name": new.name}
        if new.schedule_at:
            body["schedule_at"] = iso(new.schedule_at)
        if new.interval:
            body.update(interval_value=new.interval, interval_unit="minutes")
        if new.scope.proxmox_endpoints:
            body["proxmox_endpoint_ids"] = sorted(new.scope.proxmox_endpoints)
        if new.scope.netbox_endpoints:
            body["netbox_endpoint_ids"] = sorted(new.scope.netbox_endpoints)
        with _needs("core.add_job"):
            try:
                answer = self.session.post(_SCHEDULE, body)
            except ProxboxError as exc:
                if exc.status == 404:
                    self._release(exc)
                if exc.status == 400 and "sync_types" in (exc.detail or ""):
                    raise exc.saying(f"{exc} Sync types of netbox-proxbox 0.0.29: {', '.join(SYNC_TYPES)}.") from None
                raise
        if not isinstance(answer, dict) or not isinstance(answer.get("job_id"), int):
            where = f"POST {self.session.url}/api/{_SCHEDULE}"
            raise ProxboxError(f"NetBox took the job but did not say its id ({where}): {str(answer)[:200]}.")
        return answer["job_id"]

    def cancel(self, job: Job) -> bool | None:
        """Cancel a job; one POST, repeated if need be. Return whether it is cancelled: False when it ended by itself.

        Of one that ended by itself and recurs, NetBox makes a successor; of one that was cancelled, by whomever, none.
        None means that NetBox refused for the moment: the job is starting, and its ``data`` is null until it has. One
        GET more when the answer does not tell.

        :raises ProxboxError: with a sentence.
        """
        if self.cancels_by_page:
            return self._cancel_by_page(job)
        try:
            with _needs("core.delete_job"):
                answer = self.session.post(f"plugins/proxbox/jobs/{job.id}/cancel/", {}, repeatable=True)
        except ProxboxError as exc:
            # Of two that cancel the same job at once, NetBox 4.7.3 answers one with an IntegrityError (HTTP 500). And a
            # job that was seen a moment ago and is not found now was deleted.
            if exc.status == 404 and exc.detail is None:  # a web page: there is no such route
                self._old_plugin = self._release(exc)
                self.check_cancel()
                return self._cancel_by_page(job)
            if exc.status == 404 or (exc.status == 500 and self.has_ended(job.id)):
                return self._was_cancelled(job)
            if exc.status == 400 and job.is_sync and is_refused_as_foreign(exc.detail or ""):
                return None
            raise
        # It says "cancelled" too of one that ended by itself just now; then the status tells. And of one that was
        # cancelled before, by somebody else or by this very request when its first answer was lost, it does not.
        if answer.get("status") == "failed" and not cancel_was_too_late(str(answer.get("detail"))):
            return True
        return self._was_cancelled(job)

    def _was_cancelled(self, job: Job) -> bool:
        with _needs("core.view_job"):
            rows = list(self.session.list(_CORE_JOBS, {"id": job.id, "fields": _FIELDS}))
        return not rows or self._job(rows[0]).cancelled

    def _cancel_by_page(self, job: Job) -> bool:
        if not self.has_ended(job.id):
            self.pages.cancel(job.id)
            if not self.has_ended(job.id):
                raise ProxboxError(
                    f"NetBox's web page did not cancel the job {job.id} ({job.name}): look at {self.session.url}"
                    f"/core/jobs/{job.id}/ and run the task again."
                )
        return self._was_cancelled(job)

    def endpoint_ids(self, kind: str, wanted: Iterable[str]) -> frozenset[int]:
        """The ids of the endpoints ``wanted`` (names or ids as text) of ``kind`` ``proxmox`` or ``netbox``.

        Ids alone cost no request; with a name among them, one GET.

        :raises ProxboxError: for a name that no endpoint, or more than one, has, and for a disabled endpoint.
        """
        wanted = [str(item).strip() for item in wanted]
        if all(item.isascii() and item.isdecimal() for item in wanted):
            return frozenset(int(item) for item in wanted)
        return frozenset(self._endpoint(kind, item)["id"] for item in wanted)

    def check_scope(self, scope: Scope) -> None:
        """Refuse what no sync can be made of; one GET for each kind of endpoint that the scope names.

        Some releases drop an unknown endpoint id without a word and then sync every endpoint (0.0.20.post3-0.0.23),
        and none checks the ids of NetBox endpoints.

        :raises ProxboxError: for an unknown or disabled endpoint.
        """
        for endpoint_id in sorted(scope.netbox_endpoints):
            self._endpoint("netbox", str(endpoint_id))
        for endpoint_id in sorted(scope.proxmox_endpoints):
            try:
                self._endpoint("proxmox", str(endpoint_id))
            except ProxboxError as exc:
                if exc.status != 403:
                    raise
                self.check_release()
                if self.cancels_by_page:
                    raise
                return  # the token may not look them up; this release of the plugin refuses a wrong id itself

    def _endpoint(self, kind: str, wanted: str) -> dict[str, Any]:
        rows = self._endpoints.get(kind)
        if rows is None:
            with _needs(f"netbox_proxbox.view_{kind}endpoint"):
                rows = list(self.session.list(_ENDPOINTS[kind], {"fields": "id,name,enabled"}))
            self._endpoints[kind] = rows
        label = {"proxmox": "Proxmox", "netbox": "NetBox"}[kind]
        matches = [row for row in rows if str(row["id"]) == wanted or row.get("name") == wanted]
        if len(matches) != 1:
            known = ", ".join(f"{row.get('name')} ({row['id']})" for row in rows) or "none"
            problem = "names more than one" if matches else "is no"
            raise ProxboxError(
                f"{wanted!r} {problem} {label} endpoint of {self.session.url}; those that the token's user may see: "
                f"{known}."
            )
        if matches[0].get("enabled") is False:
            raise ProxboxError(f"The {label} endpoint {wanted!r} is disabled in NetBox: enable it, or leave it out.")
        return matches[0]

    def _rows(self, filters: Mapping[str, Any], *, page: int = 0) -> Iterator[Job]:
        """Sync jobs, newest first, page after page, each page when it is needed.

        The rows of ``sync-jobs/`` are Proxbox syncs by the server's own word, whatever their data says at the moment.
        A plugin that lacks this route is asked through ``core/jobs/``, and the rows are sifted here.
        """
        with _needs("core.view_job"):
            if self._old_plugin is None:
                try:
                    for row in self.session.list(_SYNC_JOBS, filters, limit=page):
                        yield replace(self._job(row), is_sync=True)
                    return
                except ProxboxError as exc:
                    if exc.status != 404:
                        raise
                    self._old_plugin = self._release(exc)
            log = ",log_entries" if "include_log_entries" in filters else ""
            kept = {key: value for key, value in filters.items() if key not in _PLUGIN_FILTERS}
            for row in self.session.list(_CORE_JOBS, {**kept, "fields": _FIELDS + log}, limit=page):
                job = self._job(row)
                if job.is_sync and all(key not in filters or fits(job, filters[key]) for key, fits in _SIFT.items()):
                    yield job

    def _job(self, row: Mapping[str, Any]) -> Job:
        if self._old_plugin is not None and self._old_plugin < SDN_MINIMUM:
            return Job.from_api(row, [stage for stage in STAGES if stage != "sdn"])
        return Job.from_api(row)

    @property
    def cancels_by_page(self) -> bool:
        """Whether the plugin, as far as its release is known, cancels on its web page only."""
        return self._old_plugin is not None and self._old_plugin < CANCEL_MINIMUM

    def check_cancel(self) -> None:
        """Check, before anything is written, that jobs can be cancelled. Only an old plugin costs requests.

        :raises ProxboxError: with a sentence, if the plugin has no route for it and its web page may not be used.
        """
        if self.cancels_by_page:
            self.pages.check_cancel()

    def check_release(self) -> None:
        """Find out whether the plugin is there, and can do what is asked of it, before anything is written; one GET.

        :raises ProxboxError: with a sentence: no plugin, or one too old to be of any use.
        """
        if self._old_plugin is None:
            release = self._release()
            self._old_plugin = release if release < ROUTE_MINIMUM else None

    def _release(self, exc: ProxboxError | None = None) -> tuple[int, ...]:
        """The plugin's release; one GET of ``status/``.

        :param exc: the 404 of a route of the plugin that was the reason to ask.
        :raises ProxboxError: with a sentence: wrong address, no plugin, or one too old to be of any use.
        """
        failure = exc or ProxboxError("", url=f"{self.session.url}/api/{_STATUS}", method="GET", status=200)
        try:
            status = self.session.get(_STATUS)
            version = status["plugins"].get("netbox_proxbox")
            netbox = status["netbox-version"]
        except (ProxboxError, KeyError, AttributeError, TypeError) as reason:
            if isinstance(reason, ProxboxError) and (exc is None or reason.status in (401, 403)):
                raise  # a route that is missing answers before NetBox looks at the token
            raise failure.saying(
                f"There is no NetBox API at {self.session.url}: look at netbox_url ({failure.method} {failure.url} "
                f"answered HTTP {failure.status})."
            ) from None
        if version is None:
            raise failure.saying(
                f"NetBox {netbox} at {self.session.url} does not have the plugin netbox-proxbox: install it and add "
                "netbox_proxbox to PLUGINS.",
            )
        release = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        if release < PLUGIN_MINIMUM:
            raise failure.saying(
                f"NetBox {netbox} at {self.session.url} has netbox-proxbox {version}, which schedules nothing over the "
                f"API: upgrade the plugin to {_dotted(PLUGIN_MINIMUM)} or newer, best to {_dotted(ROUTE_MINIMUM)} or "
                "newer.",
            )
        if exc and release >= ROUTE_MINIMUM:
            raise failure.saying(
                f"NetBox {netbox} at {self.session.url} has netbox-proxbox {version}, and yet not the route {exc.url}: "
                "look at what stands before NetBox."
            )
        return release


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))


class _needs:
    """Name the NetBox permission that a refused call needs."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, exc: BaseException | None, traceback: Any) -> bool:
        if isinstance(exc, ProxboxError) and exc.status == 403 and "permission" in (exc.detail or "").lower():
            raise exc.saying(f"{exc} Grant it the permission {self.permission}.") from None
        return False
