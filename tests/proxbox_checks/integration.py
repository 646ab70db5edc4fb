# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The tests against the real stack: ansible-test integration, the role on a host, and pytest."""

from __future__ import annotations

import json

from proxbox_checks.stack import TestStack
from proxbox_checks.workspace import CHECKOUT, Workspace, colour
from proxbox_host import machine
from proxbox_host.host import Host


def integration(work: Workspace, stack: TestStack) -> None:
    """Run the targets against the stack, or those that the command line names."""
    with stack.in_use():
        _run_targets(work, stack, *work.session.posargs)


def role(work: Workspace, stack: TestStack, oldest_ansible: str) -> None:
    """Run the target of the role on a new host, which works for the stack in place of the stack's own worker.

    The command line may name the release of Debian.

    :param oldest_ansible: ansible-playbook of the oldest ansible-core that the collection supports.
    """
    try:
        machine.prepare()
    except machine.Unfit as exc:
        work.session.skip(str(exc))
    host = Host(stack.name)
    with stack.in_use(), stack.without_worker():
        host.down(purge=True)
        try:
            host.up(stack.name, *work.session.posargs)
            facts = {"worker_host_inventory": str(host.inventory), "worker_oldest_ansible": oldest_ansible}
            _run_targets(work, stack, "--allow-unsupported", "--allow-destructive", "proxbox_worker", **facts)
        finally:
            host.down()


def live(work: Workspace, stack: TestStack) -> None:
    """Run pytest on tests/live: what a playbook cannot do to the real stack."""
    with stack.in_use():
        env = {
            **work.env,
            "PYTHONPATH": f"{work.root}:{CHECKOUT / 'tests'}",
            "PROXBOX_STACK_FACTS": json.dumps({**stack.facts(), "stack_command": _wrapper(work, stack)}),
        }
        work.session.run("pytest", *PYTEST, *(work.session.posargs or ["tests/live"]), env=env)


PYTEST = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib")


def _run_targets(work: Workspace, stack: TestStack, *arguments: str, **more: str) -> None:
    facts = {**stack.facts(), "stack_command": _wrapper(work, stack), **more}
    path = work.collection / "tests" / "integration" / "integration_config.yml"
    path.touch(mode=0o600)
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in facts.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with work.session.chdir(work.collection):
        command = ["ansible-test", "integration", "--continue-on-error", *colour(), *arguments]
        work.session.run(*command, env=work.env)


def _wrapper(work: Workspace, stack: TestStack) -> str:
    path = work.root / "stack"
    stack.write_wrapper(path)
    return str(path)
