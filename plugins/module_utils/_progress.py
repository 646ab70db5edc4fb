# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the lines that a task shows while it waits for a sync.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ._job import Job
from ._json import moment
from ._times import in_zone

if TYPE_CHECKING:
    from ._worker import Service

PROGRESS = "PROXBOX_PROGRESS"
"""The environment variable in which the action plugin passes the path of the file for the lines."""

SEEN = ".seen"
"""The suffix of a second file. The action plugin touches it each time it reads the lines."""

SILENCE = timedelta(seconds=30)
"""After how long without news a line says that the sync still runs."""

WIDTH = 160
"""How many characters of a line a task shows."""


class Progress:
    """Turns what each look at a job finds into lines.

    A line about a run begins with the time since the run started, by NetBox's clock.
    """

    def __init__(self, write: Callable[[str], None], unheard: Callable[[], bool] = lambda: False) -> None:
        """
        :param write: shows a line. It removes secrets, and then shortens the line.
        :param unheard: tells whether nobody reads the lines any more. The module then stops waiting.
        """
        from ._log import LogReader  # only a task that waits needs it

        self.tell = write
        self.unheard = unheard
        self._reader = LogReader()
        self._shown = 0
        self._last_news: datetime | None = None
        self._waiting_told = False
        self._running_told = False

    @property
    def wants_names(self) -> bool:
        """Whether the names of the endpoints are not known yet. They are in the data of the run."""
        return not self._reader.names

    @property
    def tells_workers(self) -> bool:
        """Whether the next look at a waiting job needs to know the workers."""
        return self._last_news is not None and not self._waiting_told

    def show(self, job: Job, now: datetime, service: Service | None = None) -> None:
        """Show what is new since the last look.

        :param service: the workers, if the job waits for one.
        """
        if job.started:
            self._reader.names.update(job.outcome.endpoint_names)
        lines = list(self._news(job, now, service))
        self._last_news = now if lines or self._last_news is None else self._last_news
        if not lines and now - self._last_news >= SILENCE:
            lines = [_no_news(job, now)]
            self._last_news = now
        for line in lines:
            self.tell(line)

    def _news(self, job: Job, now: datetime, service: Service | None) -> Iterator[str]:
        if job.status in ("scheduled", "pending") and service is not None and not self._waiting_told:
            self._waiting_told = True
            yield _waiting(job, now, service)
        # A run that is just starting does not show its scope yet. If its backend does not answer, it never does in
        # netbox-proxbox 0.0.24 and 0.0.25.
        if job.status == "running" and not self._running_told and (job.scope is not None or job.log_entries):
            self._running_told = True
            yield f"{_since(job.started, job.started or now)} running{_scope(job, self._reader.names)}"
        entries: Sequence[Mapping[str, object]] = job.log_entries or ()
        for entry in entries[self._shown :]:
            line = self._reader.line(entry)
            if line:
                yield f"{_since(job.started, moment(entry.get('timestamp')) or now)} {line}"
        self._shown = max(self._shown, len(entries))


def _no_news(job: Job, now: datetime) -> str:
    quiet = f"no news for {SILENCE.seconds} s"
    if job.status == "running":
        return f"{_since(job.started, now)} still running ({quiet})"
    return f"job {job.id} is still {job.status} ({quiet})"


def _waiting(job: Job, now: datetime, service: Service) -> str:
    """What a job that has not started waits for."""
    if job.scheduled and job.scheduled > now:
        return f"job {job.id} is due at {in_zone(job.scheduled, timezone.utc)}, in {_wait_time(job.scheduled - now)}"
    return f"job {job.id} waits for a worker on queue {job.queue} ({service.in_words(job.queue)})"


def _scope(job: Job, names: Mapping[int, str]) -> str:
    """The endpoints and sync types of a job, as far as they are known."""
    if job.scope is None:
        return ""
    endpoints = [names.get(number, f"endpoint {number}") for number in sorted(job.scope.proxmox_endpoints)]
    on = f" on {', '.join(endpoints or names.values())}" if endpoints or names else ""
    return f"{on}: {', '.join(sorted(job.scope.sync_types))}"


def _since(start: datetime | None, when: datetime) -> str:
    """The time since the start of a run, as ``MM:SS`` or ``H:MM:SS``."""
    span = max(when - start, timedelta()) if start else timedelta()
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def _wait_time(span: timedelta) -> str:
    """A time to wait, in its two largest units."""
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
