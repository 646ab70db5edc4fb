# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the sentence in which a task tells what it did, or in check mode would do.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import tzinfo
from typing import TYPE_CHECKING

from ._job import Job, NewJob
from ._times import duration, in_zone

if TYPE_CHECKING:
    from ._plan import Policy, TaskResult

NAMES_SHOWN = 5
"""How many names of a kind a message shows. It counts the others."""


def of_schedule(done: TaskResult, policy: Policy, *, paused: bool = False) -> str:
    """Return the message about one schedule.

    :param paused: whether the schedule is declared and not enabled.
    """
    plan, job = done.plan, done.job
    words = [_would(change_of(done, paused=paused), policy.check_mode)]
    gone = (*plan.cancel, *plan.wait_for)
    if plan.create and gone:
        reasons = dict.fromkeys(reason.partition(": ")[2] for reason in plan.why if ": " in reason)
        words[0] += f" ({'; '.join(reasons)})"
    elif plan.keep and gone:
        why = "; ".join(dict.fromkeys(reason.partition(": ")[2] for reason in plan.why))
        if why == "a duplicate" and len(gone) > 1:
            why = "duplicates"
        words[0] += f" ({jobs_in_words(gone)} cancelled: {why})"
    elif gone:
        words[0] += f" ({jobs_in_words(gone)})"
    if plan.delete:
        words.append(f"{len(plan.delete)} {_plural('job', len(plan.delete))} {_would('deleted', policy.check_mode)}")
    if job:
        words.append(_next_of(job, policy.zone))
    return f"{plan.name}: {', '.join(words)}"


def of_list(changes: Iterable[tuple[str, str]], *, check_mode: bool = False) -> str:
    """Return the message about many schedules.

    :param changes: the name of each schedule, and what happened to it.
    """
    found = sorted(changes, key=lambda one: one[1] in UNCHANGED)
    said = ((name, change if change == "failed" else _would(change, check_mode)) for name, change in found)
    return counted("schedule", said, UNCHANGED)


def of_run(done: TaskResult) -> str:
    """Return the message about a sync that was to run now, or that the task waited for."""
    job, plan = done.job, done.plan
    if isinstance(job, NewJob):
        return f"{job.name}: a sync would run now"
    if job is None:
        return f"{plan.name}: no sync"
    how = f"{job.name}: job {job.id} {_status_of(job)}"
    return f"{how} ({'; '.join(plan.why)})" if plan.keep and plan.why else how


def of_cancel(done: TaskResult, name: str, policy: Policy) -> str:
    """Return the message about runs that were to be cancelled.

    :param name: the name of the jobs; empty if the task names one job.
    """
    job, after = done.job, done.successor
    if done.cancelled:
        said = f"{jobs_in_words(done.cancelled)} {_would('cancelled', policy.check_mode)}"
    elif isinstance(job, Job):
        said = f"job {job.id} {_status_of(job)}, nothing to cancel"
    else:
        said = "no run to cancel"
        left = [one for one in done.seen.syncs(name) if one.status == "scheduled"]
        if left:
            said += f" ({jobs_in_words(left)} is the next run of a schedule, and stays)"
    if isinstance(after, Job):
        said += f"; the schedule goes on with job {after.id}, {_next_of(after, policy.zone)}"
    elif after:
        said += f"; the schedule would go on, {_next_of(after, policy.zone)}"
    return f"{done.plan.name}: {said}"


def counted(what: str, found: Iterable[tuple[str, str]], well: Container[str] = ("ok",)) -> str:
    """Return how many there are, and of which kinds, for example ``7 schedules: 6 ok, 1 gone (weekly)``.

    :param what: what they are.
    :param found: the name of each, and its kind.
    :param well: the kinds whose names are left out.
    """
    kinds = by_kind(found)
    total = sum(map(len, kinds.values()))
    parts = [
        f"{len(names)} {kind}" + ("" if kind in well else f" ({names_in_words(names)})")
        for kind, names in kinds.items()
    ]
    return f"{total} {_plural(what, total)}{': ' if parts else ''}{', '.join(parts)}"


UNCHANGED = ("unchanged", "absent", "still paused")
"""What ``change_of`` returns if nothing was changed."""


def change_of(done: TaskResult, *, paused: bool = False) -> str:
    """Return in one word what a task did to a schedule, or would do."""
    plan = done.plan
    if paused:
        return "paused" if plan.changed else "still paused"
    if not plan.changed:
        return "unchanged" if done.job else "absent"
    if plan.create and not (plan.cancel or plan.wait_for):
        return "created"
    return "changed" if plan.create or plan.keep else "ended"


def jobs_in_words(jobs: Iterable[Job]) -> str:
    """Return ``job 17``, or ``jobs 17, 18``."""
    ids = sorted(job.id for job in jobs)
    return f"{_plural('job', len(ids))} {names_in_words(ids)}"


def _would(change: str, check_mode: bool) -> str:
    return f"would be {change}" if check_mode and change not in UNCHANGED else change


def _status_of(job: Job) -> str:
    """Return how a job fares, as the end of a sentence that begins with it."""
    if job.active:
        return f"is {job.status}"
    took = f" after {duration(job.duration)}" if job.duration is not None else ""
    return _VERDICTS.get(job.outcome.verdict or "", "has ended{}").format(took)


_VERDICTS = {
    "succeeded": "succeeded{}",
    "partial": "succeeded in part{}",
    "failed": "failed{}",
    "cancelled": "was cancelled{}",
    "nothing_done": "did nothing{}, because settings disable all stages",
    "unknown": "has ended{}, and NetBox does not show what it did",
}


def _next_of(job: Job | NewJob, zone: tzinfo) -> str:
    if isinstance(job, NewJob):
        return f"next run {in_zone(job.schedule_at, zone)}" if job.schedule_at else "next run at once"
    if job.status == "scheduled" and job.scheduled:
        return f"next run {in_zone(job.scheduled, zone)}"
    if job.active:
        return f"job {job.id} is {job.status}"
    when = f" on {in_zone(job.started, zone)}" if job.started else ""
    return f"it ran{when}, job {job.id} {_status_of(job)}"


def by_kind(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names of each kind.

    :param found: the name of each, and its kind.
    """
    kinds: dict[str, list[str]] = {}
    for name, kind in found:
        kinds.setdefault(kind, []).append(name)
    return kinds


def names_in_words(names: Iterable[object]) -> str:
    """Return the names as a list, for example ``a, b``. It names ``NAMES_SHOWN``, and counts the others."""
    shown = list(map(str, names))
    more = f" and {len(shown) - NAMES_SHOWN} more" if len(shown) > NAMES_SHOWN else ""
    return f"{', '.join(shown[:NAMES_SHOWN])}{more}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
