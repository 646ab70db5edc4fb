# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intervals, times and their occurrences."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils import _times as times
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
TROLL = ZoneInfo("Antarctica/Troll")
NEW_YORK = ZoneInfo("America/New_York")
DAY = 1440
WEEK = 7 * DAY


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
        ("1 day", 1440),
        ("2 days", 2880),
        ("12 hours", 720),
        ("90 Minutes", 90),
        ("1minute", 1),
        ("1 week", 10080),
        ("1h30m", 90),
        ("90 min", 90),
        ("5mins", 5),
        ("1d 12h", 2160),
        ("1 day 1 hour", 1500),
        ("hourly", 60),
        ("daily", 1440),
        ("Weekly", 10080),
        ("2147483647", 2147483647),
    ],
)
def test_an_interval_is_read(text: str, minutes: int) -> None:
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
        ("1h30", "not an interval"),
        ("1d,12h", "not an interval"),
        ("1 day -1 hour", "not an interval"),
        ("1 dayss", "not an interval"),
        ("-1h30m", "less than a minute"),
        ("0d 0h", "less than a minute"),
        ("nan", "not an interval"),
        ("inf", "not an interval"),
        ("1e3", "not an interval"),
        ("1_000", "not an interval"),
        ("\u0661\u0662h", "not an interval"),
        ("12\nh", "not an interval"),
        ("['daily']", "not an interval"),
        ("2147483648", "more than"),
        ("9" * 4000 + "w", "more than"),
        ("9" * 5000, "not an interval"),
        ("-" + "9" * 4000, "less than a minute"),
    ],
)
def test_an_invalid_interval_is_refused(text: str, says: str) -> None:
    with pytest.raises(ProxboxError, match=says) as refused:
        times.parse_interval(text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "often",
            "is not an interval: give minutes (1440), numbers with units (12h, 2 days, 1h30m), or hourly, daily or "
            "weekly.",
        ),
        ("0", "is less than a minute: leave interval out for a sync that runs once."),
        ("2147483648", "is more than NetBox can store (2147483647 minutes)."),
    ],
)
def test_the_message_about_an_invalid_interval(text: str, says: str) -> None:
    with pytest.raises(ProxboxError) as refused:
        times.parse_interval(text)
    assert str(refused.value) == f"interval '{text}' {says}"


def test_the_message_names_the_option() -> None:
    with pytest.raises(ProxboxError, match=r"^stale_after '0' is less than a minute: give more\.$"):
        times.parse_interval("0", "stale_after")


def test_a_long_value_is_cut_in_a_message() -> None:
    for text, quoted in (("x" * 78, f"'{'x' * 78}'"), ("x" * 79, f"'{'x' * 76}...")):
        with pytest.raises(ProxboxError, match=f"^interval {quoted} is not an interval: "):
            times.parse_interval(text)


def test_a_time_zone_is_read() -> None:
    assert times.parse_timezone("UTC") is UTC
    assert times.parse_timezone("Europe/Berlin") == BERLIN
    for name in ("Mars/Olympus", "", "../etc/passwd", "Europe", "Europe/Berlin\n", "\0", "\ud800", "x" * 5000):
        with pytest.raises(ProxboxError, match="not known on this host"):
            times.parse_timezone(name)
    with pytest.raises(ProxboxError) as refused:
        times.parse_timezone("Mars/Olympus")
    assert str(refused.value) == (
        "timezone 'Mars/Olympus' is not known on this host: give an IANA name such as Europe/Berlin (and install "
        "tzdata where it is missing)."
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("2026-04-01T02:00:00Z", "2026-04-01T02:00:00"),
        ("2026-04-01T02:00:00+05:30", "2026-03-31T20:30:00"),
        ("2026-04-01 02:00", "2026-04-01T00:00:00"),
        ("2026-04-01t02:00:00", "2026-04-01T00:00:00"),
        ("2026-04-01", "2026-03-31T22:00:00"),
        ("20260401", "2026-03-31T22:00:00"),
        ("2026-04-01 02:00:30", "2026-04-01T00:00:30"),
        ("15:00", "2026-03-31T13:00:00"),
        ("15:00:30", "2026-03-31T13:00:30"),
        ("15:59:59", "2026-03-31T13:59:59"),
        ("14:00", "2026-04-01T12:00:00"),
        ("02:00", "2026-04-01T00:00:00"),
        (":00", "2026-03-31T13:00:00"),
        (":30", "2026-03-31T12:30:00"),
        # The current day is a Tuesday.
        ("tuesday 15:00", "2026-03-31T13:00:00"),
        ("Tue 14:00", "2026-04-07T12:00:00"),
        ("WED 2:00", "2026-04-01T00:00:00"),
        ("Monday  02:00:30", "2026-04-06T00:00:30"),
    ],
)
def test_the_first_occurrence_of_a_time(text: str, first: str) -> None:
    # It is two o'clock in the afternoon in Berlin, in daylight saving time.
    for now in ("2026-03-31T12:00:00", "2026-03-31T12:00:00.5"):
        assert times.parse_at(text, BERLIN).first(utc(now)) == utc(first)


