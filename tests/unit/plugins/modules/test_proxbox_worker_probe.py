# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role concludes from NetBox, RQ and systemd. The units' states come from Debian 13 with systemd 257."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROBE = Path(__file__).parents[4] / "roles" / "proxbox_worker" / "files" / "probe.py"

ACTIVE = {
    "MainPID": "11625",
    "Result": "success",
    "ExecMainStartTimestampMonotonic": "22447630287",
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "InvocationID": "4cb6790710d7404ea02f88f02a87ff11",
}
CRASHED = {
    "MainPID": "0",
    "Result": "exit-code",
    "ExecMainStartTimestampMonotonic": "22461907807",
    "LoadState": "loaded",
    "ActiveState": "activating",
    "SubState": "auto-restart",
    "InvocationID": "f80f5a6af4bd4797bc4a09ee6570b955",
}
FAILED = {
    "MainPID": "0",
    "Result": "exit-code",
    "ExecMainStartTimestampMonotonic": "22464399704",
    "LoadState": "loaded",
    "ActiveState": "failed",
    "SubState": "failed",
    "InvocationID": "2448f133c60748fe896b1bc26c488525",
}
ABSENT = {
    "MainPID": "0",
    "Result": "success",
    "ExecMainStartTimestampMonotonic": "0",
    "LoadState": "not-found",
    "ActiveState": "inactive",
    "SubState": "dead",
    "InvocationID": "",
}
STOPPED = {**ABSENT, "LoadState": "loaded", "InvocationID": "371d11a6a25e4cf5954efdac2b7a1b6e"}
STARTED = 22447.63
"""When the worker of ACTIVE was started, in seconds of the monotonic clock."""
WORKER = {"name": "e9dfe664805c48e986d456bc38ec0e40", "pid": 11625, "queues": ["high", "default"]}
QUEUES = {"high", "default"}


@pytest.fixture
def probe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("proxbox_worker_probe", PROBE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("state", "worker", "age", "why", "kind"),
    [
        (ACTIVE, WORKER, 5, "", ""),
        (ACTIVE, {**WORKER, "queues": ["low"]}, 5, "its worker serves low", "failed"),
        (ACTIVE, None, 5, "it is active, but has not registered with RQ", "pending"),
        (ACTIVE, None, 600, "it has run for 600 s, but RQ does not know it. Either ", "lost"),
        ({**ACTIVE, "ActiveState": "deactivating"}, None, 600, "it is deactivating, but has not", "pending"),
        (CRASHED, None, 600, "its process ends at once (exit-code), again and again", "failed"),
        ({**CRASHED, "Result": "success"}, None, 600, "its process ends at once (success), again and again", "pending"),
        (FAILED, None, 600, "its process ends at once (exit-code), again and again", "failed"),
        (STOPPED, None, 600, "it is stopped. Start it: run the role without the tag", "stopped"),
        (ABSENT, None, 600, "it is not-found. Deploy it: run the role without the tag", "stopped"),
    ],
)
def test_why_a_unit_is_not_up(
    probe: ModuleType, state: dict[str, str], worker: dict[str, Any] | None, age: float, why: str, kind: str
) -> None:
    found = probe.judge(state, worker, QUEUES, 60, STARTED + age)
    assert found[0].startswith(why)
    assert bool(found[0]) == bool(why)
    assert found[1] == kind


def test_the_message_about_a_lost_worker_names_the_cause_and_the_remedy(probe: ModuleType) -> None:
    why = probe.judge(ACTIVE, None, QUEUES, 60, STARTED + 600)[0]
    assert "Redis has lost its data" in why
    assert "Restart it" in why


def test_each_unit_is_examined(probe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"up": ACTIVE, "crashed": CRASHED, "stopped": STOPPED, "lost": {**ACTIVE, "MainPID": "4"}}
    monkeypatch.setattr(probe, "shown", states.__getitem__)
    # A worker of another host has the same process id.
    known = {(socket.gethostname(), 11625): WORKER, ("elsewhere", 4): {**WORKER, "pid": 4}}
    monkeypatch.setattr(probe, "workers", lambda: known)
    monkeypatch.setattr(probe.time, "monotonic", lambda: STARTED + 600)
    found = probe.look(list(states), QUEUES, 60.0)
    assert found["workers"] == [WORKER]
    assert list(found["missing"]) == ["crashed", "stopped", "lost"]
    assert found["pending"] == []
    assert found["lost"] == ["lost"]
    # The journal does not help with a unit that was stopped.
    assert found["invocations"] == [CRASHED["InvocationID"], ACTIVE["InvocationID"]]


