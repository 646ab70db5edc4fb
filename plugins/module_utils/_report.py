# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to the collection: the report about schedules, as a table of text and as Markdown.

It is made of what the module proxbox_sync_schedule_info returns, and of what is declared. Pure: no network, no clock.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any, NamedTuple
from unicodedata import category, east_asian_width
from urllib.parse import quote

from ._errors import ProxboxError
from ._message import by_kind, counted, names_in_words
from ._options import checked_name
from ._outcome import CANCELLED, FAILED, NOTHING_DONE, PARTIAL, SUCCEEDED, UNKNOWN
from ._text import clean, shortened
from ._times import duration, in_zone

MARKS = {SUCCEEDED: ".", PARTIAL: "~", FAILED: "x", CANCELLED: "-", NOTHING_DONE: "0", UNKNOWN: "?"}
"""The character of each outcome in the strip of runs."""

OUTCOMES = {**{outcome: outcome for outcome in MARKS}, SUCCEEDED: "ok", NOTHING_DONE: "nothing done"}
"""The word for each outcome."""

WELL = ("ok", "ended", "paused")
"""The values of health that are no problem."""

NAME_WIDTH = 40
"""How many characters of a name the table shows."""

_SENTENCES = {
    "duplicate": "exists more than once",
    "no_worker": "has no worker",
    "no_scheduler": "has no scheduler",
    "unknown": "has an unknown outcome",
    "cancelled": "was cancelled",
    "nothing_done": "did nothing",
}
_FALSE = ("false", "no", "off", "0", "n", "f")
_NOT_AS_DECLARED = {
    "no": "Undeclared, so no entry has this name: {}. Declare the schedule, or end it.",
    "absent": "Declared as absent, but with an active job: {}. Run the task that declares the schedule.",
    "paused": "Declared as paused (enabled: false), but with an active job: {}. Run the task that declares it.",
}
_REMARKS = {"no": "undeclared", "absent": "to be absent", "paused": "to be paused"}


