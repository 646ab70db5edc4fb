#!/usr/bin/python
# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: what the role proxbox_worker has to know of a host.

The module runs with the Python of the managed host, which may be as old as 3.8, and imports nothing of the collection.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxbox_worker_host
short_description: Read what the role proxbox_worker has to know of a host
version_added: 0.1.0
description:
  - Private to the role P(proxbox.proxbox.proxbox_worker#role). The options and results may change in any release.
  - Reads which of NetBox's files a host has, and what systemd knows of the workers. Changes nothing.
author:
  - proxbox.proxbox contributors (@proxbox)
options:
  service:
    description: Name of the unit, without C(.service).
    type: str
    required: true
  instances:
    description: Number of workers that are wanted. V(0) is none.
    type: int
    required: true
  netbox_root:
    description: NetBox's folder.
    type: str
    required: true
  venv:
    description: NetBox's virtual environment.
    type: str
    required: true
  manage_py:
    description: The C(manage.py) of a checkout of NetBox.
    type: str
    required: true
  user:
    description: The user that NetBox runs as.
    type: str
    required: true
  group:
    description: The group that NetBox runs as.
    type: str
    required: true
  environment_file:
    description: The file to which the role writes variables.
    type: str
    required: true
  environment_mark:
    description: The line that a file of variables has if the role has written it.
    type: str
    required: true
  lists:
    description:
      - The role's lists, by any name. Each is a list, or text with commas or blanks between the elements.
      - The elements of C(environment_files) are paths of files that have to exist.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: none
"""

EXAMPLES = r"""
- name: Read what the host has
  proxbox.proxbox.proxbox_worker_host:
    service: netbox-rqworker-proxbox
    instances: 1
    netbox_root: /opt/netbox
    venv: /opt/netbox/venv
    manage_py: /opt/netbox/netbox/manage.py
    user: netbox
    group: netbox
    environment_file: /etc/netbox-rqworker-proxbox.env
    environment_mark: "# Written by the role proxbox.proxbox.proxbox_worker."
  register: worker_host
"""

RETURN = r"""
systemd:
  description: Whether the host runs systemd.
  type: bool
  returned: success
  sample: true
root:
  description: Whether the task runs as root.
  type: bool
  returned: success
  sample: true
lists:
  description: The option O(lists), each text as the list of its elements.
  type: dict
  returned: success
  sample: {queues: [auto], environment_files: []}
unusable_paths:
  description: The paths among the options that are not absolute, or have a character that systemd would interpret.
  type: list
  elements: str
  returned: success
  sample: []
venv:
  description: Whether the virtual environment has a C(bin/python3).
  type: bool
  returned: when root runs the task, and the host runs systemd
  sample: true
layout:
  description: Whether NetBox is installed from PyPI (V(pypi)), is a checkout (V(checkout)), or is not found (V(none)).
  type: str
  returned: when root runs the task, and the host runs systemd
  sample: pypi
command:
  description: The command line of NetBox's management commands.
  type: str
  returned: when root runs the task, and the host runs systemd
  sample: /opt/netbox/venv/bin/netbox
folder:
  description: The folder in which NetBox's management commands run.
  type: str
  returned: when root runs the task, and the host runs systemd
  sample: /opt/netbox
user:
  description: Whether the user exists.
  type: bool
  returned: when root runs the task, and the host runs systemd
  sample: true
group:
  description: Whether the group exists.
  type: bool
  returned: when root runs the task, and the host runs systemd
  sample: true
missing_environment_files:
  description: The files with variables that do not exist.
  type: list
  elements: str
  returned: when root runs the task, and the host runs systemd
  sample: []
environment_file:
  description: Who has written the role's file of variables, V(role) or V(other). V(none) if there is no file.
  type: str
  returned: when root runs the task, and the host runs systemd
  sample: role
masked:
  description: The units of workers that are masked.
  type: list
  elements: str
  returned: when root runs the task, and the host runs systemd
  sample: []
neighbours:
  description: The host's units for NetBox, Redis or Valkey, and PostgreSQL, except aliases and masked units.
  type: dict
  returned: when root runs the task, and the host runs systemd
  sample: {netbox: [netbox.service], redis: [redis-server.service], postgresql: [postgresql.service]}
unit_checksum:
  description: The SHA-1 checksum of the unit's file. Empty if there is none.
  type: str
  returned: when root runs the task, and the host runs systemd
  sample: 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12
unit_path:
  description: The path of the unit's file.
  type: str
  returned: when root runs the task, and the host runs systemd
  sample: /etc/systemd/system/netbox-rqworker-proxbox.service
units:
  description: The units of the wanted workers.
  type: list
  elements: str
  returned: when root runs the task, and the host runs systemd
  sample: [netbox-rqworker-proxbox.service]
running:
  description: The units of the wanted workers that run.
  type: list
  elements: str
  returned: when root runs the task, and the host runs systemd
  sample: [netbox-rqworker-proxbox.service]
outdated:
  description:
    - The units in RV(running) that have to be restarted, because the worker is older than its unit or its variables,
      or ends again and again.
  type: list
  elements: str
  returned: when root runs the task, and the host runs systemd
  sample: []
needs_reload:
  description: Whether the file or a drop-in of a unit has changed since systemd has read it.
  type: bool
  returned: when root runs the task, and the host runs systemd
  sample: false
surplus:
  description: The workers that systemd knows and that are not wanted, and their files.
  type: dict
  returned: when root runs the task, and the host runs systemd
  contains:
    units:
      description: The units that run or have failed.
      type: list
      elements: str
      returned: always
      sample: [netbox-rqworker-proxbox@2.service]
    running:
      description: The units that run.
      type: list
      elements: str
      returned: always
      sample: [netbox-rqworker-proxbox@2.service]
    files:
      description: The units' files, and the links that enable them.
      type: list
      elements: str
      returned: always
      sample: [/etc/systemd/system/multi-user.target.wants/netbox-rqworker-proxbox@2.service]
"""

import grp
import os
import pwd
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

UNIT_FOLDER = "/etc/systemd/system"

_NEIGHBOURS = {
    "netbox": re.compile(r"netbox[.]service"),
    "redis": re.compile(r"(redis|valkey)(-server)?[.]service"),
    "postgresql": re.compile(r"postgresql(-[0-9]+)?[.]service"),
}
# What systemd, or the list of paths in a unit, would not read as a part of the name.
_USABLE_PATH = re.compile(r"/[^\s\"'%$\\]*")
_ELEMENT = re.compile(r"[^\s,\"'\[\]]+")


def elements(value: Any) -> list[str]:
    """Return the elements of a list, also of text with commas or blanks between them, as a survey gives it."""
    if isinstance(value, str):
        return _ELEMENT.findall(value)
    return [str(item) for item in value or ()]


def unusable(paths: Iterable[str]) -> list[str]:
    """Return the paths that are not absolute, or have a blank, a quote, a percent or dollar sign, or a backslash."""
    return [path for path in paths if not _USABLE_PATH.fullmatch(path)]


def wanted_units(service: str, instances: int) -> list[str]:
    """Return the units of so many workers. More than one worker are instances of a template."""
    if instances > 1:
        return [f"{service}@{number}.service" for number in range(1, instances + 1)]
    return [f"{service}.service"] * instances


def unit_file(service: str, instances: int) -> str:
    """Return the name of the file of :func:`wanted_units`."""
    return f"{service}@.service" if instances > 1 else f"{service}.service"


def is_worker(service: str, unit: str) -> bool:
    """Return whether a unit is the service, its template or an instance of the template."""
    return unit == f"{service}.service" or (unit.startswith(f"{service}@") and unit.endswith(".service"))


def masked_workers(unit_files: str, service: str) -> list[str]:
    """Return the workers' units that are masked, from the output of ``systemctl list-unit-files``."""
    return [unit for unit, state in _states(unit_files) if is_worker(service, unit) and state.startswith("masked")]


def neighbours(unit_files: str) -> dict[str, list[str]]:
    """Return the units of the servers that NetBox may use, from the output of ``systemctl list-unit-files``."""
    units = [unit for unit, state in _states(unit_files) if state != "alias" and not state.startswith("masked")]
    return {name: sorted(filter(pattern.fullmatch, units)) for name, pattern in _NEIGHBOURS.items()}


def _states(unit_files: str) -> list[list[str]]:
    rows = [line.split() for line in unit_files.splitlines()]
    return [row[:2] for row in rows if len(row) > 1]


def shown(output: str) -> list[dict[str, str]]:
    """Return the properties of each unit, from the output of ``systemctl show``."""
    blocks = [block.splitlines() for block in output.strip().split("\n\n")]
    return [dict(line.split("=", 1) for line in block if "=" in line) for block in blocks if block]


def is_running(unit: Mapping[str, str]) -> bool:
    """Return whether a unit runs, also between two attempts to start it."""
    return unit["ActiveState"] in ("active", "activating", "reloading")


def is_outdated(unit: Mapping[str, str], configured: float) -> bool:
    """Return whether a unit that runs has to be restarted.

    ``configured`` is when its configuration was written, in seconds since 1970. A worker that ends again and again is
    outdated too, because it need not wait until systemd starts it again.
    """
    if unit["ActiveState"] == "activating":
        return unit["Result"] != "success"
    started = " ".join(unit["ExecMainStartTimestamp"].split()[1:3])
    return started < time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(configured))


