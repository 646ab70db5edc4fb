# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intervals, times and their occurrences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils import _times as times
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("1", 1),
        ("1440", 1440),
        (" 60 ", 60),
        ("30m", 30),
        ("12h", 720),
        ("1d", 1440),
        ("2 w", 20160),
        ("hourly", 60),
        ("daily", 1440),
        ("Weekly", 10080),
        ("2147483647", 2147483647),
    ],
)
def test_interval(text: str, minutes: int) -> None:
    assert times.parse_interval(text) == minutes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "less than a minute"),
        ("-5", "less than a minute"),
        ("0h", "less than a minute"),
        ("", "not an interval"),
        ("often", "not an interval"),
        ("1.5h", "not an interval"),
        ("1y", "not an interval"),
        ("2147483648", "more than"),
    ],
)
def test_interval_refused(text: str, says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        times.parse_interval(text)


def test_timezone() -> None:
    assert times.parse_timezone("UTC") is UTC
    assert times.parse_timezone("Europe/Berlin") == BERLIN
    for name in ("Mars/Olympus", "", "../etc/passwd", "Europe"):
        with pytest.raises(ProxboxError, match="not known on this host"):
            times.parse_timezone(name)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("2026-04-01T02:00:00Z", "2026-04-01T02:00:00"),
        ("2026-04-01T02:00:00+05:30", "2026-03-31T20:30:00"),
        ("2026-04-01 02:00", "2026-04-01T00:00:00"),
        ("2026-04-01", "2026-03-31T22:00:00"),
        ("15:00", "2026-03-31T13:00:00"),
        ("14:00", "2026-04-01T12:00:00"),
        ("02:00", "2026-04-01T00:00:00"),
        (":00", "2026-03-31T13:00:00"),
        (":30", "2026-03-31T12:30:00"),
    ],
)
def test_first_occurrence(text: str, first: str) -> None:
    # In Berlin it is two o'clock in the afternoon, summer time.
    assert times.parse_at(text, BERLIN).first(utc("2026-03-31T12:00:00")) == utc(first)


@pytest.mark.parametrize(
    "text", ["2026-02-30 02:00", "25:00", "12:60", ":61", "tomorrow", "750", "2:0", "::", "", "12:00 PM"]
)
def test_time_refused(text: str) -> None:
    with pytest.raises(ProxboxError, match="schedule_at"):
        times.parse_at(text, UTC)


def test_an_occurrence_too_near_is_left_to_the_next() -> None:
    at = times.parse_at("02:00", UTC)
    assert at.first(utc("2026-04-01T01:59:49")) == utc("2026-04-01T02:00:00")
    assert at.first(utc("2026-04-01T01:59:55")) == utc("2026-04-02T02:00:00")


def test_past_anchor_counts_on() -> None:
    at = times.parse_at("2026-04-01 02:00", UTC)
    assert at.next(1440, utc("2026-04-10T10:00:00")) == utc("2026-04-11T02:00:00")
    assert at.next(60, utc("2026-04-10T10:30:00")) == utc("2026-04-10T11:00:00")
    assert at.next(7 * 1440, utc("2026-04-10T10:00:00")) == utc("2026-04-15T02:00:00")
    assert at.next(1440, utc("2026-03-01T10:00:00")) == utc("2026-04-01T02:00:00")


def test_whole_days_keep_to_the_wall_clock() -> None:
    at = times.parse_at("2026-03-27 02:30", BERLIN)
    # 2026-03-29 has no 02:30 in Berlin: the clock jumps from 02:00 to 03:00.
    nights = [at.next(1440, utc(f"2026-03-{day}T12:00:00")) for day in (27, 28, 29)]
    assert nights == [utc("2026-03-28T01:30:00"), utc("2026-03-29T01:30:00"), utc("2026-03-30T00:30:00")]
    now = utc("2026-03-27T12:00:00")
    assert all(at.holds(night, 1440, night - timedelta(hours=1)) for night in nights)
    # What NetBox makes of it by adding 1440 minutes is an hour late from then on.
    assert not at.holds(utc("2026-03-30T01:30:00"), 1440, utc("2026-03-29T12:00:00"))
    assert not at.holds(nights[1], 1440, now), "a night further than the next one due"


def test_holds() -> None:
    now = utc("2026-04-10T10:00:00")
    at = times.parse_at("2026-04-01 02:00", UTC)
    assert at.holds(utc("2026-04-11T02:00:00"), 1440, now)
    assert at.holds(utc("2026-04-09T02:00:00"), 1440, now), "overdue is still on its phase"
    assert not at.holds(utc("2026-04-10T10:01:00.5"), 1440, now), "caught up late"
    assert not at.holds(utc("2026-03-31T02:00:00"), 1440, now), "before the anchor"
    assert not at.holds(utc("2026-04-10T02:00:00"), 2 * 1440, now), "the wrong one of two days"
    daily = times.parse_at("02:00", UTC)
    assert daily.holds(utc("2026-04-11T02:00:00"), 1440, now)
    assert daily.holds(utc("2026-04-10T14:00:00"), 720, now)
    assert not daily.holds(utc("2026-04-10T15:00:00"), 720, now)
    assert not daily.holds(utc("2026-05-11T02:00:00"), 1440, now), "a month away"
    full = times.parse_at(":00", UTC)
    assert full.holds(utc("2026-04-10T11:00:00"), 60, now)
    assert not full.holds(utc("2026-04-10T10:30:00"), 60, now)


