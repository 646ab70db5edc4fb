# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What netbox-proxbox calls things, and the English sentences of it that the collection has to understand.

Read in the sources of its releases 0.0.11 to 0.0.29. A sentence that no pattern here fits means "not known", and never
"fine". Pure: no network, no clock, no Ansible.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_NAME = "Proxbox Sync"
"""The name NetBox gives a sync job that was created without one."""

STAGES = (
    "devices",
    "storage",
    "virtual-machines",
    "task-history",
    "vm-disks",
    "vm-backups",
    "vm-snapshots",
    "network-interfaces",
    "vm-interfaces",
    "ip-addresses",
    "sdn",
    "replications",
    "backup-routines",
)
"""The stages of a sync of everything, in the order in which they run (``_SYNC_STAGE_ORDER``, 0.0.22 and newer)."""

SYNC_TYPES = ("all", *sorted(STAGES))
"""The sync types of 0.0.29 (its ``SyncTypeChoices``); the server has the last word."""

SDN_MINIMUM = (0, 0, 22)
"""The first release with the stage ``sdn``; the other stages are older than 0.0.11."""

STAGES_OF_VMS = frozenset({"virtual-machines", "vm-disks", "vm-backups", "vm-snapshots"})
"""The stages that run once for each virtual machine of a sync of single virtual machines."""

ENDPOINT_SCOPE = "endpoint-scope"
"""The sync type of a row that tells why an endpoint was left, in place of its stages."""

BRANCH_ISOLATION = "branch-isolation"
"""The sync type of a row that tells why the branch of a run could not be made or merged (netbox-branching)."""

_CANCELLED = ("Cancelled via API.", "Cancelled by user.")
_STARTING = re.compile(r"Starting Proxbox sync stages: (?P<stages>.+)")
_ON_ENDPOINT = re.compile(r"Running SSE sync for Proxmox endpoint (?P<id>\d+)")
_OPTIONAL = re.compile(r"Optional stage '(?P<stage>[\w-]+)' failed and was skipped: (?P<error>.+)", re.DOTALL)
_RETRYING = re.compile(r"Stage (?P<stage>[\w-]+) failed \(HTTP \d+\): .*-- retrying in (?P<seconds>\d+)s", re.DOTALL)
_STAGE_ERROR = re.compile(r"Stage '?(?P<stage>[\w-]+)'? failed \((?P<http>HTTP \d+)\): (?P<detail>.*)", re.DOTALL)
_STAGE_BEGINS = re.compile(r"Starting stage: (?P<stage>[\w-]+) \(.*\)")
_STAGE_ENDS = re.compile(r"Stage completed: (?P<stage>[\w-]+) \(.*\) HTTP \d+ in (?P<time>.+)")
_READINESS = re.compile(r"Checking backend readiness for stage '[\w-]+'\.\.\.")
_FRAME = re.compile(r"\[proxbox-stream\] (?P<event>\w+): (?P<data>.*)", re.DOTALL)
_SETTING = re.compile(r"(?P<setting>sync_mode_\w+)=disabled")
_REPR = re.compile(r"(?P<kind>[A-Za-z_.]+)\((?P<text>['\"].*['\"]),?\)", re.DOTALL)


_CAUSES: tuple[tuple[str, str, str, str], ...] = (
    (
        "approval is missing or stale",
        "not approved, so NetBox does not send its credentials to the backend",
        "Approve it at {page}.",
        "endpoints/proxmox/{id}/",
    ),
    (
        "No FastAPI endpoint configured|no usable proxbox-api backend",
        "NetBox has no enabled backend (FastAPI endpoint)",
        "Enable it at {page}.",
        "endpoints/fastapi/",
    ),
    (
        "No API token configured",
        "NetBox has no token for the backend (proxbox-api)",
        "Enter the backend's token at {page}.",
        "endpoints/fastapi/",
    ),
    (
        "backend_tls_error",
        "NetBox does not trust the certificate of the backend (proxbox-api, {found})",
        "Check the address and verify_ssl at {page}.",
        "endpoints/fastapi/",
    ),
    (
        "backend_throttled",
        "the backend (proxbox-api) refuses further attempts for now ({found})",
        "Run the sync again in a few minutes.",
        "endpoints/fastapi/",
    ),
    (
        "Sync ownership already claimed",
        "a sync that somebody started on the web page took its place",
        "Check that sync, or run this one again.",
        "",
    ),
    (
        "candidate_rejected|candidate_missing|bootstrap_required",
        "the backend (proxbox-api) rejects the token that NetBox sends ({found})",
        "Enter the backend's token at {page}.",
        "endpoints/fastapi/",
    ),
    (
        r"backend_(unreachable|timeout|request_failed)|(bootstrap_status|validation)_http_5\d\d",
        "the backend (proxbox-api) does not answer ({found})",
        "Check that it is running. Check its address at {page}.",
        "endpoints/fastapi/",
    ),
    (
        "could not be resolved to a current ProxBox backend endpoint",
        "the backend does not know this endpoint, or knows it with another address",
        "Open {page} and save the endpoint again. NetBox then registers it.",
        "endpoints/proxmox/{id}/",
    ),
    (
        "proxmox_session_acquisition_failed",
        "the backend cannot connect to Proxmox ({found})",
        "Check that Proxmox is up. Check the address and the token at {page}.",
        "endpoints/proxmox/{id}/",
    ),
    (
        "every Proxmox endpoint selected for this run is disabled",
        "every Proxmox endpoint of this sync was disabled or deleted before the run began",
        "Enable one at {page}, or remove proxmox_endpoints to sync from all enabled endpoints.",
        "endpoints/proxmox/",
    ),
    (
        "no enabled Proxmox endpoint exists in NetBox",
        "NetBox has no enabled Proxmox endpoint",
        "Enable one at {page}.",
        "endpoints/proxmox/",
    ),
    (
        "exceeded maximum timeout value|Job deadline reached",
        "the sync reached NetBox's time limit, and NetBox ended it",
        "Raise the limit (sync_job_timeout at {page}, netbox-proxbox 0.0.27 and newer), or find out why the backend is "
        "slow.",
        "settings/",
    ),
)
"""What a sentence of the plugin means: a pattern, what it says in plain words, what to do, and the page for it."""


