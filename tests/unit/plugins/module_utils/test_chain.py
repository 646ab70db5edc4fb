# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any history, any clock, any fault, any interleaving: one run converges, and the next changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils import _engine, _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._engine import TaskResult, cancel_jobs, reconcile
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import (
    Plan,
    Wanted,
    plan_absent,
    plan_present,
    read_wanted,
)
from ansible_collections.proxbox.proxbox.tests.unit.netbox_model import Dice, Jobs, NetBox

NAME = "nightly"
NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
SCOPES = [Scope(), Scope(frozenset({"devices"}))]
Decide = Callable[[list[Job], datetime], Plan]

DICE = st.lists(st.integers(0, 839), max_size=60)
CLOCKS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)


@st.composite
def histories(draw: st.DrawFn, now: datetime) -> list[Job]:
    """Rows as users leave them: duplicates, foreign ones, dead and living ones, in any order."""
    rows = []
    for job_id in range(1, draw(st.integers(0, 6)) + 1):
        status = draw(st.sampled_from(["scheduled", "running", "completed", "pending", "errored", "failed"]))
        minutes = draw(st.sampled_from([1, 30, 960, 1440, 5000]))
        due = now + timedelta(minutes=minutes if status == "scheduled" else -minutes)
        rows.append(
            Job(
                id=job_id,
                name=draw(st.sampled_from([NAME, NAME, NAME, "other"])),
                status=status,
                is_sync=draw(st.sampled_from([True, True, True, False])),
                scope=draw(st.sampled_from([*SCOPES, Scope(objects=frozenset({7}))])),
                scheduled=None if status == "pending" else due,
                interval=draw(st.sampled_from([None, 60, 1440])),
                created=now - timedelta(days=30),
                user="operator",
                started=None if status in ("scheduled", "pending") else now - timedelta(minutes=1),
                error=draw(st.sampled_from(["", "Cancelled via API."])) if status == "failed" else "",
            )
        )
    return rows


@st.composite
def wishes(draw: st.DrawFn, recurring: bool = False) -> Wanted:
    """What users may declare; with ``recurring`` only what recurs."""
    intervals = ["hourly", "daily", "90m", "5h", "2d", "weekly"]
    at = draw(st.sampled_from([None, "02:00", ":00", "23:30", "2026-01-01 02:00", "2027-02-01 02:00"]))
    interval = draw(st.sampled_from(intervals if recurring else [None, *intervals]))
    types = draw(st.sampled_from(SCOPES)).sync_types
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
    return read_wanted(name=NAME, sync_types=types, schedule_at=at, interval=interval, timezone=zone)


