# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans carried out: every request of a run, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _engine, _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import (
    Wanted,
    plan_absent,
    plan_present,
    read_wanted,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.plugins.module_utils._wait import Waiting
from ansible_collections.proxbox.proxbox.tests.unit.conftest import DATE, Answer, Script, page, recorded

LIVING = "GET /api/core/jobs/?name=nightly&status=scheduled&status=pending&status=running&fields=..."
NEWEST = "GET /api/core/jobs/?name=nightly&fields=..."
UNDERWAY = "GET /api/core/jobs/?status=pending&status=running&fields=..."
RELEASE = "GET /api/status/"
CREATE = "POST /api/plugins/proxbox/sync/schedule/"
TASK = "GET /api/core/background-tasks/5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55/"
Row = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "LOOKS", 5)
    monkeypatch.setattr(_engine.time, "sleep", lambda seconds: None)


@pytest.fixture
def jobs(server: Script) -> Jobs:
    return Jobs(Session(Connection(server.url, "0" * 40, timeout=5)))


def cancelled(job_id: int, detail: str = "Job has been cancelled.") -> Answer:
    return Answer({"ok": True, "job_id": job_id, "status": "failed", "detail": detail}, headers=DATE)


def task(status: str | None, heartbeat: str | None = None) -> Answer:
    """RQ's record of a job; None when the token may not read it, ``lost`` when there is none."""
    if status is None:
        return Answer({"detail": "You do not have permission to perform this action."}, 403, headers=DATE)
    if status == "lost":
        body = {"error": "No such job: rq:job:5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55", "exception": "NoSuchJobError"}
        return Answer(body, 500, headers=DATE)
    return Answer({"status": status, "last_heartbeat": heartbeat}, headers=DATE)


RELEASED = Answer({"netbox-version": "4.7.3", "plugins": {"netbox_proxbox": "0.0.29.post6"}}, headers=DATE)


def created(job_id: int) -> Answer:
    return Answer({"ok": True, "job_id": job_id, "message": "Sync job scheduled."}, 201, headers=DATE)


def wanted(**words: Any) -> Wanted:
    defaults = {
        "name": "nightly",
        "sync_types": ["all"],
        "schedule_at": "02:00",
        "interval": "daily",
        "timezone": "UTC",
    }
    return read_wanted(**{**defaults, **words})


def present(jobs: Jobs, target: Wanted | None = None, check_mode: bool = False) -> _engine.TaskResult:
    target = target or wanted()
    return _engine.reconcile(
        jobs, "nightly", lambda seen, now: plan_present(target, seen, now), history=target.once, check_mode=check_mode
    )


OF_ALL = {"proxbox_sync": {"params": {"sync_types": ["all"]}}}
NIGHTLY = {"scheduled": "2026-04-11T02:00:00Z", "interval": 1440}


def test_a_no_op_is_one_get(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)))
    outcome = present(jobs)
    assert not outcome.plan.changed and outcome.job.id == 5
    assert server.asked == [LIVING]


def test_a_create_is_get_post_get(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, **NIGHTLY)))
    outcome = present(jobs)
    assert outcome.plan.changed and outcome.job.id == 7
    assert server.asked == [LIVING, CREATE, LIVING]
    assert server.bodies[1] == {
        "sync_types": ["all"],
        "job_name": "nightly",
        "schedule_at": "2026-04-11T02:00:00Z",
        "interval_value": 1440,
        "interval_unit": "minutes",
    }


@pytest.mark.parametrize("seen", [[], [5], [5, 6], [4, 5]])
def test_check_mode_writes_nothing_and_predicts(server: Script, jobs: Jobs, row: Row, seen: list[int]) -> None:
    server.answer(
        page(*(row(job_id, interval=60 if job_id == 4 else 1440, scheduled=NIGHTLY["scheduled"]) for job_id in seen)),
        RELEASED,
    )
    outcome = present(jobs, check_mode=True)
    assert outcome.plan.changed is (seen != [5])
    # It cannot find out by trying that the plugin is missing, or too old to cancel over the API.
    assert server.asked == ([LIVING, RELEASE] if outcome.plan.changed else [LIVING])


def test_a_change_creates_before_it_cancels(server: Script, jobs: Jobs, row: Row) -> None:
    old, new = row(5, **{**NIGHTLY, "interval": 60}), row(7, **NIGHTLY)
    server.answer(page(old), RELEASED, created(7), page(new, old), cancelled(5), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and [job.id for job in outcome.cancelled] == [5]
    assert server.asked == [LIVING, RELEASE, CREATE, LIVING, "POST /api/plugins/proxbox/jobs/5/cancel/", LIVING]


def test_a_change_whose_new_job_cannot_be_seen_leaves_the_old_one(server: Script, jobs: Jobs, row: Row) -> None:
    old = row(5, **{**NIGHTLY, "interval": 60})
    server.answer(page(old), RELEASED, created(7), page(old), page(), cancelled(7))
    with pytest.raises(ProxboxError, match=r"may not see it.*The job was cancelled"):
        present(jobs)
    assert "POST /api/plugins/proxbox/jobs/5/cancel/" not in server.asked


def test_what_was_written_before_a_failure_is_told(server: Script, jobs: Jobs, row: Row) -> None:
    old, new = row(5, **{**NIGHTLY, "interval": 60}), row(7, **NIGHTLY)
    refusal = Answer({"detail": "You do not have permission to perform this action."}, 403)
    server.answer(page(old), RELEASED, created(7), page(new, old), refusal)
    with pytest.raises(ProxboxError, match=r"core\.delete_job.* Before that, job 7 was created: look at them") as told:
        present(jobs)
    assert told.value.changed


def test_what_two_controllers_created_at_once_goes_down_to_one(server: Script, jobs: Jobs, row: Row) -> None:
    both = page(row(7, **NIGHTLY), row(6, **NIGHTLY))
    server.answer(page(), created(7), both, cancelled(7), page(row(6, **NIGHTLY)))
    assert present(jobs).job.id == 6
    assert server.asked == [LIVING, CREATE, LIVING, "POST /api/plugins/proxbox/jobs/7/cancel/", LIVING]


def test_what_was_created_a_moment_ago_yields_at_once_though_it_runs(server: Script, jobs: Jobs, row: Row) -> None:
    both = page(row(7, **RUNNING), row(6, **NIGHTLY))
    server.answer(page(), created(7), both, cancelled(7), page(row(6, **NIGHTLY)))
    assert present(jobs).job.id == 6
    assert server.asked == [LIVING, CREATE, LIVING, "POST /api/plugins/proxbox/jobs/7/cancel/", LIVING]


def test_a_run_whose_data_is_null_is_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    starting = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY) | {"data": None}
    known = row(5, status="running", **NIGHTLY)
    server.answer(
        page(), created(7), page(starting, row(7, **NIGHTLY)), page(known, row(7, **NIGHTLY)), cancelled(7), page(known)
    )
    outcome = present(jobs)
    assert outcome.job.id == 5 and outcome.cancelled == ()
    assert server.asked[-2:] == ["POST /api/plugins/proxbox/jobs/7/cancel/", LIVING]


