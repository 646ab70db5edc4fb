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
    ACTIVE,
    ALL,
    CANCELS,
    CREATE,
    DENIED,
    MAY_CANCEL,
    NIGHTLY,
    RELEASED,
    TASK,
    Script,
    cancel,
    cancelled,
    created,
    page,
    recorded_answer,
    task,
)
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import work

Row = Callable[..., dict[str, Any]]
AT_TWO = {"schedule_at": "02:00", "interval": "daily"}


def run(jobs: Jobs, *schedules: dict[str, Any], **options: Any) -> tuple[dict[str, Any], list[str]]:
    return work(proxbox_sync_schedules, jobs, {"schedules": list(schedules), **options})


def test_unchanged_schedules_are_returned_in_their_order(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="b", **NIGHTLY), row(6, name="a", **NIGHTLY)))
    result, _warnings = run(jobs, {"name": "b", **AT_TWO}, {"name": " a ", **AT_TWO})
    assert [(one["name"], one["changed"], one["failed"]) for one in result["schedules"]] == [
        ("b", False, False),
        ("a", False, False),
    ]
    assert not result["changed"] and result["diff"] == [] and "failed" not in result
    assert server.asked == [ALL]


def test_if_some_schedules_fail_the_others_are_declared(server: Script, jobs: Jobs, row: Row) -> None:
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


def test_a_reason_that_several_schedules_share_is_given_once(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page())
    result, _warnings = run(jobs, {"name": "a", "interval": "0"}, {"name": "b", "interval": "0"})
    assert result["msg"].startswith("2 of 2 schedules failed: a, b: interval '0' is less than a minute")
    assert not result["changed"]
    # Each refusal has the address of its own job.
    server.answers[:] = [page(row(4, name="a", **NIGHTLY), row(5, name="b", **NIGHTLY)), DENIED]
    result, _warnings = run(jobs, {"name": "a", "state": "absent"}, {"name": "b", "state": "absent"})
    assert result["msg"].count("core.delete_job") == 1 and "2 of 2 schedules failed: a, b: " in result["msg"]


@pytest.fixture
def five(row: Row) -> list[dict[str, Any]]:
    """Five active schedules."""
    return [row(number, name=name, **NIGHTLY) for number, name in enumerate(("a", "old", "tmp 1", "[x] 1", "bad"), 5)]


def test_purge_unlisted_ends_unlisted_schedules_except_those_in_keep(
    server: Script, jobs: Jobs, five: list[Any]
) -> None:
    server.answer(page(*five), cancelled(6), page(), cancelled(9), page())
    result, warnings = run(jobs, {"name": "a", **AT_TWO}, purge_unlisted=True, keep=["tmp *", "[[]x]*"])
    assert [(one["name"], one["why"]) for one in result["schedules"]] == [
        ("a", []),
        ("bad", ["job 9: not listed"]),
        ("old", ["job 6: not listed"]),
    ]
    assert (result["unlisted"], result["kept"], warnings) == (["bad", "old"], ["[x] 1", "tmp 1"], [])
    assert server.asked[0] == ALL and server.asked[1::2] == [cancel(9), cancel(6)] and len(server.asked) == 5


@pytest.mark.parametrize("schedules", [[{"name": "a", **AT_TWO}], []])
def test_unlisted_schedules_are_only_returned_without_purge_unlisted(
    server: Script, jobs: Jobs, five: list[Any], schedules: list[Any]
) -> None:
    server.answer(page(*five))
    result, warnings = run(jobs, *schedules, keep=["tmp *", "a", "lab*", "[x]*"])
    assert not result["changed"] and server.asked == [ALL]
    assert (result["unlisted"], result["kept"]) == (["[x] 1", "bad", "old"], ["tmp 1"] if schedules else ["a", "tmp 1"])
    assert warnings == ["No schedule matches these patterns of keep: 'lab*', '[x]*'."]


def test_no_schedule_is_ended_if_an_entry_is_invalid(server: Script, jobs: Jobs, row: Row, five: list[Any]) -> None:
    server.answer(page(*five), created(20), page(row(20, name="new", **NIGHTLY)))
    result, _warnings = run(
        jobs,
        {"name": "old", "state": "absent"},
        {"name": "gone", "state": "absent"},
        {"name": "new", **AT_TWO},
        {"name": "bad", "interval": "0"},
        purge_unlisted=True,
        keep=["tmp *"],
    )
    assert result["failed"] and [(one["name"], one["failed"]) for one in result["schedules"]] == [
        ("old", True),
        ("gone", False),
        ("new", False),
        ("bad", True),
    ]
    assert result["msg"].startswith(
        "2 of 4 schedules failed: old: The schedule was not ended, because another entry of the list is invalid. | "
        "bad: interval '0' is less than a minute"
    )
    assert result["msg"].endswith(" | Therefore these unlisted schedules were not ended: [x] 1, a.")
    assert result["unlisted"] == ["[x] 1", "a"]
    assert server.asked == [ALL, CREATE, ACTIVE.replace("nightly", "new")]


