# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for a schedule, from the observed jobs and NetBox's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Observation, Older, Past, Plan
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import in_zone, parse_at, parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import FOREIGN, NO_SCOPE, make_job

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
NEXT = datetime(2026, 4, 11, 2, 0, tzinfo=UTC)
DAY, WEEK = 1440, 10080
DEVICES = Scope(frozenset({"devices"}))


def declared(schedule_at: str | None = None, interval: int | None = None, zone: str = "UTC", **rest: Any) -> Declare:
    at = parse_at(schedule_at, parse_timezone(zone)) if schedule_at else None
    return Declare("nightly", at=at, interval=interval, **{"retention": timedelta(days=90), **rest})


NIGHTLY = declared("02:00", DAY)


def job(job_id: int = 1, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{"scheduled": NEXT, "interval": DAY, **changes})


def at_once(job_id: int = 1, status: str = "pending", **changes: Any) -> Job:
    return make_job(job_id, status, **changes)


def decide(goal: Declare | End, *jobs: Job, now: datetime = NOW, **seen: Any) -> Plan:
    return goal.decide(Observation(jobs, now, **seen))


def test_a_schedule_without_a_job_is_created() -> None:
    plan = decide(NIGHTLY)
    assert plan == Plan("nightly", create=NewJob("nightly", Scope(), NEXT, DAY), why=("no active job",))
    assert plan.changed


@pytest.mark.parametrize("status", ["scheduled", "pending", "running"])
def test_an_active_job_is_kept(status: str) -> None:
    plan = decide(NIGHTLY, job(status=status))
    assert plan == Plan("nightly", keep=job(status=status)) and not plan.changed


@pytest.mark.parametrize("status", ["completed", "errored", "failed"])
def test_a_schedule_whose_job_has_ended_is_created_again(status: str) -> None:
    assert decide(NIGHTLY, job(status=status)).create is not None


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (declared("02:00", 60), "its interval is 1440 minutes, wanted 60 minutes"),
        (declared("02:00"), "its interval is 1440 minutes, wanted none"),
        (declared("03:00", DAY), "its next run is Sat 11 Apr 2026 02:00 UTC, which schedule_at does not allow"),
        (declared("02:00", DAY, scope=DEVICES), "its sync types are all, wanted devices"),
    ],
)
def test_a_change_creates_a_new_job_and_cancels_the_old_one(new: Declare, why: str) -> None:
    plan = decide(new, job())
    assert plan.create is not None and plan.keep is None
    assert plan.cancel == (job(),)
    assert plan.why == (f"job 1: {why}", "no active job matches")


def test_other_endpoints_are_a_change() -> None:
    narrow = job(proxmox_endpoint_ids=[1])
    assert decide(NIGHTLY, narrow).cancel == (narrow,)


def test_of_several_matching_jobs_the_lowest_id_is_kept() -> None:
    other = job(3, interval=60)
    why = ("job 3: its interval is 60 minutes, wanted 1440 minutes", "job 7: a duplicate", "job 9: a duplicate")
    assert decide(NIGHTLY, job(9), other, job(7), job(5)) == Plan(
        "nightly", keep=job(5), cancel=(other, job(7), job(9)), why=why
    )


def test_drift_is_repaired_but_not_while_the_sync_runs() -> None:
    assert decide(NIGHTLY, job(scheduled=NOW + timedelta(minutes=1))).create.schedule_at == NEXT
    assert not decide(NIGHTLY, job(status="running", scheduled=NOW - timedelta(minutes=1))).changed


def test_drift_ignore_keeps_a_drifted_job() -> None:
    relaxed = NIGHTLY._replace(repair_drift=False)
    drifted = job(scheduled=NOW + timedelta(minutes=1))
    assert decide(relaxed, drifted) == Plan("nightly", keep=drifted)
    assert decide(relaxed, job(interval=60)).changed
    # Somebody has skipped one run.
    one_later = job(scheduled=NEXT + timedelta(days=1))
    assert not decide(relaxed, one_later, older_read=True, older_complete=True).changed
    # Only skip_until moves the next run as far as that.
    skipped = decide(relaxed, job(scheduled=NEXT + timedelta(days=30)), older_read=True, older_complete=True)
    assert skipped.create and skipped.create.schedule_at == NEXT


