# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The demo: the collection with a real NetBox, which is set up on this machine."""

from __future__ import annotations

from proxbox_checks.stack import TestStack
from proxbox_checks.workspace import Workspace
from proxbox_stack.report import say

PLAYBOOK = "proxbox.proxbox.demo"


def demo(work: Workspace, stack: TestStack) -> None:
    """Bring the stack up, run the playbook, and say where to look. The stack stays up.

    :raises StackError: if the stack does not come up.
    """
    stack.up()
    facts = stack.facts()
    env = {**work.env, "NETBOX_URL": facts["netbox_url"], "NETBOX_TOKEN": facts["netbox_token"]}
    say(f"running the playbook {PLAYBOOK}")
    try:
        work.session.run("ansible-playbook", PLAYBOOK, env=env)
    finally:
        print(f"NetBox:  {facts['netbox_url']}/plugins/proxbox/")
        print(f"login:   {facts['netbox_username']}, password {facts['netbox_password']}")
        print(f"stop:    tests/stack down --name {stack.name} (with --purge to remove its data too)")
