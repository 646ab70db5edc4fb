# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks with random histories, times, faults and interleavings: one task reaches its goal, the next changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils import _create, _http, _loop, _observe, _schedules, _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._job_tasks import cancel_runs, run_now
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._options import read_schedule
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._rq import Rq
from ansible_collections.proxbox.proxbox.plugins.module_utils._runs import CancelRuns, RunNow
from ansible_collections.proxbox.proxbox.plugins.module_utils._schedules import Schedules, declare
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Session
from ansible_collections.proxbox.proxbox.plugins.module_utils._wait import Waiting
from ansible_collections.proxbox.proxbox.tests.unit.netbox_model import ALL, SCOPES, TWO, Dice, NetBox, Row, controller

NAME = "nightly"
NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
RECURRING = ["hourly", "daily", "90m", "5h", "2d", "weekly"]

DICE = st.lists(st.integers(0, 839), max_size=60)
CLOCKS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@st.composite
def histories(draw: st.DrawFn, now: datetime) -> list[Row]:
    """Rows that users and NetBox may have left: duplicates, other jobs, copies, ended and active jobs, in any order."""
    rows = []
    for job_id in range(1, draw(st.integers(0, 6)) + 1):
        status = draw(st.sampled_from(["scheduled", "running", "completed", "pending", "errored", "failed"]))
        minutes = draw(st.sampled_from([1, 30, 960, 1440, 5000]))
        due = now + timedelta(minutes=minutes if status == "scheduled" else -minutes)
        started = status in ("running", "completed", "errored") or (status == "failed" and draw(st.booleans()))
        at_once = status == "pending" or (status != "scheduled" and draw(st.booleans()))
        rows.append(
            Row(
                id=job_id,
                name=draw(st.sampled_from([NAME, NAME, NAME, "other"])),
                status=status,
                kind=draw(st.sampled_from(["sync", "sync", "sync", "sync", "script", "silent"])),
                sync_types=draw(st.sampled_from(SCOPES)),
                objects=draw(st.sampled_from([(), (), (), (7,)])),
                scheduled=None if at_once else due,
                interval=None if at_once else draw(st.sampled_from([None, 60, 1440])),
                created=now - timedelta(days=30),
                started=now - timedelta(minutes=1) if started else None,
                completed=None if status in ("scheduled", "pending", "running") else now - timedelta(seconds=30),
                cancelled=status == "failed",
                queue=draw(st.sampled_from(["default", "default", "high"])) if at_once else "default",
            )
        )
    return rows


@st.composite
def wishes(draw: st.DrawFn, recurring: bool = False, drift: str = "repair") -> Declare:
    """Schedules that users may declare. With ``recurring``, only schedules that recur."""
    dates = ["2026-01-01 02:00", "2026-04-10 09:00", "2027-02-01 02:00"]
    schedule_at = draw(st.sampled_from([None, "02:00", ":00", "23:30", "sunday 02:00", *dates]))
    intervals = ["weekly", "2 weeks"] if schedule_at == "sunday 02:00" else RECURRING
    interval = draw(st.sampled_from(intervals if recurring else [None, *intervals]))
    return wish(
        schedule_at=schedule_at,
        interval=interval,
        skip_until=draw(st.sampled_from([None, "2026-04-10 11:30", "2026-04-13"])) if interval else None,
        sync_types=list(draw(st.sampled_from(SCOPES))),
        timezone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"])),
        drift=drift,
    )


def wish(**options: Any) -> Declare:
    """Return the schedule that these options of the module declare."""
    defaults = {"name": NAME, "sync_types": ["all"], "schedule_at": None, "interval": None, "timezone": "UTC"}
    defaults |= {"skip_until": None, "previous_name": None}
    endpoints = {"proxmox_endpoints": [], "netbox_endpoints": []}
    options = {**defaults, **endpoints, "drift": "repair", "job_retention": 0, **options}
    return read_schedule(options, lambda kind, wanted: frozenset())


