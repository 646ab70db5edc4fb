# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sentence in which a task tells what it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._message import (
    change_of,
    counted,
    of_cancel,
    of_list,
    of_run,
    of_schedule,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Observation, Past, Plan, Policy, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import (
    ago,
    duration,
    in_words,
    in_zone,
    parse_timezone,
)
from ansible_collections.proxbox.proxbox.tests.unit.conftest import NIGHTLY, make_job, recorded

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
NEW = NewJob("nightly", Scope(), datetime(2026, 4, 11, 2, 0, tzinfo=UTC), 1440)


def job(number: int, status: str = "scheduled", **fields: Any) -> Job:
    return make_job(number, status, **{**NIGHTLY, **fields})


def done(plan: Plan, left: Any = None, *jobs: Job, **past: Any) -> TaskResult:
    return TaskResult(plan, left, Observation(jobs, NOW, Past(**past)), changed=plan.changed)


NEXT = "next run Sat 11 Apr 2026 02:00 UTC"


@pytest.mark.parametrize(
    ("plan", "left", "said", "would"),
    [
        (Plan("nightly", keep=job(1)), job(1), f"unchanged, {NEXT}", f"unchanged, {NEXT}"),
        (Plan("nightly", create=NEW, why=("no active job",)), job(2), f"created, {NEXT}", f"would be created, {NEXT}"),
        (
            Plan(
                "nightly",
                create=NEW,
                cancel=(job(1),),
                why=("job 1: its interval is 60 minutes, wanted 1440 minutes", "no active job matches"),
            ),
            job(2),
            f"changed (its interval is 60 minutes, wanted 1440 minutes), {NEXT}",
            f"would be changed (its interval is 60 minutes, wanted 1440 minutes), {NEXT}",
        ),
        (
            Plan("nightly", keep=job(1), cancel=(job(2), job(3)), why=("job 2: a duplicate", "job 3: a duplicate")),
            job(1),
            f"changed (jobs 2, 3 cancelled: duplicates), {NEXT}",
            f"would be changed (jobs 2, 3 cancelled: duplicates), {NEXT}",
        ),
        (
            Plan("nightly", keep=job(1), cancel=(job(2),), why=("job 2: its name is 'old', wanted 'nightly'",)),
            job(1),
            f"changed (job 2 cancelled: its name is 'old', wanted 'nightly'), {NEXT}",
            f"would be changed (job 2 cancelled: its name is 'old', wanted 'nightly'), {NEXT}",
        ),
        (Plan("nightly", cancel=(job(1),)), None, "ended (job 1)", "would be ended (job 1)"),
        (Plan("nightly", delete=(1, 2)), None, "ended, 2 jobs deleted", "would be ended, 2 jobs would be deleted"),
        (Plan("nightly"), None, "absent", "absent"),
    ],
)
def test_what_was_done_to_a_schedule(plan: Plan, left: Any, said: str, would: str) -> None:
    assert of_schedule(done(plan, left), Policy()) == f"nightly: {said}"
    assert of_schedule(done(plan, left), Policy(check_mode=True)) == f"nightly: {would}"


def test_a_paused_schedule_is_called_so() -> None:
    assert of_schedule(done(Plan("nightly", cancel=(job(1),))), Policy(), paused=True) == "nightly: paused (job 1)"
    assert of_schedule(done(Plan("nightly")), Policy(check_mode=True), paused=True) == "nightly: still paused"
    assert of_list([("a", "paused"), ("b", "still paused")]) == "2 schedules: 1 paused (a), 1 still paused"


def test_a_one_time_schedule_that_has_run_tells_how_it_ended() -> None:
    ran = Job.from_row(recorded("ok_all"))._replace(name="once")
    said = of_schedule(done(Plan("once", keep=ran), ran), Policy())
    assert said == f"once: unchanged, it ran on {in_zone(ran.started, UTC)}, job {ran.id} succeeded after 20 s"


def test_a_list_counts_what_was_changed_and_names_it() -> None:
    changes = [("a", "unchanged"), ("b", "changed"), ("c", "unchanged"), ("d", "failed"), ("e", "absent")]
    assert of_list(changes) == "5 schedules: 1 changed (b), 1 failed (d), 2 unchanged, 1 absent"
    assert of_list(changes[:2], check_mode=True) == "2 schedules: 1 would be changed (b), 1 unchanged"
    many = of_list([(str(number), "created") for number in range(8)])
    assert many == "8 schedules: 8 created (0, 1, 2, 3, 4 and 3 more)"
    assert of_list([]) == "0 schedules"


