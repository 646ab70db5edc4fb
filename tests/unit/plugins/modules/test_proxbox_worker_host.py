# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role finds on a host. The outputs of systemctl come from Debian 13 with systemd 257."""

from __future__ import annotations

import ast
import os
import pwd
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_worker_host as worker_host

SERVICE = "netbox-rqworker-proxbox"
UNIT = f"{SERVICE}.service"
UNITS = [f"{SERVICE}@{number}.service" for number in (1, 2, 3)]

UNIT_FILES = """\
cryptdisks.service                           masked          enabled
getty@.service                               enabled         enabled
netbox-rqworker-proxbox@.service             indirect        enabled
netbox-rqworker-proxbox@2.service            masked-runtime  enabled
netbox.service                               disabled        enabled
postgresql-14.service                        disabled        enabled
postgresql.service                           disabled        enabled
redis-server.service                         indirect        enabled
redis.service                                alias           -
serial-getty@.service                        disabled        enabled
valkey.service                               masked          enabled
"""

KNOWN = """\
netbox-rqworker-proxbox@1.service loaded active running NetBox RQ worker for Proxbox syncs (1)
netbox-rqworker-proxbox@2.service loaded active running NetBox RQ worker for Proxbox syncs (2)
netbox-rqworker-proxbox@3.service loaded failed failed  NetBox RQ worker for Proxbox syncs (3)
"""

SHOWN = """\
Result=success
ExecMainStartTimestamp=Wed 2026-11-25 07:38:53 UTC
Id=netbox-rqworker-proxbox@1.service
ActiveState=active
NeedDaemonReload=no

Result=success
ExecMainStartTimestamp=Wed 2026-11-25 07:38:54 UTC
Id=netbox-rqworker-proxbox@2.service
ActiveState=inactive
NeedDaemonReload=no

Result=exit-code
ExecMainStartTimestamp=Wed 2026-11-25 07:39:07 UTC
Id=netbox-rqworker-proxbox@3.service
ActiveState=activating
NeedDaemonReload=no
"""


def test_the_module_runs_with_the_python_of_old_hosts() -> None:
    ast.parse(Path(worker_host.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["default", "two words"], ["default", "two words"]),
        ([], []),
        (None, []),
        ("", []),
        ("high, default", ["high", "default"]),
        ("high\ndefault\n", ["high", "default"]),
        ("['high', \"default\"]", ["high", "default"]),
    ],
)
def test_a_list_may_have_several_forms(value: object, expected: list[str]) -> None:
    assert worker_host.elements(value) == expected


def test_which_paths_are_unusable() -> None:
    odd = ["relative", "/a b", '/a"', "/a'", "/a%n", "/$A", "/a\\b", ""]
    assert worker_host.unusable(["/opt/netbox", "/", *odd]) == odd


@pytest.mark.parametrize(
    ("instances", "units", "file"),
    [(0, [], UNIT), (1, [UNIT], UNIT), (3, UNITS, f"{SERVICE}@.service")],
)
def test_the_units_for_a_number_of_workers(instances: int, units: list[str], file: str) -> None:
    assert worker_host.wanted_units(SERVICE, instances) == units
    assert worker_host.unit_file(SERVICE, instances) == file


@pytest.mark.parametrize("unit", [UNIT, *UNITS, f"{SERVICE}@.service"])
def test_which_units_are_workers(unit: str) -> None:
    assert worker_host.is_worker(SERVICE, unit)


@pytest.mark.parametrize("unit", ["netbox.service", f"{SERVICE}-2.service", f"{SERVICE}@1.socket", f"my-{UNIT}"])
def test_which_units_are_not_workers(unit: str) -> None:
    assert not worker_host.is_worker(SERVICE, unit)


def test_masked_workers_are_found() -> None:
    assert worker_host.masked_workers(UNIT_FILES, SERVICE) == [f"{SERVICE}@2.service"]
    assert worker_host.masked_workers(UNIT_FILES, "netbox-rqworker") == []


def test_neighbours_are_found_without_aliases_and_masked_units() -> None:
    assert worker_host.neighbours(UNIT_FILES) == {
        "netbox": ["netbox.service"],
        "redis": ["redis-server.service"],
        "postgresql": ["postgresql-14.service", "postgresql.service"],
    }


def test_a_host_may_have_no_neighbours() -> None:
    assert worker_host.neighbours("") == {"netbox": [], "redis": [], "postgresql": []}


def test_the_properties_of_each_unit_are_read() -> None:
    units = worker_host.shown(SHOWN)
    assert [(unit["Id"], unit["ActiveState"], unit["Result"]) for unit in units] == [
        (UNITS[0], "active", "success"),
        (UNITS[1], "inactive", "success"),
        (UNITS[2], "activating", "exit-code"),
    ]
    assert worker_host.shown("") == []


def test_a_unit_between_two_attempts_to_start_counts_as_running() -> None:
    assert [worker_host.is_running(unit) for unit in worker_host.shown(SHOWN)] == [True, False, True]


