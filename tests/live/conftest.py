# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real stack, for tests of what a playbook cannot do: faults, and many controllers at once."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._cancel import cancel_job
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session


@pytest.fixture(scope="session")
def stack() -> dict[str, Any]:
    """The facts that tests/stack reports about the running stack."""
    return json.loads(os.environ["PROXBOX_STACK_FACTS"])


@pytest.fixture(scope="session")
def connect(stack: dict[str, Any]) -> Callable[..., Jobs]:
    """Return a function that connects a controller to NetBox, at NetBox's own address or at another one."""

    def make(url: str = stack["netbox_url"], timeout: float = 30) -> Jobs:
        return Jobs(Session(Connection(url, stack["netbox_token"], timeout=timeout)))

    return make


@pytest.fixture
def netbox(connect: Callable[..., Jobs]) -> Jobs:
    """A direct connection to NetBox."""
    return connect()


@pytest.fixture
def name(netbox: Jobs, request: pytest.FixtureRequest) -> Iterator[str]:
    """A name for the schedule of this test. After the test, all jobs whose names begin with it are cancelled."""
    name = f"it live {time.time_ns() // 1000000} {request.node.name}"[:150]
    yield name
    for job in netbox.active():
        if job.name.startswith(name):
            cancel_job(netbox, job)


@pytest.fixture
def held_backend(stack: dict[str, Any]) -> Iterator[None]:
    """Pause the backend, so that a sync that starts does not end."""
    command = [stack["stack_command"], "{}", "backend", "--name", stack["stack_name"]]
    subprocess.run([word.format("pause") for word in command], check=True, capture_output=True)
    yield
    subprocess.run([word.format("resume") for word in command], check=True, capture_output=True)
