# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ten controllers run the same task at the same moment on a real NetBox. NetBox has one schedule afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs

MANY = 10


@pytest.fixture
def playbook(tmp_path: Path, stack: dict[str, Any], name: str) -> Any:
    """Return a function that runs a playbook several times at once, and returns each exit code and output.

    By default, the playbook declares the schedule.
    """

    def run(times: int, *tasks: dict[str, Any], module: str = "proxbox_sync_schedule") -> list[tuple[int, str]]:
        running = []
        for number in range(times):
            options = tasks[number % len(tasks)]
            named = options if "job_id" in options else {"name": name, **options}
            task = {f"proxbox.proxbox.{module}": named}
            path = tmp_path / f"play{number}.yml"
            path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
            running.append(
                subprocess.Popen(
                    ["ansible-playbook", str(path)],
                    env={**os.environ, "NETBOX_URL": stack["netbox_url"], "NETBOX_TOKEN": stack["netbox_token"]},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        said = [process.communicate(timeout=300)[0] for process in running]
        return [(process.returncode, text) for process, text in zip(running, said, strict=True)]

    return run


LATER = {"schedule_at": "2030-01-01 02:00", "interval": "daily", "sync_types": ["devices"], "job_retention": 0}
NOW = {"interval": "daily", "sync_types": ["devices"]}


def only_active_job(netbox: Jobs, name: str, playbook: Any, task: dict[str, Any]) -> Job:
    """Run the task once more, check that it changes nothing, and return the only active job of the schedule."""
    ((code, text),) = playbook(1, task)
    assert code == 0 and "changed=0" in text, text
    (active,) = netbox.active(name)
    return active


def test_ten_controllers_create_one_schedule(netbox: Jobs, name: str, playbook: Any) -> None:
    assert [text for code, text in playbook(MANY, LATER) if code] == []
    assert only_active_job(netbox, name, playbook, LATER).interval == 1440


def test_ten_controllers_start_one_schedule(netbox: Jobs, name: str, playbook: Any, held_backend: None) -> None:
    assert [text for code, text in playbook(MANY, NOW) if code] == []
    assert only_active_job(netbox, name, playbook, NOW).interval == 1440


def test_ten_controllers_change_one_schedule(netbox: Jobs, name: str, playbook: Any) -> None:
    assert playbook(1, {**LATER, "interval": "hourly"})[0][0] == 0
    assert [text for code, text in playbook(MANY, LATER) if code] == []
    assert only_active_job(netbox, name, playbook, LATER).interval == 1440


def test_two_controllers_with_different_intervals_leave_one_schedule(netbox: Jobs, name: str, playbook: Any) -> None:
    playbook(2, LATER, {**LATER, "interval": "hourly"})
    (active,) = netbox.active(name)
    assert active.interval in (60, 1440)


@pytest.mark.parametrize("by_id", [True, False])
def test_ten_controllers_that_cancel_a_run_keep_one_schedule(
    netbox: Jobs, name: str, playbook: Any, held_backend: None, by_id: bool
) -> None:
    assert playbook(1, NOW)[0][0] == 0
    (first,) = netbox.active(name)
    deadline = time.monotonic() + 60
    while netbox.status(first.id) != "running":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    cancel = {"state": "cancelled", **({"job_id": first.id} if by_id else {})}
    assert [text for code, text in playbook(MANY, cancel, module="proxbox_job") if code] == []
    (next_run,) = netbox.active(name)
    assert next_run.interval == 1440 and next_run.scheduled and netbox.get(first.id).cancelled


def test_ten_controllers_that_join_start_one_sync(netbox: Jobs, name: str, playbook: Any, held_backend: None) -> None:
    # No other test syncs these types, so there is no earlier run that the tasks could return.
    join = {"sync_types": ["sdn", "task-history"], "if_running": "join", "max_age": 60, "wait": False}
    assert [text for code, text in playbook(MANY, join, module="proxbox_job") if code] == []
    assert len(netbox.active(name)) == 1