def test_a_run_that_ends_at_once_is_not_created_again(server: Script, jobs: Jobs, row: Row) -> None:
    once = wanted(schedule_at=None, interval=None)
    server.answer(page(), created(7), page(), page(row(7, status="errored", scheduled=None)))
    outcome = present(jobs, once)
    assert outcome.job.status == "errored"
    assert server.asked == [NEWEST, CREATE, LIVING, "GET /api/core/jobs/?id=7&fields=..."]


def test_a_recurring_run_that_ends_at_once_has_its_successor_awaited(server: Script, jobs: Jobs, row: Row) -> None:
    ended = row(7, status="errored", scheduled="2026-04-10T10:00:00Z", interval=1440)
    successor = row(8, scheduled="2026-04-11T10:00:00Z", interval=1440)
    server.answer(page(), created(7), page(), page(ended), page(successor), page(ended))
    assert present(jobs, wanted(schedule_at=None)).job.id == 8


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        (Answer({"detail": "Not found."}, 404), r"Cancel the job at http.*/core/jobs/7/, as a user who sees it\.$"),
        (cancelled(7), r"The job was cancelled\.$"),
    ],
)
def test_what_was_created_and_cannot_be_seen_is_an_error(server: Script, jobs: Jobs, answer: Answer, rest: str) -> None:
    server.answer(page(), created(7), page(), page(), answer)
    with pytest.raises(ProxboxError, match=rf"created the job 7, .* may not see it: .*core.view_job hides it.* {rest}"):
        present(jobs)
    assert "POST /api/plugins/proxbox/jobs/7/cancel/" in server.asked[-2:]


def test_absent(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY), row(6, **NIGHTLY)), cancelled(5), cancelled(6), page())
    outcome = _engine.reconcile(jobs, "nightly", lambda seen, now: plan_absent("nightly", seen))
    assert outcome.job is None and [job.id for job in outcome.cancelled] == [5, 6]
    server.requests.clear()
    assert not _engine.reconcile(jobs, "nightly", lambda seen, now: plan_absent("nightly", seen)).plan.changed
    assert server.asked == [LIVING]


def test_what_never_settles_is_told(server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "LOOKS", 2)
    ended = row(7, status="errored", scheduled="2026-04-10T10:00:00Z", interval=1440)
    server.answer(page(), created(7), *[page(), page(ended)] * 400)
    with pytest.raises(ProxboxError, match=r"does not settle.* no living member"):
        present(jobs, wanted(schedule_at=None))
    assert server.requests.count(CREATE) == 1


def test_a_job_that_is_never_known_to_be_a_sync_is_left_alone(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "LOOKS", 2)
    server.answer(page(), created(7), page(row(5, status="running") | {"data": None}, row(7, **NIGHTLY)))
    assert present(jobs).job.id == 7


@pytest.mark.parametrize(
    "lost",
    [Answer(hang_up=True), Answer("<html>", 502, "text/html"), Answer("", 504), Answer('{"ok": true, "jo', 201)],
)
def test_a_create_whose_answer_is_lost_is_not_sent_again(server: Script, jobs: Jobs, row: Row, lost: Answer) -> None:
    # The server has acted: the job is there, and one of another scope too, which is somebody else's.
    theirs = row(6, sync_types=["devices"], **NIGHTLY)
    server.answer(page(), lost, page(), page(theirs, row(7, **NIGHTLY)), page(row(7, **NIGHTLY)))
    outcome = present(jobs)
    assert outcome.job.id == 7
    since = "GET /api/core/jobs/?name=nightly&created__after=2026-04-10T09%3A59%3A58Z&fields=..."
    assert server.asked == [LIVING, CREATE, since, since, LIVING]


def test_a_create_that_never_arrived_is_told(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "ARRIVAL", 0.05)
    server.answer(page(), Answer(hang_up=True), page())
    with pytest.raises(ProxboxError, match=r"NetBox shows no such job after .* was not sent again: run the task again"):
        present(jobs)
    assert server.requests.count(CREATE) == 1


def test_a_create_that_was_refused_is_not_looked_for(server: Script, jobs: Jobs) -> None:
    server.answer(page(), Answer({"detail": "no"}, 500))
    with pytest.raises(ProxboxError, match="HTTP 500"):
        present(jobs)
    assert server.asked == [LIVING, CREATE]


def absent(jobs: Jobs, when_running: str, check_mode: bool = False, wait_timeout: float = 60) -> _engine.TaskResult:
    return _engine.reconcile(
        jobs,
        "nightly",
        lambda seen, now: plan_absent("nightly", seen),
        when_running=when_running,
        wait_timeout=wait_timeout,
        check_mode=check_mode,
    )