class Times(NamedTuple):
    """How times are written: in a time zone, with UTC beside. ``now`` is the time of the report."""

    zone: tzinfo
    now: datetime

    def text(self, iso: str | None) -> str:
        """Return a time, for example ``Wed 25 Nov 02:00 (01:00 UTC)``; empty if there is none.

        :param iso: the time as the modules return it.
        """
        if iso is None:
            return ""
        utc = datetime.strptime(iso, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        return in_zone(utc, self.zone, now=self.now)

    def made(self) -> str:
        """Return the time of the report with its year and the time zone."""
        return in_zone(self.now.replace(second=0), self.zone)


class Row(NamedTuple):
    """One schedule of the report. Times are as the modules return them.

    ``declared`` is ``present``, ``paused`` or ``absent`` as the entry says, ``no`` if there is no entry, and None if
    nothing is declared. ``since`` is the start of the oldest of the failures since the last good run. ``active`` tells
    whether the schedule has an active job, and ``url`` is the web page of this job.
    """

    name: str
    health: str
    why: tuple[str, ...] = ()
    declared: str | None = None
    next_run: str | None = None
    running_since: str | None = None
    since: str | None = None
    runs: tuple[Mapping[str, Any], ...] = ()
    unserved_queues: tuple[str, ...] = ()
    active: bool = False
    url: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look at the schedule."""
        return self.health in WELL

    @property
    def label(self) -> str:
        """The health, and whether the schedule is not as declared."""
        remark = _REMARKS.get(self.declared or "") if self.active else None
        return f"{self.word}, {remark}" if remark else self.word

    @property
    def word(self) -> str:
        """The health in words."""
        return self.health.replace("_", " ")

    @property
    def last_run(self) -> Mapping[str, Any] | None:
        """The newest run that has ended."""
        return next(iter(self.runs), None)

    def result(self) -> dict[str, Any]:
        """Return this row in the shape that the module returns."""
        shape = self._asdict()
        return {
            **shape,
            "why": list(self.why),
            "runs": list(map(dict, self.runs)),
            "last_run": dict(self.last_run) if self.last_run else None,
            "unserved_queues": list(self.unserved_queues),
        }


class Overview(NamedTuple):
    """The report: its rows by name, and how it writes times. ``history`` is how many runs were read at most."""

    title: str
    rows: tuple[Row, ...]
    times: Times
    history: int

    @property
    def unwell(self) -> list[Row]:
        """The schedules that somebody has to look at."""
        return [row for row in self.rows if not row.is_well]

    @property
    def has_runs(self) -> bool:
        """Whether a run is shown."""
        return any(row.runs for row in self.rows)

    def summary(self) -> str:
        """Return one sentence, for example ``7 schedules: 6 ok, 1 gone (weekly)``."""
        if not self.rows:
            return "There is no schedule"
        rows = sorted(self.rows, key=lambda row: (not row.is_well, row.health != "ok"))
        found = [(clean(row.name), row.word) for row in rows]
        remarks = by_kind((clean(row.name), row.label.rpartition(", ")[2]) for row in rows if row.label != row.word)
        ends = "".join(f"; {len(names)} {remark} ({names_in_words(names)})" for remark, names in remarks.items())
        return f"{counted('schedule', found, WELL)}{ends}"

    def problem(self, row: Row) -> str:
        """Return one sentence about a schedule that is unwell."""
        since = f" since {self._since(row)}" if row.health == "failing" and row.since else ""
        what = _SENTENCES.get(row.health, f"is {row.health}")
        return f"{clean(row.name)} {what}{since}: {clean('; '.join(row.why)).rstrip('.')}."

    def problems(self) -> list[str]:
        """Return one sentence for each schedule that is unwell."""
        return list(map(self.problem, self.unwell))

    def remarks(self) -> list[str]:
        """Return a sentence for each queue without a worker, and for each kind of schedule that is not as declared."""
        queues = Counter(clean(queue) for row in self.rows for queue in row.unserved_queues)
        found = [
            f"No worker starts the jobs of {count} schedule{'s' if count > 1 else ''} in the queue {queue!r}."
            for queue, count in queues.items()
        ]
        for how, sentence in _NOT_AS_DECLARED.items():
            names = [clean(row.name) for row in self.rows if row.label != row.word and row.declared == how]
            if names:
                found.append(sentence.format(", ".join(dict.fromkeys(names))))
        return found

    def next_run(self, row: Row) -> str:
        """Return when a schedule runs next."""
        then = self.times.text(row.next_run)
        if row.running_since:
            return f"running, then {then}" if then else "running"
        return then or "none"

    def last_run(self, row: Row) -> str:
        """Return when the newest run of a schedule began, what came of it, and how long it took."""
        return self.run(row.last_run) if row.last_run else "none"

    def run(self, run: Mapping[str, Any]) -> str:
        """Return when a run began, what came of it, and how long it took."""
        took = "" if run["duration"] is None else f", {duration(run['duration'])}"
        return f"{self.times.text(run['started'])}: {OUTCOMES.get(run['outcome'], run['outcome'])}{took}"

    def legend(self) -> str:
        """Return what the characters of a strip of runs mean."""
        return "  ".join(f"{mark} {OUTCOMES[outcome]}" for outcome, mark in MARKS.items())

    def _since(self, row: Row) -> str:
        """Return since when the runs of a schedule fail. There may be older ones that were not read."""
        first = self.times.text(row.since)
        all_read = len(row.runs) < self.history or row.runs[-1]["started"] != row.since
        return first if all_read else f"{first} or earlier"


def read_declared(names: Sequence[str] | None, schedules: Sequence[Any] | None) -> dict[str, str] | None:
    """Return how each declared schedule is declared: ``present``, ``paused`` or ``absent``; None if nothing is given.

    :param schedules: the list that the module proxbox_sync_schedules takes.
    :raises ProxboxError: with a sentence.
    """
    if names is None and schedules is None:
        return None
    declared = {checked_name(name): "present" for name in names or ()}
    for entry in schedules or ():
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if name is None or not isinstance(entry, Mapping):
            raise ProxboxError(
                "schedules has an entry that is not a dictionary with a name: give the list that the module "
                "proxbox_sync_schedules takes."
            )
        is_paused = str(entry.get("enabled")).strip().lower() in _FALSE
        is_absent = str(entry.get("state")).strip() == "absent"
        declared[checked_name(str(name))] = "absent" if is_absent else "paused" if is_paused else "present"
    return declared


def previous_names(schedules: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """Return the name that declared schedules had before, by their name. ``read_declared`` has checked the entries."""
    return {entry["name"]: entry["previous_name"] for entry in schedules or () if entry.get("previous_name")}


def expected(declared: Mapping[str, str], found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the declared schedules that should have an active job, and are not among those that were found."""
    active = {schedule["name"] for schedule in found}
    return sorted(name for name, how in declared.items() if how == "present" and name not in active)


def rows(
    found: Sequence[Mapping[str, Any]],
    missing: Mapping[str, Any] | None,
    declared: Mapping[str, str] | None,
    times: Times,
) -> tuple[Row, ...]:
    """Return the rows of the report, sorted by name.

    :param found: the schedules that have an active job, as the module proxbox_sync_schedule_info returns them.
    :param missing: what the same module has returned about the names of ``expected``; None if there are none.
    :param declared: what ``read_declared`` returned.
    """
    missing = missing or {"schedules": [], "gone": [], "ended": [], "past_runs": {}}

    def how(name: str) -> str | None:
        return None if declared is None else declared.get(name, "no")

    # Several schedules can have the name that NetBox gives to syncs without a name.
    all_rows = [_active(schedule, how(schedule["name"])) for schedule in (*found, *missing["schedules"])]
    for name in missing["gone"]:
        runs = tuple(missing["past_runs"][name])
        all_rows.append(Row(name, "gone", (_why_gone(runs, times),), how(name), runs=runs))
    for over in missing["ended"]:
        name, runs = over["name"], tuple(missing["past_runs"][over["name"]])
        health = "ended" if over["health"] == "ok" else over["health"]
        all_rows.append(Row(name, health, tuple(over["why"]), how(name), since=_since(runs), runs=runs))
    there = {row.name for row in all_rows}
    paused = [name for name, state in (declared or {}).items() if state == "paused" and name not in there]
    all_rows += [Row(name, "paused", declared="paused") for name in paused]
    return tuple(sorted(all_rows, key=lambda row: row.name))


class Line(NamedTuple):
    """A line of the terminal, and how it is coloured: ``good``, ``bad``, ``note`` or not at all."""

    text: str
    tone: str = ""


def lines(overview: Overview) -> list[Line]:
    """Return the report as an aligned table, with the reasons below."""
    found = [Line(f"{clean(overview.title)}, {overview.times.made()}"), Line(f"{overview.summary()}.")]
    if overview.rows:
        found += [Line(""), *_table(overview)]
    if overview.has_runs:
        found += [Line(""), Line(f"Runs, the newest on the right: {overview.legend()}")]
    reasons = [Line(text, "bad") for text in overview.problems()]
    reasons += [Line(text, "note") for text in overview.remarks()]
    return [*found, *([Line("")] if reasons else []), *reasons]


def strip(row: Row) -> str:
    """Return one character for each run, the newest on the right."""
    return "".join(MARKS.get(run["outcome"], "?") for run in reversed(row.runs))


def markdown(overview: Overview) -> str:
    """Return the report as Markdown."""
    text = [f"# {_plain(overview.title)}", "", f"{_plain(overview.summary())}.", ""]
    if overview.rows:
        text += [f"| Schedule | Health | Next run | Last run | {_runs_title(overview)} |", "|---|---|---|---|---|"]
        for row in overview.rows:
            mark = _plain(row.label) if row.is_well else f"**{_plain(row.label)}**"
            last = _link(overview.last_run(row), row.last_run["url"] if row.last_run else "")
            runs = f"`{strip(row)}`" if row.runs else ""
            cells = (_link(row.name, row.url), mark, _plain(overview.next_run(row)), last, runs)
            text.append(f"| {' | '.join(cells)} |")
        text.append("")
    if overview.has_runs:
        text += ["Runs, the newest on the right: " + ", ".join(f"`{MARKS[key]}` {OUTCOMES[key]}" for key in MARKS), ""]
    for title, sentences in (("What is wrong", overview.problems()), ("Also", overview.remarks())):
        if sentences:
            text += [f"## {title}", "", *(f"- {_plain(sentence)}" for sentence in sentences), ""]
    text.append(f"{_plain(overview.times.made())}")
    return "\n".join(text) + "\n"


def web_address(url: str) -> str:
    """Return the address of a web page, safe to be linked to; empty if it is none."""
    return quote(url, safe="/:?&=#%@[]!$+,;~") if re.match(r"https?://", url) else ""


def _active(schedule: Mapping[str, Any], declared: str | None) -> Row:
    """Return the row of a schedule that has an active job."""
    job, runs = schedule["job"], tuple(schedule["runs"])
    return Row(
        name=schedule["name"],
        health=schedule["health"],
        why=tuple(schedule["why"]),
        declared=declared,
        next_run=schedule["next_run"],
        running_since=job["started"] if job["status"] == "running" and schedule["health"] != "stale" else None,
        since=_since(runs),
        runs=runs,
        unserved_queues=tuple(schedule["unserved_queues"]),
        active=True,
        url=job["url"],
    )


def _since(runs: Iterable[Mapping[str, Any]]) -> str | None:
    """Return when the oldest of the failures since the last good run began; None if there is none."""
    first = None
    for run in runs:
        if run["outcome"] in (SUCCEEDED, NOTHING_DONE):
            break
        if run["outcome"] in (FAILED, PARTIAL):
            first = run["started"]
    return first


def _why_gone(runs: Sequence[Mapping[str, Any]], times: Times) -> str:
    """Return the sentence about a declared schedule that has no active job."""
    what = "NetBox has no active job of it"
    if not runs:
        return f"{what}, and none that has run. Run the task that declares it"
    outcome = OUTCOMES.get(runs[0]["outcome"], runs[0]["outcome"])
    last = f"Its last run (job {runs[0]['id']}, {outcome}) began {times.text(runs[0]['started'])}"
    return f"{what}. {last}. Run the task that declares it"


def _table(overview: Overview) -> Iterator[Line]:
    heads = ("SCHEDULE", "HEALTH", "NEXT RUN", "LAST RUN", _runs_title(overview).upper())
    cells = [
        (
            shortened(clean(row.name), NAME_WIDTH),
            row.label,
            overview.next_run(row),
            overview.last_run(row),
            strip(row),
        )
        for row in overview.rows
    ]
    widths = [max(map(columns, column)) for column in zip(heads, *cells, strict=True)]
    yield Line(_aligned(heads, widths))
    for row, texts in zip(overview.rows, cells, strict=True):
        tone = "bad" if not row.is_well else "good" if row.label == "ok" else "note"
        yield Line(_aligned(texts, widths), tone)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if category(char) in ("Mn", "Me", "Cf") and char != "\N{SOFT HYPHEN}":
        return 0  # it belongs to the character before it
    return 2 if east_asian_width(char) in "WF" else 1


def _runs_title(overview: Overview) -> str:
    return f"Last {overview.history} runs"


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    escaped = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", html.escape(clean(text), quote=False))
    return re.sub(r"^(\d*)([-+.)])", r"\1\\\2", escaped)  # else it may begin a list


def _link(text: str, url: str) -> str:
    address = web_address(url)
    return f"[{_plain(text)}]({address})" if address else _plain(text)
