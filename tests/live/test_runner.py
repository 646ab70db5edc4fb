# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks under ansible-runner, as AWX runs them: answers of a survey, a credential, events."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"
BLANKS: dict[str, Any] = {"empty": "", "null": None}


class Run:
    """A run of ansible-runner that has ended."""

    def __init__(self, folder: Path, code: int) -> None:
        self.code = code
        self._artifacts = folder / "artifacts" / "run"

    @property
    def status(self) -> str:
        """The status of the run in ansible-runner."""
        return (self._artifacts / "status").read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, in their order."""
        files = sorted((self._artifacts / "job_events").glob("*-*.json"), key=lambda path: int(path.name.split("-")[0]))
        return [json.loads(path.read_text()) for path in files if "partial" not in path.name]

    @property
    def output(self) -> str:
        """The output of the playbook."""
        return (self._artifacts / "stdout").read_text()

    def result(self, task: str) -> dict[str, Any]:
        """The result of a task."""
        (found,) = [
            event["event_data"]["res"]
            for event in self.events
            if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["task"] == task
        ]
        return found

    def stats(self) -> dict[str, Any]:
        """The values of set_stats, which a workflow passes on."""
        (found,) = [event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"]
        return found.get("artifact_data", {})


class Runner:
    """ansible-runner, with the environment of a credential."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._numbers = itertools.count()

    def start(self, playbook: str, answers: dict[str, Any]) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a playbook of the collection."""
        return self._start([{"import_playbook": f"proxbox.proxbox.{playbook}"}], answers)

    def _start(self, plays: list[dict[str, Any]], answers: dict[str, Any]) -> tuple[subprocess.Popen[bytes], Path]:
        folder = self._folder / str(next(self._numbers))
        for name, content in (
            ("project/play.yml", json.dumps(plays)),
            ("inventory/hosts", "localhost ansible_connection=local\n"),
            ("env/extravars", json.dumps(answers)),
            ("env/envvars", json.dumps(self._environment)),
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        program = Path(sys.executable).with_name("ansible-runner")
        command = [str(program), "run", str(folder), "--playbook", "play.yml", "--ident", "run", "--quiet"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), folder

    def run(self, playbook: str, **answers: Any) -> Run:
        """Run a playbook to its end."""
        process, folder = self.start(playbook, answers)
        return Run(folder, process.wait(timeout=600))

    def run_tasks(self, tasks: list[dict[str, Any]], **answers: Any) -> Run:
        """Run tasks on localhost."""
        python = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        process, folder = self._start(
            [{"hosts": "localhost", "gather_facts": False, "vars": python, "tasks": tasks}], answers
        )
        return Run(folder, process.wait(timeout=600))


@pytest.fixture
def runner(stack: dict[str, Any], tmp_path: Path) -> Runner:
    """ansible-runner with NetBox's address and token in the environment, as a credential type injects them."""
    program = Path(sys.executable).with_name("ansible-playbook")
    return Runner(
        tmp_path,
        {
            "NETBOX_API": stack["netbox_url"],
            "NETBOX_TOKEN": stack["netbox_token"],
            "NETBOX_VALIDATE_CERTS": "True",
            "NETBOX_CA_PATH": "",
            "NETBOX_CLIENT_CERT": "",
            "NETBOX_CLIENT_KEY": "",
            "PATH": f"{program.parent}:/usr/bin:/bin",
        },
    )


def variables(playbook: str) -> set[str]:
    """The variables that a playbook reads."""
    (play,) = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text())
    return set(re.findall(r"\bproxbox_\w+(?= \| default)", json.dumps(play)))


@pytest.fixture
def active(netbox: Jobs, name: str) -> Callable[[], list[Any]]:
    """Return a function that reads the active jobs of the test."""
    return lambda: [job for job in netbox.active() if job.name.startswith(name)]


@pytest.mark.parametrize("blank", BLANKS)
def test_each_answer_about_a_schedule_may_be_blank(
    runner: Runner, name: str, active: Callable[[], list[Any]], blank: str
) -> None:
    others = dict.fromkeys(variables("schedule") - {"proxbox_schedule_name"}, BLANKS[blank])
    later = {"proxbox_schedule_at": "02:00", "proxbox_interval": "daily"}
    first = runner.run("schedule", **{**others, **later, "proxbox_schedule_name": name})
    assert first.code == 0, first.output
    again = runner.run("schedule", **{**others, **later, "proxbox_schedule_name": name})
    assert not again.result("Declare the schedule")["changed"]
    (job,) = active()
    assert job.scope.sync_types == {"all"} and job.interval == 1440
    ended = runner.run("cancel", **{
        **dict.fromkeys(variables("cancel"), BLANKS[blank]),
        "proxbox_cancel_job_id": str(job.id),
        "proxbox_keep_schedule": "false",
    })  # fmt: skip
    assert ended.code == 0 and not active(), ended.output


