# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The demo: the collection against a real NetBox, on this machine, from nothing."""

from __future__ import annotations

import subprocess

from proxbox_checks.stack import TestStack
from proxbox_checks.tools import Tools
from proxbox_stack.report import StackError, say

PLAYBOOK = "proxbox.proxbox.demo"


def demo(tools: Tools, stack: TestStack) -> None:
    """Bring the stack up, run the playbook, and say where to look.

    :raises StackError: when the stack does not come up or the playbook fails.
    """
    stack.up()
    facts = stack.facts()
    env = {**tools.playbook_env, "NETBOX_URL": facts["netbox_url"], "NETBOX_TOKEN": facts["netbox_token"]}
    say(f"running the playbook {PLAYBOOK}")
    command = [tools.program("ansible-playbook"), PLAYBOOK]
    failed = subprocess.run(command, env=env, cwd=str(tools.staged), check=False).returncode
    print(f"NetBox:  {facts['netbox_url']}/plugins/proxbox/")
    print(f"login:   {facts['netbox_username']}, password {facts['netbox_password']}")
    print(f"stop:    tests/stack down --name {stack.name} (with --purge to remove its data too)")
    if failed:
        raise StackError(f"the playbook {PLAYBOOK} failed; the stack is left up to look at.")
