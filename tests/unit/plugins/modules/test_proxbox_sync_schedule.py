# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One schedule: what the options mean, and what is returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_sync_schedule
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    CREATE,
    NEWEST,
    NIGHTLY,
    Script,
    cancel,
    cancelled,
    created,
    page,
    recorded_answer,
)
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import work

Row = Callable[..., dict[str, Any]]


def run(jobs: Jobs, *, check_mode: bool = False, **options: Any) -> tuple[dict[str, Any], list[str]]:
    return work(proxbox_sync_schedule, jobs, {"name": "nightly", **options}, check_mode=check_mode)


def test_an_unchanged_schedule_is_returned(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)))
    result, warnings = run(jobs, schedule_at="02:00", interval="daily")
    assert (result["changed"], result["job"]["id"], result["cancelled"], result["why"]) == (False, 5, [], [])
    assert result["diff"]["before"] == result["diff"]["after"] and warnings == []
    assert server.asked == [ACTIVE]


def test_an_unchanged_schedule_of_a_disabled_endpoint_causes_a_warning(server: Script, jobs: Jobs, row: Row) -> None:
    (enabled, *_others) = recorded_answer("proxmox_endpoints").body["results"]
    endpoint = {**enabled, "enabled": False}
    server.answer(page(endpoint), page(row(5, **NIGHTLY, proxmox_endpoint_ids=[endpoint["id"]])))
    options = {"schedule_at": "02:00", "interval": "daily", "proxmox_endpoints": [endpoint["name"]]}
    result, (warning,) = run(jobs, **options)
    assert not result["changed"] and result["job"]["id"] == 5
    assert f"the Proxmox endpoint '{endpoint['name']}' is disabled in NetBox" in warning
    assert [text.split()[0] for text in server.asked] == ["GET", "GET"]


def test_netbox_endpoints_cause_a_warning(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY, netbox_endpoint_ids=[2])))
    result, (warning,) = run(jobs, schedule_at="02:00", interval="daily", netbox_endpoints=["2"])
    assert not result["changed"] and warning.startswith("netbox_endpoints has no effect on a sync: ")


def test_a_new_schedule_is_created(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, **NIGHTLY)))
    result, _warnings = run(jobs, schedule_at="02:00", interval="daily")
    assert result["changed"] and result["job"]["id"] == 7
    assert result["diff"]["before"]["state"] == "absent" and result["diff"]["after"]["state"] == "present"
    assert server.asked == [ACTIVE, CREATE, ACTIVE]


def test_an_absent_schedule_is_ended(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), cancelled(5), page())
    result, _warnings = run(jobs, state="absent")
    assert result["changed"] and result["job"] is None and [job["id"] for job in result["cancelled"]] == [5]
    assert server.asked == [ACTIVE, cancel(5), ACTIVE]


def test_a_past_date_whose_job_netbox_may_have_deleted_is_a_warning(server: Script, jobs: Jobs) -> None:
    server.answer(page())
    result, (warning,) = run(jobs, schedule_at="2026-02-01 02:00")
    assert not result["changed"] and result["job"] is None
    assert "NetBox has no job 'nightly' for it" in warning
    assert server.asked[0] == NEWEST
    with pytest.raises(ProxboxError, match="has passed"):
        run(jobs, schedule_at="2026-02-01 02:00", job_retention=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "True"}, "is a boolean, a list or a dictionary"),
        ({"name": True}, "is a boolean, a list or a dictionary"),
        ({"name": ["a"]}, "is a boolean, a list or a dictionary"),
        ({"state": "absent", "name": "null"}, "name 'null' cannot be the name of a job"),
        ({"job_retention": "nan"}, "job_retention nan"),
        ({"wait_timeout": "inf"}, "wait_timeout inf"),
        ({"interval": "0"}, "less than a minute"),
        ({"purge": True}, "purge deletes the rows of a schedule that ends: set state to absent, or remove purge"),
        ({"purge": True, "state": "absent"}, "set netbox_username and netbox_password"),
    ],
)
def test_a_wrong_option_sends_no_request(server: Script, jobs: Jobs, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        run(jobs, **options)
    assert server.asked == []
