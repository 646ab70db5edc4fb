# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what went wrong in a run that has ended, at which endpoint, and why.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ._causes import Cause, known_cause, settings_in
from ._log import level_of, message_of, one_line, plain_error
from ._outcome import FAILED, NOTHING_DONE, PARTIAL, UNKNOWN
from ._run_data import ENDPOINT_GONE, NO_REASON, Phase, Stage
from ._text import shortened
from ._times import duration

if TYPE_CHECKING:
    from ._job import Job

TYPES_SHOWN = 4
"""How many sync types a sentence names. It counts more than these."""

WIDTH = 500
"""How many characters of the server's own words a sentence shows."""

BACKEND_LOG = "See the log of the backend (proxbox-api) on its host."


def problems(job: Job) -> Iterator[tuple[str, Cause]]:
    """What went wrong: the place and the cause. The place is the name of an endpoint, or empty for the whole run."""
    outcome = job.outcome
    if outcome.verdict == NOTHING_DONE:
        yield "", disabled_settings(job, outcome.disabled)
    if outcome.verdict == UNKNOWN and any(known_cause(message_of(entry)) for entry in job.log_entries or ()):
        yield "", _of_run(job)
    if outcome.verdict not in (PARTIAL, FAILED):
        return
    found = [
        (_place(endpoint_id, stages), cause)
        for endpoint_id, stages in stages_to_run(job).items()
        for cause in _at_endpoint(job, endpoint_id, stages)
    ]
    yield from found or [("", _of_run(job))]
    if outcome.unmerged_branch:
        what = f"the branch {outcome.unmerged_branch} was not merged, so main does not have the changes of this run"
        yield "", Cause(what, "Review the branch, then merge or delete it.")


def cause_of(job: Job, error: str, endpoint_id: int | None = None, advice: str = "") -> Cause:
    """The cause of an error, in the words of the collection.

    An unknown error stays in the words of the server, with ``advice``.
    """
    known = known_cause(error, _page(job, ""), endpoint_id)
    return known or Cause(shortened(one_line(error), WIDTH).rstrip("."), advice)


def disabled_settings(job: Job, stages: Sequence[Stage]) -> Cause:
    """The settings that disable these stages."""
    names = settings_in(stage.reason or "" for stage in stages)
    if names:
        what = f"the setting {' or '.join(names)}, or a parent setting, is disabled"
    else:
        what = listed(sorted({stage.reason or "" for stage in stages}))
    pages = f"{_page(job, 'settings/')} or on the page of the endpoint"
    return Cause(what, f"Enable it at {pages}, or remove {listed(types_of(stages))} from sync_types.")


def stages_to_run(job: Job) -> Mapping[int | None, list[Stage]]:
    """The stages that no setting disables, by endpoint."""
    found: dict[int | None, list[Stage]] = {}
    for stage in job.outcome.stages:
        if stage.status != "skipped" or stage.reason == ENDPOINT_GONE:
            found.setdefault(stage.endpoint_id, []).append(stage)
    return found


def named(stages: Iterable[Stage]) -> str:
    """The sync types of the stages, or how many there are."""
    types = types_of(stages)
    return listed(types) if len(types) <= TYPES_SHOWN else f"{len(types)} stages"


def types_of(stages: Iterable[Stage]) -> list[str]:
    """The sync types of the stages, each once."""
    return list(dict.fromkeys(stage.sync_type for stage in stages))


