# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that a task shows while it waits for a sync. The rows are from real runs (tests/record)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._progress import Progress
from ansible_collections.proxbox.proxbox.plugins.module_utils._worker import Service, Worker
from ansible_collections.proxbox.proxbox.tests.unit.conftest import recorded

NO_WORKER = Service(0)
ONE_WORKER = Service.of([Worker("w", "busy", ("default",))])


def looks(*rows: tuple[dict[str, Any], float], service: Service | None = None) -> list[list[str]]:
    """Return the new lines of each look at a job. Each look has a time, in seconds after the job was created."""
    lines: list[str] = []
    progress = Progress(lines.append)
    shown = []
    for row, seconds in rows:
        created = datetime.fromisoformat(row["created"])
        progress.show(Job.from_row(row), created + timedelta(seconds=seconds), service)
        shown.append(lines[:])
        lines.clear()
    return shown


def test_each_look_shows_only_new_lines() -> None:
    row = recorded("backups_500_on_west_of_two")
    half = {**row, "log_entries": row["log_entries"][:10]}
    first, second, third = looks((half, 5), (row, 40), (row, 41))
    assert first[0] == "00:00 Preflight: API key verified — Key authenticated successfully"
    assert "00:36 ERROR pve-west vm-backups: HTTP 500: no space left on device" in second
    assert third == [] and not set(first) & set(second)
    assert [*first, *second] == looks((row, 40))[0]


def test_a_run_without_news_shows_a_line_every_half_minute() -> None:
    row = recorded("running")
    seconds = (1, 15, 29, 31, 45, 62)
    assert looks(*((row, second) for second in seconds)) == [
        ["00:00 running on pve-lab: all"],
        [],
        [],
        ["00:30 still running (no news for 30 s)"],
        [],
        ["01:01 still running (no news for 30 s)"],
    ]


@pytest.mark.parametrize(
    ("scenario", "service", "line"),
    [
        ("pending", NO_WORKER, "job 62 waits for a worker on queue default (no worker runs)"),
        ("pending", ONE_WORKER, "job 62 waits for a worker on queue default (1 worker, busy)"),
        ("scheduled", ONE_WORKER, "job 61 is due at Wed 25 Nov 2026 02:37:15 UTC, in 27 s"),
    ],
)
def test_what_a_job_waits_for_is_shown_once(scenario: str, service: Service, line: str) -> None:
    row = recorded(scenario)
    assert looks((row, 2), (row, 3), service=service) == [[line], []]


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (timedelta(days=1, hours=2, minutes=3), "1 d 2 h"),
        (timedelta(hours=2, minutes=3), "2 h 3 min"),
        (timedelta(minutes=3), "3 min 0 s"),
    ],
)
def test_a_time_to_wait_has_two_units(wait: timedelta, said: str) -> None:
    row = recorded("scheduled")
    row["scheduled"] = (datetime.fromisoformat(row["created"]) + wait).isoformat()
    (lines,) = looks((row, 0), service=ONE_WORKER)
    assert lines[0].endswith(f", in {said}")