def test_a_recurring_job_that_starts_at_once_is_kept() -> None:
    first = job(status="pending", scheduled=None)
    assert decide(NIGHTLY, first).keep == first


LATE = NOW - timedelta(minutes=1)
"""A time at which ``NIGHTLY`` does not run."""
MOVED = job(9, "running", scheduled=LATE)
RELAXED = NIGHTLY._replace(repair_drift=False)
DRIFTED = job(9, scheduled=NOW + timedelta(minutes=1))


@pytest.mark.parametrize(("goal", "moved"), [(NIGHTLY, MOVED), (RELAXED, DRIFTED), (RELAXED, MOVED)])
def test_older_jobs_show_whether_netbox_has_moved_a_schedule(goal: Declare, moved: Job) -> None:
    on_phase = job(3, "completed", scheduled=NEXT - timedelta(days=4))
    off_phase = job(4, "errored", scheduled=LATE - timedelta(days=1))
    assert goal.missing(Observation((moved,), NOW)) == Older("nightly", once=False)
    assert goal.missing(Observation((moved,), NOW, older_read=True)) is None

    def after(*older: Job, complete: bool = True) -> Plan:
        return decide(goal, moved, *older, older_read=True, older_complete=complete)

    # An earlier run had the wanted time, so NetBox has moved the schedule. The same is assumed if the list of earlier
    # runs is not complete.
    unsure = (
        "job 9 is off the wanted time, and NetBox does not show the beginning of its schedule. If you have changed "
        "schedule_at, run the task once with drift: repair while no sync runs.",
    )

    def skipped(seconds: int) -> Job:
        """Return the cancelled run of the day before, this number of seconds later."""
        then = moved.scheduled - timedelta(days=1) + timedelta(seconds=seconds)
        return job(4, "failed", scheduled=then, error="Cancelled via API.", started=None)

    for plan, warnings in (
        (after(on_phase), ()),
        (after(on_phase, off_phase, complete=False), ()),
        (after(off_phase, complete=False), unsure),
        # A cancelled run does not change the phase of the schedule.
        *((after(on_phase, skipped(seconds)), ()) for seconds in (-1, 0, 1)),
    ):
        assert plan == Plan("nightly", keep=moved, warnings=warnings) and not plan.changed
    # No run of this schedule had the wanted time, so schedule_at was changed.
    for older in (
        (),
        (off_phase,),
        # The schedule was replaced after the run that had the wanted time.
        (on_phase, skipped(-2)),
        (on_phase, skipped(2)),
        (on_phase, job(4, "failed", scheduled=None, error="Cancelled via API.", started=None)),
        (on_phase, job(4, "failed", scheduled=NEXT, error="Cancelled via API.", started=None)),
        (on_phase, job(4, "completed", scheduled=LATE, interval=60)),
        (on_phase, job(4, "completed", scheduled=LATE, sync_types=["devices"])),
    ):
        plan = after(*older)
        assert plan.cancel == (moved,) and plan.create.schedule_at == NEXT
        assert (
            plan.why[0] == f"job 9: its next run is {in_zone(moved.scheduled, UTC)}, which schedule_at does not allow"
        )


def test_a_schedule_whose_first_jobs_netbox_may_have_deleted_is_kept() -> None:
    def changed(created: datetime, goal: Declare = NIGHTLY) -> bool:
        older = job(3, "completed", scheduled=LATE - timedelta(days=1), created=created)
        return decide(goal, MOVED, older, older_read=True, older_complete=True).changed

    assert not changed(NOW - timedelta(days=82))
    assert changed(NOW - timedelta(days=81))
    assert changed(NOW - timedelta(days=82), NIGHTLY._replace(retention=None))


def test_a_schedule_at_the_wanted_time_needs_no_older_jobs() -> None:
    for goal in (NIGHTLY, RELAXED):
        for seen in ((), (job(),), (job(status="running"),), (job(interval=60),), (job(2, sync_types=["devices"]),)):
            assert goal.missing(Observation(seen, NOW)) is None
    assert NIGHTLY.missing(Observation((DRIFTED,), NOW)) is None, "it is repaired in any case"
    assert NIGHTLY.missing(Observation((MOVED._replace(dead="its worker is gone"),), NOW)) is None


