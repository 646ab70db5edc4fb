# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Packages of the distribution. Only root on Debian or a system like it installs them; others get the command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from proxbox_stack import scratch
from proxbox_stack.report import StackError, say


def ensure_build_tools(python: Path) -> None:
    """Install a C compiler and the headers of PostgreSQL and of ``python``, if they are missing. psycopg needs them."""
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
    """Install the command openssl, which makes the mock's certificate, if it is missing."""
    if not shutil.which("openssl"):
        install("openssl")


def ensure_java() -> None:
    """Install the command java, which ansible-rulebook needs, if it is missing."""
    if not shutil.which("java"):
        install("default-jre-headless")


def ensure_chromium() -> str:
    """Return a browser that opens the report. If there is none, install one without a window: half a minute, 64 MB."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    install("chromium-headless-shell")
    return "chromium-headless-shell"


def postgres_bin() -> Path:
    """Return the folder with ``initdb`` and ``postgres`` of the newest server. Install a server if there is none."""
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

    :raises StackError: with the command to type, if this is not root, or not Debian or a system like it.
    """
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise StackError(f"{', '.join(packages)} is missing. Run: sudo apt-get update && sudo {' '.join(command)}")
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
