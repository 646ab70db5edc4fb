# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the stages and phases of a run, read from the row of its job.

The plugin writes no row for an optional stage that failed: only the log shows it, and the job is ``completed``. So the
requested stages are compared with the rows of stages for each endpoint. Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ._json import choice, items, mapping, mappings, number, seconds, text
from ._log import RunLog, failed_stage, plain_error, stage_error
from ._plugin import BRANCH_ISOLATION, ENDPOINT_SCOPE, STAGES, STAGES_OF_VMS

ENDPOINT_GONE = "the endpoint was disabled or deleted when the run started"

NO_REASON = "NetBox does not show a reason"


@dataclass(frozen=True)
class Stage:
    """The result of one sync type on one Proxmox endpoint. ``run_time`` is in seconds.

    ``status`` is ``ok``, ``failed`` (see ``error``), ``skipped`` (see ``reason``), ``missing`` (NetBox has no record of
    the requested stage) or ``unknown`` (its row does not tell whether it succeeded). ``attempts`` tells how often a
    failed stage was tried, if the log was read.
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
        """Whether the stage should have run and did not succeed."""
        return self.status in ("failed", "missing") or self.reason == ENDPOINT_GONE


@dataclass(frozen=True)
class Phase:
    """The result of a phase that NetBox runs itself, such as ``preflight`` or ``cluster``. ``run_time`` is in seconds.

    ``status`` is the plugin's own word, for example ``success`` or ``warning``.
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
        """Whether the phase failed. A preflight never counts as failed, because the stages show its effect."""
        return self.kind != "preflight" and self.status != "success"


