# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what an error of netbox-proxbox means, and what to do about it.

The errors are from the sources of its releases 0.0.11 to 0.0.29. Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why something went wrong, without a full stop, and what to do: whole sentences, or nothing."""

    what: str
    advice: str = ""

    def sentence(self) -> str:
        """The cause and the advice. A name can stand before it, so it starts with a small letter."""
        return f"{self.what}. {self.advice}".rstrip()


_CAUSES = (
    (
        "approval is missing or stale",
        Cause(
            "the endpoint is not approved, so NetBox does not send its credentials to the backend",
            "Approve it at {endpoint}.",
        ),
    ),
    (
        "No FastAPI endpoint configured|no usable proxbox-api backend",
        Cause(
            "NetBox has no enabled backend (FastAPI endpoint)",
            "Add or enable one at {backends}.",
        ),
    ),
    (
        "No API token configured",
        Cause(
            "NetBox has no token for the backend (proxbox-api)",
            "Enter the token of the backend at {backends}.",
        ),
    ),
    (
        "backend_tls_error",
        Cause(
            "NetBox does not trust the certificate of the backend (proxbox-api, {found})",
            "Check the address and verify_ssl at {backends}.",
        ),
    ),
    (
        "backend_throttled",
        Cause(
            "the backend (proxbox-api) refuses further requests for now ({found})",
            "Run the sync again in a few minutes.",
        ),
    ),
    (
        "Sync ownership already claimed",
        Cause(
            "somebody started a sync on the web page, and NetBox ran that sync instead of this one",
            "Check the result of that sync, or run this one again.",
        ),
    ),
    (
        "candidate_rejected|candidate_missing|bootstrap_required",
        Cause(
            "the backend (proxbox-api) rejects the token that NetBox sends ({found})",
            "Enter the token of the backend at {backends}.",
        ),
    ),
    (
        r"backend_(unreachable|timeout|request_failed)|(bootstrap_status|validation)_http_5\d\d",
        Cause(
            "the backend (proxbox-api) does not answer ({found})",
            "Check that it is running. Check its address at {backends}.",
        ),
    ),
    (
        "could not be resolved to a current ProxBox backend endpoint",
        Cause(
            "the backend does not know this endpoint, or knows it with another address",
            "Open {endpoint} and save the endpoint again. NetBox then registers it with the backend.",
        ),
    ),
    (
        "proxmox_session_acquisition_failed",
        Cause(
            "the backend cannot connect to Proxmox ({found})",
            "Check that Proxmox is up. Check the address and the token at {endpoint}.",
        ),
    ),
    (
        "every Proxmox endpoint selected for this run is disabled",
        Cause(
            "all Proxmox endpoints of this sync were disabled or deleted before the run started",
            "Enable one at {endpoints}, or remove proxmox_endpoints to sync from all enabled endpoints.",
        ),
    ),
    (
        "no enabled Proxmox endpoint exists in NetBox",
        Cause(
            "NetBox has no enabled Proxmox endpoint",
            "Add or enable one at {endpoints}.",
        ),
    ),
    (
        "exceeded maximum timeout value|Job deadline reached",
        Cause(
            "the sync reached NetBox's time limit, and NetBox ended it",
            "Raise sync_job_timeout at {settings} (netbox-proxbox 0.0.27 and newer), or find out why the backend is "
            "slow.",
        ),
    ),
)
"""Pairs of a pattern and its cause. The first pattern that is found in an error counts, and ``{found}`` is its match.

The other names in braces are pages of the plugin: see ``known_cause``.
"""


def known_cause(error: str, plugin_url: str = "", endpoint_id: int | None = None) -> Cause | None:
    """The cause of an error; None if the error is not known.

    :param plugin_url: the address of the plugin's pages, with a slash at its end.
    :param endpoint_id: the Proxmox endpoint that the error is about; None if it is not known.
    """
    endpoints = f"{plugin_url}endpoints/proxmox/"
    for pattern, cause in _CAUSES:
        if match := re.search(pattern, error):
            words = {
                "found": match[0],
                "endpoints": endpoints,
                "endpoint": endpoints if endpoint_id is None else f"{endpoints}{endpoint_id}/",
                "backends": f"{plugin_url}endpoints/fastapi/",
                "settings": f"{plugin_url}settings/",
            }
            return Cause(cause.what.format(**words), cause.advice.format(**words))
    return None


def settings_in(reasons: Iterable[str]) -> list[str]:
    """The names of the settings that disable stages, from the reasons of these stages (``sync_mode_sdn=disabled``)."""
    return sorted({name for reason in reasons for name in re.findall(r"(sync_mode_\w+)=disabled", reason)})
