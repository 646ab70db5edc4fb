# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the module proxbox_job, and show its progress while it waits for the end of a sync.

Ansible shows the output of a module only after the module has ended. Therefore the module runs in the background, as
with ``async``, and appends each line to a file. This plugin reads the file every 1.5 seconds over the connection of the
task, and shows the new lines. If there is nothing to show, the module runs as in any other task.
"""

from __future__ import annotations

import re
import shlex
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._progress import PROGRESS, SEEN

display = Display()

FIRST_PAUSE, PAUSE = 0.2, 1.5
"""Seconds between the first two reads of the file; and the longest pause between later reads."""

EXTRA_TIME = 600
"""Seconds that the module may run longer than its option ``wait_timeout``."""

LONGEST_SILENCE = 180
"""Seconds without an answer after which the plugin stops to read the file."""

RUNNING = '{"started":'
"""Start of the file of results of a background task that has not ended (ansible-core 2.16 to 2.21)."""

LEVEL = re.compile(r"[\d:]+ (WARNING|ERROR) ")

ASYNC_KEYS = (
    "ansible_job_id",
    "results_file",
    "started",
    "finished",
    "stdout",
    "stdout_lines",
    "stderr",
    "stderr_lines",
)
"""Keys that ``async`` adds to the result of the module."""

COLORS = {"WARNING": C.COLOR_WARN, "ERROR": C.COLOR_ERROR}


class ActionModule(ActionBase):
    """Run a task of the module proxbox_job."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task."""
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        run = self._run_and_show if self._shows_progress() else self._run_plainly
        return {**result, **run(task_vars)}

    def _shows_progress(self) -> bool:
        """Return whether the task waits for a sync, and may show its progress."""
        args = self._task.args

        def wanted(option: str) -> bool:
            try:
                return bool(boolean(args.get(option, True)))
            except TypeError:
                return True  # the module reports the wrong value

        return (
            (args.get("state") or "present") == "present"
            and wanted("wait")
            and wanted("show_log")
            and not self._task.async_val
            and not self._task.check_mode
            and not self._task.no_log
            and not self._connection.has_native_async
            and "json" not in C.DEFAULT_STDOUT_CALLBACK  # lines would break the JSON
        )

    def _run_and_show(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        # An absolute path: the module and the shell expand "~" differently if HOME differs from the user database.
        folder = self._remote_expand_user(self.get_shell_option("async_dir", default="~/.ansible_async"))
        self._connection._shell.set_option("async_dir", folder)
        progress = self._connection._shell.join_path(folder, f"proxbox_job.{uuid.uuid4().hex}")
        seconds = self._time_limit()
        with self._in_background(seconds, {PROGRESS: progress}):
            started = self._execute_module(task_vars=task_vars, wrap_async=True)
        if "ansible_job_id" not in started:
            # The folder for the results cannot be created, so the module was not started.
            return self._run_plainly(task_vars) if started.get("failed") else started
        results = started["results_file"]
        try:
            self._show(progress, results, _prefix(task_vars), seconds)
            result = self._execute_module(
                module_name="ansible.legacy.async_status",
                module_args={"jid": started["ansible_job_id"], "_async_dir": folder},
                task_vars=task_vars,
            )
        finally:
            # A module that still waits ends when it finds that its file is gone.
            files = (progress, f"{progress}{SEEN}", results)
            self._low_level_execute_command(f"rm -f {' '.join(map(shlex.quote, files))}")
        if not result.pop("finished", True):
            return {"failed": True, "msg": f"The module did not end, or its result is lost: {results} does not tell."}
        return {key: value for key, value in result.items() if key not in ASYNC_KEYS}

    def _run_plainly(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module in the foreground, or as ``async`` if the task says so."""
        result: dict[str, Any] = self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _time_limit(self) -> int:
        """Return the seconds that the module may run."""
        try:
            return int(float(self._task.args.get("wait_timeout") or 3600)) + EXTRA_TIME
        except (TypeError, ValueError, OverflowError):
            return EXTRA_TIME  # the module reports the wrong value

    @contextmanager
    def _in_background(self, seconds: int, environment: Mapping[str, str]) -> Iterator[None]:
        """Run modules as with ``async``, for at most ``seconds`` and with the variables of ``environment``."""
        self._task.environment.append(environment)
        self._task.async_val = seconds
        try:
            yield
        finally:
            self._task.async_val = 0
            self._task.environment.pop()

    def _show(self, progress: str, results: str, prefix: str, seconds: int) -> None:
        """Show each new line of the file, until the module has ended or its time is over."""
        seen, mark = shlex.quote(f"{progress}{SEEN}"), uuid.uuid4().hex
        look = f": > {seen}; echo {mark}; head -c {len(RUNNING)} {shlex.quote(results)}; echo; "
        bytes_read, rest, pause = 0, "", FIRST_PAUSE
        deadline = time.monotonic() + seconds
        answered = time.monotonic()
        while time.monotonic() < min(deadline, answered + LONGEST_SILENCE):
            state, news = self._look(f"{look}tail -c +{bytes_read + 1} {shlex.quote(progress)}", mark)
            answered = time.monotonic() if state else answered
            bytes_read += len(news.encode(errors="surrogateescape"))
            *lines, rest = (rest + news).split("\n")
            for line in lines:
                level = LEVEL.match(line)
                display.display(f"  {prefix}{line}", color=COLORS[level[1]] if level else None)
            if state and state != RUNNING and not news:
                return
            if not news:
                time.sleep(pause)
                pause = min(pause * 1.5, PAUSE)

    def _look(self, command: str, mark: str) -> tuple[str, str]:
        """Return the start of the results and the new text in the file; both are empty if there was no answer."""
        try:
            answer = self._low_level_execute_command(f"( {command} ) 2>/dev/null")["stdout"]
        except AnsibleConnectionFailure:
            return "", ""  # the module still runs
        # ssh may use a terminal, which ends lines with \r\n. A shell may print text before the output of the command.
        answer = answer.replace("\r\n", "\n").partition(f"{mark}\n")[2]
        state, _newline, news = answer.partition("\n")
        return state, news


def _prefix(task_vars: Mapping[str, Any]) -> str:
    """Return the name of the host if the play has more than one host."""
    hosts = task_vars.get("ansible_play_hosts_all") or []
    return f"[{task_vars.get('inventory_hostname')}] " if len(hosts) > 1 else ""
