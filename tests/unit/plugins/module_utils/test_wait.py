# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for the end of a job, and for NetBox if it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._wait import Waiting, retry_while_transient, wait_for_end
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    TASK,
    WORKERS,
    Answer,
    Script,
    get,
    page,
    recorded_answer,
    recorded_rq,
    status,
    task,
)

Row = Callable[..., dict[str, Any]]


class Clock:
    """A clock that moves only during pauses, and by ``answers_after`` seconds each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answers_after = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        self.now += self.answers_after
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(_wait, "time", made)
    return made


def test_the_wait_ends_if_the_job_has_ended_or_is_deleted(server: Script, jobs: Jobs, clock: Clock) -> None:
    for ended in (status(5, "completed"), status(5, "errored"), status(5, "failed"), page()):
        server.answers[:] = [ended]
        assert wait_for_end(jobs, 5, Waiting(60), None) == (None, ())
    assert server.asked == [get(5)] * 4 and clock.pauses == []


def test_the_pauses_grow_up_to_a_limit(server: Script, jobs: Jobs, clock: Clock) -> None:
    server.answer(*[status(5, "running")] * 8, status(5, "completed"))
    wait_for_end(jobs, 5, Waiting(3600, 2.0), None)
    assert clock.pauses == pytest.approx([0.5, 0.625, 0.781, 0.977, 1.221, 1.526, 1.907, 2.0], abs=0.001)


def test_a_slow_netbox_is_asked_less_often(server: Script, jobs: Jobs, clock: Clock) -> None:
    clock.answers_after = 0.1
    server.answer(*[status(5, "running")] * 3, status(5, "completed"))
    wait_for_end(jobs, 5, Waiting(3600), None)
    assert clock.pauses == pytest.approx([2.0] * 3), "each pause is twenty times as long as the request"


def test_no_pause_is_longer_than_the_remaining_time(server: Script, jobs: Jobs, row: Row, clock: Clock) -> None:
    server.answer(status(5, "running"), status(5, "running"), page(row(5, status="running")), task("started"))
    left, _warnings = wait_for_end(jobs, 5, Waiting(0.2), None)
    assert left.id == 5 and clock.pauses == [0.2]


def test_a_job_that_still_runs_after_the_time_out_is_returned(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(status(5, "running"), page(row(5, status="running")), task("started"))
    left, warnings = wait_for_end(jobs, 5, Waiting(0), None)
    assert left.id == 5 and left.dead is None and warnings == ()
    assert server.asked == [get(5), get(5), TASK]


def test_a_job_that_is_dead_after_the_time_out_is_returned_as_dead(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(status(5, "running"), page(row(5, status="running")), task("failed"), status(5, "running"))
    left, _warnings = wait_for_end(jobs, 5, Waiting(0), None)
    assert left.dead == "NetBox shows it as running, but its RQ task is failed"


def test_the_wait_ends_if_the_job_dies(server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wait, "EXAMINE_EVERY", 0.1)
    running = page(row(5, status="running"))
    server.answer(status(5, "running"), status(5, "running"), running, task("started"), status(5, "running"), running)
    server.answer(task("lost"), status(5, "running"))
    left, _warnings = wait_for_end(jobs, 5, Waiting(60), None)
    assert left.dead.endswith("its RQ task is lost")
    assert server.asked == [get(5), *[get(5), get(5), TASK] * 2, get(5)]


def test_a_job_that_no_worker_starts_causes_a_warning(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(status(5, "pending"), page(row(5, status="pending")))
    server.answer(page({**recorded_rq("worker"), "queue_names": ["high"]}))
    left, (warning,) = wait_for_end(jobs, 5, Waiting(0), None)
    assert left.status == "pending" and "no worker serves the queue 'default'" in warning
    assert server.asked == [get(5), get(5), WORKERS]


@pytest.mark.parametrize("away", [Answer("<html>", 502, "text/html"), Answer("", 500), Answer("", 429)])
def test_a_netbox_that_does_not_answer_is_asked_again(server: Script, jobs: Jobs, away: Answer) -> None:
    told: list[str] = []
    server.answer(*[away] * 8, Answer(hang_up=True), page())
    assert retry_while_transient(jobs.active, told.append) == []
    assert told == [f"NetBox answers HTTP {away.status}: asking again"], "the line is shown once"


@pytest.mark.parametrize("failed", [Answer("", 500), Answer("", 429)])
def test_a_failed_request_does_not_end_the_wait(server: Script, jobs: Jobs, clock: Clock, failed: Answer) -> None:
    server.answer(status(5, "running"), *[failed] * 8, status(5, "running"), failed, status(5, "completed"))
    assert wait_for_end(jobs, 5, Waiting(3600), None) == (None, ())
    assert server.asked == [get(5)] * 12


def test_a_refused_request_is_not_repeated(server: Script, jobs: Jobs) -> None:
    server.answer(recorded_answer("wrong_token_v1"))
    with pytest.raises(ProxboxError, match="does not accept the token"):
        retry_while_transient(jobs.active)
    assert len(server.asked) == 1


def test_failed_requests_are_repeated_for_a_limited_time(server: Script, jobs: Jobs, clock: Clock) -> None:
    server.answer(Answer("", 500))
    with pytest.raises(ProxboxError, match="HTTP 500"):
        retry_while_transient(jobs.active)
    assert clock.now == pytest.approx(_wait.TRANSIENT_LIMIT, abs=2.1)
