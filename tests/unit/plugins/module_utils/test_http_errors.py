# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole sentence for each way in which a request fails, and whether NetBox may have carried it out."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest
import requests
from pynetbox.core.query import AllocationError, ContentError, RequestError
from requests import exceptions
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as UrllibSSLError

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._http import NoTlsAnswer
from ansible_collections.proxbox.proxbox.plugins.module_utils._http_errors import (
    is_broken_off,
    no_answer,
    refused,
    root_cause,
    without_secrets,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import failures_explained, not_netbox

HOST = "netbox.example.com"
URL = f"https://{HOST}/api/core/jobs/"
WHERE = f"(POST {URL})"
NETBOX_FAILED = "NetBox had an internal error: check its log"
NETBOX_DOWN = "The web server answers but NetBox behind it does not: check that NetBox is running"
REFUSED = "NetBox refuses the request"
NO_JSON = (
    "The answer is not JSON of NetBox's API: netbox_url may point to another web server or a login page in "
    "front of NetBox"
)
NO_TOKEN = (
    "NetBox does not accept the token: check netbox_token, and whether it is enabled, has expired or is limited to "
    "other addresses"
)
SENT_ON = (
    "NetBox redirects this request to {}, and the module follows no redirects: set netbox_url to the address that "
    "NetBox has there"
)


def response(status: int, body: Any = "<html>", **headers: str) -> requests.Response:
    """Return an answer. A body that is not text becomes JSON."""
    made = requests.Response()
    made.status_code = status
    made._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    made.headers.update(headers)
    return made


def facts(error: ProxboxError, **more: Any) -> None:
    assert error.failure == {"url": URL, "method": "POST", "status": None, "detail": None, **more}


@pytest.mark.parametrize(
    ("answer", "meaning", "unknown"),
    [
        (response(200), NO_JSON, True),
        (response(299), NO_JSON, True),
        (response(300), SENT_ON.format("elsewhere"), False),
        (response(302, Location="/login/"), SENT_ON.format("/login/"), False),
        (response(399), SENT_ON.format("elsewhere"), False),
        (response(301, Location=f"https://u:pw@{HOST}/api/?a=b#c"), SENT_ON.format(f"https://{HOST}/api/"), False),
        (response(400), REFUSED, False),
        (response(401), NO_TOKEN, False),
        (response(403), NO_TOKEN, False),
        (response(402), REFUSED, False),
        (response(404), "NetBox has nothing at this address", False),
        (response(418), REFUSED, False),
        (
            response(429),
            "NetBox, or a proxy in front of it, limits the rate of requests: try again later",
            False,
        ),
        (response(499), REFUSED, False),
        (response(500), NETBOX_FAILED, False),
        (response(501), NETBOX_FAILED, False),
        (response(502), NETBOX_DOWN, True),
        (response(503), NETBOX_DOWN, True),
        (response(504), NETBOX_DOWN, True),
    ],
)
def test_the_sentence_for_each_status(answer: requests.Response, meaning: str, unknown: bool) -> None:
    error = refused(answer, "POST", URL)
    assert str(error) == f"{meaning} (POST {URL} answered HTTP {answer.status_code})."
    assert error.outcome_unknown is unknown
    facts(error, status=answer.status_code)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": "Not found."}, "Not found"),
        ({"detail": "a", "errors": "b", "exception": "c", "error": "d"}, "a"),
        ({"errors": "b", "exception": "c", "error": "d"}, "b"),
        ({"exception": "c", "error": "d"}, "c: d"),
        ({"error": "d", "other": "e"}, "d"),
        ({"other": "e"}, "other: e"),
        ({"errors": {"sync_types": {"0": ["No choice.", "Twice."]}}}, "sync_types: No choice; sync_types: Twice"),
        ({"errors": {"X": {"b": "c."}, "d": ["X."]}}, "X.b: c; d: X"),
        ({"errors": {"a": None, "b": "", "c": 0, "d": []}}, "c: 0"),
        (["a.", {"b": "c"}], "a; b: c"),
        ("5", "5"),
        ({"detail": ""}, "detail: "),
        ({}, None),
        ([], None),
        ("null", None),
        ('"..."', None),
        ("<html>", None),
    ],
)
def test_the_error_quotes_the_answer_of_the_server(body: Any, detail: str | None) -> None:
    error = refused(response(400, body), "POST", URL)
    detail = None if detail == "detail: " else detail
    assert error.detail == detail
    assert str(error) == f"{REFUSED} (POST {URL} answered HTTP 400{f': {detail}' if detail else ''})."


@pytest.mark.parametrize("status", [401, 403])
def test_the_sentence_for_a_missing_permission(status: int) -> None:
    error = refused(response(status, {"detail": "No Permission."}), "POST", URL)
    assert str(error) == (
        f"The token's user lacks a permission for this (POST {URL} answered HTTP {status}: No Permission)."
    )


def test_the_sentence_for_json_of_another_service() -> None:
    error = not_netbox("POST", URL)
    assert str(error) == (
        f"The answer is JSON, but not that of NetBox's API: netbox_url may point to another service {WHERE}."
    )
    facts(error, status=200)
    assert error.outcome_unknown and not error.transient and not not_netbox("GET", URL).outcome_unknown


