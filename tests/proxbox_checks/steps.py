# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The steps of the tests, in their order, and how they are run: each to its end, whatever the others found."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from proxbox_checks import ansible_test, lint, release, staging
from proxbox_checks.integration import integration
from proxbox_checks.live import live
from proxbox_checks.results import Result
from proxbox_checks.role import role
from proxbox_checks.stack import TestStack
from proxbox_checks.tools import Tools
from proxbox_stack.report import StackError, say

GROUPS = ("lint", "sanity", "units", "integration", "live", "previous", "role")


@dataclass(frozen=True)
class Choice:
    """What the command line asks for."""

    groups: list[str]
    targets: list[str] = field(default_factory=list)
    unsupported: bool = False
    cleanup: bool = True


def run_steps(checkout: Path, choice: Choice) -> list[Result]:
    """Set up, then run every step of the chosen groups. Without a development environment there are no others."""
    results = []
    found: list[Tools] = []

    def dev_environment() -> Result:
        found.append(Tools(checkout))
        return Result(passed=1)

    def stage() -> Result:
        staging.stage(checkout)
        return Result(passed=1)

    for name, step in (("dev environment", dev_environment), ("stage", stage)):
        results.append(_timed("", name, step))
        if not results[-1].ok:
            return results
    tools = found[0]
    with ExitStack() as at_end:
        for group, name, step in _steps(tools, choice, at_end):
            results.append(_timed(group, name, step))
    return results


def stack_name() -> str:
    """The stack that the integration tests use; that of the previous pair has ``-previous`` after it."""
    return os.environ.get("PROXBOX_STACK_NAME") or "test"


def _steps(tools: Tools, choice: Choice, at_end: ExitStack) -> Iterator[tuple[str, str, Callable[[], Result]]]:
    """Yield the group, the name and the function of each step."""
    current = TestStack(tools.checkout, stack_name())
    previous = TestStack(tools.checkout, f"{stack_name()}-previous", "previous")

    def keep_up() -> Result:
        at_end.enter_context(current.in_use(choice.cleanup))
        return Result(passed=1)

    def playbooks(tools: Tools, stack: TestStack) -> Result:
        return integration(tools, stack, choice.targets, unsupported=choice.unsupported, cleanup=choice.cleanup)

    every = {
        "lint": [
            ("lint: ruff check", lint.ruff_check),
            ("lint: ruff format", lint.ruff_format),
            ("lint: mypy", lint.mypy),
            ("lint: file headers", lint.headers),
            ("lint: yamllint", lint.yamllint),
            ("lint: ansible-lint", lint.ansible_lint),
            ("lint: changelog", lint.changelog),
            ("lint: shared RETURN", lint.shared_returns),
            ("lint: ansible-doc", lint.documentation),
            ("lint: AWX", lint.awx),
            ("lint: galaxy-importer", release.importer),
            ("lint: ansible-builder", release.environments),
        ],
        "sanity": [("ansible-test sanity", ansible_test.sanity)],
        "units": [("ansible-test units", ansible_test.units)],
        "integration": [("integration", lambda tools: playbooks(tools, current))],
        "live": [("live", lambda tools: live(tools, current, cleanup=choice.cleanup))],
        "previous": [("integration, previous pair", lambda tools: playbooks(tools, previous))],
        "role": [("role", lambda tools: role(tools, current, cleanup=choice.cleanup))],
    }
    on_current = [group for group in GROUPS if group in choice.groups and group in ("integration", "live", "role")]
    for group in GROUPS:
        if group in on_current[:1] and len(on_current) > 1:
            # Otherwise each of them would bring it up and take it down.
            yield group, "stack", keep_up
        if group in choice.groups:
            for name, step in every[group]:
                yield group, name, lambda step=step: step(tools)


def _timed(group: str, name: str, step: Callable[[], Result]) -> Result:
    say(f"{name} ...")
    started = time.monotonic()
    try:
        result = step()
    except StackError as exc:
        result = Result(failed=[str(exc)])
    result.group, result.name = group, name
    result.seconds = time.monotonic() - started
    verdict = result.verdict if result.ok else f"FAILED: {(result.failed or ['nothing ran'])[0]}"
    say(f"{name}: {verdict}, {result.passed} passed, {len(result.failed)} failed, {len(result.skipped)} skipped")
    return result
