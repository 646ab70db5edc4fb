# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server on loopback in place of NetBox, for tests that need a fault or a list of all requests."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import Phase, settings

from ansible_collections.proxbox.proxbox.plugins.module_utils._job import Job
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session

# The session "mutants" tries the same few examples for each change of a file, and does not simplify a failure.
# A busy machine may need longer than hypothesis allows by default.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
settings.register_profile(
    "mutants", max_examples=20, phases=[Phase.explicit, Phase.generate], derandomize=True, deadline=None
)


@dataclass
class Answer:
    """The answer to one request. ``delay`` is in seconds. ``cut`` is the number of bytes of the body that are sent."""

    body: Any = ""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    cut: int | None = None
    hang_up: bool = False


DATE = {"Date": "Fri, 10 Apr 2026 10:00:00 GMT"}
"""The header with NetBox's time, for answers at a fixed time."""


def page(*rows: dict[str, Any]) -> Answer:
    """Return a list of NetBox with only one page."""
    return Answer({"count": len(rows), "next": None, "previous": None, "results": list(rows)}, headers=DATE)


class Script:
    """The answers, in order, and the requests that the server received. The last answer is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.ports: list[int] = []
        """The client's port of each request. Requests over the same connection have the same port."""

    @property
    def asked(self) -> list[str]:
        """The requests, with ``...`` in place of the long list of fields."""
        return [re.sub(r"fields=[^&]*(&limit=0$)?", "fields=...", text) for text in self.requests]

    def answer(self, *answers: Answer) -> Script:
        self.answers.extend(answers)
        return self


