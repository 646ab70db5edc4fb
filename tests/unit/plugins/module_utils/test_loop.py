# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every request of a task that declares or ends a schedule, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _loop, _observe
from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._schedules import declare
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_at, parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    CANCELS,
    CREATE,
    DENIED,
    FOREIGN,
    MAY_CANCEL,
    NEWEST,
    NIGHTLY,
    RELEASE,
    RELEASED,
    TASK,
    WORKERS,
    Answer,
    Script,
    cancel,
    cancelled,
    created,
    get,
    page,
    recorded_answer,
    recorded_rq,
    released,
    status,
    task,
    too_late,
)

Row = Callable[..., dict[str, Any]]
AT_TWO = parse_at("02:00", parse_timezone("UTC"))
WANTED = Declare("nightly", at=AT_TWO, interval=1440)
AT_ONCE = Declare("nightly")
HOURLY = {**NIGHTLY, "interval": 60}
"""The next run of a schedule that the task has to change."""

RUNNING = {**NIGHTLY, "status": "running", "scheduled": "2026-04-10T02:00:00Z"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loop, "LOOKS", 5)
    monkeypatch.setattr(_observe, "LOOKS", 5)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def present(jobs: Jobs, goal: Declare = WANTED, **policy: Any) -> TaskResult:
    return declare(jobs, goal, Policy(**policy))


def absent(jobs: Jobs, when_running: str = "wait", **policy: Any) -> TaskResult:
    return declare(jobs, End("nightly"), Policy(when_running, **policy))


def test_an_unchanged_schedule_costs_one_get(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)))
    outcome = present(jobs)
    assert not outcome.plan.changed and outcome.job.id == 5
    assert server.asked == [ACTIVE]


def test_a_job_that_rq_has_lost_is_replaced_before_its_time(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), task("lost"), page(row(5, **NIGHTLY)), recorded_answer("status"))
    predicted = present(jobs, check_queue=True, check_mode=True)
    assert predicted.changed and predicted.plan.why[0] == "job 5: NetBox shows it as scheduled, but its RQ task is lost"
    assert server.asked[:2] == [ACTIVE, TASK]


def test_rq_is_not_asked_about_a_job_that_was_just_created(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY, created="2026-04-10T09:59:55Z")))
    assert not present(jobs, check_queue=True).plan.changed
    assert server.asked == [ACTIVE]


def test_check_queue_costs_one_get(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), task("scheduled"))
    assert not present(jobs, check_queue=True).plan.changed
    assert server.asked == [ACTIVE, TASK]


def test_check_queue_causes_a_warning_if_the_token_may_not_read_rq(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), task(None))
    (warning,) = present(jobs, check_queue=True).warnings
    assert "check_queue has no effect" in warning


def test_a_create_costs_get_post_get(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, **NIGHTLY)))
    outcome = present(jobs)
    assert outcome.plan.changed and outcome.job.id == 7
    assert server.asked == [ACTIVE, CREATE, ACTIVE]
    assert server.bodies[1] == {
        "sync_types": ["all"],
        "job_name": "nightly",
        "schedule_at": "2026-04-11T02:00:00Z",
        "interval_value": 1440,
        "interval_unit": "minutes",
    }


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ([], [RELEASE]),
        ([4], [RELEASE, MAY_CANCEL]),
        ([5], []),
        ([5, 6], [MAY_CANCEL]),
        ([4, 5], [MAY_CANCEL]),
    ],
)
def test_check_mode_writes_nothing_and_predicts_the_result(
    server: Script, jobs: Jobs, row: Row, seen: list[int], asked: list[str]
) -> None:
    rows = [row(job_id, **(HOURLY if job_id == 4 else NIGHTLY)) for job_id in seen]
    # Check mode cannot try what the token may do.
    answers = {RELEASE: RELEASED, MAY_CANCEL: CANCELS}
    server.answer(page(*rows), *(answers[text] for text in asked))
    outcome = present(jobs, check_mode=True)
    assert outcome.plan.changed is (seen != [5])
    assert [job.id for job in outcome.cancelled] == [job_id for job_id in seen if job_id != 5]
    assert outcome.job.result()["id"] == (5 if 5 in seen else None)
    assert outcome.job.result()["scheduled"] == NIGHTLY["scheduled"]
    assert server.asked == [ACTIVE, *asked]