POLL = "GET /api/core/jobs/?id=5&fields=..."


def test_a_running_sync_may_end_and_its_successor_goes(server: Script, jobs: Jobs, row: Row) -> None:
    running, successor = row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)
    ended = page({"id": 5, "status": {"value": "completed"}})
    seen = [page(running), task("started"), page(running), ended, page(), page(successor), cancelled(6), page()]
    server.answer(*seen)
    outcome = absent(jobs, "wait")
    assert [job.id for job in outcome.cancelled] == [6]
    assert server.asked == [
        LIVING,
        TASK,
        POLL,
        POLL,
        LIVING,
        LIVING,
        "POST /api/plugins/proxbox/jobs/6/cancel/",
        LIVING,
    ]


def test_a_changed_schedule_lets_its_run_end_too(server: Script, jobs: Jobs, row: Row) -> None:
    running, successor = row(5, status="running", **{**NIGHTLY, "interval": 60}), row(8, interval=60)
    new = row(7, **NIGHTLY)
    ended = page({"id": 5, "status": {"value": "completed"}})
    both = page(new, running)
    seen = [page(running), task(None), RELEASED, created(7), both, ended, page(new), page(new, successor)]
    server.answer(*seen, cancelled(8), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and [job.id for job in outcome.cancelled] == [8]
    assert server.asked[3] == CREATE, "the new one comes first"


def test_a_running_sync_is_cancelled_when_asked(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running", **NIGHTLY)), task(None), cancelled(5), page())
    assert [job.id for job in absent(jobs, "cancel").cancelled] == [5]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_running_sync_fails_the_task_when_asked(server: Script, jobs: Jobs, row: Row, check_mode: bool) -> None:
    server.answer(page(row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)), task("started"), RELEASED)
    with pytest.raises(ProxboxError, match=r"is running \(job 5\), and nothing was changed"):
        absent(jobs, "fail", check_mode)
    assert server.asked == [LIVING, TASK, *([RELEASE] if check_mode else [])]


def status(job_id: int, value: str) -> Answer:
    return page({"id": job_id, "status": {"value": value}})


def test_one_that_has_started_since_it_was_seen_is_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    due = row(5, scheduled="2026-04-10T09:59:50Z", interval=1440)
    server.answer(
        page(due),
        status(5, "running"),
        status(5, "completed"),
        page(row(8, **NIGHTLY)),
        cancelled(8),
        page(),
    )
    assert [job.id for job in absent(jobs, "wait").cancelled] == [8]


def test_one_that_has_started_since_it_was_seen_fails_the_task(server: Script, jobs: Jobs, row: Row) -> None:
    due = row(5, scheduled="2026-04-10T09:59:50Z", interval=60)
    server.answer(page(due), RELEASED, status(5, "running"))
    with pytest.raises(ProxboxError, match=r"is running \(job 5\), and nothing was changed"):
        present_with(jobs, when_running="fail")
    assert all(text.startswith("GET") for text in server.requests)


def test_a_run_that_shows_itself_late_fails_the_task_and_nothing_stays(server: Script, jobs: Jobs, row: Row) -> None:
    late = row(5, status="running", interval=60)
    server.answer(page(), created(7), page(row(7, **NIGHTLY), late), page(row(7, **NIGHTLY)), cancelled(7))
    with pytest.raises(ProxboxError, match=r"is running \(job 5\), and nothing was changed"):
        present_with(jobs, when_running="fail")
    assert server.asked[-1] == "POST /api/plugins/proxbox/jobs/7/cancel/"


def test_what_is_to_run_once_and_ends_between_two_looks_is_not_run_again(server: Script, jobs: Jobs, row: Row) -> None:
    pending = {"status": "pending", "scheduled": None, "interval": None, "created": "2026-04-10T09:59:59Z"}
    ended = page(
        row(6, **{**pending, "status": "failed", "error": "Cancelled via API."}),
        row(5, **{**pending, "status": "completed"}),
    )
    server.answer(page(row(6, **pending), row(5, **pending)), status(6, "pending"), cancelled(6), page(), ended)
    outcome = present(jobs, wanted(schedule_at=None, interval=None))
    assert outcome.job.id == 5 and [job.id for job in outcome.cancelled] == [6]
    assert CREATE not in server.asked


def present_with(jobs: Jobs, **options: Any) -> _engine.TaskResult:
    return _engine.reconcile(jobs, "nightly", lambda seen, now: plan_present(wanted(), seen, now), **options)


def test_the_wait_for_a_run_ends(server: Script, jobs: Jobs, row: Row) -> None:
    running = page(row(5, status="running", **NIGHTLY))
    server.answer(running, task(None), running)
    with pytest.raises(ProxboxError, match=r"still running after 0.05 s.* choose when_running: cancel"):
        absent(jobs, "wait", wait_timeout=0.05)
    assert all(text.startswith("GET") for text in server.requests)


RUNNING = {**NIGHTLY, "status": "running", "scheduled": "2026-04-10T02:00:00Z"}
SETTINGS = "GET /api/plugins/proxbox/settings/?fields=..."
LIMIT = page({"id": 1, "sync_job_timeout": 7200})
"""How long a sync may run, as netbox-proxbox 0.0.29 says by default."""
CREATED_ANEW = [LIVING, TASK, POLL, RELEASE, CREATE, LIVING, "POST /api/plugins/proxbox/jobs/5/cancel/", LIVING]


@pytest.mark.parametrize(
    ("started", "record", "why"),
    [
        ("2026-04-10T02:00:01Z", task("failed"), "NetBox shows it as running, but its RQ task is failed"),
        ("2026-04-10T02:00:01Z", task("lost"), "NetBox shows it as running, but its RQ task is lost"),
        ("2026-04-10T09:00:00Z", task("started", "2026-04-10T09:50:00Z"), "its worker has not reported since 2026"),
        (
            "2026-04-10T07:59:59Z",
            task(None),
            "running since 2026-04-10T07:59:59Z, longer than 2 h (raise stale_after if it still works)",
        ),
    ],
)
def test_a_dead_run_is_replaced(server: Script, jobs: Jobs, row: Row, started: str, record: Answer, why: str) -> None:
    dead = row(5, started=started, **RUNNING)
    new = row(7, **NIGHTLY)
    asks_age = "stale_after" in why
    server.answer(page(dead), record, *([LIMIT] if asks_age else []), status(5, "running"), RELEASED)
    server.answer(created(7), page(new, dead), cancelled(5), page(new))
    outcome = present(jobs)
    assert outcome.job.id == 7 and [job.id for job in outcome.cancelled] == [5]
    assert why in outcome.plan.why[0]
    assert server.asked == [*CREATED_ANEW[:2], *([SETTINGS] if asks_age else []), *CREATED_ANEW[2:]]


@pytest.mark.parametrize(
    ("started", "answers", "asked"),
    [
        # It runs long, but its worker says that it goes on.
        ("2026-04-10T02:00:01Z", [task("started", "2026-04-10T09:59:31Z")], [TASK]),
        ("2026-04-10T09:00:01Z", [task(None)], [TASK]),
        ("2026-04-10T08:00:01Z", [task(None), LIMIT], [TASK, SETTINGS]),
        ("2026-04-10T02:00:01Z", [task(None), page({"id": 1, "sync_job_timeout": 36000})], [TASK, SETTINGS]),
        (None, [task(None)], [TASK]),
    ],
)
def test_a_run_that_lives_is_left_alone(
    server: Script, jobs: Jobs, row: Row, started: str | None, answers: list[Answer], asked: list[str]
) -> None:
    server.answer(page(row(5, started=started, **RUNNING)), *answers)
    assert not present(jobs).plan.changed
    assert server.asked == [LIVING, *asked]


@pytest.mark.parametrize("status", [403, 404])
def test_two_hours_count_where_the_setting_cannot_be_read(server: Script, jobs: Jobs, status: int) -> None:
    server.answer(Answer({"detail": "no"}, status, headers=DATE))
    assert jobs.longest_sync == timedelta(hours=2)


def test_a_run_that_ends_between_two_reads_is_not_dead(server: Script, jobs: Jobs, row: Row) -> None:
    ended = page({"id": 5, "status": {"value": "completed"}})
    server.answer(page(row(5, started="2026-04-10T09:59:00Z", **RUNNING)), task("finished"), ended)
    assert not present(jobs).plan.changed
    assert server.asked == [LIVING, TASK, POLL]


def worker(*queues: str) -> dict[str, Any]:
    return {"name": "w", "state": "idle", "queue_names": list(queues)}


OVERDUE = {**NIGHTLY, "scheduled": "2026-04-10T02:00:00Z"}
WORKERS = "GET /api/core/background-workers/?limit=0"
STATUS = "GET /api/status/"


def test_an_overdue_member_that_rq_lost_is_replaced(server: Script, jobs: Jobs, row: Row) -> None:
    still = page({"id": 5, "status": {"value": "scheduled"}})
    serving = page(worker("default"))
    new = row(7, **NIGHTLY)
    replaced = [RELEASED, created(7), page(new, row(5, **OVERDUE)), cancelled(5), page(new)]
    server.answer(page(row(5, **OVERDUE)), serving, task("lost"), still, *replaced)
    outcome = present(jobs)
    assert outcome.job.id == 7 and outcome.warnings == ()
    assert server.asked == [LIVING, WORKERS, *CREATED_ANEW[1:]]


@pytest.mark.parametrize(
    ("answers", "requests", "warning"),
    [
        ([page(worker("high"))], [WORKERS], "no worker serves the queue 'default': start a worker for"),
        ([page(worker("default")), task("queued")], [WORKERS, TASK], None),
        (
            [task(None), Answer({"rq-workers-running": 0}, headers=DATE)],
            [WORKERS, STATUS],
            "no worker is running: start a worker for the queue 'default'",
        ),
    ],
)
def test_an_overdue_member_that_waits_for_a_worker_stays(
    server: Script, jobs: Jobs, row: Row, answers: list[Answer], requests: list[str], warning: str | None
) -> None:
    server.answer(page(row(5, **OVERDUE)), *answers)
    outcome = present(jobs, wanted(repair_drift=False))
    assert not outcome.plan.changed
    assert len(outcome.warnings) == bool(warning) and (not warning or warning in outcome.warnings[0])
    assert server.asked == [LIVING, *requests]


def test_an_overdue_member_is_replaced_by_age_when_workers_run(server: Script, jobs: Jobs, row: Row) -> None:
    running = Answer({"rq-workers-running": 2}, headers=DATE)
    old, new = row(5, **OVERDUE), row(7, **NIGHTLY)
    server.answer(page(old), task(None), running, LIMIT, status(5, "scheduled"), RELEASED)
    server.answer(created(7), page(new, old), cancelled(5), page(new))
    outcome = present(jobs)
    assert (
        outcome.job.id == 7
        and "due since 2026-04-10T02:00:00Z, longer than 2 h (raise stale_after if it still works)"
        in outcome.plan.why[0]
    )


ENDED = "GET /api/plugins/proxbox/sync-jobs/?name=nightly&status=completed&status=errored&status=failed"
ENDED += "&started__after=1970-01-01T00%3A00%3A00Z&limit=10"


def test_a_report_is_a_get_for_all_one_for_the_workers_and_one_for_each(server: Script, jobs: Jobs, row: Row) -> None:
    once_now = row(8, name="by hand", status="pending", created="2026-04-10T09:59:59Z")
    ran = row(3, status="completed", started="2026-04-10T02:00:00Z", completed="2026-04-10T02:00:48Z")
    server.answer(page(row(5, **NIGHTLY), once_now), page(ran), page(worker("default")))
    (found,) = _engine.report(jobs, None, history=10, stale_after=timedelta(hours=2))
    assert found.result()["health"] == "ok" and found.result()["last_run"]["duration"] == 48
    assert server.asked == [ALL, ENDED, WORKERS]


def test_a_report_of_a_schedule_that_is_just_starting(server: Script, jobs: Jobs, row: Row) -> None:
    starting = row(5, data=None, **{**RUNNING, "started": "2026-04-10T10:00:00Z"})
    server.answer(page(starting), page(starting | {"data": row(5)["data"]}), task(None))
    server.answer(Answer({"rq-workers-running": 1}, headers=DATE))
    (found,) = _engine.report(jobs, "nightly", history=0, stale_after=timedelta(hours=2))
    assert found.result()["health"] == "ok" and found.job.id == 5
    assert server.asked == [LIVING, LIVING, TASK, STATUS]


def test_workers_are_for_superusers(server: Script, jobs: Jobs) -> None:
    server.answer(task(None), Answer({"rq-workers-running": 3}, headers=DATE))
    with pytest.raises(ProxboxError, match=r"HTTP 403.*to superusers only\. Workers that run: 3\."):
        jobs.rq.workers()
    assert server.asked == [WORKERS, STATUS]


ALL = "GET /api/core/jobs/?status=scheduled&status=pending&status=running&fields=..."


def many(jobs: Jobs, *names: str, **options: Any) -> dict[str, Any]:
    target = wanted()
    decisions = {name: (partial(plan_present, replace(target, name=name)), False) for name in names}
    return _engine.reconcile_many(jobs, decisions, **options)


def test_many_unchanged_are_one_get(server: Script, jobs: Jobs, row: Row) -> None:
    names = [f"schedule {number}" for number in range(100)]
    server.answer(page(*(row(number, name=name, **NIGHTLY) for number, name in enumerate(names, 1))))
    outcomes = many(jobs, *names)
    assert not any(outcome.plan.changed for outcome in outcomes.values())
    assert server.asked == [ALL]


def test_one_of_many_that_fails_does_not_stop_the_others(server: Script, jobs: Jobs, row: Row) -> None:
    refusal = Answer({"errors": {"job_name": ["No."]}}, 400, headers=DATE)
    server.answer(page(row(5, name="b", **NIGHTLY)), refusal, created(7), page(row(7, name="c", **NIGHTLY)))
    outcomes = many(jobs, "a", "b", "c")
    assert isinstance(outcomes["a"], ProxboxError)
    assert outcomes["b"].job.id == 5 and outcomes["c"].job.id == 7


def test_what_is_not_listed_ends_when_asked(server: Script, jobs: Jobs, row: Row) -> None:
    seen = page(
        row(5, name="listed", **NIGHTLY),
        row(6, name="other", **NIGHTLY),
        row(7, name="tmp 1", **NIGHTLY),
        row(8, name="by hand", status="running"),
    )
    server.answer(seen)
    assert not many(jobs, "listed", purge=None)["listed"].plan.changed
    server.answers[:] = [seen, cancelled(6), page()]
    outcomes = many(jobs, "listed", purge=lambda name: not name.startswith("tmp"))
    assert list(outcomes) == ["listed", "other"]
    assert [job.id for job in outcomes["other"].cancelled] == [6]
    server.answers[:] = [seen, RELEASED]
    server.requests.clear()
    assert many(jobs, "listed", purge=lambda name: True, check_mode=True)["tmp 1"].plan.changed
    assert {*server.asked} == {ALL, RELEASE}


def test_a_sync_that_has_run_is_not_run_again_for_a_surplus_member(server: Script, jobs: Jobs, row: Row) -> None:
    once = wanted(schedule_at=None, interval=None)
    server.answer(page(row(5, **NIGHTLY), row(3, status="completed")), cancelled(5), page())
    outcome = present(jobs, once)
    assert outcome.job.id == 3 and [job.id for job in outcome.cancelled] == [5]
    assert server.asked == [NEWEST, "POST /api/plugins/proxbox/jobs/5/cancel/", LIVING]


def test_a_one_time_schedule_with_a_long_history(server: Script, jobs: Jobs, row: Row) -> None:
    # The living member is older than the ten newest jobs of that name.
    once = wanted(schedule_at="2030-01-01 02:00", interval=None)
    newest = [row(job_id, status="completed") for job_id in range(20, 10, -1)]
    server.answer(page(*newest), page(row(3, scheduled="2030-01-01T02:00:00Z")))
    assert present(jobs, once).job.id == 3
    assert server.asked == [NEWEST, LIVING]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Answer({"netbox-version": "4.7.3", "plugins": {}}), "does not have the plugin netbox-proxbox"),
        (Answer({"netbox-version": "4.7.0", "plugins": {"netbox_proxbox": "0.0.10"}}), "0.0.10, .* upgrade"),
        (Answer("<html>", 404, "text/html"), "There is no NetBox API at"),
        (Answer("<html>", 200, "text/html"), "There is no NetBox API at"),
    ],
)
def test_a_route_that_is_missing(server: Script, jobs: Jobs, status: Answer, says: str) -> None:
    server.answer(Answer("<html>", 404, "text/html"), status)
    with pytest.raises(ProxboxError, match=says):
        present(jobs)


