# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NetBox's web pages: a job is cancelled by the token or else by the login, and rows are deleted by the login.

The answers are those of NetBox 4.6.8 with netbox-proxbox 0.0.23.post1.
"""

from __future__ import annotations

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._pages import BATCH, Pages
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import Answer, Script

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PASSWORD = "s3cret"


def html(text: str = "<html>", status: int = 200) -> Answer:
    return Answer(text, status, "text/html")


def moved(location: str) -> Answer:
    return Answer("", 302, "text/html", headers={"Location": location})


def form(inside: str = 'name="password"', token: str = "T0ken") -> Answer:
    return html(f'<form><input type="hidden" name="csrfmiddlewaretoken" value="{token}"><input {inside}></form>')


DENIED = html('<body hx-headers=\'{"X-CSRFToken": "x"}\'>You do not have permission to access this page.', 403)
NO_CSRF = html("<h1>Forbidden</h1><p>CSRF verification failed. Request aborted.</p>", 403)
BAD_TOKEN = html("Invalid token", 403)
NOT_FOUND = html("<html>Page Not Found", 404)
DONE = moved("/core/jobs/5/")
NO_LOGIN = moved("/login/?next=/core/jobs/5/proxbox-cancel/")
SINGLE_SIGN_ON = moved("https://sso.example.com/start")
NO_ROWS = moved("/core/jobs/")
LOGIN = [form(), moved("/"), form(token="session")]

CANCEL, CANCEL_0 = "POST /core/jobs/5/proxbox-cancel/", "POST /core/jobs/0/proxbox-cancel/"
VIEW_0, DELETE = "GET /core/jobs/0/", "POST /core/jobs/delete/"
LOGGED_IN = ["GET /login/", "POST /login/", "GET /user/preferences/"]


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


def test_netbox_below_a_path(server: Script) -> None:
    pages(server, moved("/netbox/core/jobs/5/"), url=f"{server.url}/netbox").cancel(5)
    assert server.asked == ["POST /netbox/core/jobs/5/proxbox-cancel/"]


@pytest.mark.parametrize("refused", [NO_LOGIN, NO_CSRF, DENIED, BAD_TOKEN, NOT_FOUND])
def test_the_login_cancels_where_the_token_does_not(server: Script, refused: Answer) -> None:
    one = pages(server, refused, *LOGIN, DONE, moved("/core/jobs/6/"), login=True)
    one.cancel(5)
    one.cancel(6)
    assert server.asked == [CANCEL, *LOGGED_IN, CANCEL, "POST /core/jobs/6/proxbox-cancel/"]
    assert server.bodies[2] == {
        "username": ["automation"], "password": [PASSWORD], "csrfmiddlewaretoken": ["T0ken"],
    }  # fmt: skip
    assert server.bodies[4] == {"csrfmiddlewaretoken": ["session"]}
    # The token stays out of the session of the login.
    assert not [names for names in server.headers[1:] if "authorization" in {name.lower() for name in names}]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (NO_LOGIN, "no API token, because LOGIN_REQUIRED is false there. Give netbox_username and netbox_password, or"),
        (NO_CSRF, r"CSRF_COOKIE_NAME.* Give netbox_username and netbox_password, or upgrade netbox-proxbox to 0.0.24"),
        (BAD_TOKEN, "NetBox does not accept the token: look at netbox_token"),
        (DENIED, "^The token's user may not do this .* permissions core.view_job and core.delete_job .*HTTP 403"),
        (NOT_FOUND, "NetBox has no such job, or the token's user may not see it"),
        (SINGLE_SIGN_ON, "sends this request on to https://sso.example.com/start"),
        (moved("/core/jobs/55/"), "sends this request on to /core/jobs/55/"),
        (html(), "does not answer this request as the collection expects .*HTTP 200"),
        (html(status=500), "NetBox failed inside"),
    ],
)
def test_a_token_that_does_not_cancel(server: Script, answer: Answer, says: str) -> None:
    one = pages(server, answer)
    with pytest.raises(ProxboxError, match=says) as told:
        one.cancel(5)
    assert told.value.failure == {
        "url": f"{server.url}/core/jobs/5/proxbox-cancel/", "method": "POST", "status": answer.status, "detail": None,
    }  # fmt: skip
    assert TOKEN not in str(told.value)


@pytest.mark.parametrize("login", [False, True])
def test_a_token_that_would_cancel_is_known_beforehand(server: Script, login: bool) -> None:
    pages(server, NOT_FOUND, login=login).check_cancel()
    assert server.asked == [CANCEL_0]


@pytest.mark.parametrize("refused", [NO_LOGIN, NO_CSRF, DENIED, BAD_TOKEN])
def test_a_token_that_would_not_cancel_is_known_beforehand(server: Script, refused: Answer) -> None:
    with pytest.raises(ProxboxError):
        pages(server, refused).check_cancel()
    assert server.asked == [CANCEL_0]


def test_a_login_that_would_cancel_is_known_beforehand(server: Script) -> None:
    one = pages(server, NO_LOGIN, *LOGIN, NOT_FOUND, NOT_FOUND, DONE, login=True)
    one.check_cancel()
    one.cancel(5)
    assert server.asked == [CANCEL_0, *LOGGED_IN, CANCEL_0, VIEW_0, CANCEL]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([form(), form()], r"does not accept netbox_username and netbox_password \(POST .*/login/ answered HTTP 200\)"),
        ([form(inside='name="sso"')], "takes no user name and password"),
        (
            [*LOGIN, DENIED],
            "The user 'automation' of netbox_username may not do this .*core.delete_job .POST .*cancel",
        ),
        ([*LOGIN, NOT_FOUND, DENIED], r"may not do this .* core.view_job .* \(GET .*/core/jobs/0/ answered HTTP 403"),
    ],
)
def test_a_login_that_would_not_cancel_is_known_beforehand(server: Script, answers: list[Answer], says: str) -> None:
    with pytest.raises(ProxboxError, match=says) as told:
        pages(server, NO_LOGIN, *answers, login=True).check_cancel()
    assert CANCEL not in server.asked and PASSWORD not in str(told.value)


@pytest.mark.parametrize(("username", "password"), [(None, None), ("automation", None), (None, "s3cret"), ("", "")])
def test_half_a_login_is_none(server: Script, username: str | None, password: str | None) -> None:
    one = Pages(Session(Connection(server.url, TOKEN)), username, password)
    assert not one.can_log_in
    for method in (one.check_login, one.check_delete, one.log_in, lambda: one.delete([5])):
        with pytest.raises(ProxboxError, match=r"web pages, which take no API token: set netbox_username"):
            method()
    assert not server.asked


def test_the_login_deletes_rows(server: Script) -> None:
    one = pages(server, *LOGIN, NO_ROWS, login=True)
    one.check_delete()
    one.delete([5, 3])
    one.delete([])
    assert server.asked == [*LOGGED_IN, DELETE, DELETE]
    assert server.bodies[3] == {"csrfmiddlewaretoken": ["session"]}
    assert server.bodies[4] == {
        "pk": ["5", "3"], "confirm": ["true"], "_confirm": ["true"], "csrfmiddlewaretoken": ["session"],
    }  # fmt: skip


def test_many_rows_are_deleted_in_batches(server: Script) -> None:
    pages(server, *LOGIN, NO_ROWS, login=True).delete(range(1, BATCH + 2))
    assert [len(body["pk"]) for body in server.bodies[3:]] == [BATCH, 1]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([form(inside='name="sso"')], "takes no user name and password"),
        ([moved("/sso/")], "takes no user name and password"),
        ([form(), form()], "does not accept netbox_username and netbox_password"),
        ([form(), moved("/"), html()], "does not know the form on this page"),
        ([*LOGIN, DENIED], "'automation' of netbox_username may not do this .* core.delete_job .*HTTP 403"),
        ([*LOGIN, moved("/login/?next=/core/jobs/delete/")], "sends this request on to /login/"),
        ([*LOGIN, NO_CSRF], "does not answer this request as the collection expects"),
        ([html(status=500)], "NetBox failed inside"),
    ],
)
def test_a_login_that_does_not_delete(server: Script, answers: list[Answer], says: str) -> None:
    with pytest.raises(ProxboxError, match=says) as told:
        pages(server, *answers, login=True).check_delete()
    assert PASSWORD not in str(told.value) and str(told.value).endswith(".")