def test_a_weekly_time_of_day_keeps_its_weekday() -> None:
    # The schedule runs on Sundays at two o'clock in Berlin. NetBox adds seven times 24 hours, and daylight saving time
    # begins in between.
    late = job(scheduled=datetime(2026, 4, 5, 1, tzinfo=UTC), interval=WEEK)
    weekly = declared("02:00", WEEK, "Europe/Berlin")
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    repaired = decide(weekly, late, now=now).create
    assert repaired.schedule_at == datetime(2026, 4, 5, 0, tzinfo=UTC)
    assert not decide(weekly, late._replace(scheduled=repaired.schedule_at), now=now).changed
    # A run that is a month away is moved back by whole weeks.
    far = late._replace(scheduled=datetime(2026, 5, 3, 0, tzinfo=UTC))
    assert decide(weekly, far, now=now).create.schedule_at == datetime(2026, 4, 5, 0, tzinfo=UTC)


def test_schedule_at_may_name_a_day_of_the_week() -> None:
    sunday = datetime(2026, 4, 12, 2, tzinfo=UTC)
    weekly, once = declared("sunday 02:00", WEEK), declared("sunday 02:00")
    assert decide(weekly).create == NewJob("nightly", Scope(), sunday, WEEK)
    assert not decide(weekly, job(scheduled=sunday, interval=WEEK)).changed
    moved = decide(weekly, job(scheduled=NEXT + timedelta(days=4), interval=WEEK))
    assert moved.create.schedule_at == sunday and len(moved.cancel) == 1
    # Without an interval, the next task after the run schedules it again, as with a time of day.
    assert not once.once and decide(once).create == NewJob("nightly", Scope(), sunday)
    waiting = job(scheduled=sunday, interval=None)
    assert not decide(once, waiting).changed
    assert decide(once, waiting._replace(scheduled=sunday + timedelta(days=7))).create.schedule_at == sunday
    ran = job(1, "completed", scheduled=sunday - timedelta(days=7), interval=None)
    assert decide(once, ran).create.schedule_at == sunday


def test_a_new_interval_begins_at_the_next_time_of_day() -> None:
    weekly = job(scheduled=NEXT + timedelta(days=3), interval=WEEK)
    assert decide(declared("02:00", 2 * WEEK), weekly).create.schedule_at == NEXT


def test_jobs_of_other_schedules_are_never_cancelled() -> None:
    foreign = [job(1, **FOREIGN), job(2, name="Nightly"), job(3, name="nightly "), job(4, data=None)]
    for goal in (NIGHTLY, End("nightly")):
        plan = decide(goal, *foreign)
        assert not plan.cancel and plan.keep is None


def test_which_jobs_concern_a_schedule() -> None:
    for goal in (NIGHTLY, End("nightly")):
        assert goal.concerns(job()) and goal.concerns(job(data=None)) and not goal.concerns(job(name="other"))


AT_ONCE = declared()
DATED = declared("2026-04-10 02:00")
THEN = datetime(2026, 4, 10, 2, 0, tzinfo=UTC)


def test_a_copy_made_by_run_now_is_not_part_of_a_schedule() -> None:
    copies = [at_once(3, queue_name="high"), at_once(4, "running", queue_name="high")]
    for goal in (NIGHTLY, AT_ONCE, declared(interval=DAY), declared("02:00"), declared("2026-04-11 02:00")):
        plan = decide(goal, *copies)
        assert plan.create and not plan.cancel
    assert decide(AT_ONCE, at_once(3, "completed", queue_name="high")).create
    plan = decide(End("nightly"), *copies, job())
    assert plan.cancel == (job(),)


def test_a_sync_that_runs_at_once_belongs_to_a_schedule_that_runs_at_once() -> None:
    run = at_once(3)
    for goal in (NIGHTLY, declared(interval=DAY), declared("02:00"), declared("2026-04-11 02:00")):
        plan = decide(goal, run)
        assert plan.create and not plan.cancel
    assert decide(AT_ONCE, run).keep == run
    assert decide(AT_ONCE, run, at_once(4)).cancel == (at_once(4),)
    assert decide(End("nightly"), run).cancel == (run,)