def found_in_turn(
    probe: ModuleType, monkeypatch: pytest.MonkeyPatch, *looks: tuple[list[str], list[str]]
) -> list[float]:
    """Let each look find these missing and pending units. The last look is repeated. Return the pauses in seconds."""
    left = [{"missing": dict.fromkeys(missing, "why"), "pending": pending} for missing, pending in looks]
    slept: list[float] = []
    monkeypatch.setattr(probe, "look", lambda *_: left.pop(0) if len(left) > 1 else left[0])
    monkeypatch.setattr(probe.time, "sleep", slept.append)
    monkeypatch.setattr(probe.time, "monotonic", lambda: sum(slept))
    return slept


def test_the_probe_waits_until_the_worker_has_registered(probe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = found_in_turn(probe, monkeypatch, (["a", "b"], ["a", "b"]), (["b"], ["b"]), ([], []))
    assert probe.wait_for(["a", "b"], QUEUES, 60.0)["missing"] == {}
    assert len(slept) == 2


def test_the_probe_does_not_wait_for_a_stopped_worker(probe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = found_in_turn(probe, monkeypatch, (["a", "b"], ["a"]))
    assert list(probe.wait_for(["a", "b"], QUEUES, 60.0)["missing"]) == ["a", "b"]
    assert slept == []


def test_the_probe_waits_for_a_limited_time(probe: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = found_in_turn(probe, monkeypatch, (["a"], ["a"]))
    assert list(probe.wait_for(["a"], QUEUES, 60.0)["missing"]) == ["a"]
    assert 60 < sum(slept) < 100


@pytest.mark.parametrize(
    ("queues", "expected"),
    [
        (["auto"], ["high", "netbox_proxbox.sync", "default"]),
        (["low", "default"], ["low", "default"]),
        ([], []),
    ],
)
def test_which_queues_a_worker_serves(probe: ModuleType, queues: list[str], expected: list[str]) -> None:
    assert probe.wanted_queues(queues, "netbox_proxbox.sync") == expected
    assert probe.wanted_queues(["auto"], "default") == ["high", "default"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/opt/netbox"], False),
        (["/opt/netbox", "/home/netbox/venv"], True),
        (["/home"], True),
        (["/homely/netbox"], False),
        (["localhost", ""], False),
    ],
)
def test_which_paths_are_below_home(probe: ModuleType, paths: list[str], expected: bool) -> None:
    assert probe.below(paths, "/home", "/root") == expected


def test_a_symbolic_link_counts_as_its_target(probe: ModuleType, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    assert probe.below([str(tmp_path / "link" / "venv")], str(real))


@pytest.mark.parametrize("host", [None, "", "/run/postgresql", "localhost", "127.0.0.1", "::1", socket.gethostname()])
def test_which_servers_are_on_this_host(probe: ModuleType, host: str | None) -> None:
    assert probe.here(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "redis.example.com"])
def test_which_servers_are_not_on_this_host(probe: ModuleType, host: str) -> None:
    assert not probe.here(host)


@pytest.mark.parametrize(
    ("queue", "hosts", "sockets"),
    [
        ({"HOST": "localhost"}, ["localhost"], []),
        ({"SENTINELS": [("a", 26379), ("b", 26379)]}, ["a", "b"], []),
        ({"URL": "redis://redis.example.com:6379/0"}, ["redis.example.com"], []),
        ({"URL": "unix:///home/redis/socket?db=0"}, [None], ["/home/redis/socket"]),
    ],
)
def test_the_hosts_and_sockets_of_redis_are_read(
    probe: ModuleType, queue: dict[str, Any], hosts: list[str | None], sockets: list[str]
) -> None:
    assert probe.redis(queue) == (hosts, sockets)


def test_an_error_is_one_line(probe: ModuleType) -> None:
    assert probe.sentence(ValueError("one\n\ttwo\n")) == "ValueError: one two"
