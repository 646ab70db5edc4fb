#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_job
short_description: Run a Proxbox sync now, or cancel one
version_added: 0.1.0
description:
  - Runs a sync of NetBox's plugin netbox-proxbox now and, by default, waits for its end. The task fails if the sync did
    not do everything that was requested. The message says why.
  - Shows the log of the sync while the task waits.
  - Can also wait for a sync that exists already, or cancel a sync that has not ended.
  - To run syncs at a later time or at an interval, use M(proxbox.proxbox.proxbox_sync_schedule).
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.connection.login
  - proxbox.proxbox.connection.scope
  - proxbox.proxbox.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(state=present), each task runs a sync, unless O(max_age) or O(if_running) prevents it.
      - With O(state=cancelled), a job that has ended is not changed.
options:
  state:
    description:
      - V(present) runs a sync now. With O(job_id), it waits for this job instead.
      - V(cancelled) cancels the job O(job_id), or all jobs with the name O(name) that have not ended. See
        O(keep_schedule).
    type: str
    choices: [present, cancelled]
    default: present
  name:
    description:
      - Name of the job in NetBox.
      - If not set with O(state=present), the name is C(Ansible sync). NetBox itself gives each sync without a name the
        name C(Proxbox Sync).
      - Do not use the name of a schedule. Otherwise M(proxbox.proxbox.proxbox_sync_schedule) with C(state=absent)
        cancels this sync too, and a one-time schedule without C(schedule_at) treats it as its own run. To run what a
        schedule covers, use O(schedule).
    type: str
  schedule:
    description:
      - Name of a schedule that exists. The task runs a sync of what this schedule covers, once. The times of the
        schedule do not change.
      - The job is called, for example, V(nightly (run now\)). It does not belong to the schedule. If this name would be
        longer than 200 characters, the name of the schedule in it is cut.
      - If a run of the schedule is under way, the task starts a second one, unless O(if_running) prevents it.
      - The task fails if the schedule does not exist, if its jobs do not all cover the same, or if one of its endpoints
        was disabled later. The task sends one request more than with O(name).
      - Cannot be combined with O(name), O(job_id), O(sync_types), O(proxmox_endpoints) and O(netbox_endpoints), and not
        with O(state=cancelled).
    type: str
  job_id:
    description:
      - Numeric id of the job to wait for, or to cancel. The task fails if this job is not a Proxbox sync. V(null) means
        that the option is not set. Cannot be combined with O(name).
      - If a job to wait for has ended already, the task succeeds or fails at once, depending on its outcome. If the job
        is scheduled for later, the task waits for it too, for at most O(wait_timeout).
      - With O(state=present), no sync is run. O(sync_types), O(proxmox_endpoints), O(netbox_endpoints),
        O(if_running) and O(max_age) are then ignored.
    type: int
  keep_schedule:
    description:
      - Whether a schedule goes on after O(state=cancelled) has cancelled one of its jobs. NetBox itself ends a schedule
        without any message if one of its jobs is cancelled.
      - With V(true), the module creates the next run before it cancels a recurring job, unless the schedule already has
        a next run. With O(name), it does not cancel the scheduled job of a recurring schedule.
      - To skip a scheduled run, cancel it by O(job_id). The module first creates the run after it. Do not execute the
        task that declares the schedule until the skipped time has passed. That task would create the skipped run again.
        With C(schedule_at) and C(drift=ignore), it does not.
      - With V(false), the schedule ends.
      - Of the syncs called C(Proxbox Sync), those with another interval, or that do not cover the same, belong to other
        schedules.
    type: bool
    default: true
  if_running:
    description:
      - What to do if a sync of the same types and endpoints is pending or running already, under any name.
      - V(start) starts another sync.
      - V(join) does not start another sync, but waits for the existing one if O(wait=true).
      - V(skip) does not start another sync, and does not wait.
    type: str
    choices: [start, join, skip]
    default: start
  max_age:
    description:
      - Maximum age of an earlier sync in minutes. If a sync with exactly the same O(sync_types) and endpoints has ended
        within this time with the outcome V(succeeded), no sync is run.
      - A sync of V(all) does not count for V(devices). A sync with the outcome V(partial) does not count.
    type: float
  wait:
    description:
      - Whether to wait until the sync has ended. With V(false), the task does not check the outcome of the sync.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait for the end of the sync. After this time the task fails, and the sync goes on.
      - If NetBox does not answer, or answers HTTP 429 or 5xx, the task asks again for two minutes. Then it fails.
    type: float
    default: 3600
  poll_interval:
    description:
      - Longest pause between two requests for the state of the job, in seconds. The first pauses are shorter.
      - While the task shows the log, the longest pause is three seconds. If NetBox answers slowly, the task uses longer
        pauses, at most 15 seconds.
    type: float
    default: 5
  stale_after:
    description:
      - Time after which a running sync counts as dead. A number with a unit (V(90m), V(2h)), or minutes. A sync that
        has not started counts as dead if it is overdue by more than this time while workers are running.
      - The task does not join a dead sync and does not wait for it.
      - This option is used only if NetBox does not show RQ's record of the job. NetBox shows it to superusers only.
      - The default is the time for which NetBox lets a sync run. This is the plugin's setting C(sync_job_timeout), or
        two hours if the plugin is older than 0.0.27 or the token may not read the setting.
    type: str
  timezone:
    description:
      - Time zone of the times in messages and in the diff. An IANA name, for example V(Europe/Berlin).
    type: str
    default: UTC
  partial:
    description:
      - What to do if the sync did only a part of what was requested (RV(job.outcome) is V(partial)), with
        O(wait=true).
      - V(fail) fails the task. V(warn) shows a warning. V(ignore) does neither.
      - A sync with the outcome V(failed), V(cancelled) or V(unknown) always fails the task.
      - A stage that a setting disables is not a failure. The task shows a warning if such a stage was requested by
        name, or if settings disable everything that was requested (V(nothing_done)).
    type: str
    choices: [fail, warn, ignore]
    default: fail
  show_log:
    description:
      - Whether to show the log of the sync while the task waits.
      - Each line begins with the time since the run began. If the play has more than one host, the name of the host
        comes before it. A line usually appears within five seconds after NetBox has stored it. NetBox stores the lines
        of a running sync every few seconds.
      - Nothing is shown with C(no_log) or C(async), in check mode, with a stdout callback that writes JSON, or for a
        sync that has ended already.
      - To show the log, the module runs in the background on its host, as with C(async), and stores its result in a
        folder there (C(~/.ansible_async)). If the folder cannot be created, the task works, but shows nothing. Showing
        the log adds about 0.7 seconds to the task.
      - NetBox can only send the whole log. The longer this takes, the less often the task reads it.
    type: bool
    default: true
  include_log:
    description:
      - Whether to return the log of the job as RV(job.log_entries).
    type: bool
    default: false
  include_data:
    description:
      - Whether to return the data that the plugin stores in the job, as RV(job.data).
    type: bool
    default: false
