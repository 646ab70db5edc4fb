# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every request of a task that runs, waits for or cancels a sync, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _loop, _observe, _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._job_tasks import await_job, cancel_runs, run_now
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._runs import CancelRuns, RunNow
from ansible_collections.proxbox.proxbox.plugins.module_utils._wait import Waiting
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    CANCELS,
    CREATE,
    DENIED,
    FOREIGN,
    MAY_CANCEL,
    NIGHTLY,
    NO_SCOPE,
    RELEASE,
    RELEASED,
    TASK,
    UNDER_WAY,
    WORKERS,
    Answer,
    Script,
    cancel,
    cancelled,
    created,
    get,
    page,
    recorded,
    recorded_answer,
    recorded_rq,
    status,
    task,
    too_late,
)

Row = Callable[..., dict[str, Any]]
AWAY = Answer("<html>", 502, "text/html")
MINUTE = Waiting(60, 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loop, "LOOKS", 5)
    monkeypatch.setattr(_observe, "LOOKS", 5)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def run(
    jobs: Jobs,
    waiting: Waiting | None = MINUTE,
    *,
    name: str = "nightly",
    scope: Scope | None = None,
    check_mode: bool = False,
    **goal: Any,
) -> TaskResult:
    new = NewJob(name, scope or Scope())
    return run_now(jobs, RunNow(new, **goal), Policy("cancel", check_mode=check_mode), waiting)


def cancel_one(jobs: Jobs, *, check_mode: bool = False, **goal: Any) -> TaskResult:
    return cancel_runs(jobs, CancelRuns("", job_id=5, **goal), Policy("cancel", check_mode=check_mode))


def cancel_named(jobs: Jobs, **goal: Any) -> TaskResult:
    return cancel_runs(jobs, CancelRuns("nightly", **goal), Policy("cancel"))


def test_waiting_reads_only_the_status_and_a_success_needs_no_log(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, status="pending")))
    server.answer(status(7, "pending"), status(7, "running"), status(7, "completed"), page(row(7, status="completed")))
    result = run(jobs)
    assert result.waited and result.plan.changed
    assert result.job.succeeded and result.job.log_entries is None
    assert server.asked == [UNDER_WAY, CREATE, UNDER_WAY, get(7), get(7), get(7), get(7)]
    assert [text.partition("fields=")[2].partition("&")[0] for text in server.requests[3:6]] == ["id%2Cstatus"] * 3
    assert not any("log_entries" in text for text in server.requests)


def test_a_run_that_was_joined_by_its_name_must_have_the_same_scope(server: Script, jobs: Jobs, row: Row) -> None:
    untold = row(7, status="running", data=NO_SCOPE)
    for types in (["all"], ["devices"]):
        server.answers[:] = [page(untold), status(7, "completed"), page(row(7, status="completed", sync_types=types))]
        if types == ["all"]:
            assert run(jobs, if_running="join").waited
        else:
            with pytest.raises(ProxboxError, match=r"its sync types are devices, wanted all\. Run the task again"):
                run(jobs, if_running="join")


def test_without_waiting_the_new_job_is_returned_at_once(server: Script, jobs: Jobs, row: Row) -> None:
    others = [row(3, status="running"), row(4, status="pending"), row(5, status="running", data=None)]
    server.answer(page(*others), created(7), page(row(7, status="pending"), *others))
    result = run(jobs, None)
    assert not result.waited and result.job.id == 7 and result.cancelled == () and result.warnings == ()
    assert server.asked == [UNDER_WAY, CREATE, UNDER_WAY], "whether other syncs are dead does not matter"


def test_the_log_is_read_once_if_the_data_lacks_a_stage(server: Script, jobs: Jobs, row: Row) -> None:
    untold = row(7, like="backups_500_beside")
    whole = {**untold, "log_entries": recorded("backups_500_beside")["log_entries"]}
    server.answer(page(), created(7), page(), page(untold), status(7, "completed"), page(untold), page(whole))
    result = run(jobs, scope=Scope(frozenset({"devices", "vm-backups"})))
    assert result.job.outcome.stages[1].error == "HTTP 500: no space left on device"
    assert ["log_entries" in text for text in server.requests] == [False] * 6 + [True]


def test_a_job_that_exists_is_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(7, status="running")), status(7, "running"), status(7, "completed"))
    server.answer(page(row(7, status="completed")))
    result = await_job(jobs, 7, Policy("cancel"), MINUTE)
    assert result.waited and not result.plan.changed and result.job.succeeded
    assert server.asked == [get(7)] * 4


