# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a whole module prints: secrets are masked, and a header that is none leaves the results as they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.parameters import PASS_VARS

from ansible_collections.proxbox.proxbox.tests.unit.conftest import Answer, Script, page

TOKEN = "0123456789abcdef0123456789abcdef01234567"
MODULES = "ansible_collections.proxbox.proxbox.plugins.modules."


def printed(tmp_path: Path, module: str = "proxbox_job_info", **options: Any) -> str:
    """What the module prints, and what it would log, at its loudest."""
    arguments = {"netbox_token": TOKEN, **options}
    if "inject_invocation" in PASS_VARS:  # an older ansible-core always adds the invocation
        arguments["_ansible_inject_invocation"] = True
    file = tmp_path / "arguments.json"
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", MODULES + module, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin"},
        timeout=60,
    )
    assert "Traceback" not in run.stderr, run.stderr
    return run.stdout


def test_harmless_headers_leave_results_alone(server: Script, tmp_path: Path, row: Any) -> None:
    server.answer(page(row(3)))
    headers = {"X-Shard": "1", "X-Forwarded-Proto": "http", "X-Up": "schedule", "X-Auth": "0", "X-Host": "127.0.0.1"}
    result = json.loads(printed(tmp_path, netbox_url=server.url, headers=headers))
    (job,) = result["jobs"]
    assert (job["created"], job["status"]) == ("2026-03-31T12:00:00Z", "scheduled")
    assert "***" not in json.dumps(result)
    assert result["invocation"]["module_args"]["headers"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@pytest.mark.parametrize("value", ["opensesame-opensesame", "opensesame-opensesame\n", " opensesame-opensesame"])
def test_a_secret_that_the_server_repeats(server: Script, tmp_path: Path, value: str) -> None:
    server.answer(Answer({"detail": f"bad key {value.strip()} of {TOKEN}"}, 400))
    said = printed(tmp_path, netbox_url=server.url, netbox_token=f"{TOKEN}\n", headers={"X-Api-Key": value})
    assert "NetBox refuses the request" in said
    assert "opensesame" not in said and TOKEN not in said


def test_the_words_of_the_server_do_not_steer_the_terminal(server: Script, tmp_path: Path) -> None:
    server.answer(Answer({"detail": "bad \x1b[2Jname"}, 400))
    assert "bad \ufffd[2Jname" in json.loads(printed(tmp_path, netbox_url=server.url))["msg"]


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-Api-Key": "opensesame\nopensesame"}},
        {"headers": {"X-Gate": "opensesame\u2013opensesame"}},
        {"headers": {"X-Gate: opensesame": "a"}},
        {"netbox_url": "https://u:opensesame@netbox.example.com"},
        {"netbox_url": "https://u:open/opensesame@netbox.example.com"},
        {"netbox_url": "u:opensesame@netbox.example.com"},
        {"netbox_url": "https://netbox.example.com/?token=opensesame"},
        {"netbox_token": "opensesame opensesame"},
        {"client_cert": "/", "client_key": "-----BEGIN PRIVATE KEY-----\nopensesame\n"},
    ],
)
def test_a_secret_that_is_wrong(tmp_path: Path, options: dict[str, Any]) -> None:
    said = printed(tmp_path, **{"netbox_url": "http://127.0.0.1:1", **options})
    assert json.loads(said)["failed"] and "defect" not in said
    assert "opensesame" not in said


def test_an_age_beyond_all_years_is_no_defect(tmp_path: Path) -> None:
    said = json.loads(printed(tmp_path, "proxbox_job", netbox_url="http://127.0.0.1:1", max_age=1e300))
    assert said["failed"] and "reaches before the year 1 or beyond the year 9999" in said["msg"]
