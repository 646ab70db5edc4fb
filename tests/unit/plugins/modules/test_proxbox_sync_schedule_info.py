# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of schedules: which requests are sent, and which jobs belong to a schedule."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_sync_schedule_info
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    ALL,
    FOREIGN,
    NIGHTLY,
    RELEASE,
    TASK,
    WORKERS,
    Script,
    get,
    page,
    recorded,
    recorded_answer,
    recorded_rq,
    task,
)
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import validator, work

Row = Callable[..., dict[str, Any]]
ENDED = "GET /api/plugins/proxbox/sync-jobs/?name=nightly&status=completed&status=errored&status=failed"
ENDED += "&started__after=1970-01-01T00%3A00%3A00Z&limit=10"
WORKER, QUEUE = page(recorded_rq("worker")), page(recorded_rq("queue"))
QUEUES = "GET /api/core/background-queues/?limit=0"


def ended_of(name: str) -> str:
    return ENDED.replace("nightly", name)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def read(
    jobs: Jobs, name: str | None = None, history: int = 10, stale_after: str | None = "2h", **previous: str
) -> list[dict[str, Any]]:
    params = {"timezone": "UTC", "name": name, "names": None, "history": history, "stale_after": stale_after}
    params["previous_names"] = previous
    result = proxbox_sync_schedule_info.work(SimpleNamespace(params=params), jobs)
    assert set(result) == {"changed", "msg", "schedules"} and result["changed"] is False
    return result["schedules"]


def test_a_report_reads_the_active_jobs_the_workers_the_queues_and_the_runs(
    server: Script, jobs: Jobs, row: Row
) -> None:
    once_now = row(8, name="by hand", status="pending", created="2026-04-10T09:59:59Z")
    ran = row(3, status="completed", started="2026-04-10T02:00:00Z", completed="2026-04-10T02:00:48Z")
    server.answer(page(row(5, **NIGHTLY), once_now), WORKER, page(recorded_rq("queue")), page(ran))
    (found,) = read(jobs)
    assert found["health"] == "ok" and found["last_run"]["duration"] == 48
    assert server.asked == [ALL, WORKERS, QUEUES, ENDED]


def test_the_runs_under_the_previous_name_are_included(server: Script, jobs: Jobs, row: Row) -> None:
    ran = row(3, name="old", status="completed", started="2026-04-10T02:00:00Z", completed="2026-04-10T02:00:48Z")
    server.answer(page(row(5, **NIGHTLY)), WORKER, page(recorded_rq("queue")), page(ran))
    (found,) = read(jobs, nightly="old")
    assert found["last_run"]["name"] == "old" and [run["id"] for run in found["runs"]] == [3]
    assert server.asked == [ALL, WORKERS, QUEUES, ENDED.replace("name=nightly", "name=nightly&name=old")]


def test_a_schedule_that_rq_has_lost_is_found_before_its_time(server: Script, jobs: Jobs, row: Row) -> None:
    lost = recorded_answer("task_lost")
    queue = {**recorded_rq("queue"), "scheduled_jobs": 0}
    server.answer(page(row(5, **NIGHTLY)), WORKER, page(queue), lost, page(row(5, **NIGHTLY)))
    (found,) = read(jobs, history=0)
    assert found["health"] == "stale" and "NetBox shows it as scheduled, but its RQ task is lost" in found["why"][0]
    assert server.asked[:4] == [ALL, WORKERS, QUEUES, TASK]
    # If a schedule is requested by its name, RQ is always asked about its job.
    server.answers[:], server.asked[:] = [page(row(5, **NIGHTLY)), task("scheduled"), page(recorded_rq("queue"))], []
    (found,) = read(jobs, "nightly", history=0)
    assert found["health"] == "ok" and TASK in server.asked


