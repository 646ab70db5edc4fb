# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The tests under tests/live: what a playbook cannot do to the real stack."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from proxbox_checks.ansible_test import pytest
from proxbox_checks.release import PLACEHOLDER, build_archive
from proxbox_checks.results import Result
from proxbox_checks.stack import TestStack
from proxbox_checks.tools import Tools
from proxbox_stack.packages import ensure_java
from proxbox_stack.pins import RULEBOOK
from proxbox_stack.report import StackError
from proxbox_stack.venvs import ensure_venv


def live(tools: Tools, stack: TestStack, *, cleanup: bool) -> Result:
    """pytest against the stack, in the development environment; from the checkout, for a release has no such tests."""
    with stack.in_use(cleanup), tempfile.TemporaryDirectory() as folder:
        wrapper = tools.collections / "stack"
        stack.write_wrapper(wrapper, tools.python)
        env = {
            **tools.playbook_env,
            "PYTHONPATH": f"{tools.collections}:{tools.checkout / 'tests'}",
            "PROXBOX_STACK_FACTS": json.dumps({**stack.facts(), "stack_command": str(wrapper)}),
            "PROXBOX_RULEBOOK": json.dumps(_rulebook(tools, Path(folder))),
        }
        return pytest(tools, "tests/live", env)


def _rulebook(tools: Tools, folder: Path) -> dict[str, str]:
    """Where ansible-rulebook is, and the archive of the collection for it; or why it cannot run here."""
    try:
        ensure_java()
    except StackError as exc:
        return {"missing": str(exc)}
    programs = ensure_venv("rulebook", RULEBOOK) / "bin"
    return {"programs": str(programs), "archive": str(build_archive(tools, PLACEHOLDER, folder))}
