# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did of what was asked for: one judgement for every module. Pure: no network, no clock, no Ansible.

NetBox calls a job completed although stages failed: an optional stage that fails leaves no row, only lines in the log.
So the stages that were asked for are compared with the rows that are there, endpoint by endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ._plugin import (
    BRANCH_ISOLATION,
    ENDPOINT_SCOPE,
    STAGES,
    STAGES_OF_VMS,
    attempts,
    endpoints_begun,
    failed_stage,
    log_of,
    optional_failures,
    plain_error,
    stage_error,
    stages_completed,
    stages_started,
    was_cancelled,
)

SUCCEEDED = "succeeded"
PARTIAL = "partial"
FAILED = "failed"
CANCELLED = "cancelled"
NOTHING_DONE = "nothing_done"
UNKNOWN = "unknown"

VERDICTS = (SUCCEEDED, PARTIAL, FAILED, CANCELLED, NOTHING_DONE, UNKNOWN)
"""How a run can have ended.

``succeeded``: all that was asked for was done, but for stages that a setting switches off. ``partial``: some of it was.
``failed``: nothing of it was. ``cancelled``: somebody ended the job. ``nothing_done``: settings switch every stage off.
``unknown``: NetBox calls the job completed, and does not tell what it did in a shape that is known.
"""

ENDPOINT_GONE = "the endpoint was disabled or deleted when the run began"


@dataclass(frozen=True)
class Stage:
    """What came of one sync type on one Proxmox endpoint. ``run_time`` is in seconds.

    ``status``: ``ok``, ``failed`` (``error`` tells why), ``skipped`` (``reason`` tells why), ``missing`` (it was asked
    for, and NetBox shows no trace that it ran) or ``unknown`` (its row does not tell whether it went well).
    ``attempts`` is how often a failed stage was tried, where the log was read.
    """

    sync_type: str
    endpoint_id: int | None
    endpoint: str | None
    status: str
    reason: str | None = None
    error: str | None = None
    run_time: float | None = None
    attempts: int | None = None

    @property
    def undone(self) -> bool:
        """Whether it was to run, and did not do so well."""
        return self.status in ("failed", "missing") or self.reason == ENDPOINT_GONE


@dataclass(frozen=True)
class Phase:
    """What came of a phase that NetBox runs itself, such as ``preflight`` or ``cluster``. ``run_time`` is in seconds.

    ``status`` is the plugin's own word, ``success`` or ``warning``.
    """

    kind: str
    label: str
    endpoint_id: int | None
    endpoint: str | None
    status: str
    summary: str
    run_time: float | None

    @property
    def failed(self) -> bool:
        """Whether it did not succeed. A preflight does not count: the stages tell what came of it."""
        return self.kind != "preflight" and self.status != "success"


@dataclass(frozen=True)
class Outcome:
    """How a run ended (``verdict`` is None while it has not), its stages and its phases."""

    verdict: str | None = None
    stages: tuple[Stage, ...] = ()
    phases: tuple[Phase, ...] = ()

    @property
    def endpoint_names(self) -> dict[int, str]:
        """The names of the Proxmox endpoints by id, as far as the run tells them."""
        parts = (*self.phases, *self.stages)
        return {part.endpoint_id: part.endpoint for part in parts if part.endpoint_id is not None and part.endpoint}

    @property
    def switched_off(self) -> list[Stage]:
        """The stages that a setting has switched off."""
        return [stage for stage in self.stages if stage.status == "skipped" and stage.reason != ENDPOINT_GONE]

    def result(self) -> dict[str, Any]:
        """The keys of a job's result that this fills."""
        return {
            "outcome": self.verdict,
            "stages": [asdict(stage) for stage in self.stages],
            "phases": [asdict(phase) for phase in self.phases],
        }


def judge(row: Mapping[str, Any], all_stages: Sequence[str] = STAGES) -> Outcome:
    """The outcome that a row of NetBox's ``core.Job`` tells, with its ``log_entries`` where they were read.

    :param all_stages: the stages of a sync of everything in the plugin's release; a log tells them better.
    """
    run = _Run(row)
    if run.status not in ("completed", "errored", "failed"):
        return Outcome(phases=run.phases)
    stages = tuple(run.stages(all_stages))
    return Outcome(run.verdict(stages), stages, run.phases)


