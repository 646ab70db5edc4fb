#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_worker_info
short_description: Read the RQ workers that execute Proxbox syncs, and their queues
version_added: 0.1.0
description:
  - Reads NetBox's RQ workers and queues, and finds the queues that no worker serves.
  - Warns if workers serve a queue with scheduled jobs, but no worker starts scheduled jobs of the queue.
  - Requires the token of a superuser, because NetBox shows workers and queues to superusers only.
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.attributes
  - proxbox.proxbox.attributes.info_module
options: {}
notes:
  - RQ still lists a worker for some minutes after it was killed.
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedule_info
"""

EXAMPLES = r"""
- name: Read the workers and queues
  proxbox.proxbox.proxbox_worker_info:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_superuser_token }}"
  register: rq

- name: Fail if no worker executes syncs
  ansible.builtin.assert:
    that: rq.sync_queue not in rq.unserved_queues
    fail_msg: "No worker serves {{ rq.unserved_queues | join(', ') }}"
"""

RETURN = r"""
msg:
  description:
    - How many workers run, and which queues no worker serves.
  type: str
  returned: always
  sample: 2 workers, no queue without a worker
workers:
  description: The workers, sorted by name. A value that NetBox does not tell is V(null).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the worker in RQ.
      type: str
      returned: always
      sample: 9a88c4fa8ce74086b5516fa46f1c7d02
    state:
      description: State of the worker in RQ, for example V(idle) or V(busy).
      type: str
      returned: always
      sample: idle
    queues:
      description: Queues that the worker serves, in the order of their priority.
      type: list
      elements: str
      returned: always
      sample: [high, default, low]
    pid:
      description: Process id of the worker on its host.
      type: int
      returned: always
      sample: 20178
    born:
      description: When the worker started, in UTC.
      type: str
      returned: always
      sample: "2026-04-01T00:00:00Z"
    successful:
      description: Number of jobs that succeeded.
      type: int
      returned: always
      sample: 19
    failed:
      description: Number of jobs that failed.
      type: int
      returned: always
      sample: 4
    busy_for:
      description: Seconds that the worker has spent on jobs.
      type: float
      returned: always
      sample: 47.0
queues:
  description: The queues of this NetBox, sorted by name. A value that NetBox does not tell is V(null).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the queue.
      type: str
      returned: always
      sample: default
    workers:
      description: Number of workers that serve the queue.
      type: int
      returned: always
      sample: 1
    waiting:
      description: Number of jobs that wait for a worker.
      type: int
      returned: always
      sample: 0
    running:
      description: Number of jobs that are running.
      type: int
      returned: always
      sample: 0
    scheduled:
      description: Number of jobs that are scheduled for later.
      type: int
      returned: always
      sample: 2
    failed:
      description: Number of failed jobs that RQ still has a record of.
      type: int
      returned: always
      sample: 36
    scheduler_pid:
      description:
        - Process id of the scheduler, a part of a worker that puts scheduled jobs on the queue when they are due;
          V(null) if no worker has a scheduler for the queue.
        - RQ remembers a scheduler that was killed for one minute.
      type: int
      returned: always
      sample: 20183
unserved_queues:
  description: Names of the queues that no worker serves.
  type: list
  elements: str
  returned: success
  sample: []
sync_queue:
  description: Name of the queue in which Proxbox syncs wait for a worker.
  type: str
  returned: success
  sample: default
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

from ..module_utils._jobs import Jobs
from ..module_utils._liveness import no_scheduler_sentence
from ..module_utils._module import run_module
from ..module_utils._worker import SYNC_QUEUE, Service


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    workers = jobs.rq.workers()
    queues = jobs.rq.queues
    service = Service.of(workers)
    for queue in queues:
        if queue.is_stuck:
            module.warn(f"{queue.scheduled} scheduled jobs do not start: {no_scheduler_sentence(queue.name)}")
    unserved = sorted(queue.name for queue in queues if not service.serves(queue.name))
    return {
        "changed": False,
        "msg": service.summary(unserved),
        "workers": sorted((worker.result() for worker in workers), key=lambda worker: worker["name"]),
        "queues": sorted((queue.result() for queue in queues), key=lambda queue: queue["name"]),
        "unserved_queues": unserved,
        "sync_queue": SYNC_QUEUE,
    }


def main() -> None:
    run_module({}, work)


if __name__ == "__main__":
    main()
