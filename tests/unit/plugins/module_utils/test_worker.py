# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RQ's tasks, workers and queues, from recorded answers of NetBox 4.7.0 and 4.7.3."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Queue, Service, Task, Worker
from ansible_collections.proxbox.proxbox.tests.unit.conftest import RELEASES, recorded_rq

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def worker(*queues: str, state: str = "idle") -> Worker:
    return Worker.from_api({**recorded_rq("worker"), "state": state, "queue_names": list(queues)})


@pytest.mark.parametrize(
    ("status", "has_begun", "over"),
    [
        ("scheduled", False, False),
        ("queued", False, False),
        ("started", True, False),
        ("finished", True, True),
        ("failed", False, True),
    ],
)
@pytest.mark.parametrize("release", RELEASES)
def test_a_task_is_read_from_the_api(release: str, status: str, has_begun: bool, over: bool) -> None:
    row = recorded_rq(f"task_{status}", release)
    task = Task.from_api(row)
    assert task == Task(status, datetime.fromisoformat(row["last_heartbeat"]) if has_begun else None)
    assert task.over is over


@pytest.mark.parametrize("status", [None, "finished", "failed", "stopped", "canceled"])
def test_a_task_with_one_of_these_statuses_is_over(status: str | None) -> None:
    assert Task(status).over


@pytest.mark.parametrize("status", [None, "", 5, ["started"], {"value": "started"}])
def test_a_task_without_a_valid_status_is_unknown(status: object) -> None:
    """It must not count as lost, because the job would then be replaced although it runs."""
    assert Task.from_api({**recorded_rq("task_started"), "status": status}) is None
    assert Task.from_api({}) is None


@pytest.mark.parametrize("release", RELEASES)
def test_a_worker_is_read_from_the_api(release: str) -> None:
    row = recorded_rq("worker", release) | {"name": "w", "pid": "20919", "birth_date": "2026-11-28T00:50:12.104160Z"}
    assert Worker.from_api(row).result() == {
        "name": "w",
        "state": "busy",
        "queues": ["high", "default", "low"],
        "pid": 20919,
        "born": "2026-11-28T00:50:12Z",
        "successful": row["successful_job_count"],
        "failed": row["failed_job_count"],
        "busy_for": float(row["total_working_time"]),
    }


@pytest.mark.parametrize("release", RELEASES)
def test_a_queue_is_read_from_the_api(release: str) -> None:
    row = recorded_rq("queue", release) | {"scheduler_pid": "21898"}
    queue = Queue.from_api(row)
    assert not queue.lacks_scheduler
    assert queue.result() == {
        "name": "default",
        "workers": row["workers"],
        "waiting": 0,
        "running": 0,
        "scheduled": row["scheduled_jobs"],
        "failed": row["failed_jobs"],
        "scheduler_pid": 21898,
    }


def test_missing_values_are_none() -> None:
    nothing = dict.fromkeys(("queues", "pid", "born", "successful", "failed", "busy_for"))
    assert Worker.from_api({}).result() == {"name": "", "state": "", **nothing}
    nothing = dict.fromkeys(("workers", "waiting", "running", "scheduled", "failed", "scheduler_pid"))
    assert Queue.from_api({}).result() == {"name": "", **nothing}


@pytest.mark.parametrize(("reader", "name"), [(Task, "task_started"), (Worker, "worker"), (Queue, "queue")])
@given(data=st.data())
def test_unexpected_values_raise_no_exception(
    reader: type[Task] | type[Worker] | type[Queue], name: str, data: st.DataObject
) -> None:
    row = recorded_rq(name)
    for key in data.draw(st.sets(st.sampled_from(sorted(row)), min_size=1)):
        row[key] = data.draw(JSON)
    found = reader.from_api(row)
    if isinstance(found, Worker):
        Service.of([found]).in_words("default")
    if isinstance(found, (Worker, Queue)):
        found.result()


@pytest.mark.parametrize(
    ("changes", "is_stuck"),
    [
        ({}, True),
        ({"scheduled_jobs": 0}, False),
        ({"workers": 0}, False),
        ({"workers": None}, False),
        ({"scheduler_pid": "21898"}, False),
        # The value of django-rq if rq-scheduler is installed.
        ({"scheduler_pid": "False"}, False),
    ],
)
def test_scheduled_jobs_that_no_worker_starts(changes: dict[str, Any], is_stuck: bool) -> None:
    assert Queue.from_api({**recorded_rq("queue_without_scheduler"), **changes}).is_stuck is is_stuck


def test_a_queue_is_not_stuck_if_the_release_has_no_scheduler_pid() -> None:
    row = recorded_rq("queue_without_scheduler")
    del row["scheduler_pid"]
    assert not Queue.from_api(row).is_stuck


def test_a_queue_is_served_if_any_worker_serves_it() -> None:
    service = Service.of([worker("high"), worker("default", "low", state="busy")])
    assert service.workers == 2
    assert [queue for queue in ("high", "default", "low", "other") if not service.serves(queue)] == ["other"]
    assert service.in_words("low") == "1 worker, busy"


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service.of([]), "no worker runs"),
        (Service.of([worker("high")]), "no worker serves it"),
        (Service.of([worker("high"), worker("default")]), "1 worker"),
        (Service.of([worker("high"), worker("default", state="busy")]), "1 worker, busy"),
        (Service.of([worker("default"), worker("default", state="busy")]), "2 workers"),
        (Service.of([worker("default", state="busy")] * 2), "2 workers, all busy"),
        (Service(0), "no worker runs"),
        (Service(1), "1 worker"),
        (Service(2), "2 workers"),
        (Service(None), "NetBox does not tell how many workers run"),
    ],
)
def test_how_many_workers_serve_a_queue(service: Service, words: str) -> None:
    assert service.in_words("default") == words
    assert service.serves("default") is not words.startswith("no worker")


def test_a_worker_whose_queues_are_unknown_may_serve_any_queue() -> None:
    unknown = Worker.from_api({**recorded_rq("worker"), "queue_names": None})
    service = Service.of([unknown, worker("high")])
    assert service.queues is None and service.serves("default") and service.serves("high")
    assert service.in_words("default") == "2 workers"
