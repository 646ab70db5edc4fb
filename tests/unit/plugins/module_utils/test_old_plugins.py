# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What older releases of netbox-proxbox lack is done in another way, or refused; and NetBox's web pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._engine import TaskResult, cancel_jobs, reconcile
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._pages import Pages
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import plan_absent, plan_present, read_wanted
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import DATE, Answer, Script, page

LIVING = "name=nightly&status=scheduled&status=pending&status=running"
READ = f"GET /api/core/jobs/?{LIVING}&fields=..."
STATUS = "GET /api/status/"
CREATE = "POST /api/plugins/proxbox/sync/schedule/"
POLL = "GET /api/core/jobs/?id=5&fields=..."
NIGHTLY = {"scheduled": "2026-04-11T02:00:00Z", "interval": 1440}
NO_ROUTE = Answer("<html>Page Not Found</html>", 404, "text/html", headers=DATE)
MOVED = Answer("", 302, "text/html", headers={**DATE, "Location": "/elsewhere/"})
CANCELS = Answer("<html>Page Not Found</html>", 404, "text/html", headers=DATE)
"""The page for job 0, which no NetBox has: the token may cancel."""
CANCELLED = Answer("", 302, "text/html", headers={**DATE, "Location": "/core/jobs/5/"})
MAY_CANCEL = "POST /core/jobs/0/proxbox-cancel/"
Row = Callable[..., dict[str, Any]]


def jobs(server: Script, login: bool = False) -> Jobs:
    session = Session(Connection(server.url, "0" * 40, timeout=5))
    return Jobs(session, Pages(session, "automation", "s3cret") if login else None)


def plugin(version: str | None) -> Answer:
    plugins = {"netbox_proxbox": version} if version else {}
    return Answer({"netbox-version": "4.6.0", "plugins": plugins}, headers=DATE)


def form(inside: str = 'name="password"', token: str = "T0ken") -> Answer:
    text = f'<form><input type="hidden" name="csrfmiddlewaretoken" value="{token}"><input {inside}></form>'
    return Answer(text, 200, "text/html", headers=DATE)


def state(status: str) -> Answer:
    return page({"id": 5, "status": {"value": status}})


def present(target: Jobs, interval: str = "daily") -> TaskResult:
    wanted = read_wanted(name="nightly", sync_types=["all"], schedule_at="02:00", interval=interval, timezone="UTC")
    return reconcile(target, "nightly", partial(plan_present, wanted))


def absent(target: Jobs, purge: bool = False, check_mode: bool = False) -> TaskResult:
    decide = partial(plan_absent, "nightly", purge=purge)
    return reconcile(target, "nightly", decide, purge=purge, check_mode=check_mode)


def test_what_lives_is_read_alike_from_every_release(server: Script, row: Row) -> None:
    foreign = row(4, data={"output": "a script of that name"}, object_type="extras.script")
    server.answer(page(foreign, row(5, **NIGHTLY)))
    outcome = present(jobs(server))
    assert not outcome.plan.changed and outcome.job.id == 5
    assert server.asked == [READ]


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.0.10", r"has netbox-proxbox 0.0.10, which schedules nothing over the API: upgrade the plugin to 0.0.11 "),
        ("0.0.5", r"upgrade the plugin to 0.0.11 or newer, best to 0.0.26"),
        ("0.0.29", r"has netbox-proxbox 0.0.29, and yet not the route .*sync/schedule/"),
        (None, r"does not have the plugin netbox-proxbox: install it"),
    ],
)
def test_what_is_too_old_is_refused(server: Script, version: str | None, says: str) -> None:
    server.answer(page(), NO_ROUTE, plugin(version))
    with pytest.raises(ProxboxError, match=says):
        present(jobs(server))
    assert server.asked == [READ, CREATE, STATUS]


def test_the_filters_that_only_the_plugin_knows_are_done_here(server: Script, row: Row) -> None:
    rows = [
        row(9, sync_types=["storage"]),
        row(8, sync_types=["devices", "storage"], status="failed", error="Cancelled via API."),
        row(7, status="errored", sync_types=["all"]),
        row(6, status="completed", sync_types=["devices"]),
    ]
    server.answer(NO_ROUTE, plugin("0.0.25"), page(*rows), page(*rows), page(*rows))
    target = jobs(server)

    def ids(**filters: Any) -> list[int]:
        return [job.id for job in target.search(filters, limit=2, include_log=False)]

    assert ids(sync_type=["devices"]) == [8, 7]
    assert ids(sync_type=["devices"], errored=False) == [6]
    assert ids(errored=True) == [8, 7]
    assert not [text for text in server.requests[2:] if "sync_type" in text or "errored" in text]


def test_a_release_that_cannot_cancel_is_told_before_anything_is_written(server: Script, row: Row) -> None:
    refused = Answer("<html>", 403, "text/html", headers=DATE)
    server.answer(page(row(5, **{**NIGHTLY, "interval": 60})), plugin("0.0.23"), refused)
    with pytest.raises(ProxboxError, match=r"The token's user may not do this.*core\.delete_job"):
        present(jobs(server))
    assert server.asked == [READ, STATUS, MAY_CANCEL]
    server.answers[:] = [page(row(5, **NIGHTLY)), NO_ROUTE, plugin("0.0.23"), refused]
    with pytest.raises(ProxboxError, match=r"The token's user may not do this.*core\.delete_job"):
        absent(jobs(server))


