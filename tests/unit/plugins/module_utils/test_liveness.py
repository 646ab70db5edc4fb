# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a job that has not ended is dead, from its RQ task and from its age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._liveness import (
    dead_by_age,
    dead_for_rq,
    examine,
    no_worker_sentence,
    overdue,
    time_limit,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Service, Task
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    DATE,
    FOREIGN,
    NIGHTLY,
    RELEASE,
    TASK,
    WORKERS,
    Answer,
    Script,
    get,
    make_job,
    page,
    recorded_answer,
    recorded_rq,
    status,
    task,
)

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
SETTINGS = "GET /api/plugins/proxbox/settings/?fields=..."
LIMIT = recorded_answer("settings")
"""The default time limit of a sync in netbox-proxbox 0.0.29."""


def job(job_id: int = 5, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{**NIGHTLY, **changes})


def test_which_jobs_are_overdue() -> None:
    assert not overdue(job(status="running", scheduled=NOW - timedelta(days=1)), NOW)
    assert not overdue(job(), NOW)
    assert overdue(job(status="pending", scheduled=None, created=NOW - timedelta(minutes=3)), NOW)
    assert not overdue(job(status="pending", scheduled=None, created=NOW - timedelta(minutes=2)), NOW)
    assert not overdue(job(status="completed", scheduled=NOW - timedelta(days=1)), NOW)


def test_which_jobs_are_dead_for_rq() -> None:
    running, late = job(status="running"), job(scheduled=NOW - timedelta(hours=1))
    for word in ("finished", "failed", "stopped", "canceled"):
        assert dead_for_rq(running, Task(word), NOW) == f"NetBox shows it as running, but its RQ task is {word}"
    assert dead_for_rq(late, Task(None), NOW) == "NetBox shows it as scheduled, but its RQ task is lost"
    for word in ("queued", "started", "deferred", "scheduled"):
        assert dead_for_rq(running, Task(word), NOW) is None
    silent = Task("started", NOW - timedelta(minutes=5, seconds=1))
    assert "its worker has not reported since Fri 10 Apr 2026 09:54:59 UTC" in dead_for_rq(running, silent, NOW)
    assert dead_for_rq(running, Task("started", NOW - timedelta(minutes=5)), NOW) is None
    assert dead_for_rq(late, silent, NOW) is None


def test_which_jobs_are_dead_by_their_age() -> None:
    hour = timedelta(hours=1)
    started = job(status="running", started=NOW - hour)
    assert dead_by_age(started, NOW, hour) == (
        "it has been running since Fri 10 Apr 2026 09:00 UTC, longer than 1 h (raise stale_after if it still works)"
    )
    assert dead_by_age(started, NOW, hour + timedelta(seconds=1)) is None
    assert dead_by_age(job(status="running", started=None), NOW, hour) is None
    late = dead_by_age(job(scheduled=NOW - hour), NOW, timedelta(minutes=45))
    assert late.startswith("it has been due since Fri 10 Apr 2026 09:00 UTC, longer than 45 min (raise stale_after")
    assert late.endswith("although workers run")


def test_the_sentence_about_a_job_that_no_worker_starts() -> None:
    late = job(scheduled=NOW - timedelta(hours=1))
    assert no_worker_sentence(late, Service(0)) == (
        "job 5 (nightly) is due at Fri 10 Apr 2026 09:00 UTC, but no worker is running: start a worker for the queue "
        "'default'"
    )
    assert "but no worker serves the queue 'default': start" in no_worker_sentence(
        late, Service(1, frozenset({"high"}))
    )


def server_time(server: Script, jobs: Jobs) -> None:
    """Let the session read NetBox's clock."""
    server.answer(page())
    jobs.active()
    server.answers.clear()
    server.requests.clear()


def test_only_a_sync_that_runs_or_is_overdue_costs_requests(server: Script, jobs: Jobs) -> None:
    server_time(server, jobs)
    late = NOW - timedelta(hours=1)
    idle = [
        job(1),
        job(2, "completed"),
        job(3, "running", **FOREIGN),
        job(4, data=None, user=None, scheduled=late),
        job(6, "running", data=None, user=None),
    ]
    assert examine(jobs, idle, None) == (idle, {})
    assert server.asked == []


def test_a_running_job_of_unknown_kind_causes_a_warning(server: Script, jobs: Jobs) -> None:
    server_time(server, jobs)
    unknown = job(status="running", data=None)
    seen, warnings = examine(jobs, [unknown], None)
    assert seen[0].dead is None and warnings == {
        5: "NetBox does not show whether job 5 (nightly), which is running, is a Proxbox sync: the module did not "
        "change it"
    }


