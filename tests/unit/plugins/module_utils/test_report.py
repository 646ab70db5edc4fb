# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in the terminal and as Markdown, made of recorded runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._errors import ProxboxError
from ansible_collections.proxbox.proxbox.plugins.module_utils._report import (
    Row,
    Times,
    expected,
    lines,
    markdown,
    read_declared,
    rows,
    strip,
    web_address,
)
from ansible_collections.proxbox.proxbox.plugins.module_utils._times import parse_timezone
from ansible_collections.proxbox.proxbox.tests.unit import reports
from ansible_collections.proxbox.proxbox.tests.unit.reports import (
    BERLIN,
    CANCELLED,
    FAILED,
    GOOD,
    NOW,
    PARTIAL,
    overview,
    schedule,
)

HEAD = "Proxbox sync schedules, Sat 28 Nov 2026 13:00 Europe/Berlin (12:00 UTC)"
LEGEND = "Runs, the newest on the right: . ok  ~ partial  x failed  - cancelled  0 nothing done  ? unknown"
NIGHT = "Sun 29 Nov 02:00 (01:00 UTC)"


def shown(found: Any) -> list[str]:
    return [line.text for line in lines(found)]


def test_each_schedule_of_one_name_has_a_row() -> None:
    # NetBox gives syncs without a name the same name.
    found = [schedule("Proxbox Sync", (FAILED,)), schedule("Proxbox Sync")]
    made = overview(rows(found, None, None, BERLIN))
    assert made.summary() == "2 schedules: 1 ok, 1 failing (Proxbox Sync)" and len(made.problems()) == 1


def test_all_is_well() -> None:
    assert shown(reports.all_well()) == [
        HEAD,
        "3 schedules: 2 ok, 1 paused.",
        "",
        "SCHEDULE          HEALTH  NEXT RUN                                    LAST RUN                              "
        "  LAST 30 RUNS",
        "hourly inventory  ok      running, then Sun 29 Nov 13:00 (12:00 UTC)  Sat 28 Nov 02:00 (01:00 UTC): ok, 57 s"
        f"  {'.' * 30}",
        "nightly           ok      Sun 29 Nov 02:00 (01:00 UTC)                Sat 28 Nov 02:00 (01:00 UTC): ok, 57 s"
        f"  {'.' * 30}",
        "yearly            paused  none                                        none",
        "",
        LEGEND,
    ]
    assert [line.tone for line in lines(reports.all_well())] == ["", "", "", "", "good", "good", "note", "", ""]


def test_much_is_not_well() -> None:
    found = lines(reports.failing())
    table = {line.text[:27].rstrip(): (line.text[29:].split("  ")[0], line.tone) for line in found[4:12]}
    assert table == {
        "<b>by hand</b> | *x* & more": ("ok, undeclared", "note"),
        "before the move": ("failing", "bad"),
        "hourly inventory": ("ok", "good"),
        "monthly": ("gone", "bad"),
        "never served": ("no worker", "bad"),
        "nightly": ("failing", "bad"),
        "weekly": ("gone", "bad"),
        "yearly": ("paused", "note"),
    }
    assert found[9].text.endswith(f"Sat 28 Nov 02:00 (01:00 UTC): failed, 57 s    ....~{'.' * 20}-.x~x")
    assert found[1].text == (
        "8 schedules: 2 ok, 1 paused, 2 failing (before the move, nightly), 2 gone (monthly, weekly), 1 no worker "
        "(never served); 1 undeclared (<b>by hand</b> | *x* & more)."
    )
    what = "the last run did not do everything that was requested"
    assert [(line.tone, line.text) for line in found[15:]] == [
        (
            "bad",
            f"before the move is failing since Fri 27 Nov 02:00 (01:00 UTC): {what}: pve-lab: vm-backups failed after "
            "3 attempts: HTTP 500: no space left on device; devices is ok (3 s).",
        ),
        (
            "bad",
            "monthly is gone: NetBox has no active job of it, and none that has run. Run the task that declares it.",
        ),
        (
            "bad",
            "never served has no worker: job 1001 (never served) is due at Sun 29 Nov 2026 01:00 UTC, but no worker is "
            "running: start a worker for the queue 'default'.",
        ),
        (
            "bad",
            f"nightly is failing since Thu 26 Nov 02:00 (01:00 UTC): {what} (3 failures since the last good run): "
            "pve-lab: devices failed after 3 attempts: HTTP 500: no space left on device.",
        ),
        (
            "bad",
            "weekly is gone: NetBox has no active job of it. Its last run (job 999, cancelled) began Sat 28 Nov 02:00 "
            "(01:00 UTC). Run the task that declares it.",
        ),
        ("note", "No worker starts the jobs of 1 schedule in the queue 'default'."),
        (
            "note",
            "Undeclared, so no entry has this name: <b>by hand</b> | *x* & more. Declare the schedule, or end it.",
        ),
    ]


