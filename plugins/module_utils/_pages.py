# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NetBox's web pages, for what no route of its API does: delete job rows, and cancel with an old plugin.

* ``POST /login/``, ``POST /core/jobs/delete/`` (NetBox 4.5-4.7): a session login, forms with a CSRF token;
* ``POST /core/jobs/<id>/proxbox-cancel/`` (netbox-proxbox 0.0.11-0.0.29).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ._errors import ProxboxError
from ._session import Session

BATCH = 500
"""How many rows are deleted at once: Django takes 1000 form fields."""


class Pages:
    """The web pages of one NetBox, for a user who logs in with a name and a password when a page is first needed."""

    def __init__(self, session: Session, username: str, password: str) -> None:
        self.session = session
        self._login = {"username": username, "password": password}
        self._token: str | None = None

    def cancel(self, job_id: int) -> None:
        """Ask the plugin to cancel a job. Its page tells nothing of what came of it: read the job afterwards.

        :raises ProxboxError: with a sentence.
        """
        self._post(f"core/jobs/{job_id}/proxbox-cancel/", {})

    def delete(self, job_ids: Iterable[int]) -> None:
        """Delete rows of jobs that have ended. A running one would come back.

        :raises ProxboxError: with a sentence.
        """
        ids = list(job_ids)
        for start in range(0, len(ids), BATCH):
            batch = [str(job_id) for job_id in ids[start : start + BATCH]]
            self._post("core/jobs/delete/", {"pk": batch, "confirm": "true", "_confirm": "true"})

    def _post(self, path: str, form: Mapping[str, str | list[str]]) -> None:
        self.log_in()
        status, _page = self.session.page("POST", path, {**form, "csrfmiddlewaretoken": self._token})
        if status != 302:
            raise self._error(
                f"The user {self._login['username']!r} may not do this on NetBox's web page, or the page is another "
                "one than this collection knows: it takes the permissions core.view_job and core.delete_job",
                f"POST {self.session.url}/{path} answered HTTP {status}",
            )

    def log_in(self) -> None:
        """Log in, once: two GETs and a POST. Whoever does so first finds a wrong login before anything else is done.

        :raises ProxboxError: with a sentence.
        """
        if self._token:
            return
        status, page = self.session.page("GET", "login/")
        token = _csrf_token(page)
        if status != 200 or token is None or 'name="password"' not in page:
            raise self._error(
                f"The login page of {self.session.url} takes no user name and password (single sign-on only, it "
                "seems), so its web pages cannot be used: leave out netbox_username, netbox_password and purge",
                f"GET {self.session.url}/login/ answered HTTP {status}",
            )
        status, _page = self.session.page("POST", "login/", {**self._login, "csrfmiddlewaretoken": token})
        if status != 302:
            raise self._error(
                "NetBox does not accept netbox_username and netbox_password",
                f"POST {self.session.url}/login/ answered HTTP {status}",
            )
        status, page = self.session.page("GET", "user/preferences/")
        self._token = _csrf_token(page)
        if self._token is None:
            raise self._error(
                "NetBox's web pages have no form that this collection knows",
                f"GET {self.session.url}/user/preferences/ answered HTTP {status}",
            )

    def _error(self, sentence: str, where: str) -> ProxboxError:
        return ProxboxError(f"{sentence} ({where}).")


def _csrf_token(page: str) -> str | None:
    match = re.search(r'name="csrfmiddlewaretoken"\s+value="([^"]+)"', page)
    return match and match[1]
