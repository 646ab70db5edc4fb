# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The events that follow from the looks at NetBox."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._events import (
    OVERLAP,
    SUCCEEDING,
    Look,
    Memory,
    Rules,
    begin,
    follow,
    needs_time_limit,
    to_read,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Kind
from ansible_collections.proxbox.proxbox.tests.unit.conftest import FOREIGN, make_job, recorded

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SOON = timedelta(seconds=30)
ALL = Rules()


def active(job_id: int = 9, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{"scheduled": LATER, "interval": 1440, **changes})


def ended(job_id: int = 9, like: str = "ok_all", **changes: Any) -> Job:
    """Return the recorded run, with its log, that ended now."""
    log = recorded(like)["log_entries"]
    return make_job(
        job_id, like=like, **{"interval": 1440, "started": NOW - SOON, "completed": NOW, "log_entries": log, **changes}
    )


class Watch:
    """The looks of one rulebook."""

    def __init__(self, rules: Rules = ALL, lookback: timedelta = timedelta()) -> None:
        self.rules = rules
        self.memory: Memory = begin(NOW, lookback, rules)
        self.now = NOW

    def look(self, *now: Job, ended: Iterable[Job] = (), after: float = 30, limit: float = 2) -> list[dict[str, Any]]:
        """Look at NetBox ``after`` seconds later. ``ended`` has all jobs that have ended."""
        self.now += timedelta(seconds=after)
        new = [job for job in ended if job.completed and job.completed >= self.memory.since]
        ids = to_read(self.memory, now, new, self.rules)
        read = tuple(job for job in ended if job.id in ids)
        look = Look(self.now, now, read, timedelta(hours=limit))
        self.memory, events = follow(self.memory, look, self.rules)
        return events

    def told(self, *now: Job, **options: Any) -> list[tuple[str, str]]:
        return [(event["type"], event["name"]) for event in self.look(*now, **options)]


@pytest.mark.parametrize(
    ("like", "outcome"),
    [
        ("ok_all", "succeeded"),
        ("backups_500_alone", "failed"),
        ("backups_500_beside", "partial"),
        ("cancelled_running", "cancelled"),
        ("cancelled_before", "cancelled"),
        ("sdn_disabled", "nothing_done"),
    ],
)
def test_a_sync_that_ends_causes_one_event_with_its_outcome(like: str, outcome: str) -> None:
    watch = Watch()
    run = ended(like=like)
    assert watch.told(active(status="running")) == []
    (event,) = watch.look(active(10), ended=[run])
    assert (event["type"], event["name"], event["time"]) == ("ended", "nightly", "2026-04-10T10:01:00Z")
    assert event.keys() == {"type", "name", "time", "message", "job"}
    assert event["job"] == run.result() and event["job"]["outcome"] == outcome
    assert watch.told(active(10), ended=[run]) == watch.told(active(10), ended=[run], after=3600) == []


@pytest.mark.parametrize("like", ["ok_all", "backups_500_alone", "backups_500_beside", "devices_500", "sdn_disabled"])
def test_an_older_plugin_causes_the_same_event(like: str) -> None:
    def outcome(release: str) -> str:
        row = {**recorded(like, release), "completed": "2026-04-10T10:00:00Z"}
        (event,) = Watch().look(ended=[Job.from_row(row)])
        return event["job"]["outcome"]

    assert outcome("0.0.25") == outcome("0.0.29.post6")


def test_the_message_names_the_cause() -> None:
    (event,) = Watch().look(ended=[ended(like="backups_500_alone")])
    assert event["message"].splitlines()[:2] == [
        "The sync 'nightly' (job 9) failed after 30 s: vm-backups was not synced.",
        "pve-lab: vm-backups failed after 3 attempts: HTTP 500: no space left on device. See the log of the backend "
        "(proxbox-api) on its host.",
    ]
    (event,) = Watch().look(ended=[ended()])
    assert event["message"] == "The sync 'nightly' (job 9) did everything that was requested."


def test_only_a_sync_that_ends_after_the_start_or_within_lookback_causes_an_event() -> None:
    old = ended(8, completed=NOW - timedelta(minutes=30))
    assert Watch().told(ended=[old]) == []
    assert Watch(lookback=timedelta(minutes=29)).told(ended=[old]) == []
    watch = Watch(lookback=timedelta(minutes=31))
    assert watch.told(ended=[old]) == [("ended", "nightly")]
    assert watch.told(ended=[old]) == []


def test_an_end_with_a_wrong_or_missing_time_causes_an_event() -> None:
    """The worker's clock is slow, or the row has no time of its end. The job is no longer active."""
    for completed in (NOW - timedelta(minutes=30), None):
        watch = Watch()
        run = ended(completed=completed)
        assert watch.told(active(status="running")) == []
        assert watch.told(active(10), ended=[run]) == [("ended", "nightly")]
        assert watch.told(active(10), ended=[run]) == []


