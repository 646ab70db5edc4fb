# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 proxbox.proxbox contributors
"""Recordings of what NetBox, RQ and the plugin answer, and of the rows of jobs that are not syncs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from proxbox_checks.record_syncs import (
    DEVICES,
    Scenario,
    hangs,
    kill_worker,
    kill_workhorse,
    nothing,
    stopped,
    worker_restarted,
)
from proxbox_checks.rig import PLUGIN, Recording, Rig
from proxbox_stack.report import StackError

# Runs inside NetBox.
_MAKE_SCRIPT = """
from pathlib import Path
from django.conf import settings
from extras.models import ScriptModule

Path(settings.SCRIPTS_ROOT, "record.py").write_text('''
from extras.scripts import Script

class Greet(Script):
    def run(self, data, commit):
        self.log_info("begin")
        return "done"
''')
module, _new = ScriptModule.objects.get_or_create(file_root="scripts", file_path="record.py")
module.save()
"""


def script(rig: Rig) -> dict[str, Any]:
    """Run a script of NetBox."""
    rig.stack.shell(_MAKE_SCRIPT)
    started = rig.call("POST", "extras/scripts/record.Greet/", {"data": {}, "commit": True})
    return rig.job_at_end(started["result"]["id"])


def bulk_create(rig: Rig) -> dict[str, Any]:
    """Create tags in the background."""
    tags = [{"name": f"record-{number}", "slug": f"record-{number}"} for number in (1, 2)]
    row = rig.job_at_end(rig.call("POST", "extras/tags/?background=true", tags)["job"]["id"])
    rig.call("DELETE", "extras/tags/", [{"id": tag["id"]} for tag in row["data"]["data"]])
    return row


def system_job(rig: Rig) -> dict[str, Any]:
    """Return the next run of a job that NetBox itself repeats."""
    (found,) = rig.call("GET", "core/jobs/?name=System%20Housekeeping&status=scheduled")["results"]
    return rig.job(found["id"])


JOBS: dict[str, Recording] = {"script": script, "bulk_create": bulk_create, "system_job": system_job}
"""Jobs of NetBox that are not syncs."""


# The state of the stack while a request is sent: a context that yields the row of a job.
State = Callable[[Rig], AbstractContextManager[dict[str, Any]]]


@contextmanager
def nothing_special(_rig: Rig) -> Iterator[dict[str, Any]]:
    """No job is needed. There is no job with the id 0, and RQ has no task with this UUID."""
    yield {"id": 0, "job_id": "5b5cf4f1-8a8b-4d9c-a6b5-0d0c5b6a3f55"}


@contextmanager
def scheduled(rig: Rig) -> Iterator[dict[str, Any]]:
    """A sync is scheduled."""
    job = Scenario("devices", waiting=nothing).ask(rig)
    try:
        yield rig.job(job)
    finally:
        rig.cancel(job)


@contextmanager
def running(rig: Rig) -> Iterator[dict[str, Any]]:
    """A sync runs."""
    with hangs(DEVICES)(rig):
        since = rig.log_size()
        job = Scenario("devices").ask(rig)
        try:
            rig.wait_for_hang(since)
            yield rig.job(job)
        finally:
            rig.cancel(job)


@contextmanager
def killed(rig: Rig) -> Iterator[dict[str, Any]]:
    """The process that executes a sync was killed."""
    with running(rig) as row:
        kill_workhorse(rig, row["id"])
        time.sleep(5)
        yield row


@contextmanager
def waiting(rig: Rig) -> Iterator[dict[str, Any]]:
    """A sync waits for a worker."""
    with stopped("worker")(rig):
        job = Scenario("devices").ask(rig)
        try:
            yield rig.job(job)
        finally:
            rig.cancel(job)


@contextmanager
def ended(rig: Rig) -> Iterator[dict[str, Any]]:
    """A sync has ended by itself."""
    yield rig.job_at_end(Scenario("devices").ask(rig))


@contextmanager
def no_sync(rig: Rig) -> Iterator[dict[str, Any]]:
    """A script has run."""
    yield script(rig)


@contextmanager
def without_scheduler(rig: Rig) -> Iterator[dict[str, Any]]:
    """A sync is scheduled, but no worker runs a scheduler.

    The worker was killed and started again at once, and the lock of the killed scheduler has expired since.
    """
    with worker_restarted(rig), scheduled(rig) as row:
        kill_worker(rig, row["id"])
        deadline = time.monotonic() + 120
        while any(queue["scheduler_pid"] for queue in rig.call("GET", "core/background-queues/")["results"]):
            if time.monotonic() > deadline:
                raise StackError("the new worker has come so late that it runs a scheduler: record this once more.")
            time.sleep(1)
        yield row


@contextmanager
def redis_is_full(rig: Rig) -> Iterator[dict[str, Any]]:
    """Redis refuses writes. NetBox saves a job before it writes to Redis."""
    (newest,) = rig.call("GET", "core/jobs/?limit=1")["results"]
    rig.redis("CONFIG SET maxmemory 1")
    try:
        yield newest
    finally:
        rig.redis("CONFIG SET maxmemory 0")
        for row in rig.call("GET", f"core/jobs/?name=Proxbox%20Sync&id__gt={newest['id']}")["results"]:
            rig.cancel(row["id"])


# The user that sends a request: a context that yields a token.
Sender = Callable[[Rig], AbstractContextManager[str]]


@contextmanager
def superuser(rig: Rig) -> Iterator[str]:
    """Send the request as the superuser."""
    yield rig.superuser


@contextmanager
def operator(rig: Rig) -> Iterator[str]:
    """Send the request as a user who may view, add and delete jobs."""
    yield rig.facts["netbox_token"]


def user(*actions: str) -> Sender:
    """Send the request as a user whose only permissions are these actions on jobs."""

    @contextmanager
    def sender(rig: Rig) -> Iterator[str]:
        name = f"record{time.time_ns()}"
        made = rig.call("POST", "users/users/", {"username": name, "password": f"Aa1!{name}"})["id"]
        permissions = []
        try:
            if actions:
                may = {"name": name, "object_types": ["core.job"], "actions": actions, "users": [made]}
                permissions.append(rig.call("POST", "users/permissions/", may)["id"])
            yield rig.call("POST", "users/tokens/", {"user": made, "version": 1})["token"]
        finally:
            rig.call("DELETE", f"users/users/{made}/")
            for permission in permissions:
                rig.call("DELETE", f"users/permissions/{permission}/")

    return sender


@contextmanager
def nobody(_rig: Rig) -> Iterator[str]:
    """Send the request without a token."""
    yield ""


@contextmanager
def wrong_v1(_rig: Rig) -> Iterator[str]:
    """Send the request with a v1 token that NetBox does not know."""
    yield "0" * 40


@contextmanager
def wrong_v2(_rig: Rig) -> Iterator[str]:
    """Send the request with a v2 token that NetBox does not know."""
    yield f"nbt_{'0' * 12}.{'0' * 40}"


class Request:
    """A request of a sender in a state of the stack. ``{id}`` and ``{job_id}`` in its path are those of the job."""

    def __init__(
        self, method: str, path: str, state: State = nothing_special, sender: Sender = superuser, **parts: Any
    ) -> None:
        self.method = method
        self.path = path
        self.state = state
        self.sender = sender
        self.parts = parts

    def __call__(self, rig: Rig) -> dict[str, Any]:
        """Send the request, and return the answer."""
        with self.state(rig) as row, self.sender(rig) as token:
            return rig.browser().send(self.method, self.path.format(**row), token, **self.parts)


class LogIn:
    """The requests from the login page to the page that deletes jobs, up to the request number ``step``."""

    def __init__(self, step: int, password: str = "") -> None:
        self.step = step
        self.password = password

    def __call__(self, rig: Rig) -> dict[str, Any]:
        """Send the requests, and return the last answer."""
        browser = rig.browser()
        login = {"username": rig.facts["netbox_username"], "password": self.password or rig.facts["netbox_password"]}
        steps: list[tuple[str, str, dict[str, str] | None]] = [
            ("POST", "login/", login),
            ("GET", "user/preferences/", None),
            ("POST", "core/jobs/delete/", {}),
        ]
        answer = browser.send("GET", "login/")
        for method, path, form in steps[: self.step]:
            if form is not None:
                (token, *_same) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', answer["body"])
                form = {**form, "csrfmiddlewaretoken": token}
            answer = browser.send(method, path, form=form)
        return answer


def create(sync_type: str, state: State = nothing_special, sender: Sender = superuser, **body: Any) -> Recording:
    """Return the recording of a request to create a sync. If NetBox creates the sync, it is cancelled."""
    request = Request("POST", SCHEDULE, state, sender, body={"sync_types": [sync_type], **body})

    def recording(rig: Rig) -> dict[str, Any]:
        answer = request(rig)
        if answer["status"] == 201:
            rig.cancel(answer["body"]["job_id"])
        return answer

    return recording


WORKERS, QUEUES, TASK = (f"api/core/background-{what}/" for what in ("workers", "queues", "tasks/{job_id}"))
SCHEDULE = f"api/{PLUGIN}/sync/schedule/"
CANCEL = f"api/{PLUGIN}/jobs/{{id}}/cancel/"
CANCEL_PAGE = "core/jobs/{id}/proxbox-cancel/"
FIELDS = f"api/{PLUGIN}/{{}}/?fields={{}}"

ANSWERS: dict[str, Recording] = {
    "status": Request("GET", "api/status/"),
    "no_route": Request("GET", f"api/{PLUGIN}/no-such-route/"),
    "no_schedules": Request("GET", SCHEDULE, sender=user("add")),
    "workers": Request("GET", WORKERS, running),
    "queues": Request("GET", QUEUES, scheduled),
    "queues_without_scheduler": Request("GET", QUEUES, without_scheduler),
    "task_scheduled": Request("GET", TASK, scheduled),
    "task_queued": Request("GET", TASK, waiting),
    "task_started": Request("GET", TASK, running),
    "task_finished": Request("GET", TASK, ended),
    "task_failed": Request("GET", TASK, killed),
    "task_lost": Request("GET", TASK),
    "proxmox_endpoints": Request("GET", FIELDS.format("endpoints/proxmox", "id,name,enabled")),
    "settings": Request("GET", FIELDS.format("settings", "id,sync_job_timeout")),
    "created": create("devices"),
    "not_created": create("foo"),
    "not_created_in_the_past": create("devices", schedule_at="2026-01-01T00:00:00Z"),
    "may_not_create": create("devices", sender=user()),
    "not_created_redis_full": create("devices", redis_is_full),
    "may_cancel": Request("OPTIONS", CANCEL, sender=operator),
    "cancelled": Request("POST", CANCEL, scheduled),
    "cancelled_too_late": Request("POST", CANCEL, ended),
    "cancel_of_no_job": Request("POST", CANCEL),
    "cancel_of_no_sync": Request("POST", CANCEL, no_sync),
    "denied": Request("GET", WORKERS, sender=operator),
    "no_token": Request("GET", "api/status/", sender=nobody),
    "wrong_token_v1": Request("GET", "api/status/", sender=wrong_v1),
    "wrong_token_v2": Request("GET", "api/status/", sender=wrong_v2),
    "page_cancelled": Request("POST", CANCEL_PAGE, scheduled, operator, form={}),
    "page_of_no_job": Request("POST", CANCEL_PAGE, sender=operator, form={}),
    "page_denied": Request("POST", CANCEL_PAGE, sender=user(), form={}),
    "page_wrong_token": Request("POST", CANCEL_PAGE, sender=wrong_v1, form={}),
    "page_no_token": Request("POST", CANCEL_PAGE, sender=nobody, form={}),
    "page_no_csrf_token": Request("POST", CANCEL_PAGE, sender=operator),
    "login": LogIn(0),
    "login_refused": LogIn(1, "wrong"),
    "logged_in": LogIn(1),
    "preferences": LogIn(2),
    "no_rows_deleted": LogIn(3),
}
