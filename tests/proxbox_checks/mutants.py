# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Mutation testing: mutmut changes a file in many small ways, and the unit tests of the file should fail each time."""

from __future__ import annotations

import shutil
from pathlib import Path

from proxbox_checks.workspace import Workspace
from proxbox_stack.report import StackError, say

MODULE_UTILS = "plugins/module_utils"

TESTS = {
    "_connection.py": ["test_connection.py"],
    "_declare.py": ["test_declare.py"],
    "_events.py": ["test_events.py"],
    "_first_run.py": ["test_declare.py"],
    "_health.py": ["test_health.py"],
    "_http.py": ["test_http.py", "test_tls.py", "test_session.py"],
    "_http_errors.py": ["test_http_errors.py", "test_http.py", "test_session.py"],
    "_job.py": ["test_job.py"],
    "_loop.py": ["test_loop.py"],
    "_outcome.py": ["test_outcome.py"],
    "_pages.py": ["test_pages.py"],
    "_plan.py": ["test_plan.py", "test_declare.py"],
    "_rq.py": ["test_rq.py"],
    "_runs.py": ["test_runs.py"],
    "_session.py": ["test_session.py"],
    "_survey.py": ["test_survey.py"],
    "_times.py": ["test_times.py"],
    "_wait.py": ["test_wait.py"],
    "_worker.py": ["test_worker.py"],
}
"""The unit tests of each file in plugins/module_utils. Other tests take too long, or test the file by accident."""

_SETTINGS = """\
[mutmut]
source_paths =
    {collection}/plugins
only_mutate =
    {collection}/plugins/module_utils/{name}
also_copy =
    {collection}/tests/unit
pytest_add_cli_args =
    --import-mode=importlib
    -p
    no:cacheprovider
    --hypothesis-profile=mutants
timeout_multiplier = 3
timeout_constant = 5
pytest_add_cli_args_test_selection =
{tests}
"""


def mutants(work: Workspace, files: list[str]) -> str:
    """Run the unit tests against the mutants of each file, and return the score and the mutants that survived.

    :param files: paths or names of files in plugins/module_utils.
    :raises StackError: if a file has no tests in ``TESTS``, or mutmut cannot run.
    """
    names = [Path(file).name for file in files] or sorted(TESTS)
    for name in names:
        if name not in TESTS:
            raise StackError(f"{name} has no unit tests in {__name__}.TESTS: name one of {', '.join(sorted(TESTS))}.")
    return "\n".join(_of_file(work, name) for name in names)


def _of_file(work: Workspace, name: str) -> str:
    collection = work.collection.relative_to(work.root)
    tests = [f"    {collection}/tests/unit/{MODULE_UTILS}/{test}" for test in TESTS[name]]
    settings = _SETTINGS.format(collection=collection, name=name, tests="\n".join(tests))
    (work.root / "setup.cfg").write_text(settings, encoding="utf-8")
    shutil.rmtree(work.root / "mutants", ignore_errors=True)
    say(f"{name} ...")
    output = _mutmut(work, "run", "--max-children", "1")
    results = [line.strip().rpartition(": ") for line in _mutmut(work, "results", "--all", "true") if line]
    found = [(mutant, verdict) for mutant, _colon, verdict in results if mutant]
    if not found:
        raise StackError("\n".join([f"mutmut made no mutants of {name}:", *output]))
    lived = [mutant for mutant, verdict in found if verdict not in ("killed", "timeout")]
    report = f"{name}: the tests notice {len(found) - len(lived)} of {len(found)} mutants\n"
    for mutant in lived:
        diff = _mutmut(work, "show", mutant)
        changes = [line for line in diff if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]
        report += "\n".join([f"  {mutant.rpartition('.')[2]}", *(f"    {line}" for line in changes)]) + "\n"
    return report


def _mutmut(work: Workspace, *arguments: str) -> list[str]:
    with work.session.chdir(work.root):
        # No exit code of mutmut shows whether it has run.
        output = work.session.run("nice", "mutmut", *arguments, silent=True, external=True, success_codes=range(256))
    return str(output).splitlines()
