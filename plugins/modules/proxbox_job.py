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
  - Runs a sync of NetBox's plugin netbox-proxbox at once and, if wanted, waits for its end. The task fails if the sync
    did not do all that was asked for, and says why.
  - Shows the sync's log while it waits.
  - Waits for a sync that exists already.
  - Cancels a sync that has not ended.
  - For syncs at a later time, and for recurring ones, see M(proxbox.proxbox.proxbox_sync_schedule).
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
      - With O(state=present), each task runs a sync, unless O(max_age) or O(when_running) says otherwise.
      - With O(state=cancelled), a job that has ended stays as it is.
options:
  state:
    description:
      - With V(present), a sync is run now; or, with O(job_id), that one is waited for.
      - With V(cancelled), the job O(job_id), or every living job called O(name), is cancelled.
    type: str
    choices: [present, cancelled]
    default: present
  name:
    description:
      - Name of the job in NetBox.
      - If not set with O(state=present), NetBox calls it C(Proxbox Sync).
      - A run with the name of a schedule is a second living member of that schedule. Give it another name.
    type: str
  job_id:
    description:
      - Numeric id of the job to cancel, or to wait for. The task fails if it is no Proxbox sync. V(null) counts as not
        set.
      - If a job to wait for has ended already, the task returns at once, and succeeds or fails by its outcome. If it is
        scheduled for later, the task waits for it, for O(wait_timeout) at most.
      - With O(state=present), no sync is run, and the options that describe a sync, O(when_running) and O(max_age) are
        not used.
    type: int
  keep_schedule:
    description:
      - Whether a schedule outlives its member that O(state=cancelled) cancels. NetBox would end the schedule
        without a word.
      - With V(true), the next run is created before a recurring job is cancelled, unless the schedule has one
        already. With O(name), the scheduled member of a recurring schedule is left alone.
      - To cancel the scheduled member by its O(job_id) is to skip that run, for the run after it is created. But a task
        that declares the schedule before the skipped time brings the run back (at once, if it has no C(schedule_at)),
        unless it has C(schedule_at) and C(drift=ignore).
      - With V(false), cancelling ends the schedule.
    type: bool
    default: true
  when_running:
    description:
      - What to do when a sync of the same scope is pending or running already, whatever its name.
      - With V(start), this one is started all the same. With V(join), that one is taken instead, and waited for if
        O(wait=true). With V(skip), that one is enough.
    type: str
    choices: [start, join, skip]
    default: start
  max_age:
    description:
      - Maximum age in minutes of an earlier sync that counts. If a sync with exactly the same O(sync_types) and
        endpoints has ended within this time, and its outcome is V(succeeded), the task runs nothing.
      - A sync of V(all) does not count for V(devices). A sync with the outcome V(partial) never counts.
    type: float
  wait:
    description:
      - Whether to wait until the sync has ended. With V(false), the task does not check its outcome.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait for the end of the sync. When they are over, the task fails, and the sync goes on.
      - A NetBox that does not answer, answers HTTP 429 or 5xx, or is restarted, is waited for, two minutes at most.
    type: float
    default: 3600
  poll_interval:
    description:
      - The longest pause between two looks at the job, in seconds. The first pauses are shorter. While the log is
        shown, the pause is three seconds at most, or up to 15 seconds if NetBox needs long to send the log.
    type: float
    default: 5
  stale_after:
    description:
      - A sync that runs for longer than this counts as dead. A number with a unit (V(90m), V(2h)), or minutes. The task
        neither joins a dead sync nor waits for it.
      - If not set, as long as NetBox lets a sync run (the plugin's setting C(sync_job_timeout), two hours where the
        token may not read it or the plugin is older than 0.0.27).
      - It counts only where NetBox does not tell what RQ knows, which it tells superusers alone.
    type: str
  partial:
    description:
      - What to make of a sync that did some of what was asked for (RV(job.outcome) is V(partial)), when O(wait=true).
      - With V(fail), the task fails; with V(warn), it warns; with V(ignore), only the result tells.
      - A sync of which RV(job.outcome) is V(failed), V(cancelled) or V(unknown) always fails the task. A stage that a
        setting switches off is no failure. The task warns of such a stage if it was asked for by name, and of a sync of
        which nothing else was asked for (V(nothing_done)).
    type: str
    choices: [fail, warn, ignore]
    default: fail
  show_log:
    description:
      - Whether to show what the sync does while the task waits for it. A line of the log begins with the time since the
        run began, and with the name of the host if the play has more than one. It usually appears within five seconds
        after NetBox has stored it. NetBox stores the lines of a running sync every few seconds.
      - Nothing is shown with C(no_log), with C(async), in check mode, for a sync that ended before, and with a stdout
        callback that writes JSON.
      - The module then runs in the background on its host, as with C(async), and needs a folder for its result there
        (C(~/.ansible_async)). If the folder cannot be created, the task works, but shows nothing. Showing the log
        takes some 0.7 seconds more.
      - NetBox gives a log as a whole only. The longer it takes to read, the less often it is read.
    type: bool
    default: true
  include_log:
    description:
      - Whether to return the log of the job, as RV(job.log_entries).
    type: bool
    default: false
  include_data:
    description:
      - Whether to return what the plugin wrote down of the job, as RV(job.data).
    type: bool
    default: false
notes:
  - A failure after something was written says what was, and has C(changed) set.
seealso:
  - module: proxbox.proxbox.proxbox_job_info
  - module: proxbox.proxbox.proxbox_sync_schedule