@pytest.mark.parametrize(
    ("seen", "answers", "permission"),
    [
        ([4], [RELEASED, DENIED], "core.delete_job"),
    ],
)
def test_check_mode_names_a_permission_that_is_missing(
    server: Script, jobs: Jobs, row: Row, seen: list[int], answers: list[Answer], permission: str
) -> None:
    server.answer(page(*(row(job_id, **HOURLY) for job_id in seen)), *answers)
    with pytest.raises(ProxboxError, match=rf"lacks a permission.* Grant it the permission {permission}\."):
        present(jobs, check_mode=True)


def test_a_change_creates_before_it_cancels(server: Script, jobs: Jobs, row: Row) -> None:
    old, new = row(5, **HOURLY), row(7, **NIGHTLY)
    server.answer(page(old), CANCELS, created(7), page(new, old), cancelled(5), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and [job.id for job in outcome.cancelled] == [5]
    assert server.asked == [ACTIVE, MAY_CANCEL, CREATE, ACTIVE, cancel(5), ACTIVE]


def test_a_token_that_may_not_cancel_changes_nothing(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **HOURLY)), DENIED)
    with pytest.raises(ProxboxError, match=r"Grant it the permission core\.delete_job\.") as told:
        present(jobs)
    assert server.asked == [ACTIVE, MAY_CANCEL] and not told.value.changed


def test_a_change_whose_new_job_cannot_be_seen_keeps_the_old_job(server: Script, jobs: Jobs, row: Row) -> None:
    old = row(5, **HOURLY)
    server.answer(page(old), CANCELS, created(7), page(old), page(), cancelled(7))
    with pytest.raises(ProxboxError, match=r"may not see it.*The job was cancelled"):
        present(jobs)
    assert cancel(5) not in server.asked


def test_the_error_names_what_was_written_before_it(server: Script, jobs: Jobs, row: Row) -> None:
    old, new = row(5, **HOURLY), row(7, **NIGHTLY)
    server.answer(page(old), CANCELS, created(7), page(new, old), DENIED)
    with pytest.raises(ProxboxError, match=r"core\.delete_job.* Before that, job 7 was created\.$") as told:
        present(jobs)
    assert told.value.changed


def test_if_two_controllers_created_a_job_at_once_the_lowest_id_is_kept(server: Script, jobs: Jobs, row: Row) -> None:
    both = page(row(7, **NIGHTLY), row(6, **NIGHTLY))
    server.answer(page(), created(7), both, cancelled(7), page(row(6, **NIGHTLY)))
    outcome = present(jobs)
    assert outcome.job.id == 6 and outcome.cancelled == ()
    assert server.asked == [ACTIVE, CREATE, ACTIVE, cancel(7), ACTIVE]


def test_a_new_duplicate_is_cancelled_at_once_although_it_runs(server: Script, jobs: Jobs, row: Row) -> None:
    both = page(row(7, **RUNNING), row(6, **NIGHTLY))
    server.answer(page(), created(7), both, cancelled(7), page(row(6, **NIGHTLY)))
    assert present(jobs).job.id == 6
    assert server.asked == [ACTIVE, CREATE, ACTIVE, cancel(7), ACTIVE]


def test_a_run_without_data_is_read_again_until_it_has_data(server: Script, jobs: Jobs, row: Row) -> None:
    starting = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY) | {"data": None}
    known = row(5, status="running", **NIGHTLY)
    server.answer(
        page(), created(7), page(starting, row(7, **NIGHTLY)), page(known, row(7, **NIGHTLY)), cancelled(7), page(known)
    )
    outcome = present(jobs)
    assert outcome.job.id == 5 and outcome.cancelled == ()
    assert server.asked[-2:] == [cancel(7), ACTIVE]


def test_a_run_that_ends_at_once_is_not_created_again(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(), page(row(7, status="errored", scheduled=None)))
    outcome = present(jobs, AT_ONCE)
    assert outcome.job.status == "errored"
    assert server.asked == [NEWEST, CREATE, ACTIVE, get(7)]


