# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the names that netbox-proxbox uses, and how it says that a job was cancelled.

All names and sentences are from the sources of its releases 0.0.11 to 0.0.29. The sentences in the log of a run are in
``_log.py``, and the errors in ``_causes.py``. Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

DEFAULT_NAME = "Proxbox Sync"
"""The name that NetBox gives a sync job if it is created without a name, over the API or on the web page."""

STAGES = (
    "devices",
    "storage",
    "virtual-machines",
    "task-history",
    "vm-disks",
    "vm-backups",
    "vm-snapshots",
    "network-interfaces",
    "vm-interfaces",
    "ip-addresses",
    "sdn",
    "replications",
    "backup-routines",
)
"""The stages of a sync of everything, in the order in which they run (``_SYNC_STAGE_ORDER``, 0.0.22 and newer)."""

STAGES_OF_VMS = frozenset({"virtual-machines", "vm-disks", "vm-backups", "vm-snapshots"})
"""The stages that run once for each virtual machine in a sync of single virtual machines."""

ENDPOINT_SCOPE = "endpoint-scope"
"""The sync type of a row that tells why the stages of an endpoint did not run, or which stage failed."""

BRANCH_ISOLATION = "branch-isolation"
"""The sync type of a row that tells why the branch of a run was not created or merged (netbox-branching)."""


def was_cancelled(status: str, error: str) -> bool:
    """Whether somebody cancelled the job, over the API or on the plugin's web page."""
    return status == "failed" and error in ("Cancelled via API.", "Cancelled by user.")


def cancel_was_too_late(detail: str) -> bool:
    """Whether the answer to a cancel says that the job had already ended."""
    return "already finished" in detail


def is_refused_as_foreign(detail: str) -> bool:
    """Whether the answer to a cancel says that the job is not a Proxbox sync.

    The plugin also says so about a sync that is just starting, because its row has no data for a moment.
    """
    return "only applies to Proxbox" in detail
