# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the Proxmox and NetBox endpoints that a sync may be limited to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._errors import ProxboxError, needs
from ._job import Scope
from ._release import Release
from ._session import Session

_LABELS = {"proxmox": "Proxmox", "netbox": "NetBox"}


class Endpoints:
    """The endpoints of one NetBox, by kind: ``proxmox`` or ``netbox``. Each kind is read once at most."""

    def __init__(self, session: Session, release: Callable[[], Release]) -> None:
        """
        :param release: returns the release of the plugin.
        """
        self._session = session
        self._release = release
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._failures: dict[str, ProxboxError] = {}

    def ids(self, kind: str, wanted: Iterable[str]) -> frozenset[int]:
        """Return the ids of endpoints, given as names or as ids. Only a name costs a GET.

        :raises ProxboxError: if no endpoint has the name, or more than one.
        """
        words = [str(item).strip() for item in wanted]
        if all(word.isascii() and word.isdecimal() for word in words):
            return frozenset(int(word) for word in words)
        return frozenset(int(self._find(kind, word)["id"]) for word in words)

    def name(self, kind: str, endpoint_id: int) -> str | int:
        """Return the name of an endpoint if it was read already, or else its id. No request.

        The name is returned only if ``ids`` finds exactly this endpoint by it.
        """
        rows = self._rows.get(kind, [])
        names = [str(row["name"]) for row in rows if row["id"] == endpoint_id and row.get("name")]
        clear = [name for name in names if not name.isdecimal() and sum(row.get("name") == name for row in rows) == 1]
        return next(iter(clear), endpoint_id)

    def read_names(self, kind: str) -> bool:
        """Read the endpoints of a kind for ``name``; one GET. Return whether the token may read them."""
        try:
            self._read(kind)
        except ProxboxError as exc:
            if exc.status != 403:
                raise
            return False
        return True

    def check(self, scope: Scope) -> tuple[str, ...]:
        """Check the endpoints of a job that is to be created; one GET for each kind that the scope names.

        Return a warning if only NetBox itself can check them.

        netbox-proxbox 0.0.20.post3 to 0.0.23 ignore an unknown id and sync all endpoints. No release checks the ids of
        NetBox endpoints.

        :raises ProxboxError: for an unknown or disabled endpoint.
        """
        for endpoint_id in sorted(scope.netbox_endpoints):
            self._check("netbox", endpoint_id)
        try:
            for endpoint_id in sorted(scope.proxmox_endpoints):
                self._check("proxmox", endpoint_id)
        except ProxboxError as exc:
            # If the token may not list them, a release that checks the ids itself can still refuse them.
            if exc.status != 403 or not self._release().checks_endpoints:
                raise
            ids = ", ".join(map(str, sorted(scope.proxmox_endpoints)))
            return (
                f"NetBox may refuse the Proxmox endpoints {ids}, and the token's user may not read the endpoints to "
                "check them (netbox_proxbox.view_proxmoxendpoint).",
            )
        return ()

    def disabled(self, scope: Scope) -> list[str]:
        """Return the endpoints of a scope that are known to be disabled, in words. No request."""
        kinds = {"proxmox": scope.proxmox_endpoints, "netbox": scope.netbox_endpoints}
        return [
            f"the {_LABELS[kind]} endpoint {row.get('name')!r}"
            for kind, ids in kinds.items()
            for row in self._rows.get(kind, [])
            if row["id"] in ids and row.get("enabled") is False
        ]

    def _check(self, kind: str, endpoint_id: int) -> None:
        row = next((row for row in self._read(kind) if row["id"] == endpoint_id), None)
        if row is None:
            raise ProxboxError(f"{_LABELS[kind]} endpoint {endpoint_id} does not exist. {self._known(kind)}")
        if row.get("enabled") is False:
            raise ProxboxError(
                f"The {_LABELS[kind]} endpoint {row.get('name')!r} ({endpoint_id}) is disabled in NetBox, so no sync "
                "can be created for it: enable it, or remove it from the task."
            )

    def _find(self, kind: str, wanted: str) -> Mapping[str, Any]:
        rows = self._read(kind)
        found = [row for row in rows if str(row["id"]) == wanted or row.get("name") == wanted]
        if len(found) == 1:
            return found[0]
        problem = "is the name of more than one" if found else "is not the name or the id of a"
        raise ProxboxError(f"{wanted!r} {problem} {_LABELS[kind]} endpoint. {self._known(kind)}")

    def _known(self, kind: str) -> str:
        known = ", ".join(f"{row.get('name')} ({row['id']})" for row in self._read(kind)) or "none"
        return f"The endpoints of {self._session.url} that the token's user may see: {known}."

    def _read(self, kind: str) -> list[Mapping[str, Any]]:
        if kind in self._failures:
            raise self._failures[kind]
        if kind not in self._rows:
            try:
                with needs(f"netbox_proxbox.view_{kind}endpoint"):
                    route = f"plugins/proxbox/endpoints/{kind}/"
                    self._rows[kind] = list(self._session.list(route, {"fields": "id,name,enabled"}))
            except ProxboxError as exc:
                self._failures[kind] = exc
                raise
        return self._rows[kind]
