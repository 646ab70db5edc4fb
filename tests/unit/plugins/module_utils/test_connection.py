# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of a connection: what cannot work is refused before anything is sent, and no message holds a secret."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.proxbox.proxbox.plugins.module_utils._connection import Connection, checked, secret_values
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def refusal(**options: Any) -> str:
    with pytest.raises(ProxboxError) as caught:
        checked(Connection(**{"url": "https://netbox.example.com", "token": TOKEN, **options}))
    assert caught.value.failure == {"url": None, "method": None, "status": None, "detail": None}
    assert str(caught.value).endswith(".")
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "it is empty"),
        ("netbox.example.com", "does not begin with http"),
        (TOKEN, "does not begin with http"),
        ("ftp://netbox", "does not begin with http"),
        ("https://", "does not begin|no host"),
        ("http:///path", "no host"),
        ("http://netbox:0", "port 0"),
        ("http://[::1", "cannot be read"),
        ("http://netbox:port", "cannot be read"),
        ("http://net\nbox", "white space"),
        ("http://n/?a", "a query"),
        ("https://netbox/?token=hunter2hunter2", "a query"),
        ("https://netbox/#hunter2hunter2", "a fragment"),
        ("https://admin:hunter2hunter2@netbox.example.com", "user name or a password"),
        ("https://admin:hunter2/hunter2@netbox.example.com", "user name or a password"),
        ("admin:hunter2hunter2@netbox.example.com", "user name or a password"),
    ],
)
def test_no_url(url: str, says: str) -> None:
    said = refusal(url=url)
    assert "netbox_url is not a URL of the form" in said
    assert any(part in said for part in says.split("|")), said
    assert "hunter2" not in said and TOKEN not in said


@pytest.mark.parametrize("token", ["", " ", "two words", "tok\u00e9n", "{{ undefined }}", "a\nb", "a\x00b"])
def test_no_token(token: str) -> None:
    said = refusal(token=token)
    assert "cannot be a NetBox API token" in said
    assert token.strip() == "" or token not in said


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, 1e10])
def test_no_timeout(timeout: float) -> None:
    assert f"timeout {timeout} is not a time" in refusal(timeout=timeout)


@pytest.mark.parametrize(
    "value",
    [
        "hunter2hunter2\nX-Other: a",
        "hunter2hunter2\r",
        "hunter2hunter2\u2013",
        "hunter2hunter2\x00",
        ["hunter2hunter2"],
    ],
)
def test_no_header(value: object) -> None:
    if value == "hunter2hunter2\r":
        value = "\rhunter2\rhunter2"
    said = refusal(headers={"X-Key": value})
    assert "The value of X-Key in headers" in said and "hunter2" not in said


def test_a_header_without_a_value() -> None:
    assert "The value of X-Key in headers is not a text" in refusal(headers={"X-Key": None})


@pytest.mark.parametrize("name", ["X-Key: hunter2hunter2", "", "X Key", "X-K\u00e9y", "X-Key\n"])
def test_no_name_of_a_header(name: str) -> None:
    said = refusal(headers={name: "abc"})
    assert "headers has a name that HTTP does not allow" in said and "hunter2" not in said


def test_the_tokens_own_header() -> None:
    assert "give the token as netbox_token" in refusal(headers={"authorization": "Token hunter2"})


def test_headers_as_they_are_sent() -> None:
    given = {"X-Shard": 1, "X-Gate": "caf\u00e9\n", "X-Up": " ok "}
    connection = checked(Connection("http://netbox", TOKEN, headers=given))
    assert connection.headers == {"X-Shard": "1", "X-Gate": "caf\u00e9", "X-Up": "ok"}


@pytest.mark.parametrize("option", ["ca_path", "client_cert", "client_key"])
def test_a_file_that_is_not_there(option: str) -> None:
    assert f"{option} '/nowhere' does not exist" in refusal(**{option: "/nowhere"})
    assert "does not exist" in refusal(**{option: "/" + "n" * 5000})


def test_a_key_instead_of_its_file(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
    said = refusal(client_cert=str(tmp_path), client_key=key)
    assert "client_key holds a certificate or a key itself" in said and "hunter2" not in said
    assert key in secret_values({"client_key": key})


def test_what_is_masked() -> None:
    params = {
        "netbox_url": "https://netbox.example.com",
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
    assert secret_values({"netbox_url": "https://u:hunter2@netbox"}) == {"https://u:hunter2@netbox"}
