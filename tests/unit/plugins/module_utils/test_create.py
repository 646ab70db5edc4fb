# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job is created exactly once, even if the answer of NetBox is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _create
from ansible_collections.proxbox.proxbox.plugins.module_utils._create import create_once
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ALL,
    CREATE,
    FOREIGN,
    NIGHTLY,
    Answer,
    Script,
    created,
    created_without_id,
    page,
    recorded_answer,
)

NEW = NewJob("nightly", Scope(), datetime(2026, 4, 11, 2, 0, tzinfo=UTC), 1440)
AWAY = Answer("<html>", 502, "text/html")
SINCE = "GET /api/core/jobs/?name=nightly&created__after=2026-04-10T09%3A59%3A58Z&fields=..."
Row = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def create(server: Script, jobs: Jobs, *answers: Answer, known: set[int] | None = None) -> int:
    """Create the job, after a request that has read NetBox's clock."""
    server.answer(page(), *answers)
    jobs.active()
    return create_once(jobs, NEW, known or set())


def test_a_create_is_one_post(server: Script, jobs: Jobs) -> None:
    assert create(server, jobs, created(7)) == 7
    assert server.asked == [ALL, CREATE]


@pytest.mark.parametrize(
    "lost",
    [Answer(hang_up=True), Answer("<html>", 502, "text/html"), Answer("", 504), Answer('{"ok": true, "jo', 201)],
)
def test_a_create_whose_answer_is_lost_is_not_sent_again(server: Script, jobs: Jobs, row: Row, lost: Answer) -> None:
    # NetBox has created the job. Another task has created a job with another scope.
    theirs = row(6, sync_types=["devices"], **NIGHTLY)
    assert create(server, jobs, lost, page(), page(theirs, row(7, **NIGHTLY))) == 7
    assert server.asked == [ALL, CREATE, SINCE, SINCE]


def test_the_task_searches_for_the_job_if_the_answer_has_no_id(server: Script, jobs: Jobs, row: Row) -> None:
    untold = created_without_id()
    assert create(server, jobs, untold, page(row(7, **NIGHTLY))) == 7
    assert server.asked == [ALL, CREATE, SINCE]


def test_a_job_that_existed_before_is_not_taken_for_the_created_one(server: Script, jobs: Jobs, row: Row) -> None:
    before, later, first = row(5, **NIGHTLY), row(9, **NIGHTLY), row(8, **NIGHTLY)
    others = [row(6, **NIGHTLY, **FOREIGN), row(7, **{**NIGHTLY, "interval": 60})]
    assert create(server, jobs, Answer(hang_up=True), page(later, first, *others, before), known={5}) == 8


def test_a_create_that_never_arrived_is_an_error(server: Script, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_create, "ARRIVAL", 0.05)
    says = r"NetBox does not show the job after .* was not sent again: run the task again\.$"
    with pytest.raises(ProxboxError, match=says):
        create(server, jobs, Answer(hang_up=True), page())
    assert server.requests.count(CREATE) == 1


def test_the_task_does_not_search_for_a_job_that_was_refused(server: Script, jobs: Jobs) -> None:
    with pytest.raises(ProxboxError, match="HTTP 403"):
        create(server, jobs, recorded_answer("may_not_create"))
    assert server.asked == [ALL, CREATE]


def test_the_task_searches_for_the_job_until_netbox_answers(server: Script, jobs: Jobs, row: Row) -> None:
    assert create(server, jobs, Answer(hang_up=True), *[AWAY] * 9, page(row(7, **NIGHTLY))) == 7
    assert server.requests.count(CREATE) == 1


@pytest.mark.parametrize("answer", [AWAY, recorded_answer("wrong_token_v1")])
def test_the_error_says_if_it_is_not_known_whether_the_job_was_created(
    server: Script, jobs: Jobs, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_create, "TRANSIENT_LIMIT", 0.05)
    says = r"It is not known whether NetBox created the job: .* was not sent again: run the task again\.$"
    with pytest.raises(ProxboxError, match=says):
        create(server, jobs, Answer(hang_up=True), answer)
    assert server.requests.count(CREATE) == 1


# The answer of NetBox 4.7.3 if Redis refuses writes. Here, Redis has reached its maxmemory.
REDIS_FULL = recorded_answer("not_created_redis_full")


def test_the_error_names_a_job_that_netbox_saved_before_it_failed(server: Script, jobs: Jobs, row: Row) -> None:
    left = row(7, **NIGHTLY, data=None)
    says = r"maxmemory.*saved the job, but RQ may not have it, so it may never run: delete it at .*/core/jobs/7/\.$"
    with pytest.raises(ProxboxError, match=says):
        create(server, jobs, REDIS_FULL, page(left, row(6, **NIGHTLY, **FOREIGN)))
    assert server.asked == [ALL, CREATE, SINCE]


def test_an_error_of_netbox_without_a_saved_job_is_not_a_change(server: Script, jobs: Jobs) -> None:
    with pytest.raises(ProxboxError, match=r"HTTP 500: OutOfMemoryError: .*'maxmemory'\)\.$") as told:
        create(server, jobs, REDIS_FULL, page())
    assert not told.value.changed
