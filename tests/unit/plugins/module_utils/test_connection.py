# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a connection. Invalid values are refused before a request is sent, and no message has a secret."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._connection import (
    SECRET_NAMES,
    Connection,
    checked,
    secret_values,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def refusal(**options: Any) -> str:
    with pytest.raises(ProxboxError) as caught:
        checked(Connection(**{"url": "https://netbox.example.com", "token": TOKEN, **options}))
    assert caught.value.failure == {"url": None, "method": None, "status": None, "detail": None}
    assert str(caught.value).endswith(".")
    return str(caught.value)


NO_SCHEME = "it does not begin with http:// or https://"
NO_HOST = "it has no host, or port 0"
UNREADABLE = "its host or its port cannot be read"
LOGIN = "it holds a user name or a password (@); leave them out, because NetBox's API takes a token"
QUERY = "it holds a query (?) or a fragment (#); leave it out"
UNPRINTABLE = "it holds white space, a backslash or a character that cannot be printed"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "it is empty"),
        (" / ", "it is empty"),
        ("netbox.example.com", NO_SCHEME),
        (TOKEN, NO_SCHEME),
        ("ftp://netbox", NO_SCHEME),
        ("https://", NO_HOST),
        ("http:///path", NO_HOST),
        ("http://netbox:0", NO_HOST),
        ("http://[::1", UNREADABLE),
        ("http://netbox:port", UNREADABLE),
        ("http://netbox:65536", UNREADABLE),
        ("http://net\nbox", UNPRINTABLE),
        ("http://net box", UNPRINTABLE),
        ("http://netbox\\api", UNPRINTABLE),
        ("http://netbox\x00", UNPRINTABLE),
        ("http://n/?a", QUERY),
        ("https://netbox/?token=hunter2hunter2", QUERY),
        ("https://netbox/#hunter2hunter2", QUERY),
        ("https://admin:hunter2hunter2@netbox.example.com", LOGIN),
        ("https://admin:hunter2/hunter2@netbox.example.com", LOGIN),
        ("admin:hunter2hunter2@netbox.example.com", LOGIN),
    ],
)
def test_an_invalid_url_is_refused(url: str, says: str) -> None:
    assert refusal(url=url) == f"netbox_url is not a URL of the form https://netbox.example.com: {says}."


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://netbox", "http://netbox"),
        (" https://netbox/ ", "https://netbox"),
        ("https://netbox/api", "https://netbox"),
        ("https://netbox:8443/below/api//", "https://netbox:8443/below"),
        ("https://netbox/apiX", "https://netbox/apiX"),
        ("HTTPS://netbox", "HTTPS://netbox"),
    ],
)
def test_a_url_is_normalized(given: str, url: str) -> None:
    assert checked(Connection(given, TOKEN)).url == url


@pytest.mark.parametrize("token", ["", " ", "two words", "tok\u00e9n", "{{ undefined }}", "a\nb", "a\x00b"])
def test_an_invalid_token_is_refused(token: str) -> None:
    assert refusal(token=token) == (
        "netbox_token is empty or holds white space or non-ASCII characters, so it cannot be a NetBox API token; "
        "check how it is passed (a line break inside it, quotes, an unresolved variable)."
    )


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, 1e10])
def test_an_invalid_timeout_is_refused(timeout: float) -> None:
    assert refusal(timeout=timeout) == f"timeout {timeout} is not a time: give seconds above 0, and at most 86400."


@pytest.mark.parametrize("timeout", [0.1, 86400])
def test_the_shortest_and_the_longest_timeout_are_accepted(timeout: float) -> None:
    assert checked(Connection("http://netbox", TOKEN, timeout=timeout)).timeout == timeout


@pytest.mark.parametrize(
    "value", [f"hunter2{mark}hunter2" for mark in ("\nX-Other: a", "\r", "\x00", "\x1f", "\x7f", "\u0100", "\u2013")]
)
def test_an_invalid_value_of_a_header_is_refused(value: str) -> None:
    assert refusal(headers={"X-Key": value}) == (
        "The value of X-Key in headers has a line break or a character that HTTP does not allow: check how it is "
        "passed (a line break inside it, a typographic quote or dash)."
    )


