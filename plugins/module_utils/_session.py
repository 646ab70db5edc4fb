# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: requests to NetBox's REST API and to its web pages.

The files that use it see no response and no exception of ``requests`` or ``pynetbox``: a call returns decoded JSON or
raises ``ProxboxError``.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property, partial
from typing import Any, NamedTuple

from ._connection import Connection, authorization, checked, server_time
from ._errors import ProxboxError
from ._http import Http
from ._library import AllocationError, ContentError, HTTPError, Request, RequestError, RequestException, requests

FRUITLESS_PAGES = 20
"""How many pages without a new row are read, one after the other, before ``list`` fails."""

Row = dict[str, Any]

_FAILURES = (RequestError, ContentError, AllocationError, RequestException, HTTPError, OSError, ValueError)
"""The exceptions of requests and pynetbox.

requests reads the target even of a redirect that it does not follow, which may raise ValueError.
"""


class Page(NamedTuple):
    """A web page of NetBox. ``location`` is where a redirect leads, or None."""

    status: int
    text: str
    location: str | None


class Session:
    """A session with one NetBox. ``url`` is its address, without ``/api`` and without a slash at its end."""

    def __init__(self, connection: Connection) -> None:
        """Check the connection's values; nothing is sent yet.

        :raises ProxboxError: if a URL, a token, a header, a file or a proxy cannot work.
        """
        self._connection = checked(connection)
        self.url = self._connection.url
        self._api = Http(self._connection)
        self._server_now: datetime | None = None

    @property
    def server_now(self) -> datetime:
        """The time of NetBox in UTC, from the header ``Date`` of the newest answer; the time of this host without it.

        :raises RuntimeError: before the first answer.
        """
        if self._server_now is None:
            raise RuntimeError("NetBox's clock is not known before its first answer.")
        return self._server_now

    def list(self, route: str, filters: Mapping[str, Any], *, limit: int = 0) -> Iterator[Row]:
        """Yield the rows of a list route below ``/api/``. Each page is read by GET when it is needed.

        A row that exists all the time comes exactly once, whatever is added or deleted between two pages. Each page
        begins with the last row of the page before. If no row of a page is known, rows were deleted and others have
        moved up, so the page before is read again.

        :param limit: rows per page; 0 means the server's maximum.
        :raises ProxboxError: while reading, with a sentence for each failure.
        """
        known: set[Hashable] = set()
        offset = fruitless = size = 0
        paging = {"limit": limit}
        while fruitless < FRUITLESS_PAGES:
            rows, count = self._page_of_rows(route, {**filters, **paging})
            new = {_key(row): row for row in rows if _key(row) not in known}
            size = max(size, len(rows))
            if offset and len(new) == len(rows):
                offset = max(0, offset - size)
                fruitless += 1
            else:
                known.update(new)
                yield from new.values()
                if not rows or offset + len(rows) >= count:
                    return
                offset += len(rows) - 1
                fruitless = 0 if new else fruitless + 1
            # By offset, because NetBox's link to the next page may name another address. The token must not go there.
            paging = {"limit": limit and limit + 1, "offset": offset}
        url = self._api_url(route)
        raise ProxboxError(
            f"The list changes faster than it can be read, or netbox_url names another service: try again (GET {url}).",
            url=url,
            method="GET",
            status=200,
        )

    def _page_of_rows(self, route: str, params: Mapping[str, Any]) -> tuple[tuple[Row, ...], int]:
        """Return the rows of one page, and how many rows the list has."""
        # pynetbox reads only one page if it is given an offset. The offset that is sent is in ``params``.
        request = self._request(route, params, offset=0)
        try:
            with failures_explained("GET", request.url):
                rows = tuple(request.get())
        except (KeyError, TypeError):  # pynetbox does not check the shape of an answer
            raise not_netbox("GET", request.url) from None
        if not isinstance(request.count, int) or not all(isinstance(row, dict) and _has_key(row) for row in rows):
            raise not_netbox("GET", request.url)
        return rows, request.count

    def get(self, route: str) -> Row:
        """GET one object below ``/api/``.

        :raises ProxboxError: with a sentence for each failure.
        """
        request = self._request(route)
        try:
            with failures_explained("GET", request.url):
                found = next(iter(request.get()), None)
        except TypeError:  # as above
            found = None
        if not isinstance(found, dict):
            raise not_netbox("GET", request.url)
        return found

    def post(self, route: str, body: Mapping[str, Any], *, repeatable: bool = False) -> Row:
        """POST ``body`` as JSON to a route below ``/api/``.

        :param repeatable: the request has the same effect if NetBox receives it twice, so it is repeated like a GET.
            Otherwise it is sent only once.
        :raises ProxboxError: with a sentence for each failure.
        """
        request = self._request(route, repeat_post=repeatable)
        with failures_explained("POST", request.url):
            answer = request.post(dict(body))
        if not isinstance(answer, dict):
            raise not_netbox("POST", request.url)
        return answer

    def options(self, route: str) -> None:
        """Send OPTIONS to a route below ``/api/``. NetBox checks the token and its permissions, and writes nothing.

        :raises ProxboxError: with a sentence, also if the route is missing or the token may not use it.
        """
        url = self._api_url(route)
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        with failures_explained("OPTIONS", url):
            response = self._answer(self._api, "OPTIONS", url, repeat=True, headers=headers)
        if response.status_code >= 300:
            from ._http_errors import refused

            raise refused(response, "OPTIONS", url)

    def page(self, method: str, path: str, form: Mapping[str, Any] | None = None, *, token: bool = False) -> Page:
        """Return one of NetBox's web pages, by GET or by POST of a form. No redirect is followed.

        :param token: authenticate with the API token, which the pages of plugins accept. Otherwise the cookies of
            earlier pages are sent, for example those of a login.
        :raises ProxboxError: with a sentence, if there is no answer or the server fails.
        """
        url = f"{self.url}/{path}"
        # Over TLS, Django accepts no form without a Referer.
        parts: dict[str, Any] = {"data": form, "headers": {"Referer": url}}
        http = self._web
        if token:
            http = Http(self._connection)
            # Against CSRF, Django only compares a cookie with a header of the same request.
            csrf_token = "".join(random.SystemRandom().choices(string.ascii_letters, k=32))
            parts["cookies"] = {"csrftoken": csrf_token}
            parts["headers"] |= {"X-CSRFToken": csrf_token, "Authorization": self._authorization}
        with failures_explained(method, url):
            response = self._answer(http, method, url, repeat=method == "GET", **parts)
        if response.status_code >= 500:
            from ._http_errors import refused

            raise refused(response, method, url)
        return Page(response.status_code, response.text, response.headers.get("Location"))

    @cached_property
    def _web(self) -> Http:
        # Separate from the API, which needs no cookies of web pages.
        return Http(self._connection)

    @property
    def _authorization(self) -> str:
        # The same header as pynetbox sends to the API. pynetbox has no public function for it.
        return authorization(self._connection.token)

    def _answer(self, http: Http, method: str, url: str, *, repeat: bool, **parts: Any) -> requests.Response:
        response = http.send(method, url, repeat=repeat, **parts)
        self._server_now = server_time(response.headers)
        return response

    def _api_url(self, route: str) -> str:
        return f"{self.url}/api/{route}"

    def _request(
        self,
        route: str,
        params: Mapping[str, Any] | None = None,
        *,
        offset: int | None = None,
        repeat_post: bool = False,
    ) -> Request:
        return Request(
            base=self._api_url(route),
            filters=dict(params or {}),
            offset=offset,
            token=self._connection.token,
            http_session=_ApiCalls(partial(self._answer, self._api), repeat_post=repeat_post),
        )