class Clock:
    """Replaces the module ``time`` by the clock of the model that the thread uses."""

    here = threading.local()

    @staticmethod
    def sleep(seconds: float) -> None:
        Clock.here.jobs.api.turn()
        Clock.here.jobs.api.netbox.pass_time(timedelta(seconds=seconds))

    @staticmethod
    def monotonic() -> float:
        return (Clock.here.jobs.api.netbox.now - NOW).total_seconds()


@pytest.fixture(autouse=True, scope="module")
def no_waiting() -> Any:
    """Let the collection sleep on the model's clock."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_create, _http, _loop, _observe, _schedules, _wait):
            patch.setattr(module, "time", Clock)
        patch.setattr(_loop.random, "uniform", lambda low, high: low)
        yield


def run(jobs: Jobs, goal: Declare | End, **options: Any) -> TaskResult:
    Clock.here.jobs = jobs
    return declare(jobs, goal, Policy(**{"when_running": "cancel", "wait_timeout": 36000, **options}))


def settle(netbox: NetBox) -> None:
    """Stop the worker, and wait until the runs that are starting have their data."""
    netbox.works = False
    netbox.pass_time(timedelta(seconds=2))


def foreign(netbox: NetBox) -> set[int]:
    """Return the ids of the jobs that no task may change."""
    return {row.id for row in netbox.rows.values() if row.kind != "sync" or row.name != NAME or row.queue == "high"}


def members(netbox: NetBox, goal: Declare) -> list[Row]:
    """Return the active jobs of a schedule. A sync that runs at once belongs only to a schedule that runs at once."""
    at_once = goal.at is None and goal.interval is None
    return [row for row in netbox.active(NAME) if at_once or not row.at_once]


@given(data=st.data(), now=CLOCKS, numbers=DICE, when_running=st.sampled_from(["cancel", "wait"]))
@settings(deadline=None, max_examples=200)
def test_one_task_reaches_its_goal_and_the_next_changes_nothing(
    data: st.DataObject, now: datetime, numbers: list[int], when_running: str
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    wanted = data.draw(wishes(drift=data.draw(st.sampled_from(["repair", "ignore"]))))
    untouchable = foreign(netbox)
    try:
        run(controller(netbox), wanted, when_running=when_running)
        settle(netbox)
        assume(not netbox.between)
    except ProxboxError as exc:
        # A task may only fail if its date has passed and no sync ran at that time.
        assert wanted.once and wanted.at and wanted.at.on(wanted.at.day) <= netbox.now and "has passed" in str(exc)
        assert not [
            row
            for row in netbox.rows.values()
            if row.kind == "sync" and row.name == NAME and row.started and not row.interval
            if row.scheduled == wanted.at.on(wanted.at.day) and {*row.sync_types} == wanted.scope.sync_types
            if not row.objects and not row.active
        ]
        return
    alive = members(netbox, wanted)
    once = wanted.interval is None
    assert len(alive) == 1 or (once and not alive)
    if wanted.skip_until and netbox.now < wanted.skip_until:
        assert all(row.status == "running" or row.scheduled >= wanted.skip_until for row in alive)
    if once and not alive and wanted.at and wanted.at.day is None:
        return  # the sync has run, and its time comes again tomorrow
    second = run(controller(netbox), wanted)
    assert not second.plan.changed
    assert not untouchable & {*netbox.cancelled}
    assert all(row.name == NAME for row in map(netbox.rows.get, netbox.created))


@given(data=st.data(), now=CLOCKS, numbers=DICE, when_running=st.sampled_from(["cancel", "wait"]))
@settings(deadline=None, max_examples=100)
def test_absent_leaves_no_active_job(data: st.DataObject, now: datetime, numbers: list[int], when_running: str) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    untouchable = foreign(netbox)
    run(controller(netbox), End(NAME), when_running=when_running)
    settle(netbox)
    assume(not netbox.between)
    assert not netbox.active(NAME)
    assert not run(controller(netbox), End(NAME)).plan.changed
    assert not netbox.created and not untouchable & {*netbox.cancelled}


@given(data=st.data(), now=CLOCKS, state=st.sampled_from(["present", "absent"]))
@settings(deadline=None, max_examples=100)
def test_check_mode_predicts_what_the_task_does(data: st.DataObject, now: datetime, state: str) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice([]))
    netbox.works = False
    goal = data.draw(wishes()) if state == "present" else End(NAME)
    before = dict(netbox.rows)
    try:
        predicted = run(controller(netbox), goal, check_mode=True)
    except ProxboxError as exc:
        with pytest.raises(ProxboxError) as told:
            run(controller(netbox), goal)
        assert str(told.value) == str(exc) and "has passed" in str(exc)
        assert netbox.rows == before
        return
    assert netbox.rows == before
    done = run(controller(netbox), goal)
    assert done.plan == predicted.plan and done.plan.diff() == predicted.plan.diff()
    assert {job.id for job in done.cancelled} == {job.id for job in predicted.cancelled} == {*netbox.cancelled}
    assert bool(netbox.created) == bool(predicted.plan.create)


@given(data=st.data(), now=CLOCKS, numbers=DICE)
@settings(deadline=None, max_examples=200)
def test_faults_neither_duplicate_nor_lose_a_schedule(data: st.DataObject, now: datetime, numbers: list[int]) -> None:
    start = data.draw(wishes(recurring=True))
    due = start.at.next(start.interval, now) if start.at else now + timedelta(minutes=start.interval)
    types = ALL if start.scope.sync_types == {*ALL} else TWO
    first = Row(1, NAME, "scheduled", sync_types=types, scheduled=due, interval=start.interval, created=now)
    netbox = NetBox([first], now, Dice(numbers))
    netbox.works = False
    goal = data.draw(wishes(recurring=True))
    for _attempt in range(5):
        try:
            run(controller(netbox, faults=True), goal)
        except ProxboxError:
            assert netbox.active(NAME), "no active job is left"
        else:
            assert len(netbox.active(NAME)) == 1
    run(controller(netbox), goal)
    assert len(netbox.active(NAME)) == 1
    assert not run(controller(netbox), goal).plan.changed


@given(data=st.data(), now=CLOCKS, numbers=DICE, state=st.sampled_from(["present", "absent"]))
@settings(deadline=None, max_examples=100)
def test_no_running_sync_is_cancelled_with_when_running_wait(
    data: st.DataObject, now: datetime, numbers: list[int], state: str
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    goal = data.draw(wishes(recurring=True)) if state == "present" else End(NAME)
    # A job may start after the task has read it and before it cancels it. No time passes in between here.
    run(controller(netbox, quick=True), goal, when_running="wait")
    assert set(netbox.killed) <= set(netbox.created)


# Before Python 3.12, the objects of a class share one lock for each cached property. The controllers would wait for it.
for _class in (Jobs, Rq, Session):
    for _attribute in vars(_class).values():
        if isinstance(_attribute, cached_property):
            _attribute.lock = nullcontext()


class Baton:
    """Lets one of two threads continue at a time. The dice decide which one."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self.turn = threading.Condition()
        self._alive = {0, 1}
        self.next = 0

    def wait(self, number: int) -> None:
        with self.turn:
            self.next = self._dice.take(*sorted(self._alive))
            self.turn.notify_all()
            assert self.turn.wait_for(lambda: self.next == number, timeout=20)

    def leave(self, number: int) -> None:
        with self.turn:
            self._alive.discard(number)
            self.next = min(self._alive, default=0)
            self.turn.notify_all()


