# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source: its options, its requests, and what it does if NetBox does not answer."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from datetime import timedelta
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml

from ansible_collections.proxbox.proxbox.tests.unit.conftest import (
    DATE,
    DENIED,
    NIGHTLY,
    Answer,
    Script,
    make_row,
    page,
    recorded,
    serving,
)
from ansible_collections.proxbox.proxbox.tests.unit.plugins.module_utils.test_tls import certificate

FILE = Path(__file__).resolve().parents[4] / "extensions" / "eda" / "plugins" / "event_source" / "sync_jobs.py"
TOKEN = "0123456789abcdef" * 2 + "01234567"
JOBS = "GET /api/core/jobs/?"
ACTIVE = f"{JOBS}status=scheduled&status=pending&status=running&fields=...&ordering=id&limit=0&offset=0"
ENDED = f"{JOBS}status=completed&status=errored&status=failed&completed__after=2026-04-10T10:00:00Z&fields=..."
NONE = page()


def load(path: Path) -> dict[str, Any]:
    """Load the file alone. ansible-rulebook uses runpy, which does not work here with Ansible's collection loader."""
    spec = spec_from_loader(path.stem, SourceFileLoader(path.stem, str(path)))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


SOURCE = load(FILE)
MAIN = SOURCE["main"]
ProxboxError = SOURCE["_errors"].ProxboxError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the environment variables that the source reads."""
    for names in SOURCE["_connection"].ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


class Engine:
    """Runs the source in place of ansible-rulebook."""

    def __init__(self, server: Script, monkeypatch: pytest.MonkeyPatch) -> None:
        self.args: dict[str, Any] = {"netbox_url": server.url, "netbox_token": TOKEN, "timeout": 5}
        self.events: list[dict[str, Any]] = []
        self.pauses: list[float] = []
        self._monkeypatch = monkeypatch
        self._server = server

    def run(self, pauses: int = 1, **args: Any) -> list[tuple[str, str]]:
        """Run the source until it has paused ``pauses`` times. Return the types and names of its events."""

        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            if len(self.pauses) == pauses:
                raise asyncio.CancelledError

        self._monkeypatch.setitem(MAIN.__globals__, "asyncio", SimpleNamespace(sleep=sleep))

        async def put(event: dict[str, Any]) -> None:
            self.events.append(event)

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(MAIN(SimpleNamespace(put=put), {**self.args, **args}))
        return [(event["type"], event["name"]) for event in self.events]

    def fail(self, **args: Any) -> str:
        """Run the source until it fails, and return its message."""
        with pytest.raises(ProxboxError) as caught:
            asyncio.run(MAIN(SimpleNamespace(), {**self.args, **args}))
        assert TOKEN not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def engine(server: Script, monkeypatch: pytest.MonkeyPatch) -> Engine:
    return Engine(server, monkeypatch)


def ended(job_id: int, like: str = "ok_all", **changes: Any) -> dict[str, Any]:
    row = make_row(job_id, like=like, **{**NIGHTLY, "completed": "2026-04-10T10:00:00.5Z", **changes})
    return {**row, "log_entries": recorded(like)["log_entries"]}


def short(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with only the fields that the list of ended jobs has."""
    return {key: row[key] for key in ("id", "name", "status", "object_type", "completed")}


def test_a_look_costs_two_requests_and_one_more_if_a_sync_has_ended(engine: Engine, server: Script) -> None:
    run = ended(8, "backups_500_beside")
    quiet = [page(make_row(9, **NIGHTLY)), NONE]
    server.answer(*quiet, page(make_row(9, **NIGHTLY)), page(short(run)), page(run), *quiet)
    assert engine.run(3) == [("ended", "nightly")]
    (event,) = engine.events
    assert event["job"]["outcome"] == "partial"
    assert [(stage["sync_type"], stage["status"]) for stage in event["job"]["stages"]] == [
        ("devices", "ok"),
        ("vm-backups", "failed"),
    ]
    since = f"{ENDED}&ordering=id&limit=0&offset=0"
    one = f"{JOBS}id=8&fields=...&ordering=id&limit=0&offset=0"
    assert [text.replace("%3A", ":") for text in server.asked] == [ACTIVE, since, ACTIVE, since, one, ACTIVE, since]
    assert "log_entries" in server.requests[4] and "data" in server.requests[0]
    assert "log_entries" not in server.requests[0] and "data" not in server.requests[1]
    assert engine.pauses == [30, 30, 30]
    assert len(set(server.ports)) == 1


def test_a_token_of_version_2_and_headers_are_sent(engine: Engine, server: Script) -> None:
    server.answer(NONE)
    engine.run(netbox_token="nbt_abc.def", headers={"X-Shard": 1}, delay="5")
    assert server.headers[0]["Authorization"] == "Bearer nbt_abc.def" and server.headers[0]["X-Shard"] == "1"
    assert engine.pauses == [5]


