# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of syncs: its filters, and which of its pages are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Kind, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._sync_jobs import ended, judged, search, succeeded_since
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    FOREIGN,
    NO_ROUTE,
    RELEASE,
    Script,
    get,
    make_row,
    page,
    recorded,
    released,
)

Row = Callable[..., dict[str, Any]]
SYNC_JOBS = "GET /api/plugins/proxbox/sync-jobs/"
NINE = datetime(2026, 4, 10, 9, 0, tzinfo=UTC)


def ids(found: list[Job]) -> list[int]:
    return [job.id for job in found]


def test_the_newest_runs_that_have_ended_are_read(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="completed"), row(4, status="failed"), row(3, status="errored")))
    assert ids(ended(jobs, ["nightly"], 2)) == [5, 4]
    assert server.asked == [
        f"{SYNC_JOBS}?name=nightly&status=completed&status=errored&status=failed"
        "&started__after=1970-01-01T00%3A00%3A00Z&limit=2"
    ]


def test_a_row_of_this_list_is_a_sync_whatever_its_data_is(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="failed", data=None)))
    (job,) = ended(jobs, ["nightly"], 10)
    assert job.kind is Kind.SYNC


def test_the_newest_success_of_a_scope_is_found(server: Script, jobs: Jobs, row: Row) -> None:
    both = {"sync_types": ["sdn", "devices"]}
    rows = [
        row(9, status="completed"),
        row(8, like="backups_500_beside", **both),
        row(7, like="ok_devices_backups"),
        row(6, like="ok_devices_backups"),
    ]
    server.answer(page(*rows))
    scope = Scope(frozenset({"devices", "vm-backups"}))
    assert ids(succeeded_since(jobs, scope, NINE)) == [7]
    assert server.asked == [
        f"{SYNC_JOBS}?status=completed&completed__after=2026-04-10T09%3A00%3A00Z&sync_type=devices"
        "&sync_type=vm-backups&limit=50"
    ]
    assert succeeded_since(jobs, Scope(proxmox_endpoints=frozenset({1})), NINE) == []


def test_filters_that_an_old_plugin_lacks_are_applied_by_the_collection(server: Script, jobs: Jobs, row: Row) -> None:
    rows = [
        row(9, sync_types=["storage"]),
        row(8, sync_types=["devices", "storage"], status="failed", error="Cancelled via API."),
        row(7, status="errored", sync_types=["all"]),
        row(6, status="completed", sync_types=["devices"]),
        row(5, status="completed", **FOREIGN),
    ]
    server.answer(NO_ROUTE, released("0.0.25"), page(*rows))

    def found(**filters: Any) -> list[int]:
        return ids(search(jobs, filters, limit=2))

    assert found(sync_type=["devices"]) == [8, 7]
    assert found(sync_type=["devices"], errored=False) == [6]
    assert found(errored=True) == [8, 7]
    assert server.asked[1] == RELEASE
    assert not [text for text in server.requests[2:] if "sync_type" in text or "errored" in text]
    assert all(text.startswith("GET /api/core/jobs/?") for text in server.asked[2:])


def test_jobs_by_outcome_are_read_until_enough_match(server: Script, jobs: Jobs) -> None:
    likes = ["ok_all", "backups_500_beside", "sdn_disabled", "devices_500", "cancelled_running", "west_down"]
    server.answer(page(*(make_row(20 - number, like=like) for number, like in enumerate(likes))))
    assert ids(search(jobs, {}, limit=2, outcomes=["partial", "failed"])) == [19, 17]
    assert server.asked[-1].endswith("?status=completed&status=errored&status=failed&limit=50")
    assert ids(search(jobs, {}, limit=0, outcomes=["partial"])) == [19, 15]
    assert ids(search(jobs, {}, limit=3, outcomes=["cancelled"])) == [16]
    assert server.asked[-1].endswith("?status=failed&limit=50")
    assert ids(search(jobs, {}, limit=3, outcomes=["succeeded", "nothing_done"])) == [20, 18]
    assert server.asked[-1].endswith("?status=completed&limit=50")
    assert ids(search(jobs, {"status": ["errored"]}, limit=80, outcomes=["failed"])) == [17]
    assert server.asked[-1].endswith("?status=errored&limit=80")


def test_the_log_is_read_if_it_is_requested(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="completed")))
    search(jobs, {}, limit=0, include_log=True)
    assert server.asked == [f"{SYNC_JOBS}?include_log_entries=true&limit=100"]
    server.requests.clear()
    server.answers[:] = [NO_ROUTE, released("0.0.25"), page(row(5, status="completed", log_entries=[]))]
    (job,) = search(Jobs(jobs.session), {}, limit=5, include_log=True)
    assert job.log_entries == []
    assert "log_entries" in server.requests[-1] and "include_log_entries" not in server.requests[-1]


def test_a_run_is_judged_with_its_log_if_the_log_may_show_more(server: Script, jobs: Jobs) -> None:
    untold = make_row(5, like="backups_500_beside")
    log = recorded("backups_500_beside")["log_entries"]
    server.answer(page({**untold, "log_entries": log}))
    assert judged(jobs, jobs.job(untold)).outcome.stages[1].error == "HTTP 500: no space left on device"
    assert server.asked == [get(5)] and "log_entries" in server.requests[0]
    for done in (make_row(5, like="ok_all"), make_row(5, like="sdn_disabled"), {**untold, "log_entries": []}):
        assert judged(jobs, jobs.job(done)) == jobs.job(done)
    assert len(server.asked) == 1