HOSTILE = [
    "2026-04-01\n02:00",
    "\u0660\u0662:00",
    "nan",
    "1e3",
    "-5",
    "9" * 5000,
    "['02:00']",
    "\ud800",
    "2026-04-01T02:00+99:00",
]
TOO_FAR = ["0001-01-01T00:00+23:00", "9999-12-31T23:59-23:00"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30 02:00",
        "24:00",
        "12:60",
        "12:00:60",
        ":61",
        ":00:30",
        "tomorrow",
        "750",
        "2:0",
        "::",
        "",
        "12:00 PM",
        "sunday",
        "sunday 24:00",
        "sunday :00",
        "sunday 02:00Z",
        "sundays 02:00",
        "su 02:00",
        "sun sun 02:00",
        "sunday 2026-04-05 02:00",
        "02:00 sunday",
        *HOSTILE,
        *TOO_FAR,
    ],
)
def test_an_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(ProxboxError, match="schedule_at") as refused:
        times.parse_at(text, UTC)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("25:00", "is not a time of day: hours go to 23, minutes and seconds to 59."),
        (
            "750",
            'is a number, not a time; YAML reads an unquoted 12:30 as a number: quote it, schedule_at: "12:30".',
        ),
        (
            "tomorrow",
            "is not a time (it has characters that no date or time has): give ISO 8601 "
            "(2026-04-01T02:00:00Z), 2026-04-01 02:00, a time of day (02:00), a day of the week with a time (sunday "
            "02:00) or a minute of the hour (:00).",
        ),
        *(
            (
                text,
                "names several days of the week, and NetBox can only repeat a sync after a number of minutes: declare "
                "a weekly schedule for each of these days, such as 'nightly mon' with schedule_at: \"mon 02:00\" and "
                "interval: weekly. The examples of proxbox_sync_schedule do this for five days.",
            )
            for text in ("mon-fri 02:00", "Mon - Fri 02:00", "sat,sunday 02:00", "weekdays 02:00", "workday 02:00")
        ),
        (TOO_FAR[1], "is too far away: give a year between 1970 and 9000."),
    ],
)
def test_the_message_about_an_invalid_time(text: str, says: str) -> None:
    with pytest.raises(ProxboxError) as refused:
        times.parse_at(text, UTC)
    assert str(refused.value) == f"schedule_at '{text}' {says}"


@pytest.mark.parametrize("text", ["", "yesterday", *HOSTILE, *TOO_FAR])
def test_an_invalid_instant_is_refused(text: str) -> None:
    with pytest.raises(ProxboxError, match="created_after") as refused:
        times.parse_instant("created_after", text)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_the_message_about_an_invalid_instant() -> None:
    for text, cause in (
        ("2026-04-01\n02:00", "it has characters that no date or time has"),
        ("2026-04-01z", "Invalid isoformat string: '2026-04-01z'"),
    ):
        with pytest.raises(ProxboxError) as refused:
            times.parse_instant("created_after", text)
        assert str(refused.value) == (
            f"created_after {text!r} is not an ISO 8601 time ({cause}), such as 2026-04-01T02:00:00Z, or a date."
        )


def test_an_instant_is_read() -> None:
    assert times.parse_instant("created_after", "2026-04-01 02:00") == utc("2026-04-01T02:00:00")
    assert times.parse_instant("created_after", "2026-04-01T02:00:00+02:00") == utc("2026-04-01T00:00:00")
    assert times.parse_instant("created_after", "0001-01-01") == utc("0001-01-01T00:00:00")


@given(text=st.text(max_size=30))
def test_no_text_causes_another_exception(text: str) -> None:
    for read in (times.parse_interval, times.parse_timezone):
        with suppress(ProxboxError):
            read(text)
    with suppress(ProxboxError):
        times.parse_at(text, BERLIN)
    with suppress(ProxboxError):
        times.parse_instant("created_after", text)


@pytest.mark.parametrize("word", ["02:00", ":00", "sunday 02:00", "1970-01-01 02:00", "9000-12-31 23:59"])
@pytest.mark.parametrize("interval", [1, 1440 * 1_491_308, times.INTERVAL_MAXIMUM])
@pytest.mark.parametrize("year", [1, 2026, 9999])
def test_times_at_the_limits_of_the_calendar_are_accepted(word: str, interval: int, year: int) -> None:
    at, now = times.parse_at(word, BERLIN), utc("2026-04-10T10:00:00")
    row = datetime(year, 12, 31, 23, 30, tzinfo=UTC) if year > 1 else datetime(1, 1, 1, tzinfo=UTC)
    assert isinstance(at.on_phase(row, interval), bool) and isinstance(at.holds(row, interval, now), bool)
    due = at.next(interval, now, row)
    assert due > now and at.holds(due, interval, now)