def test_check_mode_judges_a_job_that_has_ended_and_does_not_wait_for_others(
    server: Script, jobs: Jobs, row: Row
) -> None:
    server.answer(page(row(7, status="completed")), status(7, "completed"), page(row(7, status="completed")))
    assert await_job(jobs, 7, Policy("cancel", check_mode=True), MINUTE).waited
    server.answers[:] = [page(row(7, status="running"))]
    server.requests.clear()
    assert not await_job(jobs, 7, Policy("cancel", check_mode=True), MINUTE).waited
    assert not await_job(jobs, 7, Policy("cancel"), None).waited
    assert server.asked == [get(7)] * 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (FOREIGN, r"^Job 5 \(Housekeeping\) of http.* is not a Proxbox sync\.$"),
        ({"data": None, "user": None}, r"^NetBox does not show whether job 5 \(Housekeeping\) of http.* is a Proxbox"),
    ],
)
def test_a_job_that_is_not_a_sync_is_neither_waited_for_nor_cancelled(
    server: Script, jobs: Jobs, row: Row, changes: dict[str, Any], says: str
) -> None:
    server.answer(page(row(5, name="Housekeeping", status="running", **changes)))
    for act in (lambda: cancel_one(jobs), lambda: await_job(jobs, 5, Policy("cancel"), MINUTE)):
        with pytest.raises(ProxboxError, match=says):
            act()
    assert server.asked == [get(5)] * 2
    server.answers[:] = [page()]
    with pytest.raises(ProxboxError, match="no job 5"):
        cancel_one(jobs)


def test_a_run_that_is_just_starting_is_read_again(server: Script, jobs: Jobs, row: Row) -> None:
    starting = page(row(7, status="running", started="2026-04-10T10:00:00Z", data=None))
    server.answer(starting, page(row(7, status="running")))
    assert await_job(jobs, 7, Policy("cancel"), None).job.id == 7
    assert server.asked == [get(7)] * 2


def test_the_wait_continues_after_a_restart_of_netbox(server: Script, jobs: Jobs, row: Row) -> None:
    ended = page(row(7, status="completed"))
    server.answer(page(), created(7), page(row(7, status="running")), *[AWAY] * 8, Answer(hang_up=True), ended)
    assert run(jobs).job.succeeded


def test_the_wait_ends_if_netbox_does_not_answer_for_long(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "TRANSIENT_LIMIT", 0.2)
    server.answer(page(), created(7), page(row(7, status="running")), AWAY)
    with pytest.raises(ProxboxError, match=r"HTTP 502.* Before that, job 7 was created\.$") as told:
        run(jobs)
    assert told.value.changed


def test_the_wait_ends_after_its_time_out(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, status="running")))
    outcome = run(jobs, Waiting(0.05, 0.01))
    assert outcome.waited and outcome.job.status == "running"


def test_check_mode_runs_nothing(server: Script, jobs: Jobs) -> None:
    server.answer(page(), RELEASED)
    outcome = run(jobs, check_mode=True)
    assert outcome.plan.changed and not outcome.waited
    assert outcome.job.result()["id"] is None and outcome.job.result()["status"] == "pending"
    assert server.asked == [UNDER_WAY, RELEASE]


def test_endpoint_ids_are_checked_before_a_job_is_created(server: Script, jobs: Jobs) -> None:
    server.answer(page(), page({"id": 1, "name": "pve-lab", "enabled": True}))
    with pytest.raises(ProxboxError, match="NetBox endpoint 9 does not exist"):
        run(jobs, None, scope=Scope(netbox_endpoints=frozenset({9})))
    assert [text.split()[0] for text in server.requests] == ["GET", "GET"]


def test_join_waits_for_a_run_in_progress(server: Script, jobs: Jobs, row: Row) -> None:
    running, ended = row(5, name="other", status="running"), row(5, name="other", status="completed")
    server.answer(page(running), task(None), page(ended))
    outcome = run(jobs, name="x", if_running="join")
    assert outcome.waited and not outcome.plan.changed and outcome.job.succeeded
    assert server.asked == [UNDER_WAY, TASK, get(5), get(5)]


def test_skip_returns_a_run_in_progress(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="other", status="running")), task(None))
    outcome = run(jobs, name="x", if_running="skip")
    assert outcome.job.id == 5 and not outcome.waited and not outcome.plan.changed
    assert server.asked == [UNDER_WAY, TASK]


@pytest.mark.parametrize("if_running", ["join", "skip"])
def test_a_run_that_another_task_created_at_the_same_moment_is_returned(
    server: Script, jobs: Jobs, row: Row, if_running: str
) -> None:
    theirs, own = row(6, name="other", status="pending"), row(7, status="pending")
    server.answer(page(), created(7), page(own, theirs), cancelled(7), page(theirs))
    outcome = run(jobs, None, if_running=if_running)
    assert outcome.job.id == 6 and outcome.cancelled == ()
    assert server.asked == [UNDER_WAY, CREATE, UNDER_WAY, cancel(7), UNDER_WAY]


