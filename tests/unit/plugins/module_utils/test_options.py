# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules: what they mean, and which values are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._options import (
    checked_count,
    checked_name,
    checked_seconds,
    checked_sync_types,
    definition_of,
    fits,
    read_goal,
    read_max_age,
    read_policy,
    read_schedule,
    read_scope,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Observation, Policy
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import make_job

COMMON = {
    "timezone": "UTC",
    "drift": "repair",
    "job_retention": 90.0,
    "when_running": "wait",
    "wait_timeout": 3600.0,
    "stale_after": None,
    "check_queue": False,
}
ONE = {
    "name": "nightly",
    "previous_name": None,
    "state": "present",
    "enabled": True,
    "schedule_at": None,
    "interval": None,
    "skip_until": None,
    "sync_types": ["all"],
    "proxmox_endpoints": [],
    "netbox_endpoints": [],
}


def ids(kind: str, wanted: list[str]) -> frozenset[int]:
    return frozenset({1: "proxmox", 2: "netbox"}[int(word)] == kind and int(word) for word in wanted)


def read(**options: Any) -> Declare:
    return read_schedule({**COMMON, **ONE, **options}, ids)


def test_options_are_read_as_a_schedule() -> None:
    assert read() == Declare("nightly", retention=timedelta(days=90))
    full = read(
        name=" nightly ",
        schedule_at="02:00",
        interval="daily",
        sync_types=["devices", "sdn"],
        proxmox_endpoints=["1"],
        netbox_endpoints=["2"],
        timezone="Europe/Berlin",
        drift="ignore",
        job_retention=0.5,
    )
    assert (full.name, full.interval, full.repair_drift) == ("nightly", 1440, False)
    assert full.scope == Scope(frozenset({"devices", "sdn"}), frozenset({1}), frozenset({2}))
    assert (full.at.hour, str(full.at.zone)) == (2, "Europe/Berlin")
    assert full.retention == timedelta(hours=12)
    assert read(job_retention=0).retention is None


def test_now_and_once_mean_that_an_option_is_not_set() -> None:
    assert read(schedule_at="now", interval="once") == read(schedule_at=" Now", interval="ONCE ") == read()
    assert read(schedule_at="now", interval="daily") == read(interval="daily")
    with pytest.raises(ProxboxError, match="not a time"):
        read(schedule_at="once")
    with pytest.raises(ProxboxError, match="not an interval"):
        read(interval="now")


@pytest.mark.parametrize(
    ("pattern", "those"),
    [
        ("tmp *", {"tmp 1"}),
        ("tmp ?", {"tmp 1"}),
        ("*[12]", {"tmp 1", "lab 2"}),
        ("[!tl]*", {"[x] 1 y"}),
        ("[[]x] *", {"[x] 1 y"}),
        ("[x]*", set()),
        ("TMP *", set()),
        ("tmp", set()),
    ],
)
def test_patterns_are_those_of_fnmatch(pattern: str, those: set[str]) -> None:
    assert {name for name in ("tmp 1", "lab 2", "[x] 1 y") if fits(name, pattern)} == those


def test_a_day_of_the_week_needs_whole_weeks_or_no_interval() -> None:
    for interval, minutes in (("weekly", 10080), ("2w", 20160), ("14 days", 20160), ("168h", 10080), ("", None)):
        goal = read(schedule_at="sun 02:00", interval=interval)
        assert (goal.at.weekday, goal.at.hour, goal.interval) == (6, 2, minutes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "  "}, "name '  ' cannot be the name of a job: give 1 to 200 characters"),
        ({"name": ""}, "1 to 200"),
        ({"name": "x" * 201}, "1 to 200"),
        ({"name": "null"}, "not the word null"),
        (
            {"name": " Proxbox Sync "},
            "^'Proxbox Sync' is the name that NetBox gives to each sync without a name, .*",
        ),
        ({"sync_types": []}, "sync_types is empty"),
        ({"sync_types": ["devices", ""]}, "sync_types is empty"),
        ({"sync_types": ["all", "devices"]}, "sync_types has 'all' and devices: 'all' cannot be combined"),
        ({"interval": "0"}, "less than a minute"),
        ({"interval": "True"}, "interval 'True' is not an interval"),
        ({"interval": "-5"}, "less than a minute"),
        ({"schedule_at": "soon"}, "not a time"),
        ({"schedule_at": "9999-12-31T23:59:00-05:00"}, "too far away"),
        *(
            (
                {"schedule_at": "Sunday 02:00", "interval": interval},
                f"schedule_at 'Sunday 02:00' names a day of the week, but interval '{interval}' is not a number of "
                r"whole weeks: set interval to weekly \(or 2w and so on\), or leave out the day\.",
            )
            for interval in ("daily", "12h", "2 days", "10d", "1")
        ),
        ({"timezone": "nowhere"}, "timezone"),
        ({"job_retention": -1.0}, "job_retention -1 is not a number of days: give that of NetBox's JOB_RETENTION"),
        ({"job_retention": math.nan}, "job_retention nan is not a number of days"),
        ({"job_retention": math.inf}, "job_retention inf is not a number of days"),
    ],
)
def test_invalid_values_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        read(**options)


