# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session: its requests, and one sentence for each failure. A real server on loopback causes the faults."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils import _http
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import FRUITLESS_PAGES, Connection, Page, Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    CANCELS,
    DATE,
    DENIED,
    MAY_CANCEL,
    Answer,
    Script,
    recorded_answer,
    recorded_rq,
)

V1 = "0123456789abcdef0123456789abcdef01234567"
V2 = "nbt_abcdef012345.0123456789abcdef0123456789abcdef01234567"
EMPTY = {"count": 0, "next": None, "previous": None, "results": []}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "RETRY_PAUSES", (0.01, 0.01))


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
def test_each_version_of_token_has_its_scheme(server: Script, token: str, scheme: str) -> None:
    server.answer(Answer(EMPTY))
    assert list(session(server.url, token=token).list("core/jobs/", {})) == []
    assert server.headers[0]["authorization"] == scheme


@pytest.mark.parametrize("suffix", ["", "/", "/api", "/api/"])
def test_netbox_url_may_end_in_a_slash_or_in_api(server: Script, suffix: str) -> None:
    server.answer(Answer(EMPTY))
    list(session(server.url + suffix).list("core/jobs/", {"name": "a b", "status": ["scheduled", "running"]}))
    assert server.requests == ["GET /api/core/jobs/?name=a+b&status=scheduled&status=running&limit=0"]


def test_headers_of_the_user_are_sent(server: Script) -> None:
    server.answer(Answer(EMPTY))
    list(
        session(server.url, headers={"X-Proxy-Key": "abc\n", "X-Shard": 1, "Cookie": "gate=open; path=/"}).list(
            "a/", {}
        )
    )
    sent = server.headers[0]
    assert (sent["X-Proxy-Key"], sent["X-Shard"], sent["Cookie"]) == ("abc", "1", "gate=open; path=/")


@pytest.mark.parametrize(
    "date", ["Wed, 01 Apr 2026 02:00:00 GMT", "Wed, 01 Apr 2026 02:00:00 -0000", "Wed, 01 Apr 2026 04:00:00 +0200"]
)
def test_the_time_of_the_server_is_read(server: Script, date: str) -> None:
    server.answer(Answer(EMPTY, headers={"Date": date}))
    one = session(server.url)
    with pytest.raises(RuntimeError):
        assert one.server_now
    list(one.list("core/jobs/", {}))
    assert one.server_now.isoformat() == "2026-04-01T02:00:00+00:00"


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time zone of the host that runs the module."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize("date", ["Wed, 01 Apr 2026 02:00:00 GMT", "Wed, 01 Apr 2026 02:00:00 -0000"])
def test_the_time_zone_of_the_host_does_not_change_the_time_of_the_server(server: Script, date: str) -> None:
    server.answer(Answer(EMPTY, headers={"Date": date}))
    one = session(server.url)
    list(one.list("core/jobs/", {}))
    assert one.server_now.isoformat() == "2026-04-01T02:00:00+00:00"


@pytest.mark.parametrize("date", ["yesterday", "Fri, 31 Dec 9999 23:00:00 -2300", "Wed, 99 Apr 2026 02:00:00 GMT"])
def test_the_time_of_the_host_replaces_an_invalid_time_of_the_server(server: Script, date: str) -> None:
    server.answer(Answer(EMPTY, headers={"Date": date}))
    one = session(server.url)
    list(one.list("core/jobs/", {}))
    assert abs(one.server_now - datetime.now(UTC)) < timedelta(seconds=60)


def rows(*ids: int, count: int, following: str | None = "http://elsewhere.invalid/api/core/jobs/?offset=2") -> Answer:
    return Answer({"count": count, "next": following, "previous": None, "results": [{"id": row_id} for row_id in ids]})


def test_pages_are_read_at_netbox_url(server: Script) -> None:
    server.answer(rows(3, 2, count=3), rows(2, 1, count=3, following=None))
    assert [row["id"] for row in session(server.url).list("core/jobs/", {"name": "a"}, limit=2)] == [3, 2, 1]
    assert server.requests == [
        "GET /api/core/jobs/?name=a&limit=2",
        "GET /api/core/jobs/?name=a&limit=3&offset=1",
    ]