def test_without_schedule_at_any_time_within_the_interval_is_kept() -> None:
    daily = declared(interval=DAY)
    assert not decide(daily, job(scheduled=NOW + timedelta(hours=23))).changed
    far = decide(daily, job(scheduled=NOW + timedelta(days=30)))
    assert far.create == NewJob("nightly", Scope(), NOW + timedelta(days=1), DAY)
    assert far.why[0] == "job 1: its next run is Sun 10 May 2026 10:00 UTC, later than the schedule allows"


def test_a_later_job_is_replaced_if_the_sync_is_to_run_at_once() -> None:
    assert not decide(AT_ONCE, job(interval=None, scheduled=NOW + timedelta(seconds=10))).changed
    later = job(interval=None, scheduled=NOW + timedelta(seconds=11))
    assert decide(AT_ONCE, later).create == NewJob("nightly", Scope())


@pytest.mark.parametrize(
    ("wanted", "old", "expected"),
    [
        (declared(interval=WEEK), job(), NEXT),
        (declared(interval=60), job(), NOW + timedelta(hours=1)),
        (declared(interval=DAY, scope=DEVICES), job(), NEXT),
        (declared(interval=DAY, scope=DEVICES), job(scheduled=NOW + timedelta(days=9)), NOW + timedelta(days=1)),
        # While it runs, the next run is one interval away.
        (declared(interval=60), job(status="running", scheduled=NOW), NOW + timedelta(hours=1)),
        # It is due already.
        (declared(interval=60), job(scheduled=NOW + timedelta(seconds=10)), None),
        (declared(interval=60), job(status="pending", scheduled=None), None),
        (declared(interval=60), job(status="pending", scheduled=NOW - timedelta(days=1)), None),
        # A job that is dead or runs once has no next run.
        (declared(interval=60), job(dead="its RQ task is lost", scheduled=NOW - timedelta(days=1)), None),
        # RQ lost the job before its time. The new job keeps this time.
        (declared(interval=DAY), job(dead="its RQ task is lost"), NEXT),
        # NetBox would run it again one interval after the run.
        (declared(interval=DAY, scope=DEVICES), job(status="running", scheduled=LATE), LATE + timedelta(days=1)),
        (declared(interval=60), job(interval=None), None),
        (AT_ONCE, job(), None),
    ],
)
def test_a_change_without_schedule_at_keeps_the_time_of_the_next_run(
    wanted: Declare, old: Job, expected: datetime | None
) -> None:
    plan = decide(wanted, old)
    assert plan.cancel == (old,) and plan.create == NewJob("nightly", wanted.scope, expected, wanted.interval)
    if expected:
        new = job(2, scheduled=expected, interval=wanted.interval, sync_types=sorted(wanted.scope.sync_types))
        assert not decide(wanted, new).changed


def test_a_dated_sync_that_has_run_is_not_created_again() -> None:
    for then in (THEN, THEN + timedelta(seconds=0.9)):
        ran = job(status="errored", scheduled=then, interval=None)
        assert decide(DATED, ran).keep == ran
    for other in (
        [],
        [job(status="completed", scheduled=THEN + timedelta(seconds=1), interval=None)],
        [job(status="completed", scheduled=THEN - timedelta(days=1), interval=None)],
        [job(status="completed", scheduled=THEN, interval=None, sync_types=["devices"])],
        [job(status="failed", scheduled=THEN, interval=None, error="Cancelled via API.", started=None)],
        [job(status="completed", scheduled=THEN)],
        [at_once(status="completed")],
    ):
        with pytest.raises(ProxboxError, match=r"has passed .*no sync 'nightly' that ran for that time.*: set sched"):
            decide(DATED, *other)


