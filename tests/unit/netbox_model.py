# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model of NetBox and its worker for property tests. It answers the HTTP requests of the real session.

It does only what was observed on NetBox 4.7.3 with netbox-proxbox 0.0.29.post6. A recurring run that ends has a
successor, and a cancelled run does not. A row has no data while its run starts. A POST is not idempotent. Between
any two requests, time passes, runs start and end, rows are deleted, and answers are lost. The rows are recorded, with
other ids, names, scopes and times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from ansible_collections.proxbox.proxbox.plugins.module_utils._connection import Connection
from ansible_collections.proxbox.proxbox.plugins.module_utils._job import ACTIVE
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import recorded, recorded_answer

STARTING = timedelta(seconds=1)
"""How long the row of a run has no data after the run has started."""

SUCCEEDING = timedelta(seconds=1)
"""The longest time between the end of a run and the creation of its successor."""

LONG = timedelta(minutes=4)
"""The duration of the longest run."""

ALL = ("all",)
TWO = ("devices", "vm-backups")
SCOPES = (ALL, TWO)
"""The sync types of the recorded runs."""


class Dice:
    """Numbers that decide, in order, which choice is taken."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = iter(numbers)

    def take(self, *choices: Any) -> Any:
        """Return one of ``choices``, or the first one if no number is left."""
        return choices[next(self._numbers, 0) % len(choices)]


@dataclass
class Row:
    """A job. ``kind`` is ``sync``, ``script`` (another job), ``silent`` (never shows what it is), or ``system``.

    ``objects`` are the virtual machines that a sync is limited to. ``killed`` is true if its work horse was killed.
    """

    id: int
    name: str
    status: str
    kind: str = "sync"
    sync_types: tuple[str, ...] = ALL
    objects: tuple[int, ...] = ()
    scheduled: datetime | None = None
    interval: int | None = None
    created: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None
    cancelled: bool = False
    queue: str = "default"
    killed: bool = False
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def at_once(self) -> bool:
        return self.interval is None and self.scheduled is None

    def shown(self, now: datetime) -> dict[str, Any]:
        """Return the row as the API shows it."""
        row = _template(self)
        data = row["data"]
        if self.kind == "sync":
            scope = {"sync_types": list(self.sync_types), "netbox_vm_ids": [str(number) for number in self.objects]}
            sync = data["proxbox_sync"]
            starting = self.status == "running" and self.started and now < self.started + STARTING
            data = None if starting else {"proxbox_sync": {**sync, "params": {**sync["params"], **scope}}}
        elif self.kind == "silent" and self.active:
            data = None  # NetBox writes it when the job ends
        return row | {
            "data": data,
            "id": self.id,
            "name": self.name,
            "status": {"value": self.status, "label": self.status.title()},
            "scheduled": _iso(self.scheduled),
            "interval": self.interval,
            "created": _iso(self.created),
            "started": _iso(self.started),
            "completed": _iso(self.completed),
            "queue_name": self.queue,
            "job_id": f"00000000-0000-4000-8000-{self.id:012d}",
        }


def _iso(moment: datetime | None) -> str | None:
    return moment and moment.isoformat()


@cache
def _recorded(name: str) -> dict[str, Any]:
    row = recorded(name)
    del row["log_entries"]
    return row


def _template(row: Row) -> dict[str, Any]:
    """Return the recorded row that is most like this one."""
    if row.kind != "sync":
        other = {"script": "script", "silent": "bulk_create", "system": "system_job"}[row.kind]
        return _recorded(f"netbox/{other}")
    if row.status == "completed":
        scenario = "ok_all" if row.sync_types == ALL else "ok_devices_backups"
    elif row.status == "errored":
        scenario = "west_down" if row.sync_types == ALL else "devices_500_beside_backups"
    elif row.status == "failed":
        scenario = "cancelled_running" if row.started else "cancelled_before"
    else:
        scenario = row.status
    return _recorded(scenario)


class NetBox:
    """The rows, the clock and the worker.

    NetBox creates the successor of a run a moment after the run has ended. In this moment, the schedule has no active
    job. ``between`` is true if a controller read the jobs for the first time in such a moment. Then the controller
    cannot know of the schedule.
    """

    def __init__(self, rows: Iterable[Row], now: datetime, dice: Dice) -> None:
        self.rows = {row.id: row for row in rows}
        self.now = now
        self.dice = dice
        self.works = True
        self.superuser = False
        self.retention: timedelta | None = None
        self.created: list[int] = []
        self.cancelled: list[int] = []
        self.killed: list[int] = []
        self.deleted: list[int] = []
        self.started: list[int] = []
        self.between = False
        self._last_id = max(self.rows, default=0)
        self._ends: dict[int, datetime] = {}
        self._successors: list[tuple[datetime, Row]] = []

    def pass_time(self, span: timedelta) -> None:
        """Let time pass. If the worker works, it starts and ends runs when they are due."""
        until = self.now + span
        while self.works:
            self._succeed()
            syncs = [row for row in self.rows.values() if row.kind == "sync" and not row.killed]
            events = [
                (self._ends.setdefault(row.id, self.now + LONG), row.id, True)
                for row in syncs
                if row.status == "running"
            ]
            events += [
                (max(row.scheduled or row.created, self.now), row.id, False)
                for row in syncs
                if row.status in ("scheduled", "pending")
            ]
            when, job_id, ends = min(events, default=(until + LONG, 0, False))
            when = min([when, *(due for due, _row in self._successors)])
            if when > until:
                break
            self.now = max(self.now, when)
            if not any(due <= self.now for due, _row in self._successors):
                self._end(job_id) if ends else self._start(job_id)
        self.now = until
        self._succeed()
        if self.retention:
            # Housekeeping deletes rows by their age, whatever their status is.
            for row in [row for row in self.rows.values() if row.created < self.now - self.retention]:
                del self.rows[row.id]

    def _succeed(self) -> None:
        for due, row in list(self._successors):
            if due <= self.now:
                self._successors.remove((due, row))
                next_run = (row.scheduled or row.completed) + timedelta(minutes=row.interval)
                self.add(row, max(next_run, row.completed + timedelta(minutes=1)))

    def _start(self, job_id: int) -> None:
        self.rows[job_id] = replace(self.rows[job_id], status="running", started=self.now)
        self.started.append(job_id)
        self._ends[job_id] = self.now + self.dice.take(timedelta(seconds=30), timedelta(), LONG)

    def _end(self, job_id: int) -> None:
        row = self.rows[job_id]
        self.rows[job_id] = replace(row, status=self.dice.take("completed", "errored"), completed=self.now)
        if row.interval:
            self._successors.append((self.now + self.dice.take(timedelta(), SUCCEEDING), self.rows[job_id]))

    def add(self, like: Row, scheduled: datetime | None) -> int:
        """Add a row for the same sync as ``like``."""
        self._last_id += 1
        self.rows[self._last_id] = Row(
            id=self._last_id,
            name=like.name,
            status="scheduled" if scheduled or like.interval else "pending",
            sync_types=like.sync_types,
            objects=like.objects,
            scheduled=scheduled or (self.now if like.interval else None),
            interval=like.interval,
            created=self.now,
        )
        return self._last_id

    def run_now(self, job_id: int) -> int:
        """Press the button "Run now" on the web page of a job."""
        copied = self.add(replace(self.rows[job_id], interval=None), None)
        self.rows[copied].queue = "high"
        return copied

    def active(self, name: str) -> list[Row]:
        """Return the syncs of that name that have not ended, without copies of "Run now"."""
        rows = self.rows.values()
        return [row for row in rows if row.active and row.kind == "sync" and row.name == name and row.queue != "high"]


class Api(requests.adapters.BaseAdapter):
    """The API of NetBox for one controller.

    :param turn: called before each request, so that a test can decide which controller continues.
    :param faults: whether connections break before or after NetBox has carried out a request.
    :param quick: whether NetBox answers without delay.
    """

    def __init__(
        self,
        netbox: NetBox,
        *,
        faults: bool = False,
        quick: bool = False,
        turn: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.netbox = netbox
        self.faults = faults
        self.quick = quick
        self.turn = turn
        self.asked: list[str] = []
        self._looked = False

    def close(self) -> None:
        pass

    def send(self, request: requests.PreparedRequest, **_options: Any) -> requests.Response:
        self.turn()
        seconds = 0 if self.quick else self.netbox.dice.take(0, 0, 0, 1, 2, 5)
        self.netbox.pass_time(timedelta(seconds=seconds))
        fault = self.netbox.dice.take(*[None] * 6, "before", "after") if self.faults else None
        parts = urlsplit(request.url)
        route = parts.path.removeprefix("/api/")
        self.asked.append(f"{request.method} {route}")
        if fault == "before":
            raise requests.exceptions.ConnectionError("Connection aborted.")
        query = parse_qs(parts.query, keep_blank_values=True)
        body = json.loads(request.body) if request.body else {}
        status, answer = self._answer(request.method, route, query, body)
        if fault == "after":
            raise requests.exceptions.ConnectionError("Connection aborted.")
        response = requests.Response()
        response.status_code = status
        response.url = request.url
        response.request = request
        response._content = json.dumps(answer).encode()
        # The header has whole seconds.
        response.headers.update({"Content-Type": "application/json", "Date": format_datetime(self.netbox.now)})
        return response

    def _answer(self, method: str, route: str, query: dict[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        words = route.strip("/").split("/")
        if method == "GET" and words in (["core", "jobs"], ["plugins", "proxbox", "sync-jobs"]):
            return 200, self._jobs(query, syncs_only=words[-1] == "sync-jobs")
        if method == "POST" and words == ["plugins", "proxbox", "sync", "schedule"]:
            return self._create(body)
        if method == "GET" and words == ["plugins", "proxbox", "sync", "schedule"]:
            return _told("no_schedules")
        if words[:3] == ["plugins", "proxbox", "jobs"] and words[-1] == "cancel":
            return self._cancel(int(words[3])) if method == "POST" else _told("may_cancel")
        if method == "GET" and words == ["plugins", "proxbox", "settings"]:
            return _told("settings")
        if method == "GET" and words[0] == "status":
            return _told("status", **{"rq-workers-running": int(self.netbox.works)})
        if method == "GET" and words[1].startswith("background-"):
            return self._rq(words)
        raise AssertionError(f"the model does not know {method} {route}")

    def _jobs(self, query: dict[str, list[str]], *, syncs_only: bool) -> dict[str, Any]:
        netbox = self.netbox
        netbox.between |= not self._looked and bool(netbox._successors)
        self._looked = True
        offset, limit = (int(query.pop(key, ["0"])[0]) for key in ("offset", "limit"))
        query.pop("fields", None)
        newest = sorted(netbox.rows.values(), key=lambda row: -row.id)
        rows = [row for row in newest if all(FILTERS[key](row, values) for key, values in query.items())]
        if syncs_only:
            rows = [row for row in rows if row.kind == "sync" and row.shown(netbox.now)["data"]]
        shown = rows[offset : offset + (limit or 50)]
        return {"count": len(rows), "next": None, "results": [row.shown(netbox.now) for row in shown]}

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        at = body.get("schedule_at")
        schedule_at = datetime.fromisoformat(at) if at else None
        if schedule_at and schedule_at <= self.netbox.now:
            return _told("not_created_in_the_past")
        like = Row(0, body["job_name"], "", sync_types=tuple(body["sync_types"]), interval=body.get("interval_value"))
        job_id = self.netbox.add(like, schedule_at)
        self.netbox.created.append(job_id)
        return _told("created", job_id=job_id)

    def _cancel(self, job_id: int) -> tuple[int, Any]:
        netbox, row = self.netbox, self.netbox.rows.get(job_id)
        if row is None:
            return _told("cancel_of_no_job")
        if row.kind != "sync" or not row.shown(netbox.now)["data"]:
            return _told("cancel_of_no_sync")
        if not row.active:
            return _told("cancelled_too_late", job_id=job_id, status=row.status)
        netbox.cancelled.append(job_id)
        if row.status == "running" and not row.killed:
            netbox.killed.append(job_id)
        netbox.rows[job_id] = replace(row, status="failed", cancelled=True, completed=netbox.now)
        return _told("cancelled", job_id=job_id)

    def _rq(self, words: list[str]) -> tuple[int, Any]:
        if not self.netbox.superuser:
            return _told("denied")
        if words[1] == "background-workers":
            return _told("workers") if self.netbox.works else _told("workers", count=0, results=[])
        row = next(row for row in self.netbox.rows.values() if row.shown(self.netbox.now)["job_id"] == words[2])
        task = "task_failed" if row.killed else TASKS[row.status]
        return _told(task, last_heartbeat=_iso(self.netbox.now))


def _told(name: str, **changes: Any) -> tuple[int, Any]:
    answer = recorded_answer(name, **changes)
    return answer.status, answer.body


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


FILTERS: dict[str, Callable[[Row, list[str]], bool]] = {
    "id": lambda row, values: str(row.id) in values,
    "name": lambda row, values: row.name in values,
    "status": lambda row, values: row.status in values,
    "sync_type": lambda row, values: bool({*row.sync_types} & {"all", *values}),
    "interval__empty": lambda row, values: (row.interval is None) is (values == ["true"]),
    "created__after": lambda row, values: row.created >= _time(values[0]),
    "scheduled__after": lambda row, values: bool(row.scheduled and row.scheduled >= _time(values[0])),
    "scheduled__before": lambda row, values: bool(row.scheduled and row.scheduled <= _time(values[0])),
    "started__after": lambda row, values: bool(row.started and row.started >= _time(values[0])),
    "completed__after": lambda row, values: bool(row.completed and row.completed >= _time(values[0])),
}
"""The filters of the lists of jobs in NetBox 4.7.3. NetBox ignores other filters, but the model raises an error."""

TASKS = {
    "scheduled": "task_scheduled",
    "pending": "task_queued",
    "running": "task_started",
    "completed": "task_finished",
    "errored": "task_finished",
    "failed": "task_failed",
}
"""The recorded RQ task of a job with each status."""


def controller(netbox: NetBox, **options: Any) -> Jobs:
    """Return the jobs of this NetBox, which the real session reads. ``options`` are those of ``Api``."""
    session = Session(Connection("http://netbox.example.com", "0" * 40))
    api = Api(netbox, **options)
    session._api._session.mount("http://", api)
    session._api._session.trust_env = False
    jobs = Jobs(session)
    jobs.api = api
    return jobs
