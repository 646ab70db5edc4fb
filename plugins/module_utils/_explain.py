# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a run did not do what was asked for, in a few lines that name the cause, and what to do about it.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._outcome import (
    CANCELLED,
    ENDPOINT_GONE,
    FAILED,
    NOTHING_DONE,
    PARTIAL,
    SUCCEEDED,
    Phase,
    Stage,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._plugin import (
    message_of,
    one_line,
    plain_error,
    recognised,
    settings_of,
)

ENDPOINTS_SHOWN = 6
"""How many endpoints a message tells of; the others are counted."""

TYPES_SHOWN = 4
"""How many sync types a message names."""

EXCERPT = 8
"""How many lines of the log a failed task returns."""

WIDTH = 500
"""How many characters of the server's own words a line holds."""


BACKEND_LOG = "The log of proxbox-api may tell more."


@dataclass(frozen=True)
class Problem:
    """What went wrong at one place. ``text`` has no full stop at its end; ``advice`` is a sentence, or empty."""

    text: str
    advice: str = ""

    def told(self) -> str:
        """The same, in the middle of a line."""
        return f"{self.text}.{' ' + self.advice if self.advice else ''}"

    def sentence(self, places: Sequence[str]) -> str:
        """The line that tells of it."""
        text = f"{', '.join(places)}: {self.text}" if places else f"{self.text[0].upper()}{self.text[1:]}"
        return Problem(text, self.advice).told()


def explain(job: Job) -> str:
    """Some lines about a job that has ended and did not do all that was asked for.

    What was to be synced comes first, then the cause at each place, then where the log is.
    """
    places: dict[Problem, list[str]] = {}
    for place, problem in _problems(job):
        places.setdefault(problem, []).append(place)
    lines = [f"{_headline(job)}"]
    for problem, where in list(places.items())[:ENDPOINTS_SHOWN]:
        lines.append(problem.sentence([name for name in where if name]))
    if len(places) > ENDPOINTS_SHOWN:
        lines.append(f"{len(places) - ENDPOINTS_SHOWN} more failed: the stages of the job tell of each.")
    if job.url:
        lines.append(f"Log: {job.url}")
    return "\n".join(lines)


def in_one_line(job: Job) -> str:
    """The first cause of ``explain``, for a sentence about a schedule."""
    problems = list(_problems(job))
    if not problems:
        return _headline(job)
    place, problem = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place + ': ' if place else ''}{problem.text}{more}"


def remarks(job: Job) -> list[str]:
    """What to warn of, beside the outcome: each a sentence.

    Stages that were asked for by name and that a setting switches off; and endpoints that NetBox could not hand to the
    backend, which synced them all the same, with the connection that it had stored.
    """
    what = f"The sync {job.name!r} (job {job.id})"
    found = []
    asked = job.scope.sync_types if job.scope else frozenset()
    stages = [stage for stage in job.outcome.switched_off if stage.sync_type in asked]
    if stages and job.outcome.verdict != NOTHING_DONE:
        found.append(f"{what} left out {_listed(_types(stages))}: {_setting(job, stages).told()}")
    synced = {stage.endpoint_id for stage in job.outcome.stages if stage.status == "ok"}
    for phase in job.outcome.phases:
        if phase.kind == "preflight" and phase.status != "success" and phase.endpoint_id in synced:
            known = _known(job, phase.summary, phase.endpoint_id)
            text = f"{known.text}; the backend synced it with the connection that it had stored"
            found.append(f"Job {job.id}: {Problem(text, known.advice).sentence([phase.endpoint or 'an endpoint'])}")
    return found


def excerpt(job: Job, count: int = EXCERPT) -> list[str]:
    """The lines of a log that matter most, in their order: errors and warnings before the last lines."""
    entries = list(job.log_entries or ())
    texts = [one_line(message_of(entry)) for entry in entries]
    first = {text: number for number, text in reversed(list(enumerate(texts)))}
    numbers = [number for text, number in first.items() if not message_of(entries[number]).startswith("Traceback")]

    def rank(number: int) -> tuple[int, int]:
        level = str(entries[number].get("level") or "").lower()
        return ({"error": 0, "critical": 0, "warning": 1}.get(level, 2), -number)

    chosen = sorted(sorted(numbers, key=rank)[:count])
    return [f"{str(entries[number].get('level') or 'info').upper()}: {_cut(texts[number])}" for number in chosen]


