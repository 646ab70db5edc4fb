# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""What the modules cost on a real NetBox: requests, bytes and time, without a history and with a long one."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

from proxbox_checks.stack import TestStack
from proxbox_checks.workspace import Workspace
from proxbox_stack import scratch
from proxbox_stack.pins import NETBOX_COLLECTION
from proxbox_stack.proxy import proxy
from proxbox_stack.report import StackError, say

HISTORY = 30_000
LOG_LINES = 100
SCHEDULES = 100

ONE = "proxbox_sync_schedule, unchanged"
MANY = f"proxbox_sync_schedules, {SCHEDULES} unchanged"
PING = "ansible.builtin.ping"
URI = "ansible.builtin.uri, the same GET"
TAG = "netbox.netbox.netbox_tag, unchanged"
PROCESS = "proxbox_sync_schedule, unchanged, process alone"
BARE = "bare module with pynetbox, the same GET, process alone"

RATIOS = ((ONE, URI, "<= 1.15"), (ONE, TAG, "<= 0.9"), (MANY, ONE, "<= 2"), (PROCESS, BARE, "<= 1.15"))
"""The times that are compared, and the aim for their ratio."""

# Runs inside NetBox. The history is copies of one finished job. The copies of each schedule are a day apart.
_SEED = """
import json
import uuid
from datetime import datetime, timedelta
from django.contrib.auth import get_user_model
from django.db import connection
from core.models import Job
from extras.models import Tag

given = json.loads({given!r})
Tag.objects.get_or_create(name="bench", slug="bench")
admin = get_user_model().objects.get(username="admin")
due = datetime.fromisoformat(given["due"])

def job(name, **rest):
    return Job(name=name, user=admin, job_id=uuid.uuid4(), queue_name="default", **rest)

def finished(name, interval):
    run = dict(scheduled=due - timedelta(days=1), started=due - timedelta(days=1), interval=interval)
    run.update(completed=run["started"] + timedelta(seconds=48), execution_time=timedelta(seconds=48))
    return job(name, status="completed", data=given["finished"], log_entries=given["log"], **run)

with connection.cursor() as cursor:
    cursor.execute("DELETE FROM core_job WHERE name LIKE 'bench %'")
    for name in given["schedules"]:
        job(name, status="scheduled", scheduled=due, interval=1440, data=given["scheduled"]).save()
    finished("bench once", None).save()
    if given["history"]:
        one = finished("bench 000", 1440)
        one.save()
        copied = "status, execution_time, interval, user_id, data, error, queue_name, notifications, log_entries"
        cursor.execute(
            "INSERT INTO core_job (name, job_id, created, scheduled, started, completed, " + copied + ") "
            "SELECT 'bench ' || lpad((run %% %s)::text, 3, '0'), gen_random_uuid(), created - age, scheduled - age, "
            "started - age, completed - age, " + copied + " FROM core_job, generate_series(0, %s - 1) AS run, "
            "LATERAL (SELECT interval '1 day' * (1 + run / %s) AS age) AS ages WHERE id = %s",
            [len(given["schedules"]), given["history"], len(given["schedules"]), one.pk],
        )
        one.delete()
    cursor.execute("VACUUM ANALYZE core_job")
"""


@dataclass(frozen=True)
class Task:
    """A task whose requests are counted. ``aim`` is the requests that it may send."""

    label: str
    module: str
    args: dict[str, Any]
    aim: str
    changed: bool = False


@dataclass(frozen=True)
class Figures:
    """The measurements with one length of the history."""

    counted: list[tuple[list[str], int]]
    """Requests and bytes of the answers, for each task."""
    seconds: dict[str, list[float]]
    """Seconds by label, one value for each round: the time of a whole task, or the CPU time of a process."""