def test_an_occurrence_that_is_too_near_is_skipped() -> None:
    at = times.parse_at("02:00", UTC)
    assert at.first(utc("2026-04-01T01:59:49")) == utc("2026-04-01T02:00:00")
    assert at.first(utc("2026-04-01T01:59:50")) == utc("2026-04-02T02:00:00")
    for word in ("02:00", "2026-04-01 02:00"):
        daily, due = times.parse_at(word, UTC), utc("2026-04-01T02:00:00")
        for drifted in (None, due):
            assert daily.next(1440, utc("2026-04-01T01:59:49"), drifted) == due
            assert daily.next(1440, utc("2026-04-01T01:59:50"), drifted) == utc("2026-04-02T02:00:00")
    full = times.parse_at(":00", UTC)
    assert full.first(utc("2026-04-01T01:59:49")) == utc("2026-04-01T02:00:00")
    assert full.first(utc("2026-04-01T01:59:50")) == utc("2026-04-01T03:00:00")
    assert full.next(5, utc("2026-04-01T01:59:49"), utc("2026-04-01T02:02:12")) == utc("2026-04-01T02:00:00")
    assert full.next(5, utc("2026-04-01T01:59:50"), utc("2026-04-01T02:02:12")) == utc("2026-04-01T02:05:00")


def test_runs_are_counted_from_the_date() -> None:
    at = times.parse_at("2026-04-01 02:00", UTC)
    assert at.next(1440, utc("2026-04-10T10:00:00")) == utc("2026-04-11T02:00:00")
    assert at.next(60, utc("2026-04-10T10:30:00")) == utc("2026-04-10T11:00:00")
    assert at.next(7 * 1440, utc("2026-04-10T10:00:00")) == utc("2026-04-15T02:00:00")
    assert at.next(1440, utc("2026-03-01T10:00:00")) == utc("2026-04-01T02:00:00")


def test_whole_days_follow_the_wall_clock() -> None:
    at = times.parse_at("2026-03-27 02:30", BERLIN)
    # 2026-03-29 has no 02:30 in Berlin: the clock jumps from 02:00 to 03:00.
    nights = [at.next(1440, utc(f"2026-03-{day}T12:00:00")) for day in (27, 28, 29)]
    assert nights == [utc("2026-03-28T01:30:00"), utc("2026-03-29T01:30:00"), utc("2026-03-30T00:30:00")]
    now = utc("2026-03-27T12:00:00")
    assert all(at.holds(night, 1440, night - timedelta(hours=1)) for night in nights)
    # NetBox adds 1440 minutes, and its runs are an hour late from then on.
    assert not at.holds(utc("2026-03-30T01:30:00"), 1440, utc("2026-03-29T12:00:00"))
    assert not at.holds(nights[1], 1440, now), "it is the night after the next run"


def test_which_times_of_the_next_run_hold() -> None:
    now = utc("2026-04-10T10:00:00")
    at = times.parse_at("2026-04-01 02:00", UTC)
    assert at.holds(utc("2026-04-11T02:00:00"), 1440, now)
    assert at.holds(utc("2026-04-09T02:00:00"), 1440, now), "an overdue run is still on its phase"
    berlin = times.parse_at("2026-04-01 14:00", BERLIN)
    assert berlin.holds(utc("2026-04-10T12:00:00"), 720, utc("2026-04-10T11:30:00"))
    assert not berlin.holds(utc("2026-04-11T00:00:00"), 720, utc("2026-04-10T11:30:00")), "the run after the next one"
    assert not at.holds(utc("2026-04-10T10:01:00.5"), 1440, now), "the run was late"
    assert not at.holds(utc("2026-03-31T02:00:00"), 1440, now), "it is before the date"
    assert not at.holds(utc("2026-04-10T02:00:00"), 2 * 1440, now), "it is the wrong one of the two days"
    daily = times.parse_at("02:00", UTC)
    assert daily.holds(utc("2026-04-11T02:00:00"), 1440, now)
    assert daily.holds(utc("2026-04-10T14:00:00"), 720, now)
    assert not daily.holds(utc("2026-04-10T15:00:00"), 720, now)
    for interval, too_far in (
        (1440, "2026-05-11T02:00:00"),
        (1440, "2026-04-12T02:00:00"),
        (360, "2026-04-11T08:00:00"),
        (7 * 1440, "2026-04-19T02:00:00"),
    ):
        assert not daily.holds(utc(too_far), interval, now)
    assert daily.holds(utc("2026-04-18T02:00:00"), 7 * 1440, now)
    in_berlin = times.parse_at("02:00", BERLIN)
    assert not in_berlin.holds(utc("2026-04-11T12:00:00"), 720, utc("2026-04-10T22:00:00"))
    assert not at.holds(utc("2026-04-15T02:00:00"), 7 * 1440, utc("2026-04-07T14:00:00"))
    to_the_second = times.parse_at("02:00:30", UTC)
    assert to_the_second.holds(utc("2026-04-11T02:00:30"), 1440, now)
    assert not to_the_second.holds(utc("2026-04-11T02:00:00"), 1440, now)
    full = times.parse_at(":00", UTC)
    assert full.holds(utc("2026-04-10T11:00:00"), 60, now)
    assert not full.holds(utc("2026-04-10T10:30:00"), 60, now)


