# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what every goal has. For type checkers only: no file loads this one when it runs."""

from __future__ import annotations

from typing import Protocol

from ._job import Job
from ._plan import Observation, Older, Plan


class Goal(Protocol):
    """What a task wants."""

    @property
    def name(self) -> str:
        """The name of the schedule, for messages."""

    def concerns(self, job: Job) -> bool:
        """Return whether the goal depends on a job, or may depend on it if NetBox does not tell yet what it is."""

    def decide(self, seen: Observation) -> Plan:
        """Return what is to be done, by the same rule in every task: of several equal jobs, the lowest id stays.

        :raises ProxboxError: with a sentence, if the goal cannot be reached; nothing more is written then.
        """

    def missing(self, seen: Observation) -> Older | None:
        """Return the older jobs without which ``decide`` cannot judge; None if it can."""
