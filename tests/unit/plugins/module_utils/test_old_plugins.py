# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Older releases of netbox-proxbox: a task uses NetBox's web pages for what the release lacks, or fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._cancel import check_cancel
from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._job_tasks import cancel_runs
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._runs import CancelRuns
from ansible_collections.proxbox.proxbox.plugins.module_utils._schedules import declare
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_at, parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    ACTIVE,
    CANCELS,
    CREATE,
    DENIED,
    LOGGED_IN,
    LOGIN,
    MAY_CANCEL,
    NAMED,
    NIGHTLY,
    NO_ROUTE,
    RELEASE,
    Answer,
    Script,
    cancel,
    cancelled,
    form,
    get,
    moved,
    page,
    recorded_answer,
    released,
    status,
    task,
)

WANTED = Declare("nightly", at=parse_at("02:00", parse_timezone("UTC")), interval=1440)
MOVED = recorded_answer("no_rows_deleted", "0.0.25")
PAGE_CANCELS = recorded_answer("page_of_no_job", "0.0.25")
"""The answer of the page that cancels job 0, which does not exist. It shows that the token may cancel."""
PAGE_FOUND = Answer("<html>", 200, "text/html")
CANCELLED = moved("/core/jobs/5/")
REFUSED = recorded_answer("page_denied", "0.0.25")
NO_TOKEN = recorded_answer("page_no_token", "0.0.25")
PAGE_MAY_CANCEL, PAGE_CANCEL = "POST /core/jobs/0/proxbox-cancel/", "POST /core/jobs/5/proxbox-cancel/"
Row = Callable[..., dict[str, Any]]


@pytest.fixture
def with_login(server: Script) -> Jobs:
    session = Session(Connection(server.url, "0" * 40, timeout=5))
    return Jobs(session, "automation", "s3cret")


def present(jobs: Jobs, goal: Declare = WANTED) -> TaskResult:
    return declare(jobs, goal, Policy())


def absent(jobs: Jobs, purge: bool = False, check_mode: bool = False) -> TaskResult:
    return declare(jobs, End("nightly", purge), Policy(check_mode=check_mode))


def test_active_jobs_are_read_in_the_same_way_from_every_release(server: Script, jobs: Jobs, row: Row) -> None:
    foreign = row(4, data={"output": "a script of that name"}, object_type="extras.script")
    server.answer(page(foreign, row(5, **NIGHTLY)))
    outcome = present(jobs)
    assert not outcome.plan.changed and outcome.job.id == 5
    assert server.asked == [ACTIVE]


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (
            "0.0.10",
            r"has netbox-proxbox 0.0.10, whose API cannot schedule syncs: upgrade it to 0.0.26 or newer \(at least ",
        ),
        ("0.0.5", r"upgrade it to 0.0.26 or newer \(at least 0.0.11\)"),
        ("0.0.29", r"has netbox-proxbox 0.0.29, but not the route .*sync/schedule/: check what is in front of NetBox"),
        (None, r"does not have the plugin netbox-proxbox: install it"),
    ],
)
def test_a_release_that_is_too_old_is_refused(server: Script, jobs: Jobs, version: str | None, says: str) -> None:
    server.answer(page(), NO_ROUTE, released(version))
    with pytest.raises(ProxboxError, match=says):
        present(jobs)
    assert server.asked == [ACTIVE, CREATE, RELEASE]


MAY_NOT = r"The token's user may not do this.*core\.delete_job"


def test_a_change_fails_before_it_writes_if_the_release_cannot_cancel(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **{**NIGHTLY, "interval": 60})), NO_ROUTE, released("0.0.23"), REFUSED)
    with pytest.raises(ProxboxError, match=MAY_NOT):
        present(jobs)
    assert server.asked == [ACTIVE, MAY_CANCEL, RELEASE, PAGE_MAY_CANCEL]


def test_absent_fails_if_the_release_cannot_cancel(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, NO_ROUTE, released("0.0.23"), REFUSED)
    with pytest.raises(ProxboxError, match=MAY_NOT):
        absent(jobs)
    assert server.asked == [ACTIVE, cancel(5), MAY_CANCEL, RELEASE, PAGE_MAY_CANCEL]