@pytest.fixture
def server() -> Iterator[Script]:
    with serving() as script:
        yield script


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    """Serve a script on loopback, with TLS if a context is given."""
    script: Script

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply()

        def do_OPTIONS(self) -> None:
            self.reply()

        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            script.requests.append(f"{self.command} {self.path}")
            body = self.rfile.read(length).decode()
            is_form = "form" in (self.headers.get("Content-Type") or "")
            script.bodies.append(parse_qs(body) if is_form else json.loads(body) if body else None)
            script.headers.append(dict(self.headers))
            script.ports.append(self.client_address[1])
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            time.sleep(answer.delay)
            if answer.hang_up:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            data = body.encode()
            self.send_response_only(answer.status)
            self.send_header("Date", answer.headers.get("Date") or self.date_time_string())
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(data)))
            for name, value in answer.headers.items():
                if name != "Date":
                    self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError, ssl.SSLError):  # the client has given up
                self.wfile.write(data[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        httpd.socket = tls.wrap_socket(httpd.socket, server_side=True)
    script = Script(f"{'https' if tls else 'http'}://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        httpd.shutdown()
        httpd.server_close()


RECORDED = Path(__file__).parent / "recorded"
"""Rows of NetBox's ``core.Job`` from real runs, by release of the plugin. tests/record wrote them.

``netbox`` has the rows of jobs that are not syncs, and ``answers`` has answers of NetBox.
"""

RELEASES = ("0.0.25", "0.0.29.post6")
"""The releases of the plugin that have recordings. They run on NetBox 4.7.0 and 4.7.3."""

LIKE = {
    "scheduled": "scheduled",
    "pending": "pending",
    "running": "running",
    "completed": "ok_all",
    "errored": "devices_500",
    "failed": "cancelled_running",
}
"""The name of the recorded row for a job with each status."""


_text = cache(partial(Path.read_text, encoding="utf-8"))


def recorded(scenario: str, release: str = "0.0.29.post6") -> dict[str, Any]:
    """Return a recorded row, or the recording that ``recorded_answer`` reads."""
    return json.loads(_text(RECORDED / release / f"{scenario}.json"))


def recorded_answer(name: str, release: str = "0.0.29.post6", **changes: Any) -> Answer:
    """Return a recorded answer of NetBox. ``changes`` are other values of its body, such as another id."""
    found = recorded(f"answers/{name}", release)
    headers = {**DATE, "Location": found["location"]} if found["location"] else DATE
    body = {**found["body"], **changes} if changes else found["body"]
    return Answer(body, found["status"], found["content_type"], headers=headers)


def recorded_rq(name: str, release: str = "0.0.29.post6") -> dict[str, Any]:
    """Return a recorded answer about RQ: of ``status``, of ``core/background-tasks``, or the first row of another list.

    ``worker`` was running ``task_started``. ``queue_without_scheduler`` was recorded while no worker ran a scheduler,
    because a worker was killed and another one was started at once.
    """
    lists = {"worker": "workers", "queue": "queues", "queue_without_scheduler": "queues_without_scheduler"}
    body = recorded_answer(lists.get(name, name), release).body
    # Syncs wait in the first queue, which is called "default".
    found: dict[str, Any] = body["results"][0] if name in lists else body
    return found


def make_row(
    number: int, /, name: str = "nightly", status: str = "scheduled", *, like: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Return a recorded row with this status, and with another id, name, scope and times.

    :param like: the recorded row to use instead. It keeps its own scope.
    """
    found = recorded(like or LIKE[status])
    del found["log_entries"]
    scope = {
        "sync_types": changes.pop("sync_types", None if like else ["all"]),
        "proxmox_endpoint_ids": changes.pop("proxmox_endpoint_ids", []),
        "netbox_endpoint_ids": changes.pop("netbox_endpoint_ids", []),
        "netbox_vm_ids": changes.pop("netbox_vm_ids", []),
    }
    found["data"]["proxbox_sync"]["params"].update({key: value for key, value in scope.items() if value is not None})
    return {
        **found,
        "id": number,
        "name": name,
        "created": "2026-03-31T12:00:00.000001Z",
        "scheduled": None,
        "interval": None,
        "started": found["started"] and "2026-04-10T09:30:00.000001Z",
        "completed": found["completed"] and "2026-04-10T09:30:40.000001Z",
        "job_id": "5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55",
        "user": {"id": 2, "username": "operator"},
        "display_url": f"http://netbox/core/jobs/{number}/",
        **changes,
    }


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """The function ``make_row``."""
    return make_row


FOREIGN = {key: recorded("netbox/script")[key] for key in ("data", "object_type")}
"""The values that show that a job is not a sync. This job is the run of a script."""

NO_SCOPE = recorded("starting", "0.0.25")["data"]
"""The data of a run that has just started in netbox-proxbox 0.0.25. It does not show the scope."""


def make_job(number: int = 1, /, status: str = "scheduled", *, dead: str | None = None, **changes: Any) -> Job:
    """Return the job of a row of ``make_row``. A change may be a time. ``dead`` is the reason why the job is dead."""
    changes = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in changes.items()}
    return Job.from_row(make_row(number, status=status, **changes))._replace(dead=dead)


@pytest.fixture
def jobs(server: Script) -> Jobs:
    """The jobs of ``server``."""
    return Jobs(Session(Connection(server.url, "0" * 40, timeout=5)))


NIGHTLY = {"scheduled": "2026-04-11T02:00:00Z", "interval": 1440}
"""The next run of a schedule that runs each night at two o'clock."""

ACTIVE = "GET /api/core/jobs/?name=nightly&status=scheduled&status=pending&status=running&fields=..."
ALL = "GET /api/core/jobs/?status=scheduled&status=pending&status=running&fields=..."
UNDER_WAY = "GET /api/core/jobs/?status=pending&status=running&fields=..."
NEWEST = "GET /api/core/jobs/?name=nightly&fields=...&limit=11"
NAMED = "GET /api/core/jobs/?name=nightly&fields=..."
RELEASE = "GET /api/status/"
CREATE = "POST /api/plugins/proxbox/sync/schedule/"
MAY_CANCEL = "OPTIONS /api/plugins/proxbox/jobs/0/cancel/"
TASK = "GET /api/core/background-tasks/5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55/"
WORKERS = "GET /api/core/background-workers/?limit=0"

RELEASED = recorded_answer("status")
DENIED = recorded_answer("denied")
CANCELS = recorded_answer("may_cancel")
"""The answer to ``MAY_CANCEL`` if the token may cancel jobs."""


def get(job_id: int) -> str:
    """Return the request for one job."""
    return f"GET /api/core/jobs/?id={job_id}&fields=..."


def cancel(job_id: int) -> str:
    """Return the request that cancels a job."""
    return f"POST /api/plugins/proxbox/jobs/{job_id}/cancel/"


def released(plugin: str | None, netbox: str = "4.7.3") -> Answer:
    """Return the answer to ``RELEASE`` with other releases."""
    plugins = {"netbox_proxbox": plugin} if plugin else {}
    return recorded_answer("status", plugins=plugins, **{"netbox-version": netbox})


NO_ROUTE = recorded_answer("no_route")
"""The answer to a request for a route that this release of the plugin does not have."""


def moved(location: str) -> Answer:
    """Return the answer of a web page that redirects to another location."""
    answer = recorded_answer("page_cancelled")
    answer.headers["Location"] = location
    return answer


def form(name: str = "login", release: str = "0.0.29.post6", *, token: str = "T0ken") -> Answer:
    """Return a recorded web page, with another token in its form."""
    answer = recorded_answer(name, release)
    answer.body = answer.body.replace("SECRET", token)
    return answer


def log_in(release: str = "0.0.29.post6") -> list[Answer]:
    """Return the answers to ``LOGGED_IN``."""
    preferences = form("preferences", release, token="session")
    return [form("login", release), recorded_answer("logged_in", release), preferences]


LOGIN = log_in()
LOGGED_IN = ["GET /login/", "POST /login/", "GET /user/preferences/"]


def created(job_id: int) -> Answer:
    return recorded_answer("created", job_id=job_id)


def created_without_id() -> Answer:
    answer = recorded_answer("created")
    del answer.body["job_id"]
    return answer


def cancelled(job_id: int) -> Answer:
    return recorded_answer("cancelled", job_id=job_id)


def too_late(job_id: int, status: str = "failed") -> Answer:
    """Return the answer to the cancellation of a job that has ended."""
    return recorded_answer("cancelled_too_late", job_id=job_id, status=status)


def status(job_id: int, value: str) -> Answer:
    """Return the answer to a request that reads only the status of a job."""
    row = make_row(job_id, status=value)
    return page({"id": row["id"], "status": row["status"]})


def task(status: str | None, heartbeat: str | None = None) -> Answer:
    """Return the answer about the RQ task of a job.

    :param status: None if the token may not read it, and ``lost`` if RQ does not have it.
    """
    if status is None:
        return DENIED
    if status == "lost":
        return recorded_answer("task_lost")
    return recorded_answer(f"task_{status}", last_heartbeat=heartbeat)
