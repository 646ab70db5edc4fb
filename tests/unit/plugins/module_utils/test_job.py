# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules say of themselves is what they do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._plugin import SYNC_TYPES
from ansible_collections.proxbox.proxbox.tests.unit.conftest import recorded

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
    result = Job.from_api(recorded("backups_500_beside")).result(include_log=more, include_data=more)
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
    assert [kind for kind in SYNC_TYPES if f"V({kind})" not in text] == []


def test_a_job_as_the_api_gives_it(row) -> None:
    job = Job.from_api(row(3, status="running", proxmox_endpoint_ids=["12", "3"], sync_types=["devices", "all"]))
    assert job.scope == Scope(frozenset({"all", "devices"}), frozenset({3, 12}))
    assert job.result()["proxmox_endpoints"] == [3, 12]
    assert job.result()["created"] == "2026-03-31T12:00:00Z"
    assert Job.from_api(row(3, netbox_vm_ids=["7"])).scope == Scope(objects=frozenset({7}))
    assert Job.from_api(row(3, data={"proxbox_sync": {"sync_owner": "rq_job"}})).scope is None, "0.0.25, in mid-run"


@pytest.mark.parametrize(
    ("changes", "is_sync"),
    [
        ({}, True),
        ({"data": None}, None),
        ({"data": None, "status": "completed"}, False),
        ({"data": None, "name": "Proxbox Sync"}, True),
        ({"data": {"output": "x"}}, False),
        ({"data": None, "object_type": "extras.script"}, False),
        ({"name": "Proxbox Sync", "data": {"log": []}, "object_type": "extras.script"}, False),
    ],
)
def test_what_is_a_proxbox_sync(row, changes: dict, is_sync: bool | None) -> None:
    assert Job.from_api(row(3, **changes)).is_sync is is_sync
