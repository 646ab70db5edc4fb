# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: cancel jobs.

Route: ``POST plugins/proxbox/jobs/<id>/cancel/`` (netbox-proxbox 0.0.24). Older releases cancel on their web page.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from ._errors import ProxboxError, needs
from ._job import ACTIVE, Job, Kind
from ._jobs import Jobs
from ._plugin import cancel_was_too_late, is_refused_as_foreign


class CancelResult(Enum):
    """What came of a cancel."""

    CANCELLED = "the job is cancelled, now or before"
    ENDED = "the job has ended by itself"
    NOT_YET = "NetBox does not cancel the job at this moment, because it is starting and has no data yet"


def cancel_job(jobs: Jobs, job: Job) -> CancelResult:
    """Cancel a job; one POST, repeated if need be, and one GET if the answer does not tell what happened.

    NetBox creates a successor of a recurring job that has ended by itself, and none of a job that was cancelled.
    """
    if not jobs.cancels:
        return _cancel_by_page(jobs, job)
    try:
        with needs("core.delete_job"):
            answer = jobs.session.post(_cancel_route(job.id), {}, repeatable=True)
    except ProxboxError as exc:
        if exc.status == 404 and exc.detail is None:  # a web page: the route is missing
            check_cancel(jobs, [job])
            return _cancel_by_page(jobs, job)
        # Of two tasks that cancel the same job at once, NetBox 4.7.3 answers one with an IntegrityError (HTTP 500).
        # A job that is not found was deleted a moment ago.
        if exc.status == 404 or (exc.status == 500 and jobs.status(job.id) not in ACTIVE):
            return _how_it_ended(jobs, job)
        if exc.status == 400 and job.kind is Kind.SYNC and is_refused_as_foreign(exc.detail or ""):
            return CancelResult.NOT_YET
        raise
    # The answer does not tell whether the job was cancelled before or has just ended by itself.
    if answer.get("status") == "failed" and not cancel_was_too_late(str(answer.get("detail"))):
        return CancelResult.CANCELLED
    return _how_it_ended(jobs, job)


def check_cancel(jobs: Jobs, targets: Iterable[Job]) -> None:
    """Find out whether ``cancel_job`` would work for these jobs; nothing is written.

    It costs one OPTIONS for the task, and a few requests with an old plugin.

    :raises ProxboxError: if neither the API nor the web page may be used to cancel.
    """
    if jobs.may_not_cancel:
        raise jobs.may_not_cancel
    try:
        if jobs.cancels and not jobs.may_cancel:
            jobs.may_cancel = _may_cancel_by_api(jobs)
        if not jobs.may_cancel:
            jobs.pages.check_cancel()
    except ProxboxError as exc:
        jobs.may_not_cancel = None if exc.transient else exc
        raise
    if not jobs.may_cancel:
        jobs.pages.check_jobs(job.id for job in targets)


def _may_cancel_by_api(jobs: Jobs) -> bool:
    """Return whether the API has the route to cancel, and the token may use it."""
    try:
        with needs("core.delete_job"):
            jobs.session.options(_cancel_route(0))
    except ProxboxError as exc:
        if exc.status == 404:
            if jobs.release(exc).cancels:
                jobs.explain_missing(exc)
            return False
        if exc.status not in (405, 501):  # a proxy may refuse OPTIONS; then the cancel itself has to tell
            raise
    return True


def withdraw(jobs: Jobs, job_id: int) -> bool:
    """Cancel a job that the token has created and may not see. Return whether it worked."""
    try:
        jobs.session.post(_cancel_route(job_id), {}, repeatable=True)
    except ProxboxError:
        try:
            jobs.pages.cancel(job_id)
        except ProxboxError:
            return False
    return True


def _how_it_ended(jobs: Jobs, job: Job) -> CancelResult:
    return _result(jobs.find(job.id, "id,status,error"))


def _result(found: Job | None) -> CancelResult:
    """Return what came of a cancel, from the job as it is afterwards, or None if it is gone."""
    if found and found.active:
        return CancelResult.NOT_YET  # the page does nothing while a run has no data
    return CancelResult.CANCELLED if found is None or found.cancelled else CancelResult.ENDED


def _cancel_by_page(jobs: Jobs, job: Job) -> CancelResult:
    found = jobs.find(job.id, "id,status,error")
    if found is None or not found.active:
        return _result(found)
    jobs.pages.cancel(job.id)
    return _how_it_ended(jobs, job)


def _cancel_route(job_id: int) -> str:
    return f"plugins/proxbox/jobs/{job_id}/cancel/"