def test_a_joined_run_that_has_ended_in_the_meantime_is_returned(server: Script, jobs: Jobs, row: Row) -> None:
    theirs, own = row(6, name="other", status="running"), row(7, status="pending")
    ended = page(row(6, name="other", status="completed"))
    server.answer(page(), created(7), page(own, theirs), cancelled(7), page(), ended)
    outcome = run(jobs, if_running="join")
    assert outcome.job.id == 6 and outcome.job.succeeded and outcome.waited
    assert server.asked.count(CREATE) == 1


def test_start_keeps_its_run_if_another_run_is_active(server: Script, jobs: Jobs, row: Row) -> None:
    theirs, own = row(6, name="other", status="pending"), row(7, status="pending")
    server.answer(page(), created(7), page(own, theirs))
    assert run(jobs, None).job.id == 7
    assert server.asked == [UNDER_WAY, CREATE, UNDER_WAY]


def test_max_age_returns_a_recent_run(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), page(row(5, status="completed", completed="2026-04-10T09:30:00Z")))
    outcome = run(jobs, name="x", max_age=timedelta(minutes=60))
    assert not outcome.plan.changed and outcome.job.id == 5 and not outcome.waited
    recent = "GET /api/plugins/proxbox/sync-jobs/?status=completed&completed__after=2026-04-10T09%3A00%3A00Z"
    recent += "&sync_type=all&limit=50"
    assert server.asked == [UNDER_WAY, recent]


def test_skip_warns_if_no_worker_takes_the_run(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="pending")), page({**recorded_rq("worker"), "queue_names": ["high"]}))
    outcome = run(jobs, name="x", if_running="skip")
    assert outcome.job.id == 5 and "no worker serves the queue 'default'" in outcome.warnings[0]
    assert server.asked == [UNDER_WAY, WORKERS]


def test_jobs_of_another_scope_cause_no_warning(server: Script, jobs: Jobs, row: Row) -> None:
    other = row(5, name="other", status="pending", sync_types=["devices"])
    server.answer(page(other), created(7))
    server.answer(page(row(7, status="pending", created="2026-04-10T10:00:00Z"), other))
    outcome = run(jobs, None, if_running="join")
    assert outcome.job.id == 7 and outcome.warnings == ()


