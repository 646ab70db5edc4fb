# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""A reverse proxy on loopback: it counts what passes, and does harm when asked.

Tests put one between the collection and NetBox. A stack runs one as a program, between NetBox and proxbox-api.
"""

from __future__ import annotations

import argparse
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HARMS = ("refused", "reset", "dropped", "bad gateway", "cut", "broken", "slow")
"""What may happen to a request on a bad network.

``refused``: the client gets 502, and the server does not get the request; ``reset``: the connection ends before the
server gets the request; ``dropped``: the server acts, and its answer is lost; ``bad gateway``: the server acts, and the
client gets 502; ``cut``: the answer ends in the middle, a stream after its first chunk; ``broken``: the answer is half
of the JSON, with a fitting length; ``slow``: the answer comes too late.

Harm that is not of the network: ``error`` (500) and ``limited`` (429) are answers that the server itself might give,
but it does not get the request. ``hang``: there is no answer until the client gives up or the harm is over.
"""

DETAIL = "the stack was told to fail here"


@dataclass(frozen=True)
class Reply:
    """An answer that a client gets instead of the server's answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def error(cls, status: int, detail: str, *headers: tuple[str, str]) -> Reply:
        """Return an error in the form of a REST API."""
        return cls(status, json.dumps({"detail": detail}).encode(), (("Content-Type", "application/json"), *headers))


_BAD_GATEWAY = Reply(502, b"<html>Bad Gateway</html>", (("Content-Type", "text/html"),))
_INSTEAD = {
    "refused": _BAD_GATEWAY,
    "error": Reply.error(500, DETAIL),
    "limited": Reply.error(429, "Request was throttled. Expected available in 1 second.", ("Retry-After", "1")),
}


