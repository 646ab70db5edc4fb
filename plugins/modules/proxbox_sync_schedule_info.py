#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_sync_schedule_info
short_description: Read how the schedules of Proxbox syncs fare
version_added: 0.1.0
description:
  - Reads each living schedule, with its next and its last run and what is wrong with it.
  - It takes one request for all of what lives, one or two for the workers, and one for each schedule; one more for a
    schedule whose last run did not do all that was asked for, to read why in its log.
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.attributes
  - proxbox.proxbox.attributes.info_module
options:
  name:
    description:
      - Only the schedule with just this name. If it is not alive, the result is empty.
    type: str
  history:
    description:
      - How many of each schedule's newest runs to look at for the last one and for failures.
    type: int
    default: 10
  stale_after:
    description:
      - A sync that runs for longer than this counts as dead. The same applies to a scheduled sync that is overdue by
        more than this while workers are running. A number with a unit (V(90m), V(2h)), or minutes.
      - If not set, as long as NetBox lets a sync run (the plugin's setting C(sync_job_timeout), two hours where the
        token may not read it or the plugin is older than 0.0.27).
      - It counts only where NetBox does not tell what RQ knows, which it tells superusers alone.
    type: str
notes:
  - A schedule that has ended is not there. To be sure that one lives, declare it with
    M(proxbox.proxbox.proxbox_sync_schedule), in check mode if nothing may change.
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedule
  - module: proxbox.proxbox.proxbox_worker_info
  - module: proxbox.proxbox.proxbox_job_info
"""

EXAMPLES = r"""
- name: Read every schedule
  proxbox.proxbox.proxbox_sync_schedule_info:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
  register: proxbox

# The address and the token come from NETBOX_URL and NETBOX_TOKEN from here on.

- name: Show when each runs next
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.health }}, next at {{ item.next_run }}"
  loop: "{{ proxbox.schedules }}"

- name: Read the nightly one
  proxbox.proxbox.proxbox_sync_schedule_info:
    name: nightly
  register: nightly

- name: Fail when it is not as it should be
  ansible.builtin.assert:
    that:
      - nightly.schedules | length == 1
      - nightly.schedules[0].health == 'ok'
    fail_msg: "{{ nightly.schedules | map(attribute='why') | flatten | join(' ') or 'There is no schedule nightly.' }}"
"""

RETURN = r"""
schedules:
  description: The living schedules, sorted by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the schedule.
      type: str
      returned: always
      sample: nightly
    health:
      description:
        - The worst of what is wrong, or V(ok).
        - V(stale) means that a member looks alive and is dead.
        - V(duplicate) means that more than one member lives.
        - V(no_worker) means that no worker serves the queue of the next run.
        - V(overdue) means that the next run should have started by now.
        - V(failing) means that the outcome of the newest run is V(partial) or V(failed). Runs with the outcome
          V(cancelled) or V(unknown) do not count.
        - V(unknown) means that NetBox does not tell what the last run did.
        - V(cancelled) means that the last run was cancelled as it ran.
        - V(nothing_done) means that settings disable everything that the last run was to do.
      type: str
      returned: always
      sample: ok
    why:
      description: What is wrong, all of it, the worst first, a sentence for each.
      type: list
      elements: str
      returned: always
      sample: []
    next_run:
      description:
        - When the next run is due, in UTC. While a run is in progress, this is the earliest possible time of the run
          after it.
        - V(null) if none will come.
      type: str
      returned: always
      sample: "2026-04-02T02:00:00Z"
    last_run:
      description:
        - The last run that has ended, with the same keys as RV(schedules[].job). Its
          RV(schedules[].last_run.outcome) says how it ended. A job that was cancelled before it ran is no run.
        - V(null) if there is none among the newest O(history).
      type: dict
      returned: always
      contains:
        outcome:
          description: How it ended, as M(proxbox.proxbox.proxbox_job_info) tells it.
          type: str
          returned: always
          sample: succeeded
        error:
          description: What went wrong, in NetBox's words; empty if nothing did.
          type: str
          returned: always
          sample: ""
        duration:
          description: Seconds from start to end.
          type: float
          returned: always
          sample: 48.1
    last_failure:
      description:
        - The newest run with the outcome V(partial) or V(failed), with the same keys as RV(schedules[].job).
        - V(null) if there is none among the newest O(history).
      type: dict
      returned: always
    consecutive_failures:
      description:
        - Number of runs with the outcome V(partial) or V(failed) since the last good run; at most O(history). Runs
          with the outcome V(cancelled) or V(unknown) do not count.
      type: int
      returned: always
      sample: 0
    job:
      description: The living member, in the shape that M(proxbox.proxbox.proxbox_job_info) returns.
      type: dict
      returned: always
    duplicates:
      description: Ids of further living members.
      type: list
      elements: int
      returned: always
      sample: []
failure:
  description: The facts behind C(msg), when a request failed; when none did, each of them is V(null).
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

from ..module_utils._engine import report
from ..module_utils._errors import ProxboxError
from ..module_utils._jobs import Jobs
from ..module_utils._module import STALE_SPEC, run_module, stale_after
from ..module_utils._plan import checked_name


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    if params["history"] < 0:
        raise ProxboxError(f"history {params['history']} is no number of jobs: give 0 for none of them, or more.")
    name = None if params["name"] is None else checked_name(params["name"])
    reports = report(jobs, name, history=params["history"], stale_after=stale_after(module))
    return {"changed": False, "schedules": [found.result() for found in reports]}


def main() -> None:
    run_module(
        {
            "name": {"type": "str"},
            "history": {"type": "int", "default": 10},
            **STALE_SPEC,
        },
        work,
    )


if __name__ == "__main__":
    main()
