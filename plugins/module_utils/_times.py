# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Intervals and times as users write them, and the occurrences they mean. Pure: "now" is always an argument."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import count
from math import gcd
from zoneinfo import ZoneInfo

from ._errors import ProxboxError

INTERVAL_MAXIMUM = 2_147_483_647
"""The largest interval NetBox can store, in minutes (``Job.interval`` is a 32-bit integer)."""

DAY = 1440
"""Minutes a day."""

LEAD = timedelta(seconds=10)
"""An occurrence nearer than this is left to the one after it: NetBox refuses a time that passes on the way."""

SHIFT = timedelta(hours=1)
"""The most that daylight saving time moves a clock."""

_INTERVAL_WORDS = {"hourly": 60, "daily": DAY, "weekly": 7 * DAY}
_INTERVAL_UNITS = {"m": 1, "h": 60, "d": DAY, "w": 7 * DAY}


def parse_interval(text: str, option: str = "interval") -> int:
    """Return the minutes that ``1440``, ``1d``, ``12h``, ``30m``, ``1w``, ``hourly``, ``daily`` or ``weekly`` mean.

    :param option: what the user calls it.
    :raises ProxboxError: with a sentence, for anything else and for less than a minute.
    """
    word = str(text).strip().lower()
    match = re.fullmatch(r"(-?\d+)\s*([mhdw]?)", word)
    if word in _INTERVAL_WORDS:
        minutes = _INTERVAL_WORDS[word]
    elif match:
        minutes = int(match[1]) * _INTERVAL_UNITS[match[2] or "m"]
    else:
        raise ProxboxError(
            f"{option} {text!r} is not an interval: give minutes (1440), a number with m, h, d or w (12h), or hourly, "
            "daily or weekly."
        )
    if minutes < 1:
        hint = "leave interval out for a sync that runs once" if option == "interval" else "give more"
        raise ProxboxError(f"{option} {text!r} is less than a minute: {hint}.")
    if minutes > INTERVAL_MAXIMUM:
        raise ProxboxError(f"{option} {text!r} is more than NetBox can store ({INTERVAL_MAXIMUM} minutes).")
    return minutes


def parse_timezone(name: str) -> tzinfo:
    """Return the IANA time zone ``name``.

    :raises ProxboxError: with a sentence, when this host does not know it.
    """
    try:
        return timezone.utc if name.upper() == "UTC" else ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ProxboxError(
            f"timezone {name!r} is not known on this host: give an IANA name such as Europe/Berlin (and install tzdata "
            "where it is missing)."
        ) from None