def _headline(job: Job) -> str:
    what = f"The sync {job.name!r} (job {job.id})"
    took = f" after {_time(job.duration)}" if job.duration is not None else ""
    verdict = job.outcome.verdict
    if verdict == CANCELLED:
        return f"{what} was cancelled {'as it ran,' + took if job.started else 'before it ran'}."
    if verdict == NOTHING_DONE:
        return f"{what} did nothing: settings switch off all that was asked for."
    if verdict == PARTIAL:
        return f"{what} is incomplete: {_counts(job)}."
    if verdict == FAILED:
        return f"{what} failed{took}: {_counts(job)}."
    if verdict == SUCCEEDED:
        return f"{what} did all that was asked for."
    return f"What {what[0].lower()}{what[1:]} did is not known: NetBox calls it {job.status}, and does not tell its stages."


def _counts(job: Job) -> str:
    """How much of what was asked for was not done."""
    by_endpoint = _by_endpoint(job)
    stages = [stage for stages in by_endpoint.values() for stage in stages]
    if not stages:
        return "nothing was synced"
    if not any(stage.undone for stage in stages):
        failed = [phase for phase in job.outcome.phases if phase.failed]
        return f"its stages are ok, but {_listed(sorted({phase.label for phase in failed}))} failed" if failed else (
            "it did nothing of what was asked for"
        )
    idle = [where for where, stages in by_endpoint.items() if not any(stage.status == "ok" for stage in stages)]
    others = [stage for where, stages in by_endpoint.items() if where not in idle for stage in stages]
    undone = [stage for stage in others if stage.undone]
    if not others:
        types = _types(stages)
        return f"nothing of {_listed(types)} was synced" if len(types) <= TYPES_SHOWN else "nothing was synced"
    parts = []
    if idle:
        parts.append(f"{len(idle)} of {len(by_endpoint)} endpoints synced nothing")
    if undone:
        rest = "" if not idle else " on the other" if len(by_endpoint) - len(idle) == 1 else " on the others"
        parts.append(f"{len(undone)} of {len(others)} stages failed{rest}")
    return ", ".join(parts)


def _problems(job: Job) -> Iterable[tuple[str, Problem]]:
    """What went wrong, each with its place: the name of an endpoint, or nothing for the whole run."""
    outcome = job.outcome
    if outcome.verdict == NOTHING_DONE:
        yield "", _setting(job, outcome.switched_off)
        return
    if outcome.verdict not in (PARTIAL, FAILED):
        return
    found = False
    for endpoint_id, stages in _by_endpoint(job).items():
        place = _place(endpoint_id, stages)
        for problem in _at_endpoint(job, endpoint_id, stages):
            found = True
            yield place, problem
    if not found:
        yield "", _of_run(job)


def _at_endpoint(job: Job, endpoint_id: int | None, stages: Sequence[Stage]) -> Iterable[Problem]:
    phases = [phase for phase in job.outcome.phases if phase.endpoint_id == endpoint_id and phase.status != "success"]
    undone = [stage for stage in stages if stage.undone]
    failed = [stage for stage in undone if stage.status == "failed"]
    pushed = next((phase for phase in phases if phase.kind == "preflight"), None)
    if any(stage.reason == ENDPOINT_GONE for stage in undone):
        yield Problem(
            "it was disabled or deleted when the run began, so nothing of it was synced",
            f"Enable it at {_page(job, f'endpoints/proxmox/{endpoint_id}/')}, or leave it out of the sync.",
        )
    elif undone and not failed and len(undone) == len(stages):
        reason = pushed.summary if pushed else next((stage.reason for stage in undone if stage.reason), None)
        if reason:
            yield _known(job, reason, endpoint_id)
        elif not job.error:
            yield _of_stages(job, endpoint_id, stages)
    elif undone:
        yield _of_stages(job, endpoint_id, stages)
    elif any(phase.failed for phase in phases):
        yield _of_phases(job, endpoint_id, [phase for phase in phases if phase.failed])


