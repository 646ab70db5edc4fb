# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a run. The rows are from real runs (tests/record)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._outcome import Outcome, judge
from ansible_collections.proxbox.proxbox.plugins.module_utils._plugin import STAGES
from ansible_collections.proxbox.proxbox.tests.unit.conftest import RECORDED, recorded

EXPECTED = {
    "0.0.29.post6": {
        "backend_502": ("failed", "devices@?=missing"),
        "backend_down": ("failed", "devices@?=missing"),
        "backend_wrong_token": ("failed", "devices@?=missing"),
        "backups_500_alone": ("failed", "vm-backups@pve-lab=failed"),
        "backups_500_beside": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=failed"),
        "backups_500_on_west_of_two": (
            "partial",
            "devices@pve-lab=ok vm-backups@pve-lab=ok devices@pve-west=ok vm-backups@pve-west=failed",
        ),
        "cancelled_before": ("cancelled", ""),
        "cancelled_running": ("cancelled", "devices@pve-lab=missing vm-backups@pve-lab=missing"),
        "cluster_phase_500": ("partial", "devices@pve-lab=ok"),
        "cut_backups": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=failed"),
        "cut_devices": ("failed", "devices@pve-lab=failed"),
        "devices_500": ("failed", "devices@pve-lab=failed"),
        "devices_500_beside_backups": ("failed", "devices@pve-lab=failed vm-backups@pve-lab=missing"),
        "devices_and_sdn_disabled": ("succeeded", "devices@pve-lab=ok sdn@pve-lab=skipped"),
        "endpoint_disabled_alone": ("failed", "devices@3=missing"),
        "endpoint_disabled_one_of_two": ("partial", "devices@pve-lab=ok devices@3=skipped"),
        "fastapi_disabled": ("failed", "devices@?=missing"),
        "firewall_phase_500": ("partial", "devices@pve-lab=ok"),
        "hang_cluster_timeout_130": ("failed", "devices@pve-lab=missing vm-backups@pve-lab=missing"),
        "hang_devices_timeout_150": ("failed", "devices@pve-lab=failed vm-backups@pve-lab=missing"),
        "hang_timeout_130": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=failed"),
        "hang_timeout_150": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=failed"),
        "hang_timeout_20": ("failed", "devices@pve-lab=missing vm-backups@pve-lab=missing"),
        "hang_timeout_60": ("failed", "devices@pve-lab=missing vm-backups@pve-lab=missing"),
        "history_500_beside": ("partial", "devices@pve-lab=ok task-history@pve-lab=failed"),
        "never_approved_alone": ("failed", "devices@pve-west=missing"),
        "not_approved_alone": ("succeeded", "devices@pve-west=ok"),
        "ok_all": ("succeeded", "13"),
        "ok_devices_backups": ("succeeded", "devices@pve-lab=ok vm-backups@pve-lab=ok"),
        "ok_two": ("succeeded", "devices@pve-lab=ok vm-backups@pve-lab=ok devices@pve-west=ok vm-backups@pve-west=ok"),
        "run_now_ended": ("succeeded", "devices@pve-lab=ok"),
        "sdn_500_beside": ("partial", "devices@pve-lab=ok sdn@pve-lab=failed"),
        "sdn_disabled": ("nothing_done", "sdn@pve-lab=skipped"),
        "snapshots_500_beside": ("partial", "devices@pve-lab=ok vm-snapshots@pve-lab=failed"),
        "storage_400": ("failed", "storage@pve-lab=failed"),
        "vms_500_on_west_of_two": ("partial", "virtual-machines@pve-lab=ok virtual-machines@pve-west=failed"),
        "west_down": ("partial", "devices@pve-lab=ok devices@pve-west=failed"),
        "west_never_approved": ("partial", "devices@pve-lab=ok devices@pve-west=missing"),
        "west_not_approved": ("succeeded", "devices@pve-lab=ok devices@pve-west=ok"),
        "worker_killed": (None, ""),
        "workhorse_killed": (None, ""),
    },
    "0.0.25": {
        "backend_502": ("failed", ""),
        "backend_down": ("failed", ""),
        "backend_wrong_token": ("failed", ""),
        "backups_500_alone": ("failed", "vm-backups@pve-lab=failed"),
        "backups_500_beside": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=failed"),
        "backups_500_on_west_of_two": (
            "partial",
            "devices@pve-lab=ok vm-backups@pve-lab=ok devices@pve-west=ok vm-backups@pve-west=failed",
        ),
        "cancelled_before": ("cancelled", ""),
        "cancelled_running": ("cancelled", "devices@1=missing vm-backups@1=missing"),
        "cluster_phase_500": ("partial", "devices@pve-lab=ok"),
        "cut_backups": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=failed"),
        "cut_devices": ("failed", "devices@1=failed"),
        "devices_500": ("failed", "devices@1=failed"),
        "devices_500_beside_backups": ("failed", "devices@1=failed vm-backups@1=missing"),
        "devices_and_sdn_disabled": ("succeeded", "devices@pve-lab=ok sdn@pve-lab=skipped"),
        "endpoint_disabled_alone": ("failed", "devices@3=missing"),
        "endpoint_disabled_one_of_two": ("partial", "devices@pve-lab=ok devices@3=skipped"),
        "fastapi_disabled": ("failed", ""),
        "firewall_phase_500": ("succeeded", "devices@pve-lab=ok"),
        "hang_cluster_timeout_130": ("partial", "devices@pve-lab=ok vm-backups@pve-lab=ok"),
        "hang_devices_timeout_150": ("failed", "devices@1=missing vm-backups@1=missing"),
        "hang_timeout_130": ("partial", "devices@1=ok vm-backups@1=missing"),
        "hang_timeout_150": ("partial", "devices@1=ok vm-backups@1=missing"),
        "hang_timeout_20": ("partial", "devices@1=ok vm-backups@1=missing"),
        "hang_timeout_60": ("partial", "devices@1=ok vm-backups@1=missing"),
        "history_500_beside": ("partial", "devices@pve-lab=ok task-history@pve-lab=failed"),
        "ok_all": ("succeeded", "13"),
        "ok_devices_backups": ("succeeded", "devices@pve-lab=ok vm-backups@pve-lab=ok"),
        "ok_two": ("succeeded", "devices@pve-lab=ok vm-backups@pve-lab=ok devices@pve-west=ok vm-backups@pve-west=ok"),
        "run_now_ended": ("succeeded", "devices@pve-lab=ok"),
        "sdn_500_beside": ("partial", "devices@pve-lab=ok sdn@pve-lab=failed"),
        "sdn_disabled": ("nothing_done", "sdn@pve-lab=skipped"),
        "snapshots_500_beside": ("partial", "devices@pve-lab=ok vm-snapshots@pve-lab=failed"),
        "storage_400": ("failed", "storage@1=failed"),
        "vms_500_on_west_of_two": ("partial", "virtual-machines@1=ok virtual-machines@3=failed"),
        "west_down": ("partial", "devices@1=ok devices@3=failed"),
        "worker_killed": (None, ""),
        "workhorse_killed": (None, ""),
    },
}
"""The outcome of each recorded run, and its stages as ``type@endpoint=status``, or their number if there are many."""

