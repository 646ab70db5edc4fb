# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoints that a sync is limited to: by name or by id, unknown or disabled."""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Scope
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    DENIED,
    Script,
    page,
    recorded_answer,
    released,
)

LAB, SPARE, _WEST = recorded_answer("proxmox_endpoints").body["results"]
ENDPOINTS = page(
    LAB,
    SPARE,
    # A release that does not tell whether an endpoint is enabled.
    {key: value for key, value in LAB.items() if key != "enabled"} | {"id": 3, "name": "2"},
    {**LAB, "id": 4, "name": "twice"},
    {**LAB, "id": 5, "name": "twice"},
)
PROXMOX, NETBOX = (f"GET /api/plugins/proxbox/endpoints/{kind}/?fields=..." for kind in ("proxmox", "netbox"))


def scope(*proxmox: int, netbox: tuple[int, ...] = ()) -> Scope:
    return Scope(proxmox_endpoints=frozenset(proxmox), netbox_endpoints=frozenset(netbox))


def test_endpoints_by_name(server: Script, jobs: Jobs) -> None:
    assert jobs.endpoint_ids("proxmox", ["3", " 12 "]) == {3, 12}
    assert jobs.endpoint_ids("proxmox", []) == frozenset()
    assert server.requests == []
    server.answer(ENDPOINTS)
    assert jobs.endpoint_ids("proxmox", ["pve-lab", "3"]) == {1, 3}
    assert jobs.endpoint_ids("proxmox", ["pve-spare"]) == {2}, "it may be needed to end a schedule"
    for name, says in (
        (
            "nope",
            r"^'nope' is not the name or the id of a Proxmox endpoint\. .* see: pve-lab \(1\), pve-spare",
        ),
        ("twice", r"^'twice' is the name of more than one Proxmox endpoint\. The endpoints of http"),
    ):
        with pytest.raises(ProxboxError, match=says):
            jobs.endpoint_ids("proxmox", [name])
    assert server.asked == [PROXMOX], "one look serves them all"


def test_each_endpoint_of_a_new_job_is_there_and_enabled(server: Script, jobs: Jobs) -> None:
    server.answer(ENDPOINTS)
    jobs.endpoints.check(scope(1, 3, netbox=(1,)))
    assert server.asked == [NETBOX, PROXMOX]
    for wanted, says in (
        (
            scope(9),
            r"^Proxmox endpoint 9 does not exist\. The endpoints of http.* that the token's user may see: pve-lab",
        ),
        (scope(netbox=(9,)), r"^NetBox endpoint 9 does not exist\."),
        (scope(2), r"^The Proxmox endpoint 'pve-spare' \(2\) is disabled in NetBox, .*: enable it, or remove it"),
        (scope(1, netbox=(2,)), r"^The NetBox endpoint 'pve-spare' \(2\) is disabled in NetBox"),
    ):
        with pytest.raises(ProxboxError, match=says):
            jobs.endpoints.check(wanted)


def test_what_is_known_to_be_disabled(server: Script, jobs: Jobs) -> None:
    assert jobs.endpoints.disabled(scope(2)) == [] and server.asked == []
    server.answer(ENDPOINTS)
    jobs.endpoint_ids("proxmox", ["pve-lab"])
    assert jobs.endpoints.disabled(scope(1, 2, 3)) == ["the Proxmox endpoint 'pve-spare'"]
    assert jobs.endpoints.disabled(scope(1, 3, netbox=(2,))) == []


def test_a_token_that_may_not_list_proxmox_endpoints(server: Script, jobs: Jobs) -> None:
    # netbox-proxbox 0.0.24 and newer refuses an unknown one itself.
    server.answer(DENIED, released("0.0.24"))
    jobs.endpoints.check(scope(9))
    server.answers[:] = [DENIED]
    with pytest.raises(ProxboxError, match=r"netbox_proxbox\.view_netboxendpoint"):
        jobs.endpoints.check(scope(netbox=(9,)))


def test_a_release_that_ignores_an_unknown_id_needs_them_listed(server: Script, jobs: Jobs) -> None:
    server.answer(DENIED, released("0.0.23"))
    with pytest.raises(ProxboxError, match=r"netbox_proxbox\.view_proxmoxendpoint"):
        jobs.endpoints.check(scope(9))
