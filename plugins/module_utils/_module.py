# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what all modules share with Ansible. Options, results and failures."""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Callable
from datetime import timezone, tzinfo
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleFallbackNotFound, AnsibleModule

from ._connection import ENVIRONMENT, HIDDEN, Connection, from_environment, secret_values
from ._errors import OUT_OF_RANGE, ProxboxError
from ._jobs import Jobs
from ._library import library_problem
from ._session import Session
from ._survey import read_answers
from ._text import clean, clean_lines

if TYPE_CHECKING:
    from ._plan import TaskResult


def _environment(*names: str) -> str:
    """As Ansible's ``env_fallback``; but a variable that is empty counts as not set."""
    value = from_environment(*names)
    if value is None:
        raise AnsibleFallbackNotFound
    return value


def _fallback(option: str) -> tuple[Callable[..., str], list[str]]:
    return _environment, [*ENVIRONMENT[option]]


CONNECTION_SPEC: dict[str, dict[str, Any]] = {
    "netbox_url": {"type": "str", "required": True, "fallback": _fallback("netbox_url")},
    "netbox_token": {
        "type": "str",
        "required": True,
        "no_log": True,
        "fallback": _fallback("netbox_token"),
    },
    "validate_certs": {"type": "bool", "default": True, "fallback": _fallback("validate_certs")},
    "ca_path": {"type": "path", "fallback": _fallback("ca_path")},
    "client_cert": {"type": "path", "fallback": _fallback("client_cert")},
    "client_key": {"type": "path", "fallback": _fallback("client_key")},
    "headers": {"type": "dict", "no_log": True},
    "timeout": {"type": "float", "default": 30},
}

LOGIN_SPEC: dict[str, dict[str, Any]] = {
    "netbox_username": {"type": "str", "fallback": _fallback("netbox_username")},
    "netbox_password": {"type": "str", "no_log": True, "fallback": _fallback("netbox_password")},
}

SCOPE_SPEC: dict[str, dict[str, Any]] = {
    "sync_types": {"type": "list", "elements": "str", "default": ["all"]},
    "proxmox_endpoints": {"type": "list", "elements": "str", "default": []},
    "netbox_endpoints": {"type": "list", "elements": "str", "default": []},
}

SCHEDULE_SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "previous_name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "enabled": {"type": "bool", "default": True},
    "schedule_at": {"type": "str"},
    "interval": {"type": "str"},
    "skip_until": {"type": "str"},
    **SCOPE_SPEC,
}

STALE_SPEC: dict[str, dict[str, Any]] = {"stale_after": {"type": "str"}}

RUNNING_SPEC: dict[str, dict[str, Any]] = {
    "drift": {"type": "str", "choices": ["repair", "ignore"], "default": "repair"},
    "when_running": {"type": "str", "choices": ["wait", "cancel", "fail"], "default": "wait"},
    "wait_timeout": {"type": "float", "default": 3600},
    "job_retention": {"type": "float", "default": 90},
    "check_queue": {"type": "bool", "default": False},
    **STALE_SPEC,
}

Work = Callable[[AnsibleModule, Jobs], dict[str, Any]]


class _Module(AnsibleModule):
    """A module whose options may be the answers of a survey."""

    params: dict[str, Any]
    problem: ProxboxError | None = None
    """What is wrong with an answer."""

    def _load_params(self) -> None:
        super()._load_params()
        try:
            self.params = read_answers(self.params, self.argument_spec)
        except ProxboxError as exc:
            self.problem = exc  # the module cannot fail before it knows its secrets

    def warn(self, warning: str, **more: Any) -> Any:
        return super().warn(clean_lines(warning), **more)

    def exit_json(self, **result: Any) -> Any:
        return super().exit_json(**_fit_to_be_shown(result))

    def fail_json(self, msg: str, **result: Any) -> Any:
        # If an option is wrong, Ansible may fail before it knows the secrets. Before 2.21 it prints all options.
        self.no_log_values |= secret_values(self.params)
        return super().fail_json(**_fit_to_be_shown({**result, "msg": str(self.problem or msg)}))


def run_module(argument_spec: dict[str, Any], work: Work, **options: Any) -> None:
    """Run ``work`` with the module and the jobs of the NetBox it names, and leave with its result.

    A ``ProxboxError`` becomes the task's failure with its sentence as ``msg``, and ``failure``. A result with
    ``failed`` true fails the task with everything in it.
    """
    module = _Module(
        argument_spec={**CONNECTION_SPEC, **argument_spec},
        required_by={"client_key": "client_cert"},
        supports_check_mode=True,
        **options,
    )
    if module.problem:
        module.fail_json("")
    connection = _connection(module.params)
    _mask_only_secrets(module)
    problem = library_problem(sys.executable, platform.python_version())
    if problem:
        module.fail_json(problem)
    try:
        session = Session(connection)
        result = work(
            module,
            Jobs(session, module.params.get("netbox_username"), module.params.get("netbox_password")),
        )
    except ProxboxError as exc:
        module.fail_json(str(exc), failure=exc.failure, changed=exc.changed)
    except OverflowError:
        module.fail_json(msg=OUT_OF_RANGE)
    except Exception as exc:
        # A defect of ours; the traceback is shown from -vvv on.
        module.fail_json(
            msg=f"This is a defect of the collection, please report it: {type(exc).__name__}: {exc}",
            exception=traceback.format_exc(),
        )
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def warn_of_netbox_endpoints(module: AnsibleModule, *given: list[str] | None) -> None:
    """Warn once if the option ``netbox_endpoints`` is set anywhere in the task."""
    if any(given):
        module.warn(
            "netbox_endpoints has no effect on a sync: NetBox stores the endpoints in the job, but the backend "
            "proxbox-api ignores them (tested up to its release 0.0.30.post2). Remove the option."
        )


def task_result(
    module: AnsibleModule,
    jobs: Jobs,
    done: TaskResult,
    msg: str,
    zone: tzinfo = timezone.utc,
    *,
    paused: bool = False,
) -> dict[str, Any]:
    """Return the result of a task that carried out a plan. Give its warnings to Ansible.

    :param zone: the time zone of the times in the diff.
    :param paused: whether the schedule is declared and not enabled.
    """
    for warning in done.warnings:
        module.warn(warning)
    return {
        "changed": done.changed,
        "msg": msg,
        "job": done.job.result() if done.job else None,
        "cancelled": [job.result() for job in done.cancelled],
        "why": list(done.plan.why),
        "diff": done.plan.diff(zone, jobs.endpoints.name, without_job="paused" if paused else "absent"),
    }


def _fit_to_be_shown(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result whose sentences do not steer a terminal. They may have the words of the server."""
    shown = {"msg": clean_lines} | dict.fromkeys(("why", "log_excerpt"), lambda lines: [*map(clean, lines)])
    return {key: shown[key](value) if key in shown else value for key, value in result.items()}


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