def test_syncs_that_end_during_an_outage_cause_events() -> None:
    watch = Watch()
    assert watch.told(active(status="running")) == []
    first, second = ended(9), ended(10, "devices_500", completed=NOW + timedelta(hours=3))
    found = watch.look(active(11, scheduled=NOW + timedelta(days=1)), ended=[first, second], after=5 * 3600)
    assert [(event["job"]["id"], event["job"]["outcome"]) for event in found] == [(9, "succeeded"), (10, "failed")]


def test_events_come_in_the_order_of_the_ends() -> None:
    runs = [ended(9, completed=NOW + SOON), ended(10), ended(11, completed=NOW + SOON / 2)]
    assert [event["job"]["id"] for event in Watch().look(ended=runs, after=60)] == [10, 11, 9]


def test_a_job_that_is_missing_in_one_list_is_still_active() -> None:
    watch = Watch()
    assert watch.told(active()) == watch.told(ended=[active()]) == watch.told(ended=[active()]) == []
    assert watch.told(active(10), ended=[ended()]) == [("ended", "nightly")]


def test_the_memory_does_not_grow() -> None:
    watch = Watch()
    runs = [ended(number, completed=NOW + timedelta(minutes=number)) for number in range(100)]
    for number in range(1, 100):
        assert len(watch.told(ended=runs[:number], after=60)) == 1
        assert len(watch.memory.judged) <= OVERLAP / timedelta(minutes=1) + 2
    assert watch.memory.since == watch.now - OVERLAP


def test_jobs_that_are_not_syncs_cause_no_events() -> None:
    watch = Watch()
    script = active(5, scheduled=NOW - timedelta(hours=1), **FOREIGN)
    system = active(6, scheduled=NOW - timedelta(hours=1), data=None, user=None, name="System Housekeeping")
    assert script.kind is Kind.FOREIGN and system.kind is Kind.NOT_KNOWN
    assert watch.told(script, system) == []
    assert watch.told(script, system, active(7, scheduled=NOW - timedelta(hours=1))) == [("overdue", "nightly")]
    others = [ended(5, **FOREIGN), ended(6, data=None, log_entries=[])]
    assert watch.told(active(7), ended=others) == watch.told(active(7), ended=others) == []


def test_a_system_job_is_read_only_once() -> None:
    watch = Watch()
    system = ended(6, data=None, log_entries=[])
    assert to_read(watch.memory, [], [system], ALL) == [6]
    watch.told(ended=[system])
    assert to_read(watch.memory, [], [system], ALL) == []


def test_a_sync_that_lost_its_data_is_still_a_sync() -> None:
    watch = Watch()
    assert watch.told(active()) == []
    assert watch.told(ended=[ended(like="cancelled_running", data=None)]) == [("ended", "nightly")]


def test_only_schedules_with_matching_names_cause_events() -> None:
    rules = Rules(names=("nightly", "lab *"))
    runs = [ended(number, name=name) for number, name in enumerate(("nightly", "lab 1", "nightly 2", "lab"), 1)]
    watch = Watch(rules)
    assert to_read(watch.memory, [], runs, rules) == [1, 2]
    assert watch.told(active(5, name="other", scheduled=NOW - timedelta(hours=1)), ended=runs) == [
        ("ended", "nightly"),
        ("ended", "lab 1"),
    ]


def test_an_overdue_run_causes_one_event() -> None:
    watch = Watch()
    due = active(scheduled=NOW)
    assert watch.told(due, after=119) == []
    (event,) = watch.look(due, after=2)
    assert (event["type"], event["time"]) == ("overdue", "2026-04-10T10:02:01Z")
    assert event["message"] == "The sync 'nightly' (job 9) should have started at 2026-04-10T10:00:00Z."
    assert watch.told(due) == []
    assert watch.told(active(status="running", started=watch.now)) == []
    late = active(10, scheduled=watch.now - timedelta(minutes=3))
    assert watch.told(late, ended=[ended()]) == [("ended", "nightly"), ("overdue", "nightly")]


def test_a_run_that_takes_too_long_causes_one_event() -> None:
    run = active(status="running", started=NOW)
    watch = Watch(Rules(running_too_long=timedelta(minutes=30)))
    assert watch.told(run, after=1799) == []
    assert not needs_time_limit(watch.memory, [run], NOW + timedelta(days=1), watch.rules)
    (event,) = watch.look(run, after=1)
    assert (event["type"], event["time"]) == ("running_too_long", "2026-04-10T10:30:00Z")
    assert (
        event["message"]
        == "The sync 'nightly' (job 9) has been running since 2026-04-10T10:00:00Z, longer than 30 min."
    )
    assert watch.told(run) == []
    assert watch.told(active(10), ended=[ended()]) == [("ended", "nightly")]


