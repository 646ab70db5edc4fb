# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The scratch folder, outside of the checkout. All files of stacks and hosts are in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxbox_stack.report import StackError

SOCKET_LIMIT = 107
"""The maximum length of the path of a Unix socket, in bytes (Linux's ``sun_path``)."""


def home() -> Path:
    """Return the scratch folder: ``PROXBOX_STACK_HOME``, or a folder in /var/tmp that PostgreSQL's user can enter."""
    path = Path(os.environ.get("PROXBOX_STACK_HOME") or f"/var/tmp/proxbox-stack-{os.getuid()}").absolute()
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        # PostgreSQL's own user must be able to enter it, whatever the umask is.
        path.chmod(0o755)
    if path.stat().st_uid != os.getuid():
        raise StackError(f"{path} belongs to somebody else: set PROXBOX_STACK_HOME to a folder of your own.")
    return path


def subfolder(*names: str) -> Path:
    """Return a folder below the scratch folder. It is made if it is missing."""
    path = home().joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Wait for the lock ``name`` of the scratch folder, and hold it."""
    with open(home() / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def stack_dir(name: str) -> Path:
    """Return the folder of the stack ``name``.

    :raises StackError: if the name is not valid, or the path is too long for a PostgreSQL socket.
    """
    path = _named("stacks", name)
    if len(str(path / "run" / ".s.PGSQL.5432")) > SOCKET_LIMIT:
        raise StackError(f"{path} is too long for a Unix socket: set PROXBOX_STACK_HOME to a shorter path.")
    return path


def host_dir(name: str) -> Path:
    """Return the folder of the host ``name``."""
    return _named("hosts", name)


def _named(kind: str, name: str) -> Path:
    if not name or not all(char.isalnum() or char in "-_" for char in name):
        raise StackError(f"{name!r} is not a valid name of one of the {kind}: use only letters, digits, - and _.")
    return home() / kind / name
