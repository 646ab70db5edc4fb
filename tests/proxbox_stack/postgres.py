# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""A private PostgreSQL cluster on a Unix socket. An unprivileged user runs it, even if root starts the stack."""

from __future__ import annotations

import lzma
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from proxbox_stack.packages import postgres_bin
from proxbox_stack.processes import clean_environment
from proxbox_stack.report import StackError

_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "200",
    # A test cluster: speed before safety.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class Postgres:
    """The cluster below ``root``: data in ``pg``, its socket in ``run``, the database ``netbox`` of user ``netbox``."""

    def __init__(self, root: Path) -> None:
        self.data = root / "pg"
        self.socket = root / "run"
        self.bin = postgres_bin()
        self.user = self._unprivileged() if os.getuid() == 0 else None

    def prepare(self) -> None:
        """Make the cluster if it is missing."""
        self.socket.mkdir(parents=True, exist_ok=True)
        self._own(self.socket)
        if self.user and self._call(["test", "-x", str(self.socket)]).returncode:
            raise StackError(
                f"PostgreSQL runs as the user {self.user}, who cannot enter {self.socket}: "
                "set PROXBOX_STACK_HOME to a folder that every user can enter, such as one in /var/tmp."
            )
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self._own(self.data)
        self._run(
            [
                f"{self.bin}/initdb",
                "-D",
                str(self.data),
                "-U",
                "netbox",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ]
        )

    @property
    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value.strip(chr(39))}")]
        return [f"{self.bin}/postgres", "-D", str(self.data), "-k", str(self.socket), *settings]

    def ready(self) -> bool:
        """Return whether the server accepts connections."""
        command = [f"{self.bin}/pg_isready", "-q", "-h", str(self.socket), "-U", "netbox"]
        return subprocess.run(command, capture_output=True, check=False, env=clean_environment({})).returncode == 0

    def recreate(self) -> None:
        """Create an empty database ``netbox``, and drop the old one."""
        self._psql("postgres", "DROP DATABASE IF EXISTS netbox WITH (FORCE)")
        self._psql("postgres", "CREATE DATABASE netbox")

    def restore(self, dump: Path) -> None:
        """Fill a new database ``netbox`` from an ``.sql.xz`` dump."""
        self.recreate()
        script = lzma.decompress(dump.read_bytes()).decode()
        # pg_dump empties the search path. A trigger of NetBox 4.7.0 compares ltree columns with IS DISTINCT FROM, an
        # operator that cannot be qualified with its schema, so the trigger cannot be created without a search path.
        self._psql(
            "netbox",
            script.replace("set_config('search_path', '', false)", "set_config('search_path', 'public', false)"),
        )

    def dump(self, target: Path) -> None:
        """Write the database ``netbox`` to an ``.sql.xz`` file."""
        command = [
            f"{self.bin}/pg_dump",
            "--no-owner",
            "--no-privileges",
            "-h",
            str(self.socket),
            "-U",
            "netbox",
            "netbox",
        ]
        text = self._run(command)
        target.write_bytes(lzma.compress(text.encode(), preset=9))

    def _psql(self, database: str, script: str) -> str:
        command = [
            f"{self.bin}/psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.socket),
            "-U",
            "netbox",
            database,
        ]
        return self._run(command, stdin=script)

    def _run(self, command: list[str], stdin: str | None = None) -> str:
        done = self._call(command, stdin)
        if done.returncode:
            raise StackError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def _call(self, command: list[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment({}),
            cwd="/",
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
        )

    def _own(self, path: Path) -> None:
        if self.user:
            shutil.chown(path, self.user, self.user)

    @staticmethod
    def _unprivileged() -> str:
        for name in ("postgres", "nobody"):
            try:
                pwd.getpwnam(name)
                return name
            except KeyError:
                continue
        raise StackError("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody.")