def _of_stages(job: Job, endpoint_id: int | None, stages: Sequence[Stage]) -> Problem:
    """The stages of one endpoint that failed or are missing, and those that are ok."""
    parts, advice = [], ""
    failed = [stage for stage in stages if stage.status == "failed"]
    for stage in failed:
        attempts = f" after {stage.attempts} attempts" if stage.attempts and stage.attempts > 1 else ""
        known = _known(job, stage.error or "NetBox does not tell why", endpoint_id, BACKEND_LOG)
        parts.append(f"{stage.sync_type} failed{attempts}: {known.text}")
        advice = advice or known.advice
    later = [stage for stage in stages if stage.status == "missing" and stage.reason]
    untraced = [stage for stage in stages if stage.status == "missing" and not stage.reason]
    if later:
        parts.append(f"{_listed(_types(later))} did not run after that")
    if untraced and job.error and not failed:
        cause = _of_run(job)
        parts.append(f"{_listed(_types(untraced))} did not run to the end: {cause.text}")
        advice = cause.advice
    elif untraced:
        parts.append(f"NetBox shows no trace that {_listed(_types(untraced))} ran")
    good = [stage for stage in stages if stage.status == "ok"]
    if good:
        times = [stage.run_time for stage in good if stage.run_time is not None]
        took = f" ({_time(sum(times))})" if times else ""
        parts.append(f"{_listed(_types(good))} {'is' if len(good) == 1 else 'are'} ok{took}")
    return Problem("; ".join(parts), advice)


def _of_phases(job: Job, endpoint_id: int | None, phases: Sequence[Phase]) -> Problem:
    known = _known(job, phases[0].summary, endpoint_id, BACKEND_LOG)
    labels = _listed(list(dict.fromkeys(phase.label for phase in phases)))
    return Problem(f"{labels} failed: {known.text}", known.advice)


def _of_run(job: Job) -> Problem:
    """Why the whole run failed: the cause that its log tells, or the error of the job."""
    error = plain_error(job.error)
    said = [
        one_line(message_of(entry))
        for entry in job.log_entries or ()
        if str(entry.get("level")).lower() in ("error", "critical", "warning")
    ]
    for text in [*said, error]:
        if recognised(text):
            return _known(job, text, None)
    causes = [text for text in said if text not in error and error not in text]
    return _known(job, causes[-1] if causes else error or "NetBox gives no reason", None)


def _known(job: Job, text: str, endpoint_id: int | None, advice: str = "") -> Problem:
    """A cause in the collection's own words with what to do, where it is known; else in the server's words."""
    cause = recognised(text)
    if cause is None:
        return Problem(_cut(one_line(text)).rstrip("."), advice)
    path = cause.path.replace("{id}/", "" if endpoint_id is None else f"{endpoint_id}/")
    return Problem(cause.what, cause.advice.format(page=_page(job, path)))


def _setting(job: Job, stages: Sequence[Stage]) -> Problem:
    names = _listed(settings_of(stage.reason or "" for stage in stages))
    what = f"the setting {names} is disabled" if names else _listed(sorted({stage.reason or "" for stage in stages}))
    return Problem(
        what,
        f"Change it at {_page(job, 'settings/')} or on the endpoint's own page, or leave {_listed(_types(stages))} out.",
    )


def _by_endpoint(job: Job) -> Mapping[int | None, list[Stage]]:
    """The stages that were to run, by endpoint."""
    found: dict[int | None, list[Stage]] = {}
    for stage in job.outcome.stages:
        if stage.status != "skipped" or stage.reason == ENDPOINT_GONE:
            found.setdefault(stage.endpoint_id, []).append(stage)
    return found


def _place(endpoint_id: int | None, stages: Sequence[Stage]) -> str:
    if endpoint_id is None:
        return ""
    return next((stage.endpoint for stage in stages if stage.endpoint), None) or f"endpoint {endpoint_id}"


def _page(job: Job, path: str) -> str:
    """A page of the plugin: the address of NetBox is that of the job's own page."""
    return f"{job.url.partition('/core/jobs/')[0]}/plugins/proxbox/{path}"


def _types(stages: Iterable[Stage]) -> list[str]:
    return list(dict.fromkeys(stage.sync_type for stage in stages))


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
