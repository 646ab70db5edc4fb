# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy of the stack: it passes on requests and answers unchanged, and causes the faults that a test sets."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from proxbox_stack.proxy import Fault, Faults, Proxy, Reply, proxy


class Server(BaseHTTPRequestHandler):
    """Answers a PATCH with the request itself, and a GET with three chunks, each of which waits for ``go_on``."""

    protocol_version = "HTTP/1.1"
    go_on = threading.Semaphore(0)
    left_alone = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for text in (b"one", b"two", b"three"):
                self.go_on.acquire(timeout=10)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.left_alone.set()

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = json.dumps([self.command, self.path, self.headers["X-Mine"], body]).encode()
        self.send_response(409)
        self.send_header("X-Theirs", "yes")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def through() -> Iterator[Proxy]:
    Server.go_on = threading.Semaphore(0)
    Server.left_alone = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with proxy(f"http://127.0.0.1:{server.server_port}") as state:
            yield state
        server.shutdown()


def test_a_request_and_its_answer_are_not_changed(through: Proxy) -> None:
    request = urllib.request.Request(f"{through.url}/a%20b?c=d&c=e", b"body", {"X-Mine": "1"}, method="PATCH")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert (caught.value.code, caught.value.headers["X-Theirs"]) == (409, "yes")
    assert json.loads(caught.value.read()) == ["PATCH", "/a%20b?c=d&c=e", "1", "body"]
    assert (through.requests, through.harms) == (["PATCH /a%20b?c=d&c=e"], [None])


def test_a_stream_passes_chunk_by_chunk(through: Proxy) -> None:
    with urllib.request.urlopen(f"{through.url}/stream", timeout=10) as answer:
        for text in (b"one", b"two", b"three"):
            Server.go_on.release()
            assert answer.read1() == text
        assert answer.read() == b""
    assert through.received == len(b"onetwothree")


def test_a_stream_is_cut_after_its_first_chunk(through: Proxy) -> None:
    through.harm = lambda method, path: "cut"
    Server.go_on.release(3)
    with (
        urllib.request.urlopen(f"{through.url}/stream", timeout=10) as answer,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        answer.read()
    assert caught.value.partial == b"one"


def test_the_server_notices_that_the_client_has_disconnected(through: Proxy) -> None:
    urllib.request.urlopen(f"{through.url}/stream", timeout=10).close()
    time.sleep(1)
    Server.go_on.release(3)
    assert Server.left_alone.wait(10)


@pytest.mark.parametrize(("harm", "status", "header"), [("error", 500, None), ("limited", 429, "1")])
def test_the_proxy_answers_in_place_of_the_server(through: Proxy, harm: str, status: int, header: str | None) -> None:
    through.harm = lambda method, path: harm
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{through.url}/stream", timeout=10)
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (status, header)
    assert json.loads(caught.value.read())["detail"]


def test_a_request_hangs_until_the_fault_ends(through: Proxy) -> None:
    through.harm = lambda method, path: "hang"
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{through.url}/stream", timeout=1)
    threading.Timer(1, setattr, (through, "harm", lambda method, path: None)).start()
    with pytest.raises(http.client.RemoteDisconnected):
        urllib.request.urlopen(f"{through.url}/stream", timeout=10)


def test_the_first_fault_that_matches_is_used(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "faults.json")
    assert faults.harm("GET", "/backups/all?id=1") is None
    faults.add(Fault("backups", "id=2", "hang", None, ""))
    faults.add(Fault("backups/all", "", "status", 507, "full"))
    assert faults.harm("GET", "/backups/all?id=2") == "hang"
    assert faults.harm("GET", "/backups/all?id=1") == Reply.error(507, "full")
    assert faults.harm("GET", "/devices?of=backups") is None
    assert [str(fault) for fault in faults.read()] == ["backups ?id=2: hang", "backups/all: 507"]
    faults.clear()
    assert faults.read() == []
