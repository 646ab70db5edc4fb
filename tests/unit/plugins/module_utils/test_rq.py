# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests about RQ, and what a token may read. The answers are recorded from a real NetBox."""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._rq import Rq
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Queue, Service, Task, Worker
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    RELEASES,
    Answer,
    Script,
    make_job,
    page,
    recorded_answer,
    recorded_rq,
)

UUID = "715f0614-4195-4d81-8081-95204f990409"
JOB = make_job(5, "running", job_id=UUID)
TASK = f"GET /api/core/background-tasks/{UUID}/"
WORKERS, QUEUES = "GET /api/core/background-workers/?limit=0", "GET /api/core/background-queues/?limit=0"
STATUS = "GET /api/status/"
WORKER = Worker.from_api(recorded_rq("worker"))
FORBIDDEN = recorded_answer("denied")
NO_TOKEN = recorded_answer("wrong_token_v1")
GONE = Answer("<html>Page Not Found", 404, "text/html")


def rq(server: Script, *answers: Answer) -> Rq:
    server.answer(*answers)
    return Rq(Session(Connection(server.url, "0" * 40, timeout=5)))


def count(workers: object) -> Answer:
    return recorded_answer("status", **{"rq-workers-running": workers})


def test_the_rq_task_of_a_job_is_read(server: Script) -> None:
    row = recorded_rq("task_started")
    assert rq(server, recorded_answer("task_started")).task(JOB) == Task.from_api(row)
    assert server.requests == [TASK]


@pytest.mark.parametrize("release", RELEASES)
def test_a_task_that_rq_has_lost_has_no_status(server: Script, release: str) -> None:
    assert rq(server, recorded_answer("task_lost", release)).task(JOB) == Task(None)


def test_a_task_is_unknown_if_a_proxy_hides_the_route(server: Script) -> None:
    assert rq(server, GONE).task(JOB) is None


@pytest.mark.parametrize(
    "answer", [Answer({"error": "boom", "exception": "KeyError"}, 500), Answer("", 500), Answer("", 400)]
)
def test_a_task_that_cannot_be_read_is_an_error(server: Script, answer: Answer) -> None:
    with pytest.raises(ProxboxError):
        rq(server, answer).task(JOB)


def test_a_job_without_a_task_costs_no_request(server: Script) -> None:
    assert rq(server).task(make_job(5, "running", job_id=None)) is None
    assert server.requests == []


def test_tasks_are_requested_once_if_the_token_may_not_read_them(server: Script) -> None:
    one = rq(server, FORBIDDEN, count(1))
    assert one.task(JOB) is None and one.task(JOB) is None
    assert server.requests == [TASK]
    assert one.service == Service(1)
    assert server.requests == [TASK, STATUS]


def test_the_workers_are_read_once_until_they_are_forgotten(server: Script) -> None:
    one = rq(server, page(recorded_rq("worker")), page())
    assert one.service == one.service == Service(1, frozenset({"high", "default", "low"}), (WORKER,))
    assert server.requests == [WORKERS]
    one.forget()
    assert one.service == Service(0, frozenset())
    assert server.requests == [WORKERS, WORKERS]


def test_the_number_of_workers_is_read_once_until_it_is_forgotten(server: Script) -> None:
    one = rq(server, FORBIDDEN, count(1), count(0))
    assert one.service == one.service == Service(1)
    one.forget()
    assert one.service == Service(0)
    assert server.requests == [WORKERS, STATUS, STATUS]
    one.forget()
    one.forget()


@pytest.mark.parametrize("told", [None, "", "many", [], -1, True])
def test_an_invalid_number_of_workers_is_unknown(server: Script, told: object) -> None:
    """The number is not 0, because a task would then warn that no worker runs."""
    one = rq(server, FORBIDDEN, count(told))
    assert one.service == Service(None) and one.service.serves("default")


def test_workers_that_cannot_be_read_are_an_error(server: Script) -> None:
    one = rq(server, NO_TOKEN)
    for _time in range(2):
        with pytest.raises(ProxboxError, match="does not accept the token"):
            assert one.service
    assert server.requests == [WORKERS, WORKERS]


def test_http_403_from_a_firewall_is_not_a_missing_permission(server: Script) -> None:
    """The page of a firewall does not mention a permission, and has no detail."""
    with pytest.raises(ProxboxError) as caught:
        rq(server, Answer("<html>Forbidden", 403, "text/html")).workers()
    assert "superusers" not in str(caught.value) and server.requests == [WORKERS]


@pytest.mark.parametrize(
    ("told", "says"), [(3, r"to superusers only\. Workers that run: 3\.$"), (None, r"to superusers only\.$")]
)
def test_workers_are_shown_to_superusers_only(server: Script, told: object, says: str) -> None:
    with pytest.raises(ProxboxError, match=says) as caught:
        rq(server, FORBIDDEN, count(told)).workers()
    assert caught.value.status == 403 and "lacks a permission" in str(caught.value)
    assert server.requests == [WORKERS, STATUS]


def test_workers_and_queues_are_read(server: Script) -> None:
    one = rq(server, page(recorded_rq("worker")), page(recorded_rq("queue")))
    assert one.workers() == [WORKER]
    assert one.queues == [Queue.from_api(recorded_rq("queue"))]
    assert server.requests == [WORKERS, QUEUES]
