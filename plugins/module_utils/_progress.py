# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that a task shows while it waits for a sync. No network, no clock, no Ansible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from ._job import Job, iso, read_time
from ._plugin import LogReader
from ._worker import Service

PROGRESS = "PROXBOX_PROGRESS"
"""The environment variable with which the action plugin names the file for the lines to show."""

SEEN = ".seen"
"""What the name of the file that tells when the action plugin last looked has at its end."""

SILENCE = timedelta(seconds=30)
"""How long nothing may be said before a line says that the sync goes on."""

WIDTH = 160
"""How many characters of a line are shown."""


class Progress:
    """Turns what is seen of a job, look by look, into lines.

    A line about a run begins with the time since the run began, by NetBox's clock.
    """

    def __init__(self, write: Callable[[str], None], unheard: Callable[[], bool] = lambda: False) -> None:
        """
        :param write: shows a line; it leaves out what is secret and cuts what is long.
        :param unheard: whether nobody looks any more, so that there is no use in waiting.
        """
        self.tell = write
        self.unheard = unheard
        self._reader = LogReader({})
        self._shown = 0
        self._last_news: datetime | None = None
        self._waiting_told = False
        self._running_told = False

    @property
    def wants_names(self) -> bool:
        """Whether the names of the endpoints are still to be found in the data of the run."""
        return not self._reader.names

    @property
    def tells_workers(self) -> bool:
        """Whether the next look at a job that waits tells which workers there are."""
        return self._last_news is not None and not self._waiting_told

    def show(self, job: Job, now: datetime, service: Service | None = None) -> None:
        """Tell what is new since the last look.

        :param service: who works; for a job that waits.
        """
        self._reader.names.update(job.outcome.endpoint_names)
        lines = list(self._news(job, now, service))
        self._last_news = now if lines or self._last_news is None else self._last_news
        if not lines and now - self._last_news >= SILENCE:
            lines = [self._still(job, now)]
            self._last_news = now
        for line in lines:
            self.tell(line)

    def _news(self, job: Job, now: datetime, service: Service | None) -> Iterable[str]:
        if job.status in ("scheduled", "pending") and service is not None and not self._waiting_told:
            self._waiting_told = True
            yield waiting_line(job, now, service)
        # A run that is just starting does not tell yet what it covers. Netbox-proxbox 0.0.24 and 0.0.25 never do.
        if job.status == "running" and not self._running_told and (job.scope is not None or job.log_entries):
            self._running_told = True
            yield f"{_since(job.started, job.started or now)} running{_where(job, self._reader.names)}"
        entries: Sequence[Mapping[str, object]] = job.log_entries or ()
        for entry in entries[self._shown :]:
            text = self._reader.shown(entry)
            if text:
                yield f"{_since(job.started, _written(entry) or now)} {text}"
        self._shown = max(self._shown, len(entries))

    def _still(self, job: Job, now: datetime) -> str:
        quiet = f"no news for {SILENCE.seconds} s"
        if job.status == "running":
            return f"{_since(job.started, now)} still running ({quiet})"
        return f"job {job.id} is still {job.status} ({quiet})"


def waiting_line(job: Job, now: datetime, service: Service) -> str:
    """What a job that has not started waits for."""
    if job.scheduled and job.scheduled > now:
        return f"job {job.id} is due at {iso(job.scheduled)}, in {_span(job.scheduled - now)}"
    return f"job {job.id} waits for a worker on queue {job.queue} ({service.in_words(job.queue)})"


def _written(entry: Mapping[str, object]) -> datetime | None:
    """When a log entry was written, where it tells."""
    try:
        return read_time(str(entry.get("timestamp") or ""))
    except ValueError:
        return None


def _where(job: Job, names: Mapping[int, str]) -> str:
    """On which endpoints a job runs which sync types, as far as that is known."""
    if job.scope is None:
        return ""
    endpoints = [names.get(number, f"endpoint {number}") for number in sorted(job.scope.proxmox_endpoints)]
    on = f" on {', '.join(endpoints or names.values())}" if endpoints or names else ""
    return f"{on}: {', '.join(sorted(job.scope.sync_types))}"


def _since(start: datetime | None, moment: datetime) -> str:
    """The time from a run's start on, as ``MM:SS`` or ``H:MM:SS``."""
    return _clock(max(moment - start, timedelta()) if start else timedelta())


def _clock(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def _span(span: timedelta) -> str:
    """A time to wait, in the two units that matter."""
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
