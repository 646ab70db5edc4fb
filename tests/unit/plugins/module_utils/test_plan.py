# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan: what it changes, which runs may end by themselves, and its diff."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Observation, Plan
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit.conftest import FOREIGN, NIGHTLY, make_job

NOW = datetime(2026, 4, 10, 10, 0, tzinfo=UTC)
HOURLY = NewJob("nightly", Scope(), datetime(2026, 4, 10, 11, 0, tzinfo=UTC), 60)


def job(job_id: int = 1, status: str = "scheduled", **changes: Any) -> Job:
    return make_job(job_id, status, **{**NIGHTLY, **changes})


def test_what_runs_may_end_first() -> None:
    running, scheduled = job(1, "running"), job(2)
    dead = job(3, "running", dead="its worker is gone")
    plan = Plan("nightly", cancel=(running, scheduled, dead)).letting_runs_end([])
    assert plan.wait_for == (running,) and plan.cancel == (scheduled, dead)
    assert Plan("nightly", cancel=(running, scheduled)).letting_runs_end([1]).cancel == (running, scheduled)
    # Nothing is written for a run that leaves no successor.
    assert Plan("nightly", cancel=(running,)).letting_runs_end([]).changed
    once = Plan("nightly", cancel=(running._replace(interval=None),)).letting_runs_end([])
    assert not once.changed and not once.done


def test_what_a_plan_changes() -> None:
    kept = Plan("nightly", keep=job())
    assert kept.done and not kept.changed and kept.after() == job()
    for plan in (kept._replace(create=HOURLY), kept._replace(cancel=(job(2),)), kept._replace(delete=(2,))):
        assert plan.changed and not plan.done
    assert kept._replace(create=HOURLY).after() == HOURLY and Plan("nightly").after() is None


def test_the_diff_tells_what_changes() -> None:
    settings = {
        "name": "nightly",
        "state": "present",
        "sync_types": ["all"],
        "proxmox_endpoints": [],
        "netbox_endpoints": [],
    }
    before = {**settings, "interval": 1440, "scheduled": "Sat 11 Apr 2026 02:00 UTC"}
    assert Plan("nightly", create=HOURLY, cancel=(job(2), job(1))).diff() == {
        "before": {**before, "duplicates": [2]},
        "after": {**settings, "interval": 60, "scheduled": "Fri 10 Apr 2026 11:00 UTC"},
    }
    assert Plan("nightly", keep=job(2), cancel=(job(3),), wait_for=(job(1),)).diff() == {
        "before": {**before, "duplicates": [1, 3]},
        "after": before,
    }
    berlin, names = parse_timezone("Europe/Berlin"), {("proxmox", 1): "pve-lab"}
    one = NewJob("nightly", Scope(proxmox_endpoints=frozenset({1, 2})), NOW, 60)
    after = Plan("nightly", create=one).diff(berlin, lambda kind, number: names.get((kind, number), number))["after"]
    assert after["proxmox_endpoints"] == ["pve-lab", 2]
    assert after["scheduled"] == "Fri 10 Apr 2026 12:00 Europe/Berlin (10:00 UTC)"
    now = {**settings, "interval": None, "scheduled": "at once"}
    assert Plan("nightly", create=NewJob("nightly", Scope())).diff()["after"] == now
    assert Plan("nightly").diff()["before"] == {"name": "nightly", "state": "absent"}
    assert Plan("nightly", delete=(5, 3)).diff() == {
        "before": {"name": "nightly", "state": "absent", "rows": [3, 5]},
        "after": {"name": "nightly", "state": "absent", "rows": []},
    }


def test_the_syncs_that_were_observed() -> None:
    others = [job(2, name="other"), job(1, **FOREIGN), job(3, data=None)]
    seen = Observation((job(9), *others, job(4, "completed")), NOW)
    assert [each.id for each in seen.syncs("nightly")] == [4, 9]
    assert [each.id for each in seen.syncs()] == [2, 4, 9]


def test_the_diff_of_a_pause() -> None:
    assert Plan("nightly").diff(without_job="paused")["after"] == {"name": "nightly", "state": "paused"}