Controller = Callable[[Jobs], TaskResult]


def both(netbox: NetBox, turns: list[int], controllers: list[Controller]) -> list[TaskResult | BaseException]:
    """Run two controllers at the same time, which take turns at their requests."""
    baton = Baton(Dice(turns))
    results: list[Any] = [None, None]

    def one(number: int) -> None:
        with baton.turn:
            baton.turn.wait_for(lambda: baton.next == number, timeout=20)
        try:
            Clock.here.jobs = jobs = controller(netbox, turn=partial(baton.wait, number))
            results[number] = controllers[number](jobs)
        except BaseException as exc:
            results[number] = exc
        baton.leave(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def failures(results: list[TaskResult | BaseException]) -> list[BaseException]:
    return [result for result in results if not isinstance(result, TaskResult)]


@given(data=st.data(), now=CLOCKS, numbers=DICE, turns=DICE, works=st.booleans())
@settings(deadline=None, max_examples=100)
def test_two_controllers_with_the_same_goal_leave_one_schedule(
    data: st.DataObject, now: datetime, numbers: list[int], turns: list[int], works: bool
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    netbox.works = works
    wanted = data.draw(wishes(recurring=True))
    assert failures(both(netbox, turns, [partial(run, goal=wanted)] * 2)) == []
    settle(netbox)
    assume(not netbox.between)
    assert len(members(netbox, wanted)) == 1
    assert not run(controller(netbox), wanted).plan.changed


@given(data=st.data(), now=CLOCKS, turns=DICE)
@settings(deadline=None, max_examples=100)
def test_two_controllers_with_different_goals_do_not_lose_the_schedule(
    data: st.DataObject, now: datetime, turns: list[int]
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice([]))
    netbox.works = False
    goals = [data.draw(wishes(recurring=True)) for _number in (0, 1)]
    results = both(netbox, turns, [partial(run, goal=goal) for goal in goals])
    unexpected = [result for result in results if not isinstance(result, (TaskResult, ProxboxError))]
    assert unexpected == []
    alive = members(netbox, goals[0])
    assert alive
    assert len(alive) == 1 or any(isinstance(result, ProxboxError) for result in results)


@given(data=st.data(), now=CLOCKS, numbers=DICE, turns=DICE, works=st.booleans())
@settings(deadline=None, max_examples=100)
def test_two_controllers_run_a_one_time_schedule_once(
    data: st.DataObject, now: datetime, numbers: list[int], turns: list[int], works: bool
) -> None:
    netbox = NetBox([], now, Dice(numbers))
    netbox.works = works
    dated = (now + timedelta(hours=1)).isoformat()
    wanted = wish(schedule_at=data.draw(st.sampled_from([None, dated])))
    assert failures(both(netbox, turns, [partial(run, goal=wanted)] * 2)) == []
    settle(netbox)
    rows = [row for row in netbox.rows.values() if row.started or row.active]
    # A run may start, and even end, before a controller sees that there are two jobs.
    assert len([row for row in rows if not row.cancelled]) in ((1,) if not works or wanted.at else (1, 2))
    assert not run(controller(netbox), wanted).plan.changed


def cancel(jobs: Jobs, name: str = "", job_id: int | None = None, keep: bool = True) -> TaskResult:
    Clock.here.jobs = jobs
    return cancel_runs(jobs, CancelRuns(name, job_id, keep), Policy("cancel"))


# Many histories have no recurring job that could be cancelled.
@given(data=st.data(), now=CLOCKS)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])
def test_cancelling_a_run_keeps_the_schedule(data: st.DataObject, now: datetime) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice([]))
    netbox.works = False
    recurring = [row for row in netbox.active(NAME) if row.interval]
    assume(recurring)
    target = data.draw(st.sampled_from(recurring))
    assume(not target.objects)
    outcome = cancel(controller(netbox), job_id=target.id)
    assert not netbox.rows[target.id].active
    left = [row for row in netbox.active(NAME) if row.interval]
    assert len(left) == max(1, len(recurring) - 1)
    assert outcome.successor is None or outcome.successor.scheduled > netbox.now


