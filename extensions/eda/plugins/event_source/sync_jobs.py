# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event source for ansible-rulebook: how the Proxbox syncs of a NetBox fare."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import ssl
import sys
import time
import urllib.request
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp

DOCUMENTATION = r"""
---
name: sync_jobs
short_description: Events about the Proxbox syncs of a NetBox
version_added: 0.1.0
description:
  - Asks NetBox again and again for its sync jobs, and sends an event if a sync has ended, is overdue or runs for too
    long, and if a recurring schedule has vanished. Each of these events comes once.
  - NetBox's own event rules cannot do this. They cannot select sync jobs, and they call each end of a job completed.
  - Each look costs two GET requests, and a third one if jobs have ended. The cost does not grow with the job history.
  - All times and limits are by NetBox's clock.
  - If NetBox does not answer, or answers HTTP 429 or 5xx, the source asks again after pauses that grow to two minutes,
    or after the time that NetBox names. It logs one warning. No event is lost.
  - If NetBox refuses a request, for example because of the token, the source ends with an error.
  - If the rulebook is restarted, O(lookback) decides which syncs that have ended before count. For a job that is still
    overdue or runs for too long, the event comes again. A schedule that vanished while the rulebook did not run is only
    noticed if it is in O(schedules).
options:
  netbox_url:
    description:
      - Address of NetBox, for example V(https://netbox.example.com). Redirects are not followed.
      - If not set, the environment variable E(NETBOX_URL) is used, then E(NETBOX_API).
    type: str
    required: true
  netbox_token:
    description:
      - API token of a NetBox user, version 1 or version 2. The user needs the permission to view C(core.job), without
        constraints.
      - If not set, the environment variable E(NETBOX_TOKEN) is used.
    type: str
    required: true
  validate_certs:
    description:
      - Whether to verify NetBox's TLS certificate, against the CA store of the system.
      - If not set, the environment variable E(NETBOX_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - Path of a bundle of CA certificates (PEM). It is used instead of the CA store of the system.
      - If not set, the environment variable E(NETBOX_CA_PATH) is used.
    type: path
  client_cert:
    description:
      - Path of a client certificate (PEM). Its key must be in the same file or in O(client_key).
      - If not set, the environment variable E(NETBOX_CLIENT_CERT) is used.
    type: path
  client_key:
    description:
      - Path of the key of O(client_cert).
      - If not set, the environment variable E(NETBOX_CLIENT_KEY) is used.
    type: path
  headers:
    description:
      - Additional HTTP headers for each request, for example for a proxy in front of NetBox. They can be text in JSON.
    type: dict
  timeout:
    description: Seconds to wait for the connection to NetBox, and for each part of an answer.
    type: float
    default: 30
  delay:
    description: Seconds between two looks at NetBox, at least 1.
    type: float
    default: 30
  names:
    description:
      - Names of the syncs to send events about. They can be patterns of Python's C(fnmatch), for example V(nightly *).
        A bracket in a name is V([[]). Empty means all syncs.
    type: list
    elements: str
    default: []
  schedules:
    description:
      - Names of recurring schedules that have to exist. If one of them does not exist when the rulebook starts, the
        event V(gone) comes too. Events about these schedules come whatever O(names) has.
    type: list
    elements: str
    default: []
  running_too_long:
    description:
      - Time after which a sync runs for too long. A number with a unit (V(90m), V(2h)), or minutes.
      - The default is the time for which NetBox lets a sync run. This is the plugin's setting C(sync_job_timeout), or
        two hours if the plugin is older than 0.0.27 or the token may not read the setting. A sync that has been running
        for longer is dead, because its worker was killed. Its schedule does not go on.
    type: str
  lookback:
    description:
      - How far before the start of the rulebook a sync may have ended to count. A number with a unit (V(90m), V(2h)),
        or minutes. After a restart within this time, some events come a second time.
      - If not set, only syncs count that end after the start.
    type: str
requirements:
  - Python 3.11 or newer
  - aiohttp, which ansible-rulebook brings
notes:
  - "Each event has these keys: C(type), C(name), C(time), C(message) and C(job)."
  - "C(type) is one of the following. V(ended): a sync has ended, or was cancelled before it started. V(overdue): a sync
    should have started two minutes ago. V(running_too_long): see O(running_too_long). V(gone): a recurring schedule has
    had no active job for 15 seconds, for example because its run was cancelled."
  - C(name) is the name of the job or the schedule. C(time) is NetBox's clock when the source noticed it, in UTC.
    C(message) tells it in words. After a sync that did not do everything, it has a line for each cause.
  - C(job) is the job, with the keys that M(proxbox.proxbox.proxbox_job_info) returns. With V(ended), C(job.outcome) is
    V(succeeded), V(partial), V(failed), V(cancelled), V(nothing_done) or V(unknown), and C(job.stages) has the result
    of each sync type on each endpoint. With V(gone), it is the last job of the schedule, or null if the source has
    never seen one.
seealso:
  - module: proxbox.proxbox.proxbox_job_info
  - module: proxbox.proxbox.proxbox_sync_schedule_info
"""

