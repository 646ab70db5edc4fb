# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates are trusted and sent, by a server with TLS on loopback."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.proxbox.proxbox.plugins.module_utils import _http
from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.tests.unit.conftest import Answer, Script, serving

Certificate = tuple[str, str]
"""The paths of a certificate and of its key."""


def certificate(folder: Path, name: str) -> Certificate:
    """Make a certificate for 127.0.0.1 that is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    for path, content in zip(paths, (made.public_bytes(pem), private), strict=True):
        path.write_bytes(content)
    return str(paths[0]), str(paths[1])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """The server's certificate."""
    return certificate(tmp_path_factory.mktemp("tls"), "netbox")


@pytest.fixture
def server(own: Certificate) -> Iterator[Script]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    with serving(context) as script:
        yield script.answer(Answer({"ok": True}))


@pytest.fixture(autouse=True)
def no_trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system trusts nothing, and the environment names no proxy and no bundle."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    _http._system_trust.cache_clear()
    yield
    _http._system_trust.cache_clear()


def ask(server: Script, **options: Any) -> object:
    return Session(Connection(server.url, "0" * 40, **{"timeout": 5, **options})).get("status/")


def test_a_certificate_of_an_unknown_ca(server: Script) -> None:
    with pytest.raises(ProxboxError, match=r"TLS connection .* failed: .*certificate verify failed.* with ca_path"):
        ask(server)
    assert server.requests == []


def test_the_bundle_of_ca_path(server: Script, own: Certificate) -> None:
    assert ask(server, ca_path=own[0]) == {"ok": True}


def test_a_certificate_that_is_not_checked(server: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bundle of the environment counts then, and nothing warns of it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        assert ask(server, validate_certs=False) == {"ok": True}
    assert [str(warning.message) for warning in shown if "Unverified" in str(warning.message)] == []


def test_ca_path_before_the_bundle_of_the_environment(
    server: Script, own: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert ask(server, ca_path=own[0]) == {"ok": True}


def test_the_bundle_of_the_environment(server: Script, own: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", own[0])
    assert ask(server) == {"ok": True}


def test_the_store_of_the_system(server: Script, own: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", own[0])
    assert ask(server) == {"ok": True}
    server.url = server.url.replace("https", "HTTPS")
    assert ask(server) == {"ok": True}


def test_the_bundle_of_certifi_where_the_system_has_no_store(
    server: Script, own: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests.utils, "DEFAULT_CA_BUNDLE_PATH", own[0])
    assert ask(server) == {"ok": True}


def test_a_store_of_the_system_takes_the_place_of_certifi(
    server: Script, own: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificate(tmp_path, "other")[0])
    for module in (requests.utils, requests.adapters):
        monkeypatch.setattr(module, "DEFAULT_CA_BUNDLE_PATH", own[0])
    with pytest.raises(ProxboxError, match="certificate verify failed"):
        ask(server)


@pytest.mark.parametrize("in_one_file", [False, True])
def test_a_client_certificate(
    own: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_file: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", own[0])
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(first[0])

    def options(path: str, key: str) -> dict[str, str]:
        if not in_one_file:
            return {"client_cert": path, "client_key": key}
        both = Path(f"{path}.both")
        both.write_text(Path(path).read_text() + Path(key).read_text())
        return {"client_cert": str(both)}

    with serving(context) as server:
        server.answer(Answer({"ok": True}))
        assert ask(server, **options(*first)) == {"ok": True}
        # A certificate that was used before is not sent again.
        for refused in ({}, options(*second)):
            with pytest.raises(ProxboxError):
                ask(server, **refused)
        assert len(server.requests) == 1


def test_the_time_for_tls_is_not_that_for_the_answer(
    server: Script, own: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "HANDSHAKE_TIMEOUT", 0.3)
    server.answers[:] = [Answer({"ok": True}, delay=0.6)]
    assert ask(server, ca_path=own[0]) == {"ok": True}


def test_a_time_out_after_tls(server: Script, own: Certificate) -> None:
    server.answers[:] = [Answer({"ok": True}, delay=1)]
    with pytest.raises(ProxboxError, match="did not answer within the time-out"):
        ask(server, ca_path=own[0], timeout=0.5)


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that takes CONNECT: its URL, and the first line of each request."""
    lines: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def forward(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # an end has closed its connection
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            lines.append(client.recv(65536).decode().splitlines()[0])
            host, _colon, port = lines[-1].split()[1].partition(":")
            upstream = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for ends in ((client, upstream), (upstream, client)):
                threading.Thread(target=forward, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", lines
    listener.close()


def test_behind_a_proxy(
    server: Script, own: Certificate, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, lines = proxy
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ProxboxError, match="certificate verify failed"):
        ask(server)
    _http._system_trust.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", own[0])
    assert ask(server) == {"ok": True}
    assert ask(server, validate_certs=False) == {"ok": True}
    _http._system_trust.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setattr(requests.utils, "DEFAULT_CA_BUNDLE_PATH", own[0])
    assert ask(server) == {"ok": True}
    # Python 3.11 says HTTP/1.0.
    assert [line.rpartition(" ")[0] for line in lines] == [f"CONNECT {server.url.removeprefix('https://')}"] * 4