@dataclass(frozen=True)
class Cause:
    """What an error means, what to do, and the page for it below ``/plugins/proxbox/``, with an endpoint's ``{id}``."""

    what: str
    advice: str
    path: str


def recognised(text: str) -> Cause | None:
    """What an error means; None for one that is not known."""
    for pattern, what, advice, path in _CAUSES:
        if match := re.search(pattern, text):
            return Cause(what.format(found=match[0]), advice, path)
    return None


def was_cancelled(status: str, error: str) -> bool:
    """Whether somebody cancelled the job, over the API or on the plugin's web page."""
    return status == "failed" and error in _CANCELLED


def cancel_was_too_late(detail: str) -> bool:
    """Whether the answer to a cancel says that the job had ended before."""
    return "already finished" in detail


def is_refused_as_foreign(detail: str) -> bool:
    """Whether the answer to a cancel says that the job is no Proxbox sync, as of a sync that is just starting."""
    return "only applies to Proxbox" in detail


def plain_error(text: str) -> str:
    """An error in its own words: without the Python ``repr`` that NetBox wraps the exception of a job in."""
    match = _REPR.fullmatch(text.strip())
    if not match:
        return text.strip()
    try:
        inner = ast.literal_eval(match["text"])
    except (ValueError, SyntaxError):
        return text.strip()
    return inner.strip() if isinstance(inner, str) else text.strip()


def failed_stage(text: str) -> str | None:
    """The stage whose failure a sentence tells of; None when it tells of none."""
    match = _STAGE_ERROR.match(text)
    return match["stage"] if match else None


def stage_error(text: str) -> str:
    """The error of a stage without the stage's name, which stands beside it: ``HTTP 500: no space left``."""
    # The plugin adds what its preflight found, which has phases of its own.
    text = text.partition(" Preflight reported: ")[0].rstrip(".")
    match = _STAGE_ERROR.match(text)
    return f"{match['http']}: {match['detail'].strip()}" if match else text


def settings_of(reasons: Iterable[str]) -> list[str]:
    """The names of the settings that have switched stages off, as the reasons of those stages tell them."""
    return sorted({found["setting"] for reason in reasons for found in _SETTING.finditer(reason)})


@dataclass(frozen=True)
class StageFailure:
    """The failure of an optional stage, which only the log tells. ``attempts`` is how often it was tried."""

    endpoint_id: int | None
    stage: str
    error: str
    attempts: int


def stages_started(log: Iterable[Mapping[str, Any]]) -> list[str]:
    """The stages that the log of a run says it was started with; empty when it does not."""
    for entry in log:
        match = _STARTING.fullmatch(message_of(entry).strip())
        if match:
            return [stage.strip() for stage in match["stages"].split(",")]
    return []


def optional_failures(log: Iterable[Mapping[str, Any]]) -> list[StageFailure]:
    """The optional stages that failed, which leave no row, as the log tells them."""
    log = list(log)
    tried = attempts(log)
    return [
        StageFailure(
            endpoint, match["stage"], stage_error(match["error"].strip()), tried.get((endpoint, match["stage"]), 1)
        )
        for endpoint, message in _by_endpoint(log)
        if (match := _OPTIONAL.match(message))
    ]


