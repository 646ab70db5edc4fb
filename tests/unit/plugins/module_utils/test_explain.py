# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message about a run that did not do all that was requested. The rows are from real runs (tests/record)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._explain import excerpt, explain, in_one_line, remarks
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._outcome import Outcome, Stage
from ansible_collections.proxbox.proxbox.tests.unit.conftest import RECORDED, recorded

MESSAGES = {
    ("0.0.29.post6", "backend_502"): [
        "failed after N s: devices was not synced.",
        "The backend (proxbox-api) does not answer (bootstrap_status_http_502). Check that it is running. Check"
        " its address at URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.29.post6", "backend_down"): [
        "failed after N s: devices was not synced.",
        "The backend (proxbox-api) does not answer (backend_unreachable). Check that it is running. Check its "
        "address at URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.29.post6", "backend_wrong_token"): [
        "failed after N s: devices was not synced.",
        "The backend (proxbox-api) rejects the token that NetBox sends (candidate_rejected). Enter the token of"
        " the backend at URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.29.post6", "backups_500_alone"): [
        "failed after N s: vm-backups was not synced.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space left on device. See the log of the "
        "backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "backups_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s). "
        "See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "backups_500_on_west_of_two"): [
        "is incomplete: 1 of 4 stages failed.",
        "pve-west: vm-backups failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s). "
        "See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "cancelled_before"): [
        "was cancelled before it started.",
    ],
    ("0.0.29.post6", "cancelled_running"): [
        "was cancelled after N s, while it was running.",
    ],
    ("0.0.29.post6", "cluster_phase_500"): [
        "is incomplete: all its stages are ok, but Cluster/node sync failed.",
        "pve-lab: Cluster/node sync failed: HTTP error syncing cluster/nodes: 500 Server Error: Internal Server"
        " Error for url: BACKEND/proxmox/cluster/status?proxmox_endpoint_ids=1. See the log of the backend "
        "(proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "cut_backups"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 502: ChunkedEncodingError: Response ended "
        "prematurely; devices is ok (N s). See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "cut_devices"): [
        "failed after N s: devices was not synced.",
        "pve-lab: devices failed after 3 attempts: HTTP 502: ChunkedEncodingError: Response ended prematurely. "
        "See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "devices_500"): [
        "failed after N s: devices was not synced.",
        "pve-lab: devices failed after 3 attempts: HTTP 500: no space left on device. See the log of the "
        "backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "devices_500_beside_backups"): [
        "failed after N s: devices and vm-backups were not synced.",
        "pve-lab: devices failed after 3 attempts: HTTP 500: no space left on device; vm-backups did not run "
        "after that. See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "endpoint_disabled_alone"): [
        "failed after N s: devices was not synced.",
        "endpoint 3: all Proxmox endpoints of this sync were disabled or deleted before the run started. Enable "
        "one at URL/plugins/proxbox/endpoints/proxmox/, or remove proxmox_endpoints to sync from all enabled "
        "endpoints.",
    ],
    ("0.0.29.post6", "endpoint_disabled_one_of_two"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "endpoint 3: the endpoint was disabled or deleted before the run started, so nothing was synced from "
        "it. Enable it at URL/plugins/proxbox/endpoints/proxmox/3/, or remove it from proxmox_endpoints.",
    ],
    ("0.0.29.post6", "fastapi_disabled"): [
        "failed after N s: devices was not synced.",
        "NetBox has no enabled backend (FastAPI endpoint). Add or enable one at "
        "URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.29.post6", "firewall_phase_500"): [
        "is incomplete: all its stages are ok, but Firewall sync failed.",
        "pve-lab: Firewall sync failed: HTTP error fetching firewall summary: 500 Server Error: Internal Server"
        " Error for url: BACKEND/proxmox/firewall/summary?source=database&proxmox_endpoint_ids=1. See the log "
        "of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "hang_cluster_timeout_130"): [
        "failed after N s: devices and vm-backups were not synced.",
        "pve-lab: the sync reached NetBox's time limit, and NetBox ended it. Raise sync_job_timeout at "
        "URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and newer), or find out why the backend is slow.",
    ],
    ("0.0.29.post6", "hang_devices_timeout_150"): [
        "failed after N s: devices and vm-backups were not synced.",
        "pve-lab: devices failed: the sync reached NetBox's time limit, and NetBox ended it; vm-backups did not"
        " run after that. Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and "
        "newer), or find out why the backend is slow.",
    ],
    ("0.0.29.post6", "hang_timeout_130"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-backups failed: the sync reached NetBox's time limit, and NetBox ended it; devices is ok "
        "(N s). Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and newer), or "
        "find out why the backend is slow.",
    ],
    ("0.0.29.post6", "hang_timeout_150"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-backups failed: the sync reached NetBox's time limit, and NetBox ended it; devices is ok "
        "(N s). Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and newer), or "
        "find out why the backend is slow.",
    ],
    ("0.0.29.post6", "hang_timeout_20"): [
        "failed after N s: devices and vm-backups were not synced.",
        "pve-lab: the sync reached NetBox's time limit, and NetBox ended it. Raise sync_job_timeout at "
        "URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and newer), or find out why the backend is slow.",
    ],
    ("0.0.29.post6", "hang_timeout_60"): [
        "failed after N s: devices and vm-backups were not synced.",
        "pve-lab: the sync reached NetBox's time limit, and NetBox ended it. Raise sync_job_timeout at "
        "URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and newer), or find out why the backend is slow.",
    ],
    ("0.0.29.post6", "history_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: task-history failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s)."
        " See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "never_approved_alone"): [
        "failed after N s: devices was not synced.",
        "pve-west: the endpoint is not approved, so NetBox does not send its credentials to the backend. "
        "Approve it at URL/plugins/proxbox/endpoints/proxmox/3/.",
    ],
    ("0.0.29.post6", "sdn_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: sdn failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s). See the "
        "log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "sdn_disabled"): [
        "did nothing: the setting sync_mode_sdn disables all requested stages.",
        "The setting sync_mode_sdn, or a parent setting, is disabled. Enable it at "
        "URL/plugins/proxbox/settings/ or on the page of the endpoint, or remove sdn from sync_types.",
    ],
    ("0.0.29.post6", "snapshots_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-snapshots failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s)."
        " See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "storage_400"): [
        "failed after N s: storage was not synced.",
        "pve-lab: storage failed: HTTP 400: no space left on device. See the log of the backend (proxbox-api) "
        "on its host.",
    ],
    ("0.0.29.post6", "vms_500_on_west_of_two"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "pve-west: virtual-machines failed after 3 attempts: HTTP 500: no space left on device. See the log of "
        "the backend (proxbox-api) on its host.",
    ],
    ("0.0.29.post6", "west_down"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "pve-west: devices failed after 3 attempts: the backend cannot connect to Proxmox "
        "(proxmox_session_acquisition_failed). Check that Proxmox is up. Check the address and the token at "
        "URL/plugins/proxbox/endpoints/proxmox/3/.",
    ],
    ("0.0.29.post6", "west_never_approved"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "pve-west: the endpoint is not approved, so NetBox does not send its credentials to the backend. "
        "Approve it at URL/plugins/proxbox/endpoints/proxmox/3/.",
    ],
    ("0.0.25", "backend_502"): [
        "failed after N s: nothing was synced.",
        "The backend (proxbox-api) does not answer (bootstrap_status_http_502). Check that it is running. Check"
        " its address at URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.25", "backend_down"): [
        "failed after N s: nothing was synced.",
        "The backend (proxbox-api) does not answer (backend_unreachable). Check that it is running. Check its "
        "address at URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.25", "backend_wrong_token"): [
        "failed after N s: nothing was synced.",
        "The backend (proxbox-api) rejects the token that NetBox sends (candidate_rejected). Enter the token of"
        " the backend at URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.25", "backups_500_alone"): [
        "failed after N s: vm-backups was not synced.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space left on device. See the log of the "
        "backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "backups_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s). "
        "See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "backups_500_on_west_of_two"): [
        "is incomplete: 1 of 4 stages failed.",
        "pve-west: vm-backups failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s). "
        "See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "cancelled_before"): [
        "was cancelled before it started.",
    ],
    ("0.0.25", "cancelled_running"): [
        "was cancelled after N s, while it was running.",
    ],
    ("0.0.25", "cluster_phase_500"): [
        "is incomplete: all its stages are ok, but Cluster/node sync failed.",
        "pve-lab: Cluster/node sync failed: HTTP error syncing cluster/nodes: 500 Server Error: Internal Server"
        " Error for url: BACKEND/proxmox/cluster/status?proxmox_endpoint_ids=1. See the log of the backend "
        "(proxbox-api) on its host.",
    ],
    ("0.0.25", "cut_backups"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 502: ChunkedEncodingError: Response ended "
        "prematurely; devices is ok (N s). See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "cut_devices"): [
        "failed after N s: devices was not synced.",
        "endpoint 1: devices failed after 3 attempts: HTTP 502: ChunkedEncodingError: Response ended "
        "prematurely. See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "devices_500"): [
        "failed after N s: devices was not synced.",
        "endpoint 1: devices failed after 3 attempts: HTTP 500: no space left on device. See the log of the "
        "backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "devices_500_beside_backups"): [
        "failed after N s: devices and vm-backups were not synced.",
        "endpoint 1: devices failed after 3 attempts: HTTP 500: no space left on device; vm-backups did not run"
        " after that. See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "endpoint_disabled_alone"): [
        "failed after N s: devices was not synced.",
        "endpoint 3: all Proxmox endpoints of this sync were disabled or deleted before the run started. Enable "
        "one at URL/plugins/proxbox/endpoints/proxmox/, or remove proxmox_endpoints to sync from all enabled "
        "endpoints.",
    ],
    ("0.0.25", "endpoint_disabled_one_of_two"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "endpoint 3: the endpoint was disabled or deleted before the run started, so nothing was synced from "
        "it. Enable it at URL/plugins/proxbox/endpoints/proxmox/3/, or remove it from proxmox_endpoints.",
    ],
    ("0.0.25", "fastapi_disabled"): [
        "failed after N s: nothing was synced.",
        "NetBox has no enabled backend (FastAPI endpoint). Add or enable one at "
        "URL/plugins/proxbox/endpoints/fastapi/.",
    ],
    ("0.0.25", "hang_cluster_timeout_130"): [
        "is incomplete: all its stages are ok, but Cluster/node sync failed.",
        "pve-lab: Cluster/node sync failed: HTTP error syncing cluster/nodes: "
        "HTTPConnectionPool(host='127.0.0.1', port=25942): Read timed out. (read timeout=30). See the log of "
        "the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "hang_devices_timeout_150"): [
        "failed after N s: devices and vm-backups were not synced.",
        "The sync reached NetBox's time limit, and NetBox ended it. Raise sync_job_timeout at "
        "URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and newer), or find out why the backend is slow.",
    ],
    ("0.0.25", "hang_timeout_130"): [
        "is incomplete: 1 of 2 stages failed or did not run.",
        "endpoint 1: vm-backups did not finish: the sync reached NetBox's time limit, and NetBox ended it; "
        "devices is ok. Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and "
        "newer), or find out why the backend is slow.",
    ],
    ("0.0.25", "hang_timeout_150"): [
        "is incomplete: 1 of 2 stages failed or did not run.",
        "endpoint 1: vm-backups did not finish: the sync reached NetBox's time limit, and NetBox ended it; "
        "devices is ok. Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and "
        "newer), or find out why the backend is slow.",
    ],
    ("0.0.25", "hang_timeout_20"): [
        "is incomplete: 1 of 2 stages failed or did not run.",
        "endpoint 1: vm-backups did not finish: the sync reached NetBox's time limit, and NetBox ended it; "
        "devices is ok. Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and "
        "newer), or find out why the backend is slow.",
    ],
    ("0.0.25", "hang_timeout_60"): [
        "is incomplete: 1 of 2 stages failed or did not run.",
        "endpoint 1: vm-backups did not finish: the sync reached NetBox's time limit, and NetBox ended it; "
        "devices is ok. Raise sync_job_timeout at URL/plugins/proxbox/settings/ (netbox-proxbox 0.0.27 and "
        "newer), or find out why the backend is slow.",
    ],
    ("0.0.25", "history_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: task-history failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s)."
        " See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "sdn_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: sdn failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s). See the "
        "log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "sdn_disabled"): [
        "did nothing: the setting sync_mode_sdn disables all requested stages.",
        "The setting sync_mode_sdn, or a parent setting, is disabled. Enable it at "
        "URL/plugins/proxbox/settings/ or on the page of the endpoint, or remove sdn from sync_types.",
    ],
    ("0.0.25", "snapshots_500_beside"): [
        "is incomplete: 1 of 2 stages failed.",
        "pve-lab: vm-snapshots failed after 3 attempts: HTTP 500: no space left on device; devices is ok (N s)."
        " See the log of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "storage_400"): [
        "failed after N s: storage was not synced.",
        "endpoint 1: storage failed: HTTP 400: no space left on device. See the log of the backend "
        "(proxbox-api) on its host.",
    ],
    ("0.0.25", "vms_500_on_west_of_two"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "endpoint 3: virtual-machines failed after 3 attempts: HTTP 500: no space left on device. See the log "
        "of the backend (proxbox-api) on its host.",
    ],
    ("0.0.25", "west_down"): [
        "is incomplete: nothing was synced from 1 of 2 endpoints.",
        "endpoint 3: devices failed after 3 attempts: the backend cannot connect to Proxmox "
        "(proxmox_session_acquisition_failed). Check that Proxmox is up. Check the address and the token at "
        "URL/plugins/proxbox/endpoints/proxmox/3/.",
    ],
}
"""The lines of the message about each recorded run, without the name of the job and the address of the log."""


