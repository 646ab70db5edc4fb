# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is checked before a plan is carried out, and with which requests."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._check import check_before
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Plan, Policy
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    CANCELS,
    DENIED,
    MAY_CANCEL,
    NIGHTLY,
    RELEASE,
    RELEASED,
    Answer,
    Script,
    make_job,
    page,
    recorded_answer,
    released,
)

ENDPOINTS = page({"id": 1, "name": "pve-lab", "enabled": True}, {"id": 2, "name": "pve-spare", "enabled": False})
PROXMOX = "GET /api/plugins/proxbox/endpoints/proxmox/?fields=..."
REAL, CHECK_MODE = Policy(), Policy(check_mode=True)


def job(job_id: int = 5, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{**NIGHTLY, **changes})


RUNNING, ONCE = job(status="running"), job(status="running", interval=None)
KEEP = Plan("nightly", keep=job())
CREATE = Plan("nightly", create=NewJob("nightly", Scope()))
CHANGE = Plan("nightly", create=NewJob("nightly", Scope()), cancel=(job(),))
CANCEL = Plan("nightly", cancel=(job(),))


@pytest.mark.parametrize(
    ("plan", "real", "check_mode"),
    [
        (KEEP, [], []),
        (CREATE, [], [RELEASE]),
        (CHANGE, [MAY_CANCEL], [RELEASE, MAY_CANCEL]),
        # The first cancel finds out.
        (CANCEL, [], [MAY_CANCEL]),
        # The successor will have to be cancelled.
        (Plan("nightly", wait_for=(RUNNING,)), [MAY_CANCEL], [MAY_CANCEL]),
        (Plan("nightly", wait_for=(ONCE,)), [], []),
        (Plan("nightly", cancel=(job(),), wait_for=(ONCE,)), [MAY_CANCEL], [MAY_CANCEL]),
    ],
)
def test_what_is_asked_before(server: Script, jobs: Jobs, plan: Plan, real: list[str], check_mode: list[str]) -> None:
    for policy, asked in ((REAL, real), (CHECK_MODE, check_mode)):
        answers = {RELEASE: RELEASED, MAY_CANCEL: CANCELS}
        server.answers[:] = [answers[text] for text in asked]
        server.requests.clear()
        assert check_before(Jobs(jobs.session), plan, policy) == ()
        assert server.asked == asked


def test_a_permission_is_asked_once(server: Script, jobs: Jobs) -> None:
    server.answer(CANCELS)
    for _schedule in range(3):
        check_before(jobs, CHANGE, REAL)
    assert server.asked == [MAY_CANCEL]


@pytest.mark.parametrize(
    ("plan", "answers", "says"),
    [
        (CANCEL, [DENIED], "core.delete_job"),
        (CHANGE, [RELEASED, DENIED], "core.delete_job"),
        (CREATE, [recorded_answer("wrong_token_v2")], "NetBox does not accept the token"),
        (CANCEL, [recorded_answer("wrong_token_v2")], "NetBox does not accept the token"),
    ],
)
def test_check_mode_tells_what_a_real_run_would_be_refused(
    server: Script, jobs: Jobs, plan: Plan, answers: list[Answer], says: str
) -> None:
    server.answer(*answers)
    with pytest.raises(ProxboxError, match=says):
        check_before(jobs, plan, CHECK_MODE)


@pytest.mark.parametrize("policy", [REAL, CHECK_MODE])
def test_rows_are_deleted_by_a_login(server: Script, jobs: Jobs, policy: Policy) -> None:
    with pytest.raises(ProxboxError, match="set netbox_username and netbox_password"):
        check_before(jobs, Plan("nightly", delete=(5,)), policy)
    assert server.asked == []


@pytest.mark.parametrize("policy", [REAL, CHECK_MODE])
def test_a_disabled_endpoint_is_refused_for_a_new_job_only(server: Script, jobs: Jobs, policy: Policy) -> None:
    server.answer(*([RELEASED] if policy.check_mode else []), ENDPOINTS)
    new = NewJob("nightly", Scope(proxmox_endpoints=frozenset({1, 2})))
    with pytest.raises(ProxboxError, match=r"The Proxmox endpoint 'pve-spare' \(2\) is disabled"):
        check_before(jobs, Plan("nightly", create=new), policy)
    assert server.asked[-1] == PROXMOX
    kept = Plan("nightly", keep=job(proxmox_endpoint_ids=[1, 2]))
    assert check_before(jobs, kept, policy) == (
        "the Proxmox endpoint 'pve-spare' is disabled in NetBox: runs of 'nightly' leave it out",
    )
    assert check_before(jobs, Plan("nightly", keep=job(proxmox_endpoint_ids=[1])), policy) == ()


def test_an_unchanged_schedule_with_endpoint_ids_costs_no_request(server: Script, jobs: Jobs) -> None:
    assert check_before(jobs, Plan("nightly", keep=job(proxmox_endpoint_ids=[2])), REAL) == ()
    assert server.asked == []


def test_a_sync_type_that_no_known_release_has(server: Script, jobs: Jobs) -> None:
    new = NewJob("nightly", Scope(frozenset({"foo", "bar", "devices", "sdn"})))
    plan = Plan("nightly", create=new)
    server.answer(RELEASED)
    (warning,) = check_before(jobs, plan, CHECK_MODE)
    assert warning.startswith("NetBox may refuse the sync types bar, foo, and check mode cannot ask it. ")
    assert "takes all, backup-routines, " in warning
    assert check_before(jobs, plan, REAL) == (), "the POST tells"
    known = NewJob("nightly", Scope(frozenset({"devices", "sdn"})))
    assert check_before(jobs, Plan("nightly", create=known), CHECK_MODE) == ()


def test_a_refused_cancel_is_asked_for_once(server: Script, jobs: Jobs) -> None:
    server.answer(DENIED)
    for _schedule in range(3):
        with pytest.raises(ProxboxError, match=r"core\.delete_job"):
            check_before(jobs, CANCEL, CHECK_MODE)
    assert server.asked == [MAY_CANCEL]


def test_check_mode_knows_the_sync_types_of_an_old_plugin(server: Script, jobs: Jobs) -> None:
    server.answer(released("0.0.12", netbox="4.6.8"))
    sdn = Plan("nightly", create=NewJob("nightly", Scope(frozenset({"sdn"}))))
    (warning,) = check_before(jobs, sdn, CHECK_MODE)
    assert warning.startswith("NetBox may refuse the sync types sdn") and "netbox-proxbox 0.0.12 takes all," in warning