@pytest.mark.parametrize(
    ("answers", "permission"),
    [
        ([Answer({"detail": "You do not have permission to perform this action."}, 403)], "core.view_job"),
        ([page(), Answer({"detail": "You do not have permission to enqueue sync jobs."}, 403)], "core.add_job"),
        (
            [
                page(
                    {
                        "id": 5,
                        "name": "nightly",
                        "status": {"value": "scheduled"},
                        "interval": 60,
                        "data": {"proxbox_sync": {}},
                    }
                ),
                RELEASED,
                created(7),
                page(
                    {"id": 7, "name": "nightly", "status": {"value": "scheduled"}, "data": OF_ALL, **NIGHTLY},
                    {"id": 5, "name": "nightly", "status": {"value": "scheduled"}, "data": {"proxbox_sync": {}}},
                ),
                Answer({"detail": "You do not have permission to perform this action."}, 403),
            ],
            "core.delete_job",
        ),
    ],
)
def test_the_permission_is_named(server: Script, jobs: Jobs, answers: list[Answer], permission: str) -> None:
    server.answer(*answers)
    with pytest.raises(ProxboxError, match=rf"lacks a permission.* Grant it the permission {permission}\."):
        present(jobs)


def test_an_unknown_sync_type_is_refused_with_the_list(server: Script, jobs: Jobs) -> None:
    refusal = Answer({"errors": {"sync_types": {"0": ['"foo" is not a valid choice.']}}}, 400)
    server.answer(page(), refusal)
    with pytest.raises(ProxboxError, match=r'"foo" is not a valid choice.* all, backup-routines, devices'):
        present(jobs, wanted(sync_types=["foo"]))
    server.requests.clear()
    server.answers[:] = [page(), RELEASED]
    (warning,) = present(jobs, wanted(sync_types=["foo"]), check_mode=True).warnings
    assert "may refuse sync_types foo" in warning
    assert server.asked == [LIVING, RELEASE]


