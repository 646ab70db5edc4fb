# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many schedules, whose jobs are read with one request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _observe, _schedules
from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy
from ansible_collections.proxbox.proxbox.plugins.module_utils._schedules import Schedules, is_schedule
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_at, parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    ALL,
    CREATE,
    FOREIGN,
    NEWEST,
    NIGHTLY,
    Script,
    cancelled,
    created,
    make_job,
    page,
    recorded,
    recorded_answer,
)

Row = Callable[..., dict[str, Any]]
WANTED = Declare("nightly", at=parse_at("02:00", parse_timezone("UTC")), interval=1440)
ONCE = Declare("nightly", at=parse_at("2026-04-10 02:00", parse_timezone("UTC")))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def reach(jobs: Jobs, *goals: Declare | End) -> dict[str, Any]:
    schedules = Schedules(jobs, {goal.name for goal in goals})
    return {goal.name: schedules.reach(goal, Policy()) for goal in goals}


def many(jobs: Jobs, *names: str) -> dict[str, Any]:
    return reach(jobs, *(WANTED._replace(name=name) for name in names))


def test_many_unchanged_schedules_cost_one_get(server: Script, jobs: Jobs, row: Row) -> None:
    names = [f"schedule {number}" for number in range(100)]
    server.answer(page(*(row(number, name=name, **NIGHTLY) for number, name in enumerate(names, 1))))
    outcomes = many(jobs, *names)
    assert not any(outcome.plan.changed for outcome in outcomes.values())
    assert server.asked == [ALL]


def test_a_schedule_that_fails_does_not_stop_the_others(server: Script, jobs: Jobs, row: Row) -> None:
    refusal = recorded_answer("not_created_in_the_past")
    server.answer(page(row(5, name="b", **NIGHTLY)), refusal, created(7), page(row(7, name="c", **NIGHTLY)))
    outcomes = many(jobs, "a", "b", "c")
    assert isinstance(outcomes["a"], ProxboxError)
    assert outcomes["b"].job.id == 5 and outcomes["c"].job.id == 7


def test_active_returns_the_names_of_active_schedules(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(
        page(
            row(5, name="listed", **NIGHTLY),
            row(6, name="other", **NIGHTLY),
            row(8, name="by hand", status="running"),
            {**recorded("netbox/system_job"), "id": 9},
        )
    )
    assert Schedules(jobs, {"listed"}).active() == {"listed", "other"}
    assert server.asked == [ALL]


def test_a_run_that_is_just_starting_is_read_again_if_its_name_matters(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = row(6, name="other", status="running", interval=60, started="2026-04-10T10:00:00Z")
    untold = {**begun, "data": None}
    monkeypatch.setattr(_observe, "LOOKS", 2)
    for names, active, looks in (({"listed"}, set(), 1), (None, {"other"}, 2), ({"other"}, {"other"}, 2)):
        server.requests.clear()
        server.answers[:] = [page(untold), page(begun)]
        assert Schedules(jobs, names).active() == active
        assert server.asked == [ALL] * looks


def test_the_jobs_are_read_again_after_a_schedule_that_took_long(
    server: Script, jobs: Jobs, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_schedules, "READ_AGAIN_AFTER", -1.0)
    server.answer(page(row(5, name="a", **NIGHTLY), row(6, name="b", **NIGHTLY)))
    many(jobs, "a", "b")
    assert server.asked == [ALL] * 3


def test_a_system_job_is_not_waited_for(server: Script, jobs: Jobs, row: Row) -> None:
    system = {**recorded("netbox/system_job"), "name": "Proxmox Service Monitoring", "interval": 1}
    just_now = {**system, "created": "2026-04-10T10:00:00Z"}
    starting = {**just_now, "id": 3, "started": "2026-04-10T10:00:00Z", "status": recorded("running")["status"]}
    server.answer(page(row(5, **NIGHTLY), just_now, starting))
    assert not Schedules(jobs, None).reach(WANTED, Policy()).plan.changed
    assert server.asked == [ALL]


def test_a_one_time_schedule_is_read_with_its_newest_jobs(server: Script, jobs: Jobs, row: Row) -> None:
    ran = row(4, status="completed", scheduled="2026-04-10T02:00:00Z")
    server.answer(page(row(5, name="other", **NIGHTLY)), page(ran))
    outcomes = reach(jobs, ONCE, WANTED._replace(name="other"))
    assert outcomes["nightly"].job.id == 4 and not any(one.plan.changed for one in outcomes.values())
    assert server.asked == [ALL, NEWEST]


def test_a_one_time_schedule_with_an_active_job_costs_no_more_requests(server: Script, jobs: Jobs, row: Row) -> None:
    later = Declare("nightly", at=parse_at("2026-05-01 02:00", parse_timezone("UTC")))
    server.answer(page(row(5, scheduled="2026-05-01T02:00:00Z")))
    assert reach(jobs, later)["nightly"].job.id == 5
    assert server.asked == [ALL]


def test_schedules_are_created_and_ended_in_one_task(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="old", **NIGHTLY)), cancelled(5), page(), created(7), page(row(7, **NIGHTLY)))
    outcomes = reach(jobs, End("old"), WANTED)
    assert [job.id for job in outcomes["old"].cancelled] == [5] and outcomes["nightly"].job.id == 7
    assert server.asked[-2:] == [CREATE, ACTIVE]


def test_the_task_fails_if_the_jobs_cannot_be_read(server: Script, jobs: Jobs) -> None:
    server.answer(recorded_answer("wrong_token_v1"))
    with pytest.raises(ProxboxError, match="does not accept the token"):
        many(jobs, "a")


def test_which_jobs_are_a_schedule() -> None:
    for members in (
        [make_job(**NIGHTLY)],
        [make_job(scheduled="2026-05-01T02:00:00Z")],
        [make_job(2, "running", interval=60)],
    ):
        assert is_schedule(members)
    assert is_schedule([make_job(1, "pending"), make_job(2, **NIGHTLY)])
    for members in ([], [make_job(1, "pending")], [make_job(1, "running")], [make_job(**NIGHTLY, **FOREIGN)]):
        assert not is_schedule(members)
    assert not is_schedule([make_job(data=None, **NIGHTLY)])
