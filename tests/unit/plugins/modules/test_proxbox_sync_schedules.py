# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many schedules: what the options mean, and what is returned if some of them fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_sync_schedules
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ALL,
    DENIED,
    NIGHTLY,
    Script,
    cancelled,
    created,
    page,
    recorded_answer,
)
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import work

Row = Callable[..., dict[str, Any]]
AT_TWO = {"schedule_at": "02:00", "interval": "daily"}


def run(jobs: Jobs, *schedules: dict[str, Any], **options: Any) -> tuple[dict[str, Any], list[str]]:
    return work(proxbox_sync_schedules, jobs, {"schedules": list(schedules), **options})


def test_schedules_that_are_there(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="b", **NIGHTLY), row(6, name="a", **NIGHTLY)))
    result, _warnings = run(jobs, {"name": "b", **AT_TWO}, {"name": " a ", **AT_TWO})
    assert [(one["name"], one["changed"], one["failed"]) for one in result["schedules"]] == [
        ("b", False, False),
        ("a", False, False),
    ]
    assert not result["changed"] and result["diff"] == [] and "failed" not in result
    assert server.asked == [ALL]


def test_some_that_fail(server: Script, jobs: Jobs, row: Row) -> None:
    refusal = recorded_answer("not_created_in_the_past")
    server.answer(page(), refusal, created(7), page(row(7, name="c", **NIGHTLY)))
    result, _warnings = run(
        jobs, {"name": "a", **AT_TWO}, {"name": "b", "interval": "0"}, {"name": "c", **AT_TWO}, {"name": "null"}
    )
    assert [(one["name"], one["failed"]) for one in result["schedules"]] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("null", True),
    ]
    assert result["failed"] and result["changed"]
    assert result["msg"].startswith("3 of 4 schedules failed: ")
    assert "b: interval '0' is less than a minute" in result["msg"]
    assert result["schedules"][0]["failure"]["status"] == 400 and result["schedules"][1]["failure"]["status"] is None
    assert [diff["before_header"] for diff in result["diff"]] == ["c"]


def test_one_reason_is_told_once(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page())
    result, _warnings = run(jobs, {"name": "a", "interval": "0"}, {"name": "b", "interval": "0"})
    assert result["msg"].startswith("2 of 2 schedules failed: a, b: interval '0' is less than a minute")
    assert not result["changed"]
    # Each cancel is refused at the address of its own job.
    server.answers[:] = [page(row(4, name="a", **NIGHTLY), row(5, name="b", **NIGHTLY)), DENIED]
    result, _warnings = run(jobs, {"name": "a", "state": "absent"}, {"name": "b", "state": "absent"})
    assert result["msg"].count("core.delete_job") == 1 and "2 of 2 schedules failed: a, b: " in result["msg"]


def test_what_is_not_listed_ends_but_for_what_is_kept(server: Script, jobs: Jobs, row: Row) -> None:
    rows = [row(number, name=name, **NIGHTLY) for number, name in enumerate(("a", "old", "tmp 1", "[x] 1", "bad"), 5)]
    server.answer(page(*rows), cancelled(6), page())
    # A schedule with a wrong option is listed all the same.
    result, _warnings = run(
        jobs, {"name": "a", **AT_TWO}, {"name": "bad", "interval": "0"}, purge_unlisted=True, keep=["tmp *", "[x]*"]
    )
    assert [one["name"] for one in result["schedules"]] == ["a", "bad", "old"]
    assert [job["id"] for job in result["schedules"][2]["cancelled"]] == [6]
    assert server.asked[0] == ALL and len(server.asked) == 3


def test_a_schedule_that_ends(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="a", **NIGHTLY)), cancelled(5), page())
    result, _warnings = run(jobs, {"name": "a", "state": "absent"})
    assert result["changed"] and result["schedules"][0]["job"] is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schedules": [{"name": "a"}, {"name": " a"}]}, "schedules has more than one entry with these names: a"),
        ({"schedules": [], "wait_timeout": 0}, "wait_timeout 0"),
    ],
)
def test_a_wrong_option_sends_no_request(server: Script, jobs: Jobs, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        work(proxbox_sync_schedules, jobs, options)
    assert server.asked == []