ENDPOINTS = page(
    {"id": 1, "name": "pve-lab", "enabled": True},
    {"id": 2, "name": "pve-spare", "enabled": False},
    {"id": 3, "name": "2"},
)


def test_endpoints_by_name(server: Script, jobs: Jobs) -> None:
    assert jobs.endpoint_ids("proxmox", ["3", " 12 "]) == {3, 12}
    assert server.requests == []
    server.answer(ENDPOINTS)
    assert jobs.endpoint_ids("proxmox", ["pve-lab", "3"]) == {1, 3}
    assert len(server.requests) == 1
    for name, says in (
        ("nope", "'nope' is no Proxmox endpoint .* pve-lab .1., pve-spare .2."),
        ("pve-spare", "is disabled"),
    ):
        with pytest.raises(ProxboxError, match=says):
            jobs.endpoint_ids("proxmox", [name])
    assert len(server.requests) == 1, "one look serves them all"


def test_endpoint_ids_are_looked_at_before_a_create(server: Script, jobs: Jobs) -> None:
    new = NewJob("x", Scope(netbox_endpoints=frozenset({9})))
    server.answer(page(), ENDPOINTS)
    with pytest.raises(ProxboxError, match="'9' is no NetBox endpoint"):
        _engine.run_job(jobs, new, waiting=None)
    assert [text.split()[0] for text in server.requests] == ["GET", "GET"]