def test_a_renamed_schedule_keeps_the_time_of_its_next_run() -> None:
    goal = declared(None, DAY)._replace(previous="tonight")
    old = job(1, scheduled=NOW + timedelta(hours=5), name="tonight")
    plan = decide(goal, old)
    assert (plan.create.name, plan.create.schedule_at) == ("nightly", old.scheduled) and plan.cancel == (old,)
    assert plan.why[0] == "job 1: its name is 'tonight', wanted 'nightly'"
    before, after = plan.diff()["before"], plan.diff()["after"]
    assert (before["name"], after["name"]) == ("tonight", "nightly") and before["scheduled"] == after["scheduled"]
    new = job(2, scheduled=old.scheduled)
    assert not decide(goal, new).changed
    assert decide(goal, old, new).cancel == (old,) and decide(goal, old, new).keep == new
    # A run of another task under the previous name does not belong to the schedule.
    assert decide(goal, new, at_once(3, "running", name="tonight")).done
    assert decide(End("nightly", previous="tonight"), old, new).cancel == (new, old)


SKIP = NOW + timedelta(days=3)  # at ten o'clock, and the runs are at two


def test_skip_until_skips_runs() -> None:
    goal = NIGHTLY._replace(skip_until=SKIP)
    first = datetime(2026, 4, 14, 2, 0, tzinfo=UTC)
    assert decide(goal).create.schedule_at == first
    plan = decide(goal, job(1, scheduled=NEXT))
    assert plan.create.schedule_at == first and plan.cancel == (job(1, scheduled=NEXT),)
    assert plan.why[0] == "job 1: its next run is Sat 11 Apr 2026 02:00 UTC, before skip_until"
    assert not decide(goal, job(2, scheduled=first)).changed
    # Without the option, the schedule goes back to its next time.
    assert decide(NIGHTLY, job(2, scheduled=first)).create.schedule_at == NEXT
    # When the time has passed, the option has no effect.
    for past in (NOW, NOW - timedelta(days=3)):
        assert not decide(NIGHTLY._replace(skip_until=past), job(1, scheduled=NEXT)).changed


def test_a_run_exactly_at_skip_until_is_not_skipped() -> None:
    goal = NIGHTLY._replace(skip_until=NEXT)
    assert decide(goal).create.schedule_at == NEXT and not decide(goal, job(1, scheduled=NEXT)).changed


def test_the_successor_of_a_running_sync_is_skipped_too() -> None:
    running = job(1, "running", scheduled=LATE)
    assert decide(NIGHTLY._replace(skip_until=SKIP), running).cancel == (running,)
    assert not decide(NIGHTLY, running).changed


def test_runs_without_schedule_at_are_skipped_by_whole_intervals() -> None:
    goal = declared(None, DAY)._replace(skip_until=SKIP)
    assert decide(goal).create.schedule_at == SKIP
    upcoming = job(1, scheduled=NOW + timedelta(hours=5))
    assert decide(goal, upcoming).create.schedule_at == NOW + timedelta(days=3, hours=5)
    assert not decide(goal, job(2, scheduled=NOW + timedelta(days=3, hours=5))).changed
    # skip_until was further away before. The phase is kept.
    further = decide(goal, job(2, scheduled=NOW + timedelta(days=5, hours=2)))
    assert further.create.schedule_at == NOW + timedelta(days=3, hours=2)


def test_a_dated_run_that_died_or_was_cancelled_is_not_created_again() -> None:
    dead = job(1, "running", scheduled=THEN, interval=None, started=THEN, dead="its worker is gone")
    plan = decide(DATED, dead)
    assert plan.cancel == (dead,) and plan.create is None and plan.changed
    assert plan.diff()["before"].get("duplicates") is None
    cancelled = job(1, "failed", scheduled=THEN, interval=None, started=THEN, error="Cancelled via API.")
    assert not decide(DATED, cancelled).changed
    # This also holds if the run ended before it showed what it covers.
    assert not decide(DATED, job(1, "failed", scheduled=THEN, interval=None, started=THEN, data=NO_SCOPE)).changed


