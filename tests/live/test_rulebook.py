# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source and the rulebook under the real ansible-rulebook, from the archive of a release."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.module_utils._cancel import cancel_job
from ansible_collections.proxbox.proxbox.plugins.module_utils._create import create_job
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job, NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs

SHIPPED = Path("extensions", "eda", "rulebooks", "failed_sync.yml")
DEVICES = Scope(sync_types=frozenset({"devices"}))
AGAIN = "The source asks again until NetBox answers."


class Rulebook:
    """ansible-rulebook with the installed collection."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self._output = folder / "output"
        (folder / "inventory.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")

    @property
    def output(self) -> str:
        """The output of ansible-rulebook."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that the engine has received from the source."""
        return [ast.literal_eval(text) for text in re.findall(r"^Event:\n(.*?)^\*{20,}$", self.output, re.M | re.S)]

    def start(self, rulebook: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a rulebook."""
        command = ["ansible-rulebook", "--rulebook", rulebook, "--inventory", str(self.folder / "inventory.yml")]
        program = Path(self.environment["PATH"].split(":")[0], command[0])
        with self._output.open("wb") as output:
            return subprocess.Popen(
                [str(program), *command[1:], "--print-events", *options],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(self, rulebook: str, *options: str) -> int:
        """Run a rulebook that ends by itself, and return the exit code."""
        process = self.start(rulebook, *options)
        try:
            return process.wait(timeout=60)
        finally:
            process.kill()


@pytest.fixture
def rulebook(stack: dict[str, Any], tmp_path: Path) -> Rulebook:
    """ansible-rulebook, with the collection as ansible-galaxy installs it."""
    found = json.loads(os.environ["PROXBOX_RULEBOOK"])
    if "missing" in found:
        pytest.skip(found["missing"])
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{found['programs']}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "NETBOX_URL": stack["netbox_url"],
        "NETBOX_TOKEN": stack["netbox_token"],
        "PYTHONUNBUFFERED": "1",
    }
    install = [f"{found['programs']}/ansible-galaxy", "collection", "install", found["archive"]]
    subprocess.run([*install, "-p", environment["ANSIBLE_COLLECTIONS_PATH"]], env=environment, check=True)
    return Rulebook(tmp_path, environment)


@pytest.fixture
def call(stack: dict[str, Any]) -> Iterator[Callable[..., None]]:
    """Return a function that runs a command of tests/stack."""

    def call_stack(*words: str, script: str = "") -> None:
        command = [stack["stack_command"], words[0], "--name", stack["stack_name"], *words[1:]]
        subprocess.run(command, input=script.encode(), check=True, capture_output=True)

    yield call_stack
    call_stack("heal", "backend")
    call_stack("resume", "backend")


def wait_for(what: Callable[[], Any], rulebook: Rulebook, seconds: float = 120) -> Any:
    """Wait until a function returns a true value, and return the value."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, rulebook.output
        time.sleep(0.5)
    return found


def test_each_event_comes_once_even_if_netbox_restarts(
    rulebook: Rulebook, netbox: Jobs, name: str, stack: dict[str, Any], call: Callable[..., None]
) -> None:
    """The action of the shipped rulebook is replaced by a playbook, because the test has no automation controller."""
    installed = rulebook.folder / "collections" / "ansible_collections" / "proxbox" / "proxbox" / SHIPPED
    (ruleset,) = yaml.safe_load(installed.read_text())
    done = rulebook.folder / "done.json"
    copy = {"content": "{{ ansible_eda.event | to_json }}", "dest": str(done)}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.copy": copy}]}
    (rulebook.folder / "play.yml").write_text(yaml.safe_dump([play]))
    ruleset["rules"][0]["action"] = {"run_playbook": {"name": str(rulebook.folder / "play.yml")}}
    # The sync may end before the engine has started.
    ruleset["sources"][0]["proxbox.proxbox.sync_jobs"] |= {"timeout": 5, "lookback": "10m"}
    (rulebook.folder / "rules.yml").write_text(yaml.safe_dump([ruleset]))
    variables = {
        "proxbox_netbox_url": rulebook.environment.pop("NETBOX_URL"),
        "proxbox_netbox_token": rulebook.environment.pop("NETBOX_TOKEN"),
        "proxbox_names": [f"{name}*"],
        "proxbox_delay": 1,
    }
    (rulebook.folder / "vars.yml").write_text(yaml.safe_dump(variables))
    call("fail", "backend", "dcim/devices/create", "--status", "500", "--detail", "no space left on device")
    process = rulebook.start("rules.yml", "--vars", "vars.yml")

    def job(job_name: str, status: str) -> Job | None:
        return next((job for job in netbox.active(job_name) if job.status == status), None)

    def told(kind: str) -> list[str]:
        return [event["name"] for event in rulebook.events if event["type"] == kind]

    try:
        create_job(netbox, NewJob(name, DEVICES, interval=600))
        wait_for(lambda: job(name, "running"), rulebook)
        # The sync fails while NetBox restarts, or just before.
        call("restart", "netbox")
        wait_for(lambda: told("ended"), rulebook)
        event = wait_for(lambda: done.exists() and json.loads(done.read_text() or "null"), rulebook)
        assert event["job"]["outcome"] == "failed"
        assert [(stage["sync_type"], stage["status"]) for stage in event["job"]["stages"]] == [("devices", "failed")]
        assert "no space left on device" in event["message"]
        assert rulebook.output.count(AGAIN) == 1

        call("pause", "backend")
        held = f"{name} held"
        create_job(netbox, NewJob(held, DEVICES))
        run = wait_for(lambda: job(held, "running"), rulebook)
        successor = wait_for(lambda: job(name, "scheduled"), rulebook)
        # Move the times of both jobs to the past.
        script = (
            f"run = Job.objects.get(pk={run.id})\n"
            "run.started = run.created.replace(year=2025)\n"
            "run.save()\n"
            f"Job.objects.filter(pk={successor.id}).update(scheduled='2026-01-01T00:00:00Z')\n"
        )
        call("shell", script=script)
        wait_for(lambda: told("overdue") and told("running_too_long"), rulebook)
        cancel_job(netbox, run)
        cancel_job(netbox, successor)
        wait_for(lambda: told("gone"), rulebook)
        time.sleep(3)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
    found = Counter((event["type"], event["name"], event["job"]["outcome"]) for event in rulebook.events)
    assert found == {
        ("ended", name, "failed"): 1,
        ("overdue", name, None): 1,
        ("running_too_long", held, None): 1,
        ("ended", held, "cancelled"): 1,
        ("ended", name, "cancelled"): 1,
        ("gone", name, "cancelled"): 1,
    }
    assert stack["netbox_token"] not in rulebook.output


def test_a_wrong_token_ends_the_rulebook(rulebook: Rulebook, stack: dict[str, Any]) -> None:
    """The source is loaded from a folder, as during its development."""
    token = "nbt_" + "x" * 12 + "." + "y" * 40
    ruleset = {
        "name": "one",
        "hosts": "localhost",
        "sources": [{"sync_jobs": {"netbox_token": token}}],
        "rules": [{"name": "any", "condition": "event.type is defined", "action": {"print_event": {}}}],
    }
    (rulebook.folder / "rules.yml").write_text(yaml.safe_dump([ruleset]))
    folder = Path(__file__).resolve().parents[2] / "extensions" / "eda" / "plugins" / "event_source"
    assert rulebook.run("rules.yml", "--source-dir", str(folder)) != 0
    assert "NetBox does not accept the token" in rulebook.output
    assert token not in rulebook.output and "Traceback" not in rulebook.output


def test_the_rulebook_of_the_collection_is_valid(rulebook: Rulebook) -> None:
    """ansible-rulebook accepts the rulebook. It fails only because the test has no automation controller."""
    assert rulebook.run("proxbox.proxbox.failed_sync") != 0
    assert "has an action run_job_template which needs controller url and token" in rulebook.output
