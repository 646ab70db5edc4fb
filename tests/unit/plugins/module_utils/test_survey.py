# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options as a survey of AWX gives them: each option of each module, blank in every way."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._module import CONNECTION_SPEC
from ansible_collections.proxbox.proxbox.plugins.module_utils._survey import read_answers
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_sync_schedules
from ansible_collections.proxbox.proxbox.tests.unit.plugins.modules.conftest import validator

MODULES = "ansible_collections.proxbox.proxbox.plugins.modules."
NEEDED = {
    "proxbox_job": {},
    "proxbox_job_info": {},
    "proxbox_sync_schedule": {"name": "nightly"},
    "proxbox_sync_schedule_info": {},
    "proxbox_sync_schedules": {"schedules": [{"name": "nightly"}]},
    "proxbox_worker_info": {},
}
ACCESS = {"netbox_url": "https://netbox.example.com", "netbox_token": "secret"}
BLANKS = ["", "  ", "\n", None]


def judge_of(module: str) -> ArgumentSpecValidator:
    return validator(importlib.import_module(MODULES + module), CONNECTION_SPEC)


def accepted(module: str, **given: Any) -> dict[str, Any]:
    """Return the options as the module gets them."""
    judge = judge_of(module)
    valid = judge.validate(read_answers({**ACCESS, **NEEDED[module], **given}, judge.argument_spec))
    assert not valid.error_messages
    return valid.validated_parameters


def optional() -> Iterator[tuple[str, str]]:
    for module, needed in NEEDED.items():
        for option, rules in judge_of(module).argument_spec.items():
            if option not in needed and not rules.get("required"):
                yield module, option


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize(("module", "option"), list(optional()))
def test_a_blank_option_has_its_default(module: str, option: str, blank: str | None) -> None:
    assert accepted(module, **{option: blank}) == accepted(module)


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("module", NEEDED)
def test_all_options_of_a_module_may_be_blank_at_once(module: str, blank: str | None) -> None:
    options = [option for other, option in optional() if other == module]
    assert accepted(module, **dict.fromkeys(options, blank)) == accepted(module)


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("option", sorted(proxbox_sync_schedules.ENTRY_SPEC.keys() - {"name"}))
def test_a_blank_option_of_a_listed_schedule_has_its_default(option: str, blank: str | None) -> None:
    blank_schedules = [{"name": "nightly", option: blank}]
    assert accepted("proxbox_sync_schedules", schedules=blank_schedules) == accepted("proxbox_sync_schedules")


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_list_of_schedules_ends_none(blank: str | None) -> None:
    judge = judge_of("proxbox_sync_schedules")
    given = {**ACCESS, "schedules": blank, "purge_unlisted": True}
    valid = judge.validate(read_answers(given, judge.argument_spec))
    assert valid.error_messages == ["missing required arguments: schedules"]


def test_an_option_with_a_blank_name_does_not_exclude_another_one() -> None:
    options = accepted("proxbox_job", state="cancelled", job_id="39", name="")
    assert (options["job_id"], options["name"]) == (39, None)


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ("pve-lab", ["pve-lab"]),
        ("pve-lab, pve west", ["pve-lab", "pve west"]),
        ("pve-lab\npve west\n", ["pve-lab", "pve west"]),
        ("pve-lab\r\n\r\n pve west,", ["pve-lab", "pve west"]),
        ('["pve-lab", "pve west"]', ["pve-lab", "pve west"]),
        ("[pve-lab, 7]", ["pve-lab", "7"]),
        ("['pve lab']", ["pve lab"]),
        # A pattern, as the option keep takes it.
        ("[pt]mp", ["[pt]mp"]),
        ("[pt]", ["[pt]"]),
        ([" pve-lab", "", "pve west "], ["pve-lab", "pve west"]),
        ([""], []),
        ([], []),
        (7, ["7"]),
    ],
)
def test_a_list_may_be_text(given: Any, items: list[str]) -> None:
    assert accepted("proxbox_job", proxmox_endpoints=given)["proxmox_endpoints"] == items


def test_an_empty_list_is_not_blank() -> None:
    assert accepted("proxbox_job", sync_types=[])["sync_types"] == []


def test_numbers_booleans_and_choices_may_be_text() -> None:
    options = accepted("proxbox_job", wait_timeout="90\n", wait="false", job_id=" 7 ", partial="warn ")
    assert (options["wait_timeout"], options["wait"], options["job_id"], options["partial"]) == (90.0, False, 7, "warn")


YAML = """
- name: nightly
  schedule_at: 02:00
  interval: daily
  sync_types: [devices, storage]
- name: once
  schedule_at: 2030-01-01 02:00
  interval: null
  state: absent
"""


@pytest.mark.parametrize("text", [YAML, json.dumps([{"name": "nightly", "schedule_at": "02:00", "interval": "daily"}])])
def test_schedules_may_be_yaml_or_json(text: str) -> None:
    first, *more = accepted("proxbox_sync_schedules", schedules=text)["schedules"]
    assert (first["name"], first["schedule_at"], first["interval"]) == ("nightly", "02:00", "daily")
    assert [(one["schedule_at"], one["interval"], one["state"]) for one in more] in (
        [],
        [("2030-01-01 02:00", None, "absent")],
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nightly", "schedules is text that is not a list in YAML or JSON: give a list."),
        ("name: nightly", "schedules is text that is not a list in YAML or JSON: give a list."),
        ("- name: a\n- name: [", r"schedules is text, but neither YAML nor JSON \(line 2\): give a list."),
    ],
)
def test_text_that_is_no_list_of_schedules(text: str, says: str) -> None:
    with pytest.raises(ProxboxError, match=f"^{says}$"):
        read_answers({"schedules": text}, judge_of("proxbox_sync_schedules").argument_spec)


def test_a_module_fails_with_the_sentence_about_an_answer() -> None:
    arguments = {"netbox_url": "https://netbox.example.com", "netbox_token": "opensesame", "schedules": "- ["}
    done = subprocess.run(
        [sys.executable, "-m", f"{MODULES}proxbox_sync_schedules"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin"},
        timeout=60,
    )
    assert "opensesame" not in done.stdout
    assert json.loads(done.stdout)["msg"] == "schedules is text, but neither YAML nor JSON (line 1): give a list."


def test_pyyaml_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ProxboxError, match="the host that runs the module has no PyYAML"):
        read_answers({"schedules": "- name: nightly"}, judge_of("proxbox_sync_schedules").argument_spec)
