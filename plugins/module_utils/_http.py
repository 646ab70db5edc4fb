# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: send HTTP requests, with TLS, proxies, time-outs, cookies and further attempts.

The environment variables for proxies and ``REQUESTS_CA_BUNDLE`` have the same effect as in the library requests.
"""

from __future__ import annotations

import errno
import random
import socket
import ssl
import time
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from ._connection import Connection
from ._errors import ProxboxError
from ._library import HTTPAdapter, HTTPSConnection, HTTPSConnectionPool, requests

RETRY_PAUSES = (0.3, 1.0)
"""Seconds between two attempts of a request that may be repeated. Each pause varies at random by up to a half."""

HANDSHAKE_TIMEOUT = 5
"""Seconds in which a server must answer the TLS handshake.

A gunicorn without TLS takes the handshake for an incomplete request, and waits for the rest.
"""

PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class Http:
    """Sends HTTP requests to one NetBox. It keeps cookies, and follows no redirects.

    A redirect would turn a POST into a GET, or send the token to another host.
    """

    def __init__(self, connection: Connection) -> None:
        """
        :param connection: a connection whose values were checked.
        :raises ProxboxError: if the environment names a proxy that cannot work.
        """
        _check_proxy(connection.url)
        self._timeout = connection.timeout
        self._verify = _verify(connection)
        self._session = requests.Session()
        self._session.auth = _keep_authorization
        self._session.headers.update(connection.headers)
        self._take_cookies(str(self._session.headers.pop("Cookie", "")))
        if connection.url.lower().startswith("https:"):
            # Only for https, because reading the system's CA store takes 25 ms.
            self._session.mount(
                "https://", _TlsAdapter(_system_trust(connection.client_cert) if self._verify is None else None)
            )
        if connection.client_cert:
            cert, key = connection.client_cert, connection.client_key
            self._session.cert = (cert, key) if key else cert

    def _take_cookies(self, header: str) -> None:
        # If the session had a Cookie header, requests would not send the cookies of the server.
        for cookie in header.split(";"):
            name, equals, value = cookie.strip().partition("=")
            if equals:
                self._session.cookies.set(name, value)

    def send(self, method: str, url: str, *, repeat: bool, **parts: Any) -> requests.Response:
        """Send a request.

        :param repeat: send it again if the connection breaks, or if a gateway has no answer; only for a request that
            has the same effect if NetBox receives it twice.
        :param parts: ``params``, ``headers``, ``json``, ``data``, ``cookies`` of requests.
        :raises requests.RequestException: if there is no answer.
        """
        # Without ``verify`` in the call, requests would prefer REQUESTS_CA_BUNDLE to ``verify`` of its session.
        parts.update(allow_redirects=False, timeout=self._timeout, verify=self._verify)
        if repeat:
            return _resend_if_broken(lambda: self._session.request(method, url, **parts), self._timeout)
        # Use a new connection. If the server has closed the old one, it is not known whether the request arrived.
        self._session.close()
        return self._session.request(method, url, **parts)


def _resend_if_broken(send: Callable[[], requests.Response], patience: float) -> requests.Response:
    """Send, and send again if the connection breaks, the answer is incomplete, or a gateway has no answer.

    :param patience: how long to make new attempts, in seconds.
    """
    deadline = time.monotonic() + patience
    for pause in RETRY_PAUSES:
        pause *= random.uniform(0.5, 1.5)
        is_last = time.monotonic() + pause > deadline
        try:
            response = send()
            if is_last or not (response.status_code in (502, 503, 504) or _is_cut_short(response)):
                return response
        except requests.RequestException as exc:
            from ._http_errors import is_broken_off  # only a failure needs it

            if is_last or not is_broken_off(exc):
                raise
        time.sleep(pause)
    return send()


def _is_cut_short(response: requests.Response) -> bool:
    """Return whether an answer is incomplete: its type is JSON, and it cannot be read as JSON."""
    if response.status_code != 200 or "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        response.json()
    except ValueError:
        return True
    return False


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # If a session has no auth of its own, requests replaces the token with a login from ~/.netrc.
    return request


def _verify(connection: Connection) -> bool | str | None:
    """Return ``verify`` for requests: False, the path of a CA bundle, or None for the CAs that the system trusts."""
    if not connection.validate_certs:
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        return False
    return connection.ca_path or None


def _check_proxy(url: str) -> None:
    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not proxy:
        return
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        is_usable = bool(parts.hostname) and parts.port != 0 and parts.scheme in PROXY_SCHEMES
    except ValueError:
        is_usable = False
    # An unescaped / or # in a password ends the host part of the URL too early.
    if not is_usable or "@" in f"{parts.path}{parts.query}{parts.fragment}" or " " in proxy:
        raise ProxboxError(
            f"The proxy for {urlsplit(url).netloc} in the environment of the module is not a URL of the form "
            "http://proxy.example.com:3128: check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name the host in "
            "NO_PROXY. In a password, write special characters as %XX."
        )


@cache
def _system_trust(_client_cert: str | None) -> ssl.SSLContext:
    """Return a TLS context that trusts the system's CA store, or the bundle of certifi if the system has none.

    By itself, requests trusts only the bundle of certifi, and reads it for each connection (20 ms). Each client
    certificate has its own context, because urllib3 loads the certificate into the context.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(requests.utils.DEFAULT_CA_BUNDLE_PATH)
    return context


class NoTlsAnswer(ssl.SSLError):
    """The server accepted the connection, but did not answer the TLS handshake in time."""


class _TlsConnection(HTTPSConnection):
    """A connection that fails soon if the server does not speak TLS."""

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        sock.settimeout(min(HANDSHAKE_TIMEOUT, sock.gettimeout() or HANDSHAKE_TIMEOUT))
        return sock

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as exc:  # urllib3 raises another exception if the server accepts no connection
            raise NoTlsAnswer(errno.ETIMEDOUT, f"no answer to TLS within {HANDSHAKE_TIMEOUT} s") from exc


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _TlsAdapter(HTTPAdapter):
    """Uses a TLS context for all connections, also through a proxy."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context: dict[str, Any] = {"ssl_context": context} if context else {}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, **self._context})
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {**pools, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **{**kwargs, **self._context})

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        super().cert_verify(conn, url, verify, cert)
        if self._context and verify is True:
            conn.ca_certs = None
