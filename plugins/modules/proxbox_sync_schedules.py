#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_sync_schedules
short_description: Declare many schedules of Proxbox syncs at once
version_added: 0.1.0
description:
  - Declares a list of schedules, each as M(proxbox.proxbox.proxbox_sync_schedule) does.
  - Reads all active jobs with one request. For each one-time schedule without an active job, one more request reads its
    past runs.
  - If one schedule fails, the module continues with the others. The task then fails, and the message names all
    schedules that failed.
  - Can also end every Proxbox schedule that is not in the list.
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.connection.login
  - proxbox.proxbox.schedule
  - proxbox.proxbox.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  schedules:
    description:
      - The schedules. Each name can occur only once.
      - The value can also be text in YAML or JSON, for example the answer of an AWX survey. YAML requires PyYAML on the
        host that runs the module.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the schedule. Its jobs have this name in NetBox.
        type: str
        required: true
      state:
        description:
          - V(present) makes sure that the schedule exists exactly once.
          - V(absent) ends the schedule. The options for its time and scope are then ignored, for example
            O(schedules[].schedule_at) and O(schedules[].sync_types).
        type: str
        choices: [present, absent]
        default: present
      schedule_at:
        description:
          - Time of the first run. ISO 8601 with or without offset (V(2026-04-01T02:00:00+02:00), V(2026-04-01 02:00)),
            a time of day (V(02:00), the next one) or a minute of the hour (V(:00), the next full hour). Quote the
            value, because YAML reads some times as numbers.
          - With O(schedules[].interval), the time can be in the past. The schedule then starts at its next occurrence.
          - Without O(schedules[].interval), the time can be in the past only if NetBox has a job that ran at this time,
            successfully or not. A time without a date, for example V(02:00), is scheduled again by the next task after
            its run.
          - If not set or empty, the first run starts at once. If you change O(schedules[].interval) or the scope later,
            the time of the next run does not change. If it is more than one interval away, it is moved to one interval
            from now.
        type: str
      interval:
        description:
          - Time between two runs. Minutes (V(1440)), a number with a unit (V(30m), V(12h), V(1d), V(1w)), or V(hourly),
            V(daily) or V(weekly).
          - With an interval of whole days, all runs have the same time of day in O(schedules[].timezone), or in the
            offset of O(schedules[].schedule_at) if it has one. NetBox itself only counts minutes. After daylight saving
            time has begun or ended, the next run of the task moves the schedule back to this time of day.
          - If not set or empty, the sync runs once. Executing the task again does nothing, even if the sync failed or
            was cancelled while it ran, as long as NetBox keeps the job (see O(job_retention)). To run a sync with each
            task, use M(proxbox.proxbox.proxbox_job).
        type: str
      timezone:
        description:
          - Time zone of this schedule, instead of O(timezone).
        type: str
      sync_types:
        description:
          - What to sync. V(all) cannot be combined with other types.
          - netbox-proxbox 0.0.29 accepts V(all), V(backup-routines), V(devices), V(ip-addresses),
            V(network-interfaces), V(replications), V(sdn), V(storage), V(task-history), V(virtual-machines),
            V(vm-backups), V(vm-disks), V(vm-interfaces) and V(vm-snapshots). Other releases accept other types. NetBox
            refuses a type that the installed release does not accept.
        type: list
        elements: str
        default: [all]
      proxmox_endpoints:
        description:
          - Proxmox endpoints to sync from, by name or numeric id. Empty means all enabled endpoints.
          - A disabled endpoint is refused when a job is created. If a schedule exists already, its runs leave out an
            endpoint that was disabled later.
          - Names require one more request, and the permission to view C(netbox_proxbox.proxmoxendpoint).
          - Ids are checked when a job is created, which requires one more request. Without the permission, only NetBox
            checks the ids. With netbox-proxbox older than 0.0.24, the task then fails, because some of these releases
            ignore an unknown id.
        type: list
        elements: str
        default: []
      netbox_endpoints:
        description:
          - NetBox endpoints to sync to, by name or numeric id. Empty means all endpoints.
          - The backend proxbox-api ignores this option (tested up to its release 0.0.30.post2).
          - Names require one more request, and so do ids when a job is created, because NetBox does not check them.
            Both require the permission to view C(netbox_proxbox.netboxendpoint).
        type: list
        elements: str
        default: []
  purge_unlisted:
    description:
      - Whether to end all active Proxbox schedules that are not in O(schedules), also those that other users created.
        A sync that is pending or running and has no interval is not a schedule.
    type: bool
    default: false
  keep:
    description:
      - Name patterns of schedules that O(purge_unlisted=true) does not end. The wildcards are V(*) and V(?).
    type: list
    elements: str
    default: []
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedule
"""

EXAMPLES = r"""
- name: Declare two schedules, and end all others except temporary ones
  proxbox.proxbox.proxbox_sync_schedules:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
    timezone: Europe/Berlin
    schedules:
      - name: nightly
        schedule_at: "02:00"
        interval: daily
      - name: hourly inventory
        sync_types: [devices, virtual-machines]
        schedule_at: ":00"
        interval: hourly
    purge_unlisted: true
    keep: ["tmp *"]
"""

RETURN = r"""
msg:
  description:
    - How many schedules were changed, or in check mode would be changed, and their names.
    - If a schedule failed, which ones and why.
  type: str
  returned: always
  sample: "20 schedules: 1 changed (nightly), 19 unchanged"
