# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: create a job exactly once, also if the answer of NetBox is lost."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from ._errors import ProxboxError
from ._job import NewJob
from ._jobs import Jobs
from ._wait import AWAY

ARRIVAL = 10.0
"""How long, in seconds, to look for a job whose creation got no answer, once NetBox answers again."""


def create_once(jobs: Jobs, new: NewJob, known: set[int]) -> int:
    """Create a job exactly once and return its id, also if the answer to the request is lost.

    :param known: the ids of the jobs that were there before.
    :raises ProxboxError: if the request failed, or if nothing shows that it arrived.
    """
    # The Date header counts whole seconds.
    since = jobs.session.server_now - timedelta(seconds=2)
    try:
        return jobs.create(new)
    except ProxboxError as exc:
        if exc.status == 500:
            raise _with_what_is_left(jobs, new, known, since, exc) from None
        if not exc.outcome_unknown:
            raise
        return _find_lost(jobs, new, known, since, exc)


def _with_what_is_left(jobs: Jobs, new: NewJob, known: set[int], since: datetime, failed: ProxboxError) -> ProxboxError:
    """Return the failure, with the job that NetBox saved before it failed.

    NetBox saves a job first. If Redis then refuses it, the job stays, and RQ does not know it (NetBox 4.7.3).
    """
    try:
        left = [job.id for job in jobs.created_since(new.name, since) if job.id not in known and new.became(job)]
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
    back_by, deadline = time.monotonic() + AWAY, None
    while True:
        try:
            found = jobs.created_since(new.name, since)
        except ProxboxError as exc:
            if not exc.away or time.monotonic() > back_by:
                raise lost.saying(
                    f"{lost} It is not known whether NetBox created the job: {exc} The request was not sent again: run "
                    "the task again."
                ) from None
        else:
            fitting = [job.id for job in found if job.id not in known and new.became(job)]
            if fitting:
                return min(fitting)
            deadline = deadline or time.monotonic() + ARRIVAL
            if time.monotonic() > deadline:
                raise lost.saying(
                    f"{lost} NetBox shows no such job after {ARRIVAL:.0f} s, so it seems that none was created (or the "
                    "token's user may not see it). The request was not sent again: run the task again."
                )
        time.sleep(1)