EXAMPLES = r"""
- name: React to syncs that did not do everything
  hosts: localhost
  sources:
    # The address and the token of NetBox are in the environment variables NETBOX_URL and NETBOX_TOKEN.
    - name: Watch the syncs
      proxbox.proxbox.sync_jobs:
        delay: 60
        schedules: [nightly]
  rules:
    - name: A scheduled sync did not do everything
      condition: event.type == "ended" and event.job.outcome in ["partial", "failed"]
      action:
        run_playbook:
          name: playbooks/notify.yml
    - name: A schedule does not run
      condition: event.type in ["overdue", "running_too_long", "gone"]
      action:
        print_event:
          var_root: message
"""

if TYPE_CHECKING:
    from ansible_collections.proxbox.proxbox.plugins.module_utils import (
        _connection,
        _errors,
        _events,
        _http_errors,
        _job,
        _liveness,
        _options,
        _survey,
        _times,
    )
else:
    # An engine runs this file alone, from any path. What it shares with the modules is in the same collection.
    _FOLDER = Path(__file__).resolve().parents[4] / "plugins" / "module_utils"
    if not (_FOLDER / "_events.py").exists():
        raise RuntimeError(
            f"The event source sync_jobs is not inside its collection ({_FOLDER / '_events.py'} is missing): install "
            "it with ansible-galaxy collection install proxbox.proxbox, and name the source proxbox.proxbox.sync_jobs."
        )
    _PACKAGE = "_proxbox_module_utils"
    sys.modules.setdefault(_PACKAGE, ModuleType(_PACKAGE)).__path__ = [str(_FOLDER)]
    _connection, _errors, _events, _http_errors, _job, _liveness, _options, _survey, _times = (
        import_module(f"{_PACKAGE}.{_name}")
        for _name in (
            "_connection",
            "_errors",
            "_events",
            "_http_errors",
            "_job",
            "_liveness",
            "_options",
            "_survey",
            "_times",
        )
    )

LONGEST_PAUSE = 120.0
"""The longest pause, in seconds, before a NetBox that does not answer is asked again, unless ``delay`` is longer."""

LONGEST_RETRY_AFTER = 3600.0
"""The longest pause, in seconds, that NetBox may ask for."""

IDS_AT_ONCE = 50
"""How many jobs are read at once with their logs."""

_SPEC: dict[str, dict[str, str]] = {
    "netbox_url": {"type": "str"},
    "netbox_token": {"type": "str"},
    "validate_certs": {"type": "bool"},
    "ca_path": {"type": "str"},
    "client_cert": {"type": "str"},
    "client_key": {"type": "str"},
    "headers": {"type": "dict"},
    "timeout": {"type": "float"},
    "delay": {"type": "float"},
    "names": {"type": "list"},
    "schedules": {"type": "list"},
    "running_too_long": {"type": "str"},
    "lookback": {"type": "str"},
}
_OF_THE_ENGINE = "eda_feedback_queue"
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LOG = logging.getLogger("proxbox.proxbox.sync_jobs")


