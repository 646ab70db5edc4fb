# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The tests under tests/live: what a playbook cannot do to the real stack."""

from __future__ import annotations

import json

from proxbox_checks.ansible_test import pytest
from proxbox_checks.results import Result
from proxbox_checks.stack import TestStack
from proxbox_checks.tools import Tools


def live(tools: Tools, stack: TestStack, *, cleanup: bool) -> Result:
    """pytest against the stack, in the development environment; from the checkout, for a release has no such tests."""
    with stack.in_use(cleanup):
        wrapper = tools.collections / "stack"
        stack.write_wrapper(wrapper, tools.python)
        env = {
            **tools.playbook_env,
            "PYTHONPATH": f"{tools.collections}:{tools.checkout / 'tests'}",
            "PROXBOX_STACK_FACTS": json.dumps({**stack.facts(), "stack_command": str(wrapper)}),
        }
        return pytest(tools, "tests/live", env)
