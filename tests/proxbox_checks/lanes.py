# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""All sessions of the tests, in two lanes that run at the same time. Each lane is a run of nox with its own stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from proxbox_checks.stack import TestStack, stack_name
from proxbox_stack.report import StackError

# The two take about the same time. The sessions of one lane use the same stack, except for "previous".
LANES = {
    "live": ["checks", "sanity", "live", "previous"],
    "role": ["units", "integration", "role"],
}


def run_lanes(noxfile: Path, logs: Path) -> bool:
    """Run each lane to its end, print the result of each session, and return whether all have passed.

    :param noxfile: the file with the sessions.
    :param logs: folder for the output of each lane, and for nox's reports.
    """
    logs.mkdir(parents=True, exist_ok=True)
    lanes = [_Lane(name, noxfile, logs) for name in LANES]

    def end(_signal: int, _frame: FrameType | None) -> None:
        for lane in lanes:
            lane.end()

    # If this run is ended from outside, take down what it has started.
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    threads = [threading.Thread(target=lane.run) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, handler in before.items():
        signal.signal(number, handler)
    for lane in lanes:
        print(lane.report())
    good = all(lane.good for lane in lanes)
    print("All sessions passed." if good else "Not all sessions passed.", flush=True)
    return good


@dataclass
class _Lane:
    """One run of nox. Its lines go to the terminal, after the name of the lane, and to a file."""

    name: str
    noxfile: Path
    logs: Path
    problem: str = ""
    code: int | None = None
    reasons: list[str] = field(default_factory=list)
    """nox's lines about what was skipped or has failed."""
    _nox: subprocess.Popen[str] | None = None
    _ended: bool = False

    @property
    def good(self) -> bool:
        """Whether nox has run, and each session has passed or was skipped with a reason."""
        return self.code == 0 and not self.problem

    @property
    def _log(self) -> Path:
        return self.logs / f"{self.name}.log"

    def run(self) -> None:
        """Bring the stack of the lane up, run the sessions, and take it down."""
        stack = TestStack(f"{stack_name()}-{self.name}")
        try:
            with stack.in_use():
                self._sessions(stack.name)
        except StackError as exc:
            self.problem = str(exc)

    def end(self) -> None:
        """Interrupt nox and what it runs. Each session then takes down what it has started."""
        self._ended = True
        if self._nox:
            with suppress(ProcessLookupError):  # nox has ended
                os.killpg(self._nox.pid, signal.SIGINT)

    def _sessions(self, stack: str) -> None:
        command = [sys.executable, "-m", "nox", "--noxfile", str(self.noxfile), "--report", str(self._report)]
        with open(self._log, "w", encoding="utf-8") as log:
            if self._ended:
                return
            self._nox = subprocess.Popen(
                [*command, "--sessions", *LANES[self.name]],
                env={**os.environ, "PROXBOX_STACK_NAME": stack},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Otherwise, Ctrl-C in the terminal would interrupt it a second time.
                start_new_session=True,
            )
            for line in self._nox.stdout or ():
                log.write(line)
                print(f"{self.name:{max(map(len, LANES))}} | {line.rstrip()}", flush=True)
                if line.startswith("nox > ") and any(
                    word in line for word in (" skipped", " failed", " aborted", " interrupted")
                ):
                    self.reasons.append(line[len("nox > ") :].strip())
            self.code = self._nox.wait()

    @property
    def _report(self) -> Path:
        return self.logs / f"{self.name}.json"

    def report(self) -> str:
        """Return a line for each session, and what was skipped or has failed."""
        lines = [
            f"\n{self.name}: {self.problem or f'nox ended with exit code {self.code}'}, the output is in {self._log}"
        ]
        if self.code is not None and self._report.exists():
            sessions = json.loads(self._report.read_text(encoding="utf-8"))["sessions"]
            lines += [f"  {one['result']:8} {one['name']}" for one in sessions]
        return "\n".join([*lines, *(f"  {reason}" for reason in self.reasons)])