@pytest.mark.parametrize(
    ("word", "interval", "drifted", "comes_back"),
    [
        # What it should have been is still to come.
        ("02:00", 360, "2026-04-10T14:41:30", "2026-04-10T14:00:00"),
        (":00", 5, "2026-04-10T10:07:12", "2026-04-10T10:05:00"),
        ("02:00", 300, "2026-04-10T13:13:00", "2026-04-10T13:00:00"),
        ("02:00", 1440, "2026-04-11T09:30:00", "2026-04-11T02:00:00"),
        # It has passed: so many intervals later.
        ("02:00", 360, "2026-04-10T08:30:00", "2026-04-10T14:00:00"),
        ("02:00", 300, "2026-04-10T09:13:00", "2026-04-10T14:00:00"),
        (":00", 90, "2026-04-10T09:12:00", "2026-04-10T10:30:00"),
        ("02:00", 1440, "2026-04-10T09:30:00", "2026-04-11T02:00:00"),
        # The day of the week stays, however late it is.
        ("23:30", 10080, "2026-04-12T19:00:00", "2026-04-11T23:30:00"),
        ("00:30", 10080, "2026-04-12T20:00:00", "2026-04-12T00:30:00"),
        # One that is too far away comes back.
        ("02:00", 10080, "2026-05-03T02:00:00", "2026-04-12T02:00:00"),
        ("02:00", 360, "2026-05-03T02:00:00", "2026-04-10T14:00:00"),
    ],
)
def test_what_has_drifted_comes_back_at_once(word: str, interval: int, drifted: str, comes_back: str) -> None:
    now = utc("2026-04-10T10:00:00")
    at = times.parse_at(word, UTC)
    assert at.next(interval, now, utc(drifted)) == utc(comes_back)
    assert at.holds(utc(comes_back), interval, now)


def test_a_weekly_time_keeps_its_day_when_daylight_saving_ends() -> None:
    # Sunday at half past midnight in Berlin; NetBox's 168 hours make it Saturday at half past eleven.
    at = times.parse_at("00:30", BERLIN)
    sunday = utc("2026-10-24T22:30:00") + timedelta(days=7)
    assert at.next(10080, utc("2026-10-26T10:00:00"), sunday) == utc("2026-10-31T23:30:00")
    # The hour more in between is none too many.
    early = times.parse_at("04:00", BERLIN)
    now = utc("2026-10-18T02:30:00")
    due = early.next(10080, now, utc("2026-10-18T02:00:00"))
    assert due == utc("2026-10-25T03:00:00") and early.holds(due, 10080, now)


def test_every_minute_has_no_phase() -> None:
    now = utc("2026-04-10T10:00:12")
    assert times.parse_at(":00", UTC).holds(utc("2026-04-10T10:01:12"), 1, now)
    anchored = times.parse_at("2026-04-01 02:00", UTC)
    assert anchored.holds(utc("2026-04-10T10:01:12"), 1, now)
    assert not anchored.holds(utc("2026-04-10T12:00:00"), 1, now)


@pytest.mark.parametrize("interval", [16 * 60, 90])
def test_an_interval_that_divides_no_day_has_the_phases_it_can_have(interval: int) -> None:
    word = "02:00" if interval > 100 else ":00"
    at, due = times.parse_at(word, UTC), utc("2026-04-10T02:00:00")
    for _run in range(4):
        due += timedelta(minutes=interval)
        assert at.holds(due, interval, due - timedelta(minutes=30))


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
WORDS = st.one_of(
    st.times().map(lambda wall: wall.strftime("%H:%M")),
    st.integers(0, 59).map(lambda minute: f":{minute:02}"),
    MOMENTS.map(lambda moment: moment.strftime("%Y-%m-%d %H:%M")),
)
ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("America/New_York"), LORD_HOWE, ZoneInfo("Asia/Kolkata")])
INTERVALS = st.one_of(st.integers(1, 50_000), st.integers(1, 60).map(lambda days: days * 1440))


@example(word=":00", zone=LORD_HOWE, interval=4, now=utc("2024-04-07T00:00:00")).via("half an hour was repeated")
@example(word=":10", zone=LORD_HOWE, interval=60, now=utc("2024-10-05T15:20:00")).via("half an hour is skipped")
@given(word=WORDS, zone=ZONES, interval=INTERVALS, now=MOMENTS)
def test_the_next_occurrence_holds(word: str, zone: ZoneInfo, interval: int, now: datetime) -> None:
    at = times.parse_at(word, zone)
    due = at.next(interval, now)
    assert due > now
    assert at.holds(due, interval, now)
    assert at.next(interval, now) == due


@given(
    word=WORDS,
    zone=ZONES,
    interval=st.one_of(st.sampled_from([1, 5, 15, 60, 90, 300, 720, 1440, 2880, 10080]), INTERVALS),
    now=MOMENTS,
    late=st.integers(-2000, 2000),
)
def test_what_has_drifted_comes_back_once(word: str, zone: ZoneInfo, interval: int, now: datetime, late: int) -> None:
    at = times.parse_at(word, zone)
    drifted = at.next(interval, now) + timedelta(minutes=late, seconds=late % 60)
    due = at.next(interval, now, drifted)
    assert now < due <= max(at.first(now), now + timedelta(minutes=interval) + times.SHIFT + times.LEAD)
    assert at.holds(due, interval, now + timedelta(seconds=2)) or due <= now + timedelta(seconds=2)


@given(word=WORDS, interval=st.sampled_from([15, 60, 720, 1440, 10080]), now=MOMENTS, runs=st.integers(1, 5))
def test_the_chain_that_netbox_makes_holds_while_it_is_on_time(
    word: str, interval: int, now: datetime, runs: int
) -> None:
    # In UTC, for a chain does not follow the wall clock where daylight saving begins or ends.
    at = times.parse_at(word, UTC)
    due = at.next(interval, now)
    for _run in range(runs):
        successor = due + timedelta(minutes=interval)
        assert at.holds(successor, interval, due + timedelta(seconds=5))
        due = successor
