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
  - Can also end every Proxbox schedule that is not in the list, see O(purge_unlisted). Always returns which ones these
    are.
  - Checks all entries before it changes anything. If an entry is invalid, for example because of a date that does not
    exist or an unknown endpoint, the module declares the valid ones, but ends no schedule. What Ansible itself refuses,
    such as an unknown option or an invalid choice, fails the whole task before that.
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.connection.login
  - proxbox.proxbox.connection.scope
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
      - The options of the task with the same names are the defaults of all entries, for example O(interval). An option
        of an entry that is blank counts as not set, so the default applies.
      - The value can also be text in YAML or JSON, for example the answer of an AWX survey. YAML requires PyYAML on the
        host that runs the module.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the schedule. Its jobs have this name in NetBox.
          - C(Proxbox Sync) is refused for a schedule that is to be present, because NetBox gives this name to each sync
            without a name.
        type: str
        required: true
      previous_name:
        description:
          - Previous name of the schedule, as the option of the same name of M(proxbox.proxbox.proxbox_sync_schedule).
            It cannot be the name, or the previous name, of another entry.
        type: str
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
          - Instead of O(schedule_at), for this schedule. V(now) means that the first run starts at once.
        type: str
      interval:
        description:
          - Instead of O(interval), for this schedule. V(once) means that the sync runs once.
        type: str
      enabled:
        description:
          - Instead of O(enabled), for this schedule.
        type: bool
      skip_until:
        description:
          - Instead of O(skip_until), for this schedule.
        type: str
      timezone:
        description:
          - Instead of O(timezone), for this schedule.
        type: str
      sync_types:
        description:
          - Instead of O(sync_types), for this schedule.
        type: list
        elements: str
      proxmox_endpoints:
        description:
          - Instead of O(proxmox_endpoints), for this schedule. An empty list means all enabled endpoints.
        type: list
        elements: str
      netbox_endpoints:
        description:
          - Instead of O(netbox_endpoints), for this schedule. They have no effect on the sync.
        type: list
        elements: str
      drift:
        description:
          - Instead of O(drift), for this schedule.
        type: str
        choices: [repair, ignore]
      when_running:
        description:
          - Instead of O(when_running), for this schedule.
        type: str
        choices: [wait, cancel, fail]
      job_retention:
        description:
          - Instead of O(job_retention), for this schedule.
        type: float
  purge_unlisted:
    description:
      - Whether to end all active Proxbox schedules that are not in O(schedules), also those that other users created.
        A sync that is pending or running and has no interval is not a schedule.
      - They are ended after all entries of the list are declared, and only if no entry is invalid or failed.
      - To see first which schedules these are, use V(false) and look at RV(unlisted), or use check mode.
    type: bool
    default: false
  allow_empty:
    description:
      - Whether O(schedules) can be an empty list with O(purge_unlisted=true). This ends all schedules that match no
        pattern of O(keep). With V(false), the task fails before it sends a request.
    type: bool
    default: false
  keep:
    description:
      - Name patterns of schedules that O(purge_unlisted=true) does not end, for example V(tmp *). They are patterns of
        Python's C(fnmatch). V(*) matches any text, V(?) any character, V([ab]) one of these characters, V([!ab]) any
        other character, and V([[]) a bracket. Upper and lower case differ.
      - If no schedule matches a pattern, neither an active one nor one of the list, the task shows a warning.
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

# The following tasks use the environment variables NETBOX_URL and NETBOX_TOKEN.

- name: Sync each Proxmox endpoint every night
  proxbox.proxbox.proxbox_sync_schedules:
    interval: daily
    timezone: Europe/Berlin
    schedules:
      - name: nightly east
        schedule_at: "02:00"
        proxmox_endpoints: [pve-east]
      - name: nightly west
        schedule_at: "03:00"
        proxmox_endpoints: [pve-west]
      - name: all after the upgrade
        schedule_at: "2027-04-01 02:00"
        interval: once

- name: Find the schedules that nobody declares, and change nothing
  proxbox.proxbox.proxbox_sync_schedules:
    schedules: []
    keep: ["nightly *"]
  register: audit # audit.unlisted has their names

- name: End all schedules
  proxbox.proxbox.proxbox_sync_schedules:
    schedules: []
    purge_unlisted: true
    allow_empty: true
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
  description: What was done for each schedule of the list, then for those that were ended because they are not listed.
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
      description:
        - Why something was done, one sentence for each reason; empty if nothing was done.
        - For a schedule that was ended with O(purge_unlisted=true), each sentence ends with C(not listed).
      type: list
      elements: str
      returned: when the schedule did not fail
      sample:
        - "job 17: not listed"
unlisted:
  description:
    - Names of the active Proxbox schedules that are not in O(schedules) and match no pattern of O(keep), as the task
      found them. O(purge_unlisted=true) ends them.
    - With O(purge_unlisted=false), a schedule can be missing whose run began a moment ago, because NetBox does not show
      yet what it is.
  type: list
  elements: str
  returned: success, or some schedules failed
  sample: [by hand]
kept:
  description: Names of the active Proxbox schedules that are not in O(schedules), but match a pattern of O(keep).
  type: list
  elements: str
  returned: success, or some schedules failed
  sample: [tmp upgrade]
failure:
  description: The request that failed, with the keys that M(proxbox.proxbox.proxbox_sync_schedule) returns.
  type: dict
  returned: failure, unless only single schedules failed
"""

import re
from collections import Counter
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._declare import Declare, End
from ..module_utils._errors import ProxboxError
from ..module_utils._jobs import Jobs
from ..module_utils._message import change_of, of_list, of_schedule
from ..module_utils._module import (
    LOGIN_SPEC,
    RUNNING_SPEC,
    SCHEDULE_SPEC,
    run_module,
    task_result,
    warn_of_netbox_endpoints,
)
from ..module_utils._options import fits, is_once, is_paused, read_goal, read_policy
from ..module_utils._plan import Policy, TaskResult
from ..module_utils._schedules import Schedules

Done = dict[str, TaskResult | ProxboxError]

OWN = ("name", "previous_name", "state")
"""The options of an entry that the task itself does not have."""

DEFAULTS: dict[str, dict[str, Any]] = {
    **{option: rules for option, rules in SCHEDULE_SPEC.items() if option not in OWN},
    "timezone": {"type": "str", "default": "UTC"},
    **{option: RUNNING_SPEC[option] for option in ("drift", "when_running", "job_retention")},
}
"""The options of the task that an entry of the list overrides."""

ENTRY_SPEC = {
    **{option: SCHEDULE_SPEC[option] for option in OWN},
    # A default here would hide that the entry does not set the option.
    **{option: {key: rules[key] for key in rules if key != "default"} for option, rules in DEFAULTS.items()},
}


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    policy = read_policy(params, check_mode=module.check_mode)
    check_list(params)
    entries = {entry["name"].strip(): with_defaults(entry, params) for entry in params["schedules"]}
    warn_of_netbox_endpoints(module, params["netbox_endpoints"], *(one["netbox_endpoints"] for one in entries.values()))
    goals: dict[str, tuple[Declare | End, Policy]] = {}
    invalid: dict[str, ProxboxError] = {}
    for name, entry in entries.items():
        try:
            goals[name] = read_goal(entry, jobs.endpoint_ids), read_policy(entry, check_mode=module.check_mode)
        except ProxboxError as exc:
            invalid[name] = exc
    schedules = Schedules(jobs, None if params["purge_unlisted"] else entries, check_queue=policy.check_queue)
    active = schedules.active()
    others = sorted(active - entries.keys() - {(entry["previous_name"] or "").strip() for entry in entries.values()})
    kept = [name for name in others if any(fits(name, pattern) for pattern in params["keep"])]
    unlisted = [name for name in others if name not in kept]
    warn_of_patterns(module, active | entries.keys())

    done: Done = {}
    for name in entries:
        if name in invalid:
            done[name] = invalid[name]
        elif invalid and isinstance(goals[name][0], End) and active.intersection(goals[name][0].names):
            done[name] = ProxboxError("The schedule was not ended, because another entry of the list is invalid.")
        else:
            done[name] = schedules.reach(*goals[name])
    failed = any(isinstance(one, ProxboxError) for one in done.values())
    if params["purge_unlisted"] and not failed:
        done |= {name: schedules.reach(End(name, reason="not listed", spares_runs=True), policy) for name in unlisted}
    policies = {name: goals[name][1] if name in goals else policy for name in done}
    together = {**result(module, jobs, done, entries, policies), "unlisted": unlisted, "kept": kept}
    if params["purge_unlisted"] and failed and unlisted:
        together["msg"] += f" | Therefore these unlisted schedules were not ended: {', '.join(unlisted)}."
    return together


def with_defaults(entry: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a schedule: its own, and those of the task for all that it does not set."""
    own = {option: value for option, value in entry.items() if value is not None or option in OWN}
    options = {**params, **own}
    if "skip_until" not in own and is_once(options):
        options["skip_until"] = None  # a default for the schedules that recur
    return options


def check_list(params: dict[str, Any]) -> None:
    """Check the list as a whole.

    :raises ProxboxError: for a name that occurs twice, also as a previous name, and for an empty list that would end
        all schedules.
    """
    names = Counter(entry["name"].strip() for entry in params["schedules"])
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise ProxboxError(
            f"schedules has more than one entry with these names: {', '.join(twice)}. Names must differ."
        )
    previous = [(entry["previous_name"] or "").strip() for entry in params["schedules"]]
    unclear = sorted(name for name, count in Counter(filter(None, previous)).items() if count > 1 or name in names)
    if unclear:
        raise ProxboxError(
            f"These names are the previous_name of an entry, and occur in another entry too: {', '.join(unclear)}. The "
            "entry would end the other schedule: remove previous_name, or the other entry."
        )
    if params["purge_unlisted"] and not names and not params["allow_empty"]:
        raise ProxboxError(
            "schedules is empty, and purge_unlisted would end all schedules: list the schedules that are to stay, or "
            "set allow_empty: true to end them all."
        )


def warn_of_patterns(module: AnsibleModule, names: set[str]) -> None:
    """Warn of patterns of ``keep`` that match no name."""
    idle = [repr(pattern) for pattern in module.params["keep"] if not any(fits(name, pattern) for name in names)]
    if idle:
        module.warn(f"No schedule matches these patterns of keep: {', '.join(idle)}.")


def result(
    module: AnsibleModule, jobs: Jobs, done: Done, entries: dict[str, dict[str, Any]], policies: dict[str, Policy]
) -> dict[str, Any]:
    schedules: list[dict[str, Any]] = []
    changes: list[tuple[str, str]] = []
    diffs: list[dict[str, Any]] = []
    failures: dict[str, list[tuple[str, str]]] = {}
    for name, one in done.items():
        if isinstance(one, ProxboxError):
            failures.setdefault(re.sub(r"/jobs/\d+/", "/jobs/N/", str(one)), []).append((name, str(one)))
            told: dict[str, Any] = {"changed": one.changed, "failed": True, "msg": str(one), "failure": one.failure}
            changes.append((name, "failed"))
        else:
            paused = name in entries and is_paused(entries[name])
            changes.append((name, change_of(one, paused=paused)))
            msg = of_schedule(one, policies[name], paused=paused)
            told = {"failed": False, **task_result(module, jobs, one, msg, policies[name].zone, paused=paused)}
            diffs.append({**told.pop("diff"), "before_header": name, "after_header": name})
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
            "schedules": {"type": "list", "elements": "dict", "required": True, "options": ENTRY_SPEC},
            **DEFAULTS,
            **RUNNING_SPEC,
            "purge_unlisted": {"type": "bool", "default": False},
            "allow_empty": {"type": "bool", "default": False},
            "keep": {"type": "list", "elements": "str", "default": []},
        },
        work,
    )


if __name__ == "__main__":
    main()
