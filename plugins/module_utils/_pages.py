# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: NetBox's web pages, for what its API does not do.

* ``POST /core/jobs/<id>/proxbox-cancel/`` (netbox-proxbox 0.0.11-0.0.29) cancels a job. It takes the API token.
* ``POST /core/jobs/delete/`` (NetBox 4.5-4.7) deletes rows of jobs. It takes only the session of a login.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from ._errors import ProxboxError
from ._http_errors import TOKEN_REFUSED, without_secrets
from ._session import Page, Session

BATCH = 500
"""How many rows one request deletes at most. Django accepts 1000 form fields."""

_DELETE_PATH = "core/jobs/delete/"


class Pages:
    """The web pages of one NetBox, used with the token of the session, or with a login if a user name is given.

    Each method raises ``ProxboxError`` with a sentence.
    """

    def __init__(self, session: Session, username: str | None, password: str | None) -> None:
        self.session = session
        self._username = username
        self._password = password
        self._form_token: str | None = None
        self._login_failure: ProxboxError | None = None
        self._token_failure: ProxboxError | None = None
        self._may_cancel = False

    @property
    def can_log_in(self) -> bool:
        """Whether both a user name and a password are given."""
        return bool(self._username and self._password)

    def check_cancel(self) -> None:
        """Find out whether ``cancel`` would work for a job that the user may see; nothing is changed.

        :raises ProxboxError: when neither the token nor the login may cancel jobs.
        """
        if not self._may_cancel:
            # No NetBox has a job 0. The page checks the user and core.delete_job before it looks for the job.
            self._cancel(0, lambda page: page.status == 404)
            self._may_cancel = True

    def check_jobs(self, job_ids: Iterable[int]) -> None:
        """Find out whether the user who cancels may see these jobs. Call it after ``check_cancel``.

        The user of the token has read the jobs over the API. The user of the login may not see them.

        :raises ProxboxError: for the first job that the login does not show.
        """
        if self._token_failure:
            for job_id in job_ids:
                path = f"core/jobs/{job_id}/"
                page = self.session.page("GET", path)
                if page.status != 200:
                    raise self._login_refused("GET", path, page)

    def cancel(self, job_id: int) -> None:
        """Cancel a job with the token, or with the login if the token is refused.

        The page does not tell whether the job had already ended. Read the job afterwards.

        :raises ProxboxError: when neither the token nor the login cancels it; ``status`` is 404 for an unknown job.
        """
        self._cancel(job_id, lambda page: _leads_to(page, f"/core/jobs/{job_id}/"))

    def check_delete(self) -> None:
        """Find out whether ``delete`` would work; nothing is changed.

        :raises ProxboxError: when no login is given, or it is refused, or it may not delete jobs.
        """
        self._delete({})  # NetBox answers that no rows were selected

    def delete(self, job_ids: Iterable[int]) -> None:
        """Delete rows of jobs that have ended. The row of a running job would come back.

        :raises ProxboxError: as ``check_delete``.
        """
        ids = list(job_ids)
        for start in range(0, len(ids), BATCH):
            batch = [str(job_id) for job_id in ids[start : start + BATCH]]
            self._delete({"pk": batch, "confirm": "true", "_confirm": "true"})

    def check_login(self) -> None:
        """Check that a login is given; no request.

        :raises ProxboxError: if none is given.
        """
        if not self.can_log_in:
            raise ProxboxError(
                "NetBox deletes jobs only on its web pages, which do not accept an API token: set netbox_username and "
                "netbox_password."
            )

    def log_in(self) -> None:
        """Log in, once: two GETs and a POST.

        :raises ProxboxError: when no login is given, or NetBox does not accept it.
        """
        if self._form_token:
            return
        if self._login_failure:
            raise self._login_failure  # a directory service may lock an account after a few wrong passwords
        try:
            self._log_in()
        except ProxboxError as exc:
            self._login_failure = exc
            raise

    def _log_in(self) -> None:
        self.check_login()
        page = self.session.page("GET", "login/")
        form_token = _form_token(page)
        if page.status != 200 or form_token is None or 'name="password"' not in page.text:
            raise self._error(
                "NetBox's login page has no fields for a user name and a password (it may allow single sign-on only), "
                "so netbox_username and netbox_password cannot be used",
                "GET",
                "login/",
                page,
            )
        login = {"username": self._username, "password": self._password, "csrfmiddlewaretoken": form_token}
        page = self.session.page("POST", "login/", login)
        if page.status != 302:
            raise self._error("NetBox does not accept netbox_username and netbox_password", "POST", "login/", page)
        page = self.session.page("GET", "user/preferences/")
        self._form_token = _form_token(page)
        if self._form_token is None:
            raise self._error(
                "This page does not have the form that the collection expects", "GET", "user/preferences/", page
            )

    def _cancel(self, job_id: int, done: Callable[[Page], bool]) -> None:
        path = f"core/jobs/{job_id}/proxbox-cancel/"
        if self._token_failure is None:
            page = self.session.page("POST", path, {}, token=True)
            if done(page):
                return
            failure = self._token_refused(path, page)
            if not self.can_log_in:
                raise failure
            self._token_failure = failure
        try:
            page = self._post(path, {})
            if not done(page):
                raise self._login_refused("POST", path, page)
        except ProxboxError as exc:
            raise exc.saying(f"{self._token_failure} The task then tried the login. {exc}") from None

    def _delete(self, form: Mapping[str, str | list[str]]) -> None:
        page = self._post(_DELETE_PATH, form)
        if page.status != 302 or _leads_to(page, "/login/"):
            raise self._login_refused("POST", _DELETE_PATH, page)

    def _post(self, path: str, form: Mapping[str, str | list[str]]) -> Page:
        self.log_in()
        return self.session.page("POST", path, {**form, "csrfmiddlewaretoken": self._form_token})

    def _token_refused(self, path: str, page: Page) -> ProxboxError:
        remedy = ". Give netbox_username and netbox_password, or upgrade netbox-proxbox to 0.0.24 or newer"
        remedy = "" if self.can_log_in else remedy
        if _leads_to(page, "/login/"):
            sentence = f"NetBox's web page does not accept the API token, because LOGIN_REQUIRED is false there{remedy}"
        elif page.status == 403 and _is_csrf_failure(page):
            sentence = (
                "NetBox's web page does not accept the API token, because it expects another CSRF cookie "
                f"(CSRF_COOKIE_NAME) or another host (CSRF_TRUSTED_ORIGINS){remedy}"
            )
        elif page.status == 403 and page.text.strip() == "Invalid token":
            sentence = TOKEN_REFUSED
        else:
            sentence = _refusal("the token's user", page)
        return self._error(sentence, "POST", path, page)

    def _login_refused(self, method: str, path: str, page: Page) -> ProxboxError:
        return self._error(_refusal(f"the user {self._username!r} of netbox_username", page), method, path, page)

    def _error(self, sentence: str, method: str, path: str, page: Page) -> ProxboxError:
        url = f"{self.session.url}/{path}"
        return ProxboxError(
            f"{sentence} ({method} {url} answered HTTP {page.status}).", url=url, method=method, status=page.status
        )


def _refusal(user: str, page: Page) -> str:
    if page.status == 403 and not _is_csrf_failure(page):
        return (
            f"{user[0].upper()}{user[1:]} may not do this on NetBox's web page: grant the permissions core.view_job "
            "and core.delete_job"
        )
    if page.status == 404:
        return f"NetBox has no such job, or {user} may not see it (core.view_job, and its constraints)"
    if page.location is not None:
        return (
            f"NetBox, or a proxy in front of it, redirects this request to {without_secrets(page.location)}: set "
            "netbox_url to the address that NetBox has there, and check what the proxy requires"
        )
    return "NetBox, or a proxy in front of it, does not answer this request as the collection expects"


def _leads_to(page: Page, path: str) -> bool:
    return page.status == 302 and urlsplit(page.location or "").path.endswith(path)


def _is_csrf_failure(page: Page) -> bool:
    # Django's page has this word in every language. NetBox's page for a missing permission has it only inside names.
    return re.search(r"\bCSRF\b", page.text) is not None


def _form_token(page: Page) -> str | None:
    match = re.search(r'name="csrfmiddlewaretoken"\s+value="([^"]+)"', page.text)
    return match and match[1]
