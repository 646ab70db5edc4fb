# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of the stack, and its second Proxmox."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proxbox_stack import probes


@pytest.fixture
def command(stack: dict[str, Any]) -> Callable[..., str]:
    """Return a function that runs a command of tests/stack and returns its output."""

    def run(*words: str) -> str:
        whole = [stack["stack_command"], *words, "--name", stack["stack_name"]]
        return subprocess.run(whole, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture
def call(stack: dict[str, Any]) -> Callable[..., Any]:
    """Return a function that sends a request to NetBox's REST API as a superuser."""
    headers = {"Authorization": f"Bearer {stack['netbox_superuser_token']}"}

    def request(method: str, route: str, body: dict[str, Any] | None = None) -> Any:
        return probes.call(method, f"{stack['netbox_url']}/api/{route}", body, headers)

    return request


@pytest.fixture
def sync(call: Callable[..., Any], name: str) -> Callable[..., dict[str, Any]]:
    """Return a function that starts a sync, waits until its job has a status, and returns its row."""

    def run(until: str = "completed", **body: Any) -> dict[str, Any]:
        job = call("POST", "plugins/proxbox/sync/schedule/", {"job_name": name, **body})["job_id"]
        deadline = time.monotonic() + 180
        while (row := call("GET", f"core/jobs/{job}/"))["status"]["value"] != until:
            assert time.monotonic() < deadline, row
            time.sleep(1)
        return row

    return run


@pytest.fixture
def west(stack: dict[str, Any], call: Callable[..., Any]) -> Iterator[int]:
    """Enable the endpoint of the second Proxmox, and return its id."""
    route = f"plugins/proxbox/endpoints/proxmox/{stack['proxmox_endpoint_west_id']}/"
    call("PATCH", route, {"enabled": True})
    yield stack["proxmox_endpoint_west_id"]
    call("PATCH", route, {"enabled": False})


@pytest.fixture
def told_to_fail(command: Callable[..., str]) -> Iterator[None]:
    # The plugin does not try again after HTTP 400, so the test takes only seconds.
    command("fail", "backend", "backups/all", "--status", "400", "--detail", "so it was told")
    yield
    command("heal", "backend")


def test_a_fault_is_shown_in_the_status_and_in_the_log_of_the_sync(
    command: Callable[..., str], sync: Callable[..., dict[str, Any]], told_to_fail: None
) -> None:
    assert json.loads(command("status", "--json"))["components"]["proxy"]["faults"] == ["backups/all: 400"]
    row = sync(sync_types=["vm-backups"])
    assert "so it was told" in json.dumps(row["log_entries"]), row
    command("heal", "backend")
    assert json.loads(command("status", "--json"))["components"]["proxy"]["faults"] == []


def test_the_second_proxmox_syncs_as_soon_as_it_is_enabled(sync: Callable[..., dict[str, Any]], west: int) -> None:
    row = sync(sync_types=["devices"], proxmox_endpoint_ids=[west])
    (stage,) = row["data"]["proxbox_sync"]["response"]["stages"]
    assert (stage["endpoint_id"], stage["result_summary"]["ok"]) == (str(west), True)


def test_kill_workhorse_does_not_end_the_worker(
    command: Callable[..., str], call: Callable[..., Any], sync: Callable[..., dict[str, Any]], held_backend: None
) -> None:
    def worker() -> dict[str, Any]:
        return json.loads(command("status", "--json"))["components"]["worker"]

    before = worker()
    row = sync("running", sync_types=["devices"])
    command("kill", "workhorse")
    time.sleep(2)
    assert worker() == before
    assert call("GET", f"core/jobs/{row['id']}/")["status"]["value"] == "running"
    with pytest.raises(subprocess.CalledProcessError):
        command("kill", "workhorse")


def test_timeout_ends_a_job_after_the_given_time(
    command: Callable[..., str], call: Callable[..., Any], name: str
) -> None:
    command("pause", "worker")
    try:
        job = call("POST", "plugins/proxbox/sync/schedule/", {"job_name": name, "sync_types": ["devices"]})["job_id"]
        command("timeout", str(job), "20")
    finally:
        command("resume", "worker")
    deadline = time.monotonic() + 60
    while (row := call("GET", f"core/jobs/{job}/"))["status"]["value"] != "errored":
        assert time.monotonic() < deadline, row
        time.sleep(1)
    assert "deadline reached" in row["error"], row
