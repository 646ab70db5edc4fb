# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the options of the modules, checked, as the goals take them. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Any

from ._declare import Declare, End
from ._errors import ProxboxError
from ._job import NAME_MAXIMUM, Job, Scope
from ._plan import KINDS, EndpointName, Policy
from ._plugin import DEFAULT_NAME
from ._times import WEEK, YEARS, parse_at, parse_instant, parse_interval, parse_timezone

MOST = 2**31 - 1
"""The largest number of jobs that an option takes."""

EndpointIds = Callable[[str, list[str]], frozenset[int]]
"""Returns the ids of endpoints of a kind, ``proxmox`` or ``netbox``, given as names or as ids."""


def read_schedule(options: Mapping[str, Any], endpoint_ids: EndpointIds) -> Declare:
    """Return the schedule that a module's options describe.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    zone = parse_timezone(options["timezone"])
    schedule_at, every = _unless(options["schedule_at"], "now"), _unless(options["interval"], "once")
    at = parse_at(schedule_at, zone) if schedule_at else None
    interval = parse_interval(every) if every else None
    if at and at.weekday is not None and interval and interval % WEEK:
        raise ProxboxError(
            f"schedule_at {schedule_at!r} names a day of the week, but interval {every!r} is not a number of whole "
            "weeks: set interval to weekly (or 2w and so on), or leave out the day."
        )
    name = checked_name(options["name"])
    previous = _previous_name(options)
    if previous and not interval:
        raise ProxboxError(
            "previous_name renames a schedule that recurs: set an interval, or declare the schedule under its new name "
            "and end the other one with state: absent."
        )
    if DEFAULT_NAME in (name, previous):
        raise ProxboxError(
            f"{DEFAULT_NAME!r} is the name that NetBox gives to each sync without a name, so the task would cancel "
            "other syncs with this name: declare the schedule under another name, then cancel its job with "
            "proxbox_job, job_id and keep_schedule: false."
        )
    return Declare(
        name=name,
        scope=read_scope(options, endpoint_ids),
        at=at,
        interval=interval,
        repair_drift=options["drift"] == "repair",
        retention=_retention(options["job_retention"]),
        skip_until=_skip_until(options, zone),
        previous=previous,
        zone=zone,
    )


def read_goal(options: Mapping[str, Any], endpoint_ids: EndpointIds) -> Declare | End:
    """Return the goal that a module's options describe. The options of a paused schedule are checked too.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    if options["state"] == "absent":
        return End(checked_name(options["name"]), purge=options.get("purge", False), previous=_previous_name(options))
    goal = read_schedule(options, endpoint_ids)
    if options["enabled"]:
        return goal
    return End(goal.name, reason="enabled is false", previous=goal.previous, spares_runs=not goal.at_once)


def is_once(options: Mapping[str, Any]) -> bool:
    """Return whether a module's options declare a sync without an interval."""
    return _unless(options["interval"], "once") is None


def is_paused(options: Mapping[str, Any]) -> bool:
    """Return whether a module's options declare a schedule that is not to run."""
    return options["state"] == "present" and not options["enabled"]


def definition_of(job: Job, zone: tzinfo, name_of: EndpointName) -> dict[str, Any] | None:
    """Return the options that declare the schedule of a job as it is.

    ``read_schedule`` is the inverse. NetBox does not know in which time zone a schedule was declared. The result is
    None if NetBox does not show what the job covers, or if no schedule can be declared under its name.

    :param zone: the time zone of the time.
    :param name_of: returns the name of an endpoint, given its kind and its id.
    """
    if job.scope is None or job.scope.objects or not _can_be_declared(job.name):
        return None
    definition: dict[str, Any] = {"name": job.name}
    if job.scheduled:
        local = job.scheduled.astimezone(zone).replace(microsecond=0)
        # At the end of daylight saving time, an hour comes twice. Only the offset tells which one is meant.
        if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            local = local.replace(tzinfo=None)
        definition |= {"schedule_at": local.isoformat(" "), "timezone": str(zone)}
    if job.interval:
        definition["interval"] = job.interval
    definition["sync_types"] = sorted(job.scope.sync_types)
    for kind in KINDS:
        ids = getattr(job.scope, f"{kind}_endpoints")
        if ids:
            definition[f"{kind}_endpoints"] = [name_of(kind, one) for one in sorted(ids)]
    return definition


def _can_be_declared(name: str) -> bool:
    try:
        return checked_name(name) == name != DEFAULT_NAME
    except ProxboxError:
        return False


def read_scope(options: Mapping[str, Any], endpoint_ids: EndpointIds) -> Scope:
    """Return what a sync covers.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    return Scope(
        sync_types=checked_sync_types(options["sync_types"]),
        proxmox_endpoints=endpoint_ids("proxmox", options["proxmox_endpoints"]),
        netbox_endpoints=endpoint_ids("netbox", options["netbox_endpoints"]),
    )


def read_policy(options: Mapping[str, Any], *, check_mode: bool) -> Policy:
    """Return how the task treats running jobs, and the time zone of its messages.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    return Policy(
        when_running=options["when_running"],
        wait_timeout=checked_seconds("wait_timeout", options["wait_timeout"]),
        stale_after=read_stale_after(options),
        check_mode=check_mode,
        check_queue=options["check_queue"],
        zone=parse_timezone(options["timezone"]),
    )


