# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the connection to NetBox, as the options describe it.

Each value is checked before it is used. No message shows a value that may hold a secret: Ansible masks only text that
equals the value of the option, and Python's libraries show a value with escapes.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ._errors import ProxboxError

LONGEST_TIMEOUT = 86400
"""Seconds. A socket accepts no infinite time-out, and a module should not wait longer than a day for one answer."""

SHORTEST_SECRET = 8
"""Characters. A shorter value is not masked, because Ansible would mask it inside dates, words and addresses too."""

SECRET_NAMES = ("auth", "cookie", "credential", "jwt", "key", "pass", "secret", "session", "signature", "token")
"""A header with one of these in its name holds a secret."""

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""What Ansible prints instead of a secret option."""

ENVIRONMENT = {
    "netbox_url": ("NETBOX_URL", "NETBOX_API"),
    "netbox_token": ("NETBOX_TOKEN",),
    "validate_certs": ("NETBOX_VALIDATE_CERTS",),
    "ca_path": ("NETBOX_CA_PATH",),
    "client_cert": ("NETBOX_CLIENT_CERT",),
    "client_key": ("NETBOX_CLIENT_KEY",),
    "netbox_username": ("NETBOX_USERNAME",),
    "netbox_password": ("NETBOX_PASSWORD",),
}
"""The environment variables of each option. The first variable that is not empty is used if the option is not set."""

ENGLISH = {"Accept-Language": "en"}
"""A header of each request.

NetBox translates its error messages (``DEFAULT_LANGUAGE``), and the collection recognizes some by their English words.
"""

_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
"""The characters that HTTP allows in the name of a header (RFC 9110, section 5.6.2)."""


class Connection(NamedTuple):
    """The connection to one NetBox. ``timeout`` is in seconds, and applies to each connect and to each answer."""

    url: str
    token: str
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    headers: Mapping[str, Any] = MappingProxyType({})
    timeout: float = 30

    def __repr__(self) -> str:
        # The token and the headers are secrets.
        return f"Connection({self.url!r})"


def checked(connection: Connection) -> Connection:
    """Return the connection with its URL, token and headers as they are sent.

    :raises ProxboxError: if a value cannot work; nothing was sent.
    """
    if not 0 < connection.timeout <= LONGEST_TIMEOUT:
        raise ProxboxError(
            f"timeout {connection.timeout} is not a time: give seconds above 0, and at most {LONGEST_TIMEOUT}."
        )
    for option in ("ca_path", "client_cert", "client_key"):
        _check_file(getattr(connection, option), option)
    headers = {name: _checked_header(name, value) for name, value in _header_names(connection.headers)}
    return connection._replace(
        url=_checked_url(connection.url),
        token=_checked_token(connection.token),
        headers={name: value for name, value in headers.items() if name.lower() != "accept-language"} | ENGLISH,
    )


def from_environment(*names: str) -> str | None:
    """Return the value of the first of these environment variables that is not empty. AWX leaves variables empty."""
    return next(filter(None, map(os.environ.get, names)), None)


def authorization(token: str) -> str:
    """Return the header ``Authorization`` for a token of version 1 or 2 (NetBox 4.5 and newer)."""
    return f"{'Bearer' if token.startswith('nbt_') and '.' in token else 'Token'} {token}"


def server_time(headers: Mapping[str, str]) -> datetime:
    """Return the time of NetBox in UTC, from the header ``Date`` of an answer; the time of this host without it."""
    try:
        told = parsedate_to_datetime(headers["Date"])
        # RFC 5322 also allows -0000 for UTC, and Python reads that as no time zone.
        return told.astimezone(timezone.utc) if told.tzinfo else told.replace(tzinfo=timezone.utc)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return datetime.now(timezone.utc)


def secret_values(params: Mapping[str, Any]) -> set[str]:
    """Return the values of a module's options that no output may show, also if they are not valid."""
    secrets = {params.get(option) for option in ("netbox_token", "netbox_password")}
    url = str(params.get("netbox_url") or "")
    if any(mark in url for mark in "@?#"):
        secrets.add(url)
    for option in ("ca_path", "client_cert", "client_key"):
        path = str(params.get(option) or "")
        if _is_pem(path):
            secrets.add(path)
    headers = params.get("headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if any(word in str(name).lower() for word in SECRET_NAMES):
            # A server may repeat "Bearer abc" without its first word.
            secrets.update(text for text in (str(value), *str(value).split()) if len(text.strip()) >= SHORTEST_SECRET)
    texts = {str(secret) for secret in secrets if secret}
    # A value is sent without the white space around it.
    return {text for found in texts for text in (found, found.strip()) if text}


def _checked_url(url: str) -> str:
    text = url.strip().rstrip("/")
    problem = _url_problem(text)
    if problem:
        # The message leaves out the URL: if the value is wrong, for example that of another option, it may be a secret.
        raise ProxboxError(f"netbox_url is not a URL of the form https://netbox.example.com: {problem}.")
    return text.removesuffix("/api")


def _url_problem(url: str) -> str | None:
    if not url:
        return "it is empty"
    if "@" in url:
        return "it holds a user name or a password (@); leave them out, because NetBox's API takes a token"
    if "?" in url or "#" in url:
        return "it holds a query (?) or a fragment (#); leave it out"
    if not url.isprintable() or any(char.isspace() for char in url) or "\\" in url:
        return "it holds white space, a backslash or a character that cannot be printed"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or its port cannot be read"
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    return None if parts.hostname and port != 0 else "it has no host, or port 0"


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ProxboxError(
            "netbox_token is empty or holds white space or non-ASCII characters, so it cannot be a NetBox API token; "
            "check how it is passed (a line break inside it, quotes, an unresolved variable)."
        )
    return token


def _header_names(headers: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for given, value in headers.items():
        name = str(given)
        wrong = next((at for at, char in enumerate(name) if char not in _NAME_CHARACTERS), None if name else 0)
        if wrong is not None:
            # The name may be "X-Key: secret". Only the part before the first wrong character is surely no secret.
            raise ProxboxError(
                f"headers has a name that HTTP does not allow, which begins with {name[:wrong]!r}: a name takes ASCII "
                "letters, digits and hyphens, and the value is given separately."
            )
        if name.lower() == "authorization":
            raise ProxboxError(
                "headers has Authorization, the header of the token: leave it out, and set the token with netbox_token."
            )
        yield name, value


def _checked_header(name: str, value: Any) -> str:
    if value is None or isinstance(value, (dict, list, tuple, set)):
        raise ProxboxError(f"The value of {name} in headers is not a string: give one string for each header.")
    text = str(value).strip()
    if any((ord(char) < 32 and char != "\t") or ord(char) == 127 or ord(char) > 255 for char in text):
        raise ProxboxError(
            f"The value of {name} in headers has a line break or a character that HTTP does not allow: check how it "
            "is passed (a line break inside it, a typographic quote or dash)."
        )
    return text


def _check_file(path: str | None, option: str) -> None:
    if not path:
        return
    if _is_pem(path):
        raise ProxboxError(f"{option} is the text of a certificate or a key: give the path of its file.")
    if not os.path.exists(path):
        raise ProxboxError(f"{option} {path!r} does not exist on the host that runs the module.")


def _is_pem(path: str) -> bool:
    return "-----BEGIN" in path or "\n" in path
