# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network faults between the collection and a real NetBox: no schedule is created twice, and none is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from types import SimpleNamespace

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _create, _http, _loop, _observe, _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._declare import Declare, End
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy, TaskResult
from ansible_collections.proxbox.proxbox.plugins.module_utils._schedules import declare
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_at
from proxbox_stack.proxy import HARMS, Proxy, proxy

SEEDS = 100
BATCH = 20

ATTEMPTS = 12
"""How often a user runs a task that fails."""


def make(jobs: Jobs, name: str, interval: int) -> TaskResult:
    """Declare a schedule whose first run is far in the future."""
    at = parse_at("2030-01-01 02:00", UTC)
    return declare(jobs, Declare(name, Scope(frozenset({"devices"})), at, interval), Policy())


def creations(through: Proxy) -> list[str | None]:
    """Return the fault of each request that was sent to create a job."""
    # Read the requests first: a request that comes in the meantime has no fault yet.
    requests = list(through.requests)
    return [
        harm
        for text, harm in zip(requests, through.harms, strict=False)
        if text.startswith("POST /api/plugins/proxbox/sync/schedule/")
    ]


def wait_for_arrivals(netbox: Jobs, name: str, through: Proxy, seed: int) -> None:
    """Wait until NetBox has created a job for each request that has reached it.

    A busy NetBox may take longer than the time-out of the client. A task that runs before that finds no job, and has to
    create another one.
    """
    reached = sum(harm not in ("refused", "reset") for harm in creations(through))
    deadline = time.monotonic() + 60
    while len(netbox.named(name)) < reached:
        assert time.monotonic() < deadline, f"seed {seed}: {reached} requests reached NetBox, but it has fewer jobs"
        time.sleep(0.2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses."""
    clock = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.1)), monotonic=time.monotonic)
    for module in (_create, _loop, _observe, _wait):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(_create, "ARRIVAL", 1.0)
    monkeypatch.setattr(_http, "RETRY_PAUSES", (0.03, 0.1))


@pytest.mark.parametrize("batch", range(SEEDS // BATCH))
def test_no_schedule_is_created_twice_or_lost(
    batch: int, name: str, connect: Callable[..., Jobs], impatient: None
) -> None:
    seeds = range(batch * BATCH, (batch + 1) * BATCH)
    with ThreadPoolExecutor(5) as pool:
        for _result in pool.map(lambda seed: declare_despite_faults(seed, f"{name} {seed}", connect), seeds):
            pass


def declare_despite_faults(seed: int, name: str, connect: Callable[..., Jobs]) -> None:
    """Declare a schedule, change it and end it, with a random fault for many of the requests.

    NetBox creates exactly two jobs, one for each interval that the user declares, whatever is lost and however often
    the user has to try again. No attempt sends more than one request to create a job.
    """
    netbox = connect()
    dice = random.Random(seed)
    with proxy(netbox.session.url) as through:
        through.harm = lambda method, path: dice.choice([None] * 9 + list(HARMS))
        through.late = 1.1
        before = 0
        for minutes in (1440, 60):
            for _attempt in range(ATTEMPTS):
                asked = len(creations(through))
                try:
                    make(connect(through.url, timeout=1), name, minutes)
                    ended_well = True
                except ProxboxError:
                    ended_well = False
                assert len(creations(through)) - asked <= 1, (
                    f"seed {seed}: an attempt sent two requests to create its job"
                )
                wait_for_arrivals(netbox, name, through, seed)
                if ended_well:
                    break
                assert len(netbox.active(name)) >= before, f"seed {seed}: a change that failed left no active job"
            else:
                pytest.fail(f"seed {seed}: {ATTEMPTS} attempts failed")
            assert [job.interval for job in netbox.active(name)] == [minutes], f"seed {seed}"
            before = 1
        made = sorted(job.interval for job in netbox.named(name))
        assert made == [60, 1440], f"seed {seed}: a job was created twice, or was not declared"
        for _attempt in range(ATTEMPTS):
            try:
                declare(connect(through.url, timeout=1), End(name), Policy())
                break
            except ProxboxError:
                continue
    assert netbox.active(name) == [], f"seed {seed}"
    assert len(netbox.named(name)) == len(made), f"seed {seed}: a job was created when the schedule was ended"


def test_the_requests_of_a_task_without_faults(name: str, netbox: Jobs, connect: Callable[..., Jobs]) -> None:
    with proxy(netbox.session.url) as through:
        costs = []
        for _run in range(2):
            make(connect(through.url), name, 1440)
            costs.append([text.split()[0] for text in through.requests])
            through.requests.clear()
        assert costs == [["GET", "POST", "GET"], ["GET"]]