def test_the_task_waits_for_the_successor_of_a_run_that_ends_at_once(server: Script, jobs: Jobs, row: Row) -> None:
    ended = row(7, status="errored", scheduled="2026-04-10T10:00:00Z", interval=1440)
    successor = row(8, scheduled="2026-04-11T10:00:00Z", interval=1440)
    server.answer(page(), created(7), page(), page(ended), page(successor), page(ended))
    assert present(jobs, Declare("nightly", interval=1440)).job.id == 8


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        (recorded_answer("cancel_of_no_job"), r"Cancel the job at http.*/core/jobs/7/, as a user who sees it\.$"),
        (cancelled(7), r"The job was cancelled\.$"),
    ],
)
def test_a_created_job_that_cannot_be_seen_is_an_error(server: Script, jobs: Jobs, answer: Answer, rest: str) -> None:
    server.answer(page(), created(7), page(), page(), answer)
    with pytest.raises(ProxboxError, match=rf"created the job 7, .* may not see it: .*core.view_job hides it.* {rest}"):
        present(jobs)
    assert cancel(7) in server.asked[-2:]


def test_absent_cancels_all_active_jobs(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY), row(6, **NIGHTLY)), cancelled(5), cancelled(6), page())
    outcome = absent(jobs)
    assert outcome.job is None and [job.id for job in outcome.cancelled] == [5, 6]
    assert server.asked == [ACTIVE, cancel(5), cancel(6), ACTIVE], "the first cancel shows whether the token may cancel"
    server.requests.clear()
    assert not absent(jobs).plan.changed
    assert server.asked == [ACTIVE]


def test_jobs_that_keep_changing_are_an_error(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_loop, "LOOKS", 2)
    ended = row(7, status="errored", scheduled="2026-04-10T10:00:00Z", interval=1440)
    server.answer(page(), created(7), *[page(), page(ended)] * 400)
    says = r"The jobs called 'nightly' keep changing\. After 2 checks, there is still something to do: no active job\. "
    with pytest.raises(ProxboxError, match=says) as told:
        present(jobs, Declare("nightly", interval=1440))
    assert server.requests.count(CREATE) == 1
    assert told.value.changed and str(told.value).endswith("Before that, job 7 was created.")


def test_a_job_that_never_shows_whether_it_is_a_sync_is_not_changed(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(5, status="running") | {"data": None}, row(7, **NIGHTLY)))
    assert present(jobs).job.id == 7


def test_a_job_that_another_task_cancels_is_created_again(server: Script, jobs: Jobs, row: Row) -> None:
    theirs = row(8, **HOURLY)
    gone = page(row(7, status="failed", error="Cancelled via API.", **NIGHTLY))
    new = row(9, **NIGHTLY)
    server.answer(page(), created(7), page(theirs), gone, page(theirs), created(9), page(new, theirs))
    server.answer(cancelled(8), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 9 and [job.id for job in outcome.cancelled] == [8]
    assert server.asked == [ACTIVE, CREATE, ACTIVE, get(7), ACTIVE, CREATE, ACTIVE, cancel(8), ACTIVE]


def test_absent_waits_for_a_running_sync_and_cancels_its_successor(server: Script, jobs: Jobs, row: Row) -> None:
    running, successor = row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)
    server.answer(page(running), task("started"), CANCELS, status(5, "running"), status(5, "completed"))
    server.answer(page(row(5, status="completed", **NIGHTLY)), page(), page(successor), cancelled(6), page())
    outcome = absent(jobs)
    assert [job.id for job in outcome.cancelled] == [6]
    assert server.asked == [ACTIVE, TASK, MAY_CANCEL, get(5), get(5), get(5), ACTIVE, ACTIVE, cancel(6), ACTIVE]


