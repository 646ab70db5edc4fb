# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small model of NetBox's job rows, for property tests: what api-facts were measured, and nothing more.

A recurring run that ends leaves a successor, one that is cancelled does not. A row says nothing of what it is while it
starts. A POST is not idempotent. Time passes, runs begin and end, and answers are lost between any two requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob
from ansible_collections.proxbox.proxbox.plugins.module_utils._outcome import Outcome
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Service, Task

STARTING = timedelta(seconds=1)
"""How long a row's ``data`` is null when its run starts."""

SUCCEEDING = timedelta(seconds=1)
"""How long it takes at most until a run that has ended has its successor."""

LONG = timedelta(minutes=20)
"""How long the longest run takes."""


class Dice:
    """The numbers that decide what happens, in order; when they are used up, nothing more does."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = iter(numbers)

    def take(self, *choices: Any) -> Any:
        """One of ``choices``; the first is what happens when nothing does."""
        return choices[next(self._numbers, 0) % len(choices)]


@dataclass
class Session:
    """The part of a session that the engine reads."""

    server_now: datetime
    url: str = "http://netbox"


class NetBox:
    """The rows, the clock and the worker.

    A run that has ended by itself leaves its successor after a moment, in which there is neither. ``between`` tells
    that a controller's first look fell into such a moment: then nobody could know that there is a schedule.
    """

    def __init__(self, rows: Iterable[Job], now: datetime, dice: Dice) -> None:
        self.rows = {row.id: row for row in rows}
        self.now = now
        self.dice = dice
        self.works = True
        self.created: list[int] = []
        self.cancelled: list[int] = []
        self.killed: list[int] = []
        self.between = False
        self._ends: dict[int, datetime] = {}
        self._successors: list[tuple[datetime, Job]] = []

    def pass_time(self, span: timedelta) -> None:
        """Let time pass; the worker, unless it is held, starts and ends runs when they are due."""
        until = self.now + span
        while self.works:
            self._succeed()
            events = [
                (self._ends.setdefault(row.id, self.now + LONG), row.id, True)
                for row in self.rows.values()
                if row.status == "running"
            ]
            events += [
                (max(row.scheduled or row.created, self.now), row.id, False)
                for row in self.rows.values()
                if row.status in ("scheduled", "pending")
            ]
            when, job_id, ends = min(events, default=(until + LONG, 0, False))
            when = min([when, *(due for due, _row in self._successors)])
            if when > until:
                break
            self.now = max(self.now, when)
            if not any(due <= self.now for due, _row in self._successors):
                self._end(job_id) if ends else self._start(job_id)
        self.now = until
        self._succeed()

    def _succeed(self) -> None:
        for due, row in list(self._successors):
            if due <= self.now:
                self._successors.remove((due, row))
                next_run = (row.scheduled or row.completed) + timedelta(minutes=row.interval)
                self.add(row, max(next_run, row.completed + timedelta(minutes=1)))

    def _start(self, job_id: int) -> None:
        self.rows[job_id] = replace(self.rows[job_id], status="running", started=self.now)
        self._ends[job_id] = self.now + self.dice.take(timedelta(seconds=30), timedelta(), LONG)

    def _end(self, job_id: int) -> None:
        row = self.rows[job_id]
        status, verdict = self.dice.take(("completed", "succeeded"), ("errored", "failed"))
        self.rows[job_id] = replace(row, status=status, completed=self.now, outcome=Outcome(verdict))
        if row.interval:
            self._successors.append((self.now + self.dice.take(timedelta(), SUCCEEDING), self.rows[job_id]))

    def add(self, like: Job | NewJob, scheduled: datetime | None) -> int:
        """Add a row; the sync that it is for is the one of ``like``."""
        job_id = max(self.rows, default=0) + 1
        self.rows[job_id] = Job(
            id=job_id,
            name=like.name,
            status="scheduled" if scheduled or like.interval else "pending",
            is_sync=getattr(like, "is_sync", True),
            scope=like.scope,
            scheduled=scheduled or (self.now if like.interval else None),
            interval=like.interval,
            created=self.now,
            user="operator",
        )
        return job_id

    def shown(self, row: Job) -> Job:
        """A row as the API shows it."""
        starting = row.status == "running" and row.started and self.now < row.started + STARTING
        return replace(row, is_sync=None, scope=None) if starting and row.is_sync else row


class Jobs:
    """The API of one controller, with the methods of the real one that the engine calls.

    :param turn: called before each request, so that a test decides who comes next.
    :param faults: whether requests may fail, before or after NetBox has acted.
    :param quick: no time passes while NetBox answers.
    """

    cancels_by_page = False
    pages = None

    def __init__(
        self,
        netbox: NetBox,
        *,
        faults: bool = False,
        quick: bool = False,
        turn: Callable[[], None] = lambda: None,
    ) -> None:
        self.netbox = netbox
        self.session = Session(netbox.now)
        self.rq = self
        self.service = Service(1)
        self.faults = faults
        self.quick = quick
        self.turn = turn
        self._looked = False

    def _ask(self, answer: Callable[[], Any]) -> Any:
        self.turn()
        seconds = 0 if self.quick else self.netbox.dice.take(0, 0, 0, 1, 2, 5)
        self.netbox.pass_time(timedelta(seconds=seconds))
        fault = self.netbox.dice.take(*[None] * 6, "before", "after") if self.faults else None
        if fault == "before":
            raise ProxboxError("lost", outcome_unknown=True)
        result = answer()
        if fault == "after":
            raise ProxboxError("lost", outcome_unknown=True)
        # The Date header counts whole seconds.
        self.session.server_now = self.netbox.now.replace(microsecond=0)
        return result

    def _list(self, fits: Callable[[Job], bool]) -> list[Job]:
        self.netbox.between |= not self._looked and bool(self.netbox._successors)
        self._looked = True
        newest = sorted(self.netbox.rows.values(), key=lambda row: -row.id)
        return [self.netbox.shown(row) for row in newest if fits(row)]

    def living(self, name: str | None = None) -> list[Job]:
        return self._ask(lambda: self._list(lambda row: row.living and name in (None, row.name)))

    def with_history(self, name: str, count: int) -> list[Job]:
        found = self._ask(lambda: self._list(lambda row: row.name == name))
        return [row for number, row in enumerate(found) if number < count or row.living]

    def created_since(self, name: str, since: datetime) -> list[Job]:
        return self._ask(lambda: self._list(lambda row: row.name == name and row.created >= since))

    def get(self, job_id: int, *, include_log: bool = False, after_create: bool = False) -> Job:
        return self._ask(lambda: self.netbox.shown(self.netbox.rows[job_id]))

    get_sync = get

    def get_status(self, job_id: int) -> str:
        return self._ask(lambda: self.netbox.rows[job_id].status)

    def enqueue(self, new: NewJob) -> int:
        def act() -> int:
            if new.schedule_at and new.schedule_at <= self.netbox.now:
                raise ProxboxError("schedule_at: must be in the future", status=400)
            job_id = self.netbox.add(new, new.schedule_at)
            self.netbox.created.append(job_id)
            return job_id

        return self._ask(act)

    longest_sync = timedelta(hours=2)

    def has_ended(self, job_id: int) -> bool:
        return self._ask(lambda: not self.netbox.rows[job_id].living)

    def cancel(self, job: Job) -> bool | None:
        def act() -> bool | None:
            row = self.netbox.rows[job.id]
            if not row.living:
                return row.cancelled
            if not self.netbox.shown(row).is_sync:
                return None
            self.netbox.cancelled.append(job.id)
            if row.status == "running":
                self.netbox.killed.append(job.id)
            self.netbox.rows[job.id] = replace(
                row, status="failed", error="Cancelled via API.", completed=self.netbox.now
            )
            return True

        return self._ask(act)

    def task(self, job: Job) -> Task | None:
        return None

    def forget(self) -> None: ...

    def check_scope(self, scope: Any) -> None: ...

    def check_cancel(self) -> None: ...

    def check_release(self) -> None: ...