class Queue(Protocol):
    """What takes the events. ansible-rulebook puts its filters before an ``asyncio.Queue``."""

    async def put(self, event: dict[str, Any], /) -> None:
        """Take an event."""


class Options(NamedTuple):
    """The options of the source, checked."""

    connection: _connection.Connection
    delay: float
    lookback: timedelta
    rules: _events.Rules


async def main(queue: Queue, args: dict[str, Any]) -> None:
    """Send events until the engine ends this source.

    :raises ProxboxError: with a sentence, for an option that cannot work, and if NetBox refuses a request.
    """
    options = read_options(args)
    started = time.monotonic()
    memory: _events.Memory | None = None
    failures = 0
    async with NetBox(options.connection) as netbox:
        while True:
            pause = options.delay
            try:
                # NetBox may have been away since the start.
                waited = timedelta(seconds=int(time.monotonic() - started))
                memory, events = await look(netbox, memory, options, options.lookback + waited)
            except _errors.ProxboxError as exc:
                if not exc.transient:
                    raise
                if not failures:
                    _LOG.warning("%s The source asks again until NetBox answers.", exc)
                failures += 1
                pause = max(pause_after(failures, options.delay), netbox.retry_after)
            else:
                if failures:
                    _LOG.info("NetBox answers again.")
                failures = 0
                for event in events:
                    await queue.put(event)
            await asyncio.sleep(pause)