ONLY_THE_LOG_TELLS = {
    ("0.0.25", scenario)
    for scenario in (
        "hang_timeout_130",
        "hang_timeout_150",
        "hang_timeout_20",
        "hang_timeout_60",
        "vms_500_on_west_of_two",
        "west_down",
    )
}
"""Runs whose data does not list the stages that succeeded. Without the log, they count as failed."""

CASES = [(release, scenario) for release, scenarios in EXPECTED.items() for scenario in scenarios]


def brief(outcome: Outcome) -> str:
    """Return the stages of an outcome as they are written in ``EXPECTED``."""
    if len(outcome.stages) > 6:
        return str(len(outcome.stages))
    return " ".join(
        f"{stage.sync_type}@{stage.endpoint or stage.endpoint_id or '?'}={stage.status}" for stage in outcome.stages
    )


def test_each_recorded_run_has_an_expected_outcome() -> None:
    active = {"scheduled", "pending", "starting", "running", "run_now_pending"}
    files = {(path.parent.name, path.stem) for path in RECORDED.glob("0.0.*/*.json") if path.stem not in active}
    assert files == set(CASES)


@pytest.mark.parametrize(("release", "scenario"), CASES)
def test_the_outcome_of_each_recorded_run(release: str, scenario: str) -> None:
    verdict, stages = EXPECTED[release][scenario]
    row = recorded(scenario, release)
    outcome = judge(row)
    assert (outcome.verdict, brief(outcome)) == (verdict, stages)
    without_log = judge({**row, "log_entries": None})
    if (release, scenario) in ONLY_THE_LOG_TELLS:
        assert without_log.verdict == "failed"
    else:
        assert without_log.verdict == verdict, "without the log, the outcome is the same"


