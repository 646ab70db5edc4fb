# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a schedule fares."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._health import Report, short
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._liveness import no_scheduler_sentence
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Service
from ansible_collections.proxbox.proxbox.tests.unit.conftest import make_job, recorded

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
NEXT = datetime(2026, 4, 11, 2, 0, tzinfo=UTC)
SERVED = Service(1, frozenset({"default"}))


def active(job_id: int = 9, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{"scheduled": NEXT, "interval": 1440, **changes})


def ended(job_id: int, like: str = "ok_all", **changes: Any) -> Job:
    """Return the recorded run, with its log."""
    then = NEXT - timedelta(days=9 - job_id)
    log = recorded(like)["log_entries"]
    return make_job(job_id, like=like, **{"started": then, "completed": then, "log_entries": log, **changes})


def unknown(job_id: int) -> Job:
    """Return a run whose stages NetBox does not list."""
    data = recorded("ok_devices_backups")["data"]
    del data["proxbox_sync"]["response"]
    return ended(job_id, "ok_devices_backups", data=data)


def report(*members: Job, history: tuple[Job, ...] = (), service: Service = SERVED) -> Report:
    return Report("nightly", members or (active(),), history, service, NOW)


RUNNING = active(status="running", scheduled=NEXT - timedelta(days=1), started=NEXT - timedelta(days=1))
FAILED = ended(8, "backups_500_alone")
PARTIAL = ended(8, "backups_500_beside")
CANCELLED = ended(8, "cancelled_running")
NOTHING = ended(8, "sdn_disabled")
ALL_ASKED = "did not do everything that was requested"


@pytest.mark.parametrize(
    ("found", "health", "why"),
    [
        (report(), "ok", ""),
        (report(history=(ended(8), FAILED)), "ok", ""),
        (
            report(history=(FAILED, ended(7))),
            "failing",
            f"the last run {ALL_ASKED}: pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space",
        ),
        (
            report(history=(FAILED, FAILED)),
            "failing",
            f"the last run {ALL_ASKED} (2 failures since the last good run): pve-lab: vm-backups",
        ),
        (
            report(history=(CANCELLED, FAILED)),
            "failing",
            f"job 8 {ALL_ASKED}: pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space",
        ),
        (report(history=(PARTIAL,)), "failing", "HTTP 500: no space left on device; devices is ok (3 s)"),
        (report(history=(CANCELLED, ended(7))), "cancelled", "The sync 'nightly' (job 8) was cancelled"),
        (
            report(history=(NOTHING, FAILED)),
            "nothing_done",
            "The sync 'nightly' (job 8) did nothing: the setting sync_mode_sdn disables",
        ),
        (
            report(history=(unknown(8), ended(7))),
            "unknown",
            "The outcome of the sync 'nightly' (job 8) is unknown",
        ),
        (
            report(active(scheduled=NOW - timedelta(hours=1))),
            "overdue",
            "job 9 should have started at Fri 10 Apr 2026 09:00 UTC",
        ),
        (report(active(scheduled=NOW - timedelta(minutes=1))), "ok", ""),
        (report(service=Service(0)), "no_worker", "no worker is running: start a worker for"),
        (report(service=Service(1, frozenset({"high"}))), "no_worker", "no worker serves the queue 'default'"),
        (report(service=Service(1)), "ok", ""),
        (report(RUNNING, service=Service(0)), "ok", ""),
        (report(active(4), active(9)), "duplicate", "more than one job of this schedule has not ended: 4, 9"),
        (report(active(9, dead="it is lost"), history=(FAILED,)), "stale", "job 9: it is lost"),
    ],
)
def test_health(found: Report, health: str, why: str) -> None:
    result = found.result()
    assert result["health"] == health
    assert why in "".join(result["why"][:1]) and bool(why) == bool(result["why"])


def test_the_worst_comes_first_and_nothing_is_left_out() -> None:
    found = report(
        active(4, dead="it is lost"),
        active(9, scheduled=NOW - timedelta(hours=3)),
        history=(FAILED,),
        service=Service(0),
    )
    assert [word for word, _sentence in found.findings()] == [
        "stale",
        "duplicate",
        "no_worker",
        "no_worker",
        "overdue",
        "failing",
    ]


