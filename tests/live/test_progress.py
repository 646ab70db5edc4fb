# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task shows while it waits for a sync, and what may happen in the meantime."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _wait
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import NewJob, Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._job_tasks import await_job, run_now
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._plan import Policy
from ansible_collections.proxbox.proxbox.plugins.module_utils._progress import Progress
from ansible_collections.proxbox.proxbox.plugins.module_utils._runs import RunNow
from ansible_collections.proxbox.proxbox.plugins.module_utils._wait import Waiting
from proxbox_stack.proxy import proxy

DEVICES = NewJob("", Scope(frozenset({"devices"})))

PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - name: Sync
      proxbox.proxbox.proxbox_job: {args}
      register: result
      {keywords}
    - ansible.builtin.copy:
        content: "{{{{ result | to_json }}}}"
        dest: {result}
"""


class Play:
    """A running playbook with one task, and the lines that it has printed so far."""

    def __init__(self, process: subprocess.Popen[str], result: Path, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self._result = result
        self.lines: list[str] = []

    def read_until(self, pattern: str) -> str:
        """Read until a line matches, and return this line."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if re.search(pattern, line):
                return line.rstrip()
        raise AssertionError(f"no line matches {pattern}: {self.lines}")

    def end(self) -> dict[str, Any]:
        """Wait for the end of the playbook, and return the result of the task."""
        self.lines += [line.rstrip() for line in self.process.stdout]
        assert self.process.wait() == 0, "\n".join(self.lines)
        return json.loads(self._result.read_text())

    def interrupt(self) -> None:
        """Press Ctrl-C, and once more if Ansible has not ended after a minute, which may happen on a busy machine."""
        for _press in range(2):
            os.killpg(self.process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=60)
                return
        raise AssertionError(f"ansible-playbook does not end: {self.lines}")

    @property
    def shown(self) -> list[str]:
        """The lines about the sync."""
        return [line.strip() for line in self.lines if line.startswith("  ")]


@pytest.fixture
def play(stack: dict[str, Any], tmp_path: Path, name: str) -> Callable[..., Any]:
    """Return a context manager that runs a playbook with one task against the stack."""

    @contextmanager
    def run(keywords: str = "", url: str = stack["netbox_url"], **args: Any) -> Iterator[Play]:
        result = tmp_path / "result.json"
        args = {"name": name, "sync_types": ["devices"], "wait_timeout": 300, **args}
        text = PLAYBOOK.format(args=json.dumps(args), keywords=keywords, result=json.dumps(str(result)))
        (tmp_path / "playbook.yml").write_text(text)
        folder = tmp_path / "async"
        env = {
            **os.environ,
            "NETBOX_URL": url,
            "NETBOX_TOKEN": stack["netbox_token"],
            "ANSIBLE_ASYNC_DIR": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), str(tmp_path / "playbook.yml")]
        with subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        ) as process:
            try:
                yield Play(process, result, folder)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    return run


@pytest.fixture
def hung(stack: dict[str, Any]) -> Iterator[Callable[[], None]]:
    """Let each sync of devices hang in its stage, and return a function that ends the fault."""
    command = [
        stack["stack_command"],
        "fail",
        "backend",
        "dcim/devices/create",
        "--hang",
        "--name",
        stack["stack_name"],
    ]

    def heal() -> None:
        subprocess.run([command[0], "heal", "backend", *command[-2:]], check=True, capture_output=True)

    subprocess.run(command, check=True, capture_output=True)
    yield heal
    heal()