def attempts(log: Iterable[Mapping[str, Any]]) -> dict[tuple[int | None, str], int]:
    """How often each stage was tried on each endpoint, of those that were tried again, as the log tells."""
    found: dict[tuple[int | None, str], int] = {}
    for endpoint, message in _by_endpoint(log):
        if match := _RETRYING.match(message):
            found[endpoint, match["stage"]] = found.get((endpoint, match["stage"]), 1) + 1
    return found


def stages_completed(log: Iterable[Mapping[str, Any]]) -> list[tuple[int | None, str]]:
    """The endpoint and the name of each stage that ran well, as the log tells."""
    lines = _by_endpoint(log)
    return [(endpoint, match["stage"]) for endpoint, message in lines if (match := _STAGE_ENDS.fullmatch(message))]


def _by_endpoint(log: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int | None, str]]:
    """Each message, with the id of the endpoint that it is about, which an earlier message tells."""
    endpoint: int | None = None
    for entry in log:
        message = message_of(entry)
        match = _ON_ENDPOINT.match(message)
        endpoint = int(match["id"]) if match else endpoint
        yield endpoint, message


class LogReader:
    """Reads the log of a run entry by entry, for showing it: which endpoint a line is about, an earlier line tells.

    ``names`` are the names of the Proxmox endpoints by id, as far as they are known.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = dict(names)
        self._endpoint = ""
        self._stage = ""
        self._last = ""
        self._preflights: set[str] = set()

    def shown(self, entry: Mapping[str, Any]) -> str | None:
        """An entry in one line, with its level where it is not ``info``; None for one that tells nothing new."""
        message, level = message_of(entry), str(entry.get("level") or "info").lower()
        if "%s" in message:
            return None  # before 0.0.24 NetBox stores some messages without their values
        if message.startswith("Preflight: ") and message in self._preflights:
            return None  # the plugin checks some things twice
        self._preflights.add(message)
        text = self._text(message)
        if text is None or (message.startswith("Traceback") and self._last and self._last in message):
            return None
        self._last = one_line(message)
        return text if level == "info" else f"{level.upper()} {text}"

    def _text(self, message: str) -> str | None:
        if match := _ON_ENDPOINT.match(message):
            self._endpoint = self.names.get(int(match["id"]), f"endpoint {match['id']}")
            return None
        if _READINESS.fullmatch(message):
            return None
        if match := _STARTING.fullmatch(message):
            return f"stages: {match['stages']}"
        if match := _STAGE_BEGINS.fullmatch(message):
            self._stage = match["stage"]
            return f"{self._where(match['stage'])}: started"
        if match := _STAGE_ENDS.fullmatch(message):
            return f"{self._where(match['stage'])}: ok in {match['time']}"
        if match := _OPTIONAL.fullmatch(message):
            return f"{self._where(match['stage'])}: it is optional, so the sync goes on without it"
        if match := _RETRYING.match(message):
            error = stage_error(message.rpartition(" -- retrying in ")[0])
            return f"{self._where(match['stage'])}: {one_line(error)}, retrying in {match['seconds']} s"
        if match := _STAGE_ERROR.fullmatch(message):
            return f"{self._where(match['stage'])}: {one_line(stage_error(message))}"
        if match := _FRAME.fullmatch(message):
            return f"{self._where(self._stage)}: {_frame(match['event'], match['data'])}"
        return one_line(message)

    def _where(self, stage: str) -> str:
        return f"{self._endpoint} {stage}".strip()


def _frame(event: str, data: str) -> str:
    """What the backend says of its progress: its own sentence, and how far it is."""
    try:
        frame = json.loads(data)
    except ValueError:
        frame = None  # a long one is cut
    if not isinstance(frame, dict):
        return one_line(f"{event} {data}")
    progress = frame.get("progress")
    progress = progress if isinstance(progress, dict) else {}
    done = f" ({progress['current']} of {progress['total']})" if {"current", "total"} <= progress.keys() else ""
    return f"{one_line(str(frame.get('message') or frame.get('status') or event))}{done}"


def one_line(message: str) -> str:
    """The line of a message that tells: the first, but of a traceback the last."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or [""]
    return lines[-1 if lines[0].startswith("Traceback") else 0]


def endpoints_begun(log: Iterable[Mapping[str, Any]]) -> list[int]:
    """The ids of the endpoints whose stages began, in order, as the log tells."""
    matches = (_ON_ENDPOINT.match(message_of(entry)) for entry in log)
    return [int(match["id"]) for match in matches if match]


def log_of(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...] | None:
    """The log of a job, oldest entry first; None where it was not read."""
    entries = row.get("log_entries")
    return tuple(entry for entry in entries if isinstance(entry, Mapping)) if isinstance(entries, list) else None


def message_of(entry: Mapping[str, Any]) -> str:
    """The message of a log entry."""
    return str(entry.get("message") or "")
