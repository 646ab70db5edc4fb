# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Build the archive of a release, and check it and the descriptions of images with the tools of the hubs."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from proxbox_checks.start import CHECKOUT
from proxbox_checks.workspace import Workspace

PLACEHOLDER = "https://example.com/proxbox"
"""The address of the project in an archive that is only checked: the project has no public address yet."""

_IMPORTER_CONFIGURATION = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
"""


def build_archive(work: Workspace, home: str, output: Path) -> Path:
    """Build the archive into the folder ``output``.

    :param home: address of the project, which Galaxy demands: ``repository``, ``documentation``, ``homepage`` and
        ``issues`` come from it.
    """
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+", home):
        work.session.error(f"{home!r} is not the address of a project: give one such as https://github.com/OWNER/NAME.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "collection")
        shutil.copytree(work.collection, copy)
        addresses = {
            "repository": home,
            "documentation": f"{home}#readme",
            "homepage": home,
            "issues": f"{home}/issues",
        }
        with open(copy / "galaxy.yml", "a", encoding="utf-8") as galaxy:
            galaxy.writelines(f"{key}: {address}\n" for key, address in addresses.items())
        with work.session.chdir(copy):
            work.session.run("ansible-galaxy", "collection", "build", "--output-path", str(output))
    (archive,) = output.glob("proxbox-proxbox-*.tar.gz")
    return archive


def check_import(work: Workspace) -> None:
    """Fail if galaxy-importer reports a warning or an error for the archive."""
    with tempfile.TemporaryDirectory() as folder:
        archive = build_archive(work, PLACEHOLDER, Path(folder))
        configuration = Path(folder, "importer.cfg")
        configuration.write_text(_IMPORTER_CONFIGURATION, encoding="utf-8")
        env = {
            "GALAXY_IMPORTER_CONFIG": str(configuration),
            # galaxy-importer must not find the copy of the checkout instead of the archive.
            "ANSIBLE_COLLECTIONS_PATH": folder,
        }
        with work.session.chdir(folder):
            command = ["python", "-m", "galaxy_importer.main", archive.name]
            output = str(work.session.run(*command, env=env, silent=True))
    complaints = [line for line in output.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)\b", line)]
    if complaints:
        work.session.error("galaxy-importer says:\n" + "\n".join(complaints))


def check_environments(work: Workspace) -> None:
    """Fail if ansible-builder does not accept both descriptions in awx/, or does not find what an image needs."""
    for name in ("execution-environment.yml", "decision-environment.yml"):
        with tempfile.TemporaryDirectory() as folder:
            command = ["ansible-builder", "create", "--file", str(CHECKOUT / "awx" / name)]
            work.session.run(*command, "--context", folder, "--output-filename", "Containerfile")
            if not Path(folder, "Containerfile").exists():
                work.session.error(f"ansible-builder made no Containerfile of {name}.")
    found = str(work.session.run("ansible-builder", "introspect", str(work.root), silent=True))
    for name in ("pynetbox>=", "requests", "tzdata", "openssh-clients"):
        if name not in found:
            work.session.error(f"ansible-builder does not find that an image needs {name}:\n{found}")
