# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module shares with Ansible: connection options, results, failures. The only owner of AnsibleModule."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ansible.module_utils.basic import AnsibleFallbackNotFound, AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ._connection import HIDDEN, Connection, secret_values
from ._engine import TaskResult
from ._errors import ProxboxError
from ._explain import excerpt, explain, remarks
from ._job import Job, Scope, iso
from ._jobs import Jobs
from ._library import library_problem
from ._outcome import NOTHING_DONE, PARTIAL, SUCCEEDED
from ._pages import Pages
from ._progress import PROGRESS, SEEN, WIDTH, Progress
from ._session import Session
from ._times import parse_interval


def _environment(*names: str) -> str:
    """As Ansible's ``env_fallback``; but a variable that is empty counts as not set, as AWX leaves them."""
    for name in names:
        if os.environ.get(name):
            return os.environ[name]
    raise AnsibleFallbackNotFound


CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "netbox_url": {"type": "str", "required": True, "fallback": (_environment, ["NETBOX_URL", "NETBOX_API"])},
    "netbox_token": {
        "type": "str",
        "required": True,
        "no_log": True,
        "fallback": (_environment, ["NETBOX_TOKEN"]),
    },
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path"},
    "headers": {"type": "dict", "no_log": True},
    "timeout": {"type": "float", "default": 30},
}

LOGIN_SPEC: dict[str, dict[str, Any]] = {
    "netbox_username": {"type": "str", "fallback": (_environment, ["NETBOX_USERNAME"])},
    "netbox_password": {"type": "str", "no_log": True, "fallback": (_environment, ["NETBOX_PASSWORD"])},
}

SCOPE_SPEC: dict[str, dict[str, Any]] = {
    "sync_types": {"type": "list", "elements": "str", "default": ["all"]},
    "proxmox_endpoints": {"type": "list", "elements": "str", "default": []},
    "netbox_endpoints": {"type": "list", "elements": "str", "default": []},
}

SCHEDULE_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "schedule_at": {"type": "str"},
    "interval": {"type": "str"},
    **SCOPE_SPEC,
}

STALE_SPEC: dict[str, dict[str, Any]] = {"stale_after": {"type": "str"}}

RUNNING_SPEC: dict[str, dict[str, Any]] = {
    "drift": {"type": "str", "choices": ["repair", "ignore"], "default": "repair"},
    "when_running": {"type": "str", "choices": ["wait", "cancel", "fail"], "default": "wait"},
    "wait_timeout": {"type": "float", "default": 3600},
    **STALE_SPEC,
}

UNHEARD = 300
"""After how many seconds without a look the module ends: the playbook was killed, or its host is gone."""

Work = Callable[[AnsibleModule, Jobs], dict[str, Any]]


def run_module(argument_spec: dict[str, Any], work: Work, **options: Any) -> None:
    """Run ``work`` with the module and the jobs of the NetBox it names, and leave with its result.

    A ``ProxboxError`` becomes the task's failure with its sentence as ``msg``, and ``failure``. A result with
    ``failed`` true fails the task with everything in it.
    """
    module = AnsibleModule(
        argument_spec={**CONNECTION_SPEC, **argument_spec},
        required_by={"client_key": "client_cert"},
        supports_check_mode=True,
        **options,
    )
    connection = _connection(module.params)
    _mask_only_secrets(module)
    problem = library_problem(sys.executable, platform.python_version())
    if problem:
        module.fail_json(msg=problem)
    try:
        session = Session(connection)
        result = work(
            module,
            Jobs(session, Pages(session, module.params.get("netbox_username"), module.params.get("netbox_password"))),
        )
    except ProxboxError as exc:
        module.fail_json(msg=str(exc), failure=exc.failure, changed=exc.changed)
    except OverflowError:
        module.fail_json(
            msg="An option reaches before the year 1 or beyond the year 9999: look at the times and the ages."
        )
    except Exception as exc:
        # A defect of ours; the traceback is shown from -vvv on.
        module.fail_json(
            msg=f"This is a defect of the collection, please report it: {type(exc).__name__}: {exc}",
            exception=traceback.format_exc(),
        )
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def with_endpoints(scope: Scope, params: dict[str, Any], jobs: Jobs) -> Scope:
    """``scope`` with the endpoints that ``SCOPE_SPEC``'s options name; a name among them costs one GET."""
    return replace(
        scope,
        proxmox_endpoints=jobs.endpoint_ids("proxmox", params["proxmox_endpoints"]),
        netbox_endpoints=jobs.endpoint_ids("netbox", params["netbox_endpoints"]),
    )


def running_options(module: AnsibleModule) -> dict[str, Any]:
    """The options of ``RUNNING_SPEC`` and check mode, as the engine takes them."""
    return {
        "when_running": module.params["when_running"],
        "wait_timeout": module.params["wait_timeout"],
        "stale_after": stale_after(module),
        "check_mode": module.check_mode,
    }


def stale_after(module: AnsibleModule) -> timedelta | None:
    """The option of ``STALE_SPEC``; None for as long as NetBox lets a sync run."""
    given = module.params["stale_after"]
    return timedelta(minutes=parse_interval(given, "stale_after")) if given and given.strip() else None


