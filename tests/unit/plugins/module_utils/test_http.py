# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How requests are sent: TLS, proxies, certificates, time-outs and retries."""

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
from ansible_collections.proxbox.proxbox.tests.unit.conftest import Answer, Script

TOKEN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def plain() -> Iterator[Callable[[bytes | None], int]]:
    """Return a function that starts a server without TLS, which sends these bytes on each connection.

    With None, the server sends nothing, and waits for more bytes.
    """
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
def test_a_server_without_tls_is_recognized(
    plain: Callable[[bytes | None], int], monkeypatch: pytest.MonkeyPatch, answer: bytes | None, validate: bool
) -> None:
    """gunicorn waits for the rest of the request. nginx answers at once."""
    monkeypatch.setattr(_http, "HANDSHAKE_TIMEOUT", 0.2)
    began = time.monotonic()
    with pytest.raises(ProxboxError, match=r"does not use TLS .*should begin with http://") as caught:
        Session(Connection(f"https://127.0.0.1:{plain(answer)}", TOKEN, validate_certs=validate)).post("a/", {})
    assert time.monotonic() - began < 5
    assert caught.value.transient and not caught.value.outcome_unknown
    if answer is None:
        assert caught.value.detail == "no answer to TLS within 0.2 s"


def test_a_short_timeout_also_limits_the_tls_handshake(plain: Callable[[bytes | None], int]) -> None:
    began = time.monotonic()
    assert "does not use TLS" in str(failure(f"https://127.0.0.1:{plain(None)}", timeout=0.2))
    assert time.monotonic() - began < _http.HANDSHAKE_TIMEOUT


def test_the_outcome_is_unknown_if_tls_breaks_off_after_the_request() -> None:
    """The request may have arrived. With a wrong certificate, it was not sent."""

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
        "http://user:hunter2@127.0.0.1:0",
        "http://127.0.0.1:1/user:hunter2@",
        "http://127.0.0.1:1?user:hunter2@",
        "http://127.0.0.1:1/hunter2 hunter2",
        "http://user:hunter2@127.0.0.1:x",
        "foo://user:hunter2@127.0.0.1:1",
    ],
)
def test_an_invalid_proxy_is_an_error(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert str(failure("https://netbox.example.com")) == (
        "The proxy for netbox.example.com in the environment of the module is not a URL of the form "
        "http://proxy.example.com:3128: check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name the host in NO_PROXY. "
        "In a password, write special characters as %XX."
    )


@pytest.mark.parametrize("scheme", ["", "http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://"])
def test_a_valid_proxy_is_accepted(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}user:hunter2@proxy.example.com:3128")
    assert Session(Connection("https://netbox.example.com", TOKEN)).url == "https://netbox.example.com"


def test_an_invalid_proxy_that_is_not_used_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "foo://")
    monkeypatch.setenv("NO_PROXY", "netbox.example.com")
    assert Session(Connection("https://netbox.example.com", TOKEN)).url == "https://netbox.example.com"


@pytest.mark.parametrize("proxy", ["http://user:hunter2@127.0.0.1:1", "user:hunter2@127.0.0.1:1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_error_about_a_proxy_that_cannot_be_reached_has_no_secret(
    monkeypatch: pytest.MonkeyPatch, proxy: str, scheme: str
) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
    error = failure(f"{scheme}://netbox.example.com")
    assert "netbox.example.com" in str(error) and "proxy" in str(error).lower()
    assert "hunter2" not in f"{error}{error.failure}"


def test_requests_ca_bundle_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert "invalid path: /nowhere" in str(failure("https://127.0.0.1:1"))


class Clock:
    """A clock that moves only while the code sleeps. ``send`` returns ``answers`` one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: requests.Response | Exception) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        self.answers = list(answers)
        monkeypatch.setattr(_http.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(_http.time, "sleep", self.sleep)
        monkeypatch.setattr(_http, "RETRY_PAUSES", (0.25, 0.5))
        monkeypatch.setattr(_http.random, "uniform", lambda low, high: {(0.5, 1.5): 2}[low, high])

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def send(self) -> requests.Response:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(status: int = 200, body: bytes = b"{}", kind: str | None = "application/json") -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = body
    if kind:
        made.headers["Content-Type"] = kind
    return made


GOOD, BROKEN = answer(), requests.exceptions.ConnectionError("reset")


@pytest.mark.parametrize(
    ("first", "repeated"),
    [
        (answer(502), True),
        (answer(503), True),
        (answer(504), True),
        (BROKEN, True),
        (requests.exceptions.ChunkedEncodingError("cut"), True),
        (answer(body=b'{"count": 0, "resu'), True),
        (answer(), False),
        (answer(body=b"<html>", kind="text/html"), False),
        (answer(body=b"<html>", kind=None), False),
        (answer(201, b"{"), False),
        (answer(500, b"{"), False),
        (answer(501), False),
        (answer(505), False),
    ],
)
def test_which_requests_are_repeated(
    monkeypatch: pytest.MonkeyPatch, first: requests.Response | Exception, repeated: bool
) -> None:
    clock = Clock(monkeypatch, first, GOOD)
    assert _http._resend_if_broken(clock.send, 30) is (GOOD if repeated else first)
    assert clock.pauses == [0.5] * repeated


@pytest.mark.parametrize("error", [requests.exceptions.ReadTimeout("slow"), requests.exceptions.ProxyError("no")])
def test_time_outs_and_errors_of_a_proxy_are_not_repeated(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    clock = Clock(monkeypatch, error)
    with pytest.raises(type(error)):
        _http._resend_if_broken(clock.send, 30)
    assert clock.pauses == []


@pytest.mark.parametrize(
    ("patience", "pauses"), [(0.4, []), (0.5, [0.5]), (1.4, [0.5]), (1.5, [0.5, 1.0]), (30, [0.5, 1.0])]
)
@pytest.mark.parametrize("failure", [answer(502), BROKEN])
def test_how_often_a_request_is_repeated(
    monkeypatch: pytest.MonkeyPatch, failure: requests.Response | Exception, patience: float, pauses: list[float]
) -> None:
    clock = Clock(monkeypatch, *[failure] * 9)
    clock.now = 0
    if isinstance(failure, Exception):
        with pytest.raises(requests.exceptions.ConnectionError):
            _http._resend_if_broken(clock.send, patience)
    else:
        assert _http._resend_if_broken(clock.send, patience) is failure
    assert (clock.pauses, len(clock.answers)) == (pauses, 9 - 1 - len(pauses))


def test_requests_ask_for_english(server: Script) -> None:
    """The collection recognizes an error by its text, and NetBox may translate it (DEFAULT_LANGUAGE)."""
    server.answer(Answer({}))
    for headers in ({}, {"accept-language": "de"}):
        Session(Connection(server.url, TOKEN, headers=headers)).get("status/")
    assert [sent["Accept-Language"] for sent in server.headers] == ["en", "en"]


def test_cookies_of_the_user_are_sent(server: Script) -> None:
    server.answer(Answer({}))
    Session(Connection(server.url, TOKEN, headers={"Cookie": "gate=open=1; Secure;a=b"})).get("status/")
    assert server.headers[0]["Cookie"] == "gate=open=1; a=b"
    Session(Connection(server.url, TOKEN)).get("status/")
    assert "Cookie" not in server.headers[1]


def test_the_certificate_store_of_the_system_is_not_read_without_tls(
    server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "_system_trust", None)
    assert Session(Connection(server.answer(Answer({})).url, TOKEN)).get("status/") == {}
