# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Recordings of what the plugin writes into its jobs: a sync for each way in which a sync can end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from proxbox_checks.rig import ENDED, PLUGIN, Missing, Recording, Rig
from proxbox_stack.proxy import Fault

LATER = 30
"""The seconds until a sync begins, if something is to happen before."""


Amiss = Callable[[Rig], AbstractContextManager[None]]
Event = Callable[[Rig, int], None]


def fails(path: str, on: str = "", **what: Any) -> Amiss:
    """The backend answers HTTP 500 to requests for this path, unless ``what`` has another status or another harm.

    :param on: limits this to requests for this Proxmox endpoint, ``lab`` or ``west``.
    :param what: attributes of ``Fault``.
    """

    @contextmanager
    def amiss(rig: Rig) -> Iterator[None]:
        query = f"proxmox_endpoint_ids={rig.backend_id(on)}" if on else ""
        harm = {"harm": "status", "status": 500, "detail": "no space left on device", **what}
        rig.stack.fail(Fault(path, query, **harm))
        try:
            yield
        finally:
            rig.stack.heal()

    return amiss


def hangs(path: str) -> Amiss:
    """The backend does not answer requests for this path."""
    return fails(path, harm="hang")


def cut(path: str) -> Amiss:
    """The backend's answer to requests for this path breaks off."""
    return fails(path, harm="cut")


def stopped(component: str) -> Amiss:
    """A component of the stack is down."""

    @contextmanager
    def amiss(rig: Rig) -> Iterator[None]:
        rig.stack.stop(component)
        try:
            yield
        finally:
            rig.stack.start(component)

    return amiss


def changed(where: Callable[[Rig], str], old: dict[str, Any], new: dict[str, Any]) -> Amiss:
    """An object of NetBox has other values."""

    @contextmanager
    def amiss(rig: Rig) -> Iterator[None]:
        rig.call("PATCH", where(rig), new)
        try:
            yield
        finally:
            rig.call("PATCH", where(rig), old)

    return amiss


def fastapi(rig: Rig) -> str:
    """Return the route of the endpoint of the backend."""
    return f"{PLUGIN}/endpoints/fastapi/{rig.facts['fastapi_endpoint_id']}/"


def west(rig: Rig) -> str:
    """Return the route of the second Proxmox endpoint."""
    return rig.endpoint("west")


def settings(rig: Rig) -> str:
    """Return the route of the plugin's settings."""
    if "sync_mode_sdn" not in rig.call("GET", f"{PLUGIN}/settings/1/"):
        raise Missing("the settings have no sync_mode_sdn")
    return f"{PLUGIN}/settings/1/"


def authority(rig: Rig) -> str:
    """Return the route of the second Proxmox endpoint, if this release can approve endpoints."""
    rig.call("GET", f"{west(rig)}connection-authority/")
    return west(rig)


both = changed(west, {"enabled": False}, {"enabled": True})
west_not_approved = changed(authority, {"token_name": "netbox"}, {"token_name": "other"})
sdn_enabled = changed(settings, {"sync_mode_sdn": "disabled"}, {"sync_mode_sdn": "always"})
no_backend = changed(fastapi, {"enabled": True}, {"enabled": False})


@contextmanager
def unknown_west(rig: Rig) -> Iterator[None]:
    """The backend does not know pve-west. Registering it there again needs an approval."""
    known = rig.backend_id("west")
    if known is not None:
        rig.backend("DELETE", f"proxmox/endpoints/{known}")
    yield


@contextmanager
def key_revoked(rig: Rig) -> Iterator[None]:
    """The backend accepts another key than NetBox's. (The plugin refuses to store a wrong key.)"""
    (mine,) = rig.backend("GET", "auth/keys")["keys"]
    other = rig.backend("POST", "auth/keys")
    rig.backend("POST", f"auth/keys/{mine['id']}/deactivate")
    try:
        yield
    finally:
        rig.backend("POST", f"auth/keys/{mine['id']}/activate", other["raw_key"])
        rig.backend("DELETE", f"auth/keys/{other['id']}", other["raw_key"])


