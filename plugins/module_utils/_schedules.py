# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: declare one schedule, or many that are read at once."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

from ._declare import Declare, End
from ._errors import OUT_OF_RANGE, ProxboxError
from ._job import Job, Kind
from ._jobs import Jobs
from ._observe import FirstLook, read_known
from ._plan import Observation, Policy, TaskResult
from ._pursue import pursue

NEWEST = 10
"""How many of the newest jobs are read first to find the run of a one-time schedule."""

READ_AGAIN_AFTER = 10.0
"""How old, in seconds, one read of all schedules may be when the next schedule is looked at."""


def declare(jobs: Jobs, goal: Declare | End, policy: Policy) -> TaskResult:
    """Make a schedule exist, or make it end.

    :raises ProxboxError: with a sentence.
    """
    if isinstance(goal, End) and goal.purge:
        return pursue(jobs, goal, policy, partial(jobs.named, *goal.names))
    first_look = partial(newest_and_active, jobs, goal) if isinstance(goal, Declare) and goal.once else None
    return pursue(jobs, goal, policy, partial(jobs.active, *goal.names), first_look)


def newest_and_active(jobs: Jobs, goal: Declare) -> tuple[list[Job], bool]:
    """Return the newest jobs of a schedule and the active ones, and whether these are all; one GET, or two."""
    found, complete = jobs.newest(goal.name, NEWEST)
    if not complete:
        known = {job.id for job in found}
        found += [job for job in jobs.active(goal.name) if job.id not in known]
    return found, complete


def is_schedule(members: list[Job]) -> bool:
    """Return whether active jobs of one name are a schedule. A sync that somebody runs once, at once, is none."""
    return any(job.kind is Kind.SYNC and (job.interval or job.status == "scheduled") for job in members)


def by_schedule(members: list[Job]) -> list[list[Job]]:
    """Return the active jobs of one name, in one list for each schedule."""
    schedules: dict[tuple[object, ...], list[Job]] = {}
    for job in members:
        schedules.setdefault(job.schedule, []).append(job)
    return list(schedules.values())


class Schedules:
    """All active schedules, read with one GET and again when they are no longer fresh."""

    def __init__(self, jobs: Jobs, names: Collection[str] | None, *, check_queue: bool = False) -> None:
        """
        :param check_queue: whether to ask RQ too, with one GET more.
        :param names: the schedules for which it matters what a job is that has just begun; None for all.
        :raises ProxboxError: if NetBox cannot be read.
        """
        self._jobs = jobs
        self._names = names
        self._check_queue = check_queue
        self._read()

    def active(self) -> set[str]:
        """Return the names of the active schedules."""
        return {name for name, members in self._by_name.items() if is_schedule(members)}

    def reach(self, goal: Declare | End, policy: Policy) -> TaskResult | ProxboxError:
        """Declare or end one schedule. Return what was done, or why it failed.

        A one-time schedule without an active job costs one GET more.
        """
        try:
            return pursue(self._jobs, goal, policy, partial(self._jobs.active, *goal.names), self._first_look(goal))
        except ProxboxError as exc:
            return exc
        except OverflowError:
            return ProxboxError(OUT_OF_RANGE)

    def _first_look(self, goal: Declare | End) -> FirstLook:
        """Return how the jobs of one schedule are read first."""

        def look() -> tuple[list[Job], bool]:
            if time.monotonic() > self._read_at + READ_AGAIN_AFTER:
                self._read()
            rows = [job for name in goal.names for job in self._by_name.get(name, [])]
            seen = Observation(tuple(rows), self._jobs.session.server_now)
            if isinstance(goal, Declare) and goal.once and goal.missing(seen):
                return newest_and_active(self._jobs, goal)
            return rows, False

        return look

    def _read(self) -> None:
        self._by_name: dict[str, list[Job]] = {}
        rows = read_known(self._jobs, self._jobs.active, self._concerns)
        if self._check_queue:
            self._jobs.rq.forget()
            self._jobs.rq.compare(rows)
        for job in rows:
            self._by_name.setdefault(job.name, []).append(job)
        self._read_at = time.monotonic()

    def _concerns(self, job: Job) -> bool:
        return self._names is None or job.name in self._names
