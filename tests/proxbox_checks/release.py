# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Build the archive of a release, and check it and the descriptions of images with the tools of the hubs."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from proxbox_checks import process
from proxbox_checks.results import Result
from proxbox_checks.tools import Tools
from proxbox_stack.pins import GALAXY_IMPORTER
from proxbox_stack.report import StackError
from proxbox_stack.venvs import ensure_venv

PLACEHOLDER = "https://example.com/proxbox"
"""The home in an archive that is only checked: the project has no public home yet."""

_IMPORTER_CONFIGURATION = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
"""


def build_archive(tools: Tools, home: str, output: Path) -> Path:
    """Build the archive of the staged copy into the folder ``output``.

    :param home: address of the project, which Galaxy demands: ``repository``, ``documentation``, ``homepage`` and
        ``issues`` come from it.
    :raises StackError: for an address that is none, and when the build fails.
    """
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+", home):
        raise StackError(f"{home!r} is not the address of a project: give one such as https://github.com/OWNER/NAME.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "collection")
        shutil.copytree(tools.staged, copy, ignore=shutil.ignore_patterns("output"))
        addresses = {
            "repository": home,
            "documentation": f"{home}#readme",
            "homepage": home,
            "issues": f"{home}/issues",
        }
        with open(copy / "galaxy.yml", "a", encoding="utf-8") as galaxy:
            galaxy.writelines(f"{key}: {address}\n" for key, address in addresses.items())
        command = [tools.program("ansible-galaxy"), "collection", "build", "--output-path", str(output)]
        done = process.run(command, cwd=copy, env=tools.env, log=tools.logs / "build.log")
    archives = list(output.glob("proxbox-proxbox-*.tar.gz"))
    if done.code or len(archives) != 1:
        raise StackError(f"no archive was built in {output}: {next(filter(None, reversed(done.lines)), '')}")
    return archives[0]


def importer(tools: Tools) -> Result:
    """galaxy-importer has nothing to say against the archive."""
    # Its ansible-lint is not the one of the development environment.
    folder = ensure_venv("galaxy-importer", GALAXY_IMPORTER) / "bin"
    log = tools.logs / "galaxy-importer.log"
    with tempfile.TemporaryDirectory() as output:
        archive = build_archive(tools, PLACEHOLDER, Path(output))
        configuration = Path(output, "importer.cfg")
        configuration.write_text(_IMPORTER_CONFIGURATION, encoding="utf-8")
        env = {
            **tools.env,
            "PATH": f"{folder}:{tools.env['PATH']}",
            "GALAXY_IMPORTER_CONFIG": str(configuration),
            # It must not find the staged copy in place of the archive.
            "ANSIBLE_COLLECTIONS_PATH": output,
        }
        command = [str(folder / "python"), "-m", "galaxy_importer.main", archive.name]
        done = process.run(command, cwd=Path(output), env=env, log=log)
    complaints = [line for line in done.lines if re.match(r"(WARNING|ERROR|CRITICAL)\b", line)]
    if done.code and not complaints:
        complaints = [f"it ended with exit code {done.code}"]
    return Result(failed=complaints, passed=0 if complaints else 1, log=log)


def environments(tools: Tools) -> Result:
    """ansible-builder takes both descriptions in awx/, and finds what the collection needs in an image."""
    builder = ensure_venv("galaxy-importer", GALAXY_IMPORTER) / "bin" / "ansible-builder"
    result = Result(log=tools.logs / "ansible-builder.log")
    for name in ("execution-environment.yml", "decision-environment.yml"):
        with tempfile.TemporaryDirectory() as folder:
            create = [str(builder), "create", "--file", name, "--context", folder]
            create += ["--output-filename", "Containerfile"]
            log = tools.logs / f"ansible-builder-{name}.log"
            created = process.run(create, cwd=tools.checkout / "awx", env=tools.env, log=log)
            if created.code or not Path(folder, "Containerfile").exists():
                reason = next(filter(None, reversed(created.lines)), "")
                return Result(failed=[f"no Containerfile was made of {name}: {reason}"], log=log)
        result.passed += 1
    introspect = [str(builder), "introspect", str(tools.collections)]
    found = process.run(introspect, cwd=tools.checkout, env=tools.env, log=result.log)
    for name in ("pynetbox>=", "requests", "tzdata", "openssh-clients"):
        if name not in "\n".join(found.lines):
            result.failed.append(f"ansible-builder does not find that an image needs {name}")
    result.passed += 1
    return result