def pause_after(failures: int, delay: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(delay * float(2 ** min(failures - 1, 20)), max(LONGEST_PAUSE, delay))


async def look(
    netbox: NetBox, memory: _events.Memory | None, options: Options, lookback: timedelta
) -> tuple[_events.Memory, list[dict[str, Any]]]:
    """Look at NetBox once. Return what is known afterwards, and the new events.

    :param lookback: how long before the first look a sync may have ended to count.
    :raises ProxboxError: with a sentence. The memory stays as it was, so that the next look misses nothing.
    """
    rules = options.rules
    active = await netbox.jobs({"status": _job.ACTIVE, "fields": _job.JOB_FIELDS})
    now = netbox.now
    if memory is None:
        memory = _events.begin(now, lookback, rules)
    since = {"status": _job.ENDED, "completed__after": _job.iso(memory.since), "fields": _events.FIELDS_OF_ENDED}
    ids = _events.to_read(memory, active, await netbox.jobs(since), rules)
    read: list[_job.Job] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = {"id": ids[start : start + IDS_AT_ONCE], "fields": f"{_job.JOB_FIELDS},log_entries"}
        read += await netbox.jobs(some)
    found = _events.Look(now, tuple(active), tuple(read))
    if _events.needs_time_limit(memory, active, now, rules):
        found = found._replace(time_limit=await netbox.time_limit())
    return _events.follow(memory, found, rules)


class Answer(NamedTuple):
    """An answer of NetBox, as ``_http_errors`` takes it."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body.

        :raises ValueError: if it is not JSON.
        """
        return json.loads(self.body)


class NetBox:
    """The REST API of one NetBox. ``retry_after`` is the pause, in seconds, that the last answer asks for."""

    def __init__(self, connection: _connection.Connection) -> None:
        """
        :raises ProxboxError: with a sentence, for a certificate or a proxy that cannot be used.
        """
        self._connection = connection
        self._secrets = _connection.secret_values({"netbox_token": connection.token, "headers": connection.headers})
        self._tls = _tls(self._connection)
        self._proxy = _proxy(self._connection.url)
        self.retry_after = 0.0
        self.now = datetime.min

    async def __aenter__(self) -> NetBox:
        limit = self._connection.timeout
        headers = {"Accept": "application/json", **self._connection.headers}
        # aiohttp's own trust in the environment would also read ~/.netrc.
        self._http = aiohttp.ClientSession(
            headers={**headers, "Authorization": _connection.authorization(self._connection.token)},
            timeout=aiohttp.ClientTimeout(total=None, connect=limit, sock_connect=limit, sock_read=limit),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._http.close()

    async def jobs(self, filters: Mapping[str, Any]) -> list[_job.Job]:
        """Return the jobs of ``core/jobs/`` that fit (NetBox 4.5-4.7), lowest id first.

        :raises ProxboxError: with a sentence.
        """
        with _errors.needs("core.view_job"):
            return [_job.Job.from_row(row) for row in await self._rows("core/jobs/", filters)]

    async def time_limit(self) -> timedelta:
        """Return how long NetBox lets a sync run; the plugin's default if it does not tell.

        :raises ProxboxError: with a sentence.
        """
        try:
            rows = await self._rows("plugins/proxbox/settings/", {"fields": "id,sync_job_timeout"})
        except _errors.ProxboxError as exc:
            if exc.status not in (403, 404):
                raise
            rows = []
        return _liveness.time_limit_in(rows)

    async def _rows(self, route: str, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a list, page after page. The order is that of their ids, so that new rows come last."""
        url = f"{self._connection.url}/api/{route}"
        chosen = [(key, str(value)) for key, values in filters.items() for value in _each(values)]
        found: list[dict[str, Any]] = []
        while True:
            paging = [("ordering", "id"), ("limit", "0"), ("offset", str(len(found)))]
            answer = await self._get(url, [*chosen, *paging])
            try:
                page = answer.json()
                rows, count = page["results"], page["count"]
                complete = not rows or len(found) + len(rows) >= count
                found += [row for row in rows if row["id"]]
            except (ValueError, KeyError, TypeError):
                raise self._refused(answer, url) from None
            if complete:
                return found

    async def _get(self, url: str, params: list[tuple[str, str]]) -> Answer:
        host, where = urlsplit(url).netloc, f"(GET {url})"
        self.retry_after = 0.0
        try:
            async with self._http.get(
                url, params=params, ssl=self._tls, proxy=self._proxy, allow_redirects=False
            ) as response:
                answer = Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            sentence = _meaning(exc).format(host=host, where=where, reason=_reason(exc))
            raise _errors.ProxboxError(sentence, url=url, method="GET") from None
        self.now = _connection.server_time(answer.headers)
        if answer.status_code != 200:
            self.retry_after = _seconds_to_wait(answer.headers.get("Retry-After"), self.now)
            raise self._refused(answer, url)
        return answer

    def _refused(self, answer: Answer, url: str) -> _errors.ProxboxError:
        """Return the error for an answer that cannot be used. A server may repeat a secret in it."""
        error = _http_errors.refused(answer, "GET", url)
        sentence = str(error)
        for secret in self._secrets:
            sentence = sentence.replace(secret, "********")
        return error.saying(sentence)


def read_options(args: Mapping[str, Any]) -> Options:
    """Return the options of the source. An option that is blank counts as not set.

    :raises ProxboxError: with a sentence, for an option that cannot work.
    """
    given = {name: value for name, value in args.items() if name != _OF_THE_ENGINE}
    for name in given:
        if name not in _SPEC:
            raise _errors.ProxboxError(f"The event source sync_jobs has no option {name!r}: it has {', '.join(_SPEC)}.")
    taken = _survey.read_answers(given, _SPEC)
    for name in _SPEC.keys() - taken.keys():
        value = _connection.from_environment(*_connection.ENVIRONMENT.get(name, ()))
        if value:
            taken[name] = value
    for name, variable in (("netbox_url", "NETBOX_URL"), ("netbox_token", "NETBOX_TOKEN")):
        if name not in taken:
            raise _errors.ProxboxError(
                f"The event source sync_jobs needs {name}: set it, or the environment variable {variable}."
            )
    texts = {name: str(value) for name, value in taken.items() if _SPEC[name]["type"] == "str"}
    delay = _number(taken, "delay", 30)
    if delay < 1:
        raise _errors.ProxboxError(f"delay {delay:g} is less than a second: give seconds, 1 or more.")
    return Options(
        connection=_connection.checked(
            _connection.Connection(
                url=texts["netbox_url"],
                token=texts["netbox_token"],
                validate_certs=_boolean(taken, "validate_certs"),
                ca_path=texts.get("ca_path"),
                client_cert=texts.get("client_cert"),
                client_key=texts.get("client_key"),
                headers=_dictionary(taken, "headers"),
                timeout=_number(taken, "timeout", 30),
            )
        ),
        delay=delay,
        lookback=_span(texts, "lookback") or timedelta(),
        rules=_events.Rules(
            names=_names(taken, "names"),
            schedules=_names(taken, "schedules"),
            running_too_long=_span(texts, "running_too_long"),
        ),
    )


def _number(taken: Mapping[str, Any], option: str, default: float) -> float:
    try:
        number = float(taken.get(option, default))
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise _errors.ProxboxError(f"{option} {taken[option]!r} is not a number: give seconds.")
    return number


def _boolean(taken: Mapping[str, Any], option: str) -> bool:
    found = _BOOLEANS.get(str(taken.get(option, True)).strip().lower())
    if found is None:
        raise _errors.ProxboxError(f"{option} {taken[option]!r} is neither true nor false.")
    return found


def _dictionary(taken: Mapping[str, Any], option: str) -> Mapping[str, Any]:
    found = taken.get(option, {})
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            found = None
    if not isinstance(found, Mapping):
        raise _errors.ProxboxError(f"{option} is not a dictionary: give names and values, or JSON.")
    return found


def _names(taken: Mapping[str, Any], option: str) -> tuple[str, ...]:
    found = taken.get(option, [])
    if not isinstance(found, list):
        raise _errors.ProxboxError(f"{option} {found!r} is not a list: give a list of names.")
    return tuple(_options.checked_name(str(name)) for name in found)


def _span(texts: Mapping[str, str], option: str) -> timedelta | None:
    return timedelta(minutes=_times.parse_interval(texts[option], option)) if option in texts else None


def _tls(connection: _connection.Connection) -> ssl.SSLContext:
    """Return what TLS trusts and sends.

    :raises ProxboxError: with a sentence, for a file that is no certificate or no key.
    """
    try:
        context = ssl.create_default_context(cafile=connection.ca_path)
        if connection.client_cert:
            context.load_cert_chain(connection.client_cert, connection.client_key)
    except OSError as exc:
        files = ", ".join(filter(None, (connection.ca_path, connection.client_cert, connection.client_key)))
        raise _errors.ProxboxError(
            f"A certificate cannot be read ({exc.strerror or exc}): look at {files}, which must be PEM files."
        ) from None
    if not connection.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for NetBox."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _seconds_to_wait(retry_after: str | None, now: datetime) -> float:
    """Return the pause that the header ``Retry-After`` asks for, in seconds or as a date."""
    if not retry_after:
        return 0.0
    if retry_after.strip().isdecimal():
        return min(float(retry_after[:9]), LONGEST_RETRY_AFTER)
    until = _connection.server_time({"Date": retry_after})
    return min(max((until - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


def _meaning(exc: Exception) -> str:
    """Return the sentence about a request that got no answer, with places for the host and the reason."""
    if isinstance(exc, aiohttp.ClientSSLError):
        return _http_errors.TLS_FAILED
    if not isinstance(exc, TimeoutError):
        return _http_errors.UNREACHABLE
    # aiohttp has an exception of its own for this only since 3.10.
    return _http_errors.NOT_TAKEN if "Connection timeout" in str(exc) else _http_errors.TOO_SLOW


def _reason(exc: Exception) -> str:
    """Return in one line why there was no answer."""
    cause = getattr(exc, "os_error", None) or getattr(exc, "certificate_error", None) or exc
    # What stands before an @ may be the password of a proxy.
    text = re.sub(r"\S+@", "***@", " ".join(str(cause).split())).rstrip(".")
    return text or type(cause).__name__


def _each(values: Any) -> Any:
    return values if isinstance(values, (list, tuple)) else [values]
