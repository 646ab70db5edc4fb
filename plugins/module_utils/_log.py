# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the log of a run, read for its facts (``RunLog``) and line by line (``LogReader``).

This file knows the English sentences of the log and of a stage's error (netbox-proxbox 0.0.11 to 0.0.29). A sentence
that fits no pattern means "not known", and never "fine". Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping

from ._json import mapping, text

# Patterns, which the module re compiles when they are first used: a list of jobs without their logs needs few of them.
_STAGES = r"Starting Proxbox sync stages: (?P<stages>.+)"
_ENDPOINT = r"Running SSE sync for Proxmox endpoint (?P<id>\d+)"
_STARTED = r"Starting stage: (?P<stage>[\w-]+) \(.*\)"
_COMPLETED = r"Stage completed: (?P<stage>[\w-]+) \(.*\) HTTP \d+ in (?P<time>.+)"
_FAILED = r"(?s)Stage '?(?P<stage>[\w-]+)'? failed \((?P<http>HTTP \d+)\): (?P<detail>.*)"
_RETRYING = r"(?s)Stage (?P<stage>[\w-]+) failed \(HTTP \d+\): .*-- retrying in (?P<seconds>\d+)s"
_OPTIONAL = r"(?s)Optional stage '(?P<stage>[\w-]+)' failed and was skipped: (?P<error>.+)"
_BACKEND_EVENT = r"(?s)\[proxbox-stream\] (?P<event>\w+): (?P<data>.*)"
_PYTHON_EXCEPTION = r"(?s)[A-Za-z_.]+\((?P<text>['\"].*['\"]),?\)"
_READINESS = "Checking backend readiness for stage "


class RunLog:
    """What the log of a run tells about its stages.

    ``stages`` are the sync types that the run started with; empty if the log does not tell them. ``endpoints`` are the
    ids of the endpoints whose stages started, in order. ``completed`` are the stages that succeeded. ``failures`` are
    the errors of optional stages: the plugin writes no row for these.
    """

    def __init__(self, entries: Iterable[Mapping[str, object]]) -> None:
        self.stages: list[str] = []
        self.endpoints: list[int] = []
        self.completed: list[tuple[int | None, str]] = []
        self.failures: dict[tuple[int | None, str], str] = {}
        self._retries: dict[tuple[int | None, str], int] = {}
        self._read = False
        for entry in entries:
            self._read = True
            self._add(message_of(entry))

    def attempts(self, key: tuple[int | None, str]) -> int | None:
        """How often the plugin tried a stage; None if the log was not read."""
        return 1 + self._retries.get(key, 0) if self._read else None

    def _add(self, message: str) -> None:
        endpoint_id = self.endpoints[-1] if self.endpoints else None
        if match := re.match(_ENDPOINT, message):
            self.endpoints.append(int(match["id"]))
        elif match := re.fullmatch(_STAGES, message.strip()):
            self.stages = self.stages or [stage.strip() for stage in match["stages"].split(",")]
        elif match := re.fullmatch(_COMPLETED, message):
            self.completed.append((endpoint_id, match["stage"]))
        elif match := re.match(_RETRYING, message):
            key = (endpoint_id, match["stage"])
            self._retries[key] = self._retries.get(key, 0) + 1
        elif match := re.match(_OPTIONAL, message):
            self.failures.setdefault((endpoint_id, match["stage"]), stage_error(match["error"].strip()))