def test_there_is_nothing() -> None:
    assert shown(reports.empty()) == [HEAD, "There is no schedule."]
    assert "|" not in markdown(reports.empty())


def test_markdown() -> None:
    text = markdown(reports.failing()).splitlines()
    assert text[0] == "# Proxbox sync schedules" and text[-1] == HEAD.partition(", ")[2]
    assert (
        "| [nightly](http://netbox/core/jobs/1001/) | **failing** | Sun 29 Nov 02:00 (01:00 UTC) | [Sat 28 Nov 02:00 "
        f"(01:00 UTC): failed, 57 s](http://netbox/core/jobs/999/) | `....~{'.' * 20}-.x~x` |"
    ) in text
    name = r"&lt;b&gt;by hand&lt;/b&gt; \| \*x\* &amp; more"
    assert f"| [{name}](http://netbox/core/jobs/1001/) | ok, undeclared | {NIGHT} |" in "\n".join(text)
    assert f"- Undeclared, so no entry has this name: {name}. Declare the schedule, or end it." in text
    assert "| monthly | **gone** | none | none |  |" in text


@given(st.text(min_size=1, max_size=60))
def test_a_name_breaks_neither_the_table_nor_the_terminal(name: str) -> None:
    found = overview((Row(name, "ok", url="http://netbox/1/"), Row(f"{name} gone", "gone", ("it is",))))
    table = lines(found)[3:6]
    columns = {line.text.split()[-1] for line in table[1:]}
    assert columns == {"none"}
    assert not set("\x1b\n\r\x9b\u202e") & set("".join(line.text for line in lines(found)))
    text = markdown(found).splitlines()
    assert [line.replace("\\|", "").count("|") for line in text if line.startswith("| ")] == [6, 6, 6]
    assert "<" not in markdown(found)


@pytest.mark.parametrize(
    ("zone", "iso", "text"),
    [
        ("UTC", "2026-11-25T02:00:00Z", "Wed 25 Nov 02:00"),
        ("Europe/Berlin", "2026-11-25T02:00:00Z", "Wed 25 Nov 03:00 (02:00 UTC)"),
        ("Europe/Berlin", "2026-11-24T23:30:00Z", "Wed 25 Nov 00:30 (Tue 23:30 UTC)"),
        ("Europe/Berlin", "2026-12-31T23:00:00Z", "Fri 1 Jan 2027 00:00 (Thu 23:00 UTC)"),
        ("UTC", None, ""),
    ],
)
def test_a_time(zone: str, iso: str | None, text: str) -> None:
    assert Times(parse_timezone(zone), NOW).text(iso) == text


def test_the_time_of_the_report() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert Times(parse_timezone("utc"), late).made() == "Thu 31 Dec 2026 23:30 UTC"
    berlin = Times(ZoneInfo("Europe/Berlin"), late)
    assert berlin.made() == "Fri 1 Jan 2027 00:30 Europe/Berlin (Thu 23:30 UTC)"


@pytest.mark.parametrize(
    ("likes", "since"),
    [
        ((GOOD, FAILED), None),
        ((FAILED, GOOD), "Sat 28 Nov 02:00 (01:00 UTC)"),
        ((CANCELLED, PARTIAL, CANCELLED, FAILED, CANCELLED, GOOD), "Wed 25 Nov 02:00 (01:00 UTC)"),
        ((FAILED,) * 29, "Sat 31 Oct 02:00 (01:00 UTC)"),
        ((FAILED,) * 30, "Fri 30 Oct 02:00 (01:00 UTC) or earlier"),
        ((*(FAILED,) * 29, GOOD), "Sat 31 Oct 02:00 (01:00 UTC)"),
    ],
)
def test_since_when_a_schedule_fails(likes: tuple[str, ...], since: str | None) -> None:
    (row,) = rows([schedule("nightly", likes)], None, None, BERLIN)
    sentences = overview((row,)).problems()
    assert len(sentences) == bool(since) == bool(row.since and row.health == "failing")
    assert all(sentence.startswith(f"nightly is failing since {since}: ") for sentence in sentences)


