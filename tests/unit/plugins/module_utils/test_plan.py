# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: what is wanted + the jobs observed + now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._outcome import VERDICTS, Outcome
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import (
    Plan,
    Wanted,
    checked_seconds,
    is_that,
    plan_absent,
    plan_cancel_named,
    plan_cancel_one,
    plan_present,
    plan_run,
    read_run,
    read_wanted,
    unknown_sync_types,
)

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
NEXT = datetime(2026, 4, 11, 2, 0, tzinfo=UTC)


def wanted(**words: object) -> Wanted:
    return read_wanted(
        **{"name": "nightly", "sync_types": ["all"], "schedule_at": None, "interval": None, "timezone": "UTC", **words}
    )


NIGHTLY = wanted(schedule_at="02:00", interval="daily")


def job(job_id: int = 1, status: str = "scheduled", **changes: object) -> Job:
    defaults = {"name": "nightly", "scope": Scope(), "scheduled": NEXT, "interval": 1440}
    return Job(id=job_id, status=status, **{**defaults, **changes})


def test_nothing_there_creates() -> None:
    plan = plan_present(NIGHTLY, [], NOW)
    assert plan.create == NewJob("nightly", Scope(), NEXT, 1440)
    assert plan.changed and not plan.cancel


@pytest.mark.parametrize("status", ["scheduled", "pending", "running"])
def test_a_living_member_is_kept(status: str) -> None:
    plan = plan_present(NIGHTLY, [job(status=status)], NOW)
    assert plan.keep == job(status=status)
    assert not plan.changed and not plan.why


@pytest.mark.parametrize("status", ["completed", "errored", "failed"])
def test_an_ended_member_does_not_keep_a_schedule_alive(status: str) -> None:
    assert plan_present(NIGHTLY, [job(status=status)], NOW).create is not None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"interval": "hourly"}, "its interval is 1440 minutes, wanted 60 minutes"),
        ({"interval": None}, "its interval is 1440 minutes, wanted none"),
        ({"schedule_at": "03:00"}, "its time 2026-04-11T02:00:00Z is not the wanted one"),
        ({"sync_types": ["devices"]}, "its scope differs"),
    ],
)
def test_a_change_creates_the_new_and_cancels_the_old(words: dict[str, object], why: str) -> None:
    new = wanted(**{"schedule_at": "02:00", "interval": "daily", **words})
    plan = plan_present(new, [job()], NOW)
    assert plan.create is not None and plan.keep is None
    assert plan.cancel == (job(),)
    assert f"job 1: {why}" in plan.why


def test_an_endpoint_more_or_less_is_a_change() -> None:
    narrow = job(scope=Scope(proxmox_endpoints=frozenset({1})))
    assert plan_present(NIGHTLY, [narrow], NOW).cancel == (narrow,)


def test_duplicates_go_down_to_the_lowest_that_matches() -> None:
    jobs = [job(9), job(3, interval=60), job(7), job(5)]
    plan = plan_present(NIGHTLY, jobs, NOW)
    assert plan.keep == job(5) and plan.create is None
    assert [each.id for each in plan.cancel] == [3, 7, 9]


def test_drift_is_repaired_but_not_in_the_middle_of_a_run() -> None:
    late = NOW + timedelta(minutes=1)
    assert plan_present(NIGHTLY, [job(scheduled=late)], NOW).create.schedule_at == NEXT
    assert not plan_present(NIGHTLY, [job(status="running", scheduled=NOW - timedelta(minutes=1))], NOW).changed


def test_drift_is_left_alone_when_asked() -> None:
    late = job(scheduled=NOW + timedelta(minutes=1))
    relaxed = wanted(schedule_at="02:00", interval="daily", repair_drift=False)
    assert not plan_present(relaxed, [late], NOW).changed
    assert plan_present(relaxed, [job(interval=60)], NOW).changed


def test_a_weekly_time_of_day_keeps_its_weekday() -> None:
    # Sunday at two in Berlin; NetBox counts on by seven times 24 hours, and daylight saving begins in between.
    late = job(scheduled=datetime(2026, 4, 5, 1, tzinfo=UTC), interval=10080)
    weekly = wanted(schedule_at="02:00", interval="weekly", timezone="Europe/Berlin")
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    repaired = plan_present(weekly, [late], now).create
    assert repaired.schedule_at == datetime(2026, 4, 5, 0, tzinfo=UTC)
    again = replace(late, scheduled=repaired.schedule_at)
    assert not plan_present(weekly, [again], now).changed
    # One that is a month away comes back by whole weeks.
    far = replace(late, scheduled=datetime(2026, 5, 3, 0, tzinfo=UTC))
    assert plan_present(weekly, [far], now).create.schedule_at == datetime(2026, 4, 5, 0, tzinfo=UTC)