def test_the_server_may_send_smaller_pages(server: Script) -> None:
    server.answer(rows(4, 3, count=4), rows(3, 2, count=4), rows(2, 1, count=4))
    assert [row["id"] for row in session(server.url).list("core/jobs/", {})] == [4, 3, 2, 1]
    offsets = [text.partition("?")[2] for text in server.requests]
    assert offsets == ["limit=0", "limit=0&offset=1", "limit=0&offset=2"]


def test_a_page_is_read_only_when_it_is_needed(server: Script) -> None:
    server.answer(rows(3, 2, count=3))
    assert [row["id"] for row in islice(session(server.url).list("core/jobs/", {}, limit=2), 2)] == [3, 2]
    assert len(server.requests) == 1


def test_a_row_that_is_added_between_two_pages_is_not_returned_twice(server: Script) -> None:
    server.answer(rows(3, 2, count=4), rows(3, 2, 1, count=5), rows(1, 0, count=5))
    assert [row["id"] for row in session(server.url).list("core/jobs/", {}, limit=2)] == [3, 2, 1, 0]


def test_no_row_is_missed_if_a_row_is_deleted_between_two_pages(server: Script) -> None:
    server.answer(rows(4, 3, count=4), rows(1, count=3), rows(4, 2, 1, count=3))
    assert [row["id"] for row in session(server.url).list("core/jobs/", {}, limit=2)] == [4, 3, 2, 1]
    assert server.requests[-1].endswith("?limit=3&offset=0")


def test_pages_with_one_row_are_read(server: Script) -> None:
    server.answer(rows(2, count=2), rows(2, 1, count=2))
    assert [row["id"] for row in session(server.url).list("core/jobs/", {}, limit=1)] == [2, 1]
    assert server.requests[-1].endswith("?limit=2&offset=0")


def test_rows_without_an_id_are_distinguished_by_their_names(server: Script) -> None:
    """RQ's workers and queues have no id."""
    worker = recorded_rq("worker")
    a, b, c = ({**worker, "name": name} for name in "abc")
    server.answer(
        Answer({"count": 3, "next": None, "previous": None, "results": [a, b]}),
        Answer({"count": 3, "next": None, "previous": None, "results": [b, c]}),
    )
    assert list(session(server.url).list("core/background-workers/", {})) == [a, b, c]


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["head", "middle", "gone"]), st.integers(0, 30)), max_size=4), max_size=15
    ),
    st.integers(0, 25),
    st.integers(1, 6),
)
def test_a_row_that_stays_is_returned_once_whatever_is_added_or_deleted(
    changes: list[list[tuple[str, int]]], length: int, size: int
) -> None:
    present = list(range(length * 100, 0, -100))
    stayed = set(present)
    following = iter(changes)
    one = session("http://127.0.0.1")

    def a_page(_route: str, params: Mapping[str, Any]) -> tuple[list[dict[str, int]], int]:
        begin = params.get("offset", 0)
        answer = [{"id": row_id} for row_id in present[begin : begin + params["limit"]]], len(present)
        for what, where in next(following, []):
            if what == "gone" and present:
                stayed.discard(present.pop(where % len(present)))
            elif what != "gone":
                new = present[0] + 100 if what == "head" and present else where * 100 + 50
                present[:] = sorted({*present, new}, reverse=True)
                stayed.discard(new)
        return answer

    with mock.patch.object(one, "_page_of_rows", a_page):
        read = [row["id"] for row in one.list("core/jobs/", {}, limit=size)]
    assert len(read) == len(set(read))
    assert stayed <= set(read)


def test_a_server_that_always_returns_the_same_page_is_an_error(server: Script) -> None:
    server.answer(rows(3, 2, count=9999))
    assert "changes faster than it can be read" in sentence(server.url)
    assert len(server.requests) == 1 + FRUITLESS_PAGES