def test_check_mode_fails_if_the_release_cannot_cancel(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, released("0.0.23"), REFUSED)
    with pytest.raises(ProxboxError, match=MAY_NOT):
        absent(jobs, check_mode=True)
    assert server.asked == [ACTIVE, MAY_CANCEL, RELEASE, PAGE_MAY_CANCEL]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([form(), form("login_refused")], "does not accept netbox_username and netbox_password"),
        ([*LOGIN, REFUSED], r"The user 'automation' of netbox_username may not do this.*core\.delete_job"),
    ],
)
def test_a_login_that_may_not_cancel_leaves_the_schedule_unchanged(
    server: Script, with_login: Jobs, row: Row, answers: list[Answer], says: str
) -> None:
    running = row(5, **{**NIGHTLY, "status": "running", "interval": 60})
    server.answer(page(running), task("started"), NO_ROUTE, released("0.0.23"), NO_TOKEN, *answers)
    with pytest.raises(ProxboxError, match=says) as told:
        present(with_login)
    assert not told.value.changed and CREATE not in server.asked


def test_absent_does_not_wait_for_a_run_if_it_may_not_cancel(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **{**NIGHTLY, "status": "running"})), task("started"), NO_ROUTE, released("0.0.23"))
    server.answer(REFUSED)
    with pytest.raises(ProxboxError, match=MAY_NOT):
        absent(jobs)
    assert server.asked[-3:] == [MAY_CANCEL, RELEASE, PAGE_MAY_CANCEL]


def test_a_missing_route_of_a_release_that_can_cancel_is_an_error(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, NO_ROUTE, released("0.0.24"))
    with pytest.raises(ProxboxError, match=r"has netbox-proxbox 0.0.24, but not the route .*/jobs/0/cancel/: check wh"):
        absent(jobs)
    assert server.asked == [ACTIVE, cancel(5), MAY_CANCEL, RELEASE]


def test_a_job_is_cancelled_on_its_web_page_if_the_release_lacks_the_route(
    server: Script, jobs: Jobs, row: Row
) -> None:
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, NO_ROUTE, released("0.0.23"), PAGE_CANCELS, status(5, "scheduled"))
    gone = row(5, **NIGHTLY, status="failed", error="Cancelled by user.")
    server.answer(CANCELLED, page(gone), page())
    outcome = absent(jobs)
    assert [job.id for job in outcome.cancelled] == [5]
    asked = [ACTIVE, cancel(5), MAY_CANCEL, RELEASE, PAGE_MAY_CANCEL, get(5), PAGE_CANCEL, get(5), ACTIVE]
    assert server.asked == asked
    # The task remembers this.
    server.requests.clear()
    server.answers[:] = [page(row(5, **NIGHTLY)), status(5, "scheduled"), CANCELLED, page(gone)]
    server.answer(page())
    assert [job.id for job in absent(jobs).cancelled] == [5]
    assert server.asked == [ACTIVE, get(5), PAGE_CANCEL, get(5), ACTIVE]


def test_endpoint_ids_are_checked_if_the_release_drops_wrong_ids(server: Script, jobs: Jobs) -> None:
    server.answer(page(), DENIED, released("0.0.22"))
    with pytest.raises(ProxboxError, match="view_proxmoxendpoint"):
        present(jobs, WANTED._replace(scope=Scope(proxmox_endpoints=frozenset({99}))))
    assert CREATE not in server.asked


def test_a_cancel_on_a_web_page_is_repeated_if_it_had_no_effect(server: Script, jobs: Jobs, row: Row) -> None:
    # The page has no effect while a run is starting and has no data.
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, NO_ROUTE, released("0.0.23"), PAGE_CANCELS)
    server.answer(status(5, "scheduled"), CANCELLED, status(5, "scheduled"), page(row(5, **NIGHTLY)))
    server.answer(status(5, "scheduled"), CANCELLED)
    server.answer(page(row(5, status="failed", error="Cancelled by user.")), page())
    assert [job.id for job in absent(jobs).cancelled] == [5]