def modules(folder: Path) -> list[str]:
    """Return the ids of the processes that run a module whose progress file is in this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PROXBOX_PROGRESS={folder}/".encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue  # it has ended
    return found


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_lines_are_shown_while_the_sync_runs(
    play: Callable[..., Any], hung: Callable[[], None], netbox: Jobs, name: str
) -> None:
    with play() as running:
        running.read_until(r"^  00:00 running( on pve-lab)?: devices$")
        (job,) = netbox.active(name)
        assert job.status == "running" and running.process.poll() is None
        running.read_until(r"^  \d\d:\d\d still running \(no news for 30 s\)$")
        hung()
        result = running.end()
    assert result["job"]["outcome"] == "succeeded" and result["changed"] is True
    assert result.keys() == {"changed", "failed", "msg", "job", "cancelled", "why", "diff"}
    texts = [re.sub(r"^[\d:]+ ", "", line) for line in running.shown]
    assert "pve-lab devices: started" in texts and any(re.match("pve-lab devices: ok in ", text) for text in texts)
    assert len(running.shown) == len(set(running.shown)), "a line was shown twice"
    assert list(running.folder.iterdir()) == []
    # Ansible's wrapper of a background task checks the task every five seconds.
    wait_until(lambda: modules(running.folder) == [], 20)


@pytest.mark.parametrize(
    ("keywords", "args"),
    [("", {"show_log": False}), ("no_log: true", {}), ("check_mode: true", {}), ("async: 300", {})],
)
def test_no_lines_are_shown_with_these_options(play: Callable[..., Any], keywords: str, args: dict[str, Any]) -> None:
    with play(keywords, **args) as running:
        result = running.end()
    assert running.shown == []
    assert keywords == "check_mode: true" or result["job"]["outcome"] == "succeeded"


def test_a_failure_is_the_same_with_and_without_lines(play: Callable[..., Any]) -> None:
    results = []
    for show in (True, False):
        with play("ignore_errors: true", show_log=show, sync_types=["nonsense"]) as running:
            results.append(running.end())
    assert results[0] == results[1] and "NetBox refuses the request" in results[0]["msg"]


def test_an_interrupted_playbook_leaves_no_module_running(
    play: Callable[..., Any], hung: Callable[[], None], netbox: Jobs, name: str
) -> None:
    with play() as running:
        running.read_until(r"running( on pve-lab)?: devices")
        (progress,) = (path for path in running.folder.glob("proxbox_job.*") if path.suffix != ".seen")
        running.interrupt()
        # Pretend that the playbook has not read the lines for more than five minutes.
        os.utime(f"{progress}.seen", (0, 0))
        wait_until(lambda: modules(running.folder) == [], 30)
        assert not progress.exists()
    assert [job.status for job in netbox.active(name)] == ["running"], "the sync continues"


def test_a_restart_of_netbox_does_not_end_the_wait(
    play: Callable[..., Any], hung: Callable[[], None], stack: dict[str, Any]
) -> None:
    with play() as running:
        running.read_until(r"running( on pve-lab)?: devices")
        command = [stack["stack_command"], "restart", "netbox", "--name", stack["stack_name"]]
        subprocess.run(command, check=True, capture_output=True)
        hung()
        assert running.end()["job"]["outcome"] == "succeeded"


@pytest.mark.parametrize("harm", ["error", "limited", "reset", "bad gateway"])
def test_failed_requests_do_not_end_the_wait(
    harm: str, connect: Callable[..., Jobs], netbox: Jobs, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = run_now(netbox, RunNow(NewJob(name, DEVICES.scope)), Policy(), None).job.id
    lines: list[str] = []
    with proxy(netbox.session.url) as through:
        looks = iter([None, None, harm, harm, None, harm])
        through.harm = lambda method, path: next(looks, None)
        result = await_job(connect(through.url), job_id, Policy(), Waiting(120, 5, Progress(lines.append)))
    assert result.job.outcome.verdict == "succeeded"
    assert through.harms.count(harm) == 3


def test_an_error_that_lasts_too_long_ends_the_wait(
    connect: Callable[..., Jobs], netbox: Jobs, name: str, hung: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "TRANSIENT_LIMIT", 3.0)
    job_id = run_now(netbox, RunNow(NewJob(name, DEVICES.scope)), Policy(), None).job.id
    lines: list[str] = []
    with proxy(netbox.session.url) as through, pytest.raises(Exception, match="HTTP 500"):
        looks = iter([None] * 2)
        through.harm = lambda method, path: next(looks, "error")
        await_job(connect(through.url), job_id, Policy(), Waiting(120, 5, Progress(lines.append)))
    assert lines[-1] == "NetBox answers HTTP 500: asking again"