class Run:
    """What the row of a job tells about its run.

    ``params`` are the options of the sync. ``response`` is what the plugin wrote down at the end of the run, and
    ``batch`` is the part of it that a sync of single objects has instead of stages.
    """

    def __init__(self, row: Mapping[str, object]) -> None:
        block = mapping(mapping(row.get("data")).get("proxbox_sync"))
        self.status = choice(row.get("status"))
        self.error = text(row.get("error"))
        self.started = bool(row.get("started"))
        self.params = mapping(block.get("params"))
        self.response = mapping(block.get("response"))
        self.batch = mapping(self.response.get("batch"))
        self.branch = mapping(block.get("branch"))
        self.in_branch = bool(block.get("branch"))
        self.names = _endpoint_names(self.response)
        self.phases = tuple(self._phases())
        self._log = RunLog(mappings(row.get("log_entries")))
        self._rows: dict[int | None, dict[str, list[Stage]]] = {}
        """The stages that have a row, by endpoint and sync type."""
        self._failed_first: dict[int | None, str] = {}
        """The sync type that failed, by endpoint. The later stages of the endpoint did not run."""
        self._not_run: dict[int | None, str] = {}
        """Why no stage ran, by endpoint. The key None means all endpoints."""
        for entry in mappings(self.response.get("stages")):
            self._read_row(entry)
        if not self.response.get("stages"):
            self._read_log()

    @property
    def readable(self) -> bool:
        """Whether the plugin wrote down what the run did, in a known shape."""
        if self.batch:
            return bool(self.batch.get("total")) and isinstance(self.batch.get("failed"), int)
        rows = self.response.get("stages")
        return bool(self.params) and isinstance(rows, list) and len(rows) == len(mappings(rows))

    def stages(self, stages_of_all: Sequence[str]) -> Iterator[Stage]:
        """Yield each stage that has a row, and each requested stage.

        :param stages_of_all: the stages of a sync of everything in the plugin's release.
        """
        if self.batch or not self.started:
            return  # a sync of single objects and a job that did not start have no stages
        requested = self._requested(stages_of_all)
        for endpoint_id in self._endpoints():
            rows = self._rows.get(endpoint_id, {})
            others = [sync_type for sync_type in rows if sync_type not in requested]
            for sync_type in sorted([*requested, *others], key=_order):
                found = rows.get(sync_type, [])
                if len(found) >= self._rows_expected(sync_type) or any(stage.status != "ok" for stage in found):
                    yield _joined(found)
                else:
                    yield self._without_row(endpoint_id, sync_type)

    def _read_row(self, row: Mapping[str, object]) -> None:
        summary = mapping(row.get("result_summary"))
        endpoint_id = number(row.get("endpoint_id"))
        sync_type = text(row.get("sync_type"))
        if sync_type == BRANCH_ISOLATION:
            self.in_branch = True
        elif sync_type != ENDPOINT_SCOPE:
            self._add(self._stage(sync_type, endpoint_id, summary, seconds(row.get("runtime_seconds"))))
        elif failed := text(summary.get("stage")):
            self._failed_first[endpoint_id] = failed
            # The run time in this row covers the whole run up to the failure.
            self._add(self._stage(failed, endpoint_id, summary, None))
        else:
            self._not_run[endpoint_id] = _error_in(summary) or NO_REASON

    def _read_log(self) -> None:
        """Read the stages from the log. An aborted run has no rows; before 0.0.27 a failed required stage aborts it."""
        for endpoint_id, sync_type in self._log.completed:
            self._add(Stage(sync_type, endpoint_id, self._name(endpoint_id), "ok"))
        error = plain_error(self.error)
        if failed := failed_stage(error):
            endpoint_id = self._log.endpoints[-1] if self._log.endpoints else None
            self._failed_first[endpoint_id] = failed
            self._add(self._stage(failed, endpoint_id, {"ok": False, "error": error}, None))

    def _add(self, stage: Stage) -> None:
        self._rows.setdefault(stage.endpoint_id, {}).setdefault(stage.sync_type, []).append(stage)

    def _stage(
        self, sync_type: str, endpoint_id: int | None, summary: Mapping[str, object], run_time: float | None
    ) -> Stage:
        """Return a stage from the summary that the plugin wrote."""
        stage = Stage(sync_type, endpoint_id, self._name(endpoint_id), "unknown", run_time=run_time)
        ok = summary.get("ok")
        if ok is True and summary.get("skipped") is True:
            return replace(stage, status="skipped", reason=text(summary.get("reason")) or None, run_time=None)
        if ok is True:
            return replace(stage, status="ok")
        error = _error_in(summary) or None
        if ok is False:
            return replace(stage, status="failed", error=error, attempts=self._log.attempts((endpoint_id, sync_type)))
        return replace(stage, error=error)

    def _without_row(self, endpoint_id: int | None, sync_type: str) -> Stage:
        """Return a requested stage that has no row."""
        stage = Stage(sync_type, endpoint_id, self._name(endpoint_id), "missing")
        for key in ((None, sync_type), (endpoint_id, sync_type)):
            if error := self._log.failures.get(key):
                return replace(stage, status="failed", error=error, attempts=self._log.attempts(key))
        if reason := self._not_run.get(endpoint_id) or self._not_run.get(None):
            return replace(stage, reason=reason)
        failed = self._failed_first.get(endpoint_id)
        if failed and _order(sync_type) > _order(failed):
            return replace(stage, reason=f"it did not run because {failed} failed")
        if self.readable and self.names and endpoint_id not in self.names:
            return replace(stage, status="skipped", reason=ENDPOINT_GONE)
        return stage

    def _requested(self, stages_of_all: Sequence[str]) -> list[str]:
        """Return the requested sync types; none if NetBox does not show them."""
        if not self.params:
            return self._log.stages
        types = [str(item) for item in items(self.params.get("sync_types"))]
        types = types or [text(self.params.get("sync_type")) or "all"]
        if types == ["all"]:
            return self._log.stages or list(stages_of_all)
        return types

    def _endpoints(self) -> Sequence[int | None]:
        """Return the ids of the endpoints of the run. None means an endpoint that NetBox does not show."""
        if self._rows.keys() == {None}:
            return [None]  # before 0.0.19 the rows have no endpoints
        chosen = [number(item) for item in items(self.params.get("proxmox_endpoint_ids"))]
        seen = {*self.names, *self._not_run, *self._log.endpoints, *self._rows}
        return chosen or sorted(endpoint_id for endpoint_id in seen if endpoint_id is not None) or [None]

    def _rows_expected(self, sync_type: str) -> int:
        """Return how many rows a successful stage has: one, or one for each virtual machine if the sync names some."""
        vms = len(items(self.params.get("netbox_vm_ids")))
        return vms if vms and sync_type in STAGES_OF_VMS else 1

    def _phases(self) -> Iterator[Phase]:
        # Most phases are in the list of their endpoint. A phase without an endpoint is only in the other list.
        entries: list[Mapping[str, object]] = []
        for endpoint in mappings(self.response.get("endpoint_runtimes")):
            entries += mappings(endpoint.get("phases"))
        entries += [entry for entry in mappings(self.response.get("local_phases")) if entry not in entries]
        for entry in entries:
            if entry.get("kind") != "sse_stage":
                endpoint_id = number(entry.get("endpoint_id"))
                yield Phase(
                    kind=text(entry.get("kind")),
                    label=text(entry.get("label")),
                    endpoint_id=endpoint_id,
                    endpoint=self._name(endpoint_id),
                    status=text(entry.get("status")),
                    summary=text(entry.get("summary")),
                    run_time=seconds(entry.get("runtime_seconds")),
                )

    def _name(self, endpoint_id: int | None) -> str | None:
        return None if endpoint_id is None else self.names.get(endpoint_id)


def _error_in(summary: Mapping[str, object]) -> str:
    return stage_error(text(summary.get("error")) or text(summary.get("detail")))


def _joined(stages: Sequence[Stage]) -> Stage:
    """Return the rows of a stage, one for each virtual machine, as one: the worst result, and the total run time."""
    worst = min(stages, key=lambda stage: ("failed", "unknown", "ok", "skipped").index(stage.status))
    times = [stage.run_time for stage in stages if stage.run_time is not None]
    return replace(worst, run_time=round(sum(times), 3) if times else None)


def _order(sync_type: str) -> tuple[int, str]:
    """Return the key that sorts stages in the order in which they run. Unknown stages are last."""
    return (STAGES.index(sync_type) if sync_type in STAGES else len(STAGES), sync_type)


def _endpoint_names(response: Mapping[str, object]) -> dict[int, str]:
    """Return the names of the endpoints by id. A stage that succeeded does not name its endpoint."""
    names = {}
    for key in ("stages", "local_phases", "endpoint_runtimes"):
        for entry in mappings(response.get(key)):
            endpoint_id, name = number(entry.get("endpoint_id")), text(entry.get("endpoint_name"))
            if endpoint_id is not None and name:
                names[endpoint_id] = name
    return names
