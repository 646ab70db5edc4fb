# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ten controllers run one task at the same moment, on a real NetBox: there is one schedule."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs

MANY = 10


@pytest.fixture
def playbook(tmp_path: Path, stack: dict[str, Any], name: str) -> Any:
    """Run, so many times at once, a playbook that declares the schedule; return each exit code and output."""

    def run(times: int, *tasks: dict[str, Any]) -> list[tuple[int, str]]:
        running = []
        for number in range(times):
            task = {"proxbox.proxbox.proxbox_sync_schedule": {"name": name, **tasks[number % len(tasks)]}}
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


def the_one(netbox: Jobs, name: str, playbook: Any, task: dict[str, Any]) -> Job:
    """The schedule's only active member, which another run leaves as it is."""
    ((code, text),) = playbook(1, task)
    assert code == 0 and "changed=0" in text, text
    (active,) = netbox.active(name)
    return active


def test_ten_controllers_create_one(netbox: Jobs, name: str, playbook: Any) -> None:
    assert [text for code, text in playbook(MANY, LATER) if code] == []
    assert the_one(netbox, name, playbook, LATER).interval == 1440


def test_ten_controllers_start_one(netbox: Jobs, name: str, playbook: Any, held_backend: None) -> None:
    assert [text for code, text in playbook(MANY, NOW) if code] == []
    assert the_one(netbox, name, playbook, NOW).interval == 1440


def test_ten_controllers_change_one(netbox: Jobs, name: str, playbook: Any) -> None:
    assert playbook(1, {**LATER, "interval": "hourly"})[0][0] == 0
    assert [text for code, text in playbook(MANY, LATER) if code] == []
    assert the_one(netbox, name, playbook, LATER).interval == 1440


def test_two_controllers_that_disagree_leave_one(netbox: Jobs, name: str, playbook: Any) -> None:
    playbook(2, LATER, {**LATER, "interval": "hourly"})
    (active,) = netbox.active(name)
    assert active.interval in (60, 1440)
