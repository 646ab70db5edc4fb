# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""The users, tokens and endpoints that a NetBox with Proxbox needs before its first sync."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

from proxbox_stack import probes
from proxbox_stack.netbox import NetBox
from proxbox_stack.report import StackError

PROXMOX_ENDPOINT = "pve-lab"
PROXMOX_ADDRESS = "127.0.0.1"
DISABLED_PROXMOX_ENDPOINT = "pve-spare"
WEST_PROXMOX_ENDPOINT = "pve-west"
WEST_PROXMOX_ADDRESS = "127.0.0.3"
NETBOX_ENDPOINT = "netbox"
FASTAPI_ENDPOINT = "proxbox-api"

# Runs inside NetBox (``netbox shell``), because no REST route creates a token with a given plain text.
_USERS = """
import json
from django.contrib.auth import get_user_model
from core.models import ObjectType
from users.models import ObjectPermission, Token

given = json.loads({given!r})
User = get_user_model()

def tokens(user, keys):
    Token.objects.filter(user=user).delete()
    Token(user=user, version=1, token=keys["v1"], write_enabled=True).save()
    Token(user=user, version=2, key=keys["v2_key"], token=keys["v2_secret"], write_enabled=True).save()

admin, made = User.objects.get_or_create(username="admin", defaults=dict(is_superuser=True))
admin.is_superuser = True
admin.set_password(given["password"])
admin.save()
tokens(admin, given["admin"])

operator, made = User.objects.get_or_create(username="operator")
operator.set_password(given["password"])
operator.save()
permission, made = ObjectPermission.objects.get_or_create(
    name="Proxbox syncs", defaults=dict(actions=["view", "add", "delete"], enabled=True)
)
permission.object_types.set([ObjectType.objects.get(app_label="core", model="job")])
permission.users.set([operator])
tokens(operator, given["operator"])
"""


def make_users(netbox: NetBox, password: str, keys: dict[str, dict[str, str]]) -> None:
    """Create the superuser ``admin``, and ``operator``, who may view, add and delete jobs.

    Each of them gets a v1 and a v2 token.
    """
    given = json.dumps({"password": password, **keys})
    netbox.manage("shell", "-c", _USERS.format(given=given))


def make_endpoints(
    url: str, token: str, *, netbox_port: int, backend_port: int, backend_key: str, mock_port: int, west_port: int
) -> dict[str, Any]:
    """Create the endpoints that a sync needs, and approve them; create two disabled ones. Return their ids by name.

    The disabled endpoint of the second Proxmox is approved too, so syncs include it as soon as it is enabled.
    """
    api = _Api(f"{url}/api/", token)
    plugin = "plugins/proxbox/endpoints"
    address = api.ensure("ipam/ip-addresses/", {"address": f"{PROXMOX_ADDRESS}/32"}, {"status": "active"})
    owner = api.ensure("users/tokens/", {"user": "admin", "version": 1}, None)
    fastapi = api.ensure(
        f"{plugin}/fastapi/",
        {"name": FASTAPI_ENDPOINT},
        {
            "ip_address": address,
            "port": backend_port,
            "token": backend_key,
            "use_https": False,
            "verify_ssl": False,
            "enabled": True,
        },
    )
    netbox = api.ensure(
        f"{plugin}/netbox/",
        {"name": NETBOX_ENDPOINT},
        {
            "ip_address": address,
            "port": netbox_port,
            "token_version": "v1",
            "token": {"id": owner},
            "use_https": False,
            "verify_ssl": False,
            "enabled": True,
        },
    )
    target = {
        "ip_address": address, "port": mock_port, "username": "root@pam", "token_name": "netbox",
        "token_value": "00000000-0000-0000-0000-000000000000", "verify_ssl": False, "mode": "cluster",
    }  # fmt: skip
    proxmox = api.ensure(f"{plugin}/proxmox/", {"name": PROXMOX_ENDPOINT}, {**target, "enabled": True})
    other = api.ensure("ipam/ip-addresses/", {"address": "127.0.0.2/32"}, {"status": "active"})
    disabled = api.ensure(
        f"{plugin}/proxmox/", {"name": DISABLED_PROXMOX_ENDPOINT}, {**target, "ip_address": other, "enabled": False}
    )
    western = api.ensure("ipam/ip-addresses/", {"address": f"{WEST_PROXMOX_ADDRESS}/32"}, {"status": "active"})
    west = api.ensure(
        f"{plugin}/proxmox/",
        {"name": WEST_PROXMOX_ENDPOINT},
        {**target, "ip_address": western, "port": west_port, "enabled": False},
    )
    # An approval is for one address, user and token name, and is valid while the endpoint is enabled. To withdraw it,
    # PATCH endpoints/proxmox/ID/ with another {"token_name": ...}; to give it back, PATCH with the old one. A PUT as
    # below approves the endpoint as it is now. There is no DELETE.
    for route in (f"{plugin}/netbox/{netbox}", f"{plugin}/proxmox/{proxmox}", f"{plugin}/proxmox/{west}"):
        api.approve(f"{route}/connection-authority/")
    return {
        "proxmox_endpoint_id": proxmox,
        "netbox_endpoint_id": netbox,
        "proxmox_endpoint_disabled_id": disabled,
        "proxmox_endpoint_west_id": west,
        "fastapi_endpoint_id": fastapi,
    }


def register_backend_key(port: int, key: str) -> None:
    """Give a new proxbox-api its first key. A proxbox-api that already has a key refuses it, which is no error."""
    try:
        probes.call("POST", f"http://127.0.0.1:{port}/auth/register-key", {"api_key": key}, {})
    except urllib.error.HTTPError as exc:
        if exc.code not in (400, 403, 409):
            raise StackError(f"proxbox-api refuses its first key: HTTP {exc.code} {exc.read()[:300]!r}") from None


class _Api:
    def __init__(self, root: str, token: str) -> None:
        self.root = root
        self.headers = {"Authorization": f"Token {token}"}

    def ensure(self, route: str, key: dict[str, Any], rest: dict[str, Any] | None) -> int:
        """Return the id of the object with ``key``. Unless ``rest`` is None, make or change the object to have it."""
        query = "&".join(f"{name}={value}" for name, value in key.items())
        found = self.call("GET", f"{route}?{query}")["results"]
        if rest is None:
            return found[0]["id"]
        if found:
            return self.call("PATCH", f"{route}{found[0]['id']}/", rest)["id"]
        return self.call("POST", route, {**key, **rest})["id"]

    def approve(self, route: str) -> None:
        review = self.call("GET", route, missing_ok=True)
        # A plugin without the route (0.0.25) needs no approval.
        if review and not review["approved"]:
            self.call("PUT", route, {"target_fingerprint": review["target_fingerprint"]})

    def call(self, method: str, route: str, body: dict[str, Any] | None = None, *, missing_ok: bool = False) -> Any:
        try:
            return probes.call(method, self.root + route, body, self.headers)
        except urllib.error.HTTPError as exc:
            if missing_ok and exc.code == 404:
                return None
            raise StackError(f"{method} {self.root}{route}: HTTP {exc.code} {exc.read()[:600]!r}") from None
