# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module that declares schedules, one or many, documents alike."""

from __future__ import annotations


class ModuleDocFragment:
    """Options named in ``RUNNING_SPEC``."""

    DOCUMENTATION = r"""
options:
  timezone:
    description:
      - IANA name of the time zone in which a time is meant that has no offset of its own.
    type: str
    default: UTC
  drift:
    description:
      - What to do when the next run is not at a time that the first time and the interval make. It drifts when a run
        is late, or takes longer than the interval, for NetBox counts on from there.
      - With V(repair), the task makes the schedule anew for the right time. With V(ignore), any time will do once the
        schedule exists.
    type: str
    choices: [repair, ignore]
    default: repair
  when_running:
    description:
      - What to do with a sync of a schedule that is running and would have to go, because the schedule is removed or
        changed.
      - With V(wait), it may end, and then the successor that it leaves is cancelled.
      - With V(cancel), it is cancelled.
      - With V(fail), the task fails and changes nothing.
    type: str
    choices: [wait, cancel, fail]
    default: wait
  wait_timeout:
    description:
      - Seconds to wait for the end of a running sync with O(when_running=wait). When they are over, the task fails.
    type: float
    default: 3600
  stale_after:
    description:
      - A sync that runs for longer than this counts as dead. The same applies to a scheduled sync that is overdue by
        more than this while workers are running. A number with a unit (V(90m), V(2h)), or minutes. The task cancels a
        dead job and creates a new one for the schedule.
      - It counts only where NetBox does not tell what RQ knows, which it tells superusers alone. With a superuser's
        token, a run whose worker was killed is found within five minutes, and one that takes long but lives is left
        alone.
      - If not set, as long as NetBox lets a sync run (the plugin's setting C(sync_job_timeout), two hours where the
        token may not read it or the plugin is older than 0.0.27).
    type: str
notes:
  - NetBox counts minutes from one run to the next, and no more. Each run of the task repairs what has drifted, died or
    doubled since, so have it run regularly.
  - A recurring sync that fails goes on recurring, and the task stays C(ok).
    M(proxbox.proxbox.proxbox_sync_schedule_info) tells of it.
  - A failure after something was written says what was, and has C(changed) set.
  - A run that has been made by hand, or with M(proxbox.proxbox.proxbox_job), and has the name of a schedule counts as a
    member of its chain.
  - Now is what NetBox's own clock says.
"""
