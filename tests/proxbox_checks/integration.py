# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The tests against the real stack: ansible-test integration, the role on a host, and pytest."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from proxbox_checks.release import PLACEHOLDER, build_archive
from proxbox_checks.stack import TestStack
from proxbox_checks.start import CHECKOUT, pinned
from proxbox_checks.workspace import Workspace
from proxbox_host import machine
from proxbox_host.host import Host
from proxbox_stack.packages import ensure_chromium, ensure_java
from proxbox_stack.report import StackError
from proxbox_stack.venvs import ensure_venv


def integration(work: Workspace, stack: TestStack, other: TestStack | None = None) -> None:
    """Run all targets against the stack, or only the targets in the command line.

    :param other: a second stack. The target ``move`` needs it.
    """
    with ExitStack() as stacks:
        stacks.enter_context(stack.in_use())
        more: dict[str, Any] = {}
        if other:
            stacks.enter_context(other.in_use())
            more["other_netbox"] = {**other.facts(), "stack_name": other.name}
        _run_targets(work, stack, *(["--allow-unsupported"] if other else []), *work.session.posargs, **more)


def role(work: Workspace, stack: TestStack, oldest_ansible: str) -> None:
    """Run the target of the role on a new host. Its worker replaces the worker of the stack.

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
            host.up(stack.name)
            facts = {"worker_host_inventory": str(host.inventory), "worker_oldest_ansible": oldest_ansible}
            _run_targets(work, stack, "--allow-unsupported", "--allow-destructive", "proxbox_worker", **facts)
        finally:
            host.down()


def live(work: Workspace, stack: TestStack) -> None:
    """Run pytest on tests/live, the tests on the real stack that a playbook cannot do."""
    with stack.in_use(), tempfile.TemporaryDirectory() as folder:
        env = {
            **work.env,
            "PYTHONPATH": f"{work.root}:{CHECKOUT / 'tests'}",
            "PROXBOX_STACK_FACTS": json.dumps({**stack.facts(), "stack_command": _wrapper(work, stack)}),
            "PROXBOX_RULEBOOK": json.dumps(_rulebook(work, Path(folder))),
            "PROXBOX_BROWSER": json.dumps(_browser()),
        }
        # A test that hangs fails with the stacks of its threads, and its name is in the output.
        options = ("-v", "--timeout=900", "--durations=20")
        work.session.run("pytest", *PYTEST, *options, *(work.session.posargs or ["tests/live"]), env=env)


PYTEST = ("-p", "no:cacheprovider", "--import-mode=importlib")


def _rulebook(work: Workspace, folder: Path) -> dict[str, str]:
    """Return where ansible-rulebook and the archive of the collection for it are, or why it cannot run here."""
    try:
        ensure_java()
    except StackError as exc:
        return {"missing": str(exc)}
    programs = ensure_venv("rulebook", [pinned("ansible-rulebook"), pinned("ansible-core")]) / "bin"
    return {"programs": str(programs), "archive": str(build_archive(work, PLACEHOLDER, folder))}


def _browser() -> dict[str, str]:
    """Return which browser is here, or why there is none."""
    try:
        return {"program": ensure_chromium()}
    except StackError as exc:
        return {"missing": str(exc)}


def _run_targets(work: Workspace, stack: TestStack, *arguments: str, **more: Any) -> None:
    facts = {**stack.facts(), "stack_command": _wrapper(work, stack), **more}
    path = work.collection / "tests" / "integration" / "integration_config.yml"
    path.touch(mode=0o600)
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in facts.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    work.ansible_test("integration", "--continue-on-error", *arguments, env=work.env)


def _wrapper(work: Workspace, stack: TestStack) -> str:
    path = work.root / "stack"
    stack.write_wrapper(path)
    return str(path)