def test_each_page_of_a_list_is_read(engine: Engine, server: Script) -> None:
    runs = [ended(number) for number in (7, 8, 9)]
    pages = [
        Answer({"count": 3, "results": rows}, headers=DATE) for rows in ([*map(short, runs[:2])], [short(runs[2])])
    ]
    server.answer(NONE, *pages, page(*runs))
    assert engine.run() == [("ended", "nightly")] * 3
    assert [request.partition("offset=")[2] for request in server.requests] == ["0", "0", "2", "0"]


def test_an_outage_is_logged_once_and_no_event_is_lost(
    engine: Engine, server: Script, caplog: pytest.LogCaptureFixture
) -> None:
    run, running = ended(9), make_row(9, status="running", **NIGHTLY)
    server.answer(
        *(page(running), NONE),
        *(NONE, page(short(run)), *[Answer(hang_up=True)] * 2),  # aiohttp itself sends the request twice
        Answer("<h1>Bad Gateway</h1>", 502, "text/html"),
        Answer({"detail": "Throttled."}, 429, headers={**DATE, "Retry-After": "77"}),
        Answer({"detail": "Throttled."}, 429, headers={**DATE, "Retry-After": "Fri, 10 Apr 2026 10:02:30 GMT"}),
        *[Answer("", 503)] * 3,
        *(NONE, page(short(run)), page(run)),
        *(NONE, page(short(run))),
    )
    with caplog.at_level(logging.INFO):
        assert engine.run(10, delay=10) == [("ended", "nightly")]
    assert engine.pauses == [10, 10, 20, 77, 150, 120, 120, 120, 10, 10]
    first, last = [record for record in caplog.records if record.name == "proxbox.proxbox.sync_jobs"]
    assert first.levelname == "WARNING" and "cannot be reached" in first.getMessage()
    assert last.getMessage() == "NetBox answers again."


def test_the_messages_about_time_outs(engine: Engine, server: Script, caplog: pytest.LogCaptureFixture) -> None:
    server.answer(Answer(delay=0.6))
    engine.run(timeout=0.2)
    assert "received the request but did not answer within the time-out" in caplog.text
    meaning = MAIN.__globals__["_meaning"](aiohttp.ServerTimeoutError("Connection timeout to host http://netbox"))
    assert meaning.startswith("{host} did not accept the connection within the time-out")


def test_pauses_grow_to_a_limit() -> None:
    pause_after = MAIN.__globals__["pause_after"]
    assert [pause_after(number, 30) for number in (1, 2, 3, 4, 5, 6, 1000)] == [30, 60, 120, 120, 120, 120, 120]
    assert [pause_after(number, 900) for number in (1, 2, 1000)] == [900, 900, 900]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (DENIED, "The token's user lacks a permission for this (GET {url}api/core/jobs/ answered HTTP 403: You do not"),
        (Answer({"detail": "Invalid v1 token"}, 403), "NetBox does not accept the token: check netbox_token"),
        (Answer("", 302, headers={"Location": "https://netbox.example.com/api"}), "set netbox_url to the address"),
        (Answer("<h1>Log in</h1>", content_type="text/html"), "The answer is not JSON of NetBox's API"),
        (Answer({"hello": "world"}), "netbox_url may point to another"),
        (Answer("<h1>Not found</h1>", 404, "text/html"), "NetBox has nothing at this address"),
    ],
)
def test_a_refused_request_ends_the_source(engine: Engine, server: Script, answer: Answer, sentence: str) -> None:
    server.answer(answer)
    found = engine.fail()
    assert sentence.format(url=f"{server.url}/") in found and "\n" not in found
    assert ("core.view_job" in found) is (answer is DENIED)
    assert len(server.requests) == 1


def test_no_message_has_a_secret(engine: Engine, server: Script) -> None:
    server.answer(Answer({"detail": f"Token {TOKEN} and key sesame-1234 are unknown"}, 403))
    assert "HTTP 403: Token ******** and key ******** are unknown" in engine.fail(headers={"X-Key": "sesame-1234"})


def test_the_first_look_goes_back_to_the_start_of_the_source(
    engine: Engine, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 0.5, 600.9])
    monkeypatch.setitem(MAIN.__globals__, "time", SimpleNamespace(monotonic=lambda: next(times)))
    server.answer(Answer("", 502), NONE)
    engine.run(2)
    assert "completed__after=2026-04-10T09:50:00Z" in server.requests[-1].replace("%3A", ":")


