# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: which events follow from two looks at NetBox. The event source ``sync_jobs`` uses it.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from ._explain import explain, headline
from ._job import ENDED, Job, Kind, iso
from ._liveness import SHORTEST_TIME_LIMIT, overdue
from ._options import fits
from ._outcome import SUCCEEDED
from ._times import in_words

FIELDS_OF_ENDED = "id,name,status,object_type,completed"
"""The fields that tell whether a job that has ended is to be read as a whole."""

OVERLAP = timedelta(minutes=10)
"""How far before the last look jobs are looked for that have ended. The clocks of NetBox's hosts may differ."""

SUCCEEDING = timedelta(seconds=15)
"""How long a schedule may have no active job. NetBox creates the successor of a run just after the run has ended."""


class Rules(NamedTuple):
    """What the user wants to hear about.

    ``names`` are patterns of names; empty for all names. ``schedules`` are the names of schedules that have to exist.
    ``running_too_long`` is None for as long as NetBox lets a sync run.
    """

    names: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    running_too_long: timedelta | None = None

    def concern(self, job: Job) -> bool:
        """Return whether a job may be a sync that the user wants to hear about."""
        named = not self.names or job.name in self.schedules or any(fits(job.name, pattern) for pattern in self.names)
        return named and job.kind is not Kind.FOREIGN


class Schedule(NamedTuple):
    """A recurring schedule that has been seen, or has to exist. ``job`` is the newest active job that was seen."""

    job: Job | None = None
    missing_since: datetime | None = None


class Memory(NamedTuple):
    """What is known from the looks before.

    ``since`` is the time from which jobs that have ended are looked for. ``judged`` are the jobs that had ended since
    then, with the time of their end. ``told`` are the events about jobs that are still active, as pairs of type and id.
    """

    since: datetime
    judged: Mapping[int, datetime] = MappingProxyType({})
    active: Mapping[int, Job] = MappingProxyType({})
    told: frozenset[tuple[str, int]] = frozenset()
    schedules: Mapping[str, Schedule] = MappingProxyType({})


class Look(NamedTuple):
    """What one look at NetBox has found.

    ``read`` are the jobs that ``to_read`` has asked for, with their data and their log. ``time_limit`` is how long
    NetBox lets a sync run; it is only used if ``needs_time_limit``.
    """

    now: datetime
    active: tuple[Job, ...]
    read: tuple[Job, ...] = ()
    time_limit: timedelta = SHORTEST_TIME_LIMIT


def begin(now: datetime, lookback: timedelta, rules: Rules) -> Memory:
    """Return the memory before the first look."""
    return Memory(since=now - lookback, schedules={name: Schedule() for name in rules.schedules})


def to_read(memory: Memory, active: Iterable[Job], ended: Iterable[Job], rules: Rules) -> list[int]:
    """Return the ids of the jobs that have ended, or may have, and that are not judged yet.

    :param active: the jobs that have not ended.
    :param ended: the jobs that have ended since ``memory.since``, with the fields ``FIELDS_OF_ENDED``.
    """
    found = {job.id for job in ended if rules.concern(job)}
    # Also those that the time of their end has hidden.
    found |= memory.active.keys() - {job.id for job in active}
    return sorted(found - memory.judged.keys())


def needs_time_limit(memory: Memory, active: Iterable[Job], now: datetime, rules: Rules) -> bool:
    """Return whether a run may be too long, so that the time matters for which NetBox lets a sync run."""
    return rules.running_too_long is None and any(
        _runs_longer_than(SHORTEST_TIME_LIMIT, job, now) and ("running_too_long", job.id) not in memory.told
        for job in active
        if rules.concern(job)
    )