def test_cancel_by_id(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running")), task(None), cancelled(5), page(row(5, status="failed")))
    outcome = cancel_one(jobs)
    assert outcome.plan.changed and outcome.job.status == "failed" and outcome.successor is None
    assert server.asked == [get(5), TASK, cancel(5), get(5)]
    server.answers[:] = [page(row(5, status="completed"))]
    server.requests.clear()
    assert not cancel_one(jobs).plan.changed
    assert server.asked == [get(5)]


def test_cancel_in_check_mode(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", scheduled="2026-04-10T02:00:00Z", interval=1440)
    server.answer(page(running), page(running), task(None), RELEASED, CANCELS)
    outcome = cancel_one(jobs, check_mode=True)
    assert outcome.plan.changed and [job.id for job in outcome.cancelled] == [5]
    assert outcome.successor.result()["scheduled"] == NIGHTLY["scheduled"]
    assert server.asked == [get(5), ACTIVE, TASK, RELEASE, MAY_CANCEL]


RUNNING = {"status": "running", "scheduled": "2026-04-10T02:00:00Z", "interval": 1440}


def test_cancelling_a_run_creates_its_successor_first(server: Script, jobs: Jobs, row: Row) -> None:
    running, new, gone = page(row(5, **RUNNING)), page(row(6, **NIGHTLY)), page(row(5, status="failed", interval=1440))
    server.answer(running, running, task(None), CANCELS, created(6), running, new, cancelled(5), gone, new)
    outcome = cancel_one(jobs)
    assert outcome.successor.id == 6 and [job.id for job in outcome.cancelled] == [5]
    assert outcome.job.id == 5 and outcome.job.status == "failed"
    asked = [get(5), ACTIVE, TASK, MAY_CANCEL, CREATE, get(5), ACTIVE, cancel(5), get(5), ACTIVE]
    assert server.asked == asked


def test_a_token_that_may_not_cancel_creates_no_successor(server: Script, jobs: Jobs, row: Row) -> None:
    running = page(row(5, **RUNNING))
    server.answer(running, running, task(None), DENIED)
    with pytest.raises(ProxboxError, match=r"Grant it the permission core\.delete_job"):
        cancel_one(jobs)
    assert server.asked == [get(5), ACTIVE, TASK, MAY_CANCEL]


def test_a_cancel_whose_answer_is_lost_does_not_end_the_schedule(server: Script, jobs: Jobs, row: Row) -> None:
    running, new = page(row(5, **RUNNING)), page(row(6, **NIGHTLY))
    gone = page(row(5, **{**RUNNING, "status": "failed"}, error="Cancelled via API."))
    server.answer(running, running, task(None), CANCELS, created(6), running, new)
    server.answer(AWAY, too_late(5), gone, gone, new)
    outcome = cancel_one(jobs)
    assert outcome.successor.id == 6 and [job.id for job in outcome.cancelled] == [5]
    assert cancel(6) not in server.asked


def test_a_successor_that_another_controller_cancels_is_created_again(server: Script, jobs: Jobs, row: Row) -> None:
    running, gone = page(row(5, **RUNNING)), page(row(5, **{**RUNNING, "status": "failed"}, error="Cancelled via API."))
    yielded = page(row(6, **{**NIGHTLY, "status": "failed", "error": "Cancelled via API."}, started=None))
    server.answer(running, running, task(None), CANCELS, created(6), running, page(row(6, **NIGHTLY)), cancelled(5))
    server.answer(gone, page(), yielded, gone, page(), created(8), gone, page(row(8, **NIGHTLY)))
    outcome = cancel_one(jobs)
    assert outcome.successor.id == 8
    assert [text for text in server.asked if not text.startswith("GET")] == [MAY_CANCEL, CREATE, cancel(5), CREATE]


@pytest.mark.parametrize(
    "finished",
    [
        too_late(5),
        # NetBox reports that it cancelled the job, but the status shows that the job had ended.
        recorded_answer("cancelled", job_id=5, status="completed"),
    ],
)
def test_the_successor_of_a_run_that_ended_by_itself_is_a_duplicate(
    server: Script, jobs: Jobs, row: Row, finished: Answer
) -> None:
    running, ended = page(row(5, **RUNNING)), page(row(5, **{**RUNNING, "status": "completed"}))
    own, theirs = row(6, **NIGHTLY), row(7, **NIGHTLY)
    server.answer(running, running, task(None), CANCELS, created(6), running, page(own), finished, ended)
    # NetBox creates its successor a moment later. Each task keeps the job with the lowest id.
    server.answer(ended, page(own), ended, page(own, theirs), cancelled(7), ended, page(own))
    outcome = cancel_one(jobs)
    assert outcome.successor.id == 6 and outcome.job.status == "completed"
    assert server.asked[-3:] == [cancel(7), get(5), ACTIVE]


def test_the_successor_of_a_run_that_ended_by_itself_is_cancelled_too(server: Script, jobs: Jobs, row: Row) -> None:
    running, ended = page(row(5, **RUNNING)), page(row(5, **{**RUNNING, "status": "completed"}))
    successor = page(row(6, **NIGHTLY))
    server.answer(running, running, task(None), too_late(5), ended, ended, page(), ended, successor)
    server.answer(cancelled(6), ended, page())
    outcome = cancel_one(jobs, keep_schedule=False)
    assert [job.id for job in outcome.cancelled] == [6] and outcome.successor is None


def test_a_job_that_starts_while_it_is_cancelled_is_cancelled_again(server: Script, jobs: Jobs, row: Row) -> None:
    refusal = recorded_answer("cancel_of_no_sync")
    scheduled, gone = page(row(5, **NIGHTLY)), page(row(5, status="failed", **NIGHTLY))
    starting = page(row(5, **RUNNING, data=None, started="2026-04-10T10:00:00Z"))
    server.answer(scheduled, page(), refusal, starting, page(), scheduled, page(), refusal, scheduled, page())
    server.answer(cancelled(5), gone, page())
    assert cancel_one(jobs, keep_schedule=False).plan.changed
    assert server.asked.count(cancel(5)) == 3


def test_cancel_by_name_cancels_only_the_run(server: Script, jobs: Jobs, row: Row) -> None:
    scheduled, run = row(5, **NIGHTLY), row(6, status="running")
    server.answer(page(scheduled, run), task(None), cancelled(6), page(scheduled))
    outcome = cancel_named(jobs)
    assert [job.id for job in outcome.cancelled] == [6] and outcome.job is None and outcome.successor is None
    assert server.asked == [ACTIVE, TASK, cancel(6), ACTIVE]


def test_a_cancel_by_name_needs_no_clock_before_its_first_answer(server: Script, jobs: Jobs) -> None:
    server.answer(page())
    assert not cancel_named(jobs).plan.changed
    assert server.asked == [ACTIVE]