def read_stale_after(options: Mapping[str, Any]) -> timedelta | None:
    """Return how long a run may last; None for as long as NetBox lets a sync run.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    given = options["stale_after"]
    return timedelta(minutes=parse_interval(given, "stale_after")) if given else None


def read_max_age(minutes: float | None) -> timedelta | None:
    """Return the maximum age of a run that counts; None if no earlier run counts.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    if minutes is None:
        return None
    if not math.isfinite(minutes) or minutes < 0:
        raise ProxboxError(f"max_age {minutes:g} is not an age: give minutes, 0 or more.")
    return timedelta(minutes=minutes)


def checked_seconds(option: str, seconds: float) -> float:
    """Return a time to wait.

    :raises ProxboxError: with a sentence, for an invalid value.
    """
    if not math.isfinite(seconds) or seconds <= 0:
        raise ProxboxError(f"{option} {seconds:g} is not a time to wait: give seconds, more than 0.")
    return seconds


def checked_count(option: str, number: int, *, least: int = 0) -> int:
    """Return how many jobs to return.

    :raises ProxboxError: with a sentence, for less than ``least``, and for more than ``MOST``.
    """
    if not least <= number <= MOST:
        raise ProxboxError(f"{option} {number} is not a number of jobs: give {least} or more, and at most {MOST}.")
    return number


def checked_name(given: str, option: str = "name") -> str:
    """Return the name of a job without the spaces around it.

    :raises ProxboxError: with a sentence, for a name that NetBox or its filters cannot take.
    """
    name = given.strip()
    if name in ("True", "False") or re.fullmatch(r"\[.*\]|\{.*\}", name, re.DOTALL):
        # Ansible turns other types into text before the module sees them.
        raise ProxboxError(f"{option} {given!r} is a boolean, a list or a dictionary: give a text.")
    if re.search(r"[\x00-\x1f\x7f\u2028\u2029]", name):
        raise ProxboxError(f"{option} {given!r} has a line break, a tab or another control character: leave it out.")
    if not name or len(name) > NAME_MAXIMUM or name == "null":
        # NetBox's filters read the word null as "has no name".
        raise ProxboxError(
            f"{option} {given[:80]!r} cannot be the name of a job: give 1 to {NAME_MAXIMUM} characters, and not the "
            "word null."
        )
    return name


def checked_previous_names(given: Mapping[Any, Any] | None) -> dict[str, str]:
    """Return the name that schedules had before, by their name.

    :raises ProxboxError: with a sentence, for what is not a name.
    """
    return {
        checked_name(str(name)): checked_name(str(previous), f"previous_names of {name!r}")
        for name, previous in (given or {}).items()
    }


def fits(name: str, pattern: str) -> bool:
    """Return whether a name fits a pattern of Python's fnmatch, in the same case."""
    return fnmatchcase(name, pattern)


def checked_sync_types(sync_types: Iterable[str]) -> frozenset[str]:
    """Return the sync types without the spaces around them.

    :raises ProxboxError: with a sentence, for an empty list, and for ``all`` together with other types.
    """
    types = frozenset(str(item).strip() for item in sync_types)
    if not types or "" in types:
        raise ProxboxError("sync_types is empty: give at least one sync type, or remove the option to sync everything.")
    if "all" in types and len(types) > 1:
        others = ", ".join(sorted(types - {"all"}))
        raise ProxboxError(f"sync_types has 'all' and {others}: 'all' cannot be combined with other types.")
    return types


def _previous_name(options: Mapping[str, Any]) -> str | None:
    previous = checked_name(options["previous_name"], "previous_name") if options["previous_name"] else None
    if previous == checked_name(options["name"]):
        raise ProxboxError(f"previous_name is {previous!r}, which is also the name: remove previous_name.")
    return previous


def _skip_until(options: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    text = options["skip_until"]
    if text is None:
        return None
    if is_once(options):
        raise ProxboxError("skip_until skips runs of a schedule that recurs: set an interval, or change schedule_at.")
    moment = parse_instant("skip_until", text, zone)
    if moment.year not in YEARS:
        raise ProxboxError(f"skip_until {text} is too far away: give a year between {YEARS[0]} and {YEARS[-1]}.")
    # NetBox is given whole seconds.
    return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)


def _unless(text: str | None, word: str) -> str | None:
    """Return a text; None for the word that says the same as an option that is not set."""
    return None if text is None or text.strip().lower() == word else text


def _retention(days: float) -> timedelta | None:
    if not math.isfinite(days) or days < 0:
        raise ProxboxError(
            f"job_retention {days:g} is not a number of days: give that of NetBox's JOB_RETENTION, or 0 if NetBox "
            "keeps its jobs."
        )
    return timedelta(days=days) if days else None
