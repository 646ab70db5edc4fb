# Copyright (c) 2026 proxbox.proxbox contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The web page of the report, as a parser reads it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.proxbox.proxbox.plugins.module_utils._report import Overview, Row
from ansible_collections.proxbox.proxbox.plugins.module_utils._report_html import page
from ansible_collections.proxbox.proxbox.plugins.module_utils._text import clean
from ansible_collections.proxbox.proxbox.tests.unit import reports

VOID = ("meta", "link")


class Node:
    """An element of the page."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []

    def all(self, tag: str) -> list[Node]:
        """The elements of that kind, in their order."""
        found = [self] if self.tag == tag else []
        return found + [node for child in self.children if isinstance(child, Node) for node in child.all(tag)]

    def one(self, tag: str) -> Node:
        """The only element of that kind."""
        (found,) = self.all(tag)
        return found

    @property
    def text(self) -> str:
        """The text, with one space where the browser shows one."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return re.sub(r"\s+", " ", "".join(parts))


class Page(HTMLParser):
    """A page whose elements are all closed in the right order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Node("root", {})
        self._open = [self.root]
        self.feed(text)
        self.close()
        assert self._open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read(overview: Overview) -> Node:
    return Page(page(overview)).root


def cells(overview: Overview) -> dict[str, list[str]]:
    """The first four cells of each row, by the name of the schedule."""
    rows = read(overview).one("tbody").all("tr")
    return {row.one("th").text: [cell.text for cell in row.all("td")[:3]] for row in rows}


NIGHT = "Sun 29 Nov 02:00 (01:00 UTC)"


def test_all_is_well() -> None:
    found = read(reports.all_well())
    assert found.one("h1").text == "Proxbox sync schedules"
    assert "3 schedules: 2 ok, 1 paused." in found.one("header").text
    assert found.one("title").text == "Proxbox sync schedules: 3 schedules: 2 ok, 1 paused"
    assert not found.all("section"), "nothing is wrong"
    ran = "Sat 28 Nov 02:00 (01:00 UTC): ok, 57 s"
    assert cells(reports.all_well()) == {
        "hourly inventory": ["ok", "running, then Sun 29 Nov 13:00 (12:00 UTC)", ran],
        "nightly": ["ok", NIGHT, ran],
        "yearly": ["paused", "none", "none"],
    }
    assert [len(row.all("li")) for row in found.one("tbody").all("tr")] == [30, 30, 0]


def test_much_is_not_well() -> None:
    report = reports.failing()
    found = read(report)
    wrong, also = found.all("section")
    assert [wrong.one("h2").text, also.one("h2").text] == ["What is wrong", "Also"]
    assert [item.text for item in wrong.all("li")] == report.problems()
    assert [item.one("strong").text for item in wrong.all("li")] == [row.name for row in report.unwell]
    assert [item.text for item in also.all("li")] == report.remarks()
    assert {name: texts[0] for name, texts in cells(report).items()} == {
        "<b>by hand</b> | *x* & more": "ok, undeclared",
        "before the move": "failing",
        "hourly inventory": "ok",
        "monthly": "gone",
        "never served": "no worker",
        "nightly": "failing",
        "weekly": "gone",
        "yearly": "paused",
    }
    assert not found.all("b"), "a name is text"


def test_a_run_is_a_bar_with_a_text_and_a_link_to_its_job() -> None:
    (row,) = (row for row in read(reports.failing()).one("tbody").all("tr") if row.one("th").text == "nightly")
    strip, runs = row.one("ol"), row.all("li")
    assert strip.attributes["aria-label"] == "Runs of nightly, the oldest first"
    last = runs[-1].one("a")
    told = "Sat 28 Nov 02:00 (01:00 UTC): failed, 57 s"
    assert last.attributes["href"] == "http://netbox/core/jobs/999/"
    assert last.attributes["title"].replace("\xa0", " ") == told and last.text == f"x{told}"
    bars = [next(span for span in run.all("span") if "bar" in str(span.attributes.get("class"))) for run in runs]
    assert [one.attributes["class"] for one in bars[-5:]] == [
        "bar cancelled", "bar succeeded", "bar failed", "bar partial", "bar failed",
    ]  # fmt: skip
    seconds = [40 + number * 17 % 30 for number in range(30, 0, -1)]
    assert [one.attributes["style"] for one in bars] == [f"height:{round(100 * took / 69)}%" for took in seconds]


def test_a_table_for_a_screen_reader() -> None:
    table = read(reports.failing()).one("table")
    assert table.one("caption").text == "Schedules"
    heads = table.one("thead").all("th")
    assert [head.text for head in heads] == ["Schedule", "Health", "Next run", "Last run", "Last 30 runs"]
    assert {head.attributes["scope"] for head in heads} == {"col"}
    for row in table.one("tbody").all("tr"):
        assert row.one("th").attributes["scope"] == "row" and len(row.all("td")) == 4
    roles = {"table": "table", "tr": "row", "td": "cell", "thead": "rowgroup", "tbody": "rowgroup"}
    assert all(node.attributes["role"] == role for tag, role in roles.items() for node in table.all(tag))


def test_there_is_nothing() -> None:
    found = read(reports.empty())
    assert "There is no schedule." in found.one("header").text
    assert not found.all("table") and not found.all("section") and "Runs, the newest" not in found.text


@pytest.mark.parametrize("report", [reports.all_well(), reports.failing(), reports.empty()])
def test_the_page_needs_nothing_else(report: Overview) -> None:
    found = read(report)
    assert not [tag for tag in ("script", "img", "iframe", "object", "svg") if found.all(tag)]
    assert [link.attributes["href"] for link in found.all("link")] == ["data:,"]
    assert not re.search(r"url\(|@import", found.one("style").text)
    assert "default-src 'none'" in str([meta.attributes for meta in found.all("meta")])
    assert found.one("html").attributes["lang"] == "en"
    assert found.one("time").text == "Sat 28 Nov 2026 13:00 Europe/Berlin (12:00 UTC)"
    assert found.one("time").attributes["datetime"] == "2026-11-28T12:00:00+00:00"


@given(st.text(min_size=1) | st.sampled_from(["<script>", '"><a href="', "</style>", "&lt;", "' onclick='"]))
def test_whatever_a_name_is_it_stays_text(name: str) -> None:
    run = {"id": 1, "outcome": name, "started": "2026-11-28T01:00:00Z", "duration": None, "url": f"http://n/{name}"}
    # A health such as "ok" has no reasons.
    health, url = f"not {name}", f"https://n/{name}"
    row = Row(name, health, (name,), "no", runs=(run,), unserved_queues=(name,), active=True, url=url)
    found = read(Overview(name, (row,), reports.BERLIN, 30))
    plain = Page(page(Overview("x", (row._replace(name="x", health="x", why=("x",), unserved_queues=("x",)),),
                               reports.BERLIN, 30))).root  # fmt: skip
    assert [len(found.all(tag)) for tag in ("a", "span", "li", "td", "script", "style")] == [
        len(plain.all(tag)) for tag in ("a", "span", "li", "td", "script", "style")
    ]
    assert found.one("tbody").one("th").text == re.sub(r"\s+", " ", clean(name))
    assert all(set(link.attributes) <= {"href", "class", "title"} for link in found.all("a"))


def test_a_run_without_a_page_has_no_link() -> None:
    run = {"id": 1, "outcome": "failed", "started": "2026-11-28T01:00:00Z", "duration": 2, "url": "javascript:alert(1)"}
    found = read(reports.overview((Row("nightly", "ok", runs=(run,)),)))
    assert not found.all("a") and len(found.one("ol").all("li")) == 1