def test_a_worker_that_is_older_than_its_configuration_is_outdated() -> None:
    running = worker_host.shown(SHOWN)[0]
    started = datetime(2026, 11, 25, 7, 38, 53, tzinfo=UTC).timestamp()
    assert worker_host.is_outdated(running, started + 1)
    # Times of systemctl have no fraction. A file of the same second was written before the worker started.
    assert not worker_host.is_outdated(running, started + 0.9)
    assert not worker_host.is_outdated(running, 0)


def test_a_worker_that_ends_again_and_again_is_outdated() -> None:
    crashed = worker_host.shown(SHOWN)[2]
    assert worker_host.is_outdated(crashed, 0)
    # Its process has ended after max_jobs.
    assert not worker_host.is_outdated({**crashed, "Result": "success"}, 0)


def test_when_the_configuration_was_written(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("unit", "variables", "future", "none")]
    for path, at in zip(paths, (100, 200, 900), strict=False):
        Path(path).touch()
        os.utime(path, (at, at))
    assert worker_host.configured_at(paths, 500) == 200
    assert worker_host.configured_at(paths[3:], 500) == 0


def test_surplus_units_are_found() -> None:
    assert worker_host.surplus_units(KNOWN, UNITS[:1]) == {"units": UNITS[1:], "running": UNITS[1:2]}
    assert worker_host.surplus_units(KNOWN, UNITS) == {"units": [], "running": []}
    assert worker_host.surplus_units("", []) == {"units": [], "running": []}


def test_surplus_files_are_found(tmp_path: Path) -> None:
    wants = tmp_path / "multi-user.target.wants"
    drop_ins = tmp_path / f"{UNIT}.d"
    for folder in (wants, drop_ins):
        folder.mkdir()
    (drop_ins / "mine.conf").touch()
    for name in (f"{SERVICE}@.service", UNIT, "netbox.service", f"{SERVICE}@9.service"):
        (tmp_path / name).touch()
    for name in [*UNITS[:2], UNIT]:
        (wants / name).symlink_to(tmp_path / name)

    def surplus(*wanted: str) -> list[str]:
        found = worker_host.surplus_files(str(tmp_path), SERVICE, wanted)
        return [os.path.relpath(path, tmp_path) for path in found]

    both = [f"multi-user.target.wants/{UNIT}", UNIT]
    template = [f"multi-user.target.wants/{unit}" for unit in UNITS[:2]] + [f"{SERVICE}@.service"]
    # The role did not create netbox-rqworker-proxbox@9.service and the drop-ins.
    assert surplus() == sorted(both + template)
    assert surplus(UNIT) == sorted(template)
    assert surplus(*UNITS, f"{SERVICE}@.service") == sorted(both)
    assert surplus(UNITS[0], f"{SERVICE}@.service") == sorted([*both, template[1]])


def test_the_layout_of_netbox_is_found(tmp_path: Path) -> None:
    manage_py = tmp_path / "manage.py"
    assert worker_host.layout(str(tmp_path), str(manage_py)) == "none"
    manage_py.touch()
    assert worker_host.layout(str(tmp_path), str(manage_py)) == "checkout"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "netbox").touch()
    assert worker_host.layout(str(tmp_path), str(manage_py)) == "pypi"


def test_the_author_of_the_variables_is_found(tmp_path: Path) -> None:
    path = tmp_path / "variables"
    assert worker_host.author_of(str(path), "# Mark.") == "none"
    path.write_text("A=1\n# Mark. Not alone\n")
    assert worker_host.author_of(str(path), "# Mark.") == "other"
    path.write_bytes(b"A=\xff\n# Mark.\n")
    assert worker_host.author_of(str(path), "# Mark.") == "role"


def test_existing_users_are_found() -> None:
    assert worker_host.exists(pwd.getpwnam, "root")
    assert not worker_host.exists(pwd.getpwnam, "nobody-here")


@pytest.mark.parametrize(
    ("made", "layout", "command", "folder"),
    [
        ("venv/bin/netbox", "pypi", "venv/bin/netbox", ""),
        ("netbox/manage.py", "checkout", "venv/bin/python3 {root}/netbox/manage.py", "netbox"),
    ],
)
def test_netbox_is_found_from_pypi_and_as_a_checkout(
    tmp_path: Path, made: str, layout: str, command: str, folder: str
) -> None:
    for name in ("venv/bin/python3", made):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    options = {
        "netbox_root": f"{tmp_path}",
        "venv": f"{tmp_path}/venv",
        "manage_py": f"{tmp_path}/netbox/manage.py",
        "user": "root",
        "group": "nobody-here",
        "environment_file": f"{tmp_path}/variables",
        "environment_mark": "# Mark.",
    }
    assert worker_host.netbox_facts(options) == {
        "venv": True,
        "layout": layout,
        "command": f"{tmp_path}/{command}".format(root=tmp_path),
        "folder": os.path.join(tmp_path, folder).rstrip("/"),
        "user": True,
        "group": False,
        "environment_file": "none",
    }