notes:
  - If the task fails after it has changed something, the message says what was changed, and C(changed) is V(true).
seealso:
  - module: proxbox.proxbox.proxbox_job_info
  - module: proxbox.proxbox.proxbox_sync_schedule
"""

EXAMPLES = r"""
- name: Sync everything now, and wait at most one hour for the end
  proxbox.proxbox.proxbox_job:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"

# The following tasks use the environment variables NETBOX_URL and NETBOX_TOKEN.

- name: Sync the devices of one Proxmox endpoint, and wait at most ten minutes
  proxbox.proxbox.proxbox_job:
    name: devices after the upgrade
    sync_types: [devices]
    proxmox_endpoints: [pve-east]
    wait_timeout: 600
  register: sync

- name: Make sure that a sync has run within the last hour
  proxbox.proxbox.proxbox_job:
    max_age: 60
    if_running: join

- name: Run the schedule nightly now, or wait for its run that is under way
  proxbox.proxbox.proxbox_job:
    schedule: nightly
    if_running: join

- name: Sync devices and backups, and only warn if one of them fails
  proxbox.proxbox.proxbox_job:
    sync_types: [devices, vm-backups]
    partial: warn

- name: Sync devices and backups, and fail only if the devices fail
  proxbox.proxbox.proxbox_job:
    sync_types: [devices, vm-backups]
    partial: ignore
  register: both
  failed_when: >-
    both is failed or both.job.stages
    | selectattr('sync_type', 'eq', 'devices') | rejectattr('status', 'eq', 'ok') | list | length > 0

- name: Start a sync, and do not wait for its end
  proxbox.proxbox.proxbox_job:
    name: in the background
    wait: false
  register: background

- name: Wait for the end of this sync
  proxbox.proxbox.proxbox_job:
    job_id: "{{ background.job.id }}"
  when: not ansible_check_mode # in check mode, the job has no id

- name: Cancel a sync
  proxbox.proxbox.proxbox_job:
    job_id: 17
    state: cancelled
    timezone: Europe/Berlin # the message says when the schedule goes on
"""

RETURN = r"""
msg:
  description:
    - What the sync did, or what was cancelled.
    - It also says why no sync was started.
    - If the task failed, what went wrong.
  type: str
  returned: always
  sample: "nightly: job 17 succeeded after 48 s"
job:
  description:
    - The job that was run or joined, or the job O(job_id).
    - V(null) if jobs were cancelled by O(name).
  type: dict
  returned: success, or the sync failed or did not end in time
  contains: # job, job_more
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
    log_entries:
      description: Log of the job, oldest entry first.
      type: list
      elements: dict
      returned: O(include_log=true)
      contains:
        timestamp:
          description: Time of the entry.
          type: str
          returned: always
          sample: "2026-04-01T02:00:01.031Z"
        level:
          description: Log level.
          type: str
          returned: always
          sample: info
        message:
          description: Log message.
          type: str
          returned: always
          sample: "Starting Proxbox sync: all"
    data:
      description: Data that the plugin stores in the job, unchanged. It includes the answer of the backend.
      type: dict
      returned: O(include_data=true)
      sample: {}
