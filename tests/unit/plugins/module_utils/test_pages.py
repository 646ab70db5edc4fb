# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NetBox's web pages. A job is cancelled with the token, or with the login if the token cannot do it. Rows are deleted
with the login.

The answers are recorded. NetBox 4.6.8 with netbox-proxbox 0.0.23.post1, which needs these pages, gives similar answers.
"""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils import _http
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._pages import BATCH, Pages
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    LOGGED_IN,
    LOGIN,
    RELEASES,
    Answer,
    Script,
    form,
    log_in,
    moved,
    recorded_answer,
)

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PASSWORD = "s3cret"


def html(text: str = "<html>", status: int = 200) -> Answer:
    return Answer(text, status, "text/html")


DENIED = recorded_answer("page_denied")
NO_CSRF = recorded_answer("page_no_csrf_token")
BAD_TOKEN = recorded_answer("page_wrong_token")
NOT_FOUND = recorded_answer("page_of_no_job")
DONE = moved("/core/jobs/5/")
NO_LOGIN = recorded_answer("page_no_token")
SINGLE_SIGN_ON = moved("https://sso.example.com/start")
NO_ROWS = recorded_answer("no_rows_deleted")
NO_PASSWORD = form()
NO_PASSWORD.body = NO_PASSWORD.body.replace('name="password"', 'name="sso"')

CANCEL, CANCEL_0 = "POST /core/jobs/5/proxbox-cancel/", "POST /core/jobs/0/proxbox-cancel/"
VIEW, DELETE = "GET /core/jobs/5/", "POST /core/jobs/delete/"


def pages(server: Script, *answers: Answer, login: bool = False, url: str = "") -> Pages:
    server.answer(*answers)
    session = Session(Connection(url or server.url, TOKEN, timeout=5))
    return Pages(session, "automation", PASSWORD) if login else Pages(session, None, None)


@pytest.mark.parametrize("login", [False, True])
def test_the_token_cancels(server: Script, login: bool) -> None:
    pages(server, DONE, login=login).cancel(5)
    assert server.asked == [CANCEL]
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["authorization"] == f"Token {TOKEN}"
    assert len(headers["x-csrftoken"]) == 32 and headers["cookie"] == f"csrftoken={headers['x-csrftoken']}"


def test_netbox_url_may_have_a_path(server: Script) -> None:
    pages(server, moved("/netbox/core/jobs/5/"), url=f"{server.url}/netbox").cancel(5)
    assert server.asked == ["POST /netbox/core/jobs/5/proxbox-cancel/"]


REFUSALS = [
    recorded_answer(f"page_{name}", release)
    for release in RELEASES
    for name in ("no_token", "no_csrf_token", "denied", "wrong_token")
]


@pytest.mark.parametrize("refused", [*REFUSALS, NOT_FOUND])
def test_the_login_cancels_if_the_token_cannot(server: Script, refused: Answer) -> None:
    one = pages(server, refused, *LOGIN, DONE, moved("/core/jobs/6/"), login=True)
    one.cancel(5)
    one.cancel(6)
    assert server.asked == [CANCEL, *LOGGED_IN, CANCEL, "POST /core/jobs/6/proxbox-cancel/"]
    assert server.bodies[2] == {
        "username": ["automation"], "password": [PASSWORD], "csrfmiddlewaretoken": ["T0ken"],
    }  # fmt: skip
    assert server.bodies[4] == {"csrfmiddlewaretoken": ["session"]}
    # Requests with the login do not have the token.
    assert not [names for names in server.headers[1:] if "authorization" in {name.lower() for name in names}]


GIVE_A_LOGIN = "Give netbox_username and netbox_password, or upgrade netbox-proxbox to 0.0.24 or newer"
PERMISSIONS = "may not do this on NetBox's web page: grant the permissions core.view_job and core.delete_job"
SENT_ON = (
    "NetBox, or a proxy in front of it, redirects this request to {}: set netbox_url to the address that NetBox has "
    "there, and check what the proxy requires"
)
UNEXPECTED = "NetBox, or a proxy in front of it, does not answer this request as the collection expects"


def refusal(error: ProxboxError, server: Script, request: str, answer: Answer) -> str:
    """Check the request that a failure names, and return the sentence without it."""
    method, path = request.split(" ")
    assert error.failure == {
        "url": f"{server.url}{path}", "method": method, "status": answer.status, "detail": None,
    }  # fmt: skip
    sentence, where, end = str(error).partition(f" ({method} {server.url}{path} answered HTTP {answer.status})")
    assert where and end == "." and TOKEN not in sentence and PASSWORD not in sentence
    return sentence


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            NO_LOGIN,
            f"NetBox's web page does not accept the API token, because LOGIN_REQUIRED is false there. {GIVE_A_LOGIN}",
        ),
        (
            NO_CSRF,
            "NetBox's web page does not accept the API token, because it expects another CSRF cookie "
            f"(CSRF_COOKIE_NAME) or another host (CSRF_TRUSTED_ORIGINS). {GIVE_A_LOGIN}",
        ),
        (
            BAD_TOKEN,
            "NetBox does not accept the token: check netbox_token, and whether it is enabled, has expired or is "
            "limited to other addresses",
        ),
        (html("Invalid token", 400), UNEXPECTED),
        (html("CSRF verification failed", 400), UNEXPECTED),
        (DENIED, f"The token's user {PERMISSIONS}"),
        (
            NOT_FOUND,
            "NetBox has no such job, or the token's user may not see it (core.view_job, and its constraints)",
        ),
        (SINGLE_SIGN_ON, SENT_ON.format("https://sso.example.com/start")),
        (moved("/core/jobs/55/"), SENT_ON.format("/core/jobs/55/")),
        (html(), UNEXPECTED),
        (html(status=302), UNEXPECTED),
        (html(status=500), "NetBox had an internal error: check its log"),
    ],
)
def test_the_error_says_why_the_token_cannot_cancel(server: Script, answer: Answer, says: str) -> None:
    one = pages(server, answer)
    with pytest.raises(ProxboxError) as told:
        one.cancel(5)
    assert refusal(told.value, server, CANCEL, answer) == says


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("release", RELEASES)
def test_check_cancel_accepts_a_token_that_may_cancel(server: Script, login: bool, release: str) -> None:
    pages(server, recorded_answer("page_of_no_job", release), login=login).check_cancel()
    assert server.asked == [CANCEL_0]


@pytest.mark.parametrize("refused", REFUSALS)
def test_check_cancel_refuses_a_token_that_may_not_cancel(server: Script, refused: Answer) -> None:
    with pytest.raises(ProxboxError):
        pages(server, refused).check_cancel()
    assert server.asked == [CANCEL_0]


def test_check_cancel_accepts_a_login_that_may_cancel(server: Script) -> None:
    one = pages(server, NO_LOGIN, *LOGIN, NOT_FOUND, html(), DONE, login=True)
    one.check_cancel()
    one.check_jobs([5])
    one.cancel(5)
    assert server.asked == [CANCEL_0, *LOGGED_IN, CANCEL_0, VIEW, CANCEL]


def test_check_jobs_sends_no_request_if_the_token_may_cancel(server: Script) -> None:
    one = pages(server, NOT_FOUND, login=True)
    one.check_cancel()
    one.check_jobs([5])
    assert server.asked == [CANCEL_0]


LOG_IN, PREFERENCES = LOGGED_IN[1:]
NO_FORM = (
    "NetBox's login page has no fields for a user name and a password (it may allow single sign-on only), so "
    "netbox_username "
    "and netbox_password cannot be used"
)
NOT_ACCEPTED = "NetBox does not accept netbox_username and netbox_password"
UNKNOWN_FORM = "This page does not have the form that the collection expects"


@pytest.mark.parametrize(
    ("answers", "request_", "says"),
    [
        ([form(), form("login_refused")], LOG_IN, NOT_ACCEPTED),
        ([NO_PASSWORD], "GET /login/", NO_FORM),
        ([*LOGIN, DENIED], CANCEL_0, f"The user 'automation' of netbox_username {PERMISSIONS}"),
    ],
)
def test_check_cancel_refuses_a_login_that_may_not_cancel(
    server: Script, answers: list[Answer], request_: str, says: str
) -> None:
    with pytest.raises(ProxboxError) as told:
        pages(server, NO_LOGIN, *answers, login=True).check_cancel()
    sentence = refusal(told.value, server, request_, answers[-1])
    assert sentence == f"{token_refused(server)} The task then tried the login. {says}"
    assert CANCEL not in server.asked


def test_the_error_names_a_job_that_the_login_may_not_see(server: Script) -> None:
    one = pages(server, NO_LOGIN, *LOGIN, NOT_FOUND, DENIED, html(), login=True)
    one.check_cancel()
    with pytest.raises(ProxboxError) as told:
        one.check_jobs([5])
    assert refusal(told.value, server, VIEW, DENIED) == f"The user 'automation' of netbox_username {PERMISSIONS}"
    one.check_jobs([7])
    assert server.asked[-1] == VIEW.replace("5", "7")


def token_refused(server: Script) -> str:
    return (
        "NetBox's web page does not accept the API token, because LOGIN_REQUIRED is false there (POST "
        f"{server.url}/core/jobs/0/proxbox-cancel/ answered HTTP 302)."
    )


def test_a_wrong_password_is_sent_once(server: Script) -> None:
    one = pages(server, NO_LOGIN, form(), form("login_refused"), login=True)
    for _schedule in range(3):
        with pytest.raises(ProxboxError, match=NOT_ACCEPTED):
            one.check_cancel()
    assert server.asked.count(LOG_IN) == 1


@pytest.mark.parametrize(("username", "password"), [(None, None), ("automation", None), (None, "s3cret"), ("", "")])
def test_a_login_needs_a_user_name_and_a_password(server: Script, username: str | None, password: str | None) -> None:
    one = Pages(Session(Connection(server.url, TOKEN)), username, password)
    assert not one.can_log_in
    for method in (one.check_login, one.check_delete, one.log_in, lambda: one.delete([5])):
        with pytest.raises(ProxboxError) as told:
            method()
        assert str(told.value) == (
            "NetBox deletes jobs only on its web pages, which do not accept an API token: set netbox_username and "
            "netbox_password."
        )
    assert not server.asked


@pytest.mark.parametrize("release", RELEASES)
def test_the_login_deletes_rows(server: Script, release: str) -> None:
    one = pages(server, *log_in(release), recorded_answer("no_rows_deleted", release), login=True)
    one.check_delete()
    one.delete([5, 3])
    one.delete([])
    assert server.asked == [*LOGGED_IN, DELETE, DELETE]
    assert server.bodies[3] == {"csrfmiddlewaretoken": ["session"]}
    assert server.bodies[4] == {
        "pk": ["5", "3"], "confirm": ["true"], "_confirm": ["true"], "csrfmiddlewaretoken": ["session"],
    }  # fmt: skip


def test_a_page_is_read_again_if_the_connection_breaks(server: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "RETRY_PAUSES", (0.01, 0.01))
    broken = Answer(hang_up=True)
    login, landed, preferences = LOGIN
    one = pages(server, NO_LOGIN, broken, login, landed, broken, preferences, NOT_FOUND, broken, html(), login=True)
    one.check_cancel()
    one.check_jobs([5])
    assert [text for text in server.asked if text.startswith("GET")] == [
        *["GET /login/"] * 2,
        *["GET /user/preferences/"] * 2,
        *[VIEW] * 2,
    ]


def test_many_rows_are_deleted_in_batches(server: Script) -> None:
    pages(server, *LOGIN, NO_ROWS, login=True).delete(range(1, BATCH + 2))
    assert [len(body["pk"]) for body in server.bodies[3:]] == [BATCH, 1]


@pytest.mark.parametrize(
    ("answers", "request_", "says"),
    [
        ([NO_PASSWORD], "GET /login/", NO_FORM),
        ([moved("/sso/")], "GET /login/", NO_FORM),
        ([Answer(form().body, 403, "text/html")], "GET /login/", NO_FORM),
        ([html('<input name="password">')], "GET /login/", NO_FORM),
        ([form(), form("login_refused")], LOG_IN, NOT_ACCEPTED),
        ([*LOGIN[:2], html()], PREFERENCES, UNKNOWN_FORM),
        ([*LOGIN, DENIED], DELETE, f"The user 'automation' of netbox_username {PERMISSIONS}"),
        (
            [*LOGIN, moved("/login/?next=/core/jobs/delete/")],
            DELETE,
            SENT_ON.format("/login/"),
        ),
        ([*LOGIN, NO_CSRF], DELETE, UNEXPECTED),
        ([*LOGIN, html()], DELETE, UNEXPECTED),
        ([html(status=500)], "GET /login/", "NetBox had an internal error: check its log"),
    ],
)
def test_check_delete_refuses_a_login_that_cannot_delete(
    server: Script, answers: list[Answer], request_: str, says: str
) -> None:
    with pytest.raises(ProxboxError) as told:
        pages(server, *answers, login=True).check_delete()
    assert refusal(told.value, server, request_, answers[-1]) == says