def test_check_mode_tells_that_a_release_cannot_cancel(server: Script, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), plugin("0.0.23"), Answer("<html>", 403, "text/html", headers=DATE))
    with pytest.raises(ProxboxError, match=r"The token's user may not do this.*core\.delete_job"):
        absent(jobs(server), check_mode=True)
    assert server.asked == [READ, STATUS, MAY_CANCEL]


LOGIN = [form(), MOVED, form(token="session")]
LOGGED_IN = ["GET /login/", "POST /login/", "GET /user/preferences/"]


def test_a_release_that_cannot_cancel_does_so_on_its_web_page(server: Script, row: Row) -> None:
    gone = row(5, **NIGHTLY, status="failed", error="Cancelled by user.")
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, plugin("0.0.23"), CANCELS, state("scheduled"))
    server.answer(CANCELLED, state("failed"), page(gone), page())
    outcome = absent(jobs(server))
    assert [job.id for job in outcome.cancelled] == [5]
    tried, cancel = "POST /api/plugins/proxbox/jobs/5/cancel/", "POST /core/jobs/5/proxbox-cancel/"
    assert server.asked == [READ, tried, STATUS, MAY_CANCEL, POLL, cancel, POLL, POLL, READ]


def test_a_release_that_drops_wrong_ids_needs_them_checked(server: Script, row: Row) -> None:
    forbidden = Answer({"detail": "You do not have permission to perform this action."}, 403, headers=DATE)
    server.answer(page(), forbidden, plugin("0.0.22"))
    wanted = read_wanted(name="nightly", sync_types=["all"], schedule_at="02:00", interval="daily", timezone="UTC")
    wanted = replace(wanted, scope=replace(wanted.scope, proxmox_endpoints=frozenset({99})))
    with pytest.raises(ProxboxError, match="view_proxmoxendpoint"):
        reconcile(jobs(server), "nightly", partial(plan_present, wanted))
    assert CREATE not in server.asked


def test_a_web_page_that_did_not_cancel_is_told(server: Script, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), NO_ROUTE, plugin("0.0.23"), CANCELS)
    server.answer(state("scheduled"), CANCELLED, state("scheduled"))
    with pytest.raises(ProxboxError, match="did not cancel the job 5"):
        absent(jobs(server))


def test_a_job_by_its_id_is_cancelled_with_an_old_plugin(server: Script, row: Row) -> None:
    server.answer(page(row(5, status="running")), NO_ROUTE, plugin("0.0.23"), CANCELS, state("running"))
    server.answer(CANCELLED, state("failed"), page(row(5, status="failed", error="Cancelled by user.")))
    outcome = cancel_jobs(jobs(server), job_id=5, name=None)
    assert [job.id for job in outcome.cancelled] == [5]


CHAIN = "GET /api/core/jobs/?name=nightly&fields=..."
DELETE = "POST /core/jobs/delete/"


def test_purge_deletes_every_row_that_has_ended(server: Script, row: Row) -> None:
    rows = [row(5, **NIGHTLY), row(3, status="completed")]
    done = Answer({"ok": True, "status": "failed", "detail": "Job has been cancelled."}, headers=DATE)
    ended = [row(5, status="failed"), row(3, status="completed")]
    server.answer(page(*rows), *LOGIN, MOVED, done, page(), page(*ended), MOVED, page())
    outcome = absent(jobs(server, login=True), purge=True)
    assert outcome.plan.changed and outcome.plan.diff()["before"]["rows"] == [3, 5]
    again = f"GET /api/core/jobs/?{LIVING}&fields=..."
    cancel = "POST /api/plugins/proxbox/jobs/5/cancel/"
    assert server.asked == [CHAIN, *LOGGED_IN, DELETE, cancel, again, CHAIN, DELETE, CHAIN]
    assert server.bodies[8] == {
        "pk": ["5", "3"],
        "confirm": ["true"],
        "_confirm": ["true"],
        "csrfmiddlewaretoken": ["session"],
    }


def test_purge_in_check_mode_and_with_nothing_there(server: Script, row: Row) -> None:
    server.answer(page(row(3, status="completed")), page())
    assert absent(jobs(server, login=True), purge=True, check_mode=True).plan.changed
    assert not absent(jobs(server, login=True), purge=True).plan.changed
    assert server.asked == [CHAIN, CHAIN]


def test_rows_that_stay_are_told(server: Script, row: Row) -> None:
    left = page(row(3, status="completed"))
    server.answer(left, *LOGIN, MOVED, page(), left, MOVED, left)
    with pytest.raises(ProxboxError, match=r"1 of them are still there \(job 3\)"):
        absent(jobs(server, login=True), purge=True)


def test_a_login_that_fails_does_so_before_anything_is_cancelled(server: Script, row: Row) -> None:
    server.answer(page(row(5, **NIGHTLY)), form(), form())
    with pytest.raises(ProxboxError, match="does not accept netbox_username"):
        absent(jobs(server, login=True), purge=True)
    assert server.asked == [CHAIN, *LOGGED_IN[:2]]
