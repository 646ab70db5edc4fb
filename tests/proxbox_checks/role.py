# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The role, deployed on a host with a systemd of its own."""

from __future__ import annotations

from proxbox_checks.integration import run_targets, write_config
from proxbox_checks.results import Result
from proxbox_checks.stack import TestStack
from proxbox_checks.tools import Tools
from proxbox_host import machine
from proxbox_host.host import Host
from proxbox_stack.pins import OLDEST_ANSIBLE
from proxbox_stack.venvs import ensure_venv


def role(tools: Tools, stack: TestStack, *, cleanup: bool) -> Result:
    """The target of the role, on a new host that works for the stack in place of the stack's own worker."""
    try:
        machine.prepare()
    except machine.Unfit as exc:
        return Result(impossible=str(exc))
    host = Host(stack.name)
    with stack.in_use(cleanup), stack.without_worker():
        host.down(purge=True)
        try:
            host.up(stack.name)
            oldest = ensure_venv("oldest-ansible", OLDEST_ANSIBLE) / "bin" / "ansible-playbook"
            write_config(tools, stack, worker_host_inventory=str(host.inventory), worker_oldest_ansible=str(oldest))
            return run_targets(tools, ["proxbox_worker"], unsupported=True)
        finally:
            host.down()
