# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: intervals and times as users write them, and the times of the runs that follow from them.

Pure: "now" is always an argument.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from math import gcd
from typing import NamedTuple

from ._errors import ProxboxError

INTERVAL_MAXIMUM = 2_147_483_647
"""The largest interval NetBox can store, in minutes (``Job.interval`` is a 32-bit integer)."""

HOUR, DAY, WEEK = 60, 1440, 10080
"""Minutes."""

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The days of the week as ``date.weekday`` counts them. The first three letters name a day too."""

LEAD = timedelta(seconds=10)
"""No run is created for a time that is nearer than this: NetBox refuses a time that passes before the request arrives.
"""

YEARS = range(1970, 9001)
"""The years of a time that can be scheduled. The time zones of Python end at the year 9999."""

_TOLERANCE = timedelta(seconds=1)
_INTERVAL_WORDS = {"hourly": HOUR, "daily": DAY, "weekly": WEEK}
_INTERVAL_UNITS = {"minute": 1, "min": 1, "hour": HOUR, "day": DAY, "week": WEEK}


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_interval(text: str, option: str = "interval") -> int:
    """Return the minutes that ``1440``, ``12h``, ``2 days``, ``1h30m``, ``hourly``, ``daily`` or ``weekly`` mean.

    :param option: the name of the option, for errors.
    :raises ProxboxError: with a sentence, for anything else and for less than a minute.
    """
    word = str(text).strip().lower()
    minutes = _INTERVAL_WORDS.get(word) or _sum_of_units(word)
    if minutes is None:
        raise ProxboxError(
            f"{option} {_quoted(text)} is not an interval: give minutes (1440), numbers with units (12h, 2 days, "
            "1h30m), or hourly, daily or weekly."
        )
    if minutes < 1:
        hint = "leave interval out for a sync that runs once" if option == "interval" else "give more"
        raise ProxboxError(f"{option} {_quoted(text)} is less than a minute: {hint}.")
    if minutes > INTERVAL_MAXIMUM:
        raise ProxboxError(f"{option} {_quoted(text)} is more than NetBox can store ({INTERVAL_MAXIMUM} minutes).")
    return minutes


def _sum_of_units(word: str) -> int | None:
    """Return the minutes of a number, or of numbers with units; None if the text is neither."""
    # Python reads no number of more than 4300 digits.
    if re.fullmatch(r"-?[0-9]{1,4000}", word):
        return int(word)
    if not re.fullmatch(r"-?([0-9]{1,4000} *[a-z]+ *)+", word):
        return None
    minutes = 0
    for number, given in re.findall(r"([0-9]+) *([a-z]+)", word):
        unit = next((unit for unit in _INTERVAL_UNITS if given in (unit[0], unit, f"{unit}s")), None)
        if unit is None:
            return None
        minutes += int(number) * _INTERVAL_UNITS[unit]
    return -minutes if word.startswith("-") else minutes


def parse_timezone(name: str) -> tzinfo:
    """Return the IANA time zone ``name``.

    :raises ProxboxError: with a sentence, if this host does not know it.
    """
    try:
        if name.upper() == "UTC":
            return timezone.utc
        from zoneinfo import ZoneInfo  # UTC does not need it

        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ProxboxError(
            f"timezone {_quoted(name)} is not known on this host: give an IANA name such as Europe/Berlin (and install "
            "tzdata where it is missing)."
        ) from None


class At(NamedTuple):
    """When a schedule is to run, as the user wrote it.

    ``day`` is None if no date is given: any day is possible, or any day with this ``weekday`` (0 for Monday). ``hour``
    is None too for a minute of the hour. ``zone`` is the time zone of the wall clock.

    The phase of an interval is the set of all moments at which a run may be:

    - A date with an interval of N whole days: the same time on the wall clock, every N days from the date on.
    - A date with an interval of N other minutes: every N minutes from that moment on, whatever the wall clock shows.
    - No date: each time on the wall clock that is a multiple of the interval away from the time, on whatever day (or in
      whatever hour) the first run was. So ``:00`` every 90 minutes means each half hour. With a day of the week, the
      first run was on such a day: ``sunday 02:00`` every two weeks means each Sunday at 02:00.
    - An interval of one minute: any moment, because NetBox makes the next run a minute after the end of the last one.

    If daylight saving skips a time, the run is later by as much: Berlin has no 02:30 in one night of spring, so the run
    is at 03:30. If a time comes twice, a new run takes the first, and the second is on the phase too.
    """

    zone: tzinfo
    day: date | None
    hour: int | None
    minute: int
    second: int = 0
    weekday: int | None = None

    @property
    def period(self) -> int:
        """The minutes on the wall clock after which a time without a date comes again."""
        if self.weekday is not None:
            return WEEK
        return HOUR if self.hour is None else DAY

    def on(self, day: date) -> datetime:
        """Return the instant, in UTC, of this time of day on ``day``.

        A time that daylight saving skips is read on the clock from before the change (02:30 becomes 03:30). A time
        that comes twice is the first of the two.
        """
        return self._instant(datetime.combine(day, time(self.hour or 0, self.minute, self.second)))

    def first(self, now: datetime) -> datetime:
        """Return the instant of a time with a date. Without a date, return the next instant after ``now``."""
        if self.day is not None:
            return self.on(self.day)
        if self.hour is None:
            return self._next_minute(HOUR, now + LEAD)
        return self._next_day(self._earliest_day, self.period // DAY, now + LEAD)

    def next(self, interval: int, now: datetime, drifted: datetime | None = None) -> datetime:
        """Return the time of the next run, after ``now``, of a schedule that repeats every ``interval`` minutes.

        :param drifted: the time of the run that is replaced. The new time is the moment on the phase that this run was
            meant for. If the interval is several days and no date is given, the day of that run is kept. If daylight
            saving alone has made the run late, and the right time has just passed, ``drifted`` itself is returned: a
            late run is better than none.
        """
        soon, first = now + LEAD, self.first(now)
        if first > soon and (self.day or drifted is None):
            return first
        planned = drifted if drifted and drifted.year in YEARS else first
        if planned > soon and self._is_late_by_daylight_saving(planned, interval, now):
            return planned
        meant = self._meant(planned, interval)
        if meant and soon < meant <= self._latest(interval, now):
            return meant
        return self._whole_intervals_from(meant or planned, interval, soon)

    def holds(self, scheduled: datetime, interval: int, now: datetime) -> bool:
        """Return whether a run at ``scheduled`` can stay: it is on the phase, and no later than the next run may be.

        A run can stay too if daylight saving alone has made it late, and its right time has passed.
        """
        if self.on_phase(scheduled, interval):
            return scheduled <= self._latest(interval, now) + _TOLERANCE
        return self._is_late_by_daylight_saving(scheduled, interval, now)

    def on_phase(self, moment: datetime, interval: int) -> bool:
        """Return whether a run at ``moment`` is on the phase of this time, in the past or in the future.

        A difference of up to a second does not matter. If a date is given, no run before it is on the phase.

        :param interval: in minutes.
        """
        if moment.year not in YEARS or (self.day and moment < self.on(self.day) - _TOLERANCE):
            return False
        if interval == 1:
            return True
        if self.day and self._counts_minutes(interval):
            step = timedelta(minutes=interval)
            return (moment - self.on(self.day) + _TOLERANCE) % step <= 2 * _TOLERANCE
        wall = self._last_on_wall(moment, self._minutes_between(interval))
        if self.day and (wall.date() - self.day).days % (interval // DAY):
            return False
        return any(abs(self._instant(wall, fold) - moment) <= _TOLERANCE for fold in (0, 1))

    @property
    def _earliest_day(self) -> date:
        """The earliest day that a time without a date may have. The first date of Python is a Monday."""
        return date.min + timedelta(days=self.weekday or 0)

    def _counts_days(self, interval: int) -> bool:
        """Return whether each run is whole days after the last one, at the same time on the wall clock."""
        return self.hour is not None and interval % DAY == 0

    def _counts_minutes(self, interval: int) -> bool:
        """Return whether each run is ``interval`` minutes after the last one, whatever the wall clock shows."""
        return self.day is not None and interval % DAY != 0

    def _minutes_between(self, interval: int) -> int:
        """Return the minutes on the wall clock from one moment of the phase to the next one, whatever the day."""
        return gcd(interval, self.period)

    def _instant(self, wall: datetime, fold: int = 0) -> datetime:
        """Return the instant, in UTC, at which the clock shows ``wall``; with ``fold`` 1 the second of two."""
        return wall.replace(tzinfo=self.zone, fold=fold).astimezone(timezone.utc)

    def _last_on_wall(self, moment: datetime, minutes: int) -> datetime:
        """Return the last time on the wall clock up to ``moment`` that is a multiple of ``minutes`` after this time."""
        wall = moment.astimezone(self.zone).replace(tzinfo=None) + _TOLERANCE
        anchor = datetime.combine(self._earliest_day, time(self.hour or 0, self.minute, self.second))
        return wall - (wall - anchor) % timedelta(minutes=minutes)

    def _offsets(self, moment: datetime) -> list[timedelta]:
        """Return the offsets of the clock from UTC at ``moment`` and in the year before it, each of them once."""
        # Some countries interrupt daylight saving for only five weeks, so each month is looked at.
        months = (moment - timedelta(days=30 * month) for month in range(13))
        offsets = (month.astimezone(self.zone).utcoffset() or timedelta() for month in months)
        return list(dict.fromkeys(offsets))

    def _without_daylight_saving(self, scheduled: datetime, interval: int) -> datetime | None:
        """Return the moment on the phase that became ``scheduled`` because the clock was changed, if there is one.

        NetBox adds the interval in UTC, so ``scheduled`` is right with the offset from UTC of an earlier run.
        """
        if self._counts_minutes(interval) or scheduled.year not in YEARS:
            return None
        for offset in self._offsets(scheduled):
            right = self._instant((scheduled.astimezone(timezone.utc) + offset).replace(tzinfo=None))
            if self.on_phase(right, interval):
                return right
        return None

    def _is_late_by_daylight_saving(self, scheduled: datetime, interval: int, now: datetime) -> bool:
        """Return whether a run is late by daylight saving alone, by less than half an interval, and its time passed."""
        right = self._without_daylight_saving(scheduled, interval)
        return right is not None and right <= now + LEAD and right < scheduled < right + timedelta(minutes=interval) / 2

    def _meant(self, drifted: datetime, interval: int) -> datetime | None:
        """Return the moment on the phase that a run was meant for; None if the time of the run does not show it."""
        if self.on_phase(drifted, interval):
            return drifted
        right = self._without_daylight_saving(drifted, interval)
        if right or self.day or not self._counts_days(interval):
            return right
        # Only the time of a late run has fractions of a second. The run may be as late as the day after.
        if drifted.microsecond:
            return self.on(self._last_on_wall(drifted, self.period).date())
        day = drifted.astimezone(self.zone).date()
        if self.weekday is not None:
            day += timedelta(days=(self.weekday - day.weekday() + 3) % 7 - 3)  # the nearest one
        return self.on(day)

    def _latest(self, interval: int, now: datetime) -> datetime:
        """Return the latest time on the phase that the next run may have."""
        step = timedelta(minutes=interval)
        offsets = [timedelta()] if self._counts_minutes(interval) else self._offsets(now)
        # If the clock is set back, the next run may be later by as much.
        more = min(step, max(offsets) - min(offsets))
        if self.day is None and self._counts_days(interval) and interval > self.period:
            # A new time of day may be later on the same day. The nearest day of the week may be three days later.
            more = timedelta(days=1 if self.weekday is None else 4)
        return max(self.first(now), now + LEAD + step + more)

    def _whole_intervals_from(self, run: datetime, interval: int, soon: datetime) -> datetime:
        """Return the first moment of the phase after ``soon`` that is whole intervals from the date or from ``run``."""
        if self.day and self._counts_minutes(interval):
            step = timedelta(minutes=interval)
            return soon + step - (soon - self.on(self.day)) % step
        if self._counts_days(interval):
            return self._next_day(self.day or self._last_on_wall(run, self.period).date(), interval // DAY, soon)
        return self._nearest_minute(run, interval, soon)

    def _next_day(self, day: date, days: int, soon: datetime) -> datetime:
        """Return this time of day after ``soon``, on the first day that is a multiple of ``days`` from ``day``."""
        # Begin with yesterday, because a time that daylight saving skips may come on the day after.
        yesterday = soon.astimezone(self.zone).date() - timedelta(days=1)
        due = yesterday + timedelta(days=(day - yesterday).days % days)
        while self.on(due) <= soon:  # yesterday and today at most
            due += timedelta(days=days)
        return self.on(due)

    def _next_minute(self, interval: int, soon: datetime) -> datetime:
        """Return the first moment of the phase after ``soon``. Two moments of it are less than two days apart."""
        start = soon.replace(second=self.second, microsecond=0)
        minutes = (start + timedelta(minutes=ahead) for ahead in range(2 * DAY))
        return next(minute for minute in minutes if minute > soon and self.on_phase(minute, interval))

    def _nearest_minute(self, late: datetime, interval: int, soon: datetime) -> datetime:
        """Return the moment of the phase that a late run was meant for, moved by whole intervals to after ``soon``."""
        step = timedelta(minutes=interval)
        target = late + step * ((soon - late) // step + 1)
        start = target.replace(second=self.second, microsecond=0)
        minutes = (start - timedelta(minutes=back) for back in range(2 * DAY))
        last = next(minute for minute in minutes if minute <= target and self.on_phase(minute, interval))
        return last if last > soon else self._next_minute(interval, soon)


def parse_at(text: str, zone: tzinfo) -> At:
    """Read ISO 8601 with or without offset, ``2026-04-01 02:00``, ``02:00``, ``sunday 02:00`` or a minute (``:00``).

    :param zone: the time zone of text without an offset.
    :raises ProxboxError: with a sentence, for anything else and for a date or time that does not exist.
    """
    word = str(text).strip()
    weekday, clock = _split_weekday(word)
    short = re.fullmatch(r"([0-9]{1,2})?:([0-9]{2})(?::([0-9]{2}))?", clock)
    if short and not (short[1] is None and (short[3] or weekday is not None)):
        hour, minute, second = int(short[1] or 0), int(short[2]), int(short[3] or 0)
        if hour > 23 or minute > 59 or second > 59:
            raise ProxboxError(
                f"schedule_at {_quoted(text)} is not a time of day: hours go to 23, minutes and seconds to 59."
            )
        return At(zone, None, hour if short[1] else None, minute, second, weekday)
    if re.fullmatch(r"[0-9]+", word) and len(word) != len("20260401"):
        raise ProxboxError(
            f"schedule_at {_quoted(text)} is a number, not a time; YAML reads an unquoted 12:30 as a number: quote it, "
            'schedule_at: "12:30".'
        )
    if _names_several_days(word):
        raise ProxboxError(
            f"schedule_at {_quoted(text)} names several days of the week, and NetBox can only repeat a sync after a "
            "number of minutes: declare a weekly schedule for each of these days, such as 'nightly mon' with "
            'schedule_at: "mon 02:00" and interval: weekly. The examples of proxbox_sync_schedule do this for five '
            "days."
        )
    try:
        moment = _read_iso(word)
    except ValueError as exc:
        raise ProxboxError(
            f"schedule_at {_quoted(text)} is not a time ({exc}): give ISO 8601 (2026-04-01T02:00:00Z), 2026-04-01 "
            "02:00, a time of day (02:00), a day of the week with a time (sunday 02:00) or a minute of the hour (:00)."
        ) from None
    if moment.year not in YEARS:
        raise ProxboxError(
            f"schedule_at {_quoted(text)} is too far away: give a year between {YEARS[0]} and {YEARS[-1]}."
        )
    return At(moment.tzinfo or zone, moment.date(), moment.hour, moment.minute, moment.second)


def _split_weekday(word: str) -> tuple[int | None, str]:
    """Return the day of the week at the beginning of a text, and the rest; None and the whole text if it has none."""
    named, _space, clock = word.partition(" ")
    for number, day in enumerate(DAYS):
        if named.lower() in (day, day[:3]):
            return number, clock.strip()
    return None, word


def _names_several_days(word: str) -> bool:
    days = "|".join(f"{day[:3]}(?:{day[3:]})?" for day in DAYS)
    named = re.findall(rf"\b(?:{days})\b", word, re.IGNORECASE)
    return len(named) > 1 or bool(re.match(r"(?:week|working|work) ?days?\b", word, re.IGNORECASE))


def in_zone(when: datetime, zone: tzinfo, *, now: datetime | None = None) -> str:
    """Return a time as people read it: ``Wed 25 Nov 2026 02:00 Europe/Berlin (01:00 UTC)``.

    :param now: if given, the text is short, without time zone and seconds, and without the year if it is that of
        ``now``.
    """

    def clock(moment: datetime) -> str:
        return moment.strftime("%H:%M:%S" if moment.second and now is None else "%H:%M")

    local, utc = when.astimezone(zone), when.astimezone(timezone.utc)
    year = f" {local.year}" if now is None or local.year != now.astimezone(zone).year else ""
    said = f"{_day_of(local)} {local.day} {MONTHS[local.month - 1]}{year} {clock(local)}"
    if zone is timezone.utc:
        return said if now else f"{said} UTC"
    day = "" if utc.date() == local.date() else f"{_day_of(utc)} "
    return f"{said}{'' if now else f' {zone}'} ({day}{clock(utc)} UTC)"


def ago(passed: timedelta) -> str:
    """Return how long ago something was, in whole units, as messages show it."""
    minutes = round(passed.total_seconds() / 60)
    if minutes < 1:
        return "less than a minute ago"
    unit, count = ("hours", minutes // 60) if minutes >= 120 else ("minutes", minutes)
    unit, count = ("days", minutes // DAY) if minutes >= 2 * DAY else (unit, count)
    return f"{count} {unit if count > 1 else unit[:-1]} ago"


def duration(seconds: float) -> str:
    """Return how long something took, rounded, in the unit that suits it: ``48 s``, ``25 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def in_words(span: timedelta) -> str:
    """Return a span of time as users write it, not rounded: ``2 h``, ``90 min``."""
    minutes = span.total_seconds() / 60
    return f"{minutes / 60:g} h" if minutes >= 60 and minutes % 60 == 0 else f"{minutes:g} min"