def bench(work: Workspace, stack: TestStack, rounds: int) -> str:
    """Measure on a stack of its own, without finished jobs and with many, and return the table, in Markdown.

    A stack that runs is left up. Otherwise it is taken down at the end, and its data stays.

    :raises StackError: if a task fails, or does not have the expected result.
    """
    collections, missing = _netbox_collection(work)
    due = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) + timedelta(hours=12)
    tasks = _tasks(due)
    with stack.in_use():
        facts = stack.facts()
        found = []
        for history in (0, HISTORY):
            say(f"{SCHEDULES} schedules and {history} finished jobs")
            stack.shell(_SEED.format(given=json.dumps(_seed(due, history))))
            counted = _count(work, facts, tasks)
            say(f"{rounds} rounds of each task")
            # The same request that the module sends.
            same = facts["netbox_url"] + counted[0][0][0].partition(" ")[2]
            timed = _timed(tasks, facts, same, with_tag=not missing)
            seconds = _time(work, collections, timed, rounds)
            found.append(Figures(counted, {**seconds, **_time_processes(work, facts, tasks[0], same, rounds)}))
    about = f"NetBox {facts['netbox_version']}, netbox-proxbox {facts['plugin_version']}, {rounds} rounds"
    return _report(about, tasks, found, missing)


def _netbox_collection(work: Workspace) -> tuple[list[Path], str]:
    """Return the folder with netbox.netbox, unpacked from the package that bundles it; or none, and why."""
    folder = scratch.subfolder("collections") / NETBOX_COLLECTION.replace("==", "-")
    if folder.exists():
        return [folder], ""
    say(f"fetching {NETBOX_COLLECTION} for netbox.netbox")
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        command = [work.program("python"), "-m", "pip", "download", "--no-deps", "--dest", temporary]
        done = subprocess.run([*command, NETBOX_COLLECTION], capture_output=True, text=True, check=False)
        if done.returncode:
            return [], f"{NETBOX_COLLECTION} cannot be downloaded: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
        unpacked = Path(temporary, "unpacked")
        with zipfile.ZipFile(next(Path(temporary).glob("*.whl"))) as wheel:
            inside = [name for name in wheel.namelist() if name.startswith("ansible_collections/netbox/netbox/")]
            wheel.extractall(unpacked, inside)
        unpacked.rename(folder)
    return [folder], ""


def _seed(due: datetime, history: int) -> dict[str, Any]:
    """Return the data for the script ``_SEED``: rows as netbox-proxbox 0.0.29 writes them."""
    params = {
        "run_id": "f28982bb-2d41-48a9-925d-c5061c77f112", "sync_types": ["all"], "netbox_vm_ids": [],
        "batch_object_ids": [], "batch_object_type": None, "fastapi_endpoint_id": None, "netbox_endpoint_ids": [],
        "proxmox_endpoint_ids": [], "netbox_branch_schema_id": None,
    }  # fmt: skip
    types = ("devices", "storage", "virtual-machines", "vm-disks", "vm-backups", "vm-snapshots", "network-interfaces")
    stages = [
        {
            "sync_type": kind,
            "endpoint_id": "1",
            "stream_path": f"{kind}/create/stream",
            "result_summary": {"ok": True, "path": f"{kind}/create/stream"},
            "runtime_seconds": 6.5,
        }
        for kind in types
    ]
    phases = [
        {
            "kind": kind,
            "label": f"{kind} sync",
            "status": "success",
            "summary": "0 created, 1 updated, 0 skipped, 0 deleted",
            "endpoint_id": 1,
            "endpoint_name": "pve-lab",
            "runtime_seconds": 0.7,
        }
        for kind in ("cluster", "firewall", "datacenter", "vm_template", "preflight")
    ]
    response = {"stages": stages, "local_phases": phases, "runtime_summary": {"runtime_seconds": 48.0}}
    log = [
        {
            "level": "info",
            "message": f"{types[line % len(types)]}: object {line} of pve-lab is as it was, nothing to change",
            "timestamp": (due - timedelta(days=1) + timedelta(seconds=line / 3)).isoformat(),
        }
        for line in range(LOG_LINES)
    ]
    return {
        "due": due.isoformat(),
        "history": history,
        "schedules": [schedule["name"] for schedule in _schedules(due)],
        "scheduled": {"proxbox_sync": {"params": params}},
        "finished": {"proxbox_sync": {"params": params, "response": response, "runtime_seconds": 48.0}},
        "log": log,
    }


def _schedules(due: datetime) -> list[dict[str, Any]]:
    at = due.strftime("%H:%M")
    return [{"name": f"bench {number:03}", "schedule_at": at, "interval": "daily"} for number in range(SCHEDULES)]


