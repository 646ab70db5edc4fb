# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Every check of the collection. ``tests/nox -l`` lists them, ``tests/nox -s NAME`` runs one.

The sessions that need nothing but the sources are in antsibull-nox.toml.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import antsibull_nox
import nox

sys.path.insert(0, str(Path(__file__).resolve().parent / "tests"))

from proxbox_checks import bench as benchmark
from proxbox_checks import demo as demonstration
from proxbox_checks import integration as on_stack
from proxbox_checks import lanes, release, returned
from proxbox_checks import mutants as mutation
from proxbox_checks.stack import TestStack, stack_name
from proxbox_checks.start import CHECKOUT, PINS, pinned
from proxbox_checks.workspace import (
    Workspace,
    ansible_test_home,
    clean_environment,
    folder,
    install,
    workspace,
)
from proxbox_stack import scratch
from proxbox_stack.pythons import usable_pythons
from proxbox_stack.venvs import ensure_venv

clean_environment()
nox.options.reuse_venv = "yes"
nox.options.envdir = str(folder())
antsibull_nox.load_antsibull_nox_toml()

# The supported series of ansible-core: the newest release of each, and the newest Python that it runs on. The version
# of the last series is in tests/dev-requirements.txt.
CORES = {
    "2.16": ("ansible-core==2.16.19", "3.12"),
    "2.18": ("ansible-core==2.18.19", "3.13"),
    "2.19": ("ansible-core==2.19.14", "3.13"),
    "2.20": ("ansible-core==2.20.10", "3.14"),
    "2.21": ("ansible-core", "3.14"),
}
OLDEST, *_others, NEWEST = CORES
CHECKS = [
    "lint", "code", "pins", "returned", "changelog", "docs-check", "license-check", "extra-checks", "ansible-lint",
    "awx", "galaxy-importer", "environments",
]  # fmt: skip
RUN = ("pynetbox", "requests")
"""What the modules need where they run."""


def python_for(core: str) -> str:
    """The newest Python here on which a series of ansible-core runs.

    Sessions take it in a list. nox then names their environment after it, and does not reuse the one of another Python.
    """
    newest = CORES[core][1]
    found = [version for version in usable_pythons() if _number(version) <= _number(newest)]
    return max(found, key=_number, default=newest)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def with_core(session: nox.Session, core: str, *packages: str) -> Workspace:
    """The workspace with a series of ansible-core."""
    return workspace(session, CORES[core][0], *RUN, *packages)


@nox.session(venv_backend="none", default=False)
def test(session: nox.Session) -> None:
    """All tests, in two lanes side by side."""
    if not lanes.run_lanes(Path(__file__), folder() / "logs"):
        session.error("The lines above say what failed.")


@nox.session(venv_backend="none", requires=CHECKS, default=False)
def checks(session: nox.Session) -> None:
    """All that needs no NetBox: style, types, documentation, licences, and that a release can be built."""


@nox.session
def code(session: nox.Session) -> None:
    """Ruff's rules; and mypy at its strictest, on what the collection ships."""
    work = with_core(session, NEWEST, "aiohttp", "mypy", "ruff")
    session.run("ruff", "check", ".")
    config = CHECKOUT / "tests" / "proxbox_checks" / "mypy.ini"
    with session.chdir(work.root):
        folders = [str(work.collection.relative_to(work.root) / name) for name in ("extensions", "plugins", "roles")]
        session.run("mypy", "--config-file", str(config), *folders)


@nox.session(venv_backend="none")
def pins(session: nox.Session) -> None:
    """The versions in antsibull-nox.toml are those of tests/dev-requirements.txt."""
    wanted = PINS.read_text(encoding="utf-8").splitlines()
    config = (CHECKOUT / "antsibull-nox.toml").read_text(encoding="utf-8")
    found = [name + version for name, version in re.findall(r'"([\w-]+)(?:\[[\w,-]+\])?(==[^"]+)"', config)]
    outdated = sorted(set(found) - set(wanted))
    if outdated:
        session.error(f"antsibull-nox.toml has {', '.join(outdated)}: write the versions of tests/dev-requirements.txt")


@nox.session(name="returned", venv_backend="none")
def returned_parts(session: nox.Session) -> None:
    """The parts of RETURN that modules share are the same in each. "-- write" writes them."""
    if session.posargs == ["write"]:
        returned.write(CHECKOUT)
    outdated = returned.outdated(CHECKOUT)
    if outdated:
        session.error(
            f'These modules differ from their source: {", ".join(outdated)}. Run "tests/nox -s returned -- write".'
        )


@nox.session
def changelog(session: nox.Session) -> None:
    """The changelog and its fragments."""
    install(session, "antsibull-changelog")
    session.run("antsibull-changelog", "lint")


