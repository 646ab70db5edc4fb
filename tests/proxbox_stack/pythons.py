# Copyright (c) 2026 proxbox.proxbox contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find a Python that works, by trying."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from proxbox_stack.report import StackError

_VERSIONS = ("3.13", "3.12", "3.14")
_PROBE = "import sys, ssl, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


def find_python() -> Path:
    """The first interpreter of a usable version that really runs; 3.13 before 3.12 before 3.14.

    ``PROXBOX_PYTHON`` names one outright.

    :raises StackError: names what was tried.
    """
    named = os.environ.get("PROXBOX_PYTHON")
    if named:
        if version_of(Path(named)) not in _VERSIONS:
            raise StackError(f"PROXBOX_PYTHON={named} is not a working Python {' or '.join(_VERSIONS)}.")
        return Path(named)
    found = usable_pythons()
    for version in _VERSIONS:
        if version in found:
            return found[version]
    raise StackError(
        "No usable Python 3.12 or newer was found (NetBox 4.7 needs one, with venv, ensurepip and ssl): tried "
        "python3.12 to python3.14 and python3 on PATH, and ~/.pyenv/versions. Install one, or name it with "
        "PROXBOX_PYTHON."
    )


def usable_pythons() -> dict[str, Path]:
    """Every working interpreter by its version, ``{"3.13": Path(...)}``. A shim that fails is not one."""
    found: dict[str, Path] = {}
    for candidate in _candidates():
        version = version_of(candidate)
        if version in _VERSIONS:
            found.setdefault(version, candidate)
    return found


def version_of(python: Path) -> str | None:
    """``3.13`` of an interpreter that can make a virtual environment, else None."""
    try:
        done = subprocess.run([str(python), "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _candidates() -> list[Path]:
    names = [f"python{version}" for version in _VERSIONS] + ["python3"]
    on_path = [Path(hit) for hit in map(shutil.which, names) if hit]
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"), reverse=True)
    return on_path + pyenv