@given(
    data=st.data(),
    now=CLOCKS,
    numbers=DICE,
    turns=DICE,
    works=st.booleans(),
    by=st.lists(st.booleans(), min_size=2, max_size=2),
)
@settings(deadline=None, max_examples=200)
def test_two_controllers_that_cancel_the_same_run_keep_one_schedule(
    data: st.DataObject, now: datetime, numbers: list[int], turns: list[int], works: bool, by: list[bool]
) -> None:
    due = now - timedelta(minutes=5)
    first = Row(1, NAME, "running", scheduled=due, interval=60, created=due, started=due)
    netbox = NetBox([first], now, Dice(numbers))
    netbox.works = works
    words = [{"job_id": 1} if by_id else {"name": NAME} for by_id in by]
    assert failures(both(netbox, turns, [partial(cancel, **word) for word in words])) == []
    settle(netbox)
    assume(not netbox.between)
    assert len([row for row in netbox.active(NAME) if row.interval]) == 1
    assert not netbox.rows[1].active


@given(data=st.data(), now=CLOCKS, numbers=DICE, turns=DICE, works=st.booleans())
@settings(deadline=None, max_examples=100)
def test_cancelling_a_run_while_another_task_declares_it_keeps_the_schedule(
    data: st.DataObject, now: datetime, numbers: list[int], turns: list[int], works: bool
) -> None:
    wanted = data.draw(wishes(recurring=True))
    due = now - timedelta(minutes=5)
    types = ALL if wanted.scope.sync_types == {*ALL} else TWO
    first = Row(1, NAME, "running", "sync", types, (), due, wanted.interval, created=due, started=due)
    netbox = NetBox([first], now, Dice(numbers))
    netbox.works = works
    results = both(netbox, turns, [partial(cancel, job_id=1), partial(run, goal=wanted)])
    assert failures(results) == []
    settle(netbox)
    assert [row for row in netbox.active(NAME) if row.interval]