@pytest.mark.parametrize("value", [None, ["hunter2"], ("hunter2",), {"hunter2"}, {"hunter2": "a"}])
def test_a_header_that_is_not_a_string_is_refused(value: object) -> None:
    assert refusal(headers={"X-Key": value}) == (
        "The value of X-Key in headers is not a string: give one string for each header."
    )


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("X-Key: hunter2hunter2", "X-Key"),
        ("", ""),
        (" X", ""),
        ("X Key", "X"),
        ("X-K\u00e9y", "X-K"),
        ("X-Key\n", "X-Key"),
    ],
)
def test_an_invalid_name_of_a_header_is_refused(name: str, begin: str) -> None:
    assert refusal(headers={name: "abc"}) == (
        f"headers has a name that HTTP does not allow, which begins with {begin!r}: a name takes ASCII letters, digits "
        "and hyphens, and the value is given separately."
    )


def test_the_header_of_the_token_is_refused() -> None:
    assert refusal(headers={"authorization": "Token hunter2"}) == (
        "headers has Authorization, the header of the token: leave it out, and set the token with netbox_token."
    )


def test_headers_are_normalized() -> None:
    given = {"X-Shard": 1, "X-Gate": "caf\u00e9\n", "X-Up": " o\tk ", "!#$%&'*+-.^_`|~09azAZ": "\xff \x80"}
    connection = checked(Connection("http://netbox", TOKEN, headers=given))
    sent = {**given, "X-Shard": "1", "X-Gate": "caf\u00e9", "X-Up": "o\tk", "Accept-Language": "en"}
    assert connection.headers == sent


OPTIONS = ["ca_path", "client_cert", "client_key"]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("path", ["/nowhere", "/" + "n" * 5000])
def test_a_file_that_does_not_exist_is_refused(option: str, path: str) -> None:
    assert refusal(**{option: path}) == f"{option} {path!r} does not exist on the host that runs the module."


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("key", ["-----BEGIN PRIVATE KEY-----\nhunter2\n", "-----BEGIN PRIVATE KEY-----", "hunter2\n"])
def test_a_key_in_place_of_its_path_is_refused_and_masked(option: str, key: str) -> None:
    assert refusal(**{option: key}) == f"{option} is the text of a certificate or a key: give the path of its file."
    assert secret_values({option: key}) == {key, key.strip()}
    assert secret_values({option: "/etc/ssl/netbox.pem"}) == set()


def test_which_values_are_masked() -> None:
    params = {
        "netbox_url": "https://netbox.example.com/X",
        "netbox_token": f"{TOKEN}\n",
        "netbox_password": None,
        "headers": {
            "X-Shard": "1",
            "X-Forwarded-Host": "netbox.example.com",
            "X-Auth-Mode": "jwt",
            "Proxy-Authorization": "Basic b3BlbnNlc2FtZQ==",
            "X-Api-Key": "opensesame-opensesame\n",
        },
    }
    assert {value.strip() for value in secret_values(params)} == {
        TOKEN,
        "Basic b3BlbnNlc2FtZQ==",
        "b3BlbnNlc2FtZQ==",
        "opensesame-opensesame",
    }
    assert secret_values({"netbox_password": "s3cret"}) == {"s3cret"}
    assert secret_values({"headers": {"X-Key": "1234567", "Cookie": "12345678"}}) == {"12345678"}


@pytest.mark.parametrize("url", ["https://u:hunter2@netbox", "https://netbox/?hunter2", "https://netbox/#hunter2"])
def test_a_url_with_a_secret_is_masked(url: str) -> None:
    assert secret_values({"netbox_url": url}) == {url}


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_header_with_a_secret_is_masked(name: str) -> None:
    value = "opensesame opens"
    assert secret_values({"headers": {f"X-{name.title()}-1": f" {value}"}}) == {f" {value}", value, "opensesame"}


def test_a_connection_shows_no_secret() -> None:
    shown = repr(Connection("https://netbox.example.com", "opensesame", headers={"X-Key": "opensesame"}))
    assert "https://netbox.example.com" in shown and "opensesame" not in shown