def test_what_is_declared() -> None:
    assert read_declared(None, None) is None
    assert read_declared([], None) == {} == read_declared(None, [])
    entries = [
        {"name": " nightly ", "interval": "daily"},
        {"name": "old", "state": "absent"},
        {"name": "off", "enabled": False},
        {"name": "as text", "enabled": "false"},
        {"name": "on", "enabled": True, "state": "present"},
        {"name": 7, "state": "absent", "enabled": False},
    ]
    assert read_declared(["weekly", "old"], entries) == {
        "weekly": "present",
        "nightly": "present",
        "old": "absent",
        "off": "paused",
        "as text": "paused",
        "on": "present",
        "7": "absent",
    }


@pytest.mark.parametrize("entries", [["nightly"], [{"interval": "daily"}], [{"name": None}], [{"name": ""}]])
def test_an_entry_without_a_name(entries: list[Any]) -> None:
    with pytest.raises(ProxboxError, match=r"schedules has an entry|name ''"):
        read_declared(None, entries)


def test_what_is_expected_and_what_is_not() -> None:
    names = {
        "here": "present",
        "gone": "present",
        "off": "paused",
        "still on": "paused",
        "old": "absent",
        "over": "absent",
    }
    found = [schedule(name, ()) for name in ("here", "still on", "old", "other")]
    assert expected(names, found) == ["gone"]
    missing = {"schedules": [schedule("gone", ())], "gone": [], "ended": [], "past_runs": {}}
    made = {row.name: row for row in rows(found, missing, names, BERLIN)}
    assert {name: (row.label, row.declared) for name, row in made.items()} == {
        "gone": ("ok", "present"),  # it came back before it was looked for
        "here": ("ok", "present"),
        "off": ("paused", "paused"),
        "old": ("ok, to be absent", "absent"),
        "other": ("ok, undeclared", "no"),
        "still on": ("ok, to be paused", "paused"),
    }
    report = overview(tuple(made.values()))
    assert report.unwell == []
    remarks = "1 to be absent (old); 1 undeclared (other); 1 to be paused (still on)"
    assert report.summary() == f"6 schedules: 5 ok, 1 paused; {remarks}"
    assert [text.partition(". ")[0] for text in report.remarks()] == [
        "Undeclared, so no entry has this name: other",
        "Declared as absent, but with an active job: old",
        "Declared as paused (enabled: false), but with an active job: still on",
    ]


def test_nothing_is_undeclared_if_nothing_is_declared() -> None:
    (row,) = rows([schedule("nightly", (GOOD, FAILED))], None, None, BERLIN)
    assert (row.label, row.declared, strip(row)) == ("ok", None, "x.")
    assert overview((row,)).summary() == "1 schedule: 1 ok"


def test_a_row_as_the_module_returns_it() -> None:
    found = schedule("nightly", (FAILED, GOOD))
    (row,) = rows([found], None, None, BERLIN)
    assert row.result() == {
        "name": "nightly",
        "health": "failing",
        "why": found["why"],
        "declared": None,
        "active": True,
        "next_run": "2026-11-29T01:00:00Z",
        "running_since": None,
        "since": "2026-11-28T01:00:00Z",
        "last_run": found["runs"][0],
        "runs": found["runs"],
        "unserved_queues": [],
        "url": "http://netbox/core/jobs/1001/",
    }


def test_a_run_in_progress() -> None:
    began = "2026-11-28T11:58:00Z"
    found = schedule("nightly", (), status="running", started=began, scheduled=began)
    (row,) = rows([found], None, None, BERLIN)
    assert row.running_since == began
    (row,) = rows([{**found, "health": "stale"}], None, None, BERLIN)
    assert row.running_since is None


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "ftp://netbox/"])
def test_what_is_no_web_page_is_not_linked(url: str) -> None:
    assert web_address(url) == ""
    row = Row("nightly", "ok", url=url)
    assert "[nightly]" not in markdown(overview((row,)))


def test_an_address_stays_inside_its_link() -> None:
    assert web_address('https://n/a") b(<|\u202e') == "https://n/a%22%29%20b%28%3C%7C%E2%80%AE"