@pytest.mark.parametrize("scenario", ["backups_500_alone", "backups_500_beside", "sdn_500_beside"])
def test_an_optional_stage_that_failed_is_missing_without_the_log(scenario: str) -> None:
    row = recorded(scenario)
    told, untold = judge(row).stages[-1], judge({**row, "log_entries": None}).stages[-1]
    assert (told.status, told.error, told.attempts) == ("failed", "HTTP 500: no space left on device", 3)
    assert (untold.status, untold.error, untold.reason) == ("missing", None, None)


def test_a_failed_stage_has_its_own_type_and_endpoint() -> None:
    first, second = judge(recorded("vms_500_on_west_of_two")).stages
    assert (first.endpoint_id, first.endpoint, first.status) == (1, "pve-lab", "ok") and first.run_time > 0
    assert (second.sync_type, second.endpoint_id, second.endpoint) == ("virtual-machines", 3, "pve-west")
    assert (second.status, second.error) == ("failed", "HTTP 500: no space left on device")


def test_why_a_stage_did_not_run() -> None:
    def reason(scenario: str) -> str | None:
        return judge(recorded(scenario)).stages[-1].reason

    assert reason("devices_500_beside_backups") == "it did not run because devices failed"
    assert reason("sdn_disabled") == "sync_mode_sdn=disabled"
    assert reason("endpoint_disabled_one_of_two") == "the endpoint was disabled or deleted when the run started"
    assert reason("never_approved_alone").startswith("Proxmox endpoint 3 could not be resolved")


def test_the_phases_of_a_run() -> None:
    phases = judge(recorded("cluster_phase_500")).phases
    assert [phase.kind for phase in phases] == ["preflight", "cluster", "firewall", "datacenter", "vm_template"]
    assert {(phase.endpoint_id, phase.endpoint) for phase in phases} == {(1, "pve-lab")}
    assert [phase.kind for phase in phases if phase.failed] == ["cluster"]
    assert "500 Server Error" in phases[1].summary and phases[2].summary == "Firewall sync completed"


def test_a_run_that_has_not_ended_has_phases() -> None:
    outcome = judge(recorded("running"))
    assert [phase.kind for phase in outcome.phases] == ["preflight", "cluster", "firewall", "datacenter", "vm_template"]
    assert outcome == Outcome(phases=outcome.phases)
    assert judge(recorded("scheduled")) == Outcome()


def test_the_names_of_the_endpoints() -> None:
    assert judge(recorded("ok_two")).endpoint_names == {1: "pve-lab", 3: "pve-west"}
    assert judge(recorded("endpoint_disabled_one_of_two")).endpoint_names == {1: "pve-lab"}
    assert judge(recorded("backend_down")).endpoint_names == {}


def test_the_stages_that_a_setting_disables() -> None:
    assert [stage.sync_type for stage in judge(recorded("devices_and_sdn_disabled")).disabled] == ["sdn"]
    for scenario in ("ok_devices_backups", "endpoint_disabled_one_of_two", "devices_500_beside_backups"):
        assert judge(recorded(scenario)).disabled == []