@pytest.mark.parametrize("name", ["True", "False", "['a', 'b']", "[]", "{'a': 1}", " {} "])
def test_a_name_that_was_not_a_string_is_refused(name: str) -> None:
    with pytest.raises(ProxboxError, match="is a boolean, a list or a dictionary: give a text"):
        checked_name(name)


@pytest.mark.parametrize("character", ["\n", "\t", "\r", "\x00", "\x1f", "\x7f", "\u2028", "\u2029"])
def test_a_name_with_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(
        ProxboxError, match="has a line break, a tab or another control character: leave it out"
    ) as told:
        checked_name(f"a{character}b")
    assert character not in str(told.value)


@pytest.mark.parametrize("name", ["true", "[a] b", "a {b}", "Größe ☃", "x" * 200, "null 1", "0"])
def test_an_unusual_name_is_accepted(name: str) -> None:
    assert checked_name(f" {name} ") == name


def test_spaces_around_sync_types_are_removed() -> None:
    assert checked_sync_types([" devices", "sdn "]) == {"devices", "sdn"}
    scope = read_scope({**ONE, "sync_types": [" all "], "proxmox_endpoints": ["1"]}, ids)
    assert scope == Scope(proxmox_endpoints=frozenset({1}))


def test_options_are_read_as_a_policy() -> None:
    options = {**COMMON, "when_running": "fail", "wait_timeout": 60.0, "stale_after": "3h"}
    assert read_policy(options, check_mode=True) == Policy("fail", 60.0, timedelta(hours=3), check_mode=True)
    assert read_policy(COMMON, check_mode=False) == Policy("wait", 3600.0, None, check_mode=False)
    berlin = read_policy({**COMMON, "timezone": "Europe/Berlin"}, check_mode=False)
    assert berlin.zone == parse_timezone("Europe/Berlin")
    with pytest.raises(ProxboxError, match="stale_after 'soon' is not an interval"):
        read_policy({**options, "stale_after": "soon"}, check_mode=False)
    with pytest.raises(ProxboxError, match="wait_timeout 0 is not a time to wait"):
        read_policy({**options, "wait_timeout": 0.0}, check_mode=False)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_time_to_wait_is_above_zero(seconds: float) -> None:
    assert checked_seconds("poll_interval", 0.5) == 0.5
    with pytest.raises(ProxboxError, match=f"poll_interval {seconds:g} is not a time to wait: give seconds, more than"):
        checked_seconds("poll_interval", seconds)


@pytest.mark.parametrize("minutes", [-1.0, math.nan, math.inf])
def test_an_age_is_not_below_zero(minutes: float) -> None:
    assert read_max_age(None) is None
    assert read_max_age(0) == timedelta() and read_max_age(90.5) == timedelta(minutes=90.5)
    with pytest.raises(ProxboxError, match=f"max_age {minutes:g} is not an age: give minutes, 0 or more"):
        read_max_age(minutes)


def test_a_number_of_jobs_is_not_below_zero() -> None:
    assert checked_count("limit", 0) == 0
    with pytest.raises(ProxboxError, match="limit -1 is not a number of jobs: give 0 or more"):
        checked_count("limit", -1)


@pytest.mark.parametrize("read_one", [read_max_age, lambda number: read(job_retention=number)])
def test_a_number_that_is_too_large_raises_overflow_error(read_one: Callable[[float], Any]) -> None:
    # run_module turns this exception into a message.
    with pytest.raises(OverflowError):
        read_one(1e300)


def test_a_schedule_that_is_not_enabled_is_checked_and_has_no_job() -> None:
    paused = read_goal({**COMMON, **ONE, "enabled": False, "interval": "daily"}, ids)
    assert paused == End("nightly", reason="enabled is false", spares_runs=True)
    assert not read_goal({**COMMON, **ONE, "enabled": False}, ids).spares_runs
    with pytest.raises(ProxboxError, match="is not an interval"):
        read_goal({**COMMON, **ONE, "enabled": False, "interval": "often"}, ids)
    assert read_goal({**COMMON, **ONE, "state": "absent", "enabled": False}, ids) == End("nightly")