def test_a_job_that_the_login_may_not_see_does_not_affect_the_next_job(
    server: Script, with_login: Jobs, row: Row
) -> None:
    hidden, seen = (Job.from_row(row(job_id, **NIGHTLY)) for job_id in (5, 7))
    server.answer(NO_ROUTE, released("0.0.23"), MOVED, *LOGIN, PAGE_CANCELS, REFUSED, PAGE_FOUND)
    with pytest.raises(ProxboxError, match=r"may not do this .*/core/jobs/5/"):
        check_cancel(with_login, [hidden])
    check_cancel(with_login, [seen])
    assert server.asked[-2:] == ["GET /core/jobs/5/", "GET /core/jobs/7/"]


def test_an_old_plugin_can_cancel_a_job_by_its_id(server: Script, jobs: Jobs, row: Row) -> None:
    server.answer(page(row(5, status="running")), task(None), NO_ROUTE, NO_ROUTE, released("0.0.23"), PAGE_CANCELS)
    server.answer(status(5, "running"), CANCELLED)
    server.answer(page(row(5, status="failed", error="Cancelled by user.")))
    outcome = cancel_runs(jobs, CancelRuns("", job_id=5), Policy("cancel"))
    assert [job.id for job in outcome.cancelled] == [5]


DELETE = "POST /core/jobs/delete/"


def test_purge_deletes_every_row_that_has_ended(server: Script, with_login: Jobs, row: Row) -> None:
    rows = [row(5, **NIGHTLY), row(3, status="completed")]
    ended = [row(5, status="failed"), row(3, status="completed")]
    server.answer(page(*rows), *LOGIN, MOVED, cancelled(5), page(*ended), MOVED, page())
    outcome = absent(with_login, purge=True)
    assert outcome.plan.changed and outcome.plan.diff()["before"]["rows"] == [3, 5]
    assert [job.id for job in outcome.cancelled] == [5]
    assert server.asked == [NAMED, *LOGGED_IN, DELETE, cancel(5), NAMED, DELETE, NAMED]
    (deleted,) = [body for body in server.bodies if body and "pk" in body]
    assert sorted(deleted.pop("pk")) == ["3", "5"]
    assert deleted == {"confirm": ["true"], "_confirm": ["true"], "csrfmiddlewaretoken": ["session"]}


def test_purge_deletes_nothing_in_check_mode_or_if_there_are_no_rows(
    server: Script, with_login: Jobs, row: Row
) -> None:
    server.answer(page(row(3, status="completed")), *LOGIN, MOVED, page())
    assert absent(with_login, purge=True, check_mode=True).plan.changed
    assert not absent(with_login, purge=True).plan.changed
    # Nothing was selected to be deleted.
    assert server.asked == [NAMED, *LOGGED_IN, DELETE, NAMED] and "pk" not in server.bodies[4]


def test_rows_that_are_not_deleted_are_an_error(server: Script, with_login: Jobs, row: Row) -> None:
    left = page(row(3, status="completed"))
    server.answer(left, *LOGIN, MOVED, MOVED, left)
    with pytest.raises(
        ProxboxError, match=r"still shows 1 of them \(job 3\): check that the user of netbox_username may see"
    ):
        absent(with_login, purge=True)
    assert server.asked == [NAMED, *LOGGED_IN, DELETE, DELETE, NAMED]


def test_rows_that_are_added_while_others_are_deleted_are_deleted_too(
    server: Script, with_login: Jobs, row: Row
) -> None:
    server.answer(page(row(3, status="completed")), *LOGIN, MOVED, MOVED, page(row(4, status="errored")), MOVED, page())
    assert absent(with_login, purge=True).plan.changed
    assert [body["pk"] for body in server.bodies if body and "pk" in body] == [["3"], ["4"]]


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_failed_login_is_an_error_before_a_job_is_cancelled(
    server: Script, with_login: Jobs, row: Row, check_mode: bool
) -> None:
    may_cancel = [CANCELS] if check_mode else []
    server.answer(page(row(5, **NIGHTLY)), *may_cancel, form(), form("login_refused"))
    with pytest.raises(ProxboxError, match="does not accept netbox_username"):
        absent(with_login, purge=True, check_mode=check_mode)
    assert server.asked == [NAMED, *([MAY_CANCEL] if check_mode else []), *LOGGED_IN[:2]]