@contextmanager
def worker_restarted(rig: Rig) -> Iterator[None]:
    """The worker is restarted afterwards, because a killed one keeps RQ's lock for a minute, and schedules wait."""
    yield
    rig.stack.restart("worker")


def timeout(seconds: int) -> Event:
    """RQ gives up on the job so many ``seconds`` after it begins."""
    return lambda rig, job: rig.stack.set_timeout(job, seconds)


def nothing(_rig: Rig, _job: int) -> None:
    """Nothing happens to the job."""


def disable_west(rig: Rig, _job: int) -> None:
    """Somebody disables pve-west."""
    rig.call("PATCH", rig.endpoint("west"), {"enabled": False})


def kill_workhorse(rig: Rig, _job: int) -> None:
    """The process that executes the job is killed."""
    rig.stack.kill("workhorse")


def kill_worker(rig: Rig, _job: int) -> None:
    """The worker is killed with all its processes, like by a power cut, and started again."""
    rig.stack.kill("worker")
    rig.stack.start("worker")


class Scenario:
    """A sync of ``types``, with something ``amiss``; or a ``copy`` of it, made by "Run now" on its web page.

    ``waiting`` happens before the sync begins, ``running`` when it has come to a request that hangs. If the job has not
    ended after ``patience`` seconds, it is recorded as it is, and then cancelled.
    """

    def __init__(
        self,
        types: str,
        *amiss: Amiss,
        endpoints: str = "",
        copy: bool = False,
        waiting: Event | None = None,
        running: Event | None = None,
        patience: float = 600,
    ) -> None:
        self.types = types
        self.amiss = amiss
        self.endpoints = endpoints
        self.copy = copy
        self.waiting = waiting
        self.running = running
        self.patience = patience

    def __call__(self, rig: Rig) -> dict[str, Any]:
        """Run the sync, restore the stack, and return the row of its job."""
        with ExitStack() as amiss:
            for make in self.amiss:
                amiss.enter_context(make(rig))
            since = rig.log_size()
            job = self.ask(rig)
            if self.waiting:
                self.waiting(rig, job)
            if self.running:
                rig.wait_for_hang(since)
                self.running(rig, job)
            row = rig.job_at_end(job, self.patience)
            if row["status"]["value"] not in ENDED:
                rig.cancel(job)
            return row

    def ask(self, rig: Rig) -> int:
        """Create the sync, and return the id of its job."""
        body: dict[str, Any] = {"job_name": f"record {time.time_ns() // 1000000}", "sync_types": self.types.split()}
        if self.endpoints:
            body["proxmox_endpoint_ids"] = [rig.id_of(which) for which in self.endpoints.split()]
        if self.waiting or self.copy:
            body["schedule_at"] = (datetime.now(timezone.utc) + timedelta(seconds=LATER)).isoformat()
        job: int = rig.call("POST", f"{PLUGIN}/sync/schedule/", body)["job_id"]
        if not self.copy:
            return job
        copy = rig.run_now(job)
        rig.cancel(job)
        return copy


DEVICES = "dcim/devices/create"
STORAGE = "virtual-machines/storage/create"
VMS = "virtual-machines/create"
BACKUPS = "backups/all"
SNAPSHOTS = "snapshots/all"
HISTORY = "task-history/create"
SDN = "sdn/create"
CLUSTER = "proxmox/cluster/status"

