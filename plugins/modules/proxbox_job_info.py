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
      - Numeric id of the one job to read. The task fails if NetBox has no such sync job.
      - It goes with none of the options that choose among jobs.
    type: int
  name:
    description:
      - Only jobs with just this name.
    type: str
  status:
    description:
      - Only jobs in one of these states.
    type: list
    elements: str
    choices: [scheduled, pending, running, completed, errored, failed]
  sync_types:
    description:
      - Only jobs that cover at least one of these sync types. A job of all of them covers each.
    type: list
    elements: str
  errored:
    description:
      - With V(true), only jobs that NetBox itself calls errored or failed, or that recorded an error. Cancelled jobs
        are among them. With V(false), only the others. O(outcome) tells more.
    type: bool
  outcome:
    description:
      - Only jobs with one of these outcomes, see RV(jobs[].outcome). NetBox cannot filter by it, so the module reads
        jobs until O(limit) of them fit, or none is left. Other filters make that quick.
      - Before netbox-proxbox 0.0.27, set O(include_log=true) too, because only the log tells V(partial) from V(failed)
        for a run that broke off.
    type: list
    elements: str
    choices: [succeeded, partial, failed, cancelled, nothing_done, unknown]
  created_after:
    description:
      - Only jobs created at this time or later. ISO 8601; UTC if it has no offset.
    type: str
  created_before:
    description:
      - Only jobs created at this time or earlier. ISO 8601; UTC if it has no offset.
    type: str
  scheduled_after:
    description:
      - Only jobs that are, or were, to run at this time or later. ISO 8601; UTC if it has no offset.
    type: str
  scheduled_before:
    description:
      - Only jobs that are, or were, to run at this time or earlier. ISO 8601; UTC if it has no offset.
    type: str
  include_log:
    description:
      - Whether to read the jobs' logs too, which can be long. Only they tell why an optional stage failed.
    type: bool
    default: false
  include_data:
    description:
      - Whether to return what the plugin wrote down of each job, as RV(jobs[].data).
    type: bool
    default: false
  limit:
    description:
      - Maximum number of jobs to return. V(0) returns all. With O(outcome), the module may read many more jobs than it
        returns.
    type: int
    default: 100
seealso:
  - module: proxbox.proxbox.proxbox_job
  - module: proxbox.proxbox.proxbox_sync_schedule
"""

EXAMPLES = r"""
- name: Read what runs, or is to run
  proxbox.proxbox.proxbox_job_info:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
    status: [scheduled, pending, running]
  register: living

# The address and the token come from NETBOX_URL and NETBOX_TOKEN from here on.

- name: Read the newest failure of a schedule, with its log
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
jobs:
  description: The jobs, newest first.
  type: list
  elements: dict
  returned: success
  contains: # job, job_more
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
    log_entries:
      description: The job's log, oldest entry first.
      type: list
      elements: dict
      returned: O(include_log=true)
      contains:
        timestamp:
          description: When it was written.
          type: str
          returned: always
          sample: "2026-04-01T02:00:01.031Z"
        level:
          description: How grave it is.
          type: str
          returned: always
          sample: info
        message:
          description: What it says.
          type: str
          returned: always
          sample: "Starting Proxbox sync: all"
    data:
      description: What the plugin wrote down of the job, as it is, with the answer of its backend.
      type: dict
      returned: O(include_data=true)
      sample: {}
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

from ..module_utils._job import ENDED, LIVING, Kind, iso
from ..module_utils._jobs import Jobs
from ..module_utils._module import run_module
from ..module_utils._options import checked_count, checked_name
from ..module_utils._outcome import VERDICTS
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
        if job.kind is Kind.FOREIGN:
            check_target(job, jobs.url)
        found = [job if job.living else judged(jobs, job)]
    else:
        filters = {query: params[option] for option, query in FILTERS.items() if params[option] is not None}
        filters.update(
            (query, iso(parse_instant(option, params[option]))) for option, query in TIMES.items() if params[option]
        )
        found = search(jobs, filters, limit=limit, include_log=params["include_log"], outcomes=params["outcome"] or ())
    shape = {option: params[option] for option in ("include_log", "include_data")}
    return {"changed": False, "jobs": [job.result(**shape) for job in found]}


def main() -> None:
    run_module(
        {
            "job_id": {"type": "int"},
            "name": {"type": "str"},
            "status": {"type": "list", "elements": "str", "choices": [*LIVING, *ENDED]},
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
