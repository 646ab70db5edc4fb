# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules say of themselves is what they do."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Kind, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._release import Release
from ansible_collections.proxbox.proxbox.tests.unit.conftest import FOREIGN, NIGHTLY, NO_SCOPE, make_job, recorded

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
    assert Job.from_row(row(3, data={"proxbox_sync": {"sync_owner": "rq_job"}})).scope is None, "0.0.25, in mid-run"


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
    ("name", "kind"), [("script", Kind.FOREIGN), ("bulk_edit", Kind.FOREIGN), ("system_job", Kind.NOT_KNOWN)]
)
def test_jobs_of_netbox_are_no_syncs(name: str, kind: Kind) -> None:
    assert Job.from_row(recorded(name, "netbox-4.7.3")).kind is kind


def test_a_copy_made_by_run_now() -> None:
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
    assert new["id"] is None and new["status"] == "scheduled" and new["scheduled"] == "2026-04-11T02:00:00Z"
    assert new["proxmox_endpoints"] == [1, 3] and new["interval"] == 1440
    assert NewJob("nightly", Scope()).result()["status"] == "pending"
    assert NewJob("nightly", Scope(), None, 60).result()["status"] == "scheduled"
