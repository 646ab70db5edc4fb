# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Mutation testing: mutmut changes a file in many small ways, and the unit tests of the file should fail each time."""

from __future__ import annotations

import shutil
from pathlib import Path

from proxbox_checks import process
from proxbox_checks.tools import Tools
from proxbox_stack.report import StackError, say

MODULE_UTILS = "plugins/module_utils"

TESTS = {
    "_connection.py": ["test_connection.py"],
    "_events.py": ["test_events.py"],
    "_http.py": ["test_http.py", "test_tls.py", "test_session.py"],
    "_http_errors.py": ["test_http_errors.py", "test_http.py", "test_session.py"],
    "_pages.py": ["test_pages.py"],
    "_rq.py": ["test_rq.py"],
    "_session.py": ["test_session.py"],
    "_worker.py": ["test_worker.py"],
}
"""The unit tests of each file in plugins/module_utils. The others take too long, or test it by accident."""

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
pytest_add_cli_args_test_selection =
{tests}
"""


def mutants(tools: Tools, files: list[str]) -> str:
    """Run the unit tests against the mutants of each file, and return the score and the mutants that survived.

    :param files: paths or names of files in plugins/module_utils.
    :raises StackError: for a file without tests in ``TESTS``, and if mutmut cannot run.
    """
    names = [Path(file).name for file in files] or sorted(TESTS)
    for name in names:
        if name not in TESTS:
            raise StackError(f"{name} has no unit tests in {__name__}.TESTS: name one of {', '.join(sorted(TESTS))}.")
    return "\n".join(_of_file(tools, name) for name in names)


def _of_file(tools: Tools, name: str) -> str:
    collection = tools.staged.relative_to(tools.collections)
    tests = [f"    {collection}/tests/unit/{MODULE_UTILS}/{test}" for test in TESTS[name]]
    settings = _SETTINGS.format(collection=collection, name=name, tests="\n".join(tests))
    (tools.collections / "setup.cfg").write_text(settings, encoding="utf-8")
    shutil.rmtree(tools.collections / "mutants", ignore_errors=True)
    say(f"{name} ...")
    done = _mutmut(tools, "run", "--max-children", "1")
    results = [line.strip().rpartition(": ") for line in _mutmut(tools, "results", "--all", "true").lines if line]
    found = [(mutant, verdict) for mutant, _colon, verdict in results if mutant]
    if not found:
        process.show_end(done)
        raise StackError(f"mutmut made no mutants of {name}: its output is in {tools.logs / 'mutmut-run.log'}.")
    lived = [mutant for mutant, verdict in found if verdict not in ("killed", "timeout")]
    report = f"{name}: the tests notice {len(found) - len(lived)} of {len(found)} mutants\n"
    for mutant in lived:
        diff = _mutmut(tools, "show", mutant).lines
        changes = [line for line in diff if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]
        report += "\n".join([f"  {mutant.rpartition('.')[2]}", *(f"    {line}" for line in changes)]) + "\n"
    return report


def _mutmut(tools: Tools, *arguments: str) -> process.Done:
    command = ["nice", tools.program("mutmut"), *arguments]
    log = tools.logs / f"mutmut-{arguments[0]}.log"
    return process.run(command, cwd=tools.collections, env=tools.env, log=log)