def test_the_result_has_the_outcome_the_stages_and_the_phases() -> None:
    result = judge(recorded("sdn_disabled")).result()
    assert (result["outcome"], len(result["phases"])) == ("nothing_done", 5)
    assert result["stages"] == [
        {
            "sync_type": "sdn",
            "endpoint_id": 1,
            "endpoint": "pve-lab",
            "status": "skipped",
            "reason": "sync_mode_sdn=disabled",
            "error": None,
            "run_time": None,
            "attempts": None,
        }
    ]
    assert result["phases"][3] == {
        "kind": "datacenter",
        "label": "Datacenter sync",
        "endpoint_id": 1,
        "endpoint": "pve-lab",
        "status": "success",
        "summary": "Datacenter sync completed",
        "run_time": None,
    }


def test_a_preflight_that_failed_does_not_fail_the_run() -> None:
    outcome = judge(recorded("not_approved_alone"))
    assert outcome.phases[0].status == "warning" and not outcome.phases[0].failed
    assert outcome.verdict == "succeeded"


@pytest.mark.parametrize(("release", "scenario"), [("0.0.29.post6", "ok_all"), ("0.0.25", "ok_all")])
def test_a_sync_of_all_types_has_every_stage(release: str, scenario: str) -> None:
    outcome = judge(recorded(scenario, release))
    assert [stage.sync_type for stage in outcome.stages] == list(STAGES)
    assert {stage.sync_type for stage in outcome.stages if stage.status == "skipped"} == {"sdn"}


def without_stage(row: dict[str, Any], sync_type: str) -> dict[str, Any]:
    """Return the row without the entry of this stage."""
    row = copy.deepcopy(row)
    response = row["data"]["proxbox_sync"]["response"]
    response["stages"] = [stage for stage in response["stages"] if stage["sync_type"] != sync_type]
    return row


def test_a_stage_that_the_release_does_not_have_is_not_missing() -> None:
    old = without_stage(recorded("ok_all"), "sdn")
    older_stages = [stage for stage in STAGES if stage != "sdn"]
    assert judge({**old, "log_entries": None}, older_stages).verdict == "succeeded"
    assert judge({**old, "log_entries": None}).verdict == "partial"
    log = [{**entry, "message": entry["message"].replace(", sdn", "")} for entry in old["log_entries"][:2]]
    assert log[1]["message"] == f"Starting Proxbox sync stages: {', '.join(older_stages)}"
    assert judge({**old, "log_entries": log}).verdict == "succeeded", "the log lists the stages of this release"


@pytest.mark.parametrize(
    "damage",
    [
        lambda block: block.pop("response"),
        lambda block: block.update(response="done"),
        lambda block: block.update(response={"stages": "done"}),
        lambda block: block.update(response={"stages": ["done"]}),
        lambda block: block.update(response={"batch": {"outcome": "fine"}}),
        lambda block: block.pop("params"),
        lambda block: [stage.pop("result_summary") for stage in block["response"]["stages"]],
        lambda block: [stage["result_summary"].update(ok=None) for stage in block["response"]["stages"]],
        lambda block: [stage["result_summary"].update(ok="yes") for stage in block["response"]["stages"]],
    ],
)
def test_data_of_an_unknown_shape_is_not_a_success(damage: Any) -> None:
    row = recorded("ok_devices_backups")
    damage(row["data"]["proxbox_sync"])
    assert judge({**row, "log_entries": None}).verdict == "unknown"


@pytest.mark.parametrize("data", [None, [], "done", {}, {"proxbox_sync": None}, {"proxbox_sync": []}])
def test_the_outcome_of_a_completed_job_without_data_is_unknown(data: Any) -> None:
    outcome = judge({**recorded("ok_devices_backups"), "data": data, "log_entries": None})
    assert (outcome.verdict, outcome.stages, outcome.phases) == ("unknown", (), ())


def test_the_outcome_of_a_completed_job_without_a_start_is_unknown() -> None:
    assert judge({**recorded("ok_devices_backups"), "started": None}).verdict == "unknown"


def test_a_job_with_an_unknown_status_has_no_outcome() -> None:
    assert judge({**recorded("ok_all"), "status": {"value": "suspended"}}).verdict is None


def test_a_job_with_an_unknown_error_is_not_cancelled() -> None:
    row = recorded("cancelled_running")
    assert judge(row).verdict == "cancelled"
    assert judge({**row, "error": "Stopped by an operator."}).verdict != "cancelled"
