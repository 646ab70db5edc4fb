# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that every module of the collection takes."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection with NetBox."""

    DOCUMENTATION = r"""
options:
  netbox_url:
    description:
      - Address of NetBox, for example V(https://netbox.example.com). A path below the host is fine.
      - Redirects are not followed; give the address that NetBox really has. It takes no user name, password or query.
      - All requests go to this address, through a proxy if E(HTTPS_PROXY) or E(HTTP_PROXY) names one and E(NO_PROXY)
        does not exclude the host. A login in C(~/.netrc) is not used.
      - If not set, the environment variable E(NETBOX_URL) is used, then E(NETBOX_API).
    type: str
    required: true
  netbox_token:
    description:
      - API token of a NetBox user, version 1 or version 2.
      - If not set, the environment variable E(NETBOX_TOKEN) is used.
      - The user needs the permissions to view, add and delete C(core.job), and those to view endpoints where these are
        named; without constraints, for a token that cannot see a schedule would make it anew each time.
    type: str
    required: true
  validate_certs:
    description:
      - Whether to verify NetBox's TLS certificate, against the system's CA store, or where there is none against the
        one of the Python library certifi.
    type: bool
    default: true
  ca_path:
    description:
      - Path of a bundle of CA certificates (PEM) to trust instead, on the host that runs the module.
    type: path
  client_cert:
    description:
      - Path of a client certificate (PEM) to present, with its key in the same file or in O(client_key).
    type: path
  client_key:
    description:
      - Path of the key of O(client_cert), which must be given too.
    type: path
  headers:
    description:
      - More HTTP headers for each request, for example for a proxy in front of NetBox. C(Authorization) is not
        possible, because NetBox reads O(netbox_token) from it.
      - No value is shown among the options of the task, or written into the log of the host.
      - A value is a secret if the name of its header contains C(auth), C(cookie), C(credential), C(jwt), C(key),
        C(pass), C(secret), C(session), C(signature) or C(token). A secret is masked in results and messages too, where
        a server repeats it. Other values are not masked there, and neither are secrets of fewer than 8 characters,
        because these would be found in the middle of dates, words and addresses. Use the keyword C(no_log) of the task
        to hide them.
    type: dict
  timeout:
    description:
      - Seconds to wait for NetBox to take a connection, and for each answer; above 0, and 86400 at most.
      - A server must answer to TLS within 5 seconds.
    type: float
    default: 30
requirements:
  - Python 3.12 or newer
  - pynetbox 7.8.0 or newer
  - requests
"""

    LOGIN = r"""
options:
  netbox_username:
    description:
      - Name of a NetBox user, with O(netbox_password). Only two things need this login. Everything else goes by
        O(netbox_token).
      - A module that deletes rows of jobs needs it, because NetBox does so on its web page only.
      - With netbox-proxbox 0.0.11 to 0.0.23, jobs are cancelled on the plugin's web page. If that page does not take
        the token, or the token's user may not cancel jobs, the login is used. The page does not take the token if
        C(LOGIN_REQUIRED) is V(false) in NetBox, or C(CSRF_COOKIE_NAME) has a name of its own.
      - The user needs the permissions C(core.view_job) and C(core.delete_job).
      - Environment variable E(NETBOX_USERNAME).
    type: str
  netbox_password:
    description:
      - The password of O(netbox_username). A NetBox that has single sign-on only does not accept it.
      - Environment variable E(NETBOX_PASSWORD).
    type: str

"""

    SCOPE = r"""
options:
  sync_types:
    description:
      - What to sync. V(all) stands alone.
      - netbox-proxbox 0.0.29 takes V(all), V(backup-routines), V(devices), V(ip-addresses), V(network-interfaces),
        V(replications), V(sdn), V(storage), V(task-history), V(virtual-machines), V(vm-backups), V(vm-disks),
        V(vm-interfaces) and V(vm-snapshots). Other releases take other ones; NetBox has the last word.
    type: list
    elements: str
    default: [all]
  proxmox_endpoints:
    description:
      - Proxmox endpoints to sync from, each by its name or its numeric id. Empty means every enabled one.
      - A name costs one more request, and the permission to view C(netbox_proxbox.proxmoxendpoint). An id costs one
        when a job is created; without that permission NetBox alone judges it.
    type: list
    elements: str
    default: []
  netbox_endpoints:
    description:
      - NetBox endpoints to sync to, each by its name or its numeric id. Empty means every one.
      - A name costs one more request, and so does an id when a job is created, for NetBox does not check it. Both take
        the permission to view C(netbox_proxbox.netboxendpoint).
    type: list
    elements: str
    default: []
"""
