# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: print what the NetBox of this host says of its queues and workers, as one line of JSON.

Runs in NetBox's own virtual environment, as NetBox's user. Standard input is a JSON object:

* ``environment``: variables to start Python with. They may be secret, so no command line has them.
* ``path``: the folder to import NetBox from. Empty if NetBox is installed from PyPI.
* ``folders``: folders and files, besides NetBox's own, that the worker needs.
* ``queues``: the queues that the workers shall serve, or ``["auto"]``.
* ``units``: the systemd units of the workers.
* ``timeout``: the seconds that a worker has to register with RQ.
* ``wait``: whether to wait until each worker has registered, or cannot register any more.
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
from typing import Any
from urllib.parse import urlsplit

RESTART_SECONDS = 30
"""The unit's ``RestartSec``."""


def main() -> None:
    question = json.load(sys.stdin)
    if question["environment"]:
        # Python starts again, because some variables count before it has started.
        environment = {**os.environ, **{name: str(value) for name, value in question["environment"].items()}}
        again = json.dumps({**question, "environment": {}})
        sys.exit(subprocess.run(sys.orig_argv, input=again, text=True, env=environment, check=False).returncode)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netbox.settings")
    if question["path"]:
        sys.path.insert(0, question["path"])
    # A configuration or a plugin may print something. It must not mix with the answer.
    with redirect_stdout(sys.stderr):
        try:
            answer = ask(question)
        except Exception as exc:
            answer = {"error": sentence(exc)}
    print(json.dumps(answer))


def ask(question: dict[str, Any]) -> dict[str, Any]:
    """Return what the installed NetBox is, which queues to serve, and how its workers are."""
    answer = installed(question["folders"])
    if not answer["plugin"]:
        return answer
    answer["serve"] = wanted_queues(question["queues"], answer["sync_queue"])
    answer["unknown"] = [queue for queue in answer["serve"] if queue not in answer["queues"]]
    check_servers()
    look_at = wait_for if question["wait"] else look
    answer.update(look_at(question["units"], set(answer["serve"]), float(question["timeout"])))
    return answer


def sentence(exc: Exception) -> str:
    """Return an exception as one line."""
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"


def installed(folders: list[str]) -> dict[str, Any]:
    """Return the versions, the queues and the folders of NetBox. ``plugin`` is None if there is no netbox-proxbox."""
    import django

    django.setup()
    from django.conf import settings

    plugin = "netbox_proxbox" in settings.PLUGINS
    redis_hosts, redis_sockets = redis(settings.RQ_QUEUES["default"])
    postgres_host = settings.DATABASES["default"].get("HOST")
    logs = [handler.get("filename") for handler in settings.LOGGING.get("handlers", {}).values()]
    logs = [os.path.dirname(os.path.abspath(path)) for path in logs if path]
    writable = [settings.MEDIA_ROOT, settings.REPORTS_ROOT, settings.SCRIPTS_ROOT]
    needed = [*folders, *writable, sys.executable, *redis_sockets, str(postgres_host), *logs]
    modules = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    needed += sorted({os.path.dirname(path) for path in modules if path})
    return {
        "netbox": settings.VERSION,
        "plugin": importlib.metadata.version("netbox-proxbox") if plugin else None,
        "queues": list(settings.RQ_QUEUES),
        "sync_queue": sync_queue() if plugin else None,
        "writable": writable + [path for path in logs if not path.startswith(("/dev", "/proc"))],
        "redis_here": any(here(host) for host in redis_hosts),
        "postgres_here": here(postgres_host),
        "needs_home": below(needed, "/home", "/root", "/run/user"),
        "needs_tmp": below(needed, "/tmp", "/var/tmp"),
    }


def redis(queue: dict[str, Any]) -> tuple[list[str | None], list[str]]:
    """Return the hosts of that queue's Redis, and its sockets."""
    if queue.get("SENTINELS"):
        return [address[0] for address in queue["SENTINELS"]], []
    if queue.get("URL"):
        url = urlsplit(queue["URL"])
        return [url.hostname], [url.path] if url.scheme == "unix" else []
    return [queue.get("HOST")], []


def below(paths: list[str], *folders: str) -> bool:
    """Return whether one of the paths is one of the folders or below it, by its name or by where it really is."""
    known = {name for path in paths for name in (path, os.path.realpath(path))}
    return any(f"{path}/".startswith(f"{folder}/") for path in known for folder in folders)


def sync_queue() -> str:
    """Return the queue on which the plugin puts syncs."""
    from netbox_proxbox import jobs

    # netbox-proxbox has the constant since 0.0.8. That release put syncs on NetBox's default queue.
    return getattr(jobs, "PROXBOX_SYNC_QUEUE_NAME", "default")


