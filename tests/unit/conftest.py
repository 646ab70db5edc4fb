# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server on loopback that plays NetBox where a test needs a fault, or every request listed."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest


@dataclass
class Answer:
    """What the server says to one request. ``delay`` is in seconds; ``cut`` sends so many bytes of the body only."""

    body: Any = ""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    cut: int | None = None
    hang_up: bool = False


DATE = {"Date": "Fri, 10 Apr 2026 10:00:00 GMT"}
"""NetBox's clock, where a test tells it."""


def page(*rows: dict[str, Any]) -> Answer:
    """One page that is all there is."""
    return Answer({"count": len(rows), "next": None, "previous": None, "results": list(rows)}, headers=DATE)


class Script:
    """The answers to give, in order, and the requests that came. The last answer is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Answer] = []
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.ports: list[int] = []
        """The client's port of each request: requests over the same connection have the same one."""

    @property
    def asked(self) -> list[str]:
        """The requests, with the long list of fields cut short."""
        return [f"{text.partition('fields=')[0]}fields=..." if "fields=" in text else text for text in self.requests]

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
    yield script
    httpd.shutdown()
    httpd.server_close()


RECORDED = Path(__file__).parent / "recorded"
"""Rows of NetBox's ``core.Job`` as real runs left them, by the release of netbox-proxbox; tests/record makes them."""

LIKE = {
    "scheduled": "scheduled",
    "pending": "pending",
    "running": "running",
    "completed": "ok_all",
    "errored": "devices_500",
    "failed": "cancelled_running",
}
"""The recorded row that stands for a job of each status."""


def recorded(scenario: str, release: str = "0.0.29.post6") -> dict[str, Any]:
    """A recorded row."""
    return json.loads((RECORDED / release / f"{scenario}.json").read_text(encoding="utf-8"))


def recorded_rq(name: str) -> dict[str, Any]:
    """What NetBox 4.7.3 told of RQ: an answer of ``status`` or ``core/background-tasks``, or a row of another list.

    ``worker`` was busy with ``task_started``. ``queue_without_scheduler`` is of a minute after a worker was killed and
    another one was started at once.
    """
    rows: dict[str, Any] = json.loads((RECORDED.parent / "recorded_rq.json").read_text(encoding="utf-8"))
    return rows[name]


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Make a job row: a recorded one of that status, with another id, name, scope and times."""

    def make(job_id: int, name: str = "nightly", status: str = "scheduled", **changes: Any) -> dict[str, Any]:
        found = recorded(LIKE[status])
        del found["log_entries"]
        scope = {
            "sync_types": changes.pop("sync_types", ["all"]),
            "proxmox_endpoint_ids": changes.pop("proxmox_endpoint_ids", []),
            "netbox_endpoint_ids": changes.pop("netbox_endpoint_ids", []),
            "netbox_vm_ids": changes.pop("netbox_vm_ids", []),
        }
        found["data"]["proxbox_sync"]["params"].update(scope)
        return {
            **found,
            "id": job_id,
            "name": name,
            "created": "2026-03-31T12:00:00.000001Z",
            "scheduled": None,
            "interval": None,
            "started": found["started"] and "2026-04-10T09:30:00.000001Z",
            "completed": found["completed"] and "2026-04-10T09:30:40.000001Z",
            "job_id": "5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55",
            "user": {"id": 2, "username": "operator"},
            "display_url": f"http://netbox/core/jobs/{job_id}/",
            **changes,
        }

    return make
