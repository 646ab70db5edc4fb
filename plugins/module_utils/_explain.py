# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the message about a run that did not do everything that was requested.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ._causes import Cause, settings_in
from ._log import level_of, message_of, one_line
from ._outcome import CANCELLED, FAILED, NOTHING_DONE, PARTIAL, SUCCEEDED
from ._problems import WIDTH, cause_of, disabled_settings, listed, named, problems, stages_to_run, types_of
from ._run_data import Stage
from ._text import shortened
from ._times import duration

if TYPE_CHECKING:
    from ._job import Job

CAUSES_SHOWN = 6
"""How many causes a message shows. It counts the others."""

EXCERPT = 8
"""How many lines of the log a failed task returns."""


def explain(job: Job) -> str:
    """The message about a job that has ended and did not do everything that was requested.

    The first line tells how the run ended, and the last line where its log is. Between them is a line for each cause.
    """
    places: dict[Cause, list[str]] = {}
    for place, cause in problems(job):
        places.setdefault(cause, []).append(place)
    lines = [headline(job)]
    for cause, where in list(places.items())[:CAUSES_SHOWN]:
        names, sentence = ", ".join(filter(None, where)), cause.sentence()
        lines.append(f"{names}: {sentence}" if names else f"{sentence[0].upper()}{sentence[1:]}")
    if len(places) > CAUSES_SHOWN:
        lines.append(f"The stages of the job show {len(places) - CAUSES_SHOWN} more problems.")
    if job.url:
        lines.append(f"Log: {job.url}")
    return "\n".join(lines)


def in_one_line(job: Job) -> str:
    """The first cause that ``explain`` gives, without its full stop. It becomes a part of another sentence."""
    found = list(problems(job))
    if not found:
        return headline(job)
    place, cause = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{place + ': ' if place else ''}{cause.what}{more}"


def remarks(job: Job) -> list[str]:
    """Warnings that do not depend on the outcome.

    A setting disables a stage that was requested by name; or the backend synced an endpoint with the connection that it
    had stored earlier, because NetBox did not send it the current one.
    """
    what = f"The sync {job.name!r} (job {job.id})"
    found = []
    requested = job.scope.sync_types if job.scope else frozenset()
    stages = [stage for stage in job.outcome.disabled if stage.sync_type in requested]
    if stages and job.outcome.verdict != NOTHING_DONE:
        found.append(f"{what} skipped {listed(types_of(stages))}: {disabled_settings(job, stages).sentence()}")
    synced = {stage.endpoint_id for stage in job.outcome.stages if stage.status == "ok"}
    for phase in job.outcome.phases:
        if phase.kind == "preflight" and phase.status != "success" and phase.endpoint_id in synced:
            cause = cause_of(job, phase.summary, phase.endpoint_id)
            used = Cause(f"{cause.what}. The backend used the connection that it had stored earlier", cause.advice)
            found.append(f"Job {job.id}: {phase.endpoint or 'an endpoint'}: {used.sentence()}")
    return found


def excerpt(job: Job, count: int = EXCERPT) -> list[str]:
    """The most important lines of a log, in their order: errors first, then warnings, then the last lines."""
    entries = list(job.log_entries or ())
    texts = [one_line(message_of(entry)) for entry in entries]
    chosen: list[int] = []

    def repeats(number: int) -> bool:
        text = texts[number].partition(" -- retrying in ")[0]
        text = text.partition("): ")[2] or text
        return any(text in texts[other] or texts[other] in texts[number] for other in chosen)

    for level in ("error", "warning", "info"):
        if level == "info" and chosen:
            break  # information explains nothing more
        for number in reversed(range(len(entries))):
            traceback = message_of(entries[number]).startswith("Traceback")
            if level_of(entries[number]) == level and len(chosen) < count and not traceback and not repeats(number):
                chosen.append(number)
    return [f"{level_of(entries[number]).upper()}: {shortened(texts[number], WIDTH)}" for number in sorted(chosen)]


def headline(job: Job) -> str:
    """How the run ended, in one sentence."""
    what = f"The sync {job.name!r} (job {job.id})"
    took = f" after {duration(job.duration)}" if job.duration is not None else ""
    verdict = job.outcome.verdict
    if verdict == CANCELLED:
        return f"{what} was cancelled{took + ', while it was running' if job.started else ' before it started'}."
    if verdict == NOTHING_DONE:
        names = settings_in(stage.reason or "" for stage in job.outcome.disabled)
        which = f"the setting {names[0]} disables" if len(names) == 1 else f"the settings {listed(names)} disable"
        return f"{what} did nothing: {which if names else 'settings disable'} all requested stages."
    if verdict == PARTIAL:
        return f"{what} is incomplete: {_counts(job)}."
    if verdict == FAILED:
        return f"{what} failed{took}: {_counts(job)}."
    if verdict == SUCCEEDED:
        return f"{what} did everything that was requested."
    why = f"NetBox shows the job as {job.status}, but its data does not list the stages"
    return f"The outcome of {what.replace('The', 'the', 1)} is unknown: {why}."


def _counts(job: Job) -> str:
    """How much of what was requested was not done."""
    by_endpoint = stages_to_run(job)
    stages = [stage for found in by_endpoint.values() for stage in found]
    if not stages:
        return "nothing was synced" if job.outcome.verdict == FAILED else "some of its objects were not synced"
    if not any(stage.undone for stage in stages):
        failed = sorted({phase.label for phase in job.outcome.phases if phase.failed})
        return f"all its stages are ok, but {f'{listed(failed)} failed' if failed else 'the job ended with an error'}"
    return _undone(by_endpoint)


def _undone(by_endpoint: Mapping[int | None, list[Stage]]) -> str:
    """How many endpoints have no successful stage, and how many stages of the other endpoints did not succeed."""
    synced = [stages for stages in by_endpoint.values() if any(stage.status == "ok" for stage in stages)]
    if not synced:
        stages = [stage for stages in by_endpoint.values() for stage in stages]
        return f"{named(stages)} {'was' if len(types_of(stages)) == 1 else 'were'} not synced"
    parts, where = [], ""
    if len(synced) < len(by_endpoint):
        parts.append(f"nothing was synced from {len(by_endpoint) - len(synced)} of {len(by_endpoint)} endpoints")
        where = " on the other" if len(synced) == 1 else " on the others"
    stages = [stage for stages in synced for stage in stages]
    undone = [stage for stage in stages if stage.undone]
    if undone:
        what = "failed" if all(stage.status == "failed" for stage in undone) else "failed or did not run"
        parts.append(f"{len(undone)} of {len(stages)} stages {what}{where}")
    return ", ".join(parts)
