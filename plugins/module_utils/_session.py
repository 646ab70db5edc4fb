# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session with NetBox: HTTP, TLS, tokens, time-outs, and one sentence for each failure.

Nothing above this file sees a response or an exception of ``requests`` or ``pynetbox``: a call returns decoded JSON
or raises ``ProxboxError``.
"""

from __future__ import annotations

import random
import re
import ssl
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ._errors import ProxboxError

PYTHON_MINIMUM = (3, 12)
"""The oldest Python that NetBox 4.5-4.7 itself and this collection's tests run on."""

PYNETBOX_MINIMUM = "7.8.0"
"""The first pynetbox that sends both v1 and v2 tokens (NetBox 4.5+) as NetBox wants them."""

RETRY_PAUSES = (0.3, 1.0)
"""Seconds between two attempts of a GET, give or take half."""

try:
    import pynetbox
    import requests
    from pynetbox.core.query import ContentError, Request, RequestError
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import NewConnectionError

    IMPORT_ERROR: str | None = None
except ImportError as exc:
    IMPORT_ERROR = str(exc)
    HTTPAdapter = object  # the class below must be definable; nothing is called without the libraries


@dataclass(frozen=True)
class Connection:
    """How to reach one NetBox. ``timeout`` is in seconds and counts for each connect and each read."""

    url: str
    token: str = field(repr=False)
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 30


def library_problem(python: str, version: str) -> str | None:
    """Return the sentence for an interpreter ``python`` that is too old, or has no or too old a pynetbox; or None."""
    if _numbers(version) < PYTHON_MINIMUM:
        return (
            f"This module needs Python {'.'.join(map(str, PYTHON_MINIMUM))} or newer, and {python} is {version}: name "
            "a newer one of the host that runs the module with ansible_python_interpreter."
        )
    install = f"Install it there: {python} -m pip install 'pynetbox>={PYNETBOX_MINIMUM}'"
    if IMPORT_ERROR:
        return (
            f"This module needs the Python library pynetbox {PYNETBOX_MINIMUM} or newer (and requests), and "
            f"{python} (Python {version}) cannot import it: {IMPORT_ERROR}. {install}"
        )
    found = getattr(pynetbox, "__version__", "0")
    if _numbers(found) < _numbers(PYNETBOX_MINIMUM):
        return (
            f"This module needs the Python library pynetbox {PYNETBOX_MINIMUM} or newer, and {python} "
            f"(Python {version}) has {found}. {install}"
        )
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


class _SystemTrustAdapter(HTTPAdapter):
    """Trust the system's CA store, also behind a proxy; requests alone looks only at the bundle of certifi.

    That bundle counts where the system has no store. It is read once, and not for each connection (20 ms).
    """

    def __init__(self) -> None:
        self._context = ssl.create_default_context()
        if not self._context.cert_store_stats()["x509_ca"]:
            self._context.load_verify_locations(requests.certs.where())
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, "ssl_context": self._context})

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **{**kwargs, "ssl_context": self._context})

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        super().cert_verify(conn, url, verify, cert)
        if verify is True:
            conn.ca_certs = None


