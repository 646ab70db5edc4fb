# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task makes of a sync that it has waited for; the rows are those of real runs."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Observation, Plan, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._run_result import run_result
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import recorded

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)


JOBS: Any = SimpleNamespace(endpoints=SimpleNamespace(name=lambda _kind, endpoint_id: endpoint_id))
"""The part of the session that a result needs."""


class Module:
    """The part of AnsibleModule that a result needs."""

    def __init__(self, **params: Any) -> None:
        self.params = params
        self.warnings: list[str] = []
        self.warn = self.warnings.append


def task(job: Job, waited: bool = True) -> TaskResult:
    return TaskResult(Plan("x"), job, Observation((job,), NOW), waited=waited)


def result(
    scenario: str,
    partial: str = "fail",
    waited: bool = True,
    job: dict[str, Any] | None = None,
    zone: str = "UTC",
    **params: Any,
) -> tuple[dict[str, Any], list[str]]:
    """What a task that ran this sync returns, and what it warns of."""
    module = Module(**params)
    found = Job.from_row(recorded(scenario))._replace(**(job or {}))
    return run_result(
        module, JOBS, task(found, waited), parse_timezone(zone), timeout=60, partial=partial
    ), module.warnings


@pytest.mark.parametrize("partial", ["fail", "warn", "ignore"])
@pytest.mark.parametrize("scenario", ["ok_all", "ok_two"])
def test_a_sync_that_did_all_is_good(scenario: str, partial: str) -> None:
    said, warnings = result(scenario, partial)
    assert "failed" not in said and " succeeded after " in said["msg"] and "log_excerpt" not in said and warnings == []
    assert said["job"]["outcome"] == "succeeded"


def test_a_sync_that_did_some_of_it_fails_warns_or_says_nothing() -> None:
    said, warnings = result("backups_500_beside")
    assert said["failed"] is True and "is incomplete: 1 of 2 stages failed." in said["msg"] and warnings == []
    assert any("no space left on device" in line for line in said["log_excerpt"])
    warned, (warning,) = result("backups_500_beside", "warn")
    assert "failed" not in warned and warning == said["msg"]
    ignored, warnings = result("backups_500_beside", "ignore")
    assert "failed" not in ignored and warnings == []
    assert ignored["job"] == warned["job"] == said["job"]


@pytest.mark.parametrize("partial", ["fail", "warn", "ignore"])
@pytest.mark.parametrize("scenario", ["backups_500_alone", "devices_500", "never_approved_alone", "cancelled_running"])
def test_a_sync_that_did_nothing_of_it_fails_whatever_partial_says(scenario: str, partial: str) -> None:
    said, warnings = result(scenario, partial)
    assert said["failed"] is True and warnings == []


def test_a_sync_that_is_switched_off_warns() -> None:
    said, (warning,) = result("sdn_disabled")
    assert "failed" not in said and "sync_mode_sdn" in warning
    said, (warning,) = result("devices_and_sdn_disabled")
    assert "failed" not in said and "skipped sdn" in warning


def test_an_outcome_that_is_not_known_fails() -> None:
    row = recorded("ok_devices_backups")
    del row["data"]["proxbox_sync"]["response"]
    module = Module()
    said = run_result(module, JOBS, task(Job.from_row(row)), UTC, timeout=60, partial="ignore")
    assert said["failed"] is True and "is unknown" in said["msg"]


@pytest.mark.parametrize(
    ("scenario", "job", "says"),
    [
        (
            "running",
            {},
            "is still running after 60 s. The task stops waiting, and the sync goes on. To wait longer, raise",
        ),
        ("pending", {}, "No worker has started it. Check with proxbox.proxbox.proxbox_worker_info that"),
        ("scheduled", {}, "It is due at "),
        (
            "workhorse_killed",
            {"dead": "its RQ task is failed"},
            "counts as dead: its RQ task is failed. Cancel it with",
        ),
    ],
)
def test_a_sync_that_has_not_ended_fails(scenario: str, job: dict[str, Any], says: str) -> None:
    said, _warnings = result(scenario, "ignore", job=job)
    assert said["failed"] is True and says in said["msg"]


def test_the_time_of_a_sync_that_is_not_due_is_in_the_time_zone_of_the_user() -> None:
    told = [result("scheduled", zone=zone)[0]["msg"] for zone in ("UTC", "Europe/Berlin")]
    assert ["Europe/Berlin (" in msg for msg in told] == [False, True]


def test_a_sync_that_nobody_has_waited_for_is_not_judged() -> None:
    said, warnings = result("backups_500_beside", waited=False)
    assert "failed" not in said and warnings == [] and said["job"]["outcome"] == "partial"


def test_the_log_and_the_data_are_returned_when_asked_for() -> None:
    said, _warnings = result("ok_all")
    assert not {"log_entries", "data"} & said["job"].keys()
    said, _warnings = result("ok_all", include_log=True, include_data=True)
    assert said["job"]["data"] == recorded("ok_all")["data"] and len(said["job"]["log_entries"]) > 20
