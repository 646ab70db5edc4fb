# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: check, before anything is written, whether NetBox will accept a plan."""

from __future__ import annotations

from ._cancel import check_cancel
from ._jobs import Jobs
from ._plan import Plan, Policy


def check_before(jobs: Jobs, plan: Plan, policy: Policy) -> tuple[str, ...]:
    """Check the permissions and the endpoints that a plan needs. Return warnings.

    A real run skips a check if its first request that writes would fail in the same way.

    :raises ProxboxError: if NetBox would refuse the plan, or would accept something in it that is wrong.
    """
    if plan.create and policy.check_mode:
        # Whether the token may create jobs is not checked: only a list of all failed jobs shows it, which may take 20
        # seconds.
        jobs.release()
    cancel = [*plan.cancel, *(job for job in plan.wait_for if job.interval)]
    if cancel and (plan.create or plan.wait_for or policy.check_mode):
        check_cancel(jobs, cancel)
    if plan.delete:
        jobs.pages.check_delete()
    return (*_endpoints(jobs, plan, policy), *(_sync_types(jobs, plan) if policy.check_mode else ()))


def _endpoints(jobs: Jobs, plan: Plan, policy: Policy) -> tuple[str, ...]:
    """Refuse a new job for an unknown or disabled endpoint. Warn if the job that stays has a disabled one."""
    if plan.create is None:
        return jobs.disabled_endpoints(plan.keep)
    if not (plan.create.scope.proxmox_endpoints or plan.create.scope.netbox_endpoints):
        return ()
    warnings = jobs.endpoints.check(plan.create.scope)
    # In a real run, the POST shows whether NetBox accepts them.
    return warnings if policy.check_mode else ()


def _sync_types(jobs: Jobs, plan: Plan) -> tuple[str, ...]:
    """Warn of sync types that the release is not known to take. Only a POST would show what this NetBox takes."""
    if plan.create is None:
        return ()
    release = jobs.release()
    unknown = sorted(plan.create.scope.sync_types.difference(release.sync_types))
    if not unknown:
        return ()
    return (
        f"NetBox may refuse the sync types {', '.join(unknown)}, and check mode cannot ask it. netbox-proxbox "
        f"{release.version} takes {', '.join(release.sync_types)}.",
    )
