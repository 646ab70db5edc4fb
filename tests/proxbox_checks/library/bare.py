# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least that a module with pynetbox costs: bench.py compares the process of proxbox_sync_schedule with it."""

from __future__ import annotations

import pynetbox
import requests
from ansible.module_utils.basic import AnsibleModule
from pynetbox.core.query import Request


def main() -> None:
    module = AnsibleModule(
        {
            "netbox_url": {"type": "str", "required": True},
            "netbox_token": {"type": "str", "required": True, "no_log": True},
            "route": {"type": "str", "required": True},
            "filters": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    api = pynetbox.api(module.params["netbox_url"], token=module.params["netbox_token"])
    url = f"{api.base_url}/{module.params['route']}"
    request = Request(
        base=url, filters=module.params["filters"], token=api.token, http_session=requests.Session(), offset=0
    )
    module.exit_json(changed=False, rows=list(request.get()))


if __name__ == "__main__":
    main()
