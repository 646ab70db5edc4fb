# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the action plugin reads what the module shows: over real shells, with and without a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.action import proxbox_job
from ansible_collections.proxbox.proxbox.plugins.action.proxbox_job import ActionModule

LINES = [
    "job 5 waits",
    "00:00 running: devices",
    "00:01 pve-größe: ok",
    "00:02 WARNING no space",
    "00:03 ERROR it failed",
]


def by_pipe(command: str) -> str:
    """Run a command as the local connection does."""
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False).stdout.decode()


def by_terminal(command: str) -> str:
    """Run a command as ssh does with a terminal. The login shell prints a line first."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(["/bin/sh", "-c", f"echo welcome; {command}"], stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            said += chunk
        process.wait()
    os.close(ours)
    return said.decode()


class Action(ActionModule):
    """The plugin with another way to run a command."""

    def __init__(self, run: Callable[[str], str]) -> None:
        self._run = run
        self.looks = 0

    def _low_level_execute_command(self, command: str) -> dict[str, str]:
        self.looks += 1
        return {"stdout": self._run(command)}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    monkeypatch.setattr(proxbox_job.display, "display", lambda text, color=None: found.append((text, color)))
    monkeypatch.setattr(proxbox_job, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(proxbox_job, "PAUSE", 0.05)
    return found


@pytest.mark.parametrize("run", [by_pipe, by_terminal])
def test_each_line_is_shown_once_until_the_module_ends(
    run: Callable[[str], str], tmp_path: Path, shown: list[tuple[str, str | None]]
) -> None:
    progress, results = tmp_path / "progress", tmp_path / "it's results"
    results.write_text('{"started": true, "finished": false, "ansible_job_id": "j1"}')

    def module() -> None:
        for line in LINES:
            time.sleep(0.05)
            with open(progress, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        results.write_text('{"changed": true}')

    thread = threading.Thread(target=module)
    thread.start()
    action = Action(run)
    action._show(str(progress), str(results), "[pve] ", 30)
    assert not thread.is_alive()
    thread.join()
    assert [text for text, _color in shown] == [f"  [pve] {line}" for line in LINES]
    colors = [proxbox_job.COLORS["WARNING"], proxbox_job.COLORS["ERROR"]]
    assert [color for _text, color in shown] == [None, None, None, *colors]
    assert (tmp_path / "progress.seen").exists()
    assert action.looks < 60


def test_the_plugin_stops_if_the_host_does_not_answer(
    tmp_path: Path, shown: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxbox_job, "LONGEST_SILENCE", 0.3)
    action = Action(lambda command: "")
    action._show(str(tmp_path / "progress"), str(tmp_path / "results"), "", 30)
    assert shown == [] and action.looks > 2


def test_the_plugin_stops_after_its_time_limit(tmp_path: Path, shown: list[tuple[str, str | None]]) -> None:
    (tmp_path / "results").write_text('{"started": 1, "finished": 0}')
    Action(by_pipe)._show(str(tmp_path / "progress"), str(tmp_path / "results"), "", 0.3)
    assert shown == []


@pytest.mark.parametrize(
    ("args", "shows"),
    [
        ({}, True),
        ({"state": "", "wait": "", "show_log": None}, True),
        ({"state": None, "wait": "yes", "show_log": "true"}, True),
        ({"state": "cancelled"}, False),
        ({"wait": "false"}, False),
        ({"show_log": "no"}, False),
    ],
)
def test_a_blank_option_has_its_default(args: dict[str, Any], shows: bool) -> None:
    task = SimpleNamespace(args=args, async_val=0, check_mode=False, no_log=False)
    connection = SimpleNamespace(has_native_async=False)
    assert ActionModule._shows_progress(SimpleNamespace(_task=task, _connection=connection)) is shows