def wanted_queues(queues: list[str], sync_queue: str) -> list[str]:
    """Return the queues to serve. ``auto`` is the web page's queue, the plugin's, and that of recurring jobs."""
    return list(dict.fromkeys(["high", sync_queue, "default"])) if queues == ["auto"] else queues


def here(host: str | None) -> bool:
    """Return whether that server is on this host: no name, the path of a socket, a loopback address, or our name."""
    if not host or host.startswith("/") or host in ("localhost", socket.gethostname(), socket.getfqdn()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_servers() -> None:
    """Raise an error that names the server, if the database or Redis does not answer."""
    from django.db import connection
    from django_rq import get_connection

    servers = {"its database": connection.ensure_connection, "its Redis": get_connection("default").ping}
    for name, connect in servers.items():
        try:
            connect()
        except Exception as exc:
            raise ConnectionError(f"{name} does not answer ({sentence(exc)})") from exc


def wait_for(units: list[str], queues: set[str], timeout: float) -> dict[str, Any]:
    """Look until each worker has registered, a worker cannot register any more, or the time is over."""
    # After max_jobs, systemd starts a worker again, and the worker has its time then.
    deadline = time.monotonic() + timeout + RESTART_SECONDS
    while True:
        found = look(units, queues, timeout)
        if len(found["pending"]) < len(found["missing"]) or not found["missing"] or time.monotonic() > deadline:
            return found
        time.sleep(1)


def look(units: list[str], queues: set[str], timeout: float) -> dict[str, Any]:
    """Return which units are up as workers of those queues.

    * ``workers``: the workers that RQ knows.
    * ``missing``: why a unit is not up, by unit.
    * ``pending``: the missing units that may register soon.
    * ``lost``: the missing units that run, but that RQ does not know any more.
    * ``invocations``: where the journal tells more about a missing unit, its invocation id in the journal.
    """
    known = workers()
    found: dict[str, Any] = {"workers": [], "missing": {}, "pending": [], "lost": [], "invocations": []}
    for unit in units:
        state = shown(unit)
        worker = known.get((socket.gethostname(), int(state["MainPID"])))
        why, kind = judge(state, worker, queues, timeout, time.monotonic())
        if why:
            found["missing"][unit] = why
            found["pending"] += [unit] if kind == "pending" else []
            found["lost"] += [unit] if kind == "lost" else []
            found["invocations"] += [state["InvocationID"]] if kind != "stopped" and state["InvocationID"] else []
        else:
            found["workers"].append(worker)
    return found


def judge(
    state: dict[str, str], worker: dict[str, Any] | None, queues: set[str], timeout: float, now: float
) -> tuple[str, str]:
    """Return why a unit is not up, and ``stopped``, ``failed``, ``lost`` or ``pending``. Both are empty if it is up.

    ``now`` is the monotonic clock, in seconds.
    """
    if state["ActiveState"] == "inactive":
        stopped = (
            "it is stopped. Start it" if state["LoadState"] == "loaded" else f"it is {state['LoadState']}. Deploy it"
        )
        return f"{stopped}: run the role without the tag proxbox_worker_verify", "stopped"
    if state["SubState"].startswith("auto-restart") and state["Result"] == "success":
        return "its process ends at once (success), again and again", "pending"
    if state["SubState"].startswith("auto-restart") or state["ActiveState"] == "failed":
        return f"its process ends at once ({state['Result']}), again and again", "failed"
    if worker:
        more = "" if queues <= set(worker["queues"]) else f"its worker serves {', '.join(worker['queues'])}"
        return more, "failed" if more else ""
    age = now - int(state["ExecMainStartTimestampMonotonic"]) / 1e6
    if state["ActiveState"] == "active" and age > timeout:
        return (
            f"it has run for {age:.0f} s, but RQ does not know it. Either it did not register within {timeout:.0f} s, "
            "or Redis has lost its data since. Restart it: run the role without the tag proxbox_worker_verify"
        ), "lost"
    return f"it is {state['ActiveState']}, but has not registered with RQ", "pending"


def workers() -> dict[tuple[str, int], dict[str, Any]]:
    """Return the workers that RQ knows, by host and process id. Workers of other hosts may have the same ids."""
    from django_rq import get_connection
    from rq import Worker

    found = Worker.all(connection=get_connection("default"))
    return {
        (worker.hostname, worker.pid): {"name": worker.name, "pid": worker.pid, "queues": worker.queue_names()}
        for worker in found
    }


def shown(unit: str) -> dict[str, str]:
    """Return what systemd says of a unit."""
    names = "LoadState,ActiveState,SubState,Result,MainPID,InvocationID,ExecMainStartTimestampMonotonic"
    command = ["systemctl", "show", unit, f"--property={names}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Python would take most of a second to take NetBox apart.
    os._exit(0)