@pytest.fixture(autouse=True, scope="module")
def no_waiting() -> None:
    """The engine sleeps on the model's clock: see ``run``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_engine, "time", Clock)
        patch.setattr(_wait, "time", Clock)
        patch.setattr(_engine.random, "uniform", lambda low, high: low)
        yield


class Clock:
    """Stands in for the module ``time``: of each thread, the model it works on."""

    here = threading.local()

    @staticmethod
    def sleep(seconds: float) -> None:
        Clock.here.jobs.turn()
        Clock.here.jobs.netbox.pass_time(timedelta(seconds=seconds))

    @staticmethod
    def monotonic() -> float:
        return (Clock.here.jobs.netbox.now - NOW).total_seconds()


def run(jobs: Jobs, decide: Decide, once: bool = False, **options: object) -> TaskResult:
    Clock.here.jobs = jobs
    options = {"when_running": "cancel", "wait_timeout": 36000, **options}
    return reconcile(jobs, NAME, decide, history=once, **options)


def members(netbox: NetBox) -> list[Job]:
    return [row for row in netbox.rows.values() if row.living and row.is_sync and row.name == NAME]


def settle(netbox: NetBox) -> None:
    """Hold the worker, and let what is starting say what it is."""
    netbox.works = False
    netbox.pass_time(timedelta(seconds=2))


def foreign(netbox: NetBox) -> set[int]:
    return {row.id for row in netbox.rows.values() if not row.is_sync or row.name != NAME}


@given(data=st.data(), now=CLOCKS, numbers=DICE, when_running=st.sampled_from(["cancel", "wait"]))
@settings(deadline=None, max_examples=200)
def test_one_run_converges_and_the_next_changes_nothing(
    data: st.DataObject, now: datetime, numbers: list[int], when_running: str
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    wanted = data.draw(wishes())
    untouchable = foreign(netbox)
    decide = partial(plan_present, wanted)
    try:
        run(Jobs(netbox), decide, wanted.once, when_running=when_running)
        settle(netbox)
        assume(not netbox.between)
    except ProxboxError as exc:
        assert wanted.once and "has passed" in str(exc)
        return
    alive = members(netbox)
    assert len(alive) == 1 or (wanted.once and not alive)
    if wanted.once and not alive and wanted.at and wanted.at.day is None:
        return  # it has run, and its time comes again tomorrow
    second = run(Jobs(netbox), decide, wanted.once)
    assert not second.plan.changed
    assert not untouchable & {*netbox.cancelled}
    assert all(row.name == NAME for row in map(netbox.rows.get, netbox.created))


@given(data=st.data(), now=CLOCKS, numbers=DICE, when_running=st.sampled_from(["cancel", "wait"]))
@settings(deadline=None, max_examples=100)
def test_absent_leaves_none(data: st.DataObject, now: datetime, numbers: list[int], when_running: str) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    untouchable = foreign(netbox)
    run(Jobs(netbox), partial(plan_absent, NAME), when_running=when_running)
    settle(netbox)
    assume(not netbox.between)
    assert not members(netbox)
    assert not run(Jobs(netbox), partial(plan_absent, NAME)).plan.changed
    assert not netbox.created and not untouchable & {*netbox.cancelled}


@given(data=st.data(), now=CLOCKS, state=st.sampled_from(["present", "absent"]))
@settings(deadline=None, max_examples=100)
def test_check_mode_predicts_what_the_run_does(data: st.DataObject, now: datetime, state: str) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice([]))
    netbox.works = False
    wanted = data.draw(wishes())
    decide = partial(plan_present, wanted) if state == "present" else partial(plan_absent, NAME)
    before = dict(netbox.rows)
    try:
        predicted = run(Jobs(netbox), decide, wanted.once, check_mode=True)
    except ProxboxError:
        with pytest.raises(ProxboxError, match="has passed"):
            run(Jobs(netbox), decide, wanted.once)
        assert netbox.rows == before
        return
    assert netbox.rows == before
    done = run(Jobs(netbox), decide, wanted.once)
    assert done.plan == predicted.plan and done.plan.diff() == predicted.plan.diff()
    assert {job.id for job in done.cancelled} == {job.id for job in predicted.cancelled} == {*netbox.cancelled}
    assert bool(netbox.created) == bool(predicted.plan.create)


@given(data=st.data(), now=CLOCKS, numbers=DICE)
@settings(deadline=None, max_examples=200)
def test_faults_leave_no_duplicate_and_lose_nothing(data: st.DataObject, now: datetime, numbers: list[int]) -> None:
    start = data.draw(wishes(recurring=True))
    due = start.at.next(start.interval, now) if start.at else now + timedelta(minutes=start.interval)
    first = Job(1, NAME, "scheduled", True, start.scope, due, start.interval, created=now)
    netbox = NetBox([first], now, Dice(numbers))
    netbox.works = False
    decide = partial(plan_present, data.draw(wishes(recurring=True)))
    for _attempt in range(5):
        try:
            run(Jobs(netbox, faults=True), decide)
        except ProxboxError:
            assert members(netbox), "none is left"
        else:
            assert len(members(netbox)) == 1
    run(Jobs(netbox), decide)
    assert len(members(netbox)) == 1
    assert not run(Jobs(netbox), decide).plan.changed


@given(data=st.data(), now=CLOCKS, numbers=DICE, state=st.sampled_from(["present", "absent"]))
@settings(deadline=None, max_examples=100)
def test_no_running_sync_is_killed_unasked(data: st.DataObject, now: datetime, numbers: list[int], state: str) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    decide = (
        partial(plan_present, data.draw(wishes(recurring=True))) if state == "present" else partial(plan_absent, NAME)
    )
    # What starts between the look at it and its cancellation cannot be known: here, no time passes in between.
    run(Jobs(netbox, quick=True), decide, when_running="wait")
    assert set(netbox.killed) <= set(netbox.created)


class Baton:
    """Two threads, of which one goes on at a time: the dice say which."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._turn = threading.Condition()
        self._alive = {0, 1}
        self._next = 0

    def wait(self, number: int) -> None:
        with self._turn:
            self._next = self._dice.take(*sorted(self._alive))
            self._turn.notify_all()
            assert self._turn.wait_for(lambda: self._next == number, timeout=20)

    def leave(self, number: int) -> None:
        with self._turn:
            self._alive.discard(number)
            self._next = min(self._alive, default=0)
            self._turn.notify_all()