POLL7 = "GET /api/core/jobs/?id=7&fields=..."


def polled(status: str) -> Answer:
    return page({"id": 7, "status": {"value": status}})


def test_waiting_reads_neither_data_nor_log_and_no_log_after_a_success(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, status="pending")))
    server.answer(polled("pending"), polled("running"), polled("completed"), page(row(7, status="completed")))
    result = _engine.run_job(jobs, NewJob("nightly", Scope()), waiting=Waiting(60, 1))
    assert result.job.succeeded and result.job.log_entries is None
    assert server.asked == [UNDERWAY, CREATE, POLL7, POLL7, POLL7, POLL7, POLL7]
    assert [text.partition("fields=")[2].partition("&")[0] for text in server.requests[3:6]] == ["id%2Cstatus"] * 3
    assert not any("log_entries" in text for text in server.requests)


def test_the_log_is_read_once_where_something_is_missing(server: Script, jobs: Jobs) -> None:
    whole = recorded("backups_500_beside")
    untold = {key: value for key, value in whole.items() if key != "log_entries"}
    server.answer(page(), created(7), page(untold), polled("completed"), page(untold), page(whole))
    result = _engine.run_job(jobs, NewJob("x", Scope(frozenset({"devices", "vm-backups"}))), waiting=Waiting(60, 1))
    assert result.job.outcome.stages[1].error == "HTTP 500: no space left on device"
    assert ["log_entries" in text for text in server.requests] == [False] * 5 + [True]


def test_a_job_that_exists_is_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    ended = page(row(7, status="completed"))
    server.answer(page(row(7, status="running")), polled("running"), polled("completed"), ended)
    result = _engine.await_job(jobs, 7, waiting=Waiting(60, 1))
    assert result.waited and not result.plan.changed and result.job.succeeded
    assert server.asked == [POLL7] * 4


def test_a_wait_outlasts_a_restart_of_netbox(server: Script, jobs: Jobs, row: Row) -> None:
    away = Answer("<html>", 502, "text/html")
    ended = page(row(7, status="completed"))
    server.answer(page(), created(7), page(row(7, status="running")), *[away] * 8, Answer(hang_up=True), ended)
    assert _engine.run_job(jobs, NewJob("nightly", Scope()), waiting=Waiting(60, 1)).job.succeeded


def test_a_wait_gives_up_when_netbox_stays_away(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "AWAY", 0.2)
    server.answer(page(), created(7), page(row(7, status="running")), Answer("<html>", 502, "text/html"))
    with pytest.raises(ProxboxError, match="HTTP 502"):
        _engine.run_job(jobs, NewJob("nightly", Scope()), waiting=Waiting(60, 1))


def test_a_wait_ends_with_its_time_out(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), created(7), page(row(7, status="running")))
    outcome = _engine.run_job(jobs, NewJob("nightly", Scope()), waiting=Waiting(0.05, 0.01))
    assert outcome.job.status == "running"


