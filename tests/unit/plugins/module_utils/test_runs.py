# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans to cancel runs and to run a sync now, from the observed jobs and NetBox's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._outcome import VERDICTS
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Observation, Past, Plan
from ansible_collections.proxbox.proxbox.plugins.module_utils._runs import CancelRuns, RunNow, check_target, run_of
from ansible_collections.proxbox.proxbox.plugins.module_utils._schedules import is_schedule
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_at, parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import FOREIGN, NO_SCOPE, make_job

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
NEXT = datetime(2026, 4, 11, 2, 0, tzinfo=UTC)
ONE = CancelRuns("nightly", job_id=1)
NAMED = CancelRuns("nightly")


def job(job_id: int = 1, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{"scheduled": NEXT, "interval": 1440, **changes})


def once(job_id: int = 1, status: str = "running", **changes: Any) -> Job:
    return make_job(job_id, status, **changes)


def at_first(goal: CancelRuns, *jobs: Job) -> Plan:
    """Return the plan of the first look."""
    return goal.decide(Observation(jobs, NOW, Past(first=jobs)))


def later(goal: CancelRuns, jobs: list[Job], **past: Any) -> Plan:
    """Return the plan of a later look."""
    return goal.decide(Observation(tuple(jobs), NOW, Past(**past)))


def test_only_active_jobs_are_cancelled() -> None:
    pending, ended = once(status="pending"), once(status="failed")
    for goal in (ONE, NAMED):
        plan = at_first(goal, pending)
        assert (plan.name, plan.cancel, plan.why) == ("nightly", (pending,), ("job 1 is pending",))
        assert not at_first(goal, ended).changed and not at_first(goal).changed
        assert goal.missing(Observation((), NOW)) is None


def test_only_the_job_with_the_id_or_the_jobs_with_the_name_are_cancelled() -> None:
    others = [once(2), once(3, name="other"), once(4, **FOREIGN), once(5, data=None)]
    assert at_first(ONE, once(), *others).cancel == (once(),)
    assert at_first(NAMED, once(), *others).cancel == (once(), once(2))
    plan = at_first(NAMED._replace(keep_schedule=False), once(), *others)
    assert plan == Plan("nightly", cancel=(once(), once(2)), why=("job 1 is running", "job 2 is running"))


def test_a_run_that_started_after_the_first_look_is_not_cancelled() -> None:
    assert not later(NAMED, [once(8)], first=(once(1, "completed"),)).changed


RUNNING = job(1, "running", scheduled=NEXT - timedelta(days=3))


def test_cancelling_a_run_keeps_its_schedule() -> None:
    plan = at_first(ONE, RUNNING)
    assert plan.name == "nightly" and plan.cancel == (RUNNING,)
    assert plan.create == NewJob("nightly", Scope(), NEXT, 1440), "the next time of the schedule"
    assert plan.why == ("job 1 is running", "its schedule goes on at Sat 11 Apr 2026 02:00 UTC")
    plan = at_first(ONE._replace(zone=parse_timezone("Europe/Berlin")), RUNNING)
    assert plan.why[1] == "its schedule goes on at Sat 11 Apr 2026 04:00 Europe/Berlin (02:00 UTC)"
    assert at_first(NAMED, RUNNING).create == plan.create
    assert at_first(ONE._replace(keep_schedule=False), RUNNING).create is None
    carried_on = at_first(ONE, RUNNING, job(2))
    assert carried_on.create is None and carried_on.keep == job(2) and carried_on.cancel == (RUNNING,)
    # A schedule with another name does not continue it.
    assert at_first(ONE, RUNNING, job(2, name="other")).create == plan.create


def test_a_run_that_starts_between_two_looks_is_not_its_own_successor() -> None:
    plan = later(ONE, [job(1, "running")], first=(job(1),))
    assert plan.create and plan.create.interval == 1440


