# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""What this machine needs so that systemd-nspawn can boot a Debian on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from proxbox_stack import packages, scratch
from proxbox_stack.report import StackError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PROGRAMS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "ssh": "openssh-client"}
# The tree of version 2, or the two trees that systemd uses on a machine that still runs version 1.
_CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))
_MOUNT = (
    "unshare", "--mount", "sh", "-c",
    "mkdir -p upper work root && mount -t overlay overlay -o lowerdir=/etc,upperdir=upper,workdir=work root",
)  # fmt: skip


class Unfit(StackError):
    """This machine cannot run a test host."""


def prepare() -> None:
    """Install the programs that are missing.

    :raises Unfit: with a sentence, if this machine lacks something that cannot be installed.
    """
    if sys.platform != "linux":
        raise Unfit("a test host needs Linux.")
    if os.getuid() != 0:
        raise Unfit("only root can build and boot a test host: run this with sudo.")
    folder = scratch.subfolder("hosts", ".trial")
    if subprocess.run(_MOUNT, cwd=folder, capture_output=True, check=False).returncode:
        raise Unfit(
            f"the disk of a test host is an overlay, and root cannot mount one in {folder} (inside a container?)."
        )
    if not cgroups():
        raise Unfit("there is no control group under /sys/fs/cgroup that can be written, and systemd needs one.")
    missing = [package for program, package in _PROGRAMS.items() if not shutil.which(program)]
    missing += [] if KEYRING.exists() else ["debian-archive-keyring"]
    if missing:
        try:
            packages.install(*missing)
        except StackError as exc:
            raise Unfit(str(exc)) from exc


def cgroups() -> list[Path]:
    """Return the trees of control groups in which the control groups of a host are made."""
    return [tree for tree in _CGROUPS if os.access(tree / "cgroup.procs", os.W_OK)]


def debian_mirror() -> str:
    """Return the mirror that this machine's apt uses for Debian, or else Debian's own."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("Debian Debian ")]
    return found[0] if found else "http://deb.debian.org/debian"