@given(now=CLOCKS, numbers=DICE, turns=DICE, works=st.booleans())
@settings(deadline=None, max_examples=100)
def test_cancelling_without_keep_schedule_leaves_no_active_job(
    now: datetime, numbers: list[int], turns: list[int], works: bool
) -> None:
    due = now - timedelta(minutes=5)
    first = Row(1, NAME, "running", scheduled=due, interval=60, created=due, started=due)
    netbox = NetBox([first], now, Dice(numbers))
    netbox.works = works
    both(netbox, turns, [partial(cancel, job_id=1, keep=False), partial(cancel, name=NAME, keep=False)])
    settle(netbox)
    assume(not netbox.between)
    assert netbox.active(NAME) == []


def start(jobs: Jobs, name: str = "now", max_age: timedelta | None = None, wait: bool = False) -> TaskResult:
    Clock.here.jobs = jobs
    goal = RunNow(NewJob(name, Scope()), "join", max_age)
    return run_now(jobs, goal, Policy("cancel"), Waiting(36000) if wait else None)


AGES = st.lists(st.sampled_from([None, timedelta(hours=1)]), min_size=2, max_size=2)


@given(now=CLOCKS, numbers=DICE, turns=DICE, ages=AGES, names=st.sampled_from([("now", "now"), ("now", "other")]))
@settings(deadline=None, max_examples=100)
def test_two_controllers_that_join_start_one_sync(
    now: datetime, numbers: list[int], turns: list[int], ages: list[timedelta | None], names: tuple[str, str]
) -> None:
    netbox = NetBox([], now, Dice(numbers))
    netbox.works = False
    tasks = [partial(start, name=name, max_age=age) for name, age in zip(names, ages, strict=True)]
    results = both(netbox, turns, tasks)
    assert failures(results) == []
    active = [row.id for row in netbox.rows.values() if row.active]
    assert [result.job.id for result in results] == active * 2 and len(active) == 1