SYNCS: dict[str, Recording] = {
    "scheduled": Scenario("all", waiting=nothing, patience=0),
    "pending": Scenario("all", stopped("worker"), patience=0),
    "starting": Scenario("all", hangs(""), running=nothing, patience=0),
    "running": Scenario("all", hangs(DEVICES), running=nothing, patience=0),
    "run_now_pending": Scenario("devices", stopped("worker"), endpoints="lab", copy=True, patience=0),
    "run_now_ended": Scenario("devices", endpoints="lab", copy=True),
    "ok_all": Scenario("all"),
    "ok_devices_backups": Scenario("devices vm-backups"),
    "ok_two": Scenario("devices vm-backups", both),
    "backups_500_alone": Scenario("vm-backups", fails(BACKUPS)),
    "backups_500_beside": Scenario("devices vm-backups", fails(BACKUPS)),
    "devices_500": Scenario("devices", fails(DEVICES)),
    "not_approved_alone": Scenario("devices", both, west_not_approved, endpoints="west"),
    "west_not_approved": Scenario("devices", both, west_not_approved),
    "never_approved_alone": Scenario("devices", unknown_west, west_not_approved, both, endpoints="west"),
    "west_never_approved": Scenario("devices", unknown_west, west_not_approved, both),
    "west_down": Scenario("devices", both, stopped("mock2")),
    "vms_500_on_west_of_two": Scenario("virtual-machines", both, fails(VMS, on="west")),
    "backups_500_on_west_of_two": Scenario("devices vm-backups", both, fails(BACKUPS, on="west")),
    "snapshots_500_beside": Scenario("devices vm-snapshots", fails(SNAPSHOTS)),
    "history_500_beside": Scenario("devices task-history", fails(HISTORY)),
    "sdn_500_beside": Scenario("devices sdn", sdn_enabled, fails(SDN)),
    "devices_500_beside_backups": Scenario("devices vm-backups", fails(DEVICES)),
    "storage_400": Scenario("storage", fails(STORAGE, status=400)),
    "sdn_disabled": Scenario("sdn"),
    "devices_and_sdn_disabled": Scenario("devices sdn"),
    "cut_devices": Scenario("devices", cut(DEVICES)),
    "cut_backups": Scenario("devices vm-backups", cut(BACKUPS)),
    "cluster_phase_500": Scenario("devices", fails(CLUSTER)),
    "firewall_phase_500": Scenario("devices", fails("proxmox/firewall/summary")),
    "fastapi_disabled": Scenario("devices", no_backend),
    "backend_wrong_token": Scenario("devices", key_revoked),
    # If the proxy ran, it would accept the connection in place of the backend.
    "backend_down": Scenario("devices", stopped("backend"), stopped("proxy")),
    "backend_502": Scenario("devices", fails("", status=502, detail="Bad Gateway")),
    "endpoint_disabled_one_of_two": Scenario("devices", both, endpoints="lab west", waiting=disable_west),
    "endpoint_disabled_alone": Scenario("devices", both, endpoints="west", waiting=disable_west),
    "cancelled_before": Scenario("devices", waiting=Rig.cancel),
    "cancelled_running": Scenario("devices vm-backups", hangs(BACKUPS), running=Rig.cancel),
    "workhorse_killed": Scenario("devices vm-backups", hangs(BACKUPS), running=kill_workhorse, patience=60),
    "worker_killed": Scenario("devices vm-backups", worker_restarted, hangs(BACKUPS), running=kill_worker, patience=60),
    "hang_timeout_20": Scenario("devices vm-backups", hangs(BACKUPS), waiting=timeout(20)),
    "hang_timeout_60": Scenario("devices vm-backups", hangs(BACKUPS), waiting=timeout(60)),
    "hang_timeout_130": Scenario("devices vm-backups", hangs(BACKUPS), waiting=timeout(130)),
    "hang_timeout_150": Scenario("devices vm-backups", hangs(BACKUPS), waiting=timeout(150)),
    "hang_devices_timeout_150": Scenario("devices vm-backups", hangs(DEVICES), waiting=timeout(150)),
    "hang_cluster_timeout_130": Scenario("devices vm-backups", hangs(CLUSTER), waiting=timeout(130)),
}