@pytest.mark.parametrize(
    ("word", "interval", "drifted", "comes_back"),
    [
        # The right time is in the future.
        ("02:00", 360, "2026-04-10T14:41:30", "2026-04-10T14:00:00"),
        ("02:00", 360, "2026-04-10T14:41:30.25", "2026-04-10T14:00:00"),
        (":00", 5, "2026-04-10T10:07:12", "2026-04-10T10:05:00"),
        ("02:00", 300, "2026-04-10T13:13:00", "2026-04-10T13:00:00"),
        ("02:00", 1440, "2026-04-11T09:30:00", "2026-04-11T02:00:00"),
        # The right time has passed, so the run comes a number of intervals later.
        ("02:00", 360, "2026-04-10T08:30:00", "2026-04-10T14:00:00"),
        ("02:00", 300, "2026-04-10T09:13:00", "2026-04-10T14:00:00"),
        (":00", 90, "2026-04-10T09:12:00", "2026-04-10T10:30:00"),
        ("02:00", 1440, "2026-04-10T09:30:00", "2026-04-11T02:00:00"),
        # The day of the week is kept, however late the run is.
        ("23:30", 10080, "2026-04-12T19:00:00.5", "2026-04-11T23:30:00"),
        ("00:30", 10080, "2026-04-12T20:00:00", "2026-04-12T00:30:00"),
        # A run that is too far away is moved back.
        ("02:00", 10080, "2026-05-03T02:00:00", "2026-04-12T02:00:00"),
        ("02:00", 360, "2026-05-03T02:00:00", "2026-04-10T14:00:00"),
        ("02:00", 300, "2026-05-03T02:00:00", "2026-04-10T14:00:00"),
    ],
)
def test_a_drifted_run_is_moved_back_at_once(word: str, interval: int, drifted: str, comes_back: str) -> None:
    now = utc("2026-04-10T10:00:00")
    at = times.parse_at(word, UTC)
    assert at.next(interval, now, utc(drifted)) == utc(comes_back)
    assert at.holds(utc(comes_back), interval, now)