@given(now=CLOCKS, numbers=DICE, turns=DICE)
@settings(deadline=None, max_examples=50)
def test_two_controllers_that_join_return_a_run_that_has_ended(
    now: datetime, numbers: list[int], turns: list[int]
) -> None:
    netbox = NetBox([], now, Dice(numbers))
    tasks = [partial(start, name=name, max_age=timedelta(hours=1), wait=True) for name in ("now", "other")]
    results = both(netbox, turns, tasks)
    assert failures(results) == []
    ran = {row.id for row in netbox.rows.values() if row.status in ("completed", "errored")}
    # The second task may look only after the run has ended. Then it may start its own run, and waits for its end.
    assert {result.job.id for result in results} <= ran


@given(now=CLOCKS, job=st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=20)
def test_a_copy_made_by_run_now_is_not_part_of_the_schedule(now: datetime, job: int) -> None:
    wanted = wish(schedule_at="02:00", interval="daily")
    due = wanted.at.next(1440, now)
    netbox = NetBox([Row(1, NAME, "scheduled", scheduled=due, interval=1440, created=now)], now, Dice([]))
    copied = netbox.run_now(1)
    netbox._start(copied)
    for when_running in ("wait", "fail", "cancel"):
        done = run(controller(netbox), wanted, when_running=when_running)
        assert not done.plan.changed and done.job.id == 1 and not done.warnings
    run(controller(netbox), End(NAME), when_running="fail")
    assert netbox.rows[copied].status == "running" and not netbox.rows[1].active


@pytest.mark.parametrize("ahead", [None, 20, 80, 85, 100])
def test_no_sync_runs_twice_before_netbox_deletes_its_job(ahead: int | None) -> None:
    netbox = NetBox([], NOW, Dice([]))
    netbox.retention = timedelta(days=90)
    wanted = wish(schedule_at=ahead and (NOW + timedelta(days=ahead)).isoformat(), job_retention=90)
    if ahead and ahead > 81:
        with pytest.raises(ProxboxError, match="JOB_RETENTION"):
            run(controller(netbox), wanted)
        assert not netbox.rows
        return
    for _time in range(60):
        done = run(controller(netbox), wanted)
        netbox.pass_time(timedelta(days=3))
    # Without a time, the sync is due again when NetBox has deleted its job.
    assert len(netbox.created) == (1 if ahead else 2)
    assert not ahead or "cannot tell whether the sync has run" in done.warnings[0]


@given(data=st.data(), now=CLOCKS, numbers=DICE)
@settings(deadline=None, max_examples=50)
def test_each_of_many_schedules_is_declared(data: st.DataObject, now: datetime, numbers: list[int]) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    wanted = data.draw(wishes(recurring=True))
    goals = {NAME: wanted, "new": wish(name="new", interval="daily"), "gone": End("gone")}
    for expected in (True, False):
        Clock.here.jobs = jobs = controller(netbox)
        schedules = Schedules(jobs, None)
        ended = {name: End(name) for name in schedules.active() if name == "other"}
        done = {name: schedules.reach(goal, Policy("cancel")) for name, goal in {**goals, **ended}.items()}
        settle(netbox)
        assume(not netbox.between)
        assert done["new"].plan.changed is expected
    assert len(members(netbox, wanted)) == 1 and len(netbox.active("new")) == 1
    assert not [row for row in netbox.active("other") if row.interval]


