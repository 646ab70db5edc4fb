# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NetBox, as it is installed on this host, says of its queues and workers: one line of JSON on standard output.

Runs in NetBox's own virtual environment, as NetBox's user. Standard input is a JSON object:

* ``environment``: variables to start Python with, also those that may not be seen in a process list;
* ``path``: the folder to import NetBox from, empty where it is installed from PyPI;
* ``units``: systemd units whose workers have to register with RQ under ``queues`` within ``timeout`` seconds.
"""

from __future__ import annotations

import importlib.metadata
import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import redirect_stdout
from urllib.parse import urlsplit

RESTART_SECONDS = 30
"""The unit's ``RestartSec``."""


def main() -> None:
    wanted = json.load(sys.stdin)
    if wanted["environment"]:
        # Once more, for some of them count before Python has started.
        environment = {**os.environ, **{name: str(value) for name, value in wanted["environment"].items()}}
        question = json.dumps({**wanted, "environment": {}})
        sys.exit(subprocess.run(sys.orig_argv, input=question, text=True, env=environment, check=False).returncode)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netbox.settings")
    if wanted["path"]:
        sys.path.insert(0, wanted["path"])
    told = {}
    # What a configuration or a plugin prints must not get in between.
    with redirect_stdout(sys.stderr):
        try:
            told.update(installed())
            if wanted["units"] and told["plugin"]:
                told.update(registered(wanted["units"], set(wanted["queues"]), float(wanted["timeout"])))
        except Exception as exc:
            told["error"] = f"{type(exc).__name__}: {str(exc).strip()}"
    print(json.dumps(told))


def installed() -> dict:
    import django

    django.setup()
    from django.conf import settings

    plugin = "netbox_proxbox" in settings.PLUGINS
    redis_hosts, redis_sockets = redis(settings.RQ_QUEUES["default"])
    postgres_host = settings.DATABASES["default"].get("HOST")
    logs = [handler.get("filename") for handler in settings.LOGGING.get("handlers", {}).values()]
    logs = [os.path.dirname(os.path.abspath(path)) for path in logs if path]
    needed = [sys.executable, *redis_sockets, str(postgres_host), *logs]
    needed += [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    return {
        "netbox": settings.VERSION,
        "plugin": importlib.metadata.version("netbox-proxbox") if plugin else None,
        "queues": list(settings.RQ_QUEUES),
        "sync_queue": sync_queue() if plugin else None,
        "writable": [settings.MEDIA_ROOT, settings.REPORTS_ROOT, settings.SCRIPTS_ROOT]
        + [path for path in logs if not path.startswith(("/dev", "/proc"))],
        "redis_here": any(here(host) for host in redis_hosts),
        "postgres_here": here(postgres_host),
        "hidden": hidden(needed),
    }


def redis(queue: dict) -> tuple[list[str | None], list[str]]:
    """The hosts of that queue's Redis, and its sockets."""
    if queue.get("SENTINELS"):
        return [address[0] for address in queue["SENTINELS"]], []
    if queue.get("URL"):
        url = urlsplit(queue["URL"])
        return [url.hostname], [url.path] if url.scheme == "unix" else []
    return [queue.get("HOST")], []


def hidden(paths: list[str]) -> list[str]:
    """Those folders of which a hardened unit sees nothing, and below which one of ``paths`` really is."""
    real = {os.path.realpath(path) for path in paths}
    folders = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
    return [folder for folder in folders if any(path.startswith(f"{folder}/") for path in real)]


def sync_queue() -> str:
    from netbox_proxbox import jobs

    # The constant is there since netbox-proxbox 0.0.8, when the queue became NetBox's default one.
    return getattr(jobs, "PROXBOX_SYNC_QUEUE_NAME", "default")


def here(host: str | None) -> bool:
    """Whether that server is on this host: no name at all, a socket's path, a loopback address, or our own name."""
    if not host or host.startswith("/") or host in ("localhost", socket.gethostname(), socket.getfqdn()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def registered(units: list[str], queues: set[str], timeout: float) -> dict:
    """Wait until each unit's main process is a worker of those queues; ``missing`` says why one is not."""
    deadline = time.monotonic() + timeout
    rest = 0
    while True:
        known = workers()
        missing, found, crashed = {}, [], False
        for unit in units:
            state = shown(unit)
            worker = known.get((socket.gethostname(), int(state["MainPID"])))
            ended = state["SubState"].startswith("auto-restart") or state["ActiveState"] == "failed"
            if ended and state["Result"] == "success":
                # That is what it does after max_jobs. Its time begins when systemd starts it again.
                missing[unit] = "its process ends at once (success), again and again"
                rest = RESTART_SECONDS
            elif ended:
                missing[unit] = f"its process ends at once ({state['Result']}), again and again"
                crashed = True
            elif not worker:
                missing[unit] = f"it is {state['ActiveState']}, but RQ knows no worker of its process"
            elif not queues <= set(worker["queues"]):
                missing[unit] = f"its worker serves {', '.join(worker['queues'])}"
            else:
                found.append(worker)
        if not missing or crashed or time.monotonic() > deadline + rest:
            return {"missing": missing, "workers": found}
        time.sleep(1)


def workers() -> dict[tuple[str, int], dict]:
    """The workers that RQ knows, by host and process id: those of other hosts have the same ids."""
    from django_rq.queues import get_connection
    from rq import Worker

    found = Worker.all(connection=get_connection("default"))
    return {
        (worker.hostname, worker.pid): {"name": worker.name, "pid": worker.pid, "queues": worker.queue_names()}
        for worker in found
    }


def shown(unit: str) -> dict[str, str]:
    """What systemd says of a unit."""
    command = ["systemctl", "show", unit, "--property=ActiveState,SubState,MainPID,Result"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


main()