def test_foreign_jobs_are_never_touched() -> None:
    foreign = [job(1, is_sync=False), job(2, name="Nightly"), job(3, name="nightly "), job(4, is_sync=None)]
    for plan in (plan_present(NIGHTLY, foreign, NOW), plan_absent("nightly", foreign)):
        assert not plan.cancel and plan.keep is None


def test_without_a_time_any_phase_will_do() -> None:
    daily = wanted(interval="1d")
    assert not plan_present(daily, [job(scheduled=NOW + timedelta(hours=23))], NOW).changed
    assert plan_present(daily, [job(scheduled=NOW + timedelta(days=30))], NOW).create == NewJob(
        "nightly", Scope(), None, 1440
    )


def test_once_means_once() -> None:
    once = wanted(schedule_at="2026-04-10 02:00")
    then = datetime(2026, 4, 10, 2, 0, tzinfo=UTC)
    ran = job(status="errored", scheduled=then, interval=None)
    assert plan_present(once, [ran], NOW).keep == ran
    for other in (
        [],
        [job(status="completed", scheduled=then - timedelta(days=1), interval=None)],
        [job(status="completed", scheduled=then, interval=None, scope=Scope(frozenset({"devices"})))],
        [job(status="failed", scheduled=then, interval=None, error="Cancelled via API.")],
    ):
        with pytest.raises(ProxboxError, match=r"has passed .*no sync named 'nightly' that ran for that time"):
            plan_present(once, other, NOW)


def test_a_run_that_died_or_was_cancelled_was_the_one() -> None:
    once, then = wanted(schedule_at="2026-04-10 02:00"), datetime(2026, 4, 10, 2, 0, tzinfo=UTC)
    dead = job(1, "running", scheduled=then, interval=None, started=then, dead="its worker is gone")
    plan = plan_present(once, [dead], NOW)
    assert plan.cancel == (dead,) and plan.create is None and plan.changed
    assert plan.diff()["before"].get("duplicates") is None
    cancelled = job(1, "failed", scheduled=then, interval=None, started=then, error="Cancelled via API.")
    assert not plan_present(once, [cancelled], NOW).changed
    # What ended before it told what it covers did not come to it.
    assert not plan_present(once, [replace(cancelled, scope=None)], NOW).changed


def test_once_at_another_time_is_a_change() -> None:
    april, may = (job(1, interval=None, scheduled=datetime(2027, month, 1, 2, tzinfo=UTC)) for month in (4, 5))
    once = wanted(schedule_at="2027-05-01 02:00", repair_drift=False)
    assert not plan_present(once, [may], NOW).changed
    plan = plan_present(once, [april], NOW)
    assert plan.create.schedule_at == may.scheduled and plan.cancel == (april,)
    # A run of another time, or of none, does not make up for it.
    for other in (replace(april, status="running", scheduled=NOW), replace(april, status="pending", scheduled=None)):
        assert plan_present(once, [other], NOW).create.schedule_at == may.scheduled


def test_what_runs_may_end_first() -> None:
    running, scheduled = job(1, "running"), job(2)
    dead = job(3, "running", dead="its worker is gone")
    plan = plan_absent("nightly", [running, scheduled, dead]).sparing()
    assert plan.spare == (running,) and plan.cancel == (scheduled, dead)
    assert plan_absent("nightly", [running, scheduled]).sparing(own=1).cancel == (running, scheduled)
    # Nothing is written for a run that leaves no successor.
    assert plan_absent("nightly", [running]).sparing().changed
    assert not plan_absent("nightly", [replace(running, interval=None)]).sparing().changed


def test_is_that_the_one() -> None:
    new = NewJob("nightly", Scope(), NEXT, 1440)
    assert is_that(job(), new) and is_that(job(scope=None), new)
    for other in (
        job(name="x"),
        job(interval=60),
        job(scheduled=NOW),
        job(scheduled=None),
        job(scope=Scope(objects=frozenset({1}))),
    ):
        assert not is_that(other, new)


def test_at_once_and_once() -> None:
    at_once = wanted()
    assert plan_present(at_once, [], NOW).create == NewJob("nightly", Scope())
    ran = job(status="completed", scheduled=None, interval=None)
    assert not plan_present(at_once, [ran], NOW).changed
    cancelled = job(status="failed", scheduled=None, interval=None, error="Cancelled by user.")
    assert plan_present(at_once, [cancelled], NOW).create is not None


def test_once_at_a_time_of_day_keeps_the_one_that_is_to_come() -> None:
    assert not plan_present(wanted(schedule_at="02:00"), [job(interval=None)], NOW).changed
    just_before = NEXT - timedelta(seconds=3)
    assert not plan_present(wanted(schedule_at="02:00"), [job(interval=None)], just_before).changed


