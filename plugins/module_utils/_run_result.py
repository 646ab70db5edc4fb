# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the result of a task that ran a sync or waited for one."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ._explain import excerpt, explain, remarks
from ._job import Job
from ._jobs import Jobs
from ._message import of_run
from ._module import task_result
from ._outcome import NOTHING_DONE, PARTIAL, SUCCEEDED
from ._plan import TaskResult
from ._times import in_zone


def run_result(
    module: AnsibleModule, jobs: Jobs, done: TaskResult, zone: tzinfo, *, timeout: float, partial: str
) -> dict[str, Any]:
    """Return the result. It is failed if the task waited for a sync that did not do what was asked for.

    :param zone: the time zone of the times in messages.
    :param timeout: how long the task waited at most, in seconds.
    :param partial: what a sync means that did a part of what was asked for: ``fail``, ``warn`` or ``ignore``.
    """
    result = task_result(module, jobs, done, of_run(done), zone)
    job = done.job
    if not isinstance(job, Job):
        return result
    result["job"] = job.result(**{name: bool(module.params.get(name)) for name in ("include_log", "include_data")})
    if not done.waited:
        return result
    for remark in remarks(job):
        module.warn(remark)
    verdict = job.outcome.verdict
    if verdict == SUCCEEDED or (verdict == PARTIAL and partial == "ignore"):
        return result
    if verdict == NOTHING_DONE or (verdict == PARTIAL and partial == "warn"):
        module.warn(explain(job))
        return result
    message = explain(job) if verdict else _not_ended(job, timeout, zone)
    return {**result, "failed": True, "msg": message, "log_excerpt": excerpt(job)}


def _not_ended(job: Job, timeout: float, zone: tzinfo) -> str:
    what = f"The sync {job.name!r} (job {job.id})"
    if job.dead:
        return (
            f"{what} counts as dead: {job.dead}. Cancel it with proxbox.proxbox.proxbox_job, job_id: {job.id} and "
            "state: cancelled, and check the log of the worker."
        )
    sentence = f"{what} is still {job.status} after {timeout:g} s. The task stops waiting, and the sync goes on. "
    again = f"raise wait_timeout, or run proxbox.proxbox.proxbox_job with job_id: {job.id}."
    if job.status == "running":
        return f"{sentence}To wait longer, {again}"
    if job.status == "scheduled" and job.scheduled:
        return f"{sentence}It is due at {in_zone(job.scheduled, zone)}. To wait longer, {again}"
    return (
        f"{sentence}No worker has started it. Check with proxbox.proxbox.proxbox_worker_info that a worker serves the "
        f"queue {job.queue} and is not busy."
    )
