# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs that do not show yet whether they are syncs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _observe
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Kind
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._observe import is_starting, read_known
from ansible_collections.proxbox.proxbox.tests.unit.conftest import ACTIVE, FOREIGN, Script, make_job, make_row, page

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)


def unknown(status: str = "running", **changes: Any) -> Job:
    return make_job(5, status, **{"data": None, "started": NOW, **changes})


def test_a_job_without_data_counts_as_starting_for_a_short_time() -> None:
    assert is_starting(unknown(), NOW)
    assert is_starting(unknown(started=NOW - timedelta(seconds=14)), NOW)
    assert is_starting(unknown("pending", started=None, created=NOW - timedelta(seconds=1)), NOW)
    for job in (
        unknown(started=NOW - timedelta(seconds=15)),
        unknown(started=None),
        unknown("pending", started=None, created=NOW - timedelta(seconds=2)),
        unknown("completed"),
        unknown(user=None),
        unknown(**FOREIGN),
        make_job(5, "running", started=NOW),
    ):
        assert not is_starting(job, NOW)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_observe, "LOOKS", 3)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.usefixtures("quick")
def test_jobs_are_read_again_until_their_kind_is_known(server: Script, jobs: Jobs) -> None:
    running = make_row(5, status="running", started="2026-04-10T10:00:00Z")
    server.answer(page({**running, "data": None}), page(running))
    (job,) = read_known(jobs, lambda: jobs.active("nightly"))
    assert job.kind is Kind.SYNC and server.asked == [ACTIVE] * 2


@pytest.mark.usefixtures("quick")
def test_a_job_may_never_show_its_kind(server: Script, jobs: Jobs) -> None:
    server.answer(page(make_row(5, status="running", started="2026-04-10T10:00:00Z", data=None)))
    (job,) = read_known(jobs, lambda: jobs.active("nightly"))
    assert job.kind is Kind.NOT_KNOWN and server.asked == [ACTIVE] * 3


def test_a_job_that_does_not_matter_is_not_read_again(server: Script, jobs: Jobs) -> None:
    server.answer(page(make_row(5, status="running", started="2026-04-10T10:00:00Z", data=None)))
    read_known(jobs, lambda: jobs.active("nightly"), lambda job: job.name == "other")
    assert server.asked == [ACTIVE]