class LogReader:
    """Turns the log of a run, entry by entry, into the lines that a task shows.

    ``names`` are the known names of the Proxmox endpoints by id. An entry about a stage does not name its endpoint, but
    an earlier entry does.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._endpoint = ""
        self._stage = ""
        self._last = ""
        self._preflights: set[str] = set()

    def line(self, entry: Mapping[str, object]) -> str | None:
        """The line for an entry, with the level if it is not ``info``; None if the entry tells nothing new."""
        message, level = message_of(entry), level_of(entry)
        if "%s" in message:
            return None  # before 0.0.24 NetBox stores some messages without their values
        if message.startswith("Preflight: "):
            if message in self._preflights:
                return None  # the plugin does some checks twice
            self._preflights.add(message)
        line = self._translated(message)
        if line is None or (_is_traceback(message) and self._last and self._last in message):
            return None
        self._last = one_line(message)
        return line if level == "info" else f"{level.upper()} {line}"

    def _translated(self, message: str) -> str | None:
        """A message of the plugin in short words; an unknown message as it is."""
        if match := re.match(_ENDPOINT, message):
            self._endpoint = self.names.get(int(match["id"]), f"endpoint {match['id']}")
            return None
        if message.startswith(_READINESS):
            return None
        if match := re.fullmatch(_STAGES, message):
            return f"stages: {match['stages']}"
        if match := re.fullmatch(_STARTED, message):
            self._stage = match["stage"]
            return self._about(match["stage"], "started")
        if match := re.fullmatch(_COMPLETED, message):
            return self._about(match["stage"], f"ok in {match['time']}")
        if match := re.fullmatch(_OPTIONAL, message):
            return self._about(match["stage"], "the stage is optional, so the sync continues")
        if match := re.match(_RETRYING, message):
            error = one_line(stage_error(message.rpartition(" -- retrying in ")[0]))
            return self._about(match["stage"], f"{error}, retrying in {match['seconds']} s")
        if match := re.fullmatch(_FAILED, message):
            return self._about(match["stage"], one_line(stage_error(message)))
        if match := re.fullmatch(_BACKEND_EVENT, message):
            return self._about(self._stage, _backend_event(match["event"], match["data"]))
        return one_line(message)

    def _about(self, stage: str, news: str) -> str:
        place = f"{self._endpoint} {stage}".strip()
        return f"{place}: {news}" if place else news


def message_of(entry: Mapping[str, object]) -> str:
    """The message of a log entry."""
    return text(entry.get("message"))


def level_of(entry: Mapping[str, object]) -> str:
    """The level of a log entry in lower case, for example ``warning``."""
    return (text(entry.get("level")) or "info").lower()


def one_line(message: str) -> str:
    """The line of a message that tells most: the first line, or the last line of a traceback."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or [""]
    return lines[-1 if _is_traceback(lines[0]) else 0]


def plain_error(error: str) -> str:
    """The error of a job without the Python exception around it: ``no space``, and not ``RuntimeError('no space')``."""
    error = error.strip()
    match = re.fullmatch(_PYTHON_EXCEPTION, error)
    if not match:
        return error
    try:
        inner: object = ast.literal_eval(match["text"])
    except (ValueError, SyntaxError):
        return error
    return inner.strip() if isinstance(inner, str) else error


def failed_stage(error: str) -> str | None:
    """The sync type of the stage that failed, if the error tells it."""
    match = re.match(_FAILED, error)
    return match["stage"] if match else None


def stage_error(error: str) -> str:
    """The error of a stage without the name of the stage, for example ``HTTP 500: no space left on device``."""
    # The plugin adds the results of its preflight. They are also in the phases of the run.
    error = error.partition(" Preflight reported: ")[0].rstrip(".")
    match = re.match(_FAILED, error)
    return f"{match['http']}: {match['detail'].strip()}" if match else error


def _is_traceback(message: str) -> bool:
    return message.startswith("Traceback")


def _backend_event(event: str, data: str) -> str:
    """The sentence of the backend about its progress, and how far it is."""
    try:
        content = mapping(json.loads(data))
    except ValueError:
        content = {}  # NetBox cuts long messages
    if not content:
        return one_line(f"{event} {data}")
    progress = mapping(content.get("progress"))
    count = f" ({progress['current']} of {progress['total']})" if {"current", "total"} <= progress.keys() else ""
    return one_line(text(content.get("message")) or text(content.get("status")) or event) + count