@pytest.mark.parametrize("blank", BLANKS)
def test_each_answer_about_schedules_may_be_blank(
    runner: Runner, name: str, active: Callable[[], list[Any]], blank: str
) -> None:
    others = dict.fromkeys(variables("schedules") - {"proxbox_schedules"}, BLANKS[blank])
    schedules = f"- name: {name}\n  schedule_at: 02:00\n  interval: daily\n"
    done = runner.run("schedules", **others, proxbox_schedules=schedules)
    assert done.code == 0, done.output
    (job,) = active()
    assert job.scope.sync_types == {"all"} and job.interval == 1440


def test_each_answer_about_a_sync_may_be_blank(runner: Runner) -> None:
    done = runner.run("sync", **dict.fromkeys(variables("sync"), ""))
    assert done.code == 0, done.output
    job = done.result("Run the sync")["job"]
    assert (job["sync_types"], job["outcome"]) == (["all"], "succeeded")


@pytest.mark.parametrize("blank", BLANKS)
def test_each_answer_about_a_report_may_be_blank(runner: Runner, name: str, blank: str) -> None:
    answers = dict.fromkeys(variables("report"), BLANKS[blank])
    done = runner.run("report", **answers)
    assert done.code == 0 and "Proxbox sync schedules, " in done.output, done.output
    failed = runner.run("report", **{**answers, "proxbox_report_names": f"{name}\n", "proxbox_report_fail": "true"})
    assert failed.code and f"{name} is gone: NetBox has no active job of it" in failed.output
    assert failed.stats()["proxbox_report_unwell"] == [name]
    assert "1 gone" in failed.stats()["proxbox_report_summary"]


def test_lists_in_a_textarea_are_read(
    runner: Runner, stack: dict[str, Any], name: str, active: Callable[[], list[Any]]
) -> None:
    endpoint = stack["proxmox_endpoint"]
    text = f"- name: {name}\n  schedule_at: 02:00\n  interval: daily\n  sync_types: [devices, storage]\n  state:\n"
    assert runner.run("schedules", proxbox_schedules=text, proxbox_timezone="Europe/Berlin").code == 0
    (job,) = active()
    assert job.scope.sync_types == {"devices", "storage"}
    done = runner.run(
        "schedule",
        proxbox_schedule_name=name,
        proxbox_schedule_at="02:00",
        proxbox_interval="daily",
        proxbox_timezone="Europe/Berlin",
        proxbox_sync_types="devices\nstorage\n",
        proxbox_proxmox_endpoints=f"{endpoint}\n",
        proxbox_wait_timeout="600",
        # The user of the credential may not see endpoints.
        proxbox_netbox_token=stack["netbox_superuser_token"],
    )
    assert done.code == 0, done.output
    (job,) = active()
    assert job.scope.proxmox_endpoints == {stack["proxmox_endpoint_id"]}


def test_a_blank_list_ends_no_schedule(runner: Runner, name: str, active: Callable[[], list[Any]]) -> None:
    later = {"proxbox_schedule_at": "02:00", "proxbox_interval": "daily"}
    assert runner.run("schedule", proxbox_schedule_name=name, **later).code == 0
    for blank in ("", None):
        failed = runner.run("schedules", proxbox_schedules=blank, proxbox_purge_unlisted="true")
        assert failed.code and "missing required arguments: schedules" in failed.output
    assert len(active()) == 1


def test_a_sync_shows_its_progress_and_no_secret(runner: Runner, stack: dict[str, Any], name: str) -> None:
    done = runner.run("sync", proxbox_sync_name=name, proxbox_sync_types="devices", proxbox_max_age="")
    assert done.code == 0, done.output
    lines = [event for event in done.events if event["event"] == "verbose" and "devices: " in event["stdout"]]
    started, ended = (
        next(
            event["created"]
            for event in done.events
            if event["event"] == kind and event["event_data"]["task"] == "Run the sync"
        )
        for kind in ("playbook_on_task_start", "runner_on_ok")
    )
    assert lines and all(started < event["created"] < ended for event in lines)
    assert done.stats() == {"proxbox_job_id": done.result("Run the sync")["job"]["id"], "proxbox_outcome": "succeeded"}
    # ansible-runner writes the environment only to a file in which it masks secrets, and AWX does not show this file.
    told = "".join(json.dumps(event) for event in done.events) + done.output
    assert stack["netbox_token"] not in told and stack["netbox_token"].partition(".")[2] not in told