def test_absent_cancels_every_living_member() -> None:
    plan = plan_absent("nightly", [job(1), job(2, "running"), job(3, "completed")])
    assert [each.id for each in plan.cancel] == [1, 2]
    assert not plan_absent("nightly", [job(3, "completed")]).changed


def test_cancel_takes_the_living_only() -> None:
    pending, ended = job(1, "pending", interval=None), job(2, "failed")
    assert plan_cancel_one(pending, [], NOW, keep_schedule=True).cancel == (pending,)
    assert not plan_cancel_one(ended, [], NOW, keep_schedule=True).changed
    assert plan_cancel_named("nightly", [pending], NOW, keep_schedule=True).cancel == (pending,)


def test_cancelling_a_run_keeps_its_schedule() -> None:
    running = job(1, "running", scheduled=NEXT - timedelta(days=3))
    plan = plan_cancel_one(running, [running], NOW, keep_schedule=True)
    assert plan.cancel == (running,)
    assert plan.create == NewJob("nightly", Scope(), NEXT, 1440), "the next time on its phase that is to come"
    assert plan_cancel_named("nightly", [running], NOW, keep_schedule=True).create == plan.create
    assert plan_cancel_one(running, [running], NOW, keep_schedule=False).create is None
    assert plan_cancel_one(running, [running, job(2)], NOW, keep_schedule=True).create is None, "carried on already"


def test_a_run_that_starts_between_two_reads_does_not_carry_itself_on() -> None:
    plan = plan_cancel_one(job(1), [job(1, "running")], NOW, keep_schedule=True)
    assert plan.create and plan.create.interval == 1440


def test_cancelling_the_next_run_skips_it() -> None:
    plan = plan_cancel_one(job(1), [job(1)], NOW, keep_schedule=True)
    assert plan.create == NewJob("nightly", Scope(), NEXT + timedelta(days=1), 1440)


def test_cancelling_by_name_leaves_the_schedule_alone() -> None:
    scheduled, run = job(1), job(2, "running", interval=None, scheduled=None)
    assert plan_cancel_named("nightly", [scheduled, run], NOW, keep_schedule=True).cancel == (run,)
    assert plan_cancel_named("nightly", [scheduled, run], NOW, keep_schedule=False).cancel == (scheduled, run)


def test_a_schedule_that_cannot_be_kept_is_not_cancelled() -> None:
    for scope, says in ((None, "does not tell what it covers"), (Scope(objects=frozenset({7})), "for single objects")):
        with pytest.raises(ProxboxError, match=says):
            plan_cancel_one(job(1, "running", scope=scope), [], NOW, keep_schedule=True)


NEW = NewJob("now", Scope())


def test_a_run_starts_whatever_runs() -> None:
    assert plan_run(NEW, [job(1, "running"), job(2, "completed", completed=NOW)], NOW).create == NEW


@pytest.mark.parametrize("when_running", ["join", "skip"])
def test_a_run_of_the_same_scope_serves(when_running: str) -> None:
    other_scope = job(1, "running", scope=Scope(frozenset({"devices"})))
    later = job(2, "scheduled")
    pending, running = job(4, "pending", name="else"), job(3, "running", name="other")
    assert plan_run(NEW, [other_scope, later, pending, running], NOW, when_running=when_running).keep == running
    assert plan_run(NEW, [other_scope, later], NOW, when_running=when_running).create == NEW
    assert plan_run(NEW, [replace(running, dead="its worker is gone")], NOW, when_running=when_running).create == NEW


def test_a_recent_success_serves() -> None:
    hour = timedelta(hours=1)
    good = Outcome("succeeded")
    recent = job(1, "completed", completed=NOW - timedelta(minutes=59), outcome=good)
    assert plan_run(NEW, [recent], NOW, max_age=hour).keep == recent
    for other in (
        job(2, "completed", completed=NOW - timedelta(minutes=61), outcome=good),
        job(4, "completed", completed=NOW, outcome=good, scope=Scope(frozenset({"devices"}))),
        *(job(5, "completed", completed=NOW, outcome=Outcome(verdict)) for verdict in VERDICTS[1:]),
    ):
        assert plan_run(NEW, [other], NOW, max_age=hour).create == NEW


def test_the_diff_tells_what_changes() -> None:
    plan = plan_present(wanted(interval="60", schedule_at=":00"), [job(1), job(2)], NOW)
    settings = {
        "name": "nightly",
        "state": "present",
        "sync_types": ["all"],
        "proxmox_endpoints": [],
        "netbox_endpoints": [],
    }
    assert plan.diff() == {
        "before": {**settings, "interval": 1440, "scheduled": "2026-04-11T02:00:00Z", "duplicates": [2]},
        "after": {**settings, "interval": 60, "scheduled": "2026-04-10T11:00:00Z"},
    }
    assert plan_absent("nightly", []).diff()["before"] == {"name": "nightly", "state": "absent"}


