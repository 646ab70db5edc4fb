# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of a run: its facts, and the lines that a task shows. The logs are those of real runs (tests/record)."""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._log import (
    LogReader,
    RunLog,
    one_line,
    plain_error,
    stage_error,
)
from ansible_collections.proxbox.proxbox.tests.unit.conftest import recorded

TWO_ENDPOINTS = [
    "pve-lab devices: started",
    "pve-lab devices: ok in 1s",
    "pve-lab vm-backups: started",
    "pve-lab vm-backups: sync progress",
    "pve-lab vm-backups: ok in 0s",
    "endpoint 3 devices: started",
    "endpoint 3 devices: Finalizing device 'west1' (1 of 2)",
    "endpoint 3 devices: ok in 2s",
    "endpoint 3 vm-backups: started",
    "WARNING endpoint 3 vm-backups: HTTP 500: no space left on device, retrying in 8 s",
    "WARNING endpoint 3 vm-backups: HTTP 500: no space left on device, retrying in 16 s",
    "ERROR endpoint 3 vm-backups: HTTP 500: no space left on device",
    "WARNING endpoint 3 vm-backups: the stage is optional, so the sync continues",
]


def lines(scenario: str, release: str = "0.0.29.post6") -> list[str]:
    """The lines of a log. Only the first endpoint has a known name."""
    reader = LogReader()
    reader.names[1] = "pve-lab"
    return [line for entry in recorded(scenario, release)["log_entries"] if (line := reader.line(entry))]


def test_each_line_about_a_stage_names_its_endpoint() -> None:
    shown = lines("backups_500_on_west_of_two")
    start = shown.index(TWO_ENDPOINTS[0])
    assert shown[start : start + len(TWO_ENDPOINTS)] == TWO_ENDPOINTS
    assert "stages: devices, vm-backups" in shown


def test_a_check_that_the_plugin_repeats_is_shown_once() -> None:
    messages = [entry["message"] for entry in recorded("ok_devices_backups")["log_entries"]]
    (check,) = {message for message in messages if message.startswith("Preflight: API key verified")}
    assert messages.count(check) == 2 and lines("ok_devices_backups").count(check) == 1


def test_a_traceback_that_repeats_the_line_before_it_is_not_shown() -> None:
    # Netbox-proxbox 0.0.29 logs the error of a run, and then its traceback.
    entries = recorded("west_never_approved")["log_entries"]
    assert any(entry["message"].startswith("Traceback") for entry in entries)
    shown = lines("west_never_approved")
    assert not any("Traceback" in line for line in shown) and len(shown) == len(set(shown))


def test_a_message_without_its_values_is_not_shown() -> None:
    assert LogReader().line({"level": "info", "message": "Stage %s completed"}) is None


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("[proxbox-stream] step: {", "step {"),
        ("[proxbox-stream] step: []", "step []"),
        ('[proxbox-stream] step: {"status": "started"}', "started"),
        ('[proxbox-stream] step: {"message": "a", "progress": {"current": 1}}', "a"),
        ('[proxbox-stream] step: {"message": "a", "progress": {"current": 1, "total": 2}}', "a (1 of 2)"),
    ],
)
def test_a_line_of_the_backend_in_any_shape(message: str, line: str) -> None:
    assert LogReader().line({"level": "info", "message": message}) == line


@pytest.mark.parametrize("release", ["0.0.25", "0.0.29.post6"])
def test_the_facts_of_a_log(release: str) -> None:
    log = RunLog(recorded("backups_500_on_west_of_two", release)["log_entries"])
    assert (log.stages, log.endpoints) == (["devices", "vm-backups"], [1, 3])
    assert log.completed == [(1, "devices"), (1, "vm-backups"), (3, "devices")]
    assert log.failures == {(3, "vm-backups"): "HTTP 500: no space left on device"}
    assert (log.attempts((3, "vm-backups")), log.attempts((3, "devices"))) == (3, 1)


def test_a_log_that_was_not_read_has_no_facts() -> None:
    log = RunLog([])
    assert (log.stages, log.endpoints, log.completed, log.failures) == ([], [], [], {})
    assert log.attempts((1, "devices")) is None


def test_errors_in_plain_words() -> None:
    assert plain_error("RuntimeError('no space')") == plain_error(' ValueError("no space",) ') == "no space"
    assert plain_error("RuntimeError('no' 'space'") == "RuntimeError('no' 'space'"
    assert plain_error("Cancelled via API.") == "Cancelled via API."
    assert stage_error("Stage 'devices' failed (HTTP 500): no space.") == "HTTP 500: no space"
    assert stage_error("no space. Preflight reported: all is well") == "no space"


def test_the_line_that_tells_most() -> None:
    assert one_line("\n first \nsecond") == "first" and one_line(" \n") == ""
    assert (
        one_line("Traceback (most recent call last):\n  File x\nRuntimeError: no space\n") == "RuntimeError: no space"
    )
