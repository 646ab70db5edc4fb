# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Copy the checkout to where ansible-test and the collection loader want a collection to be."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from proxbox_stack import scratch
from proxbox_stack.report import StackError, say

_KEPT = "tests/output"
"""ansible-test's own folder: its virtual environments are worth keeping."""


def workspace(checkout: Path) -> Path:
    """The folder of ``checkout`` in the scratch folder; two checkouts never share one, nor do the lanes of a run."""
    name = hashlib.sha256(str(checkout.resolve()).encode()).hexdigest()[:8]
    lane = os.environ.get("PROXBOX_LANE")
    return scratch.subfolder("stage", f"{name}-{lane}" if lane else name)


@contextmanager
def lock(checkout: Path) -> Iterator[None]:
    """Keep other runs of the same checkout out: they would change the copy under this one's feet."""
    path = workspace(checkout) / "lock"
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run of tests/check in this checkout to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def stage(checkout: Path) -> Path:
    """Bring the copy of ``checkout`` up to date and return it: what a user gets, and the tests.

    :raises StackError: when git cannot list the files.
    """
    target = workspace(checkout) / "ansible_collections" / "proxbox" / "proxbox"
    wanted = shipped_files(checkout)
    _remove_others(target, set(wanted))
    for name in wanted:
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.is_dir() and not copy.is_symlink():
            shutil.rmtree(copy)
        copy.unlink(missing_ok=True)
        shutil.copy2(checkout / name, copy, follow_symlinks=False)
    return target


def shipped_files(checkout: Path) -> list[str]:
    """Names of the files that git knows or would add, without what ``build_ignore`` keeps out of the release."""
    ignored = build_ignore(checkout / "galaxy.yml")
    return [name for name in all_files(checkout) if not _matches(name, ignored)]


def all_files(checkout: Path) -> list[str]:
    """Names of the files that git knows or would add and that are there.

    :raises StackError: when ``checkout`` is not a git checkout.
    """
    # As root in somebody else's checkout git would refuse to look.
    command = [
        "git",
        "-c",
        f"safe.directory={checkout}",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    try:
        done = subprocess.run(command, cwd=str(checkout), capture_output=True, check=False)
    except FileNotFoundError:
        raise StackError(
            "git is missing: install it, the checks ask it which files belong to the collection."
        ) from None
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[0]
        raise StackError(f"git cannot list the files of {checkout} ({reason}): run the checks in a git checkout.")
    names = {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
    return sorted(name for name in names if (checkout / name).is_file() or (checkout / name).is_symlink())


def build_ignore(galaxy: Path) -> list[str]:
    """The patterns under ``build_ignore`` in galaxy.yml, read without PyYAML, which is not there yet."""
    patterns, inside = [], False
    for line in galaxy.read_text(encoding="utf-8").splitlines():
        if inside and line.strip().startswith("- "):
            patterns.append(line.strip()[2:].split(" #")[0].strip().strip("'\""))
        elif line.strip() and not line.strip().startswith("#"):
            inside = line.split(" #")[0].strip() == "build_ignore:"
    return patterns


def _matches(name: str, patterns: list[str]) -> bool:
    """As ansible-galaxy does it: a pattern that fits a folder takes all that is in it."""
    parts = name.split("/")
    paths = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    return any(fnmatch(path, pattern) for path in paths for pattern in patterns)


def _remove_others(target: Path, wanted: set[str]) -> None:
    for folder, folders, files in os.walk(target, topdown=False):
        here = os.path.relpath(folder, target)
        if here == _KEPT or here.startswith(_KEPT + "/"):
            continue
        for name in files + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            if os.path.normpath(os.path.join(here, name)) not in wanted:
                os.unlink(os.path.join(folder, name))
        if here != "." and not os.listdir(folder):
            os.rmdir(folder)