def _day_of(moment: datetime) -> str:
    # Not strftime, which would use the language of the host.
    return DAYS[moment.weekday()][:3].capitalize()


def parse_instant(option: str, text: str, zone: tzinfo = timezone.utc) -> datetime:
    """Return the instant, in UTC, of an ISO 8601 time or date.

    :param zone: the time zone of a time without an offset.
    :raises ProxboxError: with a sentence that names the option, also if the time cannot be converted to UTC.
    """
    try:
        moment = _read_iso(str(text).strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        aware.astimezone(timezone.utc)
    except (ValueError, OverflowError) as exc:
        raise ProxboxError(
            f"{option} {_quoted(text)} is not an ISO 8601 time ({exc}), such as 2026-04-01T02:00:00Z, or a date."
        ) from None
    return aware.astimezone(timezone.utc)


def _read_iso(word: str) -> datetime:
    # Python accepts any character between date and time, even a line break.
    if not re.fullmatch(r"[0-9TtZzWw:.,+ -]{1,40}", word):
        raise ValueError("it has characters that no date or time has")
    return datetime.fromisoformat(word)


def _quoted(text: object) -> str:
    """Return what the user wrote, in quotes and on one line, and cut if it is long."""
    quoted = repr(text)
    return quoted if len(quoted) <= 80 else f"{quoted[:77]}..."
