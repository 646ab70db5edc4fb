# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules say of themselves is what they do."""

from __future__ import annotations

import importlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Kind, NewJob, Scope, follows, iso
from ansible_collections.proxbox.proxbox.plugins.module_utils._release import Release
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    FOREIGN,
    NIGHTLY,
    NO_SCOPE,
    RELEASES,
    make_job,
    recorded,
)

PLUGINS = "ansible_collections.proxbox.proxbox.plugins"
MODULES = sorted(path.stem for path in (Path(__file__).parents[4] / "plugins" / "modules").glob("proxbox_*.py"))


def documented(module: str, key: str) -> dict:
    found = importlib.import_module(f"{PLUGINS}.modules.{module}")
    return yaml.safe_load(found.RETURN)[key]["contains"]


@pytest.mark.parametrize(
    ("module", "key"), [("proxbox_sync_schedule", "job"), ("proxbox_job", "job"), ("proxbox_job_info", "jobs")]
)
def test_the_shape_of_a_job_is_the_documented_one(module: str, key: str) -> None:
    contains = documented(module, key)
    more = module != "proxbox_sync_schedule"
    result = Job.from_row(recorded("backups_500_beside")).result(include_log=more, include_data=more)
    assert list(contains) == list(result)
    for part in ("stages", "phases", *(["log_entries"] if more else [])):
        assert contains[part]["contains"].keys() == result[part][0].keys()


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_use_options_that_exist(module: str) -> None:
    found = importlib.import_module(f"{PLUGINS}.modules.{module}")
    documentation = yaml.safe_load(found.DOCUMENTATION)
    options = {*documentation["options"]}
    for name in documentation.get("extends_documentation_fragment", []):
        file, _dot, fragment = name.removeprefix("proxbox.proxbox.").partition(".")
        fragments = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        options |= {*yaml.safe_load(getattr(fragments, fragment.upper() or "DOCUMENTATION"))["options"]}
    used = [task.get(f"proxbox.proxbox.{module}") for task in yaml.safe_load(found.EXAMPLES)]
    assert any(used)
    for task in filter(None, used):
        assert {*task} <= options


def test_the_sync_types_are_the_documented_ones() -> None:
    fragment = importlib.import_module("ansible_collections.proxbox.proxbox.plugins.doc_fragments.connection")
    text = fragment.ModuleDocFragment.SCOPE
    assert [kind for kind in Release("0.0.29").sync_types if f"V({kind})" not in text] == []


def test_a_job_as_the_api_gives_it(row) -> None:
    job = Job.from_row(row(3, status="running", proxmox_endpoint_ids=["12", "3"], sync_types=["devices", "all"]))
    assert job.scope == Scope(frozenset({"all", "devices"}), frozenset({3, 12}))
    assert job.result()["proxmox_endpoints"] == [3, 12]
    assert job.result()["created"] == "2026-03-31T12:00:00Z"
    assert Job.from_row(row(3, netbox_vm_ids=["7"])).scope == Scope(objects=frozenset({7}))
    assert Job.from_row(row(3, data=NO_SCOPE)).scope is None, "0.0.25, in mid-run"


def test_what_the_modules_return() -> None:
    row = recorded("ok_devices_backups")
    job = Job.from_row(row)
    result = job.result()
    assert {key: result.pop(key) for key in ("stages", "phases")} == {
        key: job.outcome.result()[key] for key in ("stages", "phases")
    }
    assert result == {
        "id": 101,
        "name": "record 1795571910281",
        "status": "completed",
        "sync_types": ["devices", "vm-backups"],
        "proxmox_endpoints": [],
        "netbox_endpoints": [],
        "scheduled": None,
        "interval": None,
        "created": "2026-11-25T01:58:30Z",
        "started": "2026-11-25T01:58:30Z",
        "completed": "2026-11-25T01:58:37Z",
        "duration": 6.864,
        "error": "",
        "cancelled": False,
        "outcome": "succeeded",
        "run_id": "8a6f8532-4197-499a-9653-2fb450cbdb7a",
        "branch": None,
        "queue": "default",
        "rq_job_id": "f4104926-cad1-4607-acb2-aa3c13d1c87b",
        "user": "admin",
        "url": "http://127.0.0.1:20760/core/jobs/101/",
    }
    more = job.result(include_log=True, include_data=True)
    assert more["log_entries"] == row["log_entries"] and more["data"] == row["data"]


def test_what_a_job_does_not_tell() -> None:
    without = make_job(3, "running", data=NO_SCOPE, user=None, completed=None)
    assert without.log_entries is None and without.duration is None
    result = without.result()
    assert [result[key] for key in ("sync_types", "proxmox_endpoints", "netbox_endpoints")] == [[], [], []]
    assert (result["user"], result["run_id"], result["completed"]) == (None, None, None)
    assert make_job(3, netbox_endpoint_ids=[2]).result()["netbox_endpoints"] == [2]


def test_a_job_has_stages_and_phases_when_it_has_started() -> None:
    running = make_job(3, "running").result()
    assert running["outcome"] is None and len(running["phases"]) == 5
    for status in ("scheduled", "pending"):
        waiting = make_job(3, status).result()
        assert (waiting["outcome"], waiting["stages"], waiting["phases"]) == (None, [], [])
    cancelled = make_job(3, like="cancelled_before", **NIGHTLY).result()
    assert (cancelled["outcome"], cancelled["cancelled"]) == ("cancelled", True)
    assert (cancelled["error"], cancelled["scheduled"]) == ("Cancelled via API.", "2026-04-11T02:00:00Z")


