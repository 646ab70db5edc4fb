# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: declare one schedule."""

from __future__ import annotations

from functools import partial

from ._declare import Declare, End
from ._job import Job
from ._jobs import Jobs
from ._plan import Policy, TaskResult
from ._pursue import pursue

NEWEST = 10
"""How many of the newest jobs are read first to find the run of a one-time schedule."""


def declare(jobs: Jobs, goal: Declare | End, policy: Policy) -> TaskResult:
    """Make a schedule exist, or make it end.

    :raises ProxboxError: with a sentence.
    """
    if isinstance(goal, End) and goal.purge:
        return pursue(jobs, goal, policy, partial(jobs.named, *goal.names))
    first_look = partial(newest_and_active, jobs, goal) if isinstance(goal, Declare) and goal.once else None
    return pursue(jobs, goal, policy, partial(jobs.active, *goal.names), first_look)


def newest_and_active(jobs: Jobs, goal: Declare) -> tuple[list[Job], bool]:
    """Return the newest jobs of a schedule and the active ones, and whether these are all; one GET, or two."""
    found, complete = jobs.newest(goal.name, NEWEST)
    if not complete:
        known = {job.id for job in found}
        found += [job for job in jobs.active(*goal.names) if job.id not in known]
    return found, complete