def test_a_paused_schedule_with_a_previous_name_is_not_ended_if_an_entry_is_invalid(
    server: Script, jobs: Jobs, five: list[Any]
) -> None:
    server.answer(page(*five))
    paused = {"name": "new", "previous_name": "old", "enabled": False, "interval": "daily"}
    result, _warnings = run(jobs, paused, {"name": "b", "schedule_at": "nonsense"})
    assert not result["changed"] and server.asked == [ALL]
    assert "was not ended, because another entry" in result["schedules"][0]["msg"]


def test_an_absent_schedule_is_also_ended_under_its_previous_name(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="old", **NIGHTLY)), cancelled(5), page())
    result, _warnings = run(jobs, {"name": "new", "previous_name": "old", "state": "absent"}, purge_unlisted=True)
    assert result["schedules"][0]["cancelled"][0]["id"] == 5 and result["unlisted"] == []


def test_a_sync_that_runs_at_once_is_not_an_unlisted_schedule(server: Script, jobs: Jobs, row: Row) -> None:
    once = row(6, name="old", status="pending", created="2026-04-10T09:59:59Z")
    server.answer(page(row(5, name="old", **NIGHTLY), once), cancelled(5), page(once))
    result, _warnings = run(jobs, purge_unlisted=True, allow_empty=True)
    assert [job["id"] for job in result["schedules"][0]["cancelled"]] == [5] and "failed" not in result


def test_skip_until_of_the_task_applies_only_to_schedules_that_recur(server: Script, jobs: Jobs, row: Row) -> None:
    dated = {"scheduled": "2030-01-01T02:00:00Z"}
    server.answer(page(row(5, name="once", **dated)))
    entry = {"name": "once", "schedule_at": "2030-01-01 02:00", "interval": "once"}
    result, _warnings = run(jobs, entry, interval="daily", skip_until="2027-01-01", job_retention=0)
    assert "failed" not in result and not result["changed"]


def test_a_time_out_of_range_fails_only_its_schedule(server: Script, jobs: Jobs, row: Row) -> None:
    running = {"status": "running", "started": "2026-04-10T09:00:00Z", "interval": 1440}
    server.answer(page(row(4, name="a", **NIGHTLY), row(5, name="b", **running)), task(None))
    options = {"interval": "daily", "stale_after": "2147483647"}
    result, _warnings = run(jobs, {"name": "a"}, {"name": "b"}, **options)
    assert [one["failed"] for one in result["schedules"]] == [False, True]
    assert "b: An option reaches before the year 1" in result["msg"]


def test_unlisted_schedules_are_kept_if_an_entry_fails(server: Script, jobs: Jobs, five: list[Any]) -> None:
    server.answer(page(*five), recorded_answer("not_created_in_the_past"), cancelled(6), page())
    wanted = [{"name": "new", **AT_TWO}, {"name": "old", "state": "absent"}]
    result, _warnings = run(jobs, *wanted, purge_unlisted=True)
    # A listed schedule with state absent is ended.
    assert [(one["name"], one["failed"]) for one in result["schedules"]] == [("new", True), ("old", False)]
    assert result["msg"].startswith("1 of 2 schedules failed: new: ")
    assert result["msg"].endswith("Therefore these unlisted schedules were not ended: [x] 1, a, bad, tmp 1.")
    assert server.asked == [ALL, CREATE, cancel(6), ACTIVE.replace("nightly", "old")]


def test_an_empty_list_ends_all_schedules_only_with_allow_empty(server: Script, jobs: Jobs, row: Row) -> None:
    empty = {"purge_unlisted": True, "schedules": "[]"}
    with pytest.raises(ProxboxError, match="schedules is empty, and purge_unlisted would end all schedules: list"):
        work(proxbox_sync_schedules, jobs, empty)
    assert server.asked == []
    server.answer(page(row(5, name="a", **NIGHTLY)), cancelled(5), page())
    result, _warnings = work(proxbox_sync_schedules, jobs, {**empty, "allow_empty": True})
    assert [job["id"] for job in result["schedules"][0]["cancelled"]] == [5] and result["unlisted"] == ["a"]