def test_which_job_has_succeeded() -> None:
    assert make_job(3, "completed").succeeded
    for status in ("scheduled", "running", "errored", "failed"):
        assert not make_job(3, status).succeeded


def test_the_stages_of_an_older_release() -> None:
    assert Job.from_row(recorded("ok_all"), ("devices",)).stages_of_all == ("devices",)


def test_when_a_job_is_due() -> None:
    assert make_job(3, **NIGHTLY).due == datetime(2026, 4, 11, 2, 0, tzinfo=UTC)
    assert make_job(3).due == make_job(3).created


def test_times_are_in_utc_on_a_host_in_another_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        assert iso(datetime(2026, 4, 11, 2, 0, tzinfo=UTC)) == "2026-04-11T02:00:00Z"
    time.tzset()


def test_which_job_carries_on_a_schedule() -> None:
    earlier = make_job(3, **NIGHTLY)
    assert follows(make_job(4, **NIGHTLY), earlier)
    assert follows(make_job(4, "running", data=NO_SCOPE, **NIGHTLY), earlier)
    assert follows(make_job(4, **NIGHTLY), make_job(3, "running", data=NO_SCOPE, **NIGHTLY))
    assert not follows(earlier, earlier) and not follows(make_job(2, **NIGHTLY), earlier)
    for changes in ({"name": "other"}, {"interval": 60}, {"sync_types": ["devices"]}):
        assert not follows(make_job(4, **{**NIGHTLY, **changes}), earlier)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.SYNC),
        ({"data": None}, Kind.NOT_KNOWN),
        ({"data": None, "status": "running"}, Kind.NOT_KNOWN),
        ({"data": None, "status": "completed"}, Kind.NOT_KNOWN),
        ({"data": None, "name": "Proxbox Sync"}, Kind.SYNC),
        ({"data": {}}, Kind.FOREIGN),
        (FOREIGN, Kind.FOREIGN),
        ({"data": None, "object_type": "extras.script"}, Kind.FOREIGN),
        ({"name": "Proxbox Sync", **FOREIGN}, Kind.FOREIGN),
    ],
)
def test_what_is_a_proxbox_sync(row, changes: dict, kind: Kind) -> None:
    assert Job.from_row(row(3, **changes)).kind is kind


@pytest.mark.parametrize(
    ("name", "kind"), [("script", Kind.FOREIGN), ("bulk_create", Kind.FOREIGN), ("system_job", Kind.NOT_KNOWN)]
)
@pytest.mark.parametrize("release", RELEASES)
def test_jobs_of_netbox_are_no_syncs(release: str, name: str, kind: Kind) -> None:
    assert Job.from_row(recorded(f"netbox/{name}", release)).kind is kind


def test_a_copy_made_by_run_now() -> None:
    for release in RELEASES:
        assert Job.from_row(recorded("run_now_pending", release)).run_now_copy
    copy = make_job(3, like="run_now_pending")
    assert copy.run_now_copy and copy.at_once and copy.kind is Kind.SYNC
    at_once = make_job(3, "pending")
    assert at_once.at_once and not at_once.run_now_copy
    assert not make_job(3, **NIGHTLY).at_once and not make_job(3, interval=60).at_once
    assert not make_job(3, **NIGHTLY, queue_name="high").run_now_copy


def test_which_job_a_new_one_became() -> None:
    new = NewJob("nightly", Scope(), datetime(2026, 4, 11, 2, 0, tzinfo=UTC), 1440)
    running = make_job(3, "running", data=NO_SCOPE, **NIGHTLY)
    for job in (make_job(3, **NIGHTLY), running, make_job(3, data=None, **NIGHTLY)):
        assert new.became(job)
    assert new.became(make_job(3, **{**NIGHTLY, "scheduled": "2026-04-11T02:00:00.900000Z"}))
    for changes in (
        {"name": "x"},
        {"interval": 60},
        {"scheduled": "2026-04-10T10:00:00Z"},
        {"scheduled": None},
        {"netbox_vm_ids": [1]},
        FOREIGN,
    ):
        assert not new.became(make_job(3, **{**NIGHTLY, **changes}))
    assert NewJob("nightly", Scope()).became(make_job(3)), "NetBox gives it a time"


def test_the_prediction_has_the_shape_of_a_job() -> None:
    at = datetime(2026, 4, 11, 2, 0, tzinfo=UTC)
    new = NewJob("nightly", Scope(proxmox_endpoints=frozenset({3, 1})), at, 1440).result()
    assert list(new) == list(make_job(3, **NIGHTLY).result())
    assert new == {
        **dict.fromkeys(new),
        "name": "nightly",
        "status": "scheduled",
        "sync_types": ["all"],
        "proxmox_endpoints": [1, 3],
        "netbox_endpoints": [],
        "scheduled": "2026-04-11T02:00:00Z",
        "interval": 1440,
        "error": "",
        "cancelled": False,
        "stages": [],
        "phases": [],
        "queue": "",
        "rq_job_id": "",
        "url": "",
    }
    assert NewJob("nightly", Scope()).result()["status"] == "pending"
    assert NewJob("nightly", Scope(), None, 60).result()["status"] == "scheduled"
