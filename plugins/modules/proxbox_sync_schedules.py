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
  - Does for a list of schedules what M(proxbox.proxbox.proxbox_sync_schedule) does for one, and reads NetBox once
    for all of them, and once more for each that runs once and has no job to come.
  - A schedule that fails does not stop the others. The task then fails, and names all that did.
  - Can end every Proxbox schedule that is not in the list.
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
      - The schedules. Their names must differ.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the schedule, which is the name that its jobs have in NetBox. It is the schedule's identity.
        type: str
        required: true
      state:
        description:
          - With V(present), there is exactly one such schedule afterwards.
          - With V(absent), there is none. The options that say what and when are not looked at then.
        type: str
        choices: [present, absent]
        default: present
      schedule_at:
        description:
          - When to run first. ISO 8601 with or without offset (V(2026-04-01T02:00:00+02:00), V(2026-04-01 02:00)), a
            time of day (V(02:00), the next one) or a minute of the hour (V(:00), the next full hour). Quote it, for
            YAML reads some times as numbers.
          - With O(schedules[].interval), a time in the past is fine. It sets the phase, and the next occurrence counts.
          - Without O(schedules[].interval), a time in the past is fine only if NetBox has a job that ran for it, well
            or badly. A time of day or a minute, which has no date, is scheduled again by the first task after it has
            run.
          - If not set, or empty, the first run starts at once.
        type: str
      interval:
        description:
          - How often to run. Minutes (V(1440)), a number with a unit (V(30m), V(12h), V(1d), V(1w)), or V(hourly),
            V(daily) or V(weekly).
          - Whole days keep to the wall clock of O(schedules[].timezone), or to that of the offset, where
            O(schedules[].schedule_at) has one. NetBox itself counts minutes, so when daylight saving time has begun or
            ended, the next run of the task moves the schedule.
          - If not set, or empty, the sync runs once, and a second run of the task does nothing, even if the sync
            failed. To run one each time, use M(proxbox.proxbox.proxbox_job).
        type: str
      timezone:
        description:
          - As O(timezone), for this schedule.
        type: str
      sync_types:
        description:
          - What to sync. V(all) stands alone.
          - netbox-proxbox 0.0.29 takes V(all), V(backup-routines), V(devices), V(ip-addresses), V(network-interfaces),
            V(replications), V(sdn), V(storage), V(task-history), V(virtual-machines), V(vm-backups), V(vm-disks),
            V(vm-interfaces) and V(vm-snapshots). Other releases take other ones; NetBox has the last word.
        type: list
        elements: str
        default: [all]
      proxmox_endpoints:
        description:
          - Proxmox endpoints to sync from, each by its name or its numeric id. Empty means every enabled one.
          - A name costs one more request, and the permission to view C(netbox_proxbox.proxmoxendpoint). An id costs one
            when a job is created; without that permission NetBox alone judges it.
        type: list
        elements: str
        default: []
      netbox_endpoints:
        description:
          - NetBox endpoints to sync to, each by its name or its numeric id. Empty means every one.
          - A name costs one more request, and so does an id when a job is created, for NetBox does not check it. Both
            take the permission to view C(netbox_proxbox.netboxendpoint).
        type: list
        elements: str
        default: []
  purge_unlisted:
    description:
      - Whether to end every other living Proxbox schedule, whoever made it.
    type: bool
    default: false
  keep:
    description:
      - Name patterns, with V(*) and V(?), of schedules that O(purge_unlisted=true) leaves alone.
    type: list
    elements: str
    default: []
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedule
"""

EXAMPLES = r"""
- name: These schedules, and no others but those made by hand for a while
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
schedules:
  description: What was done for each schedule, those that were ended because they were not listed included.
  type: list
  elements: dict
  returned: success, or some of them failed
  contains:
    name:
      description: Name of the schedule.
      type: str
      returned: always
      sample: nightly
    changed:
      description: Whether something was done for it.
      type: bool
      returned: always
      sample: true
    failed:
      description: Whether it failed.
      type: bool
      returned: always
      sample: false
    msg:
      description: Why it failed.
      type: str
      returned: when it failed
    failure:
      description: The facts behind RV(schedules[].msg), as M(proxbox.proxbox.proxbox_sync_schedule) returns them.
      type: dict
      returned: when it failed
    job:
      description: The member that is left alive, as M(proxbox.proxbox.proxbox_sync_schedule) returns it.
      type: dict
      returned: when it did not fail
    cancelled:
      description: The members that were cancelled, as M(proxbox.proxbox.proxbox_sync_schedule) returns them.
      type: list
      elements: dict
      returned: when it did not fail
    why:
      description: Why something was done, a sentence for each reason.
      type: list
      elements: str
      returned: when it did not fail
failure:
  description: The facts behind C(msg), as M(proxbox.proxbox.proxbox_sync_schedule) returns them.
  type: dict
  returned: failure, but not that of single schedules
"""

from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._declare import Declare, End
from ..module_utils._errors import ProxboxError
from ..module_utils._jobs import Jobs
from ..module_utils._loop import TaskResult
from ..module_utils._module import LOGIN_SPEC, RUNNING_SPEC, SCHEDULE_SPEC, run_module, task_result
from ..module_utils._options import checked_name, read_policy, read_schedule
from ..module_utils._schedules import declare_all


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
    return result(module, {name: {**failed, **done}[name] for name in order})


def goal(entry: dict[str, Any], params: dict[str, Any], jobs: Jobs) -> Declare | End:
    if entry["state"] == "absent":
        return End(checked_name(entry["name"]))
    return read_schedule(entry, params, jobs.endpoint_ids)


def fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def result(module: AnsibleModule, done: dict[str, TaskResult | ProxboxError]) -> dict[str, Any]:
    schedules: list[dict[str, Any]] = []
    diffs: list[dict[str, Any]] = []
    failures: dict[str, list[str]] = {}
    for name, one in done.items():
        if isinstance(one, ProxboxError):
            failures.setdefault(str(one), []).append(name)
            told: dict[str, Any] = {"changed": one.changed, "failed": True, "msg": str(one), "failure": one.failure}
        else:
            told = {"failed": False, **task_result(module, one)}
            diffs.append({**told.pop("diff"), "before_header": name, "after_header": name})
        schedules.append({"name": name, **told})
    together: dict[str, Any] = {
        "changed": any(entry["changed"] for entry in schedules),
        "schedules": schedules,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }
    if failures:
        # Several schedules may fail for the same reason.
        reasons = " | ".join(f"{', '.join(names)}: {message}" for message, names in failures.items())
        count = sum(map(len, failures.values()))
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
