# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report requests from the module, shows, returns and writes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.proxbox.proxbox.plugins.action import proxbox_report
from ansible_collections.proxbox.proxbox.plugins.action.proxbox_report import FILES, PASSED_ON, SPEC, ActionModule
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._module import CONNECTION_SPEC, STALE_SPEC
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_report as documentation
from ansible_collections.proxbox.proxbox.tests.unit.reports import FAILED, GOOD, schedule


class Action(ActionModule):
    """The plugin with another way to run a module."""

    def __init__(self, *answers: dict[str, Any], check_mode: bool = False, no_log: bool = False) -> None:
        self._task = SimpleNamespace(check_mode=check_mode, no_log=no_log)
        self._answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def _execute_module(self, module_name: str, module_args: dict[str, Any], **more: Any) -> dict[str, Any]:
        assert module_name == "proxbox.proxbox.proxbox_sync_schedule_info"
        self.calls.append(module_args)
        return self._answers.pop(0)

    def report(self, **args: Any) -> dict[str, Any]:
        """Run a task with these options."""
        self._task.args = args
        return self._report({})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    monkeypatch.setattr(proxbox_report.display, "display", lambda text, color=None: found.append((text, color)))
    return found


FOUND = {"changed": False, "schedules": [schedule("nightly", (FAILED, GOOD)), schedule("other", (GOOD,))]}
GONE = {"changed": False, "schedules": [], "gone": ["weekly"], "ended": [], "past_runs": {"weekly": []}}


def test_without_declared_schedules_the_module_runs_once(shown: list[tuple[str, str | None]]) -> None:
    action = Action(FOUND)
    result = action.report(netbox_url="https://netbox", validate_certs="no", ca_path="", names="", schedules=None)
    assert action.calls == [{"netbox_url": "https://netbox", "validate_certs": "no", "timezone": "UTC", "history": 30}]
    assert result["msg"] == "2 schedules: 1 ok, 1 failing (nightly)"
    assert (result["changed"], result["unwell"]) == (False, ["nightly"])
    assert (result["html"], result["markdown"]) == (None, None)
    assert [row["name"] for row in result["schedules"]] == ["nightly", "other"]
    assert "\n".join(text[2:] for text, _color in shown) == result["text"]
    colors = {text.split()[0]: color for text, color in shown if text}
    assert (colors["other"], colors["nightly"]) == ("green", "red")


def test_the_module_runs_again_for_declared_schedules_that_are_missing() -> None:
    action = Action(FOUND, GONE)
    entries = "- {name: weekly, interval: weekly, previous_name: old weekly}\n- {name: old, state: absent}\n"
    asked = {"history": 7, "stale_after": "3h", "timezone": "UTC"}
    result = action.report(names="nightly\n", schedules=entries, history="7", stale_after="3h")
    assert action.calls == [
        {**asked, "previous_names": {"weekly": "old weekly"}},
        {**asked, "previous_names": {"weekly": "old weekly"}, "names": ["weekly"]},
    ]
    assert result["msg"] == "3 schedules: 1 ok, 1 failing (nightly), 1 gone (weekly); 1 undeclared (other)"


def test_fail_fails_the_task_with_a_sentence_for_each_problem() -> None:
    result = Action(FOUND, GONE).report(names=["nightly", "other", "weekly"], fail=True)
    assert result["failed"] and "text" not in result and "runs" not in result["schedules"][0]
    first, *sentences = result["msg"].splitlines()
    assert first == "3 schedules: 1 ok, 1 failing (nightly), 1 gone (weekly)."
    assert sentences == result["problems"] and [text.split()[0] for text in sentences] == ["nightly", "weekly"]
    well = {"schedules": [schedule("nightly", (GOOD,))]}
    assert "failed" not in Action(well).report(fail=True)


@pytest.mark.parametrize("answers", [[{"failed": True, "msg": "no"}], [FOUND, {"failed": True, "msg": "no"}]])
def test_a_failure_of_the_module_fails_the_report(answers: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    assert Action(*answers).report(names="weekly", markdown=str(path)) == {"failed": True, "msg": "no"}
    assert not path.exists()


def test_warnings_of_the_module_are_passed_on() -> None:
    result = Action({**FOUND, "warnings": ["a"]}, {**GONE, "warnings": ["b"]}).report(names="weekly")
    assert result["warnings"] == ["a", "b"]


@pytest.mark.parametrize("callback", ["default", "ansible.posix.json"])
def test_nothing_is_shown_with_no_log_or_with_a_json_callback(
    callback: str, shown: list[tuple[str, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxbox_report.C, "DEFAULT_STDOUT_CALLBACK", callback)
    assert Action(FOUND, no_log=callback == "default").report()["text"]
    assert shown == []


@pytest.mark.parametrize("option", FILES)
def test_a_file_keeps_its_link_and_its_mode(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, link = tmp_path / "report", tmp_path / "link"
    link.symlink_to(path)
    path.write_text("old")
    path.chmod(0o640)
    result = Action(FOUND).report(**{option: "link"})
    assert result[option] == str(path) and link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
    assert "nightly" in path.read_text() and sorted(tmp_path.iterdir()) == [link, path]
    path.unlink()
    Action(FOUND).report(**{option: str(path)})
    assert path.stat().st_mode & 0o600 == 0o600


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    assert Action(FOUND, check_mode=True).report(markdown=str(path))["markdown"] is None
    assert not path.exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"markdown": "/nowhere/report.md"}, "markdown: the folder /nowhere does not exist on the controller"),
        ({"markdown": "/"}, "markdown: / is a folder"),
        ({"html": "/tmp/a", "markdown": "/tmp/../tmp/a"}, "html and markdown name the same file"),
        ({"history": -1}, "history -1 is not a number of jobs"),
        ({"timezone": "Berlin"}, "timezone 'Berlin' is not known"),
        ({"names": ["null"]}, "name 'null' cannot be the name of a job"),
        ({"schedules": "nightly"}, "schedules is text that is not a list"),
        ({"schedules": [{"interval": "daily"}]}, "schedules has an entry that is not a dictionary with a name"),
        ({"fail": "perhaps"}, "argument 'fail' is of type"),
        (
            {"file": "x"},
            "Unsupported parameters for (proxbox.proxbox.proxbox_report) module: file. Supported parameters include",
        ),
    ],
)
def test_a_wrong_option_runs_no_module(args: dict[str, Any], says: str) -> None:
    action = Action(FOUND)
    with pytest.raises(ProxboxError) as caught:
        action.report(**args)
    assert says in str(caught.value) and action.calls == []


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(proxbox_report.os, "replace", refuse)
    with pytest.raises(
        ProxboxError, match=r"markdown: .*report.md cannot be written .*: No space left on device\. Give"
    ):
        Action(FOUND).report(markdown=str(tmp_path / "report.md"))
    assert list(tmp_path.iterdir()) == []


def test_the_options_are_those_of_the_module_and_of_the_documentation() -> None:
    assert set(PASSED_ON) == {*CONNECTION_SPEC, *STALE_SPEC}
    described = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    assert set(described) == {*SPEC} - {*CONNECTION_SPEC}
    for name, option in described.items():
        if name not in PASSED_ON:
            assert {key: option[key] for key in ("type", "default", "elements") if key in option} == SPEC[name]
