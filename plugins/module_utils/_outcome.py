# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: how a run ended. All modules use this judgement.

Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ._json import text
from ._plugin import STAGES, was_cancelled
from ._run_data import ENDPOINT_GONE, Phase, Run, Stage

SUCCEEDED = "succeeded"
PARTIAL = "partial"
FAILED = "failed"
CANCELLED = "cancelled"
NOTHING_DONE = "nothing_done"
UNKNOWN = "unknown"

VERDICTS = (SUCCEEDED, PARTIAL, FAILED, CANCELLED, NOTHING_DONE, UNKNOWN)
"""How a run can end.

``succeeded``: it did everything that was requested, except stages that a setting disables. ``partial``: it did a part
of it. ``failed``: it did nothing of it. ``cancelled``: somebody cancelled the job. ``nothing_done``: settings disable
everything that was requested. ``unknown``: NetBox does not show in a known shape what a completed run did.
"""


@dataclass(frozen=True)
class Outcome:
    """How a run ended, its stages and its phases.

    ``verdict`` is None while the run has not ended. ``unmerged_branch`` is the name of the branch (netbox-branching)
    with the changes of a run that did not complete.
    """

    verdict: str | None = None
    stages: tuple[Stage, ...] = ()
    phases: tuple[Phase, ...] = ()
    unmerged_branch: str | None = None

    @property
    def endpoint_names(self) -> dict[int, str]:
        """The names of the Proxmox endpoints by id, as far as the run shows them."""
        parts: list[Phase | Stage] = [*self.phases, *self.stages]
        return {part.endpoint_id: part.endpoint for part in parts if part.endpoint_id is not None and part.endpoint}

    @property
    def disabled(self) -> list[Stage]:
        """The stages that a setting disables."""
        return [stage for stage in self.stages if stage.status == "skipped" and stage.reason != ENDPOINT_GONE]

    def result(self) -> dict[str, object]:
        """Return the keys of a job's result that come from its outcome."""
        return {
            "outcome": self.verdict,
            "stages": [asdict(stage) for stage in self.stages],
            "phases": [asdict(phase) for phase in self.phases],
        }


def judge(row: Mapping[str, object], all_stages: Sequence[str] = STAGES) -> Outcome:
    """Return the outcome of a job, from its row of NetBox's ``core.Job`` with or without ``log_entries``.

    :param all_stages: the stages of a sync of everything in the plugin's release. They are not used if the log shows
        the stages.
    """
    run = Run(row)
    if run.status not in ("completed", "errored", "failed"):
        return Outcome(phases=run.phases)
    stages = tuple(run.stages(all_stages))
    unmerged = run.branch and run.status != "completed"
    return Outcome(
        _verdict(run, stages),
        stages,
        run.phases,
        text(run.branch.get("name")) or "without a name" if unmerged else None,
    )


def _verdict(run: Run, stages: Sequence[Stage]) -> str:
    good = any(stage.status == "ok" for stage in stages) or bool(run.batch.get("succeeded"))
    if was_cancelled(run.status, run.error):
        return CANCELLED
    if run.status != "completed":
        # The changes of a run in a branch that was not merged are not in NetBox's own data.
        return PARTIAL if good and not run.in_branch else FAILED
    if not run.readable:
        return UNKNOWN
    if any(stage.undone for stage in stages) or any(phase.failed for phase in run.phases) or run.batch.get("failed"):
        return PARTIAL if good else FAILED
    if any(stage.status == "unknown" for stage in stages):
        return UNKNOWN
    if good:
        return SUCCEEDED
    return NOTHING_DONE if stages else UNKNOWN