def both(
    netbox: NetBox, turns: Dice, controllers: list[Callable[[Jobs], TaskResult]]
) -> list[TaskResult | ProxboxError | BaseException]:
    """Run two controllers side by side, request by request."""
    baton = Baton(turns)
    results: list[TaskResult | ProxboxError | BaseException] = [None, None]

    def one(number: int) -> None:
        with baton._turn:
            baton._turn.wait_for(lambda: baton._next == number, timeout=20)
        try:
            Clock.here.jobs = jobs = Jobs(netbox, turn=partial(baton.wait, number))
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


@given(data=st.data(), now=CLOCKS, numbers=DICE, turns=DICE, works=st.booleans())
@settings(deadline=None, max_examples=100)
def test_two_controllers_end_with_one(
    data: st.DataObject, now: datetime, numbers: list[int], turns: list[int], works: bool
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice(numbers))
    netbox.works = works
    decide = partial(plan_present, data.draw(wishes(recurring=True)))
    results = both(netbox, Dice(turns), [partial(run, decide=decide)] * 2)
    assert [result for result in results if not isinstance(result, TaskResult)] == []
    settle(netbox)
    assume(not netbox.between)
    assert len(members(netbox)) == 1
    assert not run(Jobs(netbox), decide).plan.changed


@given(data=st.data(), now=CLOCKS, turns=DICE)
@settings(deadline=None, max_examples=100)
def test_two_controllers_that_disagree_do_not_lose_the_schedule(
    data: st.DataObject, now: datetime, turns: list[int]
) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice([]))
    netbox.works = False
    wishes_of_both = [data.draw(wishes(recurring=True)) for _number in (0, 1)]
    decisions = [partial(plan_present, wanted) for wanted in wishes_of_both]
    results = both(netbox, Dice(turns), [partial(run, decide=decide) for decide in decisions])
    assert all(isinstance(result, (TaskResult, ProxboxError)) for result in results)
    assert members(netbox)
    assert len(members(netbox)) == 1 or any(isinstance(result, ProxboxError) for result in results)


# Many a history holds no recurring member to cancel.
@given(data=st.data(), now=CLOCKS)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])
def test_cancelling_a_run_keeps_the_schedule(data: st.DataObject, now: datetime) -> None:
    netbox = NetBox(data.draw(histories(now)), now, Dice([]))
    netbox.works = False
    recurring = [row for row in members(netbox) if row.interval]
    assume(recurring)
    Clock.here.jobs = jobs = Jobs(netbox)
    target = data.draw(st.sampled_from(recurring))
    assume(not target.scope.objects)
    outcome = cancel_jobs(jobs, job_id=target.id, name=None)
    assert not netbox.rows[target.id].living
    left = [row for row in members(netbox) if row.interval]
    assert left
    assert len(left) == max(1, len(recurring) - 1)
    assert outcome.successor is None or outcome.successor.scheduled > netbox.now


@given(data=st.data(), now=CLOCKS, numbers=DICE, turns=DICE, works=st.booleans())
@settings(deadline=None, max_examples=100)
def test_cancelling_a_run_beside_another_controller_keeps_the_schedule(
    data: st.DataObject, now: datetime, numbers: list[int], turns: list[int], works: bool
) -> None:
    wanted = data.draw(wishes(recurring=True))
    due = now - timedelta(minutes=5)
    first = Job(1, NAME, "running", True, wanted.scope, due, wanted.interval, created=due, started=due)
    netbox = NetBox([first], now, Dice(numbers))
    netbox.works = works
    cancel = partial(cancel_jobs, job_id=1, name=None)
    results = both(netbox, Dice(turns), [cancel, partial(run, decide=partial(plan_present, wanted))])
    assert [result for result in results if not isinstance(result, TaskResult)] == []
    settle(netbox)
    assert [row for row in members(netbox) if row.interval]


@pytest.mark.parametrize("interval", [None, 60])
def test_check_mode_knows_that_a_run_is_let_end(interval: int | None) -> None:
    began = NOW - timedelta(minutes=1)
    running = Job(1, NAME, "running", True, SCOPES[0], began, interval, created=began, started=began)
    netbox = NetBox([running], NOW, Dice([]))
    absent = partial(plan_absent, NAME)
    predicted = run(Jobs(netbox), absent, when_running="wait", check_mode=True)
    done = run(Jobs(netbox), absent, when_running="wait")
    assert predicted.plan == done.plan and predicted.cancelled == ()
    assert done.plan.changed is bool(interval)
    # The successor of the run, whose id nobody can know beforehand.
    assert [job.id for job in done.cancelled] == ([2] if interval else []) == netbox.cancelled
