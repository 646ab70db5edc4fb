# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""One host: bring it up, look at it, take it down."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proxbox_host import machine
from proxbox_host.base import ensure_base
from proxbox_stack import probes, processes, scratch
from proxbox_stack.processes import Running
from proxbox_stack.report import StackError, say
from proxbox_stack.stack import Stack, kept_ports

_BOOT = Path(__file__).parent / "boot.sh"
# Use neither the caller's ssh configuration nor the keys that it knows of other servers on this port.
_SSH = (
    "-F", "/dev/null", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
    "-o", "IdentitiesOnly=yes",
)  # fmt: skip


class Host:
    """The host ``name``. Its folder has its state, its key, its inventory and what it has written to its disk."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = scratch.host_dir(name)
        self.inventory = self.root / "inventory.yml"
        self._log = self.root / "console.log"
        self.state: dict[str, Any] = {}
        self._load()

    @property
    def exists(self) -> bool:
        """Whether the host has ever been brought up."""
        return bool(self.state)

    @property
    def running(self) -> Running | None:
        """The live process that has booted the host, if there is one."""
        process = Running(**self.state["process"]) if self.state.get("process") else None
        return process if process and process.alive else None

    def up(self, stack_name: str) -> None:
        """Boot the host unless it is up. Its workers use the stack's PostgreSQL and Valkey.

        A host that was taken down keeps what it wrote to its disk, unless its root folder has changed.

        :raises StackError: with the end of its console's log, if it does not boot.
        """
        machine.prepare()
        with self._lock():
            stack = _running_stack(stack_name)
            if self.state.get("stack", stack_name) != stack_name:
                raise StackError(
                    f"the host {self.name} belongs to the stack {self.state['stack']}: take it down with --purge first."
                )
            if not self.running:
                base = ensure_base(stack.state["pair"])
                # Stop what a killed host has left.
                self._stop()
                self._boot(stack, base)

    def down(self, *, purge: bool = False) -> None:
        """Stop the host. With ``purge``, remove its folder too."""
        with self._lock():
            self._stop()
            if purge and self.root.exists():
                shutil.rmtree(self.root)
                self.state = {}

    def status(self) -> dict[str, Any]:
        """Return its state (``dead`` if it ended by itself), the state of its systemd, process id, port and log."""
        process = self.running
        return {
            "state": "running" if process else "dead" if self.state.get("process") else "stopped",
            "systemd": self._systemd() if process else "-",
            "pid": process.pid if process else None,
            "port": self.state["port"],
            "stack": self.state["stack"],
            "log": str(self._log),
        }

    def _boot(self, stack: Stack, base: Path) -> None:
        if self.state.get("base") != str(base):
            for folder in ("upper", "work"):
                shutil.rmtree(self.root / folder, ignore_errors=True)
        self.root.mkdir(parents=True, exist_ok=True)
        if not (self.root / "key").exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.root / "key")]
            subprocess.run(command, check=True)
        self.state = {"stack": stack.name, "base": str(base), "port": probes.free_ports(1, kept_ports())[0]}
        self._write_inventory()
        self._log.unlink(missing_ok=True)
        say(f"booting the host {self.name}")
        command = [
            "unshare", "--mount", "--propagation", "private", "sh", str(_BOOT), str(self.root), str(base),
            str(stack.root), f"worker-{self.name.replace('_', '-')}", str(self.state["port"]),
            *map(str, self._cgroups()),
        ]  # fmt: skip
        process = processes.start(command, log=self._log, env={}, cwd=self.root)
        self.state["process"] = {"pid": process.pid, "started": process.started}
        self._save()
        processes.wait_until(self._answers, f"the host {self.name}", process, self._log, 60)

    def _answers(self) -> bool:
        # The host is up even if a service that a test has made failed at boot.
        return self._systemd() in ("running", "degraded")

    def _systemd(self) -> str:
        command = ["ssh", *_SSH, "-o", "ConnectTimeout=5", "-i", str(self.root / "key")]
        command += ["-p", str(self.state["port"]), "root@127.0.0.1", "systemctl is-system-running --wait"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or "no answer"

    def _stop(self) -> None:
        if not self.state.get("process"):
            return
        say(f"stopping the host {self.name}")
        processes.stop(Running(**self.state["process"]))
        for group in self._cgroups():
            for folder, _folders, _files in os.walk(group, topdown=False):
                os.rmdir(folder)
        del self.state["process"]
        self._save()

    def _cgroups(self) -> list[Path]:
        return [tree / f"proxbox-host-{self.name}" for tree in machine.cgroups()]

    def _write_inventory(self) -> None:
        facts = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.state["port"],
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.root / "key"),
            "ansible_ssh_common_args": " ".join(_SSH),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        lines = [f"      {name}: {json.dumps(value)}\n" for name, value in facts.items()]
        self.inventory.write_text("---\nall:\n  hosts:\n    worker:\n" + "".join(lines))

    def _load(self) -> None:
        path = self.root / "state.json"
        self.state = json.loads(path.read_text()) if path.exists() else {}

    def _save(self) -> None:
        path = self.root / "state.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(self.state, indent=1))
        new.replace(path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let only one command run at a time. The state is read again under the lock."""
        scratch.subfolder("hosts")
        with open(scratch.home() / "hosts" / f"{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._load()
            yield


def names() -> list[str]:
    """Return the name of every host that has been brought up."""
    return sorted(path.parent.name for path in (scratch.home() / "hosts").glob("*/state.json"))


def _running_stack(name: str) -> Stack:
    stack = Stack(name)
    if not (stack.running("postgres") and stack.running("valkey")):
        raise StackError(
            f"the stack {name}, to which the host belongs, does not run: bring it up with tests/stack up --name {name}."
        )
    return stack
