#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_report
short_description: Show a report on the health of Proxbox sync schedules
version_added: 0.1.0
description:
  - Shows all schedules in one table in the terminal. The table has the health, the next run, the last run, and one
    character for each of the last runs. Below it are the reasons why a schedule is not well, the queues that no worker
    serves, and the schedules that nobody has declared.
  - Can also write the report to files on the controller, as a web page and as Markdown.
  - Reads the schedules with M(proxbox.proxbox.proxbox_sync_schedule_info), and sends the same requests as this module.
    If a declared schedule has no active job, it runs this module a second time for the names of these schedules. This
    costs one request for all active jobs, and one or two for each of these schedules.
  - The terminal shows no table with C(no_log), or with a stdout callback that writes JSON.
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.attributes
  - proxbox.proxbox.attributes.info_module
attributes:
  check_mode:
    details:
      - This action does not modify state. In check mode, it writes no file.
options:
  names:
    description:
      - Names of the declared schedules. The report then has each of them, whether it has an active job or not, and
        marks all other schedules as undeclared.
      - The value can also be text with commas or line breaks, for example the answer of an AWX survey.
      - Without O(names) and O(schedules), the report has all schedules that have an active job.
    type: list
    elements: str
  schedules:
    description:
      - The declared schedules, as the list that M(proxbox.proxbox.proxbox_sync_schedules) takes. They are added to
        O(names). The report uses the name, C(state), C(enabled) and C(previous_name) of each entry only. The runs with
        the previous name count as runs of the schedule.
      - An entry with C(state=absent) should have no active job. An entry with C(enabled=false) is V(paused) if it has
        none.
      - The value can also be text in YAML or JSON. YAML requires PyYAML.
    type: list
    elements: dict
  history:
    description:
      - Number of past runs to show for each schedule, at least 1.
    type: int
    default: 30
  html:
    description:
      - Path of a file on the controller to write the report to, as one web page. The page is light or dark as the
        browser wants it, can be read on a phone, and loads nothing from the network. The schedules and runs link to
        their jobs in NetBox.
      - A relative path begins at the current folder of Ansible. The folder of the file must exist. An existing file is
        replaced.
    type: str
  markdown:
    description:
      - Path of a file on the controller to write the report to, as Markdown. The same rules as for O(html) apply.
    type: str
  title:
    description:
      - Title of the report.
    type: str
    default: Proxbox sync schedules
  timezone:
    description:
      - Time zone of the times in the report. An IANA name, for example V(Europe/Berlin). The report shows UTC beside
        it.
    type: str
    default: UTC
  fail:
    description:
      - Whether the task fails if a schedule is not well. The message then has one sentence for each of these
        schedules, and RV(schedules[].runs) and RV(text) are left out of the result.
      - A schedule is well if its health is V(ok), V(ended) or V(paused). A schedule that is undeclared does not make
        the task fail.
    type: bool
    default: false
  stale_after:
    description:
      - Time after which a running sync counts as dead, as in M(proxbox.proxbox.proxbox_sync_schedule_info).
    type: str
notes:
  - C(changed) is always V(false), because the report changes nothing in NetBox. The files that it writes differ each
    time by the time of the report.
  - The report is made on the controller. The module that reads NetBox runs on the host of the task.
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedule_info
  - module: proxbox.proxbox.proxbox_worker_info
"""

EXAMPLES = r"""
- name: Show all schedules
  proxbox.proxbox.proxbox_report:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"

# The following tasks use the environment variables NETBOX_URL and NETBOX_TOKEN.

- name: Show the declared schedules, and fail if one of them is not well
  proxbox.proxbox.proxbox_report:
    schedules: "{{ proxbox_schedules }}"
    timezone: Europe/Berlin
    html: /var/www/html/proxbox.html
    fail: true
"""

RETURN = r"""
msg:
  description:
    - One sentence about all schedules.
    - If the task fails because of O(fail), also one sentence for each schedule that is not well, each on its own line.
  type: str
  returned: always
  sample: "7 schedules: 5 ok, 1 failing (nightly), 1 gone (weekly)"
schedules:
  description: The schedules of the report, sorted by name.
  type: list
  elements: dict
  returned: success, or the task fails because of O(fail)
  contains:
    name:
      description: Name of the schedule.
      type: str
      returned: always
      sample: nightly
    health:
      description:
        - The health, as M(proxbox.proxbox.proxbox_sync_schedule_info) returns it, or one of the following values.
        - V(gone) means that the schedule is declared, and has no active job.
        - V(ended) means that a one-time schedule has run, and did everything that was requested.
        - V(paused) means that the schedule is declared with C(enabled=false), and has no active job.
      type: str
      returned: always
      sample: ok
    why:
      description: All problems, the most serious first, one sentence for each.
      type: list
      elements: str
      returned: always
      sample: []
    declared:
      description:
        - V(present), V(paused) or V(absent), as the schedule is declared. V(no) if it is not.
        - V(null) if neither O(names) nor O(schedules) is set.
      type: str
      returned: always
      sample: present
    active:
      description: Whether the schedule has an active job.
      type: bool
      returned: always
      sample: true
    next_run:
      description: When the next run is due, in UTC; V(null) if there will be none.
      type: str
      returned: always
      sample: "2026-04-02T02:00:00Z"
    running_since:
      description: When the run began that is in progress, in UTC; V(null) if there is none.
      type: str
      returned: always
    since:
      description:
        - When the oldest of the failures since the last good run began, in UTC; V(null) if there is none among the
          newest O(history) runs.
      type: str
      returned: always
    last_run:
      description: The newest run that has ended, with the keys of RV(schedules[].runs); V(null) if there is none.
      type: dict
      returned: always
    runs:
      description:
        - The newest O(history) runs that have ended, newest first, as M(proxbox.proxbox.proxbox_sync_schedule_info)
          returns them.
      type: list
      elements: dict
      returned: success
    unserved_queues:
      description: The queues in which a job of the schedule waits, and whose jobs no worker starts.
      type: list
      elements: str
      returned: always
      sample: []
    url:
      description: Web page of the active job in NetBox; empty if there is none.
      type: str
      returned: always
      sample: https://netbox.example.com/core/jobs/43/
unwell:
  description: Names of the schedules that are not well.
  type: list
  elements: str
  returned: success, or the task fails because of O(fail)
  sample: [nightly, weekly]
problems:
  description: One sentence for each schedule that is not well.
  type: list
  elements: str
  returned: success, or the task fails because of O(fail)
  sample:
    - "weekly is gone: NetBox has no active job of it, and none that has run. Run the task that declares it."
text:
  description: The report as the terminal shows it.
  type: str
  returned: success
html:
  description: Absolute path of the file that was written; V(null) if none was written.
  type: str
  returned: success, or the task fails because of O(fail)
markdown:
  description: Absolute path of the file that was written; V(null) if none was written.
  type: str
  returned: success, or the task fails because of O(fail)
failure:
  description: The request that failed. If there is none, this is missing, or its values are V(null).
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