def test_a_run_that_is_just_starting_is_read_again(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", scheduled="2026-04-10T02:00:00Z", interval=1440, started="2026-04-10T10:00:00Z")
    server.answer(page({**running, "data": None}), page(running), task(None))
    server.answer(recorded_answer("status", **{"rq-workers-running": 1}))
    (found,) = read(jobs, "nightly", history=0)
    assert found["health"] == "ok" and found["job"]["id"] == 5
    assert server.asked == [ACTIVE, ACTIVE, WORKERS, RELEASE]


def test_a_run_of_unknown_kind_is_shown_only_if_its_name_was_given(server: Script, jobs: Jobs, row: Row) -> None:
    untold = row(5, status="running", data=None, started="2026-04-10T09:00:00Z", interval=1440)
    server.answer(page(untold), task("started"), WORKER)
    assert [found["job"]["id"] for found in read(jobs, "nightly", history=0)] == [5]
    server.answers[:] = [page(untold)]
    assert read(jobs, history=0) == [], "it may be any job of NetBox"


def test_a_schedule_has_the_health_no_scheduler_if_its_queue_has_none(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), WORKER, page(recorded_rq("queue_without_scheduler")))
    (found,) = read(jobs, history=0)
    assert found["health"] == "no_scheduler" and "none of them starts its scheduled jobs" in found["why"][0]
    assert server.asked == [ALL, WORKERS, QUEUES]


def test_which_jobs_do_not_belong_to_a_schedule(server: Script, jobs: Jobs, row: Row) -> None:
    copy = row(6, like="run_now_pending", created="2026-04-10T09:59:59Z")
    at_once = row(7, status="pending", created="2026-04-10T09:59:59Z")
    server.answer(page(at_once, copy, row(5, **NIGHTLY), row(4, **NIGHTLY, **FOREIGN)), WORKER)
    (found,) = read(jobs, history=0)
    assert found["health"] == "ok" and found["job"]["id"] == 5 and found["duplicates"] == []


def test_nameless_syncs_are_one_schedule_for_each_scope_and_interval(server: Script, jobs: Jobs, row: Row) -> None:
    weekly = {"scheduled": "2026-04-12T02:00:00Z", "interval": 10080}
    dated = {"scheduled": "2026-04-12T02:00:00Z"}
    mine = "Proxbox Sync"
    rows = [
        row(9, name=mine, **dated),
        row(8, name=mine, **NIGHTLY),
        row(7, name=mine, status="pending", created="2026-04-10T09:59:59Z"),
        row(6, name=mine, **weekly, sync_types=["devices"]),
        row(5, name=mine, **NIGHTLY, sync_types=["devices"]),
        row(4, name=mine, **NIGHTLY),
        row(3, **NIGHTLY),
    ]
    ran = [row(2, name=mine, status="errored", interval=1440), row(1, name=mine, like="ok_devices_backups")]
    devices = row(1, name=mine, status="completed", interval=1440, sync_types=["devices"])
    server.answer(page(*rows), WORKER, page({**recorded_rq("queue"), "scheduled_jobs": len(rows)}))
    found = read(jobs, history=0)
    assert [(one["name"], one["job"]["id"], one["health"], one["duplicates"]) for one in found] == [
        (mine, 9, "ok", []),
        (mine, 4, "duplicate", [8]),
        (mine, 6, "ok", []),
        (mine, 5, "ok", []),
        ("nightly", 3, "ok", []),
    ]
    assert server.asked == [ALL, WORKERS, QUEUES]
    # A run belongs to the schedule with the same scope and interval.
    server.requests.clear()
    jobs.rq.forget()
    server.answers[:] = [page(rows[4]), WORKER, page(*ran, devices)]
    (found,) = read(jobs, mine)
    assert found["health"] == "ok" and found["last_run"]["id"] == 1 and found["last_failure"] is None
    nameless = ENDED.replace("nightly", "Proxbox+Sync").replace("&limit=10", "&{}&limit=50")
    assert server.asked[2] == nameless.format("interval=1440")
    server.answers[:] = [page(rows[0]), page()]
    read(jobs, mine)
    assert server.asked[-1] == nameless.format("interval__empty=true")


def test_a_sync_that_runs_at_once_is_shown_if_its_name_was_given(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(7, status="pending", created="2026-04-10T09:59:59Z")), WORKER)
    assert [found["job"]["id"] for found in read(jobs, "nightly", history=0)] == [7]


def test_the_newest_failure_is_read_with_its_log(server: Script, jobs: Jobs, row: Row) -> None:
    untold = row(4, like="backups_500_beside")
    whole = {**untold, "log_entries": recorded("backups_500_beside")["log_entries"]}
    older = row(3, like="backups_500_alone")
    server.answer(page(row(5, **NIGHTLY)), WORKER, task("scheduled"))
    server.answer(page(row(6, status="completed"), untold, older), page(whole))
    (found,) = read(jobs, "nightly")
    assert found["consecutive_failures"] == 0 and found["last_run"]["id"] == 6
    assert found["last_failure"]["stages"][1]["error"] == "HTTP 500: no space left on device"
    assert server.asked == [ACTIVE, WORKERS, TASK, ENDED, get(4), QUEUES]


