# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session: what is sent, and one sentence for each failure, from a real server on loopback that plays faults."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _session
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import Answer, Script

V1 = "0123456789abcdef0123456789abcdef01234567"
V2 = "nbt_abcdef012345.0123456789abcdef0123456789abcdef01234567"
EMPTY = {"count": 0, "next": None, "previous": None, "results": []}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "RETRY_PAUSES", (0.01, 0.01))


def session(url: str, **options: object) -> Session:
    return Session(Connection(**{"url": url, "token": V1, "timeout": 5, **options}))


def sentence(url: str, **options: object) -> str:
    with pytest.raises(ProxboxError) as caught:
        list(session(url, **options).list("core/jobs/", {}))
    said = str(caught.value)
    assert V1 not in said and V2 not in said
    assert said.endswith("."), said
    return said


@pytest.mark.parametrize(("token", "scheme"), [(V1, f"Token {V1}"), (V2, f"Bearer {V2}"), (f" {V1}\n", f"Token {V1}")])
def test_both_kinds_of_token(server: Script, token: str, scheme: str) -> None:
    server.answer(Answer(EMPTY))
    assert list(session(server.url, token=token).list("core/jobs/", {})) == []
    assert server.headers[0]["authorization"] == scheme


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/"])
def test_the_address_as_users_write_it(server: Script, suffix: str) -> None:
    server.answer(Answer(EMPTY))
    list(session(server.url + suffix).list("core/jobs/", {"name": "a b", "status": ["scheduled", "running"]}))
    assert server.requests == ["GET /api/core/jobs/?name=a+b&status=scheduled&status=running&limit=0"]


def test_more_headers_and_the_servers_clock(server: Script) -> None:
    server.answer(Answer(EMPTY, headers={"Date": "Wed, 01 Apr 2026 02:00:00 GMT"}))
    one = session(server.url, headers={"X-Proxy-Key": "abc"})
    list(one.list("core/jobs/", {}))
    assert server.headers[0]["X-Proxy-Key"] == "abc"
    assert one.server_now is not None and one.server_now.utcoffset().total_seconds() == 0


def test_pages_are_read_one_after_the_other(server: Script) -> None:
    server.answer(
        Answer(
            {
                "count": 3,
                "next": f"{server.url}/api/core/jobs/?limit=2&offset=2",
                "previous": None,
                "results": [{"id": 3}, {"id": 2}],
            }
        ),
        Answer({"count": 3, "next": None, "previous": None, "results": [{"id": 1}]}),
    )
    assert [row["id"] for row in session(server.url).list("core/jobs/", {}, limit=2)] == [3, 2, 1]
    assert server.requests == ["GET /api/core/jobs/?limit=2", "GET /api/core/jobs/?limit=2&offset=2"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer({"detail": "Invalid v1 token"}, 403), "does not accept the token.*HTTP 403: Invalid v1 token"),
        (Answer({"detail": "Authentication credentials were not provided."}, 403), "does not accept the token"),
        (Answer({"detail": "You do not have permission to perform this action."}, 403), "lacks a permission"),
        (Answer("<html>Not Found</html>", 404, "text/html"), "nothing at this address .*HTTP 404"),
        (
            Answer({"errors": {"sync_types": {"0": ['"foo" is not a valid choice.']}}}, 400),
            '400: sync_types: "foo" is not',
        ),
        (Answer({"detail": "Request was throttled."}, 429), "limits the rate"),
        (Answer({"error": "boom", "exception": "KeyError"}, 500), "failed inside.*HTTP 500: KeyError"),
        (Answer("<html>Bad Gateway</html>", 502, "text/html"), "NetBox behind it does not.*HTTP 502"),
        (
            Answer("", 301, headers={"Location": "https://netbox.example.com/api/"}),
            "sends this request on to https://netbox.example",
        ),
        (Answer("", 302, headers={"Location": "/login/"}), "sends this request on to /login/"),
        (Answer("<html>Welcome</html>", 200, "text/html"), "not the JSON that NetBox's API gives"),
        (Answer({"hello": "world"}), "JSON, but not the kind that NetBox's API gives"),
        (Answer(["hello"]), "JSON, but not the kind that NetBox's API gives"),
        (Answer('{"count": 1, "results": [', 200), "not the JSON that NetBox's API gives"),
        (Answer(EMPTY, cut=10), "cannot be reached|failed"),
        (Answer(hang_up=True), "cannot be reached: .*closed connection"),
    ],
)
def test_each_refusal_is_one_sentence(server: Script, answer: Answer, says: str) -> None:
    server.answer(answer)
    said = sentence(server.url)
    assert re.search(says, said), said