def job(scenario: str, release: str = "0.0.29.post6") -> Job:
    return Job.from_row(recorded(scenario, release))


def judged(found: Job, verdict: str, stages: list[Stage]) -> Job:
    """Return the job with this outcome in place of that of its row."""
    found = found._replace()
    vars(found)["outcome"] = Outcome(verdict, tuple(stages))
    return found


def plain(text: str) -> str:
    """Replace the parts of a message that differ from run to run."""
    text = re.sub(r"http://127\.0\.0\.1:\d+/(plugins|core)", r"URL/\1", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "BACKEND", text)
    text = re.sub(r"'record \d+' \(job \d+\)", "'x' (job 1)", text)
    text = re.sub(r"core/jobs/\d+/", "core/jobs/1/", text)
    text = re.sub(r"Job \d+:", "Job 1:", text)
    return re.sub(r"\b\d+ (s|min)\b", "N s", text)


@pytest.mark.parametrize(("release", "scenario"), MESSAGES)
def test_the_message_about_each_recorded_run(release: str, scenario: str) -> None:
    first, *rest, last = plain(explain(job(scenario, release))).split("\n")
    assert [first.removeprefix("The sync 'x' (job 1) "), *rest] == MESSAGES[release, scenario]
    assert last == "Log: URL/core/jobs/1/"


