# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the list of Proxbox syncs, ended ones too.

Route: ``GET plugins/proxbox/sync-jobs/`` (netbox-proxbox 0.0.26 and newer), filtered in SQL. For older releases,
``GET core/jobs/`` is read, and the rows are filtered here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from ._errors import ProxboxError, needs
from ._job import ENDED, JOB_FIELDS, Job, Kind, Scope, iso
from ._jobs import Jobs
from ._outcome import CANCELLED, FAILED, NOTHING_DONE, PARTIAL, SUCCEEDED, UNKNOWN

RECENT = 50
"""How many of the newest syncs are read to find those of a scope. NetBox cannot filter by it."""

SEARCH_PAGE = 50
"""The minimum number of jobs per page if they are chosen by their outcome. NetBox cannot filter by it."""

_SYNC_JOBS = "plugins/proxbox/sync-jobs/"
_EVER = iso(datetime(1970, 1, 1, tzinfo=timezone.utc))
_OWN_FILTERS: dict[str, Callable[[Job, Any], bool]] = {
    "sync_type": lambda job, types: bool(job.scope and job.scope.sync_types & {"all", *types}),
    "errored": lambda job, errored: (job.status in ("errored", "failed") or bool(job.error)) is errored,
}
"""The filters that ``sync-jobs/`` has and ``core/jobs/`` lacks."""

_STATUSES = {
    SUCCEEDED: ["completed"],
    NOTHING_DONE: ["completed"],
    UNKNOWN: ["completed"],
    CANCELLED: ["failed"],
    PARTIAL: list(ENDED),
    FAILED: list(ENDED),
}
"""The statuses that a job with each outcome may have in NetBox."""


def ended(jobs: Jobs, names: Sequence[str], count: int, like: Job | None = None) -> list[Job]:
    """Return the ``count`` newest runs with exactly one of these names that have ended, newest first; one GET.

    A job that was cancelled before it ran is no run.

    :param like: return only runs with the interval and the scope of this job.
    :raises ProxboxError: with a sentence.
    """
    filters: dict[str, Any] = {"name": list(names), "status": list(ENDED), "started__after": _EVER}
    if like is None:
        return list(islice(_syncs(jobs, filters, page=count), count))
    filters |= {"interval": like.interval} if like.interval else {"interval__empty": "true"}
    read = max(count, RECENT)
    rows = islice(_syncs(jobs, filters, page=read), read)
    return list(islice((job for job in rows if like.scope in (None, job.scope)), count))


def succeeded_since(jobs: Jobs, scope: Scope, since: datetime) -> list[Job]:
    """Return the newest sync of ``scope`` that succeeded and ended at ``since`` or later, if there is one; one GET.

    :raises ProxboxError: with a sentence.
    """
    filters = {"status": "completed", "completed__after": iso(since), "sync_type": sorted(scope.sync_types)}
    rows = islice(_syncs(jobs, filters, page=RECENT), RECENT)
    return [job for job in rows if job.scope == scope and job.succeeded][:1]


def search(
    jobs: Jobs, filters: Mapping[str, Any], *, limit: int, include_log: bool = False, outcomes: Collection[str] = ()
) -> list[Job]:
    """Return up to ``limit`` syncs (0: all of them), newest first, page after page.

    :param outcomes: return only jobs with these outcomes. Rows are read until enough of them fit.
    :raises ProxboxError: with a sentence.
    """
    extra: dict[str, Any] = {"include_log_entries": "true"} if include_log else {}
    if outcomes and "status" not in filters:
        extra["status"] = sorted({status for outcome in outcomes for status in _STATUSES[outcome]})
    page = max(limit, SEARCH_PAGE) if outcomes and limit else limit
    rows = _syncs(jobs, {**filters, **extra}, page=min(page or 100, 100) if include_log else page)
    fitting = (job for job in rows if not outcomes or job.outcome.verdict in outcomes)
    return list(islice(fitting, limit or None))


def judged(jobs: Jobs, job: Job) -> Job:
    """Return the same job, with its log if the log may tell more about what was not done; one GET then.

    :raises ProxboxError: with a sentence.
    """
    if job.outcome.verdict in (SUCCEEDED, NOTHING_DONE) or job.log_entries is not None:
        return job
    return jobs.get(job.id, include_log=True)


def _syncs(jobs: Jobs, filters: Mapping[str, Any], *, page: int = 0) -> Iterator[Job]:
    """Yield syncs, newest first. Each page is read when it is needed."""
    with needs("core.view_job"):
        if jobs.lists_syncs:
            try:
                for row in jobs.session.list(_SYNC_JOBS, filters, limit=page):
                    # The route lists only syncs, so the job is a sync, whatever its data shows at the moment.
                    yield jobs.job(row)._replace(kind=Kind.SYNC)
                return
            except ProxboxError as exc:
                if exc.status != 404 or jobs.release(exc).lists_syncs:
                    raise
        fields = f"{JOB_FIELDS},log_entries" if "include_log_entries" in filters else JOB_FIELDS
        kept = {key: value for key, value in filters.items() if key not in (*_OWN_FILTERS, "include_log_entries")}
        for row in jobs.session.list("core/jobs/", {**kept, "fields": fields}, limit=page):
            job = jobs.job(row)
            fits = all(fit(job, filters[key]) for key, fit in _OWN_FILTERS.items() if key in filters)
            if job.kind is Kind.SYNC and fits:
                yield job