def test_a_run_tells_how_it_ended_or_why_none_was_started() -> None:
    assert of_run(done(Plan("now", create=NEW), NewJob("now", Scope()))) == "now: a sync would run now"
    running = job(3, "running", name="now")
    assert of_run(done(Plan("now", create=NEW, why=("a sync is to run now",)), running)) == "now: job 3 is running"
    assert of_run(done(Plan("now", keep=running, why=("it is so",)), running)) == "now: job 3 is running (it is so)"
    for scenario, said in (
        ("ok_all", "succeeded after"),
        ("backups_500_beside", "succeeded in part after"),
        ("devices_500", "failed after"),
        ("cancelled_running", "was cancelled after"),
    ):
        ended = Job.from_row(recorded(scenario))
        assert f"job {ended.id} {said} " in of_run(done(Plan("now", create=NEW), ended))


def test_a_cancel_tells_what_was_cancelled_and_how_the_schedule_goes_on() -> None:
    run = job(3, "running")
    plan = Plan("nightly", create=NEW, cancel=(run,))
    cancelled = done(plan, None, run)._replace(cancelled=(run,), successor=job(4))
    assert of_cancel(cancelled, "nightly", Policy()) == (
        f"nightly: job 3 cancelled; the schedule goes on with job 4, {NEXT}"
    )
    berlin = "next run Sat 11 Apr 2026 04:00 Europe/Berlin (02:00 UTC)"
    assert of_cancel(cancelled, "nightly", Policy(zone=parse_timezone("Europe/Berlin"))).endswith(f"job 4, {berlin}")
    planned = cancelled._replace(successor=NEW)
    assert of_cancel(planned, "nightly", Policy(check_mode=True)) == (
        f"nightly: job 3 would be cancelled; the schedule would go on, {NEXT}"
    )
    nothing = done(Plan("nightly"), None, job(4))
    assert of_cancel(nothing, "nightly", Policy()) == (
        "nightly: no run to cancel (job 4 is the next run of a schedule, and stays)"
    )
    assert of_cancel(done(Plan("nightly")), "nightly", Policy()) == "nightly: no run to cancel"
    ended = Job.from_row(recorded("ok_all"))._replace(name="nightly")
    said = of_cancel(done(Plan("nightly"), ended), "", Policy())
    assert said == f"nightly: job {ended.id} succeeded after 20 s, nothing to cancel"


def test_the_change_is_that_of_the_plan() -> None:
    assert change_of(done(Plan("x", keep=job(1)), job(1))) == "unchanged"
    assert change_of(done(Plan("x", cancel=(job(1),)))) == "ended"


def test_kinds_are_counted() -> None:
    assert counted("schedule", []) == "0 schedules"
    assert counted("schedule", [("a", "ok")]) == "1 schedule: 1 ok"
    assert counted("schedule", [("a", "ok"), ("b", "failing"), ("c", "ok")]) == "3 schedules: 2 ok, 1 failing (b)"
    found = [(name, "ended") for name in "abcdef"]
    assert counted("job", found) == "6 jobs: 6 ended (a, b, c, d, e and 1 more)"
    assert counted("job", found, well=("ended",)) == "6 jobs: 6 ended"


def test_times_are_shown_in_the_zone_of_the_user_with_utc_beside() -> None:
    night = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert in_zone(night, UTC) == in_zone(night, parse_timezone("UTC")) == "Tue 24 Nov 2026 23:30 UTC"
    assert in_zone(night, parse_timezone("Europe/Berlin")) == "Wed 25 Nov 2026 00:30 Europe/Berlin (Tue 23:30 UTC)"
    noon = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC)
    assert in_zone(noon, parse_timezone("Europe/London")) == "Wed 1 Jul 2026 13:00:05 Europe/London (12:00:05 UTC)"
    # In winter, London has UTC's offset, and another name.
    assert in_zone(night, parse_timezone("Europe/London")) == "Tue 24 Nov 2026 23:30 Europe/London (23:30 UTC)"


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=20), "less than a minute ago"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=119), "119 minutes ago"),
        (timedelta(hours=30), "30 hours ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_a_time_that_has_passed_is_shown_in_whole_units(passed: timedelta, said: str) -> None:
    assert ago(passed) == said


def test_a_time_that_something_took_is_rounded_and_a_limit_is_exact() -> None:
    assert [duration(seconds) for seconds in (0.2, 48.4, 119, 1500, 12600)] == [
        "0 s",
        "48 s",
        "119 s",
        "25 min",
        "3.5 h",
    ]
    limits = (timedelta(seconds=90), timedelta(minutes=90), timedelta(hours=2))
    assert [in_words(limit) for limit in limits] == ["1.5 min", "90 min", "2 h"]
