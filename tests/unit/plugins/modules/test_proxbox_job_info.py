# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job by its id, or those that the filters choose."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._jobs import Jobs
from ansible_collections.proxbox.proxbox.plugins.module_utils._session import Connection, Session
from ansible_collections.proxbox.proxbox.plugins.modules import proxbox_job_info
from ansible_collections.proxbox.proxbox.tests.unit.conftest import Script, page

LOG = [{"timestamp": "2026-04-01T02:00:01Z", "level": "info", "message": "Starting"}]
Read = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def validator(monkeypatch: pytest.MonkeyPatch) -> ArgumentSpecValidator:
    """Ansible's own judge of the module's options, without those of the connection."""
    made = []
    monkeypatch.setattr(
        proxbox_job_info, "run_module", lambda spec, _work, **rules: made.append(ArgumentSpecValidator(spec, **rules))
    )
    proxbox_job_info.main()
    return made[0]


@pytest.fixture
def read(server: Script, validator: ArgumentSpecValidator) -> Read:
    """Run the module's work with the given options."""

    def run(**options: Any) -> list[dict[str, Any]]:
        valid = validator.validate(options)
        assert not valid.error_messages
        jobs = Jobs(Session(Connection(server.url, "0" * 40, timeout=5)))
        return proxbox_job_info.work(SimpleNamespace(params=valid.validated_parameters), jobs)["jobs"]

    return run


@pytest.mark.parametrize(
    "other",
    [
        {"name": "nightly"},
        {"status": ["running"]},
        {"sync_types": ["all"]},
        {"errored": False},
        {"created_after": "2026-04-01"},
        {"created_before": "2026-04-01"},
        {"scheduled_after": "2026-04-01"},
        {"scheduled_before": "2026-04-01"},
    ],
)
def test_an_id_goes_with_no_filter(validator: ArgumentSpecValidator, other: dict[str, Any]) -> None:
    (message,) = validator.validate({"job_id": 5, **other}).error_messages
    assert message == f"parameters are mutually exclusive: job_id|{next(iter(other))}"


def test_one_job_is_one_get_with_its_log_if_asked(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(5)))
    (job,) = read(job_id=5)
    assert job["id"] == 5 and "log_entries" not in job
    server.answers[:] = [page(row(5, log_entries=LOG))]
    (job,) = read(job_id=5, include_log=True, limit=1)
    assert job["log_entries"] == LOG
    assert server.asked == ["GET /api/core/jobs/?id=5&fields=..."] * 2
    assert ["log_entries" in text for text in server.requests] == [False, True]


def test_one_job_that_just_starts_is_read_with_its_log(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(5, status="running", data=None, log_entries=LOG)))
    (job,) = read(job_id=5, include_log=True)
    assert job["log_entries"] == LOG and job["sync_types"] == []


def test_one_job_has_to_be_a_sync(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(5, name="Housekeeping", data={"other": 1})))
    with pytest.raises(ProxboxError, match=r"Job 5 \(Housekeeping\) .* is no Proxbox sync"):
        read(job_id=5)


def test_filters_choose(server: Script, read: Read, row: Callable[..., Any]) -> None:
    server.answer(page(row(7), row(5)))
    assert [job["id"] for job in read(name="nightly", status=["scheduled"], limit=1)] == [7]
    assert server.asked == ["GET /api/plugins/proxbox/sync-jobs/?name=nightly&status=scheduled&limit=1"]