def listed(words: Sequence[str]) -> str:
    """The words as a list in a sentence: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _at_endpoint(job: Job, endpoint_id: int | None, stages: Sequence[Stage]) -> Iterator[Cause]:
    phases = [phase for phase in job.outcome.phases if phase.endpoint_id == endpoint_id and phase.status != "success"]
    failed_phases = [phase for phase in phases if phase.failed]
    undone = [stage for stage in stages if stage.undone]
    if any(stage.reason == ENDPOINT_GONE for stage in undone):
        yield Cause(
            "the endpoint was disabled or deleted before the run started, so nothing was synced from it",
            f"Enable it at {_page(job, f'endpoints/proxmox/{endpoint_id}/')}, or remove it from proxmox_endpoints.",
        )
    elif len(undone) == len(stages) and not any(stage.status == "failed" for stage in undone):
        # No stage ran. The phases of this endpoint failed for the same reason.
        yield from _nothing_ran(job, endpoint_id, stages, phases)
        return
    elif undone:
        yield _of_stages(job, endpoint_id, stages)
    if failed_phases and len(undone) < len(stages):
        yield _of_phases(job, endpoint_id, failed_phases)


def _nothing_ran(
    job: Job, endpoint_id: int | None, stages: Sequence[Stage], phases: Sequence[Phase]
) -> Iterator[Cause]:
    """Why no stage of an endpoint ran; nothing if the error of the job tells it for the whole run."""
    reasons = [phase.summary for phase in phases if phase.kind == "preflight"][:1]
    reasons += [stage.reason for stage in stages if stage.reason]
    reason = next(filter(None, reasons), None)
    if reason:
        yield cause_of(job, reason, endpoint_id)
    elif not job.error:
        yield _of_stages(job, endpoint_id, stages)


def _of_stages(job: Job, endpoint_id: int | None, stages: Sequence[Stage]) -> Cause:
    """Why stages of an endpoint failed or did not run, and which stages are ok."""
    causes = [_of_failure(job, endpoint_id, stage) for stage in stages if stage.status == "failed"]
    later = [stage for stage in stages if stage.status == "missing" and stage.reason]
    lost = [stage for stage in stages if stage.status == "missing" and not stage.reason]
    good = [stage for stage in stages if stage.status == "ok"]
    if later:
        causes.append(Cause(f"{named(later)} did not run after that"))
    if lost and job.error and not causes:
        cause = _of_run(job)
        causes.append(Cause(f"{named(lost)} did not finish: {cause.what}", cause.advice))
    elif lost:
        causes.append(Cause(f"NetBox has no record that {named(lost)} ran"))
    if good:
        times = [stage.run_time for stage in good if stage.run_time is not None]
        took = f" ({duration(sum(times))})" if times else ""
        causes.append(Cause(f"{named(good)} {'is' if len(good) == 1 else 'are'} ok{took}"))
    advice = next((cause.advice for cause in causes if cause.advice), "")
    return Cause("; ".join(cause.what for cause in causes), advice)


def _of_failure(job: Job, endpoint_id: int | None, stage: Stage) -> Cause:
    attempts = f" after {stage.attempts} attempts" if stage.attempts and stage.attempts > 1 else ""
    cause = cause_of(job, stage.error or NO_REASON, endpoint_id, BACKEND_LOG)
    return Cause(f"{stage.sync_type} failed{attempts}: {cause.what}", cause.advice)


def _of_phases(job: Job, endpoint_id: int | None, phases: Sequence[Phase]) -> Cause:
    cause = cause_of(job, phases[0].summary, endpoint_id, BACKEND_LOG)
    labels = listed(list(dict.fromkeys(phase.label for phase in phases)))
    return Cause(f"{labels} failed: {cause.what}", cause.advice)


def _of_run(job: Job) -> Cause:
    """Why the whole run failed, from its log and from the error of the job."""
    entries = job.log_entries or ()
    error = plain_error(job.error)
    everything = [one_line(message_of(entry)) for entry in entries]
    serious = [one_line(message_of(entry)) for entry in entries if level_of(entry) in ("warning", "error", "critical")]
    for text in [*serious, error, *everything]:
        if known_cause(text):
            return cause_of(job, text)
    # The error of the job sums up the run. A line that does not repeat it tells more.
    causes = [text for text in serious if not error or (text not in error and error not in text)]
    causes = causes or [error, *everything]
    return cause_of(job, next(filter(None, reversed(causes)), NO_REASON), advice=BACKEND_LOG)


def _place(endpoint_id: int | None, stages: Sequence[Stage]) -> str:
    if endpoint_id is None:
        return ""
    return next((stage.endpoint for stage in stages if stage.endpoint), None) or f"endpoint {endpoint_id}"


def _page(job: Job, path: str) -> str:
    """The address of a page of the plugin. The address of NetBox is that of the job's own page."""
    return f"{job.url.partition('/core/jobs/')[0]}/plugins/proxbox/{path}"