@dataclass(frozen=True)
class At:
    """When a schedule is to run, as the user said it.

    ``day`` is None for a time of day (any day will do); ``hour`` is None too for a minute of the hour. The wall clock
    is read in ``zone``.
    """

    zone: tzinfo
    day: date | None
    hour: int | None
    minute: int
    second: int = 0

    def on(self, day: date) -> datetime:
        """The instant, in UTC, of this time of day on ``day``."""
        return datetime.combine(day, time(self.hour, self.minute, self.second), tzinfo=self.zone).astimezone(
            timezone.utc
        )

    def first(self, now: datetime) -> datetime:
        """The instant of a dated time; of a time of day or a minute of the hour, the next one after ``now``."""
        if self.day is not None:
            return self.on(self.day)
        if self.hour is None:
            # By the wall clock's own minute: not every zone's daylight saving moves by a whole hour.
            instant = now.replace(second=0, microsecond=0)
            while instant <= now + LEAD or instant.astimezone(self.zone).minute != self.minute:
                instant += timedelta(minutes=1)
            return instant
        today = now.astimezone(self.zone).date()
        return next(due for due in (self.on(today + timedelta(days=ahead)) for ahead in range(3)) if due > now + LEAD)

    def next(self, interval: int, now: datetime, drifted: datetime | None = None) -> datetime:
        """The first occurrence after ``now`` of a schedule that repeats every ``interval`` minutes from this time.

        :param drifted: when the member that is made anew was to run. A time without a date keeps to its day, or to its
            part of the day, for the time itself does not tell it.
        """
        if self.day is None and drifted:
            if self.hour is None or interval % DAY:
                return self._next_on_open_phase(drifted, interval, now)
            return self._with_day_of(drifted, interval // DAY, now).next(interval, now)
        first = self.first(now)
        if first > now + LEAD:
            return first
        if interval % DAY:
            step = timedelta(minutes=interval)
            return first + step * ((now + LEAD - first) // step + 1)
        days = interval // DAY
        passed = (now.astimezone(self.zone).date() - self.day).days // days
        for k in range(max(0, passed - 1), passed + 3):
            instant = self.on(self.day + timedelta(days=k * days))
            if instant > now + LEAD:
                return instant
        raise AssertionError("an occurrence comes at least every interval")

    def _with_day_of(self, drifted: datetime, days: int, now: datetime) -> At:
        """This time of day with the day on which ``drifted`` should have been, or one so many ``days`` before it."""
        day = drifted.astimezone(self.zone).date()
        # NetBox makes a run late, by hours even; where daylight saving has ended meanwhile, an hour early too.
        if self.on(day) > drifted + SHIFT:
            day -= timedelta(days=1)
        elif self.on(day + timedelta(days=1)) <= drifted + SHIFT:
            day += timedelta(days=1)
        ahead = (day - now.astimezone(self.zone).date()).days
        return replace(self, day=day - timedelta(days=days * max(0, ahead // days + 1)))

    def _next_on_open_phase(self, drifted: datetime, interval: int, now: datetime) -> datetime:
        """What ``drifted`` should have been, for NetBox makes a run late; and so many intervals after that."""
        minute, step = timedelta(minutes=1), timedelta(minutes=interval)
        instant = drifted.replace(second=self.second, microsecond=0)
        while instant > drifted or not self._on_open_phase(instant, interval):
            instant -= minute
        instant += step * ((now + LEAD - instant) // step + 1)
        # The nearest one, where daylight saving begins or ends in between.
        near = (instant + sign * away * minute for away in count() for sign in (-1, 1))
        return next(due for due in near if due > now + LEAD and self._on_open_phase(due, interval))

    def holds(self, scheduled: datetime, interval: int, now: datetime) -> bool:
        """Whether a run at ``scheduled`` is on the phase of this time, and is not later than the next one due."""
        if self.day is None:
            # There may be an hour more in between.
            step = timedelta(minutes=interval)
            due = max(self.first(now), now + LEAD + step + min(step, SHIFT))
            return scheduled <= due and self._on_open_phase(scheduled, interval)
        first = self.on(self.day)
        if interval == 1:  # see _on_open_phase
            return first - _TOLERANCE <= scheduled <= max(first, now + LEAD + timedelta(minutes=1))
        if scheduled < first - _TOLERANCE or scheduled > self.next(interval, now) + _TOLERANCE:
            return False
        if interval % DAY:
            return _near_multiple(scheduled - first, timedelta(minutes=interval))
        return self._on_wall_time(scheduled, interval // DAY, self.day)

    def _on_open_phase(self, scheduled: datetime, interval: int) -> bool:
        if interval == 1:
            return True  # NetBox makes the next one a minute after the end of the last, so there is no phase to keep
        if self.hour is not None and interval % DAY == 0:
            return self._on_wall_time(scheduled, 1, None)
        # Any day's (or hour's) occurrence may have been the first: only what all of them share can be asked for.
        local = scheduled.astimezone(self.zone)
        if self.hour is None:
            past_minute = timedelta(minutes=local.minute - self.minute, seconds=local.second)
            return _near_multiple(past_minute, timedelta(minutes=gcd(interval, 60)))
        return _near_multiple(scheduled - self.on(local.date()), timedelta(minutes=gcd(interval, DAY)))

    def _on_wall_time(self, scheduled: datetime, days: int, anchor: date | None) -> bool:
        # Through the wall clock and back, so that a time which a daylight-saving change skips still matches itself.
        day = scheduled.astimezone(self.zone).date()
        return abs(self.on(day) - scheduled) <= _TOLERANCE and (anchor is None or (day - anchor).days % days == 0)


_TOLERANCE = timedelta(seconds=1)


def _near_multiple(span: timedelta, step: timedelta) -> bool:
    rest = span % step
    return min(rest, step - rest) <= _TOLERANCE


def parse_at(text: str, zone: tzinfo) -> At:
    """Read ISO 8601 with or without offset, ``2026-04-01 02:00``, a time of day (``02:00``) or a minute (``:00``).

    ``zone`` gives the meaning of what has no offset.

    :raises ProxboxError: with a sentence, for anything else and for a date or time that does not exist.
    """
    word = str(text).strip()
    short = re.fullmatch(r"(\d{1,2})?:(\d{2})(?::(\d{2}))?", word)
    if short and not (short[1] is None and short[3]):
        hour, minute, second = (int(part) if part else None for part in short.groups())
        if (hour or 0) > 23 or minute > 59 or (second or 0) > 59:
            raise ProxboxError(f"schedule_at {text!r} is not a time of day: hours go to 23, minutes and seconds to 59.")
        return At(zone, None, hour, minute, second or 0)
    if re.fullmatch(r"\d+", word) and len(word) != len("20260401"):
        raise ProxboxError(
            f"schedule_at {text!r} is a number, not a time; YAML reads an unquoted 12:30 as a number: quote it, "
            'schedule_at: "12:30".'
        )
    try:
        moment = datetime.fromisoformat(word)
    except ValueError as exc:
        raise ProxboxError(
            f"schedule_at {text!r} is not a time ({exc}): give ISO 8601 (2026-04-01T02:00:00Z), 2026-04-01 02:00, a "
            "time of day (02:00) or a minute of the hour (:00)."
        ) from None
    if not 1970 <= moment.year <= 9000:
        raise ProxboxError(f"schedule_at {text!r} is too far away: give a year between 1970 and 9000.")
    return At(moment.tzinfo or zone, moment.date(), moment.hour, moment.minute, moment.second)


def parse_instant(option: str, text: str) -> datetime:
    """Read the ISO 8601 time of a filter; UTC if it has no offset.

    :raises ProxboxError: with a sentence that names the option.
    """
    try:
        moment = datetime.fromisoformat(str(text).strip())
    except ValueError as exc:
        raise ProxboxError(
            f"{option} {text!r} is not an ISO 8601 time ({exc}), such as 2026-04-01T02:00:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
