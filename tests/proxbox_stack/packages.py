# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Packages of the distribution: installed when this is root on a Debian kind, else the command to type."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from proxbox_stack import scratch
from proxbox_stack.report import StackError, say


def ensure_build_tools(python: Path) -> None:
    """A C compiler, PostgreSQL's headers and those of ``python``, which psycopg's C part needs."""
    missing = []
    if not (shutil.which("gcc") and shutil.which("pg_config") and _libpq_headers()):
        missing += ["gcc", "libpq-dev", "libc6-dev"]
    probe = (
        "import sys, sysconfig; print(sysconfig.get_path('include')); print('python%d.%d-dev' % sys.version_info[:2])"
    )
    done = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, check=True)
    include, package = done.stdout.split("\n")[:2]
    if not Path(include, "Python.h").exists():
        missing.append(package)
    if missing:
        install(*missing)


def ensure_openssl() -> None:
    """The command openssl, which makes the mock's certificate."""
    if not shutil.which("openssl"):
        install("openssl")


def ensure_java() -> None:
    """The command java, which ansible-rulebook needs."""
    if not shutil.which("java"):
        install("default-jre-headless")


def ensure_chromium() -> str:
    """The browser without a window, which opens the report. It is installed in half a minute (64 MB)."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    install("chromium-headless-shell")
    return "chromium-headless-shell"


def postgres_bin() -> Path:
    """The folder with the newest server's ``initdb`` and ``postgres``, installed when it is missing."""
    found = _postgres_bins()
    if not found:
        # Without this file the package would also make and start a cluster of its own.
        if os.getuid() == 0 and not Path("/etc/postgresql-common/createcluster.conf").exists():
            Path("/etc/postgresql-common").mkdir(exist_ok=True)
            Path("/etc/postgresql-common/createcluster.conf").write_text("create_main_cluster = false\n")
        install("postgresql")
        found = _postgres_bins()
    if not found:
        raise StackError("PostgreSQL's server is not in /usr/lib/postgresql or /usr/pgsql-*: install it.")
    return found[-1]


def install(*packages: str) -> None:
    """Install Debian packages.

    :raises StackError: the exact command to type, where this is not root or not a Debian kind.
    """
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise StackError(f"{', '.join(packages)} is missing. Type: sudo apt-get update && sudo {' '.join(command)}")
    say(f"installing {', '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # dpkg refuses a second installation at the same time.
    with scratch.lock("apt"):
        for step in (["apt-get", "update"], command):
            done = subprocess.run(step, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")


def _postgres_bins() -> list[Path]:
    roots = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    found = [root for root in roots if (root / "initdb").exists() and (root / "postgres").exists()]
    return sorted(found, key=lambda root: [int(part) for part in root.parent.name.split("-")[-1].split(".")])


def _libpq_headers() -> bool:
    done = subprocess.run(["pg_config", "--includedir"], capture_output=True, text=True, check=False)
    return (
        Path(done.stdout.strip(), "libpq-fe.h").exists() or Path(done.stdout.strip(), "postgresql/libpq-fe.h").exists()
    )