def _tasks(due: datetime) -> list[Task]:
    schedules = _schedules(due)
    passed = {"name": "bench once", "schedule_at": (due - timedelta(days=1)).isoformat()}
    new = {**schedules[0], "name": "bench new"}
    schedule = "proxbox_sync_schedule"
    return [
        Task(ONE, schedule, schedules[0], "GET"),
        Task(f"{schedule}, absent already", schedule, {"name": "bench none", "state": "absent"}, "GET"),
        Task(f"{schedule}, once, has run", schedule, passed, "GET"),
        Task(f"{schedule}, create", schedule, new, "GET, POST, GET", changed=True),
        Task(f"{schedule}, remove", schedule, {**new, "state": "absent"}, "GET, POST, GET", changed=True),
        Task(MANY, "proxbox_sync_schedules", {"schedules": schedules}, "GET"),
        Task("proxbox_job_info, by name, limit 10", "proxbox_job_info", {"name": "bench 000", "limit": 10}, "GET"),
    ]


def _count(work: Workspace, facts: dict[str, Any], tasks: list[Task]) -> list[tuple[list[str], int]]:
    """Return the requests of each task, and the bytes of their answers."""
    counted = []
    with proxy(facts["netbox_url"]) as between:
        env = {"NETBOX_URL": between.url, "NETBOX_TOKEN": facts["netbox_superuser_token"]}
        for task in tasks:
            between.requests, between.received = [], 0
            output = work.ansible(f"proxbox.proxbox.{task.module}", task.args, env)
            wanted = f"localhost | {'CHANGED' if task.changed else 'SUCCESS'} =>"
            if wanted not in output:
                raise StackError(f"the task {task.label!r} does not end with {wanted!r}:\n{output}")
            counted.append((between.requests, between.received))
    return counted


def _timed(tasks: list[Task], facts: dict[str, Any], same: str, *, with_tag: bool) -> dict[str, dict[str, Any]]:
    """Return the tasks of a round. None of them changes anything."""
    netbox = {"netbox_url": facts["netbox_url"], "netbox_token": facts["netbox_superuser_token"]}
    bearer = {"Authorization": f"Bearer {facts['netbox_superuser_token']}"}
    found: dict[str, dict[str, Any]] = {
        PING: {PING: {}},
        URI: {"ansible.builtin.uri": {"url": same, "headers": bearer}},
    }
    if with_tag:
        found[TAG] = {"netbox.netbox.netbox_tag": {**netbox, "data": {"name": "bench"}}}
    for task in tasks:
        if task.label in (ONE, MANY):
            found[task.label] = {f"proxbox.proxbox.{task.module}": {**netbox, **task.args}}
    return found