def progress(module: AnsibleModule) -> Progress | None:
    """Where to show what happens while the task waits; None where nobody looks.

    The action plugin shows each line of the file, touches a second one each time it looks, and removes both at its end.
    """
    path = os.environ.get(PROGRESS)
    if not path:
        return None
    began = time.time()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    def write(line: str) -> None:
        line = remove_values(line, module.no_log_values)
        # To show a line is not worth a failure; a file that was removed is not made again.
        with contextlib.suppress(OSError), open(path, "r+", encoding="utf-8") as file:
            file.seek(0, os.SEEK_END)
            file.write(f"{line if len(line) <= WIDTH else f'{line[: WIDTH - 1]}…'}\n")

    def unheard() -> bool:
        if not os.path.exists(path):
            return True
        try:
            seen = os.stat(f"{path}{SEEN}").st_mtime
        except OSError:
            seen = began
        if time.time() - seen <= UNHEARD:
            return False
        for name in (path, f"{path}{SEEN}"):
            with contextlib.suppress(OSError):
                os.unlink(name)
        return True

    return Progress(write, unheard)


def outcome_result(module: AnsibleModule, outcome: TaskResult) -> dict[str, Any]:
    """The result of a task that carried out a plan; its warnings are given to Ansible."""
    for warning in outcome.warnings:
        module.warn(warning)
    plan = outcome.plan
    return {
        "changed": plan.changed,
        "job": outcome.job.result() if outcome.job else None,
        "cancelled": [job.result() for job in outcome.cancelled],
        "why": list(plan.why),
        "diff": plan.diff(),
    }


def many_result(module: AnsibleModule, outcomes: dict[str, TaskResult | ProxboxError]) -> dict[str, Any]:
    """The result of a task that carried out a plan for each of many schedules; ``failed`` when one of them did."""
    schedules, diffs, failures = [], [], []
    for name, outcome in outcomes.items():
        if isinstance(outcome, ProxboxError):
            failures.append(f"{name}: {outcome}")
            schedules.append(
                {
                    "name": name,
                    "changed": outcome.changed,
                    "failed": True,
                    "msg": str(outcome),
                    "failure": outcome.failure,
                }
            )
            continue
        result = outcome_result(module, outcome)
        diffs.append({**result.pop("diff"), "before_header": name, "after_header": name})
        schedules.append({"name": name, "failed": False, **result})
    result = {
        "changed": any(entry["changed"] for entry in schedules),
        "schedules": schedules,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }
    if failures:
        result |= {
            "failed": True,
            "msg": f"{len(failures)} of {len(schedules)} schedules failed: {' | '.join(failures)}",
        }
    return result


def run_result(module: AnsibleModule, result: TaskResult, *, timeout: float | None, partial: str) -> dict[str, Any]:
    """The result of a task that ran a sync; ``failed`` when it waited for one that did not do what was asked for.

    :param timeout: how long it waited at most, in seconds.
    :param partial: what a sync means that did some of what was asked for: ``fail``, ``warn`` or ``ignore``.
    """
    shape = outcome_result(module, result)
    job = result.job
    if job:
        include = {name: bool(module.params.get(name)) for name in ("include_log", "include_data")}
        shape["job"] = job.result(**include)
    if not result.waited:
        return shape
    verdict = job.outcome.verdict
    for remark in remarks(job):
        module.warn(remark)
    if verdict == SUCCEEDED or (verdict == PARTIAL and partial == "ignore"):
        return shape
    if verdict == NOTHING_DONE or (verdict == PARTIAL and partial == "warn"):
        module.warn(explain(job))
        return shape
    message = explain(job) if verdict else _not_ended(job, timeout)
    return {**shape, "failed": True, "msg": message, "log_excerpt": excerpt(job)}


def _not_ended(job: Job, timeout: float | None) -> str:
    what = f"The sync {job.name!r} (job {job.id})"
    if job.dead:
        return (
            f"{what} counts as dead: {job.dead}. Cancel it with proxbox.proxbox.proxbox_job, job_id: {job.id} and "
            "state: cancelled, and check the log of the worker."
        )
    sentence = f"{what} is still {job.status} after {timeout:g} s. The task stops waiting, and the sync goes on. "
    again = f"raise wait_timeout, or run proxbox.proxbox.proxbox_job with job_id: {job.id}."
    if job.status == "running":
        return f"{sentence}To wait longer, {again}"
    if job.status == "scheduled" and job.scheduled:
        return f"{sentence}It is due at {iso(job.scheduled)}. To wait longer, {again}"
    return (
        f"{sentence}No worker has started it. Check with proxbox.proxbox.proxbox_worker_info that a worker serves the "
        f"queue {job.queue} and is not busy."
    )


def _connection(params: dict[str, Any]) -> Connection:
    return Connection(
        url=params["netbox_url"],
        token=params["netbox_token"],
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        headers=params["headers"] or {},
        timeout=params["timeout"],
    )


def _mask_only_secrets(module: AnsibleModule) -> None:
    """Keep headers that are no secret from being masked in results, and show no header among the printed options.

    Ansible masks each value of an option with ``no_log`` wherever it finds it: a header ``X-Shard: 1`` would turn the
    dates of a result into ``2026-****``. Without ``no_log`` the values would stand in the log of the host.
    """
    headers = module.params["headers"] or {}
    module.no_log_values -= {str(value) for value in headers.values()}
    module.no_log_values |= secret_values(module.params)
    module.params["headers"] = HIDDEN if headers else None