def test_a_server_that_always_returns_other_rows_is_an_error(server: Script) -> None:
    """If a page has no known row, the session reads the previous page again, but not endlessly."""
    known = 2 * FRUITLESS_PAGES
    server.answer(*(rows(row_id, row_id - 1, count=9999) for row_id in range(9999, 9999 - known, -1)))
    server.answer(*(rows(row_id, row_id - 1, count=9999) for row_id in range(2, 200, 2)))
    with pytest.raises(ProxboxError, match="changes faster than it can be read") as caught:
        list(session(server.url).list("core/jobs/", {}))
    assert len(server.requests) == known + FRUITLESS_PAGES
    assert caught.value.failure == {
        "url": f"{server.url}/api/core/jobs/", "method": "GET", "status": 200, "detail": None,
    }  # fmt: skip


Call = Callable[[Session], object]
CALLS: list[tuple[str, str, Call]] = [
    ("GET", "api/core/jobs/", lambda one: list(one.list("core/jobs/", {}))),
    ("GET", "api/status/", lambda one: one.get("status/")),
    ("OPTIONS", "api/a/", lambda one: one.options("a/")),
    ("POST", "api/a/", lambda one: one.post("a/", {})),
    ("POST", "api/a/", lambda one: one.post("a/", {}, repeatable=True)),
    ("GET", "login/", lambda one: one.page("GET", "login/")),
    ("POST", "login/", lambda one: one.page("POST", "login/", {})),
    ("POST", "core/jobs/1/proxbox-cancel/", lambda one: one.page("POST", "core/jobs/1/proxbox-cancel/", token=True)),
]


FAILURES = [(*call, answer) for call in CALLS for answer in (Answer({"detail": "boom"}, 500), Answer(hang_up=True))]
FAILURES += [(*call, Answer("5")) for call in CALLS if call[1].startswith("api/") and call[0] != "OPTIONS"]
FAILURES += [(*CALLS[0], Answer({"count": 1, "results": 5})), (*CALLS[0], Answer({"count": None, "results": []}))]


@pytest.mark.parametrize(("method", "path", "call", "answer"), FAILURES)
def test_a_failure_names_its_request(server: Script, method: str, path: str, call: Call, answer: Answer) -> None:
    server.answer(answer)
    with pytest.raises(ProxboxError, match=rf"\({method} {server.url}/{path}[ )]") as caught:
        call(session(server.url))
    failure = caught.value.failure
    assert (failure["method"], failure["url"]) == (method, f"{server.url}/{path}")
    assert {text.partition("?")[0] for text in server.requests} == {f"{method} /{path}"}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (recorded_answer("wrong_token_v1"), "does not accept the token.*HTTP 403: Invalid v1 token"),
        (recorded_answer("no_token"), "does not accept the token"),
        (recorded_answer("denied"), "lacks a permission"),
        (Answer("<html>Not Found</html>", 404, "text/html"), "nothing at this address .*HTTP 404"),
        (
            recorded_answer("not_created"),
            '400: sync_types: "foo" is not',
        ),
        (Answer({"detail": "Request was throttled."}, 429), "limits the rate"),
        (Answer({"error": "boom", "exception": "KeyError"}, 500), "had an internal error.*HTTP 500: KeyError"),
        (Answer("<html>Bad Gateway</html>", 502, "text/html"), "NetBox behind it does not.*HTTP 502"),
        (
            Answer("", 301, headers={"Location": "https://netbox.example.com/api/"}),
            "redirects this request to https://netbox.example",
        ),
        (Answer("", 302, headers={"Location": "/login/"}), "redirects this request to /login/"),
        (Answer("<html>Welcome</html>", 200, "text/html"), "not JSON of NetBox's API"),
        (Answer({"hello": "world"}), "JSON, but not that of NetBox's API"),
        (Answer(["hello"]), "JSON, but not that of NetBox's API"),
        (Answer("null"), "JSON, but not that of NetBox's API"),
        (Answer("5"), "JSON, but not that of NetBox's API"),
        (Answer({"results": []}), "JSON, but not that of NetBox's API"),
        (Answer({"count": None, "results": []}), "JSON, but not that of NetBox's API"),
        (Answer({"count": 1}), "JSON, but not that of NetBox's API"),
        (Answer({"count": 1, "results": 5}), "JSON, but not that of NetBox's API"),
        (Answer({"count": 1, "results": [{"id": None}]}), "JSON, but not that of NetBox's API"),
        (
            Answer("", 302, headers={"Location": "https://u:pw@sso/in?state=s3cret"}),
            "redirects this request to https://sso/in,",
        ),
        (Answer("", 302, headers={"Location": "http://[x"}), "failed: Invalid IPv6 URL"),
        (Answer('{"count": 1, "results": [', 200), "not JSON of NetBox's API"),
        (Answer(EMPTY, cut=10), "cannot be reached|failed"),
        (Answer(hang_up=True), "cannot be reached: .*closed connection"),
    ],
)
def test_each_refusal_is_one_sentence(server: Script, answer: Answer, says: str) -> None:
    server.answer(answer)
    said = sentence(server.url)
    assert re.search(says, said), said