def test_each_recorded_run_that_did_not_succeed_has_an_expected_message() -> None:
    files = [(path.parent.name, path.stem) for path in RECORDED.glob("0.0.*/*.json")]
    ended = {key: job(key[1], key[0]).outcome.verdict for key in files}
    assert {key for key, verdict in ended.items() if verdict not in (None, "succeeded")} == set(MESSAGES)


@pytest.mark.parametrize(("release", "scenario"), MESSAGES)
def test_a_message_is_short_and_repeats_nothing(release: str, scenario: str) -> None:
    text = explain(job(scenario, release))
    lines = text.split("\n")
    assert len(lines) <= 10 and len(set(lines)) == len(lines)
    assert "Error(" not in text and "Traceback" not in text and "None" not in text
    sentences = re.split(r"(?<=[.:;]) ", text)
    assert len(sentences) == len(set(sentences))


def test_many_endpoints_with_the_same_cause_share_one_line() -> None:
    found = job("backups_500_beside")
    stages = [Stage("devices", number, f"pve{number}", "failed", error="HTTP 500: no") for number in range(30)]
    lines = explain(judged(found, "failed", stages)).split("\n")
    assert len(lines) == 3 and lines[1].startswith("pve0, pve1, pve2")
    stages = [replace(stage, error=f"HTTP 500: no {stage.endpoint_id}") for stage in stages]
    lines = explain(judged(found, "failed", stages)).split("\n")
    assert len(lines) == 9 and lines[-2] == "The stages of the job show 24 more problems."


