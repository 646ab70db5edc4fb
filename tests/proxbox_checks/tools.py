# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The development tools, and an environment for them that depends on nothing of the caller's shell."""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
from pathlib import Path

from proxbox_checks import staging
from proxbox_stack.pins import DEV_TOOLS
from proxbox_stack.pythons import find_python, usable_pythons
from proxbox_stack.report import StackError
from proxbox_stack.venvs import ensure_venv

# A NETBOX_TOKEN or an ANSIBLE_CONFIG of the caller would change what the tests see.
_DROPPED = ("ANSIBLE_", "MYPY", "NETBOX_", "PROXBOX_", "PYTHON", "PYTEST_", "XDG_", "VIRTUAL_ENV", "LC_", "LANG")

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


class Tools:
    """The development tools of a checkout, installed when they are not.

    :raises StackError: when they cannot be.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.python = find_python()
        self.venv = ensure_venv("dev", DEV_TOOLS)
        self.pythons = usable_pythons()
        workspace = staging.workspace(checkout)
        self.collections = workspace
        self.staged = workspace / "ansible_collections" / "proxbox" / "proxbox"
        self.logs = workspace / "logs"
        self.home = workspace / "home"
        self.env = self._environment()
        # Where playbooks run HOME stays: an async task is lost when HOME is not what the user database says.
        self.playbook_env = {**self.env, "HOME": str(Path.home())}
        self._prepare_home()

    def program(self, name: str) -> str:
        """The path of one of the tools."""
        return str(self.venv / "bin" / name)

    def _environment(self) -> dict[str, str]:
        """``HOME`` is a folder of ours: ansible-test, ansible-lint and ansible-galaxy all write to ~/.ansible."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
        # ansible-test wants the interpreters themselves: a pyenv shim answers with an error.
        folders = [self.venv / "bin", *(python.parent for python in self.pythons.values())]
        folders += [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)]
        path = dict.fromkeys(str(folder) for folder in folders if folder.name != "shims")
        env.update(
            HOME=str(self.home),
            PATH=os.pathsep.join(path),
            LC_ALL="C.UTF-8",
            PYTHONDONTWRITEBYTECODE="1",
            ANSIBLE_COLLECTIONS_PATH=str(self.collections),
            MYPY_CACHE_DIR=str(self.home / "mypy"),
            RUFF_CACHE_DIR=str(self.home / "ruff"),
            HYPOTHESIS_STORAGE_DIRECTORY=str(self.home / "hypothesis"),
        )
        return env

    def _prepare_home(self) -> None:
        cache = self.home / ".ansible" / "test" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        for version in set(self._ask(["-c", _PIP_VERSIONS, "3.11", "3.12", "3.13", "3.14"]).split()):
            bootstrap = cache / f"get_pip_{version.replace('.', '_')}.py"
            if not bootstrap.exists():
                bootstrap.write_text(_GET_PIP, encoding="utf-8")
        self._write_pip_configuration()

    def _write_pip_configuration(self) -> None:
        """ansible-test hands no ``PIP_*`` variable on, and the new ``HOME`` hides the caller's own pip.conf."""
        config = configparser.RawConfigParser()
        for line in self._ask(["-m", "pip", "config", "list"]).splitlines():
            name, _, value = line.partition("=")
            section, _, option = name.rpartition(".")
            section = "global" if section == ":env:" else section
            if section and option != "config-file":
                if not config.has_section(section):
                    config.add_section(section)
                config.set(section, option, ast.literal_eval(value))
        path = self.home / ".config" / "pip" / "pip.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        # The address of a package index may hold a password.
        path.touch(mode=0o600)
        with open(path, "w", encoding="utf-8") as handle:
            config.write(handle)

    def _ask(self, arguments: list[str]) -> str:
        command = [self.program("python"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=str(self.collections))
        if done.returncode:
            raise StackError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
        return done.stdout
