# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sync that is run or cancelled: what the options mean, and what is returned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_job
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    CANCELS,
    CREATE,
    MAY_CANCEL,
    NIGHTLY,
    RELEASED,
    TASK,
    UNDER_WAY,
    Script,
    cancelled,
    created,
    get,
    page,
    recorded,
    recorded_answer,
    status,
    task,
)
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import validator, work

Row = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def run(jobs: Jobs, *, check_mode: bool = False, **options: Any) -> tuple[dict[str, Any], list[str]]:
    return work(proxbox_job, jobs, options, check_mode=check_mode)


@pytest.mark.parametrize("name", [None, "", "  "])
def test_a_run_has_a_default_name(server: Script, jobs: Jobs, name: str | None) -> None:
    server.answer(page(), RELEASED)
    result, _warnings = run(jobs, check_mode=True, name=name)
    assert result["changed"] and result["job"]["name"] == "Ansible sync" and result["job"]["sync_types"] == ["all"]


def test_netbox_endpoints_cause_a_warning(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(7, name="x", status="completed", netbox_endpoint_ids=[2], completed="2026-04-10T09:59:00Z")))
    result, (warning,) = run(jobs, max_age=60, netbox_endpoints=["2"])
    assert not result["changed"] and warning.startswith("netbox_endpoints has no effect on a sync: ")


def test_the_task_succeeds_if_its_run_succeeds(server: Script, jobs: Jobs, row: Row) -> None:
    ended = row(7, name="x", status="completed")
    server.answer(page(), created(7), page(row(7, name="x", status="pending")), status(7, "completed"), page(ended))
    result, warnings = run(jobs, name=" x ")
    assert result["changed"] and not result.get("failed") and warnings == []
    assert result["job"]["outcome"] == "succeeded" and result["cancelled"] == []
    assert server.bodies[1] == {"job_name": "x", "sync_types": ["all"]}


def test_the_task_fails_if_its_run_fails(server: Script, jobs: Jobs, row: Row) -> None:
    ended = row(7, name="x", like="devices_500", log_entries=recorded("devices_500")["log_entries"])
    server.answer(page(), created(7), page(row(7, name="x", status="pending", sync_types=["devices"])))
    server.answer(status(7, "errored"), page(ended))
    result, _warnings = run(jobs, name="x", sync_types=["devices"])
    assert result["failed"] and result["changed"] and "HTTP 500: no space left on device" in result["msg"]


def test_a_run_that_is_not_waited_for_is_not_judged(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, name="x", status="pending")))
    result, _warnings = run(jobs, name="x", wait=False)
    assert result["job"]["status"] == "pending" and "failed" not in result


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"wait_timeout": 0}, "wait_timeout 0 is not a time to wait"),
        ({"poll_interval": "nan"}, "poll_interval nan is not a time to wait"),
        ({"max_age": -1}, "max_age -1 is not an age"),
        ({"stale_after": "soon"}, "stale_after 'soon' is not an interval"),
        ({"name": "a\tb"}, "control character"),
        ({"sync_types": []}, "sync_types is empty"),
        ({"state": "cancelled", "name": "null"}, "name 'null' cannot be the name of a job"),
    ],
)
def test_a_wrong_option_sends_no_request(server: Script, jobs: Jobs, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        run(jobs, **options)
    assert server.asked == []


def test_which_options_can_be_combined() -> None:
    judge = validator(proxbox_job)
    assert judge.validate({"job_id": 5, "name": "x"}).error_messages
    assert judge.validate({"state": "cancelled"}).error_messages
    assert judge.validate({"state": "cancelled", "schedule": "nightly"}).error_messages
    assert not judge.validate({"schedule": "nightly", "max_age": 60, "if_running": "join"}).error_messages
    for other in ("name", "job_id", "sync_types", "proxmox_endpoints", "netbox_endpoints"):
        (message,) = judge.validate({"schedule": "nightly", other: "5"}).error_messages
        assert message == f"parameters are mutually exclusive: schedule|{other}"
    assert not judge.validate({"state": "cancelled", "name": "x"}).error_messages


def test_running_a_schedule_now_costs_one_more_get(server: Script, jobs: Jobs, row: Row) -> None:
    member = row(5, **NIGHTLY, sync_types=["devices"], proxmox_endpoint_ids=["1"])
    new = row(7, name="nightly (run now)", status="pending", sync_types=["devices"], proxmox_endpoint_ids=["1"])
    server.answer(page(member), page(), recorded_answer("proxmox_endpoints"), created(7), page(new))
    result, warnings = run(jobs, schedule=" nightly ", name="", sync_types="", wait=False)
    assert result["changed"] and result["job"]["id"] == 7 and result["cancelled"] == [] and warnings == []
    with_name = [UNDER_WAY, "GET /api/plugins/proxbox/endpoints/proxmox/?fields=...", CREATE, UNDER_WAY]
    assert server.asked == [ACTIVE, *with_name]
    assert server.bodies[3] == {
        "job_name": "nightly (run now)", "sync_types": ["devices"], "proxmox_endpoint_ids": [1],
    }  # fmt: skip


def test_a_run_of_the_schedule_that_is_under_way_is_joined(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", **NIGHTLY)
    server.answer(page(running), page(running), task("started", heartbeat="2026-04-10T09:59:30.000000Z"))
    server.answer(status(5, "completed"), page(row(5, status="completed", **NIGHTLY)))
    result, _warnings = run(jobs, schedule="nightly", if_running="join")
    assert not result["changed"] and result["job"]["id"] == 5 and result["job"]["outcome"] == "succeeded"
    assert server.asked == [ACTIVE, UNDER_WAY, TASK, get(5), get(5)]


def test_a_schedule_without_active_job_cannot_be_run_now(server: Script, jobs: Jobs) -> None:
    server.answer(page())
    with pytest.raises(ProxboxError, match=f"^{server.url} has no schedule 'nightly', because "):
        run(jobs, schedule="nightly")
    assert server.asked == [ACTIVE]


def test_cancelling_by_name_returns_no_job(server: Script, jobs: Jobs, row: Row) -> None:
    scheduled = row(5, **NIGHTLY)
    server.answer(page(scheduled, row(6, status="running")), cancelled(6), page(scheduled))
    result, _warnings = run(jobs, state="cancelled", name="nightly")
    assert result["changed"] and result["job"] is None and result["successor"] is None
    assert [job["id"] for job in result["cancelled"]] == [6]


def test_a_cancel_in_check_mode(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), page(), CANCELS)
    result, _warnings = run(jobs, check_mode=True, state="cancelled", job_id=5, keep_schedule=False)
    assert result["changed"] and result["job"]["id"] == 5 and result["successor"] is None
    assert [job["id"] for job in result["cancelled"]] == [5]
    assert server.asked == [get(5), ACTIVE, MAY_CANCEL]