@pytest.mark.parametrize("status", ["scheduled", "pending"])
def test_a_dated_job_that_died_before_it_started_is_an_error(status: str) -> None:
    dead = job(1, status, scheduled=THEN, interval=None, dead="its RQ task is lost")
    with pytest.raises(ProxboxError) as caught:
        decide(DATED, dead, dead._replace(id=2))
    assert str(caught.value) == (
        "schedule_at is Fri 10 Apr 2026 02:00 UTC, which has passed (NetBox's clock: Fri 10 Apr 2026 10:00 UTC), and "
        "NetBox has no sync 'nightly' that ran for that time; job 1: its RQ task is lost; job 2: its RQ task is lost: "
        "set schedule_at to a future time, or set an interval. state: absent cancels the jobs that are left."
    )
    # If the time is in the future, a new job is created.
    later = declared("2026-04-11 02:00")
    assert decide(later, job(1, status, interval=None, dead="its RQ task is lost")).create.schedule_at == NEXT


def test_a_date_that_is_now_has_passed() -> None:
    with pytest.raises(ProxboxError, match="which has passed"):
        decide(DATED, now=THEN)
    assert decide(DATED, now=THEN - timedelta(seconds=1)).create.schedule_at == THEN


def test_another_date_is_a_change() -> None:
    april, may = (
        job(1, interval=None, scheduled=datetime(2026, month, day, 2, tzinfo=UTC)) for month, day in ((4, 30), (5, 9))
    )
    once = declared("2026-05-09 02:00", repair_drift=False)
    assert not decide(once, may).changed
    plan = decide(once, april)
    assert plan.create.schedule_at == may.scheduled and plan.cancel == (april,)
    # A run at another time, or without a time, does not replace it.
    for other in (april._replace(status="running", scheduled=NOW), april._replace(status="pending", scheduled=None)):
        assert decide(once, other).create.schedule_at == may.scheduled


def test_a_sync_that_ran_once_at_once_is_not_created_again() -> None:
    assert decide(AT_ONCE).create == NewJob("nightly", Scope())
    for status in ("completed", "errored"):
        assert not decide(AT_ONCE, at_once(status=status)).changed
    assert not decide(AT_ONCE, at_once(status="failed", error="Cancelled via API.")).changed, (
        "it was cancelled while it ran"
    )
    never_ran = at_once(9, status="failed", error="Cancelled by user.", started=None)
    assert decide(AT_ONCE, never_ran).create is not None
    # If there are several runs, the newest one counts.
    older, newer = at_once(7, "completed"), at_once(8, "errored")
    assert decide(AT_ONCE, older, newer, never_ran).keep == newer
    assert decide(AT_ONCE, at_once(status="running", dead="its worker is gone")).create is not None


def test_a_one_time_sync_at_a_time_of_day_keeps_its_next_job() -> None:
    assert not decide(declared("02:00"), job(interval=None)).changed
    just_before = NEXT - timedelta(seconds=3)
    assert not decide(declared("02:00"), job(interval=None), now=just_before).changed
    assert decide(declared("02:00"), job(interval=None, scheduled=NOW + timedelta(hours=1))).create.schedule_at == NEXT


@pytest.mark.parametrize(("minutes", "stays"), [(30, True), (45, False), (210, False)])
def test_a_one_time_sync_at_a_minute_of_the_hour_runs_within_an_hour(minutes: int, stays: bool) -> None:
    there = job(interval=None, scheduled=NOW + timedelta(minutes=minutes))
    plan = decide(declared(":30"), there)
    assert (plan.keep == there) is stays and plan.changed is not stays


def test_a_one_time_sync_that_this_task_created_is_not_created_again() -> None:
    # A time without a date comes again, so only the task itself knows that this was its run.
    ended = job(7, "completed", interval=None)
    assert decide(declared("02:00"), ended).create
    assert decide(declared("02:00"), ended, past=Past(created=frozenset({7}))).keep == ended


@pytest.mark.parametrize(
    ("goal", "older"),
    [
        (AT_ONCE, Older("nightly", once=True)),
        (DATED, Older("nightly", once=True, scheduled=THEN)),
        (declared("2026-04-10 02:00", DAY), None),
        (declared("02:00"), None),
        (declared(interval=DAY), None),
    ],
)
def test_which_older_jobs_are_read_for_a_one_time_schedule(goal: Declare, older: Older | None) -> None:
    assert goal.missing(Observation((), NOW)) == older
    assert goal.missing(Observation((job(2, sync_types=["devices"]),), NOW)) == older
    assert goal.missing(Observation((), NOW, older_read=True)) is None