def test_cancel(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running")), cancelled(5), page(row(5, status="failed")))
    outcome = _engine.cancel_jobs(jobs, job_id=5, name=None)
    assert outcome.plan.changed and outcome.job.status == "failed"
    server.answers[:] = [page(row(5, status="completed"))]
    server.requests.clear()
    assert not _engine.cancel_jobs(jobs, job_id=5, name=None).plan.changed
    assert server.asked == ["GET /api/core/jobs/?id=5&fields=..."]


def test_a_run_in_progress_is_joined(server: Script, jobs: Jobs, row: Row) -> None:
    running, ended = row(5, name="other", status="running"), row(5, name="other", status="completed")
    server.answer(page(running), page(ended))
    outcome = _engine.run_job(jobs, NewJob("x", Scope()), waiting=Waiting(60, 1), when_running="join")
    assert not outcome.plan.changed and outcome.job.succeeded
    assert all(text.startswith("GET") for text in server.requests)


def test_a_recent_run_is_enough(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(), page(row(5, status="completed", completed="2026-04-10T09:30:00Z")))
    hour = timedelta(minutes=60)
    outcome = _engine.run_job(jobs, NewJob("x", Scope()), waiting=Waiting(60, 1), max_age=hour)
    assert not outcome.plan.changed and outcome.job.id == 5
    recent = "GET /api/plugins/proxbox/sync-jobs/?status=completed&completed__after=2026-04-10T09%3A00%3A00Z"
    recent += "&sync_type=all&limit=50"
    assert server.asked == [UNDERWAY, recent]


def test_cancelling_a_run_creates_its_successor_first(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", scheduled="2026-04-10T02:00:00Z", interval=1440)
    new, gone = page(row(6, **NIGHTLY)), page(row(5, status="failed"))
    server.answer(page(running), page(running), RELEASED, created(6), new, cancelled(5), new, gone)
    outcome = _engine.cancel_jobs(jobs, job_id=5, name=None)
    assert outcome.successor.id == 6 and [job.id for job in outcome.cancelled] == [5]
    get = "GET /api/core/jobs/?id={}&fields=..."
    cancel = "POST /api/plugins/proxbox/jobs/5/cancel/"
    assert server.asked == [get.format(5), LIVING, RELEASE, CREATE, get.format(6), cancel, LIVING, get.format(5)]


def test_a_cancel_whose_answer_is_lost_does_not_end_the_schedule(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", scheduled="2026-04-10T02:00:00Z", interval=1440)
    gone = page(row(5, status="failed", error="Cancelled via API."))
    finished = cancelled(5, "Job was already finished; no changes were made.")
    new = page(row(6, **NIGHTLY))
    server.answer(page(running), page(running), RELEASED, created(6), new)
    server.answer(Answer("<html>", 502, "text/html"), finished, gone, new, gone)
    outcome = _engine.cancel_jobs(jobs, job_id=5, name=None)
    assert outcome.successor.id == 6 and [job.id for job in outcome.cancelled] == [5]
    assert "POST /api/plugins/proxbox/jobs/6/cancel/" not in server.asked


def test_a_successor_that_another_controller_cancels_is_created_again(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", scheduled="2026-04-10T02:00:00Z", interval=1440)
    yielded = page(row(6, **{**NIGHTLY, "status": "failed", "error": "Cancelled via API."}))
    server.answer(page(running), page(running), RELEASED, created(6), page(row(6, **NIGHTLY)))
    server.answer(cancelled(5), page(), yielded, created(8), page(row(8, **NIGHTLY)), page(row(5, status="failed")))
    assert _engine.cancel_jobs(jobs, job_id=5, name=None).successor.id == 8


def test_a_run_that_ended_by_itself_has_a_successor_already(server: Script, jobs: Jobs, row: Row) -> None:
    running = row(5, status="running", scheduled="2026-04-10T02:00:00Z", interval=1440)
    # NetBox says so, or that it cancelled it, although its status tells otherwise.
    own, theirs = row(6, **NIGHTLY), row(7, **NIGHTLY)
    ended = page(row(5, status="completed"))
    for finished in (
        cancelled(5, "Job was already finished; no changes were made."),
        Answer({"ok": True, "job_id": 5, "status": "completed", "detail": "Job has been cancelled."}),
    ):
        server.answers[:] = [page(running), page(running), RELEASED, created(6), page(own), finished, ended]
        # Its successor comes a moment later.
        server.answer(page(own), page(own, theirs), cancelled(6), ended)
        outcome = _engine.cancel_jobs(jobs, job_id=5, name=None)
        assert outcome.successor.id == 7 and outcome.cancelled == ()


def test_a_job_that_somebody_else_cancels_at_once_is_cancelled(server: Script, jobs: Jobs, row: Row) -> None:
    clash = Answer({"error": "duplicate key", "exception": "IntegrityError"}, 500)
    gone = row(5, **{**NIGHTLY, "status": "failed", "error": "Cancelled via API."})
    server.answer(page(row(5, **NIGHTLY)), clash, status(5, "failed"), page(gone), page())
    assert [job.id for job in absent(jobs, "wait").cancelled] == [5]
    server.answers[:] = [page(row(5, **NIGHTLY)), clash, page({"id": 5, "status": {"value": "scheduled"}})]
    with pytest.raises(ProxboxError, match="IntegrityError"):
        absent(jobs, "wait")
    server.answers[:] = [page(row(5, **NIGHTLY)), Answer({"detail": "No Job matches."}, 404), page(), page()]
    assert [job.id for job in absent(jobs, "wait").cancelled] == [5]


def test_a_job_that_starts_while_it_is_cancelled_is_looked_at_again(server: Script, jobs: Jobs, row: Row) -> None:
    refusal = Answer({"ok": False, "detail": "This action only applies to Proxbox Sync jobs."}, 400)
    starting = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY) | {"data": None}
    running, ended = row(5, status="running", **NIGHTLY), page({"id": 5, "status": {"value": "completed"}})
    successor = row(6, **NIGHTLY)
    server.answer(
        page(row(5, **NIGHTLY)), refusal, page(starting), page(running), ended, page(successor), cancelled(6), page()
    )
    assert [job.id for job in absent(jobs, "wait").cancelled] == [6], "it is not killed, and leaves nothing behind"
    gone = page(row(5, status="failed"))
    server.answers[:] = [page(row(5, **NIGHTLY)), page(), refusal, refusal, cancelled(5), page(), gone]
    assert _engine.cancel_jobs(jobs, job_id=5, name=None, keep_schedule=False).plan.changed


def test_cancel_refuses_what_is_no_sync(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="Housekeeping", status="running", data={"other": 1})))
    with pytest.raises(ProxboxError, match=r"Job 5 \(Housekeeping\) .* is no Proxbox sync"):
        _engine.cancel_jobs(jobs, job_id=5, name=None)
    server.answers[:] = [page()]
    with pytest.raises(ProxboxError, match="no job 5"):
        _engine.cancel_jobs(jobs, job_id=5, name=None)


def test_a_create_is_looked_for_until_netbox_is_back(server: Script, jobs: Jobs, row: Row) -> None:
    away = Answer("<html>", 502, "text/html")
    server.answer(page(), Answer(hang_up=True), *[away] * 9, page(row(7, **NIGHTLY)))
    assert present(jobs).job.id == 7
    assert server.requests.count(CREATE) == 1


def test_a_create_of_which_netbox_tells_nothing_is_told(
    server: Script, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "AWAY", 0.05)
    server.answer(page(), Answer(hang_up=True), Answer("<html>", 502, "text/html"))
    with pytest.raises(ProxboxError, match=r"Whether NetBox created the job is not known.* was not sent again"):
        present(jobs)
    assert server.requests.count(CREATE) == 1


def test_a_dead_run_does_not_count_as_running(server: Script, jobs: Jobs, row: Row) -> None:
    dead, new = row(5, started="2026-04-10T02:00:01Z", **RUNNING), row(7, **NIGHTLY)
    server.answer(page(dead), task("failed"), status(5, "running"), RELEASED, created(7), page(new, dead))
    server.answer(cancelled(5), page(new))
    assert present_with(jobs, when_running="fail").job.id == 7


def test_a_job_that_is_deleted_while_it_is_waited_for_has_ended(server: Script, jobs: Jobs, row: Row) -> None:
    once = row(5, status="running", interval=None)
    server.answer(page(once), task(None), page(), page())
    outcome = absent(jobs, "wait")
    assert outcome.cancelled == () and not outcome.plan.changed


def test_what_does_not_tell_what_it_is_is_left_alone_and_told(server: Script, jobs: Jobs, row: Row) -> None:
    # Its worker was killed before it could say so.
    untold = row(5, status="running", started="2026-04-10T09:00:00Z", **NIGHTLY) | {"data": None}
    server.answer(page(untold))
    outcome = absent(jobs, "wait")
    assert not outcome.plan.changed and "job 5 (nightly) is running, and NetBox does not tell" in outcome.warnings[0]
    assert server.asked == [LIVING]


def test_a_system_job_is_not_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    system = row(4, name="Proxmox Service Monitoring", data=None, user=None, interval=1)
    rows = [{**system, "created": "2026-04-10T10:00:00Z"}, {**system, "id": 3, "started": "2026-04-10T10:00:00Z"}]
    server.answer(page(row(5, **NIGHTLY), rows[0], {**rows[1], "status": {"value": "running"}}))
    assert not many(jobs, "nightly", purge=lambda name: True)["nightly"].plan.changed
    assert server.asked == [ALL]


def test_a_run_that_is_just_starting_is_seen(server: Script, jobs: Jobs, row: Row) -> None:
    starting = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY) | {"data": None}
    told = row(5, status="running", started="2026-04-10T10:00:00Z", **NIGHTLY)
    server.answer(page(starting), page(told), task(None), cancelled(5), page())
    assert [job.id for job in absent(jobs, "cancel").cancelled] == [5]