@nox.session
def awx(session: nox.Session) -> None:
    """What is in awx/ fits the playbooks, the modules, and AWX."""
    work = with_core(session, NEWEST, "pytest", "hypothesis")
    session.run("pytest", "-q", *on_stack.PYTEST, "tests/awx", env={**work.env, "PYTHONPATH": str(work.root)})


@nox.session(name="galaxy-importer")
def galaxy_importer(session: nox.Session) -> None:
    """galaxy-importer has nothing to say against the archive."""
    release.check_import(workspace(session, "galaxy-importer", "ansible-core", "ansible-lint"))


@nox.session
def environments(session: nox.Session) -> None:
    """ansible-builder takes the images in awx/, and finds what the collection needs in an image."""
    release.check_environments(workspace(session, "ansible-builder", "ansible-core"))


def _ansible_test(core: str, command: str, *options: str) -> None:
    """Make the session of a command of ansible-test on a series of ansible-core."""

    def run(session: nox.Session) -> None:
        work = with_core(session, core)
        work.ansible_test(command, *options, *session.posargs, env=ansible_test_home(work))

    run.__doc__ = f"ansible-test {command} of ansible-core {core}"
    name = command if core == NEWEST else f"{command}-{core}"
    nox.session(name=name, python=[python_for(core)], default=core == NEWEST, tags=["cores"])(run)


for series in CORES:
    _ansible_test(series, "sanity", "--junit")
    # On each Python that is here, with nothing but the declared requirements.
    _ansible_test(series, "units", "--venv")


@nox.session(python=[python_for(NEWEST)], default=False)
def integration(session: nox.Session) -> None:
    """ansible-test integration against a real NetBox, with the newest ansible-core. "-- TARGET" runs one target."""
    on_stack.integration(with_core(session, NEWEST), TestStack(stack_name()))


@nox.session(python=[python_for(OLDEST)], default=False)
def previous(session: nox.Session) -> None:
    """The integration targets against an older NetBox and plugin, with the oldest ansible-core."""
    previous = TestStack(f"{stack_name()}-previous", "previous")
    on_stack.integration(with_core(session, OLDEST), previous, other=TestStack(stack_name()))


@nox.session(python=[python_for(NEWEST)], default=False)
def live(session: nox.Session) -> None:
    """Faults between the collection and a real NetBox, many controllers, ansible-runner, and ansible-rulebook."""
    packages = ("pytest", "pytest-timeout", "hypothesis", "ansible-runner")
    on_stack.live(with_core(session, NEWEST, *packages), TestStack(stack_name()))


@nox.session(python=[python_for(NEWEST)], default=False)
def role(session: nox.Session) -> None:
    """The role, deployed on a host with systemd; as root only."""
    oldest = ensure_venv("oldest-ansible", [pinned(package) for package in (CORES[OLDEST][0], *RUN)])
    on_stack.role(with_core(session, NEWEST), TestStack(stack_name()), str(oldest / "bin" / "ansible-playbook"))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """What the modules cost: requests, bytes and time. "-- ROUNDS FILE" measures longer and keeps the table."""
    rounds, *files = session.posargs or ["10"]
    report = benchmark.bench(with_core(session, NEWEST), TestStack("bench"), int(rounds))
    print(report, end="")
    for name in files:
        Path(name).write_text(report, encoding="utf-8")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Which small changes of a file no unit test of the file notices. "-- FILE" names files of module_utils."""
    work = with_core(session, NEWEST, "mutmut", "pytest", "hypothesis")
    print(mutation.mutants(work, session.posargs), end="")


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """A real NetBox with the collection at work in it."""
    demonstration.demo(with_core(session, NEWEST), TestStack("demo"))


@nox.session(name="release", default=False)
def build_release(session: nox.Session) -> None:
    """Build the archive of a release: "-- https://github.com/OWNER/NAME" is the address of the project."""
    (home,) = session.posargs or [""]
    if home.startswith("https://example.com/"):
        session.error(f"{home} is reserved for examples: give the address of the project.")
    print(release.build_archive(workspace(session, "ansible-core"), home, CHECKOUT))


@nox.session(venv_backend="none", default=False)
def clean(session: nox.Session) -> None:
    """Stop every host and stack, and remove everything that was built."""
    for program in ("host", "stack"):
        if subprocess.run([CHECKOUT / "tests" / program, "down", "--all", "--purge"], check=False).returncode:
            session.error(f"A {program} could not be stopped, so nothing was removed: the lines above say why.")
    for path in scratch.home().glob("*/*"):
        if path.is_dir() and path != Path(sys.prefix):  # nox still runs
            shutil.rmtree(path, ignore_errors=True)
