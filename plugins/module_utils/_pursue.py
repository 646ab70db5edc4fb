# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: pursue a goal. Look and decide first, and write only if something is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._jobs import Jobs
from ._observe import FirstLook, Look, Observer
from ._plan import Policy, TaskResult

if TYPE_CHECKING:
    from ._goal import Goal


def pursue(jobs: Jobs, goal: Goal, policy: Policy, look: Look, first_look: FirstLook | None = None) -> TaskResult:
    """Do what is needed until the goal is reached. In check mode, return what would be done.

    A goal that is already reached costs one GET. Creating a job costs GET, POST and GET. A change costs more: an
    OPTIONS before, and a POST and a GET for each job that is cancelled.

    :param look: reads the jobs that the goal is about.
    :param first_look: reads more for the first look, and returns also whether it has read all jobs, ended ones too.
    :raises ProxboxError: with a sentence, which also tells what was written before the failure.
    """
    observer = Observer(jobs, goal, look)
    seen, told = observer.first(first_look, policy)
    plan = observer.plan(seen, policy)
    keep = plan.keep.id if plan.keep else None
    named = {job.id for job in seen.jobs if job.name == goal.name}
    warnings = (*(text for job_id, text in told.items() if job_id in {keep, *named}), *plan.warnings)
    if plan.done:
        return TaskResult(plan, plan.keep, seen, warnings=(*warnings, *jobs.disabled_endpoints(plan.keep)))
    from ._loop import Loop  # a task that changes nothing does not need it

    loop = Loop(jobs, goal, policy, observer)
    warnings += loop.check(plan)
    if policy.check_mode:
        return TaskResult(plan, plan.after(), seen, plan.cancel, warnings, changed=plan.changed)
    return loop.run(plan, seen)._replace(warnings=warnings)
