# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job by its id, or the jobs that match the filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_job_info
from ansible_collections.proxbox.proxbox.tests.unit.conftest import FOREIGN, Script, get, page, recorded
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import validator, work

LOG = recorded("ok_all")["log_entries"][:2]
Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def read(jobs: Jobs) -> Read:
    """Run the module's work with the given options."""
    return lambda **options: work(proxbox_job_info, jobs, options)[0]["jobs"]


@pytest.mark.parametrize(
    "other",
    [
        {"name": "nightly"},
        {"status": ["running"]},
        {"sync_types": ["all"]},
        {"errored": False},
        {"created_after": "2026-04-01"},
        {"created_before": "2026-04-01"},
        {"scheduled_after": "2026-04-01"},
        {"scheduled_before": "2026-04-01"},
        {"outcome": ["failed"]},
    ],
)
def test_job_id_excludes_each_filter(other: dict[str, Any]) -> None:
    (message,) = validator(proxbox_job_info).validate({"job_id": 5, **other}).error_messages
    assert message == f"parameters are mutually exclusive: job_id|{next(iter(other))}"


def test_one_job_costs_one_get_and_has_its_log_if_requested(
    server: Script, read: Read, row: Callable[..., Any]
) -> None:
    server.answer(page(row(5)))
    (job,) = read(job_id=5)
    assert job["id"] == 5 and "log_entries" not in job
    server.answers[:] = [page(row(5, log_entries=LOG))]
    (job,) = read(job_id=5, include_log=True, limit=1)
    assert job["log_entries"] == LOG
    assert server.asked == [get(5)] * 2
    assert ["log_entries" in text for text in server.requests] == [False, True]


def test_a_job_that_is_just_starting_is_read_with_its_log(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(5, status="running", started="2026-04-10T10:00:00Z", data=None, log_entries=LOG)))
    (job,) = read(job_id=5, include_log=True)
    assert job["log_entries"] == LOG and job["sync_types"] == []


def test_a_job_that_is_not_a_sync_is_an_error(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(5, name="Housekeeping", **FOREIGN)))
    with pytest.raises(ProxboxError, match=r"Job 5 \(Housekeeping\) .* is not a Proxbox sync"):
        read(job_id=5)


def test_a_job_of_unknown_kind_is_an_error(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(5, status="running", data=None)))
    with pytest.raises(ProxboxError, match=r"^NetBox does not show whether job 5 \(nightly\) of .* is a Proxbox sync"):
        read(job_id=5)


def test_the_filters_are_sent_to_netbox(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(7), row(5)))
    assert [job["id"] for job in read(name="nightly", status=["scheduled"], limit=1)] == [7]
    assert server.asked == ["GET /api/plugins/proxbox/sync-jobs/?name=nightly&status=scheduled&limit=1"]


def test_a_job_that_has_ended_is_judged_with_its_log(server: Script, read: Read, row: Callable[..., Any]) -> None:
    untold = row(5, like="backups_500_beside")
    server.answer(page(untold), page({**untold, "log_entries": recorded("backups_500_beside")["log_entries"]}))
    (job,) = read(job_id=5)
    assert job["stages"][1]["error"] == "HTTP 500: no space left on device" and "log_entries" not in job
    assert server.asked == [get(5)] * 2


def test_jobs_are_filtered_by_outcome_and_time(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(7, status="completed"), row(6, like="devices_500"), row(5, like="west_down")))
    assert [job["id"] for job in read(outcome=["partial"], created_after="2026-04-01", limit=1)] == [5]
    assert server.asked == [
        "GET /api/plugins/proxbox/sync-jobs/?created__after=2026-04-01T00%3A00%3A00Z"
        "&status=completed&status=errored&status=failed&limit=50"
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": -1}, "limit -1 is not a number of jobs"),
        ({"limit": 10**19}, "is not a number of jobs: give 0 or more, and at most 2147483647"),
        ({"name": "null"}, "name 'null' cannot be the name of a job"),
        ({"created_after": "soon"}, "created_after 'soon' is not an ISO 8601 time"),
    ],
)
def test_a_wrong_option_sends_no_request(server: Script, read: Read, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        read(**options)
    assert server.asked == []