def test_an_entry_overrides_the_options_of_the_task(server: Script, jobs: Jobs, row: Row) -> None:
    (endpoint, *_others) = recorded_answer("proxmox_endpoints").body["results"]
    number = endpoint["id"]
    own = {"sync_types": ["storage"], "proxmox_endpoints": [], "timezone": "Europe/Berlin", "schedule_at": "04:00"}
    berlin = {"scheduled": "2026-04-11T02:00:00Z", "interval": 1440, "sync_types": ["storage"]}
    server.answer(
        page(endpoint),
        page(
            row(5, name="a", **NIGHTLY, sync_types=["devices"], proxmox_endpoint_ids=[number]),
            row(6, name="b", **berlin),
            row(7, name="c", scheduled="2026-05-01T02:00:00Z", sync_types=["devices"], proxmox_endpoint_ids=[number]),
        ),
    )
    result, _warnings = run(
        jobs,
        {"name": "a", "interval": "", "timezone": " "},
        {"name": "b", **own},
        {"name": "c", "schedule_at": "2026-05-01 02:00", "interval": "once"},
        **AT_TWO,
        sync_types=["devices"],
        proxmox_endpoints=[endpoint["name"]],
    )
    assert [(one["name"], one["changed"], one["failed"]) for one in result["schedules"]] == [
        (name, False, False) for name in "abc"
    ]
    assert len(server.asked) == 2


def changes(result: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    return [(one["name"], one["failed"], one["changed"]) for one in result["schedules"]]


def test_an_entry_overrides_the_drift_of_the_task(server: Script, jobs: Jobs, row: Row) -> None:
    drifted = [
        row(number, name=name, scheduled="2026-04-11T03:00:00Z", interval=1440) for number, name in ((5, "a"), (6, "b"))
    ]
    before = row(2, name="a", status="completed", scheduled="2026-04-10T02:00:00Z", interval=1440)
    server.answer(page(*drifted), page(before), RELEASED, CANCELS)
    options = {"schedules": [{"name": "a", "drift": "ignore"}, {"name": "b"}], **AT_TWO}
    result, _warnings = work(proxbox_sync_schedules, jobs, options, check_mode=True)
    assert changes(result) == [("a", False, False), ("b", False, True)]


def test_an_entry_overrides_the_retention_of_the_task(server: Script, jobs: Jobs) -> None:
    server.answer(page(), RELEASED)
    entries = [{"name": "a", "job_retention": 0}, {"name": "b"}]
    options = {"schedules": entries, "schedule_at": "2027-04-01 02:00", "interval": "daily"}
    result, _warnings = work(proxbox_sync_schedules, jobs, options, check_mode=True)
    assert changes(result) == [("a", False, True), ("b", True, False)] and "JOB_RETENTION" in result["msg"]


def test_an_entry_overrides_when_running(server: Script, jobs: Jobs, row: Row) -> None:
    runs = [row(number, name=name, status="running", interval=60) for number, name in ((5, "a"), (6, "b"))]
    alive = recorded_answer("task_started")
    server.answer(page(*runs), alive, alive, CANCELS)
    entries = [{"name": "a", "state": "absent", "when_running": "fail"}, {"name": "b", "state": "absent"}]
    options = {"schedules": entries, "when_running": "cancel"}
    result, _warnings = work(proxbox_sync_schedules, jobs, options, check_mode=True)
    assert changes(result) == [("a", True, False), ("b", False, True)]
    assert "set when_running to wait or cancel" in result["msg"] and server.asked == [ALL, TASK, TASK, MAY_CANCEL]


def test_netbox_endpoints_cause_one_warning(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(*(row(number, name=name, **NIGHTLY) for number, name in enumerate("ab", 5))))
    entries = [{"name": name, **AT_TWO, "state": "absent", "netbox_endpoints": ["1"]} for name in "xy"]
    _result, (warning,) = run(jobs, *entries, netbox_endpoints=["2"])
    assert warning.startswith("netbox_endpoints has no effect on a sync: ")
    assert run(jobs, *entries)[1] == [warning]


def test_an_absent_schedule_is_ended(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, name="a", **NIGHTLY)), cancelled(5), page())
    result, _warnings = run(jobs, {"name": "a", "state": "absent"})
    assert result["changed"] and result["schedules"][0]["job"] is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schedules": [{"name": "a"}, {"name": " a"}]}, "schedules has more than one entry with these names: a"),
        ({"schedules": [], "wait_timeout": 0}, "wait_timeout 0"),
        ({"schedules": [{"name": "c", "previous_name": "b "}, {"name": "b"}]}, "occur in another entry too: b"),
        ({"schedules": [{"name": name, "previous_name": "old"} for name in "ab"]}, "occur in another entry too: old"),
    ],
)
def test_a_wrong_option_sends_no_request(server: Script, jobs: Jobs, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ProxboxError, match=says):
        work(proxbox_sync_schedules, jobs, options)
    assert server.asked == []