@given(data=st.data(), now=CLOCKS, new=st.sampled_from(["04:30", "05:00"]), drift=st.sampled_from(["repair", "ignore"]))
@settings(deadline=None, max_examples=50)
def test_a_changed_time_is_a_change_and_a_late_run_is_not(
    data: st.DataObject, now: datetime, new: str, drift: str
) -> None:
    old = wish(schedule_at="02:00", interval="daily")
    due = old.at.next(1440, now) - timedelta(days=1)
    netbox = NetBox(
        [Row(1, NAME, "scheduled", scheduled=due, interval=1440, created=due - timedelta(days=1))], now, Dice([])
    )
    netbox.works = False
    moved = data.draw(st.booleans())
    if moved:  # the first run was late, and NetBox has moved the second one
        late = due + timedelta(minutes=90)
        netbox.rows[1] = Row(
            1, NAME, "completed", scheduled=due, interval=1440, created=due, started=late, completed=late
        )
        due = late + timedelta(minutes=1)
        netbox.rows[2] = Row(2, NAME, "scheduled", scheduled=due, interval=1440, created=late)
        netbox._last_id = 2
    running = max(netbox.rows)
    netbox.rows[running].status, netbox.rows[running].started = "running", netbox.now - timedelta(minutes=1)
    wanted = wish(schedule_at="02:00" if moved else new, interval="daily", drift=drift)
    done = run(controller(netbox), wanted, when_running="cancel")
    assert done.plan.changed is not moved


def held(*rows: Row) -> tuple[NetBox, Jobs]:
    """Return a NetBox that answers without delay, and a controller. Its worker does nothing unless a test starts it."""
    netbox = NetBox(rows, NOW, Dice([]))
    netbox.works = False
    Clock.here.jobs = jobs = controller(netbox, quick=True)
    return netbox, jobs


def running(job_id: int, interval: int | None = 60, **changes: Any) -> Row:
    due = NOW - timedelta(minutes=5)
    return replace(Row(job_id, NAME, "running", scheduled=due, interval=interval, created=due, started=due), **changes)


def at(netbox: NetBox, jobs: Jobs, moment: datetime, act: Callable[[], None]) -> None:
    """Call a function before the first request after a moment."""
    acts = [act]

    def turn() -> None:
        if netbox.now >= moment and acts:
            acts.pop()()

    jobs.api.turn = turn


def end(netbox: NetBox, job_id: int, delay: int) -> None:
    """End a run. Its successor is created ``delay`` seconds later."""
    row = netbox.rows[job_id] = replace(netbox.rows[job_id], status="completed", completed=netbox.now)
    netbox._successors.append((netbox.now + timedelta(seconds=delay), row))
    netbox.works = True


def test_the_successors_of_two_runs_that_end_are_both_cancelled() -> None:
    netbox, jobs = held(running(1), running(2))
    at(netbox, jobs, NOW + timedelta(seconds=20), lambda: (end(netbox, 1, 0), end(netbox, 2, 1)))
    assert run(jobs, End(NAME), when_running="wait").changed
    settle(netbox)
    assert netbox.active(NAME) == []


def test_the_successor_of_the_new_job_is_not_taken_for_that_of_the_old_job() -> None:
    netbox = NetBox([running(1)], NOW, Dice([]))
    netbox._ends = {1: NOW + timedelta(days=1)}
    jobs = controller(netbox, quick=True)
    at(netbox, jobs, NOW + timedelta(minutes=40), lambda: end(netbox, 1, 1))
    run(jobs, wish(interval="30"), when_running="wait")
    settle(netbox)
    assert [row.interval for row in netbox.active(NAME)] == [30]


@pytest.mark.parametrize("task", [partial(run, goal=End(NAME)), partial(cancel, job_id=1), partial(cancel, name=NAME)])
def test_a_run_that_ends_by_itself_is_not_a_change(task: Callable[..., TaskResult]) -> None:
    netbox, jobs = held(running(1, interval=None, scheduled=None))
    answer = jobs.api._cancel

    def end_first(job_id: int) -> tuple[int, Any]:
        netbox._end(job_id)
        return answer(job_id)

    jobs.api._cancel = end_first
    done = task(jobs)
    assert not done.changed and done.cancelled == () and netbox.cancelled == []