def test_a_weekly_time_keeps_its_day_when_daylight_saving_time_ends() -> None:
    # The schedule runs on Sundays at 00:30 in Berlin. NetBox adds 168 hours, and gets Saturday at 23:30.
    at = times.parse_at("00:30", BERLIN)
    sunday = utc("2026-10-24T22:30:00") + timedelta(days=7)
    assert at.next(10080, utc("2026-10-26T10:00:00"), sunday) == utc("2026-10-31T23:30:00")
    # The additional hour in between is not too much.
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
def test_an_interval_that_does_not_divide_a_day_holds_at_each_run(interval: int) -> None:
    word = "02:00" if interval > 100 else ":00"
    at, due = times.parse_at(word, UTC), utc("2026-04-10T02:00:00")
    for _run in range(4):
        due += timedelta(minutes=interval)
        assert at.holds(due, interval, due - timedelta(minutes=30))


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
TIMES_OF_DAY = st.times().map(lambda wall: wall.strftime("%H:%M"))
DAYS_OF_WEEK = st.sampled_from(times.DAYS)
WORDS = st.one_of(
    TIMES_OF_DAY,
    st.builds("{} {}".format, DAYS_OF_WEEK, TIMES_OF_DAY),
    st.integers(0, 59).map(lambda minute: f":{minute:02}"),
    MOMENTS.map(lambda moment: moment.strftime("%Y-%m-%d %H:%M")),
)
ZONES = st.sampled_from([UTC, BERLIN, NEW_YORK, LORD_HOWE, TROLL, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Nuuk")])
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
def test_a_drifted_run_is_moved_back_once(word: str, zone: ZoneInfo, interval: int, now: datetime, late: int) -> None:
    at = times.parse_at(word, zone)
    drifted = at.next(interval, now) + timedelta(minutes=late, seconds=late % 60)
    due = at.next(interval, now, drifted)
    more = timedelta(days=1) if interval > DAY else timedelta(hours=2)
    if at.weekday is not None and interval > WEEK:
        more = timedelta(days=4)
    latest = now + timedelta(minutes=interval) + times.LEAD + more
    assert now < due <= max(at.first(now), latest)
    assert at.holds(due, interval, now)
    assert at.next(interval, now, due) == due
    assert at.holds(due, interval, now + timedelta(seconds=2)) or due <= now + timedelta(seconds=2)


@given(word=WORDS, interval=st.sampled_from([15, 60, 720, 1440, 10080]), now=MOMENTS, runs=st.integers(1, 5))
def test_the_successors_of_netbox_hold_while_they_are_on_time(
    word: str, interval: int, now: datetime, runs: int
) -> None:
    # The test uses UTC, because NetBox does not follow the wall clock when daylight saving time begins or ends.
    at = times.parse_at(word, UTC)
    due = at.next(interval, now)
    for _run in range(runs):
        successor = due + timedelta(minutes=interval)
        assert at.holds(successor, interval, due + timedelta(seconds=5))
        due = successor


def wall(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%a %d %b %H:%M")


@pytest.mark.parametrize(
    ("zone", "interval", "now", "row", "repaired"),
    [
        # Daylight saving time has begun. The row is late, and its right time is in the future.
        (BERLIN, WEEK, "2026-04-05 01:30", "2026-04-05 03:00", "Sun 05 Apr 02:00"),
        (BERLIN, 4 * WEEK, "2026-04-18 12:00", "2026-04-19 03:00", "Sun 19 Apr 02:00"),
        (BERLIN, 2 * DAY, "2026-03-30 12:00", "2026-03-31 03:00", "Tue 31 Mar 02:00"),
        (BERLIN, DAY, "2026-03-30 01:30", "2026-03-30 03:00", "Mon 30 Mar 02:00"),
        (NEW_YORK, WEEK, "2026-03-14 12:00", "2026-03-15 03:00", "Sun 15 Mar 02:00"),
        (LORD_HOWE, WEEK, "2026-10-10 12:00", "2026-10-11 02:30", "Sun 11 Oct 02:00"),
        (TROLL, WEEK, "2026-04-04 12:00", "2026-04-05 04:00", "Sun 05 Apr 02:00"),
        # The right time has just passed, so the late run is kept.
        (BERLIN, WEEK, "2026-04-05 02:30", "2026-04-05 03:00", "Sun 05 Apr 03:00"),
        (BERLIN, 4 * WEEK, "2026-04-19 02:30", "2026-04-19 03:00", "Sun 19 Apr 03:00"),
        (BERLIN, DAY, "2026-03-30 02:30", "2026-03-30 03:00", "Mon 30 Mar 03:00"),
        (BERLIN, 360, "2026-03-30 08:30", "2026-03-30 09:00", "Mon 30 Mar 09:00"),
        (TROLL, 4 * WEEK, "2026-04-19 02:30", "2026-04-19 04:00", "Sun 19 Apr 04:00"),
        (LORD_HOWE, WEEK, "2026-10-11 02:15", "2026-10-11 02:30", "Sun 11 Oct 02:30"),
        # Daylight saving time has ended, and the row is early.
        (BERLIN, WEEK, "2026-10-31 12:00", "2026-11-01 01:00", "Sun 01 Nov 02:00"),
        (BERLIN, 2 * DAY, "2026-10-26 12:00", "2026-10-27 01:00", "Tue 27 Oct 02:00"),
        (NEW_YORK, 4 * WEEK, "2026-11-21 12:00", "2026-11-22 01:00", "Sun 22 Nov 02:00"),
        (TROLL, WEEK, "2026-10-31 12:00", "2026-11-01 00:00", "Sun 01 Nov 02:00"),
        (LORD_HOWE, WEEK, "2026-04-11 12:00", "2026-04-12 01:30", "Sun 12 Apr 02:00"),
        # The run before it was early too, and has just ended. It is not repeated.
        (BERLIN, WEEK, "2026-11-01 01:01", "2026-11-08 01:00", "Sun 08 Nov 02:00"),
        (BERLIN, 4 * WEEK, "2026-11-15 01:01", "2026-12-13 01:00", "Sun 13 Dec 02:00"),
        (BERLIN, DAY, "2026-11-05 01:30", "2026-11-06 01:00", "Fri 06 Nov 02:00"),
        (BERLIN, 720, "2026-11-05 13:01", "2026-11-06 01:00", "Fri 06 Nov 02:00"),
        (TROLL, DAY, "2026-11-05 00:01", "2026-11-06 00:00", "Fri 06 Nov 02:00"),
    ],
)
@pytest.mark.parametrize("form", ["{time}", "{date} {time}", "{weekday} {time}"])
def test_a_run_that_daylight_saving_time_moved_is_moved_back(
    zone: ZoneInfo, interval: int, now: str, row: str, repaired: str, form: str
) -> None:
    if ("date" in form and interval % DAY) or ("weekday" in form and interval % WEEK):
        return  # the interval has to be whole days with a date, and whole weeks with a day of the week
    late, then = (datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC) for text in (row, now))
    first = date.fromisoformat(row[:10]) - timedelta(days=interval // DAY * 5)
    at = times.parse_at(form.format(time="02:00", date=first, weekday=times.DAYS[first.weekday()]), zone)
    due = at.next(interval, then, late)
    assert wall(due, zone) == repaired
    assert at.holds(due, interval, then) and at.next(interval, then, due) == due
    assert at.holds(late, interval, then) == (due == late)
    assert not at.on_phase(late, interval)


def test_an_overdue_run_that_daylight_saving_time_made_late_is_kept() -> None:
    at = times.parse_at("02:00", BERLIN)
    assert at.holds(utc("2026-04-05T01:00:00"), WEEK, utc("2026-04-05T07:00:00"))
    assert not at.holds(utc("2026-04-05T03:00:00"), WEEK, utc("2026-04-05T02:00:00")), (
        "daylight saving time does not move a run by two hours"
    )
    # Its right time is so near that NetBox would refuse it.
    now, late = utc("2026-04-04T23:59:50"), utc("2026-04-05T01:00:00")
    assert at.holds(late, WEEK, now) and at.next(WEEK, now, late) == late
    before = now - timedelta(seconds=1)
    assert not at.holds(late, WEEK, before) and at.next(WEEK, before, late) == utc("2026-04-05T00:00:00")
    # The late time itself is so near that NetBox would refuse it.
    assert at.next(WEEK, late - timedelta(seconds=11), late) == late
    assert at.next(WEEK, late - timedelta(seconds=10), late) == utc("2026-04-12T00:00:00")


def test_a_zone_that_no_longer_sets_its_clock_back_is_handled_too() -> None:
    # Turkey has kept daylight saving time since 2016.
    at = times.parse_at("02:00", ZoneInfo("Europe/Istanbul"))
    assert at.holds(utc("2016-12-04T00:00:00"), WEEK, utc("2016-12-03T23:30:00"))


def test_the_time_zone_of_the_host_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        assert times.parse_at("02:00", BERLIN).holds(utc("2026-04-05T01:00:00"), WEEK, utc("2026-04-05T00:30:00"))
        assert times.parse_instant("created_after", "0001-01-01") == utc("0001-01-01T00:00:00")
        # The time there is 25 hours ahead of the time in American Samoa.
        patch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        late_in_samoa = times.parse_at("23:45", ZoneInfo("Pacific/Pago_Pago"))
        assert late_in_samoa.first(utc("2026-04-10T10:30:00")) == utc("2026-04-10T10:45:00")
    time.tzset()


def test_less_than_half_an_interval_late_is_kept() -> None:
    # An hour is less than half of 160 minutes. The right time is ten o'clock in Berlin.
    assert times.parse_at("02:00", BERLIN).holds(utc("2026-04-10T09:00:00"), 160, utc("2026-04-10T08:30:00"))


def test_half_an_interval_late_is_moved_back() -> None:
    # Lord Howe moves its clock by half an hour.
    at, now = times.parse_at(":10", LORD_HOWE), utc("2026-10-10T00:20:00")
    assert at.next(60, now, utc("2026-10-10T00:40:00")) == utc("2026-10-10T01:10:00")


@pytest.mark.parametrize(
    ("word", "now", "repaired"),
    [
        ("12:00", "2026-04-10T10:00:00", "2026-04-12T12:00:00"),
        ("20:00", "2026-04-10T10:00:00", "2026-04-12T20:00:00"),
        ("00:15", "2026-04-10T10:00:00", "2026-04-12T00:15:00"),
        # Sunday's run has just ended.
        ("12:00", "2026-04-05T02:05:00", "2026-04-12T12:00:00"),
        # The new time of this Sunday has passed.
        ("01:00", "2026-04-12T01:30:00", "2026-04-19T01:00:00"),
    ],
)
def test_a_new_time_of_day_keeps_the_day_of_the_week(word: str, now: str, repaired: str) -> None:
    # Until now, the schedule ran on Sundays at two o'clock.
    at = times.parse_at(word, UTC)
    assert at.next(WEEK, utc(now), utc("2026-04-12T02:00:00")) == utc(repaired)


@given(
    zone=ZONES,
    interval=st.sampled_from([2 * DAY, 3 * DAY, WEEK, 4 * WEEK]),
    old=TIMES_OF_DAY,
    new=TIMES_OF_DAY,
    start=MOMENTS,
    elapsed=st.floats(0, 0.99),
)
def test_a_new_time_of_day_keeps_the_planned_day(
    zone: ZoneInfo, interval: int, old: str, new: str, start: datetime, elapsed: float
) -> None:
    row = times.parse_at(old, zone).first(start)
    now = (row - timedelta(minutes=interval) * (1 - elapsed)).replace(microsecond=0)
    at = times.parse_at(new, zone)
    days = row.astimezone(zone).date()
    # Leave out times to which daylight saving time could have moved the new time.
    assume(not any(at._without_daylight_saving(row + timedelta(seconds=apart), interval) for apart in (-1, 0, 1)))
    due = at.next(interval, now, row)
    assert due == next(
        at.on(days + timedelta(days=later))
        for later in (0, interval // DAY)
        if at.on(days + timedelta(days=later)) > now + times.LEAD
    )
    assert at.holds(due, interval, now) and at.next(interval, now, due) == due


@pytest.mark.parametrize(
    ("word", "interval", "now", "row", "repaired"),
    [
        # Another day of the week: the next such day.
        ("sunday 02:00", WEEK, "2026-04-10 10:00", "2026-04-15 02:00", "Sun 12 Apr 02:00"),
        ("sunday 02:00", WEEK, "2026-04-13 10:00", "2026-04-15 02:00", "Sun 19 Apr 02:00"),
        ("tuesday 02:00", WEEK, "2026-04-13 10:00", "2026-04-19 02:00", "Tue 14 Apr 02:00"),
        # Every two weeks: the matching day that is nearest to the planned run.
        ("sunday 02:00", 2 * WEEK, "2026-04-10 10:00", "2026-04-22 02:00", "Sun 19 Apr 02:00"),
        ("sunday 02:00", 2 * WEEK, "2026-04-10 10:00", "2026-04-23 02:00", "Sun 26 Apr 02:00"),
        ("sunday 02:00", 2 * WEEK, "2026-04-13 10:00", "2026-04-15 02:00", "Sun 26 Apr 02:00"),
        # The same day at another time.
        ("sunday 12:00", 2 * WEEK, "2026-04-10 10:00", "2026-04-19 02:00", "Sun 19 Apr 12:00"),
        ("sunday 02:00", WEEK, "2026-04-19 01:00", "2026-04-19 12:00", "Sun 19 Apr 02:00"),
        # The worker was down for a day. NetBox counts from its late run, with fractions of a second.
        ("sunday 02:00", WEEK, "2026-04-14 10:00", "2026-04-20 10:01:00.5", "Sun 19 Apr 02:00"),
        ("sunday 02:00", 2 * WEEK, "2026-04-14 10:00", "2026-04-24 10:01:00.5", "Sun 19 Apr 02:00"),
        ("sunday 02:00", 2 * WEEK, "2026-04-20 09:00", "2026-04-20 10:01:00.5", "Sun 03 May 02:00"),
        # Too far away.
        ("sunday 02:00", WEEK, "2026-04-10 10:00", "2026-05-03 02:00", "Sun 12 Apr 02:00"),
    ],
)
def test_a_run_is_moved_back_to_its_day_of_the_week(
    word: str, interval: int, now: str, row: str, repaired: str
) -> None:
    then, planned = (datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC) for text in (now, row))
    at = times.parse_at(word, BERLIN)
    assert not at.holds(planned, interval, then)
    due = at.next(interval, then, planned)
    assert wall(due, BERLIN) == repaired
    assert at.holds(due, interval, then) and at.next(interval, then, due) == due


@given(
    zone=ZONES,
    weeks=st.integers(1, 8),
    day=DAYS_OF_WEEK,
    time_of_day=TIMES_OF_DAY,
    start=MOMENTS,
    runs=st.integers(0, 60),
    elapsed=st.floats(0, 0.999),
)
def test_a_day_of_the_week_has_the_same_runs_as_a_date_on_that_day(
    zone: ZoneInfo, weeks: int, day: str, time_of_day: str, start: datetime, runs: int, elapsed: float
) -> None:
    at, interval = times.parse_at(f"{day} {time_of_day}", zone), weeks * WEEK
    first = at.first(start)
    assert start < first <= start + timedelta(days=7, hours=2) + times.LEAD
    # A time that daylight saving time skips may come on the next day.
    dates = (first.astimezone(zone).date() - timedelta(days=back) for back in (0, 1))
    date_of_first = next(date for date in dates if date.strftime("%A").lower() == day)
    dated = times.parse_at(f"{date_of_first} {time_of_day}", zone)
    assert dated.on(date_of_first) == first and at.next(interval, start) == dated.next(interval, start) == first
    # NetBox counts in UTC for some runs. Then the task looks at any time between two runs.
    step = timedelta(minutes=interval)
    row = first + step * runs
    now = (row - step + timedelta(seconds=1) + (step - times.LEAD) * elapsed).replace(microsecond=0)
    assert at.holds(row, interval, now) == dated.holds(row, interval, now)
    due = at.next(interval, now, row)
    assert due == dated.next(interval, now, row)
    assert at.holds(due, interval, now) and at.next(interval, now, due) == due


@given(
    zone=ZONES,
    interval=st.sampled_from([360, 720, 960, DAY, 2 * DAY, WEEK, 4 * WEEK]),
    word=TIMES_OF_DAY,
    dated=st.booleans(),
    start=MOMENTS,
    runs=st.integers(1, 40),
    elapsed=st.floats(0, 0.999),
)
def test_a_repair_moves_a_run_by_at_most_two_hours(
    zone: ZoneInfo, interval: int, word: str, dated: bool, start: datetime, runs: int, elapsed: float
) -> None:
    step, anchor = timedelta(minutes=interval), times.parse_at(word, zone).first(start)
    at = times.parse_at(f"{anchor.astimezone(zone):%Y-%m-%d} {word}" if dated else word, zone)
    # NetBox counts in UTC for some runs. Then the task looks at any time between two runs.
    row = at.first(start) + step * runs
    now = (row - step + timedelta(seconds=1) + (step - times.LEAD) * elapsed).replace(microsecond=0)
    due = at.next(interval, now, row)
    assert abs(due - row) <= timedelta(hours=2)
    assert at.holds(due, interval, now) and at.next(interval, now, due) == due
    assert at.on_phase(due, interval) or due == row
    assert at.holds(row, interval, now) == (due == row)


def test_a_time_that_daylight_saving_time_skips_comes_one_hour_later() -> None:
    for at in (times.parse_at("02:30", BERLIN), times.parse_at("2026-03-01 02:30", BERLIN)):
        skipped = at.on(date(2026, 3, 29))
        assert wall(skipped, BERLIN) == "Sun 29 Mar 03:30"
        assert at.next(DAY, utc("2026-03-28T12:00:00")) == skipped
        assert at.on_phase(skipped, DAY)
        assert not at.on_phase(skipped - timedelta(hours=1), DAY)
        assert not at.on_phase(skipped + timedelta(days=1), DAY)
    # Nuuk skips the hour before midnight.
    nuuk = ZoneInfo("America/Nuuk")
    for weekly in (times.parse_at("23:30", nuuk), times.parse_at("saturday 23:30", nuuk)):
        skipped, now = weekly.on(date(2026, 3, 28)), utc("2026-03-24T12:00:00")
        assert wall(skipped, nuuk) == "Sun 29 Mar 00:30"
        assert weekly.on_phase(skipped, WEEK) and weekly.next(WEEK, now, skipped) == skipped
        after = weekly.next(WEEK, utc("2026-03-30T12:00:00"), skipped + timedelta(days=7))
        assert wall(after, nuuk) == "Sat 04 Apr 23:30"


def test_of_a_time_that_comes_twice_the_first_is_used() -> None:
    for at in (times.parse_at("02:30", BERLIN), times.parse_at("2026-10-01 02:30", BERLIN)):
        first = at.on(date(2026, 10, 25))
        assert first == utc("2026-10-25T00:30:00")
        assert at.next(DAY, utc("2026-10-24T12:00:00")) == first
        assert at.next(DAY, first) == utc("2026-10-26T01:30:00"), "a daily schedule runs once"
        assert at.on_phase(first, DAY) and at.on_phase(first + timedelta(hours=1), DAY)
    hourly = times.parse_at(":30", BERLIN)
    assert hourly.next(60, utc("2026-10-25T00:45:00")) == utc("2026-10-25T01:30:00"), "an hourly schedule runs twice"


@pytest.mark.parametrize(
    ("word", "interval", "on", "beside"),
    [
        (
            "02:00",
            DAY,
            ["2020-07-01T02:00:00", "2026-04-10T02:00:01", "2026-04-10T01:59:59"],
            ["2026-04-10T02:00:02", "2026-04-10T03:00:00"],
        ),
        ("02:00", WEEK, ["2026-04-10T02:00:00", "2026-04-11T02:00:00"], ["2026-04-11T02:01:00"]),
        *(
            ("sunday 02:00", weeks * WEEK, ["2026-04-05T02:00:00", "2026-04-12T02:00:01"], ["2026-04-11T02:00:00"])
            for weeks in (1, 2)
        ),
        ("02:00", 300, ["2026-04-10T03:00:00"], ["2026-04-10T03:30:00"]),
        (":00", 90, ["2026-04-10T03:30:00"], ["2026-04-10T03:15:00"]),
        (":00", 1, ["2026-04-10T03:30:12"], []),
        ("2026-04-01 02:00", DAY, ["2026-04-01T02:00:00", "2099-04-01T02:00:00"], ["2026-03-31T02:00:00"]),
        ("2026-04-01 02:00", WEEK, ["2026-04-08T02:00:00"], ["2026-04-09T02:00:00", "2026-03-25T02:00:00"]),
        ("2026-04-01 02:00", 90, ["2026-04-01T03:30:00"], ["2026-04-01T03:00:00", "2026-04-01T00:30:00"]),
        (
            "2026-04-01 02:00",
            90,
            ["2026-04-01T01:59:59", "2026-04-01T03:29:59", "2026-04-01T03:30:01"],
            ["2026-04-01T01:59:58", "2026-04-01T03:29:58", "2026-04-01T03:30:02"],
        ),
        ("2026-04-01 02:00", 1, ["2026-04-01T03:30:12"], ["2026-04-01T01:30:12"]),
    ],
)
def test_which_times_are_on_phase(word: str, interval: int, on: list[str], beside: list[str]) -> None:
    at = times.parse_at(word, UTC)
    assert [moment for moment in on + beside if at.on_phase(utc(moment), interval)] == on


@given(word=WORDS, zone=ZONES, interval=INTERVALS, now=MOMENTS, runs=st.integers(0, 20))
def test_each_next_run_is_on_the_phase(word: str, zone: ZoneInfo, interval: int, now: datetime, runs: int) -> None:
    at, due = times.parse_at(word, zone), now
    for _run in range(runs):
        due = at.next(interval, due)
        assert at.on_phase(due, interval)
