#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_sync_schedule_info
short_description: Read the health of Proxbox sync schedules
version_added: 0.1.0
description:
  - Reads the schedules that have an active job (a job that is scheduled, pending or running). Returns their next and
    last runs, and what is wrong with them.
  - Sends one request for all active jobs, one or two for the workers, and one for each schedule (also for each name in
    O(names) that has no active job). If one of these runs did not do everything that was requested, one more request
    for this schedule reads the newest of these runs with its log. For each active job that is running or overdue, up
    to three requests find out whether it is dead. The number of requests does not depend on the length of the history.
author:
  - proxbox.proxbox contributors (@proxbox)
extends_documentation_fragment:
  - proxbox.proxbox.connection
  - proxbox.proxbox.attributes
  - proxbox.proxbox.attributes.info_module
options:
  name:
    description:
      - Return only the schedule with exactly this name. If it has ended, the result is empty. There can be several
        schedules with the name C(Proxbox Sync) (see RV(schedules[].name)).
      - Mutually exclusive with O(names).
    type: str
  names:
    description:
      - Names of the declared schedules. Return only these, and in RV(gone) and RV(ended) those that have no active job.
      - The value can also be text with commas or line breaks, for example the answer of an AWX survey.
    type: list
    elements: str
  previous_names:
    description:
      - Names that schedules had before they were renamed, by their name now. The runs with the previous name then count
        as runs of the schedule.
      - If another schedule has the previous name now, its runs count too.
    type: dict
    default: {}
  history:
    description:
      - Number of past runs to read for each schedule, newest first. The module finds the last run and the failures
        among these runs. With V(0), RV(schedules[].health) does not depend on the runs.
    type: int
    default: 10
  timezone:
    description:
      - Time zone of the times in RV(schedules[].definition) and in the sentences of RV(schedules[].why). An IANA name,
        for example V(Europe/Berlin). NetBox does not know in which time zone a schedule was declared.
    type: str
    default: UTC
  stale_after:
    description:
      - Time after which a running sync counts as dead. A number with a unit (V(90m), V(2h)), or minutes. A sync that
        has not started counts as dead if it is overdue by more than this time while workers are running.
      - This option is used only if NetBox does not show RQ's record of the job. NetBox shows it to superusers only.
      - The default is the time for which NetBox lets a sync run. This is the plugin's setting C(sync_job_timeout), or
        two hours if the plugin is older than 0.0.27 or the token may not read the setting.
    type: str
notes:
  - Without O(names), a schedule that has ended is not returned. To make sure that a schedule exists, declare it with
    M(proxbox.proxbox.proxbox_sync_schedule). In check mode, that module changes nothing.
  - A sync without an interval that was started at once, for example with M(proxbox.proxbox.proxbox_job), cannot be told
    from a one-time schedule of the same name. Give it another name.
seealso:
  - module: proxbox.proxbox.proxbox_sync_schedule
  - module: proxbox.proxbox.proxbox_worker_info
  - module: proxbox.proxbox.proxbox_job_info
"""

EXAMPLES = r"""
- name: Read all schedules
  proxbox.proxbox.proxbox_sync_schedule_info:
    netbox_url: https://netbox.example.com
    netbox_token: "{{ vault_netbox_token }}"
  register: proxbox

# The following tasks use the environment variables NETBOX_URL and NETBOX_TOKEN.

- name: Show the health and the next run of each schedule
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.health }}, next at {{ item.next_run }}"
  loop: "{{ proxbox.schedules }}"

- name: Write the schedules to a file of variables, for example to declare them in another NetBox
  ansible.builtin.copy:
    content: "{{ {'proxbox_schedules': proxbox.schedules | map(attribute='definition') | select } | to_nice_yaml }}"
    dest: schedules.yml
    mode: "0644"
  delegate_to: localhost

- name: Read a schedule that was renamed, with the runs that have its previous name
  proxbox.proxbox.proxbox_sync_schedule_info:
    name: nightly
    previous_names:
      nightly: nightly sync

- name: Read the schedules that are declared
  proxbox.proxbox.proxbox_sync_schedule_info:
    names: [nightly, hourly inventory, before the move]
  register: proxbox