def test_a_time_out(server: Script) -> None:
    server.answer(Answer(EMPTY, delay=0.6))
    assert "did not answer within the time-out" in sentence(server.url, timeout=0.2)
    assert len(server.requests) == 1, "a time-out has used up the patience already"


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert f"127.0.0.1:{port} cannot be reached: [Errno 111] Connection refused" in sentence(f"http://127.0.0.1:{port}")
    assert "cannot be reached: Failed to resolve" in sentence("http://no-such-host.invalid")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "netbox.example.com",
        "ftp://netbox",
        "https://",
        "http:///path",
        "http://[::1",
        "http://netbox:port",
        "http://n/?a",
    ],
)
def test_no_url(url: str) -> None:
    with pytest.raises(ProxboxError, match=r"netbox_url .* is not a URL"):
        session(url)


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(ProxboxError, match="user name or a password") as caught:
        session("https://admin:hunter2@netbox.example.com")
    assert "hunter2" not in str(caught.value) and caught.value.url is None


@pytest.mark.parametrize("token", ["", " ", "two words", "tokén", "{{ undefined }}", "a\nb"])
def test_no_token(token: str) -> None:
    with pytest.raises(ProxboxError, match="cannot be a NetBox API token") as caught:
        session("http://127.0.0.1", token=token)
    assert token.strip() == "" or token not in str(caught.value)


@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
def test_a_file_that_is_not_there(option: str) -> None:
    with pytest.raises(ProxboxError, match=f"{option} '/nowhere' does not exist"):
        session("https://127.0.0.1", **{option: "/nowhere"})


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    cert = tmp_path / "cert.pem"
    cert.touch()
    with pytest.raises(ProxboxError, match="client_key"):
        session("https://127.0.0.1", client_cert=str(cert), client_key="/nowhere")


def test_a_get_is_repeated_and_a_post_is_not(server: Script) -> None:
    server.answer(Answer(hang_up=True), Answer("bad", 502), Answer(EMPTY))
    assert list(session(server.url).list("core/jobs/", {})) == []
    assert len(server.requests) == 3
    server.answers[:] = [Answer(EMPTY, cut=10), Answer('{"count": 0, "resu'), Answer(EMPTY)]
    assert list(session(server.url).list("core/jobs/", {})) == []
    server.answers[:] = [Answer(hang_up=True), Answer({"ok": True})]
    assert session(server.url).post("plugins/proxbox/jobs/1/cancel/", {}, repeatable=True) == {"ok": True}
    server.requests.clear()
    server.answers[:] = [Answer(hang_up=True)]
    with pytest.raises(ProxboxError, match=r"\(POST "):
        session(server.url).post("plugins/proxbox/sync/schedule/", {"sync_types": ["all"]})
    assert server.requests == ["POST /api/plugins/proxbox/sync/schedule/"]


def test_a_redirected_post_is_not_followed(server: Script) -> None:
    server.answer(Answer("", 302, headers={"Location": f"{server.url}/elsewhere/"}), Answer({"job_id": 1}))
    with pytest.raises(ProxboxError, match="follows no redirects"):
        session(server.url).post("plugins/proxbox/sync/schedule/", {})
    assert len(server.requests) == 1


def test_the_library_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _session.library_problem("/usr/bin/python3", "3.13.0") is None
    assert "needs Python 3.12 or newer, and /usr/bin/python3 is 3.11.2: name a newer one" in (
        _session.library_problem("/usr/bin/python3", "3.11.2")
    )
    monkeypatch.setattr(_session.pynetbox, "__version__", "7.7.9")
    said = _session.library_problem("/usr/bin/python3", "3.13.0")
    assert "pynetbox 7.8.0 or newer" in said and "/usr/bin/python3 (Python 3.13.0) has 7.7.9" in said
    monkeypatch.setattr(_session, "IMPORT_ERROR", "No module named 'pynetbox'")
    assert "cannot import it: No module named 'pynetbox'" in _session.library_problem("/usr/bin/python3", "3.13.0")
