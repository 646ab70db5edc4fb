# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Run a program, keep what it prints, and show of it what tells how the work goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Done:
    """How a program ended, and the lines it printed, without colours."""

    code: int
    lines: list[str]


def nothing(line: str) -> bool:
    """Show no line."""
    return False


def everything(line: str) -> bool:
    """Show every line."""
    return True


def run(
    command: list[str], *, cwd: Path, env: dict[str, str], log: Path, show: Callable[[str], bool] = nothing
) -> Done:
    """Run ``command`` to its end. Its output goes to ``log``, and the lines that ``show`` picks to the terminal too."""
    lines = []
    log.parent.mkdir(parents=True, exist_ok=True)
    # A session of its own: what the program has started ends with it when this run is interrupted.
    with (
        open(log, "w", encoding="utf-8") as kept,
        subprocess.Popen(
            command,
            cwd=str(cwd),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        try:
            for line in process.stdout:
                plain = _COLOURS.sub("", line).rstrip()
                lines.append(plain)
                kept.write(plain + "\n")
                if show(plain):
                    print(line.rstrip(), file=sys.stderr, flush=True)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            raise
    return Done(process.returncode, lines)


def show_end(done: Done, count: int = 60) -> None:
    """Show the last lines of a program that failed."""
    for line in done.lines[-count:]:
        print(f"    {line}", file=sys.stderr, flush=True)