def test_the_prediction_has_the_shape_of_a_job() -> None:
    plan = plan_present(NIGHTLY, [], NOW)
    assert plan.after.result().keys() == job().result().keys()
    assert plan.after.id is None and plan.after.status == "scheduled"
    assert plan_present(wanted(), [], NOW).after.status == "pending"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"name": "  "}, "1 to 200"),
        ({"name": "x" * 201}, "1 to 200"),
        ({"name": "null"}, "may not be 'null'"),
        ({"sync_types": []}, "empty"),
        ({"sync_types": ["devices", ""]}, "empty"),
        ({"sync_types": ["all", "devices"]}, "'all' with devices"),
        ({"interval": "0"}, "less than a minute"),
        ({"schedule_at": "soon"}, "not a time"),
        ({"schedule_at": "9999-12-31T23:59:00-05:00"}, "too far away"),
        ({"timezone": "nowhere"}, "timezone"),
    ],
)
def test_words_that_mean_nothing(words: dict[str, object], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        wanted(**words)


def test_blank_is_none() -> None:
    assert wanted(schedule_at=" ", interval="") == wanted()


def test_a_run_has_netboxs_own_name_by_default() -> None:
    assert read_run(name=None, sync_types=["all"]).name == "Proxbox Sync"


def test_a_time_to_wait_is_above_zero() -> None:
    assert checked_seconds("poll_interval", 0.5) == 0.5
    with pytest.raises(ProxboxError, match="poll_interval 0"):
        checked_seconds("poll_interval", 0)


def test_a_type_unknown_to_every_release() -> None:
    assert unknown_sync_types(["devices", "sdn"]) is None
    assert "may refuse sync_types foo, " in unknown_sync_types(["foo", "devices"])


SCOPES = st.sampled_from([Scope(), Scope(frozenset({"devices"})), Scope(proxmox_endpoints=frozenset({1}))])
JOBS = st.lists(
    st.builds(
        Job,
        id=st.integers(1, 99),
        name=st.sampled_from(["nightly", "other"]),
        status=st.sampled_from(["scheduled", "pending", "running", "completed", "errored", "failed"]),
        is_sync=st.sampled_from([True, True, True, False]),
        scope=SCOPES,
        scheduled=st.sampled_from([None, NEXT, NOW, NOW + timedelta(minutes=1), NOW - timedelta(days=3)]),
        interval=st.sampled_from([None, 60, 1440]),
    ),
    unique_by=lambda each: each.id,
)
WANTED = st.builds(
    lambda at, interval, scope: Wanted("nightly", scope, wanted(schedule_at=at).at, interval),
    st.sampled_from([None, "02:00", "2026-04-01 02:00", ":00"]),
    st.sampled_from([60, 1440]),
    SCOPES,
)


def carried_out(plan: Plan, jobs: list[Job]) -> list[Job]:
    """What NetBox has after the plan."""
    left = [each for each in jobs if each not in plan.cancel]
    if plan.create:
        new = plan.create
        left.append(Job(100, new.name, "scheduled", True, new.scope, new.schedule_at or NOW, new.interval))
    return left


@given(target=WANTED, jobs=JOBS)
def test_one_run_converges_and_the_second_is_a_no_op(target: Wanted, jobs: list[Job]) -> None:
    plan = plan_present(target, jobs, NOW)
    after = carried_out(plan, jobs)
    alive = [each for each in after if each.living and each.is_sync and each.name == "nightly"]
    assert len(alive) == 1
    assert not plan_present(target, after, NOW).changed
    assert all(each.is_sync and each.name == "nightly" and each.living for each in plan.cancel)


@given(jobs=JOBS)
def test_absent_leaves_none(jobs: list[Job]) -> None:
    plan = plan_absent("nightly", jobs)
    after = carried_out(plan, jobs)
    assert not [each for each in after if each.living and each.is_sync and each.name == "nightly"]
    assert not plan_absent("nightly", after).changed


def test_a_run_whose_scope_is_not_told_is_taken_for_what_is_wanted() -> None:
    running = job(status="running", scope=None)
    assert plan_present(NIGHTLY, [running], NOW).keep == running
    assert plan_present(NIGHTLY, [job(scope=None)], NOW).create, "one that is scheduled always tells"
    new = NewJob("nightly", Scope())
    assert plan_run(new, [running], NOW, when_running="join").keep == running
    assert plan_run(new, [job(status="running", scope=None, name="other")], NOW, when_running="join").create