def over_tls(cause: Exception) -> exceptions.SSLError:
    """Wrap an error of TLS as requests and urllib3 do."""
    return exceptions.SSLError(MaxRetryError(None, "/", UrllibSSLError(cause)))  # type: ignore[arg-type]


def openssl(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] text")
    error.reason = reason
    return error


CONNECTION = HTTPConnection("127.0.0.1", 443)
NEW_CONNECTION = NewConnectionError(CONNECTION, "Failed to establish a new connection: [Errno 111] Connection refused")
NO_TLS = (
    f"{HOST} accepted the connection but does not use TLS {WHERE}. Check whether netbox_url should begin with http://, "
    "and its port."
)
BAD_TLS = (
    f"The TLS connection to {HOST} failed: {{}} {WHERE}. If its certificate comes from a private CA, name the CA's "
    "bundle with ca_path or install it in the system's store."
)
UNREACHABLE = f"{HOST} cannot be reached: {{}} {WHERE}. Check netbox_url, and that NetBox is running."
FAILED = f"The request to {HOST} failed: {{}} {WHERE}."
PROXY = f"The proxy between this host and {HOST} refused: {{}} {WHERE}. Check HTTPS_PROXY and NO_PROXY."


@pytest.mark.parametrize(
    ("exc", "says", "reason", "unknown", "broken"),
    [
        (
            over_tls(NoTlsAnswer(110, "no answer to TLS within 5 s")),
            NO_TLS,
            "no answer to TLS within 5 s",
            False,
            False,
        ),
        *(
            (over_tls(openssl(reason)), NO_TLS, f"[SSL: {reason}] text", False, False)
            for reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
        ),
        (over_tls(ssl.SSLError(1, "bad  chain\nto X.")), BAD_TLS, "bad chain to X", False, False),
        (over_tls(ssl.SSLEOFError(8, "EOF")), BAD_TLS, "EOF", True, True),
        (
            exceptions.ProxyError(MaxRetryError(None, "/", OSError("to user:pw@proxy"))),
            PROXY,
            "to ***@proxy",
            False,
            False,
        ),
        (
            exceptions.ConnectTimeout("slow"),
            f"{HOST} did not accept the connection within the time-out {WHERE}. Check netbox_url and the network, or "
            "raise timeout.",
            "slow",
            False,
            False,
        ),
        (
            exceptions.ReadTimeout("slow"),
            f"{HOST} received the request but did not answer within the time-out {WHERE}. Raise timeout, or check "
            "the load of NetBox.",
            "slow",
            True,
            False,
        ),
        (
            exceptions.ConnectionError(MaxRetryError(None, "/", NEW_CONNECTION)),
            UNREACHABLE,
            "[Errno 111] Connection refused",
            False,
            True,
        ),
        (exceptions.ConnectionError("Failed to resolve 'x'"), UNREACHABLE, "Failed to resolve 'x'", True, False),
        (
            exceptions.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))),
            UNREACHABLE,
            "('Connection aborted.', ConnectionResetError(104, 'reset'))",
            True,
            True,
        ),
        (exceptions.ChunkedEncodingError("cut"), FAILED, "cut", True, True),
        (exceptions.InvalidURL("no"), FAILED, "no", True, False),
        (ValueError("no"), FAILED, "no", True, False),
        (HTTPError("no"), FAILED, "no", True, False),
    ],
)
def test_the_sentence_for_a_request_without_an_answer(
    exc: Exception, says: str, reason: str, unknown: bool, broken: bool
) -> None:
    error = no_answer(exc, "POST", URL)
    assert str(error) == says.format(reason)
    assert error.outcome_unknown is unknown
    assert is_broken_off(exc) is broken
    facts(error, detail=reason)


def test_the_root_cause_is_the_innermost_exception() -> None:
    bottom = OSError("x")
    exc: Exception = bottom
    for _depth in range(8):
        exc = HTTPError(exc)
    assert root_cause(exc) is bottom
    assert root_cause(HTTPError(exc)) is not bottom, "the search has a limit"
    assert root_cause(HTTPError()).args == ()


@pytest.mark.parametrize("kind", [RequestError, ContentError, AllocationError])
def test_an_error_of_pynetbox_is_explained(kind: Any) -> None:
    answer = response(404)
    answer.request = requests.Request("POST", URL).prepare()
    answer.url = URL
    with pytest.raises(ProxboxError) as caught, failures_explained("POST", URL):
        raise kind(answer)
    assert str(caught.value) == f"NetBox has nothing at this address (POST {URL} answered HTTP 404)."
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("exc", [exceptions.InvalidURL("no"), HTTPError("no"), OSError("no"), ValueError("no")])
def test_an_error_of_requests_is_explained(exc: Exception) -> None:
    with pytest.raises(ProxboxError) as caught, failures_explained("POST", URL):
        raise exc
    assert str(caught.value) == FAILED.format("no")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:pw@sso.example.com/in?state=s3cret", "https://sso.example.com/in"),
        ("/login/#s3cret", "/login/"),
        ("//pw@sso/a@b", "//sso/a@b"),
        ("https://sso/in", "https://sso/in"),
    ],
)
def test_secrets_are_removed_from_a_url(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
