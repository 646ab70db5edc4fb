# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the connection to NetBox, which every module has, and of the login and the scope, which some have."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection to NetBox, the login to its web pages, and the scope of a sync."""

    DOCUMENTATION = r"""
options:
  netbox_url:
    description:
      - Address of NetBox, for example V(https://netbox.example.com). The address can contain a path, but no user name,
        password or query.
      - Redirects are not followed. If NetBox redirects requests to another address, set that address.
      - All requests go to this address, through a proxy if E(HTTPS_PROXY), E(HTTP_PROXY) or E(ALL_PROXY) names one and
        E(NO_PROXY) does not exclude the host. A login in C(~/.netrc) is not used.
      - If not set, the environment variable E(NETBOX_URL) is used, then E(NETBOX_API).
    type: str
    required: true
  netbox_token:
    description:
      - API token of a NetBox user, version 1 or version 2.
      - If not set, the environment variable E(NETBOX_TOKEN) is used.
      - The user needs the permissions to view, add and delete C(core.job), and to view the endpoints that the options
        name. The permissions must have no constraints, because a module would create a schedule again if the user could
        not see it.
      - If the plugin's setting C(sync_job_timeout) is more than two hours, the user also needs the permission to view
        C(netbox_proxbox.proxboxpluginsettings). Otherwise a module takes a run of more than two hours for dead, unless
        the user is a superuser or C(stale_after) is set.
    type: str
    required: true
  validate_certs:
    description:
      - Whether to verify NetBox's TLS certificate.
      - The certificate is verified against the CA store of the system. If the system has none, the CA store of the
        Python library certifi is used.
      - If not set, the environment variable E(NETBOX_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - Path of a bundle of CA certificates (PEM) on the host that runs the module. It is used instead of the CA store
        of the system.
      - If not set, the environment variable E(NETBOX_CA_PATH) is used.
    type: path
  client_cert:
    description:
      - Path of a client certificate (PEM). Its key must be in the same file or in O(client_key).
      - If not set, the environment variable E(NETBOX_CLIENT_CERT) is used.
    type: path
  client_key:
    description:
      - Path of the key of O(client_cert). Requires O(client_cert).
      - If not set, the environment variable E(NETBOX_CLIENT_KEY) is used.
    type: path
  headers:
    description:
      - Additional HTTP headers for each request, for example for a proxy in front of NetBox. C(Authorization) is not
        allowed, because it holds O(netbox_token).
      - C(Accept-Language) has no effect, because the modules ask NetBox for English.
      - The values are not shown among the options of the task, and not written to the log of the host.
      - A value is a secret if the name of its header contains C(auth), C(cookie), C(credential), C(jwt), C(key),
        C(pass), C(secret), C(session), C(signature) or C(token). If a server repeats a secret, it is also masked in
        results and messages.
      - Other values are not masked in results and messages. Neither are secrets of fewer than 8 characters, because
        they can also be a part of dates, words and addresses. Use the keyword C(no_log) of the task to hide them.
    type: dict
  timeout:
    description:
      - Seconds to wait for the connection to NetBox, and for each answer. It must be above 0, and at most 86400.
      - A TLS handshake must always end within 5 seconds.
    type: float
    default: 30
requirements:
  - Python 3.11 or newer
  - pynetbox 7.8.0 or newer
  - requests
notes:
  - An option that is blank, V(""), counts as not set. The value of a list can also be text with commas or line breaks
    between the items, or a list in JSON. Therefore the answers of an AWX survey can be used as they are.
"""

    LOGIN = r"""
options:
  netbox_username:
    description:
      - Name of the user that logs in to NetBox's web pages. Requires O(netbox_password). The modules use this login in
        two cases only. In all other cases they use O(netbox_token).
      - A module that deletes jobs from NetBox needs the login, because NetBox deletes jobs on its web pages only.
      - With netbox-proxbox 0.0.11 to 0.0.23, jobs are cancelled on the plugin's web page. The login is used if that
        page does not accept the token, or if the token's user may not cancel jobs. The page does not accept the token
        if C(LOGIN_REQUIRED) is V(false) in NetBox, or if C(CSRF_COOKIE_NAME) is not Django's default.
      - The user needs the permissions C(core.view_job) and C(core.delete_job).
      - If not set, the environment variable E(NETBOX_USERNAME) is used.
    type: str
  netbox_password:
    description:
      - Password of O(netbox_username). NetBox does not accept it if users can only log in with single sign-on.
      - If not set, the environment variable E(NETBOX_PASSWORD) is used.
    type: str
"""

    SCOPE = r"""
options:
  sync_types:
    description:
      - What to sync. V(all) cannot be combined with other types.
      - netbox-proxbox 0.0.29 accepts V(all), V(backup-routines), V(devices), V(ip-addresses), V(network-interfaces),
        V(replications), V(sdn), V(storage), V(task-history), V(virtual-machines), V(vm-backups), V(vm-disks),
        V(vm-interfaces) and V(vm-snapshots). Other releases accept other types. NetBox refuses a type that the
        installed release does not accept.
    type: list
    elements: str
    default: [all]
  proxmox_endpoints:
    description:
      - Proxmox endpoints to sync from, by name or numeric id. Empty means all enabled endpoints.
      - A disabled endpoint is refused when a job is created. If a schedule exists already, its runs leave out an
        endpoint that was disabled later.
      - Names require one more request, and the permission to view C(netbox_proxbox.proxmoxendpoint).
      - Ids are checked when a job is created, which requires one more request. Without the permission, only NetBox
        checks the ids. With netbox-proxbox older than 0.0.24, the task then fails, because some of these releases
        ignore an unknown id.
    type: list
    elements: str
    default: []
  netbox_endpoints:
    description:
      - NetBox endpoints that NetBox stores in the job, by name or numeric id.
      - They have no effect on the sync, because the backend proxbox-api ignores them (tested up to its release
        0.0.30.post2). The task shows a warning if this option is set.
      - Names require one more request, and so do ids when a job is created, because NetBox does not check them. Both
        require the permission to view C(netbox_proxbox.netboxendpoint).
    type: list
    elements: str
    default: []
"""
