# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""The checks that take seconds: style and documentation."""

from __future__ import annotations

from pathlib import Path

from proxbox_checks import process, returned, staging
from proxbox_checks.ansible_test import pytest
from proxbox_checks.results import Result
from proxbox_checks.tools import Tools

# What ansible-doc can show, by the folder in plugins/.
_DOCUMENTED = {"modules": "module", "filter": "filter", "lookup": "lookup", "inventory": "inventory", "test": "test"}


def ruff_check(tools: Tools) -> Result:
    """Ruff's rules, over every Python file of the repository."""
    return _command(tools, "ruff-check", ["ruff", "check", "--output-format", "concise", "."], tools.checkout)


def ruff_format(tools: Tools) -> Result:
    """Ruff's layout, over every Python file of the repository."""
    return _command(tools, "ruff-format", ["ruff", "format", "--check", "."], tools.checkout)


def mypy(tools: Tools) -> Result:
    """The types of all that the collection ships, without tests, at mypy's strictest."""
    config = str(tools.checkout / "tests" / "proxbox_checks" / "mypy.ini")
    shipped = [str((tools.staged / name).relative_to(tools.collections)) for name in ("extensions", "plugins", "roles")]
    return _command(tools, "mypy", ["mypy", "--config-file", config, *shipped], tools.collections)


def headers(tools: Tools) -> Result:
    """Every Python file names its licence and its copyright in its first lines."""
    result = Result()
    for name in staging.all_files(tools.checkout):
        if name.endswith(".py") and (tools.checkout / name).stat().st_size:
            head = (tools.checkout / name).read_text(encoding="utf-8").splitlines()[:4]
            wanted = "# SPDX-License-Identifier: GPL-3.0-or-later", "# Copyright (c) 2026 proxbox.proxbox contributors"
            if all(line in head for line in wanted):
                result.passed += 1
            else:
                result.failed.append(f"{name} does not begin with the licence and the copyright line")
    return result


def yamllint(tools: Tools) -> Result:
    """The layout of every YAML file of the repository."""
    names = [name for name in staging.all_files(tools.checkout) if name.endswith((".yml", ".yaml"))]
    return _command(tools, "yamllint", ["yamllint", "--strict", "--format", "parsable", *names], tools.checkout)


def ansible_lint(tools: Tools) -> Result:
    """ansible-lint at its strictest profile, offline."""
    config = str(tools.checkout / ".ansible-lint")
    command = ["ansible-lint", "--config-file", config, "--offline", "--strict", "--nocolor", "--format", "pep8"]
    return _command(tools, "ansible-lint", command, tools.staged)


def changelog(tools: Tools) -> Result:
    """The changelog and its fragments."""
    return _command(tools, "changelog", ["antsibull-changelog", "lint"], tools.staged)


def documentation(tools: Tools) -> Result:
    """ansible-doc can show each plugin and each role, and has nothing to complain of."""
    result = Result()
    for kind, name in _documented(tools.staged):
        command = [tools.program("ansible-doc"), "--type", kind, name]
        log = tools.logs / f"ansible-doc-{name}.log"
        done = process.run(command, cwd=tools.staged, env=tools.env, log=log)
        complaint = next(filter(_complains, done.lines), "")
        if done.code or complaint or not any(line.strip() for line in done.lines):
            result.failed.append(f"{name}: {complaint or 'ansible-doc shows nothing'}")
            result.log = log
        else:
            result.passed += 1
    return result


def shared_returns(tools: Tools) -> Result:
    """The parts of RETURN that modules share are the same in each."""
    names = returned.outdated(tools.checkout)
    return Result(failed=[f"{name}: run tests/check returned" for name in names], passed=0 if names else 1)


def awx(tools: Tools) -> Result:
    """What is in awx/ fits the playbooks, the modules, and AWX."""
    return pytest(tools, "tests/awx", {**tools.env, "PYTHONPATH": str(tools.collections)})


def _complains(line: str) -> bool:
    # Asked for a role, ansible-doc complains of a collection inside ansible-core too.
    return line.startswith(("[WARNING]", "[ERROR]", "ERROR")) and "_protomatter" not in line


def _command(tools: Tools, name: str, command: list[str], cwd: Path) -> Result:
    """One check that is one command; what it prints is shown when it fails."""
    log = tools.logs / f"{name}.log"
    done = process.run([tools.program(command[0]), *command[1:]], cwd=cwd, env=tools.env, log=log)
    if done.code == 0:
        return Result(passed=1, log=log)
    process.show_end(done)
    return Result(failed=[f"{' '.join(command[:2])} says no (exit code {done.code})"], log=log)


def _documented(staged: Path) -> list[tuple[str, str]]:
    found = []
    for folder, kind in _DOCUMENTED.items():
        files = sorted((staged / "plugins" / folder).glob("[!_]*.py"))
        found += [(kind, f"proxbox.proxbox.{path.stem}") for path in files]
    specs = sorted((staged / "roles").glob("*/meta/argument_specs.yml"))
    return found + [("role", f"proxbox.proxbox.{path.parent.parent.name}") for path in specs]