def configured_at(paths: Iterable[str], now: float) -> float:
    """Return when the newest of these files was written. A file from the future, or none at all, does not count."""
    times = [os.stat(path).st_mtime for path in paths if os.path.exists(path)]
    return max((at for at in times if at <= now), default=0)


def surplus_units(known: str, wanted: Iterable[str]) -> dict[str, list[str]]:
    """Return the workers that are not wanted, from the output of ``systemctl list-units``."""
    rows = [line.split() for line in known.splitlines()]
    states = {row[0]: row[2] for row in rows if len(row) > 2 and row[0] not in wanted}
    return {
        "units": [unit for unit, state in states.items() if state != "inactive"],
        "running": [unit for unit, state in states.items() if state not in ("inactive", "failed")],
    }


def surplus_files(root: str, service: str, wanted: Iterable[str]) -> list[str]:
    """Return the files of the service and of its template below ``root``, and links to them, that are not wanted."""
    own = (f"{service}.service", f"{service}@.service")
    paths = [os.path.join(folder, name) for folder, _folders, names in os.walk(root) for name in names]
    names = {path: os.path.basename(path) for path in paths}
    unwanted = [path for path, name in names.items() if is_worker(service, name) and name not in wanted]
    return sorted(path for path in unwanted if os.path.islink(path) or os.path.relpath(path, root) in own)


