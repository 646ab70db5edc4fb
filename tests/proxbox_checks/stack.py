# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The real NetBox stack, controlled through its command line."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proxbox_stack.report import StackError, say

TESTS = Path(__file__).resolve().parents[1]


def stack_name() -> str:
    """Return the name of the stack that the tests use. The stack of the previous pair has ``-previous`` after it."""
    return os.environ.get("PROXBOX_STACK_NAME") or "test"


class TestStack:
    """The stack ``name`` of tests/stack; ``pair`` is the NetBox and plugin that it is made with."""

    def __init__(self, name: str, pair: str = "current") -> None:
        self.name = name
        self._pair = pair
        self._command = [str(TESTS / "stack")]

    @property
    def running(self) -> bool:
        """Whether any component of the stack runs."""
        done = self._run("status", "--json")
        if not done.stdout.strip():
            return False
        return any(row["state"] == "running" for row in json.loads(done.stdout)["components"].values())

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have the stack up during the ``with`` block. If a component already runs, the stack is left up afterwards.

        A stack that is down is made again, and taken down afterwards. Its data and logs stay until the next run.

        :raises StackError: if it does not come up.
        """
        was_up = self.running
        if not was_up:
            self.down(purge=True)
        try:
            self.up()
            yield
        finally:
            if was_up:
                say(f"the stack {self.name} is left up (down: tests/stack down --name {self.name})")
            else:
                self.down()

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """Have the worker stopped during the ``with`` block, so that only the test's own workers execute jobs.

        :raises StackError: if it cannot be stopped, or started again.
        """
        self._checked("stop", "worker")
        try:
            yield
        finally:
            self._checked("start", "worker")

    def up(self) -> None:
        """Bring the stack up, and show the progress on the terminal.

        :raises StackError: with the sentence of tests/stack, if it does not come up.
        """
        reason = ""
        command = [*self._command, "up", "--name", self.name, "--pair", self._pair]
        # Its output on stdout holds a password, so it goes only to the terminal.
        with subprocess.Popen(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if line.startswith("error: "):
                    reason = line[len("error: ") :].strip()
                print(line, end="", file=sys.stderr, flush=True)
        if process.returncode:
            raise StackError(f"the stack {self.name} did not come up: {reason or 'the lines above say why'}")

    def down(self, *, purge: bool = False) -> None:
        """Stop the stack. With ``purge``, remove its data too."""
        more = ["--purge"] if purge else []
        subprocess.run([*self._command, "down", "--name", self.name, *more], check=False, stdout=sys.stderr)

    def facts(self) -> dict[str, Any]:
        """Return the output of tests/stack env."""
        return json.loads(self._checked("env", "--format", "json"))

    def shell(self, script: str) -> None:
        """Run Python inside NetBox.

        :raises StackError: if it fails.
        """
        self._checked("shell", stdin=script)

    def write_wrapper(self, path: Path) -> None:
        """Write a program that runs tests/stack under ansible-test, which passes on neither HOME nor PROXBOX_*."""
        kept = {
            name: value for name, value in os.environ.items() if name in ("HOME", "PATH") or name.startswith("PROXBOX_")
        }
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(kept.items()))
        path.write_text(f'#!/bin/sh\n{exports}exec {shlex.join(self._command)} "$@"\n', encoding="utf-8")
        path.chmod(0o755)

    def _checked(self, *arguments: str, stdin: str = "") -> str:
        done = self._run(*arguments, stdin=stdin)
        if done.returncode:
            raise StackError(f"tests/stack {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def _run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [*self._command, arguments[0], "--name", self.name, *arguments[1:]]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