def test_what_the_module_returns() -> None:
    last = ended(7)
    failed = FAILED._replace(id=6)
    assert report(history=(last, failed)).result() == {
        "name": "nightly",
        "health": "ok",
        "why": [],
        "next_run": "2026-04-11T02:00:00Z",
        "last_run": last.result(),
        "last_failure": failed.result(),
        "consecutive_failures": 0,
        "runs": short([last, failed]),
        "job": active().result(),
        "duplicates": [],
        "unserved_queues": [],
    }
    assert short([failed]) == [
        {
            "id": 6,
            "outcome": "failed",
            "status": "completed",
            "started": "2026-04-10T02:00:00Z",
            "completed": "2026-04-10T02:00:00Z",
            "duration": 0.0,
            "url": "http://netbox/core/jobs/8/",
        }
    ]


def test_what_the_module_returns_of_a_schedule_that_is_over() -> None:
    def over(*history: Job) -> dict[str, Any]:
        return replace(report(history=history), members=()).result_of_ended()

    last = ended(7)
    assert over(last) == {"name": "nightly", "health": "ok", "why": [], "last_run": last.result()}
    found = over(FAILED, last)
    assert found["health"] == "failing" and "no space left on device" in found["why"][0]


@pytest.mark.parametrize("stuck", ["default", "high"])
def test_a_queue_whose_scheduled_jobs_no_worker_starts(stuck: str) -> None:
    for member, told in ((active(), stuck == "default"), (RUNNING, False)):
        found = replace(report(member), stuck_queues=frozenset({stuck})).findings()
        assert found == ([("no_scheduler", no_scheduler_sentence("default"))] if told else [])
        assert replace(report(member), stuck_queues=frozenset({stuck})).unserved_queues == ["default"][: int(told)]


def test_the_queues_that_nobody_serves() -> None:
    waiting = (RUNNING, active(4), active(5, queue_name="high"))
    assert report(*waiting, service=Service(0)).unserved_queues == ["default", "high"]
    assert report(*waiting, service=Service(1, frozenset({"high"}))).unserved_queues == ["default"]
    assert report(RUNNING, service=Service(0)).unserved_queues == []


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([active()], NEXT),
        ([active(4, scheduled=NEXT + timedelta(days=1)), active(9)], NEXT),
        ([RUNNING], NEXT),
        ([active(status="running", scheduled=NEXT - timedelta(days=3))], NOW + timedelta(minutes=1)),
        ([active(status="running", interval=None)], None),
        ([active(status="running", dead="it is lost")], None),
        ([active(dead="it is lost")], None),
    ],
)
def test_the_next_run(members: list[Job], expected: datetime | None) -> None:
    assert report(*members).next_run == expected


def test_the_job_of_a_schedule_is_the_one_that_runs() -> None:
    waiting = active(4)
    result = report(active(12), waiting, RUNNING).result()
    assert (result["job"]["id"], result["duplicates"]) == (9, [12, 4])
    result = report(active(12), waiting).result()
    assert (result["job"]["id"], result["duplicates"]) == (4, [12])


def test_the_last_run_is_one_that_began() -> None:
    never = ended(8, "cancelled_before", started=None)
    assert report(history=(never, ended(7))).last_run.id == 7
    assert report(history=(never,)).last_run is None


def test_a_cancelled_run_hides_no_failure() -> None:
    found = report(history=(CANCELLED, FAILED, CANCELLED, PARTIAL, ended(5), FAILED))
    assert found.consecutive_failures == 2
    assert found.last_failure is FAILED and found.last_run is CANCELLED
    assert [word for word, _sentence in found.findings()] == ["failing", "cancelled"]


def test_a_run_with_an_unknown_outcome_neither_counts_nor_ends_the_failures() -> None:
    found = report(history=(unknown(8), FAILED, unknown(6), PARTIAL))
    assert found.consecutive_failures == 2
    assert [word for word, _sentence in found.findings()] == ["failing", "unknown"]


@pytest.mark.parametrize("good", [ended(7), ended(7, "sdn_disabled")])
def test_a_good_run_ends_the_failures(good: Job) -> None:
    found = report(history=(FAILED, good, FAILED))
    assert found.consecutive_failures == 1
    assert report(history=(good, FAILED)).consecutive_failures == 0
