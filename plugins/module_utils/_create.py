# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: create a job exactly once, even if the answer of NetBox is lost.

Route: ``POST plugins/proxbox/sync/schedule/`` (netbox-proxbox 0.0.11).
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from ._cancel import withdraw
from ._errors import ProxboxError, needs
from ._job import Job, NewJob, iso
from ._jobs import Jobs
from ._wait import TRANSIENT_LIMIT

ARRIVAL = 10.0
"""How long, in seconds, to look for a job whose creation got no answer, once NetBox answers again."""

_SCHEDULE = "plugins/proxbox/sync/schedule/"


def create_job(jobs: Jobs, new: NewJob) -> int:
    """Create a job and return its id; one POST, which is never repeated.

    All releases since 0.0.11 read this body in the same way.

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
            answer = jobs.session.post(_SCHEDULE, body)
    except ProxboxError as exc:
        if exc.status == 404:
            jobs.explain_missing(exc)
        if exc.status == 400 and "sync_types" in (exc.detail or ""):
            release = jobs.release()
            raise exc.saying(
                f"{exc} netbox-proxbox {release.version} takes the sync types {', '.join(release.sync_types)}."
            ) from None
        raise
    if not isinstance(answer.get("job_id"), int):
        where = f"POST {jobs.url}/api/{_SCHEDULE}"
        raise ProxboxError(
            f"NetBox created the job but did not return its id ({where}): {str(answer)[:200]}. Check the jobs called "
            f"{new.name!r}.",
            outcome_unknown=True,
        )
    return int(answer["job_id"])


def get_created(jobs: Jobs, job_id: int) -> Job:
    """Return a job that this task has created; one GET.

    :raises ProxboxError: also if the token may not see it. The job is cancelled then, if possible.
    """
    job = jobs.find(job_id)
    if job is None:
        rest = f" Cancel the job at {jobs.url}/core/jobs/{job_id}/, as a user who sees it."
        raise ProxboxError(
            f"NetBox created the job {job_id}, and the token's user may not see it: somebody has deleted it, or a "
            "constraint on an object permission for core.view_job hides it. Remove the constraint, because "
            "otherwise each run of this task creates another job."
            f"{' The job was cancelled.' if withdraw(jobs, job_id) else rest}",
            changed=True,
        )
    return job


def create_once(jobs: Jobs, new: NewJob, known: set[int]) -> int:
    """Create a job exactly once and return its id, even if the answer to the request is lost.

    :param known: the ids of the jobs that were there before.
    :raises ProxboxError: if the request failed, or if nothing shows that it arrived.
    """
    # The Date header counts whole seconds.
    since = jobs.session.server_now - timedelta(seconds=2)
    try:
        return create_job(jobs, new)
    except ProxboxError as exc:
        if exc.status == 500:
            raise _with_what_is_left(jobs, new, known, since, exc) from None
        if not exc.outcome_unknown:
            raise
        return _find_lost(jobs, new, known, since, exc)


def _created(jobs: Jobs, new: NewJob, known: set[int], since: datetime) -> list[int]:
    """Return the ids of the jobs that a request to create this job may have left."""
    return [job.id for job in jobs.created_since(new.name, since) if job.id not in known and new.became(job)]


def _with_what_is_left(jobs: Jobs, new: NewJob, known: set[int], since: datetime, failed: ProxboxError) -> ProxboxError:
    """Return the failure, with the job that NetBox saved before it failed.

    NetBox saves a job first. If Redis then refuses it, the job stays, and RQ does not know it (NetBox 4.7.3).
    """
    try:
        left = _created(jobs, new, known, since)
    except ProxboxError:
        left = []
    if not left:
        return failed
    page = f"{jobs.url}/core/jobs/{min(left)}/"
    return failed.saying(
        f"{failed} NetBox has saved the job, but RQ may not have it, so it may never run: delete it at {page}.",
        changed=True,
    )


def _find_lost(jobs: Jobs, new: NewJob, known: set[int], since: datetime, lost: ProxboxError) -> int:
    """Return the id of a job whose creation got no answer."""
    back_by, deadline = time.monotonic() + TRANSIENT_LIMIT, None
    while True:
        try:
            found = _created(jobs, new, known, since)
        except ProxboxError as exc:
            if not exc.transient or time.monotonic() > back_by:
                raise lost.saying(
                    f"{lost} It is not known whether NetBox created the job: {exc} The request was not sent again: run "
                    "the task again."
                ) from None
        else:
            if found:
                return min(found)
            deadline = deadline or time.monotonic() + ARRIVAL
            if time.monotonic() > deadline:
                raise lost.saying(
                    f"{lost} NetBox does not show the job after {ARRIVAL:.0f} s: it was probably not created, or the "
                    "token's user may not see it. The request was not sent again: run the task again."
                )
        time.sleep(1)