def test_the_time_limit_of_netbox_is_read_if_it_is_needed(engine: Engine, server: Script) -> None:
    def old(hours: float) -> Answer:
        start = "2026-04-10T10:00:00+00:00"
        started = (SOURCE["datetime"].fromisoformat(start) - timedelta(hours=hours)).isoformat()
        return page(make_row(9, status="running", **{**NIGHTLY, "started": started}))

    server.answer(*(old(2.5), NONE, page({"id": 1, "sync_job_timeout": 10800})), *(old(3), NONE))
    server.answer(page({"id": 1, "sync_job_timeout": 10800}), *(old(4), NONE))
    assert engine.run(3) == [("running_too_long", "nightly")]
    asked = [number for number, text in enumerate(server.requests) if "settings" in text]
    assert asked == [2, 5] and len(server.requests) == 8
    server.requests.clear()
    server.answers[:] = [old(2.5), NONE, DENIED]
    engine.events.clear()
    engine.pauses.clear()
    assert engine.run() == [("running_too_long", "nightly")]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            {"netbox_url": ""},
            "The event source sync_jobs needs netbox_url: set it, or the environment variable NETBOX_URL",
        ),
        ({"netbox_token": None}, "needs netbox_token: set it, or the environment variable NETBOX_TOKEN"),
        ({"netbox_url": "netbox"}, "netbox_url is not a URL"),
        ({"interval": 30}, "has no option 'interval': it has netbox_url"),
        ({"delay": 0.5}, "delay 0.5 is less than a second"),
        ({"delay": "often"}, "delay 'often' is not a number"),
        ({"timeout": [1]}, "timeout [1] is not a number"),
        ({"validate_certs": "perhaps"}, "validate_certs 'perhaps' is neither true nor false"),
        ({"headers": "X: 1"}, "headers is not a dictionary"),
        ({"headers": '["X"]'}, "headers is not a dictionary"),
        ({"names": {"a": 1}}, "names {'a': 1} is not a list"),
        ({"schedules": ["null"]}, "cannot be the name of a job"),
        ({"running_too_long": "long"}, "running_too_long 'long' is not an interval"),
        ({"lookback": "0m"}, "lookback '0m' is less than a minute"),
        ({"ca_path": "/no/such/file"}, "ca_path '/no/such/file' does not exist"),
    ],
)
def test_an_invalid_option_is_refused(engine: Engine, server: Script, args: dict[str, Any], sentence: str) -> None:
    assert sentence in engine.fail(**args)
    assert server.requests == []


def test_options_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = MAIN.__globals__["read_options"]
    for name, value in (
        ("NETBOX_API", "http://netbox/"),
        ("NETBOX_TOKEN", TOKEN),
        ("NETBOX_VALIDATE_CERTS", "no"),
        ("NETBOX_CA_PATH", ""),
    ):
        monkeypatch.setenv(name, value)
    found = read({"names": "nightly\nlab *", "delay": "", "lookback": 90, "eda_feedback_queue": object()})
    assert (found.connection.url, found.connection.token) == ("http://netbox", TOKEN)
    assert not found.connection.validate_certs and found.connection.ca_path is None
    assert found.rules.names == ("nightly", "lab *") and found.delay == 30
    assert found.lookback == timedelta(minutes=90) and found.rules.running_too_long is None
    assert found.connection.headers == {"Accept-Language": "en"}
    more = {"names": "", "headers": '{"X-Shard": 1}'}
    found = read({"netbox_url": "http://other", "netbox_token": 12345678, "validate_certs": True, **more})
    assert found.connection.headers["X-Shard"] == "1"
    assert (found.connection.url, found.connection.token) == ("http://other", "12345678")
    assert found.connection.validate_certs and found.rules.names == ()


def test_the_documentation_has_each_option() -> None:
    documented = yaml.safe_load(SOURCE["DOCUMENTATION"])
    assert list(documented["options"]) == list(SOURCE["_SPEC"])
    (ruleset,) = yaml.safe_load(SOURCE["EXAMPLES"])
    assert ruleset["sources"][0]["proxbox.proxbox.sync_jobs"].keys() <= documented["options"].keys()


def test_certificates_are_checked_unless_validate_certs_is_false(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, key = certificate(tmp_path, "netbox")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, key)
    with serving(context) as server:
        server.answer(NONE)
        engine = Engine(server, monkeypatch)
        engine.run(ca_path=own)
        engine.run(2, validate_certs="false")
        assert len(server.requests) == 4
        engine.run(3)
        assert len(server.requests) == 4
        assert "The TLS connection to 127.0.0.1:" in caplog.text and "certificate verify failed" in caplog.text
        assert "A certificate cannot be read" in engine.fail(ca_path=str(FILE))


def test_a_proxy_is_used_and_netrc_is_not(
    engine: Engine, server: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = urlsplit(server.url).hostname
    (tmp_path / ".netrc").write_text("machine netbox.invalid login somebody password something\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    server.answer(NONE)
    engine.run(netbox_url="http://netbox.invalid")
    assert server.requests[0].startswith("GET http://netbox.invalid/api/core/jobs/")
    assert server.headers[0]["Authorization"] == f"Token {TOKEN}"
    monkeypatch.setenv("no_proxy", str(host))
    engine.run(2)
    assert server.requests[-1].startswith("GET /api/")


def test_a_file_outside_its_collection_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "extensions" / "eda" / "plugins" / "event_source"
    folder.mkdir(parents=True)
    shutil.copy(FILE, folder)
    with pytest.raises(RuntimeError, match=r"is not inside its collection .* install it with ansible-galaxy"):
        load(folder / FILE.name)
