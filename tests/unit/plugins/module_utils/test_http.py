# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How requests are sent: TLS, proxies, and the certificates and time-outs of both."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from urllib3.exceptions import MaxRetryError
from urllib3.exceptions import SSLError as UrllibSSLError

from ansible_collections.proxbox.proxbox.plugins.module_utils import _http
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._http_errors import is_broken_off, no_answer
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def plain() -> Iterator[Callable[[bytes | None], int]]:
    """Serve, without TLS, the same bytes to each connection after its first ones; None waits for more."""
    listeners = []

    def serve(answer: bytes | None) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            kept = []
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                connection.recv(100)
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in listeners:
        listener.close()


def failure(url: str, timeout: float = 30) -> ProxboxError:
    with pytest.raises(ProxboxError) as caught:
        Session(Connection(url, TOKEN, timeout=timeout)).get("status/")
    return caught.value


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>"])
@pytest.mark.parametrize("validate", [True, False])
def test_a_server_without_tls(
    plain: Callable[[bytes | None], int], monkeypatch: pytest.MonkeyPatch, answer: bytes | None, validate: bool
) -> None:
    """As gunicorn, which waits for the rest of a request, and as nginx, which answers at once."""
    monkeypatch.setattr(_http, "HANDSHAKE_TIMEOUT", 0.2)
    began = time.monotonic()
    with pytest.raises(ProxboxError, match=r"does not speak TLS .*should begin with http://") as caught:
        Session(Connection(f"https://127.0.0.1:{plain(answer)}", TOKEN, validate_certs=validate)).post("a/", {})
    assert time.monotonic() - began < 5
    assert caught.value.away and not caught.value.outcome_unknown


def test_tls_that_breaks_off_after_the_request() -> None:
    """The request may have arrived, unlike with a certificate that is wrong."""

    def wrapped(cause: ssl.SSLError) -> requests.exceptions.SSLError:
        return requests.exceptions.SSLError(MaxRetryError(None, "/", UrllibSSLError(cause)))

    broken = wrapped(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    wrong = wrapped(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    assert is_broken_off(broken) and not is_broken_off(wrong)
    assert no_answer(broken, "POST", "https://netbox/").outcome_unknown
    assert not no_answer(wrong, "POST", "https://netbox/").outcome_unknown


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:hunter2/hunter2@127.0.0.1:1",
        "http://user:12/hunter2@127.0.0.1:1",
        "http://user:hunter2#hunter2@127.0.0.1:1",
        "http://user:hunter2 hunter2@127.0.0.1:1",
        "http://user:hunter2@",
        "http://user:hunter2@127.0.0.1:x",
        "foo://user:hunter2@127.0.0.1:1",
    ],
)
def test_a_proxy_that_cannot_work(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    said = str(failure("https://netbox.example.com"))
    assert "names a proxy for netbox.example.com that is not a URL" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("proxy", ["http://user:hunter2@127.0.0.1:1", "user:hunter2@127.0.0.1:1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_away(monkeypatch: pytest.MonkeyPatch, proxy: str, scheme: str) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
    error = failure(f"{scheme}://netbox.example.com")
    assert "netbox.example.com" in str(error) and "proxy" in str(error).lower()
    assert "hunter2" not in f"{error}{error.failure}"


def test_a_bundle_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert "invalid path: /nowhere" in str(failure("https://127.0.0.1:1"))
