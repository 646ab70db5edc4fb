# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The stack on which recordings are made: its API, its web pages and its jobs."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from proxbox_stack import probes
from proxbox_stack.report import StackError
from proxbox_stack.stack import Stack

ENDED = ("completed", "failed", "errored")
PLUGIN = "plugins/proxbox"


class Missing(Exception):
    """This release of NetBox or of the plugin lacks something that the recording needs."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Browser:
    """Sends requests to NetBox, whose answers are recorded as they are. It keeps cookies, and follows no redirects."""

    def __init__(self, url: str) -> None:
        self._url = url
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect, cookies)

    def send(
        self, method: str, path: str, token: str = "", *, body: Any = None, form: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Send one request with JSON, with a form or with nothing, and return the answer."""
        headers = {"Authorization": f"{'Bearer' if '.' in token else 'Token'} {token}"} if token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        if form is not None:
            data = urlencode(form).encode()
            if "csrfmiddlewaretoken" not in form:
                # Django only compares the cookie with the header.
                headers |= {"X-CSRFToken": "x" * 32, "Cookie": f"csrftoken={'x' * 32}"}
        request = urllib.request.Request(f"{self._url}/{path}", data, headers, method=method)
        try:
            answer = self._opener.open(request, timeout=60)
        except urllib.error.HTTPError as exc:
            answer = exc
        with answer:
            text = answer.read().decode()
            content_type = answer.headers.get_content_type()
        # Leave out NetBox's menu, which makes a page ten times as long.
        page = re.sub(r"<aside.*?</aside>|(?<=\n)\s+", "", text, flags=re.DOTALL)
        return {
            "status": answer.status,
            "content_type": content_type,
            "location": answer.headers["Location"],
            "body": json.loads(text) if content_type == "application/json" else page,
        }


class Rig:
    """The stack, and its REST API as the superuser."""

    def __init__(self, name: str) -> None:
        self.stack = Stack(name)
        self.facts = self.stack.environment()
        self._log = Path(self.stack.status()["proxy"]["log"])
        self.superuser: str = self.facts["netbox_superuser_token"]

    def call(self, method: str, route: str, body: Any = None) -> Any:
        """Send a request, and return the answer.

        :raises Missing: if NetBox does not know the route, or does not accept the body.
        """
        headers = {"Authorization": f"Bearer {self.superuser}"}
        try:
            return probes.call(method, f"{self.facts['netbox_url']}/api/{route}", body, headers)
        except urllib.error.HTTPError as exc:
            kind = Missing if exc.code < 500 else StackError
            said = exc.read(300).decode(errors="replace") if exc.headers.get_content_subtype() == "json" else ""
            raise kind(f"{method} {route}: HTTP {exc.code} {said}".rstrip()) from None

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self.facts["netbox_url"])

    def job(self, job: int) -> dict[str, Any]:
        """Return the row of a job."""
        row: dict[str, Any] = self.call("GET", f"core/jobs/{job}/")
        return row

    def job_at_end(self, job: int, patience: float = 600) -> dict[str, Any]:
        """Wait until a job has ended, ``patience`` seconds at most, and return its row."""
        deadline = time.monotonic() + patience
        while True:
            row = self.job(job)
            if row["status"]["value"] in ENDED or time.monotonic() > deadline:
                return row
            time.sleep(1)

    def cancel(self, job: int) -> None:
        """Cancel a sync."""
        self.call("POST", f"{PLUGIN}/jobs/{job}/cancel/")

    def run_now(self, job: int) -> int:
        """Press "Run now" on the web page of a sync, and return the id of the copy."""
        answer = self.browser().send("POST", f"core/jobs/{job}/proxbox-run/", self.superuser, form={})
        copy = re.search(r"/core/jobs/(\d+)/$", answer["location"] or "")
        if not copy or int(copy[1]) == job:
            raise Missing(f'the page of a job has no "Run now" (HTTP {answer["status"]})')
        return int(copy[1])

    def endpoint(self, which: str) -> str:
        """Return the route of a Proxmox endpoint: ``lab`` or ``west``."""
        return f"{PLUGIN}/endpoints/proxmox/{self.id_of(which)}/"

    def id_of(self, which: str) -> int:
        """Return the id of a Proxmox endpoint: ``lab`` or ``west``."""
        found: int = self.facts["proxmox_endpoint_west_id" if which == "west" else "proxmox_endpoint_id"]
        return found

    def backend(self, method: str, route: str, key: str = "") -> Any:
        """Send a request to the backend itself, with NetBox's key or another, and return the answer."""
        headers = {"X-Proxbox-API-Key": key or self.facts["fastapi_token"]}
        return probes.call(method, f"{self.facts['fastapi_url']}/{route}", None, headers)

    def backend_id(self, which: str) -> int | None:
        """Return the backend's own id of a Proxmox endpoint; None until the endpoint was enabled for the first time."""
        port = self.call("GET", self.endpoint(which))["port"]
        return next((row["id"] for row in self.backend("GET", "proxmox/endpoints") if row["port"] == port), None)

    def redis(self, command: str) -> None:
        """Send one command to Redis."""
        with socket.create_connection(("127.0.0.1", self.stack.status()["valkey"]["port"]), timeout=5) as link:
            link.sendall(f"{command}\r\n".encode())
            said = link.recv(100)
        if not said.startswith(b"+OK"):
            raise StackError(f"Redis does not do {command}: {said.decode().strip()}")

    def log_size(self) -> int:
        """Return the size of the proxy's log in bytes."""
        return self._log.stat().st_size

    def wait_for_hang(self, since: int) -> None:
        """Wait until a request hangs that came after the first ``since`` bytes of the proxy's log."""
        deadline = time.monotonic() + 120
        while not re.search(rb" hang$", self._log.read_bytes()[since:], re.MULTILINE):
            if time.monotonic() > deadline:
                raise StackError("the sync did not come to the request that hangs: look at the log of its job.")
            time.sleep(0.2)


Recording = Callable[[Rig], Any]
"""Returns what is recorded, and leaves the stack in its old state."""