def layout(venv: str, manage_py: str) -> str:
    """Return how NetBox is installed: ``pypi``, ``checkout`` or ``none``."""
    if os.path.exists(f"{venv}/bin/netbox"):
        return "pypi"
    return "checkout" if os.path.exists(manage_py) else "none"


def author_of(path: str, mark: str) -> str:
    """Return who has written a file of variables: ``role``, ``other`` or ``none``."""
    if not os.path.exists(path):
        return "none"
    with open(path, encoding="utf-8", errors="replace") as lines:
        return "role" if any(line.rstrip("\n") == mark for line in lines) else "other"


def exists(read: Callable[[str], object], name: str) -> bool:
    """Return whether the database of users or groups has an entry of this name."""
    try:
        read(name)
    except KeyError:
        return False
    return True


def netbox_facts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return which of NetBox's files, and which user and group, the host has."""
    python = f"{options['venv']}/bin/python3"
    found = layout(options["venv"], options["manage_py"])
    checkout = found == "checkout"
    return {
        "venv": os.path.exists(python),
        "layout": found,
        "command": f"{python} {options['manage_py']}" if checkout else f"{options['venv']}/bin/netbox",
        "folder": os.path.dirname(options["manage_py"]) if checkout else options["netbox_root"],
        "user": exists(pwd.getpwnam, options["user"]),
        "group": exists(grp.getgrnam, options["group"]),
        "environment_file": author_of(options["environment_file"], options["environment_mark"]),
    }


def systemd_facts(module: AnsibleModule, environment_files: list[str]) -> dict[str, Any]:
    """Return what systemd knows of the workers and of the servers that NetBox may use."""

    def systemctl(*arguments: str) -> str:
        done = module.run_command(["systemctl", "--no-pager", *arguments], check_rc=True)
        return str(done[1])

    service, instances = module.params["service"], module.params["instances"]
    units = wanted_units(service, instances)
    path = os.path.join(UNIT_FOLDER, unit_file(service, instances))
    unit_files = systemctl("list-unit-files", "--type=service", "--no-legend")
    known = systemctl("list-units", "--all", "--plain", "--no-legend", f"{service}.service", f"{service}@*.service")
    properties = "--property=Id,ActiveState,Result,ExecMainStartTimestamp,NeedDaemonReload"
    states = shown(systemctl("show", "--timestamp=utc", properties, *units)) if units else []
    configured = configured_at([path, module.params["environment_file"], *environment_files], time.time())
    running = [unit for unit in states if is_running(unit)]
    kept = [*units, os.path.basename(path)] if units else []
    return {
        "masked": masked_workers(unit_files, service),
        "neighbours": neighbours(unit_files),
        "unit_path": path,
        "unit_checksum": module.sha1(path) or "" if os.path.exists(path) else "",
        "units": units,
        "running": [unit["Id"] for unit in running],
        "outdated": [unit["Id"] for unit in running if is_outdated(unit, configured)],
        "needs_reload": any(unit["NeedDaemonReload"] == "yes" for unit in states),
        "surplus": {**surplus_units(known, units), "files": surplus_files(UNIT_FOLDER, service, kept)},
    }


def main() -> None:
    text = {"type": "str", "required": True}
    names = "service netbox_root venv manage_py user group environment_file environment_mark"
    spec = {name: text for name in names.split()}
    spec.update(instances={"type": "int", "required": True}, lists={"type": "dict", "default": {}})
    module = AnsibleModule(spec, supports_check_mode=True)
    options = module.params
    lists = {name: elements(value) for name, value in options["lists"].items()}
    files = lists.get("environment_files", [])
    paths = [options[name] for name in ("netbox_root", "venv", "manage_py", "environment_file")]
    facts = {
        "systemd": os.path.isdir("/run/systemd/system"),
        "root": os.geteuid() == 0,
        "lists": lists,
        "unusable_paths": unusable([*paths, *files, *lists.get("writable_paths", [])]),
    }
    if facts["systemd"] and facts["root"]:
        facts.update(netbox_facts(options))
        facts.update(missing_environment_files=[name for name in files if not os.path.exists(name)])
        facts.update(systemd_facts(module, files))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
