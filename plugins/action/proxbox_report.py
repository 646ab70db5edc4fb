# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read schedules with the module proxbox_sync_schedule_info, and show and write a report on the controller."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import datetime
from typing import Any

from ansible import constants as C
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.path import unfrackpath

from ..module_utils._errors import ProxboxError
from ..module_utils._options import checked_count
from ..module_utils._report import Line, Overview, Times, expected, lines, markdown, previous_names, read_declared, rows
from ..module_utils._report_html import page
from ..module_utils._survey import read_answers
from ..module_utils._times import parse_timezone

display = Display()

MODULE = "proxbox.proxbox.proxbox_sync_schedule_info"

PASSED_ON = (
    "netbox_url",
    "netbox_token",
    "validate_certs",
    "ca_path",
    "client_cert",
    "client_key",
    "headers",
    "timeout",
    "stale_after",
)
"""The options that the module takes. It checks them."""

SPEC: dict[str, dict[str, Any]] = {
    **{option: {"type": "raw"} for option in PASSED_ON},
    "names": {"type": "list", "elements": "str"},
    "schedules": {"type": "list", "elements": "dict"},
    "history": {"type": "int", "default": 30},
    "html": {"type": "str"},
    "markdown": {"type": "str"},
    "title": {"type": "str", "default": "Proxbox sync schedules"},
    "timezone": {"type": "str", "default": "UTC"},
    "fail": {"type": "bool", "default": False},
}

FILES = {"html": page, "markdown": markdown}
"""The options that name a file, and what makes its content."""

COLORS = {"good": C.COLOR_OK, "bad": C.COLOR_ERROR, "note": C.COLOR_WARN, "": None}


class ActionModule(ActionBase):
    """Run a task of proxbox_report."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task."""
        result = super().run(tmp, task_vars)
        try:
            return {**result, **self._report(task_vars or {})}
        except ProxboxError as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _report(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        options = _checked(self._task.args)
        times = Times(parse_timezone(options["timezone"]), datetime.now().astimezone())
        history = checked_count("history", options["history"], least=1)
        declared = read_declared(options["names"], options["schedules"])
        renamed = previous_names(options["schedules"])
        paths = {option: _checked_path(option, options[option]) for option in FILES if options[option]}
        if len({*paths.values()}) < len(paths):
            raise ProxboxError("html and markdown name the same file: give two.")
        warnings: list[Any] = []

        def read(**more: Any) -> dict[str, Any]:
            passed_on = {option: options[option] for option in PASSED_ON if options[option] is not None}
            arguments = {**passed_on, "timezone": options["timezone"], "history": history, **more}
            if renamed:
                arguments["previous_names"] = renamed
            read: dict[str, Any] = self._execute_module(MODULE, arguments, task_vars=task_vars)
            warnings.extend(read.get("warnings", []))
            return read

        found, missing = read(), None
        if found.get("failed"):
            return found
        names = expected(declared or {}, found["schedules"])
        if names:
            missing = read(names=names)
            if missing.get("failed"):
                return missing
        overview = Overview(options["title"], rows(found["schedules"], missing, declared, times), times, history)
        text = lines(overview)
        self._show(text)
        for option, path in paths.items():
            if not self._task.check_mode:
                _write(option, path, FILES[option](overview))
        written = {option: None if self._task.check_mode else paths.get(option) for option in FILES}
        more = {"warnings": warnings} if warnings else {}
        return {"changed": False, **_result(overview, text, options["fail"]), **written, **more}

    def _show(self, text: list[Line]) -> None:
        """Show the report, unless the terminal is to show JSON or nothing."""
        if not self._task.no_log and "json" not in C.DEFAULT_STDOUT_CALLBACK:
            for line in text:
                display.display(f"  {line.text}".rstrip(), color=COLORS[line.tone])


def _checked(args: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the task as Ansible checks those of a module.

    :raises ProxboxError: with a sentence.
    """
    # The options of a schedule are those of another module, so the entries are not checked here.
    answers = read_answers(args, {**SPEC, "schedules": {**SPEC["schedules"], "options": {}}})
    valid = ArgumentSpecValidator(SPEC).validate(answers)
    if valid.error_messages:
        unknown = isinstance(valid.errors[0], UnsupportedError)
        what = "Unsupported parameters for (proxbox.proxbox.proxbox_report) module: " if unknown else ""
        raise ProxboxError(f"{what}{valid.errors.msg}")
    options: dict[str, Any] = valid.validated_parameters
    return options


def _checked_path(option: str, given: str) -> str:
    """Return the absolute path of a file to write.

    :raises ProxboxError: with a sentence.
    """
    path: str = unfrackpath(given)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise ProxboxError(
            f"{option}: the folder {folder} does not exist on the controller. Create it, or give another."
        )
    if os.path.isdir(path):
        raise ProxboxError(f"{option}: {path} is a folder on the controller. Give the path of a file.")
    return path


def _write(option: str, path: str, text: str) -> None:
    """Write a file. A reader sees the old or the new content, and nothing in between.

    :raises ProxboxError: with a sentence.
    """
    temporary = None
    try:
        if os.path.exists(path):
            mode = os.stat(path).st_mode & 0o777
        else:
            mask = os.umask(0)
            os.umask(mask)
            mode = 0o666 & ~mask
        number, temporary = tempfile.mkstemp(prefix=".proxbox_report.", dir=os.path.dirname(path))
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as exc:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
        raise ProxboxError(
            f"{option}: {path} cannot be written on the controller: {exc.strerror}. Give a path that the user of "
            "Ansible can write."
        ) from None


def _result(overview: Overview, text: list[Line], fail: bool) -> dict[str, Any]:
    """Return the result of the task. That of a task that fails is shown whole, so it is short."""
    schedules, problems = [row.result() for row in overview.rows], overview.problems()
    result = {
        "msg": overview.summary(),
        "schedules": schedules,
        "unwell": [row.name for row in overview.unwell],
        "problems": problems,
    }
    if not fail or not problems:
        return {**result, "text": "\n".join(line.text for line in text)}
    for schedule in schedules:
        del schedule["runs"]
    return {**result, "failed": True, "msg": "\n".join([f"{overview.summary()}.", *problems])}
