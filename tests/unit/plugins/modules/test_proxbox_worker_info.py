# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workers and queues in the result, and the queue whose scheduled jobs do not start."""

from __future__ import annotations

from typing import Any

from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_worker_info
from ansible_collections.proxbox.proxbox.tests.unit.conftest import Script, page, recorded_rq


class Module:
    """The part of AnsibleModule that the module needs."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.warn = self.warnings.append


def read(
    server: Script, workers: list[dict[str, Any]], queues: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    module = Module()
    server.answer(page(*workers), page(*queues))
    jobs = Jobs(Session(Connection(server.url, "0" * 40, timeout=5)))
    return proxbox_worker_info.work(module, jobs), module.warnings


def test_workers_and_queues_are_sorted_by_name(server: Script) -> None:
    workers = [{**recorded_rq("worker"), "name": name} for name in ("b", "a")]
    queues = [{**recorded_rq("queue"), "name": name, "scheduler_pid": "21898"} for name in ("low", "default", "own")]
    result, warnings = read(server, workers, queues)
    assert [worker["name"] for worker in result["workers"]] == ["a", "b"]
    assert [(queue["name"], queue["scheduler_pid"]) for queue in result["queues"]] == [
        ("default", 21898),
        ("low", 21898),
        ("own", 21898),
    ]
    assert (result["unserved_queues"], result["sync_queue"], result["changed"]) == (["own"], "default", False)
    assert warnings == []


def test_scheduled_jobs_that_no_worker_starts_cause_a_warning(server: Script) -> None:
    queue = recorded_rq("queue_without_scheduler")
    result, (warning,) = read(server, [recorded_rq("worker")], [queue])
    assert result["queues"][0]["scheduler_pid"] is None and result["unserved_queues"] == []
    assert warning.startswith(
        f"{queue['scheduled_jobs']} scheduled jobs do not start: workers serve the queue 'default', but none of them"
    )