def test_declared_schedules_cost_one_get_for_all_and_one_for_each(server: Script, jobs: Jobs, row: Row) -> None:
    others = row(8, name="undeclared", **NIGHTLY), row(7, name="now", status="pending")
    ran = row(3, status="completed", interval=1440)
    once = row(4, name="once", status="completed", scheduled="2026-04-09T02:00:00Z")
    server.answer(page(row(5, **NIGHTLY), *others), WORKER, QUEUE, page(ran), page(), page(once), page(ran))
    names = "nightly, never made\nonce, recurred"
    result, _warnings = work(proxbox_sync_schedule_info, jobs, {"names": names, "stale_after": "2h"})
    (found,) = result["schedules"]
    assert (found["name"], [run["id"] for run in found["runs"]]) == ("nightly", [3])
    assert result["gone"] == ["never made", "recurred"]
    (over,) = result["ended"]
    assert (over["name"], over["health"], over["last_run"]["id"]) == ("once", "ok", 4)
    past = {name: [run["id"] for run in runs] for name, runs in result["past_runs"].items()}
    assert past == {"never made": [], "once": [4], "recurred": [3]}
    assert server.asked == [
        ALL,
        WORKERS,
        QUEUES,
        ENDED,
        *(ended_of(name) for name in ("never+made", "once", "recurred")),
    ]


def test_the_workers_are_not_read_if_no_job_is_active(server: Script, jobs: Jobs) -> None:
    server.answer(page())
    result, _warnings = work(proxbox_sync_schedule_info, jobs, {"names": ["nightly"], "history": 0})
    assert result == {
        "changed": False,
        "msg": "1 schedule: 1 gone (nightly)",
        "schedules": [],
        "gone": ["nightly"],
        "ended": [],
        "past_runs": {"nightly": []},
    }
    assert server.asked == [ALL, ENDED.replace("limit=10", "limit=1")]


@pytest.mark.parametrize(
    ("runs", "is_gone"),
    [
        ([{"scheduled": "2026-04-09T02:00:00Z"}], False),
        ([{}], False),
        ([{"interval": 1440}], True),
        # Somebody ran the sync at once after the schedule had ended.
        ([{}, {"interval": 1440}], True),
        ([{"queue_name": "high"}, {"interval": 1440}], True),
        ([{"queue_name": "high"}], True),
        ([{"scheduled": "2026-04-09T02:00:00Z"}, {"interval": 1440}], False),
    ],
)
def test_a_schedule_without_active_job_is_gone_or_ended(
    server: Script, jobs: Jobs, row: Row, runs: list[dict[str, Any]], is_gone: bool
) -> None:
    rows = [row(9 - number, status="completed", **{"queue_name": "default", **run}) for number, run in enumerate(runs)]
    server.answer(page(), page(*rows))
    result, _warnings = work(proxbox_sync_schedule_info, jobs, {"names": ["nightly"]})
    assert (result["gone"] == ["nightly"]) is is_gone and (result["ended"] == []) is is_gone


def test_a_one_time_schedule_that_failed_is_read_with_its_log(server: Script, jobs: Jobs, row: Row) -> None:
    once = row(4, like="backups_500_beside")
    server.answer(page(), page(once), page({**once, "log_entries": recorded("backups_500_beside")["log_entries"]}))
    result, _warnings = work(proxbox_sync_schedule_info, jobs, {"names": ["nightly"]})
    (over,) = result["ended"]
    assert over["health"] == "failing" and "no space left on device" in over["why"][0]
    assert server.asked == [ALL, ENDED, get(4)]


def test_name_and_names_exclude_each_other() -> None:
    found = validator(proxbox_sync_schedule_info).validate({"name": "nightly", "names": ["nightly"]})
    assert found.error_messages == ["parameters are mutually exclusive: name|names"]


def test_a_wrong_option_sends_no_request(server: Script, jobs: Jobs) -> None:
    for options in ({"name": "null"}, {"history": -1}, {"stale_after": "soon"}):
        with pytest.raises(ProxboxError):
            read(jobs, **options)
    assert server.asked == []