def test_a_request_that_timed_out_is_not_repeated(server: Script) -> None:
    server.answer(Answer(EMPTY, delay=0.6))
    assert "did not answer within the time-out" in sentence(server.url, timeout=0.2)
    assert len(server.requests) == 1, "a request that timed out is not repeated"


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert f"127.0.0.1:{port} cannot be reached: [Errno 111] Connection refused" in sentence(f"http://127.0.0.1:{port}")
    assert "cannot be reached: Failed to resolve" in sentence("http://no-such-host.invalid")


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


def test_a_post_that_is_not_repeated_uses_a_new_connection(server: Script) -> None:
    """The server may close an idle connection. Then it is not known whether the request arrived."""
    one = session(server.url)
    server.answer(Answer(EMPTY), Answer(EMPTY), Answer({"ok": True}))
    list(one.list("core/jobs/", {}))
    list(one.list("core/jobs/", {}))
    one.post("plugins/proxbox/sync/schedule/", {"sync_types": ["all"], "interval_value": 60})
    first, second, third = server.ports
    assert first == second != third
    assert server.bodies[2] == {"sync_types": ["all"], "interval_value": 60}


@pytest.mark.parametrize(("token", "scheme"), [(V1, f"Token {V1}"), (V2, f"Bearer {V2}")])
def test_options_sends_the_token_and_is_repeated(server: Script, token: str, scheme: str) -> None:
    server.answer(Answer(hang_up=True), CANCELS)
    one = session(server.url, token=token)
    one.options("plugins/proxbox/jobs/0/cancel/")
    assert server.requests == [MAY_CANCEL] * 2
    assert (server.headers[1]["Authorization"], server.headers[1]["Accept"]) == (scheme, "application/json")
    assert format_datetime(one.server_now, usegmt=True) == DATE["Date"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (DENIED, "lacks a permission"),
        (Answer("", 302, headers={"Location": "/login/"}), "redirects this request to /login/"),
        (Answer("", 300), "HTTP 300"),
    ],
)
def test_an_options_request_that_is_refused_is_an_error(server: Script, answer: Answer, says: str) -> None:
    server.answer(answer)
    with pytest.raises(ProxboxError, match=says):
        session(server.url).options("plugins/proxbox/jobs/0/cancel/")


@pytest.mark.parametrize("token", [False, True])
def test_the_request_for_a_web_page_is_repeated_if_it_is_a_get(server: Script, token: bool) -> None:
    server.answer(Answer(hang_up=True), Answer("<form>", content_type="text/html"))
    assert session(server.url).page("GET", "login/", token=token).text == "<form>"
    server.answers[:] = [Answer(hang_up=True), Answer("<form>", content_type="text/html")]
    with pytest.raises(ProxboxError) as caught:
        session(server.url).page("POST", "login/", {}, token=token)
    assert caught.value.outcome_unknown
    assert server.requests == ["GET /login/", "GET /login/", "POST /login/"]