schedules:
  description: What was done for each schedule, including those that were ended because they were not listed.
  type: list
  elements: dict
  returned: success, or some schedules failed
  contains:
    name:
      description: Name of the schedule.
      type: str
      returned: always
      sample: nightly
    changed:
      description: Whether the schedule was changed.
      type: bool
      returned: always
      sample: true
    failed:
      description: Whether the schedule failed.
      type: bool
      returned: always
      sample: false
    msg:
      description: Why the schedule failed.
      type: str
      returned: when the schedule failed
    failure:
      description: The request that failed, with the keys that M(proxbox.proxbox.proxbox_sync_schedule) returns.
      type: dict
      returned: when the schedule failed
    job:
      description: The active job of the schedule, as M(proxbox.proxbox.proxbox_sync_schedule) returns it.
      type: dict
      returned: when the schedule did not fail
    cancelled:
      description: The jobs that were cancelled, as M(proxbox.proxbox.proxbox_sync_schedule) returns them.
      type: list
      elements: dict
      returned: when the schedule did not fail
    why:
      description: Why something was done, one sentence for each reason; empty if nothing was done.
      type: list
      elements: str
      returned: when the schedule did not fail
failure:
  description: The request that failed, with the keys that M(proxbox.proxbox.proxbox_sync_schedule) returns.
  type: dict
  returned: failure, unless only single schedules failed
"""

import re
from collections import Counter
from datetime import UTC
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._declare import Declare, End
from ..module_utils._errors import ProxboxError
from ..module_utils._jobs import Jobs
from ..module_utils._message import change_of, of_list, of_schedule
from ..module_utils._module import LOGIN_SPEC, RUNNING_SPEC, SCHEDULE_SPEC, run_module, task_result
from ..module_utils._options import checked_name, fits, read_policy, read_schedule
from ..module_utils._plan import TaskResult
from ..module_utils._schedules import declare_all
from ..module_utils._times import parse_timezone


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    policy = read_policy(params, check_mode=module.check_mode)
    names = [entry["name"].strip() for entry in params["schedules"]]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ProxboxError(
            f"schedules has more than one entry with these names: {', '.join(twice)}. Names must differ."
        )
    goals: dict[str, Declare | End] = {}
    failed: dict[str, ProxboxError] = {}
    for name, entry in zip(names, params["schedules"], strict=True):
        try:
            goals[name] = goal(entry, params, jobs)
        except ProxboxError as exc:
            failed[name] = exc

    def ends_too(name: str) -> bool:
        return name not in names and not any(fits(name, pattern) for pattern in params["keep"])

    done = declare_all(jobs, goals, policy, ends_too if params["purge_unlisted"] else None)
    order = [*names, *(name for name in done if name not in names)]
    return result(module, jobs, {name: {**failed, **done}[name] for name in order})


def declared(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries whose schedules are to exist."""
    return [entry for entry in params["schedules"] if entry["state"] == "present"]


def goal(entry: dict[str, Any], params: dict[str, Any], jobs: Jobs) -> Declare | End:
    if entry["state"] == "absent":
        return End(checked_name(entry["name"]))
    return read_schedule(entry, params, jobs.endpoint_ids)


def result(module: AnsibleModule, jobs: Jobs, done: dict[str, TaskResult | ProxboxError]) -> dict[str, Any]:
    zones = {entry["name"].strip(): entry["timezone"] or module.params["timezone"] for entry in declared(module.params)}
    schedules: list[dict[str, Any]] = []
    changes: list[tuple[str, str]] = []
    diffs: list[dict[str, Any]] = []
    failures: dict[str, list[tuple[str, str]]] = {}
    for name, one in done.items():
        if isinstance(one, ProxboxError):
            failures.setdefault(re.sub(r"/jobs/\d+/", "/jobs/N/", str(one)), []).append((name, str(one)))
            told: dict[str, Any] = {"changed": one.changed, "failed": True, "msg": str(one), "failure": one.failure}
        else:
            zone = parse_timezone(zones[name]) if name in zones else UTC
            msg = of_schedule(one, zone, check_mode=module.check_mode)
            told = {"failed": False, **task_result(module, jobs, one, msg, zone)}
            diffs.append({**told.pop("diff"), "before_header": name, "after_header": name})
        changes.append((name, "failed" if isinstance(one, ProxboxError) else change_of(one)))
        schedules.append({"name": name, **told})
    together: dict[str, Any] = {
        "changed": any(entry["changed"] for entry in schedules),
        "msg": of_list(changes, check_mode=module.check_mode),
        "schedules": schedules,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }
    if failures:
        # Several schedules may fail for the same reason, each with a job of its own.
        groups = failures.values()
        reasons = " | ".join(f"{', '.join(name for name, _text in group)}: {group[0][1]}" for group in groups)
        count = sum(map(len, groups))
        together |= {"failed": True, "msg": f"{count} of {len(schedules)} schedules failed: {reasons}"}
    return together


def main() -> None:
    run_module(
        {
            **LOGIN_SPEC,
            "schedules": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {**SCHEDULE_SPEC, "timezone": {"type": "str"}},
            },
            "timezone": {"type": "str", "default": "UTC"},
            "purge_unlisted": {"type": "bool", "default": False},
            "keep": {"type": "list", "elements": "str", "default": []},
            **RUNNING_SPEC,
        },
        work,
    )


if __name__ == "__main__":
    main()
