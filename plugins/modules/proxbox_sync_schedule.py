#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_sync_schedule
short_description: Declare a schedule of Proxbox syncs
version_added: 0.1.0
description:
  - Declares when NetBox's plugin netbox-proxbox syncs Proxmox into NetBox, once or again and again.
  - NetBox itself keeps no schedules. It has jobs, and a recurring job makes its successor when it ends. A schedule
    is the chain of jobs that carry the same name, and this module keeps exactly one member of the chain alive, the
    one that is scheduled, pending or running.
  - Surplus members are cancelled, down to the one with the lowest id that matches.
  - Jobs with another name, and jobs that are no Proxbox sync, are never touched.
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
      - With O(interval), a time in the past is fine. It sets the phase, and the next occurrence counts.
      - Without O(interval), a time in the past is fine only if NetBox has a job that ran for it, well or badly. A time
        of day or a minute, which has no date, is scheduled again by the first task after it has run.
      - If not set, or empty, the first run starts at once.
    type: str
  interval:
    description:
      - How often to run. Minutes (V(1440)), a number with a unit (V(30m), V(12h), V(1d), V(1w)), or V(hourly),
        V(daily) or V(weekly).
      - Whole days keep to the wall clock of O(timezone), or to that of the offset, where O(schedule_at) has one. NetBox
        itself counts minutes, so when daylight saving time has begun or ended, the next run of the task moves the
        schedule.
      - If not set, or empty, the sync runs once, and a second run of the task does nothing, even if the sync failed. To
        run one each time, use M(proxbox.proxbox.proxbox_job).
    type: str
  purge:
    description:
      - Whether O(state=absent) also deletes every row of the schedule from NetBox's job list, those of past runs and
        their logs included.
      - No token can do this, so it goes through NetBox's web page and takes O(netbox_username) and O(netbox_password).
    type: bool
    default: false
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedules
  - module: proxbox.proxbox.proxbox_sync_schedule_info
  - module: proxbox.proxbox.proxbox_job
  - module: proxbox.proxbox.proxbox_job_info
"""

EXAMPLES = r"""
- name: Sync everything each night at two, Berlin time
  proxbox.proxbox.proxbox_sync_schedule:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
    name: nightly
    schedule_at: "02:00"
    interval: daily
    timezone: Europe/Berlin

# The address and the token come from NETBOX_URL and NETBOX_TOKEN from here on.

- name: Sync two Proxmox endpoints each full hour, devices and virtual machines only
  proxbox.proxbox.proxbox_sync_schedule:
    name: hourly inventory
    sync_types:
      - devices
      - virtual-machines
    proxmox_endpoints:
      - pve-east
      - pve-west
    schedule_at: ":00"
    interval: hourly

- name: Sync once, at a given time
  proxbox.proxbox.proxbox_sync_schedule:
    name: after the maintenance window
    schedule_at: "2027-04-01 02:00"

- name: Sync every day, starting now
  proxbox.proxbox.proxbox_sync_schedule:
    name: every day
    interval: 1440

- name: End a schedule
  proxbox.proxbox.proxbox_sync_schedule:
    name: hourly inventory
    state: absent

- name: End a schedule and forget that it was ever there
  proxbox.proxbox.proxbox_sync_schedule:
    name: every day
    state: absent
    purge: true
    netbox_username: automation
    netbox_password: "{{ vault_netbox_password }}"