def test_a_next_run_that_is_too_near_is_skipped() -> None:
    soon = job(1, "running", scheduled=NOW + timedelta(seconds=9) - timedelta(days=1))
    assert at_first(ONE, soon).create.schedule_at == NOW + timedelta(days=1, seconds=9)
    later_on = job(1, "running", scheduled=NOW + timedelta(seconds=11) - timedelta(days=1))
    assert at_first(ONE, later_on).create.schedule_at == NOW + timedelta(seconds=11)


def test_cancelling_the_next_run_skips_it() -> None:
    assert at_first(ONE, job(1)).create == NewJob("nightly", Scope(), NEXT + timedelta(days=1), 1440)


def test_cancelling_by_name_does_not_cancel_the_scheduled_job() -> None:
    scheduled, run = job(1), once(2)
    plan = at_first(NAMED, scheduled, run)
    assert plan.cancel == (run,) and plan.create is None
    assert at_first(NAMED._replace(keep_schedule=False), scheduled, run).cancel == (scheduled, run)
    assert not at_first(NAMED, scheduled).changed


def test_cancelling_by_name_cancels_copies_made_by_run_now() -> None:
    copy = once(2, queue_name="high")
    assert at_first(NAMED, job(1), copy).cancel == (copy,)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"data": NO_SCOPE}, "NetBox does not show what it covers"),
        ({"netbox_vm_ids": [7]}, "it covers single objects"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_not_cancelled(changes: dict[str, Any], what: str) -> None:
    run = job(1, "running", **changes)
    for goal in (ONE, NAMED):
        with pytest.raises(ProxboxError) as caught:
            at_first(goal, run)
        assert str(caught.value) == (
            f"Job 1 (nightly) recurs, and {what}, so its schedule cannot be kept: run the task again when the job has "
            "ended, or set keep_schedule: false."
        )
    assert at_first(ONE._replace(keep_schedule=False), run).cancel == (run,)


@pytest.mark.parametrize("goal", [ONE, NAMED])
@pytest.mark.parametrize("own", [5, 6])
def test_two_tasks_that_both_created_a_successor_keep_the_lowest_id(goal: CancelRuns, own: int) -> None:
    past = {"first": (RUNNING,), "created": frozenset({own})}
    for gone in ({}, {"cancelled": (RUNNING,)}, {"ended": (RUNNING,)}):
        plan = later(goal, [job(6), job(5), *([] if gone else [RUNNING])], **past, **gone)
        assert plan.keep == job(5) and plan.create is None
        assert plan.cancel == (*([] if gone else [RUNNING]), job(6)) and plan.name == "nightly"
        assert plan.why == (() if gone else ("job 1 is running",))
        assert later(goal, [job(5)], **past, **gone).keep == job(5)


def test_the_successor_that_netbox_created_counts_too() -> None:
    past = {"first": (RUNNING,), "created": frozenset({6}), "ended": (RUNNING,)}
    assert later(ONE, [job(6), job(7)], **past).cancel == (job(7),)


def test_an_existing_schedule_is_kept_and_a_new_one_is_not_cancelled() -> None:
    first = (RUNNING, job(4))
    assert later(ONE, [RUNNING, job(4)], first=first).keep == job(4)
    # In the meantime, another task has declared another schedule with this name.
    hourly = job(8, interval=60)
    plan = later(ONE, [RUNNING, job(4), hourly], first=first)
    assert plan.keep == job(4) and plan.cancel == (RUNNING,)


def test_another_nameless_schedule_does_not_continue_the_schedule_of_a_cancelled_run() -> None:
    nameless = {"name": "Proxbox Sync", "interval": 60, "sync_types": ["devices"]}
    skipped, other = job(5, **nameless), job(6, **{**nameless, "interval": 1440})
    for beside in (other, job(6, **{**nameless, "sync_types": ["storage"]})):
        for target in (skipped, skipped._replace(status="running")):
            plan = at_first(CancelRuns("Proxbox Sync", job_id=5), target, beside)
            assert plan.cancel == (target,) and plan.keep is None
            assert plan.create and (plan.create.interval, plan.create.scope) == (60, target.scope)
    run, same = skipped._replace(status="running"), job(7, **nameless)
    assert at_first(CancelRuns("Proxbox Sync"), run, other, same).keep == same
    both = (run, other._replace(status="running"))
    with pytest.raises(ProxboxError, match="The jobs 5, 6 called 'Proxbox Sync' are runs of several schedules"):
        at_first(CancelRuns("Proxbox Sync"), *both)
    assert at_first(CancelRuns("Proxbox Sync", keep_schedule=False), *both).cancel == both


@pytest.mark.parametrize("keep", [True, False])
def test_the_successor_of_a_nameless_run_is_found_even_if_the_run_did_not_show_its_scope(keep: bool) -> None:
    nameless = {"name": "Proxbox Sync", "interval": 60}
    run, successor = job(5, "running", **nameless, data=NO_SCOPE), job(8, **nameless, sync_types=["devices"])
    daily = job(7, **{**nameless, "interval": 1440}, sync_types=["devices"])
    goal = CancelRuns("Proxbox Sync", job_id=5, keep_schedule=keep)
    plan = later(goal, [daily, successor], first=(run, daily), ended=(run,))
    assert (plan.keep, plan.cancel) == ((successor, ()) if keep else (None, (successor,)))


def test_a_successor_that_was_cancelled_is_created_again() -> None:
    past = {"first": (RUNNING,), "created": frozenset({6}), "cancelled": (RUNNING,)}
    yielded = job(6, "failed", error="Cancelled via API.", started=None)
    assert later(ONE, [yielded], **past).create == NewJob("nightly", Scope(), NEXT, 1440)


@pytest.mark.parametrize("goal", [ONE._replace(keep_schedule=False), NAMED._replace(keep_schedule=False)])
def test_the_successor_of_a_run_that_ended_by_itself_is_cancelled_too(goal: CancelRuns) -> None:
    first = (RUNNING,)
    assert later(goal, [job(2)], first=first, ended=(RUNNING,)).cancel == (job(2),)
    # These jobs are not its successor.
    others = [job(3, interval=60), job(4, sync_types=["devices"]), once(5)]
    assert not later(goal, others, first=first, ended=(RUNNING,)).changed
    assert not later(goal, [job(2)], first=first, cancelled=(RUNNING,)).changed, "a cancelled run has no successor"


NEW = NewJob("now", Scope())
START, JOIN, SKIP = (RunNow(NEW, if_running) for if_running in ("start", "join", "skip"))
HOUR = timedelta(hours=1)


def run(goal: RunNow, *jobs: Job, **past: Any) -> Plan:
    return goal.decide(Observation(jobs, NOW, Past(**past)))


def test_start_creates_a_run_whatever_is_running() -> None:
    plan = run(START, job(1, "running"), job(2, "completed", completed=NOW))
    assert plan == Plan("now", create=NEW, why=("a sync is to run now",))
    assert START.name == "now" and START.missing(Observation((), NOW)) is None


@pytest.mark.parametrize("goal", [JOIN, SKIP])
def test_join_and_skip_take_a_run_of_the_same_scope(goal: RunNow) -> None:
    other_scope = once(1, sync_types=["devices"])
    scheduled = job(2)
    pending, running = once(4, "pending", name="else"), once(3, name="other")
    plan = run(goal, other_scope, scheduled, pending, running)
    assert plan == Plan("now", keep=running, why=("a sync of the same scope was under way, so no other was started",))
    assert run(goal, pending).keep == pending
    assert run(goal, other_scope, scheduled, once(5, **FOREIGN)).create == NEW
    assert run(goal, running._replace(dead="its worker is gone")).create == NEW


def test_a_run_that_does_not_show_its_scope_is_joined_by_its_name() -> None:
    plan = run(JOIN, once(1, name="now", data=NO_SCOPE))
    assert plan.keep and plan.why == (
        "a sync of the same name (NetBox does not show yet what it covers) was under way, so no other was started",
    )
    assert run(JOIN, once(1, name="other", data=NO_SCOPE)).create


@pytest.mark.parametrize("goal", [JOIN, SKIP])
def test_two_tasks_that_both_created_a_sync_keep_the_lowest_id(goal: RunNow) -> None:
    both = [once(9, "pending", name="now"), once(5, name="now")]
    plan = run(goal, *both, created=frozenset({9}))
    assert plan == Plan("now", keep=both[1], cancel=(both[0],), why=("job 9: a duplicate",))
    assert run(goal, *both, created=frozenset({5})).done
    # The other sync has ended in the meantime.
    ended = once(5, "completed", name="now")
    assert run(goal, both[0], ended, created=frozenset({9}), kept=frozenset({5})).keep == ended
    assert run(START, *both, created=frozenset({9})).keep.id == 9 and run(START, *both, created=frozenset({9})).done


def test_a_created_run_is_kept_when_it_has_ended() -> None:
    for status in ("completed", "errored"):
        assert run(START, once(9, status, name="now"), created=frozenset({9})).keep.id == 9


def test_a_created_run_that_is_cancelled_at_once_is_not_created_again() -> None:
    own = once(9, "failed", name="now", error="Cancelled via API.", started=None)
    assert run(START, own, created=frozenset({9})).keep == own


@pytest.mark.parametrize("status", ["completed", "errored"])
def test_a_joined_sync_that_has_ended_in_the_meantime_is_kept(status: str) -> None:
    ended = once(5, status, name="other")
    assert run(JOIN, ended, kept=frozenset({5})).keep == ended
    assert run(JOIN, ended).create == NEW
    cancelled = once(5, "failed", name="other", error="Cancelled via API.")
    assert run(JOIN, cancelled, kept=frozenset({5})).create == NEW


def test_max_age_accepts_a_recent_success() -> None:
    goal = START._replace(max_age=HOUR)
    recent = once(1, "completed", completed=NOW - timedelta(minutes=59))
    assert run(goal, recent) == Plan(
        "now", keep=recent, why=("it ended 59 minutes ago, within max_age, so no sync was started",)
    )
    newer = once(2, "completed", completed=NOW - timedelta(minutes=60))
    assert run(goal, newer, recent).keep == newer
    assert run(JOIN._replace(max_age=HOUR), recent, once(3)).keep == recent
    assert run(START, recent).create == NEW
    own = once(9, "pending", name="now")
    assert run(goal, recent, own, created=frozenset({9})).keep == own
    for other in (
        once(2, "completed", completed=NOW - timedelta(minutes=61)),
        once(4, "completed", completed=NOW, sync_types=["devices"]),
    ):
        assert run(goal, other).create == NEW


@pytest.mark.parametrize(
    ("verdict", "like"),
    [
        ("nothing_done", "sdn_disabled"),
        ("partial", "backups_500_beside"),
        ("failed", "backups_500_alone"),
        ("cancelled", "cancelled_running"),
    ],
)
def test_max_age_accepts_only_a_success(verdict: str, like: str) -> None:
    other = once(5, like=like, completed=NOW)
    assert other.outcome.verdict == verdict
    goal = RunNow(NewJob("now", other.scope), max_age=HOUR)
    assert run(goal, other).create == goal.new


def test_max_age_does_not_accept_an_unknown_outcome() -> None:
    assert set(VERDICTS) == {"succeeded", "nothing_done", "partial", "failed", "cancelled", "unknown"}
    data = once(5, "completed").row["data"]
    del data["proxbox_sync"]["response"]
    other = once(5, "completed", completed=NOW, data=data)
    assert other.outcome.verdict == "unknown" and run(START._replace(max_age=HOUR), other).create == NEW


def test_only_a_sync_can_be_cancelled_or_waited_for() -> None:
    url = "https://netbox.example.com"
    assert check_target(once(5), url) == once(5)
    with pytest.raises(
        ProxboxError, match=r"^Job 5 \(nightly\) of https://netbox.example.com is not a Proxbox sync\.$"
    ):
        check_target(once(5, **FOREIGN), url)
    with pytest.raises(ProxboxError) as caught:
        check_target(once(5, data=None), url)
    assert str(caught.value) == (
        "NetBox does not show whether job 5 (nightly) of https://netbox.example.com is a Proxbox sync, because the job "
        "has no data. Nothing was done. The jobs that NetBox runs for itself have no data, and a sync has none for a "
        "moment when it starts."
    )


def test_which_jobs_concern_a_goal() -> None:
    for goal in (ONE, NAMED):
        assert goal.concerns(job()) and goal.concerns(once(data=None)) and not goal.concerns(job(name="other"))
    unknown, other_scope = once(name="other", data=None), once(sync_types=["devices"])
    for goal in (JOIN, SKIP):
        assert goal.concerns(once(name="other")) and goal.concerns(unknown) and not goal.concerns(other_scope)
    assert not START.concerns(once(name="other")) and not START.concerns(unknown)


URL = "http://netbox"


def test_a_run_of_a_schedule_has_its_scope_and_another_name() -> None:
    scope = Scope(frozenset({"devices", "storage"}), frozenset({1, 2}), frozenset({3}))
    shape = {"sync_types": ["storage", "devices"], "proxmox_endpoint_ids": ["1", "2"], "netbox_endpoint_ids": ["3"]}
    dated = job(status="scheduled", interval=None, **shape)
    at_first_at_once = job(status="pending", scheduled=None, **shape)
    for member in (job(**shape), job(status="running", **shape), dated, at_first_at_once):
        assert run_of("nightly", [member], URL) == NewJob("nightly (run now)", scope)
    # The scope is also clear if duplicates have the same scope, or if only the next job shows it.
    assert run_of("nightly", [job(1, **shape), job(2, **shape)], URL).scope == scope
    assert run_of("nightly", [job(1, **shape), job(2, "running", data=NO_SCOPE)], URL).scope == scope


def test_a_long_name_is_cut() -> None:
    for length, kept in ((190, 190), (191, 190), (200, 190)):
        name = "x" * length
        assert run_of(name, [job(name=name)], URL).name == "x" * kept + " (run now)"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "has no schedule 'nightly', because no job with this name is scheduled, or running at its scheduled time"),
        ([once(), once(status="pending", queue_name="high"), job(**FOREIGN), job(data=None)], "has no schedule"),
        ([job(name="Nightly")], "has no schedule"),
        (
            [job(4, "running", data=NO_SCOPE)],
            "what the schedule 'nightly' covers while its job 4 is running: set",
        ),
        ([job(4), job(5, sync_types=["devices"])], r"has several jobs \(4, 5\) that do not cover the same"),
        ([job(4, netbox_vm_ids=["7"])], r"\(job 4\) covers single objects, .*http://netbox/core/jobs/4/\.$"),
    ],
)
def test_a_schedule_that_cannot_be_run_now(found: list[Job], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        run_of("nightly", found, URL)


def test_a_run_of_a_schedule_is_neither_part_of_it_nor_a_schedule() -> None:
    name = run_of("nightly", [job()], URL).name
    for status in ("pending", "running", "completed"):
        copy = once(7, status, name=name)
        assert not is_schedule([copy])
        at = parse_at("02:00", parse_timezone("UTC"))
        for goal in (Declare("nightly", at=at, interval=1440), Declare("nightly"), End("nightly", purge=True), NAMED):
            assert not goal.concerns(copy)
            plan = goal.decide(Observation((copy,), NOW, Past(first=(copy,))))
            assert plan.keep is None and plan.cancel == () and plan.delete == ()
        # The same holds for a recurring schedule that has this name itself.
        other = Declare(name, at=at, interval=1440)
        assert other.decide(Observation((copy,), NOW)).cancel == ()