def test_a_task_does_not_wait_if_its_token_may_not_cancel_the_successor(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running", **NIGHTLY)), task("started"), DENIED)
    with pytest.raises(ProxboxError, match=r"core\.delete_job"):
        absent(jobs)
    assert server.asked == [ACTIVE, TASK, MAY_CANCEL]


def test_a_change_waits_for_a_running_sync_and_cancels_its_successor(server: Script, jobs: Jobs, row: Row) -> None:
    running, successor = row(5, status="running", **HOURLY), row(8, interval=60)
    new = row(7, **NIGHTLY)
    server.answer(page(running), task(None), CANCELS, created(7), page(new, running), status(5, "completed"))
    server.answer(page(row(5, status="completed", **HOURLY)), page(new), page(new, successor), cancelled(8), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and [job.id for job in outcome.cancelled] == [8]
    assert server.asked[3] == CREATE, "the new job is created first"


def test_when_running_cancel_cancels_a_running_sync(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running", **NIGHTLY)), task(None), cancelled(5), page())
    assert [job.id for job in absent(jobs, "cancel").cancelled] == [5]


@pytest.mark.parametrize("check_mode", [False, True])
def test_when_running_fail_fails_the_task_if_a_sync_runs(
    server: Script, jobs: Jobs, row: Row, check_mode: bool
) -> None:
    server.answer(page(row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)), task("started"))
    with pytest.raises(ProxboxError, match=r"is running \(job 5\), and nothing was changed: .* when_running to wait"):
        absent(jobs, "fail", check_mode=check_mode)
    assert server.asked == [ACTIVE, TASK]


def test_a_job_that_has_started_since_it_was_read_is_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    due = row(5, scheduled="2026-04-10T09:59:50Z", interval=1440)
    server.answer(page(due), status(5, "running"), status(5, "completed"))
    server.answer(page(row(5, status="completed", **NIGHTLY)), page(row(8, **NIGHTLY)), cancelled(8), page())
    assert [job.id for job in absent(jobs).cancelled] == [8]
    assert server.asked == [ACTIVE, get(5), get(5), get(5), ACTIVE, cancel(8), ACTIVE]


def test_a_job_that_has_started_since_it_was_read_fails_the_task(server: Script, jobs: Jobs, row: Row) -> None:
    due = row(5, scheduled="2026-04-10T09:59:50Z", interval=60)
    server.answer(page(due), status(5, "running"))
    with pytest.raises(ProxboxError, match=r"is running \(job 5\), and nothing was changed"):
        present(jobs, when_running="fail")
    assert server.asked == [ACTIVE, get(5)]


def test_a_run_that_appears_later_fails_the_task_and_the_new_job_is_cancelled(
    server: Script, jobs: Jobs, row: Row
) -> None:
    late = row(5, status="running", interval=60)
    server.answer(page(), created(7), page(row(7, **NIGHTLY), late), page(row(7, **NIGHTLY)), cancelled(7))
    with pytest.raises(ProxboxError, match=r"is running \(job 5\), and nothing was changed") as told:
        present(jobs, when_running="fail")
    assert server.asked[-1] == cancel(7) and not told.value.changed


def test_a_one_time_sync_that_ends_between_two_looks_is_not_run_again(server: Script, jobs: Jobs, row: Row) -> None:
    pending = {"status": "pending", "created": "2026-04-10T09:59:59Z"}
    server.answer(page(row(6, **pending), row(5, **pending)), status(6, "pending"), cancelled(6), page())
    server.answer(page(row(5, status="completed")))
    outcome = present(jobs, AT_ONCE)
    assert outcome.job.id == 5 and [job.id for job in outcome.cancelled] == [6]
    assert server.asked == [NEWEST, get(6), cancel(6), ACTIVE, get(5)]


def test_the_wait_for_a_run_ends_after_wait_timeout(server: Script, jobs: Jobs, row: Row) -> None:
    running = page(row(5, status="running", **NIGHTLY))
    server.answer(running, task(None), CANCELS, running)
    says = r"'nightly' \(job 5\) is still running after 0.05 s, and it was not cancelled: .* set when_running: cancel"
    with pytest.raises(ProxboxError, match=says):
        absent(jobs, wait_timeout=0.05)
    assert {text.split()[0] for text in server.requests} == {"GET", "OPTIONS"}


SETTINGS = "GET /api/plugins/proxbox/settings/?fields=..."
LIMIT = page({"id": 1, "sync_job_timeout": 7200})
"""The default time limit of a sync in netbox-proxbox 0.0.29."""
CREATED_ANEW = [ACTIVE, TASK, get(5), MAY_CANCEL, CREATE, ACTIVE, cancel(5), ACTIVE]


@pytest.mark.parametrize(
    ("started", "record", "why"),
    [
        ("2026-04-10T02:00:01Z", task("failed"), "NetBox shows it as running, but its RQ task is failed"),
        ("2026-04-10T02:00:01Z", task("lost"), "NetBox shows it as running, but its RQ task is lost"),
        (
            "2026-04-10T09:00:00Z",
            task("started", "2026-04-10T09:50:00Z"),
            "not reported since Fri 10 Apr 2026 09:50 UTC",
        ),
        (
            "2026-04-10T07:59:59Z",
            task(None),
            "running since Fri 10 Apr 2026 07:59:59 UTC, longer than 2 h (raise stale_after if it still works)",
        ),
    ],
)
def test_a_dead_run_is_replaced(server: Script, jobs: Jobs, row: Row, started: str, record: Answer, why: str) -> None:
    dead = row(5, started=started, **RUNNING)
    new = row(7, **NIGHTLY)
    asks_age = "stale_after" in why
    server.answer(page(dead), record, *([LIMIT] if asks_age else []), status(5, "running"), CANCELS)
    server.answer(created(7), page(new, dead), cancelled(5), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and [job.id for job in outcome.cancelled] == [5]
    assert why in outcome.plan.why[0]
    assert server.asked == [*CREATED_ANEW[:2], *([SETTINGS] if asks_age else []), *CREATED_ANEW[2:]]


@pytest.mark.parametrize(
    ("started", "answers", "asked"),
    [
        # It has been running for long, but its worker reports that it is still running.
        ("2026-04-10T02:00:01Z", [task("started", "2026-04-10T09:59:31Z")], [TASK]),
        ("2026-04-10T09:00:01Z", [task(None)], [TASK]),
        ("2026-04-10T08:00:01Z", [task(None), LIMIT], [TASK, SETTINGS]),
        ("2026-04-10T02:00:01Z", [task(None), page({"id": 1, "sync_job_timeout": 36000})], [TASK, SETTINGS]),
        (None, [task(None)], [TASK]),
    ],
)
def test_a_run_that_is_not_dead_is_kept(
    server: Script, jobs: Jobs, row: Row, started: str | None, answers: list[Answer], asked: list[str]
) -> None:
    server.answer(page(row(5, started=started, **RUNNING)), *answers)
    assert not present(jobs).plan.changed
    assert server.asked == [ACTIVE, *asked]


def test_a_run_that_ends_between_two_reads_is_not_dead(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, started="2026-04-10T09:59:00Z", **RUNNING)), task("finished"), status(5, "completed"))
    assert not present(jobs).plan.changed
    assert server.asked == [ACTIVE, TASK, get(5)]


def test_a_dead_run_does_not_count_as_running(server: Script, jobs: Jobs, row: Row) -> None:
    dead, new = row(5, started="2026-04-10T02:00:01Z", **RUNNING), row(7, **NIGHTLY)
    server.answer(page(dead), task("failed"), status(5, "running"), CANCELS, created(7), page(new, dead))
    server.answer(cancelled(5), page(new))
    assert present(jobs, when_running="fail").job.id == 7


def test_a_run_that_turns_out_to_be_dead_while_it_is_waited_for_is_cancelled(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = page(row(5, status="running", **NIGHTLY))
    server.answer(running, task("started"), CANCELS, status(5, "running"), running, task("failed"))
    server.answer(status(5, "running"), running, cancelled(5), page())
    outcome = absent(jobs, wait_timeout=0)
    assert [job.id for job in outcome.cancelled] == [5]
    assert server.asked[-3:] == [ACTIVE, cancel(5), ACTIVE]


def worker(*queues: str) -> dict[str, Any]:
    return {**recorded_rq("worker"), "queue_names": list(queues)}


OVERDUE = {**NIGHTLY, "scheduled": "2026-04-10T02:00:00Z"}


def test_an_overdue_job_that_rq_has_lost_is_replaced(server: Script, jobs: Jobs, row: Row) -> None:
    new = row(7, **NIGHTLY)
    replaced = [CANCELS, created(7), page(new, row(5, **OVERDUE)), cancelled(5), page(new)]
    server.answer(page(row(5, **OVERDUE)), page(worker("default")), task("lost"), status(5, "scheduled"), *replaced)
    outcome = present(jobs)
    assert outcome.job.id == 7 and outcome.warnings == ()
    assert server.asked == [ACTIVE, WORKERS, *CREATED_ANEW[1:]]


@pytest.mark.parametrize(
    ("answers", "requests", "warning"),
    [
        ([page(worker("high"))], [WORKERS], "no worker serves the queue 'default': start a worker for"),
        ([page(worker("default")), task("queued")], [WORKERS, TASK], None),
        ([page(worker("default")), task("scheduled")], [WORKERS, TASK], None),
        (
            [task(None), recorded_answer("status", **{"rq-workers-running": 0})],
            [WORKERS, RELEASE],
            "no worker is running: start a worker for the queue 'default'",
        ),
    ],
)
def test_an_overdue_job_that_waits_for_a_worker_is_kept(
    server: Script, jobs: Jobs, row: Row, answers: list[Answer], requests: list[str], warning: str | None
) -> None:
    server.answer(page(row(5, **OVERDUE)), *answers)
    outcome = present(jobs)
    assert not outcome.plan.changed
    assert len(outcome.warnings) == bool(warning) and (not warning or warning in outcome.warnings[0])
    assert server.asked == [ACTIVE, *requests]


def test_a_job_that_is_overdue_for_long_is_replaced_if_workers_run(server: Script, jobs: Jobs, row: Row) -> None:
    running = recorded_answer("status", **{"rq-workers-running": 2})
    old, new = row(5, **OVERDUE), row(7, **NIGHTLY)
    server.answer(page(old), task(None), running, LIMIT, status(5, "scheduled"), CANCELS)
    server.answer(created(7), page(new, old), cancelled(5), page(new))
    outcome = present(jobs)
    says = "due since Fri 10 Apr 2026 02:00 UTC, longer than 2 h (raise stale_after if it still works)"
    assert outcome.job.id == 7 and says in outcome.plan.why[0]


ENDED = "GET /api/core/jobs/?name=nightly&status=completed&status=errored&status=failed"
OLDER = f"{ENDED}&fields=...&limit=101"
MOVED = {**RUNNING, "scheduled": "2026-04-10T02:07:00.123456Z"}
"""A run that NetBox has moved, because the run before it was late."""


def test_a_schedule_that_netbox_has_moved_is_kept_while_it_runs(server: Script, jobs: Jobs, row: Row) -> None:
    before = row(4, status="completed", scheduled="2026-04-09T02:00:00Z", interval=1440)
    server.answer(page(row(5, **MOVED)), task("started"), page(before))
    outcome = present(jobs)
    assert not outcome.plan.changed and outcome.job.id == 5
    assert server.asked == [ACTIVE, TASK, OLDER]


def test_a_schedule_whose_time_was_changed_is_replaced_while_it_runs(server: Script, jobs: Jobs, row: Row) -> None:
    before = row(4, status="completed", scheduled="2026-04-09T02:07:00Z", interval=1440)
    new, running = row(7, **NIGHTLY), row(5, **MOVED)
    server.answer(page(running), task("started"), page(before), CANCELS, created(7), page(new, running))
    server.answer(status(5, "completed"), page(row(5, **{**MOVED, "status": "completed"})))
    server.answer(page(new, row(8, **NIGHTLY)), cancelled(8), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and outcome.plan.why[0].startswith(
        "job 5: its next run is Fri 10 Apr 2026 02:07 UTC, which"
    )
    asked = [ACTIVE, TASK, OLDER, MAY_CANCEL, CREATE, ACTIVE, get(5), get(5), ACTIVE, cancel(8), ACTIVE]
    assert server.asked == asked, "the older jobs are read once"


def test_the_older_jobs_of_a_schedule_are_read_once(server: Script, jobs: Jobs, row: Row) -> None:
    before = row(4, status="completed", scheduled="2026-04-09T02:07:00Z", interval=1440)
    new, running = row(7, **NIGHTLY), row(5, **MOVED)
    starting = row(9, status="running", started="2026-04-10T10:00:00Z", data=None)
    server.answer(page(running), task("started"), page(before), CANCELS, created(7))
    server.answer(*[page(starting, new, running)] * 2, page(new, running), cancelled(5), page(new))
    assert present(jobs, when_running="cancel").job.id == 7
    assert server.asked == [ACTIVE, TASK, OLDER, MAY_CANCEL, CREATE, *[ACTIVE] * 3, cancel(5), ACTIVE]


def test_only_the_newest_of_many_older_jobs_are_read(server: Script, jobs: Jobs, row: Row) -> None:
    rows = [
        row(job_id, status="completed", scheduled="2026-04-09T02:07:00Z", interval=1440)
        for job_id in range(201, 100, -1)
    ]
    server.answer(page(row(205, **MOVED)), task("started"), page(*rows))
    assert not present(jobs).plan.changed, "NetBox does not show the beginning of the schedule"
    assert server.asked == [ACTIVE, TASK, OLDER]


def test_a_sync_that_has_run_is_not_run_again_if_a_surplus_job_is_cancelled(
    server: Script, jobs: Jobs, row: Row
) -> None:
    server.answer(page(row(5, **NIGHTLY), row(3, status="completed")), cancelled(5), page())
    outcome = present(jobs, AT_ONCE)
    assert outcome.job.id == 3 and [job.id for job in outcome.cancelled] == [5]
    assert server.asked == [NEWEST, cancel(5), ACTIVE]


def once(schedule_at: str) -> Declare:
    return Declare("nightly", at=parse_at(schedule_at, parse_timezone("UTC")))


def test_an_active_job_is_found_if_there_are_many_newer_jobs(server: Script, jobs: Jobs, row: Row) -> None:
    # The active job is older than the ten newest jobs with its name.
    newest = [row(job_id, status="completed") for job_id in range(20, 9, -1)]
    server.answer(page(*newest), page(row(3, scheduled="2030-01-01T02:00:00Z")))
    assert present(jobs, once("2030-01-01 02:00")).job.id == 3
    assert server.asked == [NEWEST, ACTIVE]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_dated_job_that_never_started_is_not_cancelled(
    server: Script, jobs: Jobs, row: Row, check_mode: bool
) -> None:
    lost = row(5, scheduled="2026-04-10T02:00:00Z")
    server.answer(page(lost), page(worker("default")), task("lost"), status(5, "scheduled"))
    with pytest.raises(ProxboxError, match=r"has passed .* its RQ task is lost") as told:
        present(jobs, once("2026-04-10 02:00"), check_mode=check_mode)
    assert not told.value.changed and server.asked == [NEWEST, WORKERS, TASK, get(5)]


def test_other_jobs_do_not_hide_the_run_of_a_one_time_schedule(server: Script, jobs: Jobs, row: Row) -> None:
    scripts = [row(job_id, status="completed", **FOREIGN) for job_id in range(20, 9, -1)]
    server.answer(page(*scripts), page(), page(*scripts, row(3, status="completed")))
    outcome = present(jobs, AT_ONCE)
    assert outcome.job.id == 3 and not outcome.plan.changed
    assert CREATE not in server.asked


def test_the_run_of_a_one_time_schedule_is_found_if_there_are_many_newer_jobs(
    server: Script, jobs: Jobs, row: Row
) -> None:
    newest = [row(job_id, status="completed", **NIGHTLY) for job_id in range(20, 9, -1)]
    server.answer(page(*newest), page(), page(row(3, status="completed", scheduled="2026-04-10T02:00:00.250000Z")))
    outcome = present(jobs, once("2026-04-10 02:00"))
    assert outcome.job.id == 3 and not outcome.plan.changed
    times = "scheduled__after=2026-04-10T01%3A59%3A59Z&scheduled__before=2026-04-10T02%3A00%3A01Z"
    assert server.asked == [NEWEST, ACTIVE, f"{ENDED}&interval__empty=true&{times}&fields=...&limit=100"]
    server.answers[:] = [page(*newest), page(), page(row(3, status="completed"), row(2, status="errored"))]
    server.requests.clear()
    assert present(jobs, AT_ONCE).job.id == 3
    assert server.asked == [NEWEST, ACTIVE, f"{ENDED}&interval__empty=true&fields=...&limit=100"]


def test_older_jobs_are_read_page_after_page_until_the_run_is_found(server: Script, jobs: Jobs, row: Row) -> None:
    newest = [row(job_id, status="completed", **NIGHTLY) for job_id in range(320, 309, -1)]
    pages = [
        page(*(row(job_id, status="completed", sync_types=["devices"]) for job_id in range(300, 200, -1))),
        page(*(row(job_id, status="completed") for job_id in range(201, 100, -1))),
    ]
    for one in pages:
        one.body["count"] = 300
    server.answer(page(*newest), page(), *pages)
    assert present(jobs, AT_ONCE).job.id == 200
    assert [text.partition("&limit=")[2] for text in server.asked] == ["11", "", "100", "101&offset=99"]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (released(None), "does not have the plugin netbox-proxbox"),
        (released("0.0.10", netbox="4.7.0"), "0.0.10, .* upgrade"),
        (Answer("<html>", 404, "text/html"), "There is no NetBox API at"),
        (Answer("<html>", 200, "text/html"), "There is no NetBox API at"),
    ],
)
def test_a_missing_route_is_explained(server: Script, jobs: Jobs, status: Answer, says: str) -> None:
    server.answer(Answer("<html>", 404, "text/html"), status)
    with pytest.raises(ProxboxError, match=says):
        present(jobs)


@pytest.mark.parametrize(
    ("answers", "permission"),
    [
        ([DENIED], "core.view_job"),
        ([page(), recorded_answer("may_not_create")], "core.add_job"),
    ],
)
def test_the_error_names_the_missing_permission(
    server: Script, jobs: Jobs, answers: list[Answer], permission: str
) -> None:
    server.answer(*answers)
    with pytest.raises(ProxboxError, match=rf"lacks a permission.* Grant it the permission {permission}\."):
        present(jobs)


def test_an_unknown_sync_type_is_refused_with_the_list(server: Script, jobs: Jobs) -> None:
    goal = Declare("nightly", Scope(frozenset({"foo"})), AT_TWO, 1440)
    refusal = recorded_answer("not_created")
    server.answer(page(), refusal, RELEASED)
    with pytest.raises(
        ProxboxError, match=r'"foo" is not a valid choice.* 0.0.29.post6 takes .* all, backup-routines,'
    ):
        present(jobs, goal)
    server.requests.clear()
    server.answers[:] = [page(), RELEASED]
    (warning,) = present(jobs, goal, check_mode=True).warnings
    assert warning.startswith(
        "NetBox may refuse the sync types foo, and check mode cannot ask it. netbox-proxbox 0.0.29"
    )
    assert server.asked == [ACTIVE], "the release is known"


def test_a_job_that_another_task_cancels_at_the_same_moment_counts_as_cancelled(
    server: Script, jobs: Jobs, row: Row
) -> None:
    clash = Answer({"error": "duplicate key", "exception": "IntegrityError"}, 500)
    gone = row(5, **{**NIGHTLY, "status": "failed", "error": "Cancelled via API."})
    server.answer(page(row(5, **NIGHTLY)), clash, status(5, "failed"), page(gone), page())
    assert [job.id for job in absent(jobs).cancelled] == [5]
    server.answers[:] = [page(row(5, **NIGHTLY)), clash, status(5, "scheduled")]
    with pytest.raises(ProxboxError, match="IntegrityError"):
        absent(jobs)
    server.answers[:] = [page(row(5, **NIGHTLY)), recorded_answer("cancel_of_no_job"), page(), page()]
    assert [job.id for job in absent(jobs).cancelled] == [5]


def test_a_job_that_starts_while_it_is_cancelled_is_read_again(server: Script, jobs: Jobs, row: Row) -> None:
    refusal = recorded_answer("cancel_of_no_sync")
    starting = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY) | {"data": None}
    running, successor = row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)
    server.answer(page(row(5, **NIGHTLY)), refusal, page(starting), page(running), status(5, "completed"))
    server.answer(page(row(5, status="completed", **NIGHTLY)), page(successor), cancelled(6), page())
    assert [job.id for job in absent(jobs).cancelled] == [6], "the run is not cancelled, but its successor is"


