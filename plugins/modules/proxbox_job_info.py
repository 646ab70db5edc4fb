#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_job_info
short_description: Read Proxbox sync jobs
version_added: 0.1.0
description:
  - Reads the sync jobs of NetBox's plugin netbox-proxbox, newest first. NetBox applies all filters except
    O(outcome).
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.attributes
  - proxbox.proxbox.attributes.info_module
options:
  job_id:
    description:
      - Return only the job with this numeric id. The task fails if NetBox has no such sync job.
      - Cannot be combined with the options that filter jobs.
    type: int
  name:
    description:
      - Return only jobs with exactly this name.
    type: str
  status:
    description:
      - Return only jobs with one of these statuses.
    type: list
    elements: str
    choices: [scheduled, pending, running, completed, errored, failed]
  sync_types:
    description:
      - Return only jobs with at least one of these sync types. A job of C(all) matches every sync type.
    type: list
    elements: str
  errored:
    description:
      - With V(true), return only jobs that have the status errored or failed, or an error. This includes cancelled
        jobs. With V(false), return only the other jobs.
      - Use O(outcome) to find syncs that did not do everything that was requested.
    type: bool
  outcome:
    description:
      - Return only jobs with one of these outcomes, see RV(jobs[].outcome).
      - NetBox cannot filter by the outcome. The module reads jobs until O(limit) of them match, or there are no more
        jobs. Use other filters too, so that it reads fewer jobs.
      - With netbox-proxbox older than 0.0.27, also set O(include_log=true). Only the log shows whether a job that ended
        with an error is V(partial) or V(failed).
    type: list
    elements: str
    choices: [succeeded, partial, failed, cancelled, nothing_done, unknown]
  created_after:
    description:
      - Return only jobs created at this time or later. ISO 8601; UTC if it has no offset.
    type: str
  created_before:
    description:
      - Return only jobs created at this time or earlier. ISO 8601; UTC if it has no offset.
    type: str
  scheduled_after:
    description:
      - Return only jobs scheduled for this time or later. ISO 8601; UTC if it has no offset.
    type: str
  scheduled_before:
    description:
      - Return only jobs scheduled for this time or earlier. ISO 8601; UTC if it has no offset.
    type: str
  include_log:
    description:
      - Whether to return the log of each job as RV(jobs[].log_entries). A log can be long.
      - Only the log shows why an optional stage failed.
    type: bool
    default: false
  include_data:
    description:
      - Whether to return the data that the plugin stores in each job, as RV(jobs[].data).
    type: bool
    default: false
  limit:
    description:
      - Maximum number of jobs to return. V(0) returns all jobs. With O(outcome), the module may read many more jobs
        than it returns.
    type: int
    default: 100
seealso:
  - module: proxbox.proxbox.proxbox_job
  - module: proxbox.proxbox.proxbox_sync_schedule
"""

EXAMPLES = r"""
- name: Read the jobs that have not ended
  proxbox.proxbox.proxbox_job_info:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
    status: [scheduled, pending, running]
  register: active

# The following tasks use the environment variables NETBOX_URL and NETBOX_TOKEN.

- name: Read the newest failed or partial run of a schedule, with its log
  proxbox.proxbox.proxbox_job_info:
    name: nightly
    outcome: [failed, partial]
    include_log: true
    limit: 1
  register: failures

- name: Read one job
  proxbox.proxbox.proxbox_job_info:
    job_id: 17
"""

RETURN = r"""
msg:
  description:
    - How many jobs were found, and how they fared.
  type: str
  returned: always
  sample: "3 jobs: 2 succeeded (job 16, job 17), 1 running (job 18)"
jobs:
  description: The jobs, newest first.
  type: list
  elements: dict
  returned: success
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

from ..module_utils._job import ACTIVE, ENDED, iso
from ..module_utils._jobs import Jobs
from ..module_utils._message import counted
from ..module_utils._module import run_module
from ..module_utils._observe import is_starting
from ..module_utils._options import checked_count, checked_name
from ..module_utils._outcome import UNKNOWN, VERDICTS
from ..module_utils._runs import check_target
from ..module_utils._sync_jobs import judged, search
from ..module_utils._times import parse_instant

FILTERS = {"name": "name", "status": "status", "sync_types": "sync_type", "errored": "errored"}
TIMES = {
    "created_after": "created__after",
    "created_before": "created__before",
    "scheduled_after": "scheduled__after",
    "scheduled_before": "scheduled__before",
}


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    limit = checked_count("limit", params["limit"])
    if params["name"] is not None:
        params["name"] = checked_name(params["name"])
    if params["job_id"] is not None:
        job = jobs.get(params["job_id"], include_log=params["include_log"])
        if not is_starting(job, jobs.session.server_now):
            check_target(job, jobs.url)
        found = [job if job.active else judged(jobs, job)]
    else:
        filters = {query: params[option] for option, query in FILTERS.items() if params[option] is not None}
        filters.update(
            (query, iso(parse_instant(option, params[option]))) for option, query in TIMES.items() if params[option]
        )
        found = search(jobs, filters, limit=limit, include_log=params["include_log"], outcomes=params["outcome"] or ())
    shape = {option: params[option] for option in ("include_log", "include_data")}
    fared = [(f"job {job.id}", job.status if job.active else job.outcome.verdict or UNKNOWN) for job in found]
    msg = counted("job", fared)
    return {"changed": False, "msg": msg, "jobs": [job.result(**shape) for job in found]}


def main() -> None:
    run_module(
        {
            "job_id": {"type": "int"},
            "name": {"type": "str"},
            "status": {"type": "list", "elements": "str", "choices": [*ACTIVE, *ENDED]},
            "sync_types": {"type": "list", "elements": "str"},
            "errored": {"type": "bool"},
            "created_after": {"type": "str"},
            "created_before": {"type": "str"},
            "scheduled_after": {"type": "str"},
            "scheduled_before": {"type": "str"},
            "outcome": {"type": "list", "elements": "str", "choices": list(VERDICTS)},
            "include_log": {"type": "bool", "default": False},
            "include_data": {"type": "bool", "default": False},
            "limit": {"type": "int", "default": 100},
        },
        work,
        mutually_exclusive=[("job_id", option) for option in (*FILTERS, *TIMES, "outcome")],
    )


if __name__ == "__main__":
    main()