def test_a_task_does_not_wait_for_the_successor_of_a_cancelled_run() -> None:
    netbox, jobs = held(running(1))
    moment = NOW + timedelta(seconds=20)
    at(netbox, jobs, moment, lambda: netbox.rows.update({1: replace(netbox.rows[1], status="failed", cancelled=True)}))
    run(jobs, wish(interval="120"), when_running="wait")
    assert netbox.now - moment < timedelta(seconds=10)


def test_wait_timeout_applies_to_all_runs_together() -> None:
    netbox, jobs = held(running(1), running(2), running(3))
    netbox.works = True
    netbox._ends = {job_id: NOW + timedelta(seconds=50 * job_id) for job_id in (1, 2, 3)}
    with pytest.raises(ProxboxError, match=r"job 2. is still running after 60 s, and it was not cancelled"):
        run(jobs, End(NAME), when_running="wait", wait_timeout=60)
    assert netbox.now - NOW < timedelta(seconds=70)


def test_a_change_that_exceeds_wait_timeout_leaves_the_schedule_unchanged() -> None:
    netbox, jobs = held(running(1))
    with pytest.raises(ProxboxError, match=r"still running after 60 s, and it was not cancelled") as told:
        run(jobs, wish(interval="120"), when_running="wait", wait_timeout=60)
    assert [row.id for row in netbox.active(NAME)] == [1]
    assert not told.value.changed and "created" not in str(told.value)


@pytest.mark.parametrize("name", ["Proxbox Sync", "now"])
def test_a_starting_sync_of_another_scope_is_not_joined(name: str) -> None:
    netbox, jobs = held(running(1, None, name=name, sync_types=TWO, scheduled=None, created=NOW, started=NOW))
    done = start(jobs, name=name)
    assert done.changed and done.job.id == 2 and netbox.rows[1].active


def test_a_schedule_whose_scope_changes_while_its_run_starts_is_changed() -> None:
    _netbox, jobs = held(running(1, name="Proxbox Sync", sync_types=TWO, started=NOW))
    assert run(jobs, wish(interval="60")._replace(name="Proxbox Sync")).changed


def test_the_error_names_created_jobs_even_if_another_task_cancelled_them() -> None:
    netbox, jobs = held()

    def undo() -> None:
        for row in netbox.rows.values():
            row.status, row.cancelled = "failed", True

    jobs.api.turn = undo
    with pytest.raises(ProxboxError, match=r"keep changing.* Before that, job 1 was created and job 2 was") as told:
        run(jobs, wish(interval="daily"))
    assert told.value.changed


def test_a_job_of_unknown_kind_is_not_changed_and_causes_a_warning() -> None:
    due = NOW + timedelta(hours=1)
    netbox, jobs = held(
        Row(1, NAME, "scheduled", "silent", scheduled=due, interval=60, created=NOW - timedelta(hours=1))
    )
    for goal in (End(NAME), wish(interval="120")):
        (warning,) = run(jobs, goal).warnings
        assert "does not show whether job 1 (nightly), which is scheduled, is a Proxbox sync" in warning
    assert netbox.rows[1].active and netbox.cancelled == []


def test_a_job_that_is_deleted_after_its_cancellation_counts_as_cancelled() -> None:
    netbox, jobs = held(running(1))
    jobs.api.turn = lambda: netbox.cancelled and netbox.rows.pop(1, None)
    assert [job.id for job in cancel(jobs, job_id=1, keep=False).cancelled] == [1]


def test_a_time_that_cannot_be_checked_causes_a_warning() -> None:
    times = [(number, NOW - timedelta(hours=130 - number)) for number in range(1, 130)]
    runs = [
        running(number, status="completed", scheduled=time, created=time, started=time, completed=time)
        for number, time in times
    ]
    due = NOW + timedelta(minutes=20)
    _netbox, jobs = held(*runs, Row(130, NAME, "scheduled", scheduled=due, interval=60, created=NOW))
    done = run(jobs, wish(schedule_at=":30", interval="hourly", drift="ignore"))
    assert not done.changed and "does not show the beginning of its schedule" in done.warnings[0]
