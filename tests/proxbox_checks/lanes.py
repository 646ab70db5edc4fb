# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Every group of steps, in two lanes side by side. Each lane is a run of tests/check with a stack of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from proxbox_checks import results
from proxbox_checks.results import Result
from proxbox_checks.steps import GROUPS, stack_name

# The two take about the same time. The groups of one lane use the same stack, except for "previous".
LANES = {
    "checks": ("lint", "sanity", "units", "live", "previous"),
    "playbooks": ("integration", "role"),
}


def run_lanes(checkout: Path, arguments: list[str]) -> list[Result]:
    """Run each lane to its end, with ``arguments`` for each, and return the results in the order of the groups."""
    with tempfile.TemporaryDirectory() as folder:
        lanes = [_Lane(checkout, name, arguments, Path(folder, name)) for name in LANES]
        try:
            found = [result for lane in lanes for result in lane.wait()]
        except BaseException:
            for lane in lanes:
                lane.process.terminate()
            for lane in lanes:
                lane.process.wait()
            raise
    # Both lanes set themselves up: a row for each would say nothing, unless it failed.
    found = [result for result in found if result.group or not result.ok]
    return sorted(found, key=lambda result: GROUPS.index(result.group) if result.group else -1)


class _Lane:
    """One run of tests/check. Its lines go to the terminal with the name of the lane before them."""

    def __init__(self, checkout: Path, name: str, arguments: list[str], found: Path) -> None:
        self._name = name
        self._found = found
        command = [sys.executable, str(checkout / "tests" / "check"), "test", "--results", str(found), *arguments]
        command += [word for group in LANES[name] for word in ("--only", group)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PROXBOX_LANE": name, "PROXBOX_STACK_NAME": f"{stack_name()}-{name}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def wait(self) -> list[Result]:
        """Wait for its end, and return what its steps found."""
        code = self.process.wait()
        self._thread.join()
        if self._found.exists():
            return results.read(self._found)
        return [Result(name=self._name, failed=[f"it ended with exit code {code} before its first step"])]

    def _show(self) -> None:
        width = max(map(len, LANES))
        for line in self.process.stdout:
            print(f"{self._name:{width}} | {line.rstrip()}", file=sys.stderr, flush=True)