def test_a_one_time_schedule_with_a_matching_job_needs_no_older_jobs() -> None:
    for goal, members in (
        (AT_ONCE, (at_once(), at_once(status="running"), at_once(status="completed"))),
        (DATED, (job(interval=None, scheduled=THEN), job(status="errored", interval=None, scheduled=THEN))),
    ):
        for member in members:
            assert goal.missing(Observation((member,), NOW)) is None


@pytest.mark.parametrize(
    ("goal", "what", "days", "limit"),
    [
        (declared("2026-08-01 02:00"), "the next run is 112 days ahead", 90, 81),
        (declared("2026-08-01 02:00", DAY), "the next run is 112 days ahead", 90, 81),
        (declared(interval=82 * DAY), "interval is 118080 minutes", 90, 81),
        (declared("02:00", 82 * DAY), "interval is 118080 minutes", 90, 81),
        (declared("2026-04-14 02:00", retention=timedelta(days=4)), "the next run is 3 days ahead", 4, 3),
    ],
)
def test_a_schedule_that_exceeds_the_job_retention_is_refused(goal: Declare, what: str, days: int, limit: int) -> None:
    with pytest.raises(ProxboxError) as caught:
        decide(goal)
    assert str(caught.value) == (
        f"{what}, and NetBox deletes a job {days} days after its creation (JOB_RETENTION), even if it has not run "
        f"yet: choose less than {limit} days, or set job_retention to the value of JOB_RETENTION in NetBox."
    )
    assert decide(goal._replace(retention=None)).create
    # An existing job is kept.
    there = job(scheduled=goal.at.first(NOW) if goal.at else NEXT, interval=goal.interval)
    assert not decide(goal, there).changed


def test_up_to_nine_tenths_of_the_retention_is_accepted() -> None:
    assert decide(declared("2026-06-30 10:00")).create and decide(declared(interval=81 * DAY)).create


def test_a_past_date_whose_job_netbox_may_have_deleted_is_a_warning() -> None:
    long_ago = declared("2026-04-01 02:00")
    plan = decide(long_ago)
    (warning,) = plan.warnings
    assert plan == Plan("nightly", warnings=(warning,)) and not plan.changed
    assert warning.startswith(
        "schedule_at is Wed 1 Apr 2026 02:00 UTC, which has passed (NetBox's clock: Fri 10 Apr 2026 10"
    )
    assert "NetBox has no job 'nightly' for it. NetBox deletes jobs (JOB_RETENTION)" in warning
    assert warning.endswith("Nothing was done. Remove the schedule from the playbook.")
    then = datetime(2026, 4, 1, 2, 0, tzinfo=UTC)
    assert decide(long_ago, job(status="completed", scheduled=None)).warnings, "a run of another schedule"
    ran = job(status="completed", interval=None, scheduled=then)
    assert decide(long_ago, ran).keep == ran and not decide(long_ago, ran).warnings
    for refused, jobs in (
        (long_ago, [job(interval=None)]),
        (long_ago, [job(interval=None, scheduled=then, dead="its RQ task is lost")]),
        # NetBox still has the job, and it did not run.
        (long_ago, [job(status="failed", interval=None, scheduled=then, started=None, error="Cancelled via API.")]),
        (long_ago._replace(retention=None), []),
        (declared("2026-04-02 02:00"), []),
    ):
        with pytest.raises(ProxboxError, match=r"has passed .*, and NetBox has no sync 'nightly' that ran for that"):
            decide(refused, *jobs)


def test_absent_cancels_every_active_job() -> None:
    why = ("job 1: the schedule is to be absent", "job 2: the schedule is to be absent")
    plan = decide(End("nightly"), job(1), job(2, "running"), job(3, "completed"))
    assert plan == Plan("nightly", cancel=(job(1), job(2, "running")), why=why)
    assert not decide(End("nightly"), job(3, "completed")).changed
    assert End("nightly").missing(Observation((), NOW)) is None


