# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the release of netbox-proxbox, and what it can do."""

from __future__ import annotations

import re
from typing import NamedTuple

from ._errors import ProxboxError
from ._plugin import STAGES
from ._session import Session

SCHEDULES_SINCE = (0, 0, 11)
"""The first release with the route ``plugins/proxbox/sync/schedule/``."""

SDN_SINCE = (0, 0, 22)
"""The first release with the stage ``sdn``. The other stages are older than 0.0.11."""

CANCELS_SINCE = (0, 0, 24)
"""The first release with the route ``plugins/proxbox/jobs/<id>/cancel/``. Older ones cancel only on a web page."""

LISTS_SYNCS_SINCE = (0, 0, 26)
"""The first release with the route ``plugins/proxbox/sync-jobs/``. For older ones, ``core/jobs/`` is read."""


class Release(NamedTuple):
    """A release of netbox-proxbox. ``version`` is its name, ``0.0.29.post6`` for example."""

    version: str

    @property
    def numbers(self) -> tuple[int, ...]:
        """The first three numbers of the version."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])

    @property
    def cancels(self) -> bool:
        """Whether its API cancels jobs."""
        return self.numbers >= CANCELS_SINCE

    @property
    def lists_syncs(self) -> bool:
        """Whether its API lists syncs."""
        return self.numbers >= LISTS_SYNCS_SINCE

    @property
    def checks_endpoints(self) -> bool:
        """Whether it refuses the id of a Proxmox endpoint that it does not know (0.0.24 and newer)."""
        return self.numbers >= CANCELS_SINCE

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of a sync of everything."""
        return STAGES if self.numbers >= SDN_SINCE else tuple(stage for stage in STAGES if stage != "sdn")

    @property
    def sync_types(self) -> tuple[str, ...]:
        """The sync types that the release is known to take (``SyncTypeChoices``). A NetBox may differ."""
        return ("all", *sorted(self.stages))


def read_release(session: Session, missing_route: ProxboxError | None = None) -> Release:
    """Return the release of the plugin; one GET of ``status/`` (NetBox 4.5-4.7).

    :param missing_route: the answer 404 that is the reason for this call.
    :raises ProxboxError: if the address is wrong, or NetBox lacks the plugin or has a release before 0.0.11.
    """
    failure = missing_route or ProxboxError("", url=f"{session.url}/api/status/", method="GET", status=200)
    try:
        status = session.get("status/")
        version = status["plugins"].get("netbox_proxbox")
        netbox = status["netbox-version"]
    except (ProxboxError, KeyError, AttributeError, TypeError) as reason:
        # NetBox checks the token only if the route exists.
        if isinstance(reason, ProxboxError) and (missing_route is None or reason.status in (401, 403)):
            raise
        raise failure.saying(
            f"There is no NetBox API at {session.url}: check netbox_url ({failure.method} {failure.url} answered HTTP "
            f"{failure.status})."
        ) from None
    where = f"NetBox {netbox} at {session.url}"
    if version is None:
        raise failure.saying(
            f"{where} does not have the plugin netbox-proxbox: install it, and add netbox_proxbox to PLUGINS."
        )
    release = Release(str(version))
    if release.numbers < SCHEDULES_SINCE:
        raise failure.saying(
            f"{where} has netbox-proxbox {version}, whose API cannot schedule syncs: upgrade it to "
            f"{_dotted(LISTS_SYNCS_SINCE)} or newer (at least {_dotted(SCHEDULES_SINCE)})."
        )
    return release


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