def test_a_job_that_is_deleted_while_it_is_waited_for_counts_as_ended(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running", interval=None)), task(None), page(), page())
    outcome = absent(jobs)
    assert outcome.cancelled == () and not outcome.plan.changed
    assert server.asked == [ACTIVE, TASK, get(5), ACTIVE], "a run without a successor needs no permission to cancel"


def test_a_job_of_unknown_kind_is_not_changed_and_causes_a_warning(server: Script, jobs: Jobs, row: Row) -> None:
    # Its worker was killed before it wrote the data.
    untold = row(5, status="running", started="2026-04-10T09:00:00Z", **NIGHTLY) | {"data": None}
    server.answer(page(untold))
    outcome = absent(jobs)
    assert not outcome.plan.changed
    assert "NetBox does not show whether job 5 (nightly), which is running" in outcome.warnings[0]
    assert server.asked == [ACTIVE]


def test_a_run_that_is_just_starting_is_read_again(server: Script, jobs: Jobs, row: Row) -> None:
    starting = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY) | {"data": None}
    told = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY)
    server.answer(page(starting), page(told), task(None), cancelled(5), page())
    assert [job.id for job in absent(jobs, "cancel").cancelled] == [5]


def test_the_successor_of_a_run_that_ended_by_itself_is_cancelled_too(server: Script, jobs: Jobs, row: Row) -> None:
    running, successor = row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)
    server.answer(page(running), task(None), too_late(5), page(row(5, status="completed")), page())
    server.answer(page(successor), cancelled(6), page())
    assert [job.id for job in absent(jobs, "cancel").cancelled] == [6]
