# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""``ansible-test integration`` against the real stack."""

from __future__ import annotations

import json
import re
import shutil
import sys

from proxbox_checks import process
from proxbox_checks.ansible_test import warned_skips
from proxbox_checks.results import Result
from proxbox_checks.stack import TestStack
from proxbox_checks.tools import Tools

_LISTED = re.compile(r"integration test\(s\) listed below")


def integration(tools: Tools, stack: TestStack, targets: list[str], *, unsupported: bool, cleanup: bool) -> Result:
    """Run the targets, all when none is named, against the stack.

    ``unsupported`` runs the targets too that are marked ``unsupported`` or ``destructive``.
    """
    with stack.in_use(cleanup):
        write_config(tools, stack)
        return run_targets(tools, targets, unsupported=unsupported)


def write_config(tools: Tools, stack: TestStack, **more: str) -> None:
    """Tell the targets where the stack is, and ``more``."""
    wrapper = tools.collections / "stack"
    stack.write_wrapper(wrapper, tools.python)
    facts = {**stack.facts(), "stack_command": str(wrapper), **more}
    path = tools.staged / "tests" / "integration" / "integration_config.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        "---\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in facts.items()), encoding="utf-8"
    )


def run_targets(tools: Tools, targets: list[str], *, unsupported: bool) -> Result:
    """Run the targets, all when none is named, as ``integration_config.yml`` is."""
    data = tools.staged / "tests" / "output" / "data"
    shutil.rmtree(data, ignore_errors=True)
    log = tools.logs / "ansible-test-integration.log"
    command = [tools.program("ansible-test"), "integration", "--continue-on-error"]
    command += ["--color", "yes" if sys.stderr.isatty() else "no"]
    command += ["--allow-unsupported", "--allow-destructive"] if unsupported else []
    done = process.run([*command, *targets], cwd=tools.staged, env=tools.playbook_env, log=log, show=process.everything)
    result = Result(skipped=warned_skips(done), log=log)
    for path in data.glob("integration-*.json"):
        passed = json.loads(path.read_text(encoding="utf-8"))["targets"]
        result.passed += len(passed)
        result.notes += [f"{name} passed in {facts['run_time_seconds']} s" for name, facts in passed.items()]
    listed = [number for number, line in enumerate(done.lines) if _LISTED.search(line)]
    if done.code:
        result.failed = [f"target {name}" for name in done.lines[listed[-1] + 1 :] if name] if listed else []
        result.failed = result.failed or [
            f"it ended with exit code {done.code}: {next(filter(None, reversed(done.lines)), '')}"
        ]
    return result
