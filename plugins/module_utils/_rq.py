# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What RQ knows, over NetBox's REST API (NetBox 4.5-4.7). Everything but the count of workers is for superusers.

Routes, all below ``/api/``:

* ``GET core/background-tasks/<uuid>/``: one task, also a scheduled one; HTTP 500 ``NoSuchJobError`` when RQ lost it;
* ``GET core/background-workers/`` and ``core/background-queues/``;
* ``GET status/``: ``rq-workers-running``, a count, for every token.
"""

from __future__ import annotations

from functools import cached_property

from ._errors import ProxboxError
from ._job import Job
from ._session import Session
from ._worker import Queue, Service, Task, Worker


class Rq:
    """The RQ behind one NetBox. What is the same for every job is asked once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._refused = False

    def task(self, job: Job) -> Task | None:
        """RQ's record of a job; one GET. None where the token may not read it, which is asked once."""
        if self._refused or not job.rq_job_id:
            return None
        try:
            return Task.from_api(self.session.get(f"core/background-tasks/{job.rq_job_id}/"))
        except ProxboxError as exc:
            if exc.status == 403:
                self._refused = True
                return None
            if exc.status == 404 or (exc.status == 500 and "NoSuchJob" in (exc.detail or "")):
                return Task(status=None)
            raise

    def forget(self) -> None:
        """Ask anew who works, the next time that somebody wants to know."""
        for name in ("service", "count"):
            self.__dict__.pop(name, None)

    @cached_property
    def service(self) -> Service:
        """Who works; one GET, two where the token may only know how many."""
        if not self._refused:
            try:
                return Service.of(self.workers())
            except ProxboxError:
                if not self._refused:
                    raise
        return Service(self.count)

    @cached_property
    def count(self) -> int:
        """How many workers run; one GET."""
        return int(self.session.get("status/").get("rq-workers-running") or 0)

    def workers(self) -> list[Worker]:
        """Every worker that RQ knows; one GET.

        :raises ProxboxError: with a sentence; where the token may not read them, one that says how many run.
        """
        try:
            return [Worker.from_api(row) for row in self.session.list("core/background-workers/", {})]
        except ProxboxError as exc:
            if exc.status != 403 or "permission" not in (exc.detail or ""):
                raise
            self._refused = True
            raise exc.saying(
                f"{exc} NetBox shows its workers to superusers alone; how many run, it tells everyone: {self.count}."
            ) from None

    def queues(self) -> list[Queue]:
        """Every queue that this NetBox has; one GET."""
        return [Queue.from_api(row) for row in self.session.list("core/background-queues/", {})]
