# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Virtual environments, made once for each set of pins."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from proxbox_stack import scratch
from proxbox_stack.packages import ensure_build_tools
from proxbox_stack.pythons import find_python, version_of
from proxbox_stack.report import StackError, say

CONSTRAINTS = Path(__file__).parent / "constraints"


def ensure_venv(name: str, requirements: list[str], *, compiles: bool = False) -> Path:
    """Return a virtual environment with ``requirements``, pinned by ``constraints/<name>.txt`` if that file exists.

    :param compiles: whether a C compiler and PostgreSQL's headers are needed to install it.
    :raises StackError: with the last lines of pip, if it fails.
    """
    python = find_python()
    constraints = CONSTRAINTS / f"{name}.txt"
    frozen = constraints.read_text() if constraints.exists() else ""
    key = "\n".join([str(python.resolve()), str(version_of(python)), *requirements, frozen])
    venv = scratch.subfolder("venvs") / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    complete = venv / ".complete"
    with open(f"{venv}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # If the interpreter was removed, the link to it is broken.
        if complete.exists() and (venv / "bin/python").exists():
            return venv
        if complete.exists():
            complete.unlink()
        if compiles:
            ensure_build_tools(python)
        say(f"making the environment {name} ({', '.join(requirements)})")
        shutil.rmtree(venv, ignore_errors=True)
        _run([str(python), "-m", "venv", str(venv)], name)
        freeze = ["-c", str(constraints)] if frozen else []
        _run([str(venv / "bin/pip"), "install", "--progress-bar", "off", *freeze, *requirements], name)
        complete.touch()
    return venv


def _run(command: list[str], name: str) -> None:
    """Run pip, and show a few lines of its progress.

    :raises StackError: with its last lines, if it fails.
    """
    lines: list[str] = []
    collected = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            lines.append(line.rstrip())
            collected += line.startswith("Collecting")
            if line.lstrip().startswith(("Building", "Installing collected")) or (
                line.startswith("Collecting") and collected % 25 == 0
            ):
                say(f"{name}: {line.strip()[:100]}")
    if process.returncode:
        raise StackError(f"{' '.join(command[:3])} failed for the environment {name}:\n" + "\n".join(lines[-15:]))
