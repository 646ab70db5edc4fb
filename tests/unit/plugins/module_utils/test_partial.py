# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Half done is not done: a sync that NetBox calls completed, although some of its stages failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._engine import Outcome
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Scope, Stage
from ansible_collections.proxbox.proxbox.plugins.module_utils._module import run_result
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Plan

GOOD = Stage("devices", "pve-lab", True, None, 1.5)
BAD = Stage("storage", "pve-lab", False, "no such pool", 2.5)
MUTE = Stage("vm-disks", "pve-lab", False, None, None)

JOB = Job(
    id=7,
    name="nightly",
    status="completed",
    scope=Scope(),
    url="http://netbox/core/jobs/7/",
    log_entries=tuple({"timestamp": "", "level": "info", "message": f"line {number}"} for number in range(9)),
)


class Module:
    """The part of AnsibleModule that a result needs."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.warn = self.warnings.append


def result(
    *stages: Stage, partial: str = "fail", waited: bool = True, timeout: float | None = 60, **job: Any
) -> tuple[dict[str, Any], list[str]]:
    """What a task that ran such a job returns, and what it warns of."""
    module = Module()
    outcome = Outcome(Plan("nightly"), replace(JOB, stages=stages, **job), waited=waited)
    return run_result(module, outcome, wait_timeout=timeout, partial=partial), module.warnings


@pytest.mark.parametrize("partial", ["fail", "warn", "ignore"])
def test_a_run_that_did_well_in_every_stage_is_good(partial: str) -> None:
    said, warnings = result(GOOD, partial=partial)
    assert "failed" not in said and "msg" not in said and "log_tail" not in said
    assert warnings == []
    assert said["job"]["stages"] == [
        {"sync_type": "devices", "endpoint": "pve-lab", "ok": True, "error": None, "run_time": 1.5}
    ]


def test_a_stage_that_failed_fails_the_task_with_its_reason() -> None:
    said, warnings = result(GOOD, BAD, MUTE)
    assert said["failed"] is True
    assert said["msg"] == (
        "The sync 'nightly' (job 7) completed, but 2 of its 3 stages failed: storage: no such pool; vm-disks: no "
        "reason given | http://netbox/core/jobs/7/"
    )
    assert said["log_tail"] == [f"INFO: line {number}" for number in range(4, 9)]
    assert [stage["ok"] for stage in said["job"]["stages"]] == [True, False, False]
    assert warnings == []


def test_it_only_warns_if_told_so() -> None:
    said, warnings = result(GOOD, BAD, partial="warn")
    assert "failed" not in said and "msg" not in said
    (warning,) = warnings
    assert "1 of its 2 stages failed: storage: no such pool" in warning
    assert [stage["error"] for stage in said["job"]["stages"]] == [None, "no such pool"]


def test_it_is_silent_if_told_so_but_the_stages_tell() -> None:
    said, warnings = result(GOOD, BAD, partial="ignore")
    assert "failed" not in said and "msg" not in said and warnings == []
    assert [stage["ok"] for stage in said["job"]["stages"]] == [True, False]


@pytest.mark.parametrize("partial", ["fail", "warn", "ignore"])
@pytest.mark.parametrize("status", ["errored", "failed"])
def test_a_run_that_netbox_calls_failed_fails_whatever_partial_says(status: str, partial: str) -> None:
    said, warnings = result(GOOD, BAD, partial=partial, status=status, error="the backend does not answer")
    assert said["failed"] is True
    assert said["msg"].startswith(f"The sync 'nightly' (job 7) {status}: the backend does not answer | ")
    assert warnings == []


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_run_that_has_not_ended_is_no_partial_one(status: str) -> None:
    said, warnings = result(BAD, partial="ignore", status=status)
    assert said["failed"] is True
    assert f"is still {status} after 60 s" in said["msg"]
    assert warnings == []


def test_a_run_that_nobody_has_waited_for_is_not_judged() -> None:
    said, warnings = result(BAD, waited=False, timeout=None)
    assert "failed" not in said and warnings == []
    assert said["job"]["stages"][0]["ok"] is False


Read = Callable[..., tuple[Stage, ...]]


@pytest.fixture
def read(row: Callable[..., dict[str, Any]]) -> Read:
    """The stages of a job whose plugin has answered so."""

    def stages(response: Any) -> tuple[Stage, ...]:
        data = row(7)["data"]
        data["proxbox_sync"]["response"] = response
        return Job.from_api(row(7, status="completed", data=data)).stages

    return stages


@pytest.mark.parametrize("response", [None, {}, {"stages": None}, {"stages": []}, "done", []])
def test_a_run_without_stages_has_none(read: Read, response: Any) -> None:
    assert read(response) == ()


def test_a_row_without_data_has_none(row: Callable[..., dict[str, Any]]) -> None:
    assert Job.from_api(row(7, data=None)).stages == ()


def test_a_stage_as_the_plugin_tells_it(read: Read) -> None:
    told = {
        "sync_type": "devices",
        "endpoint_id": 1,
        "endpoint_name": "pve-lab",
        "stream_path": "dcim/devices/create/stream",
        "runtime_seconds": 3,
        "result_summary": {"path": "dcim/devices/create/stream", "ok": True},
    }
    (stage,) = read({"stages": [told]})
    assert stage == Stage("devices", "pve-lab", True, None, 3.0)
    assert isinstance(stage.run_time, float)


@pytest.mark.parametrize(
    ("summary", "ok", "error"),
    [
        ({"ok": True}, True, None),
        ({"ok": True, "skipped": True, "reason": "disabled"}, True, None),
        ({"ok": False, "error": "no such pool"}, False, "no such pool"),
        ({"ok": False, "detail": "no such pool"}, False, "no such pool"),
        ({"ok": False}, False, None),
        # Without a verdict, a reason is one.
        ({}, True, None),
        ({"error": "no such pool"}, False, "no such pool"),
        # The backend has not said that it went well.
        ({"ok": None}, False, None),
        ({"ok": "yes"}, False, None),
        # A stage that went well may still carry a remark.
        ({"ok": True, "error": ""}, True, None),
        ({"ok": True, "detail": "2 devices"}, True, None),
    ],
)
def test_when_a_stage_went_well(read: Read, summary: dict[str, Any], ok: bool, error: str | None) -> None:
    (stage,) = read({"stages": [{"sync_type": "storage", "result_summary": summary}]})
    assert (stage.ok, stage.error) == (ok, error)


def test_each_stage_stands_for_itself(read: Read) -> None:
    stages = read({"stages": [{"sync_type": "devices", "result_summary": {"ok": True}}, {"result_summary": None}]})
    assert [(stage.sync_type, stage.endpoint, stage.run_time) for stage in stages] == [
        ("devices", None, None),
        ("", None, None),
    ]


@pytest.mark.parametrize(
    ("status", "stages", "whole"),
    [
        ("completed", (), True),
        ("completed", (GOOD,), True),
        ("completed", (GOOD, BAD), False),
        ("errored", (GOOD,), False),
    ],
)
def test_only_all_of_it_is_success(status: str, stages: tuple[Stage, ...], whole: bool) -> None:
    assert replace(JOB, status=status, stages=stages).fully_succeeded is whole
