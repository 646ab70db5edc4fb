# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs of one NetBox: how they are created and cancelled, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._cancel import CancelResult, cancel_job
from ansible_collections.proxbox.proxbox.plugins.module_utils._create import create_job
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    CREATE,
    DENIED,
    NIGHTLY,
    Answer,
    Script,
    cancel,
    cancelled,
    created,
    created_without_id,
    get,
    make_job,
    make_row,
    page,
    recorded_answer,
    status,
    too_late,
)

JOB = make_job(5, **NIGHTLY)
BY_API = page(make_row(5, status="failed", error="Cancelled via API.", started=None))
BY_ITSELF = page(make_row(5, status="errored"))


@pytest.mark.parametrize(
    ("answers", "result", "asked"),
    [
        ([cancelled(5)], CancelResult.CANCELLED, [cancel(5)]),
        ([too_late(5), BY_API], CancelResult.CANCELLED, [cancel(5), get(5)]),
        (
            [too_late(5), page(make_row(5, status="failed", error=""))],
            CancelResult.ENDED,
            [cancel(5), get(5)],
        ),
        (
            [too_late(5, "errored"), BY_ITSELF],
            CancelResult.ENDED,
            [cancel(5), get(5)],
        ),
        (
            [recorded_answer("cancelled", job_id=5, status="completed"), BY_ITSELF],
            CancelResult.ENDED,
            [cancel(5), get(5)],
        ),
        (
            [recorded_answer("cancel_of_no_job"), page()],
            CancelResult.CANCELLED,
            [cancel(5), get(5)],
        ),
        (
            [Answer({"error": "duplicate key", "exception": "IntegrityError"}, 500), status(5, "failed"), BY_API],
            CancelResult.CANCELLED,
            [cancel(5), get(5), get(5)],
        ),
        (
            [recorded_answer("cancel_of_no_sync")],
            CancelResult.NOT_YET,
            [cancel(5)],
        ),
        ([Answer("<html>", 502, "text/html"), cancelled(5)], CancelResult.CANCELLED, [cancel(5)] * 2),
    ],
)
def test_what_came_of_a_cancel(
    server: Script, jobs: Jobs, answers: list[Answer], result: CancelResult, asked: list[str]
) -> None:
    server.answer(*answers)
    assert cancel_job(jobs, JOB) is result
    assert server.asked == asked


def test_a_cancel_that_is_refused(server: Script, jobs: Jobs) -> None:
    server.answer(DENIED)
    with pytest.raises(ProxboxError, match=r"Grant it the permission core\.delete_job\."):
        cancel_job(jobs, JOB)


def test_what_is_sent_to_create_a_job(server: Script, jobs: Jobs) -> None:
    server.answer(created(7))
    scope = Scope(frozenset({"sdn", "devices"}), frozenset({3, 1}), frozenset({2}))
    assert create_job(jobs, NewJob("nightly", scope, datetime(2026, 4, 11, 2, 0, tzinfo=UTC), 60)) == 7
    assert create_job(jobs, NewJob("now", Scope())) == 7
    assert server.asked == [CREATE] * 2
    assert server.bodies == [
        {
            "sync_types": ["devices", "sdn"],
            "job_name": "nightly",
            "schedule_at": "2026-04-11T02:00:00Z",
            "interval_value": 60,
            "interval_unit": "minutes",
            "proxmox_endpoint_ids": [1, 3],
            "netbox_endpoint_ids": [2],
        },
        {"sync_types": ["all"], "job_name": "now"},
    ]


def test_a_create_that_tells_no_id(server: Script, jobs: Jobs) -> None:
    server.answer(created_without_id())
    with pytest.raises(ProxboxError, match=r"did not return its id \(POST http.*Check the jobs called 'now'") as told:
        create_job(jobs, NewJob("now", Scope()))
    assert told.value.outcome_unknown


def test_a_job_that_is_not_there(server: Script, jobs: Jobs) -> None:
    server.answer(page())
    assert jobs.find(5) is None and jobs.status(5) is None
    with pytest.raises(
        ProxboxError, match=r"^NetBox has no job 5, or the token's user may not see it \(core\.view_job"
    ):
        jobs.get(5)