def _time(
    work: Workspace, collections: list[Path], tasks: dict[str, dict[str, Any]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each task, from its start to its result, in ``rounds`` rounds of one playbook.

    A first round is left out, because Ansible packs each module in it, once for a playbook.
    """
    order = list(tasks)
    # Each round begins with another task, so that no task always follows the same one.
    turns = [order[turn % len(order) :] + order[: turn % len(order)] for turn in range(rounds + 1)]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{"name": name, **tasks[name]} for turn in turns for name in turn],
    }
    # The playbook holds a token, so its folder is temporary.
    with tempfile.TemporaryDirectory() as folder:
        playbook = Path(folder, "rounds.json")
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        env = {
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(str(path) for path in (work.root, *collections)),
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
            "JUNIT_OUTPUT_DIR": folder,
            "JUNIT_HIDE_TASK_ARGUMENTS": "true",
            "JUNIT_FAIL_ON_CHANGE": "true",
        }
        output = work.session.run("ansible-playbook", str(playbook), env=env, silent=True)
        cases = [case for path in Path(folder).glob("*.xml") for case in ElementTree.parse(path).iter("testcase")]
    if any(len(case.findall(bad)) for case in cases for bad in ("failure", "error", "skipped")):
        raise StackError(f"a task of the rounds failed or changed something:\n{output}")
    seconds: dict[str, list[float]] = {name: [] for name in order}
    for case in cases:
        seconds[case.get("name", "").partition(": ")[2]].append(float(case.get("time", "")))
    return {name: values[1:] for name, values in seconds.items()}


def _time_processes(
    work: Workspace, facts: dict[str, Any], task: Task, same: str, rounds: int
) -> dict[str, list[float]]:
    """Return the CPU time of a module's process, in seconds, without Ansible's own work. A first run is left out.

    The other process is that of a module that only sends the same GET with pynetbox.
    """
    route, _mark, query = same.removeprefix(f"{facts['netbox_url']}/api/").partition("?")
    netbox = {"netbox_url": facts["netbox_url"], "netbox_token": facts["netbox_superuser_token"]}
    modules = {
        PROCESS: (f"proxbox.proxbox.{task.module}", {**netbox, **task.args}),
        BARE: ("bare", {**netbox, "route": route, "filters": parse_qs(query)}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    # Each packed module holds its arguments, with a token, so the folder is temporary.
    with tempfile.TemporaryDirectory() as folder:
        packed = {name: _pack(work, Path(folder, str(at)), *modules[name]) for at, name in enumerate(modules)}
        for turn in range(rounds + 1):
            for name in sorted(packed, reverse=turn % 2 == 0):
                before = _cpu_of_children()
                done = subprocess.run([work.program("python"), packed[name]], capture_output=True, check=False)
                used = _cpu_of_children() - before
                if done.returncode or json.loads(done.stdout).get("changed") is not False:
                    raise StackError(f"the process of {name!r} failed or changed something: {done.stdout.decode()}")
                seconds[name].append(used)
    return {name: values[1:] for name, values in seconds.items()}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pack(work: Workspace, folder: Path, module: str, args: dict[str, Any]) -> Path:
    """Return the file that Ansible sends to a host, with the module, what it imports, and its arguments."""
    env = {
        "ANSIBLE_KEEP_REMOTE_FILES": "true",
        "ANSIBLE_REMOTE_TMP": str(folder),
        "ANSIBLE_LIBRARY": str(Path(__file__).parent / "library"),
    }
    output = work.ansible(module, args, env)
    files = list(folder.glob("*/AnsiballZ_*.py"))
    if not files:
        raise StackError(f"Ansible left no file of the module {module}:\n{output}")
    return files[0]


def _report(about: str, tasks: list[Task], found: list[Figures], missing: str) -> str:
    head = ["", "no finished jobs", f"{HISTORY:,} finished jobs", "aim", ""]
    rows = [head, ["---"] * len(head)]
    for number, task in enumerate(tasks):
        sent = [
            (", ".join(request.partition(" ")[0] for request in figures.counted[number][0]), figures.counted[number][1])
            for figures in found
        ]
        cells = [f"{methods}; {received:,} bytes" for methods, received in sent]
        rows.append([task.label, *cells, task.aim, _verdict(all(methods == task.aim for methods, _bytes in sent))])
    for name in found[0].seconds:
        times = [figures.seconds[name] for figures in found]
        rows.append([name, *(f"{min(values):.3f} s; {median(values):.3f} s" for values in times), "", ""])
    for name, other, aim in RATIOS:
        label = f"{name.partition(',')[0]} / {other.partition(',')[0]}"
        if other == TAG and missing:
            rows.append([label, "", "", aim, "skipped"])
            continue
        pairs = [(figures.seconds[name], figures.seconds[other]) for figures in found]
        ratios = [(min(ours) / min(theirs), median(map(truediv, ours, theirs))) for ours, theirs in pairs]
        cells = [f"{least:.2f}; {middle:.2f}" for least, middle in ratios]
        rows.append([label, *cells, aim, _verdict(all(_reaches(middle, aim) for _least, middle in ratios))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    notes = (
        f"{about}; {SCHEDULES} living schedules; {LOG_LINES} log lines in each finished job. Bytes are those of the "
        "answers' bodies, in which ids grow longer. Times are those of whole tasks that change nothing, interleaved in "
        "one playbook: the minimum; the median. Those of a process alone are CPU times, of the file that Ansible sends "
        "to the host. Ratios are that of the minima; the median of each round's own, which "
        "is held against the aim."
    )
    if missing:
        notes += f" Skipped: {missing}"
    return "\n".join([*lines, "", notes, ""])


def _reaches(ratio: float, aim: str) -> bool:
    comparison, limit = aim.split()
    # Compare the ratio as it is shown.
    shown = round(ratio, 2)
    return shown <= float(limit) if comparison == "<=" else shown < float(limit)


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"
