# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports about recorded runs: without problems, with problems, and without schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.proxbox.proxbox.plugins.module_utils._health import Report, short
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._report import Overview, Times, rows
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Service
from ansible_collections.proxbox.proxbox.tests.unit.conftest import make_job, recorded

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
BERLIN = Times(ZoneInfo("Europe/Berlin"), NOW)
SERVED = Service(1, frozenset({"default"}))

GOOD, PARTIAL, FAILED, CANCELLED = "ok_all", "backups_500_beside", "devices_500", "cancelled_running"


def run(number: int, name: str, like: str = GOOD, seconds: float = 0) -> Job:
    """Return a recorded run with its log, moved to a night before NOW. ``number`` 1 is the last night."""
    row = recorded(like)
    began = NOW.replace(hour=1) - timedelta(days=number - 1)
    took = timedelta(seconds=seconds) or _moment(row["completed"]) - _moment(row["started"])
    times = {"started": began, "completed": began + took, "scheduled": began, "interval": 1440}
    return make_job(1000 - number, name=name, like=like, log_entries=row["log_entries"], **times)


def schedule(
    name: str, likes: Sequence[str] = (GOOD,) * 30, service: Service = SERVED, status: str = "scheduled", **changes: Any
) -> dict[str, Any]:
    """Return the result of the module for a schedule with these runs, the newest first."""
    runs = [run(number, name, like, 40 + number * 17 % 30) for number, like in enumerate(likes, 1)]
    times = {"scheduled": NOW.replace(hour=1) + timedelta(days=1), "interval": 1440, **changes}
    return Report(name, (make_job(1001, status, name=name, **times),), tuple(runs), service, NOW).result()


def all_well() -> Overview:
    """Two active schedules, one of them running, and a paused schedule."""
    running = schedule("hourly inventory", status="running", started=NOW - timedelta(minutes=2), scheduled=NOW)
    found = [schedule("nightly"), running]
    declared = {"nightly": "present", "hourly inventory": "present", "yearly": "paused"}
    return overview(rows(found, None, declared, BERLIN))


def failing() -> Overview:
    """Schedules with each kind of problem."""
    mixed = (FAILED, PARTIAL, FAILED, GOOD, CANCELLED, *[GOOD] * 20, PARTIAL, *[GOOD] * 4)
    found = [
        schedule("nightly", mixed),
        schedule("hourly inventory"),
        schedule("never served", (), Service(0)),
        schedule("<b>by hand</b> | *x* & more", (GOOD, GOOD)),
    ]
    over = Report("before the move", (), (run(2, "before the move", PARTIAL),), SERVED, NOW)
    missing = {
        "schedules": [],
        "gone": ["monthly", "weekly"],
        "ended": [over.result_of_ended()],
        "past_runs": {
            "weekly": short([run(1, "weekly", CANCELLED), run(2, "weekly")]),
            "monthly": [],
            "before the move": short(over.runs),
        },
    }
    names = ("nightly", "hourly inventory", "never served", "weekly", "monthly", "before the move")
    declared = {**dict.fromkeys(names, "present"), "yearly": "paused"}
    return overview(rows(found, missing, declared, BERLIN))


def empty() -> Overview:
    """A report without schedules."""
    return overview(())


def overview(found: Any) -> Overview:
    """Return a report with these rows."""
    return Overview("Proxbox sync schedules", found, BERLIN, 30)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
