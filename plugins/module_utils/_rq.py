# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: RQ's tasks, workers and queues, read over NetBox's REST API (NetBox 4.5-4.7).

NetBox shows all of it to superusers only, except the number of workers.

Routes, all below ``/api/``:

* ``GET core/background-tasks/<uuid>/``: one task, also a scheduled one; HTTP 500 ``NoSuchJobError`` if RQ lost it;
* ``GET core/background-workers/`` and ``core/background-queues/``;
* ``GET status/``: ``rq-workers-running``, a count, for every token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from ._errors import ProxboxError
from ._job import Job
from ._json import number
from ._session import Session
from ._worker import Queue, Service, Task, Worker


class Rq:
    """The RQ of one NetBox. What is the same for every job is read only once."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._is_forbidden = False
        self.complete: frozenset[str] = frozenset()
        """The queues in which RQ has at least as many scheduled jobs as NetBox shows."""

    def compare(self, shown: Iterable[Job]) -> None:
        """Note in which queues RQ has lost no scheduled job; one GET.

        :param shown: all active jobs of NetBox, syncs and others.
        """
        wanted = Counter(job.queue for job in shown if job.status == "scheduled")
        try:
            self.complete = frozenset(row.name for row in self.queues if (row.scheduled or 0) >= wanted[row.name])
        except ProxboxError as exc:
            if exc.status != 403:
                raise
            self._is_forbidden = True

    def task(self, job: Job) -> Task | None:
        """Return RQ's record of a job; one GET. None if NetBox does not show it, or not to the user of the token.

        If NetBox refuses once, it is not asked again.
        """
        if self._is_forbidden or not job.rq_job_id:
            return None
        try:
            return Task.from_api(self.session.get(f"core/background-tasks/{job.rq_job_id}/"))
        except ProxboxError as exc:
            if exc.status == 403:
                self._is_forbidden = True
                return None
            if exc.status == 404 and exc.detail is None:
                return None  # a web page, for example of a proxy that hides this route
            if exc.status == 404 or (exc.status == 500 and "NoSuchJob" in (exc.detail or "")):
                return Task(status=None)
            raise

    def forget(self) -> None:
        """Forget which workers run, so that they are read again when they are needed."""
        for name in ("service", "worker_count", "stuck_queues", "queues"):
            self.__dict__.pop(name, None)

    @cached_property
    def service(self) -> Service:
        """The workers that run; one GET, two if the token may only read their number."""
        if not self._is_forbidden:
            try:
                return Service.of(self.workers())
            except ProxboxError:
                if not self._is_forbidden:
                    raise
        return Service(self.worker_count)

    @property
    def is_shown(self) -> bool:
        """Whether NetBox shows RQ's workers, queues and jobs to this token."""
        return self.service.queues is not None

    @cached_property
    def worker_count(self) -> int | None:
        """How many workers run; one GET. None if NetBox does not tell."""
        return number(self.session.get("status/").get("rq-workers-running"))

    def workers(self) -> list[Worker]:
        """Return every worker that RQ knows; one GET.

        :raises ProxboxError: with a sentence. If the token may not read the workers, the sentence says how many run.
        """
        try:
            return [Worker.from_api(row) for row in self.session.list("core/background-workers/", {})]
        except ProxboxError as exc:
            if exc.status != 403 or "permission" not in (exc.detail or ""):
                raise
            self._is_forbidden = True
            count = self.worker_count
            running = "" if count is None else f" Workers that run: {count}."
            raise exc.saying(f"{exc} NetBox shows its workers to superusers only.{running}") from None

    @cached_property
    def stuck_queues(self) -> frozenset[str]:
        """The queues whose scheduled jobs no worker starts; one GET. Empty if the token may not read the queues."""
        if self.service.queues is None:
            return frozenset()
        return frozenset(queue.name for queue in self.queues if queue.is_stuck)

    @cached_property
    def queues(self) -> list[Queue]:
        """Every queue that this NetBox has; one GET."""
        return [Queue.from_api(row) for row in self.session.list("core/background-queues/", {})]