"""

RETURN = r"""
job:
  description:
    - The member of the schedule that is left alive, or that ran in the case of a one-time schedule whose time has
      passed.
    - V(null) if there is none.
  type: dict
  returned: success
  contains: # job
    id:
      description: Numeric id of the job in NetBox; V(null) in check mode for a job that is still to be created.
      type: int
      returned: always
      sample: 17
    name:
      description: Name of the job, which is the name of its schedule.
      type: str
      returned: always
      sample: nightly
    status:
      description: One of V(scheduled), V(pending), V(running), V(completed), V(errored) and V(failed).
      type: str
      returned: always
      sample: scheduled
    sync_types:
      description: What the job syncs; empty while NetBox does not tell yet.
      type: list
      elements: str
      returned: always
      sample: [all]
    proxmox_endpoints:
      description: Ids of the Proxmox endpoints it syncs from; empty means every enabled one, or is not told yet.
      type: list
      elements: int
      returned: always
      sample: []
    netbox_endpoints:
      description: Ids of the NetBox endpoints it syncs to; empty means every one, or is not told yet.
      type: list
      elements: int
      returned: always
      sample: []
    scheduled:
      description: When it is, or was, to run, in UTC; V(null) for a run at once.
      type: str
      returned: always
      sample: "2026-04-01T02:00:00Z"
    interval:
      description: Minutes between two runs; V(null) for a job that runs once.
      type: int
      returned: always
      sample: 1440
    created:
      description: When the job was created, in UTC.
      type: str
      returned: always
      sample: "2026-03-31T13:37:00Z"
    started:
      description: When the run started, in UTC; V(null) if it has not.
      type: str
      returned: always
      sample: "2026-04-01T02:00:01Z"
    completed:
      description: When the run ended, in UTC; V(null) if it has not.
      type: str
      returned: always
      sample: "2026-04-01T02:00:49Z"
    duration:
      description: Seconds from start to end of the run; V(null) while it has not both begun and ended.
      type: float
      returned: always
      sample: 48.1
    error:
      description:
        - The error that NetBox recorded for the job. It is empty if NetBox calls the job completed, even if an optional
          stage failed. C(outcome) and C(stages) tell of that.
      type: str
      returned: always
      sample: ""
    cancelled:
      description: Whether somebody cancelled the job, before it ran (then C(started) is V(null)) or as it ran.
      type: bool
      returned: always
      sample: false
    outcome:
      description:
        - How the run ended; V(null) while the job has not ended. NetBox's own status does not say as much. It calls a
          run completed although optional stages failed.
        - V(succeeded) means that everything was done that was asked for, except stages that a setting disables.
        - V(partial) means that at least one stage is V(ok), and at least one stage or phase failed or did not run. A
          failed C(preflight) alone does not count.
        - V(failed) means that nothing that was asked for is in NetBox. Either no stage is V(ok), or the run wrote to a
          branch that was not merged.
        - V(cancelled) means that somebody cancelled the job. NetBox gives such a job the status V(failed).
        - V(nothing_done) means that settings disable everything that was asked for.
        - V(unknown) means that NetBox calls the job completed, but the module cannot read from its data what it did.
        - Before netbox-proxbox 0.0.27, only the log tells that a run that broke off is V(partial). Without its log it
          is V(failed).
      type: str
      returned: always
      sample: succeeded
    stages:
      description:
        - What came of each sync type that was asked for, on each Proxmox endpoint; of a run that has ended.
      type: list
      elements: dict
      returned: always
      contains:
        sync_type:
          description: Which sync type it is.
          type: str
          returned: always
          sample: devices
        endpoint_id:
          description: Id of the Proxmox endpoint; V(null) if NetBox does not tell.
          type: int
          returned: always
          sample: 1
        endpoint:
          description: Name of the Proxmox endpoint; V(null) if NetBox does not tell.
          type: str
          returned: always
          sample: pve-lab
        status:
          description:
            - V(ok) means that it ran well.
            - V(failed) means that it ran and failed.
            - V(skipped) means that a setting disables it, or that the endpoint was disabled or deleted.
            - V(missing) means that it was asked for, and NetBox shows no trace that it ran.
            - V(unknown) means that NetBox does not tell whether it ran well.
          type: str
          returned: always
          sample: ok
        reason:
          description: Why it is V(skipped) or V(missing), where NetBox tells; V(null) for every other status.
          type: str
          returned: always
          sample: sync_mode_sdn=disabled
        error:
          description:
            - Why it V(failed), in the server's words; V(null) for every other status.
            - Only the log of the job tells of an optional stage, V(vm-backups) for example, that it failed. A list
              of jobs that is read without the logs calls such a stage V(missing).
          type: str
          returned: always
          sample: "HTTP 500: no space left on device"
        run_time:
          description: Seconds the stage took; V(null) if NetBox does not tell.
          type: float
          returned: always
          sample: 3.9
        attempts:
          description: Number of attempts of a stage that V(failed), if the module has read the log; otherwise V(null).
          type: int
          returned: always
          sample: 3
    phases:
      description:
        - What came of the phases that NetBox runs beside the stages, for example C(preflight), C(cluster) and
          C(firewall). Empty where NetBox does not tell, as before netbox-proxbox 0.0.19. Before 0.0.27 it tells of
          C(preflight) and C(cluster) only.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description: Which phase it is.
          type: str
          returned: always
          sample: cluster
        label:
          description: The plugin's name for it.
          type: str
          returned: always
          sample: Cluster/node sync
        endpoint_id:
          description: Id of the Proxmox endpoint; V(null) if NetBox does not tell.
          type: int
          returned: always
          sample: 1
        endpoint:
          description: Name of the Proxmox endpoint; V(null) if NetBox does not tell.
          type: str
          returned: always
          sample: pve-lab
        status:
          description: The plugin's own word, V(success) or V(warning).
          type: str
          returned: always
          sample: success
        summary:
          description: What it did, or why it failed, in the plugin's words.
          type: str
          returned: always
          sample: 1 cluster(s) created, 0 updated, 2 node(s) created, 0 updated
        run_time:
          description: Seconds the phase took; V(null) if NetBox does not tell.
          type: float
          returned: always
          sample: 0.8
    run_id:
      description: The plugin's own id of the run; V(null) before it runs, and before netbox-proxbox 0.0.19.
      type: str
      returned: always
      sample: 3cb38285-f18a-475d-80e8-715bde648ca7
    branch:
      description: The branch of netbox-branching that the run wrote to; V(null) if it wrote to none.
      type: dict
      returned: always
      contains:
        id:
          description: Id of the branch.
          type: int
          returned: always
          sample: 4
        name:
          description: Name of the branch.
          type: str
          returned: always
          sample: proxbox-sync-17-1764032400
        status:
          description: What has become of it, V(left_open) for example; V(null) if NetBox does not tell.
          type: str
          returned: always
          sample: left_open
        reason:
          description: Why the branch has this status; V(null) if NetBox does not tell.
          type: str
          returned: always
          sample: local_reconciliation_failed
    queue:
      description: The RQ queue the job was put on.
      type: str
      returned: always
      sample: default
    rq_job_id:
      description: The job's id in RQ.
      type: str
      returned: always
      sample: 5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55
    user:
      description: Name of the NetBox user who created the job; V(null) if there is none any more.
      type: str
      returned: always
      sample: automation
    url:
      description: Page of the job in NetBox.
      type: str
      returned: always
      sample: https://netbox.example.com/core/jobs/17/
