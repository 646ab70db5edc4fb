# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the work of a module with options that Ansible itself has checked."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._survey import read_answers


class Module:
    """The part of AnsibleModule that a module's work needs."""

    def __init__(self, params: dict[str, Any], check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []
        self.warn = self.warnings.append


def validator(module: ModuleType, connection: dict[str, Any] | None = None) -> ArgumentSpecValidator:
    """Return Ansible's own validator of a module's options.

    :param connection: the options of the connection, if the test needs them.
    """
    made = []

    def run_module(spec: dict[str, Any], _work: object, **rules: Any) -> None:
        made.append(ArgumentSpecValidator({**(connection or {}), **spec}, **rules))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run_module", run_module)
        module.main()
    return made[0]


def work(
    module: ModuleType, jobs: Jobs, options: dict[str, Any], *, check_mode: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Return the result of the module and its warnings."""
    judge = validator(module)
    valid = judge.validate(read_answers(options, judge.argument_spec))
    assert not valid.error_messages
    running = Module(valid.validated_parameters, check_mode)
    return module.work(running, jobs), running.warnings
