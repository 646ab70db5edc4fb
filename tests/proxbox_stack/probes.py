# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors

"""Requests to servers on 127.0.0.1, and free ports. The proxy of the caller's shell is not used."""

from __future__ import annotations

import json
import random
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# The mock's certificate is self-signed.
_TLS = ssl.create_default_context()
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_TLS))


def call(method: str, url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
    """Send a JSON request, and return the JSON of the answer. Exceptions of ``urllib`` are not caught."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {**headers, "Content-Type": "application/json"}, method=method)
    with _OPENER.open(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def http_answers(url: str) -> bool:
    """Return whether a web server answers with any HTTP status below 500."""
    try:
        _OPENER.open(url, timeout=20).close()
    except urllib.error.HTTPError as exc:
        return exc.code < 500
    except OSError:
        return False
    return True


def valkey_answers(port: int) -> bool:
    """Return whether Valkey answers PING."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int, taken: set[int]) -> list[int]:
    """Return free ports. They are below the range from which the kernel takes ports for clients.

    A client could take one of the kernel's ports while its server is down.
    """
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        lowest = 32768
    span = range(lowest // 2, lowest) if lowest > 4096 else range(20000, 60000)
    found: list[int] = []
    for port in random.sample(span, len(span)):
        if port not in taken and port_is_free(port):
            found.append(port)
            if len(found) == count:
                break
    return found