def follow(memory: Memory, look: Look, rules: Rules) -> tuple[Memory, list[dict[str, Any]]]:
    """Return what is known after a look, and the events that follow from it, each of them once."""
    ended = [_with_kind(job, memory) for job in look.read if job.status in ENDED and job.id not in memory.judged]
    judged = {**memory.judged, **{job.id: job.completed or look.now for job in ended}}
    seen = {job.id: job for job in (*look.active, *look.read) if job.id not in judged and rules.concern(job)}
    active = {number: _with_kind(job, memory) for number, job in seen.items()}
    warnings = dict(_warnings(active.values(), look, rules))
    schedules, gone = _kept_and_vanished(memory, active.values(), {job.id: job for job in ended}, look.now)
    syncs = sorted((job for job in ended if job.kind is Kind.SYNC), key=lambda job: judged[job.id])
    events = [
        *(_event("ended", look.now, _ended_sentence(job), job) for job in syncs),
        *(event for key, event in warnings.items() if key not in memory.told),
        *gone,
    ]
    since = max(memory.since, look.now - OVERLAP)
    known = Memory(
        since=since,
        judged={number: end for number, end in judged.items() if end >= since},
        active=active,
        told=frozenset(warnings) | {(kind, number) for kind, number in memory.told if number in active},
        schedules=schedules,
    )
    return known, events


def _with_kind(job: Job, memory: Memory) -> Job:
    """Return the job, as a sync if an earlier look has shown that it is one. Its data may be missing for a moment."""
    before = memory.active.get(job.id)
    is_sync = job.kind is Kind.NOT_KNOWN and before is not None and before.kind is Kind.SYNC
    return job._replace(kind=Kind.SYNC) if is_sync else job


def _warnings(active: Iterable[Job], look: Look, rules: Rules) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """Yield what is wrong with syncs that have not ended: the type and the id of the job, and the event."""
    limit = rules.running_too_long or look.time_limit
    for job in active:
        if job.kind is not Kind.SYNC:
            continue
        what = f"The sync {job.name!r} (job {job.id})"
        if overdue(job, look.now):
            yield (
                ("overdue", job.id),
                _event("overdue", look.now, f"{what} should have started at {iso(job.due)}.", job),
            )
        if _runs_longer_than(limit, job, look.now):
            sentence = f"{what} has been running since {iso(job.started)}, longer than {in_words(limit)}."
            yield ("running_too_long", job.id), _event("running_too_long", look.now, sentence, job)


def _kept_and_vanished(
    memory: Memory, active: Iterable[Job], ended: Mapping[int, Job], now: datetime
) -> tuple[dict[str, Schedule], list[dict[str, Any]]]:
    """Return the schedules to remember, and an event for each that has vanished."""
    found: dict[str, Schedule] = {}
    for job in active:
        # A run that is just starting does not tell for a moment that it is a sync.
        if job.interval and (job.kind is Kind.SYNC or job.name in memory.schedules):
            found[job.name] = Schedule(job)
    events = []
    for name, schedule in memory.schedules.items():
        if name in found:
            continue
        last = schedule.job
        last = ended.get(last.id, last) if last else None
        since = schedule.missing_since or now
        if now - since < SUCCEEDING:
            found[name] = Schedule(last, since)
        else:
            events.append(_event("gone", now, _gone_sentence(name, last), last, name))
    return found, events


def _runs_longer_than(limit: timedelta, job: Job, now: datetime) -> bool:
    return job.status == "running" and job.started is not None and job.started <= now - limit


def _ended_sentence(job: Job) -> str:
    return headline(job) if job.outcome.verdict == SUCCEEDED else explain(job)


def _gone_sentence(name: str, job: Job | None) -> str:
    if job is None:
        return f"NetBox has no schedule {name!r}."
    return f"The schedule {name!r} has no active job any more." + (f" {headline(job)}" if job.status in ENDED else "")


def _event(kind: str, now: datetime, message: str, job: Job | None, name: str = "") -> dict[str, Any]:
    """Return an event. Its documentation is in the event source."""
    return {
        "type": kind,
        "name": job.name if job else name,
        "time": iso(now),
        "message": message,
        "job": job.result() if job else None,
    }