def test_purge_deletes_the_rows_of_jobs_that_have_ended() -> None:
    rows = [job(1), job(2, "running"), job(3, "completed"), at_once(4, "errored", queue_name="high")]
    copy = at_once(5, "running", queue_name="high")
    other = [job(6, "completed", name="other"), job(7, "completed", **FOREIGN)]
    plan = decide(End("nightly", purge=True), *rows, copy, *other)
    assert [each.id for each in plan.cancel] == [1, 2]
    assert plan.delete == (1, 2, 3, 4), "a job that has not ended would write its row again"
    assert plan.why[-1] == "jobs to be deleted: 4" and not plan.warnings
    assert plan.diff()["before"]["rows"] == [1, 2, 3, 4] and plan.diff()["after"]["rows"] == []
    assert not decide(End("nightly", purge=True), *other).changed
    assert not decide(End("nightly"), *rows).delete


def test_rows_that_may_be_syncs_are_not_deleted_and_cause_a_warning() -> None:
    unknown = job(8, "failed", data=None)
    plan = decide(End("nightly", purge=True), unknown, unknown._replace(id=9))
    assert plan.done and plan.warnings == (
        "NetBox does not show whether these jobs called 'nightly' are Proxbox syncs, so they were not deleted: 8, 9.",
    )
    assert not decide(End("nightly"), unknown).warnings


def test_a_run_that_does_not_show_its_scope_is_kept() -> None:
    running = job(status="running", data=NO_SCOPE)
    assert decide(NIGHTLY, running).keep == running
    assert decide(NIGHTLY, job(data=NO_SCOPE)).create, "a scheduled job always shows what it covers"


SYNCS = [job(**scope).row["data"] for scope in ({}, {"sync_types": ["devices"]}, {"proxmox_endpoint_ids": [1]})]
TIMES = [None, NEXT, NOW, NOW + timedelta(minutes=1), NOW - timedelta(days=3)]
JOBS = st.lists(
    st.builds(
        make_job,
        st.integers(1, 99),
        st.sampled_from(["scheduled", "pending", "running", "completed", "errored", "failed"]),
        name=st.sampled_from(["nightly", "nightly", "other"]),
        data=st.sampled_from([*SYNCS, *SYNCS, NO_SCOPE, FOREIGN["data"], None]),
        queue_name=st.sampled_from(["default", "high"]),
        scheduled=st.sampled_from(TIMES),
        interval=st.sampled_from([None, 60, DAY]),
        dead=st.sampled_from([None, None, "its worker is gone"]),
    ),
    unique_by=lambda each: each.id,
)
GOALS = st.builds(
    declared,
    st.sampled_from([None, "02:00", "2026-04-01 02:00", ":00"]),
    st.sampled_from([60, DAY]),
    scope=st.sampled_from([Scope(), DEVICES, Scope(proxmox_endpoints=frozenset({1}))]),
    repair_drift=st.booleans(),
)


def carried_out(plan: Plan, jobs: list[Job]) -> list[Job]:
    """Return the jobs that NetBox has after the plan is carried out."""
    left = [each for each in jobs if each not in plan.cancel]
    if plan.create:
        new = plan.create
        scope = {
            "sync_types": sorted(new.scope.sync_types),
            "proxmox_endpoint_ids": sorted(new.scope.proxmox_endpoints),
        }
        left.append(make_job(100, scheduled=new.schedule_at or NOW, interval=new.interval, **scope))
    return left


def members(jobs: list[Job]) -> list[Job]:
    return [each for each in Observation(tuple(jobs), NOW).syncs("nightly") if each.active and not each.at_once]


@given(goal=GOALS, jobs=JOBS, older_read=st.booleans(), complete=st.booleans())
def test_one_task_reaches_the_goal_and_the_second_changes_nothing(
    goal: Declare, jobs: list[Job], older_read: bool, complete: bool
) -> None:
    seen = {"older_read": older_read, "older_complete": complete}
    plan = decide(goal, *jobs, **seen)
    after = carried_out(plan, jobs)
    assert len(members(after)) == 1
    assert not decide(goal, *after, **seen).changed
    assert {job.id for job in plan.cancel} <= {job.id for job in members(jobs)}


@given(jobs=JOBS)
def test_absent_leaves_no_active_job(jobs: list[Job]) -> None:
    plan = decide(End("nightly"), *jobs)
    after = carried_out(plan, jobs)
    assert not members(after)
    assert not decide(End("nightly"), *after).changed