class _Run:
    """What a row tells of its run, taken apart."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        block = _mapping(_mapping(row.get("data")).get("proxbox_sync"))
        self.status = str(_mapping(row.get("status")).get("value") or row.get("status") or "")
        self.error = str(row.get("error") or "")
        self.began = bool(row.get("started"))
        self.params = _mapping(block.get("params"))
        self.response = _mapping(block.get("response"))
        self.batch = _mapping(self.response.get("batch"))
        self.branch = bool(block.get("branch"))
        self.log = log_of(row) or ()
        self.names = _endpoint_names(self.response)
        self.phases = tuple(self._phases())
        self.rows: dict[tuple[int | None, str], list[Stage]] = {}
        self.stopped: dict[int | None, str] = {}
        """The stage after whose failure an endpoint was left."""
        self.left: dict[int | None, str] = {}
        """Why no stage of an endpoint ran; of all of them, where the endpoint is None."""
        for entry in _mappings(self.response.get("stages")):
            self._read_stage(entry)
        self.begun = endpoints_begun(self.log)
        if not self.response.get("stages"):
            self._read_log()

    def _read_log(self) -> None:
        """Find the stages of a run that broke off: it has no rows, but lines in its log.

        Before 0.0.27, so does a run of which a required stage failed; that one is in the error of the job.
        """
        for endpoint_id, sync_type in stages_completed(self.log):
            self._read_stage({"sync_type": sync_type, "endpoint_id": endpoint_id, "result_summary": {"ok": True}})
        error = plain_error(self.error)
        broken = failed_stage(error)
        if broken:
            summary = {"ok": False, "stage": broken, "error": error}
            endpoint_id = self.begun[-1] if self.begun else None
            self._read_stage({"sync_type": ENDPOINT_SCOPE, "endpoint_id": endpoint_id, "result_summary": summary})

    def _read_stage(self, entry: Mapping[str, Any]) -> None:
        summary = _mapping(entry.get("result_summary"))
        endpoint_id = _id(entry.get("endpoint_id"))
        sync_type = str(entry.get("sync_type") or "")
        error = stage_error(str(summary.get("error") or summary.get("detail") or "")) or None
        if sync_type == BRANCH_ISOLATION:
            self.branch = True
            return
        if sync_type == ENDPOINT_SCOPE and not summary.get("stage"):
            self.left[endpoint_id] = error or "NetBox does not tell why"
            return
        run_time = entry.get("runtime_seconds")
        if sync_type == ENDPOINT_SCOPE:
            sync_type = self.stopped[endpoint_id] = str(summary["stage"])
            run_time = None  # that of the whole run until then
        ok = summary.get("ok")
        status = "ok" if ok is True else "failed" if ok is False else "unknown"
        skipped = status == "ok" and summary.get("skipped") is True
        stage = Stage(
            sync_type,
            endpoint_id,
            self.names.get(endpoint_id),
            "skipped" if skipped else status,
            reason=str(summary.get("reason") or "") or None if skipped else None,
            error=error if status != "ok" else None,
            run_time=None if skipped else _seconds(run_time),
            attempts=attempts(self.log).get((endpoint_id, sync_type), 1) if self.log and status == "failed" else None,
        )
        self.rows.setdefault((endpoint_id, sync_type), []).append(stage)

    def _phases(self) -> Iterable[Phase]:
        # A phase stands among those of its endpoint; one that names none stands in the other list alone.
        entries: list[Mapping[str, Any]] = []
        for endpoint in _mappings(self.response.get("endpoint_runtimes")):
            entries += _mappings(endpoint.get("phases"))
        entries += [entry for entry in _mappings(self.response.get("local_phases")) if entry not in entries]
        for entry in entries:
            if entry.get("kind") != "sse_stage":
                endpoint_id = _id(entry.get("endpoint_id"))
                yield Phase(
                    kind=str(entry.get("kind") or ""),
                    label=str(entry.get("label") or ""),
                    endpoint_id=endpoint_id,
                    endpoint=self.names.get(endpoint_id),
                    status=str(entry.get("status") or ""),
                    summary=str(entry.get("summary") or ""),
                    run_time=_seconds(entry.get("runtime_seconds")),
                )

    @property
    def tells(self) -> bool:
        """Whether the plugin wrote down what the run did, in a shape that is known."""
        if self.batch:
            return bool(self.batch.get("total")) and isinstance(self.batch.get("failed"), int)
        stages = self.response.get("stages")
        return bool(self.params) and isinstance(stages, list) and len(stages) == len(_mappings(stages))

    def verdict(self, stages: Sequence[Stage]) -> str:
        """How the run ended, in one word."""
        good = any(stage.status == "ok" for stage in stages) or bool(self.batch.get("succeeded"))
        bad = (
            any(stage.undone for stage in stages)
            or any(phase.failed for phase in self.phases)
            or bool(self.batch.get("failed"))
        )
        if was_cancelled(self.status, self.error):
            return CANCELLED
        if self.status != "completed":
            # NetBox's own data has nothing of a branch that was not merged.
            return PARTIAL if good and not self.branch else FAILED
        if bad and self.tells:
            return PARTIAL if good else FAILED
        if not self.tells or any(stage.status == "unknown" for stage in stages):
            return UNKNOWN
        if good:
            return SUCCEEDED
        return NOTHING_DONE if stages else UNKNOWN

    def stages(self, all_stages: Sequence[str]) -> Iterable[Stage]:
        """What came of each stage that has a row, and of each that was asked for and has none."""
        if self.batch or not self.began:
            return  # a sync of single objects has no stages, and a job that never ran has none either
        asked = self._asked(all_stages)
        for endpoint_id in self._endpoints():
            others = [kind for where, kind in self.rows if where == endpoint_id and kind not in asked]
            for sync_type in sorted([*asked, *others], key=_order):
                rows = self.rows.get((endpoint_id, sync_type), [])
                if len(rows) >= self._rows_wanted(sync_type) or any(row.status != "ok" for row in rows):
                    yield _joined(rows)
                else:
                    yield self._without_row(endpoint_id, sync_type)

    def _asked(self, all_stages: Sequence[str]) -> list[str]:
        """The stages that were asked for; none where NetBox does not tell."""
        if not self.params:
            return stages_started(self.log)
        types = [str(kind) for kind in _list(self.params.get("sync_types"))]
        types = types or [str(self.params.get("sync_type") or "all")]
        return list(stages_started(self.log) or all_stages) if types == ["all"] else types

    def _endpoints(self) -> list[int | None]:
        """The endpoints that the run was for, as far as it tells; a None stands for those that it does not tell."""
        if self.rows and all(endpoint_id is None for endpoint_id, _kind in self.rows):
            return [None]  # before 0.0.19 the rows name no endpoints
        asked = [_id(value) for value in _list(self.params.get("proxmox_endpoint_ids"))]
        seen = {*self.names, *self.left, *self.begun, *(endpoint_id for endpoint_id, _kind in self.rows)} - {None}
        return asked or sorted(seen) or [None]

    def _rows_wanted(self, sync_type: str) -> int:
        """How many rows a stage has that ran well: one, or one for each of the single virtual machines."""
        vms = len(_list(self.params.get("netbox_vm_ids")))
        return vms if vms and sync_type in STAGES_OF_VMS else 1

    def _without_row(self, endpoint_id: int | None, sync_type: str) -> Stage:
        """What is known of a stage that has no row: the log may tell that it failed."""

        def stage(status: str, **more: Any) -> Stage:
            return Stage(sync_type, endpoint_id, self.names.get(endpoint_id), status, **more)

        for failure in optional_failures(self.log):
            if failure.stage == sync_type and failure.endpoint_id in (None, endpoint_id):
                return stage("failed", error=failure.error, attempts=failure.attempts)
        reason = self.left.get(endpoint_id) or self.left.get(None)
        stopped = self.stopped.get(endpoint_id)
        if not reason and stopped and _order(sync_type) > _order(stopped):
            reason = f"it did not run after the failure of {stopped}"
        if not reason and self.tells and self.names and endpoint_id not in self.names:
            return stage("skipped", reason=ENDPOINT_GONE)
        return stage("missing", reason=reason)


def _joined(rows: Sequence[Stage]) -> Stage:
    """One stage of several rows, one for each virtual machine: the worst of them, and the run time of all."""
    worst = min(rows, key=lambda row: ("failed", "unknown", "ok", "skipped").index(row.status))
    times = [row.run_time for row in rows if row.run_time is not None]
    return replace(worst, run_time=round(sum(times), 3) if times else None)


def _order(sync_type: str) -> tuple[int, str]:
    """Where a stage stands in the order in which they run; one that is not known comes last."""
    return (STAGES.index(sync_type) if sync_type in STAGES else len(STAGES), sync_type)


def _endpoint_names(response: Mapping[str, Any]) -> dict[int | None, str]:
    """The names of the endpoints by id, as the run tells them."""
    names = {}
    runtimes = _mappings(response.get("endpoint_runtimes"))
    for entry in [*_mappings(response.get("stages")), *_mappings(response.get("local_phases")), *runtimes]:
        endpoint_id = _id(entry.get("endpoint_id"))
        if endpoint_id is not None and entry.get("endpoint_name"):
            names[endpoint_id] = str(entry["endpoint_name"])
    return names


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in _list(value) if isinstance(entry, Mapping)]


def _id(value: Any) -> int | None:
    """An id, which the plugin writes as a number here and as text there."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
