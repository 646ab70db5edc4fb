# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Find Python interpreters that work. Each one is run to check it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from proxbox_stack.report import StackError

_VERSIONS = ("3.13", "3.12", "3.14")
_MODULE_VERSIONS = (*_VERSIONS, "3.11")
"""The versions that modules run on. NetBox 4.7 and ansible-core 2.21 itself need a newer one than 3.11."""
_FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
_PROBE = "import sys, ssl, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


def find_python() -> Path:
    """Return the first interpreter of a usable version that works: 3.13 before 3.12 before 3.14.

    If ``PROXBOX_PYTHON`` names an interpreter, return that one.

    :raises StackError: with the list of what was tried.
    """
    named = os.environ.get("PROXBOX_PYTHON")
    if named:
        if version_of(Path(named)) not in _VERSIONS:
            raise StackError(f"PROXBOX_PYTHON={named} is not a working Python {' or '.join(_VERSIONS)}.")
        return Path(named)
    tried = []
    for candidate in _candidates():
        if version_of(candidate) in _VERSIONS:
            return candidate
        tried.append(str(candidate))
    raise StackError(
        "No usable Python 3.12 or newer was found (NetBox 4.7 needs one, with venv, ensurepip and ssl): tried "
        f"{', '.join(tried) or 'PATH and ~/.pyenv/versions, which hold none'}. "
        "Install one (on Debian also its -venv package), or name it with PROXBOX_PYTHON."
    )


def usable_pythons() -> dict[str, Path]:
    """Return the interpreters that modules run on, by version: ``{"3.13": Path(...)}``.

    A shim that fails is left out.
    """
    found: dict[str, Path] = {}
    for candidate in _candidates():
        version = version_of(candidate)
        if version in _MODULE_VERSIONS:
            found.setdefault(version, candidate)
    return found


@cache
def version_of(python: Path) -> str | None:
    """Return the version of an interpreter, such as ``3.13``; None if it cannot make a virtual environment."""
    try:
        done = subprocess.run([str(python), "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _candidates() -> Iterator[Path]:
    """Yield interpreters, the likely ones first: each try starts Python, and pyenv too if the file is a shim."""
    seen = set()
    for version in _MODULE_VERSIONS:
        for candidate in (_which(f"python{version}"), *_pyenv(version), *_in_folders(f"python{version}")):
            if candidate and candidate not in seen:
                seen.add(candidate)
                yield candidate
    for candidate in (_which("python3"), *_in_folders("python3")):
        if candidate and candidate not in seen:
            seen.add(candidate)
            yield candidate


def _which(name: str) -> Path | None:
    hit = shutil.which(name)
    return Path(hit) if hit else None


def _pyenv(version: str) -> list[Path]:
    """Return pyenv's own builds of a version, the newest first."""
    builds = [path for path in Path.home().glob(f".pyenv/versions/{version}.*") if path.name.count(".") == 2]
    numbered = [path for path in builds if path.name.rpartition(".")[2].isdigit()]
    newest = sorted(numbered, key=lambda path: int(path.name.rpartition(".")[2]), reverse=True)
    return [path / "bin" / "python3" for path in newest]


def _in_folders(name: str) -> list[Path]:
    return [Path(folder, name) for folder in _FOLDERS if Path(folder, name).exists()]