"""

EXAMPLES = r"""
- name: Sync everything now, and wait one hour at most for its end
  proxbox.proxbox.proxbox_job:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"

# The address and the token come from NETBOX_URL and NETBOX_TOKEN from here on.

- name: Sync the devices of one Proxmox endpoint, and wait ten minutes at most
  proxbox.proxbox.proxbox_job:
    name: devices after the upgrade
    sync_types: [devices]
    proxmox_endpoints: [pve-east]
    wait_timeout: 600
  register: sync

- name: Make sure that a sync has run within the last hour
  proxbox.proxbox.proxbox_job:
    max_age: 60
    when_running: join

- name: Sync devices and backups, and only warn if a part of it fails
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

- name: Start a sync and go on
  proxbox.proxbox.proxbox_job:
    name: in the background
    wait: false
  register: background

- name: Wait for its end
  proxbox.proxbox.proxbox_job:
    job_id: "{{ background.job.id }}"
  when: not ansible_check_mode # it has no id there

- name: Cancel a sync
  proxbox.proxbox.proxbox_job:
    job_id: 17
    state: cancelled
"""

RETURN = r"""
job:
  description:
    - The job that was run or joined, or the one that O(job_id) names.
    - V(null) if a name was cancelled.
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
        - Ids of the NetBox endpoints to sync to.
        - Empty means all endpoints, or that NetBox does not show them yet.
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
        - With netbox-proxbox older than 0.0.27, only the log shows which stages of a run were V(ok) before a required
          stage failed. If the module has not read the log, such a run is V(failed) instead of V(partial).
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
  description: The jobs that were cancelled, as they were before, each in the shape of RV(job).
  type: list
  elements: dict
  returned: success, or the sync failed or did not end in time
  sample: []
why:
  description: Why something was done, a sentence for each reason; empty if nothing was.
  type: list
  elements: str
  returned: success, or the sync failed or did not end in time
  sample:
    - a sync is to run now
successor:
  description:
    - The job that carries on the schedule of the one that was cancelled, in the shape of RV(job); in check mode, with
      no id yet.
    - V(null) if nothing had to be carried on.
  type: dict
  returned: O(state=cancelled)
log_excerpt:
  description:
    - The lines of the job's log that matter most, oldest first. Errors are preferred to warnings, and both to the last
      lines.
  type: list
  elements: str
  returned: the sync failed or did not end in time
  sample:
    - "ERROR: Stage 'vm-backups' failed (HTTP 500): no space left on device"
failure:
  description: The facts behind C(msg), when a request failed; when none did, each of them is V(null).
  type: dict
  returned: failure, but not that of the sync itself
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

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._engine import await_job, cancel_jobs, run_job
from ..module_utils._jobs import Jobs
from ..module_utils._module import (
    LOGIN_SPEC,
    SCOPE_SPEC,
    STALE_SPEC,
    outcome_result,
    progress,
    run_module,
    run_result,
    stale_after,
    with_endpoints,
)
from ..module_utils._plan import checked_name, checked_seconds, read_run
from ..module_utils._wait import Waiting


def cancel(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    done = cancel_jobs(
        jobs,
        job_id=params["job_id"],
        name=None if params["name"] is None else checked_name(params["name"]),
        keep_schedule=params["keep_schedule"],
        check_mode=module.check_mode,
    )
    return {**outcome_result(module, done), "successor": done.successor.result() if done.successor else None}


def run(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    timeout = checked_seconds("wait_timeout", params["wait_timeout"])
    longest_pause = checked_seconds("poll_interval", params["poll_interval"])
    common: dict[str, Any] = {
        "waiting": Waiting(timeout, longest_pause, progress(module)) if params["wait"] else None,
        "stale_after": stale_after(module),
        "include_log": params["include_log"],
        "check_mode": module.check_mode,
    }
    if params["job_id"] is not None:
        done = await_job(jobs, params["job_id"], **common)
    else:
        new = read_run(name=params["name"], sync_types=params["sync_types"])
        done = run_job(
            jobs,
            replace(new, scope=with_endpoints(new.scope, params, jobs)),
            when_running=params["when_running"],
            max_age=None if params["max_age"] is None else timedelta(minutes=params["max_age"]),
            **common,
        )
    return run_result(module, done, timeout=timeout, partial=params["partial"])


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    return cancel(module, jobs) if module.params["state"] == "cancelled" else run(module, jobs)


def main() -> None:
    run_module(
        {
            **LOGIN_SPEC,
            "state": {"type": "str", "choices": ["present", "cancelled"], "default": "present"},
            "name": {"type": "str"},
            "job_id": {"type": "int"},
            "keep_schedule": {"type": "bool", "default": True},
            "when_running": {"type": "str", "choices": ["start", "join", "skip"], "default": "start"},
            "max_age": {"type": "float"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "float", "default": 3600},
            "poll_interval": {"type": "float", "default": 5},
            **STALE_SPEC,
            "partial": {"type": "str", "choices": ["fail", "warn", "ignore"], "default": "fail"},
            "show_log": {"type": "bool", "default": True},
            "include_log": {"type": "bool", "default": False},
            "include_data": {"type": "bool", "default": False},
            **SCOPE_SPEC,
        },
        work,
        required_if=[("state", "cancelled", ("job_id", "name"), True)],
        mutually_exclusive=[("job_id", "name")],
    )


if __name__ == "__main__":
    main()