def test_a_redirected_post_is_not_followed(server: Script) -> None:
    server.answer(Answer("", 302, headers={"Location": f"{server.url}/elsewhere/"}), Answer({"job_id": 1}))
    with pytest.raises(ProxboxError, match="follows no redirects"):
        session(server.url).post("plugins/proxbox/sync/schedule/", {})
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["null", "5", '"text"', "[]"])
def test_an_answer_that_is_not_an_object_is_an_error(server: Script, body: str) -> None:
    server.answer(Answer(body))
    for method, call in (("GET", lambda one: one.get("status/")), ("POST", lambda one: one.post("status/", {}))):
        with pytest.raises(ProxboxError) as caught:
            call(session(server.url))
        assert str(caught.value) == (
            "The answer is JSON, but not that of NetBox's API: netbox_url may point to another service "
            f"({method} {server.url}/api/status/)."
        )
        assert caught.value.status == 200
        assert caught.value.outcome_unknown is (method == "POST"), "a job may have been created"


def test_repeatable_applies_to_one_post_only(server: Script) -> None:
    """Each call decides whether its POST is repeated. This has no effect on the next call."""
    one = session(server.url)
    server.answer(Answer(hang_up=True), Answer({"ok": True}))
    one.post("cancel/", {}, repeatable=True)
    server.answers[:] = [Answer(hang_up=True), Answer({"ok": True})]
    with pytest.raises(ProxboxError) as caught:
        one.post("schedule/", {})
    assert caught.value.outcome_unknown
    assert len(server.requests) == 3


def test_a_login_of_netrc_does_not_replace_the_token(
    server: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.answer(Answer(EMPTY))
    one = session(server.url)
    list(one.list("core/jobs/", {}))
    one.page("GET", "login/")
    one.page("POST", "core/jobs/1/proxbox-cancel/", {}, token=True)
    assert [sent.get("authorization", sent.get("Authorization")) for sent in server.headers] == [
        f"Token {V1}",
        None,
        f"Token {V1}",
    ]


def test_a_web_page_gets_the_cookies_of_the_pages_before_it(server: Script) -> None:
    server.answer(
        Answer("<form>", content_type="text/html", headers={"Set-Cookie": "sessionid=abc; Path=/"}),
        Answer("", 302, headers={"Location": "/core/jobs/1/"}),
    )
    one = session(server.url)
    assert one.page("GET", "login/") == Page(200, "<form>", None)
    assert one.page("POST", "login/", {"a": "b"}) == Page(302, "", "/core/jobs/1/")
    assert [sent.get("Cookie") for sent in server.headers] == [None, "sessionid=abc"]
    assert server.headers[1]["Referer"] == f"{server.url}/login/"


@pytest.mark.parametrize(("token", "scheme"), [(V1, f"Token {V1}"), (V2, f"Bearer {V2}")])
def test_a_web_page_gets_the_token(server: Script, token: str, scheme: str) -> None:
    server.answer(
        Answer("<form>", content_type="text/html", headers={"Set-Cookie": "sessionid=abc; Path=/"}),
        Answer("", 302, headers={"Location": "/core/jobs/1/"}),
    )
    one = session(server.url, token=token, headers={"Cookie": "gate=open"})
    one.page("GET", "login/")
    assert one.page("POST", "core/jobs/1/proxbox-cancel/", {}, token=True) == Page(302, "", "/core/jobs/1/")
    sent = server.headers[1]
    csrf_token = sent["X-CSRFToken"]
    assert re.fullmatch("[A-Za-z]{32}", csrf_token)
    assert sent["Cookie"].split("; ") == ["gate=open", f"csrftoken={csrf_token}"]
    assert (sent["Authorization"], sent["Referer"]) == (scheme, f"{server.url}/core/jobs/1/proxbox-cancel/")


def test_an_internal_error_of_a_web_page_is_an_error(server: Script) -> None:
    server.answer(Answer("boom", 500, "text/html"))
    with pytest.raises(ProxboxError, match="NetBox had an internal error") as caught:
        session(server.url).page("POST", "login/", {})
    assert caught.value.transient