def test_skip_until_is_read_in_the_time_zone_of_the_schedule() -> None:
    options = {**COMMON, **ONE, "interval": "daily", "timezone": "Europe/Berlin", "skip_until": "2026-12-27"}
    assert read_goal(options, ids).skip_until == datetime(2026, 12, 26, 23, 0, tzinfo=UTC)
    with pytest.raises(ProxboxError, match="skip_until skips runs of a schedule that recurs"):
        read_goal({**options, "interval": None}, ids)
    with pytest.raises(ProxboxError, match="skip_until 'soon' is not an ISO 8601 time"):
        read_goal({**options, "skip_until": "soon"}, ids)
    with pytest.raises(ProxboxError, match="skip_until 0001-01-01 is too far away: give a year between 1970 and 9000"):
        read_goal({**options, "skip_until": "0001-01-01", "timezone": "UTC"}, ids)
    # NetBox gets whole seconds, and no run may start before the time.
    fraction = read_goal({**options, "skip_until": "2026-12-01T02:00:00.25Z"}, ids)
    assert fraction.skip_until == datetime(2026, 12, 1, 2, 0, 1, tzinfo=UTC)


def test_previous_name_renames_a_schedule() -> None:
    assert read(previous_name=" tonight ", interval="daily").names == ("nightly", "tonight")
    with pytest.raises(ProxboxError, match="previous_name renames a schedule that recurs"):
        read(previous_name="tonight")
    with pytest.raises(ProxboxError, match=r"previous_name '\[a\]' is a boolean, a list or a dictionary"):
        read(previous_name="[a]", interval="daily")
    with pytest.raises(ProxboxError, match="which is also the name"):
        read(previous_name="nightly")
    with pytest.raises(ProxboxError, match="'Proxbox Sync' is the name that NetBox gives"):
        read(previous_name="Proxbox Sync", interval="daily")
    renamed = {**COMMON, **ONE, "previous_name": "tonight", "interval": "daily"}
    assert read_goal({**renamed, "enabled": False}, ids).previous == "tonight"
    assert read_goal({**renamed, "state": "absent"}, ids) == End("nightly", previous="tonight")


NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)


# Daylight saving time ends, and the hour from 2 to 3 comes twice.
@example(scheduled=datetime(2026, 10, 25, 0, 30, tzinfo=UTC), interval=None, zone="Europe/Berlin")
@example(scheduled=datetime(2026, 10, 25, 1, 30, tzinfo=UTC), interval=None, zone="Europe/Berlin")
@given(
    scheduled=st.datetimes(datetime(2026, 4, 10, 11), datetime(2026, 12, 31)).map(
        lambda time: time.replace(tzinfo=UTC)
    ),
    interval=st.sampled_from([None, 7, 60, 90, 720, 1440, 4320, 10080]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
)
def test_declaring_the_definition_of_a_schedule_changes_nothing(
    scheduled: datetime, interval: int | None, zone: str
) -> None:
    if interval:
        scheduled = NOW + (scheduled - NOW) % timedelta(minutes=interval)
    job = make_job(
        5,
        scheduled=scheduled,
        interval=interval,
        sync_types=["devices"],
        proxmox_endpoint_ids=["1"],
        netbox_endpoint_ids=["2"],
    )
    found = definition_of(job, parse_timezone(zone), lambda _kind, number: number)
    options = {**COMMON, **ONE, "job_retention": 0, **found}
    for kind in ("proxmox_endpoints", "netbox_endpoints"):
        options[kind] = [str(number) for number in options[kind]]
    options["interval"] = None if interval is None else str(interval)
    assert not read_goal(options, ids).decide(Observation((job,), NOW)).changed


def test_a_definition_has_only_the_options_that_the_schedule_needs() -> None:
    at_once = make_job(5, scheduled=None, interval=60)
    assert definition_of(at_once, UTC, lambda _kind, number: number) == {
        "name": "nightly",
        "interval": 60,
        "sync_types": ["all"],
    }
    west = make_job(5, scheduled=NOW, proxmox_endpoint_ids=["1", "2"])
    names = {1: "pve-lab"}
    assert definition_of(west, parse_timezone("Europe/Berlin"), lambda _kind, number: names.get(number, number)) == {
        "name": "nightly",
        "schedule_at": "2026-04-10 12:00:00",
        "timezone": "Europe/Berlin",
        "sync_types": ["all"],
        "proxmox_endpoints": ["pve-lab", 2],
    }
    assert definition_of(west._replace(scope=None), UTC, lambda _kind, number: number) is None
    for name in ("Proxbox Sync", "[prod]", "null"):
        assert definition_of(west._replace(name=name), UTC, lambda _kind, number: number) is None
