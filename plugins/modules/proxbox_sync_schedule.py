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
  - Declares when NetBox's plugin netbox-proxbox syncs Proxmox into NetBox, once or at an interval.
  - NetBox has no schedules, only jobs. When a recurring job ends, NetBox creates its successor, the job for the next
    run. In this collection, a schedule is all sync jobs that have the same name.
  - A job is active if its status is scheduled, pending or running. The module makes sure that the schedule has exactly
    one active job, and that this job is as declared. If more than one active job is as declared, the one with the
    lowest id stays. The other active jobs of the schedule are cancelled.
  - Never changes jobs with another name, and jobs that are not Proxbox syncs.
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
      - Name of the schedule. Its jobs have this name in NetBox.
      - C(Proxbox Sync) is refused for a schedule that is to be present, because NetBox gives this name to each sync
        without a name.
    type: str
    required: true
  previous_name:
    description:
      - Name that the schedule had until now. A schedule with this name gets the new name, and its next run keeps its
        time. NetBox cannot rename a job, so the task creates a job with the new name and cancels the other one.
        O(when_running) tells what happens to a running sync.
      - Past runs keep the previous name in NetBox. O(proxbox.proxbox.proxbox_sync_schedule_info#module:previous_names)
        counts them as runs of this schedule.
      - If no schedule has the previous name, the option has no effect. If schedules with both names exist, the one with
        the previous name ends. Therefore remove the option after the schedule was renamed.
      - The schedule must recur. With O(state=absent), schedules with both names end.
    type: str
  state:
    description:
      - V(present) makes sure that the schedule exists exactly once.
      - V(absent) ends the schedule. The options for its time and scope are then ignored, for example O(schedule_at)
        and O(sync_types).
    type: str
    choices: [present, absent]
    default: present
  purge:
    description:
      - Whether O(state=absent) also deletes all jobs of the schedule from NetBox, including past runs and their logs.
      - Requires O(netbox_username) and O(netbox_password), because NetBox deletes jobs on its web pages only.
    type: bool
    default: false
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedules
  - module: proxbox.proxbox.proxbox_sync_schedule_info
  - module: proxbox.proxbox.proxbox_job
  - module: proxbox.proxbox.proxbox_job_info
"""

EXAMPLES = r"""
- name: Sync everything every night at two, Berlin time
  proxbox.proxbox.proxbox_sync_schedule:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
    name: nightly
    schedule_at: "02:00"
    interval: daily
    timezone: Europe/Berlin

# The following tasks use the environment variables NETBOX_URL and NETBOX_TOKEN.

- name: Sync the devices and virtual machines of two Proxmox endpoints every full hour
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

- name: Sync every Sunday at two, Berlin time
  proxbox.proxbox.proxbox_sync_schedule:
    name: weekly
    schedule_at: "sunday 02:00"
    interval: weekly
    timezone: Europe/Berlin

- name: Sync on working days at two, with a schedule for each day
  proxbox.proxbox.proxbox_sync_schedule:
    name: "nightly {{ item }}"
    schedule_at: "{{ item }} 02:00"
    interval: weekly
    timezone: Europe/Berlin
  loop: [mon, tue, wed, thu, fri]

- name: Pause a schedule until the task runs with enabled set to true
  proxbox.proxbox.proxbox_sync_schedule:
    name: nightly
    schedule_at: "02:00"
    interval: daily
    enabled: false

- name: Skip the runs over the holidays
  proxbox.proxbox.proxbox_sync_schedule:
    name: nightly
    schedule_at: "02:00"
    interval: daily
    timezone: Europe/Berlin
    skip_until: "2026-12-27"

- name: Sync once at a given time, at most 81 days ahead
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

- name: End a schedule, and delete all of its jobs from NetBox
  proxbox.proxbox.proxbox_sync_schedule:
    name: every day
    state: absent
    purge: true
    netbox_username: automation
    netbox_password: "{{ vault_netbox_password }}"
"""

RETURN = r"""
msg:
  description:
    - What was done to the schedule, or in check mode would be done, and its next run.
    - If the task failed, what went wrong.
  type: str
  returned: always
  sample: "nightly: created, next run Wed 25 Nov 2026 02:00 Europe/Berlin (01:00 UTC)"
job:
  description:
    - The active job of the schedule. If the schedule is for one run that has ended, the job of this run.
    - V(null) if there is none.
  type: dict
  returned: success
  contains: # job
    id:
      description: Numeric id of the job in NetBox; V(null) in check mode if the job does not exist yet.
      type: int
      returned: always
      sample: 17
    name:
      description: Name of the job. All jobs of a schedule have the name of the schedule.
      type: str
      returned: always
      sample: nightly
    status:
      description:
        - Status of the job in NetBox.
        - One of V(scheduled), V(pending), V(running), V(completed), V(errored) and V(failed).
      type: str
      returned: always
      sample: scheduled
    sync_types:
      description: Sync types of the job; empty if NetBox does not show them yet.
      type: list
      elements: str
      returned: always
      sample: [all]
    proxmox_endpoints:
      description:
        - Ids of the Proxmox endpoints to sync from.
        - Empty means all enabled endpoints, or that NetBox does not show them yet.
      type: list
      elements: int
      returned: always
      sample: []
    netbox_endpoints:
      description:
        - Ids of the NetBox endpoints that NetBox stores in the job. They have no effect on the sync.
        - Empty means that the job has none, or that NetBox does not show them yet.
      type: list
      elements: int
      returned: always
      sample: []
    scheduled:
      description: Scheduled time of the run, in UTC; V(null) if the job was created to run at once.
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
      description: When the run started, in UTC; V(null) if it has not started.
      type: str
      returned: always
      sample: "2026-04-01T02:00:01Z"
    completed:
      description: When the run ended, in UTC; V(null) if it has not ended.
      type: str
      returned: always
      sample: "2026-04-01T02:00:49Z"
    duration:
      description: Seconds from the start to the end of the run; V(null) if it has not started or has not ended.
      type: float
      returned: always
      sample: 48.1
    error:
      description:
        - Error that NetBox recorded for the job.
        - Empty if NetBox calls the job completed, even if an optional stage failed. C(outcome) and C(stages) show such
          a failure.
      type: str
      returned: always
      sample: ""
    cancelled:
      description: Whether the job was cancelled. If it was cancelled before it ran, C(started) is V(null).
      type: bool
      returned: always
      sample: false
    outcome:
      description:
        - What the run did; V(null) if the job has not ended. NetBox's own status shows less, because NetBox calls a
          job completed even if optional stages failed.
        - V(succeeded) means that the run did everything that was requested, except stages that a setting disables.
        - V(partial) means that at least one stage is V(ok), and that another stage or a phase failed or did not run,
          or that the job ended with an error. A failed C(preflight) phase alone does not count.
        - V(failed) means that nothing that was requested is in NetBox. Either no stage is V(ok), or the run wrote to a
          branch that was not merged.
        - V(cancelled) means that the job was cancelled. NetBox gives such a job the status V(failed).
        - V(nothing_done) means that settings disable everything that was requested.
        - V(unknown) means that NetBox calls the job completed, but the module cannot read from its data what the run
          did.
        - With netbox-proxbox older than 0.0.27, only the log shows which stages were V(ok) in a job that ended with an
          error. If the module has not read the log, such a run is V(failed) instead of V(partial).
      type: str
      returned: always
      sample: succeeded
    stages:
      description:
        - Result of each requested sync type on each Proxmox endpoint; empty if the run has not ended.
      type: list
      elements: dict
      returned: always
      contains:
        sync_type:
          description: Sync type of the stage.
          type: str
          returned: always
          sample: devices
        endpoint_id:
          description: Id of the Proxmox endpoint; V(null) if NetBox does not show it.
          type: int
          returned: always
          sample: 1
        endpoint:
          description: Name of the Proxmox endpoint; V(null) if NetBox does not show it.
          type: str
          returned: always
          sample: pve-lab
        status:
          description:
            - V(ok) means that the stage succeeded.
            - V(failed) means that the stage failed.
            - V(skipped) means that a setting disables the stage, or that the endpoint was disabled or deleted.
            - V(missing) means that the stage was requested, but NetBox has no record that it ran.
            - V(unknown) means that NetBox does not show whether the stage succeeded.
          type: str
          returned: always
          sample: ok
        reason:
          description: Why the stage is V(skipped) or V(missing); V(null) if NetBox does not show a reason.
          type: str
          returned: always
          sample: sync_mode_sdn=disabled
        error:
          description:
            - Error of the stage, in the words of the server; V(null) if there is none.
            - Only the log of the job shows that an optional stage failed, for example V(vm-backups). If the module has
              not read the log, such a stage is V(missing).
          type: str
          returned: always
          sample: "HTTP 500: no space left on device"
        run_time:
          description: Seconds that the stage took; V(null) if NetBox does not show it.
          type: float
          returned: always
          sample: 3.9
        attempts:
          description: Number of attempts of a V(failed) stage, if the module has read the log; otherwise V(null).
          type: int
          returned: always
          sample: 3
    phases:
      description:
        - Result of each phase that NetBox runs in addition to the stages, for example C(preflight), C(cluster) and
          C(firewall).
        - With netbox-proxbox older than 0.0.27, only C(preflight) and C(cluster). With releases older than 0.0.19,
          empty.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description: Kind of the phase.
          type: str
          returned: always
          sample: cluster
        label:
          description: The plugin's name for the phase.
          type: str
          returned: always
          sample: Cluster/node sync
        endpoint_id:
          description: Id of the Proxmox endpoint; V(null) if NetBox does not show it.
          type: int
          returned: always
          sample: 1
        endpoint:
          description: Name of the Proxmox endpoint; V(null) if NetBox does not show it.
          type: str
          returned: always
          sample: pve-lab
        status:
          description: The plugin's status of the phase, V(success) or V(warning).
          type: str
          returned: always
          sample: success
        summary:
          description: What the phase did, or why it failed, in the words of the plugin.
          type: str
          returned: always
          sample: 1 cluster(s) created, 0 updated, 2 node(s) created, 0 updated
        run_time:
          description: Seconds that the phase took; V(null) if NetBox does not show it.
          type: float
          returned: always
          sample: 0.8
    run_id:
      description: Id that the plugin gives the run; V(null) before the run starts, and before netbox-proxbox 0.0.19.
      type: str
      returned: always
      sample: 3cb38285-f18a-475d-80e8-715bde648ca7
    branch:
      description: Branch of netbox-branching that the run wrote to; V(null) if there is none.
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
          description: What happened to the branch, for example V(left_open); V(null) if NetBox does not show it.
          type: str
          returned: always
          sample: left_open
        reason:
          description: Why the branch has this status; V(null) if NetBox does not show it.
          type: str
          returned: always
          sample: local_reconciliation_failed
    queue:
      description: RQ queue of the job.
      type: str
      returned: always
      sample: default
    rq_job_id:
      description: Id of the job in RQ.
      type: str
      returned: always
      sample: 5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55
    user:
      description: Name of the NetBox user who created the job; V(null) if there is none.
      type: str
      returned: always
      sample: automation
    url:
      description: URL of the job's page in NetBox.
      type: str
      returned: always
      sample: https://netbox.example.com/core/jobs/17/
cancelled:
  description:
    - The jobs that were cancelled, as they were before. Each has the keys of RV(job).
    - With O(when_running=wait), a running job is not cancelled, but its successor is. In check mode, the successor is
      not returned, because it does not exist yet.
  type: list
  elements: dict
  returned: success
  sample: []
why:
  description: Why something was done, one sentence for each reason; empty if nothing was done.
  type: list
  elements: str
  returned: success
  sample:
    - "job 17: its interval is 60 minutes, wanted 1440 minutes"
    - no active job matches
failure:
  description: The request that failed. If the task failed for another reason, all values are V(null).
  type: dict
  returned: failure
  contains: # failure
    url:
      description: URL of the request.
      type: str
      returned: always
      sample: https://netbox.example.com/api/plugins/proxbox/sync-jobs/
    method:
      description: HTTP method of the request.
      type: str
      returned: always
      sample: GET
    status:
      description: HTTP status of the answer; V(null) if there was no answer.
      type: int
      returned: always
      sample: 403
    detail:
      description: Error message in the answer; V(null) if there is none.
      type: str
      returned: always
      sample: Invalid v1 token
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._declare import Declare, End
from ..module_utils._errors import ProxboxError
from ..module_utils._jobs import Jobs
from ..module_utils._message import of_schedule
from ..module_utils._module import (
    LOGIN_SPEC,
    RUNNING_SPEC,
    SCHEDULE_SPEC,
    run_module,
    task_result,
    warn_of_netbox_endpoints,
)
from ..module_utils._options import is_paused, read_goal, read_policy
from ..module_utils._schedules import declare


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    warn_of_netbox_endpoints(module, params["netbox_endpoints"])
    policy = read_policy(params, check_mode=module.check_mode)
    done = declare(jobs, goal(params, jobs), policy)
    paused = is_paused(params)
    return task_result(module, jobs, done, of_schedule(done, policy, paused=paused), policy.zone, paused=paused)


def goal(options: dict[str, Any], jobs: Jobs) -> Declare | End:
    if options["purge"]:
        if options["state"] != "absent":
            raise ProxboxError("purge deletes the rows of a schedule that ends: set state to absent, or remove purge.")
        jobs.pages.check_login()
    return read_goal(options, jobs.endpoint_ids)


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