class Session:
    """A session with one NetBox.

    ``server_now`` is NetBox's own clock: the ``Date`` header of the newest answer, or None before the first.
    """

    def __init__(self, connection: Connection) -> None:
        """Check the connection's values; nothing is sent yet.

        :raises ProxboxError: a URL, a token or a file that cannot work.
        """
        self._connection = connection
        self.url = _base_url(connection.url)
        self.server_now: datetime | None = None
        self._repeatable = False
        self._api = pynetbox.api(self.url, token=_checked_token(connection.token))
        self._api.http_session = self._http_session()

    def _http_session(self, *, pages: bool = False) -> requests.Session:
        connection = self._connection
        http = requests.Session()
        verify: bool | str | None = None
        if not connection.validate_certs:
            verify = False
            warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        elif connection.ca_path:
            verify = _existing(connection.ca_path, "ca_path")
        elif self.url.lower().startswith("https:"):
            # Only there: to read the system's store takes 25 ms.
            http.mount("https://", _SystemTrustAdapter())
        if connection.client_cert:
            cert = _existing(connection.client_cert, "client_cert")
            http.cert = (cert, _existing(connection.client_key, "client_key")) if connection.client_key else cert
        http.headers.update({str(name): str(value) for name, value in connection.headers.items()})
        send = http.request

        def request(method: str, url: str, **kwargs: Any) -> requests.Response:
            # A redirect is never followed: it would turn a POST into a GET, or carry the token to another host.
            # ``verify`` is said at each call, for only then does it come before REQUESTS_CA_BUNDLE.
            kwargs.update(allow_redirects=False, timeout=connection.timeout, verify=verify)
            if method.upper() == "GET" or self._repeatable:
                return received(_patiently(lambda: send(method, url, **kwargs), connection.timeout))
            # On a connection of its own: one kept alive may have been closed by the server meanwhile, and then nobody
            # could tell whether the request arrived.
            http.close()
            return received(send(method, url, **kwargs))

        def received(response: requests.Response) -> requests.Response:
            self._note_clock(response)
            if response.is_redirect and not pages:
                raise RequestError(response)
            return response

        http.request = request
        return http

    def _note_clock(self, response: requests.Response) -> None:
        try:
            self.server_now = parsedate_to_datetime(response.headers["Date"]).astimezone(timezone.utc)
        except (KeyError, ValueError, TypeError):
            self.server_now = self.server_now or datetime.now(timezone.utc)

    def list(self, route: str, filters: Mapping[str, Any], *, limit: int = 0) -> Iterator[dict]:
        """GET the rows of a list route below ``/api/``, page after page, each page when it is needed.

        :param limit: rows a page; 0 leaves it to the server's maximum.
        :raises ProxboxError: while reading, with a sentence for each failure.
        """
        request = self._request(route, filters, limit=limit)
        with _sentences("GET", request.url) as said:
            for row in request.get():
                # RQ's workers and queues have a name, and no id.
                if not isinstance(row, dict) or not row.keys() & {"id", "name"}:
                    raise said.no_netbox()
                yield row

    def get(self, route: str) -> dict[str, Any]:
        """GET one object below ``/api/``.

        :raises ProxboxError: with a sentence for each failure.
        """
        request = self._request(route)
        with _sentences("GET", request.url) as said:
            found = next(iter(request.get()), None)
            if not isinstance(found, dict):
                raise said.no_netbox()
            return found

    def post(self, route: str, body: Mapping[str, Any], *, repeatable: bool = False) -> dict[str, Any]:
        """POST ``body`` as JSON to a route below ``/api/``.

        :param repeatable: twice is as good as once, so it is repeated like a GET; else it is sent once, never again.
        :raises ProxboxError: with a sentence for each failure.
        """
        self._repeatable = repeatable
        request = self._request(route)
        with _sentences("POST", request.url) as said:
            answer = request.post(dict(body))
            if not isinstance(answer, dict):
                raise said.no_netbox()
            return answer

    def page(self, method: str, path: str, form: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """GET or POST (a form) one of NetBox's web pages, with the cookies of those before; the status and the page.

        No redirect is followed: the status is 302 then.

        :raises ProxboxError: with a sentence, when there is no answer or the server behind it fails.
        """
        url = f"{self.url}/{path}"
        with _sentences(method, url):
            # Over TLS, Django takes no form without a Referer.
            answer = self._pages.request(method, url, data=form, headers={"Referer": url})
            if answer.status_code >= 500:
                raise RequestError(answer)
            return answer.status_code, answer.text

    @cached_property
    def _pages(self) -> requests.Session:
        return self._http_session(pages=True)

    def _request(self, route: str, filters: Mapping[str, Any] | None = None, **paging: Any) -> Request:
        return Request(
            base=f"{self._api.base_url}/{route}",
            filters=dict(filters or {}),
            token=self._api.token,
            http_session=self._api.http_session,
            **paging,
        )


def _patiently(ask: Callable[[], requests.Response], patience: float) -> requests.Response:
    """Repeat a request that met a broken answer or a gateway error, with jitter, for ``patience`` seconds at most.

    A time-out is not repeated: it has used up the patience already. Nor is a certificate or a name that is wrong.
    """
    broken = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
    lasting = (requests.exceptions.SSLError, requests.exceptions.ProxyError, requests.exceptions.Timeout)
    deadline = time.monotonic() + patience
    for pause in RETRY_PAUSES:
        pause *= random.uniform(0.5, 1.5)
        last = time.monotonic() + pause > deadline
        try:
            response = ask()
            if last or not (response.status_code in (502, 503, 504) or _cut_short(response)):
                return response
        except broken as exc:
            if last or isinstance(exc, lasting) or "resolve" in str(exc):
                raise
        time.sleep(pause)
    return ask()


def _cut_short(response: requests.Response) -> bool:
    """Whether an answer is JSON by its own word, but not to its end."""
    if response.status_code != 200 or "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        response.json()
    except ValueError:
        return True
    return False


def _base_url(url: str) -> str:
    text = url.strip().rstrip("/")
    if "@" in text.partition("//")[2].partition("/")[0]:
        # Said without the URL, which holds the password and would stand in every message.
        raise ProxboxError("netbox_url holds a user name or a password: leave them out, NetBox's API takes a token.")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise ProxboxError(
            f"netbox_url {url!r} is not a URL of the form https://netbox.example.com: give the scheme and the host, "
            "and the port and path where there are any."
        )
    return text.removesuffix("/api")


def _checked_token(token: str) -> str:
    # The message never holds the token: requests' own error for a bad header would.
    token = token.strip()
    if not token or not token.isascii() or any(char.isspace() for char in token):
        raise ProxboxError(
            "netbox_token is empty or holds white space or non-ASCII characters, so it cannot be a NetBox API token; "
            "look at how it is passed (a line break at its end, quotes, an unresolved variable)."
        )
    return token


def _existing(path: str, option: str) -> str:
    if not Path(path).exists():
        raise ProxboxError(f"{option} {path!r} does not exist on the host that runs the module.")
    return path


class _sentences:
    """Turn every failure inside the ``with`` block into one ``ProxboxError``."""

    def __init__(self, method: str, url: str) -> None:
        self.method = method
        self.url = url

    def __enter__(self) -> _sentences:
        return self

    def no_netbox(self) -> ProxboxError:
        """The answer is JSON, but not of NetBox's shape."""
        return self._error(
            f"The answer is JSON, but not the kind that NetBox's API gives: netbox_url may name another service "
            f"({self.method} {self.url})."
        )

    def __exit__(self, kind: type | None, exc: BaseException | None, traceback: Any) -> bool:
        if isinstance(exc, (RequestError, ContentError)) or hasattr(exc, "req"):
            raise self._refused(exc.req) from None
        if isinstance(exc, (requests.RequestException, OSError)):
            raise self._unreachable(exc) from None
        return False

    def _error(self, sentence: str, **facts: Any) -> ProxboxError:
        return ProxboxError(sentence, url=self.url, method=self.method, **facts)

    def _unreachable(self, exc: Exception) -> ProxboxError:
        error = self._explained(exc)
        never_sent = (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
        error.outcome_unknown = not isinstance(exc, never_sent) and not isinstance(_reason(exc), NewConnectionError)
        return error

    def _explained(self, exc: Exception) -> ProxboxError:
        parts = urlsplit(self.url)
        host, reason = parts.netloc, _innermost(exc)
        where = f"({self.method} {self.url})"
        if isinstance(exc, requests.exceptions.SSLError):
            return self._error(
                f"The TLS connection to {host} failed: {reason} {where}. If its certificate comes from a private CA, "
                "name the CA's bundle with ca_path or install it in the system's store.",
                detail=reason,
            )
        if isinstance(exc, requests.exceptions.ProxyError):
            return self._error(
                f"The proxy between this host and {host} refused: {reason} {where}. Look at HTTPS_PROXY and NO_PROXY.",
                detail=reason,
            )
        if isinstance(exc, requests.exceptions.ConnectTimeout):
            return self._error(
                f"{host} did not take the connection within the time-out {where}. Look at netbox_url, at the network, "
                "or raise timeout.",
                detail=reason,
            )
        if isinstance(exc, requests.exceptions.Timeout) and "handshake" in reason:
            return self._error(
                f"{host} took the connection but does not speak TLS {where}. Look at whether netbox_url should begin "
                "with http://, and at its port.",
                detail=reason,
            )
        if isinstance(exc, requests.exceptions.Timeout):
            return self._error(
                f"{host} took the request but did not answer within the time-out {where}. Raise timeout, or look at "
                "NetBox's load.",
                detail=reason,
            )
        if isinstance(exc, requests.exceptions.ConnectionError):
            return self._error(
                f"{host} cannot be reached: {reason} {where}. Look at netbox_url and at whether NetBox is up.",
                detail=reason,
            )
        return self._error(f"The request to {host} failed: {reason} {where}.", detail=reason)

    def _refused(self, response: requests.Response) -> ProxboxError:
        status = response.status_code
        detail = _detail(response)
        where = f"{self.method} {self.url} answered HTTP {status}"
        said = f": {detail}" if detail else ""
        # A gateway that gave up, or a success that cannot be read: NetBox may have done it.
        unknown = status in (502, 503, 504) or status < 300
        return self._error(
            f"{_meaning(response, detail)} ({where}{said}).", status=status, detail=detail, outcome_unknown=unknown
        )


def _innermost(exc: BaseException) -> str:
    """The reason at the bottom of a chain of wrapped exceptions, in one line."""
    # urllib3 puts the connection object and its own summary before the reason.
    text = re.sub(r"^\w+\(host=.*?\): (Failed to establish a new connection: )?", "", str(_reason(exc)))
    return text.strip().rstrip(".")


def _reason(exc: BaseException) -> BaseException:
    reason: Any = exc
    for _depth in range(8):
        inner = getattr(reason, "reason", None) or (reason.args[0] if getattr(reason, "args", None) else None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    return reason


def _detail(response: requests.Response) -> str | None:
    """The server's own words: ``detail``, or every entry of ``errors`` as ``field: message``; None for a web page."""
    try:
        body = response.json()
    except ValueError:
        return None
    if isinstance(body, dict):
        body = body.get("detail") or body.get("errors") or body.get("exception") or body.get("error") or body
    return "; ".join(_flatten(body)).rstrip(".") or None


def _flatten(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            # DRF keys the errors of a list by index, which tells a user nothing.
            yield from _flatten(value, path if str(key).isdigit() else f"{path}.{key}".lstrip("."))
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _flatten(value, path)
    elif node not in (None, ""):
        yield f"{path}: {str(node).rstrip('.')}" if path else str(node)


def _meaning(response: requests.Response, detail: str | None) -> str:
    """What an answer that is no success means, and what to do about it."""
    status, said = response.status_code, (detail or "").lower()
    if 300 <= status < 400:
        target = response.headers.get("Location", "elsewhere")
        return (
            f"NetBox sends this request on to {target}, and the module follows no redirects: set netbox_url to the "
            "address that NetBox has there"
        )
    if status in (401, 403):
        if "permission" in said:
            return "The token's user lacks a permission for this"
        return (
            "NetBox does not accept the token: look at netbox_token, and at whether it is enabled, expired or bound to "
            "other addresses"
        )
    if status == 404:
        return "NetBox has nothing at this address"
    if status == 429:
        return "NetBox, or what stands before it, limits the rate of requests: try again later"
    if status in (502, 503, 504):
        return "The web server answers but NetBox behind it does not: look at whether NetBox is up"
    if status >= 500:
        return "NetBox failed inside: look at its log"
    if status >= 400:
        return "NetBox refuses the request"
    return (
        "The answer is not the JSON that NetBox's API gives: netbox_url may name another web server or a login page in "
        "front of NetBox"
    )