def test_the_successor_of_a_run_that_ended_by_itself_goes_too(server: Script, jobs: Jobs, row: Row) -> None:
    running, successor = row(5, status="running", **NIGHTLY), row(6, **NIGHTLY)
    finished = cancelled(5, "Job was already finished; no changes were made.")
    server.answer(page(running), task(None), finished, page(row(5, status="completed")), page(), page(successor))
    server.answer(cancelled(6), page())
    assert [job.id for job in absent(jobs, "cancel").cancelled] == [6]
    ended = page(row(5, status="completed", **NIGHTLY))
    server.answers[:] = [page(running), page(running), finished, ended, page(), page(successor), cancelled(6), ended]
    outcome = _engine.cancel_jobs(jobs, job_id=5, name=None, keep_schedule=False)
    assert [job.id for job in outcome.cancelled] == [6] and outcome.successor is None


def test_many_are_read_again_when_one_took_its_time(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "FRESH", -1.0)
    both = page(row(5, name="a", **NIGHTLY), row(6, name="b", **NIGHTLY))
    server.answer(both)
    many(jobs, "a", "b")
    assert server.asked == [ALL] * 3


def test_one_that_nobody_takes_is_enough_but_told(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="pending")), page(worker("high")))
    outcome = _engine.run_job(jobs, NewJob("x", Scope()), waiting=Waiting(60, 1), when_running="skip")
    assert outcome.job.id == 5 and "no worker serves the queue 'default'" in outcome.warnings[0]


def test_a_cancel_by_name_needs_no_clock_before_its_first_answer(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page())
    assert not _engine.cancel_jobs(jobs, job_id=None, name="nightly").plan.changed
    assert server.asked == [LIVING]