@pytest.mark.parametrize(
    ("started", "answers", "asked", "dead"),
    [
        ("2026-04-10T02:00:01Z", [task("failed"), status(5, "running")], [TASK, get(5)], "its RQ task is failed"),
        ("2026-04-10T02:00:01Z", [task("lost"), status(5, "running")], [TASK, get(5)], "its RQ task is lost"),
        # It has ended since it was read.
        ("2026-04-10T02:00:01Z", [task("finished"), status(5, "completed")], [TASK, get(5)], None),
        ("2026-04-10T02:00:01Z", [task("lost"), page()], [TASK, get(5)], None),
        ("2026-04-10T09:00:01Z", [task(None)], [TASK], None),
        ("2026-04-10T08:00:01Z", [task(None), LIMIT], [TASK, SETTINGS], None),
        (
            "2026-04-10T07:59:59Z",
            [task(None), LIMIT, status(5, "running")],
            [TASK, SETTINGS, get(5)],
            "it has been running since Fri 10 Apr 2026 07:59:59 UTC, longer than 2 h",
        ),
        (None, [task(None)], [TASK], None),
    ],
)
def test_a_running_job_is_examined(
    server: Script, jobs: Jobs, started: str | None, answers: list[Answer], asked: list[str], dead: str | None
) -> None:
    server_time(server, jobs)
    server.answer(*answers)
    (seen,), warnings = examine(jobs, [job(status="running", started=started)], None)
    assert (seen.dead is None) if dead is None else dead in seen.dead
    assert warnings == {}
    assert server.asked == asked


def test_stale_after_replaces_the_time_limit_of_netbox(server: Script, jobs: Jobs) -> None:
    server_time(server, jobs)
    server.answer(task(None), status(5, "running"))
    running = job(status="running", started=NOW - timedelta(minutes=40))
    (seen,), _warnings = examine(jobs, [running], timedelta(minutes=30))
    assert "longer than 30 min" in seen.dead and server.asked == [TASK, get(5)]


@pytest.mark.parametrize(
    ("answers", "asked", "dead", "warning"),
    [
        (
            [page({**recorded_rq("worker"), "queue_names": ["high"]})],
            [WORKERS],
            None,
            "no worker serves the queue 'default'",
        ),
        ([page(recorded_rq("worker")), task("queued")], [WORKERS, TASK], None, None),
        ([page(recorded_rq("worker")), task("lost"), status(5, "scheduled")], [WORKERS, TASK, get(5)], "is lost", None),
        (
            [task(None), recorded_answer("status", **{"rq-workers-running": 0})],
            [WORKERS, RELEASE],
            None,
            "no worker is running",
        ),
        (
            [task(None), recorded_answer("status", **{"rq-workers-running": 2}), LIMIT, status(5, "scheduled")],
            [WORKERS, RELEASE, SETTINGS, get(5)],
            "longer than 2 h (raise stale_after if it still works), although workers run",
            None,
        ),
    ],
)
def test_an_overdue_job_is_examined(
    server: Script, jobs: Jobs, answers: list[Answer], asked: list[str], dead: str | None, warning: str | None
) -> None:
    server_time(server, jobs)
    server.answer(*answers)
    (seen,), warnings = examine(jobs, [job(scheduled=NOW - timedelta(hours=8))], None)
    assert (seen.dead is None) if dead is None else seen.dead.endswith(dead)
    assert list(warnings) == ([5] if warning else []) and (warning or "") in warnings.get(5, "")
    assert server.asked == asked


def test_the_time_limit_of_a_sync_is_read(server: Script, jobs: Jobs) -> None:
    server.answer(page({"id": 1, "sync_job_timeout": 36000}))
    assert time_limit(jobs) == timedelta(hours=10)
    assert server.asked == [SETTINGS]


@pytest.mark.parametrize(
    "answer",
    [
        recorded_answer("denied"),
        Answer("<html>Page Not Found", 404, "text/html", headers=DATE),
        page(),
        recorded_answer("settings", "0.0.25"),
        page({"id": 1, "sync_job_timeout": "long"}),
    ],
)
def test_the_time_limit_is_two_hours_if_it_cannot_be_read(server: Script, jobs: Jobs, answer: Answer) -> None:
    server.answer(answer)
    assert time_limit(jobs) == timedelta(hours=2)