cancelled:
  description: The jobs that were cancelled, as they were before. Each has the keys of RV(job).
  type: list
  elements: dict
  returned: success, or the sync failed or did not end in time
  sample: []
why:
  description: Why something was done, or why no sync was started, one sentence for each reason.
  type: list
  elements: str
  returned: success, or the sync failed or did not end in time
  sample:
    - a sync is to run now
successor:
  description:
    - The job that was created so that the schedule of the cancelled job goes on. It has the keys of RV(job). In check
      mode, it has no id.
    - V(null) if no job was needed for this.
  type: dict
  returned: O(state=cancelled)
log_excerpt:
  description:
    - The most important lines of the job's log, at most 8, oldest first. These are errors and warnings, or the last
      lines if there are none.
  type: list
  elements: str
  returned: the sync failed or did not end in time
  sample:
    - "ERROR: Stage 'vm-backups' failed (HTTP 500): no space left on device"
failure:
  description: The request that failed. If the task failed for another reason, all values are V(null).
  type: dict
  returned: failure, unless the sync failed or did not end in time
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

from ..module_utils._job import NewJob
from ..module_utils._job_tasks import await_job, cancel_runs, read_run_of, run_now
from ..module_utils._jobs import Jobs
from ..module_utils._message import of_cancel
from ..module_utils._module import (
    LOGIN_SPEC,
    SCOPE_SPEC,
    STALE_SPEC,
    run_module,
    task_result,
    warn_of_netbox_endpoints,
)
from ..module_utils._options import checked_name, checked_seconds, read_max_age, read_scope, read_stale_after
from ..module_utils._plan import Policy
from ..module_utils._progress_file import progress
from ..module_utils._run_result import run_result
from ..module_utils._runs import CancelRuns, RunNow
from ..module_utils._times import parse_timezone
from ..module_utils._wait import Waiting

NAMELESS = "Ansible sync"
"""The name of a sync if the task gives none."""


def cancel(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    name = "" if params["job_id"] is not None else checked_name(params["name"])
    zone = parse_timezone(params["timezone"])
    policy = Policy("cancel", check_mode=module.check_mode, finds_dead=False, zone=zone)
    goal = CancelRuns(name, params["job_id"], params["keep_schedule"], zone)
    done = cancel_runs(jobs, goal, policy)
    result = task_result(module, jobs, done, of_cancel(done, name, policy), zone)
    return {**result, "successor": done.successor.result() if done.successor else None}


def new_job(module: AnsibleModule, jobs: Jobs) -> NewJob:
    params = module.params
    if params["schedule"]:
        return read_run_of(jobs, checked_name(params["schedule"]))
    name = checked_name(params["name"]) if params["name"] else NAMELESS
    warn_of_netbox_endpoints(module, params["netbox_endpoints"])
    return NewJob(name, read_scope(params, jobs.endpoint_ids))


def run(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    timeout = checked_seconds("wait_timeout", params["wait_timeout"])
    longest_pause = checked_seconds("poll_interval", params["poll_interval"])
    waiting = Waiting(timeout, longest_pause, progress(module)) if params["wait"] else None
    zone = parse_timezone(params["timezone"])
    policy = Policy("cancel", stale_after=read_stale_after(params), check_mode=module.check_mode, zone=zone)
    if params["job_id"] is not None:
        done = await_job(jobs, params["job_id"], policy, waiting, include_log=params["include_log"])
    else:
        max_age = read_max_age(params["max_age"])
        goal = RunNow(new_job(module, jobs), params["if_running"], max_age)
        done = run_now(jobs, goal, policy, waiting, include_log=params["include_log"])
    return run_result(module, jobs, done, zone, timeout=timeout, partial=params["partial"])


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    return cancel(module, jobs) if module.params["state"] == "cancelled" else run(module, jobs)


def main() -> None:
    run_module(
        {
            **LOGIN_SPEC,
            "state": {"type": "str", "choices": ["present", "cancelled"], "default": "present"},
            "name": {"type": "str"},
            "schedule": {"type": "str"},
            "job_id": {"type": "int"},
            "keep_schedule": {"type": "bool", "default": True},
            "if_running": {"type": "str", "choices": ["start", "join", "skip"], "default": "start"},
            "max_age": {"type": "float"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "float", "default": 3600},
            "poll_interval": {"type": "float", "default": 5},
            **STALE_SPEC,
            "timezone": {"type": "str", "default": "UTC"},
            "partial": {"type": "str", "choices": ["fail", "warn", "ignore"], "default": "fail"},
            "show_log": {"type": "bool", "default": True},
            "include_log": {"type": "bool", "default": False},
            "include_data": {"type": "bool", "default": False},
            **SCOPE_SPEC,
        },
        work,
        required_if=[("state", "cancelled", ("job_id", "name"), True)],
        mutually_exclusive=[("job_id", "name"), *(("schedule", other) for other in ("name", "job_id", *SCOPE_SPEC))],
    )


if __name__ == "__main__":
    main()