@dataclass
class Proxy:
    """The address of a proxy, what it does to requests, and what has passed through it.

    ``harm`` returns what is done to a request with a method and a path, or the reply to it; None means no harm.
    ``requests`` (such as ``GET /api/…``) and ``harms`` are in the order of the requests. ``received`` is the number of
    bytes of the answers.
    """

    url: str
    harm: Callable[[str, str], str | Reply | None] = lambda method, path: None
    log: Callable[[str], None] = lambda line: None
    late: float = 3.0
    requests: list[str] = field(default_factory=list)
    harms: list[str | Reply | None] = field(default_factory=list)
    received: int = 0


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """Serve ``upstream``, a plain HTTP URL without a path, on a free port of loopback."""
    with _Server(0, upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.state
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, upstream: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.upstream = urlsplit(upstream)
        self.state = Proxy(f"http://127.0.0.1:{self.server_port}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, http.client.HTTPException):
            # The client or the server has closed its connection, so close the other one too.
            self.hang_up()

    def serve(self) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        harm = state.harm(self.command, self.path)
        state.requests.append(f"{self.command} {self.path}")
        state.harms.append(harm)
        reply = harm if isinstance(harm, Reply) else _INSTEAD.get(harm or "")
        state.log(f"{self.command} {self.path} {reply.status if reply else harm or ''}".rstrip())
        if reply:
            return self.reply(reply)
        while harm == "hang" and not self.client_left() and state.harm(self.command, self.path) == harm:
            time.sleep(0.2)
        if harm in ("hang", "reset"):
            return self.hang_up()
        with self.asked(body) as answer:
            self.pass_on(answer, harm)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = serve

    @contextmanager
    def asked(self, body: bytes) -> Iterator[http.client.HTTPResponse]:
        """Yield the server's answer after its head has come."""
        connection = http.client.HTTPConnection(self.server.upstream.hostname, self.server.upstream.port)
        # Keep the Host of the request, so that NetBox's links lead through the proxy too.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():
            if key.lower() != "connection":
                connection.putheader(key, value)
        connection.endheaders(body or None)
        over = threading.Event()
        threading.Thread(target=self.watch, args=(connection.sock, over), daemon=True).start()
        try:
            yield connection.getresponse()
        finally:
            over.set()
            connection.close()

    def watch(self, server: socket.socket, over: threading.Event) -> None:
        """Close the connection to the server when the client closes its own, as without a proxy."""
        while not over.wait(0.5):
            if self.client_left():
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                return

    def pass_on(self, answer: http.client.HTTPResponse, harm: str | None) -> None:
        headers = [pair for pair in answer.getheaders() if pair[0].lower() not in ("connection", "transfer-encoding")]
        length = answer.getheader("Content-Length")
        has_body = self.command != "HEAD" and answer.status not in (204, 304)
        chunks = self.chunks(answer, (-1 if length is None else int(length)) if has_body else 0)
        if harm in ("dropped", "bad gateway", "broken"):
            body = b"".join(chunks)
            if harm == "dropped":
                return self.hang_up()
            rest = tuple(pair for pair in headers if pair[0].lower() != "content-length")
            broken = Reply(answer.status, body[: len(body) // 2], rest)
            return self.reply(broken if harm == "broken" else _BAD_GATEWAY)
        if harm == "slow":
            time.sleep(self.server.state.late)
        chunked = has_body and length is None
        self.head(answer.status, [*headers, ("Transfer-Encoding", "chunked")] if chunked else headers)
        left = int(length or 0) // 2
        for chunk in chunks:
            if harm == "cut" and length:
                chunk = chunk[:left]
                left -= len(chunk)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            if harm == "cut" and not left:
                return self.hang_up()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def chunks(self, answer: http.client.HTTPResponse, length: int) -> Iterator[bytes]:
        """Yield the body of the answer in pieces, as it comes. A ``length`` below zero means that it is not known."""
        while length and (chunk := answer.read1(65536)):
            self.server.state.received += len(chunk)
            length -= len(chunk)
            yield chunk
        if length > 0:
            raise http.client.IncompleteRead(b"", length)

    def reply(self, reply: Reply) -> None:
        self.head(reply.status, [*reply.headers, ("Content-Length", str(len(reply.body)))])
        self.wfile.write(reply.body)

    def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.send_response_only(status)
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()

    def client_left(self) -> bool:
        try:
            readable, _writable, _broken = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Fault:
    """What a stack does to each request whose path and query contain these texts."""

    path: str
    query: str
    harm: str
    """``status``, ``hang`` or ``cut``."""
    status: int | None
    detail: str

    def __str__(self) -> str:
        where = f"{self.path} ?{self.query}" if self.query else self.path
        return f"{where}: {self.status if self.harm == 'status' else self.harm}"

    def fits(self, path: str) -> bool:
        """Return whether the fault applies to a request for ``path``, which may end with a query."""
        before, _mark, query = path.partition("?")
        return self.path in before and self.query in query


class Faults:
    """The faults of a stack, in a file that its proxy reads for each request."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Fault]:
        """Return every fault, in the order in which they were added."""
        try:
            return [Fault(**row) for row in json.loads(self.path.read_text())]
        except FileNotFoundError:
            return []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps([asdict(each) for each in (*self.read(), fault)], indent=1))
        new.replace(self.path)

    def clear(self) -> None:
        """Remove all faults."""
        self.path.unlink(missing_ok=True)

    def harm(self, _method: str, path: str) -> str | Reply | None:
        """Return what a proxy does to a request, by the first fault that applies."""
        fault = next((fault for fault in self.read() if fault.fits(path)), None)
        if fault is None:
            return None
        return Reply.error(fault.status, fault.detail) if fault.harm == "status" else fault.harm


def main() -> None:
    """Run the proxy of a stack until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("upstream")
    parser.add_argument("faults", type=Path)
    args = parser.parse_args()
    with _Server(args.port, args.upstream) as server:
        server.state.harm = Faults(args.faults).harm
        server.state.log = lambda line: print(f"{datetime.now():%H:%M:%S.%f} {line}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
