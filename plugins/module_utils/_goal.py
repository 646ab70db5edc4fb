# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the type of every goal. It is for type checkers only: no file imports it at run time."""

from __future__ import annotations

from typing import Protocol

from ._job import Job
from ._plan import Observation, Older, Plan


class Goal(Protocol):
    """What a task is to reach."""

    @property
    def name(self) -> str:
        """The name of the schedule, for messages."""

    def concerns(self, job: Job) -> bool:
        """Return whether the goal depends on a job, or may depend on it while NetBox does not show its kind."""

    def decide(self, seen: Observation) -> Plan:
        """Return what is to be done. All tasks have the same rule: of equal jobs, the one with the lowest id stays.

        :raises ProxboxError: with a sentence, if the goal cannot be reached; nothing more is written then.
        """

    def missing(self, seen: Observation) -> Older | None:
        """Return which older jobs ``decide`` still needs to see; None if it needs no more."""