@contextmanager
def failures_explained(method: str, url: str) -> Iterator[None]:
    """Turn an exception of requests or pynetbox in the ``with`` block into a ``ProxboxError``."""
    try:
        yield
    except _FAILURES as exc:
        from ._http_errors import explained  # only a failure needs a sentence

        raise explained(exc, method, url) from None


def not_netbox(method: str, url: str) -> ProxboxError:
    """Return the error for an answer that is JSON, but not of the shape that NetBox gives."""
    return ProxboxError(
        f"The answer is JSON, but not that of NetBox's API: netbox_url may point to another service ({method} {url}).",
        url=url,
        method=method,
        status=200,
        outcome_unknown=method == "POST",
    )


class _ApiCalls:
    """The object that pynetbox uses instead of a session of requests."""

    def __init__(self, answer: Callable[..., requests.Response], *, repeat_post: bool) -> None:
        self._answer = answer
        self._repeat_post = repeat_post

    def get(self, url: str, **parts: Any) -> requests.Response:
        return _no_redirect(self._answer("GET", url, repeat=True, **parts))

    def post(self, url: str, **parts: Any) -> requests.Response:
        return _no_redirect(self._answer("POST", url, repeat=self._repeat_post, **parts))


def _no_redirect(response: requests.Response) -> requests.Response:
    if response.is_redirect:
        raise RequestError(response)  # pynetbox takes it for a success
    return response


def _has_key(row: Row) -> bool:
    return isinstance(_key(row), (int, str))


def _key(row: Row) -> Hashable:
    # RQ's workers and queues have a name, but no id.
    return row.get("id", row.get("name"))
