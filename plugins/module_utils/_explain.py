# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a run did not do what was asked for, in a few lines that name the cause, and what to do about it.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ._job import Job
from ._outcome import (
    CANCELLED,
    ENDPOINT_GONE,
    FAILED,
    NOTHING_DONE,
    PARTIAL,
    SUCCEEDED,
    UNKNOWN,
    Phase,
    Stage,
)
from ._plugin import (
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


BACKEND_LOG = "See the log of the backend (proxbox-api) on its host."


@dataclass(frozen=True)
class Problem:
    """What went wrong at one place. ``text`` has no full stop at its end; ``advice`` is a sentence, or empty."""

    text: str
    advice: str = ""

    def without_place(self) -> str:
        """What went wrong and what to do, for the middle of a line."""
        return f"{self.text}.{' ' + self.advice if self.advice else ''}"

    def sentence(self, places: Sequence[str]) -> str:
        """The line that tells of it."""
        text = f"{', '.join(places)}: {self.text}" if places else f"{self.text[0].upper()}{self.text[1:]}"
        return Problem(text, self.advice).without_place()


def explain(job: Job) -> str:
    """Some lines about a job that has ended and did not do all that was asked for.

    What was to be synced comes first, then the cause at each place, then where the log is.
    """
    places: dict[Problem, list[str]] = {}
    for place, problem in _problems(job):
        places.setdefault(problem, []).append(place)
    lines = [headline(job)]
    for problem, where in list(places.items())[:ENDPOINTS_SHOWN]:
        lines.append(problem.sentence([name for name in where if name]))
    if len(places) > ENDPOINTS_SHOWN:
        lines.append(f"{len(places) - ENDPOINTS_SHOWN} more problems: see the stages of the job.")
    if job.url:
        lines.append(f"Log: {job.url}")
    return "\n".join(lines)


def in_one_line(job: Job) -> str:
    """The first cause of ``explain``, for a sentence about a schedule."""
    problems = list(_problems(job))
    if not problems:
        return headline(job)
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
        found.append(f"{what} skipped {_listed(_types(stages))}: {_setting(job, stages).without_place()}")
    synced = {stage.endpoint_id for stage in job.outcome.stages if stage.status == "ok"}
    for phase in job.outcome.phases:
        if phase.kind == "preflight" and phase.status != "success" and phase.endpoint_id in synced:
            known = _known(job, phase.summary, phase.endpoint_id)
            text = f"{known.text}. The backend used the connection that it had stored earlier"
            found.append(f"Job {job.id}: {Problem(text, known.advice).sentence([phase.endpoint or 'an endpoint'])}")
    return found


def excerpt(job: Job, count: int = EXCERPT) -> list[str]:
    """The lines of a log that matter most, in their order: errors, then warnings, then the last lines."""
    entries = list(job.log_entries or ())
    texts = [one_line(message_of(entry)) for entry in entries]
    levels = [str(entry.get("level") or "info").lower() for entry in entries]
    chosen: list[int] = []

    def repeats(number: int) -> bool:
        text = texts[number].partition(" -- retrying in ")[0]
        text = text.partition("): ")[2] or text
        return any(text in texts[other] or texts[other] in texts[number] for other in chosen)

    for level in ("error", "warning", "info"):
        for number in reversed(range(len(entries))):
            traceback = message_of(entries[number]).startswith("Traceback")
            if levels[number] == level and len(chosen) < count and not traceback and not repeats(number):
                chosen.append(number)
        if chosen and level == "warning":
            break  # what is only information explains nothing more
    return [f"{levels[number].upper()}: {_cut(texts[number])}" for number in sorted(chosen)]


def headline(job: Job) -> str:
    """What came of the run, in one sentence."""
    what = f"The sync {job.name!r} (job {job.id})"
    took = f" after {_time(job.duration)}" if job.duration is not None else ""
    verdict = job.outcome.verdict
    if verdict == CANCELLED:
        return f"{what} was cancelled{took + ', while it was running' if job.started else ' before it ran'}."
    if verdict == NOTHING_DONE:
        names = settings_of(stage.reason or "" for stage in job.outcome.switched_off)
        which = f"the setting {' or '.join(names)} disables" if names else "settings disable"
        return f"{what} did nothing: {which} every stage that was asked for."
    if verdict == PARTIAL:
        return f"{what} is incomplete: {_counts(job)}."
    if verdict == FAILED:
        return f"{what} failed{took}: {_counts(job)}."
    if verdict == SUCCEEDED:
        return f"{what} did all that was asked for."
    what = what.replace("The", "the", 1)
    return f"The outcome of {what} is unknown: NetBox shows it as {job.status}, but its data does not list its stages."


def _counts(job: Job) -> str:
    """How much of what was asked for was not done."""
    by_endpoint = _by_endpoint(job)
    stages = [stage for found in by_endpoint.values() for stage in found]
    if not stages:
        return "nothing was synced" if job.outcome.verdict == FAILED else "some of its objects were not synced"
    if not any(stage.undone for stage in stages):
        failed = sorted({phase.label for phase in job.outcome.phases if phase.failed})
        return f"its stages are ok, but {f'{_listed(failed)} failed' if failed else 'the job ended with an error'}"
    idle = [where for where, found in by_endpoint.items() if not any(stage.status == "ok" for stage in found)]
    others = [stage for where, found in by_endpoint.items() if where not in idle for stage in found]
    if not others:
        return f"nothing of {_named(stages)} was synced"
    parts = [f"{len(idle)} of {len(by_endpoint)} endpoints synced nothing"] if idle else []
    undone = [stage for stage in others if stage.undone]
    if undone:
        rest = "" if not idle else " on the other" if len(by_endpoint) - len(idle) == 1 else " on the others"
        what = "failed or did not run" if any(stage.status != "failed" for stage in undone) else "failed"
        parts.append(f"{len(undone)} of {len(others)} stages {what}{rest}")
    return ", ".join(parts)


def _problems(job: Job) -> Iterable[tuple[str, Problem]]:
    """What went wrong, each with its place: the name of an endpoint, or nothing for the whole run."""
    outcome = job.outcome
    if outcome.verdict == NOTHING_DONE:
        yield "", _setting(job, outcome.switched_off)
    if outcome.verdict == UNKNOWN and any(recognised(message_of(entry)) for entry in job.log_entries or ()):
        yield "", _of_run(job)
    if outcome.verdict not in (PARTIAL, FAILED):
        return
    found = [
        (_place(endpoint_id, stages), problem)
        for endpoint_id, stages in _by_endpoint(job).items()
        for problem in _at_endpoint(job, endpoint_id, stages)
    ]
    yield from found or [("", _of_run(job))]
    if job.branch and job.status != "completed":
        text = f"the branch {job.branch['name']} was not merged, so NetBox's own data has nothing of this run"
        yield "", Problem(text, "Look at the branch, and merge or delete it.")


def _at_endpoint(job: Job, endpoint_id: int | None, stages: Sequence[Stage]) -> Iterable[Problem]:
    phases = [phase for phase in job.outcome.phases if phase.endpoint_id == endpoint_id and phase.status != "success"]
    undone = [stage for stage in stages if stage.undone]
    nothing_ran = len(undone) == len(stages) and not any(stage.status == "failed" for stage in undone)
    if any(stage.reason == ENDPOINT_GONE for stage in undone):
        yield Problem(
            "the endpoint was disabled or deleted before the run began, so nothing of it was synced",
            f"Enable it at {_page(job, f'endpoints/proxmox/{endpoint_id}/')}, or remove it from proxmox_endpoints.",
        )
    elif undone and nothing_ran:
        reason = next((phase.summary for phase in phases if phase.kind == "preflight"), None)
        reason = reason or next((stage.reason for stage in undone if stage.reason), None)
        if reason:
            yield _known(job, reason, endpoint_id)
        elif not job.error:
            yield _of_stages(job, endpoint_id, stages)
        return  # the phases failed for the same reason
    elif undone:
        yield _of_stages(job, endpoint_id, stages)
    failed = [phase for phase in phases if phase.failed]
    if failed and len(undone) < len(stages):
        yield _of_phases(job, endpoint_id, failed)


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
        parts.append(f"{_named(later)} did not run after that")
    if untraced and job.error and not failed:
        cause = _of_run(job)
        parts.append(f"{_named(untraced)} did not run to the end: {cause.text}")
        advice = cause.advice
    elif untraced:
        parts.append(f"NetBox shows no trace that {_named(untraced)} ran")
    good = [stage for stage in stages if stage.status == "ok"]
    if good:
        times = [stage.run_time for stage in good if stage.run_time is not None]
        took = f" ({_time(sum(times))})" if times else ""
        parts.append(f"{_named(good)} {'is' if len(good) == 1 else 'are'} ok{took}")
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
    everything = [one_line(message_of(entry)) for entry in job.log_entries or ()]
    for text in [*said, error, *everything]:
        if recognised(text):
            return _known(job, text, None)
    causes = [text for text in said if text not in error and error not in text] or [error, *everything]
    return _known(job, next(filter(None, reversed(causes)), "NetBox gives no reason"), None, BACKEND_LOG)


def _known(job: Job, text: str, endpoint_id: int | None, advice: str = "") -> Problem:
    """A cause in the collection's own words with what to do, where it is known; else in the server's words."""
    cause = recognised(text)
    if cause is None:
        return Problem(_cut(one_line(text)).rstrip("."), advice)
    path = cause.path.replace("{id}/", "" if endpoint_id is None else f"{endpoint_id}/")
    return Problem(cause.what, cause.advice.format(page=_page(job, path)))


def _setting(job: Job, stages: Sequence[Stage]) -> Problem:
    names = settings_of(stage.reason or "" for stage in stages)
    what = (
        f"the setting {' or '.join(names)}, or a parent setting, is disabled"
        if names
        else _listed(sorted({stage.reason or "" for stage in stages}))
    )
    pages = f"{_page(job, 'settings/')} or on the page of the endpoint"
    return Problem(what, f"Enable it at {pages}, or remove {_listed(_types(stages))} from sync_types.")


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


def _named(stages: Iterable[Stage]) -> str:
    """The stages by name; many of them by number."""
    types = _types(stages)
    return _listed(types) if len(types) <= TYPES_SHOWN else f"{len(types)} stages"


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
