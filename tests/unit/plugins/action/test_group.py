# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action group: an option has the same meaning in each module, so module_defaults can set it for the group."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.action import proxbox_report
from ansible_collections.proxbox.proxbox.plugins.module_utils._module import CONNECTION_SPEC
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_job
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import validator

COLLECTION = Path(__file__).parents[4]
GROUP = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]["proxbox"]
OTHER_CHOICES = {"state"}
"""Options whose choices differ: a job is cancelled, but a schedule is made absent."""


OTHER_DEFAULTS = {"history"}
"""Options whose defaults differ: a report shows more runs."""


def spec_of(name: str) -> dict[str, Any]:
    """Return the options of a module. The report is an action plugin, and has only the options that it uses itself."""
    if name == "proxbox_report":
        own = proxbox_report.SPEC.keys() - proxbox_report.PASSED_ON
        return {option: proxbox_report.SPEC[option] for option in own}
    module = importlib.import_module(proxbox_job.__name__.replace("proxbox_job", name))
    return validator(module, CONNECTION_SPEC).argument_spec


def options() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each option of each module of the group, and each option of an entry of ``schedules``."""
    for name in GROUP:
        for option, rules in spec_of(name).items():
            yield name, option, rules
            for inner, inner_rules in rules.get("options", {}).items():
                yield f"{name}: {option}", inner, inner_rules


def told(rules: dict[str, Any], option: str) -> dict[str, Any]:
    """Return the properties of an option that must be the same in each module."""
    keys = ["type", "elements", "no_log", *([] if option in OTHER_CHOICES else ["choices"])]
    return {key: rules.get(key) for key in keys}


@pytest.mark.parametrize("option", sorted({option for _where, option, _rules in options()}))
def test_options_with_the_same_name_are_the_same_in_each_module(option: str) -> None:
    (first, *others) = ((where, rules) for where, other, rules in options() if other == option)
    for where, rules in others:
        assert told(rules, option) == told(first[1], option), f"{option} of {where} differs from that of {first[0]}"
    defaults = {str(rules["default"]) for _where, rules in (first, *others) if "default" in rules}
    assert len(defaults) <= 1 or option in OTHER_DEFAULTS, f"{option} has more than one default"


def test_the_group_has_each_module_that_uses_netbox() -> None:
    modules = {path.stem for path in (COLLECTION / "plugins" / "modules").glob("proxbox_*.py")}
    assert set(GROUP) == modules - {"proxbox_worker_host"}
