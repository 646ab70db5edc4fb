# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The environment in which the sessions of nox run the tools."""

from __future__ import annotations

import ast
import configparser
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nox
from antsibull_nox.sessions.collections import prepare_collections

from proxbox_checks.start import CHECKOUT, pinned
from proxbox_stack import scratch
from proxbox_stack.pythons import usable_pythons

# A NETBOX_TOKEN or an ANSIBLE_CONFIG of the caller would change what the tests see.
_DROPPED = ("ANSIBLE_", "MYPY", "NETBOX_", "PYTHON", "PYTEST_", "XDG_", "VIRTUAL_ENV", "LC_", "LANG")

_GET_PIP = """\
# In place of get-pip.py, which ansible-test would download: pip comes from the configured package index instead.
import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--progress-bar", "off", *wanted]))
"""

_PIP_VERSIONS = """\
import sys
from types import SimpleNamespace
from ansible_test._internal.python_requirements import get_venv_packages
for version in sys.argv[1:]:
    print(get_venv_packages(SimpleNamespace(version=version))["pip"])
"""


def clean_environment() -> None:
    """Make the environment of this process independent of the caller's shell."""
    for name in list(os.environ):
        if name.startswith(_DROPPED):
            del os.environ[name]
    # nox and ansible-test need the interpreters themselves, because a pyenv shim may fail.
    folders = [python.parent for python in usable_pythons().values()]
    folders += [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    path = dict.fromkeys(str(folder) for folder in folders if folder.name != "shims")
    os.environ.update(PATH=os.pathsep.join(path), LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")


def folder() -> Path:
    """Return the folder for nox's environments and logs of this checkout.

    It is outside of the checkout. Inside, ansible-test would read the list of the copy's files from the git repository.
    """
    return scratch.subfolder("nox", hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8])


@dataclass(frozen=True)
class Workspace:
    """A nox session with tools, and a copy of the checkout at ``ansible_collections/proxbox/proxbox``."""

    session: nox.Session
    root: Path
    """The folder with ``ansible_collections``."""
    collection: Path
    """The copy."""

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that a tool needs to find the copy."""
        return {"ANSIBLE_COLLECTIONS_PATH": str(self.root)}

    def ansible_test(self, *arguments: str, env: dict[str, str]) -> None:
        """Run ansible-test in the copy. The session fails if ansible-test fails, or runs nothing."""
        output = self.collection / "tests" / "output"
        with self.session.chdir(self.collection):
            colour = "yes" if sys.stderr.isatty() else "no"
            self.session.run("ansible-test", *arguments, "--color", colour, env=env)
        if not [*output.glob("junit/*.xml"), *output.glob("data/integration-*.json")]:
            self.session.error("ansible-test ran no test.")

    def ansible(self, module: str, args: dict[str, Any], env: dict[str, str]) -> str:
        """Run a module on localhost, and return what Ansible prints. If it fails, the session fails and shows that."""
        command = ["ansible", "localhost", "--module-name", module, "--args", json.dumps(args)]
        # The arguments may hold a token.
        return str(self.session.run(*command, env={**self.env, **env}, silent=True, log=False))

    def program(self, name: str) -> str:
        """Return the path of a program that the session has installed."""
        return str(Path(self.session.bin, name))


def workspace(session: nox.Session, *packages: str) -> Workspace:
    """Install packages, in the pinned version unless they name another, and copy the checkout."""
    install(session, *packages)
    tree = prepare_collections(session, install_in_site_packages=False)
    if tree is None:
        session.error("The session has no environment of its own: do not run it with --no-venv.")
    return Workspace(session, tree.current_place.resolve(), tree.current_path.resolve())


def install(session: nox.Session, *packages: str) -> None:
    """Install packages, in the pinned version unless they name another."""
    session.install("--quiet", *map(pinned, packages))


def ansible_test_home(work: Workspace) -> dict[str, str]:
    """Make a ``HOME`` for ansible-test, with which it makes virtual environments without a download.

    ansible-test downloads get-pip.py, passes no ``PIP_*`` variable on, and writes to ~/.ansible.
    """
    home = work.root / "home"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in set(_ask(work, "-c", _PIP_VERSIONS, "3.11", "3.12", "3.13", "3.14").split()):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(_GET_PIP, encoding="utf-8")
    config = configparser.RawConfigParser()
    for line in _ask(work, "-m", "pip", "config", "list").splitlines():
        name, _equals, value = line.partition("=")
        section, _dot, option = name.rpartition(".")
        section = "global" if section == ":env:" else section
        if section and option != "config-file":
            if not config.has_section(section):
                config.add_section(section)
            config.set(section, option, ast.literal_eval(value))
    path = home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    # The address of a package index may hold a password.
    path.touch(mode=0o600)
    with open(path, "w", encoding="utf-8") as handle:
        config.write(handle)
    return {**work.env, "HOME": str(home)}


def _ask(work: Workspace, *arguments: str) -> str:
    command = [work.program("python"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work.root)
    if done.returncode:
        work.session.error(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
