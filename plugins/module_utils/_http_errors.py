# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: a sentence for each way in which an HTTP request fails.

Each function makes a ``ProxboxError`` that says what is wrong, where, and what to do.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from ._errors import ProxboxError
from ._http import NoTlsAnswer
from ._library import AllocationError, ContentError, NewConnectionError, RequestError, requests

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
"""The reasons that OpenSSL gives if an answer is not TLS."""

TOKEN_REFUSED = (
    "NetBox does not accept the token: check netbox_token, and whether it is enabled, has expired or is limited to "
    "other addresses"
)


TLS_FAILED = (
    "The TLS connection to {host} failed: {reason} {where}. If its certificate comes from a private CA, name the CA's "
    "bundle with ca_path or install it in the system's store."
)
NOT_TAKEN = (
    "{host} did not accept the connection within the time-out {where}. Check netbox_url and the network, or raise "
    "timeout."
)
TOO_SLOW = (
    "{host} received the request but did not answer within the time-out {where}. Raise timeout, or check the load of "
    "NetBox."
)
UNREACHABLE = "{host} cannot be reached: {reason} {where}. Check netbox_url, and that NetBox is running."


class Answer(Protocol):
    """An answer, of ``requests`` or of another HTTP library."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers. Upper and lower case make no difference in their names."""

    def json(self) -> Any:
        """Return the body, read as JSON."""


def explained(exc: Exception, method: str, url: str) -> ProxboxError:
    """Return the error for an exception of requests or pynetbox."""
    if isinstance(exc, (RequestError, ContentError, AllocationError)):
        return refused(exc.req, method, url)
    return no_answer(exc, method, url)


def refused(response: Answer, method: str, url: str) -> ProxboxError:
    """Return the error for an answer that is not a success, or not JSON."""
    status = response.status_code
    detail = _server_detail(response)
    where = f"{method} {url} answered HTTP {status}{f': {detail}' if detail else ''}"
    return ProxboxError(
        f"{_status_meaning(response, detail)} ({where}).",
        url=url,
        method=method,
        status=status,
        detail=detail,
        # If a gateway gave up, or a success cannot be read, NetBox may have done what was requested.
        outcome_unknown=status in (502, 503, 504) or status < 300,
    )


def no_answer(exc: Exception, method: str, url: str) -> ProxboxError:
    """Return the error for a request that got no answer."""
    cause = root_cause(exc)
    reason = _one_line(cause)
    host = urlsplit(url).netloc
    where = f"({method} {url})"
    return ProxboxError(
        _no_answer_meaning(exc, cause).format(host=host, reason=reason, where=where),
        url=url,
        method=method,
        detail=reason,
        outcome_unknown=not _never_sent(exc, cause),
    )


def root_cause(exc: BaseException) -> BaseException:
    """Return the first cause of an exception. requests and urllib3 wrap it in exceptions of their own."""
    cause = exc
    for _depth in range(8):
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return cause


def is_broken_off(exc: Exception) -> bool:
    """Return whether a connection broke during a request, so that another attempt may succeed.

    After a time-out, no time is left for another attempt. A wrong certificate, host name or proxy stays wrong.
    """
    if isinstance(exc, requests.exceptions.SSLError):
        return isinstance(root_cause(exc), ssl.SSLEOFError)
    lasting = (requests.exceptions.ProxyError, requests.exceptions.Timeout)
    broken = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
    return isinstance(exc, broken) and not isinstance(exc, lasting) and "resolve" not in str(exc)


def _never_sent(exc: Exception, cause: BaseException) -> bool:
    if isinstance(cause, ssl.SSLEOFError):
        return False  # TLS may have broken off before the request or after it
    before = (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
    return isinstance(exc, before) or isinstance(cause, NewConnectionError)


def _no_answer_meaning(exc: Exception, cause: BaseException) -> str:
    errors = requests.exceptions
    if isinstance(exc, errors.SSLError):
        if isinstance(cause, NoTlsAnswer) or getattr(cause, "reason", None) in _NO_TLS:
            return (
                "{host} accepted the connection but does not use TLS {where}. Check whether netbox_url should begin "
                "with http://, and its port."
            )
        return TLS_FAILED
    if isinstance(exc, errors.ProxyError):
        return "The proxy between this host and {host} refused: {reason} {where}. Check HTTPS_PROXY and NO_PROXY."
    if isinstance(exc, errors.ConnectTimeout):
        return NOT_TAKEN
    if isinstance(exc, errors.Timeout):
        return TOO_SLOW
    if isinstance(exc, errors.ConnectionError):
        return UNREACHABLE
    return "The request to {host} failed: {reason} {where}."


def _one_line(cause: BaseException) -> str:
    # urllib3 puts the connection object and its own summary before the reason.
    text = re.sub(r"^\w+\(host=.*?\): (Failed to establish a new connection: )?", "", str(cause))
    # The text before an @ may be the password of a proxy.
    return re.sub(r"\S+@", "***@", " ".join(text.split())).rstrip(".")


def _server_detail(response: Answer) -> str | None:
    """Return the server's own error message; None if the answer is a web page.

    It is ``detail``, or each entry of ``errors`` as ``field: message``, or the exception and its message.
    """
    try:
        body = response.json()
    except ValueError:
        return None
    if isinstance(body, dict):
        failed = [body[key] for key in ("exception", "error") if body.get(key)]
        body = body.get("detail") or body.get("errors") or ": ".join(map(str, failed)) or body
    return "; ".join(_messages(body)) or None


def _messages(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            # DRF keys the errors of a list by index, which tells a user nothing.
            yield from _messages(value, path if str(key).isdigit() else f"{path}.{key}".lstrip("."))
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _messages(value, path)
    elif node not in (None, ""):
        text = str(node).rstrip(".")
        yield f"{path}: {text}" if path else text


def _status_meaning(response: Answer, detail: str | None) -> str:
    """Return what an answer means that cannot be used, and what to do about it."""
    status = response.status_code
    if 300 <= status < 400:
        return (
            f"NetBox redirects this request to {without_secrets(response.headers.get('Location') or 'elsewhere')}, and "
            "the module follows no redirects: set netbox_url to the address that NetBox has there"
        )
    if status in (401, 403):
        if "permission" in (detail or "").lower():
            return "The token's user lacks a permission for this"
        return TOKEN_REFUSED
    if status < 300:
        return (
            "The answer is not JSON of NetBox's API: netbox_url may point to another web server or a login "
            "page in front of NetBox"
        )
    if status >= 500 and status not in _STATUS_MEANINGS:
        return "NetBox had an internal error: check its log"
    return _STATUS_MEANINGS.get(status, "NetBox refuses the request")


_NETBOX_IS_DOWN = "The web server answers but NetBox behind it does not: check that NetBox is running"
_STATUS_MEANINGS = {
    404: "NetBox has nothing at this address",
    429: "NetBox, or a proxy in front of it, limits the rate of requests: try again later",
    502: _NETBOX_IS_DOWN,
    503: _NETBOX_IS_DOWN,
    504: _NETBOX_IS_DOWN,
}


def without_secrets(url: str) -> str:
    """Return a URL from the server without its user name, its password and its query, in which a login keeps state."""
    return re.sub(r"//[^/]*@", "//", re.split("[?#]", url)[0])