cancelled:
  description:
    - The members that were cancelled, as they were before, each in the shape of RV(job).
    - With O(when_running=wait), a run that may end is not one of them, but the successor that NetBox makes of it is.
      Check mode cannot know that one.
  type: list
  elements: dict
  returned: success
  sample: []
why:
  description: Why something was done, a sentence for each reason; empty if nothing was.
  type: list
  elements: str
  returned: success
  sample:
    - "job 17: its interval is 60 minutes, wanted 1440 minutes"
    - no living member matches
failure:
  description: The facts behind C(msg), when a request failed; when none did, each of them is V(null).
  type: dict
  returned: failure
  contains: # failure
    url:
      description: The address that was asked.
      type: str
      returned: always
      sample: https://netbox.example.com/api/plugins/proxbox/sync-jobs/
    method:
      description: The HTTP method.
      type: str
      returned: always
      sample: GET
    status:
      description: The HTTP status; V(null) when there was no answer.
      type: int
      returned: always
      sample: 403
    detail:
      description: The server's own words.
      type: str
      returned: always
      sample: Invalid v1 token
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._declare import Declare, End
from ..module_utils._errors import ProxboxError
from ..module_utils._jobs import Jobs
from ..module_utils._module import LOGIN_SPEC, RUNNING_SPEC, SCHEDULE_SPEC, run_module, task_result
from ..module_utils._options import checked_name, read_policy, read_schedule
from ..module_utils._schedules import declare


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    done = declare(jobs, goal(module.params, jobs), read_policy(module.params, check_mode=module.check_mode))
    return task_result(module, done)


def goal(options: dict[str, Any], jobs: Jobs) -> Declare | End:
    if options["state"] == "absent":
        if options["purge"]:
            jobs.pages.check_login()
        return End(checked_name(options["name"]), options["purge"])
    if options["purge"]:
        raise ProxboxError("purge deletes the rows of a schedule that ends: set state to absent, or remove purge.")
    return read_schedule(options, options, jobs.endpoint_ids)


def main() -> None:
    run_module(
        {
            **LOGIN_SPEC,
            **SCHEDULE_SPEC,
            "timezone": {"type": "str", "default": "UTC"},
            "purge": {"type": "bool", "default": False},
            **RUNNING_SPEC,
        },
        work,
    )


if __name__ == "__main__":
    main()