def test_the_time_limit_of_netbox_is_the_default() -> None:
    run = active(status="running", started=NOW)
    watch = Watch()
    assert not needs_time_limit(watch.memory, [run], NOW + timedelta(minutes=59), ALL)
    assert needs_time_limit(watch.memory, [run], NOW + timedelta(minutes=60), ALL)
    assert watch.told(run, after=3 * 3600 - 1, limit=3) == []
    assert watch.told(run, after=1, limit=3) == [("running_too_long", "nightly")]
    assert not needs_time_limit(watch.memory, [run], watch.now, ALL)
    assert watch.told(run, limit=1) == watch.told(run, limit=9) == watch.told(run, limit=1) == []


def test_a_schedule_that_disappears_causes_one_event() -> None:
    watch = Watch()
    assert watch.told(active()) == []
    cancelled = ended(like="cancelled_before", started=None)
    assert watch.told(ended=[cancelled]) == [("ended", "nightly")]
    (event,) = watch.look(ended=[cancelled])
    assert (event["type"], event["name"], event["job"]["cancelled"]) == ("gone", "nightly", True)
    assert event["message"] == (
        "The schedule 'nightly' has no active job any more. The sync 'nightly' (job 9) was cancelled before it started."
    )
    assert watch.told() == []
    # The schedule comes back and disappears again. This time, its row is deleted.
    assert watch.told(active(10)) == watch.told() == []
    (event,) = watch.look()
    assert event["message"] == "The schedule 'nightly' has no active job any more." and event["job"]["id"] == 10
    assert watch.told() == []


def test_a_schedule_between_two_runs_is_not_gone() -> None:
    watch = Watch()
    assert watch.told(active(status="running")) == []
    run = ended()
    assert watch.told(ended=[run], after=2) == [("ended", "nightly")]
    assert watch.told(ended=[run], after=SUCCEEDING.total_seconds() - 1) == []
    assert watch.told(active(10), ended=[run], after=10) == []
    # A run has no data for a moment when it starts.
    starting = active(10, "running", data=None)
    assert starting.kind is Kind.NOT_KNOWN
    assert watch.told(starting, after=3600) == watch.told(starting) == []
    assert watch.told(active(11, data=None)) == watch.told(active(11, data=None)) == []


def test_a_sync_that_runs_once_is_not_a_schedule() -> None:
    watch = Watch()
    assert watch.told(active(interval=None)) == []
    assert watch.told(ended=[ended(interval=None)]) == [("ended", "nightly")]
    assert watch.told() == watch.told() == []


def test_a_required_schedule_that_does_not_exist_causes_one_event() -> None:
    watch = Watch(Rules(names=("other",), schedules=("nightly", "weekly")))
    assert watch.told(active(name="weekly")) == []
    (event,) = watch.look(active(name="weekly"))
    assert (event["type"], event["name"], event["job"]) == ("gone", "nightly", None)
    assert event["time"] == "2026-04-10T10:01:00Z"
    assert event["message"] == "NetBox has no schedule 'nightly'."
    assert watch.told(active(name="weekly")) == []


@given(st.lists(st.sampled_from(("start", "end", "follow", "cancel", "pass", "look")), max_size=40))
def test_each_end_causes_one_event_and_an_active_schedule_is_not_gone(steps: list[str]) -> None:
    """One schedule whose runs start, end, leave a successor and are cancelled, with looks at any time."""
    watch = Watch()
    jobs, done, events = [active(1, scheduled=NOW + timedelta(days=365))], [], []
    number, clock = 1, NOW

    def look() -> None:
        events.extend(watch.look(*jobs, ended=done, after=(clock - watch.now).total_seconds()))

    look()
    for step in (*steps, "look"):
        clock += timedelta(seconds=20 if step == "pass" else 1)
        status = jobs[0].status if jobs else None
        if step == "start" and status == "scheduled":
            jobs = [active(number, "running", started=clock)]
        elif step == "end" and status == "running":
            jobs, done = [], [*done, ended(number, completed=clock)]
        elif step == "cancel" and jobs:
            jobs, done = [], [*done, ended(number, "cancelled_running", completed=clock)]
        elif step == "follow" and not jobs:
            number += 1
            jobs = [active(number, scheduled=NOW + timedelta(days=365))]
        elif step == "look":
            look()
            if jobs:
                assert not watch.memory.schedules["nightly"].missing_since
    assert [event["job"]["id"] for event in events if event["type"] == "ended"] == [job.id for job in done]
    gone = [event["job"]["id"] for event in events if event["type"] == "gone"]
    assert len(gone) == len(set(gone))