- name: Fail if a schedule is gone, or is not ok
  ansible.builtin.assert:
    that:
      - proxbox.gone == []
      - unwell == []
    fail_msg: "Gone: {{ proxbox.gone }}. Not ok: {{ unwell | map(attribute='why') | flatten }}"
  vars:
    unwell: "{{ (proxbox.schedules + proxbox.ended) | rejectattr('health', 'equalto', 'ok') }}"
"""

RETURN = r"""
msg:
  description:
    - How many schedules were found, and their health.
  type: str
  returned: always
  sample: "3 schedules: 2 ok, 1 failing (nightly)"
schedules:
  description: The schedules that have an active job, sorted by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description:
        - Name of the schedule.
        - NetBox gives all syncs without a name the name C(Proxbox Sync). With this name, all jobs with the same types,
          endpoints and interval are a schedule of their own.
      type: str
      returned: always
      sample: nightly
    health:
      description:
        - V(ok), or the most serious problem.
        - V(stale) means that NetBox shows a job as active, but the job is dead.
        - V(duplicate) means that the schedule has more than one active job.
        - V(no_worker) means that no worker serves the queue of the next run.
        - V(no_scheduler) means that workers serve the queue of the next run, but none of them starts scheduled jobs.
          NetBox shows this to superusers only.
        - V(overdue) means that the next run should have started by now.
        - V(failing) means that the outcome of the newest run is V(partial) or V(failed). Runs with the outcome
          V(cancelled) or V(unknown) do not count.
        - V(unknown) means that NetBox does not show what the last run did.
        - V(cancelled) means that the last run was cancelled while it was running.
        - V(nothing_done) means that settings disable everything that was requested of the last run.
      type: str
      returned: always
      sample: ok
    why:
      description: All problems, the most serious first, one sentence for each.
      type: list
      elements: str
      returned: always
      sample: []
    next_run:
      description:
        - When the next run is due, in UTC. While a run is in progress, this is the earliest possible time of the run
          after it.
        - V(null) if there will be no next run.
      type: str
      returned: always
      sample: "2026-04-02T02:00:00Z"
    last_run:
      description:
        - The last run that has ended, with the same keys as RV(schedules[].job). A job that was cancelled before it
          ran does not count.
        - V(null) if there is none among the newest O(history) runs.
      type: dict
      returned: always
      contains:
        outcome:
          description: What the run did. See the return values of M(proxbox.proxbox.proxbox_job_info).
          type: str
          returned: always
          sample: succeeded
        error:
          description: Error that NetBox recorded for the run; empty if there is none.
          type: str
          returned: always
          sample: ""
        duration:
          description: Seconds from the start to the end of the run.
          type: float
          returned: always
          sample: 48.1
    last_failure:
      description:
        - The newest run with the outcome V(partial) or V(failed), with the same keys as RV(schedules[].job).
        - V(null) if there is none among the newest O(history) runs.
      type: dict
      returned: always
    consecutive_failures:
      description:
        - Number of runs with the outcome V(partial) or V(failed) since the last run that was V(succeeded) or
          V(nothing_done), at most O(history). Runs with the outcome V(cancelled) or V(unknown) do not count.
      type: int
      returned: always
      sample: 0
    runs:
      description:
        - The runs that have ended, newest first, at most O(history). A job that was cancelled before it ran does not
          count.
      type: list
      elements: dict
      returned: always
      contains:
        id:
          description: Id of the job.
          type: int
          returned: always
          sample: 42
        outcome:
          description: What the run did. See the return values of M(proxbox.proxbox.proxbox_job_info).
          type: str
          returned: always
          sample: succeeded
        status:
          description: Status of the job in NetBox, V(completed), V(errored) or V(failed).
          type: str
          returned: always
          sample: completed
        started:
          description: When the run began, in UTC.
          type: str
          returned: always
          sample: "2026-04-01T02:00:03Z"
        completed:
          description: When the run ended, in UTC.
          type: str
          returned: always
          sample: "2026-04-01T02:00:51Z"
        duration:
          description: Seconds from the start to the end of the run.
          type: float
          returned: always
          sample: 48.1
        url:
          description: Web page of the job in NetBox.
          type: str
          returned: always
          sample: https://netbox.example.com/core/jobs/42/
    job:
      description:
        - The active job, with the keys that M(proxbox.proxbox.proxbox_job_info) returns.
        - If there is more than one, this is the running job, or else the job with the lowest id.
      type: dict
      returned: always
    definition:
      description:
        - The schedule as an entry of the option O(proxbox.proxbox.proxbox_sync_schedules#module:schedules), with the
          names of its endpoints. It changes nothing in the same NetBox. In another NetBox whose endpoints have the same
          names, it makes the same schedule.
        - If the token's user may not read the endpoints, it has their ids, and the task shows a warning. It also has
          the id of an endpoint whose name is a number, or is the name of another endpoint too.
        - V(null) if NetBox does not show what the job covers, if the job covers single objects, or if no schedule can
          be declared under the name of the job, for example C(Proxbox Sync).
      type: dict
      returned: always
      sample:
        name: nightly
        schedule_at: "2026-04-02 02:00:00"
        timezone: UTC
        interval: 1440
        sync_types: [all]
    duplicates:
      description: Ids of the other active jobs of the schedule.
      type: list
      elements: int
      returned: always
      sample: []
    unserved_queues:
      description: The queues in which a job of the schedule waits, and whose jobs no worker starts.
      type: list
      elements: str
      returned: always
      sample: []
gone:
  description:
    - The names in O(names) that have no active job, sorted. A one-time schedule that has run is in RV(ended) instead.
  type: list
  elements: str
  returned: if O(names) is set
  sample: [weekly]
ended:
  description: The one-time schedules in O(names) that have run and have no active job, sorted by name.
  type: list
  elements: dict
  returned: if O(names) is set
  contains:
    name:
      description: Name of the schedule.
      type: str
      returned: always
      sample: before the move
    health:
      description:
        - V(ok), or V(failing), V(unknown), V(cancelled) or V(nothing_done), as for a schedule that has an active job.
      type: str
      returned: always
      sample: ok
    why:
      description: All problems, the most serious first, one sentence for each.
      type: list
      elements: str
      returned: always
      sample: []
    last_run:
      description: The run, with the same keys as RV(schedules[].job).
      type: dict
      returned: always
past_runs:
  description:
    - For each name in RV(gone) and RV(ended), its past runs, newest first. The keys are the names, and the values are
      lists as RV(schedules[].runs).
  type: dict
  returned: if O(names) is set
  sample: {weekly: []}
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

from ..module_utils._health import Report, short
from ..module_utils._job import Job, Kind
from ..module_utils._jobs import Jobs
from ..module_utils._liveness import examine
from ..module_utils._message import counted
from ..module_utils._module import STALE_SPEC, run_module
from ..module_utils._observe import read_known
from ..module_utils._options import checked_count, checked_name, checked_previous_names, definition_of, read_stale_after
from ..module_utils._outcome import FAILED, PARTIAL, UNKNOWN
from ..module_utils._plan import KINDS
from ..module_utils._plugin import DEFAULT_NAME
from ..module_utils._schedules import by_schedule, is_schedule
from ..module_utils._sync_jobs import ended, judged
from ..module_utils._times import parse_timezone
from ..module_utils._worker import Service


def work(module: AnsibleModule, jobs: Jobs) -> dict[str, Any]:
    params = module.params
    name = None if params["name"] is None else checked_name(params["name"])
    names = None if params["names"] is None else {checked_name(given) for given in params["names"]}
    zone = parse_timezone(params["timezone"])
    previous = checked_previous_names(params["previous_names"])
    history, stale_after = checked_count("history", params["history"]), read_stale_after(params)
    reports = []
    found = active(jobs, name, names)
    for members in found:
        examined, _warnings = examine(jobs, members, stale_after, check_queue=jobs.rq.is_shown, zone=zone)
        first = members[0]
        like = first if first.name == DEFAULT_NAME else None
        runs = newest_runs(jobs, names_of(first.name, previous), history, like) if history else []
        service, now = jobs.rq.service, jobs.session.server_now
        reports.append(Report(first.name, tuple(examined), tuple(runs), service, now, jobs.rq.stuck_queues, zone))
    read_endpoint_names(module, jobs, [report.job for report in reports])
    schedules = [
        {**report.result(), "definition": definition_of(report.job, zone, jobs.endpoints.name)} for report in reports
    ]
    missing: dict[str, Any] = {}
    if names is not None:
        missing = without_job(jobs, sorted(names - {members[0].name for members in found}), previous, history)
    fared = [(schedule["name"], schedule["health"]) for schedule in schedules]
    fared += [(gone, "gone") for gone in missing.get("gone", ())]
    fared += [(over["name"], "ended") for over in missing.get("ended", ())]
    return {"changed": False, "msg": counted("schedule", fared), "schedules": schedules, **missing}


def read_endpoint_names(module: AnsibleModule, jobs: Jobs, limited: list[Job]) -> None:
    """Read the names of the endpoints to which jobs are limited; one GET for each kind, if any job is."""
    for kind in KINDS:
        needed = any(job.scope and getattr(job.scope, f"{kind}_endpoints") for job in limited)
        if needed and not jobs.endpoints.read_names(kind):
            module.warn(
                f"The token's user may not read the names of the endpoints (netbox_proxbox.view_{kind}endpoint). "
                "Therefore definition has their ids, which fit this NetBox only."
            )


def active(jobs: Jobs, name: str | None, names: set[str] | None) -> list[list[Job]]:
    """Return the active members of each schedule, sorted by name."""
    given = {name} if names is None else names
    by_name: dict[str, list[Job]] = {}
    rows = read_known(jobs, lambda: jobs.active(*filter(None, [name])), lambda job: names is None or job.name in names)
    for job in rows:
        # A run that does not tell what it is counts if its name was given. Else a monitor would report it as lost.
        is_run = job.name in given and job.kind is Kind.NOT_KNOWN and job.status == "running"
        if (job.kind is Kind.SYNC or is_run) and not job.run_now_copy:
            by_name.setdefault(job.name, []).append(job._replace(kind=Kind.SYNC))
    found = [members_of(group) for _name, group in sorted(by_name.items())]
    if names is not None:
        found = [members for members in found if members[0].name in names]
    if found and name is None and jobs.rq.is_shown:
        jobs.rq.compare(rows)
    schedules = [members for group in found for members in by_schedule(group)]
    return [members for members in schedules if name or names is not None or is_schedule(members)]


def members_of(group: list[Job]) -> list[Job]:
    """Return the members among jobs of one name. If other jobs have the name, a sync that runs at once is no member."""
    return [job for job in group if not job.at_once] or group


def without_job(jobs: Jobs, missing: list[str], previous: dict[str, str], history: int) -> dict[str, Any]:
    """Return what has become of schedules that have no active job."""
    gone, over, past = [], [], {}
    for name in missing:
        runs = newest_runs(jobs, names_of(name, previous), max(history, 1))
        schedule = Report(name, (), tuple(runs), Service(None), jobs.session.server_now)
        past[name] = short(schedule.runs)
        last = next(iter(members_of([job for job in schedule.runs if not job.run_now_copy])), None)
        if last is None or last.interval is not None:
            gone.append(name)
        else:
            over.append(schedule.result_of_ended())
    return {"gone": gone, "ended": over, "past_runs": past}


def names_of(name: str, previous: dict[str, str]) -> list[str]:
    """Return the names that the runs of a schedule have."""
    return [name, previous[name]] if name in previous else [name]


def newest_runs(jobs: Jobs, names: list[str], history: int, like: Job | None = None) -> list[Job]:
    """Return the newest runs of a schedule. The newest failed one is read with its log, which tells more.

    :param like: a job whose scope and interval these runs have; None for all of this name.
    """
    runs = ended(jobs, names, history, like=like)
    for number, job in enumerate(runs):
        if job.outcome.verdict in (FAILED, PARTIAL, UNKNOWN):
            runs[number] = judged(jobs, job)
            break
    return runs


def main() -> None:
    run_module(
        {
            "name": {"type": "str"},
            "names": {"type": "list", "elements": "str"},
            "previous_names": {"type": "dict", "default": {}},
            "history": {"type": "int", "default": 10},
            "timezone": {"type": "str", "default": "UTC"},
            **STALE_SPEC,
        },
        work,
        mutually_exclusive=[("name", "names")],
    )


if __name__ == "__main__":
    main()
