# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""ansible-test's own steps, sanity and units; and pytest."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from proxbox_checks import process
from proxbox_checks.results import Result, read_junit
from proxbox_checks.tools import Tools

_SKIPPING = re.compile(r"WARNING: Skipping (?P<what>.*?) because (?P<why>.*)$")
_EXCLUDING = re.compile(r"WARNING: Excluding (?P<why>.*): (?P<what>.*)$")
_SHOWN = ("ERROR", "FATAL", "WARNING: Skipping")


def sanity(tools: Tools) -> Result:
    """``ansible-test sanity`` over the whole collection, on every supported Python that is here."""
    # Local, not --venv: each test that needs packages makes a virtual environment of its own all the same.
    return _ansible_test(tools, "sanity", ["sanity", "--junit"], ("Running sanity test", *_SHOWN))


def pytest(tools: Tools, folder: str, env: dict[str, str]) -> Result:
    """The tests in ``folder`` of the checkout by plain pytest, in the development environment."""
    junit = _empty_junit(tools)
    command = [tools.program("pytest"), "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    command += ["--junit-xml", str(junit / "pytest.xml"), folder]
    log = tools.logs / f"pytest-{Path(folder).name}.log"
    return _outcome(process.run(command, cwd=tools.checkout, env=env, log=log, show=process.everything), junit, log)


def units(tools: Tools) -> Result:
    """``ansible-test units``, on every supported Python that is here, with nothing but the declared requirements."""
    return _ansible_test(
        tools, "units", ["units", "--venv"], ("Unit test", "Installing requirements", "FAILED ", "E  ", *_SHOWN)
    )


def _ansible_test(tools: Tools, name: str, arguments: list[str], shown: tuple[str, ...]) -> Result:
    junit = _empty_junit(tools)
    log = tools.logs / f"ansible-test-{name}.log"
    colour = "yes" if sys.stderr.isatty() else "no"
    command = [tools.program("ansible-test"), *arguments, "--color", colour]
    done = process.run(command, cwd=tools.staged, env=tools.env, log=log, show=lambda line: line.startswith(shown))
    result = _outcome(done, junit, log)
    if done.code and not any(line.startswith("ERROR") for line in done.lines):
        process.show_end(done)
    if name == "units":
        result.skipped += warned_skips(done)
    return result


def warned_skips(done: process.Done) -> list[tuple[str, str]]:
    """What ansible-test warned that it leaves out, and why, once each."""
    found: dict[str, str] = {}
    for line in done.lines:
        skipping, excluding = _SKIPPING.match(line), _EXCLUDING.match(line)
        if skipping:
            found.setdefault(skipping["what"], skipping["why"])
        elif excluding:
            for target in excluding["what"].split(", "):
                found.setdefault(target, excluding["why"])
    return list(found.items())


def _empty_junit(tools: Tools) -> Path:
    """ansible-test's folder for JUnit files, without those of an earlier step."""
    junit = tools.staged / "tests" / "output" / "junit"
    shutil.rmtree(junit, ignore_errors=True)
    junit.mkdir(parents=True)
    return junit


def _outcome(done: process.Done, junit: Path, log: Path) -> Result:
    result = read_junit(junit)
    result.log = log
    if done.code and not result.failed:
        result.failed.append(f"it ended with exit code {done.code}: {next(filter(None, reversed(done.lines)), '')}")
    return result