def test_the_first_cause_in_one_line() -> None:
    said = "pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space left on device"
    assert in_one_line(job("backups_500_alone")) == said
    assert plain(in_one_line(job("cancelled_running"))) == (
        "The sync 'x' (job 1) was cancelled after N s, while it was running."
    )
    assert in_one_line(job("sdn_disabled")) == "the setting sync_mode_sdn, or a parent setting, is disabled"


def test_the_remarks_about_a_run() -> None:
    assert remarks(job("ok_all")) == [], "the sync did not request sdn by its name"
    assert remarks(job("sdn_disabled")) == [], "the outcome shows this already"
    (left_out,) = remarks(job("devices_and_sdn_disabled"))
    assert plain(left_out) == (
        "The sync 'x' (job 1) skipped sdn: the setting sync_mode_sdn, or a parent setting, is disabled. Enable it at "
        "URL/plugins/proxbox/settings/ or on the page of the endpoint, or remove sdn from sync_types."
    )
    (stored,) = remarks(job("not_approved_alone"))
    assert plain(stored) == (
        "Job 1: pve-west: the endpoint is not approved, so NetBox does not send its credentials to the backend. The "
        "backend used the connection that it had stored earlier. Approve it at "
        "URL/plugins/proxbox/endpoints/proxmox/3/."
    )


def test_errors_and_warnings_come_before_the_last_lines() -> None:
    lines = excerpt(job("west_never_approved"))
    assert len(lines) <= 8 and not any("Traceback" in line for line in lines)
    assert any(line.startswith("WARNING: Preflight: could not sync Proxmox endpoint 'pve-west'") for line in lines)
    assert {line.split(":")[0] for line in lines} == {"WARNING", "ERROR"}
    (error,) = excerpt(job("west_never_approved"), 1)
    assert error.startswith("ERROR: 1 Proxmox endpoint(s) were skipped")
    assert excerpt(job("devices_500")) == [
        "ERROR: No sync stage ran: every selected Proxmox endpoint was skipped — "
        + ("endpoint 1: Stage 'devices' failed (HTTP 500): no space left on device")
    ]
    assert len(excerpt(job("ok_all"))) == 8


def test_the_message_about_an_unknown_outcome() -> None:
    row = recorded("ok_devices_backups")
    del row["data"]["proxbox_sync"]["response"]
    assert plain(explain(Job.from_row(row))) == (
        "The outcome of the sync 'x' (job 1) is unknown: NetBox shows the job as completed, but its data does not list "
        "the stages.\n"
        "Log: URL/core/jobs/1/"
    )