def test_a_failed_sync_passes_on_its_outcome(runner: Runner, stack: dict[str, Any], name: str) -> None:
    command = [
        stack["stack_command"],
        "fail",
        "backend",
        "dcim/devices/create",
        "--status",
        "500",
        "--name",
        stack["stack_name"],
    ]
    subprocess.run(command, check=True, capture_output=True)
    try:
        done = runner.run("sync", proxbox_sync_name=name, proxbox_sync_types="devices")
    finally:
        subprocess.run(
            [stack["stack_command"], "heal", "backend", "--name", stack["stack_name"]], check=True, capture_output=True
        )
    assert done.code and done.status == "failed"
    assert done.stats()["proxbox_outcome"] == "failed"


def test_the_next_run_completes_what_a_cancelled_run_left(
    runner: Runner, netbox: Jobs, name: str, active: Callable[[], list[Any]], held_backend: None
) -> None:
    first = runner.run("schedule", proxbox_schedule_name=name, proxbox_interval="daily", proxbox_sync_types="devices")
    assert first.code == 0, first.output
    deadline = time.monotonic() + 120
    while [job.status for job in active()] != ["running"]:
        assert time.monotonic() < deadline
        time.sleep(1)
    (run,) = active()
    change = {"proxbox_schedule_name": name, "proxbox_interval": "weekly", "proxbox_sync_types": "devices"}
    process, folder = runner.start("schedule", change)
    while len(active()) < 2:
        assert process.poll() is None and time.monotonic() < deadline + 120
        time.sleep(1)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    assert Run(folder, process.returncode).status == "canceled"
    # NetBox has two jobs now: the running job, and the new job that replaces it.
    assert len(active()) == 2
    repaired = runner.run("schedule", **change, proxbox_when_running="cancel")
    assert repaired.code == 0, repaired.output
    (job,) = active()
    assert job.interval == 10080 and job.id != run.id


REQUIRED: dict[str, dict[str, Any]] = {
    "proxbox_job": {},
    "proxbox_job_info": {},
    "proxbox_sync_schedule": {"schedule_at": "02:00", "interval": "daily"},
    "proxbox_sync_schedule_info": {},
    "proxbox_sync_schedules": {},
}
"""The modules with options besides those of the connection, and the options that the test sets besides the name."""

FORMS: dict[str, Callable[[Any], Any]] = {
    "empty": lambda default: "",
    "null": lambda default: None,
    "text": lambda default: ",".join(map(str, default)) if isinstance(default, list) else str(default),
    "textarea": lambda default: "\n".join(map(str, [*default, ""])) if isinstance(default, list) else f"{default}",
}
"""The forms in which a survey may pass the default of an option."""


def options(module: str) -> dict[str, Any]:
    """The options of a module with their defaults, except those that the credential sets."""
    program = Path(sys.executable).with_name("ansible-doc")
    told = subprocess.run(
        [program, "--json", f"proxbox.proxbox.{module}"], check=True, capture_output=True, text=True
    ).stdout
    documented = json.loads(told)[f"proxbox.proxbox.{module}"]["doc"]["options"]
    return {name: option.get("default") for name, option in documented.items() if not option.get("env")}


def settle(netbox: Jobs) -> None:
    """Wait until NetBox no longer changes its jobs. It still changes a run that was cancelled a moment ago."""
    before: list[Any] = []
    for _look in range(30):
        rows = list(itertools.islice(netbox.session.list("core/jobs/", {}, limit=50), 50))
        if rows == before:
            return
        before = rows
        time.sleep(2)
    pytest.fail("NetBox keeps changing its jobs.")


@pytest.mark.parametrize("form", FORMS)
def test_each_option_of_each_module_may_be_an_answer(runner: Runner, netbox: Jobs, name: str, form: str) -> None:
    settle(netbox)
    tasks, answers = [], {}
    for module, others in REQUIRED.items():
        fixed = {**others, "name": name}
        if module == "proxbox_sync_schedules":
            fixed = {"schedules": [{"name": name, "schedule_at": "02:00", "interval": "daily"}]}
        elif module.endswith("_info"):
            fixed = others
        given = {}
        for option, default in options(module).items():
            if option not in fixed:
                answers[f"{module}_{option}"] = FORMS[form]("" if default is None else default)
                given[option] = f"{{{{ {module}_{option} }}}}"
        tasks += [
            {"name": f"{module} {kind}", f"proxbox.proxbox.{module}": {**fixed, **more}, "check_mode": True}
            for kind, more in (("defaults", {}), ("answers", given))
        ]
    done = runner.run_tasks(tasks, **answers)
    assert done.code == 0, done.output
    for module in REQUIRED:
        usual, answered = (done.result(f"{module} {kind}") for kind in ("defaults", "answers"))
        for result in (usual, answered):
            result.pop("invocation", None)
        assert answered == usual, module
