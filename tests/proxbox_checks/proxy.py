# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""A reverse proxy on loopback between the collection and NetBox: it counts what passes, and does harm when asked."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HARMS = ("refused", "reset", "dropped", "bad gateway", "cut", "broken", "slow")
"""What may happen to a request.

``refused``: 502 before NetBox sees it; ``reset``: the connection ends before NetBox sees it; ``dropped``: NetBox has
acted, and the answer is lost; ``bad gateway``: NetBox has acted, and 502 is what the client hears; ``cut``: the answer
ends in the middle; ``broken``: half the JSON, whole by its length; ``slow``: the answer comes too late.
"""


@dataclass
class Proxy:
    """What has passed: ``GET /api/…`` and the harm done, for each request in order; and the bytes of the answers.

    ``harm`` names one of ``HARMS``, or None, for the request with this method and path.
    """

    url: str
    harm: Callable[[str, str], str | None] = lambda method, path: None
    late: float = 3.0
    requests: list[str] = field(default_factory=list)
    harms: list[str | None] = field(default_factory=list)
    received: int = 0


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """Serve ``upstream``, a plain HTTP URL without a path, on a free port of loopback."""
    target = urlsplit(upstream)
    state: Proxy

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.pass_on()

        def do_POST(self) -> None:
            self.pass_on()

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            harm = state.harm(self.command, self.path)
            state.requests.append(f"{self.command} {self.path}")
            state.harms.append(harm)
            if harm == "refused":
                return self.answer(502, b"<html>Bad Gateway</html>", [("Content-Type", "text/html")])
            if harm == "reset":
                return self.hang_up()
            status, headers, answer = self.ask(body)
            state.received += len(answer)
            if harm == "dropped":
                return self.hang_up()
            if harm == "bad gateway":
                return self.answer(502, b"<html>Bad Gateway</html>", [("Content-Type", "text/html")])
            if harm == "slow":
                time.sleep(state.late)
            if harm == "cut":
                return self.answer(status, answer[: len(answer) // 2], headers, length=len(answer))
            self.answer(status, answer[: len(answer) // 2] if harm == "broken" else answer, headers)

        def ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
            try:
                # With the Host it was asked by, so that NetBox's links lead through here as well.
                kept = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
                connection.request(self.command, self.path, body or None, kept)
                answer = connection.getresponse()
                left_out = ("connection", "content-length", "transfer-encoding", "server")
                headers = [(key, value) for key, value in answer.getheaders() if key.lower() not in left_out]
                return answer.status, headers, answer.read()
            finally:
                connection.close()

        def answer(
            self, status: int, body: bytes, headers: list[tuple[str, str]], *, length: int | None = None
        ) -> None:
            self.send_response_only(status)
            for key, value in headers:
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # a client that gave up waiting
            if length is not None and length != len(body):
                self.hang_up()

        def hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Proxy(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
